//! When a connection is kept, and that the last response says so (RFC 9112, 9.3 and 9.6).

use std::fmt;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, mpsc};

use crate::client::{Client, get};
use crate::lifesupport::secured;
use crate::support::{Ask, PATIENCE, fixture, handler, limits, serve, serve_http10, text};
use servette::testing::TestServer;
use servette::{
    Connection, Error, Exchange, HttpServer, Next, RequestHandler, Result, Status,
    ThreadingHttpServer, base,
};

const OLD: &str = "GET / HTTP/1.0\r\n\r\n";
const OLD_KEPT: &str = "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
const CLOSE: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/// What the response says about the connection, and whether it lives.
#[track_caller]
fn fate(server: &TestServer, request: &str) -> (Option<String>, bool) {
    let mut client = server.connect();
    client.send(request).send(request);
    let response = client.response();
    let lives = client.try_response("GET").is_ok();
    if !lives {
        client.assert_end();
    }
    (response.get("Connection").map(str::to_owned), lives)
}

fn said(text: &str, lives: bool) -> (Option<String>, bool) {
    (Some(text.to_owned()), lives)
}

#[test]
fn http_1_1_persists_unless_somebody_says_close() {
    let server = serve(|h, x| text(h, x, "x"));
    assert_eq!(fate(&server, &get("/")), (None, true));
    assert_eq!(fate(&server, CLOSE), said("close", false));
}

#[test]
fn http_1_0_persists_if_it_asks_and_is_told_so() {
    let server = serve(|h, x| text(h, x, "x"));
    assert_eq!(fate(&server, OLD), said("close", false));
    assert_eq!(fate(&server, OLD_KEPT), said("keep-alive", true));
}

#[test]
fn a_handler_of_http_1_0_keeps_nothing() {
    let server = serve_http10(|h, x| text(h, x, "x"));
    for request in [&get("/"), OLD, OLD_KEPT, CLOSE] {
        assert_eq!(fate(&server, request), (None, false), "{request}");
    }
    let willing = serve_http10(|h, x| {
        h.send_response(x, Status::OK);
        h.send_header(x, "Connection", "keep-alive");
        h.end_headers(x)
    });
    assert_eq!(fate(&willing, &get("/")), said("close", false));
}

/// A server whose handler has a wish about the connection.
fn with_wish<W>(wish: W) -> TestServer
where
    W: Fn(&dyn RequestHandler, &mut Exchange<'_>) + Send + Sync + 'static,
{
    serve(move |h, x| {
        h.send_response(x, Status::OK);
        wish(h, x);
        h.send_header(x, "Content-Length", "0");
        h.end_headers(x)
    })
}

#[test]
fn a_handler_can_close() {
    let by_field = with_wish(|h, x| h.send_header(x, "connection", "Close"));
    let by_flag = with_wish(|_, x| x.close_connection.set(true));
    let by_both = with_wish(|h, x| {
        x.close_connection.set(true);
        h.send_header(x, "Connection", "close");
    });
    for server in [by_field, by_flag, by_both] {
        for request in [&get("/"), OLD_KEPT] {
            assert_eq!(fate(&server, request), said("close", false));
        }
    }
}

#[test]
fn a_handler_can_close_after_the_head() {
    let server = serve(|h, x| {
        text(h, x, "x")?;
        x.close_connection.set(true);
        Ok(())
    });
    assert!(!fate(&server, &get("/")).1);
}

/// Python: test_return_header_keep_alive.
#[test]
fn a_handler_can_keep_what_both_sides_can_keep() {
    let server = with_wish(|h, x| h.send_header(x, "Connection", "keep-alive"));
    assert_eq!(fate(&server, &get("/")), said("keep-alive", true));
    assert_eq!(fate(&server, OLD_KEPT), said("keep-alive", true));
    let undecided = with_wish(|h, x| {
        x.close_connection.set(true);
        h.send_header(x, "Connection", "keep-alive");
    });
    assert_eq!(fate(&undecided, &get("/")), said("keep-alive", true));
}

#[test]
fn no_handler_can_keep_what_the_client_ends() {
    let by_field = with_wish(|h, x| h.send_header(x, "Connection", "keep-alive"));
    let by_flag = with_wish(|_, x| x.close_connection.set(false));
    for server in [by_field, by_flag] {
        for request in [OLD, CLOSE] {
            assert_eq!(fate(&server, request), said("close", false), "{request}");
        }
    }
}

#[test]
fn other_connection_options_of_a_handler_stay() {
    let server = with_wish(|h, x| h.send_header(x, "Connection", "x-hop"));
    assert_eq!(fate(&server, &get("/")), said("x-hop", true));
}

#[test]
fn ordinary_errors_keep_and_doubtful_ones_close() {
    let server = serve(|h, x| {
        let code = x.path[1..].parse().unwrap();
        h.send_error(x, Status::new(code))
    });
    for code in [401, 403, 404, 405, 406, 409, 412, 416, 500, 501, 503] {
        let path = format!("/{code}");
        assert_eq!(fate(&server, &get(&path)), (None, true), "{code}");
    }
    for code in [400, 408, 411, 413, 414, 417, 431, 505] {
        let path = format!("/{code}");
        assert_eq!(fate(&server, &get(&path)), said("close", false), "{code}");
    }
}

#[test]
fn an_error_that_a_hook_returns_closes_whatever_the_handler_wishes() {
    struct Stubborn;
    impl RequestHandler for Stubborn {
        fn do_method(&self, _: &mut Exchange<'_>) -> Result<()> {
            Err(Error::other("broken"))
        }
        fn send_error(&self, x: &mut Exchange<'_>, status: Status<'_>) -> Result<()> {
            self.send_response(x, status);
            self.send_header(x, "Connection", "keep-alive");
            x.close_connection.set(false);
            self.end_headers(x)
        }
    }
    let server = fixture().start(Stubborn);
    assert_eq!(fate(&server, &get("/")), said("close", false));
    assert_eq!(fate(&server, "GET /\r\n\r\n"), said("close", false));
}

#[test]
fn a_client_that_leaves_between_requests_gets_an_orderly_end() {
    let server = serve(|h, x| text(h, x, "x"));
    let mut client = server.connect();
    client.send(get("/")).response();
    client.send(get("/")).finish();
    client.response();
    client.assert_end();
}

/// RFC 9112, 9.6: a reset would destroy the answer on its way.
#[test]
fn a_client_that_goes_on_sending_after_the_server_has_closed_is_not_reset() {
    let by_flag = with_wish(|_, x| x.close_connection.set(true));
    let by_version = serve_http10(|h, x| text(h, x, "x"));
    for server in [by_flag, by_version] {
        let mut client = server.connect();
        client.send(get("/1")).response();
        client.send(get("/2")).send("x".repeat(100_000)).finish();
        client.assert_end();
    }
}

#[test]
fn others_are_served_while_a_client_sends_on_after_the_server_has_closed() {
    let server = HttpServer::builder(handler(|h, x| {
        x.close_connection.set(x.path == "/last");
        text(h, x, "x")
    }));
    let server = server.limits(limits(|limits| {
        limits.linger = 1 << 40;
        limits.linger_deadline = 2 * PATIENCE;
    }));
    let server = server.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    let mut client = Client::new(server.addr());
    client.get("/last").response();
    let is_enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_enough.load(SeqCst) {
                client.send([b'x'; 64 << 10]);
            }
            client.finish().assert_end();
        });
        let mut other = Client::new(server.addr());
        for _ in 0..100 {
            assert_eq!(other.get("/").response().text(), "x");
        }
        is_enough.store(true, SeqCst);
    });
}

