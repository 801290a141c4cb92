//! The coarse clocks of Linux.

use rustix::time::{ClockId, clock_gettime};

/// Returns the seconds since 1970; 0 before that.
pub(crate) fn seconds_since_1970() -> u64 {
    let time = clock_gettime(ClockId::RealtimeCoarse);
    u64::try_from(time.tv_sec).unwrap_or_default()
}

/// Returns the milliseconds since a fixed moment in the past.
pub(super) fn uptime() -> u64 {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    millis(time.tv_sec, time.tv_nsec)
}

fn millis(seconds: i64, nanoseconds: i64) -> u64 {
    let whole = u64::try_from(seconds).unwrap_or_default();
    let rest = u64::try_from(nanoseconds).unwrap_or_default();
    whole.saturating_mul(1000).saturating_add(rest / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_go_on_from_one_second_to_the_next() {
        assert_eq!([millis(1, 999_999_999), millis(2, 0)], [1999, 2000]);
        assert_eq!(millis(i64::MAX, 0), u64::MAX);
        assert_eq!(millis(-1, 0), 0);
    }
}
