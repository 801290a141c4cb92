//! [`Headers`]: the header fields of a request.

use std::borrow::Cow;
use std::fmt;

use crate::http1::head::FieldLines;

/// The header fields of a request, in the order in which the client sent them: Python's `self.headers`.
///
/// Names are case-insensitive. Values are text: bytes beyond ASCII are read as Latin-1 (RFC 9110, section 5.5).
/// [`get_bytes`](Self::get_bytes) returns the bytes of a value.
///
/// ```
/// use servette::{Exchange, Status, handler_fn, respond};
///
/// let handler = handler_fn(|_, x| {
///     assert_eq!(x.headers.get("x-one"), Some("1"));
///     assert_eq!(x.headers.get_all("X-Two").collect::<Vec<_>>(), ["2", "\u{e9}"]);
///     assert_eq!(x.headers.iter().count(), 3);
///     x.send_error(Status::GONE)
/// });
/// let answer = respond(&handler, b"GET / HTTP/1.0\r\nX-One: 1\r\nX-Two: 2\r\nX-Two: \xe9\r\n\r\n");
/// assert!(answer.starts_with(b"HTTP/1.0 410 Gone\r\n"));
/// ```
#[derive(Clone, Copy)]
#[doc(alias = "MessageClass")]
pub struct Headers<'a>(FieldLines<'a>);

impl<'a> Headers<'a> {
    pub(crate) fn new(fields: FieldLines<'a>) -> Self {
        Headers(fields)
    }

    /// Returns the value of the first field of this name; `None` if there is none.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.get_all(name).next()
    }

    /// Returns the values of all fields of this name.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.values(name)
    }

    /// Returns the bytes of the value of the first field of this name; `None` if there is none.
    pub fn get_bytes(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.get(name).map(|value| match value.is_ascii() {
            true => Cow::Borrowed(value.as_bytes()),
            // The first 256 characters of Unicode are those of Latin-1.
            false => Cow::Owned(value.chars().map(|c| c as u32 as u8).collect()),
        })
    }

    /// Returns names and values of the fields whose names have one of these lengths. Bit `n` of `lengths` stands for
    /// the length `n`, up to 63.
    pub(crate) fn of_lengths(&self, lengths: u64) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.of_lengths(lengths)
    }

    /// Returns the names and values of all fields.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter()
    }

    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
