//! The responses of a connection on their way out: head and body in one buffer, framed by the rules
//! of RFC 9112, 6 and 7. No socket: [`super::response_writer`] sends what lies ready here.
//!
//! A response passes through `Blank` → `Fields` → `Held` or `Open` → `Blank`. As long as nothing says
//! how the body is framed it is *held*: a body that ends within the buffer gets its length computed, a
//! longer one is chunked or ends with the connection. The fields that framing adds, and `Connection`,
//! are written when the framing is decided ([`Outgoing::commit`]).

use std::io::{self, Write};

use crate::http1::head::Version;
use crate::http1::is_token;

/// As much body as may wait for its end, and the size from which writes are not copied.
pub(crate) const BUFFER: usize = 32 << 10;

/// What the request says about the framing of its response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// The version of the client.
    pub(crate) client: Version,
    /// `HEAD`: the fields of the response to GET, and no body.
    pub(crate) is_head: bool,
    /// `CONNECT`: a 2xx response has no framing.
    pub(crate) is_connect: bool,
}

/// How the body ends, once it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// In chunks; the open one starts here in the buffer.
    Chunked(Option<usize>),
    UntilClose,
    /// There is none, whatever is written.
    Nothing,
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
}

/// What the fields of the response declare.
#[derive(Clone, Copy, Debug, Default)]
struct Declared {
    length: Option<u64>,
    chunked: bool,
    /// `Connection: close` (true) or `keep-alive` (false).
    close: Option<bool>,
}

#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Finished responses, then the present one.
    pub(super) buffer: Vec<u8>,
    /// Where the present response starts in the buffer.
    start: usize,
    /// Where its fields end, while it is held.
    fields_end: usize,
    stage: Stage,
    terms: Terms,
    code: u16,
    server_is_11: bool,
    declared: Declared,
    /// Bytes that the handler wrote to a response to HEAD.
    counted: u64,
    /// The first byte of the present response was handed to the socket.
    begun: bool,
    /// The present response is finished, or was cut, in a way that ends the connection.
    must_close: bool,
    /// The first thing wrong with the head; reported by `end_fields`.
    error: Option<&'static str>,
    /// More was written than declared.
    overlong: bool,
}

