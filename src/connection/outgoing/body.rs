//! The body of a response: which bytes go into the buffer, bypass it, or are dropped; and its chunks.

use std::io::{self, Write as _};

use super::{BUFFER, Framing, HANDED_OVER, Outgoing, Stage, misuse};

impl Outgoing {
    /// Copies body bytes into the buffer as far as they fit, and returns how many were used.
    /// `Ok(0)` for a body that is not empty: send first, or [`write_through`](Self::write_through).
    #[inline]
    pub(crate) fn body(
        &mut self,
        data: &[u8],
        closing: impl FnOnce() -> bool,
    ) -> io::Result<Taken> {
        if let Stage::Open(Framing::Length(left)) = self.stage
            && data.len() as u64 <= left
            && data.len() + self.buffer.len() <= BUFFER
        {
            self.buffer.extend_from_slice(data);
            self.stage = Stage::Open(Framing::Length(left - data.len() as u64));
            return Ok(Taken::Buffered(data.len()));
        }
        self.other_body(data, closing)
    }

    /// The same for what is not that simple.
    fn other_body(&mut self, data: &[u8], closing: impl FnOnce() -> bool) -> io::Result<Taken> {
        match self.stage {
            Stage::Blank | Stage::Fields => Err(misuse("the body was written before end_headers")),
            Stage::Held if self.terms.is_head => {
                self.counted += data.len() as u64;
                Ok(Taken::Buffered(data.len()))
            }
            Stage::Held => {
                let held = self.buffer.len() - self.fields_end;
                if held + data.len() <= BUFFER {
                    self.buffer.extend_from_slice(data);
                    return Ok(Taken::Buffered(data.len()));
                }
                let closing = closing();
                self.commit(self.streaming(), closing);
                self.body_of_open(data)
            }
            Stage::Open(_) => self.body_of_open(data),
            Stage::HandedOver => Err(misuse(HANDED_OVER)),
        }
    }

    /// The same where the framing is decided.
    fn body_of_open(&mut self, data: &[u8]) -> io::Result<Taken> {
        let room = BUFFER.saturating_sub(self.buffer.len());
        match self.stage {
            Stage::Blank | Stage::Fields | Stage::Held | Stage::HandedOver => Err(misuse(
                "the body was written before its framing was decided",
            )),
            Stage::Open(Framing::Nothing) => Ok(Taken::Buffered(data.len())),
            Stage::Open(Framing::Length(0)) if !data.is_empty() => {
                self.overlong = true;
                self.must_close = true;
                Ok(Taken::Refused)
            }
            Stage::Open(Framing::Length(left)) => {
                let wanted = data.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let data = data.get(..wanted).unwrap_or_default();
                if wanted > room {
                    return Ok(Taken::Through(wanted));
                }
                self.buffer.extend_from_slice(data);
                self.stage = Stage::Open(Framing::Length(left - wanted as u64));
                Ok(Taken::Buffered(wanted))
            }
            Stage::Open(Framing::UntilClose) if data.len() > room => Ok(Taken::Through(data.len())),
            Stage::Open(Framing::UntilClose) => {
                self.buffer.extend_from_slice(data);
                Ok(Taken::Buffered(data.len()))
            }
            Stage::Open(Framing::Chunked(chunk)) => {
                if data.len() > room {
                    self.end_chunk();
                    return Ok(Taken::Through(data.len()));
                }
                let start = chunk.unwrap_or(self.buffer.len());
                self.buffer.extend_from_slice(data);
                self.stage = Stage::Open(Framing::Chunked(Some(start)));
                Ok(Taken::Buffered(data.len()))
            }
        }
    }

    /// Prepares for `count` bytes that the caller sends directly after the buffer. Returns the bytes that must follow them.
    pub(crate) fn write_through(&mut self, count: usize) -> &'static [u8] {
        self.gone += count as u64;
        match &mut self.stage {
            Stage::Open(Framing::Length(left)) => {
                *left = left.saturating_sub(count as u64);
                b""
            }
            Stage::Open(Framing::Chunked(_)) => {
                self.end_chunk();
                let _ = write!(self.buffer, "{count:x}\r\n");
                b"\r\n"
            }
            _ => b"",
        }
    }

    /// The number of bytes that are left of a declared length.
    pub(crate) fn left(&self) -> Option<u64> {
        match self.stage {
            Stage::Open(Framing::Length(left)) => Some(left),
            _ => None,
        }
    }

    /// Writes the size line of the open chunk.
    pub(super) fn end_chunk(&mut self) {
        let Stage::Open(Framing::Chunked(Some(start))) = self.stage else {
            return;
        };
        let size = self.buffer.len().saturating_sub(start);
        if size > 0 {
            let line = format!("{size:x}\r\n");
            self.buffer.splice(start..start, line.into_bytes());
            self.buffer.extend_from_slice(b"\r\n");
        }
        self.stage = Stage::Open(Framing::Chunked(None));
    }

    /// Room in the buffer for the next `count` bytes of a body with a declared length, for a caller
    /// that reads them into place; `None` where the body is not of that kind. The caller says with
    /// [`filled`](Self::filled) how many it read.
    pub(crate) fn room_for(&mut self, count: usize) -> Option<&mut [u8]> {
        let start = self.buffer.len();
        match self.stage {
            Stage::Open(Framing::Length(left)) if left >= count as u64 => {}
            _ => return None,
        }
        self.buffer.resize(start + count, 0);
        self.buffer.get_mut(start..)
    }

    /// Of the room for `room` bytes, the first `count` are filled.
    pub(crate) fn filled(&mut self, room: usize, count: usize) {
        let unused = room.saturating_sub(count);
        self.buffer
            .truncate(self.buffer.len().saturating_sub(unused));
        if let Stage::Open(Framing::Length(left)) = &mut self.stage {
            *left = left.saturating_sub(count as u64);
        }
    }

    /// Returns true if body bytes are sent unchanged: no chunks, nothing held or dropped.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(
            self.stage,
            Stage::Open(Framing::Length(_) | Framing::UntilClose)
        )
    }

    /// Returns true if body bytes are dropped.
    pub(crate) fn is_bodiless(&self) -> bool {
        self.stage == Stage::Open(Framing::Nothing)
    }
}

/// The result of [`Outgoing::body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// This number of bytes is in the buffer, or was dropped.
    Buffered(usize),
    /// This number of bytes is to be sent without the buffer.
    Through(usize),
    /// The declared length is used up.
    Refused,
}
