//! How responses are framed (RFC 9112, 6 and 7), and that a broken one is never taken for a whole one.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::client::{Client, Response, get};
use crate::support::{Ask, serve, serve_http10, text};
use servette::testing::{TestServer, gate};
use servette::{Error, Exchange, RequestHandler, Result, Status};

const LONG: usize = 100_000;

fn long() -> Vec<u8> {
    (0..LONG).map(|n| (n % 251) as u8).collect()
}

fn head(h: &dyn RequestHandler, x: &mut Exchange<'_>, fields: &[(&str, &str)]) -> Result<()> {
    h.send_response(x, Status::OK);
    for (name, value) in fields {
        h.send_header(x, name, value);
    }
    h.end_headers(x)
}

/// The response to a request of each version, and whether the connection lives on.
fn answers(server: &TestServer, method: &str) -> [(Response, bool); 3] {
    [
        format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n"),
        format!("{method} / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
        format!("{method} / HTTP/1.0\r\n\r\n"),
    ]
    .map(|request| {
        let mut client = server.connect();
        client.send(&request);
        let response = client.response_to(method);
        let lives = !response.says_close();
        if lives {
            client.send(&request);
            assert_eq!(client.response_to(method).body, response.body);
        } else {
            client.assert_end();
        }
        (response, lives)
    })
}

#[test]
fn a_short_body_gets_its_length() {
    let server = serve(|h, x| {
        head(h, x, &[])?;
        (0..10).try_for_each(|n| write!(x.wfile, "{n},"))?;
        Ok(())
    });
    let lives = answers(&server, "GET").map(|(response, lives)| {
        assert_eq!(response.get("Content-Length"), Some("20"));
        assert_eq!(response.text(), "0,1,2,3,4,5,6,7,8,9,");
        lives
    });
    assert_eq!(lives, [true, true, false]);
}

#[test]
fn an_empty_body_has_a_length_too() {
    let server = serve(|h, x| head(h, x, &[]));
    for (response, _) in answers(&server, "GET") {
        assert_eq!(response.get("Content-Length"), Some("0"));
    }
}

#[test]
fn a_declared_length_is_what_is_sent() {
    let server = serve(|h, x| {
        head(h, x, &[("content-length", &LONG.to_string())])?;
        Ok(x.wfile.write_all(&long())?)
    });
    for (response, _) in answers(&server, "GET") {
        assert_eq!(response.get("Content-Length"), Some("100000"));
        assert_eq!(response.body, long());
    }
}

#[test]
fn a_long_body_is_chunked_or_ends_with_the_connection() {
    for sizes in [
        vec![LONG],
        vec![1; LONG],
        vec![30_000; 4],
        vec![7, 90_000, 1, 9_992],
    ] {
        let server = serve(move |h, x| {
            head(h, x, &[])?;
            let (body, mut from) = (long(), 0);
            for size in &sizes {
                let to = (from + size).min(LONG);
                x.wfile.write_all(&body[from..to])?;
                from = to;
            }
            Ok(())
        });
        let [(new, kept), (old_kept, lives), (old, _)] = answers(&server, "GET");
        assert!(kept && new.chunks.is_some() && new.body == long());
        assert!(!lives && old_kept.says_close(), "{:?}", old_kept.fields);
        for old in [old_kept, old] {
            assert!(old.get("Content-Length").is_none() && old.body == long());
        }
    }
}

#[test]
fn tiny_writes_make_large_chunks() {
    let server = serve(|h, x| {
        head(h, x, &[])?;
        Ok((0..LONG).try_for_each(|_| x.wfile.write_all(b"x"))?)
    });
    let chunks = server.answer(get("/")).chunks.unwrap();
    assert!(chunks.len() < 10, "{chunks:?}");
}

#[test]
fn a_server_of_http_1_0_never_chunks() {
    let server = serve_http10(|h, x| {
        head(h, x, &[("Transfer-Encoding", "chunked")])?;
        Ok(x.wfile.write_all(&long())?)
    });
    let mut client = server.connect();
    let response = client.send(get("/")).response();
    assert_eq!((&*response.version, response.status), ("HTTP/1.0", 200));
    assert!(response.body == long() && response.get("Transfer-Encoding").is_none());
}

#[test]
fn chunks_can_be_declared() {
    let server = serve(|h, x| {
        head(h, x, &[("Transfer-Encoding", "Chunked")])?;
        Ok(x.wfile.write_all(b"abc")?)
    });
    let [(new, kept), (old_kept, lives), (old, _)] = answers(&server, "GET");
    assert_eq!((new.chunks.clone(), kept), (Some(vec![3]), true));
    assert_eq!(new.get("Transfer-Encoding"), Some("chunked"));
    assert!(!lives);
    assert_eq!([new.text(), old_kept.text(), old.text()], ["abc"; 3]);

    let empty = serve(|h, x| head(h, x, &[("Transfer-Encoding", "chunked")]));
    assert_eq!(empty.answer(get("/")).chunks, Some(vec![]));
}

#[test]
fn head_has_the_fields_of_get_and_no_body() {
    let sets: [&[(&str, &str)]; 3] = [
        &[],
        &[("Content-Length", "5")],
        &[("Transfer-Encoding", "chunked")],
    ];
    for fields in sets {
        let server = serve(move |h, x| {
            head(h, x, fields)?;
            Ok(x.wfile.write_all(b"hello")?)
        });
        let framing = |response: &Response| {
            let field = |name| response.get(name).map(str::to_owned);
            (field("Content-Length"), field("Transfer-Encoding"))
        };
        let [(of_head, kept), ..] = answers(&server, "HEAD");
        assert_eq!(framing(&of_head), framing(&server.answer(get("/"))));
        assert!(kept && of_head.body.is_empty());
    }
}

#[test]
fn head_may_leave_the_length_open() {
    let server = serve(|h, x| {
        head(h, x, &[])?;
        Ok(x.wfile.flush()?)
    });
    for (response, _) in answers(&server, "HEAD") {
        assert_eq!(response.get("Content-Length"), None);
    }
    let declared = serve(|h, x| head(h, x, &[("Content-Length", "12345678")]));
    for (response, _) in answers(&declared, "HEAD") {
        assert_eq!(response.get("Content-Length"), Some("12345678"));
    }
}

#[test]
fn statuses_without_a_body_have_none_whatever_the_handler_writes() {
    for (code, declared, length) in [
        (204, None, None),
        (204, Some("5"), None),
        (205, None, Some("0")),
        (205, Some("5"), Some("0")),
        (304, None, None),
        (304, Some("5"), Some("5")),
    ] {
        let server = serve(move |h, x| {
            h.send_response(x, Status::new(code));
            if let Some(length) = declared {
                h.send_header(x, "Content-Length", length);
            }
            h.end_headers(x)?;
            Ok(x.wfile.write_all(b"hello")?)
        });
        for method in ["GET", "HEAD"] {
            let [(response, kept), (_, old_kept), _] = answers(&server, method);
            assert_eq!(response.get("Content-Length"), length, "{method} {code}");
            assert_eq!(response.get("Transfer-Encoding"), None);
            assert!(kept && old_kept && response.body.is_empty());
        }
    }
}

#[test]
fn no_coding_is_told_where_none_can_be() {
    let server = serve(|h, x| {
        h.send_response(x, Status::NO_CONTENT);
        h.send_header(x, "Transfer-Encoding", "chunked");
        h.end_headers(x)
    });
    for (response, _) in answers(&server, "GET") {
        assert_eq!(response.get("Transfer-Encoding"), None);
    }
}

#[test]
fn interim_responses_come_before_the_final_one() {
    let server = serve(|h, x| {
        for code in [102, 103] {
            h.send_response_only(x, Status::new(code));
            h.send_header(x, "Link", "</a>");
            h.end_headers(x)?;
        }
        text(h, x, "final")
    });
    let mut client = server.connect();
    client.send(get("/"));
    for code in [102, 103] {
        let interim = client.response();
        assert_eq!(interim.status, code);
        assert_eq!(interim.fields, [("Link".to_owned(), "</a>".to_owned())]);
    }
    assert_eq!(client.response().text(), "final");
    // RFC 9110, 15.2: a client of HTTP/1.0 does not know them.
    let old = server.answer("GET / HTTP/1.0\r\n\r\n");
    assert_eq!((old.status, old.text()), (200, "final"));
}

#[test]
fn an_invalid_response_head_is_a_500_and_nothing_of_it_is_sent() {
    let sets: [&[(&str, &str)]; 18] = [
        &[("Content-Length", "1"), ("Transfer-Encoding", "chunked")],
        &[("Transfer-Encoding", "chunked"), ("Content-Length", "1")],
        &[("Content-Length", "1"), ("Content-Length", "1")],
        &[("Content-Length", "1"), ("content-length", "2")],
        &[("Content-Length", "x")],
        &[("Content-Length", "")],
        &[("Content-Length", "+1")],
        &[("Content-Length", "18446744073709551616")],
        &[("Transfer-Encoding", "gzip")],
        &[
            ("Transfer-Encoding", "chunked"),
            ("Transfer-Encoding", "chunked"),
        ],
        &[("A", "b\r\nInjected: 1")],
        &[("A", "b\nInjected: 1")],
        &[("A", "b\rInjected: 1")],
        &[("A", "b\0")],
        &[("A\r\nInjected", "1")],
        &[("A: b", "c")],
        &[("", "c")],
        &[("A", "\u{100}")],
    ];
    for fields in sets {
        let server = serve(move |h, x| {
            head(h, x, fields)?;
            Ok(x.wfile.write_all(b"a")?)
        });
        let mut client = server.connect();
        let response = client.send(get("/")).response();
        assert_eq!(response.status, 500, "{fields:?}");
        assert!(response.says_close() && response.get("Injected").is_none());
        assert!(response.get("A").is_none());
        client.assert_end();
        let lines = server.logged();
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("\"GET / HTTP/1.1\" ") && !line.ends_with(" -")),
            "no reason in {lines:?}"
        );
    }
}

