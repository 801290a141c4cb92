//! Looks at the clock that cost next to nothing: its time as of the last tick of the system, some
//! milliseconds old at most. The precise clocks cost more than parsing a small head.

use std::time::{Duration, SystemTime};

/// The time of day.
pub(crate) fn time_of_day() -> SystemTime {
    SystemTime::UNIX_EPOCH
        .checked_add(since_1970())
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The time of day, counted from 1970 on.
#[cfg(target_os = "linux")]
pub(crate) fn since_1970() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    duration(time.tv_sec, time.tv_nsec)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// A time before 1970 is no time.
#[cfg(target_os = "linux")]
fn duration(seconds: i64, nanoseconds: i64) -> Duration {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    Duration::new(seconds, u32::try_from(nanoseconds).unwrap_or_default())
}

/// A moment to the millisecond, for deadlines of connections. Its distance to another one is all that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) fn now() -> Self {
        Moment(millis(uptime()))
    }

    /// So much later, rounded up; the last one there is at the most.
    pub(crate) fn after(self, time: Duration) -> Self {
        let whole = millis(time.saturating_add(Duration::from_nanos(999_999)));
        Moment(self.0.saturating_add(whole))
    }

    /// How long it is until this moment; zero if it is past.
    pub(crate) fn since(self, earlier: Moment) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The first multiple of `step`, which is not 0, that is not before this moment; counted in steps.
    pub(crate) fn in_steps(self, step: Duration) -> u64 {
        self.0.div_ceil(millis(step).max(1))
    }

    /// The moment of so many steps.
    pub(crate) fn of_steps(steps: u64, step: Duration) -> Self {
        Moment(steps.saturating_mul(millis(step).max(1)))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(target_os = "linux")]
fn uptime() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    duration(time.tv_sec, time.tv_nsec)
}

#[cfg(not(target_os = "linux"))]
fn uptime() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
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
        assert!(behind < Duration::from_secs(1), "{behind:?}");
    }
}
