//! Connections that wait cost no thread and block nobody.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::client::{Client, get};
use crate::lifesupport::{secured, spawn, spawn_single};
use crate::support::{PATIENCE, echo, handler, limits, text};
use servette::HttpServer;

#[test]
fn waiting_connections_block_no_other_on_a_single_thread() {
    let server = spawn_single(handler(echo));
    let client = || Client::new(server.addr());
    let mut opened: Vec<_> = (0..40).map(|_| client()).collect();
    let mut kept: Vec<_> = (0..40).map(|_| client()).collect();
    for kept in &mut kept {
        assert_eq!(kept.get("/first").response().text(), "/first");
    }
    let mut partial: Vec<_> = (0..40).map(|_| client()).collect();
    for partial in &mut partial {
        partial.send("GET /part");
    }
    assert_eq!(client().get("/beside").response().text(), "/beside");
    for partial in &mut partial {
        partial.send("ial HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(partial.response().text(), "/partial");
    }
    for client in kept.iter_mut().chain(&mut opened).rev() {
        assert_eq!(client.get("/later").response().text(), "/later");
    }
}

#[test]
fn partial_heads_take_no_thread() {
    let server = spawn(handler(echo), |limits| limits.max_threads = 2);
    let mut partial: Vec<_> = (0..30).map(|_| Client::new(server.addr())).collect();
    for part in ["GET", " /x HTTP/1.1\r", "\nHost:", " x\r\n"] {
        for partial in &mut partial {
            partial.send(part);
        }
        let mut beside = Client::new(server.addr());
        assert_eq!(beside.get("/beside").response().text(), "/beside");
    }
    for partial in &mut partial {
        assert_eq!(partial.send("\r\n").response().text(), "/x");
    }
}

/// The pieces are events of their own: a request on another connection is answered between them.
#[test]
fn long_heads_that_arrive_in_pieces_beside_others_are_answered() {
    let told = handler(|h, x| {
        let mut body = String::new();
        x.rfile.read_to_string(&mut body)?;
        let fields = x.headers.get_all("X-Long");
        let told: Vec<&str> = fields.chain([x.path, &body]).collect();
        text(h, x, &told.join(" "))
    });
    // The pieces of a head take long on a busy machine.
    let patient = limits(|limits| limits.head_deadline = 10 * PATIENCE);
    let server = secured(HttpServer::builder(told)).limits(patient);
    let server = server.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    let values = |name: &str| -> Vec<String> {
        let value = |field: usize| (0..13_000).map(move |at| (at * field % 9973).to_string());
        (1..5)
            .map(|field| value(field).collect::<String>() + name)
            .collect()
    };
    let sent = |name: &str| {
        let lines = values(name)
            .into_iter()
            .map(|value| format!("X-Long: {value}\r\n"));
        let lines: String = lines.collect();
        let head = format!("POST /{name} HTTP/1.1\r\nHost: h\r\n{lines}Content-Length: 4\r\n\r\n");
        head + "body" + &get("/next")
    };
    let mut beside = Client::new(server.addr());
    let mut long = ["a", "b"].map(|name| (name, Client::new(server.addr()), sent(name)));
    let length = long[0].2.len();
    assert!((200_000..250_000).contains(&length), "{length}");
    for start in (0..length).step_by(501) {
        for (_, client, sent) in &mut long {
            client.send(&sent[start..sent.len().min(start + 501)]);
        }
        assert_eq!(beside.get("/beside").response().text(), "/beside ");
    }
    for (name, client, _) in &mut long {
        let told = format!("{} /{name} body", values(name).join(" "));
        assert!(client.response().text() == told, "/{name}");
        assert_eq!(client.response().text(), "/next ");
    }
}

#[cfg(target_os = "linux")]
mod in_a_child {
    use super::*;
    use crate::lifesupport::child::{Child, serves};
    use crate::lifesupport::raise_descriptors;

    fn server() -> servette::RunningServer {
        spawn(handler(echo), |_| ())
    }

    #[test]
    fn a_thousand_idle_connections_beside_a_hundred_active_ones_need_no_threads() {
        if serves(server) {
            return;
        }
        let child = Child::start(
            "idle::in_a_child::a_thousand_idle_connections_beside_a_hundred_active_ones_need_no_threads",
            None,
        );
        if raise_descriptors() < 1_400 {
            eprintln!("skipped: too few descriptors");
            return;
        }
        let client = |_| Client::new(child.address);
        let mut idle: Vec<_> = (0..1000).map(client).collect();
        for client in idle.iter_mut().skip(500) {
            client.get("/once").response();
        }
        // Of the test's harness two, of the server the one that leads and one or two that have handled
        // these requests, which came one by one; a few more where the machine is busy.
        let idle_threads = child.threads();
        assert!(idle_threads <= 20, "{idle_threads} threads");
        let mut active: Vec<_> = (0..100).map(client).collect();
        for round in 0..10 {
            let path = format!("/{round}");
            for client in &mut active {
                client.get(&path);
            }
            for client in &mut active {
                assert_eq!(client.response().text(), path);
            }
        }
        // At most one for each that was active.
        let threads = child.threads();
        assert!(threads <= idle_threads + 100, "{threads} threads");
        for client in &mut idle {
            assert_eq!(client.get("/again").response().text(), "/again");
        }
    }

    #[test]
    fn an_idle_connection_takes_less_than_2_kib() {
        if serves(server) {
            return;
        }
        let child = Child::start(
            "idle::in_a_child::an_idle_connection_takes_less_than_2_kib",
            None,
        );
        let count = raise_descriptors().saturating_sub(500).min(5_000);
        if count < 2_000 {
            eprintln!("skipped: too few descriptors");
            return;
        }
        let client = |_| {
            let mut client = Client::new(child.address);
            client.get("/").response();
            // The buffer of the client is not the child's affair, but there are many of them.
            client.stream
        };
        let _warm: Vec<_> = (0..200).map(client).collect();
        let before = child.memory();
        let _idle: Vec<_> = (0..count).map(client).collect();
        let each = child.memory().saturating_sub(before) / count;
        println!("{each} bytes of resident memory for each of {count} idle connections");
        // The allocator and the pages it touches are counted too, so this is above the promise.
        assert!(each < 1_536, "{each} bytes per connection");
    }
}

#[test]
fn bodies_that_nobody_reads_hold_up_nobody_on_a_single_thread() {
    let server = spawn_single(handler(|h, x| text(h, x, "ok")));
    let mut unsaid: Vec<_> = (0..3).map(|_| Client::new(server.addr())).collect();
    for client in &mut unsaid {
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
        assert_eq!(client.response().status, 200);
    }
    let start = Instant::now();
    assert_eq!(Client::new(server.addr()).get("/").response().status, 200);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    // What is here already is read off, and the connection kept.
    let mut client = Client::new(server.addr());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(client.response().status, 200);
    assert_eq!(client.get("/").response().status, 200);
}
