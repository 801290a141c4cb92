//! `rfile`: the body of the request.

use std::fmt;
use std::io::{self, BufRead, Read};

use self::again::Again;
pub(super) use self::dropping::Dropped;
use super::channel::Channel;
use super::input::Ahead;
use super::min_rate::{Allowance, MinRate};
use super::observer::Observation;
use super::wire::Wire;
use crate::error::Fault;
use crate::http1::Refusal;
use crate::http1::chunked::{Decoder, Piece};

mod again;
#[cfg(unix)]
mod beside;
mod dropping;
mod whole;

/// Minimum size of a read that bypasses the buffer.
const DIRECT: usize = 4 << 10;

/// A closure that runs before the first wait.
type BeforeWait<'a> = &'a mut dyn FnMut() -> io::Result<()>;

/// The progress of reading one body. The rest of a known length is in the channel.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) decoder: Option<Decoder>,
    ended: bool,
    read: u64,
    min_rate: MinRate,
    failure: Option<Fault>,
    /// The handler does not read it any more.
    is_dropped: bool,
    again: Again,
}

impl Body {
    /// Returns true for a body of known length that was read completely and without errors.
    pub(super) fn is_read(&self, channel: &Channel) -> bool {
        self.decoder.is_none() && self.failure.is_none() && channel.body_left.get() == 0
    }
}

/// The body of the request: Python's `rfile`.
///
/// Reading ends at the end of the body, whether it has a `Content-Length` or is chunked (RFC 9112, 6 and 7), so
/// `read_to_end` works. A request without a body has an empty one. If the client sent `Expect: 100-continue`, the first
/// read that has to wait sends `100 Continue`.
///
/// The trailer fields of a chunked body are checked and dropped; a handler can't read them.
///
/// Read the whole body before the response, into a file if it is large, unless you know the clients. A handler may respond
/// while it reads, but not every client reads while it sends: LWP, Python's `http.client` and proxies such as HAProxy,
/// Caddy and nginx may hang, or lose a response that begins before the request is complete.
///
/// ```
/// use servette::{Status, handler_fn, respond};
/// use std::io::{BufRead, BufReader};
///
/// let count_lines = handler_fn(|_, x| {
///     let lines = BufReader::new(&mut x.rfile).lines().count();
///     x.send_content(Status::OK, "text/plain", lines.to_string())
/// });
/// let request = "POST / HTTP/1.0\r\nContent-Length: 8\r\n\r\none\ntwo\n";
/// assert!(respond(&count_lines, request).ends_with(b"\r\n\r\n2"));
/// ```
///
/// # Errors
/// `UnexpectedEof` if the client ends the body early, `InvalidData` if its chunks are malformed,
/// `FileTooLarge` beyond [`Limits::max_body`](crate::Limits), `TimedOut` if it does not arrive in time, `InvalidInput` after
/// [`detach`](crate::Exchange::detach) or [`raw_stream`](crate::Exchange::raw_stream),
/// `ConnectionReset` and `ConnectionAborted` as for [`ResponseWriter`](crate::ResponseWriter). If a handler
/// returns such an error with `?`, the client gets 400, 408 or 413.
pub struct RequestBody<'a> {
    pub(crate) channel: &'a Channel,
    pub(super) body: &'a mut Body,
    pub(super) ahead: Ahead<'a>,
}

