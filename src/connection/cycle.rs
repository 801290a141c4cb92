//! One request and its response: from the head that was found to what becomes of the connection.

use std::borrow::Cow;
use std::mem;

use super::Connection;
use super::deferred::Answer;
use super::handed::Late;
use super::input::Texts;
use super::observer::Event;
use super::outgoing::Terms;
use super::request_body::{Body, RequestBody};
use super::response_writer::ResponseWriter;
use super::state::{Drain, State};
use super::wait_hook::Coming;
use crate::exchange::{Context, Exchange, Headers};
use crate::http1::chunked::Decoder;
use crate::http1::framing::BodyLength;
use crate::http1::head::{self, Extent, Found, Head};
use crate::http1::{Refusal, is_11};

/// How an exchange is to be answered.
#[derive(Debug)]
pub(crate) enum Due {
    /// By the handler.
    Request,
    /// With an error page.
    Refused(Refusal),
    /// As the program has said after it was put off.
    Late(Answer),
}

impl Connection {
    /// Takes the head that [`poll_request`](Self::poll_request) has found, and has the request answered, as is
    /// [`Due`]. `answer` says whether its response was given up. Then what is unread of the
    /// body is read off, or the connection ends. The server's version says whether the connection may be kept.
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
        let (mut found, mut refusal, mut late) = (Found::Other(Extent::default()), None, None);
        match mem::replace(state, State::Open) {
            State::Found(there) => found = there,
            // Of a head that is refused unfinished there is the request line, or nothing.
            State::Refused(refused) => {
                found = Found::Other(input.refused_line().unwrap_or_default());
                refusal = Some(refused);
            }
            State::Late(that) => late = Some(*that),
            _ => {}
        }
        let (kept, late) = match late {
            Some(Late {
                head,
                answer,
                awaits_continue,
            }) => (head, Some((answer, awaits_continue))),
            None => (Vec::new(), None),
        };
        input.reset_scan();
        let Extent { start, end } = found.extent();
        let is_behind = !channel.is_idle();
        let (bytes, ahead, texts) = input.split(start, end);
        let Texts {
            scratch,
            path: whole_path,
            places,
        } = texts;
        let limits = channel.limits.of_head();
        let bytes = late.as_ref().map_or(bytes, |_| &kept);
        let parsed = match refusal {
            Some(refusal) => Err(refusal),
            None if late.is_some() => head::parse_again(bytes, scratch, places, &limits),
            None => head::parse(bytes, &found, scratch, places, &limits),
        };
        let coming = match ahead.unread() {
            _ if is_behind => Coming::Behind,
            [] => Coming::Alone,
            _ => Coming::First,
        };
        let named = parsed.as_ref();
        let (method, path) = named.map_or(("", ""), |head| (head.command, &*head.target.path));
        let hook = channel.wire.hook.as_ref();
        // A server of one thread has no hook, and no other thread would send what is finished.
        let takes_time = hook.is_none_or(|hook| hook.before_handler(method, path, coming));
        if is_behind && takes_time {
            // If it fails, it fails again, and is reported, where the response is sent.
            let _ = channel.send_some_ready(false);
        }
        let (head, refusal) = match parsed {
            Ok(head) => (head, None),
            Err(refusal) => {
                let requestline = head::first_line(head::text(bytes, scratch));
                (Head::refused(requestline), Some(refusal))
            }
        };
        // Of a refused request nobody knows what of the input belongs to it.
        let client_ends = refusal.is_none() && !head.meta.keep_alive;
        let terms = Terms {
            client: head.version,
            is_head: head.requestline.starts_with("HEAD "),
            is_connect: head.command == "CONNECT",
        };
        if late.is_none() {
            *body = Body::default();
        }
        let body_left = match head.meta.body {
            // Some of it may have been read by now.
            _ if late.is_some() => channel.body_left.get(),
            BodyLength::Exact(length) => length,
            BodyLength::Chunked => {
                body.decoder = Some(Decoder::new(channel.limits.of_chunks()));
                0
            }
        };
        let can_persist = is_11(context.shared.version) && head.meta.keep_alive;
        channel.begin(terms, !can_persist, body_left);
        let due = match (refusal, late) {
            (Some(refusal), _) => Due::Refused(refusal),
            (None, None) => Due::Request,
            (None, Some((answer, awaits_continue))) => {
                channel.awaits_continue.set(awaits_continue);
                Due::Late(answer)
            }
        };
        let path = match head.target.path {
            Cow::Borrowed(path) => path,
            Cow::Owned(path) => {
                *whole_path = path;
                whole_path
            }
        };
        let mut exchange = Exchange {
            client_address: self.peer,
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
            authority: head.target.authority,
            expects_continue: head.meta.expects_continue,
            redirects: 0,
            context,
            mount: None,
        };
        let is_truncated = answer(&mut exchange, due);
        if channel.is_deferred() {
            channel.keep_head(bytes);
            if let Some(hook) = &channel.wire.hook {
                hook.after_handler();
            }
            return;
        }
        self.end_exchange(is_truncated, client_ends);
    }

    /// The exchange is over: what is unread of its body is read off, or the connection ends. `is_truncated`: its response
    /// could not be completed.
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
            self.state = State::Draining(Drain {
                left: channel.limits.drain,
                // What has begun to go holds nothing.
                holds_answer: !channel.has_tail() && !channel.is_handed(),
                ends: false,
            });
        }
        if let State::Draining(drain) = &mut self.state {
            // `handle_request` returns with the answer.
            drain.holds_answer &= !self.one_at_a_time;
            if drain.holds_answer {
                self.drain();
            }
        }
        let pending = self.input.pending();
        self.channel.wire.observed.tell(Event::Over(pending));
    }
}
