//! The head of a response: its status line and its fields, checked, and what they declare about the body.

use std::io::Write as _;

use super::{Outgoing, Stage};
use crate::http1::is_token;

/// What the fields of the response declare.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Declared {
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
    /// `Connection: close` (true) or `keep-alive` (false).
    pub(super) close: Option<bool>,
}

impl Outgoing {
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
    pub(super) fn is_unframed(&self) -> bool {
        self.code < 200 || self.code == 204 || (self.terms.is_connect && self.code < 300)
    }
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
