//! A tree of files and links in a directory of its own, and what opening its paths shows.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::OPENAT2_IS_MISSING;
use crate::simple::listing::Entry;
use crate::simple::open::{Directory, Found, Symlinks, open};

/// Runs a promise twice: with `openat2` and without it.
pub(super) fn both_ways(promise: impl Fn()) {
    for missing in [false, true] {
        OPENAT2_IS_MISSING.set(missing);
        promise();
    }
    OPENAT2_IS_MISSING.set(false);
}

/// A directory of its own for each test, with a root `www` in it; gone at the end.
pub(super) struct Temp(pub(super) PathBuf);

impl Temp {
    pub(super) fn new() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("servette-open-{}-{number}", std::process::id()));
        fs::create_dir_all(path.join("www/sub/deep")).unwrap();
        fs::create_dir(path.join("www-private")).unwrap();
        let temp = Temp(path);
        temp.write("www/file", "file");
        temp.write("www/sub/deep/file", "deep");
        temp.write("www-private/file", "secret");
        temp.write("outside", "secret");
        temp
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    pub(super) fn root(&self) -> PathBuf {
        self.path("www")
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    pub(super) fn link(&self, target: impl AsRef<Path>, path: &str) {
        symlink(target, self.path(path)).unwrap();
    }

    pub(super) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // a test that failed may have left a directory closed
        let _ = fs::set_permissions(self.path("www/sub"), fs::Permissions::from_mode(0o755));
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is found, as text: what is in a file, or `dir`, or the kind of the error.
pub(super) fn look(root: &Path, relative: impl AsRef<Path>, symlinks: Symlinks) -> String {
    match open(root, relative.as_ref(), symlinks) {
        Ok(found) => text(found),
        Err(error) => format!("{:?}", error.kind()),
    }
}

pub(super) fn text(found: Found<'_>) -> String {
    match found {
        Found::File(mut file, description) => {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(description.size(), text.len() as u64);
            text
        }
        Found::Directory(_) => "dir".into(),
    }
}

pub(super) fn directory<'a>(
    root: &'a Path,
    relative: &'a str,
    symlinks: Symlinks,
) -> Directory<'a> {
    match open(root, Path::new(relative), symlinks).unwrap() {
        Found::Directory(directory) => directory,
        Found::File(..) => panic!("{relative} is a file"),
    }
}

pub(super) fn list(root: &Path, relative: &str, symlinks: Symlinks) -> Vec<(OsString, bool, bool)> {
    let entries = directory(root, relative, symlinks).entries().unwrap();
    entries
        .into_iter()
        .map(
            |Entry {
                 name,
                 is_dir,
                 is_link,
                 ..
             }| (name, is_dir, is_link),
        )
        .collect()
}

pub(super) const ALL: [Symlinks; 3] = [Symlinks::Deny, Symlinks::InsideRoot, Symlinks::Follow];

/// One path, and what it is under each policy.
pub(super) fn assert_look(temp: &Temp, relative: &str, [deny, inside, follow]: [&str; 3]) {
    let root = temp.root();
    for (symlinks, expected) in ALL.into_iter().zip([deny, inside, follow]) {
        let seen = look(&root, relative, symlinks);
        match expected {
            "-" => assert!(
                seen != "secret" && seen != "dir" && seen != "file",
                "{relative} {symlinks:?}: {seen}"
            ),
            _ => assert_eq!(seen, expected, "{relative} {symlinks:?}"),
        }
    }
}
