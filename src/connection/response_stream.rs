//! [`ResponseStream`]: the body of a response, written by any thread after the handler has returned.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use super::chunk::Chunk;
use super::link::{Link, Notice, Notify};
use super::stream_queue::Queue;
use crate::shutdown::Control;

/// The body of a response that any thread may write after the handler has returned: for server-sent events, long polling,
/// and responses that other threads compute. Returned by
/// [`ResponseWriter::start_stream`](crate::ResponseWriter::start_stream).
///
/// A write never waits. Bytes that the client does not read at once are queued, up to
/// [`Limits::stream_queue`](crate::Limits), and the server sends them. A client that is slower than that, or reads nothing
/// for [`Limits::write_timeout`](crate::Limits), is disconnected with a reset, and the writer gets an error. When the client
/// leaves, [`is_closed`](Self::is_closed) becomes true and the closure of [`notify`](Self::notify) is called.
///
/// Dropping the stream ends the body, and the connection is kept for the next request. A stream that is dropped before its
/// `Content-Length` is complete, or while its thread panics, drops the connection, so the client can't mistake the body for
/// complete.
///
/// ```
/// use servette::{RequestHandler, Status, handler_fn, respond};
///
/// let handler = handler_fn(|_, x| {
///     x.send_response(Status::OK);
///     x.end_headers()?;
///     let stream = x.wfile.start_stream()?;
///     std::thread::spawn(move || {
///         for number in 0..3 {
///             if stream.send(format!("{number}\n")).is_err() {
///                 break; // the client has left
///             }
///         }
///     });
///     Ok(())
/// });
/// let answer = respond(&handler, "GET / HTTP/1.0\r\n\r\n");
/// assert!(answer.ends_with(b"\r\n\r\n0\n1\n2\n"));
/// ```
pub struct ResponseStream(pub(super) Arc<Link<Queue>>, pub(super) Arc<Control>);

impl ResponseStream {
    /// Writes bytes, or a [`Chunk`] that other streams share, without waiting. Before the handler has returned, the bytes
    /// are queued.
    ///
    /// # Errors
    /// `ConnectionReset` if the client has left, `TimedOut` if it was too slow, `ConnectionAborted` if the server has
    /// stopped: nothing more can be sent. `InvalidInput` if the bytes exceed the declared `Content-Length`: none of them is
    /// sent, and the stream stays open.
    pub fn send(&self, bytes: impl Into<Chunk>) -> io::Result<()> {
        self.0.write(bytes.into())
    }

    /// Returns true if nothing more can be sent: the client has left or was disconnected, the server has stopped, or the
    /// response has no body (to HEAD, and with status 204, 205 or 304).
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Returns true if the server is shutting down. At the shutdown's deadline the connection is dropped.
    pub fn is_stopping(&self) -> bool {
        self.1.is_stopping()
    }

    /// Sets a closure that is called when the client leaves, and when the server begins to shut down; at once if that has
    /// happened already. It replaces the closure of an earlier call. Dropping the stream does not call it.
    ///
    /// The closure runs on a thread of the server, so it should return quickly. Calls do not overlap, and
    /// [`Notice::Closed`] is the last one.
    pub fn notify(&self, closure: impl Fn(Notice) + Send + Sync + 'static) {
        self.0.notify(Notify::new(closure));
    }

    /// Keeps the stream open when the client shuts down its sending side (half-close). By default such a client counts as
    /// having left, because a client that closes the connection looks the same.
    pub fn allow_half_close(&self) {
        self.0.allow_half_close();
    }

    /// Sets bytes that the server sends when nothing was sent for [`Limits::stream_keep_alive`](crate::Limits) (15 s by
    /// default), or for up to twice that time. Default: none.
    pub fn keep_alive(&self, bytes: impl Into<Chunk>) {
        self.0.keep_alive(bytes.into());
    }

    /// Drops the connection, so that the client can't mistake the body for complete.
    pub fn abort(self) {
        self.0.end(false);
    }
}

impl Drop for ResponseStream {
    fn drop(&mut self) {
        self.0.end(true);
    }
}

impl Write for ResponseStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for &ResponseStream {
    /// Writes as [`ResponseStream::send`] does. `write!` with several arguments makes several chunks.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseStream")
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
