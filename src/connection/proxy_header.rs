//! Reading the header of the PROXY protocol from a new connection.
//!
//! The socket is peeked at, and exactly the bytes of the header are read. So TLS or a request that follows is read as usual.
//! The start of an incomplete header is read too, and kept: unread bytes would hide the end of the stream behind them, and a
//! poller without edges would report them again and again.

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
        let start = self.partial_header.take().unwrap_or_default();
        let mut length = start.len();
        if let Some(place) = room.get_mut(..length) {
            place.copy_from_slice(&start);
        }
        loop {
            let count = match stream.peek(room.get_mut(length..).unwrap_or_default()) {
                Ok(0) if length == 0 => return Announcement::Gone,
                Ok(0) => {
                    return Announcement::Invalid("the connection ends within its PROXY header");
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let start = room.get(..length).filter(|start| !start.is_empty());
                    self.partial_header = start.map(|start| Box::new(start.to_vec()));
                    return Announcement::Awaited;
                }
                Err(_) => return Announcement::Gone,
            };
            let received = room.get(..length + count).unwrap_or_default();
            let header = match header::parse(received) {
                Ok(header) => header,
                Err(reason) => return Announcement::Invalid(reason),
            };
            let end = header.map_or(received.len(), |header| header.length);
            let own = room.get_mut(length..end).unwrap_or_default();
            let own_length = own.len();
            if !stream.recv(own).is_ok_and(|read| read == own_length) {
                return Announcement::Gone;
            }
            length = end;
            if let Some(Header { source, .. }) = header {
                self.peer = source.unwrap_or(self.peer);
                // A client that the proxy does not name, or one at a Unix socket of its own, must not pass for a proxy.
                self.is_unnamed = !matches!(source, Some(Peer::Ip(_)));
                return Announcement::Complete;
            }
        }
    }

    /// Drops the received bytes, because closing a socket with unread bytes sends a reset.
    pub(crate) fn drop_what_is_there(&self) {
        // Whatever it is, the connection is closed.
        let _ = self.channel.wire.drop_available();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;
    use crate::connection::stream::Stream;
    use crate::info::ServerInfo;
    use crate::sys;
    use crate::{Limits, ShutdownHandle};

    #[test]
    fn an_incomplete_header_is_not_left_in_the_socket_and_what_follows_a_header_is() {
        let (ours, mut theirs) = sys::signal_pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let server = ServerInfo::new(vec![Peer::Memory], ShutdownHandle::new(), false);
        let limits = Arc::new(Limits::default());
        let stream = Stream::of_pair(ours);
        let mut conn = Connection::new(stream, Peer::Memory, Arc::new(server), limits);
        let left = |conn: &Connection| conn.channel.wire.stream.peek(&mut [0; 16]);
        for part in ["PROXY", " TCP4 192.0.2.1 192.0.", "2.2 4321 80\r"] {
            theirs.write_all(part.as_bytes()).unwrap();
            assert_eq!(conn.take_proxy_header(), Announcement::Awaited);
            assert!(left(&conn).is_err(), "{part}");
        }
        theirs.write_all(b"\nGET").unwrap();
        assert_eq!(conn.take_proxy_header(), Announcement::Complete);
        assert_eq!(conn.client_address().to_string(), "192.0.2.1:4321");
        assert_eq!(left(&conn).unwrap(), 3);
    }
}
