//! Spellings of request targets: nothing beside the root is seen, and no redirect leads elsewhere.

use std::fs;

use proptest::prelude::*;
use servette::SimpleHandler;
use servette::simple::Symlinks;

use crate::webroot::{SECRET, Silent, WebRoot, ask, get};

#[test]
fn no_spelling_of_dots_leaves_the_root() {
    let root = WebRoot::new();
    root.file("in/a.txt", "inside");
    for climb in [
        "..",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "%c0%ae%c0%ae",
        "%uff0e%uff0e",
        "..%00",
        "..;",
        "...",
        "..%20",
        "..\\",
        "..%5c",
        "%5c..",
        ".%00.",
    ] {
        for separator in ["/", "//", "/./", "%2f", "%5c", "%252f", "%c0%af"] {
            for start in ["/", "/in/", "//", "/in%2f", "/\\", "http://h/"] {
                for times in 1..4 {
                    let climbs = format!("{climb}{separator}").repeat(times);
                    let target = format!("{start}{climbs}secret.txt");
                    let answer = get(&root.handler(), &target);
                    let status = answer.status();
                    assert!(matches!(status, 400 | 404), "{target}: {status}");
                    assert!(!answer.text().contains(SECRET), "{target}");
                }
            }
        }
    }
    for target in [
        "/in/../in/a.txt",
        "/../in/a.txt",
        "/in%2fa.txt",
        "/%2e%2e/in/./a.txt",
    ] {
        assert_eq!(get(&root.handler(), target).text(), "inside", "{target}");
    }
    // a sibling whose name starts like the root's
    fs::create_dir(root.join("../www-private")).unwrap();
    fs::write(root.join("../www-private/x"), SECRET).unwrap();
    for target in ["/../www-private/x", "/-private/x", "/..%2fwww-private%2fx"] {
        assert_eq!(get(&root.handler(), target).status(), 404, "{target}");
    }
    let absolute = format!("/{}/secret.txt", root.join("..").display());
    assert_eq!(get(&root.handler(), &absolute).status(), 404);
}

#[test]
fn what_cannot_be_a_path_is_not_found() {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    #[cfg(unix)]
    root.link("loop", "loop");
    let name = "n".repeat(256);
    let deep = "/d".repeat(5000);
    let encoded = "%41".repeat(4000);
    for target in [
        "/%00",
        "/a.txt%00",
        "/%00/../a.txt",
        "/a.txt/",
        "/a.txt%2f",
        "/a.txt/b",
        "/a.txt/../none",
        "/loop",
        "/loop/x",
        "/none",
        "/none/",
        "/%",
        "/%zz",
        &format!("/{name}"),
        &format!("/{name}/"),
        &deep,
        &format!("/{encoded}"),
    ] {
        let start = &target[..target.len().min(20)];
        let answer = get(&root.handler(), target);
        assert_eq!(answer.line, "HTTP/1.0 404 File not found", "{start}");
    }
    let missing = Silent(SimpleHandler::new(root.join("none")));
    assert_eq!(get(&missing, "/").status(), 404);
    let file = Silent(SimpleHandler::new(root.join("a.txt")));
    assert_eq!(get(&file, "/").status(), 404);
}

/// Mostly the pieces that have broken servers, mixed with anything.
fn target() -> impl Strategy<Value = String> {
    let select = |pieces: &[&str]| {
        let pieces: Vec<_> = pieces.iter().map(|&piece| piece.to_owned()).collect();
        prop::sample::select(pieces)
    };
    let step = select(&[
        "/..",
        "%2f..",
        "/%2e%2e",
        "/.%2E/",
        "//..",
        "/dir",
        "/link",
        "/back",
        "/dir/back",
        "/.",
        "/\\..",
        "/\\",
        "/\\/..",
        "/dir/dir",
        "/www",
        "/www-private",
    ]);
    let piece = select(&[
        "/",
        "//",
        "\\",
        "..",
        ".",
        "%2f",
        "%2F",
        "%2e",
        "%5c",
        "%00",
        "%25",
        "%ff",
        "%",
        "?",
        "#",
        "a",
        "dir",
        "link",
        "back",
        "secret.txt",
        "www",
        ":",
        ";",
        "http://",
        "h",
        "@",
        "%0d%0a",
        "%09",
        "+",
        "[",
        "é",
        "\t",
        "\r",
        "\u{7f}",
    ]);
    let piece = prop_oneof![
        6 => step,
        6 => piece,
        1 => "[!-~]{1,6}",
        1 => any::<String>().prop_map(|text| text.replace(['\n', ' '], "_")),
    ];
    let start = prop_oneof![6 => Just(""), 1 => Just("/"), 1 => Just("//"), 1 => Just("http://h")];
    let end = select(&["", "/", "/secret.txt", "%2fsecret.txt"]);
    (start, prop::collection::vec(piece, 0..8), end)
        .prop_map(|(start, pieces, end)| format!("{start}{}{end}", pieces.concat()))
}

fn tree() -> WebRoot {
    let root = WebRoot::new();
    root.file("a", "inside")
        .dir("dir/dir/a")
        .dir("h")
        .dir("%2f")
        .file("dir/secret.txt", "not that one");
    #[cfg(unix)]
    root.dir("\\")
        .link("dir/link", "..")
        .link("link", "dir")
        .link("back", "../..")
        .link("dir/back", "../../secret.txt");
    root
}

fn check(handler: &Silent, target: &str) -> Result<(), TestCaseError> {
    let mut request = b"GET ".to_vec();
    request.extend(target.as_bytes());
    request.extend(b" HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = ask(handler, &request);
    prop_assert!(!answer.text().contains(SECRET));
    let known = [200, 301, 400, 404, 501].contains(&answer.status());
    prop_assert!(known, "{}", answer.line);
    let locations = answer.fields.iter().filter(|(name, _)| name == "Location");
    prop_assert_eq!(locations.count(), usize::from(answer.status() == 301));
    if let Some(location) = answer.field("Location") {
        prop_assert!(location.starts_with('/'), "{}", location);
        prop_assert!(
            !location.starts_with("//") && !location.starts_with("/\\"),
            "{}",
            location
        );
        prop_assert!(
            location.bytes().all(|byte| byte.is_ascii_graphic()),
            "{}",
            location
        );
        // and it is the end of the way: the directory itself
        let followed = ask(
            handler,
            format!("GET {location} HTTP/1.1\r\nHost: h\r\n\r\n"),
        );
        prop_assert_eq!(followed.status(), 200);
    }
    Ok(())
}

#[test]
fn no_target_leads_to_a_file_outside_the_root() {
    let root = tree();
    let inside = root.handler();
    let deny = root.handler_with(|files| files.symlinks(Symlinks::Deny));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&target(), |target| {
        check(&inside, &target)?;
        check(&deny, &target)
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