impl RequestBody<'_> {
    /// Returns the number of bytes that are left of the body, if its length is known.
    pub fn remaining(&self) -> Option<u64> {
        let again = self.body.again.unread().len() as u64;
        match self.body.decoder {
            None => Some(again.saturating_add(self.channel.body_left.get())),
            Some(_) if self.body.ended => Some(again),
            Some(_) => None,
        }
    }

    /// Notes that the client waits for `100 Continue`, unless its body was received already.
    pub(crate) fn await_continue(&mut self) {
        let waits = self.ahead.unread().is_empty() && self.remaining() != Some(0);
        // The handler may have sent it itself, or have answered.
        let is_free = !self.channel.out.borrow().has_head();
        self.channel.awaits_continue.set(waits && is_free);
    }

    /// The same for a shorter life.
    pub(crate) fn reborrow(&mut self) -> RequestBody<'_> {
        RequestBody {
            channel: self.channel,
            body: self.body,
            ahead: self.ahead.reborrow(),
        }
    }

    /// The bytes that were read beyond the head and not consumed.
    pub(crate) fn read_ahead(&self) -> &[u8] {
        self.ahead.unread()
    }

    pub(crate) fn consume_ahead(&mut self, count: usize) {
        self.ahead.consume(count);
    }

    /// Leaves the unread rest to the byte stream of the connection: reading it here is an error from now on.
    pub(super) fn leave(&mut self) {
        let is_read = match self.body.decoder {
            Some(_) => self.body.ended,
            None => self.channel.body_left.get() == 0,
        };
        if !is_read {
            self.body.failure = Some(Fault::Late);
        }
    }

    /// Waits for bytes of the body. Returns how many are at the front of the buffer; 0 only at the end of the body.
    fn available(&mut self) -> io::Result<usize> {
        loop {
            if let Some(count) = self.buffered()? {
                return Ok(count);
            }
            self.refill()?;
        }
    }

    /// Returns how many bytes of the body are at the front of the buffer, without waiting: 0 only at the end of the body,
    /// `None` if the client has to send more first.
    fn try_next(&mut self) -> io::Result<Option<usize>> {
        loop {
            if let Some(count) = self.buffered()? {
                return Ok(Some(count));
            }
            let room = self.ahead.room();
            let asked = room.len();
            let read = match self.channel.wire.try_recv(room) {
                Ok(None) => {
                    self.ahead.socket.note(asked, None);
                    return Ok(None);
                }
                Ok(Some(count)) => Ok(count),
                Err(error) => Err(error),
            };
            let count = self.check_read(read)?;
            self.body.min_rate.moved(count);
            self.ahead.socket.note(asked, Some(count));
            self.ahead.filled(count);
        }
    }

    /// The first `count` bytes of the buffer.
    pub(crate) fn front(&self, count: usize) -> &[u8] {
        let unread = match self.body.again.unread() {
            [] => self.ahead.unread(),
            again => again,
        };
        unread.get(..count).unwrap_or_default()
    }

    /// Returns how many bytes of the body are at the front of the buffer; `None` if more must be read first.
    fn buffered(&mut self) -> io::Result<Option<usize>> {
        if let again @ [_, ..] = self.body.again.unread() {
            return Ok(Some(again.len()));
        }
        if let Some(fault) = &self.body.failure {
            return Err(fault.clone().into());
        }
        if self.body.ended {
            return Ok(Some(0));
        }
        self.check_size()?;
        let unread = self.ahead.unread();
        let Some(decoder) = &mut self.body.decoder else {
            let left = self.channel.body_left.get();
            self.body.ended = left == 0;
            let count = unread
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            return Ok((count > 0 || left == 0).then_some(count));
        };
        match decoder.next(unread) {
            Ok((framing, piece)) => {
                self.ahead.consume(framing);
                // Only now is the size of the chunk known.
                self.check_size()?;
                match piece {
                    Piece::Data(count) => Ok(Some(count)),
                    Piece::More => Ok(None),
                    Piece::End => {
                        self.body.ended = true;
                        let behind = self.ahead.unread().len();
                        self.channel.observed().tell(Observation::BodyEnd(behind));
                        Ok(Some(0))
                    }
                }
            }
            Err(Refusal { code, message }) => Err(self.fail(Fault::Malformed { code, message })),
        }
    }

    fn check_size(&mut self) -> io::Result<()> {
        let Some(most) = self
            .channel
            .limits
            .max_body
            .filter(|_| !self.body.is_dropped)
        else {
            return Ok(());
        };
        match self.body.read.saturating_add(self.pending()) > most {
            true => Err(self.fail(Fault::TooLarge)),
            false => Ok(()),
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        let room = self.ahead.room();
        let asked = room.len();
        let channel = self.channel;
        let allowance = Allowance::of_body(&channel.limits);
        let read = channel
            .wire
            .recv(room, &mut self.body.min_rate, allowance, &mut || {
                channel.before_wait()
            });
        let count = self.check_read(read)?;
        self.ahead.socket.note(asked, Some(count));
        self.ahead.filled(count);
        Ok(())
    }

    /// Turns the end of the stream within a body into an error.
    fn check_read(&mut self, read: io::Result<usize>) -> io::Result<usize> {
        // The client sends its body, so it waits for no interim response any more.
        self.channel.awaits_continue.set(false);
        match read {
            Ok(0) => Err(self.fail(Fault::EarlyEnd)),
            Ok(count) => Ok(count),
            Err(error) => match Fault::of(&error).cloned() {
                Some(fault) => Err(self.fail(fault)),
                None => Err(error),
            },
        }
    }

    /// Makes the error of a fault, and ends the connection, because the end of the body is unknown then.
    fn fail(&mut self, fault: Fault) -> io::Error {
        self.channel.doom();
        self.body.failure = Some(fault.clone());
        fault.into()
    }

    /// Reads without the buffer, at most `asked` of the bytes that [`direct`](Self::direct) allows.
    fn read_past(
        &mut self,
        asked: usize,
        read: impl FnOnce(&Wire, &mut MinRate, Allowance, BeforeWait<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.check_size()?;
        let channel = self.channel;
        let allowance = Allowance::of_body(&channel.limits);
        let mut before_wait = || channel.before_wait();
        let min_rate = &mut self.body.min_rate;
        let read = read(&channel.wire, min_rate, allowance, &mut before_wait);
        let count = self.check_read(read)?;
        self.ahead.socket.note(asked, Some(count));
        self.took(count);
        Ok(count)
    }

    /// The number of bytes that can be read directly from the socket into the caller's buffer.
    fn direct(&self) -> u64 {
        let is_here = !self.ahead.unread().is_empty() || !self.body.again.unread().is_empty();
        if is_here || self.body.failure.is_some() || self.body.ended {
            return 0;
        }
        self.pending()
    }

    /// The number of bytes that are known to come: of the current chunk, or of a body of known length.
    fn pending(&self) -> u64 {
        match &self.body.decoder {
            Some(decoder) => decoder.pending(),
            None => self.channel.body_left.get(),
        }
    }

    /// Tells the observer which bytes were read without the buffer, and whether the body has ended.
    fn note(&self, direct: &[u8]) {
        let observed = self.channel.observed();
        if !direct.is_empty() {
            observed.tell(Observation::Body(direct));
        }
        if self.body.decoder.is_none() && self.channel.body_left.get() == 0 {
            observed.tell(Observation::BodyEnd(self.ahead.unread().len()));
        }
    }

    fn took(&mut self, count: usize) {
        self.body.read += count as u64;
        match &mut self.body.decoder {
            Some(decoder) => decoder.take(count),
            None => {
                let left = self.channel.body_left.get();
                self.channel
                    .body_left
                    .set(left.saturating_sub(count as u64));
            }
        }
    }
}

impl Read for RequestBody<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let direct = usize::try_from(self.direct()).unwrap_or(usize::MAX);
        if buffer.len() >= DIRECT && direct > 0 {
            let asked = buffer.len().min(direct);
            let room = buffer.get_mut(..asked).unwrap_or_default();
            let count = self.read_past(asked, |wire, min_rate, allowance, before_wait| {
                wire.recv(room, min_rate, allowance, before_wait)
            })?;
            self.note(buffer.get(..count).unwrap_or_default());
            return Ok(count);
        }
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }

    fn read_to_string(&mut self, text: &mut String) -> io::Result<usize> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        // That is the client's fault, and no other.
        let read = String::from_utf8(bytes).map_err(|_| io::Error::from(Fault::NotText))?;
        text.push_str(&read);
        Ok(read.len())
    }
}

impl BufRead for RequestBody<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let count = self.available()?;
        Ok(self.front(count))
    }

    fn consume(&mut self, count: usize) {
        if !self.body.again.unread().is_empty() {
            return self.body.again.consume(count);
        }
        // More than `fill_buf` gave may be of the next request.
        let most = usize::try_from(self.pending()).unwrap_or(usize::MAX);
        let count = count.min(most).min(self.ahead.unread().len());
        let taken = self.ahead.unread().get(..count).unwrap_or_default();
        self.channel.observed().tell(Observation::Body(taken));
        self.ahead.consume(count);
        self.took(count);
        self.note(&[]);
    }
}

impl fmt::Debug for RequestBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
