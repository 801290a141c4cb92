//! `Expect: 100-continue`: a client that waits is told to go on, once, or gets its answer (RFC 9110,
//! 10.1.1).

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::client::{Client, get};
use crate::support::{Ask, fixture, serve, serve_http10, text};
use servette::{Exchange, RequestHandler, Result, Status, base};

const EXPECTS: &str =
    "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-Continue\r\n\r\n";

fn echo(h: &dyn RequestHandler, x: &mut Exchange<'_>) -> Result<()> {
    let mut body = String::new();
    x.rfile.read_to_string(&mut body)?;
    text(h, x, &body)
}

fn go_on(h: &dyn RequestHandler, x: &mut Exchange<'_>) -> Result<()> {
    h.send_response_only(x, Status::CONTINUE);
    h.end_headers(x)
}

/// The client waits for 100 before it sends its body, and gets one answer.
#[track_caller]
fn assert_told_once(client: &mut Client) {
    let interim = client.response();
    assert_eq!((interim.status, interim.fields.len()), (100, 0));
    let response = client.send("body").response();
    assert_eq!((response.status, response.text()), (200, "body"));
}

#[test]
fn the_first_read_tells_the_client_to_go_on() {
    let server = serve(echo);
    let mut client = server.connect();
    for _ in 0..2 {
        assert_told_once(client.send(EXPECTS));
    }
    client.send(EXPECTS.replace("Content-Length: 4", "Transfer-Encoding: chunked"));
    assert_eq!(client.response().status, 100);
    client.send("4\r\nbo");
    client.send("dy\r\n0\r\n\r\n");
    assert_eq!(client.response().text(), "body");
}

#[test]
fn a_handler_that_streams_both_ways_tells_the_client_first() {
    for declared in [None, Some(("Transfer-Encoding", "chunked"))] {
        let server = serve(move |h, x| {
            h.send_response(x, Status::OK);
            if let Some((name, value)) = declared {
                h.send_header(x, name, value);
            }
            h.end_headers(x)?;
            x.wfile.write_all(b"you sent ")?;
            std::io::copy(&mut x.rfile, &mut x.wfile)?;
            Ok(())
        });
        let mut client = server.connect();
        client.send(EXPECTS);
        assert_eq!(client.response().status, 100);
        let response = client.send("body").response();
        assert_eq!((response.status, response.text()), (200, "you sent body"));
    }
}

#[test]
fn earlier_responses_come_before_it() {
    let server = serve(|h, x| match x.path {
        "/echo" => echo(h, x),
        path => text(h, x, path),
    });
    let mut client = server.connect();
    client.send([&get("/1"), EXPECTS].concat());
    assert_eq!(client.response().text(), "/1");
    assert_told_once(&mut client);
}

#[test]
fn a_response_without_reading_replaces_100_continue() {
    let server = serve(|h, x| text(h, x, "no thanks"));
    for sent_all_the_same in ["", "body", "bodyGET / HTTP/1.1\r\nHost: h\r\n\r\n"] {
        let mut client = server.connect();
        let response = client.send(EXPECTS).response();
        assert_eq!((response.status, response.text()), (200, "no thanks"));
        assert!(response.says_close());
        client.send(sent_all_the_same).finish().assert_end();
    }
}

#[test]
fn a_refusal_by_error_comes_instead() {
    let server = serve(|_, _| Err(Status::CONTENT_TOO_LARGE.into()));
    let mut client = server.connect();
    let response = client.send(EXPECTS).response();
    assert_eq!(response.status, 413);
    assert!(response.says_close());
}

#[test]
fn who_does_not_wait_is_not_told() {
    let server = serve(echo);
    let with_body = format!("{EXPECTS}body");
    let old = with_body.replace("HTTP/1.1", "HTTP/1.0");
    let without = EXPECTS.replace("Content-Length: 4", "Content-Length: 0");
    for (request, body) in [(with_body, "body"), (old, "body"), (without, "")] {
        let response = server.answer(&request);
        assert_eq!((response.status, response.text()), (200, body), "{request}");
    }
}

#[test]
fn a_client_of_http_1_0_is_not_told_even_if_it_waits() {
    let server = serve(|h, x| {
        if x.path == "/told" {
            go_on(h, x)?;
        }
        h.send_response(x, Status::OK);
        h.end_headers(x)?;
        x.wfile.write_all(b"head ")?;
        x.wfile.flush()?;
        std::io::copy(&mut x.rfile, &mut x.wfile)?;
        Ok(())
    });
    for path in ["/", "/told"] {
        let mut client = server.connect();
        let old = EXPECTS.replace("HTTP/1.1", "HTTP/1.0");
        client.send(old.replace("/echo", path));
        assert!(client.take_through("head ").starts_with("HTTP/1.1 200 "));
        assert_eq!(client.send("body").rest().unwrap(), b"body");
    }
}

