//! A connection as a lane knows it: with the deadline under which it is parked.

use crate::clock::Moment;
use crate::connection::Connection;
use crate::limits::Limits;

/// A connection and what it is waiting for.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) conn: Connection,
    pub(super) phase: Phase,
    pub(super) deadline: Moment,
    /// This wait is a new one, and not the one that a few bytes have interrupted.
    pub(super) waits_anew: bool,
    /// When this wait began.
    pub(super) since: Moment,
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
    pub(super) fn new(conn: Connection, limits: &Limits, now: Moment) -> Self {
        Client {
            conn,
            phase: Phase::Fresh,
            deadline: now.after(limits.head_deadline),
            waits_anew: true,
            since: now,
        }
    }

    /// A handler has run: the next wait is a new one.
    pub(super) fn was_served(&mut self, limits: &Limits, now: Moment) {
        self.phase = Phase::Idle;
        self.deadline = now.after(limits.idle_deadline);
        self.waits_anew = true;
        self.since = now;
    }

    /// Something of a head has come: from its first byte on, its own deadline runs. The bytes that
    /// follow don't renew it.
    pub(super) fn note_head(&mut self, limits: &Limits, now: Moment) {
        if self.phase == Phase::Idle && self.conn.has_partial_head() {
            self.phase = Phase::Head;
            self.deadline = now.after(limits.head_deadline);
            self.waits_anew = true;
            self.since = now;
        } else if self.phase == Phase::Fresh && self.conn.has_partial_head() {
            self.phase = Phase::Head;
            self.waits_anew = true;
            self.since = now;
        }
    }

    /// The last answer is out.
    pub(super) fn starts_to_linger(&mut self, limits: &Limits, now: Moment) {
        self.phase = Phase::Lingering(0);
        self.deadline = now.after(limits.linger_deadline);
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