#[test]
fn an_invalid_response_head_is_a_500_even_if_the_handler_ignores_the_error() {
    let server = serve(|h, x| {
        let _ = head(h, x, &[("A", "b\r\n")]);
        let _ = x.wfile.write_all(b"body");
        Ok(())
    });
    assert_eq!(server.answer(get("/")).status, 500);
}

#[test]
fn a_reason_phrase_never_ends_its_line() {
    let server = serve(|h, x| {
        let message = "Fine\r\nInjected: 1\r\n\r\n\0\u{e9}\u{100}";
        h.send_response(x, Status::OK.with_message(message));
        h.end_headers(x)
    });
    let response = server.answer(get("/"));
    assert_eq!(response.reason, "Fine  Injected: 1     \u{e9}?");
    assert!(response.get("Injected").is_none());
}

/// Python: test_latin1_header.
#[test]
fn latin_1_goes_both_ways() {
    let server = serve(|h, x| {
        let (value, bytes) = (x.headers.get("X"), x.headers.get_bytes("X"));
        assert_eq!(value, Some("\u{e4}\u{ff}"));
        assert_eq!(bytes.as_deref(), Some(&b"\xe4\xff"[..]));
        head(h, x, &[("Y", value.unwrap())])
    });
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nX: \xe4\xff\r\n\r\n";
    assert_eq!(server.answer(request).get("Y"), Some("\u{e4}\u{ff}"));
}

