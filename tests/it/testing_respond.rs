//! A handler in memory, seen as by a fixture.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::message;
use servette::testing::{
    Stubs, TestServer, close, gate, get, pause, respond, respond_or_panic, status,
};
use servette::{Connection, Next, RequestHandler, Result, Status, handler_fn};

const GET: &str = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn it_answers_as_a_fixture_does() {
    let handler = || handler_fn(|h, x| h.send_error(x, Status::GONE));
    let server = TestServer::start(handler());
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client.write_all(GET.as_bytes()).unwrap();
    let mut over_a_socket = [0; 19];
    client.read_exact(&mut over_a_socket).unwrap();
    assert_eq!(over_a_socket, *b"HTTP/1.1 410 Gone\r\n");
    let answered = respond_or_panic(&handler(), GET);
    assert!(answered.bytes.starts_with(&over_a_socket));

    let boxed: Box<dyn RequestHandler> = Box::new(status(200).body("hi"));
    let two = respond_or_panic(&*boxed, [GET, GET].concat());
    let bodies = two.responses.iter().map(|response| response.text());
    assert!(bodies.eq(["hi", "hi"]));
    assert_eq!(two.requests.len(), 2);
    let long = Duration::from_secs(3600);
    let paused = respond_or_panic(&status(200).body("hi").at(1, pause(long)), GET);
    assert_eq!(paused.response().text(), "hi");
}

/// A handler that panics outside of all hooks that catch it.
struct Bare;

impl RequestHandler for Bare {
    fn handle(&self, _: &mut Connection) -> Result<Next> {
        panic!("bare")
    }
}

#[test]
fn what_fails_a_test_with_a_server_fails_it_without() {
    let panics = handler_fn(|h, x| {
        h.log_message(x, format_args!("so far"));
        panic!("no {}", x.path)
    });
    let missing = status(200).file("/no/such/file");
    let late = status(200).body("abc").at(9, close());
    let stubs = Stubs::new().on(get("/x").answer(gate("go")));
    let cases: [(&dyn RequestHandler, &str); 6] = [
        (
            &panics,
            "respond_or_panic: a handler panicked while it answered `GET /x HTTP/1.1`: no /x\nThis request",
        ),
        (&Bare, "respond_or_panic: a handler panicked: panic: bare"),
        (
            &missing,
            "the answer to `GET /x HTTP/1.1`: can't read the file /no/such/file",
        ),
        (
            &late,
            "a close at byte 9 can't happen: the body has 3 bytes",
        ),
        (
            &stubs,
            "gate \"go\": only a TestServer has gates; `GET /x HTTP/1.1` waited there",
        ),
        (&gate("go"), "gate \"go\": only a TestServer has gates"),
    ];
    for (handler, expected) in cases {
        let text = message(|| drop(respond_or_panic(handler, GET)));
        assert!(text.contains(expected), "{text}");
    }
    let text = message(|| drop(respond_or_panic(&panics, GET)));
    let logged = text.split_once("The handler's log:\n").unwrap().1;
    assert!(logged.lines().next().unwrap().ends_with("so far"), "{text}");
}

#[test]
fn respond_gives_requests_and_responses_beside_the_bytes() {
    let echo = handler_fn(|h, x| {
        let mut body = Vec::new();
        x.rfile.read_to_end(&mut body)?;
        h.log_message(x, format_args!("{} bytes", body.len()));
        h.send_content(x, Status::OK, "text/plain", &body)
    });
    let echo = echo.protocol_version("HTTP/1.1");
    let answered = respond(
        &echo,
        "POST /a?b=c%20d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi\
         HEAD /b HTTP/1.1\r\nHost: h\r\n\r\n\
         GARBAGE\r\n\r\n",
    );
    let requests: Vec<_> = answered
        .requests
        .iter()
        .map(|own| (&*own.command, &*own.path))
        .collect();
    assert_eq!(requests, [("POST", "/a"), ("HEAD", "/b"), ("", "")]);
    assert_eq!(answered.requests[0].text(), "hi");
    assert_eq!(
        answered.requests[0].query_value("b").as_deref(),
        Some("c d")
    );
    assert!(
        answered.requests[2]
            .refusal
            .as_ref()
            .unwrap()
            .starts_with("400 ")
    );
    let statuses: Vec<_> = answered.responses.iter().map(|own| own.status).collect();
    assert_eq!(statuses, [200, 200, 400]);
    assert_eq!(answered.responses[0].header("content-length"), Some("2"));
    assert_eq!(
        (answered.responses[0].text(), answered.responses[1].text()),
        ("hi".into(), "".into())
    );
    let raw: Vec<u8> = answered
        .responses
        .iter()
        .flat_map(|own| own.bytes.clone())
        .collect();
    assert_eq!(raw, answered.bytes);
    assert!(
        answered.log.iter().any(|line| line.ends_with("2 bytes")),
        "{:?}",
        answered.log
    );
    let text = message(|| drop(answered.response().clone()));
    assert!(
        text.starts_with("expected one response, got more: these bytes: \"HTTP/1.1 200 OK"),
        "{text}"
    );
}

#[test]
fn respond_lets_a_handler_do_what_it_does() {
    let panics = handler_fn(|_, _| panic!("on purpose"));
    let answered = respond(&panics, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    // Its own version, and no failure.
    assert!(answered.bytes.starts_with(b"HTTP/1.0 500 "));
    assert_eq!(answered.response().status, 500);
    let answered = respond(&close(), GET);
    assert_eq!(answered.responses, []);
    let text = message(|| drop(answered.response().clone()));
    assert!(
        text.starts_with(
            "expected one response, got none, but these bytes: \"\"\n  1. GET /x HTTP/1.1"
        ),
        "{text}"
    );
}
