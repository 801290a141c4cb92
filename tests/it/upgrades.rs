//! The way out of HTTP/1: `CONNECT`, 101, and the bytes that follow them.

use std::io::{Read, Write};

use crate::client::{Response, get};
use crate::support::{Ask, PATIENCE, fixture, limits, serve, serve_http10};
use servette::{Status, handler_fn};

const CONNECT: &str = "CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n";
const UPGRADE: &str = "Host: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

#[test]
fn a_rejected_connect_ends_the_connection() {
    for way in [
        "page",
        "error",
        "content",
        "deferred",
        "stream",
        "keep-alive",
    ] {
        let server = serve(move |h, x| match way {
            "page" => h.send_error(x, Status::FORBIDDEN),
            "error" => Err(Status::FORBIDDEN.into()),
            "content" => h.send_content(x, Status::FORBIDDEN, "text/plain", b"no"),
            "deferred" => {
                x.defer()?
                    .answer(|h, x| h.send_content(x, Status::FORBIDDEN, "text/plain", b"no"));
                Ok(())
            }
            "stream" => {
                h.send_response(x, Status::FORBIDDEN);
                h.end_headers(x)?;
                Ok(x.wfile.start_stream()?.send("no")?)
            }
            _ => {
                x.close_connection.set(false);
                h.send_response(x, Status::FORBIDDEN);
                h.send_header(x, "Connection", "keep-alive");
                h.send_header(x, "Content-Length", "0");
                h.end_headers(x)
            }
        });
        for fields in [
            "\r\n",
            "Connection: keep-alive\r\n\r\n",
            "Content-Length: 0\r\n\r\n",
        ] {
            let mut client = server.connect();
            // A client may send the first bytes of the tunnel at once.
            client.send(CONNECT.to_owned() + fields + &get("/smuggled"));
            let response = client.response_to("CONNECT");
            assert_eq!(response.status, 403, "{way}");
            assert!(response.says_close(), "{way}: {response:?}");
            assert_eq!(client.rest().unwrap(), b"", "{way}");
        }
        assert!(
            server
                .requests()
                .iter()
                .all(|request| request.command == "CONNECT")
        );
    }
}

#[test]
fn a_rejected_upgrade_keeps_the_connection() {
    let server = serve(|h, x| h.send_error(x, Status::FORBIDDEN));
    let mut client = server.connect();
    client.send(format!("GET / HTTP/1.1\r\n{UPGRADE}") + &get("/next"));
    assert_eq!(
        (client.response().status, client.response().status),
        (403, 403)
    );
}

#[test]
fn rfile_takes_no_byte_of_the_stream_that_follows() {
    for is_chunked in [false, true] {
        for way in ["detach", "raw_stream"] {
            let server = serve(move |_, x| {
                let mut bytes = Vec::new();
                match way {
                    "detach" => {
                        let mut stream = x.detach()?;
                        let error = x.rfile.read_to_end(&mut bytes).unwrap_err();
                        assert!(error.to_string().contains("before"), "{error}");
                        assert!(x.rfile.discard().is_err() && x.rfile.read_text(9).is_err());
                        stream.read_to_end(&mut bytes)?;
                        stream.write_all(&bytes)?;
                    }
                    _ => {
                        x.raw_stream()?;
                        assert!(x.rfile.read_to_end(&mut bytes).is_err());
                        let mut stream = x.raw_stream()?;
                        stream.read_to_end(&mut bytes)?;
                        stream.write_all(&bytes)?;
                    }
                }
                Ok(())
            });
            let (field, body) = match is_chunked {
                true => ("Transfer-Encoding: chunked", "4\r\nabcd\r\n0\r\n\r\n"),
                false => ("Content-Length: 4", "abcd"),
            };
            let mut client = server.connect();
            client.send(format!(
                "POST / HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n{body}tunnel"
            ));
            client.finish();
            let all = format!("{body}tunnel");
            assert_eq!(String::from_utf8(client.rest().unwrap()).unwrap(), all);
        }
    }
}

