//! Looks at the clock that cost next to nothing: its time as of the last tick of the system, some
//! milliseconds old at most. The precise clocks cost more than parsing a small head. (The crate `coarsetime`
//! reads the monotonic one in 31 instructions instead of 60, and would be one crate more.)

use std::time::{Duration, SystemTime};

/// The time of day, without the part of the second that has begun.
pub(crate) fn time_of_day() -> SystemTime {
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds_since_1970()))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The time of day in whole seconds; a time before 1970 is no time.
#[cfg(target_os = "linux")]
pub(crate) fn seconds_since_1970() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    u64::try_from(time.tv_sec).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn seconds_since_1970() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A moment to the millisecond, for deadlines of connections. Its distance to another one is all that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Before all others.
    pub(crate) const FIRST: Moment = Moment(0);

    /// Behind all others.
    pub(crate) const NEVER: Moment = Moment(u64::MAX);

    pub(crate) fn now() -> Self {
        Moment(uptime())
    }

    /// So much later, rounded up; the last one there is at the most.
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

/// In milliseconds.
#[cfg(target_os = "linux")]
fn uptime() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    millis(time.tv_sec, time.tv_nsec)
}

#[cfg(target_os = "linux")]
fn millis(seconds: i64, nanoseconds: i64) -> u64 {
    let whole = u64::try_from(seconds).unwrap_or_default();
    let rest = u64::try_from(nanoseconds).unwrap_or_default();
    whole.saturating_mul(1000).saturating_add(rest / 1_000_000)
}

#[cfg(not(target_os = "linux"))]
fn uptime() -> u64 {
    static START: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
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

    #[cfg(target_os = "linux")]
    #[test]
    fn milliseconds_go_on_from_one_second_to_the_next() {
        assert_eq!([millis(1, 999_999_999), millis(2, 0)], [1999, 2000]);
        assert_eq!(millis(i64::MAX, 0), u64::MAX);
        assert_eq!(millis(-1, 0), 0);
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
