//! What is left to chance. The checker throws the dice, so that a schedule can be repeated.

use crate::time;
use shuttle::rand::{Rng, thread_rng};

/// One of the numbers below `count`.
pub(crate) fn below(count: usize) -> usize {
    thread_rng().gen_range(0..count)
}

pub(crate) fn one_in(count: usize) -> bool {
    below(count) == 0
}

/// Others go on meanwhile: for a moment, or for so many ticks that the monitor is about to fall asleep.
pub(crate) fn rest() {
    match below(8) {
        0..=2 => {}
        3 | 4 => shuttle::thread::yield_now(),
        5 => time::rest(1 + below(4)),
        _ => time::rest(8 + below(5)),
    }
}
