//! The fields of a request that are about its body and its connection (RFC 9112, sections 6.3 and 9.3).
//!
//! A wrong guess about the end of a body allows request smuggling. So every combination that a parser could read in
//! another way is rejected.

use super::bytes::is_named;
use super::head::{FieldLines, Version};
use super::{Refusal, host, is_token};

/// The end of the body of a request. A request without a body has `Exact(0)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyLength {
    /// After this many bytes.
    Exact(u64),
    /// After the last chunk.
    Chunked,
}

/// The facts about a request that decide how it is served, and how the connection continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The end of the body.
    pub(crate) body: BodyLength,
    /// Whether the version and the `Connection` field allow a persistent connection.
    pub(crate) keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends a body, if the request has one.
    pub(crate) expects_continue: bool,
}

/// Reads the relevant fields in one pass.
pub(crate) fn read(version: Version, fields: FieldLines<'_>) -> Result<Meta, Refusal> {
    let mut seen = Seen::default();
    for (name, value) in fields.iter() {
        seen.field(name.as_bytes(), value.as_bytes())?;
    }
    seen.meta(version)
}

/// The content of the fields so far.
#[derive(Default)]
pub(super) struct Seen {
    host: bool,
    length: Option<u64>,
    codings: Codings,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    expects_other: bool,
}

/// The transfer codings so far. All lines together are one list.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Codings {
    #[default]
    None,
    Other,
    Chunked,
    OtherThenChunked,
}

impl Seen {
    /// Reads a field. The value must have no white space around it.
    #[inline]
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        match name.len() {
            4 if is_named(name, b"Host") => self.host(value),
            6 if is_named(name, b"Expect") => {
                self.expect(value);
                Ok(())
            }
            10 if is_named(name, b"Connection") => {
                self.connection(value);
                Ok(())
            }
            14 if is_named(name, b"Content-Length") => self.content_length(value),
            17 if is_named(name, b"Transfer-Encoding") => self.transfer_encoding(value),
            _ => Ok(()),
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.host {
            return Err(Refusal::bad_request("Several Host headers"));
        }
        self.host = true;
        match host::is_valid(value) {
            true => Ok(()),
            false => Err(Refusal::bad_request("Bad Host header")),
        }
    }

    /// Reads a `Content-Length`. It must have digits only: no sign, no list, and no second line, not even an equal one.
    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.length.is_some() {
            return Err(Refusal::bad_request("Several Content-Length headers"));
        }
        self.length = decimal(value);
        match self.length {
            Some(_) => Ok(()),
            None => Err(Refusal::bad_request("Bad Content-Length header")),
        }
    }

    /// Reads a `Transfer-Encoding`. The last coding must be `chunked`, and it must occur once. Empty members,
    /// parameters and the obsolete `identity` are rejected, because some parsers overlook `chunked` then.
    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for coding in members(value) {
            self.codings = match self.codings {
                Codings::None if coding.eq_ignore_ascii_case(b"chunked") => Codings::Chunked,
                Codings::Other if coding.eq_ignore_ascii_case(b"chunked") => {
                    Codings::OtherThenChunked
                }
                Codings::None | Codings::Other
                    if is_token(coding) && !coding.eq_ignore_ascii_case(b"identity") =>
                {
                    Codings::Other
                }
                _ => return Err(bad_transfer_encoding()),
            };
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for option in members(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn expect(&mut self, value: &[u8]) {
        for expectation in members(value) {
            if expectation.eq_ignore_ascii_case(b"100-continue") {
                self.expects_continue = true;
            } else if !expectation.is_empty() {
                self.expects_other = true;
            }
        }
    }

    /// Returns the result. An expectation that can't be met is checked last.
    pub(super) fn meta(self, version: Version) -> Result<Meta, Refusal> {
        let is_http11 = version >= Version::Http11;
        if is_http11 && !self.host {
            return Err(Refusal::bad_request("Missing Host header"));
        }
        let body = self.body(version)?;
        if is_http11 && self.expects_other {
            return Err(Refusal::new(417, "Expectation Failed"));
        }
        Ok(Meta {
            body,
            keep_alive: !self.close && (is_http11 || self.keep_alive),
            expects_continue: is_http11 && self.expects_continue,
        })
    }

    fn body(&self, version: Version) -> Result<BodyLength, Refusal> {
        match (self.codings, self.length) {
            (Codings::None, length) => Ok(BodyLength::Exact(length.unwrap_or(0))),
            (_, Some(_)) => Err(Refusal::bad_request(
                "Transfer-Encoding and Content-Length together",
            )),
            // RFC 9112, section 6.1: a client of HTTP/1.0 can't have meant this framing.
            _ if version < Version::Http11 => {
                Err(Refusal::bad_request("Transfer-Encoding in HTTP/1.0"))
            }
            (Codings::Chunked, None) => Ok(BodyLength::Chunked),
            (Codings::Other, None) => Err(bad_transfer_encoding()),
            (Codings::OtherThenChunked, None) => {
                Err(Refusal::new(501, "Unsupported transfer coding"))
            }
        }
    }
}

#[cold]
fn bad_transfer_encoding() -> Refusal {
    Refusal::bad_request("Bad Transfer-Encoding header")
}

/// Returns the members of a list, without optional white space around them (RFC 9110, sections 5.6.1 and 5.6.3).
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim_blanks)
}

/// Trims spaces and tabs. `trim_ascii` would trim form feeds, too.
fn trim_blanks(mut member: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = member {
        member = rest;
    }
    member
}

/// Parses one or more decimal digits; `None` if the number is too large.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.is_ascii_digit().then_some(u64::from(byte & 0x0f))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests;
