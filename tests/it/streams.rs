//! A body that is handed over is written after the handler has returned, by any thread, and never waits for its client.

use std::io::{ErrorKind, Read, Write};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, get};
use crate::lifesupport::{spawn, spawn_single};
use crate::support::{Log, Loops, PATIENCE, echo, end_overtakes_unread, handler, limits, until};
#[cfg(unix)]
use crate::webroot::WebRoot;
#[cfg(unix)]
use servette::ThreadingHttpServer;
use servette::{
    Chunk, Exchange, HttpServer, Limits, Notice, RequestHandler, ResponseStream, Result,
    RunningServer, Status, respond,
};

/// A deadline that is waited for in earnest.
const SHORT: Duration = Duration::from_millis(400);

/// Hands over every body to the test, framed as the path says.
struct Streams {
    streams: Mutex<Sender<ResponseStream>>,
    version: &'static str,
}

impl RequestHandler for Streams {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        let status = match x.path {
            "/echo" => return echo(self, x),
            "/long" => return self.send_content(x, Status::OK, "text/plain", &[b'l'; 200_000]),
            "/204" => Status::NO_CONTENT,
            "/304" => Status::NOT_MODIFIED,
            _ => Status::OK,
        };
        self.send_response(x, status);
        if let Some(length) = x.path.strip_prefix("/length/") {
            self.send_header(x, "Content-Length", length);
        }
        self.end_headers(x)?;
        let stream = x.wfile.start_stream()?;
        self.streams.lock().unwrap().send(stream).unwrap();
        match x.path {
            "/fails" => Err(servette::Error::other("behind it")),
            "/panics" => panic!("on purpose"),
            _ => Ok(()),
        }
    }

    fn protocol_version(&self) -> &str {
        self.version
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

struct Server {
    server: RunningServer,
    streams: Receiver<ResponseStream>,
}

impl Server {
    fn client(&self) -> Client {
        Client::new(self.server.addr())
    }

    fn stream(&self) -> ResponseStream {
        self.streams.recv_timeout(PATIENCE).unwrap()
    }

    /// A client that has asked for this, and its stream.
    fn open(&self, path: &str) -> (Client, ResponseStream) {
        let mut client = self.client();
        client.get(path);
        let stream = self.stream();
        (client, stream)
    }

    /// The same for a client that reads slowly.
    fn open_slow(&self, path: &str) -> (Client, ResponseStream) {
        let mut client = Client::slow(self.server.addr());
        client.get(path);
        let stream = self.stream();
        client.peek(1);
        (client, stream)
    }

    #[track_caller]
    fn serves(&self) {
        assert_eq!(self.client().get("/echo").response().text(), "/echo");
    }
}

fn streams(version: &'static str) -> (Streams, Receiver<ResponseStream>) {
    let (sender, receiver) = channel();
    let handler = Streams {
        streams: Mutex::new(sender),
        version,
    };
    (handler, receiver)
}

fn threading(set: impl FnOnce(&mut Limits)) -> Server {
    let (handler, streams) = streams("HTTP/1.1");
    Server {
        server: spawn(handler, set),
        streams,
    }
}

fn single() -> Server {
    let (handler, streams) = streams("HTTP/1.1");
    Server {
        server: spawn_single(handler),
        streams,
    }
}

fn both() -> [Server; 2] {
    [single(), threading(|_| ())]
}

/// Notes what it is told.
fn noting(stream: &ResponseStream) -> Log {
    let log = Log::default();
    let notes = log.clone();
    stream.notify(move |notice| notes.push(format!("{notice:?}")));
    log
}

#[track_caller]
fn is_closed(stream: &ResponseStream, log: &Log) {
    until("the stream is closed", || stream.is_closed());
    until("that was told", || log.lines() == ["Closed"]);
    assert!(stream.send("more").is_err());
}

/// What fills every buffer of the system, and the queue.
fn send_until_cut(stream: &ResponseStream) -> std::io::Error {
    let block = Chunk::from(vec![b'x'; 60_000]);
    let start = Instant::now();
    loop {
        if let Err(error) = stream.send(&block) {
            return error;
        }
        assert!(start.elapsed() < PATIENCE, "never cut");
    }
}

#[track_caller]
fn is_reset(client: &mut Client) {
    let error = client.hurry().rest().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn any_thread_writes_after_the_handler_and_the_connection_is_kept() {
    for server in both() {
        let (mut client, stream) = server.open("/");
        client.get("/echo");
        assert_eq!(
            client.head().get("Transfer-Encoding"),
            Some("chunked"),
            "the head goes at once"
        );
        let stream = Arc::new(stream);
        for text in ["one", "two", "three"] {
            let stream = stream.clone();
            thread::spawn(move || stream.send(text).unwrap())
                .join()
                .unwrap();
            assert_eq!(client.chunk().unwrap(), text.as_bytes());
        }
        server.serves();
        drop(stream);
        assert_eq!(client.chunk().unwrap(), b"");
        assert_eq!(
            client.response().text(),
            "/echo",
            "it came during the stream"
        );
        assert_eq!(client.get("/echo").response().text(), "/echo");
        client.get("/");
        let stream = server.stream();
        (&stream).write_all(b"again").unwrap();
        drop(stream);
        assert_eq!(client.response().text(), "again");
    }
}

#[test]
fn streams_and_responses_of_pipelined_requests_stay_in_order() {
    for server in both() {
        let mut client = server.client();
        client.send(get("/echo") + &get("/") + &get("/echo") + &get("/length/3") + &get("/echo"));
        assert_eq!(client.response().text(), "/echo");
        let stream = server.stream();
        stream.send("first").unwrap();
        assert!(server.streams.try_recv().is_err());
        drop(stream);
        assert_eq!(client.response().text(), "first");
        assert_eq!(client.response().text(), "/echo");
        server.stream().send("abc").unwrap();
        assert_eq!(client.response().text(), "abc");
        assert_eq!(client.response().text(), "/echo");
    }
}

#[test]
fn a_stream_ends_with_the_connection_where_one_side_speaks_http10() {
    let (handler, receiver) = streams("HTTP/1.0");
    let old = Server {
        server: spawn(handler, |_| ()),
        streams: receiver,
    };
    let new = threading(|_| ());
    for (server, request) in [
        (&old, &*get("/")),
        (&old, "GET / HTTP/1.0\r\n\r\n"),
        (&new, "GET / HTTP/1.0\r\n\r\n"),
        (&new, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    ] {
        let mut client = server.client();
        client.send(request);
        let stream = server.stream();
        let head = client.head();
        assert_eq!(head.get("Transfer-Encoding"), None);
        for text in ["one", "two"] {
            stream.send(text).unwrap();
            assert_eq!(client.peek(3)[..3], text.as_bytes()[..3]);
            client.take_through(text);
        }
        drop(stream);
        client.assert_end();
    }
    // What is cut does not look like the end.
    let mut client = old.client();
    client.get("/");
    old.stream().abort();
    is_reset(&mut client);
}

#[test]
fn a_stream_keeps_its_declared_length() {
    for server in both() {
        let (mut client, stream) = server.open("/length/10");
        stream.send("12345").unwrap();
        let error = stream.send("123456").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        stream.send("67890").unwrap();
        assert!(stream.send("1").is_err());
        stream.send("").unwrap();
        drop(stream);
        assert_eq!(client.response().text(), "1234567890");
        assert_eq!(client.get("/echo").response().text(), "/echo");

        client.get("/length/10");
        let stream = server.stream();
        stream.send("123456789").unwrap();
        drop(stream);
        is_reset(&mut client);

        let (mut client, stream) = server.open("/length/0");
        drop(stream);
        assert_eq!(client.response().text(), "");
        server.serves();
    }
}

#[test]
fn a_response_without_a_body_is_complete_and_its_stream_closed() {
    for server in both() {
        for (request, method) in [
            (get("/204"), "GET"),
            (get("/304"), "GET"),
            (get("/").replacen("GET", "HEAD", 1), "HEAD"),
            (get("/length/7").replacen("GET", "HEAD", 1), "HEAD"),
        ] {
            let mut client = server.client();
            client.send(&request).get("/echo");
            let stream = server.stream();
            assert!(stream.is_closed());
            assert!(stream.send("no body").is_err());
            let log = noting(&stream);
            assert_eq!(log.lines(), ["Closed"]);
            client.response_to(method);
            assert_eq!(client.response().text(), "/echo", "{request}");
            drop(stream);
        }
    }
}

#[test]
fn what_is_written_before_the_handler_returns_follows_in_order() {
    let server = spawn(
        handler(|h, x| {
            h.send_response(x, Status::OK);
            assert!(
                x.wfile.start_stream().is_err(),
                "before the end of the head"
            );
            h.end_headers(x)?;
            x.wfile.write_all(b"by wfile, ")?;
            let stream = x.wfile.start_stream()?;
            for text in ["by ", "the ", "stream"] {
                stream.send(text)?;
            }
            assert!(x.wfile.write(b"no").is_err());
            assert!(x.wfile.start_stream().is_err());
            assert!(x.raw_stream().is_err() && x.detach().is_err() && x.defer().is_err());
            x.wfile.flush()?;
            let mut body = Vec::new();
            x.rfile.read_to_end(&mut body)?;
            stream.send(body)?;
            Ok(())
        }),
        |_| (),
    );
    let mut client = Client::new(server.addr());
    for _ in 0..2 {
        client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n, body");
        assert_eq!(client.response().text(), "by wfile, by the stream, body");
    }
    // The body comes while the head is out already.
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n");
    assert_eq!(client.head().status, 200);
    client.send(", late");
    client.take_through(", late\r\n0\r\n\r\n");
}

#[test]
fn no_body_is_handed_over_behind_detach() {
    let server = spawn(
        handler(|h, x| {
            h.send_response(x, Status::OK);
            h.end_headers(x)?;
            let mut detached = x.detach()?;
            assert!(x.wfile.start_stream().is_err(), "its socket blocks");
            Ok(detached.write_all(b"detached")?)
        }),
        |_| (),
    );
    let mut client = Client::new(server.addr());
    client.get("/");
    assert_eq!(client.response().text(), "detached");
}

#[test]
fn a_writer_never_waits_and_a_client_that_is_too_slow_is_reset() {
    for server in both() {
        let (mut client, stream) = server.open_slow("/");
        let log = noting(&stream);
        assert_eq!(send_until_cut(&stream).kind(), ErrorKind::TimedOut);
        is_closed(&stream, &log);
        is_reset(&mut client);
        server.serves();
    }
}

/// What is written before the server has tried to send it says nothing about the client.
#[test]
fn a_burst_before_the_handler_returns_cuts_no_client_that_reads() {
    const BURST: usize = 2_000_000;
    let bursts = || {
        handler(|h, x| {
            h.send_response(x, Status::OK);
            h.end_headers(x)?;
            let stream = x.wfile.start_stream()?;
            for _ in 0..BURST / 10_000 {
                stream.send(&[b'x'; 10_000])?;
            }
            Ok(())
        })
    };
    for server in [spawn_single(bursts()), spawn(bursts(), |_| ())] {
        let mut client = Client::new(server.addr());
        client.get("/");
        assert_eq!(client.response().body.len(), BURST);
    }
}

#[test]
fn what_the_client_does_not_take_at_once_is_queued_and_sent_on() {
    // What fits into the sockets of a slow client is another number each time.
    let server = threading(|limits| limits.stream_queue = 16 << 20);
    for _ in 0..4 {
        let (mut client, stream) = server.open_slow("/");
        let mut sent = Vec::new();
        for number in 0..100_000_u32 {
            stream.send(&number.to_le_bytes()).unwrap();
            sent.extend(number.to_le_bytes());
        }
        client.get("/echo");
        thread::spawn(move || {
            stream.send("the end").unwrap();
            drop(stream);
        });
        sent.extend(b"the end");
        assert!(client.hurry().response().body == sent);
        assert_eq!(client.response().text(), "/echo");
    }
}

#[test]
fn a_stream_waits_for_the_responses_before_it() {
    for server in both() {
        let mut client = Client::slow(server.server.addr());
        client.send(get("/long").repeat(30) + &get("/") + &get("/echo"));
        client.peek(1);
        // They are answered one after the other, as the client takes them.
        let writer = thread::spawn({
            let streams = server.streams;
            move || {
                let stream = streams.recv_timeout(PATIENCE).unwrap();
                for _ in 0..100 {
                    stream.send("some").unwrap();
                }
            }
        });
        client.hurry();
        for _ in 0..30 {
            assert_eq!(client.response().body.len(), 200_000);
        }
        assert_eq!(client.response().text(), "some".repeat(100));
        assert_eq!(client.response().text(), "/echo");
        writer.join().unwrap();
    }
}

#[test]
fn a_client_may_leave_at_any_point() {
    let server = threading(|limits| limits.stream_queue = 16 << 20);
    let ways: [fn(Client); 3] = [
        |client| client.reset(),
        |client| drop(client),
        |mut client| drop(client.finish().hurry().rest_or_reset()),
    ];
    for (number, leaves) in (0..60).zip(ways.into_iter().cycle()) {
        // Before the head, in the head, in a chunk, in what is queued; while the writer writes, and behind it.
        let taken = [0, 1, 50, 130, 140, 5_000, 200_000][number % 7];
        let (mut client, stream) = match number % 2 {
            0 => server.open("/"),
            _ => server.open_slow("/"),
        };
        let log = noting(&stream);
        let writer = thread::spawn(move || {
            for _ in 0..50 {
                if stream.send(vec![b'x'; 10_000]).is_err() {
                    break;
                }
            }
            (number % 3 == 0).then_some(stream)
        });
        if taken > 0 {
            client.peek(taken);
        }
        leaves(client);
        if let Some(stream) = writer.join().unwrap() {
            until("it is closed", || stream.is_closed());
            until("that was told", || log.lines() == ["Closed"]);
        }
    }
    server.serves();
    assert_eq!(server.server.shutdown(PATIENCE).unwrap(), 0);
}

#[test]
fn a_stopping_server_sends_what_is_queued() {
    for reads_on in [true, false] {
        let set = |limits: &mut Limits| limits.stream_queue = 16 << 20;
        let (handler, streams) = streams("HTTP/1.1");
        let single = HttpServer::builder(handler).limits(limits(set));
        let single = Server {
            server: single.bind("127.0.0.1:0").unwrap().spawn().unwrap(),
            streams,
        };
        for server in [single, threading(set)] {
            let (mut client, stream) = server.open_slow("/");
            stream.send(vec![b'x'; 7 << 20]).unwrap();
            drop(stream);
            if !reads_on {
                assert_eq!(server.server.shutdown(SHORT).unwrap(), 1);
                is_reset(&mut client);
                continue;
            }
            let stopping = thread::spawn(move || server.server.shutdown(PATIENCE).unwrap());
            assert_eq!(client.hurry().response().body.len(), 7 << 20);
            client.assert_end();
            assert_eq!(stopping.join().unwrap(), 0);
        }
    }
}

#[test]
fn a_client_that_reads_nothing_until_the_deadline_is_closed() {
    for (writes_on, min_rate) in [(false, 0), (true, 1 << 30)] {
        let server = threading(|limits| {
            limits.stream_queue = 16 << 20;
            limits.write_timeout = SHORT;
            limits.min_rate = min_rate;
        });
        let (mut client, stream) = server.open_slow("/");
        let log = noting(&stream);
        // It may be silent for as long as it likes.
        thread::park_timeout(2 * SHORT);
        assert!(!stream.is_closed());
        let start = Instant::now();
        stream.send(vec![b'x'; 8 << 20]).unwrap();
        while writes_on && !stream.is_closed() {
            // It takes something now and then.
            let _ = client.stream.read(&mut [0; 1000]);
            thread::park_timeout(Duration::from_millis(20));
            assert!(start.elapsed() < PATIENCE);
        }
        is_closed(&stream, &log);
        assert!(start.elapsed() >= SHORT);
        assert_eq!(stream.send("x").unwrap_err().kind(), ErrorKind::TimedOut);
        is_reset(&mut client);
    }
}

#[test]
fn a_client_that_disconnects_is_noticed_at_once() {
    let leaves: [fn(Client); 3] = [drop, Client::reset, |mut client| {
        // Behind a request that nobody has read.
        client.get("/echo").get("/echo");
    }];
    let ways = if end_overtakes_unread() { 3 } else { 2 };
    for server in both() {
        for leaves in &leaves[..ways] {
            let (mut client, stream) = server.open("/");
            client.head();
            stream.send("news").unwrap();
            client.chunk().unwrap();
            let log = noting(&stream);
            leaves(client);
            is_closed(&stream, &log);
            assert_eq!(
                stream.send("x").unwrap_err().kind(),
                ErrorKind::ConnectionReset
            );
        }
        // It has left before the stream begins.
        let mut client = server.client();
        client.get("/").finish();
        let stream = server.stream();
        until("it is closed", || stream.is_closed());
        let log = noting(&stream);
        assert_eq!(log.lines(), ["Closed"], "told late");
        server.serves();
    }
}

#[test]
fn a_client_that_only_ends_its_sending_direction_can_be_kept() {
    for server in both() {
        let (mut client, stream) = server.open("/");
        stream.allow_half_close();
        client.head();
        client.get("/echo").finish();
        for _ in 0..3 {
            stream.send("news").unwrap();
            assert_eq!(client.chunk().unwrap(), b"news");
        }
        drop(stream);
        assert_eq!(client.chunk().unwrap(), b"");
        assert_eq!(client.response().text(), "/echo");
        client.assert_end();
    }
}

#[test]
fn a_closure_that_is_told_of_the_end_may_shut_the_server_down() {
    for server in both() {
        let (_client, stream) = server.open("/");
        let handle = server.server.shutdown_handle();
        let log = Log::default();
        let notes = log.clone();
        stream.notify(move |notice| {
            if notice == Notice::Closed {
                handle.shutdown(PATIENCE);
                notes.push("returned");
            }
        });
        let start = Instant::now();
        assert_eq!(server.server.shutdown(SHORT).unwrap(), 1);
        until("the closure has returned", || !log.lines().is_empty());
        assert!(start.elapsed() < PATIENCE / 2);
    }
}

#[test]
fn a_client_that_resets_has_left_even_where_a_half_close_is_allowed() {
    for server in both() {
        for is_half_closed in [false, true] {
            let (mut client, stream) = server.open("/");
            stream.allow_half_close();
            client.head();
            if is_half_closed {
                client.finish();
                stream.send("still here").unwrap();
                client.chunk().unwrap();
            }
            let log = noting(&stream);
            client.reset();
            is_closed(&stream, &log);
        }
    }
}

#[test]
fn an_aborted_stream_ends_visibly_incomplete() {
    for server in both() {
        let (mut client, stream) = server.open("/");
        stream.send("some").unwrap();
        client.head();
        client.chunk().unwrap();
        stream.abort();
        is_reset(&mut client);

        let (mut client, stream) = server.open("/");
        let writer = thread::spawn(move || {
            catch_unwind(AssertUnwindSafe(|| {
                stream.send("some").unwrap();
                let _moved = stream;
                panic!("on purpose");
            }))
            .unwrap_err();
        });
        writer.join().unwrap();
        is_reset(&mut client);
        server.serves();
    }
}

#[test]
fn a_handler_that_fails_ends_its_stream_with_an_early_close() {
    for server in both() {
        for path in ["/fails", "/panics"] {
            let (mut client, stream) = server.open(path);
            until("it is closed", || stream.is_closed());
            assert!(client.rest_or_reset().len() < 200);
        }
        server.serves();
    }
}

#[test]
fn a_leaked_stream_ends_with_its_client_or_with_the_server() {
    for server in both() {
        let (client, stream) = server.open("/");
        std::mem::forget(stream);
        drop(client);
        let (mut client, stream) = server.open("/");
        std::mem::forget(stream);
        client.head();
        assert_eq!(server.server.shutdown(SHORT).unwrap(), 1);
        is_reset(&mut client);
    }
}

#[test]
fn one_chunk_goes_to_many_streams() {
    for server in both() {
        let mut open: Vec<_> = (0..100).map(|_| server.open("/")).collect();
        let chunk = Chunk::from("data: news\n\n");
        for (_, stream) in &open {
            stream.send(&chunk).unwrap();
        }
        for (client, _) in &mut open {
            client.head();
            assert_eq!(client.chunk().unwrap(), b"data: news\n\n");
        }
    }
}

#[test]
fn a_stream_is_dropped_while_the_loop_sends() {
    let server = threading(|limits| limits.stream_queue = 16 << 20);
    for round in 0..30 {
        let (mut client, stream) = server.open_slow("/");
        stream.send(vec![b'x'; 300_000]).unwrap();
        let writer = thread::spawn(move || {
            for _ in 0..round % 5 {
                stream.send(vec![b'y'; 50_000]).unwrap();
            }
        });
        let body = client.hurry().response().body;
        assert_eq!(body.len(), 300_000 + round % 5 * 50_000);
        writer.join().unwrap();
        assert_eq!(client.get("/echo").response().text(), "/echo");
    }
}

#[test]
fn all_queues_together_are_bounded() {
    const QUEUED: usize = 4 << 20;
    let server = threading(|limits| {
        limits.stream_queue = 64 << 20;
        limits.total_queue = QUEUED;
    });
    let block = Chunk::from(vec![b'x'; 50_000]);
    // What was queued is free again behind each of them.
    for _ in 0..3 {
        let mut open: Vec<_> = (0..3).map(|_| server.open_slow("/")).collect();
        let mut sent = 0;
        while open.iter().all(|(_, stream)| stream.send(&block).is_ok()) {
            sent += 3 * 50_000;
            assert!(sent < 60 << 20, "there is no bound");
        }
        assert!(sent >= QUEUED);
        let cut = open.iter().filter(|(_, stream)| stream.is_closed()).count();
        assert_eq!(cut, 1, "the others go on");
        let at = open.iter().position(|(_, stream)| stream.is_closed());
        let (mut client, stream) = open.swap_remove(at.unwrap());
        assert_eq!(stream.send("x").unwrap_err().kind(), ErrorKind::TimedOut);
        is_reset(&mut client);
        for (mut client, stream) in open {
            drop(stream);
            let body = client.hurry().response().body;
            assert!(body.len() >= sent / 3);
        }
    }
}

#[test]
fn open_streams_count_as_connections() {
    let server = threading(|limits| limits.max_connections = 2);
    let open = [server.open("/"), server.open("/")];
    let status = || server.client().get("/echo").response().status;
    assert_eq!(status(), 503);
    for (_, stream) in &open {
        stream.send("still here").unwrap();
    }
    drop(open);
    until("their places are free", || status() == 200);
}

#[test]
fn a_handle_that_goes_on_by_itself_waits_for_the_stream() {
    let (handler, streams) = streams("HTTP/1.1");
    let server = spawn(Loops(handler), |limits| limits.stream_queue = 16 << 20);
    let mut client = Client::slow(server.addr());
    client.send(get("/") + &get("/echo") + &get("/"));
    let stream = streams.recv_timeout(PATIENCE).unwrap();
    client.head();
    stream.send(vec![b'x'; 1 << 20]).unwrap();
    thread::park_timeout(SHORT);
    assert!(streams.try_recv().is_err());
    drop(stream);
    assert_eq!(client.hurry().chunk().unwrap().len(), 1 << 20);
    assert_eq!(client.chunk().unwrap(), b"");
    assert_eq!(client.response().text(), "/echo");
    // The last one is left to the loop.
    streams
        .recv_timeout(PATIENCE)
        .unwrap()
        .send("last")
        .unwrap();
    assert_eq!(client.response().text(), "last");
    client.assert_end();

    let mut client = Client::new(server.addr());
    client.send(get("/") + &get("/"));
    let stream = streams.recv_timeout(PATIENCE).unwrap();
    drop(client);
    until("it is closed", || stream.is_closed());
}

#[test]
fn streams_outlive_the_call_that_handles_a_single_request() {
    let (handler, streams) = streams("HTTP/1.1");
    let server = HttpServer::bind("127.0.0.1:0", handler).unwrap();
    let mut client = Client::new(server.server_address());
    client.get("/");
    assert!(server.handle_request().unwrap());
    let stream = streams.recv().unwrap();
    client.head();
    stream.send("between").unwrap();
    assert_eq!(client.chunk().unwrap(), b"between");
    let mut other = Client::new(server.server_address());
    other.get("/echo");
    assert!(server.handle_request().unwrap());
    assert_eq!(other.response().text(), "/echo");
    drop(stream);
    client.get("/echo");
    assert!(server.handle_request().unwrap());
    assert_eq!(client.chunk().unwrap(), b"");
    assert_eq!(client.response().text(), "/echo");

    client.get("/");
    assert!(server.handle_request().unwrap());
    let stream = streams.recv().unwrap();
    let log = noting(&stream);
    drop(server);
    is_closed(&stream, &log);
    client.head();
    is_reset(&mut client);
}

#[cfg(unix)]
#[test]
fn streams_go_over_unix_sockets() {
    let root = WebRoot::new();
    let path = root.join("socket");
    let (handler, streams) = streams("HTTP/1.1");
    let listener = UnixListener::bind(&path).unwrap();
    let server = ThreadingHttpServer::from_listener(listener, handler).unwrap();
    let server = server.spawn().unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let requests = get("/") + "GET /echo HTTP/1.0\r\n\r\n";
    client.write_all(requests.as_bytes()).unwrap();
    let stream = streams.recv_timeout(PATIENCE).unwrap();
    stream.send(vec![b'x'; 400_000]).unwrap_or_else(|error| {
        // More than the socket and the queue take.
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
    let mut client = UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(requests.as_bytes()).unwrap();
    let stream = streams.recv_timeout(PATIENCE).unwrap();
    let writer = thread::spawn(move || {
        for _ in 0..100 {
            stream.send("some").unwrap();
        }
    });
    let mut bytes = String::new();
    client.read_to_string(&mut bytes).unwrap();
    assert_eq!(bytes.matches("4\r\nsome\r\n").count(), 100);
    assert!(bytes.ends_with("/echo"));
    writer.join().unwrap();
    let client = UnixStream::connect(&path).unwrap();
    (&client).write_all(get("/").as_bytes()).unwrap();
    let stream = streams.recv_timeout(PATIENCE).unwrap();
    drop(client);
    until("it is closed", || stream.is_closed());
    drop(server);
}

#[test]
fn streams_are_collected_in_memory() {
    let handler = handler(|h, x| {
        if x.path == "/echo" {
            return echo(h, x);
        }
        h.send_response(x, Status::OK);
        h.end_headers(x)?;
        let stream = x.wfile.start_stream()?;
        thread::spawn(move || {
            for _ in 0..100 {
                thread::yield_now();
                // More than would be queued for a client.
                stream.send(vec![b'x'; 10_000]).unwrap();
            }
        });
        Ok(())
    });
    let answers = respond(
        &handler,
        get("/") + &get("/echo") + "GET / HTTP/1.0\r\n\r\n",
    );
    let text = String::from_utf8(answers).unwrap();
    assert_eq!(text.matches("\r\n2710\r\nxxx").count(), 100);
    assert!(text.contains("\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n") && text.contains("\r\n\r\n/echo"));
    assert!(text.ends_with(&"x".repeat(1_000_000)));
}

#[test]
fn a_stopping_server_tells_its_streams_and_waits_for_their_goodbye() {
    for server in both() {
        let mut clients = Vec::new();
        let streams = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..20 {
            let (client, stream) = server.open("/");
            clients.push(client);
            let stream = Arc::new(stream);
            let index = streams.lock().unwrap().len();
            let all = streams.clone();
            stream.notify(move |notice| {
                let mut all = all.lock().unwrap();
                let stream: Option<Arc<ResponseStream>> = all.get_mut(index).and_then(Option::take);
                if let (Notice::Stopping, Some(stream)) = (notice, stream) {
                    assert!(stream.is_stopping());
                    stream.send("goodbye").unwrap();
                }
            });
            streams.lock().unwrap().push(Some(stream));
        }
        assert_eq!(server.server.shutdown(PATIENCE).unwrap(), 0);
        for client in &mut clients {
            assert_eq!(client.response().text(), "goodbye");
            client.assert_end();
        }
    }
}

#[test]
fn a_stopping_server_cuts_its_streams_at_the_deadline_and_counts_them() {
    for server in both() {
        let mut open: Vec<_> = (0..5).map(|_| server.open("/")).collect();
        let logs: Vec<_> = open.iter().map(|(_, stream)| noting(stream)).collect();
        let start = Instant::now();
        assert_eq!(server.server.shutdown(SHORT).unwrap(), 5);
        assert!(start.elapsed() >= SHORT);
        for ((client, stream), log) in open.iter_mut().zip(logs) {
            assert_eq!(log.lines(), ["Stopping", "Closed"]);
            assert!(stream.is_closed());
            let error = stream.send("x").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
            is_reset(client);
        }
    }
}

#[test]
fn a_stream_that_begins_while_the_server_stops_is_told_too() {
    for is_single in [true, false] {
        let gate = crate::lifesupport::Gate::default();
        let passed = gate.clone();
        let (sender, streams) = channel();
        let sender = Mutex::new(sender);
        let handler = handler(move |h, x| {
            passed.pass();
            h.send_response(x, Status::OK);
            h.end_headers(x)?;
            let stream = x.wfile.start_stream()?;
            sender.lock().unwrap().send(stream).unwrap();
            Ok(())
        });
        let server = match is_single {
            true => spawn_single(handler),
            false => spawn(handler, |_| ()),
        };
        let mut client = Client::new(server.addr());
        client.get("/");
        gate.await_comers(1);
        let handle = server.shutdown_handle();
        let stopping = thread::spawn(move || server.shutdown(PATIENCE).unwrap());
        until("it stops", || handle.is_stopping());
        gate.open();
        // Where other threads poll, nobody may be there any more who would carry it.
        match streams.recv_timeout(PATIENCE) {
            Ok(stream) => {
                let log = noting(&stream);
                until("it is told", || log.lines() == ["Stopping"]);
                stream.send("late").unwrap();
                drop(stream);
                let response = client.response();
                assert!(response.says_close());
                assert_eq!(response.text(), "late");
            }
            Err(_) => {
                assert!(!is_single);
                let response = client.response();
                assert_eq!(response.status, 503);
                assert!(response.says_close());
            }
        }
        assert_eq!(stopping.join().unwrap(), 0);
    }
}

#[test]
fn many_writers_many_clients_and_nothing_is_lost() {
    let server = threading(|limits| limits.stream_queue = 64 << 20);
    let clients: Vec<_> = (0..16)
        .map(|number| {
            let address = server.server.addr();
            thread::spawn(move || {
                for round in 0..20 {
                    let mut client = match (number + round) % 3 {
                        0 => Client::slow(address),
                        _ => Client::new(address),
                    };
                    client.get("/");
                    if (number + round) % 5 == 0 {
                        client.peek(1);
                        continue;
                    }
                    let body = client.hurry().response().body;
                    let is_whole = body
                        .chunks(4)
                        .zip(0_u32..)
                        .all(|(bytes, number)| bytes == number.to_le_bytes());
                    assert!(is_whole && body.len() == 4 * 20_000, "{}", body.len());
                    assert_eq!(client.get("/echo").response().text(), "/echo");
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..16 * 20)
        .map(|_| {
            let stream = server.stream();
            thread::spawn(move || {
                for number in (0_u32..20_000).step_by(50) {
                    let bytes: Vec<u8> = (number..number + 50).flat_map(u32::to_le_bytes).collect();
                    if stream.send(bytes).is_err() {
                        break;
                    }
                }
            })
        })
        .collect();
    for thread in clients.into_iter().chain(writers) {
        thread.join().unwrap();
    }
    assert_eq!(server.server.shutdown(PATIENCE).unwrap(), 0);
}

#[test]
fn streams_can_be_shared_between_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<ResponseStream>();
    check::<servette::Deferred>();
    check::<Chunk>();
    let _ = limits(|_| ());
}

#[cfg(target_os = "linux")]
mod in_a_child {
    use super::*;
    use crate::lifesupport::child::{Child, serves};

    const BATCH: usize = 1500;

    #[test]
    fn many_streams_take_no_threads_and_little_memory() {
        let keeping = || {
            let kept = Mutex::new(Vec::new());
            spawn(
                handler(move |h, x| {
                    if x.path == "/echo" {
                        return echo(h, x);
                    }
                    h.send_response(x, Status::OK);
                    h.end_headers(x)?;
                    let stream = x.wfile.start_stream()?;
                    stream.send("hello")?;
                    kept.lock().unwrap().push(stream);
                    Ok(())
                }),
                |limits| limits.thread_idle_timeout = SHORT,
            )
        };
        if serves(keeping) {
            return;
        }
        let name = "streams::in_a_child::many_streams_take_no_threads_and_little_memory";
        let child = Child::start(name, None);
        let open = |count: usize| -> Vec<Client> {
            let mut clients = crate::client::crowd(count, child.address, get("/"));
            for client in &mut clients {
                client.take_through("hello\r\n");
            }
            clients
        };
        let first = open(BATCH);
        let (threads, descriptors) = (child.threads(), child.descriptors());
        let mut clients = Vec::new();
        // On a busy machine there may be more threads for a moment, with memory of their own.
        let grown = [(); 3].map(|()| {
            let before = child.memory();
            clients.extend(open(BATCH));
            child.memory().saturating_sub(before) / BATCH
        });
        assert!(
            grown.iter().any(|&each| each <= 2048),
            "{grown:?} bytes each"
        );
        until("no thread stays with them", || {
            child.threads() <= threads + 4
        });
        let ticks = child.ticks();
        thread::park_timeout(SHORT);
        assert!(child.ticks() <= ticks + 2, "it does not rest");
        drop(clients);
        until("all descriptors are closed", || {
            child.descriptors() <= descriptors + 2
        });
        drop(first);
    }
}

#[test]
fn a_silence_of_zero_switches_off_what_keeps_a_stream_alive() {
    let server = threading(|limits| limits.stream_keep_alive = Duration::ZERO);
    let (mut client, stream) = server.open("/");
    stream.keep_alive("still here");
    for _ in 0..20 {
        server.serves();
    }
    stream.send("end").unwrap();
    drop(stream);
    assert_eq!(client.response().text(), "end");
}
