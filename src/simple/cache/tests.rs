use std::fs;
use std::path::PathBuf;

use super::super::open::Symlinks;
use super::*;

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

/// When nothing more can have the times of what was changed just now.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(1)
}

/// A cache that has the file, however lately it was changed.
fn with(place: &Place, way: Way) -> Cache {
    let cache = Cache::default();
    let (file, description) = place.open();
    let file = ReadyFile::read(&file, description, later())
        .unwrap()
        .unwrap();
    lock(&cache.0).insert(place.0.as_os_str().as_encoded_bytes(), Entry { file, way });
    cache
}

#[test]
fn a_file_that_was_changed_lately_is_not_kept() {
    // The times of the change itself can't be set back, so this one is always new.
    let place = Place::new("lately", Duration::from_secs(60));
    let (file, description) = place.open();
    if cfg!(windows) && file.metadata().unwrap().created().unwrap() < SystemTime::now() - GRAIN {
        eprintln!("skipped under wine: the time of creation goes with that of modification");
        return;
    }
    let cache = Cache::default();
    assert!(
        cache
            .keep(&place.0, file, description, place.way(), later())
            .is_open()
    );
    assert!(lock(&cache.0).files.is_empty());
    let now = SystemTime::now();
    assert!(!description.is_older(GRAIN, now));
    assert!(description.is_older(GRAIN, now + Duration::from_secs(10)));
}

type Change = fn(&Place);
const CHANGES: &[Change] = &[
    |place| fs::write(&place.0, "other").unwrap(),
    |place| place.set_age(Duration::from_secs(9)),
    |place| fs::remove_file(&place.0).unwrap(),
    |place| {
        let new = place.0.with_extension("new");
        fs::copy(&place.0, &new).unwrap();
        fs::rename(&new, &place.0).unwrap();
    },
    #[cfg(unix)]
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

#[cfg(unix)]
#[test]
fn a_larger_file_stays_open_until_it_is_seen_to_have_changed() {
    for change in CHANGES {
        let place = Place::with("open", vec![b'x'; 100 << 10], Duration::ZERO);
        let cache = Cache::default();
        let (file, description) = place.open();
        let number = std::os::fd::AsRawFd::as_raw_fd(&file);
        assert!(
            cache
                .keep(&place.0, file, description, place.way(), later())
                .is_open()
        );
        let found = cache.find(&place.0, |_| place.describe()).unwrap();
        let Body::Open(file) = found.file.body.clone() else {
            panic!("it was read");
        };
        drop(found);
        assert_eq!(std::os::fd::AsRawFd::as_raw_fd(&*file), number);
        change(&place);
        assert!(cache.find(&place.0, |_| place.describe()).is_none());
        assert_eq!(Arc::strong_count(&file), 1, "it is still kept open");
        assert!(lock(&cache.0).open.is_empty());
    }
}

#[cfg(unix)]
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
        let ready = cache.keep(&place.0, file, description, way, later());
        assert!(ready.is_open() && ready.facts.size() == length);
        assert_eq!(lock(&cache.0).files.len(), usize::from(stays), "{length}");
    }
    assert!(sys::is_low(511, Some(1024)) && sys::is_low(511, None));
    assert!(!sys::is_low(512, Some(1024)));
}

#[test]
fn of_the_open_files_the_first_makes_room() {
    let place = Place::new("room", Duration::ZERO);
    let (file, description) = place.open();
    let file = ReadyFile::open(file, description, later());
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

#[cfg(unix)]
#[test]
fn in_the_moment_of_a_change_not_even_a_larger_file_stays_open() {
    let place = Place::with("moment", vec![b'x'; 100 << 10], Duration::from_secs(60));
    for (is_later, count) in [(false, 0), (true, 1)] {
        let (file, description) = place.open();
        let (seconds, nanos) = description.version().changed;
        let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds as u64, nanos as u32);
        let now = if is_later { later() } else { changed };
        let cache = Cache::default();
        cache.keep(&place.0, file, description, place.way(), now);
        assert_eq!(lock(&cache.0).files.len(), count);
    }
}

fn assert_forgets_all(kept: &mut Kept) {
    let paths: Vec<_> = kept.files.keys().cloned().collect();
    paths.iter().for_each(|path| kept.remove(path));
    assert!(kept.size == 0 && kept.open.is_empty());
}

#[cfg(unix)]
#[test]
fn the_same_file_behind_a_link_that_leads_out_is_not_served() {
    let base = std::env::temp_dir().join(format!("servette-cache-links-{}", std::process::id()));
    let root = base.join("root");
    fs::create_dir_all(root.join("dir")).unwrap();
    for (name, moved) in [("dir/f", "dir"), ("f", "f")] {
        fs::write(root.join(name), "inside").unwrap();
        let place = Place(root.join(name));
        let rules = [Symlinks::Deny, Symlinks::InsideRoot, Symlinks::Follow];
        let caches = rules.map(|rule| with(&place, Way::new(&root, &place.0, rule)));
        let find =
            |at: usize| caches[at].find(&place.0, |way| way.describe(&root, &place.0, rules[at]));
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
        let way = place.way();
        kept.insert(&path, Entry { file, way });
        assert!(kept.size <= MOST_IN_ALL && kept.files.contains_key(&*path));
    }
    assert_forgets_all(&mut lock(&cache.0));
}
