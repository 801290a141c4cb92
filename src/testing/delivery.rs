//! How much of what was sent the client's system has taken.
//!
//! A reset makes the system forget what it has not delivered, so a reset at byte N has to wait until
//! all bytes before it have arrived. Only the system knows.

use std::time::{Duration, Instant};

use crate::info::Peer;

#[cfg_attr(target_os = "linux", path = "delivery/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "delivery/other.rs")]
mod system;

/// How often the system is asked. (A poll counts in milliseconds, and rounds up.)
const INTERVAL: Duration = Duration::from_micros(500);

/// Waits until the client has taken all bytes; how many are left when it has not taken any more for
/// so long, or when `nap`, which waits for a time, says that it is over. Where the system does not say,
/// that counts as taken.
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
