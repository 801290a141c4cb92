//! [`Table`]: the connections of an event loop, parked or being served.
//!
//! A connection is taken out of its slot to be served, so it has one owner and no lock is held over a handler. An event
//! that comes meanwhile leaves a mark in the slot, and the thread that parks the connection serves it again, because the
//! poller reports each arrival once.

use std::mem;
use std::time::Duration;

use super::deadlines::{Deadlines, Linked, Links};
use super::task::Task;
use crate::clock::Moment;
use crate::connection::{Connection, WaitsFor};
use crate::limits::Limits;

/// Step of the deadlines in milliseconds: they are rounded up, so that several expire at once.
const STEP: u64 = 250;
/// Step of short deadlines in milliseconds.
const SHORT_STEP: u64 = 10;

/// How long a response waits for the rest of a request body that arrives at once.
const BODY_AT_ONCE: Duration = Duration::from_millis(100);

/// How long a connection may wait, by reason.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    head: Duration,
    idle: Duration,
    discard: Duration,
    linger: Duration,
    write: Duration,
    silence: Duration,
}

impl Patience {
    pub(super) fn of(limits: &Limits) -> Self {
        Patience {
            head: limits.head_deadline,
            idle: limits.idle_timeout,
            discard: limits.discard_deadline,
            linger: limits.linger_deadline,
            write: limits.write_timeout,
            silence: limits.stream_keep_alive,
        }
    }

    /// The maximum duration; `None`: no limit.
    fn for_what(&self, what: WaitsFor) -> Option<Duration> {
        Some(match what {
            WaitsFor::FirstHead | WaitsFor::RestOfHead => self.head,
            WaitsFor::NextHead => self.idle,
            WaitsFor::BodyAtOnce => BODY_AT_ONCE.min(self.discard),
            WaitsFor::RestOfBody => self.discard,
            WaitsFor::End => self.linger,
            WaitsFor::Room => self.write,
            WaitsFor::Silence => self.silence,
            WaitsFor::Program => return None,
        })
    }
}

/// The slots of an event loop, and their deadlines.
#[derive(Debug)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<usize>,
    patience: Patience,
    deadlines: Deadlines,
    /// Slots of connections whose deadline had expired when they were parked.
    overdue: Vec<usize>,
}

#[derive(Debug)]
struct Slot {
    state: State,
    /// The deadline of the wait for which the slot is in its queue.
    deadline: Moment,
    links: Links,
}

impl Linked for Vec<Slot> {
    fn links(&self, slot: u32) -> Option<&Links> {
        self.get(slot as usize).map(|place| &place.links)
    }

    fn links_mut(&mut self, slot: u32) -> Option<&mut Links> {
        self.get_mut(slot as usize).map(|place| &mut place.links)
    }
}

#[derive(Debug)]
enum State {
    Free,
    Parked(Box<Task>),
    Served,
    /// Being served; an event has come meanwhile.
    Marked,
}

impl Table {
    pub(super) fn new(patience: Patience) -> Self {
        Table {
            slots: Vec::new(),
            free: Vec::new(),
            patience,
            deadlines: Deadlines::default(),
            overdue: Vec::new(),
        }
    }

    /// The number of connections that wait for this, including those that are being served.
    pub(super) fn waiting(&self, what: WaitsFor) -> usize {
        self.deadlines.count(what)
    }

    /// Frees the slot of a closed connection.
    pub(super) fn free(&mut self, slot: usize) {
        if let Some(place) = self.slots.get_mut(slot) {
            place.state = State::Free;
            self.free.push(slot);
            self.deadlines.remove(&mut self.slots, slot);
        }
    }

    /// Reserves a slot for a connection that parks for the first time.
    pub(super) fn reserve(&mut self) -> usize {
        if let Some(slot) = self.free.pop() {
            if let Some(place) = self.slots.get_mut(slot) {
                place.state = State::Served;
            }
            return slot;
        }
        self.slots.push(Slot {
            state: State::Served,
            deadline: Moment::FIRST,
            links: Links::default(),
        });
        self.slots.len() - 1
    }

    /// Takes a parked connection to serve it. A connection that is being served gets a mark instead.
    pub(super) fn take(&mut self, slot: usize) -> Option<Box<Task>> {
        let place = self.slots.get_mut(slot)?;
        match mem::replace(&mut place.state, State::Served) {
            State::Parked(task) => Some(task),
            State::Served | State::Marked => {
                place.state = State::Marked;
                None
            }
            State::Free => {
                place.state = State::Free;
                None
            }
        }
    }

