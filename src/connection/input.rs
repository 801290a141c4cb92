//! [`Input`]: the read buffer of a connection, for the head of a request and the bytes that were read beyond it.
//!
//! The thread that serves a connection lends it the buffer. A parked connection keeps only its unread bytes: up to [`FEW`]
//! bytes are copied out, and back into the buffer of the next thread. More bytes, of a long incomplete head, stay in a
//! buffer that the connection owns, so that each further byte does not copy all others.

use std::mem;

use crate::http1::Refusal;
use crate::http1::head::{self, Extent, Found, Places, Scan};
use crate::limits::Limits;

/// The size of the buffer, unless a head needs more.
pub(crate) const BUFFER: usize = 64 << 10;
/// Size of the first read of a head. Most heads are much smaller, and bytes of a body that the handler drops or reads
/// itself need not be copied here.
const FIRST: usize = 8 << 10;
/// Minimum room behind a head, for its body.
const AHEAD: usize = 4 << 10;
/// Maximum number of unread bytes of a parked connection that are copied for each event.
const FEW: usize = 16 << 10;

#[derive(Debug, Default)]
pub(crate) struct Input {
    /// The buffer that a thread has lent, or the connection's own. A parked connection without a buffer of its own has
    /// only its unread bytes here.
    pub(super) buffer: Vec<u8>,
    /// The connection owns the buffer, until its unread bytes are few again.
    is_own: bool,
    /// The unread bytes are `buffer[start..end]`.
    pub(super) start: usize,
    pub(super) end: usize,
    scan: Scan,
    /// The positions of the fields in the current head; lent by the thread as well.
    pub(super) places: Places,
    pub(super) socket: Socket,
    /// See [`Texts`].
    scratch: String,
    path: String,
}

/// What can be read from the socket, according to reads and events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Socket {
    /// Bytes may be there; a read that does not fill its buffer takes the last of them.
    #[default]
    News,
    /// Bytes may be there, and the end of the stream may follow them.
    NewsAndEnd,
    /// Nothing: the poller reports what comes next.
    Read,
    /// The client sends nothing more.
    Ended,
}

impl Socket {
    /// Notes that an event or a wait has reported bytes.
    pub(super) fn has_news(&mut self, end_may_follow: bool) {
        *self = match self {
            Socket::Ended => Socket::Ended,
            _ if end_may_follow => Socket::NewsAndEnd,
            _ => Socket::News,
        };
    }

    /// Notes a read of `asked` bytes, which returned `count`, or `None` if it would have blocked.
    pub(super) fn note(&mut self, asked: usize, count: Option<usize>) {
        *self = match count {
            Some(0) => Socket::Ended,
            None => Socket::Read,
            // What comes behind a read that is not full has an event of its own, unless it was there already at the
            // last one: the end of the stream mostly.
            Some(count) if count < asked && *self == Socket::News => Socket::Read,
            Some(_) => *self,
        };
    }

    /// Returns true if nothing is left to read.
    pub(super) fn is_read(self) -> bool {
        matches!(self, Socket::Read | Socket::Ended)
    }
}

impl Input {
    /// Takes a thread's buffer and copies the unread bytes into it, unless the connection owns a buffer.
    #[inline]
    pub(super) fn lend(&mut self, buffer: &mut Vec<u8>, places: &mut Places) {
        // To swap costs less than to take, after which something is dropped.
        mem::swap(&mut self.places, places);
        if self.is_own {
            return;
        }
        mem::swap(&mut self.buffer, buffer);
        if self.buffer.len() < BUFFER || !buffer.is_empty() {
            self.put_back(mem::take(buffer));
        }
    }

    #[cold]
    fn put_back(&mut self, kept: Vec<u8>) {
        if self.buffer.len() < BUFFER {
            self.buffer.resize(BUFFER, 0);
        }
        if let Some(place) = self.buffer.get_mut(..kept.len()) {
            place.copy_from_slice(&kept);
        }
    }

    /// Returns a lent buffer, and keeps the unread bytes.
    #[inline]
    pub(super) fn reclaim(&mut self, buffer: &mut Vec<u8>, places: &mut Places) {
        mem::swap(&mut self.places, places);
        let uses_more =
            self.buffer.len() > BUFFER || self.scratch.capacity() + self.path.capacity() > 0;
        if self.is_own || uses_more || self.start < self.end {
            self.keep_unread(buffer);
        } else {
            (self.start, self.end) = (0, 0);
            mem::swap(&mut self.buffer, buffer);
        }
    }

    #[cold]
    fn keep_unread(&mut self, buffer: &mut Vec<u8>) {
        (self.scratch, self.path) = (String::new(), String::new());
        let was_own = self.is_own;
        let length = self.pending();
        self.is_own = length > FEW;
        if was_own && self.is_own {
            return;
        }
        let room = if self.is_own { FEW } else { 0 };
        let mut kept = Vec::with_capacity(length + room);
        kept.extend_from_slice(self.unread());
        kept.resize(length + room, 0);
        (self.start, self.end) = (0, length);
        let used = mem::replace(&mut self.buffer, kept);
        if !was_own && used.len() <= BUFFER {
            *buffer = used;
        }
    }

