//! Small files in memory, each shown by the file system, on the very request, to be unchanged.
//!
//! An entry is the content of a file together with what the file system said of it: device, number,
//! size, times of change. It is served only if the file system says the same now, so an edit is seen by
//! the next request; nothing is believed for a time. A file that was changed within the last moments is
//! not kept, for a second change in the same grain of the clock would not show.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::open::Description;
use crate::http1::date::HttpDate;
use crate::shutdown::lock;

/// The largest file that is kept.
const MOST_OF_A_FILE: u64 = 64 << 10;
/// As much as is kept in all; past it everything is dropped, and what is asked for comes back.
const MOST_IN_ALL: usize = 16 << 20;
/// Changes nearer than this may look like one: the coarsest file systems count in two seconds.
const GRAIN: Duration = Duration::from_secs(3);

/// The files of a handler that were asked for before.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// By the bytes of their paths: these are hashed and compared in one go, a path name by name.
    files: HashMap<Box<[u8]>, KeptFile>,
    size: usize,
}

/// A file in memory. A clone shares the content.
#[derive(Clone, Debug)]
pub(super) struct KeptFile {
    pub(super) content: Arc<[u8]>,
    pub(super) modified: SystemTime,
    /// The text of that moment, as a client sends it back.
    pub(super) modified_text: HttpDate,
    description: Description,
}

impl KeptFile {
    /// Reads a file that was just opened; `None` if it has changed since it was described.
    fn read(file: &File, description: &Description) -> io::Result<Option<Self>> {
        let Some(content) = read_whole(file, description.size())? else {
            return Ok(None);
        };
        // What was read is what was described only if the description still holds.
        if Description::of_open(file)? != *description {
            return Ok(None);
        }
        let modified = description.modified();
        Ok(Some(KeptFile {
            content,
            modified,
            modified_text: HttpDate::from(modified),
            description: *description,
        }))
    }
}

impl Cache {
    /// The file at this path, if it was kept and is unchanged, as `describe` says what the path leads to
    /// now: by the rules for links, for the path may lead to the same file in another way than before.
    pub(super) fn find(
        &self,
        path: &Path,
        describe: impl FnOnce() -> io::Result<Description>,
    ) -> Option<KeptFile> {
        let key = path.as_os_str().as_bytes();
        let kept = lock(&self.0).files.get(key).cloned()?;
        if describe().is_ok_and(|now| now == kept.description) {
            return Some(kept);
        }
        lock(&self.0).remove(key);
        None
    }

    /// Reads a file that was just opened, and keeps it, if it is small and has not changed lately.
    pub(super) fn keep(
        &self,
        path: &Path,
        file: &File,
        description: &Description,
    ) -> Option<KeptFile> {
        let is_settled = description.is_older(GRAIN, SystemTime::now());
        if description.size() > MOST_OF_A_FILE || !is_settled {
            return None;
        }
        let kept = KeptFile::read(file, description).ok()??;
        lock(&self.0).insert(path.as_os_str().as_bytes(), kept.clone());
        Some(kept)
    }
}

impl Kept {
    fn insert(&mut self, path: &[u8], file: KeptFile) {
        self.remove(path);
        let size = cost(path, &file);
        if self.size + size > MOST_IN_ALL {
            *self = Kept::default();
        }
        self.size += size;
        self.files.insert(path.into(), file);
    }

    fn remove(&mut self, path: &[u8]) {
        if let Some(file) = self.files.remove(path) {
            self.size = self.size.saturating_sub(cost(path, &file));
        }
    }
}

/// What an entry takes of memory, about.
fn cost(path: &[u8], file: &KeptFile) -> usize {
    file.content.len() + path.len() + 256
}

