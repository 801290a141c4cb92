//! [`Chunk`]: bytes that many response streams share.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;

/// Bytes to write to any number of [`ResponseStream`](crate::ResponseStream)s. They are copied once, when the chunk is
/// made, and shared by all streams: for broadcasts.
///
/// If the body is sent with `Transfer-Encoding: chunked` (RFC 9112, 7.1), each `Chunk` is one chunk.
///
/// ```
/// use servette::Chunk;
///
/// let chunk = Chunk::from("data: news\n\n");
/// assert_eq!(chunk.as_bytes(), b"data: news\n\n");
/// ```
#[derive(Clone)]
pub struct Chunk {
    /// The bytes, with the chunk size before them and a line end after them.
    framed: Arc<Vec<u8>>,
    /// Where the bytes start.
    start: usize,
}

const END: &[u8] = b"\r\n";

impl Chunk {
    fn new(bytes: &[u8]) -> Self {
        const SIZE: usize = 18;
        let mut framed = Vec::with_capacity(bytes.len() + SIZE + END.len());
        let _ = write!(framed, "{:x}\r\n", bytes.len());
        let start = framed.len();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(END);
        Chunk {
            framed: Arc::new(framed),
            start,
        }
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.framed.len().saturating_sub(END.len());
        self.framed.get(self.start..end).unwrap_or_default()
    }

    /// As a chunk of a chunked body.
    pub(super) fn framed(&self) -> &[u8] {
        &self.framed
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("length", &self.as_bytes().len())
            .finish_non_exhaustive()
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl From<&Chunk> for Chunk {
    /// The same bytes, not copied.
    fn from(chunk: &Chunk) -> Self {
        chunk.clone()
    }
}

impl From<&[u8]> for Chunk {
    fn from(bytes: &[u8]) -> Self {
        Chunk::new(bytes)
    }
}

impl<const N: usize> From<&[u8; N]> for Chunk {
    fn from(bytes: &[u8; N]) -> Self {
        Chunk::new(bytes)
    }
}

impl From<&str> for Chunk {
    fn from(text: &str) -> Self {
        Chunk::new(text.as_bytes())
    }
}

impl From<String> for Chunk {
    fn from(text: String) -> Self {
        Chunk::new(text.as_bytes())
    }
}

impl From<Vec<u8>> for Chunk {
    fn from(bytes: Vec<u8>) -> Self {
        Chunk::new(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_framed_once_and_shared() {
        let chunk = Chunk::from(vec![b'x'; 300]);
        assert!(chunk.framed().starts_with(b"12c\r\nxxx") && chunk.framed().ends_with(b"x\r\n"));
        let other = Chunk::from(&chunk);
        assert!(std::ptr::eq(chunk.as_bytes(), other.as_bytes()));
        assert_eq!(other.as_bytes(), [b'x'; 300]);
        assert_eq!(Chunk::from("").as_bytes(), b"");
    }
}
