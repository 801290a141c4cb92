//! Opens the file that a request names: below the root, whatever links there are and whoever changes them meanwhile,
//! and only regular files and directories.
//!
//! A path is never checked first and opened later, because a link could be put there in between. It is opened in a
//! way that can't leave the root; the file of each system has the details.

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

/// The symbolic links that are followed below the directory of a handler. The junctions of Windows are links, too.
/// The directory itself may be reached through links.
///
/// This does not apply to paths outside the directory that an overridden
/// [`translate_path`](super::ServeFiles::translate_path) returns: all links are followed there.
///
/// ```
/// use servette::SimpleHandler;
/// use servette::simple::Symlinks;
///
/// // A directory to which others upload.
/// let site = SimpleHandler::new("uploads").symlinks(Symlinks::Deny);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Symlinks {
    /// No links.
    Deny,
    /// Links that stay inside the directory.
    #[default]
    InsideRoot,
    /// All links, as in Python.
    Follow,
}

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// A regular file, opened for reading.
    File(File, Description),
    /// A directory.
    Directory(Directory<'a>),
}

impl<'a> Found<'a> {
    /// Returns what was opened at this place. Anything but a regular file or a directory is not found.
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

/// Opens any path, following all links. Only regular files and directories are found.
pub(crate) fn open_any(path: &Path) -> io::Result<Found<'_>> {
    open(path, Path::new(""), Symlinks::Follow)
}

/// An open directory, as the hook [`list_directory`](super::ServeFiles::list_directory) gets it.
///
/// ```
/// use servette::simple::{Content, Directory};
/// use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler, Status, respond};
///
/// struct Count(SimpleHandler);
///
/// impl Layer for Count {
///     fn inner(&self) -> &dyn RequestHandler {
///         &self.0
///     }
///     fn list_directory(&self, x: &mut Exchange<'_>, directory: &Directory<'_>) -> Result<Option<Content>> {
///         let count = directory.entries()?.len();
///         x.send_content(Status::OK, "text/plain", format!("{count} entries"))?;
///         Ok(None) // the response is complete
///     }
/// }
///
/// let site = Count(SimpleHandler::new(env!("CARGO_MANIFEST_DIR")));
/// assert!(respond(&site, "GET /src/ HTTP/1.0\r\n\r\n").ends_with(b" entries"));
/// ```
#[derive(Debug)]
pub struct Directory<'a> {
    handle: File,
    place: Place<'a>,
}

impl Directory<'_> {
    /// Returns the path of the directory.
    pub fn path(&self) -> PathBuf {
        self.place.root.join(self.place.relative)
    }

    /// Returns all entries, sorted by lower-case name, regardless of [`visibility`](super::ServeFiles::visibility). A
    /// link is a directory if it leads to one that would be served.
    ///
    /// # Errors
    /// If the directory can't be read.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        listing::all(self, false)
    }

    /// Returns all entries with sizes and times, which cost a system call for each entry. An entry that is deleted
    /// meanwhile is left out.
    ///
    /// # Errors
    /// If the directory can't be read.
    pub fn entries_with_details(&self) -> io::Result<Vec<Entry>> {
        listing::all(self, true)
    }

    pub(super) fn is_root(&self) -> bool {
        self.place.relative.as_os_str().is_empty()
    }

    /// Opens the first of `names` that is a regular file in this directory. Others, and names behind a link that may
    /// not be followed, are ignored.
    ///
    /// A page that exists but may not be read is an error, because the listing was not meant to be seen instead.
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

/// Returns `.` for an empty path, which the system does not accept.
fn or_dot(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}
