//! [`Limits`]: how much of everything a client may use, and how long it may take.

use std::time::Duration;

use crate::http1::HeadLimits;
use crate::http1::chunked::ChunkLimits;

/// The limits and deadlines of a server, set with
/// [`Builder::limits`](crate::server::Builder::limits). Sizes are in bytes.
///
/// Every deadline bounds a whole: a client that sends a byte now and then does not extend it.
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
    /// The request line with its line end; a longer one is answered with 414. Default 65,536.
    pub request_line: usize,
    /// One field line with its line end; a longer one is answered with 431. Default 65,536.
    pub field_line: usize,
    /// Field lines of a request; more are answered with 431. Default 100. It holds for the trailer section of
    /// a chunked body as well, where more are a 400.
    pub fields: usize,
    /// The whole head of a request; a larger one is answered with 431. Default 262,144.
    pub head: usize,
    /// Empty lines before a request line; more are answered with 400. Default 4.
    pub empty_lines: usize,
    /// One chunk-size line of a chunked body with its extensions; a longer one is a 400. Default 1,024.
    pub chunk_line: usize,
    /// Digits of a chunk's size; more are a 400. Default 16, enough for every size there can be.
    pub chunk_digits: usize,
    /// All chunk extensions of a body together; more are a 400. Default 16,384.
    pub chunk_extensions: usize,
    /// The trailer section of a chunked body; a larger one is a 400. Default 16,384.
    pub trailers: usize,
    /// The body of a request: `rfile` fails past it, which is answered with 413. Default `None`, no
    /// limit: bodies stream, and the handler decides how much it reads.
    pub max_body: Option<u64>,
    /// From the first byte of a head (for the first request: from the connection's start) to its end;
    /// then 408, or a plain close where not one byte came. Default 15 s.
    pub head_deadline: Duration,
    /// How long a kept connection may stay idle before it is closed. Default 75 s: longer than the 60 s
    /// after which nginx gives up an idle connection to a server behind it.
    pub idle_timeout: Duration,
    /// The longest wait for a byte of a body, whatever came before, by `rfile` or for a script; then 408.
    /// Default 30 s.
    pub body_timeout: Duration,
    /// Ranges that one request may ask for of a file; for more of them the whole file is sent. Default 256:
    /// some clients ask for as many at a time. 0 sends no parts of files at all.
    pub ranges: usize,
    /// How long a client may take nothing at all of what is sent to it, by `wfile` or after the handler; then the
    /// connection is cut. Default 30 s.
    pub write_timeout: Duration,
    /// The average rate in bytes a second below which a body or a response is given up once it has
    /// kept the server waiting for longer than its deadline. Default 500; 0 switches the rate off.
    pub min_rate: u64,
    /// What may wait in one [`ResponseStream`](crate::ResponseStream) when its client takes no more; one that is slower
    /// is cut. Default 262,144.
    pub stream_queue: usize,
    /// How long a [`ResponseStream`](crate::ResponseStream) may be silent before the server writes what keeps it alive,
    /// if the program has said what that is. Default 15 s; zero switches it off.
    pub stream_keep_alive: Duration,
    /// What all connections together may hold in memory of answers that their clients do not take: the ends of answers,
    /// what waits in response streams, and the heads of requests that are deferred. Beyond it a handler waits for its
    /// client itself, a stream is cut, and nothing is deferred (503).
    /// Default 67,108,864 (64 MiB).
    pub total_queue: usize,
    /// What is read of a request body that the handler left unread, to keep the connection; of a
    /// longer one the connection is closed. Default 262,144.
    pub discard: u64,
    /// How long that reading may take. Default 2 s.
    pub discard_deadline: Duration,
    /// What is read and dropped after the last response, so that the client gets to read it (RFC 9112,
    /// 9.6). Default 67,108,864 (64 MiB): a client that sends all of an upload before it reads, and all that
    /// waits in sockets on a fast network.
    pub linger: u64,
    /// How long that reading may take. Default 2 s.
    pub linger_deadline: Duration,
    /// Open connections. Past it the connection that has been idle for longest is closed; if none is
    /// idle, or slow, the new one is answered with 503. Default 16,384, and never more than the process's limit
    /// of descriptors leaves.
    pub max_connections: usize,
    /// How many handlers a [`ThreadingHttpServer`](crate::ThreadingHttpServer) runs at the same time. Further
    /// requests wait; accepting and deadlines go on. The server has up to this many threads, one more for each event
    /// loop, and a monitor. Default 512.
    pub max_threads: usize,
    /// How long a thread without work is kept. Default 10 s.
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
            pub fn $setter(mut self, $field: impl Into<$type>) -> Self {
                self.$field = $field.into();
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
    with_max_body: max_body: Option<u64>;
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
