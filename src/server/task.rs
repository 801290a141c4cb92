//! [`Task`]: a connection as the event loops know it.

use crate::clock::Moment;
use crate::connection::{Buffers, Connection, WaitsFor};

/// What is spoken with those who connect to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// TLS, if the server speaks it.
    AsTheServer,
    /// Plain HTTP.
    #[cfg(feature = "tls-config")]
    Plainly,
}

/// A connection, where it is parked, and since when it waits.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) conn: Connection,
    /// The program was not asked about it yet, and there may be too many.
    pub(super) is_new: bool,
    /// What is spoken with the client.
    #[cfg_attr(
        not(feature = "tls-config"),
        expect(dead_code, reason = "there is only one")
    )]
    pub(super) speaks: Speaks,
    /// The event loop in which it parks.
    pub(super) home: usize,
    /// Its slot there, if it was parked before.
    pub(super) slot: Option<usize>,
    /// The end of the stream may follow what is there: a short read does not mean that nothing is left.
    pub(super) end_may_follow: bool,
    /// What it waits for, and how far it has come.
    wait: (WaitsFor, (u64, u64)),
    since: Moment,
}

impl Task {
    pub(super) fn new(conn: Connection, speaks: Speaks, home: usize, now: Moment) -> Self {
        Task {
            wait: (conn.waits_for(), conn.progress()),
            conn,
            is_new: true,
            speaks,
            home,
            slot: None,
            end_may_follow: false,
            since: now,
        }
    }

    /// The connection is parked at this moment: what it waits for, and whether it waits anew. More bytes of the same
    /// head, or of a body that is dropped, begin no other wait.
    pub(super) fn wait(&mut self, now: Moment) -> (WaitsFor, bool) {
        let wait = (self.conn.waits_for(), self.conn.progress());
        let is_new = wait != self.wait;
        if is_new {
            (self.wait, self.since) = (wait, now);
        }
        (wait.0, is_new)
    }

    /// Since when it waits.
    pub(super) fn since(&self) -> Moment {
        self.since
    }

    /// Gives the buffers back while it waits for a thread.
    pub(super) fn set_aside(&mut self, buffers: &mut Buffers) {
        self.conn.reclaim(buffers);
    }

    /// Takes buffers again.
    pub(super) fn take_up(&mut self, buffers: &mut Buffers) {
        self.conn.lend(buffers, true);
    }
}
