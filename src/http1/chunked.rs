//! The chunked transfer coding, read (RFC 9112, 7.1).
//!
//! The decoder touches the framing only and says where data stands, so data need not be copied.
//! Line ends are CR LF and nothing else, and a size is hexadecimal digits and nothing else: this
//! is where parsers differ, and where a difference lets a second request slip in.

use httparse::Status;

use super::Refusal;

/// How much framing a chunked body may have. All of it is refused with 400 when it is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkLimits {
    /// Bytes of one size line, its extensions and its line end included.
    pub(crate) line: usize,
    /// Digits of one size.
    pub(crate) digits: usize,
    /// Bytes of extensions in the whole body.
    pub(crate) extensions: usize,
    /// Bytes of trailer fields, their line ends included.
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

/// What stands next in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// All input was framing, and more input is needed.
    More,
    /// This many bytes of data, which are consumed through [`Decoder::take`].
    Data(usize),
    /// The body and its trailers are over.
    End,
}

/// The state of one chunked body. Extensions and trailers are checked and dropped.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    limits: ChunkLimits,
    state: State,
    /// Bytes of the current size line.
    line: usize,
    /// Bytes of all extensions so far.
    extensions: usize,
    /// The trailer lines so far, and how many they are.
    trailers: Vec<u8>,
    trailer_fields: usize,
}

#[derive(Clone, Debug)]
enum State {
    /// In a size, which has so many digits and this value so far.
    Size {
        digits: usize,
        size: u64,
    },
    /// In the extensions behind a size.
    Extension {
        size: u64,
    },
    /// Behind the CR of a size line.
    SizeLineFeed {
        size: u64,
    },
    /// In a chunk of which so many bytes are left, never none.
    Data {
        left: u64,
    },
    /// Behind the data of a chunk.
    DataEnd,
    /// Behind the CR after the data of a chunk.
    DataLineFeed,
    /// At the start of a trailer line, or of the empty line behind the trailers.
    TrailerStart,
    /// In a trailer line.
    Trailer,
    /// Behind the CR of the empty line.
    LastLineFeed,
    End,
    Failed(Refusal),
}

/// Before the first digit of a size.
const SIZE_START: State = State::Size { digits: 0, size: 0 };

impl Decoder {
    /// A decoder at the start of a body.
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

    /// Consume the framing at the start of `input`: how many bytes it has, and what follows it.
    ///
    /// `Data(n)` has at least one byte and no more than `input` has behind the framing. At the
    /// end, and after a refusal, nothing is consumed any more and the answer stays the same; what
    /// follows the end belongs to the next request.
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

    /// Count `n` bytes of data as consumed; no more than [`pending`](Self::pending) are.
    pub(crate) fn take(&mut self, n: usize) {
        if let State::Data { left } = &mut self.state {
            *left = left.saturating_sub(u64::try_from(n).unwrap_or(u64::MAX));
            if *left == 0 {
                self.state = State::DataEnd;
            }
        }
    }

    /// How many bytes of the present chunk are still to come; none between chunks. A reader may
    /// receive that many directly where they are wanted.
    pub(crate) fn pending(&self) -> u64 {
        match self.state {
            State::Data { left } => left,
            _ => 0,
        }
    }

    /// The state after one more byte of framing.
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
        // The line feed is not counted, but there will be one.
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

    /// Check the grammar of the trailers, and drop them.
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
