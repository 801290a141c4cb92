//! When to look at which connection: a coarse, lazy timer wheel.
//!
//! An entry belongs to a slot, not to a deadline. Parking a connection with a later deadline than its
//! entry costs nothing; when the entry is due, whoever looks moves it on. So a busy connection has one
//! entry, touched once in a deadline's time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(250);

/// A point in time, in ticks since the wheel's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

#[derive(Debug)]
pub(super) struct Wheel {
    start: Instant,
    due: BTreeMap<Tick, Vec<usize>>,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Wheel {
            start: Instant::now(),
            due: BTreeMap::new(),
        }
    }

    /// The first tick at which `time` is over.
    pub(super) fn tick_of(&self, time: Instant) -> Tick {
        let passed = time.saturating_duration_since(self.start);
        let ticks = passed.as_nanos().div_ceil(TICK.as_nanos());
        Tick(u64::try_from(ticks).unwrap_or(u64::MAX))
    }

    /// Have `slot` looked at, at this tick.
    pub(super) fn enter(&mut self, tick: Tick, slot: usize) {
        self.due.entry(tick).or_default().push(slot);
    }

    /// Takes a slot that is due, and its tick.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(Tick, usize)> {
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
    pub(super) fn next(&self) -> Option<Instant> {
        self.due
            .first_key_value()
            .map(|(&tick, _)| self.time_of(tick))
    }

    fn time_of(&self, tick: Tick) -> Instant {
        let passed = TICK.saturating_mul(u32::try_from(tick.0).unwrap_or(u32::MAX));
        self.start
            .checked_add(passed)
            .unwrap_or_else(|| self.start + Duration::from_secs(1 << 32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_due_when_its_tick_is_over_and_not_before() {
        let mut wheel = Wheel::new();
        let start = wheel.start;
        let after = |millis| start + Duration::from_millis(millis);
        wheel.enter(wheel.tick_of(after(1000)), 1);
        wheel.enter(wheel.tick_of(after(600)), 2);
        assert_eq!(wheel.next(), Some(after(750)));
        assert_eq!(wheel.take_due(after(749)), None);
        assert_eq!(wheel.take_due(after(750)).map(|(_, slot)| slot), Some(2));
        assert_eq!(wheel.take_due(after(999)), None);
        assert_eq!(wheel.take_due(after(5000)).map(|(_, slot)| slot), Some(1));
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_time_before_the_start_and_one_beyond_all_ticks_are_taken() {
        let mut wheel = Wheel::new();
        wheel.enter(wheel.tick_of(wheel.start), 1);
        wheel.enter(Tick(u64::MAX), 2);
        assert!(wheel.take_due(wheel.start).is_some());
        assert!(wheel.take_due(wheel.start).is_none());
    }
}