#[test]
fn a_body_that_is_too_short_is_a_500_or_an_early_close() {
    let server = serve(|h, x| {
        head(h, x, &[("Content-Length", "10")])?;
        x.wfile.write_all(b"12345")?;
        match x.path {
            "/begun" => Ok(x.wfile.flush()?),
            _ => Ok(()),
        }
    });
    let response = server.answer(get("/"));
    assert_eq!(response.status, 500);
    assert!(response.says_close());
    let mut client = server.connect();
    client.send(get("/begun"));
    client.try_response("GET").unwrap_err();
    let declared = "the handler wrote fewer bytes than the declared Content-Length";
    let told = server
        .logged()
        .iter()
        .filter(|line| line.ends_with(declared))
        .count();
    assert_eq!(told, 2, "{:?}", server.logged());
}

#[test]
fn a_body_that_is_too_long_is_truncated_and_logged_and_ends_the_connection() {
    type Write = fn(&mut Exchange<'_>) -> io::Result<()>;
    let ways: [Write; 4] = [
        |x| x.wfile.write_all(b"12345HTTP/1.1 200 OK\r\n\r\n"),
        |x| {
            x.wfile.write_all(b"12345")?;
            x.wfile.write_all(b"HTTP/1.1 200 OK\r\n\r\n")
        },
        |x| {
            let _ = x.wfile.write_all(b"123456");
            Ok(())
        },
        |x| {
            x.wfile.write_all(b"12345")?;
            x.wfile.flush()?;
            x.wfile.write_all(&long())
        },
    ];
    for way in ways {
        let server = serve(move |h, x| {
            head(h, x, &[("Content-Length", "5")])?;
            Ok(way(x)?)
        });
        let mut client = server.connect();
        let response = client.send(get("/1")).send(get("/2")).response();
        assert_eq!((response.status, response.text()), (200, "12345"));
        client.assert_end();
        let lines = server.logged();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines[1].ends_with("wrote more bytes than its Content-Length"),
            "{lines:?}"
        );
    }
}

