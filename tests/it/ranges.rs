//! Parts of files, over the wire (RFC 9110, 14).

use std::fs;
use std::io::{Read, Write};

use servette::testing::TestServer;
use servette::{Exchange, Layer, Limits, RequestHandler, Result, SimpleHandler, Status};

#[cfg(unix)]
use crate::changing::Copies;
use crate::client::{Client, Response};
use crate::shrinking::Cutter;
use crate::support::limits;
use crate::webroot::{Silent, WebRoot, ask, at, connect};

/// Kept in memory, kept open, opened each time.
const SIZES: [usize; 3] = [1000, 100 << 10, 3 << 20];

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

fn http11(root: &WebRoot) -> Silent {
    root.handler_with(|files| files.with_protocol_version("HTTP/1.1"))
}

fn range(client: &mut Client, target: &str, fields: &str) -> Response {
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n"
    ));
    client.response()
}

/// The parts of a body, each with its type, its range, and its bytes.
fn parts(response: &Response) -> Vec<(String, String, Vec<u8>)> {
    let media_type = response.get("Content-Type").unwrap();
    let boundary = media_type
        .strip_prefix("multipart/byteranges; boundary=")
        .expect(media_type);
    assert_eq!(boundary.len(), 24);
    assert_eq!(response.get("Content-Range"), None);
    let mut rest = &response.body[..];
    let mut take = |text: &str| {
        let start = rest.get(..text.len());
        assert_eq!(start.map(String::from_utf8_lossy).as_deref(), Some(text));
        rest = &rest[text.len()..];
    };
    let mut found = Vec::new();
    take(&format!("\r\n--{boundary}"));
    loop {
        if rest == b"--\r\n" {
            return found;
        }
        let end = rest
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8(rest[..end].to_vec()).unwrap();
        let (media_type, of) = head
            .strip_prefix("\r\nContent-Type: ")
            .and_then(|head| head.split_once("\r\nContent-Range: "))
            .expect(&head);
        let (first, last) = of
            .strip_prefix("bytes ")
            .unwrap()
            .split_once('/')
            .unwrap()
            .0
            .split_once('-')
            .unwrap();
        let length = last.parse::<usize>().unwrap() - first.parse::<usize>().unwrap() + 1;
        let body = rest[end + 4..end + 4 + length].to_vec();
        found.push((media_type.to_owned(), of.to_owned(), body));
        rest = &rest[end + 4 + length..];
        let end = format!("\r\n--{boundary}");
        assert!(rest.starts_with(end.as_bytes()));
        rest = &rest[end.len()..];
    }
}

#[test]
fn one_range_is_a_206_of_these_bytes() {
    for size in SIZES {
        let root = WebRoot::new();
        let content = content(size);
        root.file("f.txt", &content)
            .modified("f.txt", at(784_111_777))
            .settle("f.txt");
        let server = TestServer::start(http11(&root));
        let mut client = Client::new(server.addr());
        let whole = client.get("/f.txt").response();
        assert_eq!(whole.get("Accept-Ranges"), Some("bytes"));
        let end = size - 1;
        for (range_of, first, last) in [
            ("0-9".to_owned(), 0, 9),
            ("0-0".into(), 0, 0),
            ("1-".into(), 1, end),
            ("-7".into(), size - 7, end),
            ("0-".into(), 0, end),
            ("10-99999999999999999999999".into(), 10, end),
            (format!("{end}-"), end, end),
            (format!("-{}", size + 1), 0, end),
            ("0-5,3-8".into(), 0, 8),
            (format!("{size}-,3-4"), 3, 4),
        ] {
            for _ in 0..2 {
                let part = range(&mut client, "/f.txt", &format!("Range: bytes={range_of}"));
                assert_eq!(part.status, 206, "{range_of}");
                let expected = format!("bytes {first}-{last}/{size}");
                assert_eq!(part.get("Content-Range"), Some(&*expected));
                assert!(part.body == content[first..=last], "{range_of}");
                // All that the 200 has (15.3.7).
                for name in ["Content-Type", "Last-Modified", "ETag", "Accept-Ranges"] {
                    assert_eq!(part.get(name), whole.get(name), "{name}");
                }
            }
        }
    }
}

