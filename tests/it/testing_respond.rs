//! A handler in memory, seen as by a fixture.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::message;
use servette::testing::{Stubs, TestServer, close, gate, get, pause, respond_or_panic, status};
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
    assert!(respond_or_panic(&handler(), GET).starts_with(&over_a_socket));

    let boxed: Box<dyn RequestHandler> = Box::new(status(200).body("hi"));
    let two = respond_or_panic(&*boxed, [GET, GET].concat());
    assert_eq!(
        String::from_utf8(two)
            .unwrap()
            .matches("\r\n\r\nhi")
            .count(),
        2
    );
    let long = Duration::from_secs(3600);
    let paused = respond_or_panic(&status(200).body("hi").at(1, pause(long)), GET);
    assert!(paused.ends_with(b"\r\n\r\nhi"));
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
