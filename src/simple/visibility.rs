//! Hidden names, such as `.git` and `.env`.

use std::ffi::OsStr;
use std::path::{Path, is_separator};

use super::{ServeFiles, open, path};
use crate::sys;

/// Who sees a file or directory with some name; see [`SimpleHandler::dot_files`](super::SimpleHandler::dot_files).
///
/// ```
/// use servette::simple::Visibility;
/// use servette::{SimpleHandler, respond};
///
/// let site = SimpleHandler::new(env!("CARGO_MANIFEST_DIR")).dot_files(Visibility::Hidden);
/// assert!(respond(&site, "GET /.env HTTP/1.0\r\n\r\n").starts_with(b"HTTP/1.0 404 "));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Visibility {
    /// Served, and shown in listings.
    #[default]
    Shown,
    /// Served, but not shown in listings.
    Unlisted,
    /// Not served, and nothing below it is: 404.
    Hidden,
}

/// The default of [`ServeFiles::visibility`].
#[inline]
pub fn visibility<H: ServeFiles + ?Sized>(handler: &H, name: &OsStr) -> Visibility {
    match handler.files().site().dot_names {
        Visibility::Shown => Visibility::Shown,
        of_dots if name.as_encoded_bytes().starts_with(b".") => of_dots,
        _ => Visibility::Shown,
    }
}

/// Returns whether a name on the way to a file is hidden: below the handler's directory, those of the file's path;
/// elsewhere, those of the request path.
#[inline]
pub(super) fn is_hidden<H: ServeFiles + ?Sized>(handler: &H, target: &str, file: &Path) -> bool {
    let root = handler.files().directory().as_os_str().as_encoded_bytes();
    match file.as_os_str().as_encoded_bytes().strip_prefix(root) {
        // The directory as it is written, unless a hook has made another path.
        Some([]) => false,
        Some(names @ [first, ..]) if is_separator(char::from(*first)) => has_hidden(handler, names),
        _ => is_hidden_elsewhere(handler, target, file),
    }
}

#[cold]
fn is_hidden_elsewhere<H: ServeFiles + ?Sized>(handler: &H, target: &str, file: &Path) -> bool {
    if let Some(relative) = open::relative_to(handler.files().directory(), file) {
        return has_hidden(handler, relative.as_os_str().as_encoded_bytes());
    }
    let relative = path::relative(target);
    relative.is_ok_and(|relative| has_hidden(handler, relative.path.as_os_str().as_encoded_bytes()))
}

#[inline]
fn has_hidden<H: ServeFiles + ?Sized>(handler: &H, names: &[u8]) -> bool {
    let names = match names {
        [first, rest @ ..] if is_separator(char::from(*first)) => rest,
        _ => names,
    };
    let mut is_first = true;
    let is_separator = |byte: &u8| is_separator(char::from(*byte));
    names.split(is_separator).any(|name| {
        let is_well_known = std::mem::take(&mut is_first) && name == WELL_KNOWN;
        !name.is_empty()
            && !is_well_known
            && sys::name(name).is_none_or(|name| handler.visibility(name) == Visibility::Hidden)
    })
}

/// Returns whether a name is shown in the listing of a directory, which may be the root.
pub(super) fn is_listed<H: ServeFiles + ?Sized>(handler: &H, name: &OsStr, is_root: bool) -> bool {
    (is_root && name.as_encoded_bytes() == WELL_KNOWN)
        || handler.visibility(name) == Visibility::Shown
}

/// A directory that must be visible to programs, in the root only (RFC 8615).
const WELL_KNOWN: &[u8] = b".well-known";