#[test]
fn several_ranges_are_parts_of_one_response() {
    for size in SIZES {
        let root = WebRoot::new();
        let content = content(size);
        root.file("f.txt", &content);
        let server = TestServer::start(http11(&root));
        let mut client = Client::new(server.addr());
        let end = size - 1;
        for ranges in [
            vec![(0, 1), (500, 509)],
            vec![(500, 509), (0, 1)],
            vec![(0, 200), (400, end), (300, 301)],
        ] {
            let text = ranges.iter().map(|(first, last)| format!("{first}-{last}"));
            let field = format!("Range: bytes={}", text.collect::<Vec<_>>().join(", "));
            // In HTTP/1.0 too, and the length is said in any case.
            let of_10 = ask(
                &root.handler(),
                format!("GET /f.txt HTTP/1.0\r\n{field}\r\n\r\n"),
            );
            assert_eq!(of_10.status(), 206);
            assert_eq!(
                of_10.field("Content-Length"),
                Some(&*of_10.body.len().to_string())
            );
            let response = range(&mut client, "/f.txt", &field);
            assert_eq!(response.status, 206);
            assert_eq!(response.get("Accept-Ranges"), Some("bytes"));
            assert!(response.chunks.is_none());
            let expected: Vec<_> = ranges
                .iter()
                .map(|&(first, last)| {
                    let of = format!("bytes {first}-{last}/{size}");
                    let media_type = "text/plain; charset=utf-8".to_owned();
                    (media_type, of, content[first..=last].to_vec())
                })
                .collect();
            assert!(parts(&response) == expected, "{field}");
        }
    }
}

#[test]
fn what_is_not_there_is_a_416_and_the_connection_lives() {
    let root = WebRoot::new();
    root.file("f", content(1000)).file("empty", "");
    let server = TestServer::start(http11(&root));
    let mut client = Client::new(server.addr());
    for of in ["1000-", "-0", "1000-2000,5000-", "18446744073709551616-"] {
        let response = range(&mut client, "/f", &format!("Range: bytes={of}"));
        assert_eq!(response.status, 416, "{of}");
        assert_eq!(response.get("Content-Range"), Some("bytes */1000"));
        assert_eq!(
            (response.get("Accept-Ranges"), response.get("ETag")),
            (None, None)
        );
        assert!(!response.says_close() && response.text().contains("416"));
    }
    // An empty one is sent whole: some clients ask for a range of everything.
    for of in ["0-", "0-0", "-1"] {
        let response = range(&mut client, "/empty", &format!("Range: bytes={of}"));
        assert_eq!((response.status, response.body.len()), (200, 0));
    }
}

/// Answers errors without a page.
struct Terse(SimpleHandler);

