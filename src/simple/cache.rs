//! Files that were asked for before, small ones in memory and larger ones open, each shown by the file
//! system, on the very request, to be unchanged.
//!
//! An entry is the content of a file, or its descriptor, together with what the file system said of it:
//! device, number, size, times of change. It is served only if the file system says the same now, so an
//! edit is seen by the next request; nothing is believed for a time. A file that has no size and no blocks never
//! gets here, for of those in `/proc` and `/sys` the file system says the same whatever is in them. The content of a file that was changed
//! within the last moments is not kept, for a second change in the same grain of the clock would not show.
//! A descriptor always reads what is there now, and its file keeps its number for as long. It is not kept either in
//! the moment in which the next change might not show: its entity tag would not change with the content.
//!
//! What is kept open can't be freed when it is deleted. So it is few files, and none so large that opening
//! it costs nothing beside sending it; and only those of which one call says that they are unchanged, for
//! three are as many as it takes to open them anew.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::open::{Description, Way};
use super::ready::{Body, ReadyFile};
use crate::shutdown::lock;
use crate::sys;

/// The largest file that is kept in memory.
const MOST_OF_A_FILE: u64 = 64 << 10;
/// The largest file that is kept open.
const MOST_OF_AN_OPEN_FILE: u64 = 1 << 20;
/// So many files are kept open.
const MOST_OPEN: usize = 32;
/// As much as is kept in all; past it everything is dropped, and what is asked for comes back.
const MOST_IN_ALL: usize = 16 << 20;
/// Changes nearer than this may look like one: the coarsest file systems count in two seconds.
const GRAIN: Duration = Duration::from_secs(3);

/// The files of a handler that were asked for before.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// By the bytes of their paths: these are hashed and compared in one go, a path name by name. (A quicker hash
    /// than that of the standard library saves 12 ns of 1 µs, without the socket.)
    files: HashMap<Box<[u8]>, Arc<Entry>>,
    /// The paths of those that are open, the one that was opened first in front.
    open: VecDeque<Box<[u8]>>,
    size: usize,
}

/// A file that is kept, and how to learn whether it is unchanged.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) file: ReadyFile,
    way: Way,
}

impl Cache {
    /// The file at this path, if it was kept and is unchanged, as `describe` says what the path leads to
    /// now: by the rules for links, for the path may lead to the same file in another way than before.
    pub(super) fn find(
        &self,
        path: &Path,
        describe: impl FnOnce(&Way) -> io::Result<Description>,
    ) -> Option<Arc<Entry>> {
        let key = path.as_os_str().as_encoded_bytes();
        let kept = lock(&self.0).files.get(key).cloned()?;
        if describe(&kept.way).is_ok_and(|now| now == *kept.file.description()) {
            return Some(kept);
        }
        lock(&self.0).remove(key);
        None
    }

    /// Whether a file is small enough to be kept, in memory or open.
    pub(super) fn takes(description: &Description) -> bool {
        description.size() <= MOST_OF_AN_OPEN_FILE
    }

    /// Makes a file ready that was just opened. It is kept if it is small and has not changed lately, or,
    /// where it is cheap to learn whether it is unchanged, if it is not very large.
    pub(super) fn keep(
        &self,
        path: &Path,
        file: File,
        description: Description,
        way: Way,
        now: SystemTime,
    ) -> ReadyFile {
        let size = description.size();
        let is_small = size <= MOST_OF_A_FILE;
        let content = match is_small && description.is_older(GRAIN, now) {
            true => ReadyFile::read(&file, description, now).ok().flatten(),
            false => None,
        };
        let is_read = content.is_some();
        let stays_open = !is_small
            && Cache::takes(&description)
            && description.version().is_settled(now)
            && way.is_one_call()
            && sys::has_spare_descriptors(&file);
        let ready = content.unwrap_or_else(|| ReadyFile::open(file, description, now));
        if is_read || stays_open {
            let entry = Entry {
                file: ready.clone(),
                way,
            };
            lock(&self.0).insert(path.as_os_str().as_encoded_bytes(), entry);
        }
        ready
    }
}

impl Kept {
    fn insert(&mut self, path: &[u8], entry: Entry) {
        self.remove(path);
        let size = cost(path, &entry.file);
        if self.size + size > MOST_IN_ALL {
            *self = Kept::default();
        }
        if let Body::Open(_) = entry.file.body {
            if self.open.len() >= MOST_OPEN
                && let Some(first) = self.open.front().cloned()
            {
                self.remove(&first);
            }
            self.open.push_back(path.into());
        }
        self.size += size;
        self.files.insert(path.into(), entry.into());
    }

    fn remove(&mut self, path: &[u8]) {
        if let Some(entry) = self.files.remove(path) {
            self.size = self.size.saturating_sub(cost(path, &entry.file));
            if let Body::Open(_) = entry.file.body {
                self.open.retain(|open| **open != *path);
            }
        }
    }
}

/// What an entry takes of memory, about.
fn cost(path: &[u8], file: &ReadyFile) -> usize {
    let content = match &file.body {
        Body::Memory(content) => content.len(),
        Body::Open(_) | Body::Stream(..) => path.len(),
    };
    content + 2 * path.len() + 416
}

#[cfg(test)]
mod tests;
