//! The order in which parked connections have begun to wait, as a list through their slots.
//!
//! A connection keeps its place while it is being served, so taking it costs nothing; it moves to the
//! end when it begins to wait anew.

/// The neighbours of a slot in the queue that it stands in.
#[derive(Debug, Default)]
pub(super) struct Links {
    queue: Option<Kind>,
    before: Option<u32>,
    after: Option<u32>,
}

/// Which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Those that have sent nothing yet, and those that were answered.
    Idle,
    /// Those that have sent a part of a head.
    Heads,
    /// Those that have got their last answer.
    Ending,
}

/// The queues.
#[derive(Debug, Default)]
pub(super) struct Queues {
    idle: Ends,
    heads: Ends,
    ending: Ends,
}

#[derive(Debug, Default)]
struct Ends {
    first: Option<u32>,
    last: Option<u32>,
    count: usize,
}

/// Where the links of a slot are.
pub(super) trait Linked {
    fn links(&mut self, slot: u32) -> Option<&mut Links>;
}

impl Queues {
    /// The slot that has been in this queue for longest.
    pub(super) fn first(&self, kind: Kind) -> Option<usize> {
        self.ends(kind).first.map(|slot| slot as usize)
    }

    /// How many slots are in this queue.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.ends(kind).count
    }

    /// Puts a slot at the end of a queue; unless it waits `anew`, it keeps the place that it has there.
    pub(super) fn enter(&mut self, slots: &mut impl Linked, slot: usize, kind: Kind, anew: bool) {
        let Some(slot) = u32::try_from(slot).ok() else {
            return;
        };
        let present = slots.links(slot).and_then(|links| links.queue);
        let is_last = self.ends(kind).last == Some(slot);
        if present == Some(kind) && (is_last || !anew) {
            return;
        }
        self.remove(slots, slot as usize);
        let ends = self.ends_mut(kind);
        let last = ends.last.replace(slot);
        ends.count += 1;
        match last.and_then(|last| slots.links(last)) {
            Some(links) => links.after = Some(slot),
            None => ends.first = Some(slot),
        }
        if let Some(links) = slots.links(slot) {
            *links = Links {
                queue: Some(kind),
                before: last,
                after: None,
            };
        }
    }

    /// Takes a slot out of its queue.
    pub(super) fn remove(&mut self, slots: &mut impl Linked, slot: usize) {
        let links = u32::try_from(slot).ok().and_then(|slot| slots.links(slot));
        let Some(links) = links.map(std::mem::take) else {
            return;
        };
        let Some(kind) = links.queue else {
            return;
        };
        let ends = self.ends_mut(kind);
        ends.count = ends.count.saturating_sub(1);
        match links.before.and_then(|before| slots.links(before)) {
            Some(before) => before.after = links.after,
            None => ends.first = links.after,
        }
        match links.after.and_then(|after| slots.links(after)) {
            Some(after) => after.before = links.before,
            None => ends.last = links.before,
        }
    }

    fn ends(&self, kind: Kind) -> &Ends {
        match kind {
            Kind::Idle => &self.idle,
            Kind::Heads => &self.heads,
            Kind::Ending => &self.ending,
        }
    }

    fn ends_mut(&mut self, kind: Kind) -> &mut Ends {
        match kind {
            Kind::Idle => &mut self.idle,
            Kind::Heads => &mut self.heads,
            Kind::Ending => &mut self.ending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Linked for Vec<Links> {
        fn links(&mut self, slot: u32) -> Option<&mut Links> {
            self.get_mut(slot as usize)
        }
    }

    fn order(queues: &Queues, slots: &[Links], kind: Kind) -> Vec<usize> {
        let first = queues.first(kind);
        std::iter::successors(first, |&slot| slots[slot].after.map(|slot| slot as usize)).collect()
    }

    proptest! {
        #[test]
        fn queues_are_in_the_order_in_which_their_slots_began_to_wait(
            steps in prop::collection::vec((0..6_usize, 0..5_u8), 0..60),
        ) {
            let mut slots: Vec<Links> = (0..6).map(|_| Links::default()).collect();
            let mut queues = Queues::default();
            let mut model = [Vec::new(), Vec::new()];
            for (slot, step) in steps {
                if step == 4 {
                    queues.remove(&mut slots, slot);
                    model.iter_mut().for_each(|queue| queue.retain(|&other| other != slot));
                    continue;
                }
                let (kind, anew) = (usize::from(step % 2), step < 2);
                queues.enter(&mut slots, slot, [Kind::Idle, Kind::Heads][kind], anew);
                if anew || !model[kind].contains(&slot) {
                    model.iter_mut().for_each(|queue| queue.retain(|&other| other != slot));
                    model[kind].push(slot);
                }
            }
            prop_assert_eq!(queues.count(Kind::Idle), model[0].len());
            prop_assert_eq!(order(&queues, &slots, Kind::Idle), model[0].clone());
            prop_assert_eq!(order(&queues, &slots, Kind::Heads), model[1].clone());
        }
    }
}
