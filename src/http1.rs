//! The message rules of HTTP/1.1 for a server that reads requests, without a socket or a clock:
//! bytes in, a value or a [`Refusal`] out, and "need more" is a value.
//!
//! The grammar is strict, so that a message has one reading: whatever two parsers could
//! understand differently (RFC 9112, 11.1 and 11.2) is refused and ends the connection. To read in
//! this order: [`head`] finds and parses a head, [`target`] and [`host`] check what it asks for,
//! [`framing`] says where the body ends, and [`chunked`] takes a chunked body apart.

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

/// Whether a server that says this version speaks 1.1, or what comes after it.
#[inline]
pub(crate) fn is_11(version: &str) -> bool {
    // Most often it is this very one, which is told by one look.
    matches!(version, "HTTP/1.1") || version >= "HTTP/1.1"
}

/// A request that is refused: the status code to answer with before the connection is closed, and
/// what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status code of the answer.
    pub(crate) code: u16,
    /// What is wrong, fit for a reason phrase: printable ASCII, and never much of the request.
    pub(crate) message: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with this status code, for this reason.
    pub(crate) fn new(code: u16, message: impl Into<Cow<'static, str>>) -> Self {
        Refusal {
            code,
            message: message.into(),
        }
    }

    /// 400: the bytes are not a request, or could be read as more than one.
    #[cold]
    pub(crate) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Refusal::new(400, message)
    }
}

/// How large a head may be. Lengths are in bytes and include the line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadLimits {
    /// The request line; a longer one is refused with 414.
    pub(crate) request_line: usize,
    /// One field line; a longer one is refused with 431.
    pub(crate) field_line: usize,
    /// The number of field lines; one more is refused with 431.
    pub(crate) fields: usize,
    /// The whole head, from the request line to the blank line; a longer one is refused with 431.
    pub(crate) head: usize,
    /// The number of empty lines before the request line; one more is refused with 400.
    pub(crate) empty_lines: usize,
}

impl HeadLimits {
    /// Bytes that are within all limits, however they are divided into lines.
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
