//! Files, index pages, redirects and conditions, as Python's `SimpleHTTPRequestHandler` has them.

#[cfg(unix)]
use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use servette::testing::TestServer;

use crate::webroot::{Answer, WebRoot, ask, at, get};

const HTML: &str = "text/html; charset=utf-8";
/// Sun, 06 Nov 1994 08:49:37 GMT
const NOVEMBER: u64 = 784_111_777;

#[test]
fn a_file_comes_with_type_length_and_date() {
    let root = WebRoot::new();
    root.file("a.txt", "hello\n");
    root.modified("a.txt", at(NOVEMBER) + Duration::from_millis(900));
    let answer = get(&root.handler(), "/a.txt");
    assert_eq!(answer.line, "HTTP/1.0 200 OK");
    let names: Vec<_> = answer.fields.iter().map(|(name, _)| &**name).collect();
    let expected = [
        "Server",
        "Date",
        "Content-type",
        "Content-Length",
        "Last-Modified",
        "ETag",
        "Accept-Ranges",
    ];
    assert_eq!(names, expected);
    let server = concat!("SimpleHTTP/", env!("CARGO_PKG_VERSION"), " servette");
    assert_eq!(answer.field("Server"), Some(server));
    let media_type = "text/plain; charset=utf-8";
    assert_eq!(answer.field("Content-Type"), Some(media_type));
    assert_eq!(answer.field("Content-Length"), Some("6"));
    let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(answer.field("Last-Modified"), Some(modified));
    assert_eq!(answer.body, b"hello\n");
}

#[test]
fn every_byte_arrives_whatever_the_size() {
    let root = WebRoot::new();
    let server = TestServer::start(root.handler());
    for size in [
        0,
        1,
        4095,
        32 << 10,
        (64 << 10) - 1,
        64 << 10,
        (64 << 10) + 1,
        3 << 20,
    ] {
        let content: Vec<u8> = (0..size).map(|i: usize| (i * 31 % 251) as u8).collect();
        root.file("f.bin", &content);
        let answer = Answer::parse(&crate::webroot::fetch(
            server.addr(),
            "GET /f.bin HTTP/1.0\r\n\r\n",
        ));
        assert_eq!(answer.field("Content-Length"), Some(&*size.to_string()));
        assert!(answer.body == content, "{size}");
        assert!(get(&root.handler(), "/f.bin").body == content, "{size}");
    }
}

#[test]
fn head_is_the_head_of_get() {
    let root = WebRoot::new();
    root.file("a.txt", "hello\n")
        .file("dir/index.html", "start")
        .dir("list");
    let big = vec![b'x'; 100_000];
    root.file("big", &big);
    // Of a file of this very second, the next answer may say more than this one, for `Date` goes first.
    for name in ["a.txt", "dir/index.html", "big"] {
        root.modified(name, at(NOVEMBER)).settle(name);
    }
    let since = "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT\r\n";
    for (target, fields) in [
        ("/a.txt", ""),
        ("/a.txt", since),
        ("/big", ""),
        ("/dir/", ""),
        ("/dir", ""),
        ("/list/", ""),
        ("/none", ""),
        ("/a.txt/", ""),
    ] {
        let one = |method: &str| {
            let request = format!("{method} {target} HTTP/1.0\r\n{fields}\r\n");
            let mut answer = ask(&root.handler(), request);
            answer.fields.retain(|(name, _)| name != "Date");
            answer
        };
        let (mut of_get, of_head) = (one("GET"), one("HEAD"));
        if of_get.status() == 304 {
            assert_eq!(of_get.field("Content-Length"), None, "{target}");
        } else {
            let length = of_get.body.len().to_string();
            assert_eq!(of_head.field("Content-Length"), Some(&*length), "{target}");
        }
        of_get.body.clear();
        assert_eq!(of_head, of_get, "{target}");
    }
}

#[test]
fn a_directory_without_its_slash_is_redirected() {
    let root = WebRoot::new();
    root.dir("dir/sub").dir("a b");
    #[cfg(unix)]
    root.dir("\\host");
    for (target, location) in [
        ("/dir", "/dir/"),
        ("/dir?", "/dir/"),
        ("/dir?a=b&c", "/dir/?a=b&c"),
        ("/dir?a?b", "/dir/?a?b"),
        ("/dir/sub", "/dir/sub/"),
        ("/d%69r", "/d%69r/"),
        ("/a%20b", "/a%20b/"),
        ("/dir/.", "/dir/./"),
        ("/dir/..", "/dir/../"),
        ("//dir", "/dir/"),
        ("//host/..", "/host/../"),
        ("///host//%2e%2e", "/host//%2e%2e/"),
        #[cfg(unix)]
        ("/\\host", "/host/"),
        #[cfg(unix)]
        ("/%5chost", "/%5chost/"),
        ("http://other:1/dir", "/dir/"),
        ("http://other/dir?q=/", "/dir/?q=/"),
        ("http://other//host/..", "/host/../"),
        ("https://other/dir", "/dir/"),
    ] {
        let answer = get(&root.handler(), target);
        assert_eq!(answer.line, "HTTP/1.0 301 Moved Permanently", "{target}");
        assert_eq!(answer.field("Location"), Some(location), "{target}");
        assert_eq!(answer.field("Content-Length"), Some("0"), "{target}");
        assert_eq!(answer.field("Content-Type"), None, "{target}");
        assert!(answer.body.is_empty(), "{target}");
    }
}

