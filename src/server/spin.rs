//! Whether it pays to poll for a moment before sleeping.
//!
//! Waking a thread that sleeps in the poller takes longer than handling a small request. A client that
//! asks again as soon as it has its answer is served three times as fast by a lane that looks again
//! for some microseconds. That is done only while the last waits were short and ended with a request; the
//! first one in vain ends it for a while, and a server at rest never does it. New connections don't count:
//! there looking costs more CPU time than waking up, for one wake-up takes in several.

use std::time::Duration;

/// How long to look again.
pub(super) const SPIN: Duration = Duration::from_micros(50);
/// A wait that counts as short: one that looking would have covered, and the time to wake up.
const SHORT: Duration = Duration::from_micros(100);
/// So many short waits in a row begin it.
const ENOUGH: i8 = 3;
/// A vain attempt costs as many.
const VAIN: i8 = -32;

/// What the last waits were like.
#[derive(Debug, Default)]
pub(super) struct Spin {
    credit: i8,
}

impl Spin {
    pub(super) fn pays(&self) -> bool {
        self.credit >= ENOUGH
    }

    /// A wait has ended, after so long; with something on a connection, or only with new ones.
    pub(super) fn learn(&mut self, waited: Duration, on_connection: bool) {
        self.credit = match on_connection && waited < SHORT {
            true => (self.credit + 1).min(ENOUGH),
            false => self.credit.min(0),
        };
    }

    /// Looking again found nothing.
    pub(super) fn was_vain(&mut self) {
        self.credit = VAIN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_micros(20);

    #[test]
    fn it_begins_with_short_waits_and_ends_with_the_first_in_vain() {
        let mut spin = Spin::default();
        assert!(!spin.pays());
        (0..3).for_each(|_| spin.learn(SOON, true));
        assert!(spin.pays());
        spin.learn(SOON, true);
        assert!(spin.pays());
        spin.was_vain();
        (0..30).for_each(|_| spin.learn(SOON, true));
        assert!(!spin.pays());
        (0..10).for_each(|_| spin.learn(SOON, true));
        assert!(spin.pays());
    }

    #[test]
    fn a_server_at_rest_sleeps() {
        let mut spin = Spin::default();
        for _ in 0..100 {
            spin.learn(Duration::from_millis(5), true);
            spin.learn(SOON, true);
            assert!(!spin.pays());
        }
    }
    #[test]
    fn new_connections_don_t_make_it_worth_while() {
        let mut spin = Spin::default();
        (0..100).for_each(|_| spin.learn(SOON, false));
        assert!(!spin.pays());
        (0..3).for_each(|_| spin.learn(SOON, true));
        assert!(spin.pays());
        spin.learn(SOON, false);
        assert!(!spin.pays());
    }
}
