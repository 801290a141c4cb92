//! Time, as far as there is any: it goes by with the ticks of the monitor, and stands still while that sleeps.

use crate::sync::{Condvar, Mutex, lock, wait};

shuttle::lazy_static! {
    static ref TIME: Time = Time::default();
}

#[derive(Debug, Default)]
struct Time {
    now: Mutex<Now>,
    passed: Condvar,
}

#[derive(Debug, Default)]
struct Now {
    ticks: usize,
    stands_still: bool,
}

fn change(change: impl FnOnce(&mut Now)) {
    change(&mut lock(&TIME.now));
    TIME.passed.notify_all();
}

/// Before any thread panics, which would spoil it.
pub(crate) fn begin() {
    change(|now| *now = Now::default());
}

pub(crate) fn tick() {
    change(|now| now.ticks += 1);
}

pub(crate) fn stands_still(stands_still: bool) {
    change(|now| now.stands_still = stands_still);
}

/// Waits for so many ticks, or until time stands still.
pub(crate) fn rest(ticks: usize) {
    let mut now = lock(&TIME.now);
    let end = now.ticks.saturating_add(ticks);
    while now.ticks < end && !now.stands_still {
        now = wait(&TIME.passed, now);
    }
}
