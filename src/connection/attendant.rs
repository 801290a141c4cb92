//! Who is told what a connection is about to do, before it does it.

use std::fmt;
use std::os::fd::BorrowedFd;

use super::wire::Wire;

/// Told by a connection before it runs a handler and before it waits. A server's lane passes the lead
/// to another thread then; elsewhere there is none.
pub(crate) trait Attendant: fmt::Debug + Send {
    /// A request is about to be handled; one that is refused has neither method nor path. True: the handler
    /// may take its time, so what is finished should be sent first.
    fn before_handler(&self, method: &str, path: &str) -> bool;

    /// Such a handler has returned.
    fn after_handler(&self);

    /// The handler is about to wait for something to read. True: it was waited for here, and it has come.
    fn waits_briefly(&self, _socket: BorrowedFd<'_>) -> bool {
        false
    }

    /// The handler is about to wait, itself, for something to read: nobody else needs to be told.
    fn before_read(&self, wire: &Wire);

    /// The handler is about to wait for its client.
    fn before_wait(&self);

    /// The handler may be about to wait for something else. (Most never say so.)
    #[cfg(feature = "testing")]
    fn may_wait(&self) {}
}
