//! [`locate`]: where something really is, for what takes a path and no descriptor.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::system::{LOCATE, real_path};
use super::{Place, Symlinks, open_below};

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
