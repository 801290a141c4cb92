//! [`Content`]: the body of a response for a file, as hooks get it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

pub use super::parts::Parts;
use crate::{Exchange, Result};

/// The body that [`ServeFiles::send_head`](super::ServeFiles::send_head) returns: the counterpart of Python's open
/// file.
///
/// ```
/// use servette::simple::Content;
/// use servette::{Exchange, Layer, RequestHandler, Result, ServeFiles, SimpleHandler, Status, respond};
///
/// struct Site(SimpleHandler);
///
/// impl Layer for Site {
///     fn inner(&self) -> &dyn RequestHandler {
///         &self.0
///     }
///     fn send_head(&self, x: &mut Exchange<'_>) -> Result<Option<Content>> {
///         if x.path != "/version" {
///             return self.0.send_head(x);
///         }
///         x.send_response(Status::OK);
///         x.send_header("Content-Type", "text/plain");
///         x.end_headers()?;
///         Ok(Some(Content::from(&b"1.0"[..])))
///     }
/// }
///
/// let site = Site(SimpleHandler::new("public"));
/// assert!(respond(&site, "GET /version HTTP/1.0\r\n\r\n").ends_with(b"\r\n\r\n1.0"));
/// ```
#[derive(Debug)]
pub enum Content {
    /// A file, or a part of one.
    File(OpenFile),
    /// A file whose size is unknown, as in `/proc`, and that is larger than 64 KiB: the bytes that were read, then
    /// the rest. The response has no `Content-Length`.
    Stream(io::Chain<io::Cursor<Arc<[u8]>>, Arc<File>>),
    /// A page made in memory.
    Page(io::Cursor<Vec<u8>>),
    /// A cached small file, or a part of it.
    Kept(io::Take<io::Cursor<Arc<[u8]>>>),
    /// Several parts of a file (`multipart/byteranges`).
    Parts(Parts),
    /// Bytes of the program, such as those of `include_bytes!`. They are not copied.
    Static(io::Cursor<&'static [u8]>),
    /// Shared bytes. They are not copied.
    Shared(io::Cursor<Arc<[u8]>>),
}

impl From<&'static [u8]> for Content {
    fn from(bytes: &'static [u8]) -> Self {
        Content::Static(io::Cursor::new(bytes))
    }
}

impl From<Arc<[u8]>> for Content {
    fn from(bytes: Arc<[u8]>) -> Self {
        Content::Shared(io::Cursor::new(bytes))
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Content::File(file) => file.read(buffer),
            Content::Stream(stream) => stream.read(buffer),
            Content::Page(page) => page.read(buffer),
            Content::Kept(content) => content.read(buffer),
            Content::Parts(parts) => parts.read(buffer),
            Content::Static(bytes) => bytes.read(buffer),
            Content::Shared(bytes) => bytes.read(buffer),
        }
    }
}

/// An open file and the range of it to send. It has a read position of its own, so several responses can read the
/// same file at the same time.
///
/// ```
/// use servette::simple::OpenFile;
/// use std::fs::File;
/// use std::io::Read;
///
/// let file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE-MIT")).unwrap();
/// let mut part = OpenFile::part(file, 4, 7);
/// let mut text = String::new();
/// part.read_to_string(&mut text).unwrap();
/// assert_eq!(text, "License");
/// assert_eq!(part.remaining(), 0);
/// ```
#[derive(Debug)]
pub struct OpenFile {
    file: Arc<File>,
    position: u64,
    end: u64,
}

impl OpenFile {
    /// Makes a body of the first `length` bytes of a file.
    pub fn new(file: impl Into<Arc<File>>, length: u64) -> Self {
        OpenFile::part(file, 0, length)
    }

    /// Makes a body of `length` bytes of a file, from `position` on.
    pub fn part(file: impl Into<Arc<File>>, position: u64, length: u64) -> Self {
        OpenFile {
            file: file.into(),
            position,
            end: position.saturating_add(length),
        }
    }

    /// Returns the file. Reading it directly, or moving its position, affects everyone who shares it.
    pub fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn shared(&self) -> &Arc<File> {
        &self.file
    }

    /// Returns the position of the next byte in the file.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the number of bytes that have not been read.
    pub fn remaining(&self) -> u64 {
        self.end.saturating_sub(self.position)
    }
}

impl Read for OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.remaining()).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let room = buffer.get_mut(..wanted).unwrap_or_default();
        let count = crate::sys::read_at(&self.file, room, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

/// A part of a content in memory.
pub(super) fn kept(content: &Arc<[u8]>, position: u64, length: u64) -> Content {
    let mut cursor = io::Cursor::new(content.clone());
    cursor.set_position(position);
    Content::Kept(cursor.take(length))
}

/// Sends a body, each part by itself: files are not copied through memory.
pub(super) fn send(x: &mut Exchange<'_>, source: Content) -> Result<()> {
    match source {
        Content::File(file) => {
            x.wfile
                .send_shared_file(file.shared(), file.position(), file.remaining())?;
        }
        Content::Kept(content) => x
            .wfile
            .write_all(unread(content.get_ref(), content.limit()))?,
        Content::Page(page) => x.wfile.write_all(unread(&page, u64::MAX))?,
        Content::Static(bytes) => x.wfile.write_all(unread(&bytes, u64::MAX))?,
        Content::Shared(bytes) => x.wfile.write_all(unread(&bytes, u64::MAX))?,
        Content::Stream(mut stream) => {
            io::copy(&mut stream, &mut x.wfile)?;
        }
        Content::Parts(mut parts) => {
            while let Some(piece) = parts.next() {
                send(x, piece)?;
            }
        }
    }
    Ok(())
}

/// What a reader has not taken yet, up to a limit.
fn unread<T: AsRef<[u8]>>(content: &io::Cursor<T>, limit: u64) -> &[u8] {
    let [from, limit] =
        [content.position(), limit].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    let rest = content.get_ref().as_ref().get(from..).unwrap_or_default();
    rest.get(..limit).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reader_of_a_file_has_a_position_of_its_own_and_stops_at_the_announced_length() {
        let file =
            Arc::new(File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE-MIT")).unwrap());
        let mut readers = [11, 4].map(|length| OpenFile::new(file.clone(), length));
        let mut texts = [String::new(), String::new()];
        for _ in 0..11 {
            for (reader, text) in readers.iter_mut().zip(&mut texts) {
                reader.take(1).read_to_string(text).unwrap();
            }
        }
        assert_eq!(texts, ["MIT License", "MIT "]);
        assert_eq!(
            readers.map(|reader| (reader.position(), reader.remaining())),
            [(11, 0), (4, 0)]
        );
    }

    #[test]
    fn a_part_of_a_file_has_a_beginning_and_an_end() {
        let file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE-MIT")).unwrap();
        let mut part = OpenFile::part(file, 4, 7);
        assert_eq!((part.position(), part.remaining()), (4, 7));
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        assert_eq!(
            (&*text, part.position(), part.remaining()),
            ("License", 11, 0)
        );
    }
}
