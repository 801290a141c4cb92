//! Small files in memory, each shown by the file system, on the very request, to be unchanged.
//!
//! An entry is the content of a file together with what the file system said of it: device, number,
//! size, times of change. It is served only if the file system says the same now, so an edit is seen by
//! the next request; nothing is believed for a time. A file that was changed within the last moments is
//! not kept, for a second change in the same grain of the clock would not show.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crate::shutdown::lock;

/// The largest file that is kept.
const MOST_OF_A_FILE: u64 = 64 << 10;
/// As much as is kept in all; past it everything is dropped, and what is asked for comes back.
const MOST_IN_ALL: usize = 16 << 20;
/// Changes nearer than this may look like one: the coarsest file systems count in two seconds.
const GRAIN: Duration = Duration::from_millis(2500);

/// The files of a handler that were asked for before.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    files: HashMap<PathBuf, Arc<KeptFile>>,
    size: usize,
}

/// A file in memory.
#[derive(Debug)]
pub(super) struct KeptFile {
    pub(super) content: Arc<[u8]>,
    pub(super) modified: SystemTime,
    identity: Identity,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mode: metadata.mode(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The last change is long enough ago that another one would show.
    fn is_settled(&self, now: SystemTime) -> bool {
        let changed = self.changed.0.max(self.modified.0);
        let grain = GRAIN.as_secs() as i64 + 1;
        now.duration_since(SystemTime::UNIX_EPOCH)
            .is_ok_and(|now| now.as_secs() as i64 - changed > grain)
    }
}

impl Cache {
    /// The file at this path, if it was kept and is unchanged, as `describe` says what the path leads to
    /// now: by the rules for links, for the path may lead to the same file in another way than before.
    pub(super) fn find(
        &self,
        path: &Path,
        describe: impl FnOnce() -> io::Result<Metadata>,
    ) -> Option<Arc<KeptFile>> {
        let kept = lock(&self.0).files.get(path).cloned()?;
        let is_same = describe().is_ok_and(|now| Identity::of(&now) == kept.identity);
        if is_same {
            return Some(kept);
        }
        lock(&self.0).remove(path);
        None
    }

    /// Reads a file that was just opened, and keeps it, if it is small and has not changed lately.
    pub(super) fn keep(
        &self,
        path: &Path,
        file: &File,
        metadata: &Metadata,
    ) -> Option<Arc<KeptFile>> {
        let identity = Identity::of(metadata);
        if identity.size > MOST_OF_A_FILE || !identity.is_settled(SystemTime::now()) {
            return None;
        }
        let content = read_whole(file, identity.size).ok()??;
        // What was read is what was described only if the description still holds.
        if Identity::of(&file.metadata().ok()?) != identity {
            return None;
        }
        let kept = Arc::new(KeptFile {
            content,
            modified: metadata.modified().ok()?,
            identity,
        });
        lock(&self.0).insert(path, kept.clone());
        Some(kept)
    }
}

impl Kept {
    fn insert(&mut self, path: &Path, file: Arc<KeptFile>) {
        self.remove(path);
        let size = cost(path, &file);
        if self.size + size > MOST_IN_ALL {
            *self = Kept::default();
        }
        self.size += size;
        self.files.insert(path.to_owned(), file);
    }

    fn remove(&mut self, path: &Path) {
        if let Some(file) = self.files.remove(path) {
            self.size = self.size.saturating_sub(cost(path, &file));
        }
    }
}

/// What an entry takes of memory, about.
fn cost(path: &Path, file: &KeptFile) -> usize {
    file.content.len() + path.as_os_str().len() + 256
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
    use super::*;
    use std::fs;

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

        /// As at the first request, with the file system's word on the last change replaced.
        fn keep(&self, cache: &Cache) -> Option<Arc<KeptFile>> {
            let file = File::open(&self.0).unwrap();
            cache.keep(&self.0, &file, &file.metadata().unwrap())
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
        let metadata = file.metadata().unwrap();
        let kept = KeptFile {
            content: read_whole(&file, metadata.len()).unwrap().unwrap(),
            modified: metadata.modified().unwrap(),
            identity: Identity::of(&metadata),
        };
        lock(&cache.0).insert(&place.0, Arc::new(kept));
        cache
    }

    #[test]
    fn a_file_that_was_changed_lately_is_not_kept() {
        // The times of the change itself can't be set back, so this one is always new.
        let place = Place::new("lately", Duration::from_secs(60));
        assert!(place.keep(&Cache::default()).is_none());
        let now = SystemTime::now();
        let identity = Identity::of(&place.0.metadata().unwrap());
        assert!(!identity.is_settled(now));
        assert!(identity.is_settled(now + Duration::from_secs(10)));
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
            assert_eq!(
                &*cache.find(&place.0, || place.0.metadata()).unwrap().content,
                b"first"
            );
            change(&place);
            assert!(cache.find(&place.0, || place.0.metadata()).is_none());
            assert!(lock(&cache.0).files.is_empty() || !place.0.exists());
        }
    }

    #[test]
    fn the_same_file_behind_a_link_that_leads_out_is_not_served() {
        use super::super::open::{Symlinks, describe};
        let base =
            std::env::temp_dir().join(format!("servette-cache-links-{}", std::process::id()));
        let root = base.join("root");
        fs::create_dir_all(root.join("dir")).unwrap();
        fs::write(root.join("dir/f"), "inside").unwrap();
        let place = Place(root.join("dir/f"));
        let cache = with(&place);
        let find =
            |symlinks| cache.find(&place.0, || describe(&root, Path::new("dir/f"), symlinks));
        assert!(find(Symlinks::Deny).is_some());
        // The file itself does not change by this.
        fs::rename(root.join("dir"), base.join("outside")).unwrap();
        std::os::unix::fs::symlink(base.join("outside"), root.join("dir")).unwrap();
        assert!(find(Symlinks::Follow).is_some());
        assert!(find(Symlinks::InsideRoot).is_none());
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let place = Place::new("bounded", Duration::ZERO);
        let cache = with(&place);
        let (_, file) = lock(&cache.0).files.drain().next().unwrap();
        *lock(&cache.0) = Kept::default();
        for number in 0..100_000 {
            let path = PathBuf::from(format!("/{number:0>500}"));
            let mut kept = lock(&cache.0);
            kept.insert(&path, file.clone());
            assert!(kept.size <= MOST_IN_ALL && kept.files.contains_key(&path));
        }
        let mut kept = lock(&cache.0);
        let paths: Vec<_> = kept.files.keys().cloned().collect();
        paths.iter().for_each(|path| kept.remove(path));
        assert_eq!(kept.size, 0);
    }
}
