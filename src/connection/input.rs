//! The bytes of a connection on their way in: one buffer for the head of a request and for what was
//! read beyond it.
//!
//! The thread that serves a connection lends it the buffer. A parked connection keeps only its unread bytes. Up to
//! [`FEW`] bytes are copied out, and back into the buffer of the next thread. More of them, a long head that is not
//! complete, stay in a buffer that the connection owns, so that another byte does not cost a copy of all others.

use std::mem;

use crate::http1::Refusal;
use crate::http1::head::{self, Extent, Found, Places, Scan};
use crate::limits::Limits;

/// The size of the buffer, unless a head needs more.
pub(crate) const BUFFER: usize = 64 << 10;
/// So much is read of what may be a head and the start of its body: most heads are smaller by far, and what
/// the handler drops or reads itself of a body need not be copied here.
const FIRST: usize = 8 << 10;
/// At least so much room is left behind a head, for its body to be read into.
const AHEAD: usize = 4 << 10;
/// Unread bytes of a parked connection, up to so many, are copied for each event.
const FEW: usize = 16 << 10;

#[derive(Debug, Default)]
pub(crate) struct Input {
    /// The buffer that a thread has lent, or the connection's own. A parked connection without an own buffer has
    /// just its unread bytes here.
    pub(super) buffer: Vec<u8>,
    /// The connection owns the buffer, until its unread bytes are few again.
    is_own: bool,
    /// The unread bytes are `buffer[start..end]`.
    pub(super) start: usize,
    pub(super) end: usize,
    scan: Scan,
    /// Where the fields of the present head stand; lent by the thread as well.
    pub(super) places: Places,
    pub(super) socket: Socket,
    /// See [`Texts`].
    scratch: String,
    path: String,
}

/// What is to be read from the socket, as far as reads and events have told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Socket {
    /// Something may be there; a read that is not full takes the last of it.
    #[default]
    News,
    /// The same, and the end of the stream may follow it.
    NewsAndEnd,
    /// Nothing: the poller reports what comes next.
    Read,
    /// The client sends nothing more.
    Ended,
}

impl Socket {
    /// An event, or a wait, has told of something.
    pub(super) fn has_news(&mut self, end_may_follow: bool) {
        *self = match self {
            Socket::Ended => Socket::Ended,
            _ if end_may_follow => Socket::NewsAndEnd,
            _ => Socket::News,
        };
    }

    /// A read asked for so many bytes, and so many came; `None` if it would have had to wait.
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

    /// Nothing is left to read.
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

    /// Gives a lent buffer back, and keeps the unread bytes.
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

    /// The connection is parked, and reads nothing more.
    pub(super) fn forget_unread(&mut self) {
        (self.start, self.end, self.is_own) = (0, 0, false);
        self.buffer = Vec::new();
    }

    /// Bytes that are unread.
    pub(super) fn pending(&self) -> usize {
        self.end - self.start
    }

    /// Looks for a whole head; its extent counts from the start of the unread bytes.
    pub(super) fn find_head(&mut self, limits: &Limits) -> Result<Option<Found>, Refusal> {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let limits = limits.of_head();
        let found = head::find(unread, &mut self.scan, &mut self.places, &limits);
        if !matches!(found, Ok(Some(_))) {
            self.scan.check_request_line(unread)?;
        }
        found
    }

    /// The request line of a head that is refused unfinished, if it is complete itself.
    pub(super) fn refused_line(&self) -> Option<Extent> {
        self.scan.request_line(self.unread())
    }

    /// The head was taken: the next search starts afresh.
    pub(super) fn reset_scan(&mut self) {
        self.scan = Scan::default();
    }

    /// Room to read a head of up to `limit` bytes into, behind the unread bytes; and no more than that of what
    /// follows a usual one.
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

    /// Doubles the buffer, as far as a head may become longer.
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

/// What is kept beside the buffer.
pub(super) struct Texts<'a> {
    /// For a head that is not ASCII.
    pub(super) scratch: &'a mut String,
    /// For a path that was completed.
    pub(super) path: &'a mut String,
    pub(super) places: &'a mut Places,
}

/// The part of the buffer behind a head: bytes of the body, and of what follows it.
#[derive(Debug)]
pub(super) struct Ahead<'a> {
    bytes: &'a mut [u8],
    /// Where `bytes` starts in the whole buffer, which `start` and `end` count from.
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

    /// Room to read into, once everything is consumed.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (*self.start, *self.end) = (self.base, self.base);
        }
        self.bytes
            .get_mut(*self.end - self.base..)
            .unwrap_or_default()
    }

    /// So many bytes were read into the room.
    pub(super) fn filled(&mut self, count: usize) {
        *self.end += count;
    }
}

#[cfg(test)]
mod tests;
