//! [`Way`]: how the file system is asked what it says of a file, without opening the file where that is safe.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{FileType, Stat};
use rustix::io::retry_on_intr;

use super::below::{is_directly_in, relative_to};
use super::{Description, LOCATE, Place, Symlinks, open_whole};

impl Description {
    // The types of these fields differ from system to system.
    #[allow(clippy::unnecessary_cast)]
    pub(super) fn of(stat: &Stat) -> Self {
        Description {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            file_type: FileType::from_raw_mode(stat.st_mode),
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
}

/// How the file system is asked what a path leads to now, by the rules of [`open`](super::super::open) for paths
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
        let place = Place::new(root, relative, symlinks);
        Description::of_open(open_whole(place, path, LOCATE)?)
    }
}
