//! [`Task`]: a connection in the event loops.

use crate::clock::Moment;
use crate::connection::{Buffers, Connection, WaitsFor};

/// The protocol of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// TLS, if the server speaks it.
    AsTheServer,
    /// Plain HTTP.
    #[cfg(feature = "tls-config")]
    Plainly,
}

/// A connection, its home loop and slot, and the start of its wait.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) conn: Connection,
    /// `verify_request` was not called yet, and there may be too many connections.
    pub(super) is_new: bool,
    /// The socket is closed, and the outcome of the last exchange is to be reported.
    pub(super) is_closed: bool,
    /// The protocol that the client's listener has.
    #[cfg_attr(
        not(feature = "tls-config"),
        expect(dead_code, reason = "there is only one")
    )]
    pub(super) speaks: Speaks,
    /// The number of its home loop.
    home: u32,
    /// Its slot in the home loop, if it was parked before.
    pub(super) slot: Option<usize>,
    /// The end of the stream may follow the available bytes: a short read does not mean that nothing is left.
    pub(super) end_may_follow: bool,
    /// What it waits for, and how far it was then.
    wait: (WaitsFor, (u64, u64)),
    since: Moment,
}

impl Task {
    pub(super) fn new(conn: Connection, speaks: Speaks, home: usize, now: Moment) -> Self {
        Task {
            wait: (conn.waits_for(), conn.progress()),
            conn,
            is_new: true,
            is_closed: false,
            speaks,
            home: u32::try_from(home).unwrap_or_default(),
            slot: None,
            end_may_follow: false,
            since: now,
        }
    }

    /// Notes that the connection is parked at this moment. Returns what it waits for, and whether this is a new wait. More
    /// bytes of the same head, or of a body that is dropped, do not start a new wait.
    pub(super) fn wait(&mut self, now: Moment) -> (WaitsFor, bool) {
        let wait = (self.conn.waits_for(), self.conn.progress());
        let is_new = wait != self.wait;
        if is_new {
            (self.wait, self.since) = (wait, now);
        }
        (wait.0, is_new)
    }

    /// The number of its home loop, in which it parks.
    pub(super) fn home(&self) -> usize {
        self.home as usize
    }

    /// The start of its wait.
    pub(super) fn since(&self) -> Moment {
        self.since
    }

    /// Returns the buffers while the connection waits for a thread.
    pub(super) fn set_aside(&mut self, buffers: &mut Buffers) {
        self.conn.reclaim(buffers);
    }

    /// Takes buffers again, to be served.
    pub(super) fn take_up(&mut self, buffers: &mut Buffers) {
        self.conn.lend(buffers, true);
    }
}
