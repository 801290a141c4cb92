//! Opening what a request names, on Windows: below the root, whatever links there are and whoever changes them meanwhile,
//! and only regular files and directories.
//!
//! A path is never checked first and opened later, for a link could be put there in between. Each name is opened in the
//! directory before it, by its handle, and what is a link is never followed on the way. Where links may be followed inside
//! the root, the system says where a path that has some ends, and that place is opened without any.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use fs_at::os::windows::OpenOptionsExt as _;
use winapi_util::file::{information, typ};

use super::listing::{self, Entry};
use super::validators::{Time, Version};
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

/// Which symbolic links below the root are followed; junctions are links, too. The root itself may be reached through
/// links.
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

/// What the file system says of a file. It changes when the file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    file_type: FileType,
    volume: u64,
    index: u64,
    size: u64,
    modified: Time,
    created: Time,
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
        Ok(Description {
            file_type,
            volume: now.volume_serial_number(),
            index: now.file_index(),
            size: now.file_size(),
            modified: since_1970(now.last_write_time()),
            created: since_1970(now.creation_time()),
        })
    }

    pub(crate) fn file_type(&self) -> FileType {
        self.file_type
    }

    pub(crate) fn is_file(&self) -> bool {
        self.file_type == FileType::RegularFile
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// What tells the file from others, and from itself before and after a change.
    pub(in crate::simple) fn version(&self) -> Version {
        Version {
            inode: self.index,
            size: self.size,
            modified: self.modified,
            changed: self.modified.max(self.created),
        }
    }

    /// Sizes are true.
    pub(crate) fn is_doubtful(&self) -> bool {
        false
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
        let changed = self.modified.0.max(self.created.0);
        now.duration_since(SystemTime::UNIX_EPOCH)
            .is_ok_and(|now| now.as_secs() as i64 - changed > than.as_secs() as i64)
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
            Some(relative) => open_below(or_dot(root), relative, symlinks)?,
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

/// What a path led to.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// A regular file, opened for reading.
    File(File, Description),
    /// A directory.
    Directory(Directory<'a>),
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
    let root = or_dot(root);
    let file = open_below(root, relative, symlinks)?;
    let description = Description::of_open(&file)?;
    match description.file_type {
        FileType::RegularFile => Ok(Found::File(file, description)),
        FileType::Directory => Ok(Found::Directory(Directory {
            file,
            root,
            relative,
            symlinks,
        })),
        FileType::Symlink | FileType::Unknown => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "neither a regular file nor a directory",
        )),
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
    file: File,
    root: &'a Path,
    relative: &'a Path,
    symlinks: Symlinks,
}

impl Directory<'_> {
    /// The path under which it was opened.
    pub fn path(&self) -> PathBuf {
        self.root.join(self.relative)
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
        self.relative.as_os_str().is_empty()
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
            match self.open_entry(OsStr::new(name)) {
                Ok(file) => {
                    let description = Description::of_open(&file)?;
                    if description.is_file() {
                        return Ok(Some((file, description, name)));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Calls `each` with the name of every entry but `.` and `..`, in no order.
    pub(super) fn read(&self, mut each: impl FnMut(&OsStr, FileType)) -> io::Result<()> {
        // Its position is shared with this one, so it is set to the start by who reads first.
        let mut directory = self.file.try_clone()?;
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
    pub(super) fn describe(&self, name: &OsStr, follows: bool) -> io::Result<Description> {
        let file = match follows {
            false => open_at(&self.file, name)?,
            true => self.open_entry(name)?,
        };
        Description::of_open(&file)
    }

    fn open_entry(&self, name: &OsStr) -> io::Result<File> {
        open_below(self.root, &self.relative.join(name), self.symlinks)
    }
}

fn open_below(root: &Path, relative: &Path, symlinks: Symlinks) -> io::Result<File> {
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

/// An empty path means the directory itself, but not to the system.
fn or_dot(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}
