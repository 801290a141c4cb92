//! The head of a response: its status line and its fields, checked, and what they declare about the body.

use super::{Outgoing, Stage};
use crate::http1::bytes;
use crate::http1::framing;
use crate::http1::{is_11, is_token};

/// The declarations of the response's fields.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Declared {
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
    /// `Connection: close` (true) or `keep-alive` (false).
    pub(super) close: Option<bool>,
}

/// The meaning of a field for the framing of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing.
    Plain,
    Connection,
    ContentLength,
    TransferEncoding,
    /// It can't be sent.
    Bad,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name.len() {
            10 if bytes::is_named(name.as_bytes(), b"Connection") => Kind::Connection,
            14 if bytes::is_named(name.as_bytes(), b"Content-Length") => Kind::ContentLength,
            17 if bytes::is_named(name.as_bytes(), b"Transfer-Encoding") => Kind::TransferEncoding,
            _ if is_token(name.as_bytes()) => Kind::Plain,
            _ => Kind::Bad,
        }
    }
}

impl Outgoing {
    /// Writes the status line. A second one replaces the first head as long as that is incomplete. After that it is an
    /// error, because a handler that forgets to return after `send_error` must not send both.
    #[inline(always)]
    pub(crate) fn status_line(&mut self, version: &str, code: u16, reason: &str) {
        match self.stage {
            Stage::Blank => {}
            Stage::Fields => self.drop_unsent(),
            Stage::Held | Stage::Open(_) | Stage::HandedOver => {
                return self.fail("the handler sent a second response");
            }
        }
        self.stage = Stage::Fields;
        self.code = code;
        let digit = |place: u16| b'0' + (code / place % 10) as u8;
        let code = [b' ', digit(100), digit(10), digit(1), b' '];
        if version == "HTTP/1.1" {
            self.server_is_11 = true;
            self.buffer.extend_from_slice(b"HTTP/1.1");
        } else {
            self.other_version(version);
        }
        self.buffer.extend_from_slice(&code);
        if bytes::is_printable(reason.as_bytes()) {
            self.buffer.extend_from_slice(reason.as_bytes());
        } else {
            // A reason is for people, so it may lose something; it must not end its line.
            let reason = reason.replace(|c: char| c.is_control() && c != '\t', " ");
            push_latin1(&mut self.buffer, &reason);
        }
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// Starts the status line of a server with version 1.0 or any other text. A 1xx response has version 1.1, because
    /// HTTP/1.0 does not define any (RFC 9110, section 15.2), and clients reject a 101 with another version.
    fn other_version(&mut self, version: &str) {
        self.server_is_11 = is_11(version);
        if self.code < 200 {
            return self.buffer.extend_from_slice(b"HTTP/1.1");
        }
        if !bytes::is_printable(version.as_bytes()) {
            self.fail("the status line contains a control character");
        }
        self.buffer.extend_from_slice(version.as_bytes());
    }

    /// Writes a field. Fields that frame the message are noted, and dropped where the RFC forbids them.
    // Where the compiler knows the name, and it most often does, little is left of this.
    #[inline(always)]
    pub(crate) fn field(&mut self, name: &str, value: &str) {
        let (kind, start): (_, &[u8]) = match name {
            "Server" => (Kind::Plain, b"Server: "),
            "Date" => (Kind::Plain, b"Date: "),
            "Content-Type" => (Kind::Plain, b"Content-Type: "),
            // So Python writes it for files.
            "Content-type" => (Kind::Plain, b"Content-type: "),
            "Content-Length" => (Kind::ContentLength, b"Content-Length: "),
            "Last-Modified" => (Kind::Plain, b"Last-Modified: "),
            "ETag" => (Kind::Plain, b"ETag: "),
            "Accept-Ranges" => (Kind::Plain, b"Accept-Ranges: "),
            _ => return self.any_field(name, value),
        };
        if !self.is_usual(value) {
            self.odd_field(kind, name, value);
        } else if kind == Kind::Plain || self.note(kind, name, value) {
            self.buffer.extend_from_slice(start);
            self.buffer.extend_from_slice(value.as_bytes());
            self.buffer.extend_from_slice(b"\r\n");
        }
    }

    fn any_field(&mut self, name: &str, value: &str) {
        let kind = Kind::of(name);
        if !self.is_usual(value) {
            self.odd_field(kind, name, value);
        } else if kind == Kind::Plain || self.note(kind, name, value) {
            self.write_field(name, value.as_bytes());
        }
    }

    /// Returns true if a field may be written now and its value can be sent unchanged.
    #[inline(always)]
    fn is_usual(&self, value: &str) -> bool {
        let value = value.as_bytes();
        let has_space = matches!(value, [b' ', ..] | [.., b' ']);
        self.stage == Stage::Fields && !has_space && bytes::is_printable(value)
    }

    /// Writes a field that is out of place or whose value is not plain ASCII.
    #[cold]
    fn odd_field(&mut self, kind: Kind, name: &str, value: &str) {
        match self.stage {
            Stage::Fields => {}
            Stage::Blank => {
                let rare = self.rare.get_or_insert_default();
                return rare.kept.push((name.into(), value.into()));
            }
            _ => return self.fail(format!("the field {name:?} was sent after the head")),
        }
        let value = value.trim_matches([' ', '\t']);
        if !is_clean(value) {
            return self.fail(format!(
                "the value of {name:?} contains a control character"
            ));
        }
        if self.note(kind, name, value) {
            let mut bytes = Vec::new();
            if push_latin1(&mut bytes, value) {
                self.fail(format!(
                    "the value of {name:?} contains a character outside Latin-1"
                ));
            }
            self.write_field(name, &bytes);
        }
    }

    /// Adds the fields that were sent before the status line to the head of the final response, unless the head or a later
    /// one of these fields has the same name. All of `Set-Cookie` and `Vary` are sent: each has its own meaning, and a cache
    /// that does not know all of `Vary` would send responses to the wrong clients.
    #[cold]
    pub(super) fn add_kept(&mut self) {
        if self.code < 200 && self.code != 101 {
            return;
        }
        let Some(rare) = &mut self.rare else { return };
        let kept = std::mem::take(&mut rare.kept);
        let head = self.buffer.len();
        for (at, (name, value)) in kept.iter().enumerate() {
            let later = kept.get(at + 1..).unwrap_or_default();
            let is_same = |(other, _): &(Box<str>, Box<str>)| other.eq_ignore_ascii_case(name);
            let mut adds_up = ["Set-Cookie", "Vary"].iter();
            let adds_up = adds_up.any(|of| name.eq_ignore_ascii_case(of));
            if adds_up || !(later.iter().any(is_same) || self.has_field(name, head)) {
                self.field(name, value);
            }
        }
        // A head that is wrong for their sake would be wrong again on the error page.
        if let Some(rare) = &mut self.rare
            && rare.error.is_none()
        {
            rare.kept = kept;
        }
    }

    /// Returns true if a field of this name was sent before the status line.
    pub(crate) fn keeps(&self, name: &str) -> bool {
        let mut kept = self.rare.iter().flat_map(|rare| &rare.kept);
        kept.any(|(kept, _)| kept.eq_ignore_ascii_case(name))
    }

    /// Returns true if the head of the current response, up to `end` in the buffer, has a field of this name.
    fn has_field(&self, name: &str, end: usize) -> bool {
        let declares = match Kind::of(name) {
            Kind::ContentLength => self.declared.length.is_some(),
            Kind::Connection => self.declared.close.is_some(),
            Kind::TransferEncoding => self.declared.chunked,
            Kind::Plain | Kind::Bad => false,
        };
        let head = self.buffer.get(self.start..end).unwrap_or_default();
        let mut lines = head.split(|&byte| byte == b'\n').skip(1);
        declares
            || lines.any(|line| {
                let (of_line, rest) = line.split_at_checked(name.len()).unwrap_or_default();
                of_line.eq_ignore_ascii_case(name.as_bytes()) && rest.starts_with(b":")
            })
    }

    fn write_field(&mut self, name: &str, value: &[u8]) {
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b": ");
        self.buffer.extend_from_slice(value);
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// Notes a field that frames the message. Returns false if it is not to be written unchanged.
    fn note(&mut self, kind: Kind, name: &str, value: &str) -> bool {
        match kind {
            Kind::Plain => true,
            Kind::Bad => {
                self.fail_with("the field name", name, "is not a token");
                false
            }
            Kind::ContentLength => {
                match framing::decimal(value.as_bytes()) {
                    Some(length) => {
                        if self.declared.length.replace(length).is_some() {
                            self.fail("Content-Length was sent twice");
                        }
                    }
                    None => self.fail_with("the Content-Length", value, "is not a number"),
                }
                !self.is_unframed() && self.code != 205
            }
            Kind::Connection => self.note_connection(value),
            Kind::TransferEncoding => {
                match value.eq_ignore_ascii_case("chunked") {
                    true if self.declared.chunked => self.fail("Transfer-Encoding was sent twice"),
                    true => self.declared.chunked = true,
                    false => self.fail_with(
                        "the transfer coding",
                        value,
                        "is not supported, only chunked",
                    ),
                }
                // Written when it is known whether the client can read it.
                false
            }
        }
    }

    /// Fails as [`fail`](Self::fail) does, in a function of its own for speed.
    #[cold]
    #[inline(never)]
    fn fail_with(&mut self, what: &str, text: &str, wrong: &str) {
        self.fail(format!("{what} {text:?} {wrong}"));
    }

    /// Notes `close` or `keep-alive`, which is written when the end of the connection is decided.
    fn note_connection(&mut self, value: &str) -> bool {
        let has = |token: &str| tokens(value).any(|t| t.eq_ignore_ascii_case(token));
        if has("close") {
            self.declared.close = Some(true);
        } else if has("keep-alive") {
            self.declared.close = self.declared.close.or(Some(false));
        }
        !tokens(value)
            .all(|t| t.eq_ignore_ascii_case("close") || t.eq_ignore_ascii_case("keep-alive"))
    }

    /// Returns true for 1xx, 204, and 2xx to CONNECT, which have neither length nor coding (RFC 9110, 8.6; RFC 9112, 6.1).
    pub(super) fn is_unframed(&self) -> bool {
        self.code < 200 || self.code == 204 || (self.terms.is_connect && self.code < 300)
    }
}

fn tokens(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(|token| token.trim_matches([' ', '\t']))
}

/// Returns true if the text has no control character except tabs, so none that could end a line.
fn is_clean(text: &str) -> bool {
    text.bytes()
        .all(|byte| (byte >= b' ' && byte != 0x7f) || byte == b'\t')
}

/// Writes text as Latin-1, as Python does. Returns true if a character was replaced by `?`.
fn push_latin1(buffer: &mut Vec<u8>, text: &str) -> bool {
    let mut replaced = false;
    buffer.extend(text.chars().map(|c| {
        u8::try_from(c).unwrap_or_else(|_| {
            replaced = true;
            b'?'
        })
    }));
    replaced
}