/// The cut body would look complete if what is buffered left without the framing of its chunk.
#[test]
fn an_error_halfway_never_looks_like_the_end_of_the_body() {
    for parts in [["begin", "0\r\n\r\n"], ["0\r\n\r\n", "1\r\na\r\n0\r\n\r\n"]] {
        let server = serve(move |h, x| {
            head(h, x, &[])?;
            x.wfile.write_all(parts[0].as_bytes())?;
            x.wfile.flush()?;
            x.wfile.write_all(parts[1].as_bytes())?;
            Err(Error::other("broken"))
        });
        let mut client = server.connect();
        let error = client
            .send(get("/"))
            .send(get("/"))
            .try_response("GET")
            .unwrap_err();
        // Over TLS the end itself says so.
        let is_cut = error.contains("cut") || error.contains("close_notify");
        assert!(is_cut, "{error}");
    }
}

#[test]
fn a_failed_body_without_a_length_ends_with_a_reset() {
    let server = serve(|h, x| {
        head(h, x, &[])?;
        x.wfile.write_all(b"begin")?;
        x.wfile.flush()?;
        x.wfile.write_all(b" and more")?;
        Err(Error::other("broken"))
    });
    let mut client = server.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    client.try_response("GET").unwrap_err();
    // What was written goes before it.
    let mut client = server.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert!(client.rest_or_reset().ends_with(b"begin and more"));
}

#[test]
fn a_body_needs_the_end_of_the_head() {
    let server = serve(|h, x| {
        if x.path == "/fields" {
            h.send_response(x, Status::OK);
        }
        Ok(x.wfile.write_all(b"spam")?)
    });
    for path in ["/", "/fields"] {
        let response = server.answer(get(path));
        assert_eq!(response.status, 500);
        assert!(!response.text().contains("spam"), "{}", response.text());
    }
    let unfinished = serve(|h, x| {
        h.send_response(x, Status::OK);
        Ok(())
    });
    assert_eq!(unfinished.answer(get("/")).status, 500);
    let nameless = serve(|h, x| {
        h.send_header(x, "A", "b");
        h.end_headers(x)
    });
    let response = nameless.answer(get("/"));
    // The field is kept for whatever response comes.
    assert_eq!((response.status, response.get("A")), (500, Some("b")));
}

