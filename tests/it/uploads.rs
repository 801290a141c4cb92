//! A body that nobody reads: the client gets its answer, and the next one, however much it sends first.
//!
//! Each promise has as many tries as showed it broken, and says how often it was. The servers are no fixtures,
//! which look at every byte that they drop.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::client::{Client, get};
use crate::support::{handler, text};
use crate::webroot::PATIENCE;
use servette::{
    Exchange, Limits, RequestHandler, Result, RunningServer, Status, ThreadingHttpServer, base,
};

const MEGABYTE: usize = 1 << 20;
/// As large as it can be to be read off.
const DISCARD: usize = 200_000;

/// What becomes of a body that is not read, and of one that is too large.
fn answer(h: &dyn RequestHandler, x: &mut Exchange<'_>) -> Result<()> {
    match x.path {
        "/501" => base::do_method(h, x),
        "/413" => Err(Status::CONTENT_TOO_LARGE.into()),
        "/read" => {
            x.rfile.discard()?;
            text(h, x, "read")
        }
        _ => text(h, x, "not read"),
    }
}

/// What `f` gets is the address of a server of this version of HTTP with these limits.
fn with_server<T>(
    version: &'static str,
    set: impl FnOnce(&mut Limits),
    f: impl FnOnce(&str) -> T,
) -> T {
    let mut limits = Limits::default();
    set(&mut limits);
    let own = handler(answer).protocol_version(version);
    let server = ThreadingHttpServer::builder(own).limits(limits);
    let server: RunningServer = server.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    f(&server.socket_addr().unwrap().to_string())
}

/// Runs a try so often, and reports all that failed.
#[track_caller]
fn never_fails(
    what: &str,
    tries: usize,
    mut a_try: impl FnMut(usize) -> std::result::Result<(), String>,
) {
    let failures: Vec<_> = (0..tries)
        .filter_map(|number| a_try(number).err())
        .collect();
    assert!(
        failures.is_empty(),
        "{what}: {} of {tries} failed: {}",
        failures.len(),
        failures[0]
    );
}

/// Sends all of a request, and only then reads. The status of the answer, if all of that is there.
fn send_all_then_read(address: &str, request: &[u8]) -> std::result::Result<u16, String> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let sent = stream.write_all(request);
    sent.map_err(|error| format!("sending: {error}"))?;
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    end.map_err(|error| format!("reading, after {} bytes: {error}", answer.len()))?;
    let answer = String::from_utf8(answer).unwrap();
    let head = answer.split_once("\r\n\r\n");
    let (head, body) = head.ok_or_else(|| format!("half an answer: {answer:?}"))?;
    let length = format!("\r\nContent-Length: {}\r\n", body.len());
    match format!("{head}\r\n").contains(&length) {
        true => Ok(answer[9..12].parse().unwrap()),
        false => Err(format!("a body of {} bytes: {head:?}", body.len())),
    }
}

fn post(path: &str, version: &str, length: usize) -> Vec<u8> {
    let head = format!("POST {path} {version}\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    let mut request = head.into_bytes();
    request.resize(request.len() + length, b'x');
    request
}

#[track_caller]
fn all_responses_arrive(path: &str, status: u16) {
    let requests = [5, 20, 50].map(|size| post(path, "HTTP/1.1", size * MEGABYTE));
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        with_server(
            version,
            // A busy machine needs longer than the default of 2 s for 50 MB.
            |limits| limits.linger_deadline = PATIENCE,
            |address| {
                never_fails(&format!("{path} {version}"), 20, |number| {
                    let size = match number {
                        19 => 2,
                        _ => usize::from(number % 5 == 4),
                    };
                    assert_eq!(send_all_then_read(address, &requests[size])?, status);
                    Ok(())
                });
            },
        );
    }
}

#[test]
fn a_large_body_loses_no_501() {
    all_responses_arrive("/501", 501);
}

#[test]
fn a_large_body_loses_no_413() {
    all_responses_arrive("/413", 413);
}

#[test]
fn a_large_body_that_no_handler_reads_loses_no_response() {
    all_responses_arrive("/", 200);
}

#[test]
fn a_body_over_max_body_loses_no_response() {
    let request = post("/read", "HTTP/1.1", 5 * MEGABYTE);
    with_server(
        "HTTP/1.1",
        |limits| limits.max_body = Some(MEGABYTE as u64),
        |address| {
            never_fails("413", 20, |_| {
                assert_eq!(send_all_then_read(address, &request)?, 413);
                Ok(())
            });
        },
    );
}

#[test]
fn a_large_body_in_chunks_loses_no_response() {
    let mut request =
        b"POST /501 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..50 {
        request.extend_from_slice(b"19000\r\n");
        request.resize(request.len() + 0x19000, b'x');
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    with_server(
        "HTTP/1.1",
        |_| {},
        |address| {
            never_fails("chunks", 20, |_| {
                assert_eq!(send_all_then_read(address, &request)?, 501);
                Ok(())
            });
        },
    );
}

/// A client of HTTP/1.0, which ends its connection in any case.
#[test]
fn a_large_body_of_an_http_1_0_client_loses_no_response() {
    let request = post("/501", "HTTP/1.0", 5 * MEGABYTE);
    with_server(
        "HTTP/1.0",
        |_| {},
        |address| {
            never_fails("HTTP/1.0", 20, |_| {
                assert_eq!(send_all_then_read(address, &request)?, 501);
                Ok(())
            });
        },
    );
}