#[test]
fn an_index_page_is_the_first_regular_file_of_that_name() {
    let root = WebRoot::new();
    root.file("both/index.html", "html")
        .file("both/index.htm", "htm");
    root.dir("second/index.html")
        .file("second/index.htm", "htm");
    root.dir("none/index.html");
    // On Windows it would be that.
    #[cfg(unix)]
    root.file("none/INDEX.HTM", "no");
    root.file("own/start.xml", "<a/>")
        .file("own/index.html", "no");
    let handler = root.handler();
    assert_eq!(get(&handler, "/both/").text(), "html");
    assert_eq!(get(&handler, "/both/?q#f").text(), "html");
    let second = get(&handler, "/second/");
    assert_eq!(second.text(), "htm");
    assert_eq!(second.field("Content-Type"), Some(HTML));
    assert!(second.field("Last-Modified").is_some());
    assert!(
        get(&handler, "/none/")
            .text()
            .contains("href=\"index.html/\"")
    );
    let handler = root.handler_with(|files| files.with_index_pages(["start.xml"]));
    let own = get(&handler, "/own/");
    assert_eq!(own.text(), "<a/>");
    assert_eq!(own.field("Content-Type"), Some("text/xml"));
    let none = root.handler_with(|files| files.with_index_pages(["", ".", "..", "x/../start.xml"]));
    assert!(get(&none, "/own/").text().contains("start.xml</a>"));
    let none = root.handler_with(|files| files.with_index_pages(["/start.xml"]));
    assert!(get(&none, "/own/").text().contains("start.xml</a>"));
}

#[test]
fn if_modified_since_is_read_as_python_does() {
    let root = WebRoot::new();
    root.file("a.txt", "hello")
        .modified("a.txt", at(NOVEMBER) + Duration::from_millis(999));
    root.file("dir/index.html", "start")
        .modified("dir/index.html", at(NOVEMBER));
    for (target, fields, status) in [
        (
            "/a.txt",
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            304,
        ),
        (
            "/a.txt",
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT",
            304,
        ),
        (
            "/a.txt",
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
            200,
        ),
        (
            "/a.txt",
            "if-modified-since: Sunday, 06-Nov-94 08:49:37 GMT",
            304,
        ),
        ("/a.txt", "If-Modified-Since: Sun Nov  6 08:49:37 1994", 304),
        (
            "/a.txt",
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 +0000",
            304,
        ),
        (
            "/a.txt",
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 +0100",
            200,
        ),
        (
            "/a.txt",
            "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT",
            304,
        ),
        ("/a.txt", "If-Modified-Since: yesterday", 200),
        ("/a.txt", "If-Modified-Since:", 200),
        (
            "/a.txt",
            "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT\r\nIf-None-Match: *",
            304,
        ),
        (
            "/a.txt",
            "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT\r\nIf-None-Match:",
            200,
        ),
        (
            "/dir/",
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            304,
        ),
        (
            "/dir",
            "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT",
            301,
        ),
        ("/", "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT", 200),
        (
            "/none",
            "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT",
            404,
        ),
    ] {
        for method in ["GET", "HEAD"] {
            let request = format!("{method} {target} HTTP/1.0\r\n{fields}\r\n\r\n");
            let answer = ask(&root.handler(), request);
            assert_eq!(answer.status(), status, "{method} {target} {fields}");
            if status == 304 {
                let names: Vec<_> = answer.fields.iter().map(|(name, _)| &**name).collect();
                assert_eq!(names, ["Server", "Date", "ETag"]);
                assert!(answer.body.is_empty());
            }
        }
    }
}

