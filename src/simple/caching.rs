//! How long caches may keep a response: `Cache-Control` (RFC 9111, 5.2; RFC 8246).

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::open::Directory;
use super::{ServeFiles, open};

/// One year, for files whose name changes with their content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Caches must ask each time before they use a stored response.
pub(super) const NO_CACHE: &str = "no-cache";

/// The options for `Cache-Control`.
#[derive(Clone, Debug, Default)]
pub(super) struct Caching {
    /// Relative directories.
    pub(super) immutable: Vec<PathBuf>,
    pub(super) others: Option<Box<str>>,
}

impl Caching {
    /// Returns the `Cache-Control` of the file at a path.
    pub(super) fn of_file(&self, root: &Path, path: &Path) -> Option<&str> {
        match self.is_immutable(root, path) {
            true => Some(IMMUTABLE),
            false => self.others.as_deref(),
        }
    }

    /// Returns whether a path is one of the directories or below it, whether or not a file exists.
    fn is_immutable(&self, root: &Path, path: &Path) -> bool {
        if self.immutable.is_empty() {
            return false;
        }
        let relative = open::relative_to(root, path);
        relative.is_some_and(|path| {
            self.immutable
                .iter()
                .any(|directory| path.starts_with(directory))
        })
    }
}

/// The default of [`ServeFiles::cache_control`].
pub fn cache_control<'h, H: ServeFiles + ?Sized>(
    handler: &'h H,
    path: &Path,
) -> Option<Cow<'h, str>> {
    let files = handler.files();
    let said = files.site().caching.of_file(files.directory(), path);
    said.map(Cow::Borrowed)
}

/// Returns the `Cache-Control` of a response that is not a file. Below an immutable directory no cache may keep it
/// beyond the next deployment.
pub(super) fn of_no_file(handler: &dyn ServeFiles, path: &Path) -> Option<&'static str> {
    let files = handler.files();
    let caching = &files.site().caching;
    caching
        .is_immutable(files.directory(), path)
        .then_some(NO_CACHE)
}

/// Returns the `Cache-Control` of a listing.
pub(super) fn of_listing(
    handler: &dyn ServeFiles,
    directory: &Directory<'_>,
) -> Option<&'static str> {
    match handler.files().site().caching.immutable.is_empty() {
        true => None,
        false => of_no_file(handler, &directory.path()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immutable_is_what_is_below_a_directory() {
        let caching = Caching {
            immutable: vec!["assets".into(), "a/b".into()],
            others: Some("no-cache".into()),
        };
        for (path, is_immutable) in [
            ("/srv/assets/x-1.js", true),
            ("/srv/assets/deep/x-1.js", true),
            ("/srv/a/b/c", true),
            ("/srv/assets", true),
            ("/srv/assetsx/y", false),
            ("/srv/a/bc", false),
            ("/srv/a", false),
            ("/srv/x/assets/y", false),
            ("/srv/index.html", false),
            ("/srv", false),
            // Not below the root.
            ("/other/assets/x", false),
            ("assets/x", false),
        ] {
            let said = caching.of_file(Path::new("/srv"), Path::new(path));
            let expected = if is_immutable { IMMUTABLE } else { "no-cache" };
            assert_eq!(said, Some(expected), "{path}");
        }
        let none = Caching::default();
        assert_eq!(
            none.of_file(Path::new("/srv"), Path::new("/srv/assets/x")),
            None
        );
        let all = Caching {
            immutable: vec!["".into()],
            ..none
        };
        let said = all.of_file(Path::new("."), Path::new("./x"));
        assert_eq!(said, Some(IMMUTABLE));
    }
}
