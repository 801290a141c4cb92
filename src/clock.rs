//! Cheap clocks. On Linux the time is that of the last tick of the system, which is some milliseconds old at most: the
//! precise clocks cost more than parsing a small head. (The crate `coarsetime` reads the monotonic clock in 31 instructions
//! instead of 60, and would be one crate more.)

use std::time::{Duration, SystemTime};

pub(crate) use self::system::seconds_since_1970;

#[cfg_attr(target_os = "linux", path = "clock/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "clock/other.rs")]
mod system;

/// The time of day, without the part of the second that has begun.
pub(crate) fn time_of_day() -> SystemTime {
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds_since_1970()))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A moment in milliseconds, for deadlines of connections. Only the distance between two moments has a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Before all others.
    pub(crate) const FIRST: Moment = Moment(0);

    /// Behind all others.
    pub(crate) const NEVER: Moment = Moment(u64::MAX);

    pub(crate) fn now() -> Self {
        Moment(self::system::uptime())
    }

    /// Returns the moment after this time, rounded up to a millisecond; at most the last moment.
    pub(crate) fn after(self, time: Duration) -> Self {
        let rest = u64::from(time.subsec_nanos()).div_ceil(1_000_000);
        let whole = time.as_secs().saturating_mul(1000);
        Moment(self.0.saturating_add(whole).saturating_add(rest))
    }

    /// How long it is from an earlier moment to this one; zero if that is the later one.
    pub(crate) fn since(self, earlier: Moment) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The next moment that is a multiple of so many milliseconds.
    pub(crate) const fn round_up(self, millis: u64) -> Self {
        Moment(self.0.div_ceil(millis).saturating_mul(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_move_on_and_never_past_the_last() {
        let now = Moment::now();
        assert_eq!(
            now.after(Duration::from_micros(1)).since(now),
            Duration::from_millis(1)
        );
        assert_eq!(
            now.after(Duration::from_secs(9)).since(now),
            Duration::from_secs(9)
        );
        assert_eq!(now.since(now.after(Duration::from_secs(9))), Duration::ZERO);
        let last = now.after(Duration::MAX);
        assert_eq!(last.after(Duration::MAX), last);
        assert!(Moment::now() >= now);
    }

    #[test]
    fn both_clocks_follow_those_of_the_standard_library() {
        let (start, coarse) = (std::time::Instant::now(), Moment::now());
        while start.elapsed() < Duration::from_millis(40) {
            std::thread::yield_now();
        }
        let passed = Moment::now().since(coarse);
        assert!(passed >= Duration::from_millis(20), "{passed:?}");
        let behind = SystemTime::now()
            .duration_since(time_of_day())
            .unwrap_or_default();
        assert!(behind < Duration::from_secs(2), "{behind:?}");
    }
}
