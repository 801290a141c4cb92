//! An answer may wait a moment for the rest of a body that no handler reads. Whatever happens meanwhile, it arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Client, get};
use crate::lifesupport::{secured, spawn_both};
use crate::support::{PATIENCE, echo, handler, is_late, limits, until};
use servette::{
    Connection, Error, Exchange, HttpServer, Next, RequestHandler, Result, ThreadingHttpServer,
};

/// Its body never comes whole.
const UNFINISHED: &str = "POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc";

/// Ends its connections behind the first request, in this way.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Close,
    Error,
    Panic,
    /// It asks for a second request first.
    Twice,
}

impl RequestHandler for Ends {
    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        self.handle_one_request(conn)?;
        match self {
            Ends::Close => Ok(Next::Close),
            Ends::Error => Err(Error::other("on purpose")),
            Ends::Panic => panic!("on purpose"),
            Ends::Twice => {
                self.handle_one_request(conn)?;
                Ok(Next::Close)
            }
        }
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        echo(self, x)
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

#[test]
fn an_override_of_handle_that_ends_the_connection_loses_no_response() {
    for ends in [Ends::Close, Ends::Error, Ends::Panic, Ends::Twice] {
        for server in spawn_both(ends) {
            let start = Instant::now();
            let mut client = Client::new(server.addr());
            client.send(UNFINISHED);
            assert_eq!(client.response().text(), "/unread", "{ends:?}");
            // Not only at the deadline of the next head, 15 s.
            assert!(start.elapsed() < Duration::from_secs(8), "{ends:?}");
        }
    }
}

#[test]
fn the_response_does_not_wait_for_long() {
    for server in spawn_both(handler(echo)) {
        let start = Instant::now();
        let mut client = Client::new(server.addr());
        client.send(UNFINISHED);
        assert_eq!(client.response().text(), "/unread");
        assert!(start.elapsed() < Duration::from_secs(1));
        // The rest still belongs to the body.
        client.send("defghij").get("/next");
        assert_eq!(client.response().text(), "/next");
    }
}

#[test]
fn handle_request_returns_after_its_response_is_sent() {
    let server = HttpServer::bind("127.0.0.1:0", handler(echo)).unwrap();
    let mut client = Client::new(server.server_address());
    client.send(UNFINISHED);
    assert!(server.handle_request().unwrap());
    // Nobody serves any more.
    assert_eq!(client.response().text(), "/unread");
}

#[test]
fn neither_shutdown_nor_eviction_loses_a_response() {
    let handled = Arc::<AtomicUsize>::default();
    let count = handled.clone();
    let counting = Arc::new(handler(move |h, x| {
        count.fetch_add(1, Ordering::SeqCst);
        echo(h, x)
    }));
    for server in spawn_both(counting.clone()) {
        handled.store(0, Ordering::SeqCst);
        let mut client = Client::new(server.addr());
        client.send(get("/first") + &get("/first") + UNFINISHED);
        until("all are handled", || handled.load(Ordering::SeqCst) == 3);
        assert_eq!(server.shutdown(PATIENCE).unwrap(), 0);
        for path in ["/first", "/first", "/unread"] {
            assert_eq!(client.response().text(), path);
        }
    }
    handled.store(0, Ordering::SeqCst);
    let server = secured(ThreadingHttpServer::builder(counting));
    let server = server.limits(limits(|limits| limits.max_connections = 2));
    let server = server.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    let mut clients = [(); 2].map(|()| Client::new(server.addr()));
    for client in &mut clients {
        client.send(UNFINISHED);
    }
    // One that has no request yet may have to make room.
    until("both are handled", || handled.load(Ordering::SeqCst) == 2);
    let mut third = Client::new(server.addr());
    third.get("/third").response();
    for client in &mut clients {
        assert_eq!(client.response().text(), "/unread");
    }
}

/// The server drops a share of a body at a time. The end of one may be the end of the other.
#[test]
fn a_body_that_ends_with_a_share_ends_the_wait() {
    for server in spawn_both(handler(echo)) {
        for length in [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20] {
            let mut client = Client::new(server.addr());
            client.send(format!(
                "POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n"
            ));
            assert_eq!(client.response().text(), "/unread");
            let start = Instant::now();
            client.send(vec![b'x'; length]);
            client.assert_end();
            // The lingering end would take 2 s.
            assert!(start.elapsed() < Duration::from_millis(1500), "{length}");
        }
    }
}

/// Some clients (reqwest) take the end of the stream for an error while they send.
#[test]
fn the_end_of_the_stream_comes_after_the_body() {
    const LENGTH: usize = 300_000;
    let server = secured(ThreadingHttpServer::builder(handler(echo)));
    let server = server.limits(limits(|limits| limits.linger_deadline = PATIENCE));
    let server = server.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    let mut client = Client::new(server.addr());
    client.send(format!(
        "POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: {LENGTH}\r\n\r\n"
    ));
    client.send(vec![b'x'; LENGTH / 2]);
    assert!(client.response().says_close());
    client
        .stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let error = client.stream.peek(&mut [0]).unwrap_err();
    assert!(is_late(&error), "the end");
    client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send(vec![b'x'; LENGTH - LENGTH / 2]);
    client.assert_end();
}
