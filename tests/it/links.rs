//! Symbolic links, and what is neither a file nor a directory.

use std::os::unix::net::UnixListener;

use servette::simple::Symlinks;

use crate::support::make_fifo;
use crate::webroot::{SECRET, Silent, WebRoot, get};

/// A tree with links of every kind.
fn tree() -> WebRoot {
    let root = WebRoot::new();
    root.file("a.txt", "inside")
        .file("dir/b.txt", "below")
        .dir("pages")
        .dir("index-out");
    root.link("plain", "a.txt");
    root.link("dir/up", "../a.txt");
    root.link("absolute", root.join("a.txt"));
    root.link("around", "../www/a.txt");
    root.link("to-dir", "dir");
    root.link("twice", "plain");
    root.link("pages/index.html", "../a.txt");
    root.link("index-out/index.html", "../../secret.txt");
    root.link("secret", "../secret.txt");
    root.link("secret-absolute", root.join("../secret.txt"));
    root.link("parent", "..");
    root.link("top", "/");
    root.link("relay", "secret");
    root.link("gone", "none");
    root
}

const INSIDE: [(&str, &str); 9] = [
    ("/plain", "inside"),
    ("/dir/up", "inside"),
    ("/absolute", "inside"),
    ("/around", "inside"),
    ("/to-dir/b.txt", "below"),
    ("/to-dir/up", "inside"),
    ("/twice", "inside"),
    ("/pages/", "inside"),
    ("/pages/index.html", "inside"),
];
const OUTSIDE: [&str; 6] = [
    "/secret",
    "/secret-absolute",
    "/parent/secret.txt",
    "/relay",
    "/index-out/index.html",
    "/index-out/",
];

#[test]
fn links_inside_the_root_are_followed_and_others_are_a_404() {
    let root = tree();
    let handler = root.handler();
    for (target, content) in INSIDE {
        assert_eq!(get(&handler, target).text(), content, "{target}");
    }
    for target in OUTSIDE {
        assert!(!get(&handler, target).text().contains(SECRET), "{target}");
        if target != "/index-out/" {
            assert_eq!(get(&handler, target).status(), 404, "{target}");
        }
    }
    // the page that leads out is passed over, and the listing shows it
    assert!(
        get(&handler, "/index-out/")
            .text()
            .contains(">index.html@<")
    );
    for target in ["/parent", "/parent/", "/top/", "/top/etc/passwd", "/gone"] {
        assert_eq!(get(&handler, target).status(), 404, "{target}");
    }
    assert_eq!(get(&handler, "/to-dir").field("Location"), Some("/to-dir/"));
}

#[test]
fn all_links_are_followed_with_follow_symlinks() {
    let root = tree();
    let handler = root.handler_with(|files| files.symlinks(Symlinks::Follow));
    for (target, content) in INSIDE {
        assert_eq!(get(&handler, target).text(), content, "{target}");
    }
    for target in OUTSIDE {
        assert_eq!(get(&handler, target).text(), SECRET, "{target}");
    }
    // dots are resolved in the path, not in the file system, so they still don't climb
    assert_eq!(get(&handler, "/to-dir/../../secret.txt").status(), 404);
    assert_eq!(get(&handler, "/gone").status(), 404);
}

#[test]
fn no_link_is_followed_if_denied() {
    let root = tree();
    let handler = root.handler_with(|files| files.symlinks(Symlinks::Deny));
    assert_eq!(get(&handler, "/dir/b.txt").text(), "below");
    for (target, _) in INSIDE {
        let answer = get(&handler, target);
        match target {
            "/pages/" => assert!(answer.text().contains("Directory listing for")),
            _ => assert_eq!(answer.status(), 404, "{target}"),
        }
    }
    for target in OUTSIDE {
        assert!(!get(&handler, target).text().contains(SECRET), "{target}");
    }
}

#[test]
fn the_root_itself_may_be_behind_links() {
    let root = tree();
    root.link("../alias", "www");
    for symlinks in [Symlinks::Deny, Symlinks::InsideRoot, Symlinks::Follow] {
        let files = servette::SimpleHandler::new(root.join("../alias")).symlinks(symlinks);
        let handler = Silent(files);
        assert_eq!(get(&handler, "/dir/b.txt").text(), "below", "{symlinks:?}");
        assert_eq!(get(&handler, "/").status(), 200, "{symlinks:?}");
        assert_eq!(
            get(&handler, "/../secret.txt").status(),
            404,
            "{symlinks:?}"
        );
    }
    let alias = Silent(servette::SimpleHandler::new(root.join("../alias")));
    for (target, content) in INSIDE {
        assert_eq!(get(&alias, target).text(), content, "{target}");
    }
}

#[test]
fn fifos_sockets_and_devices_are_a_404_and_block_no_thread() {
    let root = WebRoot::new();
    make_fifo(&root.join("fifo"));
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    root.dir("dir")
        .link("dir/index.html", "../fifo")
        .link("fifo-link", "fifo");
    root.link("zero", "/dev/zero")
        .link("tty", "/dev/tty")
        .link("stdin", "/dev/stdin");
    for symlinks in [Symlinks::Deny, Symlinks::InsideRoot, Symlinks::Follow] {
        let handler = root.handler_with(|files| files.symlinks(symlinks));
        for target in ["/fifo", "/socket", "/fifo-link", "/zero", "/tty"] {
            let line = get(&handler, target).line;
            assert_eq!(line, "HTTP/1.0 404 File not found", "{target} {symlinks:?}");
        }
        assert!(
            get(&handler, "/dir/").text().contains(">index.html@<"),
            "{symlinks:?}"
        );
        assert!(
            get(&handler, "/").text().contains(">socket<"),
            "{symlinks:?}"
        );
    }
}