#[test]
fn a_body_that_was_read_before_is_not_in_the_stream() {
    let server = serve(|_, x| {
        x.rfile.discard()?;
        let mut stream = x.detach()?;
        assert_eq!(x.rfile.read(&mut [0; 9])?, 0);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(stream.write_all(&bytes)?)
    });
    for request in [
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcdtunnel",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\ntunnel",
        "GET / HTTP/1.1\r\nHost: h\r\n\r\ntunnel",
    ] {
        let mut client = server.connect();
        client.send(request).finish();
        assert_eq!(client.rest().unwrap(), b"tunnel");
    }
}

#[test]
fn a_raw_stream_ends_at_once_although_the_body_was_not_read_as_one() {
    // The rest of a body would be awaited until the deadline.
    let limits = limits(|limits| limits.linger_deadline = PATIENCE * 2);
    let server = fixture().limits(limits).start(handler_fn(|_, x| {
        let mut stream = x.raw_stream()?;
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes)?;
        Ok(stream.write_all(&bytes)?)
    }));
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd");
    assert_eq!(client.rest().unwrap(), b"abcd");
}

#[test]
fn a_handler_of_http_1_0_sends_interim_responses_and_101_with_http_1_1() {
    let server = serve_http10(|h, x| {
        h.send_response_only(x, Status::EARLY_HINTS);
        h.send_header(x, "Link", "</style.css>; rel=preload");
        h.end_headers(x)?;
        if x.path == "/hints" {
            return h.send_content(x, Status::OK, "text/plain", b"page");
        }
        h.send_response(x, Status::SWITCHING_PROTOCOLS);
        h.send_header(x, "Upgrade", "echo");
        h.send_header(x, "Connection", "Upgrade");
        h.end_headers(x)?;
        Ok(x.detach()?.write_all(b"echo")?)
    });
    let mut client = server.connect();
    client.send(get("/hints"));
    let status = |response: &Response| (response.version.clone(), response.status);
    assert_eq!(status(&client.head()), ("HTTP/1.1".into(), 103));
    let response = client.response();
    assert_eq!(status(&response), ("HTTP/1.0".into(), 200));
    assert_eq!(response.text(), "page");
    client.assert_end();
    let mut client = server.connect();
    client.send(format!("GET / HTTP/1.1\r\n{UPGRADE}"));
    assert_eq!(client.head().status, 103);
    let head = client.head();
    assert_eq!(status(&head), ("HTTP/1.1".into(), 101));
    assert_eq!(head.get("Connection"), Some("Upgrade"));
    assert_eq!(client.rest().unwrap(), b"echo");
}

#[test]
fn a_client_of_http_1_0_gets_neither_101_nor_interim_responses() {
    let server = serve(|h, x| {
        h.send_response_only(x, Status::EARLY_HINTS);
        h.end_headers(x)?;
        h.send_response_only(x, Status::SWITCHING_PROTOCOLS);
        h.send_header(x, "Upgrade", "echo");
        h.send_header(x, "Connection", "Upgrade");
        match x.path {
            "/careless" => drop(h.end_headers(x)),
            _ => h.end_headers(x)?,
        }
        Ok(x.detach()?.write_all(b"echo")?)
    });
    let mut client = server.connect();
    client.send(format!("GET / HTTP/1.0\r\n{UPGRADE}"));
    let response = client.response();
    assert_eq!(
        (response.status, &*response.reason),
        (400, "An upgrade requires HTTP/1.1")
    );
    assert_eq!(response.get("Upgrade"), None);
    client.assert_end();
    server.wait_for_log("code 400, message An upgrade requires HTTP/1.1");
    let mut client = server.connect();
    client.send(format!("GET /careless HTTP/1.0\r\n{UPGRADE}"));
    assert_eq!(client.rest().unwrap(), b"echo");
}

#[test]
fn send_content_has_no_interim_status() {
    let server = serve(|h, x| {
        let status = match x.path {
            "/101" => Status::SWITCHING_PROTOCOLS,
            _ => Status::EARLY_HINTS,
        };
        h.send_content(x, status, "text/plain", b"content")
    });
    for path in ["/101", "/103"] {
        let response = server.answer(get(path));
        assert_eq!(response.status, 500, "{response:?}");
        server.wait_for_log(&format!(
            "\"GET {path} HTTP/1.1\" a 1xx response has no content"
        ));
    }
}
