//! Entity tags and conditions of files, over the wire (RFC 9110, 8.8 and 13).

use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::time::Duration;

use servette::simple::FileMetadata;
use servette::testing::TestServer;
use servette::{Exchange, Layer, RequestHandler, SimpleHandler};

use crate::client::Client;
use crate::webroot::{Answer, WebRoot, ask, at, get};

/// Sun, 06 Nov 1994 08:49:37 GMT
const NOVEMBER: u64 = 784_111_777;
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
/// More than is kept in memory, and more than stays open.
const SIZES: [usize; 3] = [100, 100 << 10, 2 << 20];

fn with(handler: &impl RequestHandler, target: &str, fields: &str) -> Answer {
    ask(
        handler,
        format!("GET {target} HTTP/1.0\r\n{fields}\r\n\r\n"),
    )
}

fn tag(handler: &impl RequestHandler, target: &str) -> String {
    let answer = get(handler, target);
    answer.field("ETag").expect("no tag").to_owned()
}

#[test]
fn a_tag_is_strong_and_the_same_for_every_server_of_the_file() {
    for size in SIZES {
        let root = WebRoot::new();
        root.file("f", vec![b'x'; size]).settle("f");
        let handler = root.handler();
        let tags = [(); 3].map(|()| tag(&handler, "/f"));
        assert_eq!(tags[0].len(), 18);
        assert!(tags[0].starts_with('"') && tags[0].ends_with('"'));
        assert!(tags.iter().all(|other| *other == tags[0]));
        // As after a restart.
        assert_eq!(tag(&root.handler(), "/f"), tags[0]);
        assert_eq!(
            tag(&root.handler_with(|files| files.cache_files(false)), "/f"),
            tags[0]
        );
    }
}

/// What `cp -p`, `rsync -t` and `tar` do: nginx and caddy answer with 304, and with a part of the other version.
#[test]
fn a_replaced_file_of_the_same_size_and_time_is_neither_confirmed_nor_mixed() {
    for size in SIZES {
        let root = WebRoot::new();
        root.file("f", vec![b'A'; size]);
        root.modified("f", at(NOVEMBER)).settle("f");
        let handler = root.handler();
        let old = tag(&handler, "/f");
        let unmodified = with(&handler, "/f", &format!("If-None-Match: {old}"));
        assert_eq!(unmodified.status(), 304);
        let spliced = with(
            &handler,
            "/f",
            &format!("Range: bytes=5-\r\nIf-Range: {old}"),
        );
        assert_eq!(spliced.status(), 206);

        root.file("new", vec![b'B'; size]);
        root.modified("new", at(NOVEMBER));
        root.replace("f", "new");
        for fields in [
            format!("If-None-Match: {old}"),
            format!("If-None-Match: {old}\r\nIf-Modified-Since: {DATE}"),
            format!("Range: bytes=5-\r\nIf-Range: {old}"),
        ] {
            let answer = with(&handler, "/f", &fields);
            assert_eq!(answer.status(), 200, "{fields}");
            assert!(answer.body == vec![b'B'; size], "{fields}");
        }
        assert_eq!(
            with(&handler, "/f", &format!("If-Match: {old}")).status(),
            412
        );
    }
}

#[test]
fn rewrites_of_the_same_size_within_one_clock_tick_are_all_noticed() {
    for (size, rounds) in [(100, 2000), (70 << 10, 200)] {
        let root = WebRoot::new();
        root.file("f", "");
        let server =
            TestServer::start(root.handler_with(|files| files.with_protocol_version("HTTP/1.1")));
        let mut client = Client::new(server.addr());
        let mut old = String::from("\"none\"");
        let path = root.join("f");
        for round in 0..rounds {
            let content = vec![b'a' + (round % 26) as u8; size];
            fs::write(&path, &content).unwrap();
            client.send(format!(
                "GET /f HTTP/1.1\r\nHost: h\r\nIf-None-Match: {old}\r\n\r\n"
            ));
            let response = client.response();
            assert_eq!(response.status, 200, "{round}");
            assert!(response.body == content, "{round}");
            old = response.get("ETag").unwrap().to_owned();
        }
    }
}

/// The date would be that of every file of a store.
#[test]
fn made_up_dates_are_neither_sent_nor_compared() {
    let root = WebRoot::new();
    for (name, seconds) in [("zero", 0), ("one", 1)] {
        root.file(name, "hello")
            .modified(name, at(seconds))
            .settle(name);
        let handler = root.handler();
        let target = format!("/{name}");
        let answer = get(&handler, &target);
        assert_eq!(answer.field("Last-Modified"), None);
        let since = with(
            &handler,
            &target,
            "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT",
        );
        assert_eq!(since.status(), 200);
        let old = answer.field("ETag").unwrap();
        assert_eq!(
            with(&handler, &target, &format!("If-None-Match: {old}")).status(),
            304
        );
    }
    root.file("two", "hello").modified("two", at(2));
    assert!(
        get(&root.handler(), "/two")
            .field("Last-Modified")
            .is_some()
    );
}

