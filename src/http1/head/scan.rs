//! [`Scan`]: the search for the end of a head, while its bytes arrive.

use super::{first_line, request_line, text, too_many_fields};
use crate::http1::bytes::line_end;
use crate::http1::{HeadLimits, Refusal, target};

/// The state of the search for the end of a head.
///
/// One value serves one head. Call [`find`](Self::find) with the same buffer each time it has grown: bytes are searched
/// only once, and the result does not depend on how the bytes were split over reads.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {
    /// The start of the request line as far as known: after the empty lines.
    start: usize,
    /// The start of the current line.
    line: usize,
    /// The position up to which the current line has no line feed.
    seen: usize,
    empty_lines: usize,
    /// The number of complete field lines; `None` before the end of the request line.
    fields: Option<usize>,
    /// Whether the request line of an incomplete head was checked.
    is_line_checked: bool,
}

/// The position of a head in the buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first byte of the request line, after any empty lines.
    pub(crate) start: usize,
    /// The position after the blank line that ends the head.
    pub(crate) end: usize,
}

impl Scan {
    /// Returns true if the search has not started.
    pub(super) fn is_new(&self) -> bool {
        self.seen == 0
    }

    /// Searches for the end of the head in all bytes received so far. Returns `None` if more bytes are needed.
    ///
    /// The limits apply to incomplete heads too. After a refusal or a result the search is over; the next head needs a
    /// new `Scan`.
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

    /// Returns the position of the request line; `None` if it is incomplete.
    pub(crate) fn request_line(&self, input: &[u8]) -> Option<Extent> {
        self.fields?;
        let end = line_end(input, self.start)?;
        Some(Extent {
            start: self.start,
            end,
        })
    }

    /// Checks the request line of an incomplete head, as [`parse`] does. Otherwise the server would wait for more bytes
    /// of a client of HTTP/0.9, which sends none. Call it after each [`find`](Self::find) that returns `None`, so that
    /// an error of the request line is reported first, however the bytes were split.
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

    /// Rejects the line that ends at `end`, complete or not, if it can't be part of a head.
    fn check_line(&self, input: &[u8], end: usize, limits: &HeadLimits) -> Result<(), Refusal> {
        let in_request_line = self.fields.is_none();
        let first = input.get(self.line).filter(|_| in_request_line);
        if let Some(&first) = first.filter(|&&byte| is_foreign(byte)) {
            // A TLS handshake may have no line feed, so it is rejected at once.
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
        // The limit that was exceeded first is reported; otherwise the response would depend on the reads.
        let head_first =
            head_length.saturating_sub(limits.head) > line_length.saturating_sub(line_limit);
        Err(match (head_first, in_request_line) {
            (true, _) => Refusal::new(431, "Head too long"),
            (false, true) => Refusal::new(414, "URI Too Long"),
            (false, false) => Refusal::new(431, "Line too long"),
        })
    }

    /// Continues after a complete line that does not end the head.
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

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;

/// Returns true if the first byte belongs to another protocol: a control or an 8-bit byte.
fn is_foreign(byte: u8) -> bool {
    !matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')
}
