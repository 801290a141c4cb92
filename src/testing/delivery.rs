//! The number of sent bytes that the client's system has acknowledged.
//!
//! A reset makes the system discard bytes that are not delivered yet, so a reset at byte N has to wait until
//! all bytes before it have arrived. Only the system knows.

use std::time::{Duration, Instant};

use crate::info::Peer;

#[cfg_attr(target_os = "linux", path = "delivery/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "delivery/other.rs")]
mod system;

/// Interval between two queries. (A poll counts in milliseconds, and rounds up.)
const INTERVAL: Duration = Duration::from_micros(500);

/// Waits until the client's system has acknowledged all bytes. The error is the number of bytes that are left:
/// when it has acknowledged no more for this time, or when `nap`, which waits for a time, returns `false`.
/// If the system does not report it, all bytes count as acknowledged.
pub(super) fn wait_until_taken(
    server: Peer,
    client: Peer,
    patience: Duration,
    mut nap: impl FnMut(Duration) -> bool,
) -> Result<(), u64> {
    let mut since = Instant::now();
    let mut before = u64::MAX;
    loop {
        let left = system::untaken(server, client).unwrap_or(0);
        if left == 0 {
            return Ok(());
        }
        if left < before {
            (since, before) = (Instant::now(), left);
        }
        if since.elapsed() >= patience || !nap(INTERVAL) {
            return Err(left);
        }
    }
}
