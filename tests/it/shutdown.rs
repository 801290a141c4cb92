//! A server can be stopped from anywhere, at any time, and within bounds.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier, OnceLock, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::client::{Client, crowd, get};
use crate::lifesupport::{Gate, no_new_processes, spawn, spawn_both, spawn_gated, spawn_single};
use crate::support::{PATIENCE, assert_refused, echo, handler, limits, message, text, until};
use servette::{
    Connection, Exchange, HttpServer, Next, RequestHandler, Result, RunningServer, ServerInfo,
    ShutdownHandle, Status, ThreadingHttpServer, base,
};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

#[test]
fn it_closes_what_is_idle_at_once_and_frees_the_port() {
    let _calm = no_new_processes();
    for server in spawn_both(handler(echo)) {
        let client = || Client::new(server.addr());
        let mut clients: Vec<_> = (0..9).map(|_| client()).collect();
        for (index, client) in clients.iter_mut().enumerate() {
            match index % 3 {
                0 => drop(client.get("/").response()),
                1 => drop(client.send("GET / HT")),
                _ => {}
            }
        }
        let address = server.socket_addr().unwrap();
        let start = Instant::now();
        assert_eq!(server.shutdown(LONG).unwrap(), 0);
        assert!(start.elapsed() < Duration::from_secs(5));
        // The clients still hold their ends.
        let again = TcpListener::bind(address).unwrap();
        drop(again);
        for client in &mut clients {
            client.is_closed_silently();
        }
        let again = HttpServer::bind(address, handler(echo)).unwrap();
        assert_eq!(again.server_port(), address.port());
    }
}

/// Has another thread stop the server, and waits until nothing is accepted there any more.
fn begin_shutdown(server: &RunningServer) -> JoinHandle<usize> {
    let (stop, address) = (server.shutdown_handle(), server.socket_addr().unwrap());
    let stopping = std::thread::spawn(move || stop.shutdown(LONG));
    until("it does not listen", || {
        TcpStream::connect(address).is_err()
    });
    stopping
}

#[test]
fn a_request_that_runs_ends_whole() {
    let (server, gate) = spawn_gated(|_| ());
    let mut client = Client::new(server.addr());
    // The second request comes too late.
    client.get("/first").get("/second");
    gate.await_comers(1);
    let stopping = begin_shutdown(&server);
    gate.open();
    let response = client.response();
    assert_eq!(response.text(), "/first");
    assert!(response.says_close());
    client.is_closed_silently();
    assert_eq!(stopping.join().unwrap(), 0);
}

