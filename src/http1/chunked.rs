//! A decoder of the chunked transfer coding (RFC 9112, section 7.1).
//!
//! The decoder reads the framing only and returns the position of data, so no data is copied. Lines end with CR LF
//! only, and a size has hexadecimal digits only. Parsers differ about these points, and such a difference allows
//! request smuggling.

use httparse::Status;

use super::Refusal;

/// The limits on the framing of a chunked body. Anything beyond them is rejected with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkLimits {
    /// Bytes of one size line, including extensions and line end.
    pub(crate) line: usize,
    /// Digits of one size.
    pub(crate) digits: usize,
    /// Bytes of all extensions in a body.
    pub(crate) extensions: usize,
    /// Bytes of the trailer fields, including line ends.
    pub(crate) trailers: usize,
    /// The number of trailer fields.
    pub(crate) trailer_fields: usize,
}

impl Default for ChunkLimits {
    fn default() -> Self {
        ChunkLimits {
            line: 1024,
            digits: 16,
            extensions: 16_384,
            trailers: 16_384,
            trailer_fields: 100,
        }
    }
}

/// The next part of a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// All input was framing, and more input is needed.
    More,
    /// This many bytes of data, which the caller consumes with [`Decoder::take`].
    Data(usize),
    /// The end of the body and its trailers.
    End,
}

/// The state of a chunked body. Extensions and trailers are checked and ignored.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    limits: ChunkLimits,
    state: State,
    /// Bytes of the current size line.
    line: usize,
    /// Bytes of all extensions so far.
    extensions: usize,
    /// The trailer lines so far, and their number.
    trailers: Vec<u8>,
    trailer_fields: usize,
}

#[derive(Clone, Debug)]
enum State {
    /// In a size, with the number of digits and the value so far.
    Size {
        digits: usize,
        size: u64,
    },
    /// In the extensions after a size.
    Extension {
        size: u64,
    },
    /// After the CR of a size line.
    SizeLineFeed {
        size: u64,
    },
    /// In the data of a chunk, of which `left` bytes remain, at least one.
    Data {
        left: u64,
    },
    /// After the data of a chunk.
    DataEnd,
    /// After the CR that follows the data of a chunk.
    DataLineFeed,
    /// At the start of a trailer line, or of the empty line after the trailers.
    TrailerStart,
    /// In a trailer line.
    Trailer,
    /// After the CR of the empty line.
    LastLineFeed,
    End,
    Failed(Refusal),
}

/// Before the first digit of a size.
const SIZE_START: State = State::Size { digits: 0, size: 0 };

impl Decoder {
    /// Returns a decoder at the start of a body.
    pub(crate) fn new(limits: ChunkLimits) -> Self {
        Decoder {
            limits,
            state: SIZE_START,
            line: 0,
            extensions: 0,
            trailers: Vec::new(),
            trailer_fields: 0,
        }
    }

    /// Consumes the framing at the start of `input`, and returns its length and the part that follows.
    ///
    /// `Data(n)` has at least one byte, and at most the rest of `input`. After the end or a refusal it consumes nothing
    /// more and returns the same result. Bytes after the end belong to the next request.
    pub(crate) fn next(&mut self, input: &[u8]) -> Result<(usize, Piece), Refusal> {
        let mut bytes = input.iter();
        loop {
            let consumed = input.len().saturating_sub(bytes.len());
            match &self.state {
                State::Data { left } if bytes.len() > 0 => {
                    let left = usize::try_from(*left).unwrap_or(usize::MAX);
                    return Ok((consumed, Piece::Data(left.min(bytes.len()))));
                }
                State::Data { .. } => return Ok((consumed, Piece::More)),
                State::End => return Ok((consumed, Piece::End)),
                State::Failed(refusal) => return Err(refusal.clone()),
                _ => {}
            }
            let Some(&byte) = bytes.next() else {
                return Ok((consumed, Piece::More));
            };
            self.state = self.step(byte).unwrap_or_else(State::Failed);
        }
    }

    /// Consumes `n` bytes of data, at most [`pending`](Self::pending).
    pub(crate) fn take(&mut self, n: usize) {
        if let State::Data { left } = &mut self.state {
            *left = left.saturating_sub(u64::try_from(n).unwrap_or(u64::MAX));
            if *left == 0 {
                self.state = State::DataEnd;
            }
        }
    }

