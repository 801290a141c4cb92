//! The file cache: small files in memory, larger ones open. Each entry is checked against the file system on every
//! request.
//!
//! An entry is the content or the descriptor of a file, together with its metadata: device, number, size, times of
//! change. It is served only if the metadata is still the same, so the next request sees an edit; nothing is trusted
//! for a period of time. A file without a size and blocks is never cached, because the metadata of files in `/proc`
//! and `/sys` does not change with their content. A file that was changed within the last moments is not cached in
//! memory, because a second change in the same clock tick would not show. It is not kept open either, because its
//! entity tag might not change with the content.
//!
//! A deleted file that is kept open can't be freed. Therefore few files are kept open, and none that is so large that
//! opening it costs little compared with sending it; and only files that one system call can check, because opening a
//! file anew takes three.

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

/// Maximum size of a file in memory.
const MOST_OF_A_FILE: u64 = 64 << 10;
/// Maximum size of a file that is kept open.
const MOST_OF_AN_OPEN_FILE: u64 = 1 << 20;
/// Maximum number of files that are kept open.
const MOST_OPEN: usize = 32;
/// Maximum size of the cache. Beyond that it is emptied, and fills again with the files that are requested.
const MOST_IN_ALL: usize = 16 << 20;
/// Changes that are closer together than this may have the same time: the coarsest file systems count in units of two
/// seconds.
const GRAIN: Duration = Duration::from_secs(3);

/// The cached files of a handler.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// By the bytes of their paths, which are hashed and compared faster than paths. (A faster hash than that of the
    /// standard library saves 12 ns of 1 µs, without the socket.)
    files: HashMap<Box<[u8]>, Arc<Entry>>,
    /// The paths of the open files, the oldest first.
    open: VecDeque<Box<[u8]>>,
    size: usize,
}

/// A cached file, and how to check that it is unchanged.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) file: ReadyFile,
    way: Way,
}

impl Cache {
    /// Returns the file at this path if it is cached and unchanged. `describe` returns the metadata of the file that
    /// the path leads to now, by the rules for links.
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

    /// Returns whether a file is small enough to be cached, in memory or open.
    pub(super) fn takes(description: &Description) -> bool {
        description.size() <= MOST_OF_AN_OPEN_FILE
    }

    /// Makes a file ready that was just opened. Caches it if it is small and was not changed lately, or, if it is
    /// cheap to check, if it is not very large.
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

/// Returns the approximate size of an entry in memory.
fn cost(path: &[u8], file: &ReadyFile) -> usize {
    let content = match &file.body {
        Body::Memory(content) => content.len(),
        Body::Open(_) | Body::Stream(..) => path.len(),
    };
    content + 2 * path.len() + 416
}

#[cfg(test)]
mod tests;
