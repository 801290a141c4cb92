//! The head of a request: where it ends ([`Scan`]), and what it says ([`parse`]).
//!
//! The two are apart so that a head is parsed once, when it is complete, however slowly it came.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use httparse::Header;

pub(crate) use self::scan::{Extent, Scan};
use super::framing::{self, BodyLength, Meta};
use super::target::{self, Target};
use super::{HeadLimits, Refusal};

mod request_line;
mod scan;
#[cfg(test)]
mod tests;

/// The text of a head: `bytes` themselves if they are ASCII, else transcoded from Latin-1 into
/// `scratch`.
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

/// The versions of HTTP that are served.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Version {
    /// `HTTP/1.0`
    Http10,
    /// `HTTP/1.1`, and each later minor version, which is compatible with it (RFC 9110, 2.5).
    Http11,
}

/// As many fields as are parsed without an allocation; browsers send less.
const FEW: usize = 32;

/// Room for the parsed fields of one head, on the stack in the common case.
#[derive(Debug)]
pub(crate) struct FieldSlots<'a> {
    few: [MaybeUninit<Header<'a>>; FEW],
    /// Grows only if `few` does not suffice.
    many: Vec<Header<'a>>,
}

impl FieldSlots<'_> {
    /// Room without fields.
    #[inline]
    pub(crate) fn new() -> Self {
        FieldSlots {
            few: [const { MaybeUninit::uninit() }; FEW],
            many: Vec::new(),
        }
    }
}

/// A request as its head tells it.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    /// The request line without its line end.
    pub(crate) requestline: &'a str,
    /// The method.
    pub(crate) command: &'a str,
    /// What the request asks for.
    pub(crate) target: Target<'a>,
    /// The version as it was sent.
    pub(crate) request_version: &'a str,
    /// The version by whose rules the request is served.
    pub(crate) version: Version,
    /// All field lines in their order.
    pub(crate) fields: &'a [Header<'a>],
    /// What the fields say about the body and the connection.
    pub(crate) meta: Meta,
}

impl<'a> Head<'a> {
    /// Of a request that is refused nothing is known but its line.
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
            fields: &[],
            meta: Meta {
                body: BodyLength::Exact(0),
                keep_alive: false,
                expects_continue: false,
            },
        }
    }
}

/// Parse `bytes`, which are exactly one head from its request line to its blank line, as found by
/// [`Scan::find`]. A head that is not ASCII is transcoded from Latin-1 into `scratch`.
///
/// What is wrong with the request line is said in Python's words; of several faults the first is
/// reported: version, syntax, target, field lines, framing.
pub(crate) fn parse<'a>(
    bytes: &'a [u8],
    scratch: &'a mut String,
    slots: &'a mut FieldSlots<'a>,
    limits: &HeadLimits,
) -> Result<Head<'a>, Refusal> {
    let FieldSlots { few, many } = slots;
    match usual(bytes, few, limits) {
        Some(head) => head,
        None => any(text(bytes, scratch), many, limits),
    }
}

/// Parse a head as most are: ASCII, of HTTP/1.0 or 1.1, its target in origin-form, with not too many
/// fields. `None` if it is another one, or something is wrong with it: [`any`] says what.
fn usual<'a>(
    bytes: &'a [u8],
    slots: &'a mut [MaybeUninit<Header<'a>>],
    limits: &HeadLimits,
) -> Option<Result<Head<'a>, Refusal>> {
    // The parser passes over empty lines and takes 8-bit bytes.
    if !bytes.is_ascii() || !bytes.first()?.is_ascii_graphic() {
        return None;
    }
    let mut parsed = httparse::Request::new(&mut []);
    let length = parsed.parse_with_uninit_headers(bytes, slots).ok()?;
    let fields: &'a [Header<'a>] = parsed.headers;
    let is_whole = length == httparse::Status::Complete(bytes.len());
    let (command, path) = (parsed.method?, parsed.path?);
    let is_origin_form =
        matches!(path.as_bytes(), [b'/'] | [b'/', b'\x21'..=b'\x2e' | b'\x30'.., ..]);
    if !is_whole || !is_origin_form || command == "CONNECT" || fields.len() > limits.fields {
        return None;
    }
    let (request_version, version) = match parsed.version? {
        0 => ("HTTP/1.0", Version::Http10),
        _ => ("HTTP/1.1", Version::Http11),
    };
    let line = command.len() + path.len() + request_version.len() + 2;
    let requestline = str::from_utf8(bytes.get(..line)?).ok()?;
    Some(framing::read(version, fields).map(|meta| Head {
        requestline,
        command,
        target: Target {
            path: Cow::Borrowed(path),
            authority: None,
        },
        request_version,
        version,
        fields,
        meta,
    }))
}

/// Parse any head, line by line, or say what is wrong with it.
#[cold]
fn any<'a>(
    text: &'a str,
    slots: &'a mut Vec<Header<'a>>,
    limits: &HeadLimits,
) -> Result<Head<'a>, Refusal> {
    let (requestline, rest) = split_first_line(text);
    let line = request_line::parse(requestline)?;
    let target = target::parse(line.command, line.target)?;
    let fields = parse_fields(rest.as_bytes(), slots, limits)?;
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

/// The first line of `text` without its line end, for the log of a refused head.
pub(crate) fn first_line(text: &str) -> &str {
    split_first_line(text).0
}

fn split_first_line(text: &str) -> (&str, &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line), rest)
}

/// Parse the field lines, the blank line included.
fn parse_fields<'a>(
    lines: &'a [u8],
    slots: &'a mut Vec<Header<'a>>,
    limits: &HeadLimits,
) -> Result<&'a [Header<'a>], Refusal> {
    let line_count = lines.iter().filter(|&&byte| byte == b'\n').count();
    slots.resize(line_count.min(limits.fields), httparse::EMPTY_HEADER);
    match httparse::parse_headers(lines, slots) {
        Ok(httparse::Status::Complete((length, fields))) if length == lines.len() => Ok(fields),
        // Not what Scan has found: the end of the head must be certain.
        Ok(_) => Err(Refusal::bad_request("Bad end of head")),
        Err(error) => Err(bad_field(error)),
    }
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
