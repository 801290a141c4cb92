//! What becomes of errors: of hooks, of request bodies, of panics; and the pages that tell of them.

use std::io::{self, Read, Write};

use crate::client::{get, method_of};
use crate::support::{Ask, PATIENCE, echo, fixture, limits, message, serve, text};
use servette::testing::TestServer;
use servette::{Error, Exchange, RequestHandler, Result, Status, base, handler_fn};

type Answer = fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()>;

fn number(text: &str) -> Result<u32> {
    text.parse().map_err(Error::other)
}

#[test]
fn an_error_is_answered_with_its_status_or_500() {
    let status = |status: Status<'_>| Error::from(status);
    let rows: [(Answer, u16, &str, &str); 9] = [
        (
            |_, _| Err(Status::NOT_FOUND.into()),
            404,
            "Not Found",
            "Nothing matches the given URI",
        ),
        (
            |_, _| {
                Err(Status::GONE
                    .with_message("Went")
                    .with_explain("Far <away>")
                    .into())
            },
            410,
            "Went",
            "Far &lt;away&gt;",
        ),
        (
            |_, _| Err(Error::from(io::Error::from(Error::from(Status::CONFLICT)))),
            409,
            "Conflict",
            "",
        ),
        (
            |_, _| Ok(Err(io::Error::other("secret disk"))?),
            500,
            "Internal Server Error",
            "",
        ),
        (
            |_, _| Ok(Err(io::Error::from(io::ErrorKind::TimedOut))?),
            500,
            "Internal Server Error",
            "",
        ),
        (
            |_, _| number("x").map(drop),
            500,
            "Internal Server Error",
            "",
        ),
        (
            |_, _| Err(Box::<dyn std::error::Error + Send + Sync>::from("secret").into()),
            500,
            "Internal Server Error",
            "",
        ),
        (|_, _| Ok(()), 500, "Internal Server Error", ""),
        (
            |_, _| panic!("secret {}", 1),
            500,
            "Internal Server Error",
            "",
        ),
    ];
    for (answer, code, reason, part) in rows {
        let server = serve(answer);
        let mut client = server.connect();
        let response = client.send(get("/")).send(get("/")).response();
        assert_eq!((response.status, &*response.reason), (code, reason));
        assert!(response.text().contains(part) && !response.text().contains("secret"));
        // A status of the handler's choice has the fate that it has with `send_error`.
        let is_chosen = code != 500;
        assert_eq!(response.says_close(), !is_chosen);
        let mut lines = server.logged();
        match is_chosen {
            true => {
                assert_eq!(client.response().status, code);
                lines = server.logged();
                assert_eq!(lines.split_off(2), lines);
            }
            false => client.assert_end(),
        }
        let told = format!("code {code}, message {reason}");
        let (last, first) = lines.split_last().unwrap();
        assert_eq!(*last, format!("\"GET / HTTP/1.1\" {code} -"));
        assert_eq!(*first.last().unwrap(), told);
        // Why it is a 500 is for the log alone.
        assert_eq!(first.len(), if code == 500 { 2 } else { 1 }, "{lines:?}");
        if lines[0].contains("panic") {
            // It fails the test that owns the fixture.
            message(|| server.verify());
        }
    }
    assert_eq!(status(Status::NOT_FOUND).status(), Status::NOT_FOUND);
}

/// Reads its body to the end.
fn reader() -> TestServer {
    serve(|h, x| {
        let mut body = Vec::new();
        x.rfile.read_to_end(&mut body)?;
        text(h, x, "whole")
    })
}

#[test]
fn an_early_end_of_a_body_is_a_400() {
    let server = reader();
    for request in [
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    ] {
        let mut client = server.connect();
        let response = client.send(request).finish().response();
        assert_eq!(response.status, 400, "{request}");
        assert_eq!(response.reason, "Incomplete request body");
        client.assert_end();
    }
    assert!(server.logged().iter().all(|line| !line.contains("500")));
}

#[test]
fn a_handler_sees_the_error_of_a_body_and_can_respond_itself() {
    let builder = fixture().limits(limits(|limits| limits.max_body = Some(10)));
    let server = builder.start(handler_fn(|h, x| {
        let error = x.rfile.read_to_end(&mut Vec::new()).unwrap_err();
        let again = x.rfile.read(&mut [0; 9_000]).unwrap_err();
        assert_eq!(error.kind(), again.kind());
        x.close_connection.set(false);
        text(h, x, &format!("{:?}", error.kind()))
    }));
    for (body, kind) in [
        ("Content-Length: 5\r\n\r\nabc", "UnexpectedEof"),
        ("Content-Length: 11\r\n\r\n", "FileTooLarge"),
        ("Transfer-Encoding: chunked\r\n\r\nx", "InvalidData"),
        ("Transfer-Encoding: chunked\r\n\r\nb\r\n", "FileTooLarge"),
        (
            "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n1\r\n",
            "FileTooLarge",
        ),
    ] {
        let mut client = server.connect();
        client
            .send(format!("POST / HTTP/1.1\r\nHost: h\r\n{body}"))
            .finish();
        let response = client.response();
        assert_eq!((response.status, response.text()), (200, kind), "{body}");
        assert!(response.says_close());
        client.assert_end();
    }
}

