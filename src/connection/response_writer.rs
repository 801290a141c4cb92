//! `wfile`: the body of the response.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use super::channel::Channel;
use super::response_stream::ResponseStream;
use super::tail::shorter;
use crate::sys;

/// A file or a rest of one up to this size is read beside the head and leaves in one write with it.
const ONE_WRITE: u64 = 64 << 10;
/// A file from this size on is sent in bulk. The system makes many small segments of it else, whenever the client
/// is slower; for smaller files that costs less than four calls more.
const BULK: u64 = 2 << 20;
/// As much as one call of sendfile is asked for.
const MOST: u64 = 1 << 30;

/// The body of the response: Python's `wfile`.
///
/// It frames the message by itself. With a `Content-Length` among the fields it takes exactly that much;
/// with `Transfer-Encoding: chunked` it writes chunks; with neither, a body that ends within its
/// buffer (32 KiB) gets its length computed, and a longer one is chunked, or ends with the connection
/// where one side speaks HTTP/1.0 (RFC 9112, 6). Responses to HEAD, 204, 205 and 304 have no body,
/// whatever is written.
///
/// Written bytes wait in the buffer until the response ends, so that head and body leave in one write;
/// [`flush`](Write::flush) sends what there is, and so streams. What of a complete response the client does not take at
/// once, no more than 256 KiB and a file, is sent on by the server after the handler has returned.
///
/// # Errors
/// `InvalidInput` before [`end_headers`](crate::RequestHandler::end_headers), and past the declared
/// length. `TimedOut` for a client that takes nothing for too long
/// ([`Limits::write_timeout`](crate::Limits)), `ConnectionReset` for one that has gone,
/// `ConnectionAborted` when the server cuts what still runs at the end of its shutdown.
#[derive(Debug)]
pub struct ResponseWriter<'a> {
    pub(crate) channel: &'a Channel,
}

impl ResponseWriter<'_> {
    /// Hands the rest of the body over to a stream that outlives the handler, for any thread to write to. What was
    /// written so far is sent first, and `wfile` takes nothing more.
    ///
    /// Call it after [`end_headers`](crate::RequestHandler::end_headers). The body is framed as the head says: with a
    /// `Content-Length` it takes exactly that much; else it is chunked, or ends with the connection where one side
    /// speaks HTTP/1.0. A response without a body (to HEAD, 204, 205, 304) is complete at once, and its stream is
    /// [closed](ResponseStream::is_closed) from the start.
    ///
    /// If the handler then returns an error, the stream is cut.
    ///
    /// # Errors
    /// `InvalidInput` before the end of the head, and if the body was handed over before. An error that is answered with
    /// 503 where the server stops, and nobody would send what the stream is given.
    pub fn start_stream(&mut self) -> io::Result<ResponseStream> {
        self.channel.start_stream()
    }

    /// Writes `count` bytes of a file from `offset` on, without reading them into memory where the
    /// system can do that (`sendfile`). Where they complete the declared length, the handler does not wait for a client
    /// that takes them slowly: the server sends on after it.
    ///
    /// # Errors
    /// As a write; `UnexpectedEof` if the file has become shorter.
    pub fn send_file(&mut self, file: &File, offset: u64, count: u64) -> io::Result<()> {
        self.send_part(file, || file.try_clone().map(Arc::new), offset, count)
    }

    /// The same for a file that others may hold too.
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
