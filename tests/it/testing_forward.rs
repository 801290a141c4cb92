//! Requests that a fixture passes on to a real server.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::message;
use servette::testing::{
    ReservedPort, Stubs, TestServer, any, close, forward, gate, get, post, raw, status,
};

fn ask(server: &TestServer, request: &str) -> String {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn the_request_goes_on_and_the_answer_comes_back_to_the_byte() {
    let chunked = status(200).header("X-Real", "é").body("abc").chunked(2);
    let real = TestServer::start(
        Stubs::new()
            .on(post("/in?q=1")
                .body("hello")
                .answer(status(201).body("made")))
            .on(get("/chunked").answer(chunked)),
    );
    let passes = forward(&real.url("/"));
    let server = TestServer::start(Stubs::new().on(any("/**").answer(passes.clone())));

    let request = "POST /in?q=1 HTTP/1.1\r\nHost: mine\r\nX-Key: 1\r\nConnection: X-Hop, close\r\n\
                   X-Hop: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let answer = ask(&server, request);
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nmade"), "{answer}");
    let got = &real.requests()[0];
    assert_eq!(got.header("Host").unwrap(), real.addr().to_string());
    assert_eq!(
        (got.header("X-Key"), got.header("X-Hop")),
        (Some("1"), None)
    );
    assert_eq!(
        (got.header("Content-Length"), got.text()),
        (Some("5"), "hello".to_owned())
    );

    ask(&server, "GET /chunked HTTP/1.1\r\nHost: mine\r\n\r\n");
    let recorded = passes.recorded();
    assert_eq!(recorded.len(), 2);
    assert_eq!(recorded[0].bytes, answer.as_bytes());
    assert_eq!(recorded[0].request().requestline, "POST /in?q=1 HTTP/1.1");
    assert_eq!(recorded[1].response().text(), "abc");
    assert_eq!(recorded[1].response().header("X-Real"), Some("é"));
}

/// A client knows by its length that the answer is complete; the end of the real server's stream comes later.
#[test]
fn what_a_client_has_whole_is_recorded() {
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nreal";
    let real = TestServer::start(raw(whole).then(gate("the end")));
    let passes = forward(&real.url("/"));
    let server = TestServer::start(passes.clone());
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .unwrap();
    let mut answer = vec![0; whole.len()];
    client.read_exact(&mut answer).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| real.gate("the end").open());
        assert_eq!(passes.recorded()[0].bytes, whole.as_bytes());
    });
}

#[test]
fn a_server_that_does_not_answer_fails_the_test() {
    let free = ReservedPort::new().unwrap();
    let mute = TestServer::start(close());
    for (address, why) in [
        (free.addr(), "can't forward it to 127.0.0.1:"),
        (mute.addr(), " closed the connection without an answer"),
    ] {
        let server = TestServer::start(forward(&address.to_string()));
        let answer = ask(&server, "GET / HTTP/1.0\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        let text = message(|| drop(server));
        assert!(text.contains("the answer to `GET / HTTP/1.0`: "), "{text}");
        assert!(text.contains(why), "{text}");
    }
}

#[test]
fn only_plain_http_to_a_host_and_a_port_can_be_forwarded_to() {
    for to in [
        "https://example.com",
        "http://example.com/a",
        "example.com",
        ":x",
        "h:99999",
    ] {
        let text = message(|| forward(to));
        assert_eq!(
            text,
            format!("can't forward to {to:?}: expected http://host:port")
        );
    }
    let _ = forward("http://[::1]:80/");
}