#[test]
fn a_body_over_the_limit_is_a_413_and_no_more_than_the_limit_is_read() {
    let handler = handler_fn(|h, x| {
        let (mut read, mut buffer) = (0, [0; 5_000]);
        loop {
            match x.rfile.read(&mut buffer)? {
                0 => return text(h, x, "whole"),
                count => read += count,
            }
            assert!(read <= 10_000);
        }
    });
    let limits = limits(|limits| limits.max_body = Some(10_000));
    let server = fixture().limits(limits).start(handler);
    let chunk = |size: usize| format!("{size:x}\r\n{}\r\n", "x".repeat(size));
    let post = |framing: &str, body: &str| {
        server.answer(format!(
            "POST / HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n{body}"
        ))
    };
    let body = "x".repeat(10_001);
    assert_eq!(post("Content-Length: 10000", &body[1..]).status, 200);
    assert_eq!(post("Content-Length: 10001", &body).status, 413);
    for (chunks, status) in [
        (chunk(10_000), 200),
        (chunk(4_000) + &chunk(6_000), 200),
        (chunk(10_001), 413),
        (chunk(9_999) + &chunk(2), 413),
        (chunk(10_000) + &chunk(1), 413),
        ("ffffffffffffffff\r\n".into(), 413),
    ] {
        let response = post("Transfer-Encoding: chunked", &(chunks + "0\r\n\r\n"));
        assert_eq!(response.status, status);
    }
}

#[test]
fn a_handler_that_does_not_read_a_body_over_the_limit_answers_as_usual() {
    let limits = limits(|limits| {
        limits.max_body = Some(10);
        limits.discard = 1_000;
    });
    let server = fixture().limits(limits).start(handler_fn(echo));
    let mut client = server.connect();
    // The rest of this body is read, and the connection goes on.
    let body = "x".repeat(1_000);
    let post = "POST /a HTTP/1.1\r\nHost: h\r\n";
    client.send(format!("{post}Content-Length: 1000\r\n\r\n{body}"));
    let response = client.response();
    assert_eq!((response.status, response.text()), (200, "/a"));
    assert!(!response.says_close());
    // This one is longer than `discard`.
    client.send(format!("{post}Content-Length: 1001\r\n\r\nx{body}"));
    let response = client.response();
    assert_eq!((response.status, response.text()), (200, "/a"));
    assert!(response.says_close());
    client.assert_end();
}

#[test]
fn after_a_panic_the_server_goes_on() {
    let server = serve(|h, x| match x.path {
        "/text" => panic!("of a text"),
        "/string" => panic!("of a {}", x.path),
        "/number" => std::panic::panic_any(7),
        "/begun" => {
            h.send_response(x, Status::OK);
            h.end_headers(x)?;
            x.wfile.write_all(b"begun")?;
            x.wfile.flush()?;
            panic!("too late")
        }
        path => text(h, x, path),
    });
    for (path, message) in [
        ("/text", "panic: of a text"),
        ("/string", "panic: of a /string"),
        ("/number", "panic: with a value that is not a string"),
    ] {
        let response = server.answer(get(path));
        assert_eq!(response.status, 500);
        assert!(response.says_close());
        let line = format!("\"GET {path} HTTP/1.1\" {message}");
        assert!(server.logged().contains(&line), "{:?}", server.logged());
    }
    let mut client = server.connect();
    client.send(get("/begun")).try_response("GET").unwrap_err();
    assert_eq!(server.answer(get("/fine")).text(), "/fine");
    let told = message(|| server.verify());
    assert!(
        told.contains("answered `GET /begun HTTP/1.1`: too late"),
        "{told}"
    );
}

/// Python 12 and test_error_content_length, test_html_escape_on_error.
#[test]
fn the_error_page_has_code_message_and_explanation_escaped() {
    let server = serve(|h, x| match x.path {
        "/own" => {
            let status = Status::BAD_GATEWAY.with_message("<script>&\"'");
            h.send_error(x, status.with_explain("%(code)d \u{e9}\u{100}"))
        }
        _ => h.send_error(x, Status::NOT_FOUND),
    });
    let response = server.answer(get("/"));
    assert_eq!(
        response.get("Content-Type"),
        Some("text/html;charset=utf-8")
    );
    assert_eq!(
        response.get("Content-Length"),
        Some(&*response.body.len().to_string())
    );
    for part in [
        "<title>404 Not Found</title>",
        "<h1>Not Found</h1>",
        "<p>Nothing matches the given URI.</p>",
        "<p>Error code: 404</p>",
    ] {
        assert!(response.text().contains(part), "{}", response.text());
    }
    let own = server.answer(get("/own"));
    assert_eq!(own.reason, "<script>&\"'");
    assert!(own.text().contains("<h1>&lt;script&gt;&amp;\"'</h1>"));
    assert!(own.text().contains("<p>%(code)d \u{e9}\u{100}.</p>"));
    let refused = server.answer("GET /<script>alert(1)</script> x\r\nHost: h\r\n\r\n");
    assert_eq!(refused.status, 400);
    assert!(!refused.text().contains("<script>"));
}

