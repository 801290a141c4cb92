//! The head of a request: [`find`] searches for its end, and [`parse`] parses it.
//!
//! Most heads are found and parsed at once ([`usual`]). All others are parsed after the search, so that a head is
//! parsed only once even if it arrives slowly.

use std::borrow::Cow;

use self::fields::Place;
pub(crate) use self::fields::{FieldLines, Places};
pub(crate) use self::scan::{Extent, Scan};
pub(crate) use self::usual::Usual;
use super::framing::{self, BodyLength, Meta};
use super::target::{self, Target};
use super::{HeadLimits, Refusal};

mod fields;
mod request_line;
mod scan;
#[cfg(test)]
mod tests;
mod usual;

/// Returns the text of a head: `bytes` themselves if they are ASCII, otherwise converted from Latin-1 in `scratch`.
pub(crate) fn text<'a>(bytes: &'a [u8], scratch: &'a mut String) -> &'a str {
    match str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text,
        _ => from_latin1(bytes, scratch),
    }
}

#[cold]
fn from_latin1<'a>(bytes: &[u8], scratch: &'a mut String) -> &'a str {
    scratch.clear();
    scratch.extend(bytes.iter().copied().map(char::from));
    scratch
}

/// The versions of HTTP that the server supports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1, and every later minor version, which is compatible (RFC 9110, section 2.5).
    Http11,
}

/// The parts of a request's head.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    /// The request line without its line end.
    pub(crate) requestline: &'a str,
    /// The method.
    pub(crate) command: &'a str,
    /// The target of the request.
    pub(crate) target: Target<'a>,
    /// The version as the client sent it.
    pub(crate) request_version: &'a str,
    /// The version whose rules apply to the request.
    pub(crate) version: Version,
    /// All field lines in their order.
    pub(crate) fields: FieldLines<'a>,
    /// The facts about the body and the connection.
    pub(crate) meta: Meta,
}

impl<'a> Head<'a> {
    /// Returns the head of a rejected request, of which only the request line is known.
    pub(crate) fn refused(requestline: &'a str) -> Self {
        Head {
            requestline,
            command: "",
            target: Target {
                path: Cow::Borrowed(""),
                authority: None,
            },
            request_version: "",
            version: Version::Http11,
            fields: FieldLines::NONE,
            meta: Meta {
                body: BodyLength::Exact(0),
                keep_alive: false,
                expects_continue: false,
            },
        }
    }
}

/// A complete head.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// The head is parsed already.
    Usual(Usual),
    Other(Extent),
}

impl Found {
    pub(crate) fn extent(&self) -> Extent {
        match self {
            Found::Usual(usual) => Extent {
                start: 0,
                end: usual.end,
            },
            Found::Other(extent) => *extent,
        }
    }
}

/// Searches for the end of the head in all bytes received so far, as [`Scan::find`] does. Returns `None` if more bytes
/// are needed. For a usual head, the positions of its fields are in `places` until the next search.
pub(crate) fn find(
    input: &[u8],
    scan: &mut Scan,
    places: &mut Places,
    limits: &HeadLimits,
) -> Result<Option<Found>, Refusal> {
    if scan.is_new()
        && let Some(usual) = usual::find(input, places, limits)
    {
        return Ok(Some(Found::Usual(usual)));
    }
    Ok(scan.find(input, limits)?.map(Found::Other))
}

/// Parses `bytes`, which are exactly one head, from the request line to the blank line. A head that is not ASCII is
/// converted from Latin-1 in `scratch`.
///
/// Errors of the request line have Python's words. Of several errors the first in this order is reported: version,
/// syntax, target, field lines, framing.
pub(crate) fn parse<'a>(
    bytes: &'a [u8],
    found: &Found,
    scratch: &'a mut String,
    places: &'a mut Places,
    limits: &HeadLimits,
) -> Result<Head<'a>, Refusal> {
    match found {
        Found::Usual(usual) => Ok(usual.head(bytes, places)),
        Found::Other(_) => any(text(bytes, scratch), places, limits),
    }
}

/// Parses a head without searching for it before.
#[cfg(any(test, feature = "_internals"))]
pub(crate) fn parse_whole<'a>(
    bytes: &'a [u8],
    scratch: &'a mut String,
    places: &'a mut Places,
    limits: &HeadLimits,
) -> Result<Head<'a>, Refusal> {
    let usual = usual::find(bytes, places, limits).filter(|usual| usual.end == bytes.len());
    let found = usual.map_or(Found::Other(Extent::default()), Found::Usual);
    parse(bytes, &found, scratch, places, limits)
}

/// Parses any head, line by line, and reports its errors.
#[cold]
fn any<'a>(
    text: &'a str,
    places: &'a mut Places,
    limits: &HeadLimits,
) -> Result<Head<'a>, Refusal> {
    let (requestline, rest) = split_first_line(text);
    let line = request_line::parse(requestline)?;
    let target = target::parse(line.command, line.target)?;
    place_fields(text, rest, places, limits)?;
    let fields = places.of(text);
    let meta = framing::read(line.version, fields)?;
    Ok(Head {
        requestline,
        command: line.command,
        target,
        request_version: line.request_version,
        version: line.version,
        fields,
        meta,
    })
}

/// Returns the fields of a head, whatever its request line is.
#[cfg(test)]
pub(crate) fn lines_of<'a>(
    text: &'a str,
    places: &'a mut Places,
) -> Result<FieldLines<'a>, Refusal> {
    let (_, lines) = split_first_line(text);
    place_fields(text, lines, places, &HeadLimits::default())?;
    Ok(places.of(text))
}

/// Returns the first line of `text` without its line end, for the log of a rejected head.
pub(crate) fn first_line(text: &str) -> &str {
    split_first_line(text).0
}

fn split_first_line(text: &str) -> (&str, &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line), rest)
}

/// Parses the field lines, including the blank line: the rest of `text`.
fn place_fields(
    text: &str,
    lines: &str,
    places: &mut Places,
    limits: &HeadLimits,
) -> Result<(), Refusal> {
    let line_count = lines.bytes().filter(|&byte| byte == b'\n').count();
    places.clear();
    let mut slots = vec![httparse::EMPTY_HEADER; line_count.min(limits.fields)];
    let fields = match httparse::parse_headers(lines.as_bytes(), &mut slots) {
        Ok(httparse::Status::Complete((length, fields))) if length == lines.len() => fields,
        // `Scan` found another end. The end of the head must be certain.
        Ok(_) => return Err(Refusal::bad_request("Bad end of head")),
        Err(error) => return Err(bad_field(error)),
    };
    let place = |part: &[u8]| {
        let start = part.as_ptr().addr() - text.as_ptr().addr();
        (start, start + part.len())
    };
    for field in fields {
        // An empty value may point outside of the text.
        let value = match field.value {
            [] => (0, 0),
            value => place(value),
        };
        places.push(Place {
            name: place(field.name.as_bytes()),
            value,
        });
    }
    Ok(())
}

#[cold]
fn bad_field(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => too_many_fields(),
        httparse::Error::HeaderName => Refusal::bad_request("Bad header name"),
        httparse::Error::HeaderValue => Refusal::bad_request("Bad header value"),
        _ => Refusal::bad_request("Bad header line"),
    }
}

#[cold]
fn too_many_fields() -> Refusal {
    Refusal::new(431, "Too many headers")
}
