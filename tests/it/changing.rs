//! Files that change between two requests: each answer is of what is there then.

use std::fs;
use std::io;
use std::io::Write as _;

use servette::simple::Content;
use servette::{Exchange, Layer, RequestHandler, Result};

use crate::webroot::{Silent, WebRoot, at, get};

/// More than is kept in memory.
const LARGE: usize = 100 << 10;

/// Every change there is, one after the other, and the body that is right after it; `None` for a 404.
fn change(root: &WebRoot, name: &str, step: usize) -> Option<Vec<u8>> {
    let path = root.join(name);
    let large = |byte: u8| Some(vec![byte; LARGE]);
    match step {
        0 => root.file(name, vec![b'a'; LARGE]),
        // In place, of the same length, and of the same age, as far as that can be said.
        1 => {
            let time = fs::metadata(&path).unwrap().modified().unwrap();
            let mut file = fs::File::options().write(true).open(&path).unwrap();
            file.write_all(&vec![b'b'; LARGE]).unwrap();
            drop(file);
            // On Windows there is no time of change by which this would be noticed.
            match cfg!(unix) {
                true => root.modified(name, time),
                false => root,
            }
        }
        2 => {
            root.file("new", vec![b'c'; LARGE]);
            root.replace(name, "new");
            root
        }
        3 => root.file(name, vec![b'd'; LARGE + 1]),
        4 => root.file(name, "small"),
        5 => root.file(name, vec![b'f'; 2 << 20]),
        6 => root.file(name, vec![b'g'; LARGE]),
        7 => {
            fs::rename(&path, root.join("../moved")).unwrap();
            root
        }
        #[cfg(unix)]
        8 => root.link(name, root.join("../moved")),
        #[cfg(windows)]
        8 => root,
        9 => {
            #[cfg(unix)]
            fs::remove_file(&path).unwrap();
            fs::rename(root.join("../moved"), &path).unwrap();
            root
        }
        _ => {
            fs::remove_file(&path).unwrap();
            root
        }
    };
    match step {
        0 => large(b'a'),
        1 => large(b'b'),
        2 => large(b'c'),
        3 => Some(vec![b'd'; LARGE + 1]),
        4 => Some(b"small".to_vec()),
        5 => Some(vec![b'f'; 2 << 20]),
        6 | 9 => large(b'g'),
        _ => None,
    }
}

#[test]
fn each_response_is_of_the_current_file() {
    for name in ["f", "dir/f"] {
        let root = WebRoot::new();
        root.dir("dir");
        let strict = root.handler();
        let follows = root.handler_with(|files| files.follow_symlinks(true));
        for step in 0..=10 {
            let content = change(&root, name, step);
            for (handler, follows) in [(&strict, false), (&follows, true)] {
                let content = match step {
                    8 if follows && cfg!(unix) => Some(vec![b'g'; LARGE]),
                    _ => content.clone(),
                };
                for time in 0..3 {
                    let answer = get(handler, &format!("/{name}"));
                    let status = if content.is_some() { 200 } else { 404 };
                    assert_eq!(answer.status(), status, "{name} {step} {follows} {time}");
                    if let Some(content) = &content {
                        assert!(answer.body == *content, "{name} {step} {follows} {time}");
                    }
                }
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn a_directory_that_becomes_a_link_that_leads_out_leads_nowhere() {
    let root = WebRoot::new();
    root.file("dir/f", vec![b'x'; LARGE]);
    let handler = root.handler();
    assert_eq!(get(&handler, "/dir/f").body.len(), LARGE);
    fs::rename(root.join("dir"), root.join("../outside")).unwrap();
    root.link("dir", "../outside");
    assert_eq!(get(&handler, "/dir/f").status(), 404);
}

#[test]
fn the_date_of_a_large_file_is_that_of_its_last_change() {
    let root = WebRoot::new();
    root.file("f", vec![b'x'; LARGE]);
    let handler = root.handler();
    for seconds in [784_111_777, 784_111_778] {
        root.modified("f", at(seconds));
        let answer = get(&handler, "/f");
        let expected = servette::HttpDate::from(at(seconds));
        assert_eq!(answer.field("Last-Modified"), Some(&*expected));
    }
}

/// Sends what it reads, as Python's `copyfile` does.
pub(crate) struct Copies(pub(crate) Silent);

impl Layer for Copies {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn copyfile(&self, x: &mut Exchange<'_>, mut source: Content) -> Result<()> {
        io::copy(&mut source, &mut x.wfile)?;
        Ok(())
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

#[test]
fn who_reads_a_file_takes_nothing_of_it_from_others() {
    let root = WebRoot::new();
    let content: Vec<u8> = (0..LARGE).map(|at| (at % 251) as u8).collect();
    root.file("f", &content);
    let handler = Copies(root.handler());
    for _ in 0..3 {
        assert!(get(&handler, "/f").body == content);
    }
}

/// How many files below the root are open. (The test's process has open what other tests have, too.)
#[cfg(target_os = "linux")]
fn open_files(root: &WebRoot) -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let paths = links.filter_map(|link| fs::read_link(link.path()).ok());
    paths.filter(|path| path.starts_with(root.path())).count()
}

#[cfg(target_os = "linux")]
#[test]
fn few_files_stay_open_and_none_that_was_asked_for_after_it_was_deleted() {
    let root = WebRoot::new();
    let handler = root.handler();
    let name = |number: usize| format!("f{number}");
    for number in 0..40 {
        root.file(name(number), vec![b'x'; LARGE]);
        assert_eq!(get(&handler, &format!("/f{number}")).status(), 200);
    }
    // None stays open while other tests use up most descriptors.
    assert!(open_files(&root) <= 32, "{}", open_files(&root));
    for number in 0..40 {
        fs::remove_file(root.join(name(number))).unwrap();
        assert_eq!(get(&handler, &format!("/f{number}")).status(), 404);
    }
    assert_eq!(open_files(&root), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_cache_no_file_stays_open_and_responses_are_the_same() {
    let root = WebRoot::new();
    let handler = root.handler_with(|files| files.cache_files(false));
    for content in [vec![b'a'; LARGE], vec![b'b'; LARGE], vec![b'c'; 100]] {
        root.file("f", &content);
        for _ in 0..2 {
            assert!(get(&handler, "/f").body == content);
            assert_eq!(open_files(&root), 0);
        }
    }
}
