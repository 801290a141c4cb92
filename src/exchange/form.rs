//! [`Form`] and [`Pairs`]: names and values in the format `application/x-www-form-urlencoded`, from a query or a body.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::Exchange;
use crate::{Result, Status};

/// An HTML form in the format `application/x-www-form-urlencoded`; returned by [`Exchange::read_form`].
///
/// ```
/// use servette::{Status, handler_fn, respond};
///
/// let handler = handler_fn(|_, x| {
///     let form = x.read_form(10_000)?; // at most 10,000 bytes
///     let name = form.value("name").ok_or(Status::BAD_REQUEST)?;
///     x.send_content(Status::OK, "text/plain", format!("{name}, {} fields", form.pairs().count()))
/// });
/// let request = "POST / HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\n\
///     Content-Length: 21\r\n\r\nname=Ada+L.&born=1815";
/// assert!(respond(&handler, request).ends_with(b"\r\n\r\nAda L., 2 fields"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(String);

impl Form {
    /// Returns all names and values, decoded, in their order.
    pub fn pairs(&self) -> Pairs<'_> {
        Pairs::of(&self.0)
    }

    /// Returns the first value of this name, decoded; `None` if there is none.
    pub fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        first(self.pairs(), name)
    }
}

impl Exchange<'_> {
    /// Reads the body of the request as a form (`application/x-www-form-urlencoded`) of at most `limit` bytes.
    ///
    /// ```
    /// use servette::{Status, handler_fn, respond};
    ///
    /// let handler = handler_fn(|_, x| {
    ///     let form = x.read_form(10_000)?;
    ///     let title = form.value("title").ok_or(Status::BAD_REQUEST)?;
    ///     x.send_content(Status::OK, "text/plain", title.as_bytes())
    /// });
    /// let request = "POST / HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\n\
    ///     Content-Length: 14\r\n\r\ntitle=two+eggs";
    /// assert!(respond(&handler, request).ends_with(b"two eggs"));
    /// ```
    ///
    /// # Errors
    /// 415 if the `Content-Type` of the request is another one, 413 if the body is longer than `limit`, and errors of
    /// reading `rfile`.
    pub fn read_form(&mut self, limit: u64) -> Result<Form> {
        let media_type = self.media_type();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let status = Status::UNSUPPORTED_MEDIA_TYPE;
            let explain =
                "The body must be a form (Content-Type: application/x-www-form-urlencoded)";
            return Err(status.with_explain(explain).into());
        }
        // Bytes that are not UTF-8 are decoded as browsers do.
        let bytes = self.rfile.read_up_to(limit)?;
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Ok(Form(text))
    }

    /// Returns the media type of the request without parameters; empty if there is none.
    pub(super) fn media_type(&self) -> &str {
        let content_type = self.headers.get("Content-Type").unwrap_or_default();
        content_type.split(';').next().unwrap_or_default().trim()
    }
}

/// An iterator over the names and values of a form or a query, decoded.
///
/// A plus sign becomes a space. A percent sign without two hexadecimal digits is kept. Bytes that are not UTF-8 become
/// U+FFFD. Browsers do the same (URL standard, section 5.1).
///
/// ```
/// use servette::{Status, handler_fn, respond};
///
/// let handler = handler_fn(|_, x| {
///     let target = x.target()?;
///     let pairs = target.query_pairs().map(|(name, value)| format!("{name} is {value}\n"));
///     x.send_content(Status::OK, "text/plain", pairs.collect::<String>())
/// });
/// let response = respond(&handler, "GET /?a=1&b=two%20eggs HTTP/1.0\r\n\r\n");
/// assert!(response.ends_with(b"\r\n\r\na is 1\nb is two eggs\n"));
/// ```
#[derive(Clone, Debug)]
pub struct Pairs<'a>(&'a str);

impl<'a> Pairs<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Pairs(text)
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = next_raw(&mut self.0)?;
        Some((decode(name), decode(value)))
    }
}

/// Returns the next pair that is not empty, as the client sent it.
fn next_raw<'a>(rest: &mut &'a str) -> Option<(&'a str, &'a str)> {
    while !rest.is_empty() {
        let (pair, behind) = rest.split_once('&').unwrap_or((rest, ""));
        *rest = behind;
        if !pair.is_empty() {
            return Some(pair.split_once('=').unwrap_or((pair, "")));
        }
    }
    None
}

/// Returns the first value of this name. Values of other names are not decoded.
pub(super) fn first<'a>(pairs: Pairs<'a>, name: &str) -> Option<Cow<'a, str>> {
    let Pairs(mut rest) = pairs;
    while let Some((of_pair, value)) = next_raw(&mut rest) {
        if decode(of_pair) == name {
            return Some(decode(value));
        }
    }
    None
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('+') {
        return percent_decode_str(text).decode_utf8_lossy();
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8_lossy().into_owned();
    decoded.into()
}
