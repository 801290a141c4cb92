//! Deadlines of parked connections: a queue for each reason to wait.
//!
//! All waits in a queue have the same duration, so the queue is sorted by deadline, and a new wait goes to the end. A
//! queue is a linked list through the slots of the table: a connection keeps its place while it is served, so taking it
//! costs nothing.

use std::mem;

use crate::connection::WaitsFor;

/// The neighbours of a slot in its queue.
#[derive(Debug, Default)]
pub(super) struct Links {
    queue: Option<WaitsFor>,
    before: Option<u32>,
    after: Option<u32>,
}

/// The queues, one for each [`WaitsFor`].
#[derive(Debug, Default)]
pub(super) struct Deadlines([Ends; WaitsFor::ALL.len()]);

#[derive(Debug, Default)]
struct Ends {
    first: Option<u32>,
    last: Option<u32>,
    count: usize,
}

/// Access to the links of a slot.
pub(super) trait Linked {
    fn links(&self, slot: u32) -> Option<&Links>;
    fn links_mut(&mut self, slot: u32) -> Option<&mut Links>;
}

impl Deadlines {
    /// The number of slots in this queue.
    pub(super) fn count(&self, what: WaitsFor) -> usize {
        self.ends(what).map_or(0, |ends| ends.count)
    }

    /// The slot that has been in this queue the longest.
    pub(super) fn first(&self, what: WaitsFor) -> Option<usize> {
        self.ends(what)?.first.map(|slot| slot as usize)
    }

    /// The slots of this queue in their order.
    pub(super) fn order(&self, slots: &impl Linked, what: WaitsFor) -> impl Iterator<Item = usize> {
        let first = self.ends(what).and_then(|ends| ends.first);
        let next = |&slot: &u32| slots.links(slot)?.after;
        std::iter::successors(first, next).map(|slot| slot as usize)
    }

    /// Puts a slot at the end of a queue. If it is in this queue already and does not wait `anew`, it keeps its place.
    pub(super) fn enter(
        &mut self,
        slots: &mut impl Linked,
        slot: usize,
        what: WaitsFor,
        anew: bool,
    ) {
        let Ok(number) = u32::try_from(slot) else {
            return;
        };
        let present = slots.links(number).and_then(|links| links.queue);
        let last = self.ends(what).and_then(|ends| ends.last);
        if present == Some(what) && (last == Some(number) || !anew) {
            return;
        }
        self.remove(slots, slot);
        let Some(ends) = self.0.get_mut(what as usize) else {
            return;
        };
        let last = ends.last.replace(number);
        ends.count += 1;
        match last.and_then(|last| slots.links_mut(last)) {
            Some(links) => links.after = Some(number),
            None => ends.first = Some(number),
        }
        if let Some(links) = slots.links_mut(number) {
            *links = Links {
                queue: Some(what),
                before: last,
                after: None,
            };
        }
    }

    /// Takes a slot out of its queue.
    pub(super) fn remove(&mut self, slots: &mut impl Linked, slot: usize) {
        let number = u32::try_from(slot).ok();
        let links = number.and_then(|number| slots.links_mut(number));
        let Some(links) = links.map(mem::take) else {
            return;
        };
        let ends = links.queue.and_then(|what| self.0.get_mut(what as usize));
        let Some(ends) = ends else {
            return;
        };
        ends.count = ends.count.saturating_sub(1);
        match links.before.and_then(|before| slots.links_mut(before)) {
            Some(before) => before.after = links.after,
            None => ends.first = links.after,
        }
        match links.after.and_then(|after| slots.links_mut(after)) {
            Some(after) => after.before = links.before,
            None => ends.last = links.before,
        }
    }

    fn ends(&self, what: WaitsFor) -> Option<&Ends> {
        self.0.get(what as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Linked for Vec<Links> {
        fn links(&self, slot: u32) -> Option<&Links> {
            self.get(slot as usize)
        }

        fn links_mut(&mut self, slot: u32) -> Option<&mut Links> {
            self.get_mut(slot as usize)
        }
    }

    const QUEUES: [WaitsFor; 2] = [WaitsFor::NextHead, WaitsFor::RestOfHead];

    proptest! {
        #[test]
        fn queues_are_in_the_order_in_which_their_slots_began_to_wait(
            steps in prop::collection::vec((0..6_usize, 0..5_u8), 0..60),
        ) {
            let mut slots: Vec<Links> = (0..6).map(|_| Links::default()).collect();
            let mut deadlines = Deadlines::default();
            let mut model = [Vec::new(), Vec::new()];
            for (slot, step) in steps {
                if step == 4 {
                    deadlines.remove(&mut slots, slot);
                    model.iter_mut().for_each(|queue| queue.retain(|&other| other != slot));
                    continue;
                }
                let (queue, anew) = (usize::from(step % 2), step < 2);
                deadlines.enter(&mut slots, slot, QUEUES[queue], anew);
                if anew || !model[queue].contains(&slot) {
                    model.iter_mut().for_each(|queue| queue.retain(|&other| other != slot));
                    model[queue].push(slot);
                }
            }
            for (what, expected) in QUEUES.into_iter().zip(model) {
                prop_assert_eq!(deadlines.count(what), expected.len());
                prop_assert_eq!(deadlines.first(what), expected.first().copied());
                let order: Vec<usize> = deadlines.order(&slots, what).collect();
                prop_assert_eq!(order, expected);
            }
        }
    }
}
