//! [`Outgoing`]: the write buffer of a connection, with the heads and bodies of responses, framed by the rules of RFC 9112,
//! 6 and 7. It has no socket: [`super::response_writer`] sends the bytes.
//!
//! A response passes through `Blank` → `Fields` → `Held` or `Open` → `Blank`. As long as nothing says
//! how the body is framed it is *held*: a body that ends within the buffer gets its length computed, a
//! longer one is chunked or ends with the connection. The fields that framing adds, and `Connection`,
//! are written when the framing is decided ([`Outgoing::commit`]).
//!
//! This file has the stages; [`fields`] has the head, [`framing`] the fields that framing adds, [`body`] the body.

use std::io;

pub(crate) use self::body::Taken;
use self::fields::Declared;
use self::framing::Framing;
use super::outcome::Outcome;
use super::stream_queue;
use crate::http1::head::Version;
use crate::{Error, Status};

mod body;
mod fields;
mod framing;
#[cfg(test)]
mod tests;

/// Maximum size of a body that waits for its end, and the size from which writes are not copied.
pub(crate) const BUFFER: usize = 32 << 10;
const HANDED_OVER: &str = "a ResponseStream sends the body: wfile can't write it";

/// The facts about a request that the framing of its response needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// The version of the client.
    pub(crate) client: Version,
    /// `HEAD`: the fields of the response to GET, and no body.
    pub(crate) is_head: bool,
    /// `CONNECT`: a 2xx response has no framing.
    pub(crate) is_connect: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No status line yet.
    Blank,
    /// The status line and maybe fields.
    Fields,
    /// The fields are complete, the framing is not decided. The blank line is still to be written.
    Held,
    Open(Framing),
    /// A stream writes the rest of the body.
    HandedOver,
}

#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Finished responses, then the current one.
    pub(super) buffer: Vec<u8>,
    /// The start of the current response in the buffer.
    start: usize,
    /// The end of its fields, while it is held.
    fields_end: usize,
    stage: Stage,
    terms: Terms,
    code: u16,
    server_is_11: bool,
    declared: Declared,
    /// Number of body bytes that the handler wrote to a response to HEAD.
    counted: u64,
    /// The first byte of the current response was sent.
    begun: bool,
    /// The current response is finished, or was cut, in a way that ends the connection.
    must_close: bool,
    rare: Option<Box<Rare>>,
    /// Number of bytes of the current response that have left the buffer, or bypassed it.
    gone: u64,
    /// Number of these that belong to the head.
    head: u32,
    /// More was written than declared.
    overlong: bool,
}

/// The state that few exchanges need.
#[derive(Debug, Default)]
struct Rare {
    /// The first thing wrong with the head; reported by `end_fields`.
    error: Option<Box<str>>,
    /// Fields that were sent before the status line, for whichever response follows.
    kept: Vec<(Box<str>, Box<str>)>,
}

/// The kind of head that `end_fields` completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadKind {
    /// A 1xx head: it is sent at once, and another head follows.
    Interim,
    /// The head of the response.
    Final,
}

impl Outgoing {
    pub(crate) fn new() -> Self {
        Outgoing {
            buffer: Vec::new(),
            start: 0,
            fields_end: 0,
            stage: Stage::Blank,
            terms: Terms {
                client: Version::Http11,
                is_head: false,
                is_connect: false,
            },
            code: 0,
            server_is_11: false,
            declared: Declared::default(),
            counted: 0,
            begun: false,
            must_close: false,
            rare: None,
            gone: 0,
            head: 0,
            overlong: false,
        }
    }

    /// Begins the response to a new request.
    pub(crate) fn begin(&mut self, terms: Terms) {
        self.terms = terms;
        self.begun = false;
        self.code = 0;
        self.gone = 0;
        self.head = 0;
        self.drop_unsent();
    }

    /// Ends the exchange: fields that were kept for its response are dropped.
    pub(crate) fn end_exchange(&mut self) {
        self.rare = None;
    }

    /// Drops the unsent part of the current response.
    pub(crate) fn drop_unsent(&mut self) {
        self.buffer.truncate(self.start);
        self.start = self.buffer.len();
        self.stage = Stage::Blank;
        self.declared = Declared::default();
        self.counted = 0;
        self.take_error();
        self.overlong = false;
        self.must_close = false;
    }

