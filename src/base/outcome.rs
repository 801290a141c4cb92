//! The end of an exchange: the handler answers it, the server rejects it, or it ends with an error or a panic. In each
//! case the response is complete or the connection is closed.

use std::time::Instant;

use super::{Outcome, RequestHandler, log_lines};
use crate::connection::cycle::Due;
use crate::connection::observer::Observation;
use crate::error::{Fault, guarded};
use crate::exchange::{Exchange, Nesting};
use crate::http1::Refusal;
use crate::{Error, Result, Status};

/// Answers or rejects the request. Returns true if the response is incomplete.
#[inline]
pub(super) fn answer<H: RequestHandler + ?Sized>(h: &H, x: &mut Exchange<'_>, due: Due) -> bool {
    let result = match due {
        Due::Request => guarded(|| dispatch(h, x)),
        Due::Refused(refusal) => {
            x.channel().doom();
            Err(refused(&refusal))
        }
        Due::Late(late) => guarded(|| late.run(&h, x)),
        Due::Over(_) => return false,
    };
    note_panic(x, &result);
    settle(h, x, result)
}

/// Reports the outcome of the exchange, unless the response continues without the handler. Then it is reported when the
/// response is over.
#[cold]
pub(super) fn tell_if_over<H: RequestHandler + ?Sized>(
    h: &H,
    x: &Exchange<'_>,
    start: Instant,
    is_cut: bool,
) {
    let channel = x.channel();
    if channel.is_deferred() || (!is_cut && channel.postpone_report()) {
        return;
    }
    let outcome = Outcome {
        elapsed: start.elapsed(),
        is_cut,
        ..channel.out.borrow().outcome(0, 0)
    };
    tell(h, x, &outcome);
}

/// Reports the outcome of the exchange to the layers and to the log.
#[cold]
pub(super) fn tell<H: RequestHandler + ?Sized>(h: &H, x: &Exchange<'_>, outcome: &Outcome) {
    let told = guarded(|| {
        h.end_request(x, outcome);
        log_request(h, x, outcome);
        Ok(())
    });
    x.context.scope.logged_code.set(0);
    if let Err(error) = &told {
        log(h, x, error);
    }
}

/// Logs the line of a request in a format that contains the outcome.
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

/// Lets the handler answer the request.
fn dispatch<H: RequestHandler + ?Sized>(h: &H, x: &mut Exchange<'_>) -> Result<()> {
    match x.expects_continue && !is_expectation_met(h, x)? {
        true => Ok(()),
        false => h.do_method(x),
    }
}

/// Asks the handler whether the client may send its body. If it returns false, it has answered the request.
#[cold]
fn is_expectation_met<H: RequestHandler + ?Sized>(h: &H, x: &mut Exchange<'_>) -> Result<bool> {
    // The hook may send `100 Continue` itself, so this comes first.
    x.rfile.await_continue();
    let is_met = h.handle_expect_100(x)?;
    // Without a body, the next request is known to follow the head.
    if !is_met && x.rfile.remaining() != Some(0) {
        x.channel().doom();
    }
    Ok(is_met)
}

/// Ends the exchange: completes the response, or answers the error. Returns true if the response can be neither
/// completed nor replaced.
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
        // The declared bytes were sent, and the surplus was not.
        Err(error) if !matches!(error.fault(), Some(Fault::Overlong)) => settle_error(h, x, error),
        _ => settle_overlong(h, x),
    }
}

/// Completes a response whose handler wrote more bytes than it had declared.
#[cold]
fn settle_overlong<H: RequestHandler + ?Sized>(h: &H, x: &mut Exchange<'_>) -> bool {
    if let Err(error) = x.channel().finish() {
        return settle_error(h, x, error.into());
    }
    log(h, x, &Error::from(std::io::Error::from(Fault::Overlong)));
    false
}

/// Answers an error. Returns true if the response is incomplete.
#[cold]
fn settle_error<H: RequestHandler + ?Sized>(h: &H, x: &mut Exchange<'_>, error: Error) -> bool {
    x.unwound(Nesting::default());
    if !is_answerable(x, &error) {
        x.channel().doom();
        // A client that disconnects is not worth a log line.
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

/// Returns true if no byte of the response was sent, and the client can still read one.
pub(super) fn is_answerable(x: &Exchange<'_>, error: &Error) -> bool {
    !x.response_has_begun() && error.fault().is_none_or(Fault::is_answerable)
}

/// Sends the error page of the handler that has failed.
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
    // The error page must not be deferred.
    channel.undefer();
    answered
}

/// Logs an error. A panic of the logging hook is caught.
#[cold]
fn log<H: RequestHandler + ?Sized>(h: &H, x: &Exchange<'_>, error: &Error) {
    let logged = guarded(|| {
        h.log_error(x, format_args!("\"{}\" {error}", x.requestline));
        Ok(())
    });
    note_panic(x, &logged);
}

/// Reports a panic to a test fixture, which fails its test.
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
