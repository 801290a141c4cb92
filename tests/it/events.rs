//! Server-sent events, on streams; and a stub that streams.

use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::client::{Client, get};
use crate::lifesupport::spawn;
use crate::support::{Ask, PATIENCE, handler};
use servette::events::{self, Event};
use servette::testing::{self, Stubs, TestServer, close, gate, reset, stream};
use servette::{Chunk, Exchange, Layer, RequestHandler, Result, Status};

#[test]
fn events_go_to_all_listeners_and_tell_where_one_goes_on() {
    let (sender, streams) = channel();
    let sender = Mutex::new(sender);
    let server = spawn(
        handler(move |_, x| {
            let last = events::last_event_id(x).map(str::to_owned);
            let stream = events::begin(x)?;
            let sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
            sender.send((stream, last)).unwrap();
            Ok(())
        }),
        |_| (),
    );
    let mut clients = Vec::new();
    let mut open = Vec::new();
    for last in [None, Some("7")] {
        let mut client = Client::new(server.addr());
        client.send(match last {
            None => get("/"),
            Some(id) => format!("GET / HTTP/1.1\r\nHost: h\r\nLast-Event-ID: {id}\r\n\r\n"),
        });
        let (stream, seen) = streams.recv_timeout(PATIENCE).unwrap();
        assert_eq!(seen.as_deref(), last);
        open.push(stream);
        let head = client.head();
        assert_eq!(head.get("Content-Type"), Some("text/event-stream"));
        assert_eq!(head.get("Cache-Control"), Some("no-store"));
        clients.push(client);
    }
    let event = Chunk::from(Event::new("two\nlines").name("news").id("8"));
    for stream in &open {
        stream.send(&event).unwrap();
    }
    for client in &mut clients {
        let text = String::from_utf8(client.chunk().unwrap()).unwrap();
        assert_eq!(text, "event: news\nid: 8\ndata: two\ndata: lines\n\n");
    }
}

#[test]
fn a_layer_adds_its_fields_to_streams_that_begin_inside() {
    struct Room;
    impl RequestHandler for Room {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            events::begin(x).map(drop)
        }
    }
    struct Cors(Room);
    impl Layer for Cors {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
            x.send_header("Access-Control-Allow-Origin", "*");
            self.0.end_headers(x)
        }
    }
    let answer = servette::respond(&Cors(Room), "GET / HTTP/1.0\r\n\r\n");
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("\r\nContent-Type: text/event-stream\r\n"));
    assert!(answer.contains("\r\nAccess-Control-Allow-Origin: *\r\n"));
}

#[test]
fn a_silent_stream_is_kept_alive_by_comments_and_a_busy_one_is_not() {
    let silence = Duration::from_millis(300);
    let (sender, streams) = channel();
    let sender = Mutex::new(sender);
    let server = spawn(
        handler(move |h, x| {
            let stream = match x.path {
                "/events" => events::begin(x)?,
                // No other stream gets any.
                _ => {
                    h.send_response(x, Status::OK);
                    h.end_headers(x)?;
                    x.wfile.start_stream()?
                }
            };
            sender.lock().unwrap().send(stream).unwrap();
            Ok(())
        }),
        |limits| limits.stream_keep_alive = silence,
    );
    let start = Instant::now();
    let mut client = Client::new(server.addr());
    client.get("/events").head();
    let stream = streams.recv_timeout(PATIENCE).unwrap();
    let mut other = Client::new(server.addr());
    other.get("/other").head();
    let plain = streams.recv_timeout(PATIENCE).unwrap();
    for count in 1..4 {
        assert_eq!(client.chunk().unwrap(), b":\n\n");
        assert!(start.elapsed() >= count * silence, "{:?}", start.elapsed());
    }
    // As long as something is sent, there are none.
    let start = Instant::now();
    while start.elapsed() < 3 * silence {
        stream.send("data: x\n\n").unwrap();
        std::thread::park_timeout(silence / 20);
    }
    stream.send("data: end\n\n").unwrap();
    let mut comments = 0;
    loop {
        match &*client.chunk().unwrap() {
            b":\n\n" => comments += 1,
            b"data: end\n\n" => break,
            event => assert_eq!(event, b"data: x\n\n"),
        }
    }
    assert_eq!(comments, 0);
    plain.send("data: x\n\n").unwrap();
    assert_eq!(other.chunk().unwrap(), b"data: x\n\n");
}

#[test]
fn a_stub_streams_and_waits_at_its_gates() {
    let events = stream("text/event-stream")
        .header("Cache-Control", "no-store")
        .send(Event::new("one").to_string())
        .then(gate("more"))
        .send("data: two\n\n");
    let server = TestServer::start(
        Stubs::new()
            .on(testing::get("/events").answer(events))
            .on(testing::get("/cut").answer(stream("text/plain").send("some").then(reset())))
            .on(testing::get("/closed").answer(stream("text/plain").send("some").then(close())))
            .on(testing::get("/").answer(testing::status(200).body("index"))),
    );
    let mut client = server.connect();
    client.get("/events").get("/");
    let head = client.head();
    assert_eq!(head.get("Content-Type"), Some("text/event-stream"));
    assert_eq!(head.get("Cache-Control"), Some("no-store"));
    assert_eq!(client.chunk().unwrap(), b"data: one\n\n");
    server.gate("more").open();
    assert_eq!(client.chunk().unwrap(), b"data: two\n\n");
    assert_eq!(client.chunk().unwrap(), b"");
    assert_eq!(client.response().text(), "index");
    for path in ["/cut", "/closed"] {
        let mut client = server.connect();
        client.get(path).head();
        let rest = client.rest_or_reset();
        assert_eq!(rest, b"4\r\nsome\r\n", "{path}");
    }
}
