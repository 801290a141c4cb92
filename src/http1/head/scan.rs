//! Where a head ends: the search for its blank line, as the bytes come in.

use super::{first_line, request_line, text, too_many_fields};
use crate::http1::bytes::line_end;
use crate::http1::{HeadLimits, Refusal, target};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first byte of the request line; empty lines before it are skipped.
    pub(crate) start: usize,
    /// One past the blank line that ends the head.
    pub(crate) end: usize,
}

impl Scan {
    /// Whether nothing was looked at yet.
    pub(super) fn is_new(&self) -> bool {
        self.seen == 0
    }

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
        let first = input.get(self.line).filter(|_| in_request_line);
        if let Some(&first) = first.filter(|&&byte| is_foreign(byte)) {
            // A TLS handshake need not have a line feed in it, so it must not be waited for.
            return Err(Refusal::bad_request(match first {
                HANDSHAKE => "TLS on a port that speaks plain HTTP",
                _ => "Bad request syntax",
            }));
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

/// The first byte of a client that speaks TLS.
const HANDSHAKE: u8 = 0x16;

/// Whether a first byte shows that this is another protocol: a control or an 8-bit byte.
fn is_foreign(byte: u8) -> bool {
    !matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')
}
