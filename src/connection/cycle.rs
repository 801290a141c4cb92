//! One request and its response: from the complete head to the next state of the connection.

use std::borrow::Cow;
use std::mem;

use super::Connection;
use super::channel::Channel;
use super::deferred::Answer;
use super::input::{Input, Texts};
use super::kept::{Kept, Late, LateStep};
use super::outcome::Outcome;
use super::outgoing::Terms;
use super::request_body::{Body, RequestBody};
use super::response_writer::ResponseWriter;
use super::state::{Discard, State};
use super::wait_hook::Coming;
use crate::exchange::{Context, Exchange, Headers};
use crate::http1::chunked::Decoder;
use crate::http1::framing::BodyLength;
use crate::http1::head::{self, Extent, Found, Head};
use crate::http1::{Refusal, is_11};
use crate::proxies::forwarded::Origin;

/// The way in which an exchange is to be answered.
#[derive(Debug)]
pub(crate) enum Due {
    /// By the handler.
    Request,
    /// With an error page.
    Refused(Refusal),
    /// By the closure of a deferred request.
    Late(Answer),
    /// Not at all: the response is over, and its outcome is reported.
    Over(Outcome),
}

impl Connection {
    /// Takes the head that [`poll_request`](Self::poll_request) has found and calls `answer` with what is [`Due`]. `answer`
    /// returns true if it gave up the response. Then the unread rest of the body is dropped, or the connection ends. The
    /// version of the server decides whether the connection may be kept.
    pub(crate) fn exchange(
        &mut self,
        context: &Context<'_>,
        answer: impl FnOnce(&mut Exchange<'_>, Due) -> bool,
    ) {
        let Connection {
            channel,
            input,
            body,
            state,
            ..
        } = self;
        let (found, refusal, late) = take(state, input);
        let (kept, step) = late.map(|late| (late.kept, late.step)).unzip();
        input.reset_scan();
        let Extent { start, end } = found.extent();
        let is_behind = !channel.is_idle();
        let (bytes, ahead, texts) = input.split(start, end);
        let bytes = kept.as_ref().map_or(bytes, |kept| &kept.head);
        let Texts {
            scratch,
            path: whole_path,
            places,
        } = texts;
        let parsed = match refusal {
            Some(refusal) => Err(refusal),
            None => head::parse(bytes, &found, scratch, places, &channel.limits.of_head()),
        };
        before_handler(channel, parsed.as_ref().ok(), ahead.unread(), is_behind);
        let (head, refusal) = match parsed {
            Ok(head) => (head, None),
            Err(refusal) => {
                let requestline = head::first_line(head::text(bytes, scratch));
                (Head::refused(requestline), Some(refusal))
            }
        };
        // Of a refused request nobody knows what of the input belongs to it.
        let client_ends = refusal.is_none() && !head.meta.keep_alive;
        let server_keeps = is_11(context.scope.version);
        let (due, then) = match (refusal, step) {
            (_, Some(LateStep::Report(outcome, then))) => (Due::Over(outcome), Some(then)),
            (Some(refusal), _) => (Due::Refused(refusal), None),
            (None, Some(LateStep::Answer(answer))) => (Due::Late(answer), None),
            (None, None) => (Due::Request, None),
        };
        if then.is_none() {
            begin(channel, body, &head, server_keeps, kept.as_ref());
        }
        let path = match head.target.path {
            Cow::Borrowed(path) => path,
            Cow::Owned(path) => {
                *whole_path = path;
                whole_path
            }
        };
        let origin = match self.is_unnamed {
            false => self.server.proxies.origin(self.peer, &head.fields),
            true => Origin::of(self.peer),
        };
        let mut exchange = Exchange {
            client_address: origin.client,
            server: &self.server,
            requestline: head.requestline,
            command: head.command,
            path,
            request_version: head.request_version,
            headers: Headers::new(head.fields),
            rfile: RequestBody {
                channel,
                body,
                ahead,
            },
            wfile: ResponseWriter { channel },
            close_connection: &channel.close,
            authority: origin.host.or(head.target.authority),
            is_https: origin.is_https,
            expects_continue: head.meta.expects_continue,
            redirects: 0,
            context,
            mount: None,
        };
        let is_truncated = answer(&mut exchange, due);
        if channel.is_unfinished() {
            channel.keep_head(bytes);
        }
        if then.is_some() || channel.is_deferred() {
            if let Some(hook) = &channel.wire.hook {
                hook.after_handler();
            }
            if let Some(then) = then {
                *state = *then;
            }
            return;
        }
        self.end_exchange(is_truncated, client_ends);
    }

    /// Ends the exchange: the unread rest of its body is dropped, or the connection ends. `is_truncated`: the response could
    /// not be completed.
    fn end_exchange(&mut self, is_truncated: bool, client_ends: bool) {
        self.answered += 1;
        self.channel.out.get_mut().end_exchange();
        let channel = &self.channel;
        if let Some(hook) = &channel.wire.hook {
            hook.after_handler();
        }
        let is_left = channel.detached.get() || channel.resets.get();
        if is_left || is_truncated || channel.must_close() {
            self.state = self.last_state(is_left, is_truncated, client_ends);
        } else if !self.body.is_read(channel) {
            self.state = State::Discarding(Discard {
                left: channel.limits.discard,
                // What has begun to go holds nothing.
                holds_response: !channel.has_tail() && !channel.is_handed(),
                ends: false,
            });
        }
        if let State::Discarding(discard) = &mut self.state {
            // `handle_request` returns with the answer.
            discard.holds_response &= !self.one_at_a_time;
            if discard.holds_response {
                self.discard();
            }
        }
        self.tell_over();
    }
}

/// Takes what is to be answered: a head in the input, a refusal, or an exchange whose handler has returned.
#[inline(always)]
fn take(state: &mut State, input: &Input) -> (Found, Option<Refusal>, Option<Late>) {
    let none = Found::Other(Extent::default());
    match mem::replace(state, State::Open) {
        State::Found(found) => (found, None, None),
        // Of a head that is refused unfinished there is the request line, or nothing.
        State::Refused(refusal) => {
            let line = input.refused_line().unwrap_or_default();
            (Found::Other(line), Some(refusal), None)
        }
        State::Late(late) => (none, None, Some(*late)),
        _ => (none, None, None),
    }
}

/// Tells the hook that a handler is about to run, and sends finished responses before a handler that may block.
#[inline(always)]
fn before_handler(channel: &Channel, head: Option<&Head<'_>>, unread: &[u8], is_behind: bool) {
    let coming = match unread {
        _ if is_behind => Coming::Behind,
        [] => Coming::Alone,
        _ => Coming::First,
    };
    let (method, path) = head.map_or(("", ""), |head| (head.command, &*head.target.path));
    let hook = channel.wire.hook.as_ref();
    // A server of one thread has no hook, and no other thread would send what is finished.
    let takes_time = hook.is_none_or(|hook| hook.before_handler(method, path, coming));
    if is_behind && takes_time {
        // If it fails, it fails again, and is reported, where the response is sent.
        let _ = channel.send_some_ready(false);
    }
}

/// Begins the response and the body of the request. A part of the body of a deferred request may have been read before.
#[inline(always)]
fn begin(
    channel: &Channel,
    body: &mut Body,
    head: &Head<'_>,
    server_keeps: bool,
    kept: Option<&Kept>,
) {
    let terms = Terms {
        client: head.version,
        is_head: head.requestline.starts_with("HEAD "),
        is_connect: head.command == "CONNECT",
    };
    if kept.is_none() {
        *body = Body::default();
    }
    let body_left = match head.meta.body {
        _ if kept.is_some() => channel.body_left.get(),
        BodyLength::Exact(length) => length,
        BodyLength::Chunked => {
            body.decoder = Some(Decoder::new(channel.limits.of_chunks()));
            0
        }
    };
    // The client may have sent bytes for the tunnel at once: they are no requests (RFC 9931, section 8).
    let may_be_kept = server_keeps && head.meta.keep_alive && !terms.is_connect;
    channel.begin(terms, !may_be_kept, body_left);
    if let Some(kept) = kept {
        channel.awaits_continue.set(kept.awaits_continue);
        channel.close.set(kept.closes);
    }
}
