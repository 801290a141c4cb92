//! The table of differences in docs/from-tiny-http.md: the same bytes for both servers.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use servette::server::RunningServer;
use servette::{Exchange, Limits, Result, Status, ThreadingHttpServer, handler_fn};
use tiny_http::{Header, Response, Server};

use crate::support::PATIENCE;

/// A server of tiny_http with one loop. The loop ends with the server.
struct Tiny {
    server: Arc<Server>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Tiny {
    fn start() -> Tiny {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let serving = server.clone();
        let serve = move || serving.incoming_requests().for_each(answer_tiny);
        let thread = Some(thread::spawn(serve));
        Tiny { server, thread }
    }

    fn addr(&self) -> SocketAddr {
        self.server.server_addr().to_ip().unwrap()
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        self.server.unblock();
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

fn answer_tiny(mut request: tiny_http::Request) {
    match request.url() {
        "/forgotten" => drop(request),
        "/panic" => panic!("on purpose"),
        "/split" => {
            let header = Header::from_bytes("X-A", "1\r\nX-B: 2").unwrap();
            let response = Response::from_string("").with_header(header);
            request.respond(response).unwrap();
        }
        "/short" => {
            let response = Response::new(200.into(), Vec::new(), &b"abc"[..], Some(10), None);
            request.respond(response).unwrap();
        }
        "/long" => request
            .respond(Response::from_data(vec![b'x'; 40_000]))
            .unwrap(),
        _ => {
            let mut body = String::new();
            request.as_reader().read_to_string(&mut body).unwrap();
            let text = format!("{} {body:?}", request.method());
            request.respond(Response::from_string(text)).unwrap();
        }
    }
}

/// The same handler for servette, as quick as tests need it.
fn servette(version: &'static str) -> RunningServer {
    let handler = handler_fn(|_, x| answer(x))
        .protocol_version(version)
        .quiet();
    let limits = Limits::default().with_head_deadline(Duration::from_millis(200));
    ThreadingHttpServer::builder(handler)
        .limits(limits)
        .bind("127.0.0.1:0")
        .unwrap()
        .spawn()
        .unwrap()
}

fn answer(x: &mut Exchange<'_>) -> Result<()> {
    match x.path {
        "/forgotten" => Ok(()),
        "/panic" => panic!("on purpose"),
        "/split" => {
            x.send_header("X-A", "1\r\nX-B: 2");
            x.send_content(Status::OK, "text/plain", "")
        }
        "/short" => {
            x.send_response(Status::OK);
            x.send_header("Content-Length", "10");
            x.end_headers()?;
            Ok(x.wfile.write_all(b"abc")?)
        }
        "/long" => x.send_content(Status::OK, "text/plain", vec![b'x'; 40_000]),
        _ => {
            let body = x.rfile.read_text(1 << 20)?;
            x.send_content(Status::OK, "text/plain", format!("{} {body:?}", x.command))
        }
    }
}

/// What is sent back, until `end` has come, the connection has ended, or `patience` is over; and whether it has ended.
fn ask(address: SocketAddr, request: &str, end: &str, patience: Duration) -> (String, bool) {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    let started = Instant::now();
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        let left = patience.saturating_sub(started.elapsed());
        if left.is_zero() || (!end.is_empty() && text.ends_with(end)) {
            return (text, false);
        }
        client.set_read_timeout(Some(left)).unwrap();
        let mut buffer = [0; 4096];
        match client.read(&mut buffer) {
            Ok(0) => return (text, true),
            Ok(count) => answer.extend(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return (text, true),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn request(line: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

/// What both send to the same bytes, on a connection that ends with this request or is kept.
fn both(request: &str, end: &str) -> [(String, bool); 2] {
    let tiny = Tiny::start();
    let here = servette("HTTP/1.1");
    let addresses = [tiny.addr(), here.socket_addr().unwrap()];
    addresses.map(|address| ask(address, request, end, PATIENCE))
}

#[track_caller]
fn statuses(request: &str, end: &str, expected: [&str; 2]) -> [String; 2] {
    let answers = both(request, end).map(|(answer, _)| answer);
    let found = answers
        .each_ref()
        .map(|answer| answer.get(9..12).unwrap_or_default());
    assert_eq!(found, expected, "{answers:?}");
    answers
}

const LAST: &str = "Connection: close\r\n";

#[test]
fn connections_are_kept_if_the_handler_speaks_http_1_1() {
    let tiny = Tiny::start();
    let (old, new) = (servette("HTTP/1.0"), servette("HTTP/1.1"));
    let get = request("GET /", "");
    for (address, is_kept) in [
        (tiny.addr(), true),
        (old.socket_addr().unwrap(), false),
        (new.socket_addr().unwrap(), true),
    ] {
        let two = format!("{get}{get}");
        let mut client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(two.as_bytes()).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answers = String::new();
        client.read_to_string(&mut answers).unwrap();
        assert_eq!(answers.matches("200 OK").count() == 2, is_kept, "{answers}");
    }
}

#[test]
fn a_request_that_is_not_answered_is_a_500() {
    let [tiny, here] = statuses(&request("GET /forgotten", LAST), "", ["500", "500"]);
    assert!(tiny.ends_with("\r\n\r\n"), "{tiny}");
    assert!(here.contains("Content-Type: text/html"), "{here}");
}

#[test]
fn a_panic_ends_the_loop_of_tiny_http_but_not_a_thread_of_servette() {
    let tiny = Tiny::start();
    let here = servette("HTTP/1.1");
    let panic = request("GET /panic", LAST);
    for address in [tiny.addr(), here.socket_addr().unwrap()] {
        let (answer, _) = ask(address, &panic, "", PATIENCE);
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    }
    let next = request("GET /", LAST);
    let (answer, _) = ask(here.socket_addr().unwrap(), &next, "", PATIENCE);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (answer, _) = ask(tiny.addr(), &next, "", Duration::from_millis(300));
    assert_eq!(answer, "");
}

#[test]
fn ambiguous_requests_are_rejected() {
    let post = |fields: &str| request("POST /", &format!("{fields}{LAST}"));
    let chunked = "Transfer-Encoding: chunked\r\n";
    let both_ways = post(&format!("Content-Length: 5\r\n{chunked}")) + "3\r\nabc\r\n0\r\n\r\n";
    let [tiny, _] = statuses(&both_ways, "", ["200", "400"]);
    assert!(tiny.ends_with("POST \"abc\""), "{tiny}");
    let two = post("Content-Length: 3\r\nContent-Length: 5\r\n") + "abcde";
    let [tiny, _] = statuses(&two, "", ["200", "400"]);
    assert!(tiny.ends_with("POST \"abc\""), "{tiny}");
    let no_number = post("Content-Length: x\r\n") + "abc";
    let [tiny, _] = statuses(&no_number, "", ["200", "400"]);
    assert!(tiny.ends_with("POST \"\""), "{tiny}");
    let no_host = format!("GET / HTTP/1.1\r\n{LAST}\r\n");
    statuses(&no_host, "", ["200", "400"]);
}

#[test]
fn a_line_feed_cannot_get_into_a_header_field() {
    let [tiny, here] = statuses(&request("GET /split", LAST), "", ["200", "500"]);
    assert!(tiny.contains("\r\nX-A: 1\r\nX-B: 2\r\n"), "{tiny}");
    assert!(!here.contains("X-B"), "{here}");
}

#[test]
fn a_body_that_is_too_short_is_a_500() {
    let [tiny, _] = statuses(&request("GET /short", ""), "\r\n\r\nabc", ["200", "500"]);
    assert!(tiny.contains("\r\nContent-Length: 10\r\n"), "{tiny}");
}

#[test]
fn a_long_body_of_known_length_is_chunked_by_tiny_http() {
    let [tiny, here] = statuses(&request("GET /long", LAST), "", ["200", "200"]);
    assert!(tiny.contains("\r\nTransfer-Encoding: chunked\r\n"));
    assert!(here.contains("\r\nContent-Length: 40000\r\n"));
}

#[test]
fn half_a_head_has_a_deadline() {
    let tiny = Tiny::start();
    let here = servette("HTTP/1.1");
    let half = "GET / HTTP/1.1\r\n";
    let (answer, has_ended) = ask(here.socket_addr().unwrap(), half, "", PATIENCE);
    assert!(answer.starts_with("HTTP/1.1 408 ") && has_ended, "{answer}");
    // Three times as long; by hand it was 20 s.
    let (answer, has_ended) = ask(tiny.addr(), half, "", Duration::from_millis(600));
    assert_eq!((&*answer, has_ended), ("", false));
}

#[test]
fn a_head_has_a_limit() {
    // Each field is within its own limit.
    let fields = format!("X: {}\r\n", "x".repeat(10 << 10)).repeat(30);
    let long = request("GET /", &format!("{fields}{LAST}"));
    statuses(&long, "", ["200", "431"]);
}
