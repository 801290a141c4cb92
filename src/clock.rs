//! Looks at the clock that cost next to nothing: its time as of the last tick of the system, some
//! milliseconds old at most.

use std::time::{Duration, SystemTime};

/// The time of day.
#[cfg(target_os = "linux")]
pub(crate) fn time_of_day() -> SystemTime {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    let since = duration(time.tv_sec, time.tv_nsec);
    SystemTime::UNIX_EPOCH
        .checked_add(since)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn time_of_day() -> SystemTime {
    SystemTime::now()
}

/// A time before 1970 is no time.
#[cfg(target_os = "linux")]
fn duration(seconds: i64, nanoseconds: i64) -> Duration {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    Duration::new(seconds, u32::try_from(nanoseconds).unwrap_or_default())
}
