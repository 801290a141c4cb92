//! What is left of an answer when its handler is done goes out without a thread.

use std::fs;
use std::io::{Read, Write};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, get};
use crate::lifesupport::{spawn, spawn_both, spawn_both_with, spawn_single};
use crate::support::{Loops, PATIENCE, echo, handler, limits, until};
use crate::webroot::WebRoot;
use servette::base::HandlerFn;
use servette::{
    Exchange, HttpServer, Layer, Limits, RequestHandler, Result, RunningServer, SimpleHandler,
    Status, ThreadingHttpServer, simple,
};

/// More than the buffers of the system take for a slow client.
const BIG: usize = 8 << 20;
/// A deadline that is waited for in earnest.
const SHORT: Duration = Duration::from_millis(400);
/// A deadline that no test meets, however busy the machine is.
const LONG: Duration = Duration::from_secs(200);

/// Bytes that differ by their place.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let words = (0..BIG as u32 / 4).flat_map(u32::to_le_bytes);
    words.collect()
});

/// Files, and answers of other kinds.
struct Site(SimpleHandler);

impl Layer for Site {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.path {
            "/echo" => echo(self, x),
            "/memory" => x.send_content(Status::OK, "text/plain", &*PATTERN),
            _ => simple::do_method(self, x),
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

fn root() -> WebRoot {
    let root = WebRoot::new();
    root.file("big", &*PATTERN);
    root.file("small", "a small file");
    root
}

fn site(root: &WebRoot) -> Site {
    Site(SimpleHandler::new(root.path()))
}

/// Limits for slow clients that wait until others have read their responses.
fn patient(limits: &mut Limits) {
    limits.write_timeout = LONG;
}

/// A slow client that has asked for this, and whose answer has begun.
fn asking(server: &RunningServer, requests: &str) -> Client {
    let mut client = Client::slow(server.addr());
    client.send(requests).peek(1);
    client
}

fn is_big(client: &mut Client) {
    let response = client.response();
    assert_eq!(response.status, 200);
    assert_eq!(response.body.len(), BIG);
    assert!(response.body == *PATTERN, "other bytes");
}

#[test]
fn a_single_thread_serves_others_while_responses_are_being_sent() {
    let root = root();
    let server = spawn_single(site(&root));
    let mut slow: Vec<_> = (0..8).map(|_| asking(&server, &get("/big"))).collect();
    let mut other = Client::new(server.addr());
    for _ in 0..3 {
        assert_eq!(other.get("/echo").response().text(), "/echo");
    }
    for client in &mut slow {
        is_big(client.hurry());
        assert_eq!(client.get("/echo").response().text(), "/echo");
    }
}

#[test]
fn what_comes_meanwhile_is_answered_behind_a_tail_and_in_order() {
    let root = root();
    for server in spawn_both(site(&root)) {
        let mut client = asking(&server, &(get("/big") + &get("/echo") + "GET /small HT"));
        client.send("TP/1.1\r\nHost: h\r\n\r\n").send(get("/big"));
        client
            .send("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
            .finish();
        is_big(client.hurry());
        assert_eq!(client.response().text(), "/echo");
        assert_eq!(client.response().text(), "a small file");
        is_big(&mut client);
        assert_eq!(client.response().text(), "/echo");
        client.assert_end();
    }
}

#[test]
fn a_connection_ends_behind_its_tail() {
    let root = root();
    let close = "GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let http10 = "GET /big HTTP/1.0\r\n\r\n";
    for server in spawn_both(site(&root)) {
        for (request, and_more) in [(close, ""), (http10, ""), (close, "more"), (http10, "x")] {
            let mut client = asking(&server, request);
            client.send(and_more);
            is_big(client.hurry());
            client.assert_end();
        }
        // Nothing more comes from these.
        for (last, text) in [("", None), (&*get("/echo"), Some("/echo"))] {
            let mut client = asking(&server, &get("/big"));
            client.send(last);
            is_big(client.finish().hurry());
            let response = client.response_or_end();
            assert_eq!(response.as_ref().map(|response| response.text()), text);
            client.assert_end();
        }
    }
}

#[test]
fn the_rest_of_a_body_is_dropped_behind_a_tail() {
    let root = root();
    for server in spawn_both(site(&root)) {
        let head = "GET /big HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n";
        let mut client = asking(&server, head);
        client.send(vec![b'x'; 50_000]).get("/echo");
        is_big(client.hurry());
        assert_eq!(client.response().text(), "/echo");
    }
}

#[test]
fn what_is_in_memory_goes_on_too() {
    let root = root();
    for server in spawn_both(site(&root)) {
        // It is longer than what may be held, so its handler waits at first.
        let mut client = Client::slow(server.addr());
        client.get("/memory").hurry();
        is_big(&mut client);
        client.get("/memory").get("/echo");
        is_big(&mut client);
        assert_eq!(client.response().text(), "/echo");
    }
}

#[test]
fn many_responses_that_no_client_reads_hold_up_no_other_client() {
    for server in spawn_both(handler(|h, x| {
        h.send_content(x, Status::OK, "text/plain", &[b'x'; 20_000])
    })) {
        let mut slow: Vec<_> = (0..4).map(|_| Client::slow(server.addr())).collect();
        for client in &mut slow {
            client.send(get("/").repeat(500));
        }
        for client in &mut slow {
            client.peek(1);
        }
        let mut other = Client::new(server.addr());
        assert_eq!(other.get("/").response().body.len(), 20_000);
        for client in &mut slow {
            client.hurry();
            for _ in 0..500 {
                assert_eq!(client.response().body.len(), 20_000);
            }
        }
    }
}

#[test]
fn a_client_that_stops_reading_is_reset() {
    let root = root();
    let set = || {
        limits(|limits| {
            limits.write_timeout = SHORT;
            limits.min_rate = 0;
        })
    };
    let single = HttpServer::builder(site(&root)).limits(set());
    let threading = ThreadingHttpServer::builder(site(&root)).limits(set());
    let single = single.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    let threading = threading.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    for server in [single, threading] {
        let start = Instant::now();
        let mut client = asking(&server, &get("/big"));
        // Its end is there before anything is read, but for what the system has taken.
        until_reset(&client);
        let passed = start.elapsed();
        assert!(passed >= SHORT, "{passed:?}");
        let error = client.rest().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        assert_eq!(
            Client::new(server.addr()).get("/echo").response().text(),
            "/echo"
        );
    }
}

/// Waits until the connection is reset, without reading.
fn until_reset(client: &Client) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut polled = [PollFd::new(&client.stream, PollFlags::empty())];
    let patience = Timespec {
        tv_sec: PATIENCE.as_secs() as i64,
        tv_nsec: 0,
    };
    assert_eq!(poll(&mut polled, Some(&patience)).unwrap(), 1, "no reset");
}

#[test]
fn a_client_below_the_minimum_rate_is_closed_and_a_slow_one_above_it_is_not() {
    let root = root();
    for (min_rate, lives) in [(20_000_000, false), (1_000, true)] {
        let server = spawn(site(&root), |limits| {
            limits.write_timeout = SHORT;
            limits.min_rate = min_rate;
        });
        let mut client = Client::slow(server.addr());
        client.get("/big");
        let start = Instant::now();
        let mut total = 0;
        let mut block = vec![0; 200_000];
        let end = loop {
            thread::park_timeout(Duration::from_millis(20));
            match client.read(&mut block) {
                Ok(0) => break false,
                Ok(count) => total += count,
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                    break false;
                }
            }
            if start.elapsed() > 4 * SHORT {
                client.hurry();
            }
            if total >= BIG {
                break true;
            }
        };
        assert_eq!(end, lives, "{total} bytes in {:?}", start.elapsed());
    }
}

#[test]
fn a_client_that_reads_nothing_is_closed_when_connections_run_out() {
    let root = root();
    let server = spawn(site(&root), |limits| limits.max_connections = 2);
    let slow: Vec<_> = (0..2).map(|_| asking(&server, &get("/big"))).collect();
    let status = || Client::new(server.addr()).get("/echo").response().status;
    assert_eq!(status(), 503, "they have just taken something");
    until("one of them makes room", || status() == 200);
    let is_reset = |mut client: Client| {
        let mut rest = Vec::new();
        let end = client.read_to_end(&mut rest);
        end.is_err() && rest.len() < BIG
    };
    assert!(slow.into_iter().any(is_reset));
}

#[test]
fn a_file_that_shrinks_under_a_tail_is_cut_and_one_that_grows_is_not_exceeded() {
    let root = root();
    for (length, is_whole) in [(BIG / 2, false), (2 * BIG, true)] {
        for server in spawn_both(site(&root)) {
            root.file("big", &*PATTERN);
            let mut client = asking(&server, &(get("/big") + &get("/echo")));
            let file = fs::File::options().write(true).open(root.join("big"));
            file.unwrap().set_len(length as u64).unwrap();
            if is_whole {
                is_big(client.hurry());
                assert_eq!(client.response().text(), "/echo");
                continue;
            }
            let bytes = client.hurry().rest_or_reset();
            let at = bytes
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
                .unwrap()
                + 4;
            let body = &bytes[at..];
            assert!(body.len() <= length && *body == PATTERN[..body.len()]);
        }
    }
}

#[test]
fn a_stopping_server_sends_its_tails_and_ends_with_the_last() {
    let root = root();
    for server in spawn_both_with(site(&root), patient) {
        let mut slow: Vec<_> = (0..5).map(|_| asking(&server, &get("/big"))).collect();
        let mut idle = Client::new(server.addr());
        idle.get("/echo").response();
        let stopping = thread::spawn(move || server.shutdown(LONG).unwrap());
        idle.is_closed_silently();
        for client in &mut slow {
            is_big(client.hurry());
            client.assert_end();
        }
        assert_eq!(stopping.join().unwrap(), 0);
    }
}

#[test]
fn a_stopping_server_cuts_its_tails_at_the_deadline() {
    let root = root();
    for server in spawn_both(site(&root)) {
        let mut slow: Vec<_> = (0..5).map(|_| asking(&server, &get("/big"))).collect();
        let start = Instant::now();
        assert_eq!(server.shutdown(SHORT).unwrap(), 0);
        let passed = start.elapsed();
        assert!(passed >= SHORT && passed < PATIENCE / 2, "{passed:?}");
        for client in &mut slow {
            assert!(client.rest_or_reset().len() < BIG);
        }
    }
}

#[test]
fn tails_that_begin_while_a_server_stops_are_sent() {
    let root = root();
    for _ in 0..10 {
        for server in spawn_both_with(site(&root), patient) {
            let mut clients: Vec<_> = (0..4).map(|_| Client::slow(server.addr())).collect();
            for client in &mut clients {
                client.get("/echo").response();
                client.get("/big");
            }
            let stopping = thread::spawn(move || server.shutdown(LONG).unwrap());
            let sent = clients
                .iter_mut()
                .map(|client| client.hurry().rest_or_reset().len());
            let sent: Vec<_> = sent.collect();
            assert_eq!(stopping.join().unwrap(), 0);
            // One whose request was not taken is closed.
            let is_whole = |length: &usize| *length == 0 || *length > BIG;
            assert!(sent.iter().all(is_whole), "{sent:?}");
        }
    }
}

#[test]
fn a_single_request_is_sent_to_its_end_before_the_call_returns() {
    let root = root();
    let single = HttpServer::bind("127.0.0.1:0", site(&root)).unwrap();
    let threading = ThreadingHttpServer::bind("127.0.0.1:0", site(&root)).unwrap();
    fn check(address: servette::Peer, handle: impl FnOnce() -> bool) {
        let client = thread::spawn(move || {
            let mut client = Client::slow(address);
            client.get("/big").hurry();
            is_big(&mut client);
        });
        assert!(handle());
        client.join().unwrap();
    }
    check(single.server_address(), || single.handle_request().unwrap());
    check(threading.server_address(), || {
        threading.handle_request().unwrap()
    });
}

#[test]
fn a_flush_sends_what_would_be_left() {
    let root = root();
    let path = root.join("big");
    let (told, flushed) = mpsc::channel();
    let answering = handler(move |h, x| {
        h.send_response(x, Status::OK);
        h.send_header(x, "Content-Length", &BIG.to_string());
        h.end_headers(x)?;
        x.wfile.send_file(&fs::File::open(&path)?, 0, BIG as u64)?;
        told.send(()).unwrap();
        if x.path == "/flush" {
            x.wfile.flush()?;
        }
        told.send(()).unwrap();
        Ok(())
    });
    let server = spawn(answering, |_| ());
    for (path, waits) in [("/", false), ("/flush", true)] {
        let mut client = asking(&server, &get(path));
        flushed.recv_timeout(PATIENCE).unwrap();
        assert_eq!(flushed.recv_timeout(SHORT).is_err(), waits, "{path}");
        is_big(client.hurry());
        if waits {
            flushed.recv_timeout(PATIENCE).unwrap();
        }
    }
}

#[test]
fn a_handle_that_goes_on_by_itself_sends_in_order() {
    let root = root();
    for server in spawn_both(Loops(site(&root))) {
        let mut client = Client::slow(server.addr());
        client
            .send(get("/big") + &get("/echo") + &get("/big"))
            .hurry();
        is_big(&mut client);
        assert_eq!(client.response().text(), "/echo");
        is_big(&mut client);
        client.assert_end();
    }
}

#[test]
fn a_handler_that_fails_after_its_response_has_sent_it() {
    fn fails() -> HandlerFn<impl Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()>> {
        handler(|h, x| {
            h.send_content(x, Status::OK, "text/plain", &PATTERN)?;
            Err(servette::Error::other("behind it"))
        })
    }
    for server in spawn_both(fails()) {
        let mut client = Client::slow(server.addr());
        client.get("/").hurry();
        is_big(&mut client);
        client.assert_end();
    }
}

#[cfg(unix)]
#[test]
fn tails_go_over_unix_sockets() {
    let root = root();
    let path = root.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let server = HttpServer::from_listener(listener, site(&root)).unwrap();
    let server = server.spawn().unwrap();
    let asking = || {
        let mut client = UnixStream::connect(&path).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let requests = get("/big") + "GET /echo HTTP/1.0\r\n\r\n";
        client.write_all(requests.as_bytes()).unwrap();
        client.read_exact(&mut [0]).unwrap();
        client
    };
    let clients: Vec<_> = (0..3).map(|_| asking()).collect();
    for mut client in clients {
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).unwrap();
        let at = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4;
        assert!(bytes[at..at + BIG] == *PATTERN);
        assert!(bytes.ends_with(b"/echo"));
    }
    drop(server);
}

