//! Opens files with `openat2` if the system has it, otherwise name by name without following links.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub(crate) use rustix::fs::FileType;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};
use rustix::io::{Errno, retry_on_intr};

use self::below::is_plain;
pub(crate) use self::below::relative_to;
pub(crate) use self::locate::{Located, locate};
use self::system::{ENTER, LOCATE, openat2, read_names};
pub(crate) use self::way::Way;
use super::{Description, Directory, Found, Place, Symlinks, or_dot};

mod below;
mod locate;
#[cfg_attr(target_os = "linux", path = "unix/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "unix/other.rs")]
mod system;
mod way;

/// Opens `relative`, which must have plain names only, below `root`.
///
/// Anything but a regular file or a directory is not found, and neither is a file behind a link that leaves the root.
/// Nothing here waits, not even for a FIFO: it is opened without blocking, and its type is checked afterwards. That
/// saves one system call for every file, and a type that is checked before could change.
pub(crate) fn open<'a>(
    root: &'a Path,
    relative: &'a Path,
    symlinks: Symlinks,
) -> io::Result<Found<'a>> {
    let place = Place::new(root, relative, symlinks);
    let opened = match open_below(place, READ) {
        // A directory that may be entered but not read has no listing, but perhaps an index page.
        Err(Errno::ACCESS) => match open_below(place, ENTER) {
            Ok(fd) => {
                let handle = File::from(fd);
                return Ok(Found::Directory(Directory { handle, place }));
            }
            Err(_) => Err(Errno::ACCESS),
        },
        opened => opened,
    };
    Found::of(File::from(opened?), place)
}

impl Directory<'_> {
    pub(super) fn open_to_read(&self, name: &str) -> io::Result<File> {
        Ok(File::from(self.open_entry(Path::new(name), READ)?))
    }

    /// Returns whether the error means that there is a file of this name that may not be read.
    pub(super) fn forbids(&self, name: &str, error: &io::Error) -> bool {
        let is_file = || {
            statat(&self.handle, name, AtFlags::empty())
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
        };
        Errno::from_io_error(error) == Some(Errno::ACCESS) && is_file()
    }

    /// Calls `each` with the name and type of every entry except `.` and `..`, in no order.
    pub(in crate::simple) fn read(&self, mut each: impl FnMut(&OsStr, FileType)) -> io::Result<()> {
        // opened once more, for the handle may have no right to read, and its position is shared
        let flags = READ | OFlags::DIRECTORY;
        let fd = match open_following(self.handle.as_fd(), Path::new(""), flags) {
            // It may be read, but not entered.
            Err(Errno::ACCESS) => open_below(self.place, flags),
            opened => opened,
        }?;
        read_names(fd, |name, file_type| {
            if !matches!(name.to_bytes(), b"." | b"..") {
                each(OsStr::from_bytes(name.to_bytes()), file_type);
            }
        })
    }

    /// Returns the metadata of an entry: of itself, or (`follows`) of the file that would be served, through the
    /// links that may be followed.
    pub(in crate::simple) fn describe(
        &self,
        name: &OsStr,
        follows: bool,
    ) -> io::Result<Description> {
        match follows {
            false => {
                let stat = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?;
                Ok(Description::of(&stat))
            }
            true => {
                let fd = self.open_entry(Path::new(name), LOCATE)?;
                Ok(Description::of(&rustix::fs::fstat(fd)?))
            }
        }
    }

    fn open_entry(&self, name: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        if !is_plain(name) {
            return Err(Errno::INVAL);
        }
        if self.place.symlinks == Symlinks::Follow {
            return open_following(self.handle.as_fd(), name, flags);
        }
        match open_without_links(self.handle.as_fd(), name, flags) {
            // a link may leave this directory and still end inside the root
            Err(Errno::LOOP | Errno::NOTDIR) if self.place.symlinks == Symlinks::InsideRoot => {
                let relative = self.place.relative.join(name);
                open_below(
                    Place {
                        relative: &relative,
                        ..self.place
                    },
                    flags,
                )
            }
            opened => opened,
        }
    }
}