impl Layer for Terse {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn send_error(&self, x: &mut Exchange<'_>, status: Status<'_>) -> Result<()> {
        x.send_content(status, "text/plain", "an error")
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

#[test]
fn a_416_has_its_field_however_errors_are_answered() {
    let root = WebRoot::new();
    root.file("f", "abc");
    let request = "GET /f HTTP/1.0\r\nRange: bytes=3-\r\n\r\n";
    let answer = ask(&Terse(root.handler().0), request);
    assert_eq!((answer.status(), &*answer.text()), (416, "an error"));
    assert_eq!(answer.field("Content-Range"), Some("bytes */3"));
}

#[test]
fn a_malformed_or_too_long_range_is_ignored() {
    let root = WebRoot::new();
    root.file("f", content(1000))
        .modified("f", at(784_111_777))
        .settle("f");
    root.dir("dir");
    let server = TestServer::start(http11(&root));
    let mut client = Client::new(server.addr());
    let ours = client.get("/f").response().get("ETag").unwrap().to_owned();
    let many = |count: usize| {
        (0..count)
            .map(|at| format!("{at}-{at}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    for fields in [
        "Range: bytes=a-b".to_owned(),
        "Range: bytes=5-4".into(),
        "Range: bytes=0-1,5-4".into(),
        "Range: bytes=".into(),
        "Range: items=0-1".into(),
        "Range: 0-1".into(),
        "Range: bytes=0-1\r\nRange: bytes=0-1".into(),
        format!("Range: bytes={}", many(257)),
        format!("Range: bytes={}", many(6000)),
        format!("Range: bytes={}", vec!["0-"; 256].join(",")),
        format!("Range: bytes={}", vec!["0-0"; 17].join(",")),
        "Range: bytes=0-1\r\nIf-Range: \"x\"".into(),
        format!("Range: bytes=0-1\r\nIf-Range: W/{ours}"),
        "Range: bytes=0-1\r\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT".into(),
        format!("If-Range: {ours}"),
    ] {
        let response = range(&mut client, "/f", &fields);
        let shown = &fields[..fields.len().min(80)];
        assert_eq!(
            (response.status, response.body.len()),
            (200, 1000),
            "{shown}"
        );
    }
    for fields in [
        format!("Range: bytes={}", many(256)),
        format!("Range: bytes=0-1\r\nIf-Range: {ours}"),
        "Range: bytes=0-1\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT".into(),
        format!("Range: bytes=0-1\r\nIf-Match: {ours}"),
        "Range: bytes=0-1\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT".into(),
    ] {
        assert_eq!(range(&mut client, "/f", &fields).status, 206);
    }
    // Never for HEAD, and not for what is no file.
    client.send("HEAD /f HTTP/1.1\r\nHost: h\r\nRange: bytes=0-1\r\n\r\n");
    let head = client.response_to("HEAD");
    assert_eq!(
        (head.status, head.get("Content-Length")),
        (200, Some("1000"))
    );
    assert_eq!(head.get("Accept-Ranges"), Some("bytes"));
    for (target, status) in [("/dir/", 200), ("/dir", 301), ("/none", 404)] {
        let response = range(&mut client, target, "Range: bytes=0-1");
        assert_eq!(
            (response.status, response.get("Accept-Ranges")),
            (status, None)
        );
    }
}

#[test]
fn a_multipart_response_is_hardly_larger_than_the_file() {
    for size in [1000, 10_000, 1 << 20] {
        let root = WebRoot::new();
        root.file("f", content(size));
        let server = TestServer::start(http11(&root));
        let mut client = Client::new(server.addr());
        let step = size / 256;
        let spread = (0..256).map(|at| format!("{0}-{0}", at * step));
        for members in [
            spread.collect::<Vec<_>>(),
            (0..16).map(|_| "0-".to_owned()).collect(),
            (1..17).map(|at| format!("-{at}")).collect(),
            vec![format!("{}-", size / 2), "0-".into()],
        ] {
            let response = range(
                &mut client,
                "/f",
                &format!("Range: bytes={}", members.join(",")),
            );
            assert!(
                response.body.len() <= size + 4096 + 100,
                "{}",
                response.body.len()
            );
        }
    }
}

#[test]
fn no_parts_are_sent_where_they_are_off() {
    let root = WebRoot::new();
    root.file("f", content(1000));
    for (ranges, statuses) in [(0, [200, 200]), (1, [206, 200]), (2, [206, 206])] {
        let limits: Limits = limits(|limits| limits.ranges = ranges);
        let server = TestServer::builder().limits(limits).start(http11(&root));
        let mut client = Client::new(server.addr());
        let seen = ["bytes=0-1", "bytes=0-1,500-501"]
            .map(|of| range(&mut client, "/f", &format!("Range: {of}")));
        assert_eq!(seen.each_ref().map(|response| response.status), statuses);
        assert_eq!(seen[0].get("Accept-Ranges").is_some(), ranges > 0);
    }
}

/// An overridden `copyfile` reads a part, and the parts with their frames.
#[cfg(unix)]
#[test]
fn a_reader_of_parts_reads_what_is_sent() {
    for size in SIZES {
        let root = WebRoot::new();
        let content = content(size);
        root.file("f", &content);
        let copies = Copies(http11(&root));
        for (of, length) in [("5-14", 10), ("0-1,500-509", 12), ("0-,5-14", size)] {
            let request = format!("GET /f HTTP/1.1\r\nHost: h\r\nRange: bytes={of}\r\n\r\n");
            let length_of = |handler: &dyn RequestHandler| {
                let answer = ask(handler, &request);
                let announced = answer.field("Content-Length").unwrap();
                assert_eq!(announced, answer.body.len().to_string(), "{of}");
                answer.body.len()
            };
            let sent = length_of(&copies);
            assert_eq!(sent, length_of(&http11(&root)));
            assert!(sent >= length);
        }
    }
}

#[test]
fn parts_of_a_file_that_shrinks_end_with_an_early_close() {
    let root = WebRoot::new();
    root.file("f", content(3 << 20));
    let server = TestServer::start(Cutter(SimpleHandler::new(root.path()), 1 << 20));
    let mut client = connect(server.addr());
    let fields = "Range: bytes=0-99,2000000-2900000,500-599";
    let request = format!("GET /f HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // A reset is as good as an end.
    let _ = client.read_to_end(&mut bytes);
    assert!(bytes.len() < 3000, "{}", bytes.len());
    assert!(!bytes.ends_with(b"--\r\n"));
    assert_eq!(fs::metadata(root.join("f")).unwrap().len(), 1 << 20);
}
