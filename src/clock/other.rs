//! The clocks of the standard library.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime};

/// The time of day in whole seconds; 0 before 1970.
pub(crate) fn seconds_since_1970() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Milliseconds since some moment in the past.
pub(super) fn uptime() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}