    /// Parks a connection in its slot until its deadline. Returns the connection if an event has come meanwhile; the end
    /// of the stream may follow then.
    pub(super) fn park(&mut self, mut task: Box<Task>, now: Moment) -> Option<Box<Task>> {
        task.end_may_follow = true;
        let place = task.slot.and_then(|slot| self.slots.get_mut(slot));
        let (Some(slot), Some(place)) = (task.slot, place) else {
            return Some(task);
        };
        if matches!(place.state, State::Marked) {
            place.state = State::Served;
            return Some(task);
        }
        let (what, anew) = task.wait(now);
        let patience = self.patience.for_what(what);
        let deadline = patience.map_or(Moment::NEVER, |time| task.since().after(time));
        place.deadline = deadline;
        place.state = State::Parked(task);
        if patience.is_none() {
            self.deadlines.remove(&mut self.slots, slot);
        } else if deadline <= now {
            self.deadlines.remove(&mut self.slots, slot);
            self.overdue.push(slot);
        } else {
            self.deadlines.enter(&mut self.slots, slot, what, anew);
        }
        None
    }

    /// Takes a connection whose deadline has expired.
    pub(super) fn take_expired(&mut self, now: Moment) -> Option<Box<Task>> {
        while let Some(slot) = self.overdue.pop().or_else(|| self.first_due(now)) {
            let place = self.slots.get(slot);
            // One that is being served is overdue when it is parked, unless it waits for something else then.
            let is_over =
                |place: &Slot| matches!(place.state, State::Parked(_)) && place.deadline <= now;
            if place.is_some_and(is_over) {
                return self.take(slot);
            }
        }
        None
    }

    /// Takes a slot whose deadline has expired out of its queue.
    fn first_due(&mut self, now: Moment) -> Option<usize> {
        let mut first = WaitsFor::ALL
            .iter()
            .filter_map(|&what| self.deadlines.first(what));
        let slot = first.find(|&slot| {
            let place = self.slots.get(slot);
            place.is_some_and(|place| place.deadline <= now)
        })?;
        self.deadlines.remove(&mut self.slots, slot);
        Some(slot)
    }

    /// The start of the longest wait for this.
    pub(super) fn waits_since(&self, what: WaitsFor) -> Option<Moment> {
        self.longest_waiting(what).map(|(_, since)| since)
    }

    /// Takes the connection that has waited for this the longest.
    pub(super) fn take_longest_waiting(&mut self, what: WaitsFor) -> Option<Box<Task>> {
        let (slot, _) = self.longest_waiting(what)?;
        self.deadlines.remove(&mut self.slots, slot);
        self.take(slot)
    }

    fn longest_waiting(&self, what: WaitsFor) -> Option<(usize, Moment)> {
        // Some of them are being served.
        let mut order = self.deadlines.order(&self.slots, what);
        order.find_map(|slot| match &self.slots.get(slot)?.state {
            State::Parked(task) => Some((slot, task.since())),
            _ => None,
        })
    }

    /// The next deadline, rounded up to a step.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        if !self.overdue.is_empty() {
            return Some(Moment::FIRST);
        }
        let first = |&what| {
            let deadline = self.slots.get(self.deadlines.first(what)?)?.deadline;
            let step = match what {
                WaitsFor::BodyAtOnce => SHORT_STEP,
                _ => STEP,
            };
            Some(deadline.round_up(step))
        };
        WaitsFor::ALL.iter().filter_map(first).min()
    }

    /// The numbers of connections and of deadlines that are kept.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        let queued: usize = WaitsFor::ALL.iter().map(|&what| self.waiting(what)).sum();
        self.slots.len() + self.free.len() + self.overdue.len() + queued
    }

    /// Takes every parked connection that meets the condition.
    #[expect(clippy::vec_box, reason = "they are boxed wherever they are")]
    pub(super) fn take_all(&mut self, is_so: impl Fn(&Connection) -> bool) -> Vec<Box<Task>> {
        let is_parked = |place: &Slot| match &place.state {
            State::Parked(task) => is_so(&task.conn),
            _ => false,
        };
        let parked = |slot: &usize| self.slots.get(*slot).is_some_and(is_parked);
        let parked: Vec<usize> = (0..self.slots.len()).filter(parked).collect();
        parked
            .into_iter()
            .filter_map(|slot| self.take(slot))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_takes_at_most_a_kibibyte() {
        // The places among the free and the overdue slots are a word each.
        let each = size_of::<Task>() + size_of::<Slot>() + 2 * size_of::<usize>();
        // On Windows the sockets of mio are larger.
        let most = if cfg!(windows) { 1088 } else { 1024 };
        assert!(each <= most, "{each} bytes");
    }
}
