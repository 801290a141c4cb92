//! Reading the header of the PROXY protocol from a new connection.
//!
//! The header is peeked at until it is complete; then exactly its bytes are read. So TLS or a request that follows is read
//! as usual, and a connection that waits for its header needs no buffer.

use std::io;

use super::Connection;
use crate::info::Peer;
use crate::proxies::header::{self, Header};

/// The state of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announcement {
    /// It was read, and the peer was set to the client that it names.
    Complete,
    /// It is incomplete.
    Awaited,
    /// The proxy has closed the connection, which is not reported.
    Gone,
    Invalid(&'static str),
}

impl Connection {
    /// Reads the header of a new connection, without waiting.
    pub(crate) fn take_proxy_header(&mut self) -> Announcement {
        let stream = &self.channel.wire.stream;
        let mut room = [0; header::MOST];
        let there = match stream.peek(&mut room) {
            Ok(count) => room.get(..count).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Announcement::Awaited;
            }
            Err(_) => return Announcement::Gone,
        };
        let Header { length, source } = match header::parse(there) {
            Ok(Some(header)) => header,
            Ok(None) if there.is_empty() => return Announcement::Gone,
            // What is left unread hides the end behind it.
            Ok(None) if stream.has_left() => {
                return Announcement::Invalid("the connection ends within its PROXY header");
            }
            Ok(None) => return Announcement::Awaited,
            Err(reason) => return Announcement::Invalid(reason),
        };
        // All of it is there.
        let header = room.get_mut(..length).unwrap_or_default();
        if stream.recv(header).is_ok_and(|read| read == length) {
            self.peer = source.unwrap_or(self.peer);
            // A client that the proxy does not name, or one at a Unix socket of its own, must not pass for a proxy.
            self.is_unnamed = !matches!(source, Some(Peer::Ip(_)));
            return Announcement::Complete;
        }
        Announcement::Gone
    }

    /// Drops the received bytes, because closing a socket with unread bytes sends a reset.
    pub(crate) fn drop_what_is_there(&self) {
        // Whatever it is, the connection is closed.
        let _ = self.channel.wire.drop_available();
    }
}
