//! [`Limits`]: sizes, numbers, timeouts and deadlines that clients must keep to.

use std::time::Duration;

use crate::http1::HeadLimits;
use crate::http1::chunked::ChunkLimits;

/// The limits of a server, set with [`Builder::limits`](crate::server::Builder::limits). Sizes are in bytes.
///
/// A *timeout* bounds one wait and starts again with each byte; a *deadline* bounds the whole, so a client that sends a byte
/// now and then does not extend it.
///
/// ```
/// use servette::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::default().with_head_deadline(Duration::from_secs(5)).with_max_body(1 << 20);
/// assert_eq!((limits.max_body, limits.fields), (Some(1 << 20), 100));
/// ```
///
/// The fields can be set, too: `limits.fields = 50`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum length of the request line with its line end; a longer one is rejected with 414. Default 65,536.
    pub request_line: usize,
    /// Maximum length of a field line with its line end; a longer one is rejected with 431. Default 65,536.
    pub field_line: usize,
    /// Maximum number of field lines in a request; more are rejected with 431. The same limit holds for the trailer section
    /// of a chunked body, where more are rejected with 400. Default 100.
    pub fields: usize,
    /// Maximum size of the head of a request; a larger one is rejected with 431. Default 262,144.
    pub head: usize,
    /// Maximum number of empty lines before a request line; more are rejected with 400. Default 4.
    pub empty_lines: usize,
    /// Maximum length of a chunk-size line of a chunked body, extensions included; a longer one is rejected with 400.
    /// Default 1,024.
    pub chunk_line: usize,
    /// Maximum number of digits in the size of a chunk; more are rejected with 400. Default 16, enough for any 64-bit size.
    pub chunk_digits: usize,
    /// Maximum total size of the chunk extensions of a body; more is rejected with 400. Default 16,384.
    pub chunk_extensions: usize,
    /// Maximum size of the trailer section of a chunked body; a larger one is rejected with 400. Default 16,384.
    pub trailers: usize,
    /// Maximum size of a request body. The first read of `rfile` fails if `Content-Length` is larger, and a read of a
    /// chunked body fails where it becomes larger; the client gets 413. A handler that does not read the body is not
    /// affected, as with Go's `MaxBytesHandler`: the server reads at most [`discard`](Self::discard) bytes of such a
    /// body, and closes the connection if there are more. Default `None`, no limit: bodies are streamed, and the handler
    /// decides how much it reads.
    pub max_body: Option<u64>,
    /// Deadline for the head of a request, from its first byte to its end (for the first request: from the start of the
    /// connection). Then the client gets 408; if it has sent nothing, the connection is closed. Default 15 s.
    pub head_deadline: Duration,
    /// Maximum time that a connection stays open between requests (keep-alive). Default 75 s: longer than the 60 s after
    /// which nginx closes an idle connection to a server behind it.
    pub idle_timeout: Duration,
    /// Maximum wait for the next byte of a request body, whether `rfile` or a script reads it; then the client gets 408.
    /// Default 30 s.
    pub body_timeout: Duration,
    /// Maximum number of ranges that a request may ask for; with more, the whole file is sent. 0 switches range requests
    /// off. Default 256: some clients ask for that many at once.
    pub ranges: usize,
    /// Maximum time that a client may read nothing of a response, during the handler or after it; then the connection is
    /// dropped. Default 30 s.
    pub write_timeout: Duration,
    /// Minimum average rate of a body or a response, in bytes per second. It applies as soon as the server has waited longer
    /// than `body_timeout` or `write_timeout` for the client in total; slower connections are dropped. 0 switches it off.
    /// Default 500.
    pub min_rate: u64,
    /// Maximum size of the queue of a [`ResponseStream`](crate::ResponseStream), which holds the bytes that the client has
    /// not read; beyond it the connection is dropped. Default 262,144.
    pub stream_queue: usize,
    /// Interval after which the server sends the keep-alive bytes of a silent [`ResponseStream`](crate::ResponseStream), if
    /// [`keep_alive`](crate::ResponseStream::keep_alive) has set them. Zero switches it off. Default 15 s.
    pub stream_keep_alive: Duration,
    /// Maximum memory for all queued responses of the server: the ends of responses that clients have not read, the queues
    /// of response streams, and the heads of deferred requests. Beyond it, handlers wait for their clients, streams are
    /// dropped, and deferring fails with 503. Default 67,108,864 (64 MiB).
    pub total_queue: usize,
    /// Maximum size of the rest of a request body that the server reads and discards to keep the connection; if there is
    /// more, the connection is closed. Default 262,144.
    pub discard: u64,
    /// Deadline for reading that rest. Default 2 s.
    pub discard_deadline: Duration,
    /// Maximum number of bytes that the server reads and discards after the last response of a connection (lingering close,
    /// RFC 9112, 9.6), so that the client can read that response. Default 67,108,864 (64 MiB), enough for a client that
    /// sends a whole upload before it reads.
    pub linger: u64,
    /// Deadline for the lingering close. Default 2 s.
    pub linger_deadline: Duration,
    /// Maximum open connections. Beyond it the longest-idle connection is closed; if none is idle or slow, the new
    /// connection gets 503. A [`DetachedStream`](crate::DetachedStream) counts until it is dropped; it is never idle.
    /// Default 16,384, or less if the process may not open as many descriptors.
    pub max_connections: usize,
    /// Maximum number of handlers that a [`ThreadingHttpServer`](crate::ThreadingHttpServer) runs at a time. Further requests
    /// wait for a worker; the server still accepts connections and enforces timeouts. There is a worker thread for each
    /// running handler, one more for each event loop, and a monitor. Default 512.
    pub max_threads: usize,
    /// Time after which a worker thread without work ends. Default 10 s.
    pub thread_idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let (head, chunk) = (HeadLimits::default(), ChunkLimits::default());
        Limits {
            request_line: head.request_line,
            field_line: head.field_line,
            fields: head.fields,
            head: head.head,
            empty_lines: head.empty_lines,
            chunk_line: chunk.line,
            chunk_digits: chunk.digits,
            chunk_extensions: chunk.extensions,
            trailers: chunk.trailers,
            max_body: None,
            head_deadline: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            ranges: 256,
            write_timeout: Duration::from_secs(30),
            min_rate: 500,
            stream_queue: 256 << 10,
            stream_keep_alive: Duration::from_secs(15),
            total_queue: 64 << 20,
            discard: 256 << 10,
            discard_deadline: Duration::from_secs(2),
            linger: 64 << 20,
            linger_deadline: Duration::from_secs(2),
            max_connections: 16_384,
            max_threads: 512,
            thread_idle_timeout: Duration::from_secs(10),
        }
    }
}

