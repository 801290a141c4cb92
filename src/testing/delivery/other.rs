//! Other systems do not report the unacknowledged bytes of a connection.

use crate::info::Peer;

/// Returns `None`: not supported.
pub(super) fn untaken(_: Peer, _: Peer) -> Option<u64> {
    None
}
