//! What a proxy says before the first byte of its client: the header of the PROXY protocol on a new connection.
//!
//! It is looked at and left in the socket until it is complete, and then exactly the header is read. So what follows,
//! TLS or a request, is read as if nothing had been before it, and a connection that waits for its header owns nothing.

use std::io;

use super::Connection;
use crate::info::Peer;
use crate::proxies::header::{self, Header};

/// How far the header has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announcement {
    /// It was read, and the peer is the one that it names.
    Complete,
    /// More must come.
    Awaited,
    /// The proxy has closed the connection, and nothing is to be said about that.
    Gone,
    Invalid(&'static str),
}

impl Connection {
    /// Takes the header off a new connection, without waiting.
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

    /// Drops what has come: a close with something unread is a reset.
    pub(crate) fn drop_what_is_there(&self) {
        // Whatever it is, the connection is closed.
        let _ = self.channel.wire.drop_available();
    }
}
