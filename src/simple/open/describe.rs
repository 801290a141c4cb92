//! [`Description`]: what the file system says of a file, without opening it where that is safe.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{FileType, Stat};
use rustix::io::retry_on_intr;

use super::below::{is_directly_in, relative_to};
use super::{LOCATE, Place, Symlinks, open_whole, or_dot};

/// What the file system says of a file. It changes when the file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    device: u64,
    inode: u64,
    mode: u32,
    size: u64,
    /// Seconds and nanoseconds since 1970.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Description {
    // The types of these fields differ from system to system.
    #[allow(clippy::unnecessary_cast)]
    fn of(stat: &Stat) -> Self {
        Description {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            mode: stat.st_mode as u32,
            size: stat.st_size as u64,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }

    /// Of an open file.
    pub(crate) fn of_open(file: impl AsFd) -> io::Result<Self> {
        Ok(Description::of(&rustix::fs::fstat(file)?))
    }

    pub(crate) fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.mode as _)
    }

    pub(crate) fn is_file(&self) -> bool {
        self.file_type().is_file()
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// When the content changed last; 1970 if that is not to be told.
    pub(crate) fn modified(&self) -> SystemTime {
        let (seconds, nanos) = self.modified;
        let part = Duration::from_nanos(nanos.max(0) as u64);
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let moment = match seconds < 0 {
            true => SystemTime::UNIX_EPOCH.checked_sub(whole),
            false => SystemTime::UNIX_EPOCH.checked_add(whole),
        };
        moment
            .and_then(|moment| moment.checked_add(part))
            .unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The last change of any kind is longer ago than this.
    pub(crate) fn is_older(&self, than: Duration, now: SystemTime) -> bool {
        let changed = self.changed.0.max(self.modified.0);
        now.duration_since(SystemTime::UNIX_EPOCH)
            .is_ok_and(|now| now.as_secs() as i64 - changed > than.as_secs() as i64)
    }
}

/// What the file system says now of what `path` leads to, by the rules of [`open`](super::open) for
/// paths below `root`; elsewhere links are followed.
///
/// Most of the time this is one call. Where links may not be followed it takes an open descriptor to
/// know that no directory on the way has become one; but a name directly in the root has no such
/// directory, and what the call says of the name itself shows a link as a link.
pub(crate) fn describe(root: &Path, path: &Path, symlinks: Symlinks) -> io::Result<Description> {
    if symlinks != Symlinks::Follow && is_directly_in(root, path) {
        let description = Description::of(&retry_on_intr(|| rustix::fs::lstat(path))?);
        if !description.file_type().is_symlink() {
            return Ok(description);
        }
    }
    match relative_to(root, path) {
        Some(relative) if symlinks != Symlinks::Follow => {
            let place = Place {
                root: or_dot(root),
                relative,
                symlinks,
            };
            Description::of_open(open_whole(place, path, LOCATE)?)
        }
        _ => Ok(Description::of(&retry_on_intr(|| rustix::fs::stat(path))?)),
    }
}

/// Whether [`describe`] takes one call for what `path` leads to, unless its last name is a link. Else it
/// takes as many as to open the file.
pub(crate) fn is_described_at_once(root: &Path, path: &Path, symlinks: Symlinks) -> bool {
    symlinks == Symlinks::Follow || is_directly_in(root, path) || relative_to(root, path).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_change_may_lie_before_1970() {
        let mut description = Description::of_open(std::fs::File::open("/").unwrap()).unwrap();
        for (seconds, nanos, from_1970) in
            [(0, 0, 0.0), (1, 500_000_000, 1.5), (-2, 500_000_000, -1.5)]
        {
            description.modified = (seconds, nanos);
            let modified = description.modified();
            let since = match modified.duration_since(SystemTime::UNIX_EPOCH) {
                Ok(since) => since.as_secs_f64(),
                Err(before) => -before.duration().as_secs_f64(),
            };
            assert_eq!(since, from_1970);
        }
        description.modified = (i64::MIN, 0);
        assert!(description.modified() <= SystemTime::UNIX_EPOCH);
    }
}
