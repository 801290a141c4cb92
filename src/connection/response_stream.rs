//! [`ResponseStream`]: the body of a response, written by any thread after the handler has returned.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use super::chunk::Chunk;
use super::link::{Link, Notice, Notify};
use super::stream_queue::Queue;
use crate::shutdown::Control;

/// The body of a response, written by any thread after its handler has returned: for event streams, long polls,
/// and answers that other threads compute.
///
/// Made by [`ResponseWriter::start_stream`](crate::ResponseWriter::start_stream). A write never waits: bytes that the client
/// does not read at once are queued, up to [`Limits::stream_queue`](crate::Limits), and sent by the server. A client that
/// is slower than that, or reads nothing for [`Limits::write_timeout`](crate::Limits), is disconnected (by a reset), and
/// the writer gets an error. The server notices a client that has left: [`is_closed`](Self::is_closed) is true then, and
/// the closure of [`notify`](Self::notify) is called.
///
/// Dropping the stream ends the body; the connection is kept for the next request. While a stream is open, nothing
/// else is sent on its connection. A stream that is dropped before it has a declared `Content-Length` complete, or while
/// its thread panics, is cut, so that the client can't take it for complete.
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
    /// Writes bytes, or a [`Chunk`] that other streams share. It never waits.
    ///
    /// Before the handler has returned, everything is queued.
    ///
    /// # Errors
    /// `ConnectionReset` if the client has left, `TimedOut` if it was too slow, `ConnectionAborted` if the server has
    /// stopped: nothing more can be sent. `InvalidInput` if it is more than the declared `Content-Length` has left; then
    /// nothing of it is sent, and the stream goes on.
    pub fn send(&self, bytes: impl Into<Chunk>) -> io::Result<()> {
        self.0.write(bytes.into())
    }

    /// Whether nothing can be sent any more: the client has left or was disconnected, the server has stopped, or the
    /// response has no body (to HEAD, and with status 204, 205 or 304).
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Whether the server is being shut down. At its deadline the stream is cut.
    pub fn is_stopping(&self) -> bool {
        self.1.is_stopping()
    }

    /// Calls a closure when the connection is closed, and when the server begins to shut down; at once if that has
    /// happened already. It replaces the closure of an earlier call.
    ///
    /// It runs on a thread of the server, so it should return soon. It is never called by two threads at a time, and
    /// [`Notice::Closed`] comes last. It is not called when this stream is dropped.
    pub fn notify(&self, closure: impl Fn(Notice) + Send + Sync + 'static) {
        self.0.notify(Notify::new(closure));
    }

    /// Goes on for a client that ends its sending direction. By default such a client has left, for most of those that
    /// close the connection can't be told from it.
    pub fn allow_half_close(&self) {
        self.0.allow_half_close();
    }

    /// Sends these bytes whenever nothing was sent for [`Limits::stream_keep_alive`](crate::Limits), or up to twice that
    /// time.
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
    /// As [`ResponseStream::send`]: `write!` with several arguments makes several chunks.
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
