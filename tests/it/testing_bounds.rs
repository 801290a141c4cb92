//! How much a fixture remembers.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{PATIENCE, message, until};
use servette::Limits;
use servette::testing::{Stubs, TestServer, get, post, status};

fn connect(server: &TestServer, bytes: &str) -> TcpStream {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client.write_all(bytes.as_bytes()).unwrap();
    client
}

fn send(server: &TestServer, requests: impl AsRef<str>) {
    let mut client = connect(server, requests.as_ref());
    client.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn recording_is_bounded() {
    let server = TestServer::builder().max_recorded(3, 10).start(status(200));
    for index in 0..5 {
        send(
            &server,
            format!("PUT /{index} HTTP/1.0\r\nContent-Length: 11\r\n\r\nhello world"),
        );
    }
    let requests = server.wait_for(5, PATIENCE);
    let paths: Vec<&str> = requests.iter().map(|request| &*request.path).collect();
    assert_eq!(paths, ["/2", "/3", "/4"]);
    assert!(
        requests
            .iter()
            .all(|request| request.body == b"hello worl" && request.is_truncated)
    );
    let text = message(|| server.assert_received(&get("/none")));
    assert!(text.contains("(2 earlier ones were dropped)"), "{text}");

    let server = TestServer::builder().max_recorded(0, 10).start(status(200));
    for index in 0..2 {
        send(&server, format!("GET /{index} HTTP/1.0\r\n\r\n"));
    }
    let requests = server.wait_for(2, PATIENCE);
    assert_eq!((requests.len(), &*requests[0].path), (1, "/1"));

    // A hundred megabytes over the connection leave no more behind than is kept of a body.
    let server = TestServer::builder()
        .max_recorded(1000, 1000)
        .start(status(200));
    let mut client = TcpStream::connect(server.addr()).unwrap();
    let length = 100 << 20;
    client
        .write_all(format!("PUT / HTTP/1.0\r\nContent-Length: {length}\r\n\r\n").as_bytes())
        .unwrap();
    let block = vec![0; 1 << 20];
    (0..100).for_each(|_| client.write_all(&block).unwrap());
    client.read_to_end(&mut Vec::new()).unwrap();
    let request = &server.wait_for(1, PATIENCE)[0];
    assert_eq!(request.body.len(), 1000);
    assert!(request.is_truncated && request.bytes.len() <= 1000 + (64 << 10));
}

#[test]
fn what_comes_at_once_is_bounded_together() {
    let server = TestServer::start(status(200));
    let body = vec![b'x'; 1 << 20];
    let head = format!("PUT / HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut clients: Vec<_> = (0..50).map(|_| connect(&server, &head)).collect();
    until("the head arrives", || {
        server.requests().len() == clients.len()
    });
    for client in &mut clients {
        client.write_all(&body).unwrap();
    }
    // The body of each is kept twice: in `bytes`, and in `body`.
    let kept = server.wait_for(clients.len(), 3 * PATIENCE);
    let bytes: usize = kept
        .iter()
        .map(|kept| kept.body.len() + kept.bytes.len())
        .sum();
    assert!((60 << 20..=64 << 20).contains(&bytes), "{bytes}");
}

#[test]
fn what_is_not_kept_any_more_counts_all_the_same() {
    let server = TestServer::builder()
        .max_recorded(1, 100)
        .start(status(200));
    let mut clients = ["/one", "/two"].map(|path| {
        let client = connect(
            &server,
            &format!("PUT {path} HTTP/1.0\r\nContent-Length: 3\r\n\r\n"),
        );
        until("the head arrives", || {
            server.requests().iter().any(|kept| kept.path == path)
        });
        client
    });
    for client in &mut clients {
        client.write_all(b"abc").unwrap();
    }
    assert_eq!(server.wait_for(2, PATIENCE)[0].path, "/two");
}

#[test]
fn bytes_that_are_not_kept_behind_a_long_body_are_missed_in_the_next_request() {
    let server = TestServer::builder()
        .max_recorded(10, 10)
        .start(status(200));
    let body = "b".repeat(200_000);
    send(
        &server,
        format!(
            "PUT /one HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}\
             GET /two HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            body.len()
        ),
    );
    let requests = server.requests();
    assert!(requests[0].is_truncated && requests[1].path == "/two");
    let is_whole = requests[1].bytes.starts_with(b"GET /two ");
    assert!(
        is_whole != requests[1].is_truncated,
        "{}",
        requests[1].bytes.escape_ascii()
    );
}

#[test]
fn a_fixture_keeps_the_limits_that_it_is_given() {
    let limits = Limits::default().with_max_body(10);
    let stubs = || Stubs::new().on(post("/").answer(status(204)));
    let server = TestServer::builder().limits(limits).start(stubs());
    let by_default = TestServer::start(stubs());
    for (server, length, code) in [
        (&server, 10, 204),
        (&server, 11, 413),
        (&by_default, 11, 204),
    ] {
        let body = "x".repeat(length);
        let request = format!("POST / HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}");
        let mut answer = String::new();
        let mut client = connect(server, &request);
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
    }
}