/// Answers one request, and ends the connection without having said so, or with an error.
struct Leaves {
    by_error: bool,
}

impl RequestHandler for Leaves {
    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        self.handle_one_request(conn)?;
        match self.by_error {
            true => Err(Error::other("enough")),
            false => Ok(Next::Close),
        }
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        text(self, x, "x")
    }

    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

#[test]
fn a_client_that_a_handler_leaves_is_not_reset() {
    for by_error in [false, true] {
        let builder =
            secured(ThreadingHttpServer::builder(Leaves { by_error })).handle_error(|_, _| ());
        let server = builder.bind("127.0.0.1:0").unwrap().spawn().unwrap();
        let mut client = Client::new(server.addr());
        client.send(get("/") + &"x".repeat(100_000)).finish();
        assert_eq!(client.response().text(), "x");
        client.assert_end();
    }
}

/// That it is not whole is seen by its chunks, and the reset would destroy the one before.
#[test]
fn a_client_whose_chunked_response_is_incomplete_is_not_reset() {
    let server = serve(|h, x| {
        if x.path == "/whole" {
            return text(h, x, "x");
        }
        h.send_response(x, Status::OK);
        h.send_header(x, "Transfer-Encoding", "chunked");
        h.end_headers(x)?;
        x.wfile.write_all(b"some")?;
        x.wfile.flush()?;
        Err(Error::other("broken"))
    });
    let mut client = server.connect();
    let requests = get("/whole") + &get("/cut") + &"x".repeat(100_000);
    client.send(requests).finish();
    assert_eq!(client.response().text(), "x");
    client.head();
    assert_eq!(client.chunk().unwrap(), b"some");
    client.assert_end();
}

/// Serves as usual, but then stops before the connection is closed or kept.
struct Stops {
    served: mpsc::SyncSender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl RequestHandler for Stops {
    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        let next = base::handle(self, conn)?;
        self.served.send(()).unwrap();
        self.go_on.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        Ok(next)
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        text(self, x, "x")
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

/// A server that stops each time it has answered; then it says so, and goes on when it is told to.
fn stopping() -> (TestServer, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (served, is_served) = mpsc::sync_channel(0);
    let (go_on, goes_on) = mpsc::channel();
    let server = fixture().start(Stops {
        served,
        go_on: Mutex::new(goes_on),
    });
    (server, is_served, go_on)
}

/// The last one could go in one segment with the end of the stream, but only where none of the program's code runs in
/// between. (Held back, it would come some 0.2 s later.)
#[test]
fn no_response_waits_for_what_an_override_of_handle_does_after_it() {
    let (server, is_served, go_on) = stopping();
    let is_here = |client: &mut Client| {
        is_served.recv_timeout(PATIENCE).unwrap();
        client.stream.set_nonblocking(true).unwrap();
        let peeked = client.stream.peek(&mut [0]);
        client.stream.set_nonblocking(false).unwrap();
        !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
    };
    let mut here = 0;
    for _ in 0..9 {
        let mut client = server.connect();
        client.send(CLOSE);
        here += usize::from(is_here(&mut client));
        go_on.send(()).unwrap();
        assert_eq!(client.response().text(), "x");
        client.assert_end();
    }
    assert!(here > 4, "{here}");
}

/// A socket that is closed with something unread drops what waits in it.
#[test]
fn a_client_that_sent_close_and_goes_on_sending_gets_the_last_response_and_is_not_reset() {
    let (server, is_served, go_on) = stopping();
    for request in [CLOSE, OLD] {
        for more in ["\r\n", CLOSE, &"x".repeat(100_000)] {
            let mut client = server.connect();
            client.send(request);
            is_served.recv_timeout(PATIENCE).unwrap();
            client.send(more);
            go_on.send(()).unwrap();
            assert_eq!(client.response().text(), "x");
            client.finish().assert_end();
        }
    }
}
