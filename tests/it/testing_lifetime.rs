//! A fixture lives as long as its test: how it starts and ends, what it fails for.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, message};
use servette::testing::{Stubs, TestServer, gate, get, hang, status};
use servette::{Connection, Next, RequestHandler, Result, SimpleHandler, Status, handler_fn};

fn send(server: &TestServer, request: &str) -> TcpStream {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    client
}

fn ask(server: &TestServer, request: &str) -> String {
    let mut answer = String::new();
    send(server, request).read_to_string(&mut answer).unwrap();
    answer
}

const GET: &str = "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

#[test]
fn handlers_that_wait_on_their_socket_or_at_a_gate_end_at_once_with_the_server() {
    let mut times = Vec::new();
    for round in 0..30 {
        let server = match round % 3 {
            0 => TestServer::start(hang()),
            1 => TestServer::start(gate("never")),
            _ => TestServer::start(handler_fn(|_, x| Ok(_ = x.rfile.discard()?))),
        };
        // Two that are idle, one of them kept, and one that is being answered.
        let _idle = TcpStream::connect(server.addr()).unwrap();
        let _waits = send(
            &server,
            "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n1234",
        );
        let _kept = send(&server, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
        while server.requests().len() < 2 {
            std::thread::yield_now();
        }
        let start = Instant::now();
        drop(server);
        times.push(start.elapsed());
    }
    times.sort();
    assert!(
        times[times.len() / 2] <= Duration::from_millis(10),
        "{times:?}"
    );
}

#[test]
fn a_handler_that_is_blocked_elsewhere_is_left_after_the_deadline() {
    let (let_go, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let server = TestServer::builder()
        .drop_deadline(Duration::from_millis(50))
        .start(handler_fn(move |_, _| {
            let _ = blocked.lock().unwrap().recv();
            Ok(())
        }));
    let _client = send(&server, GET);
    while server.requests().is_empty() {
        std::thread::yield_now();
    }
    let address = server.addr();
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() >= Duration::from_millis(50));
    assert!(start.elapsed() < PATIENCE);
    // Its port is free all the same.
    drop(TcpListener::bind(address).unwrap());
    drop(let_go);
}

#[test]
fn the_same_port_can_be_bound_again_at_once() {
    let mut server = TestServer::start(status(200));
    let address = server.addr();
    for _ in 0..20 {
        // The server ends these connections, so they are the ones that stay in TIME-WAIT.
        assert!(ask(&server, GET).starts_with("HTTP/1.1 200 "));
        let port = server.stop();
        assert_eq!(port.addr(), address);
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        server = port.start(status(200));
    }
}

#[test]
fn a_panic_in_a_handler_fails_the_test_with_its_message() {
    let server = TestServer::start(handler_fn(|_, x| panic!("no such thing as {}", x.path)));
    assert!(ask(&server, GET).starts_with("HTTP/1.1 500 "));
    let text = message(|| drop(server));
    for part in [
        "panicked while it answered `GET /x HTTP/1.1`: no such thing as /x",
        "Host: h",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

/// A handler that panics outside of all hooks that catch it.
struct Bare;

impl RequestHandler for Bare {
    fn handle(&self, _: &mut Connection) -> Result<Next> {
        panic!("bare")
    }
}

#[test]
fn a_panic_outside_of_a_request_fails_the_test_too_and_verifying_says_it_before() {
    let server = TestServer::start(Bare);
    assert_eq!(ask(&server, GET), "");
    let text = message(|| server.verify());
    assert!(text.contains("a handler panicked: panic: bare"), "{text}");
    drop(server); // It was said once.
}

#[test]
fn a_test_that_fails_already_is_not_aborted() {
    let text = message(|| {
        let _server = TestServer::start(Stubs::new().on(get("/").answer(status(200)).expect(1)));
        panic!("the test's own reason");
    });
    assert_eq!(text, "the test's own reason");
}

#[test]
fn a_gate_that_nobody_opens_fails_the_test_with_its_name() {
    let server = TestServer::builder()
        .gate_deadline(Duration::from_millis(10))
        .start(gate("the gate"));
    ask(&server, GET);
    let text = message(|| drop(server));
    let expected =
        "nobody opened the gate \"the gate\" within 10ms; `GET /x HTTP/1.1` waited there";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_handler_may_borrow_from_the_test() {
    let greeting = String::from("hello");
    let handler =
        handler_fn(|h, x| h.send_content(x, Status::OK, "text/plain", greeting.as_bytes()));
    let answer = TestServer::scope(handler, |server| ask(server, GET));
    assert!(answer.ends_with("\r\n\r\nhello"));

    let text = message(|| {
        TestServer::scope(handler_fn(|_, _| panic!("borrowed")), |server| {
            ask(server, GET);
        });
    });
    assert!(text.contains("borrowed"), "{text}");
    let text = message(|| TestServer::scope(hang(), |_| panic!("mine")));
    assert_eq!(text, "mine");
}

#[test]
fn it_speaks_http_1_1_unless_said() {
    let handler = || SimpleHandler::new("/no/such/directory");
    let server = TestServer::start(handler());
    let answer = ask(&server, GET);
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    let server = TestServer::builder()
        .protocol_version("HTTP/1.0")
        .start(handler());
    assert!(ask(&server, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.0 404 "));
    let own = handler_fn(|h, x| h.send_error(x, Status::GONE)).protocol_version("HTTP/1.0");
    let server = TestServer::builder().protocol_version(None).start(own);
    assert!(ask(&server, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.0 410 "));
    // What a handler logs is kept for the test, and does not go to stderr.
    assert!(
        server.log().iter().any(|line| line.contains("code 410")),
        "{:?}",
        server.log()
    );
}

#[test]
fn answers_can_be_ordered_by_gates() {
    let server = TestServer::start(
        Stubs::new().on(get("/x").answer(status(200).body("first, second").at(5, gate("second")))),
    );
    let mut client = send(&server, GET);
    let mut head = Vec::new();
    while !head.ends_with(b"first") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    server.gate("second").wait_for_arrivals(1, PATIENCE);
    client.set_nonblocking(true).unwrap();
    let nothing = client.read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    client.set_nonblocking(false).unwrap();
    server.gate("second").open();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, ", second");
}