/// Python: test_send_error, test_head_via_send_error, test_internal_key_error,
/// test_return_custom_status.
#[test]
fn some_errors_have_no_page_and_some_only_its_length() {
    let server = serve(|h, x| {
        let code = x.path[1..].parse().unwrap();
        h.send_error(x, Status::new(code))
    });
    for method in ["GET", "HEAD", "POST"] {
        for code in [204, 205, 304] {
            let request = format!("{method} /{code} HTTP/1.1\r\nHost: h\r\n\r\n");
            let response = server.answer(&request);
            assert_eq!((response.status, response.body.len()), (code, 0));
            assert_eq!(response.get("Content-Type"), None);
            let length = (code == 205).then_some("0");
            assert_eq!(response.get("Content-Length"), length, "{request}");
        }
        let request = format!("{method} /101 HTTP/1.1\r\nHost: h\r\n\r\n");
        let mut client = server.connect();
        let response = client
            .send(&request)
            .response_to(method_of(request.as_bytes()));
        assert_eq!((response.status, response.get("Content-Type")), (101, None));
        client.assert_end();
    }
    let page = server.answer(get("/404"));
    let of_head = server.answer("HEAD /404 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(of_head.get("Content-Length"), page.get("Content-Length"));
    assert_eq!(of_head.get("Content-Type"), page.get("Content-Type"));
    let unknown = server.answer(get("/999"));
    assert_eq!((unknown.status, &*unknown.reason), (999, ""));
    assert!(unknown.text().contains("<h1>???</h1>"));
    assert!(unknown.text().contains("<p>???.</p>"));
}

#[test]
fn refusals_of_the_server_go_through_send_error_with_an_empty_request() {
    struct Strange;
    impl RequestHandler for Strange {
        fn send_error(&self, x: &mut Exchange<'_>, status: Status<'_>) -> Result<()> {
            let request = (x.command, x.path, x.request_version, x.headers.len());
            assert_eq!(request, ("", "", "", 0));
            assert_eq!(x.rfile.read(&mut [0; 9])?, 0);
            let body = format!("{}|{}", status.phrase(), x.requestline);
            self.send_content(x, Status::IM_A_TEAPOT, "text/plain", body.as_bytes())
        }
    }
    let server = fixture().start(Strange);
    let long = format!("GET /{}", "a".repeat(70_000));
    for (request, body) in [
        (
            "GET / HTTP/2.0\r\n\r\nmore",
            "Invalid HTTP version (2.0)|GET / HTTP/2.0",
        ),
        ("\r\nGET /\r\n", "Bad request syntax ('GET /')|GET /"),
        (
            "GET / HTTP/1.1\r\n\r\n",
            "Missing Host header|GET / HTTP/1.1",
        ),
        // Python 1: the request line is empty where it was not read to its end.
        (&long, "URI Too Long|"),
        ("\x16\x03\x01", "TLS on a port that speaks plain HTTP|"),
    ] {
        let mut client = server.connect();
        let response = client.send(request).response();
        assert_eq!((response.status, response.text()), (418, body));
        assert!(response.says_close());
        client.finish().assert_end();
    }
}

/// gh-87979: a method of 60 KiB is not sent back, nor logged whole.
#[test]
fn a_long_method_is_not_echoed() {
    let server = serve(|h, x| base::do_method(h, x));
    let method = "X".repeat(60_000);
    let response = server.answer(format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert_eq!(response.status, 501);
    assert!(response.reason.len() < 300 && response.body.len() < 2_000);
    assert!(server.logged()[0].len() < 300);
}

#[test]
fn a_client_that_disconnects_causes_no_error() {
    let server = serve(|h, x| {
        h.send_response(x, Status::OK);
        h.end_headers(x)?;
        loop {
            x.wfile.write_all(&[0; 100_000])?;
        }
    });
    let mut client = server.connect();
    // As nobody reads its body, the request is complete when its exchange is over.
    let request = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n";
    client.send(request).peek(1);
    drop(client);
    server.wait_for(1, PATIENCE);
    assert_eq!(server.logged(), ["\"POST / HTTP/1.1\" 200 -"]);
}