#[test]
fn extra_fields_go_with_files_and_listings_only() {
    let root = WebRoot::new();
    root.file("a.txt", "hello").dir("dir");
    let handler = root.handler_with(|files| {
        [
            ("X-One", "1"),
            ("X-One", "2"),
            ("content-TYPE", "no/no"),
            ("Content-Length", "77"),
            ("server", "no"),
            ("DATE", "no"),
            ("Last-modified", "kept on listings"),
        ]
        .into_iter()
        .fold(files, |files, (name, value)| {
            files.extra_response_header(name, value)
        })
    });
    let file = get(&handler, "/a.txt");
    let ones = |answer: &Answer| {
        let fields = answer.fields.iter().filter(|(name, _)| name == "X-One");
        fields.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ones(&file), ["1", "2"]);
    assert_eq!(
        file.field("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(file.field("Content-Length"), Some("5"));
    assert_eq!(file.fields.len(), 9);
    let listing = get(&handler, "/dir/");
    assert_eq!(ones(&listing), ["1", "2"]);
    assert_eq!(listing.field("Last-Modified"), Some("kept on listings"));
    for target in ["/none", "/dir", "/a.txt/"] {
        assert_eq!(ones(&get(&handler, target)), [""; 0], "{target}");
    }
    let since = "GET /a.txt HTTP/1.0\r\nIf-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT\r\n\r\n";
    let unmodified = ask(&handler, since);
    assert_eq!((unmodified.status(), ones(&unmodified).len()), (304, 0));
}

#[test]
fn types_come_from_the_map_then_the_name_then_the_default() {
    let root = WebRoot::new();
    for name in [
        "a.html", "A.HTML", "x.tar.gz", "x.GZ", "Makefile", ".bashrc", "a.zig", "a.Z",
    ] {
        root.file(name, "");
    }
    let handler = root.handler_with(|files| {
        files
            .with_default_content_type("text/x-default")
            .extension("zig", "text/zig")
            .extension(".html", "text/x-own")
    });
    for (name, media_type) in [
        ("a.html", "text/x-own; charset=utf-8"),
        ("A.HTML", "text/x-own; charset=utf-8"),
        ("x.tar.gz", "application/gzip"),
        ("x.GZ", "application/gzip"),
        ("Makefile", "text/x-default; charset=utf-8"),
        (".bashrc", "text/x-default; charset=utf-8"),
        ("a.zig", "text/zig; charset=utf-8"),
        ("a.Z", "application/octet-stream"),
    ] {
        let answer = get(&handler, &format!("/{name}"));
        assert_eq!(answer.field("Content-Type"), Some(media_type), "{name}");
    }
    let answer = get(&root.handler(), "/Makefile");
    assert_eq!(
        answer.field("Content-Type"),
        Some("application/octet-stream")
    );
}

#[test]
fn only_get_and_head_are_served() {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    for method in [
        "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "FOO", "CUSTOM", "GETs",
    ] {
        let answer = ask(&root.handler(), format!("{method} /a.txt HTTP/1.0\r\n\r\n"));
        let line = format!("HTTP/1.0 501 Unsupported method ('{method}')");
        assert_eq!(answer.line, line);
        assert_eq!(answer.field("Allow"), Some("GET, HEAD"), "{method}");
    }
    assert_eq!(get(&root.handler(), "/a.txt").field("Allow"), None);
}

#[test]
fn times_that_a_date_cannot_have_do_no_harm() {
    let root = WebRoot::new();
    root.file("old", "1")
        .modified("old", UNIX_EPOCH - Duration::from_secs(86_400));
    root.file("future", "1")
        .modified("future", at(4_102_444_800));
    let handler = root.handler();
    let old = get(&handler, "/old");
    assert_eq!((old.status(), old.field("Last-Modified")), (200, None));
    let since = "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT";
    assert_eq!(
        ask(&handler, format!("GET /old HTTP/1.0\r\n{since}\r\n\r\n")).status(),
        304
    );
    let future = get(&handler, "/future");
    assert_eq!(future.status(), 200);
    // never later than `Date`, to the second before or after it
    let modified = httpdate::parse_http_date(future.field("Last-Modified").unwrap()).unwrap();
    let date = httpdate::parse_http_date(future.field("Date").unwrap()).unwrap();
    assert!(modified <= date + Duration::from_secs(1) && modified + Duration::from_secs(5) > date);
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_not_found() {
    use std::os::unix::fs::PermissionsExt;
    if rustix::process::geteuid().is_root() {
        return eprintln!("skipped: what_may_not_be_read_is_not_found, as root may read all");
    }
    let root = WebRoot::new();
    root.file("a.txt", "hello")
        .file("dir/b.txt", "b")
        .file("page/index.html", "no")
        .dir("shut");
    let mode = |name, mode| {
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("a.txt", 0);
    mode("page/index.html", 0);
    mode("dir", 0o311);
    mode("shut", 0);
    let handler = root.handler();
    assert_eq!(get(&handler, "/a.txt").line, "HTTP/1.0 404 File not found");
    assert_eq!(get(&handler, "/page/").line, "HTTP/1.0 404 File not found");
    assert_eq!(
        get(&handler, "/dir/").line,
        "HTTP/1.0 404 No permission to list directory"
    );
    assert_eq!(get(&handler, "/dir/b.txt").text(), "b");
    assert_eq!(get(&handler, "/shut/x").status(), 404);
    mode("dir", 0o755);
    mode("shut", 0o755);
}
