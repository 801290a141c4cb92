//! Bytes in memory are sent as files are: with validators, conditions and ranges (RFC 9110, 13 and 14).

use std::sync::Arc;

use servette::{Blob, Exchange, RequestHandler, Result, Status, handler_fn};

use crate::client::get;
use crate::support::{Ask, serve};
use crate::webroot::{Answer, ask, at};

/// Sun, 06 Nov 1994 08:49:37 GMT
const NOVEMBER: u64 = 784_111_777;
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const CONTENT: &str = "0123456789";

/// A blob of each kind.
fn blobs() -> [Blob; 2] {
    [
        Blob::from_static("text/plain", CONTENT.as_bytes()),
        Blob::new("text/plain", CONTENT.as_bytes().to_vec()),
    ]
}

fn asking(blob: &Blob, request: &str, fields: &str) -> Answer {
    let handler = handler_fn(|_, x| {
        x.send_header("Cache-Control", "no-cache");
        x.send_blob(blob)
    });
    ask(
        &handler.quiet(),
        format!("{request} HTTP/1.0\r\n{fields}\r\n\r\n"),
    )
}

fn names(answer: &Answer) -> Vec<&str> {
    answer.fields.iter().map(|(name, _)| &**name).collect()
}

#[test]
fn a_blob_is_answered_as_a_file_by_its_conditions_and_ranges() {
    for blob in blobs() {
        let blob = blob.with_modified(at(NOVEMBER) + std::time::Duration::from_millis(7));
        let whole = asking(&blob, "GET /", "X: y");
        assert_eq!((whole.status(), &*whole.text()), (200, CONTENT));
        assert_eq!(
            names(&whole),
            [
                "Server",
                "Date",
                "Content-type",
                "Content-Length",
                "Last-Modified",
                "ETag",
                "Accept-Ranges",
                "Cache-Control"
            ]
        );
        assert_eq!(whole.field("Last-Modified"), Some(DATE));
        assert_eq!(whole.field("Content-Type"), Some("text/plain"));
        let tag = whole.field("ETag").unwrap();
        for (request, fields, status, body) in [
            ("HEAD /", "X: y".into(), 200, ""),
            ("GET /", format!("If-None-Match: {tag}"), 304, ""),
            ("HEAD /", format!("If-None-Match: \"x\", W/{tag}"), 304, ""),
            ("GET /", "If-None-Match: \"x\"".into(), 200, CONTENT),
            ("GET /", format!("If-Modified-Since: {DATE}"), 304, ""),
            ("GET /", "If-Match: \"x\"".into(), 412, "Precondition"),
            (
                "GET /",
                "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT".into(),
                412,
                "",
            ),
            ("GET /", "Range: bytes=2-4".into(), 206, "234"),
            ("GET /", "Range: bytes=-1".into(), 206, "9"),
            (
                "GET /",
                format!("Range: bytes=9-\r\nIf-Range: {tag}"),
                206,
                "9",
            ),
            (
                "GET /",
                "Range: bytes=9-\r\nIf-Range: \"x\"".into(),
                200,
                CONTENT,
            ),
            ("GET /", "Range: bytes=10-".into(), 416, "Range"),
            ("HEAD /", "Range: bytes=2-4".into(), 200, ""),
            // What was done is not undone by a condition.
            (
                "POST /",
                format!("If-None-Match: {tag}\r\nRange: bytes=2-4"),
                200,
                CONTENT,
            ),
        ] {
            let answer = asking(&blob, request, &fields);
            assert_eq!(answer.status(), status, "{request} {fields}");
            match status {
                412 | 416 => assert!(answer.text().contains(body)),
                _ => assert_eq!(answer.text(), body, "{request} {fields}"),
            }
            assert_eq!(answer.field("Cache-Control"), Some("no-cache"));
        }
        let part = asking(&blob, "GET /", "Range: bytes=2-4");
        assert_eq!(part.field("Content-Range"), Some("bytes 2-4/10"));
        let none = asking(&blob, "GET /", "Range: bytes=10-");
        assert_eq!(none.field("Content-Range"), Some("bytes */10"));
        let known = asking(&blob, "GET /", &format!("If-None-Match: {tag}"));
        assert_eq!(names(&known), ["Server", "Date", "ETag", "Cache-Control"]);
    }
}

#[test]
fn several_ranges_of_a_blob_are_parts() {
    let bytes: Vec<u8> = (0..3000).map(|at| (at % 251) as u8).collect();
    let leaked: &'static [u8] = Box::leak(bytes.clone().into());
    for blob in [
        Blob::from_static("a/b", leaked),
        Blob::new("a/b", Arc::<[u8]>::from(&*bytes)),
    ] {
        let answer = asking(&blob, "GET /", "Range: bytes=0-9,2000-2009");
        assert_eq!(answer.status(), 206);
        let length: usize = answer.field("Content-Length").unwrap().parse().unwrap();
        assert_eq!(answer.body.len(), length);
        for part in [&bytes[..10], &bytes[2000..2010]] {
            let has_part = answer.body.windows(10).any(|window| window == part);
            assert!(has_part);
        }
    }
}

#[test]
fn the_tag_of_a_blob_is_that_of_its_bytes_unless_it_is_given() {
    let tag = |blob: Blob| {
        asking(&blob, "GET /", "X: y")
            .field("ETag")
            .unwrap()
            .to_owned()
    };
    let of = |bytes: &str| tag(Blob::new("text/plain", bytes.as_bytes()));
    let [one, other] = blobs().map(tag);
    assert_eq!(one, other);
    assert_eq!(one, tag(blobs()[0].clone()));
    assert!(one.len() == 18 && one.starts_with('"') && one.ends_with('"'));
    assert_ne!(of("a"), of("b"));
    assert_ne!(of(""), of("\0"));
    let [given, _] = blobs().map(|blob| tag(blob.with_entity_tag("\"v1\"")));
    assert_eq!(given, "\"v1\"");
    // It has no date, unless that is known; and one of 1970 is none.
    let [plain, _] = blobs();
    assert_eq!(asking(&plain, "GET /", "X: y").field("Last-Modified"), None);
    let old = plain.clone().with_modified(at(1));
    assert_eq!(asking(&old, "GET /", "X: y").field("Last-Modified"), None);
    // What can't be sent is a 500, as of every field.
    let bad = plain.with_entity_tag("\"a\r\nX: y\"");
    assert_eq!(asking(&bad, "GET /", "X: y").status(), 500);
}

/// Hooks of a layer are called for blobs, too.
#[test]
fn a_large_blob_goes_over_the_wire() {
    struct Site(Blob);
    impl RequestHandler for Site {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            match x.path {
                "/blob" => x.send_blob(&self.0),
                _ => x.send_error(Status::NOT_FOUND),
            }
        }
    }
    let bytes: Vec<u8> = (0..4 << 20).map(|at: u32| (at % 251) as u8).collect();
    let site = Site(Blob::new("a/b", bytes.clone()));
    let server = serve(move |_, x| x.delegate_to(&site));
    let mut client = server.connect();
    client.send(get("/blob"));
    let whole = client.response();
    assert!(whole.body == bytes);
    let tag = whole.get("ETag").unwrap();
    for (fields, status) in [
        (format!("If-None-Match: {tag}"), 304),
        ("Range: bytes=1000000-1000009".into(), 206),
    ] {
        client.send(format!("GET /blob HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n"));
        let response = client.response();
        assert_eq!(response.status, status);
        if status == 206 {
            assert_eq!(response.body, bytes[1_000_000..1_000_010]);
        }
    }
}