    /// Returns the number of bytes that remain in the current chunk; 0 between chunks. A reader may receive them
    /// directly into the caller's buffer.
    pub(crate) fn pending(&self) -> u64 {
        match self.state {
            State::Data { left } => left,
            _ => 0,
        }
    }

    /// Returns the state after one more byte of framing.
    fn step(&mut self, byte: u8) -> Result<State, Refusal> {
        match (&self.state, byte) {
            (&State::Size { digits, size }, _) => self.in_size(digits, size, byte),
            (&State::Extension { size }, _) => self.in_extension(size, byte),
            (State::SizeLineFeed { size: 0 }, b'\n') => Ok(State::TrailerStart),
            (&State::SizeLineFeed { size: left }, b'\n') => Ok(State::Data { left }),
            (State::DataEnd, b'\r') => Ok(State::DataLineFeed),
            (State::DataLineFeed, b'\n') => {
                self.line = 0;
                Ok(SIZE_START)
            }
            (State::TrailerStart, b'\r') => Ok(State::LastLineFeed),
            (State::TrailerStart | State::Trailer, _) => self.in_trailer(byte),
            (State::LastLineFeed, b'\n') => self.end(),
            _ => Err(Refusal::bad_request("Bad line end in a chunked body")),
        }
    }

    fn in_size(&mut self, digits: usize, size: u64, byte: u8) -> Result<State, Refusal> {
        self.count_line_byte()?;
        match (byte, hex_digit(byte)) {
            (_, Some(digit)) if digits < self.limits.digits => {
                let size = size
                    .checked_mul(16)
                    .and_then(|size| size.checked_add(digit));
                let size = size.ok_or_else(bad_size)?;
                Ok(State::Size {
                    digits: digits + 1,
                    size,
                })
            }
            (b'\r', _) if digits > 0 => Ok(State::SizeLineFeed { size }),
            (b';', _) if digits > 0 => self.count_extension_byte(size),
            _ => Err(bad_size()),
        }
    }

    fn in_extension(&mut self, size: u64, byte: u8) -> Result<State, Refusal> {
        self.count_line_byte()?;
        match byte {
            b'\r' => Ok(State::SizeLineFeed { size }),
            b'\t' | b' '..=b'~' | 0x80.. => self.count_extension_byte(size),
            _ => Err(Refusal::bad_request("Bad chunk extension")),
        }
    }

    fn count_line_byte(&mut self) -> Result<(), Refusal> {
        self.line += 1;
        // The line feed is not counted yet, but will follow.
        match self.line < self.limits.line {
            true => Ok(()),
            false => Err(Refusal::bad_request("Chunk size line too long")),
        }
    }

    fn count_extension_byte(&mut self, size: u64) -> Result<State, Refusal> {
        self.extensions += 1;
        match self.extensions <= self.limits.extensions {
            true => Ok(State::Extension { size }),
            false => Err(Refusal::bad_request("Too many chunk extensions")),
        }
    }

    fn in_trailer(&mut self, byte: u8) -> Result<State, Refusal> {
        if self.trailers.len() >= self.limits.trailers {
            return Err(Refusal::bad_request("Trailers too long"));
        }
        self.trailers.push(byte);
        if byte != b'\n' {
            return Ok(State::Trailer);
        }
        self.trailer_fields += 1;
        if !self.trailers.ends_with(b"\r\n") {
            Err(bad_trailer())
        } else if self.trailer_fields > self.limits.trailer_fields {
            Err(Refusal::bad_request("Too many trailers"))
        } else {
            Ok(State::TrailerStart)
        }
    }

    /// Checks the grammar of the trailers, and ignores them.
    fn end(&mut self) -> Result<State, Refusal> {
        let mut lines = std::mem::take(&mut self.trailers);
        if lines.is_empty() {
            return Ok(State::End);
        }
        lines.extend_from_slice(b"\r\n");
        let mut slots = vec![httparse::EMPTY_HEADER; self.trailer_fields];
        match httparse::parse_headers(&lines, &mut slots) {
            Ok(Status::Complete((length, _))) if length == lines.len() => Ok(State::End),
            _ => Err(bad_trailer()),
        }
    }
}

#[cold]
fn bad_size() -> Refusal {
    Refusal::bad_request("Bad chunk size")
}

#[cold]
fn bad_trailer() -> Refusal {
    Refusal::bad_request("Bad trailer")
}

fn hex_digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

#[cfg(test)]
mod tests;