/// `None` for a file that ends before its size.
fn read_whole(file: &File, size: u64) -> io::Result<Option<Arc<[u8]>>> {
    let mut content = vec![0; size as usize];
    match file.read_exact_at(&mut content, 0) {
        Ok(()) => Ok(Some(content.into())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::open::{Symlinks, describe};
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    struct Place(PathBuf);

    impl Place {
        /// A file that was changed so long ago.
        fn new(name: &str, age: Duration) -> Self {
            let path =
                std::env::temp_dir().join(format!("servette-cache-{name}-{}", std::process::id()));
            fs::write(&path, "first").unwrap();
            let place = Place(path);
            place.set_age(age);
            place
        }

        fn set_age(&self, age: Duration) {
            let file = File::options().write(true).open(&self.0).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        }

        fn describe(&self) -> io::Result<Description> {
            describe(Path::new("/"), &self.0, Symlinks::Follow)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    /// A cache that has the file, however lately it was changed.
    fn with(place: &Place) -> Cache {
        let cache = Cache::default();
        let file = File::open(&place.0).unwrap();
        let kept = KeptFile::read(&file, &Description::of_open(&file).unwrap());
        lock(&cache.0).insert(place.0.as_os_str().as_bytes(), kept.unwrap().unwrap());
        cache
    }

    #[test]
    fn a_file_that_was_changed_lately_is_not_kept() {
        // The times of the change itself can't be set back, so this one is always new.
        let place = Place::new("lately", Duration::from_secs(60));
        let file = File::open(&place.0).unwrap();
        let description = place.describe().unwrap();
        assert!(
            Cache::default()
                .keep(&place.0, &file, &description)
                .is_none()
        );
        let now = SystemTime::now();
        assert!(!description.is_older(GRAIN, now));
        assert!(description.is_older(GRAIN, now + Duration::from_secs(10)));
    }

    #[test]
    fn an_unchanged_file_is_found_and_every_change_is_seen() {
        let changes: [fn(&Place); 5] = [
            |place| fs::write(&place.0, "other").unwrap(),
            |place| place.set_age(Duration::from_secs(9)),
            |place| fs::remove_file(&place.0).unwrap(),
            |place| {
                let new = place.0.with_extension("new");
                fs::write(&new, "first").unwrap();
                fs::rename(&new, &place.0).unwrap();
            },
            |place| {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(&place.0, fs::Permissions::from_mode(0o600)).unwrap();
            },
        ];
        for change in changes {
            let place = Place::new("changes", Duration::from_secs(60));
            let cache = with(&place);
            let found = cache.find(&place.0, || place.describe()).unwrap();
            assert_eq!(&*found.content, b"first");
            change(&place);
            assert!(cache.find(&place.0, || place.describe()).is_none());
            assert!(lock(&cache.0).files.is_empty());
        }
    }

    #[test]
    fn the_same_file_behind_a_link_that_leads_out_is_not_served() {
        let base =
            std::env::temp_dir().join(format!("servette-cache-links-{}", std::process::id()));
        let root = base.join("root");
        fs::create_dir_all(root.join("dir")).unwrap();
        for (name, moved) in [("dir/f", "dir"), ("f", "f")] {
            fs::write(root.join(name), "inside").unwrap();
            let place = Place(root.join(name));
            let caches = [with(&place), with(&place), with(&place)];
            let find = |cache: usize, symlinks| {
                caches[cache].find(&place.0, || describe(&root, &place.0, symlinks))
            };
            assert!(find(0, Symlinks::Deny).is_some());
            assert!(find(1, Symlinks::InsideRoot).is_some());
            let outside = base.join("outside");
            // What the system says of the file itself does not change by this, not even the time of
            // its last change, if it is the directory that moves.
            fs::rename(root.join(moved), &outside).unwrap();
            std::os::unix::fs::symlink(&outside, root.join(moved)).unwrap();
            assert!(moved == "f" || find(2, Symlinks::Follow).is_some());
            assert!(find(1, Symlinks::InsideRoot).is_none(), "{name}");
            assert!(find(0, Symlinks::Deny).is_none(), "{name}");
            fs::remove_file(root.join(moved)).unwrap();
            let _ = fs::remove_dir_all(&outside).or_else(|_| fs::remove_file(&outside));
        }
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let place = Place::new("bounded", Duration::ZERO);
        let cache = with(&place);
        let (_, file) = lock(&cache.0).files.drain().next().unwrap();
        *lock(&cache.0) = Kept::default();
        for number in 0..100_000 {
            let path = format!("/{number:0>500}").into_bytes();
            let mut kept = lock(&cache.0);
            kept.insert(&path, file.clone());
            assert!(kept.size <= MOST_IN_ALL && kept.files.contains_key(&*path));
        }
        let mut kept = lock(&cache.0);
        let paths: Vec<_> = kept.files.keys().cloned().collect();
        paths.iter().for_each(|path| kept.remove(path));
        assert_eq!(kept.size, 0);
    }
}
