//! The clocks of the standard library.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime};

/// Returns the seconds since 1970; 0 before that.
pub(crate) fn seconds_since_1970() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Returns the milliseconds since a fixed moment in the past.
pub(super) fn uptime() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}
