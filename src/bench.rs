//! The pure parts, opened for `benches/parts.rs` and for nothing else: no part of the API.

use crate::connection::outgoing::{Outgoing, Terms};
use crate::exchange::Headers;
use crate::http1::HeadLimits;
use crate::http1::head::{self, Places, Scan, Version};

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
    pub fn write(&mut self, fields: &[(&str, &str)], body: &[u8]) -> std::io::Result<usize> {
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