/// Whether something has come.
fn has_come(client: &Client) -> bool {
    client.stream.set_nonblocking(true).unwrap();
    let peeked = client.stream.peek(&mut [0]);
    client.stream.set_nonblocking(false).unwrap();
    !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// The time for which a response waits for its body.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Sends a request in pieces, as a proxy does, which gives up the connection if the response comes before the
/// last one; and then the next request. If this thread had no processor for longer than the response waits, the try
/// shows nothing, and the client gets a new connection.
fn send_on(client: &mut Client, request: &[u8], status: u16) -> std::result::Result<(), String> {
    let start = Instant::now();
    for piece in request.chunks(16 << 10) {
        let sent = match has_come(client) {
            true => Err(std::io::Error::other(
                "the response, or the end, came before the body was sent",
            )),
            false => client.stream.write_all(piece),
        };
        match sent {
            Ok(()) => {}
            Err(_) if start.elapsed() >= AT_ONCE => {
                *client = Client::new(client.stream.peer_addr().unwrap());
                return Ok(());
            }
            Err(error) => return Err(format!("sending: {error}")),
        }
    }
    let response = client.try_response("POST")?;
    assert_eq!(response.status, status);
    if response.says_close() {
        return Err("the connection is not kept".into());
    }
    client.get("/read");
    let next = client.try_response("GET")?;
    assert_eq!((next.status, next.text()), (200, "read"));
    Ok(())
}

#[test]
fn a_body_within_the_discard_limit_is_discarded_before_the_response_and_the_connection_is_kept() {
    with_server(
        "HTTP/1.1",
        |_| {},
        |address| {
            for (path, status) in [("/501", 501), ("/", 200)] {
                let request = post(path, "HTTP/1.1", DISCARD);
                let mut client = Client::new(address);
                never_fails(path, 30, |_| {
                    let result = send_on(&mut client, &request, status);
                    if result.is_err() {
                        client = Client::new(address);
                    }
                    result
                });
            }
        },
    );
}

#[test]
fn a_chunked_body_within_the_discard_limit_is_discarded_too() {
    let mut request =
        b"POST /501 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..20 {
        request.extend_from_slice(b"2710\r\n");
        request.resize(request.len() + 10_000, b'x');
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    with_server(
        "HTTP/1.1",
        |_| {},
        |address| {
            let mut client = Client::new(address);
            never_fails("chunks", 30, |_| {
                let result = send_on(&mut client, &request, 501);
                if result.is_err() {
                    client = Client::new(address);
                }
                result
            });
        },
    );
}

/// What was sent behind the body is answered from the buffer.
#[test]
fn requests_behind_a_body_that_is_read_off_are_answered() {
    with_server(
        "HTTP/1.1",
        |_| {},
        |address| {
            let mut client = Client::new(address);
            let request = [post("/501", "HTTP/1.1", DISCARD), get("/read").into_bytes()].concat();
            never_fails("pipelined", 30, |_| {
                client.send(&request);
                assert_eq!(client.try_response("POST")?.status, 501);
                assert_eq!(client.try_response("GET")?.text(), "read");
                Ok(())
            });
        },
    );
}

/// Nobody waits for a body longer than the discard deadline: not the client for its answer, and no thread.
#[test]
fn a_client_that_stalls_gets_its_response_by_the_discard_deadline() {
    const SHORT: Duration = Duration::from_millis(100);
    let set = |limits: &mut Limits| {
        limits.discard_deadline = SHORT;
        limits.linger_deadline = SHORT;
        limits.max_threads = 2;
    };
    with_server("HTTP/1.1", set, |address| {
        for (sent, expects) in [(0, ""), (DISCARD / 2, ""), (0, "Expect: 100-continue\r\n")] {
            let start = Instant::now();
            let mut clients: Vec<_> = (0..8).map(|_| Client::new(address)).collect();
            for client in &mut clients {
                let head = format!(
                    "POST /501 HTTP/1.1\r\nHost: h\r\n{expects}Content-Length: {DISCARD}\r\n\r\n"
                );
                client.send(head).send(vec![b'x'; sent]);
            }
            for client in &mut clients {
                assert_eq!(client.response().status, 501);
                client.assert_end();
            }
            // One after the other they would take longer.
            assert!(
                start.elapsed() < Duration::from_secs(2),
                "{:?}",
                start.elapsed()
            );
        }
    });
}

/// The lingering close ends by its size and by its time.
#[test]
fn a_client_that_sends_without_end_is_closed() {
    assert_eq!(Limits::default().linger, 64 << 20);
    assert_eq!(Limits::default().linger_deadline, Duration::from_secs(2));
    with_server(
        "HTTP/1.1",
        |limits| limits.linger_deadline = PATIENCE,
        |address| {
            let mut client = Client::new(address);
            client.send(format!(
                "POST /501 HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
                1_u64 << 40
            ));
            let block = vec![b'x'; MEGABYTE];
            let mut sent = 0;
            let start = Instant::now();
            while client.stream.write_all(&block).is_ok() {
                sent += block.len();
                assert!(
                    start.elapsed() < PATIENCE && sent <= 128 * MEGABYTE,
                    "{sent}"
                );
            }
            // And as much as the system takes on both sides.
            assert!((63 * MEGABYTE..100 * MEGABYTE).contains(&sent), "{sent}");
        },
    );
}

/// What a test of the above sees where nothing is read and the answer is lost: a server that closes at once.
#[test]
fn the_tries_would_see_a_lost_response() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 100]).unwrap();
        stream
            .write_all(b"HTTP/1.1 501 No\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
    });
    let result = send_all_then_read(&address, &post("/", "HTTP/1.1", 20 * MEGABYTE));
    server.join().unwrap();
    assert!(result.is_err(), "{result:?}");
}
