//! Files that were asked for before, small ones in memory and larger ones open, each shown by the file
//! system, on the very request, to be unchanged.
//!
//! An entry is the content of a file, or its descriptor, together with what the file system said of it:
//! device, number, size, times of change. It is served only if the file system says the same now, so an
//! edit is seen by the next request; nothing is believed for a time. A file that has no size and no blocks never
//! gets here, for of those in `/proc` and `/sys` the file system says the same whatever is in them. The content of a file that was changed
//! within the last moments is not kept, for a second change in the same grain of the clock would not show.
//! A descriptor always reads what is there now, and its file keeps its number for as long.
//!
//! What is kept open can't be freed when it is deleted. So it is few files, and none so large that opening
//! it costs nothing beside sending it; and only those of which one call says that they are unchanged, for
//! three are as many as it takes to open them anew.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::open::{Description, Way};
use super::ready::{Body, ReadyFile};
use crate::shutdown::lock;

/// The largest file that is kept in memory.
const MOST_OF_A_FILE: u64 = 64 << 10;
/// The largest file that is kept open.
const MOST_OF_AN_OPEN_FILE: u64 = 1 << 20;
/// So many files are kept open.
const MOST_OPEN: usize = 32;
/// As much as is kept in all; past it everything is dropped, and what is asked for comes back.
const MOST_IN_ALL: usize = 16 << 20;
/// Changes nearer than this may look like one: the coarsest file systems count in two seconds.
const GRAIN: Duration = Duration::from_secs(3);

/// The files of a handler that were asked for before.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// By the bytes of their paths: these are hashed and compared in one go, a path name by name. (A quicker hash
    /// than that of the standard library saves 12 ns of 1 µs, without the socket.)
    files: HashMap<Box<[u8]>, Arc<Entry>>,
    /// The paths of those that are open, the one that was opened first in front.
    open: VecDeque<Box<[u8]>>,
    size: usize,
}

/// A file that is kept, and how to learn whether it is unchanged.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) file: ReadyFile,
    way: Way,
}

impl Cache {
    /// The file at this path, if it was kept and is unchanged, as `describe` says what the path leads to
    /// now: by the rules for links, for the path may lead to the same file in another way than before.
    pub(super) fn find(
        &self,
        path: &Path,
        describe: impl FnOnce(&Way) -> io::Result<Description>,
    ) -> Option<Arc<Entry>> {
        let key = path.as_os_str().as_bytes();
        let kept = lock(&self.0).files.get(key).cloned()?;
        if describe(&kept.way).is_ok_and(|now| now == *kept.file.description()) {
            return Some(kept);
        }
        lock(&self.0).remove(key);
        None
    }

    /// Makes a file ready that was just opened. It is kept if it is small and has not changed lately, or,
    /// where it is cheap to learn whether it is unchanged, if it is not very large.
    pub(super) fn keep(
        &self,
        path: &Path,
        file: File,
        description: Description,
        way: Way,
    ) -> ReadyFile {
        let size = description.size();
        let is_small = size <= MOST_OF_A_FILE;
        let content = match is_small && description.is_older(GRAIN, SystemTime::now()) {
            true => ReadyFile::read(&file, description).ok().flatten(),
            false => None,
        };
        let is_read = content.is_some();
        let stays_open =
            !is_small && size <= MOST_OF_AN_OPEN_FILE && way.is_one_call() && leaves_room(&file);
        let ready = content.unwrap_or_else(|| ReadyFile::open(file, description));
        if is_read || stays_open {
            let entry = Entry {
                file: ready.clone(),
                way,
            };
            lock(&self.0).insert(path.as_os_str().as_bytes(), entry);
        }
        ready
    }
}

impl Kept {
    fn insert(&mut self, path: &[u8], entry: Entry) {
        self.remove(path);
        let size = cost(path, &entry.file);
        if self.size + size > MOST_IN_ALL {
            *self = Kept::default();
        }
        if let Body::Open(_) = entry.file.body {
            if self.open.len() >= MOST_OPEN
                && let Some(first) = self.open.front().cloned()
            {
                self.remove(&first);
            }
            self.open.push_back(path.into());
        }
        self.size += size;
        self.files.insert(path.into(), entry.into());
    }

    fn remove(&mut self, path: &[u8]) {
        if let Some(entry) = self.files.remove(path) {
            self.size = self.size.saturating_sub(cost(path, &entry.file));
            if let Body::Open(_) = entry.file.body {
                self.open.retain(|open| **open != *path);
            }
        }
    }
}

