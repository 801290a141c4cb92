//! Other Unix systems: paths are resolved in several system calls.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, OFlags};
use rustix::io::Errno;

use super::{Links, Place, READ};

/// Flags to open a directory on the path.
pub(super) const ENTER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// Flags to find what a path leads to.
pub(super) const LOCATE: OFlags = READ;

/// Returns `NOSYS`: there is no such system call.
pub(super) fn openat2(_: BorrowedFd<'_>, _: &Path, _: OFlags, _: Links) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

pub(super) fn read_names(fd: OwnedFd, mut each: impl FnMut(&CStr, FileType)) -> io::Result<()> {
    for entry in Dir::new(fd)? {
        let entry = entry?;
        each(entry.file_name(), entry.file_type());
    }
    Ok(())
}

pub(super) fn real_path(_: &OwnedFd, place: Place<'_>) -> io::Result<PathBuf> {
    fs::canonicalize(place.root.join(place.relative))
}
