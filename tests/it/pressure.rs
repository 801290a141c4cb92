//! Descriptors that run out, clients that reset or leave half-way: the server lives on.

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::lifesupport::child::{Child, serves};
use crate::lifesupport::{spawn, spawn_single};
use crate::support::{echo, handler, until};
use servette::{RunningServer, Status};

/// Answers `/read` when it has read the body, `/big` with more than sockets hold, others at once.
fn serve() -> RunningServer {
    let handler = handler(|h, x| match x.path {
        "/read" => {
            x.rfile.discard()?;
            echo(h, x)
        }
        "/big" => {
            h.send_response(x, Status::OK);
            h.end_headers(x)?;
            let block = [b'x'; 64 << 10];
            (0..512).try_for_each(|_| x.wfile.write_all(&block))?;
            Ok(())
        }
        _ => echo(h, x),
    });
    spawn(handler, |limits| {
        limits.linger_deadline = Duration::from_millis(300)
    })
}

#[test]
fn more_clients_than_descriptors() {
    if serves(serve) {
        return;
    }
    // So few that the reserve for other things is not left either.
    let child = Child::start("pressure::more_clients_than_descriptors", Some(30));
    let at_rest = child.descriptors();
    let mut idle: Vec<_> = (0..200).map(|_| Client::new(child.address)).collect();
    // The last of them get their answers: the longest idle ones made room.
    for client in idle.iter_mut().rev().take(3) {
        assert_eq!(client.get("/late").response().text(), "/late");
    }
    idle.clear();
    until("all are given back", || child.descriptors() <= at_rest);
    // Nobody is idle now: all descriptors are held by requests that run.
    let head = "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n";
    let mut busy = Vec::new();
    for _ in 0..60 {
        let mut client = Client::new(child.address);
        // The server may be closing it already.
        let _ = client.stream.write_all(head.as_bytes());
        busy.push(client);
    }
    until("no descriptor is left", || child.descriptors() >= 30);
    let before = child.ticks();
    std::thread::park_timeout(Duration::from_millis(1000));
    let ticks = child.ticks() - before;
    assert!(
        ticks < 25,
        "{ticks} ticks of processor time in a second of waiting"
    );
    // As they end, the others come in.
    for client in &mut busy {
        // Beyond the limit of connections the answer may be a 503, or the connection may be gone.
        let _ = client.stream.write_all(b"x");
    }
    let codes: Vec<_> = busy
        .iter_mut()
        .filter_map(|client| client.response_or_end())
        .map(|answer| answer.status)
        .collect();
    assert!(
        codes.iter().all(|code| [200, 503].contains(code)),
        "{codes:?}"
    );
    assert!(
        codes.iter().filter(|&&code| code == 200).count() >= 10,
        "{codes:?}"
    );
    busy.clear();
    until("it serves as before", || {
        Client::new(child.address)
            .get("/again")
            .response_or_end()
            .is_some_and(|answer| answer.status == 200)
    });
}

#[test]
fn descriptors_are_closed() {
    if serves(serve) {
        return;
    }
    let child = Child::start("pressure::descriptors_are_closed", None);
    let mut first = Client::new(child.address);
    first.get("/").response();
    let before = child.descriptors();
    for round in 0..2_000 {
        let mut client = Client::new(child.address);
        match round % 4 {
            0 => {}
            1 => drop(client.get("/").response()),
            2 => drop(client.send("GET / HT")),
            _ => {
                let client = client.send("GET / HT");
                client.stream.shutdown(Shutdown::Both).unwrap();
            }
        }
    }
    until("all are given back", || child.descriptors() <= before);
    assert_eq!(first.get("/").response().status, 200);
}

#[test]
fn resets_in_every_phase() {
    let server = serve();
    let parts: [&[u8]; 7] = [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT",
        b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123",
        b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n123",
        b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n",
    ];
    for round in 0..20 {
        for part in parts {
            let mut client = Client::new(server.addr());
            client.send(part);
            if round % 2 == 0 && part.ends_with(b"x\r\n\r\n") {
                // In the midst of the answer.
                std::io::Read::read(&mut client.stream, &mut [0; 9]).unwrap();
            }
            client.reset();
        }
    }
    assert_eq!(
        Client::new(server.addr()).get("/on").response().text(),
        "/on"
    );
    // None of them holds a thread.
    let start = Instant::now();
    assert_eq!(server.shutdown(Duration::from_secs(10)).unwrap(), 0);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn half_closed_clients_get_their_responses() {
    for server in [serve(), spawn_single(handler(echo))] {
        for _ in 0..50 {
            let requests = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n";
            let mut client = Client::new(server.addr());
            client.send(requests);
            client.finish();
            assert_eq!(client.response().text(), "/1");
            assert_eq!(client.response().text(), "/2");
            client.is_closed_silently();
            // And where the end comes later than the answer.
            let mut client = Client::new(server.addr());
            assert_eq!(client.get("/").response().text(), "/");
            client.finish();
            client.is_closed_silently();
        }
        // A head that does not come whole any more.
        let mut client = Client::new(server.addr());
        client.send("GET / HTTP/1.1\r\n");
        client.finish();
        let rest = client.rest_or_reset();
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400 "));
    }
}

#[test]
fn a_server_at_rest_uses_no_processor() {
    if serves(serve) {
        return;
    }
    let child = Child::start("pressure::a_server_at_rest_uses_no_processor", None);
    let mut clients: Vec<_> = (0..100).map(|_| Client::new(child.address)).collect();
    for client in &mut clients {
        client.get("/").response();
    }
    let before = child.ticks();
    std::thread::park_timeout(Duration::from_millis(600));
    assert!(child.ticks() - before <= 3);
}
