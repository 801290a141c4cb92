//! The head of a request: where it ends ([`Scan`]), and what it says ([`parse`]).
//!
//! The two are apart so that a head is parsed once, when it is complete, however slowly it came.

use std::io::BufRead as _;

use httparse::Header;

use super::framing::{self, Meta};
use super::target::{self, Target};
use super::{HeadLimits, Refusal};

mod request_line;
#[cfg(test)]
mod tests;

/// How far the search for the end of a head has come.
///
/// One value serves one head. Feed it the same buffer again each time it has grown: what was seen
/// is not looked at again, and the outcome does not depend on how the bytes were split over reads.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {
    /// Where the request line starts, as far as known: past the empty lines.
    start: usize,
    /// Where the current line starts.
    line: usize,
    /// Up to here there is no line feed in the current line.
    seen: usize,
    empty_lines: usize,
    /// The field lines that are complete; `None` before the end of the request line.
    fields: Option<usize>,
    /// The request line of a head that is not complete was looked at.
    is_line_checked: bool,
}

/// Where a head stands in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first byte of the request line; empty lines before it are skipped.
    pub(crate) start: usize,
    /// One past the blank line that ends the head.
    pub(crate) end: usize,
}

impl Scan {
    /// Look for the end of the head in all bytes received so far; `None` means that more are
    /// needed.
    ///
    /// The limits also hold for a head that is not complete yet. After a refusal or an extent the
    /// search is over; the next head needs a new `Scan`.
    pub(crate) fn find(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<Extent>, Refusal> {
        while let Some(end) = line_end(input, self.seen) {
            self.check_line(input, end, limits)?;
            let is_blank = matches!(input.get(self.line..end), Some(b"\n" | b"\r\n"));
            if is_blank && self.fields.is_some() {
                return Ok(Some(Extent {
                    start: self.start,
                    end,
                }));
            }
            self.next_line(end, is_blank, limits)?;
        }
        self.check_line(input, input.len(), limits)?;
        self.seen = input.len();
        Ok(None)
    }
    /// Where the request line stands, once it is complete.
    pub(crate) fn request_line(&self, input: &[u8]) -> Option<Extent> {
        self.fields?;
        let end = line_end(input, self.start)?;
        Some(Extent {
            start: self.start,
            end,
        })
    }

    /// Refuse a request line that [`parse`] would refuse, though the head is not complete: who speaks
    /// HTTP/0.9 sends no more. To be called after each [`find`](Self::find) without an extent, so that
    /// what is wrong with the request line is said first, however the bytes were split.
    #[cold]
    pub(crate) fn check_request_line(&mut self, input: &[u8]) -> Result<(), Refusal> {
        if self.is_line_checked {
            return Ok(());
        }
        let Some(Extent { start, end }) = self.request_line(input) else {
            return Ok(());
        };
        self.is_line_checked = true;
        let mut scratch = String::new();
        let bytes = input.get(start..end).unwrap_or_default();
        let line = request_line::parse(first_line(text(bytes, &mut scratch)))?;
        target::parse(line.command, line.target).map(drop)
    }

    /// Refuse the line that reaches up to `end`, complete or not, if it cannot be part of a head.
    fn check_line(&self, input: &[u8], end: usize, limits: &HeadLimits) -> Result<(), Refusal> {
        let in_request_line = self.fields.is_none();
        if in_request_line && input.get(self.line).is_some_and(|&byte| is_foreign(byte)) {
            // A TLS handshake need not have a line feed in it, so it must not be waited for.
            return Err(Refusal::bad_request("Bad request syntax"));
        }
        let line_limit = if in_request_line {
            limits.request_line
        } else {
            limits.field_line
        };
        let line_length = end.saturating_sub(self.line);
        let head_length = end.saturating_sub(self.start);
        if line_length <= line_limit && head_length <= limits.head {
            return Ok(());
        }
        // The limit that was passed first counts, or the answer would depend on the reads.
        let head_first =
            head_length.saturating_sub(limits.head) > line_length.saturating_sub(line_limit);
        Err(match (head_first, in_request_line) {
            (true, _) => Refusal::new(431, "Head too long"),
            (false, true) => Refusal::new(414, "URI Too Long"),
            (false, false) => Refusal::new(431, "Line too long"),
        })
    }

    /// Go on behind a complete line that does not end the head.
    fn next_line(
        &mut self,
        end: usize,
        is_blank: bool,
        limits: &HeadLimits,
    ) -> Result<(), Refusal> {
        if is_blank {
            if self.empty_lines >= limits.empty_lines {
                return Err(Refusal::bad_request("Too many empty lines"));
            }
            self.empty_lines += 1;
            self.start = end;
        } else {
            let fields = self.fields.map_or(0, |fields| fields + 1);
            if fields > limits.fields {
                return Err(too_many_fields());
            }
            self.fields = Some(fields);
        }
        self.line = end;
        self.seen = end;
        Ok(())
    }
}

/// One past the first line feed at or after `from`.
fn line_end(input: &[u8], from: usize) -> Option<usize> {
    let unseen = input.get(from..)?;
    // Through BufRead, std searches with the memchr of the platform, which a loop cannot match.
    let mut rest = unseen;
    let length = rest.skip_until(b'\n').ok()?;
    (unseen.get(..length)?.last() == Some(&b'\n')).then_some(from + length)
}

/// Whether a first byte shows that this is another protocol: a control or an 8-bit byte.
fn is_foreign(byte: u8) -> bool {
    !matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')
}

#[cold]
fn too_many_fields() -> Refusal {
    Refusal::new(431, "Too many headers")
}

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
    few: [Header<'a>; FEW],
    /// Grows only if `few` does not suffice.
    many: Vec<Header<'a>>,
}

impl FieldSlots<'_> {
    /// Room without fields.
    pub(crate) fn new() -> Self {
        FieldSlots {
            few: [httparse::EMPTY_HEADER; FEW],
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

/// Parse `text`, which is exactly one head from its request line to its blank line, as found by
/// [`Scan::find`].
///
/// What is wrong with the request line is said in Python's words; of several faults the first is
/// reported: version, syntax, target, field lines, framing.
pub(crate) fn parse<'a>(
    text: &'a str,
    slots: &'a mut FieldSlots<'a>,
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
    slots: &'a mut FieldSlots<'a>,
    limits: &HeadLimits,
) -> Result<&'a [Header<'a>], Refusal> {
    let FieldSlots { few, many } = slots;
    let mut parsed = httparse::parse_headers(lines, few);
    if parsed == Err(httparse::Error::TooManyHeaders) {
        let line_count = lines.iter().filter(|&&byte| byte == b'\n').count();
        many.resize(line_count.min(limits.fields), httparse::EMPTY_HEADER);
        parsed = httparse::parse_headers(lines, many);
    }
    match parsed {
        Ok(httparse::Status::Complete((_, fields))) if fields.len() > limits.fields => {
            Err(too_many_fields())
        }
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
