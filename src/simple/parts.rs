//! A response with several ranges of a file: `multipart/byteranges` (RFC 9110, 14.6). Its length is known before the
//! first byte is read.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};

use super::content::Content;
use super::ranges::ByteRange;

/// Several parts of a file, each after a few lines that describe it: the body of a response to a request for several
/// ranges.
///
/// ```
/// use servette::{SimpleHandler, respond};
///
/// let site = SimpleHandler::new(env!("CARGO_MANIFEST_DIR"));
/// let request = "GET /Cargo.toml HTTP/1.1\r\nHost: a\r\nRange: bytes=0-8, 500-529\r\n\r\n";
/// let response = String::from_utf8(respond(&site, request)).unwrap();
/// assert!(response.starts_with("HTTP/1.0 206 "));
/// assert!(response.contains("\r\nContent-type: multipart/byteranges; boundary="));
/// ```
#[derive(Debug)]
pub struct Parts(VecDeque<Content>);

/// The lines around the parts.
pub(super) struct Frames {
    boundary: String,
    /// The lines before each part, and the end.
    texts: Vec<String>,
}

impl Frames {
    /// Makes the lines. The first boundary is preceded by an empty line, too, as with nginx and Apache: zsync expects
    /// one, and repeats the request for ever without it.
    pub(super) fn new(ranges: &[ByteRange], size: u64, media_type: &str) -> Self {
        let boundary = new_boundary();
        let mut texts = Vec::with_capacity(ranges.len() + 1);
        for range in ranges {
            let range = range.of_size(size);
            texts.push(format!(
                "\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {range}\r\n\r\n"
            ));
        }
        texts.push(format!("\r\n--{boundary}--\r\n"));
        Frames { boundary, texts }
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// Returns the length of the body, with the parts.
    pub(super) fn length(&self, ranges: &[ByteRange]) -> u64 {
        let frames = self.texts.iter().map(|text| text.len() as u64);
        let parts = ranges.iter().map(ByteRange::length);
        frames.chain(parts).fold(0, u64::saturating_add)
    }

    pub(super) fn around(self, parts: impl Iterator<Item = Content>) -> Parts {
        let mut pieces = VecDeque::with_capacity(2 * self.texts.len());
        let mut parts = parts;
        for text in self.texts {
            pieces.push_back(Content::Page(io::Cursor::new(text.into_bytes())));
            pieces.extend(parts.next());
        }
        Parts(pieces)
    }
}

impl Parts {
    /// Returns the next piece: lines or a part.
    pub(super) fn next(&mut self) -> Option<Content> {
        self.0.pop_front()
    }
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(piece) = self.0.front_mut() {
            let count = piece.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            if let Content::File(file) = piece
                && file.remaining() > 0
            {
                // What follows would be taken for a part of the file.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.0.pop_front();
        }
        Ok(0)
    }
}

/// Returns 96 unpredictable bits as text, so that no file can contain them on purpose: two numbers hashed with the
/// random keys of the standard library's hash tables.
fn new_boundary() -> String {
    thread_local! {
        static KEYS: RandomState = RandomState::new();
        static USED: Cell<u64> = const { Cell::new(0) };
    }
    let number = USED.replace(USED.get().wrapping_add(1));
    let [first, second] = [0_u8, 1].map(|half| KEYS.with(|keys| keys.hash_one((number, half))));
    let mut text = String::with_capacity(24);
    // A `String` takes all that is written to it.
    let _ = write!(text, "{first:016x}{:08x}", second >> 32);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const RANGES: [ByteRange; 2] = [
        ByteRange { first: 0, last: 1 },
        ByteRange {
            first: 500,
            last: 509,
        },
    ];

    fn part(text: &str) -> Content {
        Content::Page(io::Cursor::new(text.into()))
    }

    #[test]
    fn parts_stand_between_their_frames_and_the_length_is_exact() {
        let frames = Frames::new(&RANGES, 1000, "text/plain");
        let (boundary, length) = (frames.boundary.clone(), frames.length(&RANGES));
        assert_eq!(
            frames.content_type(),
            format!("multipart/byteranges; boundary={boundary}")
        );
        let mut body = String::new();
        let mut parts = frames.around([part("ab"), part("0123456789")].into_iter());
        parts.read_to_string(&mut body).unwrap();
        let expected = format!(
            "\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/1000\r\n\r\nab\r\n\
             --{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 500-509/1000\r\n\r\n0123456789\r\n\
             --{boundary}--\r\n"
        );
        assert_eq!(body, expected);
        assert_eq!(length, expected.len() as u64);
    }

    #[test]
    fn no_boundary_comes_twice() {
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let boundary = new_boundary();
            assert_eq!(boundary.len(), 24);
            assert!(boundary.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(seen.insert(boundary));
        }
        let elsewhere =
            std::thread::spawn(|| (0..1000).map(|_| new_boundary()).collect::<Vec<_>>());
        assert!(
            elsewhere
                .join()
                .unwrap()
                .into_iter()
                .all(|boundary| seen.insert(boundary))
        );
    }
}
