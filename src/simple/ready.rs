//! [`ReadyFile`]: a file with all that an answer needs to know of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;

use super::content::{Content, OpenFile};
use super::open::Description;
use crate::http1::date::HttpDate;

/// A file that is ready to be sent. A clone shares the content, or the descriptor.
#[derive(Clone, Debug)]
pub(super) struct ReadyFile {
    pub(super) body: Body,
    /// In whole seconds.
    pub(super) modified: SystemTime,
    /// The text of that moment, as a client sends it back.
    pub(super) modified_text: HttpDate,
    /// The decimal digits of its length.
    pub(super) length_text: String,
    description: Description,
}

/// What there is to be sent.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Memory(Arc<[u8]>),
    Open(Arc<File>),
}

impl ReadyFile {
    /// A file that was just opened.
    pub(super) fn open(file: File, description: Description) -> Self {
        ReadyFile::new(Body::Open(file.into()), description)
    }

    /// Reads a file that was just opened; `None` if it has changed since it was described.
    pub(super) fn read(file: &File, description: Description) -> io::Result<Option<Self>> {
        let Some(content) = read_whole(file, description.size())? else {
            return Ok(None);
        };
        // What was read is what was described only if the description still holds.
        if Description::of_open(file)? != description {
            return Ok(None);
        }
        Ok(Some(ReadyFile::new(Body::Memory(content), description)))
    }

    fn new(body: Body, description: Description) -> Self {
        let modified = description.modified();
        ReadyFile {
            body,
            modified,
            modified_text: HttpDate::from(modified),
            length_text: description.size().to_string(),
            description,
        }
    }

    /// What the file system said of it when it was made ready.
    pub(super) fn description(&self) -> &Description {
        &self.description
    }

    pub(super) fn length(&self) -> u64 {
        self.description.size()
    }

    pub(super) fn content(&self) -> Content {
        match &self.body {
            Body::Memory(content) => Content::Kept(io::Cursor::new(content.clone())),
            Body::Open(file) => Content::File(OpenFile::new(file.clone(), self.length())),
        }
    }
}

/// `None` for a file that ends before its size.
fn read_whole(file: &File, size: u64) -> io::Result<Option<Arc<[u8]>>> {
    let mut content = vec![0; size as usize];
    match file.read_exact_at(&mut content, 0) {
        Ok(()) => Ok(Some(content.into())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}
