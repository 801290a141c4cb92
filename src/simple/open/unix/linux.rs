//! Linux: paths are resolved in one system call.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{Links, Place, or_dot};

/// Flags to open a directory on the path. They need no permission to read it.
pub(super) const ENTER: OFlags = LOCATE.union(OFlags::DIRECTORY);

/// Flags to find what a path leads to. They need no permission to read it.
pub(super) const LOCATE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

pub(super) fn openat2(
    dir: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    links: Links,
) -> Result<OwnedFd, Errno> {
    #[cfg(test)]
    if super::tests::OPENAT2_IS_MISSING.get() {
        return Err(Errno::NOSYS);
    }
    let resolve = match links {
        Links::None => ResolveFlags::NO_SYMLINKS,
        Links::Beneath => ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
    };
    // During a rename the kernel may not know whether a `..` stayed below the directory, and returns `AGAIN`.
    let mut opened = Err(Errno::AGAIN);
    for _ in 0..16 {
        opened = rustix::fs::openat2(dir, or_dot(path), flags, Mode::empty(), resolve);
        if !matches!(opened, Err(Errno::AGAIN | Errno::INTR)) {
            break;
        }
    }
    opened
}

/// Reads the names of a directory without an allocation for each entry.
pub(super) fn read_names(fd: OwnedFd, mut each: impl FnMut(&CStr, FileType)) -> io::Result<()> {
    let mut block = Vec::with_capacity(64 << 10);
    let mut names = rustix::fs::RawDir::new(fd, block.spare_capacity_mut());
    while let Some(entry) = names.next() {
        match entry {
            Ok(entry) => each(entry.file_name(), entry.file_type()),
            // The directory was removed meanwhile, so it is empty.
            Err(Errno::NOENT) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Returns the path of an open descriptor.
pub(super) fn real_path(fd: &OwnedFd, place: Place<'_>) -> io::Result<PathBuf> {
    match fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())) {
        Ok(path) => Ok(path),
        // There is no /proc.
        Err(_) => fs::canonicalize(place.root.join(place.relative)),
    }
}