#[test]
fn a_response_at_the_deadline_survives_an_unread_body() {
    let (server, gate) = spawn_gated(|_| ());
    let mut client = Client::new(server.addr());
    client.send("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    client.send(vec![b'x'; 100_000]);
    gate.await_comers(1);
    let stopping = begin_shutdown(&server);
    gate.open();
    assert_eq!(stopping.join().unwrap(), 0);
    assert_eq!(client.response().text(), "/body");
    client.assert_end();
}

#[test]
fn a_handler_may_stop_its_server() {
    let handler = handler(|h, x| {
        let running = x.server.shutdown_handle().shutdown(LONG);
        text(h, x, &running.to_string())
    });
    for server in spawn_both(handler) {
        let mut client = Client::new(server.addr());
        let response = client.get("/").response();
        assert_eq!(response.text(), "1");
        assert!(response.says_close());
        client.is_closed_silently();
        assert_eq!(server.shutdown(LONG).unwrap(), 0);
    }
}

#[test]
fn a_hook_may_stop_its_server() {
    let (told, hooked) = mpsc::channel();
    let slot = Arc::new(OnceLock::<ShutdownHandle>::new());
    let seen = slot.clone();
    let server = ThreadingHttpServer::builder(handler(echo))
        .verify_request(move |_| {
            told.send(seen.get().unwrap().shutdown(LONG)).unwrap();
            true
        })
        .bind("127.0.0.1:0")
        .unwrap();
    slot.set(server.shutdown_handle()).unwrap();
    let server = server.spawn().unwrap();
    let _client = Client::new(server.addr());
    assert_eq!(hooked.recv_timeout(PATIENCE).unwrap(), 1);
    assert_eq!(server.shutdown(LONG).unwrap(), 0);
}

#[test]
fn handlers_that_wait_for_their_clients_are_cut_at_the_deadline() {
    let (told, coming) = mpsc::channel();
    let handler = handler(move |h, x| {
        told.send("in").unwrap();
        let result = match x.path {
            "/read" => x.rfile.discard().map(drop),
            _ => {
                h.send_response(x, Status::OK);
                h.end_headers(x)?;
                let block = [b'x'; 64 << 10];
                loop {
                    if let Err(error) = x.wfile.write_all(&block) {
                        break Err(error);
                    }
                }
            }
        };
        let kind = result.as_ref().map_err(std::io::Error::kind).err();
        assert_eq!(kind, Some(std::io::ErrorKind::ConnectionAborted));
        told.send("out").unwrap();
        Ok(result?)
    });
    let handler = Arc::new(handler);
    let reads = "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n";
    let writes = "GET /write HTTP/1.1\r\nHost: x\r\n\r\n";
    let single = |request| (spawn_single(handler.clone()), vec![request]);
    let several = spawn(handler.clone(), |_| ());
    let servers = [
        (several, vec![reads, writes, reads, writes]),
        single(reads),
        single(writes),
    ];
    for (server, requests) in servers {
        let clients = requests.iter().map(|it| crowd(1, server.addr(), it));
        let mut clients: Vec<_> = clients.flatten().collect();
        for _ in &requests {
            assert_eq!(coming.recv_timeout(PATIENCE).unwrap(), "in");
        }
        let start = Instant::now();
        assert_eq!(server.shutdown(SHORT).unwrap(), 0);
        assert!(start.elapsed() >= SHORT);
        assert!(start.elapsed() < Duration::from_secs(5));
        for _ in &requests {
            assert_eq!(coming.recv_timeout(PATIENCE).unwrap(), "out");
        }
        // None of them looks like an end.
        for client in &mut clients {
            let mut rest = Vec::new();
            let _ = client.stream.read_to_end(&mut rest);
            assert!(!rest.ends_with(b"0\r\n\r\n"));
        }
    }
}

#[test]
fn handlers_that_wait_for_something_else_are_counted() {
    let (server, gate) = spawn_gated(|_| ());
    let handle = server.shutdown_handle();
    let mut clients = crowd(3, server.addr(), get("/"));
    gate.await_comers(3);
    assert_eq!(server.shutdown(Duration::ZERO).unwrap(), 3);
    assert_eq!(handle.shutdown(Duration::ZERO), 3);
    gate.open();
    assert_eq!(handle.shutdown(LONG), 0);
    // Their answers are lost: the deadline was over.
    for client in &mut clients {
        client.is_closed_silently();
    }
}

#[test]
fn requests_that_wait_for_a_thread_are_given_up_at_the_deadline() {
    for max_threads in [1, 2, 3] {
        let (server, gate) = spawn_gated(|limits| limits.max_threads = max_threads);
        let mut clients = crowd(9, server.addr(), get("/"));
        let busy = max_threads;
        gate.await_comers(busy);
        // Cut at once, while the threads that there are wait for the gate: or they would not stay busy.
        let handle = server.shutdown_handle();
        assert_eq!(handle.shutdown(Duration::ZERO), busy);
        gate.open();
        for client in &mut clients {
            client.is_closed_silently();
        }
        assert_eq!(server.shutdown(LONG).unwrap(), 0);
        assert_eq!(gate.comers(), busy);
    }
}

#[test]
fn before_the_server_serves() {
    let _calm = no_new_processes();
    let server = HttpServer::bind("127.0.0.1:0", handler(echo)).unwrap();
    assert_eq!(server.shutdown_handle().shutdown(LONG), 0);
    server.serve_forever().unwrap();
    assert!(server.handle_request().is_err());
    let server = ThreadingHttpServer::bind("127.0.0.1:0", handler(echo)).unwrap();
    let address = server.server_address().socket_addr().unwrap();
    let mut client = Client::new(address);
    assert_eq!(server.shutdown_handle().shutdown(LONG), 0);
    server.serve_forever().unwrap();
    client.is_closed_silently();
    drop(TcpListener::bind(address).unwrap());
}

/// Echoes, and stops the server when the second request is answered.
#[derive(Default)]
struct StopsWhenServed {
    turns: AtomicUsize,
    stop: OnceLock<ShutdownHandle>,
}

impl RequestHandler for StopsWhenServed {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        echo(self, x)
    }

    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        let next = base::handle(self, conn)?;
        if self.turns.fetch_add(1, Relaxed) == 1 {
            self.stop.get().unwrap().shutdown(LONG);
        }
        Ok(next)
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

#[test]
fn what_was_just_answered_is_closed_like_all_that_waits() {
    fn check(
        handler: &StopsWhenServed,
        server: &ServerInfo,
        serve: impl Fn() -> Result<()> + Send,
    ) {
        handler.stop.set(server.shutdown_handle()).unwrap();
        std::thread::scope(|scope| {
            let served = scope.spawn(serve);
            let mut client = Client::new(server.server_address);
            for path in ["/first", "/second"] {
                let response = client.get(path).response();
                assert_eq!(response.text(), path);
                assert!(!response.says_close());
            }
            served.join().unwrap().unwrap();
            // The server is still there, and holds what it has not closed.
            client.is_closed_silently();
        });
    }
    let handler = StopsWhenServed::default();
    let server = HttpServer::bind("127.0.0.1:0", &handler).unwrap();
    check(&handler, server.info(), || server.serve_forever());
    let handler = StopsWhenServed::default();
    let server = ThreadingHttpServer::bind("127.0.0.1:0", &handler).unwrap();
    check(&handler, server.info(), || server.serve_forever());
}

#[test]
fn what_was_about_to_be_served_is_closed() {
    let gate = Gate::default();
    let handler = handler(|h, x| {
        match x.path {
            "/held" => gate.pass(),
            "/first" => {}
            _ => drop(x.server.shutdown_handle().shutdown(LONG)),
        }
        echo(h, x)
    });
    let server = HttpServer::bind("127.0.0.1:0", &handler).unwrap();
    std::thread::scope(|scope| {
        let served = scope.spawn(|| server.serve_forever());
        let [mut held, mut one, mut other] = [(); 3].map(|()| Client::new(server.server_address()));
        for client in [&mut held, &mut one, &mut other] {
            assert_eq!(client.get("/first").response().text(), "/first");
        }
        held.get("/held");
        gate.await_comers(1);
        // Both are told of by the same look at the poller.
        one.get("/stop");
        other.get("/stop");
        gate.open();
        assert_eq!(held.response().text(), "/held");
        served.join().unwrap().unwrap();
        held.is_closed_silently();
        let answers = [one, other].map(|mut client| client.rest_or_reset());
        assert_eq!(answers.iter().filter(|answer| answer.is_empty()).count(), 1);
    });
}

#[test]
fn a_server_in_the_background_has_freed_its_port_when_its_handle_says_so() {
    let _calm = no_new_processes();
    for _ in 0..50 {
        let server = spawn(handler(echo), |_| ());
        let address = server.socket_addr().unwrap();
        assert_eq!(server.shutdown_handle().shutdown(LONG), 0);
        drop(TcpListener::bind(address).unwrap());
    }
}

#[test]
fn twice_and_from_many_threads() {
    let server = spawn(handler(echo), |_| ());
    Client::new(server.addr()).get("/").response();
    let barrier = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let (handle, barrier) = (server.shutdown_handle(), &barrier);
            scope.spawn(move || {
                barrier.wait();
                assert_eq!(handle.shutdown(LONG), 0);
                assert!(handle.is_stopping());
                assert_eq!(handle.shutdown(LONG), 0);
            });
        }
    });
    assert_eq!(server.shutdown(LONG).unwrap(), 0);
}

