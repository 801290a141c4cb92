//! Streams that were taken out of their server: `DetachedStream`.

use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::client::{Client, get};
use crate::lifesupport::spawn;
use crate::support::{Ask, PATIENCE, echo, handler, serve, until};
use servette::testing::TestServer;
use servette::{DetachedStream, Error};

/// A server that hands its connections to the test.
fn detaching() -> (TestServer, Receiver<DetachedStream>) {
    let (give, take) = channel();
    let give = Mutex::new(give);
    let server = serve(move |_, x| {
        give.lock().unwrap().send(x.detach()?).unwrap();
        Ok(())
    });
    (server, take)
}

/// A client, and the stream to it.
fn pair() -> (Client, DetachedStream) {
    let (server, streams) = detaching();
    let mut client = server.connect();
    client.get("/");
    (client, streams.recv_timeout(PATIENCE).unwrap())
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

#[test]
fn reads_and_writes_have_timeouts() {
    let (mut client, mut stream) = pair();
    let brief = Some(Duration::from_millis(20));
    for error in [
        stream.set_read_timeout(Some(Duration::ZERO)),
        stream.set_write_timeout(Some(Duration::ZERO)),
    ] {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    stream.set_read_timeout(brief).unwrap();
    let mut word = [0; 4];
    let error = stream.read(&mut word).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    stream.set_read_timeout(None).unwrap();
    client.send("late");
    stream.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"late");
    stream.set_write_timeout(brief).unwrap();
    // More than the sockets take.
    let content = content(32 << 20);
    let mut sent = 0;
    let error = loop {
        match stream.write(&content[sent..]) {
            Ok(count) => sent += count,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(sent < content.len());
    // Nothing is lost or sent twice.
    stream.set_write_timeout(None).unwrap();
    let expected = content.clone();
    let writer = thread::spawn(move || stream.write_all(&content[sent..]).unwrap());
    assert!(client.rest().unwrap() == expected);
    writer.join().unwrap();
}

#[test]
fn a_connection_is_detached_once() {
    let server = serve(|_, x| {
        let mut stream = x.detach()?;
        for error in [x.detach().map(drop), x.raw_stream().map(drop)] {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("was detached before"), "{error}");
        }
        Ok(stream.write_all(b"once")?)
    });
    let mut client = server.connect();
    client.get("/");
    assert_eq!(client.rest().unwrap(), b"once");
}

#[test]
fn the_sending_direction_can_end_first() {
    let (mut client, mut stream) = pair();
    stream.write_all(b"all").unwrap();
    stream.shutdown_write();
    assert_eq!(client.rest().unwrap(), b"all");
    client.send("thanks").finish();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "thanks");
    assert!(stream.write(b"more").is_err());
}

#[test]
fn two_threads_read_and_write_at_the_same_time() {
    let (mut client, stream) = pair();
    let stream = Arc::new(stream);
    let reading = stream.clone();
    let (ready, is_ready) = channel();
    let reader = thread::spawn(move || {
        let mut word = [0; 5];
        (&*reading).read_exact(&mut word).unwrap();
        ready.send(()).unwrap();
        let mut rest = Vec::new();
        (&*reading).read_to_end(&mut rest).unwrap();
        rest
    });
    // The reader waits for more.
    client.send("first");
    is_ready.recv_timeout(PATIENCE).unwrap();
    let size = 8 << 20;
    let writer = thread::spawn(move || {
        (&*stream).write_all(&content(size)).unwrap();
        stream.shutdown_write();
    });
    assert!(client.rest().unwrap() == content(size));
    writer.join().unwrap();
    client.send("last").finish();
    assert_eq!(reader.join().unwrap(), b"last");
}

#[test]
fn debug_shows_no_byte_that_was_read_ahead() {
    let (server, streams) = detaching();
    let mut client = server.connect();
    client.send(get("/") + "password");
    let stream = streams.recv_timeout(PATIENCE).unwrap();
    assert_eq!(stream.read_ahead(), b"password");
    let shown = format!("{stream:?}");
    assert!(shown.contains("read_ahead: 8"), "{shown}");
    assert!(!shown.contains("112, 97, 115"), "{shown}");
}

#[test]
fn detached_connections_count_until_their_streams_are_dropped() {
    let (give, streams) = channel();
    let give = Mutex::new(give);
    let server = spawn(
        handler(move |h, x| match x.path {
            "/detach" => {
                give.lock().unwrap().send(x.detach()?).unwrap();
                Ok(())
            }
            _ => echo(h, x),
        }),
        |limits| limits.max_connections = 2,
    );
    let detached = || {
        let mut client = Client::new(server.addr());
        client.get("/detach");
        let stream = streams.recv_timeout(PATIENCE).unwrap();
        (client, stream)
    };
    let answer = || {
        let mut client = Client::new(server.addr());
        client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        client.response().status
    };
    let first = detached();
    assert_eq!(answer(), 200);
    let mut second = None;
    until("a place for a second stream", || {
        let mut client = Client::new(server.addr());
        client.get("/detach");
        second = streams
            .recv_timeout(Duration::from_millis(100))
            .ok()
            .map(|stream| (client, stream));
        second.is_some()
    });
    for _ in 0..3 {
        assert_eq!(answer(), 503);
    }
    drop(first);
    until("a place", || answer() == 200);
    // A stream that is split counts no longer.
    let (_client, stream) = second.unwrap();
    let _parts = stream.into_parts().unwrap();
    let _third = detached();
    until("another place", || answer() == 200);
}

#[test]
fn the_error_of_a_client_that_has_left_sends_and_logs_nothing() {
    let server = serve(|h, x| {
        if x.path == "/page" {
            return echo(h, x);
        }
        until("the end of the client", || x.client_has_disconnected());
        Err(Error::client_disconnected())
    });
    let mut client = server.connect();
    client.send(get("/page") + &get("/long")).finish();
    assert_eq!(client.response().text(), "/page");
    client.is_closed_silently();
    let log = server.logged();
    assert!(log.iter().all(|line| line.contains("GET /page")), "{log:?}");
}
