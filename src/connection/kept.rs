//! [`Kept`]: what is kept of an exchange that is not over when its handler returns, until the handler is called once more
//! ([`Late`]).

use std::mem;
use std::time::Instant;

use super::Connection;
use super::channel::{Channel, Rest};
use super::deferred::Answer;
use super::handed::What;
use super::outcome::Outcome;
use super::state::State;
use crate::exchange::Data;
use crate::shutdown::TailGuard;

/// The state that is kept for an exchange that is not over when its handler returns.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) head: Vec<u8>,
    /// The client waits for `100 Continue`.
    pub(super) awaits_continue: bool,
    /// The handler wants the connection to end.
    pub(super) closes: bool,
    pub(super) carried: Carried,
    /// Counts the memory of the head until the outcome is reported. (That of a deferred request is counted in `Handed`.)
    counted: Option<TailGuard>,
}

/// The state that the layers above keep for such an exchange.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) data: Data,
    /// The start of the exchange, if it is measured.
    pub(crate) start: Option<Instant>,
    /// A line is logged when the exchange is over.
    pub(crate) is_to_log: bool,
}

/// The next step of an exchange whose handler has returned: the handler is called once more.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) kept: Kept,
    pub(super) step: LateStep,
}

#[derive(Debug)]
pub(super) enum LateStep {
    /// To send the response of a deferred request.
    Answer(Answer),
    /// To report the outcome. Then the connection goes on in this state.
    Report(Outcome, Box<State>),
}

impl Channel {
    /// Keeps the head of a request whose exchange is not over.
    #[cold]
    pub(super) fn keep_head(&self, bytes: &[u8]) {
        let rest = &mut *self.rest.borrow_mut();
        let is_to_report = rest.report.is_some();
        if let Some(kept) = rest.kept() {
            let control = &self.wire.control;
            kept.counted = is_to_report
                .then(|| control.enter_tail(bytes.len(), false, usize::MAX))
                .flatten();
            kept.head = bytes.to_vec();
            kept.awaits_continue = self.awaits_continue.get();
            kept.closes = self.close.get();
        }
    }
}

impl Rest {
    /// The state that is kept for an exchange that is not over.
    fn kept(&mut self) -> Option<&mut Kept> {
        match self.handed.as_mut().map(|handed| &mut handed.what) {
            Some(What::Late(_, kept)) => Some(kept),
            _ => self.report.as_mut().map(|report| &mut report.kept),
        }
    }
}

impl Connection {
    /// Keeps the state of the layers above, if the exchange is not over.
    #[inline]
    pub(crate) fn carry(&mut self, carried: impl FnOnce() -> Carried) {
        if self.is_unfinished()
            && let Some(kept) = self.channel.rest.get_mut().kept()
        {
            kept.carried = carried();
        }
    }

    /// Takes the state that was kept for an exchange.
    #[inline]
    pub(crate) fn take_carried(&mut self) -> Carried {
        match &mut self.state {
            State::Late(late) => mem::take(&mut late.kept.carried),
            _ => Carried::default(),
        }
    }
}