    #[cold]
    pub(crate) fn fail(&mut self, error: impl Into<Box<str>>) {
        let rare = self.rare.get_or_insert_default();
        rare.error.get_or_insert_with(|| error.into());
    }

    fn take_error(&mut self) -> Option<Box<str>> {
        self.rare.as_mut()?.error.take()
    }

    /// Ends the fields.
    #[inline]
    pub(crate) fn end_fields(&mut self, closing: bool) -> io::Result<HeadKind> {
        if self.stage == Stage::Blank {
            self.fail("end_headers was called before send_response");
        } else if self.stage != Stage::Fields {
            self.fail("end_headers was called twice");
        } else if self.declared.length.is_some() && self.declared.chunked {
            self.fail("the response has both Content-Length and Transfer-Encoding");
        }
        if self.rare.is_some() {
            self.add_kept();
        }
        if let Some(error) = self.take_error() {
            return Err(misuse(error));
        }
        if self.code == 101 && self.terms.client < Version::Http11 {
            // An upgrade that a client of 1.0 asks for must be ignored (RFC 9110, section 7.8).
            let status = Status::BAD_REQUEST.with_message("An upgrade requires HTTP/1.1");
            return Err(Error::from(status).into());
        }
        self.fields_end = self.buffer.len();
        if self.code < 200 && self.code != 101 {
            self.buffer.extend_from_slice(b"\r\n");
            self.stage = Stage::Blank;
            self.declared = Declared::default();
            if self.terms.client < Version::Http11 {
                // A client of 1.0 knows no interim responses (RFC 9110, 15.2).
                self.buffer.truncate(self.start);
            }
            self.start = self.buffer.len();
            return Ok(HeadKind::Interim);
        }
        self.stage = Stage::Held;
        if let Some(framing) = self.framing_from_head() {
            self.commit(framing, closing);
        }
        Ok(HeadKind::Final)
    }

    /// Gives up a response that can't be completed. The written part may still be sent, in whole chunks, so that nothing in
    /// it looks like its end.
    pub(crate) fn give_up(&mut self) {
        self.end_chunk();
    }

    /// Makes everything written so far ready to be sent: decides the framing of a body that is held.
    pub(crate) fn ready_all(&mut self, closing: bool) {
        if self.stage == Stage::Held && !self.terms.is_head {
            self.commit(self.streaming(), closing);
        }
        self.end_chunk();
    }

    /// Returns true if the end of the connection would look like the end of this response.
    pub(crate) fn ends_with_close(&self) -> bool {
        self.stage == Stage::Open(Framing::UntilClose)
    }

    /// The number of bytes that may be sent now: the whole buffer, or only the responses before the current one while its
    /// head is incomplete.
    pub(crate) fn sendable(&self) -> usize {
        match self.stage {
            Stage::Fields | Stage::Held => self.start,
            Stage::Blank | Stage::Open(_) | Stage::HandedOver => self.buffer.len(),
        }
    }

    /// Notes that the first `count` bytes were sent.
    pub(crate) fn sent(&mut self, count: usize) {
        let into_this = count > self.start;
        self.gone += count.saturating_sub(self.start) as u64;
        self.begun |= into_this && self.stage != Stage::Blank;
        if count >= self.buffer.len() {
            self.buffer.clear();
        } else {
            self.buffer.drain(..count);
        }
        self.start = self.start.saturating_sub(count);
        self.fields_end = self.fields_end.saturating_sub(count);
    }

    /// Ends the response and completes its framing, or fails if that is impossible.
    pub(crate) fn finish(&mut self, closing: bool) -> io::Result<()> {
        if let Some(error) = self.take_error() {
            return Err(misuse(error));
        }
        match self.stage {
            Stage::Blank => return Err(misuse("the handler sent no response")),
            Stage::Fields => return Err(misuse("the handler did not call end_headers")),
            Stage::Held if self.terms.is_head => {
                let framing = match self.counted {
                    0 => Framing::Nothing,
                    counted => Framing::Length(counted),
                };
                self.commit(framing, closing);
            }
            Stage::Held => {
                let length = self.buffer.len() - self.fields_end;
                self.commit(Framing::Length(length as u64), closing);
            }
            Stage::Open(Framing::Length(left)) if left > 0 => {
                return Err(misuse(
                    "the handler wrote fewer bytes than the declared Content-Length",
                ));
            }
            Stage::Open(Framing::Chunked(_)) => {
                self.end_chunk();
                self.buffer.extend_from_slice(b"0\r\n\r\n");
            }
            Stage::Open(_) | Stage::HandedOver => {}
        }
        self.stage = Stage::Blank;
        self.gone += (self.buffer.len() - self.start) as u64;
        self.start = self.buffer.len();
        self.declared = Declared::default();
        self.counted = 0;
        Ok(())
    }

