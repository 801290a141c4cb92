//! A connection as a lane knows it: with the deadline under which it is parked.

use std::time::Instant;

use crate::connection::Connection;
use crate::limits::Limits;

/// A connection and what it is waiting for.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) conn: Connection,
    pub(super) phase: Phase,
    pub(super) deadline: Instant,
    /// This wait is a new one, and not the one that a few bytes have interrupted.
    pub(super) waits_anew: bool,
    /// When this wait began.
    pub(super) since: Instant,
}

/// What a parked connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its first request.
    Fresh,
    /// The rest of a head.
    Head,
    /// Its next request.
    Idle,
    /// Nothing more: its head did not come in time, and it is told so. Parked again, it is closed.
    Late,
    /// The client to read the last answer; so many bytes of it were dropped.
    Lingering(u64),
}

impl Client {
    pub(super) fn new(conn: Connection, limits: &Limits, now: Instant) -> Self {
        Client {
            conn,
            phase: Phase::Fresh,
            deadline: later(now, limits.head_deadline),
            waits_anew: true,
            since: now,
        }
    }

    /// A handler has run: the next wait is a new one.
    pub(super) fn was_served(&mut self, limits: &Limits, now: Instant) {
        self.phase = Phase::Idle;
        self.deadline = later(now, limits.idle_deadline);
        self.waits_anew = true;
        self.since = now;
    }

    /// Something of a head has come: from its first byte on, its own deadline runs. The bytes that
    /// follow don't renew it.
    pub(super) fn note_head(&mut self, limits: &Limits, now: Instant) {
        if self.phase == Phase::Idle && self.conn.has_partial_head() {
            self.phase = Phase::Head;
            self.deadline = later(now, limits.head_deadline);
            self.waits_anew = true;
            self.since = now;
        } else if self.phase == Phase::Fresh && self.conn.has_partial_head() {
            self.phase = Phase::Head;
            self.waits_anew = true;
            self.since = now;
        }
    }

    /// The last answer is out.
    pub(super) fn starts_to_linger(&mut self, limits: &Limits, now: Instant) {
        self.phase = Phase::Lingering(0);
        self.deadline = later(now, limits.linger_deadline);
        self.waits_anew = true;
        self.since = now;
        self.conn.shutdown_write();
    }

    /// Drops what the client still sends; false when it is over.
    pub(super) fn lingers_on(&mut self, limits: &Limits) -> bool {
        let Phase::Lingering(before) = self.phase else {
            return false;
        };
        let Some(dropped) = self.conn.drop_input() else {
            return false;
        };
        self.phase = Phase::Lingering(before + dropped);
        before + dropped < limits.linger
    }
}

/// A deadline; one beyond the clock's range is far enough away as it is.
fn later(now: Instant, time: std::time::Duration) -> Instant {
    now.checked_add(time)
        .unwrap_or_else(|| now + std::time::Duration::from_secs(1 << 31))
}