    pub(super) fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Drops the unread bytes of a parked connection that reads nothing more.
    pub(super) fn forget_unread(&mut self) {
        (self.start, self.end, self.is_own) = (0, 0, false);
        self.buffer = Vec::new();
    }

    /// The number of unread bytes.
    pub(super) fn pending(&self) -> usize {
        self.end - self.start
    }

    /// Looks for a complete head. Its extent counts from the start of the unread bytes.
    pub(super) fn find_head(&mut self, limits: &Limits) -> Result<Option<Found>, Refusal> {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let limits = limits.of_head();
        let found = head::find(unread, &mut self.scan, &mut self.places, &limits);
        if !matches!(found, Ok(Some(_))) {
            self.scan.check_request_line(unread)?;
        }
        found
    }

    /// The request line of an incomplete head that is refused, if that line is complete.
    pub(super) fn refused_line(&self) -> Option<Extent> {
        self.scan.request_line(self.unread())
    }

    /// Resets the search, after a head was taken.
    pub(super) fn reset_scan(&mut self) {
        self.scan = Scan::default();
    }

    /// Returns room behind the unread bytes, for a head of up to `limit` bytes.
    pub(super) fn room_for_head(&mut self, limit: usize) -> &mut [u8] {
        let most = match self.pending() {
            0 => FIRST,
            _ => usize::MAX,
        };
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 && self.buffer.len() - self.end < AHEAD {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.pending());
        }
        if self.buffer.len() - self.end < AHEAD {
            self.grow(limit);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let most = most.min(room.len());
        room.get_mut(..most).unwrap_or_default()
    }

    /// Doubles the buffer, up to the maximum length of a head.
    #[cold]
    fn grow(&mut self, limit: usize) {
        let enough = limit.saturating_add(FEW).max(self.end + AHEAD);
        let length = (self.buffer.len() * 2).min(enough).max(BUFFER);
        let more = length.saturating_sub(self.buffer.len());
        self.buffer.reserve_exact(more);
        self.buffer.resize(length, 0);
    }

    /// Splits the buffer behind the first `count` unread bytes, a head from its byte `skip` on: the head,
    /// what follows it, and the places for what is not in it.
    pub(super) fn split(&mut self, skip: usize, count: usize) -> (&[u8], Ahead<'_>, Texts<'_>) {
        let from = self.start + skip;
        let base = self.start + count;
        if self.buffer.len() < base + AHEAD {
            self.buffer.resize(base + AHEAD, 0);
        }
        self.start = base;
        let (head, bytes) = self.buffer.split_at_mut_checked(base).unwrap_or_default();
        let ahead = Ahead {
            bytes,
            base,
            start: &mut self.start,
            end: &mut self.end,
            socket: &mut self.socket,
        };
        let head = head.get(from..).unwrap_or_default();
        let texts = Texts {
            scratch: &mut self.scratch,
            path: &mut self.path,
            places: &mut self.places,
        };
        (head, ahead, texts)
    }
}

/// Buffers for texts that are not in the input buffer.
pub(super) struct Texts<'a> {
    /// For a head that is not ASCII.
    pub(super) scratch: &'a mut String,
    /// For a path that was completed.
    pub(super) path: &'a mut String,
    pub(super) places: &'a mut Places,
}

/// The part of the buffer behind a head: bytes of the body, and of following requests.
#[derive(Debug)]
pub(super) struct Ahead<'a> {
    bytes: &'a mut [u8],
    /// The position of `bytes` in the whole buffer, from which `start` and `end` count.
    base: usize,
    start: &'a mut usize,
    end: &'a mut usize,
    pub(super) socket: &'a mut Socket,
}

impl Ahead<'_> {
    /// The same for a shorter life.
    pub(super) fn reborrow(&mut self) -> Ahead<'_> {
        Ahead {
            bytes: self.bytes,
            base: self.base,
            start: self.start,
            end: self.end,
            socket: self.socket,
        }
    }

    pub(super) fn unread(&self) -> &[u8] {
        self.bytes
            .get(*self.start - self.base..*self.end - self.base)
            .unwrap_or_default()
    }

    pub(super) fn consume(&mut self, count: usize) {
        *self.start = (*self.start + count).min(*self.end);
    }

    /// Returns room to read into, after everything was consumed.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (*self.start, *self.end) = (self.base, self.base);
        }
        self.bytes
            .get_mut(*self.end - self.base..)
            .unwrap_or_default()
    }

    /// Notes that this number of bytes was read into the room.
    pub(super) fn filled(&mut self, count: usize) {
        *self.end += count;
    }
}

#[cfg(test)]
mod tests;
