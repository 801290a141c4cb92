//! A fixture lives as long as its test: how it starts and ends, what it fails for.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::client::Receiver;
use crate::lifesupport::{a_new_process, no_new_processes};
use crate::support::{PATIENCE, assert_refused, message};
use servette::testing::{
    Reply, ReservedPort, Stubs, TestServer, close, gate, get, hang, pause, raw, reset, status,
};
use servette::{
    Connection, Limits, Next, RequestHandler, Result, SimpleHandler, Status, handler_fn,
};

fn send(server: &TestServer, request: &str) -> TcpStream {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    client
}

fn ask(server: &TestServer, request: &str) -> String {
    let mut answer = String::new();
    send(server, request).read_to_string(&mut answer).unwrap();
    answer
}

const GET: &str = "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

#[test]
fn handlers_that_wait_on_their_socket_or_at_a_gate_end_at_once_with_the_server() {
    let upload = || TestServer::start(handler_fn(|_, x| Ok(_ = x.rfile.discard()?)));
    let kinds: [(&str, &dyn Fn() -> TestServer); 4] = [
        ("hang", &|| TestServer::start(hang())),
        ("gate", &|| TestServer::start(gate("never"))),
        ("pause", &|| TestServer::start(pause(3 * PATIENCE))),
        ("upload", &upload),
    ];
    for (kind, start) in kinds {
        let mut times = Vec::new();
        for _ in 0..9 {
            let server = start();
            // Two that are idle, one of them kept, and one that is being answered.
            let _idle = TcpStream::connect(server.addr()).unwrap();
            let _waits = send(
                &server,
                "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n1234",
            );
            let _kept = send(&server, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
            while server.requests().len() < 2 {
                std::thread::yield_now();
            }
            let start = Instant::now();
            drop(server);
            times.push(start.elapsed());
        }
        times.sort();
        // Else it would be the deadline, which is a second. (How long it takes, a benchmark says.)
        let median = times[times.len() / 2];
        assert!(median <= Duration::from_millis(300), "{kind}: {times:?}");
    }
}

#[test]
fn a_reset_that_waits_for_its_client_comes_at_once_when_the_server_ends() {
    let mut times = Vec::new();
    for round in 0..9 {
        let reply: Reply = match round % 2 {
            0 => raw(vec![7; 1_000_000]).then(reset()).into(),
            _ => status(200).body([7; 500_000]).at(450_000, reset()).into(),
        };
        let server = TestServer::builder().drop_deadline(PATIENCE).start(
            Stubs::new()
                .on(get("/x").answer(reply))
                .on(get("/quick").answer(status(204))),
        );
        // It takes nothing, and is given a second to do so.
        let client = send(&server, GET);
        client.peek(&mut [0]).unwrap();
        // While these are answered the other one comes to wait, which can't be seen.
        for _ in 0..20 {
            ask(&server, "GET /quick HTTP/1.0\r\n\r\n");
        }
        let start = Instant::now();
        drop(server);
        times.push(start.elapsed());
        let end = Receiver(client).read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
    }
    times.sort();
    assert!(
        times[times.len() / 2] <= Duration::from_millis(500),
        "{times:?}"
    );
}

#[test]
fn behind_a_gate_or_a_pause_that_is_the_whole_answer_the_connection_ends() {
    let short = Duration::from_millis(1);
    for server in [
        TestServer::start(gate("the gate")),
        TestServer::start(Stubs::new().on(get("/x").answer(gate("the gate")))),
        TestServer::start(pause(short)),
        TestServer::start(Stubs::new().on(get("/x").answer(pause(short)))),
    ] {
        server.gate("the gate").open();
        assert_eq!(ask(&server, GET), "");
    }
}

#[test]
fn a_handler_that_is_blocked_elsewhere_is_left_after_the_deadline() {
    let (let_go, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let server = TestServer::builder()
        .drop_deadline(Duration::from_millis(50))
        .start(handler_fn(move |_, _| {
            let _ = blocked.lock().unwrap().recv();
            Ok(())
        }));
    let _client = send(&server, GET);
    while server.requests().is_empty() {
        std::thread::yield_now();
    }
    let address = server.addr();
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() >= Duration::from_millis(50));
    assert!(start.elapsed() < PATIENCE);
    // Its port is free all the same.
    drop(TcpListener::bind(address).unwrap());
    drop(let_go);
}

#[test]
fn the_port_is_free_after_the_drop_however_short_its_deadline_is() {
    let _calm = no_new_processes();
    let one_thread = || {
        let mut limits = Limits::default();
        limits.max_threads = 1;
        TestServer::builder().limits(limits)
    };
    let mut taken = 0;
    for round in 0..40 {
        let (let_go, blocked) = mpsc::channel::<()>();
        let blocked = std::sync::Mutex::new(blocked);
        let blocks = handler_fn(move |_, _| {
            let _ = blocked.lock().unwrap().recv();
            Ok(())
        });
        let deadline = Duration::from_micros(round % 3);
        let builder = TestServer::builder().drop_deadline(deadline);
        let server = match round % 4 {
            0 => builder.start(blocks),
            1 => one_thread().drop_deadline(deadline).start(blocks),
            2 => builder.start(hang()),
            _ => builder.start(handler_fn(|_, _| Ok(()))),
        };
        let _client = (round % 4 < 3).then(|| {
            let client = send(&server, GET);
            server.wait_for(1, PATIENCE);
            client
        });
        let address = server.addr();
        match round % 8 {
            0..4 => drop(server),
            _ => drop(server.stop()),
        }
        // Once, the server of another test may have got it in this moment.
        let is_free = TcpListener::bind(address).is_ok();
        taken += usize::from(!is_free);
        drop(let_go);
    }
    assert!(taken <= 1, "{taken} of 40");
}

#[test]
fn a_port_that_is_kept_is_nobody_elses() {
    for requests in 0..3 {
        let server = TestServer::start(status(200));
        for _ in 0..requests {
            ask(&server, GET);
        }
        let mut port = server.stop();
        for _ in 0..2 {
            let taken = TcpListener::bind(port.addr()).unwrap_err();
            assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
            assert!(ReservedPort::bind(port.addr()).is_err());
            // By its number as well.
            let address = port.addr();
            drop(port);
            port = ReservedPort::bind(address).unwrap();
        }
        assert!(ask(&port.start(status(200)), GET).starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn the_same_port_can_be_bound_again_at_once() {
    let _calm = no_new_processes();
    let mut server = TestServer::start(status(200));
    let address = server.addr();
    for _ in 0..20 {
        // The server ends these connections, so they are the ones that stay in TIME-WAIT.
        assert!(ask(&server, GET).starts_with("HTTP/1.1 200 "));
        let port = server.stop();
        assert_eq!(port.addr(), address);
        assert_refused(address);
        server = port.start(status(200));
    }
}

#[test]
fn a_panic_in_a_handler_fails_the_test_with_its_message() {
    let server = TestServer::start(handler_fn(|_, x| panic!("no such thing as {}", x.path)));
    assert!(ask(&server, GET).starts_with("HTTP/1.1 500 "));
    let text = message(|| drop(server));
    for part in [
        "panicked while it answered `GET /x HTTP/1.1`: no such thing as /x",
        "Host: h",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

/// A handler that panics outside of all hooks that catch it.
struct Bare;

impl RequestHandler for Bare {
    fn handle(&self, _: &mut Connection) -> Result<Next> {
        panic!("bare")
    }
}

#[test]
fn a_panic_outside_of_a_request_fails_the_test_too_and_verifying_says_it_before() {
    let server = TestServer::start(Bare);
    assert_eq!(ask(&server, GET), "");
    for _ in 0..2 {
        let text = message(|| server.verify());
        assert!(text.contains("a handler panicked: panic: bare"), "{text}");
        // Here, and not on stderr.
        assert!(text.contains("\nNote: 127.0.0.1:") && text.contains(": panic: bare\n"));
    }
    drop(server); // It was said before.
}

#[test]
fn what_goes_wrong_after_a_verification_fails_the_test_too() {
    let server = TestServer::start(handler_fn(|_, x| panic!("no {}", x.path)));
    ask(&server, "GET /one HTTP/1.0\r\n\r\n");
    assert!(message(|| server.verify()).contains("no /one"));
    ask(&server, "GET /two HTTP/1.0\r\n\r\n");
    let text = message(|| drop(server));
    let problem = text.lines().next().unwrap();
    assert!(problem.ends_with("`GET /two HTTP/1.0`: no /two"), "{text}");
}

#[test]
fn a_message_says_where_its_server_was_started() {
    let here = |line: u32| format!("started at {}:{line}: ", file!());
    let verifying = |server: &TestServer| {
        let panics = ask(server, GET);
        assert!(panics.starts_with("HTTP/1.1 500 "));
        message(|| server.verify())
    };
    let panics = || handler_fn(|_, _| panic!("on purpose"));

    let (server, line) = (TestServer::start(panics()), line!());
    let text = verifying(&server);
    let expected = format!("TestServer {}, {}", server.addr(), here(line));
    assert!(text.starts_with(&expected), "{text}");

    let port = ReservedPort::new().unwrap();
    let (server, line) = (port.start(panics()), line!());
    assert!(verifying(&server).contains(&here(line)));

    let (server, line) = (TestServer::builder().start(gate("never")), line!());
    let arrivals = || server.gate("other").wait_for_arrivals(1, Duration::ZERO);
    assert!(message(arrivals).contains(&here(line)));

    let line = line!() + 1;
    TestServer::scope(panics(), |server| {
        assert!(verifying(server).contains(&here(line)));
    });
}

#[test]
fn an_answer_that_can_not_be_given_is_refused_where_it_is_served() {
    let answer = || status(200).body("abc").at(9, close());
    let expected =
        "cannot start a TestServer: a close at byte 9 can't happen: the body has 3 bytes";
    assert_eq!(message(|| drop(TestServer::start(answer()))), expected);
    let port = ReservedPort::new().unwrap();
    assert_eq!(message(|| drop(port.start(answer()))), expected);
}

#[test]
fn a_test_that_fails_already_is_not_aborted() {
    let text = message(|| {
        let _server = TestServer::start(Stubs::new().on(get("/").answer(status(200)).expect(1)));
        panic!("the test's own reason");
    });
    assert_eq!(text, "the test's own reason");
}

#[test]
fn a_gate_that_nobody_opens_fails_the_test_with_its_name() {
    let server = TestServer::builder()
        .gate_deadline(Duration::from_millis(10))
        .start(gate("the gate"));
    let cut = Receiver(send(&server, GET)).read(&mut [0]).unwrap_err();
    assert_eq!(cut.kind(), std::io::ErrorKind::ConnectionReset);
    let text = message(|| drop(server));
    let expected = "the gate \"the gate\" was not opened within 10ms; `GET /x HTTP/1.1` waited at it \
         (the test uses no other gate)";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn who_waits_in_vain_at_a_gate_is_told_of_the_others() {
    let server = TestServer::builder()
        .gate_deadline(Duration::from_millis(10))
        .start(
            Stubs::new()
                .on(get("/x").answer(gate("upload-done")))
                .on(get("/y").answer(gate("else"))),
        );
    server.gate("upload_done").open();
    let _never_used = server.gate("held");
    for request in [GET, "GET /y HTTP/1.0\r\n\r\n"] {
        // It is cut.
        let _ = send(&server, request).read(&mut [0]);
    }
    let arrivals = || server.gate("upload").wait_for_arrivals(1, Duration::ZERO);
    let text = message(arrivals);
    for part in [
        r#"gate "upload": 0 of 1 arrived within 0ns (gates that are used: ["else", "held", "upload-done", "upload_done"])"#,
        "1. GET /x HTTP/1.1",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let text = message(|| drop(server));
    let expected = r#"waited at it (gates that the test uses: ["held", "upload_done"])"#;
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_handler_may_borrow_from_the_test() {
    let greeting = String::from("hello");
    let handler =
        handler_fn(|h, x| h.send_content(x, Status::OK, "text/plain", greeting.as_bytes()));
    let answer = TestServer::scope(handler, |server| ask(server, GET));
    assert!(answer.ends_with("\r\n\r\nhello"));

    let text = message(|| {
        TestServer::scope(handler_fn(|_, _| panic!("borrowed")), |server| {
            ask(server, GET);
        });
    });
    assert!(text.contains("borrowed"), "{text}");
    let text = message(|| TestServer::scope(hang(), |_| panic!("mine")));
    assert_eq!(text, "mine");
}

#[test]
fn it_speaks_http_1_1_unless_said() {
    let handler = || SimpleHandler::new("/no/such/directory");
    let server = TestServer::start(handler());
    let answer = ask(&server, GET);
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    let server = TestServer::builder()
        .protocol_version("HTTP/1.0")
        .start(handler());
    assert!(ask(&server, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.0 404 "));
    let own = handler_fn(|h, x| h.send_error(x, Status::GONE)).protocol_version("HTTP/1.0");
    let server = TestServer::builder().protocol_version(None).start(own);
    assert!(ask(&server, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.0 410 "));
    // What a handler logs is kept for the test, and does not go to stderr.
    assert!(
        server.log().iter().any(|line| line.contains("code 410")),
        "{:?}",
        server.log()
    );
}

#[test]
fn answers_can_be_ordered_by_gates() {
    let server = TestServer::start(
        Stubs::new().on(get("/x").answer(status(200).body("first, second").at(5, gate("second")))),
    );
    let mut client = send(&server, GET);
    let mut head = Vec::new();
    while !head.ends_with(b"first") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    server.gate("second").wait_for_arrivals(1, PATIENCE);
    client.set_nonblocking(true).unwrap();
    let nothing = client.read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    client.set_nonblocking(false).unwrap();
    server.gate("second").open();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, ", second");
}

#[test]
fn what_a_handler_prints_is_shown_with_its_test() {
    const CHILD: &str = "SERVETTE_TEST_PRINTS";
    if std::env::var_os(CHILD).is_some() {
        let prints = handler_fn(|h, x| {
            println!("printed for {}", x.path);
            h.send_content(x, Status::OK, "text/plain", b"")
        });
        drop(ask(&TestServer::start(prints), GET));
        let stubs = Stubs::new();
        let server = TestServer::start(stubs.clone());
        stubs.add(get("/x").answer_with(|h, x| {
            println!("printed by a stub");
            h.send_content(x, Status::OK, "text/plain", b"")
        }));
        drop(ask(&server, GET));
        return;
    }
    // Not with one that had a fixture before.
    let before = "testing_lifetime::the_same_port_can_be_bound_again_at_once";
    let own = "testing_lifetime::what_a_handler_prints_is_shown_with_its_test";
    let guard = a_new_process();
    let child = Command::new(std::env::current_exe().unwrap())
        .args([before, own, "--exact", "--show-output", "--test-threads=1"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(guard);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let shown = format!("---- {own} stdout ----\nprinted for /x\nprinted by a stub\n");
    assert!(text.contains(&shown), "{text}");
}