    /// The outcome of the exchange, as far as it is known here. `lost` is the number of bytes that have left the
    /// buffer but were not sent, `streamed` that of the bytes that a stream has sent.
    pub(crate) fn outcome(&self, lost: u64, streamed: u64) -> Outcome {
        let bytes = self.gone.saturating_sub(lost).saturating_add(streamed);
        Outcome {
            code: self.code,
            bytes,
            body_bytes: bytes.saturating_sub(self.head.into()),
            ..Outcome::default()
        }
    }

    /// Returns true if the head of the final response is complete, sent or not.
    pub(crate) fn has_head(&self) -> bool {
        matches!(self.stage, Stage::Held | Stage::Open(_) | Stage::HandedOver)
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    pub(crate) fn must_close(&self) -> bool {
        self.must_close
    }

    pub(crate) fn is_overlong(&self) -> bool {
        self.overlong
    }

    /// Makes the complete part of the current response ready to be sent, before bytes that bypass the buffer (`raw_stream`,
    /// `detach`): a body that was held is not framed, and an incomplete head is dropped.
    pub(crate) fn prepare_surrender(&mut self) {
        match self.stage {
            Stage::Blank | Stage::Fields => self.drop_unsent(),
            Stage::Held if self.terms.is_head => self.commit(Framing::Nothing, true),
            Stage::Held => self.commit(Framing::UntilClose, true),
            Stage::Open(_) | Stage::HandedOver => self.end_chunk(),
        }
    }

    /// Leaves the rest of the body to a stream. Returns its framing, or `None` if the response has no body.
    pub(crate) fn start_stream(
        &mut self,
        closing: bool,
    ) -> io::Result<Option<stream_queue::RestFraming>> {
        match self.stage {
            Stage::Blank | Stage::Fields => {
                return Err(misuse("start_stream was called before end_headers"));
            }
            Stage::HandedOver => return Err(misuse(HANDED_OVER)),
            Stage::Held if self.terms.is_head => self.commit(Framing::Nothing, closing),
            Stage::Held => self.commit(self.streaming(), closing),
            Stage::Open(_) => {}
        }
        self.end_chunk();
        let framing = match self.stage {
            Stage::Open(Framing::Length(left)) => stream_queue::RestFraming::Length(left),
            Stage::Open(Framing::Chunked(_)) => stream_queue::RestFraming::Chunked,
            Stage::Open(Framing::UntilClose) => stream_queue::RestFraming::UntilClose,
            _ => return Ok(None),
        };
        self.stage = Stage::HandedOver;
        self.begun = true;
        Ok(Some(framing))
    }

    /// Leaves the rest of the response to the caller.
    pub(crate) fn surrender(&mut self) {
        self.begun = true;
        self.must_close = true;
        self.stage = Stage::Open(Framing::UntilClose);
    }

    /// Drops everything, because the connection parks or ends.
    pub(crate) fn drop_all(&mut self) {
        self.buffer.clear();
        self.start = 0;
        self.drop_unsent();
    }

    /// Puts back finished responses that were taken out of the buffer.
    pub(crate) fn put_back(&mut self, responses: &[u8]) {
        self.buffer.extend_from_slice(responses);
        self.start = self.buffer.len();
    }

    /// Inserts an interim head before the current response.
    pub(crate) fn insert_interim(&mut self, head: &[u8]) {
        let at = self.start;
        self.buffer.splice(at..at, head.iter().copied());
        self.start += head.len();
        self.fields_end += head.len();
        if let Stage::Open(Framing::Chunked(Some(chunk))) = &mut self.stage {
            *chunk += head.len();
        }
    }
}

pub(super) fn misuse(what: impl Into<Box<str>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, String::from(what.into()))
}
