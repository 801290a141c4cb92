//! Server-sent events: the text of an [`Event`], and [`begin`], which answers with a stream of them.
//!
//! A page listens with JavaScript's `EventSource`, which connects again by itself when the stream ends
//! ([HTML, 9.2](https://html.spec.whatwg.org/multipage/server-sent-events.html)). A stream needs no thread while it is
//! silent, and one [`Chunk`] goes to any number of streams.
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

/// What is sent to a client for which nothing else was sent for a while: a comment, which pages do not see.
const COMMENT: &str = ":\n\n";

/// Answers with a stream of events: sends the head (`200`, `Content-Type: text/event-stream`, `Cache-Control: no-store`)
/// and hands over the body.
///
/// While nothing is sent, the server sends a comment every [`Limits::stream_keep_alive`](crate::Limits) or so, so that
/// proxies keep the connection, and clients that are gone without a word are noticed.
///
/// # Errors
/// Those of [`Exchange::end_headers`] and [`ResponseWriter::start_stream`](crate::ResponseWriter::start_stream).
pub fn begin(x: &mut Exchange<'_>) -> Result<ResponseStream> {
    x.send_response(Status::OK);
    x.send_header("Content-Type", "text/event-stream");
    x.send_header("Cache-Control", "no-store");
    // Else nginx, as a proxy, keeps events back until it has some kilobytes of them.
    x.send_header("X-Accel-Buffering", "no");
    x.end_headers()?;
    let stream = x.wfile.start_stream()?;
    stream.keep_alive(COMMENT);
    Ok(stream)
}

/// The id of the last event that the client has received before it lost its connection: the field `Last-Event-ID`.
/// `None` if there is none.
pub fn last_event_id<'a>(x: &Exchange<'a>) -> Option<&'a str> {
    x.headers.get("Last-Event-ID")
}

/// One event, to be sent as a [`Chunk`].
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
    /// An event with this data. Each line of it is a field; the client joins them by line feeds again.
    pub fn new(data: &str) -> Self {
        let mut event = Event::default();
        // A CR LF ends one line, not two.
        let data = data.replace("\r\n", "\n");
        for line in data.split(['\n', '\r']) {
            let _ = writeln!(event.data, "data: {line}");
        }
        event
    }

    /// Its type, for `addEventListener` in a page. Without it, it is `message`.
    pub fn name(self, name: &str) -> Self {
        self.field("event", name)
    }

    /// Its id. A client that connects again says the id of the last event that it has received
    /// ([`last_event_id`]).
    pub fn id(self, id: &str) -> Self {
        self.field("id", id)
    }

    /// How long a client is to wait before it connects again, in whole milliseconds.
    pub fn retry(self, time: Duration) -> Self {
        let millis = time.as_millis().to_string();
        self.field("retry", &millis)
    }

    /// A line end would end the field, and clients ignore an id with a NUL: spaces stand in their place.
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
