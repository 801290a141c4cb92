//! [`State`]: the state of a connection between two exchanges, how it changes without a handler, and how a connection ends.

use std::{io, mem};

use super::Connection;
use super::input::Socket;
use super::kept::Late;
use super::observer::{BodyRest, Observation};
use super::request_body::{Dropped, RequestBody};
#[cfg(feature = "tls-config")]
use super::tls::Tls;
use crate::Error;
use crate::http1::Refusal;
use crate::http1::head::Found;
use crate::limits::Limits;

/// Bytes of one connection that are dropped, or sent of a tail, before other connections get a turn.
pub(super) const SHARE: u64 = 1 << 20;

/// The state of a connection between two exchanges.
#[derive(Debug)]
pub(super) enum State {
    /// The connection looks for the next head.
    Open,
    /// The next head is complete, at this place in the unread bytes.
    Found(Found),
    /// The next request is refused before anything of it is handled.
    Refused(Refusal),
    /// The handler has returned, and is called once more: the program has answered a deferred request, or the outcome of
    /// a response that continued without the handler is to be reported.
    Late(Box<Late>),
    /// The last request is answered, and the rest of its body is dropped.
    Discarding(Discard),
    /// The connection ends.
    Ending(Ending),
    /// The sending side is shut; this number of bytes was dropped since.
    Lingering(u64),
}

/// The rest of a body that no handler reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Discard {
    /// Number of bytes that may still be dropped.
    pub(super) left: u64,
    /// The response waits for the body, for a moment: some clients read no response before they have sent the body, and
    /// some proxies report an earlier response as a broken connection.
    pub(super) holds_response: bool,
    /// The connection ends after the body; otherwise it looks for the next head.
    pub(super) ends: bool,
}

/// The reason why a parked connection waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// The head of its first request.
    FirstHead,
    /// Its next request.
    NextHead,
    /// The rest of a head.
    RestOfHead,
    /// The rest of a body, before the response is sent.
    BodyAtOnce,
    /// The rest of a body that is dropped.
    RestOfBody,
    /// The end of the stream, after the last response.
    End,
    /// Room in the socket for the rest of responses.
    Room,
    /// The program, which writes a stream or has deferred the request.
    Program,
    /// The program, which writes a stream with keep-alive bytes.
    Silence,
}

impl WaitsFor {
    pub(crate) const ALL: [WaitsFor; 9] = [
        WaitsFor::FirstHead,
        WaitsFor::NextHead,
        WaitsFor::RestOfHead,
        WaitsFor::BodyAtOnce,
        WaitsFor::RestOfBody,
        WaitsFor::End,
        WaitsFor::Room,
        WaitsFor::Program,
        WaitsFor::Silence,
    ];
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// At once, because the client has left or a reset is to be sent.
    Close,
    /// The client announced that it sends nothing more: shuts the sending side, and closes at once unless the client sends.
    Last,
    /// Shuts the sending side now, and closes when the client has read the response (RFC 9112, 9.6).
    Linger,
}

/// The progress of the end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lingers {
    /// The client may still be reading its response.
    Waits,
    /// It is still sending.
    GoesOn,
    /// It is to be closed.
    Over,
}

