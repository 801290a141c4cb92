//! When connections run out, the longest idle one goes, and a new client gets an answer.

use std::time::Duration;

use crate::client::{Client, crowd, get};
use crate::lifesupport::{Gate, spawn};
use crate::support::{echo, handler, limits, until};
use servette::{Exchange, HttpServer, RequestHandler, Result, Status, base};

#[test]
fn beyond_the_limit_the_longest_idle_connection_is_closed() {
    let limits = limits(|limits| limits.max_connections = 4);
    let server = HttpServer::builder(handler(echo))
        .limits(limits)
        .bind("127.0.0.1:0")
        .unwrap();
    let server = server.spawn().unwrap();
    let client = || {
        let mut client = Client::new(server.addr());
        client.get("/").response();
        client
    };
    let [mut a, b, mut c, d] = [client(), client(), client(), client()];
    // Now the order is b, d, a, c; and c is sending a head.
    a.get("/").response();
    c.send("GET /c HT");
    // A byte does not make it new.
    for mut expected in [b, d, a] {
        let mut new = client();
        expected.is_closed_silently();
        c.send("T");
        new.get("/").response();
        std::mem::forget(new.stream);
    }
}

#[test]
fn a_connection_that_is_sending_a_head_goes_only_where_none_is_idle() {
    let limits = limits(|limits| limits.max_connections = 2);
    let server = HttpServer::builder(handler(echo))
        .limits(limits)
        .timeout(Duration::from_millis(50))
        .bind("127.0.0.1:0")
        .unwrap();
    // Served step by step, so that it is known what the server has seen.
    let settle = || while server.handle_request().unwrap() {};
    let client = || Client::new(server.server_address());
    let [mut older, mut newer] = [client(), client()];
    older.get("/");
    settle();
    newer.get("/");
    settle();
    older.response();
    newer.response();
    older.send("GET /");
    settle();
    let mut third = client();
    third.get("/third");
    settle();
    assert_eq!(third.response().text(), "/third");
    newer.is_closed_silently();
    third.send("GET /");
    settle();
    // Bytes don't make it newer.
    older.send("older");
    settle();
    let mut fourth = client();
    fourth.get("/fourth");
    settle();
    assert_eq!(fourth.response().text(), "/fourth");
    older.is_closed_silently();
    third.send(" HTTP/1.1\r\nHost: x\r\n\r\n");
    settle();
    assert_eq!(third.response().text(), "/");
}

/// Blocks at a gate, and has an error page of its own.
struct Busy(Gate);

impl RequestHandler for Busy {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.0.pass();
        echo(&self, x)
    }

    fn send_error(&self, x: &mut Exchange<'_>, status: Status<'_>) -> Result<()> {
        assert_eq!((x.command, x.path, x.requestline), ("", "", ""));
        base::send_error(self, x, status)
    }

    fn send_response_only(&self, x: &mut Exchange<'_>, status: Status<'_>) {
        base::send_response_only(self, x, status);
        if status.code() == 503 {
            self.send_header(x, "X-Page", "own");
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

#[test]
fn if_no_connection_is_idle_the_new_client_gets_a_503_from_the_handler() {
    let gate = Gate::default();
    let server = spawn(Busy(gate.clone()), |limits| limits.max_connections = 3);
    let client = || Client::new(server.addr());
    let mut busy = crowd(3, server.addr(), get("/busy"));
    gate.await_comers(3);
    // Each is told so, also those that come while the ones before still read it.
    let mut refused: Vec<_> = (0..6).map(|_| client()).collect();
    for refused in &mut refused {
        // Its second write would fail if the first had met a closed socket.
        refused.get("/never").get("/read");
        let answer = refused.response();
        assert_eq!((answer.status, answer.get("X-Page")), (503, Some("own")));
        assert!(answer.says_close());
        refused.assert_end();
    }
    gate.open();
    for client in &mut busy {
        assert_eq!(client.response().text(), "/busy");
    }
    // A client may have its answer before its connection counts as idle.
    until("a connection makes room", || {
        client().get("/free").response().text() == "/free"
    });
}