/// A handler that forgets to return after `send_error` sends nothing of what comes after it.
#[test]
fn a_second_response_is_an_error() {
    let server = serve(|h, x| match x.path {
        "/forgotten" => {
            h.send_error(x, Status::FORBIDDEN)?;
            text(h, x, "secret")
        }
        "/redirect" => {
            text(h, x, "first")?;
            x.send_redirect(Status::FOUND, "/")
        }
        "/ignored" => {
            text(h, x, "first")?;
            text(h, x, "secret").unwrap_err();
            Ok(())
        }
        _ => {
            head(h, x, &[("A", "1"), ("Content-Length", "100")])?;
            x.wfile.write_all(b"first")?;
            x.wfile.flush()?;
            text(h, x, "secret")
        }
    });
    for path in ["/forgotten", "/redirect"] {
        let response = server.answer(get(path));
        assert_eq!(response.status, 500, "{path}");
        assert!(!response.text().contains("secret"), "{path}");
        server.wait_for_log(&format!(
            "\"GET {path} HTTP/1.1\" the handler sent a second response"
        ));
    }
    assert_eq!(server.answer(get("/ignored")).text(), "first");
    let mut client = server.connect();
    client.send(get("/begun")).try_response("GET").unwrap_err();
}

#[test]
fn a_second_status_line_replaces_a_head_that_is_not_complete() {
    let server = serve(|h, x| {
        h.send_response(x, Status::OK);
        h.send_header(x, "A", "1");
        text(h, x, "second")
    });
    let response = server.answer(get("/"));
    assert_eq!((response.text(), response.get("A")), ("second", None));
    assert!(!response.says_close());
}

/// To fail after its response, a handler returns an error.
#[test]
fn an_error_replaces_a_response_that_has_not_begun() {
    let server = serve(|h, x| {
        text(h, x, "first")?;
        Err(Status::CONFLICT.into())
    });
    let response = server.answer(get("/"));
    assert_eq!(response.status, 409);
    assert!(!response.text().contains("first"));
}

#[test]
fn a_head_ends_once() {
    let server = serve(|h, x| {
        head(h, x, &[])?;
        h.send_header(x, "Late", "1");
        Ok(())
    });
    let response = server.answer(get("/"));
    assert_eq!((response.status, response.get("Late")), (500, None));
    let server = serve(|h, x| {
        head(h, x, &[])?;
        h.end_headers(x)
    });
    assert_eq!(server.answer(get("/")).status, 500);
}

/// A server that goes on when the test lets it.
fn stepwise() -> TestServer {
    serve(|h, x| {
        head(h, x, &[])?;
        for part in ["one", "two", ""] {
            x.wfile.write_all(part.as_bytes())?;
            x.wfile.flush()?;
            x.wfile.flush()?;
            gate("step").play(x)?;
        }
        Ok(())
    })
}

#[test]
fn flush_streams_in_chunks() {
    let server = stepwise();
    let mut client = server.connect();
    let head = client.send(get("/")).take_through("\r\n\r\n");
    assert!(
        head.contains("\r\nTransfer-Encoding: chunked\r\n"),
        "{head}"
    );
    assert_eq!(client.take_through("one\r\n"), "3\r\none\r\n");
    server.gate("step").let_one_through();
    assert_eq!(client.take_through("two\r\n"), "3\r\ntwo\r\n");
    server.gate("step").let_one_through();
    server.gate("step").let_one_through();
    assert_eq!(client.take_through("0\r\n\r\n"), "0\r\n\r\n");
    // The connection goes on.
    server.gate("step").open();
    assert_eq!(client.send(get("/")).response().chunks, Some(vec![3, 3]));
}

