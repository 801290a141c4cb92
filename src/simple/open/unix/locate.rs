//! [`locate`]: where something really is, for what takes a path and no descriptor.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::{LOCATE, Place, Symlinks, open_below};

/// What a path leads to, and where that really is.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) file_type: FileType,
    /// Absolute, and free of links.
    pub(crate) path: PathBuf,
}

/// Finds what `relative`, which must have plain names only, leads to below `root`, by the rules of
/// [`open`](super::open). It need not be readable. For what takes a path and no descriptor: to run a program.
pub(crate) fn locate(root: &Path, relative: &Path, symlinks: Symlinks) -> io::Result<Located> {
    let place = Place::new(root, relative, symlinks);
    let fd = open_below(place, LOCATE)?;
    let file_type = FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode);
    let path = real_path(&fd, place)?;
    Ok(Located { file_type, path })
}

/// The system knows what it has opened.
#[cfg(target_os = "linux")]
fn real_path(fd: &OwnedFd, place: Place<'_>) -> io::Result<PathBuf> {
    use std::os::fd::AsRawFd;
    let told = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    match told {
        Ok(path) => Ok(path),
        // Without /proc.
        Err(_) => fs::canonicalize(place.root.join(place.relative)),
    }
}

#[cfg(not(target_os = "linux"))]
fn real_path(_: &OwnedFd, place: Place<'_>) -> io::Result<PathBuf> {
    fs::canonicalize(place.root.join(place.relative))
}
