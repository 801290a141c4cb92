//! No client keeps the server waiting for longer than the limits say; a drip doesn't change that.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::lifesupport::spawn;
use crate::support::{PATIENCE, echo, handler};
use servette::{Limits, RunningServer, Status};

const SHORT: Duration = Duration::from_millis(300);
/// Ticks are coarse and machines busy; the defaults of the other deadlines are far longer.
const SOON: Duration = Duration::from_millis(1900);

fn serve(set: impl FnOnce(&mut Limits)) -> RunningServer {
    let handler = handler(|h, x| {
        if x.path == "/read" {
            x.rfile.discard()?;
        }
        echo(h, x)
    });
    spawn(handler, set)
}

/// Sends a byte every few milliseconds until the server has had enough, and says what it answered.
fn drip(client: Client, bytes: &'static [u8]) -> String {
    let mut client = client.stream;
    let mut writer = client.try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        let start = Instant::now();
        for byte in bytes.iter().cycle() {
            if writer.write_all(&[*byte]).is_err() || start.elapsed() > PATIENCE {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    });
    // What comes behind the answer may be a reset, as the drip goes on.
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer);
    drop(client);
    dripping.join().unwrap();
    String::from_utf8(answer).unwrap()
}

fn is_within(start: Instant, least: Duration) {
    let passed = start.elapsed();
    assert!(passed >= least, "already after {passed:?}");
    assert!(passed < least + SOON, "only after {passed:?}");
}

#[test]
fn a_connection_without_a_byte_is_closed_without_a_response() {
    let server = serve(|limits| limits.head_deadline = SHORT);
    let start = Instant::now();
    Client::new(server.addr()).is_closed_silently();
    is_within(start, SHORT);
}

#[test]
fn a_head_that_does_not_end_in_time_is_a_408() {
    let server = serve(|limits| limits.head_deadline = SHORT);
    let start = Instant::now();
    let mut client = Client::new(server.addr());
    let answer = client.send("GET / HTTP/1.1\r\nHo").response();
    assert_eq!(answer.status, 408);
    assert!(answer.says_close());
    client.is_closed_silently();
    is_within(start, SHORT);
}

#[test]
fn single_bytes_do_not_extend_the_head_deadline() {
    let server = serve(|limits| {
        limits.head_deadline = SHORT;
        limits.linger_deadline = SHORT;
    });
    let start = Instant::now();
    let mut client = Client::new(server.addr());
    client.send("GET / HTTP/1.1\r\nX: ");
    let answer = drip(client, b"y");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    is_within(start, SHORT);
}

#[test]
fn a_later_head_has_the_same_deadline_from_its_first_byte_on() {
    let server = serve(|limits| {
        limits.head_deadline = SHORT;
        limits.linger_deadline = SHORT;
    });
    let mut client = Client::new(server.addr());
    assert_eq!(client.get("/first").response().text(), "/first");
    let start = Instant::now();
    client.send("G");
    let answer = drip(client, b"E");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    is_within(start, SHORT);
}

#[test]
fn an_idle_connection_is_closed_at_its_deadline() {
    let server = serve(|limits| {
        limits.idle_timeout = SHORT;
        limits.head_deadline = Duration::from_secs(60);
    });
    let mut client = Client::new(server.addr());
    client.get("/").response();
    let start = Instant::now();
    client.is_closed_silently();
    is_within(start, SHORT - Duration::from_millis(20));
}

