use std::cell::Cell;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::open_any;
use super::*;

use self::tree::{ALL, Temp, assert_look, both_ways, directory, list, look, text};

mod tree;
mod ways;

thread_local! {
    /// Whether this test acts as on a system without `openat2`.
    pub(super) static OPENAT2_IS_MISSING: Cell<bool> = const { Cell::new(false) };
}

#[test]
fn files_and_directories_are_found() {
    let temp = Temp::new();
    both_ways(|| {
        assert_look(&temp, "file", ["file"; 3]);
        assert_look(&temp, "sub/deep/file", ["deep"; 3]);
        assert_look(&temp, "", ["dir"; 3]);
        assert_look(&temp, "sub/deep", ["dir"; 3]);
        assert_look(&temp, "missing", ["NotFound"; 3]);
        assert_look(&temp, "sub/missing/file", ["NotFound"; 3]);
        assert_look(&temp, "file/below", ["-"; 3]);
        assert_look(&temp, &"x".repeat(300), ["-"; 3]);
        assert_look(&temp, &"x/".repeat(3000), ["-"; 3]);
    });
}

#[test]
fn a_path_that_is_not_plain_is_refused() {
    let temp = Temp::new();
    let absolute = temp.path("outside");
    both_ways(|| {
        for path in [
            "..",
            "../outside",
            "sub/../../outside",
            absolute.to_str().unwrap(),
            "a\0b",
        ] {
            assert_look(&temp, path, ["InvalidInput"; 3]);
        }
    });
}

#[test]
fn links_are_followed_as_the_policy_says() {
    let temp = Temp::new();
    temp.link("sub/deep/file", "www/inside");
    temp.link("sub", "www/inside-dir");
    temp.link("../../file", "www/sub/deep/up");
    temp.link(temp.path("www/file"), "www/absolute-inside");
    temp.link("../www/file", "www/out-and-back");
    temp.link("../outside", "www/out");
    temp.link(temp.path("outside"), "www/absolute-out");
    temp.link("..", "www/parent");
    temp.link("../www-private", "www/sibling");
    temp.link(temp.path("www-private"), "www/absolute-sibling");
    temp.link("/", "www/slash");
    temp.link("/proc/self/cwd", "www/magic");
    temp.link("loop", "www/loop");
    temp.link("nowhere", "www/dangling");
    temp.link(temp.path("nowhere"), "www/dangling-out");
    temp.link("absolute-inside", "www/chain");
    both_ways(|| {
        assert_look(&temp, "inside", ["-", "deep", "deep"]);
        assert_look(&temp, "inside-dir", ["-", "dir", "dir"]);
        assert_look(&temp, "inside-dir/deep/file", ["-", "deep", "deep"]);
        assert_look(&temp, "sub/deep/up", ["-", "file", "file"]);
        assert_look(&temp, "inside-dir/deep/up", ["-", "file", "file"]);
        assert_look(&temp, "absolute-inside", ["-", "file", "file"]);
        assert_look(&temp, "out-and-back", ["-", "file", "file"]);
        assert_look(&temp, "chain", ["-", "file", "file"]);
        assert_look(&temp, "out", ["-", "NotFound", "secret"]);
        assert_look(&temp, "absolute-out", ["-", "NotFound", "secret"]);
        assert_look(&temp, "parent/outside", ["-", "NotFound", "secret"]);
        assert_look(&temp, "parent/www/file", ["-", "file", "file"]);
        assert_look(&temp, "sibling", ["-", "NotFound", "dir"]);
        assert_look(&temp, "sibling/file", ["-", "NotFound", "secret"]);
        assert_look(&temp, "absolute-sibling/file", ["-", "NotFound", "secret"]);
        assert_look(&temp, "slash", ["-", "NotFound", "dir"]);
        if cfg!(target_os = "linux") {
            assert_look(&temp, "magic", ["-", "-", "dir"]);
        }
        assert_look(&temp, "loop", ["-"; 3]);
        assert_look(&temp, "dangling", ["-", "NotFound", "NotFound"]);
        assert_look(&temp, "dangling-out", ["-", "NotFound", "NotFound"]);
    });
}

