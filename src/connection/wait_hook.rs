//! [`WaitHook`]: the hook that a connection calls before it runs a handler and before it waits.

use std::fmt;

use super::wire::Wire;
use crate::sys::BorrowedSocket;

/// Called by a connection before it runs a handler and before it waits. The leader of an event loop passes the loop on
/// then. Other threads have no hook.
pub(crate) trait WaitHook: fmt::Debug + Send {
    /// Called before a request is handled. A refused request has neither method nor path. Returns true if the handler may
    /// block, so finished responses should be sent first.
    fn before_handler(&self, method: &str, path: &str, coming: Coming) -> bool;

    /// Called after the handler has returned.
    fn after_handler(&self);

    /// Called before the handler waits for input. Returns true if the hook has waited and there is input.
    fn waits_briefly(&self, _socket: BorrowedSocket<'_>) -> bool {
        false
    }

    /// Called before the handler itself waits for input, so that no poller needs to report it.
    fn before_read(&self, wire: &Wire);

    /// Called before the handler waits for its client.
    fn before_wait(&self);
}

/// The position of a request among pipelined ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coming {
    /// It came alone.
    Alone,
    /// It is the first of several.
    First,
    /// It follows a request whose response is finished and not sent yet.
    Behind,
}
