//! The framing of a response body: decided by the head alone or as late as possible, and the fields that it adds.

use super::fields::Declared;
use super::{Outgoing, Stage};
use crate::http1::head::Version;

const CHUNKED: &[u8] = b"Transfer-Encoding: chunked\r\n";

/// The framing of a body, after the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By length; this number of bytes is left.
    Length(u64),
    /// In chunks; the open one starts at this position in the buffer.
    Chunked(Option<usize>),
    UntilClose,
    /// There is no body, whatever is written.
    Nothing,
}

impl Outgoing {
    /// The framing, if the head alone decides it.
    pub(super) fn framing_from_head(&mut self) -> Option<Framing> {
        if self.code == 101 || (self.terms.is_connect && self.code < 300) {
            return Some(Framing::UntilClose);
        }
        if matches!(self.code, 204 | 205 | 304) {
            return Some(Framing::Nothing);
        }
        if self.terms.is_head {
            let told = self.declared.length.is_some() || self.declared.chunked;
            return told.then_some(Framing::Nothing);
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
    pub(super) fn streaming(&self) -> Framing {
        match self.may_chunk() {
            true => Framing::Chunked(None),
            false => Framing::UntilClose,
        }
    }

    fn may_chunk(&self) -> bool {
        self.server_is_11 && self.terms.client >= Version::Http11
    }

    /// Decides the framing, and completes the head with the fields of the framing and `Connection`.
    #[inline]
    pub(super) fn commit(&mut self, framing: Framing, closing: bool) {
        let is_told = match framing {
            Framing::Length(_) => self.declared.length.is_some(),
            Framing::Nothing => !self.declared.chunked && self.code != 205,
            _ => false,
        };
        let persists = !closing && !self.must_close && self.declared.close.is_none();
        if is_told && persists && self.may_chunk() && self.buffer.len() == self.fields_end {
            // Most often nothing is to be added.
            self.buffer.extend_from_slice(b"\r\n");
            self.note_head(self.buffer.len());
            self.stage = Stage::Open(framing);
        } else {
            self.complete(framing, closing);
        }
    }

    /// Notes the end of the head in the buffer.
    fn note_head(&mut self, end: usize) {
        self.head = u32::try_from(end.saturating_sub(self.start)).unwrap_or(u32::MAX);
    }

    /// Writes the fields of the framing, `Connection` and the blank line, before the body that was held.
    fn complete(&mut self, framing: Framing, closing: bool) {
        let held = self.buffer.len().saturating_sub(self.fields_end);
        self.must_close |= framing == Framing::UntilClose;
        let mut added = Added::default();
        match framing {
            Framing::Length(_) if self.declared.length.is_some() => {}
            Framing::Length(length) => {
                added.push(b"Content-Length: ");
                added.push(itoa::Buffer::new().format(length).as_bytes());
                added.push(b"\r\n");
            }
            Framing::Chunked(_) => added.push(CHUNKED),
            Framing::Nothing if self.code == 205 => added.push(b"Content-Length: 0\r\n"),
            Framing::Nothing
                if self.declared.chunked && self.may_chunk() && !self.is_unframed() =>
            {
                added.push(CHUNKED);
            }
            Framing::Nothing | Framing::UntilClose => {}
        }
        let closing = closing || self.must_close || self.declared.close == Some(true);
        self.must_close = closing;
        let explicit = self.declared.close.is_some() || self.server_is_11;
        match closing {
            _ if self.code == 101 || (self.terms.is_connect && self.code < 300) => {}
            true if explicit => added.push(b"Connection: close\r\n"),
            false if self.declared.close.is_some() || self.terms.client < Version::Http11 => {
                added.push(b"Connection: keep-alive\r\n");
            }
            _ => {}
        }
        added.push(b"\r\n");
        let used = added.bytes().len();
        self.note_head(self.fields_end + used);
        if held == 0 {
            self.buffer.extend_from_slice(added.bytes());
        } else {
            let at = self.fields_end;
            self.buffer.splice(at..at, added.bytes().iter().copied());
        }
        self.stage = Stage::Open(match framing {
            Framing::Chunked(_) if held > 0 => Framing::Chunked(Some(self.fields_end + used)),
            Framing::Length(_) if self.declared.length.is_none() => Framing::Length(0),
            framing => framing,
        });
    }
}

/// The fields that framing adds to a head.
struct Added {
    bytes: [u8; MOST_ADDED],
    used: usize,
}

/// Maximum length of these fields.
const MOST_ADDED: usize = 96;

impl Default for Added {
    fn default() -> Self {
        Added {
            bytes: [0; MOST_ADDED],
            used: 0,
        }
    }
}

impl Added {
    fn push(&mut self, part: &[u8]) {
        let end = self.used + part.len();
        if let Some(place) = self.bytes.get_mut(self.used..end) {
            place.copy_from_slice(part);
            self.used = end;
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}
