//! Reads a directory: its names first, and metadata, which costs a system call for each entry, only if needed.

use std::ffi::OsStr;
use std::io;

use crate::simple::open::FileType;

use super::Entry;
use super::asked::Order;
use super::names::{Details, Kind, Line, Names};
use super::order;
use crate::simple::open::{Description, Directory};

/// Returns the names of a directory that are listed, in no order.
///
/// The file system reports the type of an entry with its name, so only links cost a system call.
pub(super) fn read(
    directory: &Directory<'_>,
    is_listed: impl Fn(&OsStr) -> bool,
) -> io::Result<Names> {
    let mut names = Names::default();
    directory.read(|name, file_type| {
        if !is_listed(name) {
            return;
        }
        let file_type = match file_type {
            FileType::Unknown => match directory.describe(name, false) {
                Ok(description) => description.file_type(),
                Err(_) => FileType::Unknown,
            },
            known => known,
        };
        let is_link = file_type.is_symlink();
        names.push(&Line {
            name: name.as_encoded_bytes(),
            kind: match is_link {
                true => directory
                    .describe(name, true)
                    .map_or(Kind::Other, |description| kind(description.file_type())),
                false => kind(file_type),
            },
            is_link,
            details: Details::default(),
        });
    })?;
    Ok(names)
}

/// Adds sizes and times. An entry that was deleted meanwhile is dropped; one whose metadata can't be read has none.
pub(super) fn describe(names: &mut Names, directory: &Directory<'_>) {
    names.describe(|name, is_link| match directory.describe(name, is_link) {
        Ok(description) => Some((kind(description.file_type()), details(&description))),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_link => None,
        Err(_) => Some((Kind::Other, Details::default())),
    });
}

fn kind(file_type: FileType) -> Kind {
    match file_type {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        _ => Kind::Other,
    }
}

fn details(description: &Description) -> Details {
    Details {
        size: description.is_file().then(|| description.size()),
        modified: Some(description.modified()),
    }
}

/// Returns all entries as values.
pub(in crate::simple) fn all(
    directory: &Directory<'_>,
    has_details: bool,
) -> io::Result<Vec<Entry>> {
    let mut names = read(directory, |_| true)?;
    if has_details {
        describe(&mut names, directory);
    }
    order::arrange(&mut names, Order::default());
    Ok(names.lines().map(|line| Entry::of(&line)).collect())
}