#[test]
fn flush_streams_to_a_client_of_http_1_0() {
    let server = stepwise();
    let mut client = server.connect();
    let head = client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let head = head.take_through("\r\n\r\n");
    assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    assert_eq!(client.take_through("one"), "one");
    server.gate("step").open();
    assert_eq!(client.rest().unwrap(), b"two");
}

/// A file of `LONG` bytes, removed at the end.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> (Self, File) {
        let name = format!("servette-it-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, long()).unwrap();
        let file = File::open(&path).unwrap();
        (TempFile(path), file)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_file_or_a_part_of_it_is_sent_under_any_framing() {
    let (_guard, file) = TempFile::new("framing");
    let server = serve(move |h, x| {
        let mut numbers = x.path.split('/').skip(2);
        let mut number = || numbers.next().unwrap().parse::<u64>().unwrap();
        let (offset, count) = (number(), number());
        match x.path.starts_with("/length/") {
            true => head(h, x, &[("Content-Length", &(count + 2).to_string())])?,
            false => head(h, x, &[])?,
        }
        x.wfile.write_all(b"<")?;
        x.wfile.send_file(&file, offset, count)?;
        Ok(x.wfile.write_all(b">")?)
    });
    for kind in ["length", "open"] {
        for (offset, count) in [
            (0, LONG),
            (0, 0),
            (5, 10),
            (7, 65_536),
            (1, 65_537),
            (99_999, 1),
        ] {
            let mut client = server.connect();
            let path = format!("/{kind}/{offset}/{count}");
            let whole = [b"<", &long()[offset..offset + count], b">"].concat();
            assert!(client.send(get(&path)).response().body == whole, "{path}");
            client.send(format!("HEAD {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
            let of_head = client.response_to("HEAD");
            assert_eq!(
                of_head.get("Content-Length"),
                Some(&*whole.len().to_string())
            );
            client.send(format!("GET {path} HTTP/1.0\r\n\r\n"));
            assert!(client.response().body == whole, "{path}");
        }
    }
}

#[test]
fn a_file_that_is_shorter_or_longer_than_declared_does_not_pass_for_the_body() {
    let (_guard, file) = TempFile::new("lengths");
    let server = serve(move |h, x| {
        let length: u64 = x.path[1..].parse().unwrap();
        head(h, x, &[("Content-Length", &length.to_string())])?;
        Ok(x.wfile.send_file(&file, 0, length.max(LONG as u64))?)
    });
    let cut = |client: &mut Client, length: usize| {
        client.send(get(&format!("/{length}"))).try_response("GET")
    };
    cut(&mut server.connect(), LONG + 1).unwrap_err();
    // Where files are not sent by the kernel, an event loop finds that out, which has no request to log.
    #[cfg(target_os = "linux")]
    server.wait_for_log("the file shrank");
    for length in [0, 5, 70_000, LONG - 1] {
        let mut client = server.connect();
        let response = cut(&mut client, length).unwrap();
        assert!(response.body == long()[..length], "{length}");
        client.assert_end();
        let last = server.logged().pop().unwrap();
        assert!(
            last.ends_with("wrote more bytes than its Content-Length"),
            "{last}"
        );
    }
}

#[test]
fn server_and_date_are_there_once() {
    let server = serve(|h, x| match x.path {
        "/error" => h.send_error(x, Status::NOT_FOUND),
        _ => text(h, x, "x"),
    });
    for path in ["/", "/error"] {
        let response = server.answer(get(path));
        let version = format!("BaseHTTP/{} servette", env!("CARGO_PKG_VERSION"));
        assert_eq!(response.get("Server"), Some(&*version));
        let date = response.get("Date").unwrap();
        assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
    }
}
