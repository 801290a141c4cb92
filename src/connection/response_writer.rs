//! `wfile`: the body of the response.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use super::channel::Channel;
use super::response_stream::ResponseStream;
use super::tail::shorter;
use crate::sys;

/// Maximum size of a file, or of the rest of one, that is read into the buffer and sent in one write with the head.
const ONE_WRITE: u64 = 64 << 10;
/// Minimum size of a file that is sent in bulk mode, which costs four system calls. Otherwise the system sends many small
/// segments when the client is slow.
const BULK: u64 = 2 << 20;
/// Maximum size of one call of `sendfile`.
const MOST: u64 = 1 << 30;

/// The body of the response: Python's `wfile`.
///
/// The writer frames the body (RFC 9112, 6). With a `Content-Length` header it takes exactly that many bytes. With
/// `Transfer-Encoding: chunked` it writes chunks. With neither, a body of up to 32 KiB gets a `Content-Length`; a longer one
/// is chunked, or ends with the connection if client or handler speak HTTP/1.0. Responses to HEAD and with status 204, 205
/// and 304 have no body, whatever is written.
///
/// After the head of a 101, and of a 2xx to `CONNECT`, HTTP ends: `wfile` writes to the new protocol or the tunnel, without
/// framing, and the connection is closed after the exchange. [`Exchange::detach`](crate::Exchange::detach) and
/// [`raw_stream`](crate::Exchange::raw_stream) also read from it.
///
/// Bytes are buffered until the response ends, so that head and body leave in one write. [`flush`](Write::flush) sends the
/// buffer at once: for streaming. When the response is complete, the handler does not wait for a slow client: the server sends
/// up to 256 KiB, and any part of a file, after the handler has returned.
///
/// ```
/// use servette::{Status, handler_fn, respond};
/// use std::io::Write;
///
/// let handler = handler_fn(|_, x| {
///     x.send_response(Status::OK);
///     x.send_header("Content-Type", "text/plain");
///     x.end_headers()?;
///     for number in 1..=3 {
///         writeln!(x.wfile, "{number}")?;
///     }
///     Ok(())
/// });
/// assert!(respond(&handler, "GET / HTTP/1.0\r\n\r\n").ends_with(b"\r\n\r\n1\n2\n3\n"));
/// ```
///
/// # Errors
/// `InvalidInput` before [`end_headers`](crate::RequestHandler::end_headers), and beyond the declared length. `TimedOut` if
/// the client reads nothing for [`Limits::write_timeout`](crate::Limits), `ConnectionReset` if it has left,
/// `ConnectionAborted` at the deadline of the server's shutdown.
#[derive(Debug)]
pub struct ResponseWriter<'a> {
    pub(crate) channel: &'a Channel,
}

impl ResponseWriter<'_> {
    /// Returns a stream for the rest of the body, which outlives the handler: any thread can write to it. Bytes that were
    /// written before are sent first; `wfile` can't be written any more.
    ///
    /// Call it after [`end_headers`](crate::RequestHandler::end_headers). With a `Content-Length` the body has exactly that
    /// length; otherwise it is chunked, or ends with the connection if one side speaks HTTP/1.0. A response without a body
    /// (to HEAD, 204, 205, 304) is complete at once, and its stream is [closed](ResponseStream::is_closed) from the start.
    ///
    /// If the handler then returns an error, the connection is dropped.
    ///
    /// # Errors
    /// `InvalidInput` before the end of the head, or if the stream was started already. An error with status 503 if the
    /// server is stopping.
    pub fn start_stream(&mut self) -> io::Result<ResponseStream> {
        self.channel.start_stream()
    }

    /// Writes `count` bytes of a file, starting at `offset`, with `sendfile` where the system has it, so large files do not
    /// pass through memory. If the bytes complete the declared `Content-Length`, the handler does not wait for a slow client:
    /// the server sends the rest after the handler has returned.
    ///
    /// # Errors
    /// Those of a write, and `UnexpectedEof` if the file has become shorter.
    pub fn send_file(&mut self, file: &File, offset: u64, count: u64) -> io::Result<()> {
        self.send_part(file, || file.try_clone().map(Arc::new), offset, count)
    }

    /// Writes bytes of a shared file, as [`send_file`](Self::send_file) does.
    pub(crate) fn send_shared_file(
        &mut self,
        file: &Arc<File>,
        offset: u64,
        count: u64,
    ) -> io::Result<()> {
        self.send_part(file, || Ok(file.clone()), offset, count)
    }

    fn send_part(
        &mut self,
        file: &File,
        own: impl FnOnce() -> io::Result<Arc<File>>,
        mut offset: u64,
        count: u64,
    ) -> io::Result<()> {
        let channel = self.channel;
        if channel.out.borrow().is_bodiless() {
            return Ok(());
        }
        let end = offset.saturating_add(count);
        let is_bulk = count >= BULK;
        let stream = &channel.wire.stream;
        if is_bulk {
            stream.set_bulk(true);
        }
        let sent = match count > ONE_WRITE && channel.may_end_with(count) {
            true => channel.end_with_file(file, own, &mut offset, end, is_bulk),
            false => Ok(()),
        };
        let sent = sent.and_then(|()| self.send_range(file, offset, end));
        if is_bulk && !channel.has_tail() {
            stream.set_bulk(false);
        }
        sent
    }

    fn send_range(&mut self, file: &File, mut offset: u64, end: u64) -> io::Result<()> {
        while offset < end {
            let left = end - offset;
            // Taken out first: in the `match` the borrow would last through its arms.
            let is_plain = self.channel.out.borrow().is_plain();
            let sent = match is_plain {
                true if left <= ONE_WRITE => self.read_in(file, offset, left as usize)?,
                true => self.pass_on(file, offset, left.min(MOST) as usize)?,
                false => self.copy(file, offset, left)?,
            };
            if sent == 0 {
                return Err(shorter());
            }
            offset += sent as u64;
        }
        Ok(())
    }

    /// Reads into the buffer, beside the head.
    fn read_in(&mut self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        let mut out = self.channel.out.borrow_mut();
        let Some(room) = out.room_for(count) else {
            drop(out);
            return self.copy(file, offset, count as u64);
        };
        let read = sys::read_at(file, room, offset);
        out.filled(count, *read.as_ref().unwrap_or(&0));
        read
    }

    /// Has the system send the bytes.
    fn pass_on(&mut self, file: &File, mut offset: u64, count: usize) -> io::Result<usize> {
        let left = self.channel.out.borrow().left();
        let count = match left.map(usize::try_from) {
            Some(Ok(left)) if left < count && left > 0 => left,
            // Refused, and remembered as too much.
            Some(Ok(0)) => return self.copy(file, offset, 1),
            _ => count,
        };
        self.channel.send_ready(true)?;
        match self.channel.send_file(file, &mut offset, count)? {
            Some(sent) => Ok(sent),
            None => self.copy(file, offset, count as u64),
        }
    }

    /// Copies a block.
    fn copy(&mut self, file: &File, offset: u64, left: u64) -> io::Result<usize> {
        let mut block = vec![0; left.min(ONE_WRITE) as usize];
        let read = sys::read_at(file, &mut block, offset)?;
        self.write_all(block.get(..read).unwrap_or_default())?;
        Ok(read)
    }
}

impl Write for ResponseWriter<'_> {
    #[inline]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.channel.write_body(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.channel.flush()
    }
}
