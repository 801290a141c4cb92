//! [`ReadyFile`]: a file with everything that a response needs to know of it.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::SystemTime;

use super::content::{Content, OpenFile, kept};
use super::open::Description;
use super::ranges::ByteRange;
use super::validators::{self, FileMetadata};
use crate::http1::date::HttpDate;
use crate::sys;

/// A file that is ready to be sent. Clones share the content, or the descriptor.
#[derive(Clone, Debug)]
pub(super) struct ReadyFile {
    pub(super) body: Body,
    /// In whole seconds; `None` if there is no date to send or to compare.
    pub(super) modified: Option<SystemTime>,
    /// The time as text, as a client sends it back.
    pub(super) modified_text: HttpDate,
    /// The decimal digits of the length, if it is known.
    pub(super) length_text: Option<String>,
    /// The metadata, with the entity tag.
    pub(super) facts: FileMetadata,
    /// Whether the file system says when the content changes.
    is_dated: bool,
    description: Description,
}

/// The content to send.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Memory(Arc<[u8]>),
    Open(Arc<File>),
    /// The bytes that were read, and the rest.
    Stream(Arc<[u8]>, Arc<File>),
}

/// Maximum number of bytes to read to find the end of a file whose size is doubtful.
const MEASURED: usize = (64 << 10) + 1;

impl ReadyFile {
    /// Makes a file ready that was just opened.
    pub(super) fn open(file: File, description: Description, now: SystemTime) -> Self {
        ReadyFile::new(Body::Open(file.into()), description, true, now)
    }

    /// Reads a file that was just opened; `None` if it has changed since it was described.
    pub(super) fn read(
        file: &File,
        description: Description,
        now: SystemTime,
    ) -> io::Result<Option<Self>> {
        let Some(content) = read_whole(file, description.size())? else {
            return Ok(None);
        };
        // What was read is what was described only if the description still holds.
        if Description::of_open(file)? != description {
            return Ok(None);
        }
        let body = Body::Memory(content);
        Ok(Some(ReadyFile::new(body, description, true, now)))
    }

    /// Looks for the end of a file that was just opened, and whose size may not be that of its content. It is read
    /// once and from its beginning, because some of these files can't be read at other positions, or have another
    /// content each time.
    pub(super) fn measure(
        file: File,
        description: Description,
        now: SystemTime,
    ) -> io::Result<Self> {
        let mut start = vec![0; MEASURED];
        let count = fill(&file, &mut start)?;
        start.truncate(count);
        let is_whole = count < MEASURED;
        let (body, length_text) = match is_whole {
            true => (Body::Memory(start.into()), Some(count.to_string())),
            false => (Body::Stream(start.into(), file.into()), None),
        };
        let is_dated = is_whole && count as u64 == description.size();
        Ok(ReadyFile {
            length_text,
            ..ReadyFile::new(body, description, is_dated, now)
        })
    }

    fn new(body: Body, description: Description, is_dated: bool, now: SystemTime) -> Self {
        let modified = description.modified();
        ReadyFile {
            body,
            modified: validators::date(modified).filter(|_| is_dated),
            modified_text: HttpDate::from(modified),
            length_text: Some(itoa::Buffer::new().format(description.size()).into()),
            facts: FileMetadata::new(description.version(), is_dated, now),
            is_dated,
            description,
        }
    }

    /// Returns the metadata at the time when it was made ready.
    pub(super) fn description(&self) -> &Description {
        &self.description
    }

    /// Returns whether parts of it can be sent. Parts of a file whose content changes without a new date would not
    /// fit together.
    pub(super) fn has_parts(&self) -> bool {
        self.is_dated
    }

    /// Returns whether its content was changed before that of another file.
    pub(super) fn is_older_than(&self, other: &ReadyFile) -> bool {
        let [own, other] = [self, other].map(|file| file.description.version().modified);
        own < other
    }

    pub(super) fn content(&self) -> Content {
        match &self.body {
            Body::Stream(start, file) => {
                Content::Stream(io::Cursor::new(start.clone()).chain(file.clone()))
            }
            Body::Memory(content) => kept(content, 0, content.len() as u64),
            Body::Open(file) => Content::File(OpenFile::new(file.clone(), self.facts.size())),
        }
    }

    /// Returns a part of it, if it has parts.
    pub(super) fn part(&self, range: &ByteRange) -> Content {
        match &self.body {
            Body::Stream(..) => self.content(),
            Body::Memory(content) => kept(content, range.first, range.length()),
            Body::Open(file) => {
                Content::File(OpenFile::part(file.clone(), range.first, range.length()))
            }
        }
    }
}

/// Reads until the end or until `room` is full; returns the number of bytes.
fn fill(mut file: &File, room: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest @ [_, ..]) = room.get_mut(count..) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => count += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Reads a file; returns `None` if it ends before its size.
fn read_whole(file: &File, size: u64) -> io::Result<Option<Arc<[u8]>>> {
    let mut content = vec![0; size as usize];
    let mut count = 0;
    while let Some(rest @ [_, ..]) = content.get_mut(count..) {
        match sys::read_at(file, rest, count as u64) {
            Ok(0) => return Ok(None),
            Ok(read) => count += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(content.into()))
}
