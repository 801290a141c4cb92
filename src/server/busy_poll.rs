//! Decides whether an event loop polls for a moment before it sleeps.
//!
//! Waking a thread that sleeps in the poller takes longer than handling a small request. So busy polling serves a client
//! that sends its next request at once much faster. The loop does it only while the last waits were short and ended with
//! a request. The first wait without a request ends busy polling for a while, the next one for longer, and an idle server
//! never does it. New connections don't count, because one wake-up accepts several of them.

use std::time::Duration;

/// How long to poll before sleeping.
pub(super) const MOMENT: Duration = Duration::from_micros(50);
/// A wait that counts as short: one that busy polling would have covered, and the time to wake up.
const SHORT: Duration = Duration::from_micros(100);
/// Number of short waits in a row that start busy polling.
const ENOUGH: i8 = 3;
/// Penalty for an attempt without a result. It doubles each time, up to [`MOST_DOUBT`] times.
const VAIN: i8 = -8;
const MOST_DOUBT: u8 = 3;
/// Number of successful attempts that undo one failed attempt.
const TRUST: u8 = 16;

/// The history of the last waits.
#[derive(Debug, Default)]
pub(super) struct BusyPoll {
    credit: i8,
    /// Failed attempts that were not undone.
    doubt: u8,
    /// Successful attempts since then.
    found: u8,
}

impl BusyPoll {
    pub(super) fn pays(&self) -> bool {
        self.credit >= ENOUGH
    }

    /// Notes a wait of this length, which ended with data on a connection or only with new connections.
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

    /// Notes that the next waits will be long.
    pub(super) fn expect_long_waits(&mut self) {
        self.credit = self.credit.min(0);
    }

    /// Notes that busy polling found nothing.
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
