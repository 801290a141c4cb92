//! The charset of texts, which browsers and other clients guess wrongly without it.

use crate::webroot::{WebRoot, get};

const HTML: &str = "text/html; charset=utf-8";

#[test]
fn the_charset_of_texts_may_be_another_one_or_none() {
    let root = WebRoot::new();
    for name in ["a.html", "a.js", "a.json", "a.xml", "a.svg", "b.html"] {
        root.file(name, "");
    }
    for (charset, html, script) in [
        (Some("utf-8"), HTML, "text/javascript; charset=utf-8"),
        (
            Some("iso-8859-1"),
            "text/html; charset=iso-8859-1",
            "text/javascript; charset=iso-8859-1",
        ),
        (None, "text/html", "text/javascript"),
    ] {
        let handler = root.handler_with(|files| files.charset(charset));
        for (name, media_type) in [
            ("a.html", html),
            ("a.js", script),
            ("a.json", "application/json"),
            ("a.xml", "text/xml"),
            ("a.svg", "image/svg+xml"),
        ] {
            let answer = get(&handler, &format!("/{name}"));
            assert_eq!(answer.field("Content-Type"), Some(media_type), "{name}");
        }
    }
    // What names one has its own.
    let own = "text/html;charset=koi8-r";
    let handler = root.handler_with(|files| files.extension(".html", own));
    assert_eq!(get(&handler, "/a.html").field("Content-Type"), Some(own));
}
