//! The connections of a lane: which are parked, which are being served.
//!
//! A connection is taken out of its slot to be served, so it has one owner and no lock is held over a
//! handler. An event that comes meanwhile leaves a mark, and the one who parks it serves it again: the
//! poller reports each arrival once.

use super::client::{Client, Phase};
use super::queue::{Kind, Linked, Links, Queues};
use super::wheel::{Tick, Wheel};
use crate::clock::Moment;

/// The slots, and when to look at which.
#[derive(Debug)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<usize>,
    wheel: Wheel,
    queues: Queues,
}

#[derive(Debug)]
struct Slot {
    state: State,
    /// The earliest tick at which the wheel looks at this slot.
    entry: Option<Tick>,
    links: Links,
}

impl Linked for Vec<Slot> {
    fn links(&mut self, slot: u32) -> Option<&mut Links> {
        self.get_mut(slot as usize).map(|place| &mut place.links)
    }
}

#[derive(Debug)]
enum State {
    Free,
    Parked(Box<Client>),
    /// Being served; `again` says that something came meanwhile.
    Out {
        again: bool,
    },
}

/// What came of parking.
#[derive(Debug)]
pub(super) enum Parked {
    /// It waits; `sooner` says that the poller must wake up earlier than it knows.
    Waits { sooner: bool },
    /// Something has come meanwhile: serve it again.
    Again(Box<Client>),
}

impl Table {
    pub(super) fn new() -> Self {
        Table {
            slots: Vec::new(),
            free: Vec::new(),
            wheel: Wheel::default(),
            queues: Queues::default(),
        }
    }

    /// How many connections are of this kind, those included that are served just now.
    pub(super) fn waiting(&self, kind: Kind) -> usize {
        self.queues.count(kind)
    }

    /// The connection of a slot is gone.
    pub(super) fn free(&mut self, slot: usize) {
        if let Some(place) = self.slots.get_mut(slot) {
            place.state = State::Free;
            self.free.push(slot);
            self.queues.remove(&mut self.slots, slot);
        }
    }

    /// A slot for a connection that parks for the first time.
    pub(super) fn reserve(&mut self) -> usize {
        if let Some(slot) = self.free.pop() {
            if let Some(place) = self.slots.get_mut(slot) {
                place.state = State::Out { again: false };
            }
            return slot;
        }
        self.slots.push(Slot {
            state: State::Out { again: false },
            entry: None,
            links: Links::default(),
        });
        self.slots.len() - 1
    }

    /// Takes a parked connection to serve it; one that is being served gets a mark instead.
    pub(super) fn take(&mut self, slot: usize) -> Option<Box<Client>> {
        let place = self.slots.get_mut(slot)?;
        match std::mem::replace(&mut place.state, State::Out { again: false }) {
            State::Parked(client) => Some(client),
            State::Out { .. } => {
                place.state = State::Out { again: true };
                None
            }
            State::Free => {
                place.state = State::Free;
                None
            }
        }
    }

    /// Parks a connection, which has a slot, until its deadline. If it comes back, the end of the stream may
    /// follow what is there.
    pub(super) fn park(&mut self, mut client: Box<Client>) -> Parked {
        let Some(slot) = client.slot else {
            return Parked::Again(client);
        };
        let tick = Tick::of(client.deadline);
        let kind = match client.phase {
            Phase::Head => Kind::Heads,
            Phase::Fresh | Phase::Idle => Kind::Idle,
            Phase::Late | Phase::Lingering(_) => Kind::Ending,
        };
        client.thorough = true;
        let Some(place) = self.slots.get_mut(slot) else {
            return Parked::Again(client);
        };
        if matches!(place.state, State::Out { again: true }) {
            place.state = State::Out { again: false };
            return Parked::Again(client);
        }
        let anew = std::mem::take(&mut client.waits_anew);
        place.state = State::Parked(client);
        let is_entered = place.entry.is_some_and(|entry| entry <= tick);
        if !is_entered {
            place.entry = Some(tick);
        }
        self.queues.enter(&mut self.slots, slot, kind, anew);
        if is_entered {
            return Parked::Waits { sooner: false };
        }
        let next = self.wheel.next();
        self.wheel.enter(tick, slot);
        Parked::Waits {
            sooner: self.wheel.next() != next,
        }
    }

    /// Takes a connection whose deadline is over.
    pub(super) fn take_expired(&mut self, now: Moment) -> Option<Box<Client>> {
        while let Some((tick, slot)) = self.wheel.take_due(now) {
            if let Some(client) = self.look(tick, slot) {
                return Some(client);
            }
        }
        None
    }

    /// Since when the connection of this kind waits that has waited for longest.
    pub(super) fn waits_since(&mut self, kind: Kind) -> Option<Moment> {
        while let Some(slot) = self.queues.first(kind) {
            if let Some(State::Parked(client)) = self.slots.get(slot).map(|place| &place.state) {
                return Some(client.since);
            }
            // One that is being served enters again when it is parked.
            self.queues.remove(&mut self.slots, slot);
        }
        None
    }

    /// Takes that connection.
    pub(super) fn take_longest_waiting(&mut self, kind: Kind) -> Option<Box<Client>> {
        self.waits_since(kind)?;
        let slot = self.queues.first(kind)?;
        self.queues.remove(&mut self.slots, slot);
        self.take(slot)
    }

    /// Looks at a slot whose entry was taken from the wheel: takes the connection if the entry is that
    /// of its deadline, else moves the entry on.
    fn look(&mut self, tick: Tick, slot: usize) -> Option<Box<Client>> {
        let place = self.slots.get_mut(slot)?;
        if place.entry != Some(tick) {
            return None;
        }
        place.entry = None;
        let State::Parked(client) = &place.state else {
            return None;
        };
        let deadline = Tick::of(client.deadline);
        if deadline > tick {
            place.entry = Some(deadline);
            self.wheel.enter(deadline, slot);
            return None;
        }
        self.take(slot)
    }

    /// When the wheel has to be looked at next.
    pub(super) fn next_look(&self) -> Option<Moment> {
        self.wheel.next()
    }

    /// Takes every parked connection.
    #[expect(clippy::vec_box, reason = "they are boxed wherever they are")]
    pub(super) fn take_all(&mut self) -> Vec<Box<Client>> {
        let slots = 0..self.slots.len();
        slots
            .filter_map(|slot| {
                let parked = matches!(self.slots.get(slot)?.state, State::Parked(_));
                parked.then(|| self.take(slot)).flatten()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_takes_less_than_a_kibibyte() {
        // The entry in the wheel and the place among the free slots are a word each.
        let each = size_of::<Client>() + size_of::<Slot>() + 2 * size_of::<usize>();
        assert!(each < 1024, "{each} bytes");
    }
}
