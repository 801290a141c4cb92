//! When to look at which connection: a coarse, lazy timer wheel.
//!
//! An entry belongs to a slot, not to a deadline. Parking a connection with a later deadline than its
//! entry costs nothing; when the entry is due, whoever looks moves it on. So a busy connection has one
//! entry, touched once in a deadline's time.

use std::collections::BTreeMap;

use crate::clock::Moment;

/// In milliseconds.
const TICK: u64 = 250;

/// A point in time, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

impl Tick {
    /// The first tick at which `time` is over.
    pub(super) fn of(time: Moment) -> Self {
        Tick(time.in_steps(TICK))
    }

    fn moment(self) -> Moment {
        Moment::of_steps(self.0, TICK)
    }
}

#[derive(Debug, Default)]
pub(super) struct Wheel {
    due: BTreeMap<Tick, Vec<usize>>,
}

impl Wheel {
    /// Have `slot` looked at, at this tick.
    pub(super) fn enter(&mut self, tick: Tick, slot: usize) {
        self.due.entry(tick).or_default().push(slot);
    }

    /// Takes a slot that is due, and its tick.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<(Tick, usize)> {
        loop {
            if self.next()? > now {
                return None;
            }
            let mut first = self.due.first_entry()?;
            let tick = *first.key();
            let slot = first.get_mut().pop();
            if first.get().is_empty() {
                first.remove();
            }
            if let Some(slot) = slot {
                return Some((tick, slot));
            }
        }
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Option<Moment> {
        self.due.first_key_value().map(|(tick, _)| tick.moment())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_slot_is_due_when_its_tick_is_over_and_not_before() {
        let mut wheel = Wheel::default();
        let start = Moment::of_steps(8, TICK);
        let after = |millis| start.after(Duration::from_millis(millis));
        wheel.enter(Tick::of(after(1000)), 1);
        wheel.enter(Tick::of(after(600)), 2);
        assert_eq!(wheel.next(), Some(after(750)));
        assert_eq!(wheel.take_due(after(749)), None);
        assert_eq!(wheel.take_due(after(750)).map(|(_, slot)| slot), Some(2));
        assert_eq!(wheel.take_due(after(999)), None);
        assert_eq!(wheel.take_due(after(5000)).map(|(_, slot)| slot), Some(1));
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_time_beyond_all_ticks_is_taken_and_never_comes() {
        let mut wheel = Wheel::default();
        let now = Moment::now();
        wheel.enter(Tick::of(now), 1);
        wheel.enter(Tick::of(now.after(Duration::MAX)), 2);
        assert!(
            wheel
                .take_due(now.after(Duration::from_millis(TICK)))
                .is_some()
        );
        assert!(
            wheel
                .take_due(now.after(Duration::from_secs(1 << 40)))
                .is_none()
        );
    }
}
