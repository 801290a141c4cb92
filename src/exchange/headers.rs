//! [`Headers`]: the fields of a request.

use std::borrow::Cow;
use std::fmt;

/// The fields of a request, in the order in which they came: Python's `self.headers`.
///
/// Names are compared without regard to case. Values are text; bytes beyond ASCII are read as Latin-1
/// (RFC 9110, 5.5), and [`get_bytes`](Self::get_bytes) has them as they came.
///
/// ```
/// use servette::{Exchange, Status, handler_fn, respond};
///
/// let handler = handler_fn(|h, x| {
///     assert_eq!(x.headers.get("x-one"), Some("1"));
///     assert_eq!(x.headers.get_all("X-Two").collect::<Vec<_>>(), ["2", "\u{e9}"]);
///     assert_eq!(x.headers.iter().count(), 3);
///     h.send_error(x, Status::GONE)
/// });
/// let answer = respond(&handler, b"GET / HTTP/1.0\r\nX-One: 1\r\nX-Two: 2\r\nX-Two: \xe9\r\n\r\n");
/// assert!(answer.starts_with(b"HTTP/1.0 410 Gone\r\n"));
/// ```
#[derive(Clone, Copy)]
#[doc(alias = "MessageClass")]
pub struct Headers<'a>(&'a [httparse::Header<'a>]);

impl<'a> Headers<'a> {
    pub(crate) fn new(fields: &'a [httparse::Header<'a>]) -> Self {
        Headers(fields)
    }

    /// The value of the first field of this name.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.get_all(name).next()
    }

    /// The values of all fields of this name.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| text(field.value))
    }

    /// The value of the first field of this name, byte for byte.
    pub fn get_bytes(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.get(name).map(|value| match value.is_ascii() {
            true => Cow::Borrowed(value.as_bytes()),
            // Latin-1 and the first 256 characters are the same numbers.
            false => Cow::Owned(value.chars().map(|c| c as u32 as u8).collect()),
        })
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().map(|field| (field.name, text(field.value)))
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A value was cut at ASCII characters out of a text, so it is one.
fn text(value: &[u8]) -> &str {
    std::str::from_utf8(value).unwrap_or_default()
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