macro_rules! setters {
    ($($setter:ident: $field:ident: $type:ty;)*) => {
        impl Limits {$(
            #[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
            #[must_use]
            pub fn $setter(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            }
        )*}
    };
}

setters! {
    with_request_line: request_line: usize;
    with_field_line: field_line: usize;
    with_fields: fields: usize;
    with_head: head: usize;
    with_empty_lines: empty_lines: usize;
    with_chunk_line: chunk_line: usize;
    with_chunk_digits: chunk_digits: usize;
    with_chunk_extensions: chunk_extensions: usize;
    with_trailers: trailers: usize;
    with_head_deadline: head_deadline: Duration;
    with_idle_timeout: idle_timeout: Duration;
    with_body_timeout: body_timeout: Duration;
    with_ranges: ranges: usize;
    with_write_timeout: write_timeout: Duration;
    with_min_rate: min_rate: u64;
    with_stream_queue: stream_queue: usize;
    with_stream_keep_alive: stream_keep_alive: Duration;
    with_total_queue: total_queue: usize;
    with_discard: discard: u64;
    with_discard_deadline: discard_deadline: Duration;
    with_linger: linger: u64;
    with_linger_deadline: linger_deadline: Duration;
    with_max_connections: max_connections: usize;
    with_max_threads: max_threads: usize;
    with_thread_idle_timeout: thread_idle_timeout: Duration;
}

impl Limits {
    /// Sets [`max_body`](Self::max_body): `.with_max_body(64 << 10)` for 64 KiB, `.with_max_body(None)` for no limit.
    #[must_use]
    pub fn with_max_body(mut self, max_body: impl Into<Option<u64>>) -> Self {
        self.max_body = max_body.into();
        self
    }

    pub(crate) fn of_head(&self) -> HeadLimits {
        HeadLimits {
            request_line: self.request_line,
            field_line: self.field_line,
            fields: self.fields,
            head: self.head,
            empty_lines: self.empty_lines,
        }
    }

    pub(crate) fn of_chunks(&self) -> ChunkLimits {
        ChunkLimits {
            line: self.chunk_line,
            digits: self.chunk_digits,
            extensions: self.chunk_extensions,
            trailers: self.trailers,
            trailer_fields: self.fields,
        }
    }
}