/// What an entry takes of memory, about.
fn cost(path: &[u8], file: &ReadyFile) -> usize {
    let content = match &file.body {
        Body::Memory(content) => content.len(),
        Body::Open(_) | Body::Stream(..) => path.len(),
    };
    content + 2 * path.len() + 320
}

/// Whether a file that was just opened may stay so: most descriptors that this process may have are free.
/// A new one has the lowest number that was.
fn leaves_room(file: &File) -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    is_low(file.as_raw_fd(), limit)
}

fn is_low(descriptor: i32, limit: Option<u64>) -> bool {
    u64::try_from(descriptor).is_ok_and(|number| number < limit.unwrap_or(u64::MAX) / 2)
}

#[cfg(test)]
mod tests {
    use super::super::open::Symlinks;
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    struct Place(PathBuf);

    impl Place {
        /// A file that was changed so long ago.
        fn new(name: &str, age: Duration) -> Self {
            Place::with(name, "first", age)
        }

        fn with(name: &str, content: impl AsRef<[u8]>, age: Duration) -> Self {
            let path =
                std::env::temp_dir().join(format!("servette-cache-{name}-{}", std::process::id()));
            fs::write(&path, content).unwrap();
            let place = Place(path);
            place.set_age(age);
            place
        }

        fn open(&self) -> (File, Description) {
            (File::open(&self.0).unwrap(), self.describe().unwrap())
        }

        fn set_age(&self, age: Duration) {
            let file = File::options().write(true).open(&self.0).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        }

        fn way(&self) -> Way {
            Way::new(Path::new("/"), &self.0, Symlinks::Follow)
        }

        fn describe(&self) -> io::Result<Description> {
            let way = self.way();
            way.describe(Path::new("/"), &self.0, Symlinks::Follow)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    impl ReadyFile {
        fn is_open(&self) -> bool {
            matches!(self.body, Body::Open(_))
        }
    }

    /// A cache that has the file, however lately it was changed.
    fn with(place: &Place, way: Way) -> Cache {
        let cache = Cache::default();
        let (file, description) = place.open();
        let file = ReadyFile::read(&file, description).unwrap().unwrap();
        lock(&cache.0).insert(place.0.as_os_str().as_bytes(), Entry { file, way });
        cache
    }

    #[test]
    fn a_file_that_was_changed_lately_is_not_kept() {
        // The times of the change itself can't be set back, so this one is always new.
        let place = Place::new("lately", Duration::from_secs(60));
        let (file, description) = place.open();
        let cache = Cache::default();
        assert!(
            cache
                .keep(&place.0, file, description, place.way())
                .is_open()
        );
        assert!(lock(&cache.0).files.is_empty());
        let now = SystemTime::now();
        assert!(!description.is_older(GRAIN, now));
        assert!(description.is_older(GRAIN, now + Duration::from_secs(10)));
    }

    type Change = fn(&Place);
    const CHANGES: [Change; 5] = [
        |place| fs::write(&place.0, "other").unwrap(),
        |place| place.set_age(Duration::from_secs(9)),
        |place| fs::remove_file(&place.0).unwrap(),
        |place| {
            let new = place.0.with_extension("new");
            fs::copy(&place.0, &new).unwrap();
            fs::rename(&new, &place.0).unwrap();
        },
        |place| {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&place.0, fs::Permissions::from_mode(0o600)).unwrap();
        },
    ];

    #[test]
    fn an_unchanged_file_is_found_and_every_change_is_seen() {
        for change in CHANGES {
            let place = Place::new("changes", Duration::from_secs(60));
            let cache = with(&place, place.way());
            let found = cache.find(&place.0, |_| place.describe()).unwrap();
            assert!(matches!(&found.file.body, Body::Memory(content) if **content == *b"first"));
            change(&place);
            assert!(cache.find(&place.0, |_| place.describe()).is_none());
            assert!(lock(&cache.0).files.is_empty());
        }
    }

