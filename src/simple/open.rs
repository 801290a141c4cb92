//! Opening what a request names: below the root, whatever links there are and whoever changes them
//! meanwhile, and only regular files and directories.
//!
//! A path is never checked first and opened later, for a link could be put there in between. It is
//! opened in a way that cannot leave the root; how is in the file of each system.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use self::description::Description;
#[cfg(unix)]
pub(crate) use self::unix::{FileType, Located, Way, locate, open, relative_to};
#[cfg(windows)]
pub(crate) use self::windows::{FileType, Way, open, relative_to};
use super::listing::{self, Entry};

mod description;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

/// Which symbolic links below the root are followed; the junctions of Windows are links, too. The root itself may be reached
/// through links.
///
/// This holds for paths below the handler's directory. An overridden
/// [`translate_path`](super::ServeFiles::translate_path) that leads elsewhere has its own word, and
/// links are followed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Symlinks {
    /// None.
    Deny,
    /// Those that end inside the root.
    #[default]
    InsideRoot,
    /// All, as in Python.
    Follow,
}

/// What a path led to.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// A regular file, opened for reading.
    File(File, Description),
    /// A directory.
    Directory(Directory<'a>),
}

impl<'a> Found<'a> {
    /// What was opened at this place. What is neither a regular file nor a directory counts as not found.
    fn of(file: File, place: Place<'a>) -> io::Result<Self> {
        let description = Description::of_open(&file)?;
        match description.file_type() {
            FileType::RegularFile => Ok(Found::File(file, description)),
            FileType::Directory => Ok(Found::Directory(Directory {
                handle: file,
                place,
            })),
            _ => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "neither a regular file nor a directory",
            )),
        }
    }
}

/// Opens any path, following all links. Here too only regular files and directories are found.
pub(crate) fn open_any(path: &Path) -> io::Result<Found<'_>> {
    open(path, Path::new(""), Symlinks::Follow)
}

/// An open directory, and where it was found; what
/// [`list_directory`](super::ServeFiles::list_directory) lists.
#[derive(Debug)]
pub struct Directory<'a> {
    handle: File,
    place: Place<'a>,
}

impl Directory<'_> {
    /// The path under which it was opened.
    pub fn path(&self) -> PathBuf {
        self.place.root.join(self.place.relative)
    }

    /// All entries, in the order of their lower-cased names, whatever
    /// [`visibility`](super::ServeFiles::visibility) says of them. A link counts as a directory only if it
    /// leads to one that would be served.
    ///
    /// # Errors
    /// If the directory can't be read.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        listing::all(self, false)
    }

    /// The same with sizes and times, which cost a system call for each entry. An entry that vanishes meanwhile is left out.
    ///
    /// # Errors
    /// If the directory can't be read.
    pub fn entries_with_details(&self) -> io::Result<Vec<Entry>> {
        listing::all(self, true)
    }

    pub(super) fn is_root(&self) -> bool {
        self.place.relative.as_os_str().is_empty()
    }

    /// Opens the first of `names` that is a regular file in this directory; what is none, or is
    /// hidden by a link, is passed over.
    ///
    /// A page that is there but may not be read is an error, for the listing is not what was meant
    /// to be seen in its place.
    pub(crate) fn open_index<'n>(
        &self,
        names: &'n [String],
    ) -> io::Result<Option<(File, Description, &'n str)>> {
        for name in names {
            match self.open_to_read(name) {
                Ok(file) => {
                    let description = Description::of_open(&file)?;
                    if description.is_file() {
                        return Ok(Some((file, description, name)));
                    }
                }
                Err(error) if self.forbids(name, &error) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(None)
    }
}

/// A path below a root, and which links may be on it.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    root: &'a Path,
    relative: &'a Path,
    symlinks: Symlinks,
}

impl<'a> Place<'a> {
    fn new(root: &'a Path, relative: &'a Path, symlinks: Symlinks) -> Self {
        Place {
            root: or_dot(root),
            relative,
            symlinks,
        }
    }
}

/// An empty path means the directory itself, but not to the system.
fn or_dot(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}
