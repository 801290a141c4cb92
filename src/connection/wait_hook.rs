//! [`WaitHook`]: is told what a connection is about to do, before it does it.

use std::fmt;

use super::wire::Wire;
use crate::sys::BorrowedSocket;

/// Told by a connection before it runs a handler and before it waits. The thread that leads an event loop passes it on
/// then; elsewhere there is no hook.
pub(crate) trait WaitHook: fmt::Debug + Send {
    /// A request is about to be handled; one that is refused has neither method nor path. True: the handler may take
    /// its time, so finished answers should be sent first.
    fn before_handler(&self, method: &str, path: &str, coming: Coming) -> bool;

    /// The handler has returned.
    fn after_handler(&self);

    /// The handler is about to wait for something to read. True: the hook has waited for it, and it has come.
    fn waits_briefly(&self, _socket: BorrowedSocket<'_>) -> bool {
        false
    }

    /// The handler is about to wait, itself, for something to read: no poller needs to report it.
    fn before_read(&self, wire: &Wire);

    /// The handler is about to wait for its client.
    fn before_wait(&self);
}

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coming {
    /// Without others.
    Alone,
    /// More have come with it (pipelining).
    First,
    /// Behind another one, whose answer is finished and not sent yet.
    Behind,
}