#[test]
fn conditions_have_the_status_of_their_step() {
    let root = WebRoot::new();
    root.file("f", "hello")
        .modified("f", at(NOVEMBER))
        .settle("f");
    root.dir("dir");
    let server =
        TestServer::start(root.handler_with(|files| files.with_protocol_version("HTTP/1.1")));
    let mut client = Client::new(server.addr());
    let ours = client.get("/f").response().get("ETag").unwrap().to_owned();
    let before = "Sun, 06 Nov 1994 08:49:36 GMT";
    for (fields, status) in [
        (format!("If-Match: {ours}"), 200),
        (format!("If-Match: \"a, b\", {ours}"), 200),
        (format!("If-Match: \"x\"\r\nIf-Match: {ours}"), 200),
        (format!("If-Match: W/{ours}"), 412),
        ("If-Match: *".into(), 200),
        ("If-Match: \"x\"".into(), 412),
        ("If-Match:".into(), 412),
        (format!("If-Unmodified-Since: {DATE}"), 200),
        (format!("If-Unmodified-Since: {before}"), 412),
        ("If-Unmodified-Since: yesterday".into(), 200),
        (
            format!("If-Unmodified-Since: {before}\r\nIf-Match: {ours}"),
            200,
        ),
        (format!("If-None-Match: {ours}"), 304),
        (format!("If-None-Match: W/{ours}"), 304),
        (format!("If-None-Match: \"x\", {ours}"), 304),
        (
            format!("if-none-match: \"x\"\r\nIF-NONE-MATCH: {ours}"),
            304,
        ),
        ("If-None-Match: *".into(), 304),
        ("If-None-Match: \"x\"".into(), 200),
        (format!("If-None-Match: {}", ours.trim_matches('"')), 200),
        (
            format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {DATE}"),
            200,
        ),
        (
            format!("If-None-Match: x\r\nIf-Modified-Since: {DATE}"),
            200,
        ),
        (
            format!("If-None-Match: {ours}\r\nIf-Modified-Since: {before}"),
            304,
        ),
        (format!("If-None-Match: {ours}\r\nIf-Match: \"x\""), 412),
        (format!("If-None-Match: {ours}\r\nRange: bytes=9-"), 304),
        ("If-Match: \"x\"\r\nRange: bytes=9-".into(), 412),
        (format!("If-None-Match: {}", "\"x\",".repeat(12_000)), 200),
    ] {
        for method in ["GET", "HEAD"] {
            client.send(format!(
                "{method} /f HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n"
            ));
            let response = client.response_to(method);
            let shown = &fields[..fields.len().min(80)];
            assert_eq!(response.status, status, "{method} {shown}");
            let expected = if status == 412 { None } else { Some(&*ours) };
            assert_eq!(response.get("ETag"), expected, "{shown}");
            if status == 304 {
                let names: Vec<_> = response.fields.iter().map(|(name, _)| &**name).collect();
                assert_eq!(names, ["Server", "Date", "ETag"]);
            }
        }
    }
    // Only where the answer would be 200.
    for (target, status) in [("/none", 404), ("/dir", 301), ("/dir/", 200)] {
        client.send(format!(
            "GET {target} HTTP/1.1\r\nHost: h\r\nIf-Match: \"x\"\r\nIf-None-Match: *\r\n\r\n"
        ));
        let response = client.response();
        assert_eq!(
            (response.status, response.get("ETag")),
            (status, None),
            "{target}"
        );
    }
}

#[test]
fn a_304_has_the_fields_that_caches_go_by() {
    let root = WebRoot::new();
    root.file("f", "hello").settle("f");
    let handler = root.handler_with(|files| {
        let fields = [
            ("Cache-Control", "no-cache"),
            ("vary", "Origin"),
            ("X-One", "1"),
            ("ETag", "\"no\""),
        ];
        fields.into_iter().fold(files, |files, (name, value)| {
            files.extra_response_header(name, value)
        })
    });
    let ours = tag(&handler, "/f");
    assert_ne!(ours, "\"no\"");
    let answer = with(&handler, "/f", &format!("If-None-Match: {ours}"));
    let names: Vec<_> = answer.fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["Server", "Date", "ETag", "Cache-Control", "vary"]);
}

/// Tags of a program's own, or none.
struct Tagged(SimpleHandler, Option<&'static str>);

impl Layer for Tagged {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn entity_tag<'a>(&'a self, path: &Path, file: &'a FileMetadata) -> Option<Cow<'a, str>> {
        assert!(path.ends_with("f"));
        assert_eq!(file.size(), 5);
        assert_eq!(file.modified(), at(NOVEMBER));
        // wine has no time of creation.
        let is_late = file.changed() > at(NOVEMBER) + Duration::from_secs(1);
        assert!(is_late || (cfg!(windows) && file.changed() == at(NOVEMBER)));
        assert_ne!(file.inode(), 0);
        self.1.map(Cow::Borrowed)
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

#[test]
fn a_program_may_have_tags_of_its_own_or_none() {
    let root = WebRoot::new();
    root.file("f", "hello").modified("f", at(NOVEMBER));
    let tagged = |tag| Tagged(SimpleHandler::new(root.path()), tag);
    for (own, matching, with_range) in [
        (Some("\"v1\""), 304, 206),
        (Some("W/\"v1\""), 304, 200),
        (None, 200, 200),
    ] {
        let handler = tagged(own);
        assert_eq!(get(&handler, "/f").field("ETag"), own);
        assert_eq!(
            with(&handler, "/f", "If-None-Match: \"v1\"").status(),
            matching
        );
        let range = with(&handler, "/f", "Range: bytes=1-2\r\nIf-Range: \"v1\"");
        assert_eq!(range.status(), with_range);
        let date = with(&handler, "/f", &format!("If-Modified-Since: {DATE}"));
        assert_eq!((date.status(), date.field("ETag")), (304, own));
    }
    // What can't be sent is a 500, as of every field.
    assert_eq!(get(&tagged(Some("\"a\r\nX: y\"")), "/f").status(), 500);
}