#[test]
fn the_root_may_be_behind_links_or_relative_or_missing() {
    let temp = Temp::new();
    temp.link("www", "link");
    temp.link("inside", "www/link");
    temp.write("www/inside", "inside");
    both_ways(|| {
        for symlinks in ALL {
            assert_eq!(look(&temp.path("link"), "file", symlinks), "file");
            assert_eq!(look(&temp.path("link/sub/.."), "file", symlinks), "file");
            assert_eq!(look(&temp.path("link"), "", symlinks), "dir");
            assert_eq!(look(&temp.path("nothing"), "file", symlinks), "NotFound");
            assert_eq!(look(&temp.path("nothing"), "", symlinks), "NotFound");
            assert_ne!(look(&temp.path("www/file"), "x", symlinks), "file");
            // the tests run in the folder of the package
            for root in ["", ".", "./src/.."] {
                assert_eq!(look(Path::new(root), "", symlinks), "dir");
                assert_eq!(look(Path::new(root), "src", symlinks), "dir");
            }
        }
        assert_eq!(
            look(&temp.path("link"), "link", Symlinks::InsideRoot),
            "inside"
        );
        assert_ne!(look(&temp.path("link"), "link", Symlinks::Deny), "inside");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_file_is_not_found_and_nothing_waits_for_it() {
    let temp = Temp::new();
    crate::sys::make_fifo(&temp.path("www/fifo"));
    temp.link("fifo", "www/link");
    let _listener = std::os::unix::net::UnixListener::bind(temp.path("www/socket")).unwrap();
    both_ways(|| {
        assert_look(&temp, "fifo", ["NotFound"; 3]);
        assert_look(&temp, "link", ["-", "NotFound", "NotFound"]);
        assert_look(&temp, "socket", ["-"; 3]);
        assert_eq!(
            look(Path::new("/dev"), "null", Symlinks::InsideRoot),
            "NotFound"
        );
        assert_eq!(
            open_any(&temp.path("www/fifo")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    });
}

#[test]
fn names_are_bytes() {
    let temp = Temp::new();
    let name = OsStr::from_bytes(b"\xff\xfe.txt");
    if fs::write(temp.root().join(name), "bytes").is_err() {
        return; // a file system that takes UTF-8 only
    }
    both_ways(|| {
        for symlinks in ALL {
            assert_eq!(look(&temp.root(), name, symlinks), "bytes");
            assert!(list(&temp.root(), "", symlinks).contains(&(name.to_owned(), false, false)));
        }
    });
}

#[test]
fn a_permission_error_stays_one() {
    let temp = Temp::new();
    temp.write("www/closed", "closed");
    temp.chmod("www/closed", 0);
    temp.write("www/sub/index.html", "index");
    temp.chmod("www/sub", 0o111);
    let read_anyway = File::open(temp.path("www/closed")).is_ok();
    let names = ["index.html".to_owned(), "closed".to_owned()];
    if !read_anyway {
        both_ways(|| {
            assert_look(&temp, "closed", ["PermissionDenied"; 3]);
            for symlinks in ALL {
                // no listing, but an index page
                let root = temp.root();
                let sub = directory(&root, "sub", symlinks);
                assert_eq!(
                    sub.entries().unwrap_err().kind(),
                    io::ErrorKind::PermissionDenied
                );
                assert!(sub.open_index(&names).unwrap().is_some());
                // a closed page is not made up for by a listing
                let error = directory(&root, "", symlinks)
                    .open_index(&names)
                    .unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            }
        });
    }
}

#[test]
fn the_first_regular_file_is_the_index() {
    let temp = Temp::new();
    fs::create_dir(temp.path("www/index.html")).unwrap();
    temp.write("www/index.htm", "htm");
    temp.link("../../file", "www/sub/deep/index.html");
    temp.link("../../outside", "www/sub/index.html");
    temp.write("www/sub/index.htm", "sub");
    let names = ["index.html".to_owned(), "index.htm".to_owned()];
    let index = |relative, symlinks| {
        let root = temp.root();
        let directory = directory(&root, relative, symlinks);
        let (file, description, name) = directory.open_index(&names).unwrap()?;
        Some((text(Found::File(file, description)), name))
    };
    let found = |text: &str, name| Some((text.to_owned(), name));
    both_ways(|| {
        for symlinks in ALL {
            assert_eq!(index("", symlinks), found("htm", "index.htm"));
        }
        assert_eq!(index("sub/deep", Symlinks::Deny), None);
        assert_eq!(
            index("sub/deep", Symlinks::InsideRoot),
            found("file", "index.html")
        );
        assert_eq!(
            index("sub/deep", Symlinks::Follow),
            found("file", "index.html")
        );
        assert_eq!(index("sub", Symlinks::Deny), found("sub", "index.htm"));
        assert_eq!(
            index("sub", Symlinks::InsideRoot),
            found("sub", "index.htm")
        );
        assert_eq!(
            index("sub", Symlinks::Follow),
            found("secret", "index.html")
        );
        for name in ["../file", "/etc/passwd", "", ".", "a\0"] {
            let root = temp.root();
            assert!(
                directory(&root, "sub", Symlinks::Follow)
                    .open_index(&[name.to_owned()])
                    .unwrap()
                    .is_none()
            );
        }
    });
}

#[test]
fn a_listing_shows_links_as_they_would_be_served() {
    let temp = Temp::new();
    temp.link("deep", "www/sub/in-dir");
    temp.link("../sub", "www/sub/around");
    temp.link(temp.path("www"), "www/sub/absolute");
    temp.link("../../www-private", "www/sub/out-dir");
    temp.link("nowhere", "www/sub/dangling");
    temp.write("www/sub/.hidden", "");
    let expected = |followed: &[&str]| -> Vec<(OsString, bool, bool)> {
        let line = |name: &str, is_link| (name.into(), followed.contains(&name), is_link);
        [
            line(".hidden", false),
            line("absolute", true),
            line("around", true),
            line("dangling", true),
            line("deep", false),
            line("in-dir", true),
            line("out-dir", true),
        ]
        .into()
    };
    both_ways(|| {
        let root = temp.root();
        assert_eq!(list(&root, "sub", Symlinks::Deny), expected(&["deep"]));
        let inside = expected(&["deep", "in-dir", "around", "absolute"]);
        assert_eq!(list(&root, "sub", Symlinks::InsideRoot), inside);
        let all = expected(&["deep", "in-dir", "around", "absolute", "out-dir"]);
        assert_eq!(list(&root, "sub", Symlinks::Follow), all);
    });
}

#[test]
fn an_open_directory_stays_itself_when_its_path_becomes_a_link() {
    let temp = Temp::new();
    temp.write("www/sub/index.html", "mine");
    let names = ["index.html".to_owned(), "file".to_owned()];
    let root = temp.root();
    let sub = directory(&root, "sub", Symlinks::InsideRoot);
    fs::rename(temp.path("www/sub"), temp.path("www/moved")).unwrap();
    temp.link("../www-private", "www/sub");
    let (file, description, _) = sub.open_index(&names).unwrap().unwrap();
    assert_eq!(text(Found::File(file, description)), "mine");
    let names: Vec<_> = sub
        .entries()
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert_eq!(names, ["deep", "index.html"]);
}

#[test]
fn a_link_that_is_swapped_all_the_time_never_leads_out() {
    let temp = Temp::new();
    temp.link("../outside", "www/swap");
    temp.link("sub", "www/dir");
    fs::create_dir(temp.path("www-private/deep")).unwrap();
    temp.write("www-private/deep/file", "secret");
    let root = temp.root();
    let stop = AtomicBool::new(false);
    let swap = |target: &str, name: &str| {
        let new = temp.path(&format!("new-{name}"));
        symlink(target, &new).unwrap();
        fs::rename(&new, temp.path("www").join(name)).unwrap();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                swap("file", "swap");
                swap("sub", "dir");
                swap("../outside", "swap");
                swap("../www-private", "dir");
            }
        });
        let leaked = AtomicBool::new(false);
        both_ways(|| {
            for _ in 0..2000 {
                for path in ["swap", "dir/deep/file"] {
                    let seen = look(&root, path, Symlinks::InsideRoot);
                    leaked.fetch_or(seen == "secret", Ordering::Relaxed);
                }
            }
        });
        // stopped before anything can fail, or the scope would wait for ever
        stop.store(true, Ordering::Relaxed);
        assert!(!leaked.into_inner());
    });
}

#[test]
fn any_path_may_be_opened_and_its_index_too() {
    let temp = Temp::new();
    temp.link("../outside", "www/out");
    assert_eq!(text(open_any(&temp.path("www/out")).unwrap()), "secret");
    assert_eq!(
        open_any(&temp.path("nothing")).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    let root = temp.root();
    let Found::Directory(directory) = open_any(&root).unwrap() else {
        panic!("www is a directory")
    };
    assert!(directory.open_index(&["out".to_owned()]).unwrap().is_some());
    assert_eq!(directory.entries().unwrap().len(), 3);
}