/// Flags to read a file or a directory. Without `NONBLOCK`, a FIFO would block the thread until it has a writer;
/// without `NOCTTY`, a terminal could become the server's.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY);

fn open_below(place: Place<'_>, flags: OFlags) -> Result<OwnedFd, Errno> {
    open_whole(place, &place.root.join(place.relative), flags)
}

/// The same, if `path` is that of the place already.
fn open_whole(place: Place<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let Place {
        root,
        relative,
        symlinks,
    } = place;
    if !is_plain(relative) {
        return Err(Errno::INVAL);
    }
    // joined with nothing, the root has a slash at its end, and could not be a file
    let path = match relative.as_os_str().is_empty() {
        true => root,
        false => path,
    };
    if symlinks == Symlinks::Follow {
        return open_following(CWD, path, flags);
    }
    // Plain names without any link cannot leave the root. Most paths are of this kind, and for
    // them, if there is no link on the way to the root either, this one call is all.
    match openat2(CWD, path, flags, Links::None) {
        Err(Errno::LOOP) => {}
        Err(error) if is_missing(error) => {}
        opened => return opened,
    }
    let root_fd = open_following(CWD, root, ENTER)?;
    let root_fd = root_fd.as_fd();
    if symlinks == Symlinks::Deny {
        return open_without_links(root_fd, relative, flags);
    }
    let opened = match openat2(root_fd, relative, flags, Links::Beneath) {
        Err(error) if is_missing(error) => walk(root_fd, relative, flags),
        opened => opened,
    };
    match opened {
        // Refused, but an absolute link or one that goes out and comes back may still end inside.
        // So ask where the path ends, and go there without links.
        Err(Errno::XDEV | Errno::LOOP | Errno::NOTDIR) => {
            let root = fs::canonicalize(root).map_err(errno)?;
            let path = fs::canonicalize(path).map_err(errno)?;
            let relative = path.strip_prefix(root).map_err(|_| Errno::NOENT)?;
            open_without_links(root_fd, relative, flags)
        }
        opened => opened,
    }
}

fn open_following(dir: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    retry_on_intr(|| openat(dir, or_dot(path), flags, Mode::empty()))
}

/// Opens plain names below `dir`, and fails at the first link.
fn open_without_links(dir: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    match openat2(dir, path, flags, Links::None) {
        Err(error) if is_missing(error) => walk(dir, path, flags),
        opened => opened,
    }
}

/// The same without `openat2`: each directory is opened in the one before it, so none can be replaced by a link
/// unnoticed.
fn walk(dir: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut names = path.components();
    let Some(last) = names.next_back() else {
        return open_following(dir, path, flags);
    };
    let mut parent = None;
    for name in names {
        let dir = parent.as_ref().map_or(dir, OwnedFd::as_fd);
        parent = Some(open_following(
            dir,
            name.as_ref(),
            ENTER | OFlags::NOFOLLOW,
        )?);
    }
    let dir = parent.as_ref().map_or(dir, OwnedFd::as_fd);
    let fd = open_following(dir, last.as_ref(), flags | OFlags::NOFOLLOW)?;
    // What is only located would be the link itself.
    if flags == LOCATE && FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode).is_symlink() {
        return Err(Errno::LOOP);
    }
    Ok(fd)
}

/// What `openat2` lets a path do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Links {
    /// No links at all.
    None,
    /// Links, if no step of them leaves the directory.
    Beneath,
}

/// Returns whether this error means that there is no `openat2`. Some sandboxes report that with `PERM`, which the
/// call itself never returns with these flags.
fn is_missing(error: Errno) -> bool {
    matches!(error, Errno::NOSYS | Errno::PERM)
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::NOENT)
}

#[cfg(test)]
mod tests;
