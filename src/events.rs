//! Server-sent events: [`begin`] starts a stream as the response, and an [`Event`] is sent as a [`Chunk`].
//!
//! A web page listens with JavaScript's `EventSource`, which reconnects when the stream ends
//! ([HTML, section 9.2](https://html.spec.whatwg.org/multipage/server-sent-events.html)).
//! A stream does not occupy a thread between events, and one [`Chunk`] can be sent to any number of streams.
//!
//! ```
//! use servette::{Chunk, ResponseStream, Status, events, handler_fn, respond};
//! use std::sync::Mutex;
//!
//! let listeners: Mutex<Vec<ResponseStream>> = Mutex::default();
//! let handler = handler_fn(|_, x| match x.path {
//!     "/events" => {
//!         listeners.lock().unwrap().push(events::begin(x)?);
//!         Ok(())
//!     }
//!     _ => x.send_error(Status::NOT_FOUND),
//! });
//!
//! // From any thread:
//! let news = Chunk::from(events::Event::new("it rains\nagain").id("7"));
//! assert_eq!(news.as_bytes(), b"id: 7\ndata: it rains\ndata: again\n\n");
//! listeners.lock().unwrap().retain(|stream| stream.send(&news).is_ok());
//! # let _ = &handler;
//! ```

use std::fmt::Write;
use std::time::Duration;

use crate::{Chunk, Exchange, ResponseStream, Result, Status};

/// A comment, which clients ignore; sent to a client that has received nothing for a while.
const COMMENT: &str = ":\n\n";

/// Starts a stream of events as the response: sends the head (`200`, `Content-Type: text/event-stream`,
/// `Cache-Control: no-store`), and returns the stream.
///
/// While nothing is sent, the server sends a comment about every [`Limits::stream_keep_alive`](crate::Limits). This
/// keeps proxies from closing the connection, and detects clients that have disconnected silently.
///
/// # Errors
/// Errors of [`Exchange::end_headers`] and of [`ResponseWriter::start_stream`](crate::ResponseWriter::start_stream).
pub fn begin(x: &mut Exchange<'_>) -> Result<ResponseStream> {
    x.send_response(Status::OK);
    x.send_header("Content-Type", "text/event-stream");
    x.send_header("Cache-Control", "no-store");
    // Without this field, nginx as a proxy buffers some kilobytes of events.
    x.send_header("X-Accel-Buffering", "no");
    x.end_headers()?;
    let stream = x.wfile.start_stream()?;
    stream.keep_alive(COMMENT);
    Ok(stream)
}

/// Returns the id of the last event that the client received before it reconnected: the field `Last-Event-ID`. Returns
/// `None` if the request has none.
pub fn last_event_id<'a>(x: &Exchange<'a>) -> Option<&'a str> {
    x.headers.get("Last-Event-ID")
}

/// A server-sent event; convert it into a [`Chunk`] to send it.
///
/// ```
/// use servette::events::Event;
/// use std::time::Duration;
///
/// let event = Event::new("7").name("count").id("1").retry(Duration::from_secs(2));
/// assert_eq!(event.to_string(), "event: count\nid: 1\nretry: 2000\ndata: 7\n\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    fields: String,
    data: String,
}

impl Event {
    /// Returns an event with this data. Each line of the data is a field of its own; the client joins them with line
    /// feeds.
    pub fn new(data: &str) -> Self {
        let mut event = Event::default();
        // CR LF ends one line, not two.
        let data = data.replace("\r\n", "\n");
        for line in data.split(['\n', '\r']) {
            let _ = writeln!(event.data, "data: {line}");
        }
        event
    }

    /// Sets the type of the event, for JavaScript's `addEventListener`. Clients use `message` by default.
    pub fn name(self, name: &str) -> Self {
        self.field("event", name)
    }

    /// Sets the id of the event. A client that reconnects sends the id of the last event that it received: see
    /// [`last_event_id`].
    pub fn id(self, id: &str) -> Self {
        self.field("id", id)
    }

    /// Sets how long a client waits before it reconnects, in whole milliseconds. By default the client decides.
    pub fn retry(self, time: Duration) -> Self {
        let millis = time.as_millis().to_string();
        self.field("retry", &millis)
    }

    /// Adds a field. Line ends would end the field, and clients ignore an id with NUL, so both become spaces.
    fn field(mut self, name: &str, value: &str) -> Self {
        let value = value.replace(['\n', '\r', '\0'], " ");
        let _ = writeln!(self.fields, "{name}: {value}");
        self
    }
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}{}", self.fields, self.data)
    }
}

impl From<Event> for Chunk {
    fn from(event: Event) -> Self {
        Chunk::from(&event)
    }
}

impl From<&Event> for Chunk {
    fn from(event: &Event) -> Self {
        Chunk::from(event.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_data_is_a_field_and_nothing_else_ends_one() {
        let text = |data| Event::new(data).to_string();
        assert_eq!(text(""), "data: \n\n");
        assert_eq!(
            text("a\nb\r\nc\rd\n"),
            "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"
        );
        let event = Event::new("x").name("a\ndata: y").id("1\r\n\0x");
        assert_eq!(
            event.to_string(),
            "event: a data: y\nid: 1   x\ndata: x\n\n"
        );
    }
}
