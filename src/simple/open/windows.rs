//! Each name is opened in the directory before it, by its handle, and what is a link is never followed on the way. Where links
//! may be followed inside the root, the system says where a path that has some ends, and that place is opened without any.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::{Component, Path};

use fs_at::os::windows::OpenOptionsExt as _;
use winapi_util::file::{information, typ};

use super::{Description, Directory, Found, Place, Symlinks};
use crate::simple::validators::Time;
use crate::sys::names::is_name;

/// Opens directories, too.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
const FILE_GENERIC_READ: u32 = 0x0012_0089;
const FILE_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
const OBJ_CASE_INSENSITIVE: u32 = 0x40;
const ATTRIBUTE_DIRECTORY: u64 = 0x10;
const ATTRIBUTE_REPARSE_POINT: u64 = 0x400;
/// `ERROR_CANT_RESOLVE_FILENAME`: there is a link.
const LINK: i32 = 1921;

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileType {
    RegularFile,
    Directory,
    Symlink,
    Unknown,
}

impl FileType {
    pub(crate) fn is_symlink(self) -> bool {
        self == FileType::Symlink
    }
}

impl Description {
    /// Of an open file.
    pub(crate) fn of_open(file: &File) -> io::Result<Self> {
        let is_disk = typ(file)?.is_disk();
        let now = information(file)?;
        let attributes = now.file_attributes();
        let file_type = match () {
            () if !is_disk => FileType::Unknown,
            () if is_link(file, attributes)? => FileType::Symlink,
            () if attributes & ATTRIBUTE_DIRECTORY != 0 => FileType::Directory,
            () => FileType::RegularFile,
        };
        let modified = since_1970(now.last_write_time());
        Ok(Description {
            device: now.volume_serial_number(),
            inode: now.file_index(),
            file_type,
            mode: 0,
            size: now.file_size(),
            // Sizes are true.
            has_blocks: true,
            modified,
            changed: modified.max(since_1970(now.creation_time())),
        })
    }
}

/// Seconds and nanoseconds, of a time in ticks of 100 ns since 1601.
fn since_1970(ticks: Option<u64>) -> Time {
    const PER_SECOND: u64 = 10_000_000;
    const UNTIL_1970: i64 = 11_644_473_600;
    let ticks = ticks.unwrap_or(0);
    let seconds = i64::try_from(ticks / PER_SECOND).unwrap_or(i64::MAX);
    let nanos = (ticks % PER_SECOND) * 100;
    (seconds.saturating_sub(UNTIL_1970), nanos as i64)
}

/// Whether this is a link itself: a symbolic one, or a junction.
fn is_link(file: &File, attributes: u64) -> io::Result<bool> {
    Ok(attributes & ATTRIBUTE_REPARSE_POINT != 0 && file.metadata()?.is_symlink())
}

/// How the file system is asked what a path leads to now: by opening it.
#[derive(Debug)]
pub(crate) struct Way;

impl Way {
    pub(crate) fn new(_: &Path, _: &Path, _: Symlinks) -> Self {
        Way
    }

    /// To know whether a file is unchanged takes as many calls as to open it.
    pub(crate) fn is_one_call(&self) -> bool {
        false
    }

    /// What the file system says now.
    pub(crate) fn describe(
        &self,
        root: &Path,
        path: &Path,
        symlinks: Symlinks,
    ) -> io::Result<Description> {
        let file = match relative_to(root, path) {
            Some(relative) => open_below(Place::new(root, relative, symlinks))?,
            None => open_following(path)?,
        };
        Description::of_open(&file)
    }
}

/// The way from `root` to `path`; `None` if that is not below it.
pub(crate) fn relative_to<'p>(root: &Path, path: &'p Path) -> Option<&'p Path> {
    path.strip_prefix(root).ok()
}

/// Whether a path has names only, each of which means a file of this name.
fn is_plain(path: &Path) -> bool {
    path.components().all(|component| match component {
        Component::Normal(name) => name.to_str().is_some_and(is_name),
        _ => false,
    })
}