#[cfg(target_os = "linux")]
mod in_a_child {
    use super::*;
    use crate::lifesupport::child::{Child, serves};

    const CLIENTS: usize = 120;

    #[test]
    fn many_slow_clients_take_no_threads() {
        let root = root();
        // They are read one after the other.
        let patient = || {
            spawn(site(&root), |limits| {
                limits.write_timeout = 10 * PATIENCE;
                limits.thread_idle_timeout = SHORT;
            })
        };
        if serves(patient) {
            return;
        }
        let name = "tails::in_a_child::many_slow_clients_take_no_threads";
        let child = Child::start(name, None);
        let mut other = Client::new(child.address);
        assert_eq!(other.get("/echo").response().text(), "/echo");
        let (threads, descriptors) = (child.threads(), child.descriptors());
        let mut slow: Vec<_> = (0..CLIENTS).map(|_| Client::slow(child.address)).collect();
        for client in &mut slow {
            client.get("/big");
        }
        for client in &mut slow {
            client.peek(1);
        }
        for _ in 0..5 {
            let start = Instant::now();
            let mut new = Client::new(child.address);
            assert_eq!(new.get("/echo").response().text(), "/echo");
            assert_eq!(other.get("/echo").response().text(), "/echo");
            assert!(
                start.elapsed() < Duration::from_secs(2),
                "{:?}",
                start.elapsed()
            );
        }
        // Those that were needed for a moment, on a busy machine, end.
        until("no thread stays with them", || {
            child.threads() <= threads + 4
        });
        // Some of them leave, in different ways.
        for mut client in slow.drain(..20) {
            client.stream.read_exact(&mut [0; 1000]).unwrap();
            client.reset();
        }
        drop(slow.drain(..20));
        for client in &mut slow {
            is_big(client.hurry());
            assert_eq!(client.get("/echo").response().text(), "/echo");
        }
        drop(slow);
        until("all descriptors are closed", || {
            child.descriptors() <= descriptors + 2
        });
    }
}
