//! [`Description`]: what the file system says of a file, and [`Way`]: how it is asked, without opening
//! the file where that is safe.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{FileType, Stat};
use rustix::io::retry_on_intr;

use super::below::{is_directly_in, relative_to};
use super::{LOCATE, Place, Symlinks, open_whole, or_dot};
use crate::simple::validators::{Time, Version};

/// Of memory, on any machine.
const LARGEST_PAGE: u64 = 64 << 10;

/// What the file system says of a file. It changes when the file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    device: u64,
    inode: u64,
    mode: u32,
    size: u64,
    has_blocks: bool,
    modified: Time,
    changed: Time,
}

impl Description {
    // The types of these fields differ from system to system.
    #[allow(clippy::unnecessary_cast)]
    pub(super) fn of(stat: &Stat) -> Self {
        Description {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            mode: stat.st_mode as u32,
            size: stat.st_size as u64,
            has_blocks: stat.st_blocks > 0,
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

    /// What tells the file from others, and from itself before and after a change.
    pub(in crate::simple) fn version(&self) -> Version {
        Version {
            inode: self.inode,
            size: self.size,
            modified: self.modified,
            changed: self.changed,
        }
    }

    /// The file is empty or takes no space, so its size may be made up: in `/proc` it is 0, in `/sys` a page.
    /// (The size of a larger file without blocks, a sparse one, is true.)
    pub(crate) fn is_doubtful(&self) -> bool {
        !self.has_blocks && self.size <= LARGEST_PAGE
    }

    /// The second in which the content changed last, as HTTP counts; 1970 if that is not to be told.
    pub(crate) fn modified(&self) -> SystemTime {
        let (seconds, _) = self.modified;
        let distance = Duration::from_secs(seconds.unsigned_abs());
        let moment = match seconds < 0 {
            true => SystemTime::UNIX_EPOCH.checked_sub(distance),
            false => SystemTime::UNIX_EPOCH.checked_add(distance),
        };
        moment.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The last change of any kind is longer ago than this.
    pub(crate) fn is_older(&self, than: Duration, now: SystemTime) -> bool {
        let changed = self.changed.0.max(self.modified.0);
        now.duration_since(SystemTime::UNIX_EPOCH)
            .is_ok_and(|now| now.as_secs() as i64 - changed > than.as_secs() as i64)
    }
}

/// How the file system is asked what a path leads to now, by the rules of [`open`](super::open) for paths
/// below a root; elsewhere links are followed.
#[derive(Debug)]
pub(crate) enum Way {
    /// By one call, which follows links.
    Following(CString),
    /// By one call for a name directly in the root, which shows a link as a link. There is no directory
    /// on the way that could have become one.
    Direct(CString),
    /// By opening it: to know that no directory on the way has become a link takes a descriptor.
    Opening,
}

impl Way {
    pub(crate) fn new(root: &Path, path: &Path, symlinks: Symlinks) -> Self {
        match CString::new(path.as_os_str().as_bytes()) {
            Ok(text) if symlinks == Symlinks::Follow || relative_to(root, path).is_none() => {
                Way::Following(text)
            }
            Ok(text) if is_directly_in(root, path) => Way::Direct(text),
            _ => Way::Opening,
        }
    }

    /// Whether this is one call, unless the last name is a link. Else it takes as many as to open the file.
    pub(crate) fn is_one_call(&self) -> bool {
        !matches!(self, Way::Opening)
    }

    /// What the file system says now. The root, the path and the rule are those of the way.
    pub(crate) fn describe(
        &self,
        root: &Path,
        path: &Path,
        symlinks: Symlinks,
    ) -> io::Result<Description> {
        match self {
            Way::Following(text) => {
                return Ok(Description::of(&retry_on_intr(|| {
                    rustix::fs::stat(&**text)
                })?));
            }
            Way::Direct(text) => {
                let description = Description::of(&retry_on_intr(|| rustix::fs::lstat(&**text))?);
                if !description.file_type().is_symlink() {
                    return Ok(description);
                }
            }
            Way::Opening => {}
        }
        let relative = relative_to(root, path).ok_or(io::ErrorKind::NotFound)?;
        let place = Place {
            root: or_dot(root),
            relative,
            symlinks,
        };
        Description::of_open(open_whole(place, path, LOCATE)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_change_may_lie_before_1970() {
        let mut description = Description::of_open(std::fs::File::open("/").unwrap()).unwrap();
        for (seconds, nanos, from_1970) in
            [(0, 0, 0.0), (1, 500_000_000, 1.0), (-2, 500_000_000, -2.0)]
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
