//! The message rules of HTTP/1.1 for a server that reads requests, without a socket or a clock. Input is bytes, and
//! output is a value or a [`Refusal`]; "more bytes are needed" is a value too.
//!
//! The grammar is strict, so that a message has only one reading. A message that two parsers could understand
//! differently (RFC 9112, sections 11.1 and 11.2) is rejected, and the connection is closed.
//!
//! Read the modules in this order: [`head`] finds and parses a head, [`target`] and [`host`] check the target,
//! [`framing`] finds out where the body ends, and [`chunked`] decodes a chunked body.

use std::borrow::Cow;

pub(crate) use self::bytes::is_token;

pub(crate) mod accept;
pub(crate) mod head;

pub(crate) mod target;

pub(crate) mod host;

pub(crate) mod framing;

pub(crate) mod chunked;

pub(crate) mod date;

pub(crate) mod quote;

pub(crate) mod bytes;

#[cfg(test)]
mod tests;

/// Returns true if this version is HTTP/1.1 or later.
#[inline]
pub(crate) fn is_11(version: &str) -> bool {
    // The common case takes a single comparison.
    matches!(version, "HTTP/1.1") || version >= "HTTP/1.1"
}

/// A rejected request: the status code of the response, after which the connection is closed, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status code of the response.
    pub(crate) code: u16,
    /// The reason, which fits into a reason phrase: printable ASCII, with at most a short part of the request.
    pub(crate) message: Cow<'static, str>,
}

impl Refusal {
    /// Returns a refusal with this status code and reason.
    pub(crate) fn new(code: u16, message: impl Into<Cow<'static, str>>) -> Self {
        Refusal {
            code,
            message: message.into(),
        }
    }

    /// Returns a refusal with 400: the bytes are not a request, or are ambiguous.
    #[cold]
    pub(crate) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Refusal::new(400, message)
    }
}

/// The limits of a head. Lengths are in bytes and include the line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadLimits {
    /// The length of the request line; a longer one is rejected with 414.
    pub(crate) request_line: usize,
    /// The length of one field line; a longer one is rejected with 431.
    pub(crate) field_line: usize,
    /// The number of field lines; more are rejected with 431.
    pub(crate) fields: usize,
    /// The length of the head, from the request line to the blank line; a longer one is rejected with 431.
    pub(crate) head: usize,
    /// The number of empty lines before the request line; more are rejected with 400.
    pub(crate) empty_lines: usize,
}

impl HeadLimits {
    /// Returns the smallest of the limits. A head of at most this length exceeds none of them.
    fn shortest(&self) -> usize {
        self.request_line.min(self.field_line).min(self.head)
    }
}

impl Default for HeadLimits {
    fn default() -> Self {
        HeadLimits {
            request_line: 65_536,
            field_line: 65_536,
            fields: 100,
            head: 262_144,
            empty_lines: 4,
        }
    }
}