/// What `end_fields` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadKind {
    /// A 1xx head: it goes at once, and another head follows.
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
            error: None,
            overlong: false,
        }
    }

    /// A new request is to be answered.
    pub(crate) fn begin(&mut self, terms: Terms) {
        self.terms = terms;
        self.begun = false;
        self.must_close = false;
        self.drop_unsent();
    }

    /// Forgets what of the present response was not sent.
    pub(crate) fn drop_unsent(&mut self) {
        self.buffer.truncate(self.start);
        self.start = self.buffer.len();
        self.stage = Stage::Blank;
        self.declared = Declared::default();
        self.counted = 0;
        self.error = None;
        self.overlong = false;
    }

    /// The status line. A second one replaces what was not sent of the first.
    pub(crate) fn status_line(&mut self, version: &str, code: u16, reason: &str) {
        if self.stage != Stage::Blank {
            if self.begun {
                return self.fail("a second response after the first has begun");
            }
            self.drop_unsent();
        }
        self.stage = Stage::Fields;
        self.code = code;
        self.server_is_11 = version >= "HTTP/1.1";
        if !is_clean(version) {
            self.fail("a control character in a status line");
        }
        // Writing to a Vec can't fail.
        let _ = write!(self.buffer, "{version} {code} ");
        match is_clean(reason) {
            true => push_latin1(&mut self.buffer, reason),
            // A reason is for people, so it may lose something; it must not end its line.
            false => push_latin1(
                &mut self.buffer,
                &reason.replace(|c: char| c.is_control(), " "),
            ),
        };
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// A field. What frames the message is taken note of, and dropped where the RFC forbids it.
    pub(crate) fn field(&mut self, name: &str, value: &str) {
        if self.stage != Stage::Fields {
            return self.fail("a field before the status line or after the head");
        }
        if !is_token(name.as_bytes()) {
            return self.fail("a field name that is not a token");
        }
        let value = value.trim_matches([' ', '\t']);
        if !is_clean(value) {
            return self.fail("a control character in a field value");
        }
        if !self.note(name, value) {
            return;
        }
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b": ");
        if push_latin1(&mut self.buffer, value) {
            self.fail("a character in a field value that is not in Latin-1");
        }
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// Takes note of a field that frames; false if it is not to be written as it stands.
    fn note(&mut self, name: &str, value: &str) -> bool {
        match name.len() {
            10 if name.eq_ignore_ascii_case("Connection") => {
                let has = |token: &str| tokens(value).any(|t| t.eq_ignore_ascii_case(token));
                if has("close") {
                    self.declared.close = Some(true);
                } else if has("keep-alive") {
                    self.declared.close = self.declared.close.or(Some(false));
                }
                // These two are written when it is known which of them is true.
                !tokens(value).all(|t| {
                    t.eq_ignore_ascii_case("close") || t.eq_ignore_ascii_case("keep-alive")
                })
            }
            14 if name.eq_ignore_ascii_case("Content-Length") => {
                let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
                match value.parse() {
                    Ok(length) if digits => {
                        if self.declared.length.replace(length).is_some() {
                            self.fail("two lengths of one body");
                        }
                    }
                    _ => self.fail("a Content-Length that is no number"),
                }
                !self.is_unframed() && self.code != 205
            }
            17 if name.eq_ignore_ascii_case("Transfer-Encoding") => {
                match value.eq_ignore_ascii_case("chunked") {
                    true if self.declared.chunked => self.fail("chunked twice"),
                    true => self.declared.chunked = true,
                    false => self.fail("a transfer coding other than chunked"),
                }
                // Written when it is known whether the client can read it.
                false
            }
            _ => true,
        }
    }

    /// 1xx, 204, and 2xx to CONNECT have neither length nor coding (RFC 9110, 8.6; RFC 9112, 6.1).
    fn is_unframed(&self) -> bool {
        self.code < 200 || self.code == 204 || (self.terms.is_connect && self.code < 300)
    }

    fn fail(&mut self, error: &'static str) {
        self.error.get_or_insert(error);
    }

    /// The end of the fields.
    pub(crate) fn end_fields(&mut self, closing: bool) -> io::Result<HeadKind> {
        if self.stage == Stage::Blank {
            self.fail("the end of a head without a status line");
        } else if self.stage != Stage::Fields {
            self.fail("the end of a head that is over");
        } else if self.declared.length.is_some() && self.declared.chunked {
            self.fail("both a length and chunked");
        }
        if let Some(error) = self.error.take() {
            return Err(misuse(error));
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

    /// The framing, if the head alone decides it.
    fn framing_from_head(&mut self) -> Option<Framing> {
        if self.code == 101 || (self.terms.is_connect && self.code < 300) {
            return Some(Framing::UntilClose);
        }
        if self.terms.is_head {
            let told = self.declared.length.is_some() || self.declared.chunked || self.code == 204;
            return told.then_some(Framing::Nothing);
        }
        if matches!(self.code, 204 | 205 | 304) {
            return Some(Framing::Nothing);
        }
        match self.declared {
            Declared {
                length: Some(length),
                ..
            } => Some(Framing::Length(length)),
            Declared { chunked: true, .. } => Some(self.streaming()),
            _ => None,
        }
    }

    /// The framing of a body whose end is not known.
    fn streaming(&self) -> Framing {
        match self.may_chunk() {
            true => Framing::Chunked(None),
            false => Framing::UntilClose,
        }
    }

    fn may_chunk(&self) -> bool {
        self.server_is_11 && self.terms.client >= Version::Http11
    }

    /// Writes what the framing and the connection's fate add to the head, and its blank line, before
    /// the body that was held.
    fn commit(&mut self, framing: Framing, closing: bool) {
        let held = self.buffer.len().saturating_sub(self.fields_end);
        self.must_close |= framing == Framing::UntilClose;
        let mut tail = [0u8; 96];
        let mut rest = &mut tail[..];
        // The tail is longer than the longest of these, so writing can't fail.
        let _ = match framing {
            Framing::Length(_) if self.declared.length.is_some() => Ok(()),
            Framing::Length(length) => write!(rest, "Content-Length: {length}\r\n"),
            Framing::Chunked(_) => rest.write_all(b"Transfer-Encoding: chunked\r\n"),
            Framing::Nothing if self.code == 205 => rest.write_all(b"Content-Length: 0\r\n"),
            Framing::Nothing
                if self.declared.chunked && self.may_chunk() && !self.is_unframed() =>
            {
                rest.write_all(b"Transfer-Encoding: chunked\r\n")
            }
            Framing::Nothing | Framing::UntilClose => Ok(()),
        };
        let closing = closing || self.must_close || self.declared.close == Some(true);
        self.must_close = closing;
        let explicit = self.declared.close.is_some() || self.server_is_11;
        let _ = match closing {
            _ if self.code == 101 || (self.terms.is_connect && self.code < 300) => Ok(()),
            true if explicit => rest.write_all(b"Connection: close\r\n"),
            false if self.declared.close.is_some() || self.terms.client < Version::Http11 => {
                rest.write_all(b"Connection: keep-alive\r\n")
            }
            _ => Ok(()),
        };
        let _ = rest.write_all(b"\r\n");
        let used = 96 - rest.len();
        let tail = tail.get(..used).unwrap_or_default();
        if held == 0 {
            self.buffer.extend_from_slice(tail);
        } else {
            let at = self.fields_end;
            self.buffer.splice(at..at, tail.iter().copied());
        }
        self.stage = Stage::Open(match framing {
            Framing::Chunked(_) if held > 0 => Framing::Chunked(Some(self.fields_end + used)),
            Framing::Length(_) if self.declared.length.is_none() => Framing::Length(0),
            framing => framing,
        });
    }

    /// Takes body bytes into the buffer as far as they fit, and returns how many were used up.
    /// `Ok(0)` for a body that is not empty: send first, or [`write_through`](Self::write_through).
    pub(crate) fn body(&mut self, data: &[u8], closing: bool) -> io::Result<Taken> {
        let room = BUFFER.saturating_sub(self.buffer.len());
        match self.stage {
            Stage::Blank | Stage::Fields => Err(misuse("a body before the end of the head")),
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
                self.commit(self.streaming(), closing);
                self.body(data, closing)
            }
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

    /// Prepares `count` bytes that are sent right behind the buffer without passing through it, and
    /// that the caller promises to send; returns what must follow them.
    pub(crate) fn write_through(&mut self, count: usize) -> &'static [u8] {
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

    /// Bytes that a declared length still asks for.
    pub(crate) fn left(&self) -> Option<u64> {
        match self.stage {
            Stage::Open(Framing::Length(left)) => Some(left),
            _ => None,
        }
    }

    /// Writes the size line of the open chunk.
    fn end_chunk(&mut self) {
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

    /// Makes everything written so far ready to be sent: decides the framing of a body that is held.
    pub(crate) fn ready_all(&mut self, closing: bool) {
        if self.stage == Stage::Held && !self.terms.is_head {
            self.commit(self.streaming(), closing);
        }
        self.end_chunk();
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

    /// Whether body bytes go to the socket as they are: no chunks, nothing held or dropped.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(
            self.stage,
            Stage::Open(Framing::Length(_) | Framing::UntilClose)
        )
    }

    /// Whether body bytes are dropped.
    pub(crate) fn is_bodiless(&self) -> bool {
        self.stage == Stage::Open(Framing::Nothing)
    }

    /// Whether the end of the connection would look like the end of this response.
    pub(crate) fn ends_with_close(&self) -> bool {
        self.stage == Stage::Open(Framing::UntilClose)
    }

    /// How much of the buffer may be sent now: all of it, or only the responses before this one while
    /// its head is not complete.
    pub(crate) fn sendable(&self) -> usize {
        match self.stage {
            Stage::Fields | Stage::Held => self.start,
            Stage::Blank | Stage::Open(_) => self.buffer.len(),
        }
    }

    /// The first `count` bytes were handed to the socket.
    pub(crate) fn sent(&mut self, count: usize) {
        let into_this = count > self.start;
        self.begun |= into_this && self.stage != Stage::Blank;
        if count >= self.buffer.len() {
            self.buffer.clear();
        } else {
            self.buffer.drain(..count);
        }
        self.start = self.start.saturating_sub(count);
        self.fields_end = self.fields_end.saturating_sub(count);
    }

    /// The end of the response: its framing is completed. An error means that it can't be.
    pub(crate) fn finish(&mut self, closing: bool) -> io::Result<()> {
        if let Some(error) = self.error.take() {
            return Err(misuse(error));
        }
        match self.stage {
            Stage::Blank => return Err(misuse("no response")),
            Stage::Fields => return Err(misuse("a response without the end of its head")),
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
                return Err(misuse("less body than the declared Content-Length"));
            }
            Stage::Open(Framing::Chunked(_)) => {
                self.end_chunk();
                self.buffer.extend_from_slice(b"0\r\n\r\n");
            }
            Stage::Open(_) => {}
        }
        self.stage = Stage::Blank;
        self.start = self.buffer.len();
        self.declared = Declared::default();
        self.counted = 0;
        Ok(())
    }

    /// Whether the head of the final response is complete, sent or not.
    pub(crate) fn has_head(&self) -> bool {
        matches!(self.stage, Stage::Held | Stage::Open(_))
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

    /// The bytes of the response from now on are none of ours (`raw`, `detach`).
    pub(crate) fn surrender(&mut self) {
        self.begun = true;
        self.must_close = true;
        self.stage = Stage::Open(Framing::UntilClose);
    }

    /// Forgets everything, sent or not: the connection parks or ends.
    pub(crate) fn drop_all(&mut self) {
        self.buffer.clear();
        self.start = 0;
        self.drop_unsent();
    }

    /// Where an interim head may be put in: before the present response.
    pub(crate) fn insert_interim(&mut self, head: &[u8]) {
        let at = self.start;
        self.buffer.splice(at..at, head.iter().copied());
        self.start += head.len();
        self.fields_end += head.len();
    }
}

/// What became of bytes given to [`Outgoing::body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// So many are in the buffer, or need not be sent at all.
    Buffered(usize),
    /// So many of them are to be sent past the buffer.
    Through(usize),
    /// The declared length is used up.
    Refused,
}

fn misuse(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

fn tokens(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(|token| token.trim_matches([' ', '\t']))
}

/// No control character but the tab: none that could end a line.
fn is_clean(text: &str) -> bool {
    text.bytes()
        .all(|byte| (byte >= b' ' && byte != 0x7f) || byte == b'\t')
}

/// Writes text as Latin-1, as Python does; true if a character had to be replaced by `?`.
fn push_latin1(buffer: &mut Vec<u8>, text: &str) -> bool {
    if text.is_ascii() {
        buffer.extend_from_slice(text.as_bytes());
        return false;
    }
    let mut replaced = false;
    buffer.extend(text.chars().map(|c| {
        u8::try_from(c).unwrap_or_else(|_| {
            replaced = true;
            b'?'
        })
    }));
    replaced
}