#[test]
fn under_load_it_loses_no_response_that_has_begun() {
    for max_threads in [1, 2, 8] {
        let server = spawn(handler(echo), |limits| limits.max_threads = max_threads);
        let address = server.addr();
        let (told, served) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..6 {
                let told = told.clone();
                // Not when the others are served already, and the server has stopped.
                let mut client = Client::new(address);
                scope.spawn(move || {
                    // Asked for one by one: either a whole answer comes, or the end.
                    for round in 0.. {
                        let path = format!("/{round}");
                        if client.stream.write_all(get(&path).as_bytes()).is_err() {
                            return;
                        }
                        let Some(response) = client.response_or_end() else {
                            return;
                        };
                        assert_eq!(response.text(), path);
                        let _ = told.send(());
                    }
                });
            }
            for _ in 0..300 {
                served.recv_timeout(PATIENCE).unwrap();
            }
            assert_eq!(server.shutdown(LONG).unwrap(), 0);
        });
    }
}

#[test]
fn dropping_a_running_server_stops_it_within_bounds() {
    let (server, gate) = spawn_gated(|_| ());
    let mut client = Client::new(server.addr());
    client.get("/");
    gate.await_comers(1);
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(10));
    gate.open();
    client.is_closed_silently();
}

#[test]
fn a_panic_beside_a_scope_stops_its_server() {
    let _calm = no_new_processes();
    let name = "borrowed".to_owned();
    let handler = handler(|h, x| text(h, x, &name));
    let server = ThreadingHttpServer::bind("127.0.0.1:0", &handler).unwrap();
    let address = server.server_address().socket_addr().unwrap();
    let told = message(|| {
        server.scope(|info| {
            let mut client = Client::new(info.server_address);
            assert_eq!(client.get("/").response().text(), "borrowed");
            panic!("on purpose");
        })
    });
    assert_eq!(told, "on purpose");
    drop(TcpListener::bind(address).unwrap());
}

/// Each event loop has the port open, also one that no thread has led.
#[test]
fn the_port_is_closed_in_all_event_loops() {
    for max_threads in [1, 2, 16] {
        let limits = limits(|limits| limits.max_threads = max_threads);
        let server = ThreadingHttpServer::builder(handler(echo)).limits(limits);
        let server = server.event_loops(4).bind("127.0.0.1:0").unwrap();
        let address = server.server_address().socket_addr().unwrap();
        server.scope(|_| ()).unwrap();
        assert_refused(address);
    }
    let server = ThreadingHttpServer::builder(handler(echo));
    let server = server.event_loops(4).bind("127.0.0.1:0").unwrap();
    let address = server.server_address().socket_addr().unwrap();
    server.shutdown_handle().shutdown(LONG);
    assert!(server.handle_request().is_err());
    assert_refused(address);
}
