//! What failing tests print is what docs/testing.md shows.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use crate::support::message;
use servette::handler_fn;
use servette::testing::{Stubs, TestServer, gate, get, post, status};

/// Sends a request, and waits for the end of the answer.
fn send(server: &TestServer, request: &str, body: &str) {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    let length = match body.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    let (line, fields) = request.split_once('\n').unwrap_or((request, ""));
    let fields = match fields {
        "" => String::new(),
        fields => format!("{fields}\r\n"),
    };
    let request =
        format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}{length}\r\n{body}");
    client.write_all(request.as_bytes()).unwrap();
    // Some of the answers are cut.
    let _ = client.read_to_end(&mut Vec::new());
}

/// The message with the address, the place and the time of the page.
fn as_in_the_page(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = match line.split_once(", started at ") {
            Some((_, rest)) => {
                let (_, rest) = rest.split_once(": ").unwrap();
                format!("TestServer 127.0.0.1:40000, started at tests/client.rs:12: {rest}")
            }
            None => line.to_owned(),
        };
        lines.push(match line.split_once(" - - [") {
            Some((host, rest)) => {
                let (_, rest) = rest.split_once(']').unwrap();
                format!("{host} - - [30/Nov/2026 12:00:00]{rest}")
            }
            None => line,
        });
    }
    lines.join("\n")
}

#[track_caller]
fn the_page_shows(test: impl FnOnce()) {
    let text = as_in_the_page(&message(test));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/testing.md");
    let page = std::fs::read_to_string(page).unwrap();
    let block = format!("```text\n{text}\n```\n");
    assert!(page.contains(&block), "docs/testing.md has no\n{block}");
}

#[test]
fn a_stub_that_no_request_matches() {
    the_page_shows(|| {
        let stub = post("/hook")
            .header("X-Signature", "abc")
            .answer(status(204));
        let server = TestServer::start(Stubs::new().on(stub.expect(1)));
        send(&server, "POST /hook\nX-Signature: abd", "");
    });
}

#[test]
fn a_body_that_differs() {
    the_page_shows(|| {
        let stub = post("/hook")
            .body("{\n  \"id\": 7,\n  \"paid\": true\n}\n")
            .answer(status(204));
        let server = TestServer::start(Stubs::new().on(stub.expect(1)));
        send(
            &server,
            "POST /hook",
            "{\n  \"id\": 7,\n  \"paid\": false\n}\n",
        );
    });
}

#[cfg(feature = "json")]
#[test]
fn json_that_differs() {
    the_page_shows(|| {
        let order = serde_json::json!({"items": [{"price": 4}]});
        let stub = post("/orders").json_contains(order).answer(status(201));
        let server = TestServer::start(Stubs::new().on(stub.expect(1)));
        send(
            &server,
            "POST /orders",
            r#"{"id":7,"items":[{"name":"egg","price":3}]}"#,
        );
    });
}

#[test]
fn a_path_that_was_meant_as_a_pattern() {
    the_page_shows(|| {
        let stub = get("/users/[0-9]+").answer(status(200));
        let server = TestServer::start(Stubs::new().on(stub.expect(1)));
        send(&server, "GET /users/7", "");
    });
}

#[test]
fn a_test_with_a_reason() {
    the_page_shows(|| {
        let signed = post("/hook").predicate("a signed request", |request| {
            request
                .header("X-Signature")
                .map(|_| ())
                .ok_or("there is no signature")
        });
        let server = TestServer::start(Stubs::new().on(signed.answer(status(204)).expect(1)));
        send(&server, "POST /hook", "");
    });
}

#[test]
fn requests_that_no_stub_matches() {
    the_page_shows(|| {
        let stubs = Stubs::new()
            .on(get("/data").answer(status(200)).times(1))
            .on(post("/data?dry=1").answer(status(201)));
        let server = TestServer::start(stubs.strict());
        for request in ["GET /data", "GET /data", "POST /data?dry=0"] {
            send(&server, request, "");
        }
    });
}

#[test]
fn a_count_that_is_too_small() {
    the_page_shows(|| {
        let server = TestServer::start(status(200));
        send(&server, "GET /data", "");
        send(&server, "GET /date", "");
        server.assert_count(&get("/data"), 3);
    });
}

#[test]
fn no_request_at_all() {
    the_page_shows(|| {
        let server = TestServer::start(status(200));
        server.assert_received(&get("/data"));
    });
}

#[test]
fn a_request_that_does_not_come_in_time() {
    the_page_shows(|| {
        let server = TestServer::start(status(204));
        send(
            &server,
            "POST /hook\nContent-Type: application/json",
            r#"{"paid":true}"#,
        );
        server.wait_for(2, Duration::from_millis(50));
    });
}

#[test]
fn a_gate_that_nobody_opens() {
    the_page_shows(|| {
        let builder = TestServer::builder().gate_deadline(Duration::from_millis(50));
        let server = builder.start(gate("upload-done"));
        server.gate("upload_done").open();
        send(&server, "GET /", "");
    });
}

#[test]
fn a_handler_that_panics() {
    the_page_shows(|| {
        let server = TestServer::start(handler_fn(|_, x| panic!("no such user: {}", x.path)));
        send(&server, "GET /users/7", "");
    });
}
