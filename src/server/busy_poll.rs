//! Whether it pays to poll for a moment before sleeping.
//!
//! Waking a thread that sleeps in the poller takes longer than handling a small request. A client that
//! asks again as soon as it has its answer is served three times as fast by an event loop that polls again
//! for some microseconds. That is done only while the last waits were short and ended with a request; the first
//! one in vain ends it for a while, the next one for longer, and a server at rest never does it. New connections
//! don't count: there busy polling costs more CPU time than waking up, for one wake-up takes in several.

use std::time::Duration;

/// How long to poll before sleeping.
pub(super) const MOMENT: Duration = Duration::from_micros(50);
/// A wait that counts as short: one that busy polling would have covered, and the time to wake up.
const SHORT: Duration = Duration::from_micros(100);
/// So many short waits in a row begin it.
const ENOUGH: i8 = 3;
/// A vain attempt costs as many, and twice as many each time, up to [`MOST_DOUBT`] times.
const VAIN: i8 = -8;
const MOST_DOUBT: u8 = 3;
/// So many attempts that were not in vain take one doubt away.
const TRUST: u8 = 16;

/// What the last waits were like.
#[derive(Debug, Default)]
pub(super) struct BusyPoll {
    credit: i8,
    /// Vain attempts that are not made up for.
    doubt: u8,
    /// Attempts since then that were not in vain.
    found: u8,
}

impl BusyPoll {
    pub(super) fn pays(&self) -> bool {
        self.credit >= ENOUGH
    }

    /// A wait has ended, after so long; with something on a connection, or only with new ones.
    pub(super) fn learn(&mut self, waited: Duration, on_connection: bool) {
        let is_short = on_connection && waited < SHORT;
        if is_short && self.pays() {
            self.found += 1;
            if self.found >= TRUST {
                (self.found, self.doubt) = (0, self.doubt.saturating_sub(1));
            }
        }
        self.credit = match is_short {
            true => (self.credit + 1).min(ENOUGH),
            false => self.credit.min(0),
        };
    }

    /// The next waits will be long ones.
    pub(super) fn expect_long_waits(&mut self) {
        self.credit = self.credit.min(0);
    }

    /// Looking again found nothing.
    pub(super) fn was_in_vain(&mut self) {
        self.credit = VAIN << self.doubt;
        (self.found, self.doubt) = (0, (self.doubt + 1).min(MOST_DOUBT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_micros(20);

    #[test]
    fn it_begins_with_short_waits_and_ends_with_the_first_in_vain() {
        let mut busy = BusyPoll::default();
        assert!(!busy.pays());
        (0..3).for_each(|_| busy.learn(SOON, true));
        assert!(busy.pays());
        busy.learn(SOON, true);
        assert!(busy.pays());
        busy.was_in_vain();
        (0..10).for_each(|_| busy.learn(SOON, true));
        assert!(!busy.pays());
        busy.learn(SOON, true);
        assert!(busy.pays());
    }

    /// How many short waits it takes to begin again.
    fn pause(busy: &mut BusyPoll) -> u32 {
        busy.was_in_vain();
        let mut waits = 0;
        while !busy.pays() {
            busy.learn(SOON, true);
            waits += 1;
        }
        waits
    }

    #[test]
    fn each_vain_attempt_costs_more_until_it_is_made_up_for() {
        let mut busy = BusyPoll::default();
        let pauses = [(); 5].map(|()| pause(&mut busy));
        assert_eq!(pauses, [11, 19, 35, 67, 67]);
        (0..100).for_each(|_| busy.learn(SOON, true));
        assert_eq!(pause(&mut busy), 11);
    }

    #[test]
    fn after_large_requests_it_begins_anew() {
        let mut busy = BusyPoll::default();
        (0..9).for_each(|_| busy.learn(SOON, true));
        busy.expect_long_waits();
        (0..2).for_each(|_| busy.learn(SOON, true));
        assert!(!busy.pays());
        busy.learn(SOON, true);
        assert!(busy.pays());
    }

    #[test]
    fn a_server_at_rest_sleeps() {
        let mut busy = BusyPoll::default();
        for _ in 0..100 {
            busy.learn(Duration::from_millis(5), true);
            busy.learn(SOON, true);
            assert!(!busy.pays());
        }
    }

    #[test]
    fn new_connections_don_t_make_it_worth_while() {
        let mut busy = BusyPoll::default();
        (0..100).for_each(|_| busy.learn(SOON, false));
        assert!(!busy.pays());
        (0..3).for_each(|_| busy.learn(SOON, true));
        assert!(busy.pays());
        busy.learn(SOON, false);
        assert!(!busy.pays());
    }
}
