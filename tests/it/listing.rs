//! The page of a directory: its names, its links, and that the links work.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::webroot::{WebRoot, get};

/// The (href, text) pairs of a listing.
pub(crate) fn links(page: &str) -> Vec<(String, String)> {
    let items = page.split("<li><a href=\"").skip(1);
    items
        .map(|item| {
            let (href, rest) = item.split_once("\">").unwrap();
            let (text, _) = rest.split_once("</a>").unwrap();
            (href.to_owned(), text.to_owned())
        })
        .collect()
}

#[test]
fn entries_are_sorted_marked_and_quoted() {
    let root = WebRoot::new();
    root.file("b.txt", "")
        .file("A.txt", "")
        .file("a.txt", "")
        .file(".hidden", "");
    root.dir("c dir").dir("Zed").file("ü", "");
    root.link("link", "b.txt")
        .link("to-dir", "Zed")
        .link("gone", "none");
    root.link("outside", "../secret.txt")
        .link("outside-dir", "..");
    let answer = get(&root.handler(), "/");
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.field("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(answer.field("Last-Modified"), None);
    assert_eq!(
        answer.field("Content-Length"),
        Some(&*answer.body.len().to_string())
    );
    let expected = [
        (".hidden", ".hidden"),
        ("A.txt", "A.txt"),
        ("a.txt", "a.txt"),
        ("b.txt", "b.txt"),
        ("c%20dir/", "c dir/"),
        ("gone", "gone@"),
        ("link", "link@"),
        ("outside", "outside@"),
        ("outside-dir", "outside-dir@"),
        ("to-dir/", "to-dir@"),
        ("Zed/", "Zed/"),
        ("%C3%BC", "ü"),
    ];
    let expected = expected.map(|(href, text)| (href.to_owned(), text.to_owned()));
    assert_eq!(links(&answer.text()), expected);
    let follow = root.handler_with(|files| files.follow_symlinks(true));
    assert!(
        get(&follow, "/")
            .text()
            .contains("<a href=\"outside-dir/\">outside-dir@</a>")
    );
}

#[test]
fn every_link_leads_to_its_file() {
    let root = WebRoot::new();
    let names: Vec<&[u8]> = vec![
        b"plain",
        b"with space",
        b"q?mark",
        b"hash#tag",
        b"per%41cent",
        b"%2e%2e",
        b"&amp;",
        b"<script>alert('x')</script>"
            .as_slice()
            .strip_suffix(b"</script>")
            .unwrap(),
        b"\"dq\" 'sq'",
        b"a:b",
        b"javascript:alert(1)",
        b"//evil".as_slice().strip_prefix(b"//").unwrap(),
        b"back\\slash",
        b"+plus;semi=eq,~",
        b"new\nline\ttab\rcr",
        b"del\x7f\x01",
        b"\xff\xfe",
        b"caf\xe9.txt",
        "snow☃.txt".as_bytes(),
        "rtl\u{202e}txt".as_bytes(),
        b"...",
        b" ",
    ];
    root.dir("d&<>'\"#?%");
    for (i, name) in names.iter().enumerate() {
        root.file(OsStr::from_bytes(name), format!("content {i}"));
    }
    let handler = root.handler();
    let page = get(&handler, "/").text();
    assert!(!page.contains("<script"));
    let mut found: Vec<String> = Vec::new();
    for (href, text) in links(&page) {
        assert!(href.bytes().all(|byte| byte.is_ascii_graphic()), "{href}");
        assert!(
            !href.contains(['"', '\'', '<', '>', '&', ':', '\\', '#', '?']),
            "{href}"
        );
        assert!(
            !text.contains(['<', '>', '"', '\'', '\n', '\r', '\u{7f}']),
            "{text}"
        );
        let answer = get(&handler, &format!("/{href}"));
        assert_eq!(answer.status(), 200, "{href}");
        if !href.ends_with('/') {
            found.push(answer.text());
        }
    }
    found.sort();
    let mut expected: Vec<_> = (0..names.len()).map(|i| format!("content {i}")).collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn the_heading_is_the_decoded_path_without_its_query() {
    let root = WebRoot::new();
    root.dir("a & <b>/c").dir(OsStr::from_bytes(b"\xff.dir"));
    for (target, shown) in [
        ("/", "/"),
        ("/?q=<x>#f", "/"),
        ("/a%20%26%20%3Cb%3E/", "/a &amp; &lt;b&gt;/"),
        ("/a%20%26%20%3cb%3e/c/?x", "/a &amp; &lt;b&gt;/c/"),
        ("/%ff.dir/", "/\u{fffd}.dir/"),
        ("/%2e/", "/./"),
    ] {
        let answer = get(&root.handler(), target);
        let page = answer.text();
        for element in ["title", "h1"] {
            let expected = format!("<{element}>Directory listing for {shown}</{element}>");
            assert!(page.contains(&expected), "{target}: {page}");
        }
    }
}
