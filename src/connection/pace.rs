//! How long a client may keep the server waiting: a deadline that a slow drip can't extend.

use std::time::Duration;

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// For one wait without a byte, and for all waits together before the rate counts.
    pub(crate) patience: Duration,
    /// Bytes a second, on average over the time waited, that earn more patience; 0: any progress does.
    pub(crate) rate: u64,
}

/// What was used of it by one body or one response.
///
/// Only the time that the server really waited counts, so a handler that thinks for a minute between
/// two reads puts no blame on its client.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// How long the next wait may be; zero when patience is at its end.
    pub(crate) fn next_wait(&self, allowance: Allowance) -> Duration {
        if allowance.rate == 0 {
            return allowance.patience;
        }
        let earned = Duration::from_secs(self.bytes / allowance.rate);
        earned
            .max(allowance.patience)
            .saturating_sub(self.waited)
            .min(allowance.patience)
    }

    /// The server has waited.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.waited = self.waited.saturating_add(time);
    }

    /// Bytes have moved.
    pub(crate) fn moved(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// How many have moved.
    #[cfg(feature = "testing")]
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

    fn after(seconds: u64, bytes: usize) -> u64 {
        let mut pace = Pace::default();
        pace.waited(Duration::from_secs(seconds));
        pace.moved(bytes);
        pace.next_wait(ALLOWANCE).as_secs()
    }

    #[test]
    fn silence_and_a_drip_end_alike_and_a_fair_rate_goes_on() {
        assert_eq!(after(0, 0), 30);
        assert_eq!(after(30, 0), 0);
        assert_eq!(after(29, 29), 1, "a byte a second earns nothing");
        assert_eq!(after(30, 30), 0);
        assert_eq!(after(60, 60 * 500 + 5_000), 10);
        assert_eq!(after(60, 60 * 499), 0);
        assert_eq!(after(60, 1 << 30), 30, "never more than one wait's worth");
    }

    #[test]
    fn without_a_rate_only_silence_counts() {
        let mut pace = Pace::default();
        pace.waited(Duration::from_secs(3600));
        let any = Allowance {
            rate: 0,
            ..ALLOWANCE
        };
        assert_eq!(pace.next_wait(any), Duration::from_secs(30));
    }
}
