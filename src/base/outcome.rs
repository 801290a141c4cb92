//! What comes of an exchange: it is answered by the handler, refused, or ends with an error or a panic, and
//! each of these leaves a whole response or a connection that ends.

use std::time::Duration;

use super::{Outcome, RequestHandler, log_lines};
use crate::connection::cycle::Due;
use crate::connection::observer::Observation;
use crate::error::{Fault, guarded};
use crate::exchange::{Exchange, Nesting};
use crate::http1::Refusal;
use crate::{Error, Result, Status};

/// Answers the request, or refuses it. True: its response was given up.
#[inline]
pub(super) fn answer<H: RequestHandler + ?Sized>(h: &H, x: &mut Exchange<'_>, due: Due) -> bool {
    let result = match due {
        Due::Request => guarded(|| dispatch(h, x)),
        Due::Refused(refusal) => {
            x.channel().doom();
            Err(refused(&refusal))
        }
        Due::Late(late) => guarded(|| late.run(&h, x)),
    };
    note_panic(x, &result);
    settle(h, x, result)
}

/// Tells a layer, and the log, what came of the exchange.
#[cold]
pub(super) fn tell<H: RequestHandler + ?Sized>(
    h: &H,
    x: &Exchange<'_>,
    elapsed: Duration,
    is_cut: bool,
) {
    let outcome = Outcome {
        elapsed,
        is_cut,
        ..x.channel().out.borrow().outcome()
    };
    let told = guarded(|| {
        h.end_request(x, &outcome);
        log_request(h, x, &outcome);
        Ok(())
    });
    x.context.scope.logged_code.set(0);
    if let Err(error) = &told {
        log(h, x, error);
    }
}

/// Writes the line of a request that tells what came of it.
fn log_request<H: RequestHandler + ?Sized>(h: &H, x: &Exchange<'_>, outcome: &Outcome) {
    let scope = x.context.scope;
    if let Some(format) = x.server.late_format()
        && scope.is_to_log.get()
    {
        let line = log_lines::request(h, x, outcome, format);
        scope.logged_code.set(outcome.code.max(1));
        h.log_line(x, &line);
    }
}

#[cold]
fn refused(refusal: &Refusal) -> Error {
    let status = Status::new(refusal.code);
    match &*refusal.message {
        "" => status.into(),
        message => status.with_message(message).into(),
    }
}

/// Has the request answered by the handler.
fn dispatch<H: RequestHandler + ?Sized>(h: &H, x: &mut Exchange<'_>) -> Result<()> {
    match x.expects_continue && !is_expectation_met(h, x)? {
        true => Ok(()),
        false => h.do_method(x),
    }
}

/// Asks the handler whether the client may send its body; if not, that was answered.
#[cold]
fn is_expectation_met<H: RequestHandler + ?Sized>(h: &H, x: &mut Exchange<'_>) -> Result<bool> {
    // Before the hook, which may send `100 Continue` itself.
    x.rfile.await_continue();
    let is_met = h.handle_expect_100(x)?;
    // Without a body nobody has to guess whether it will still come.
    if !is_met && x.rfile.remaining() != Some(0) {
        x.channel().doom();
    }
    Ok(is_met)
}

/// Brings the exchange to its end, whatever came of it: completes the response, or answers the error,
/// or (true) gives up a response that can be neither completed nor replaced.
fn settle<H: RequestHandler + ?Sized>(h: &H, x: &mut Exchange<'_>, result: Result<()>) -> bool {
    let channel = x.channel();
    if channel.is_deferred() {
        if result.is_ok() && !x.response_has_begun() {
            channel.out.borrow_mut().drop_unsent();
            return false;
        }
        channel.undefer();
    }
    let overlong = channel.out.borrow().is_overlong();
    match result {
        Ok(()) if !overlong => match channel.finish() {
            Ok(()) => false,
            Err(error) => settle_error(h, x, error.into()),
        },
        // What was declared went out; what was too much did not.
        Err(error) if !matches!(error.fault(), Some(Fault::Overlong)) => settle_error(h, x, error),
        _ => settle_overlong(h, x),
    }
}

/// Completes a response of which more was written than declared.
#[cold]
fn settle_overlong<H: RequestHandler + ?Sized>(h: &H, x: &mut Exchange<'_>) -> bool {
    if let Err(error) = x.channel().finish() {
        return settle_error(h, x, error.into());
    }
    log(h, x, &Error::from(std::io::Error::from(Fault::Overlong)));
    false
}

/// Answers an error, or (true) gives up the response.
#[cold]
fn settle_error<H: RequestHandler + ?Sized>(h: &H, x: &mut Exchange<'_>, error: Error) -> bool {
    x.unwound(Nesting::default());
    if !is_answerable(x, &error) {
        x.channel().doom();
        // That a client leaves is nothing to report.
        if error.fault() != Some(&Fault::Gone) {
            log(h, x, &error);
        }
        return true;
    }
    let answered = answer_error(h, x, &error);
    let answered = answered.and_then(|()| Ok(x.channel().finish()?));
    note_panic(x, &answered);
    match answered {
        Ok(()) => false,
        Err(error) => {
            log(h, x, &error);
            if !x.response_has_begun() {
                x.channel().out.borrow_mut().drop_unsent();
            }
            true
        }
    }
}

/// Nothing of the response was sent, and the client may still read one.
pub(super) fn is_answerable(x: &Exchange<'_>, error: &Error) -> bool {
    !x.response_has_begun() && error.fault().is_none_or(Fault::is_answerable)
}

/// Has an error answered by the error page of the handler that has failed.
pub(super) fn answer_error<H: RequestHandler + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    error: &Error,
) -> Result<()> {
    let channel = x.channel();
    channel.undefer();
    if !error.is_status() {
        channel.doom();
    }
    if error.is_to_log() {
        log(h, x, error);
    }
    channel.out.borrow_mut().drop_unsent();
    let answered = guarded(|| h.send_error(x, error.status()));
    // What was refused would be refused again.
    channel.undefer();
    answered
}

/// Logs what went wrong, even where logging itself does.
#[cold]
fn log<H: RequestHandler + ?Sized>(h: &H, x: &Exchange<'_>, error: &Error) {
    let logged = guarded(|| {
        h.log_error(x, format_args!("\"{}\" {error}", x.requestline));
        Ok(())
    });
    note_panic(x, &logged);
}

/// A fixture has its test fail by a panic.
pub(super) fn note_panic(x: &Exchange<'_>, result: &Result<()>) {
    if let Err(error) = result {
        tell_panic(x, error);
    }
}

#[cold]
fn tell_panic(x: &Exchange<'_>, error: &Error) {
    if let Some(message) = error.panic_message() {
        x.channel().observed().tell(Observation::Panic(message));
    }
}
