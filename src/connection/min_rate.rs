//! [`MinRate`]: how long a client may keep the server waiting. A client that sends single bytes can't extend it.

use std::time::Duration;

use crate::limits::Limits;

/// The limits of the waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// The maximum time without a byte, and the waited time after which the minimum rate applies.
    pub(crate) patience: Duration,
    /// The minimum rate in bytes per second, on average over the waited time; 0 switches it off.
    pub(crate) rate: u64,
}

impl Allowance {
    /// The limits for a request body.
    pub(super) fn of_body(limits: &Limits) -> Self {
        Allowance {
            patience: limits.body_timeout,
            rate: limits.min_rate,
        }
    }

    /// The limits for a response.
    pub(super) fn of_writes(limits: &Limits) -> Self {
        Allowance {
            patience: limits.write_timeout,
            rate: limits.min_rate,
        }
    }
}

/// The waits for one body or one response.
///
/// Only the time that the server waited counts: a handler that computes for a minute between two reads does not use up the
/// client's time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MinRate {
    waited: Duration,
    /// The time waited since the last byte.
    silent: Duration,
    bytes: u64,
}

impl MinRate {
    /// The maximum duration of the next wait; zero if the client has used up its time.
    pub(crate) fn next_wait(&self, allowance: Allowance) -> Duration {
        let silence = allowance.patience.saturating_sub(self.silent);
        if allowance.rate == 0 {
            return silence;
        }
        let earned = Duration::from_secs(self.bytes / allowance.rate);
        let total = earned.max(allowance.patience);
        silence.min(total.saturating_sub(self.waited))
    }

    /// Notes a wait.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.waited = self.waited.saturating_add(time);
        self.silent = self.silent.saturating_add(time);
    }

    /// Notes that bytes were received or sent.
    pub(crate) fn moved(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if bytes > 0 {
            self.silent = Duration::ZERO;
        }
    }

    /// The number of bytes received or sent.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWANCE: Allowance = Allowance {
        patience: Duration::from_secs(30),
        rate: 500,
    };

    /// Seconds waited, and the bytes that came then.
    fn after(waits: &[(u64, usize)]) -> u64 {
        let mut min_rate = MinRate::default();
        for &(seconds, bytes) in waits {
            min_rate.waited(Duration::from_secs(seconds));
            min_rate.moved(bytes);
        }
        min_rate.next_wait(ALLOWANCE).as_secs()
    }

    #[test]
    fn silence_and_a_drip_end_alike_and_a_fair_rate_goes_on() {
        assert_eq!(after(&[]), 30);
        assert_eq!(after(&[(30, 0)]), 0);
        assert_eq!(after(&[(29, 29)]), 1, "a byte a second earns nothing");
        assert_eq!(after(&[(30, 30)]), 0);
        assert_eq!(after(&[(60, 60 * 500 + 5_000)]), 10);
        assert_eq!(after(&[(60, 60 * 499)]), 0);
        assert_eq!(after(&[(60, 1 << 30)]), 30, "at most one deadline ahead");
    }

    #[test]
    fn silence_ends_whatever_came_before_and_however_it_is_split_into_waits() {
        assert_eq!(after(&[(0, 1 << 30), (30, 0)]), 0);
        assert_eq!(after(&[(0, 1 << 30), (20, 0), (9, 0)]), 1);
        assert_eq!(after(&[(0, 1 << 30), (20, 0), (9, 1), (20, 0)]), 10);
    }

    #[test]
    fn without_a_rate_only_silence_counts() {
        let any = Allowance {
            rate: 0,
            ..ALLOWANCE
        };
        let mut min_rate = MinRate::default();
        min_rate.waited(Duration::from_secs(3600));
        min_rate.moved(1);
        assert_eq!(min_rate.next_wait(any), Duration::from_secs(30));
        min_rate.waited(Duration::from_secs(20));
        assert_eq!(min_rate.next_wait(any), Duration::from_secs(10));
    }
}
