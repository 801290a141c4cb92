//! An answer that waits holds nobody else up.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use crate::support::PATIENCE;
#[cfg(unix)]
use crate::support::make_fifo;
use servette::testing::{Stubs, TestServer, gate, get, hang, pause, post, raw, reset, status};

const LONG: Duration = Duration::from_secs(3600);

fn send(server: &TestServer, request: &str) -> TcpStream {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    client
}

/// Others are answered, several times, on new connections and on one that is kept.
fn serves_others(server: &TestServer) {
    let mut kept = send(server, "");
    for _ in 0..3 {
        let request = "GET /quick HTTP/1.1\r\nHost: h\r\n\r\n";
        kept.write_all(request.as_bytes()).unwrap();
        for client in [&mut kept, &mut send(server, request)] {
            assert!(read_head(client).starts_with(b"HTTP/1.1 204 "));
        }
    }
}

/// The head of an answer that has no body.
fn read_head(client: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    head
}

fn with(stubs: Stubs) -> Stubs {
    stubs.on(get("/quick").answer(status(204)))
}

#[test]
fn an_answer_that_waits_holds_nobody_up() {
    let big = || status(200).body(vec![b'x'; 32 << 20]);
    let hello = || status(200).body("hello");
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let waits: [(&str, Stubs); 9] = [
        ("gate", Stubs::new().on(get("/slow").answer(gate("closed")))),
        (
            "gate in the body",
            Stubs::new().on(get("/slow").answer(hello().at(2, gate("closed")))),
        ),
        (
            "gate in a script",
            Stubs::new().on(get("/slow").answer(raw(head).then(gate("closed")))),
        ),
        ("pause", Stubs::new().on(get("/slow").answer(pause(LONG)))),
        (
            "drip",
            Stubs::new().on(get("/slow").answer(hello().drip(1, LONG))),
        ),
        ("hang", Stubs::new().on(get("/slow").answer(hang()))),
        (
            "a client that does not read",
            Stubs::new().on(get("/slow").answer(big())),
        ),
        (
            "the same before a reset",
            Stubs::new().on(get("/slow").answer(big().at(32 << 20, reset()))),
        ),
        (
            "interim",
            Stubs::new().on(get("/slow").answer(hello().interim(103, 1000).at(2, gate("closed")))),
        ),
    ];
    for (what, stubs) in waits {
        println!("{what}");
        let server = TestServer::start(with(stubs));
        let _waits = send(&server, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
        server.wait_for(1, PATIENCE);
        serves_others(&server);
    }
}

#[test]
fn a_client_that_was_slow_to_send_or_to_read_is_served_on() {
    let body = vec![b'x'; 32 << 20];
    let stubs = Stubs::new()
        .on(post("/slow").body_contains("12345").answer(status(201)))
        .on(get("/big").answer(status(200).body(&body)));
    let stubs = with(stubs);
    for was_parked in [true, false] {
        let server = TestServer::start(stubs.clone());
        let mut slow = send(&server, "");
        let quick = "GET /quick HTTP/1.1\r\nHost: h\r\n\r\n";
        if was_parked {
            slow.write_all(quick.as_bytes()).unwrap();
            read_head(&mut slow);
            serves_others(&server);
        }
        let head = "POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n123";
        slow.write_all(head.as_bytes()).unwrap();
        serves_others(&server);
        slow.write_all(b"45").unwrap();
        if was_parked {
            let answer = read_head(&mut slow);
            assert!(answer.starts_with(b"HTTP/1.1 201 "));
            serves_others(&server);
        }
        let big = "GET /big HTTP/1.1\r\nHost: h\r\n\r\n";
        slow.write_all(big.as_bytes()).unwrap();
        server.wait_for(if was_parked { 21 } else { 8 }, PATIENCE);
        serves_others(&server);
        let mut answers = vec![0; body.len()];
        slow.read_exact(&mut answers).unwrap();
        slow.write_all(b"GET /quick HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            .unwrap();
        slow.read_to_end(&mut answers).unwrap();
        assert!(answers.starts_with(b"HTTP/1.1 20"));
        let last = answers.split(|&byte| byte == b'x').next_back().unwrap();
        assert!(
            last.starts_with(b"HTTP/1.1 204 "),
            "{}",
            last.escape_ascii()
        );
    }
}

#[test]
fn code_that_is_added_later_holds_nobody_up() {
    let stubs = with(Stubs::new());
    let server = TestServer::start(stubs.clone());
    serves_others(&server);
    let (let_go, blocked) = mpsc::channel::<()>();
    let blocked = Mutex::new(blocked);
    stubs.add(get("/slow").answer_with(move |h, x| {
        let _ = blocked.lock().unwrap().recv();
        h.send_content(x, servette::Status::OK, "text/plain", b"")
    }));
    let mut slow = send(&server, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    server.wait_for(7, PATIENCE);
    serves_others(&server);
    drop(let_go);
    slow.read_exact(&mut [0; 12]).unwrap();
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_file_holds_nobody_up() {
    let path = std::env::temp_dir().join(format!("servette-pipe-{}", std::process::id()));
    make_fifo(&path);
    let server = TestServer::start(with(
        Stubs::new().on(get("/slow").answer(status(200).file(&path))),
    ));
    let mut slow = send(
        &server,
        "GET /slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    );
    server.wait_for(1, PATIENCE);
    serves_others(&server);
    std::fs::write(&path, "hello").unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    std::fs::remove_file(path).unwrap();
}
