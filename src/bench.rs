//! The pure parts, opened for `benches/parts.rs` and for nothing else: no part of the API.

use std::io::{self, Write};
use std::sync::Arc;

use crate::connection::outgoing::{Outgoing, Terms};
use crate::connection::stream::Stream;
use crate::connection::{Buffers, Connection, Readiness};
use crate::exchange::Headers;
use crate::http1::HeadLimits;
use crate::http1::head::{self, Places, Scan, Version};
use crate::info::{Peer, ServerInfo};
use crate::limits::Limits;
use crate::shutdown::ShutdownHandle;
use crate::sys;

/// What a thread keeps from one head to the next.
#[derive(Debug, Default)]
pub struct Texts {
    scratch: String,
    places: Places,
}

/// Finds and parses a head, and hands its fields on; `None` if it is not one.
pub fn with_head<T>(
    texts: &mut Texts,
    input: &[u8],
    then: impl FnOnce(Headers<'_>) -> T,
) -> Option<T> {
    let limits = HeadLimits::default();
    let Texts { scratch, places } = texts;
    let found = head::find(input, &mut Scan::default(), places, &limits).ok()??;
    let extent = found.extent();
    let bytes = input.get(extent.start..extent.end)?;
    let head = head::parse(bytes, &found, scratch, places, &limits).ok()?;
    Some(then(Headers::new(head.fields)))
}

/// The buffer of a connection.
#[derive(Debug)]
pub struct Response(Outgoing);

impl Default for Response {
    fn default() -> Self {
        Response(Outgoing::new())
    }
}

impl Response {
    /// Writes a response with these fields and returns its length; the buffer is empty after it.
    pub fn write(&mut self, fields: &[(&str, &str)], body: &[u8]) -> io::Result<usize> {
        let Response(out) = self;
        out.begin(Terms {
            client: Version::Http11,
            is_head: false,
            is_connect: false,
        });
        out.status_line("HTTP/1.1", 200, "OK");
        for (name, value) in fields {
            out.field(name, value);
        }
        out.end_fields(false)?;
        out.body(body, || false)?;
        out.finish(false)?;
        let length = out.sendable();
        out.sent(length);
        Ok(length)
    }
}

/// A connection whose client is sending a head, parked between the bytes.
#[derive(Debug)]
pub struct SlowHead {
    conn: Connection,
    buffers: Buffers,
    client: sys::SignalEnd,
}

impl SlowHead {
    /// So many bytes of the head have come.
    pub fn new(length: usize) -> io::Result<Self> {
        let (ours, client) = sys::signal_pair()?;
        ours.set_nonblocking(true)?;
        let stream = Stream::of_pair(ours);
        let server = Arc::new(ServerInfo::new(
            vec![Peer::Memory],
            ShutdownHandle::new(),
            false,
        ));
        let limits = Arc::new(Limits::default());
        let mut slow = SlowHead {
            conn: Connection::new(stream, Peer::Memory, server, limits),
            buffers: Buffers::default(),
            client,
        };
        let mut head = b"GET / HTTP/1.1\r\n".to_vec();
        while head.len() < length {
            let rest = (length - head.len()).min(60_000);
            head.extend_from_slice(b"X:");
            head.resize(head.len() + rest, b'x');
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"X:");
        for piece in head.chunks(10_000) {
            slow.send(piece)?;
        }
        Ok(slow)
    }

    /// The client sends more of the head, and the connection reads it.
    pub fn send(&mut self, piece: &[u8]) -> io::Result<()> {
        self.client.write_all(piece)?;
        self.conn.lend(&mut self.buffers, false);
        let readiness = self.conn.poll_request();
        self.conn.reclaim(&mut self.buffers);
        match readiness {
            Ok(Readiness::Pending) => Ok(()),
            _ => Err(io::Error::other("not a part of a head")),
        }
    }
}