#[test]
fn every_request_starts_the_idle_deadline_anew() {
    let server = serve(|limits| limits.idle_timeout = SHORT * 3);
    let mut client = Client::new(server.addr());
    let start = Instant::now();
    while start.elapsed() < SHORT * 6 {
        assert_eq!(client.get("/").response().status, 200);
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn a_body_that_does_not_arrive_is_a_408() {
    let server = serve(|limits| limits.body_timeout = SHORT);
    let mut client = Client::new(server.addr());
    let start = Instant::now();
    client.send("POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n12");
    let answer = client.response();
    assert_eq!(answer.status, 408);
    assert!(answer.says_close());
    is_within(start, SHORT);
}

#[test]
fn a_body_that_stalls_after_a_lot_of_it_is_a_408() {
    let server = serve(|limits| limits.body_timeout = SHORT);
    let mut client = Client::new(server.addr());
    client.send("POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n");
    client.send(vec![b'x'; 200_000]);
    let start = Instant::now();
    assert_eq!(client.response().status, 408);
    is_within(start, SHORT - Duration::from_millis(20));
}

#[test]
fn single_bytes_do_not_extend_the_deadline_of_a_body() {
    let server = serve(|limits| {
        limits.body_timeout = SHORT;
        limits.linger_deadline = SHORT;
    });
    let mut client = Client::new(server.addr());
    let start = Instant::now();
    client.send("POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n");
    let answer = drip(client, b"x");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    is_within(start, SHORT - Duration::from_millis(20));
}

#[test]
fn a_body_that_arrives_slowly_but_steadily_is_read() {
    let server = serve(|limits| limits.body_timeout = SHORT * 3);
    let mut client = Client::new(server.addr());
    client.send("POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 45000\r\n\r\n");
    let start = Instant::now();
    for _ in 0..45 {
        client.send([b'x'; 1000]);
        std::thread::park_timeout(Duration::from_millis(30));
    }
    assert_eq!(client.response().status, 200);
    assert!(start.elapsed() > SHORT * 4, "or the test shows nothing");
}

/// On Windows the end of what it sends is reported for ever, even to who only waits for room.
#[test]
fn a_client_that_sends_nothing_more_and_does_not_read_is_cut() {
    does_not_read(|client| client.stream.shutdown(Shutdown::Write).unwrap());
}

#[test]
fn a_client_that_does_not_read_is_closed_and_its_thread_is_free() {
    does_not_read(|_| ());
}

fn does_not_read(then: impl FnOnce(&Client)) {
    let (told, failure) = mpsc::channel();
    let handler = handler(move |h, x| {
        if x.path != "/endless" {
            return echo(h, x);
        }
        h.send_response(x, Status::OK);
        h.end_headers(x)?;
        let block = [b'x'; 64 << 10];
        loop {
            x.wfile.write_all(&block).inspect_err(|error| {
                told.send(error.kind()).unwrap();
            })?;
        }
    });
    let server = spawn(handler, |limits| {
        limits.write_timeout = SHORT;
        limits.min_rate = 0;
        // One polls, one handles.
        limits.max_threads = 2;
    });
    let mut client = Client::new(server.addr());
    client.get("/endless");
    then(&client);
    let kind = failure.recv_timeout(PATIENCE).unwrap();
    assert_eq!(kind, std::io::ErrorKind::TimedOut);
    let mut other = Client::new(server.addr());
    assert_eq!(other.get("/other").response().text(), "/other");
    // What it did get does not look complete, and the kernel offers it no more.
    let end = client.rest().unwrap_err();
    assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn after_the_response_an_unread_body_is_discarded_until_the_discard_deadline() {
    let server = serve(|limits| {
        limits.discard_deadline = SHORT;
        limits.linger_deadline = SHORT;
    });
    let mut client = Client::new(server.addr());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(client.response().status, 200);
    let start = Instant::now();
    client.is_closed_silently();
    is_within(start, SHORT - Duration::from_millis(20));
}

#[test]
fn a_client_that_goes_on_sending_reads_its_response_and_is_closed_at_the_linger_deadline() {
    let by_time = |limits: &mut Limits| {
        limits.linger = 1 << 40;
        limits.linger_deadline = SHORT;
    };
    let by_size = |limits: &mut Limits| {
        limits.linger = 256 << 10;
        limits.linger_deadline = Duration::from_secs(60);
    };
    for server in [serve(by_time), serve(by_size)] {
        let mut client = Client::new(server.addr());
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n");
        client.send([b'x'; 100_000]);
        let answer = client.response();
        assert!(answer.status == 200 && answer.says_close());
        write_until_cut(&mut client);
    }
}

/// Writes until the server has ended the connection.
fn write_until_cut(client: &mut Client) {
    let start = Instant::now();
    let error = loop {
        match client.stream.write_all(&[b'x'; 1024]) {
            Ok(()) => assert!(start.elapsed() < PATIENCE, "the server reads for ever"),
            Err(error) => break error.kind(),
        }
        std::thread::yield_now();
    };
    let cut = [
        std::io::ErrorKind::ConnectionReset,
        std::io::ErrorKind::BrokenPipe,
    ];
    assert!(cut.contains(&error), "{error}");
}
