//! [`Report`]: an exchange whose response continues without a handler, and whose outcome is to be reported.
//!
//! The outcome is known when the response is complete or cut. Then [`State::Late`] calls the handler once more, as for
//! the response of a deferred request, and `base` calls `end_request`. So these hooks run where handlers may run.

use std::mem;
use std::time::Duration;

use super::Connection;
use super::channel::Channel;
use super::handed::What;
use super::kept::{Kept, Late, LateStep};
use super::outcome::Outcome;
use super::state::{Ending, State};

/// An exchange whose outcome is reported when its response is over.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) kept: Kept,
    /// Number of bytes in memory and in a file range that were not sent when the handler returned.
    unsent: u64,
    /// Number of bytes that the socket had taken by then.
    written: u64,
}

impl Channel {
    /// Postpones the report of an exchange. Returns false if its response does not continue without a handler.
    pub(crate) fn postpone_report(&self) -> bool {
        let rest = &mut *self.rest.borrow_mut();
        if rest.tail.is_none() && rest.handed.is_none() {
            return false;
        }
        let tail = rest.tail.as_ref().map_or(0, |tail| tail.left());
        rest.report = Some(Box::new(Report {
            kept: Kept::default(),
            unsent: tail.saturating_add(self.out.borrow().buffer.len() as u64),
            written: self.written(),
        }));
        true
    }
}

impl Connection {
    /// Notes that an exchange is over that continued without a handler. If its outcome is to be reported, that is the next
    /// step of the connection.
    pub(super) fn note_over(&mut self, is_cut: bool) {
        let is_cut = is_cut || self.channel.is_broken() || self.channel.resets.get();
        let Some((kept, lost, streamed)) = self.take_report(is_cut) else {
            return;
        };
        let start = kept.carried.start;
        let outcome = Outcome {
            elapsed: start.map_or(Duration::ZERO, |start| start.elapsed()),
            is_cut,
            ..self.channel.out.get_mut().outcome(lost, streamed)
        };
        let then = mem::replace(&mut self.state, State::Open);
        let step = LateStep::Report(outcome, Box::new(then));
        self.state = State::Late(Box::new(Late { kept, step }));
    }

    /// Takes the exchange that is over, if it is to be reported, with the number of bytes that were not sent and the number
    /// that a stream has sent.
    fn take_report(&mut self, is_cut: bool) -> Option<(Kept, u64, u64)> {
        let written = self.channel.written();
        let rest = self.channel.rest.get_mut();
        let what = rest.handed.as_mut().map(|handed| &mut handed.what);
        if let Some(report) = rest.report.take() {
            let sent = written.saturating_sub(report.written);
            let lost = match is_cut {
                true => report.unsent.saturating_sub(sent),
                false => 0,
            };
            let streamed = match what {
                Some(What::Stream(link)) => link.written(),
                _ => 0,
            };
            return Some((report.kept, lost, streamed));
        }
        // A deferred request that gets no response.
        let kept = match (&mut self.state, what) {
            (State::Late(late), _) if matches!(late.step, LateStep::Answer(_)) => &mut late.kept,
            (_, Some(What::Late(_, kept))) => kept,
            _ => return None,
        };
        (is_cut && kept.carried.start.is_some()).then(|| (mem::take(kept), 0, 0))
    }

    /// Returns true if the next step of the connection is to report an outcome.
    pub(crate) fn is_to_report(&self) -> bool {
        matches!(&self.state, State::Late(late) if matches!(late.step, LateStep::Report(..)))
    }

    /// Closes the socket, and keeps the rest of the connection until the outcome of its last exchange is reported. Returns
    /// false if there is nothing to report.
    pub(crate) fn close_before_report(&mut self) -> bool {
        if !self.is_to_report() {
            return false;
        }
        self.set_state_after_report(State::Ending(Ending::Close));
        self.channel.wire.stream.close();
        true
    }

    /// Returns the state of the connection, after the report if one is due.
    pub(super) fn state_after_report(&self) -> &State {
        match &self.state {
            State::Late(late) => match &late.step {
                LateStep::Report(_, then) => then,
                LateStep::Answer(_) => &self.state,
            },
            state => state,
        }
    }

    /// Sets the state of the connection, after the report if one is due.
    pub(super) fn set_state_after_report(&mut self, state: State) {
        if let State::Late(late) = &mut self.state
            && let LateStep::Report(_, then) = &mut late.step
        {
            **then = state;
        } else {
            self.state = state;
        }
    }
}