impl Connection {
    /// Returns true if the next request is refused and the error response was not made yet.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused(_))
    }

    /// What the connection waits for when it is parked now.
    pub(crate) fn waits_for(&self) -> WaitsFor {
        match self.state {
            _ if self.is_unfinished() => match self.channel.has_tail() {
                true => WaitsFor::Room,
                false => self.handed_waits_for().unwrap_or(WaitsFor::Room),
            },
            State::Discarding(discard) if discard.holds_response => WaitsFor::BodyAtOnce,
            State::Discarding(discard) if !discard.ends => WaitsFor::RestOfBody,
            State::Discarding(_) | State::Ending(_) | State::Lingering(_) => WaitsFor::End,
            _ if self.answered == 0 => WaitsFor::FirstHead,
            _ if self.has_partial_head() => WaitsFor::RestOfHead,
            _ => WaitsFor::NextHead,
        }
    }

    /// Returns true if finished responses wait for the rest of a body.
    pub(super) fn holds_responses(&self) -> bool {
        matches!(self.state, State::Discarding(discard) if discard.holds_response)
    }

    /// Ends the wait of finished responses for the rest of a body.
    pub(super) fn release_responses(&mut self) {
        if let State::Discarding(discard) = &mut self.state
            && mem::take(&mut discard.holds_response)
        {
            self.tell_over();
        }
    }

    /// Sends the responses that a parked connection holds, as far as the socket takes them, before it is closed.
    pub(crate) fn send_held_responses(&mut self) {
        let held = mem::take(&mut self.held_responses);
        let is_whole = |sent: io::Result<usize>| sent.is_ok_and(|sent| sent == held.len());
        if !held.is_empty() && !is_whole(self.channel.wire.stream.send(&held, &[], false)) {
            // A part of it must not look like all of it.
            self.channel.wire.stream.end_with_reset();
        }
    }

    /// Handles a body that does not arrive in time: responses wait for it no longer, or the connection ends.
    pub(crate) fn discard_timed_out(&mut self) {
        match self.holds_responses() {
            true => self.release_responses(),
            false => self.state = State::Ending(Ending::Linger),
        }
    }

    /// Tells the observer that the exchange is over.
    pub(super) fn tell_over(&self) {
        let rest = match self.state {
            State::Discarding(discard) if discard.holds_response => BodyRest::Awaited,
            State::Discarding(_) => BodyRest::Discarded,
            _ => BodyRest::None,
        };
        let over = Observation::Over(self.input.pending(), rest);
        self.channel.wire.observed.tell(over);
    }

    pub(crate) fn is_discarding(&self) -> bool {
        matches!(self.state, State::Discarding(_))
    }

    /// Returns true if there is more of a body to drop, but other connections have their turn. No event reports it.
    pub(crate) fn has_more_to_discard(&self) -> bool {
        self.is_discarding() && !self.input.socket.is_read()
    }

    /// Makes the connection answer the next request with this error, without reading it.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.state = State::Refused(refusal);
    }

    /// Refuses plain HTTP where TLS is expected, with a plain response.
    #[cold]
    pub(super) fn refuse_plain_http(&mut self) {
        // For the log: where the request line stands.
        let _ = self.input.find_head(&self.channel.limits);
        self.refuse(Refusal::new(400, "This port speaks HTTPS, not plain HTTP"));
    }

    /// Handles a failed read. If TLS has failed, the connection lingers, so that the client can read the alert.
    #[cold]
    pub(super) fn reading_failed(&mut self, error: io::Error) -> Error {
        #[cfg(feature = "tls-config")]
        if self.channel.wire.stream.tls().is_some_and(Tls::has_failed) {
            self.state = State::Ending(Ending::Linger);
        }
        error.into()
    }

    /// Sends an orderly end (`close_notify` over TLS) before the connection is closed, if no response is truncated.
    pub(crate) fn say_end(&self) {
        let is_between = match self.state_after_report() {
            State::Open | State::Found(_) | State::Refused(_) | State::Discarding(_) => true,
            // The client has ended it, behind its last answer.
            State::Ending(Ending::Close) => self.input.socket == Socket::Ended,
            _ => false,
        };
        let channel = &self.channel;
        let is_lost = channel.resets.get() || channel.detached.get() || channel.is_broken();
        if is_between && !is_lost && !self.is_unfinished() {
            channel.wire.stream.say_end();
        }
    }

    /// Drops the received part of a body that no handler reads, without waiting. Returns false if more must come.
    #[cold]
    pub(super) fn discard(&mut self) -> bool {
        let State::Discarding(mut discard) = self.state else {
            return true;
        };
        self.state = match self.rest_of_body().drop_available(&mut discard.left) {
            Ok(Dropped::All) if !discard.ends => State::Open,
            Ok(Dropped::Some) => State::Discarding(discard),
            Err(_) if self.channel.is_broken() => State::Ending(Ending::Close),
            // As much as may be dropped while a connection lingers.
            Ok(Dropped::TooMuch) if discard.ends => State::Ending(Ending::Close),
            Ok(Dropped::All | Dropped::TooMuch) | Err(_) => State::Ending(Ending::Linger),
        };
        !matches!(self.state, State::Discarding(_))
    }

    /// The state of the connection after its last exchange.
    pub(super) fn last_state(
        &mut self,
        is_left: bool,
        is_truncated: bool,
        client_ends: bool,
    ) -> State {
        if is_left || (is_truncated && self.cut()) {
            return State::Ending(Ending::Close);
        }
        // A client that did not say so itself may be sending its next request just now.
        let pending = self.input.pending();
        let body = self.rest_of_body();
        let is_read = body.ahead.socket.is_read();
        let is_last = client_ends && is_read && pending == 0 && body.remaining() == Some(0);
        let nobody = self.channel.is_broken() || self.channel.wire.control().is_cut();
        if nobody {
            return State::Ending(Ending::Close);
        }
        // Some clients take the end of the stream for an error while they send. One that waits for `100 Continue`
        // does not.
        let is_coming = !self.channel.awaits_continue.get();
        if is_coming && self.rest_of_body().can_be_dropped() {
            let rest = self.rest_of_body().remaining();
            return State::Discarding(Discard {
                left: self.channel.limits.linger,
                holds_response: rest.is_none_or(|rest| rest <= self.channel.limits.discard)
                    && !self.is_unfinished(),
                ends: true,
            });
        }
        State::Ending(match is_last {
            true => Ending::Last,
            false => Ending::Linger,
        })
    }

    fn rest_of_body(&mut self) -> RequestBody<'_> {
        let (_, ahead, _) = self.input.split(0, 0);
        RequestBody {
            channel: &self.channel,
            body: &mut self.body,
            ahead,
        }
    }

    /// Makes the connection end in a way that does not look like the end of a response. Returns true if that is a reset.
    fn cut(&mut self) -> bool {
        let is_ambiguous = self.is_handed() || self.channel.out.borrow().ends_with_close();
        if is_ambiguous {
            self.channel.wire.stream.end_with_reset();
            self.channel.resets.set(true);
        } else {
            self.channel.out.borrow_mut().give_up();
            let _ = self.channel.send_finished(false);
            if self.channel.out.borrow().left() != Some(0) {
                self.channel.wire.stream.cut_end();
            }
        }
        is_ambiguous
    }

    /// Ends the connection because of a handler or an error, after exchanges that would have kept it.
    pub(crate) fn leave(&mut self) {
        if let State::Ending(_) | State::Lingering(_) = self.state_after_report() {
            return;
        }
        let has_ended = self.input.socket == Socket::Ended;
        let nobody = has_ended || self.channel.is_broken() || self.answered == 0;
        self.set_state_after_report(State::Ending(match nobody {
            true => Ending::Close,
            false => Ending::Linger,
        }));
    }

    /// The way in which the connection ends, if it does.
    pub(crate) fn ending(&self) -> Option<Ending> {
        match self.state {
            State::Ending(ending) => Some(ending),
            State::Lingering(_) => Some(Ending::Linger),
            _ => None,
        }
    }

    /// Continues the end of a connection, without waiting: shuts the sending side, and drops what the client still sends, so
    /// that it can read its last response.
    pub(crate) fn linger(&mut self, limits: &Limits) -> Lingers {
        self.send_held_responses();
        let (before, is_quiet_over) = match self.state {
            State::Ending(how @ (Ending::Last | Ending::Linger)) => {
                self.input.forget_unread();
                if !self.channel.detached.get() {
                    self.channel.wire.stream.shutdown_write();
                }
                (0, how == Ending::Last)
            }
            State::Lingering(dropped) => (dropped, false),
            _ => return Lingers::Over,
        };
        let mut now = 0;
        while now < SHARE {
            match self.channel.wire.drop_available() {
                // The end of the stream, or an error.
                None => return Lingers::Over,
                Some(0) if is_quiet_over && now == 0 => return Lingers::Over,
                Some(0) => break,
                Some(more) => now += more,
            }
        }
        let dropped = now.saturating_add(before);
        self.state = State::Lingering(dropped);
        match now < SHARE {
            _ if dropped >= limits.linger => Lingers::Over,
            true => Lingers::Waits,
            false => Lingers::GoesOn,
        }
    }
}