/// Python's own `handle_expect_100` does it this way.
#[test]
fn a_handler_may_tell_by_itself() {
    struct ByHook;
    impl RequestHandler for ByHook {
        fn handle_expect_100(&self, x: &mut Exchange<'_>) -> Result<bool> {
            self.send_response_only(x, Status::CONTINUE);
            self.end_headers(x)?;
            Ok(true)
        }
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            echo(self, x)
        }
    }
    let in_method = serve(|h, x| {
        go_on(h, x)?;
        echo(h, x)
    });
    for server in [fixture().start(ByHook), in_method] {
        let mut client = server.connect();
        for _ in 0..2 {
            assert_told_once(client.send(EXPECTS));
        }
    }
}

#[test]
fn after_the_response_has_begun_no_100_continue_is_sent() {
    let server = serve(|h, x| {
        h.send_response(x, Status::OK);
        h.send_header(x, "Content-Length", "4");
        h.end_headers(x)?;
        x.wfile.flush()?;
        std::io::copy(&mut x.rfile, &mut x.wfile)?;
        Ok(())
    });
    let mut client = server.connect();
    let head = client.send(EXPECTS).take_through("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("\r\nConnection: close\r\n"));
    assert_eq!(client.send("body").rest().unwrap(), b"body");
}

/// Only the version of the request counts: many clients of HTTP/1.1 wait long, or for ever.
#[test]
fn a_handler_of_http_1_0_sends_100_continue_to_http_1_1_clients() {
    let server = serve_http10(|h, x| match x.command {
        "GET" => text(h, x, "no thanks"),
        _ => echo(h, x),
    });
    let mut client = server.connect();
    client.send(EXPECTS);
    assert_eq!(
        client.take_through("\r\n\r\n"),
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    let response = client.send("body").response();
    assert_eq!((response.status, response.text()), (200, "body"));
    client.assert_end();
    let mut client = server.connect();
    let response = client.send(EXPECTS.replace("POST", "GET")).response();
    assert_eq!((response.status, response.text()), (200, "no thanks"));
    let mut old = server.connect();
    old.send(EXPECTS.replace("HTTP/1.1", "HTTP/1.0"));
    let response = old.send("body").response();
    assert_eq!((response.status, response.text()), (200, "body"));
}

/// Idiom 14 and Python's test_with_continue_rejected.
#[test]
fn the_hook_can_refuse() {
    struct NoUploads;
    impl RequestHandler for NoUploads {
        fn handle_expect_100(&self, x: &mut Exchange<'_>) -> Result<bool> {
            match x.path {
                "/content" => text(self, x, "no").map(|()| false),
                "/silent" => Ok(false),
                _ => {
                    self.send_error(x, Status::EXPECTATION_FAILED)?;
                    Ok(false)
                }
            }
        }
        fn do_method(&self, _: &mut Exchange<'_>) -> Result<()> {
            panic!("a refused request is not handled")
        }
    }
    let server = fixture().start(NoUploads);
    for (path, status) in [("/echo", 417), ("/content", 200), ("/silent", 500)] {
        // Without a body too, as in Python.
        for length in ["Content-Length: 4", "Content-Length: 0", "X: y"] {
            let request = EXPECTS.replace("/echo", path);
            let mut client = server.connect();
            client.send(request.replace("Content-Length: 4", length));
            let response = client.response();
            assert_eq!(response.status, status, "{path} {length}");
            // A text of the hook ends the connection only if nobody knows whether a body will come.
            let closes = path != "/content" || length == "Content-Length: 4";
            assert_eq!(response.says_close(), closes, "{path} {length}");
            if !closes {
                assert_eq!(client.send(EXPECTS).response().status, 417);
            }
            client.finish().assert_end();
        }
    }
}

#[test]
fn the_hook_is_called_without_a_body_and_the_connection_is_kept() {
    struct Counts(Arc<AtomicUsize>);
    impl RequestHandler for Counts {
        fn handle_expect_100(&self, x: &mut Exchange<'_>) -> Result<bool> {
            self.0.fetch_add(1, Relaxed);
            base::handle_expect_100(self, x)
        }
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            echo(self, x)
        }
        fn protocol_version(&self) -> &str {
            "HTTP/1.1"
        }
    }
    let calls = Arc::new(AtomicUsize::new(0));
    let server = fixture().start(Counts(calls.clone()));
    let mut client = server.connect();
    for called in 1..=2 {
        let request = EXPECTS.replace("Content-Length: 4", "Content-Length: 0");
        let response = client.send(request).response();
        assert_eq!((response.status, response.text()), (200, ""));
        assert!(!response.says_close());
        assert_eq!(calls.load(Relaxed), called);
    }
    client
        .send(EXPECTS.replace("HTTP/1.1", "HTTP/1.0"))
        .send("body");
    assert_eq!(client.response().status, 200);
    assert_eq!(calls.load(Relaxed), 2, "1.0 has no expectations");
}