/// Opens `relative`, which must have plain names only, below `root`.
///
/// What is neither a regular file nor a directory counts as not found, and so does what is behind
/// a link that leaves the root.
pub(crate) fn open<'a>(
    root: &'a Path,
    relative: &'a Path,
    symlinks: Symlinks,
) -> io::Result<Found<'a>> {
    let place = Place::new(root, relative, symlinks);
    Found::of(open_below(place)?, place)
}

impl Directory<'_> {
    pub(super) fn open_to_read(&self, name: &str) -> io::Result<File> {
        self.open_entry(OsStr::new(name))
    }

    /// The error means that there is a file of this name, which may not be read.
    pub(super) fn forbids(&self, _: &str, error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::PermissionDenied
    }

    /// Calls `each` with the name of every entry but `.` and `..`, in no order.
    pub(in crate::simple) fn read(&self, mut each: impl FnMut(&OsStr, FileType)) -> io::Result<()> {
        // Its position is shared with this one, so it is set to the start by who reads first.
        let mut directory = self.handle.try_clone()?;
        for entry in fs_at::read_dir(&mut directory)? {
            let entry = entry?;
            if !matches!(entry.name().as_encoded_bytes(), b"." | b"..") {
                each(entry.name(), FileType::Unknown);
            }
        }
        Ok(())
    }

    /// What the file system says of an entry: of itself, or (`follows`) of what would be served, with the links that may be
    /// followed.
    pub(in crate::simple) fn describe(
        &self,
        name: &OsStr,
        follows: bool,
    ) -> io::Result<Description> {
        let file = match follows {
            false => open_at(&self.handle, name)?,
            true => self.open_entry(name)?,
        };
        Description::of_open(&file)
    }

    fn open_entry(&self, name: &OsStr) -> io::Result<File> {
        open_below(Place {
            relative: &self.place.relative.join(name),
            ..self.place
        })
    }
}

fn open_below(place: Place<'_>) -> io::Result<File> {
    let Place {
        root,
        relative,
        symlinks,
    } = place;
    if !is_plain(relative) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if relative.as_os_str().is_empty() {
        return open_following(root);
    }
    // (It replaces slashes where the root begins with `\\?\`.)
    let path = root.join(relative);
    if symlinks == Symlinks::Follow {
        return open_following(&path);
    }
    let directory = open_following(root)?;
    match walk(&directory, relative) {
        Err(error) if error.raw_os_error() == Some(LINK) && symlinks == Symlinks::InsideRoot => {
            let (root, path) = (fs::canonicalize(root)?, fs::canonicalize(path)?);
            let relative = path.strip_prefix(root);
            let relative = relative.map_err(|_| io::ErrorKind::NotFound)?;
            match relative.as_os_str().is_empty() {
                true => Ok(directory),
                false => walk(&directory, relative),
            }
        }
        opened => opened,
    }
}

fn open_following(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)
}

/// Opens plain names below `directory`, and fails at the first link.
fn walk(directory: &File, relative: &Path) -> io::Result<File> {
    let mut last = None;
    for name in relative.components() {
        let name = name.as_os_str();
        let parent = last.as_ref().unwrap_or(directory);
        let mut file = open_at(parent, name)?;
        let found = information(&file)?;
        if found.file_attributes() & ATTRIBUTE_REPARSE_POINT != 0 {
            if is_link(&file, found.file_attributes())? {
                return Err(io::Error::from_raw_os_error(LINK));
            }
            // A file that is stored elsewhere, or compressed: without its filter it could not be read. It must be the
            // same still.
            let id =
                |of: &winapi_util::file::Information| (of.volume_serial_number(), of.file_index());
            let whole = open_at_with(parent, name, 0)?;
            if id(&information(&whole)?) != id(&found) {
                return Err(io::Error::from_raw_os_error(LINK));
            }
            file = whole;
        }
        last = Some(file);
    }
    last.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// Opens what has this name in a directory, be it a link.
fn open_at(directory: &File, name: &OsStr) -> io::Result<File> {
    open_at_with(directory, name, FILE_OPEN_REPARSE_POINT)
}

fn open_at_with(directory: &File, name: &OsStr, options: u32) -> io::Result<File> {
    let mut with = fs_at::OpenOptions::default();
    with.desired_access(FILE_GENERIC_READ)
        .create_options(options)
        .object_attributes(OBJ_CASE_INSENSITIVE);
    with.open_path_at(directory, name)
}