    #[test]
    fn a_larger_file_stays_open_until_it_is_seen_to_have_changed() {
        for change in CHANGES {
            let place = Place::with("open", vec![b'x'; 100 << 10], Duration::ZERO);
            let cache = Cache::default();
            let (file, description) = place.open();
            let number = file.as_raw_fd();
            assert!(
                cache
                    .keep(&place.0, file, description, place.way())
                    .is_open()
            );
            let found = cache.find(&place.0, |_| place.describe()).unwrap();
            let Body::Open(file) = found.file.body.clone() else {
                panic!("it was read");
            };
            drop(found);
            assert_eq!(file.as_raw_fd(), number);
            change(&place);
            assert!(cache.find(&place.0, |_| place.describe()).is_none());
            assert_eq!(Arc::strong_count(&file), 1, "it is still kept open");
            assert!(lock(&cache.0).open.is_empty());
        }
    }

    #[test]
    fn only_larger_files_stay_open_that_are_neither_huge_nor_below_other_directories() {
        for (length, is_cheap, stays) in [
            (MOST_OF_A_FILE, true, false),
            (MOST_OF_A_FILE + 1, false, false),
            (MOST_OF_A_FILE + 1, true, true),
            (MOST_OF_AN_OPEN_FILE, true, true),
            (MOST_OF_AN_OPEN_FILE + 1, true, false),
        ] {
            let place = Place::new("sizes", Duration::ZERO);
            let (file, _) = place.open();
            File::options()
                .write(true)
                .open(&place.0)
                .and_then(|file| file.set_len(length))
                .unwrap();
            let cache = Cache::default();
            let description = place.describe().unwrap();
            let way = match is_cheap {
                true => place.way(),
                false => Way::Opening,
            };
            let ready = cache.keep(&place.0, file, description, way);
            assert!(ready.is_open() && ready.length() == length);
            assert_eq!(lock(&cache.0).files.len(), usize::from(stays), "{length}");
        }
        assert!(is_low(511, Some(1024)) && is_low(511, None));
        assert!(!is_low(512, Some(1024)));
    }

    #[test]
    fn of_the_open_files_the_first_makes_room() {
        let place = Place::new("room", Duration::ZERO);
        let (file, description) = place.open();
        let file = ReadyFile::open(file, description);
        let entry = || Entry {
            file: file.clone(),
            way: place.way(),
        };
        let mut kept = Kept::default();
        for number in 0..100 {
            kept.insert(format!("/{number}").as_bytes(), entry());
            // Again, as by another thread that has opened it too.
            kept.insert(format!("/{number}").as_bytes(), entry());
            assert!(kept.files.len() == kept.open.len() && kept.open.len() <= MOST_OPEN);
        }
        let names = (100 - MOST_OPEN..100).map(|number| format!("/{number}").into_bytes());
        assert!(names.eq(kept.open.iter().map(|path| path.to_vec())));
        assert_forgets_all(&mut kept);
    }

    fn assert_forgets_all(kept: &mut Kept) {
        let paths: Vec<_> = kept.files.keys().cloned().collect();
        paths.iter().for_each(|path| kept.remove(path));
        assert!(kept.size == 0 && kept.open.is_empty());
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
            let rules = [Symlinks::Deny, Symlinks::InsideRoot, Symlinks::Follow];
            let caches = rules.map(|rule| with(&place, Way::new(&root, &place.0, rule)));
            let find = |at: usize| {
                caches[at].find(&place.0, |way| way.describe(&root, &place.0, rules[at]))
            };
            assert!(find(0).is_some() && find(1).is_some());
            let outside = base.join("outside");
            // What the system says of the file itself does not change by this, not even the time of
            // its last change, if it is the directory that moves.
            fs::rename(root.join(moved), &outside).unwrap();
            std::os::unix::fs::symlink(&outside, root.join(moved)).unwrap();
            assert!(moved == "f" || find(2).is_some());
            assert!(find(1).is_none() && find(0).is_none(), "{name}");
            fs::remove_file(root.join(moved)).unwrap();
            let _ = fs::remove_dir_all(&outside).or_else(|_| fs::remove_file(&outside));
        }
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let place = Place::new("bounded", Duration::ZERO);
        let cache = with(&place, place.way());
        let (_, first) = lock(&cache.0).files.drain().next().unwrap();
        *lock(&cache.0) = Kept::default();
        for number in 0..100_000 {
            let path = format!("/{number:0>500}").into_bytes();
            let mut kept = lock(&cache.0);
            let file = first.file.clone();
            let way = Way::Opening;
            kept.insert(&path, Entry { file, way });
            assert!(kept.size <= MOST_IN_ALL && kept.files.contains_key(&*path));
        }
        assert_forgets_all(&mut lock(&cache.0));
    }
}
