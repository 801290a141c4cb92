//! A connection as a lane knows it: with the deadline under which it is parked.

use std::mem;

use crate::clock::Moment;
use crate::connection::{Buffers, Connection, Ending};
use crate::limits::Limits;

/// A connection, where it is parked, and what it is waiting for.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) conn: Connection,
    /// The lane in which it parks.
    pub(super) home: usize,
    /// Its slot there, if it was parked before.
    pub(super) slot: Option<usize>,
    /// A read that is not full does not mean that nothing is left: the end may follow.
    pub(super) thorough: bool,
    /// It was answered, so its next wait is a new one.
    pub(super) answered: bool,
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
    pub(super) fn new(conn: Connection, home: usize, limits: &Limits, now: Moment) -> Self {
        Client {
            conn,
            home,
            slot: None,
            thorough: false,
            answered: false,
            phase: Phase::Fresh,
            deadline: now.after(limits.head_deadline),
            waits_anew: true,
            since: now,
        }
    }

    /// Gives the buffers back while it waits for a thread.
    pub(super) fn set_aside(&mut self, buffers: &mut Buffers) {
        self.conn.reclaim(buffers);
    }

    /// Takes buffers again.
    pub(super) fn take_up(&mut self, buffers: &mut Buffers) {
        self.conn.lend(buffers, true);
    }

    /// It waits from now on.
    pub(super) fn note_wait(&mut self, limits: &Limits, now: Moment) {
        if mem::take(&mut self.answered) {
            self.was_served(limits, now);
        }
        self.note_head(limits, now);
    }

    /// A handler has run: the next wait is a new one.
    fn was_served(&mut self, limits: &Limits, now: Moment) {
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
        let total = before + dropped;
        self.phase = Phase::Lingering(total);
        let is_quiet = total == 0 && self.conn.ending() == Ending::Last;
        !is_quiet && total < limits.linger
    }
}
