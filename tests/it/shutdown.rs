//! A server can be stopped from anywhere, at any time, and within bounds.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Barrier;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::lifesupport::{
    Client, Gate, OpenOnDrop, PATIENCE, echo, handler, limits, no_new_processes,
};
use servette::{HttpServer, Status, ThreadingHttpServer};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

#[test]
fn it_closes_what_is_idle_at_once_and_frees_the_port() {
    let _calm = no_new_processes();
    let single = HttpServer::bind("127.0.0.1:0", handler(echo)).unwrap();
    let several = ThreadingHttpServer::bind("127.0.0.1:0", handler(echo)).unwrap();
    for server in [single.spawn().unwrap(), several.spawn().unwrap()] {
        let client = || Client::new(server.addr());
        let mut clients: Vec<_> = (0..9).map(|_| client()).collect();
        for (index, client) in clients.iter_mut().enumerate() {
            match index % 3 {
                0 => drop(client.get("/").answer()),
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

#[test]
fn a_request_that_runs_ends_whole() {
    let gate = Gate::default();
    let handler = handler(|h, x| {
        gate.pass();
        echo(h, x)
    });
    let server = ThreadingHttpServer::bind("127.0.0.1:0", handler).unwrap();
    server
        .scope(|info| {
            let _open = OpenOnDrop(&gate);
            let mut client = Client::new(info.server_address);
            // The second request comes too late.
            client.get("/first").get("/second");
            gate.await_comers(1);
            let stop = info.shutdown.clone();
            let stopping = std::thread::spawn(move || stop.shutdown(LONG));
            let mut idle = TcpListenerIsGone(info.server_address.socket_addr().unwrap());
            idle.wait();
            gate.open();
            let answer = client.answer();
            assert_eq!(answer.body, "/first");
            assert!(answer.closes());
            client.is_closed_silently();
            assert_eq!(stopping.join().unwrap(), 0);
        })
        .unwrap();
}

/// Nothing is accepted at an address any more.
struct TcpListenerIsGone(std::net::SocketAddr);

impl TcpListenerIsGone {
    fn wait(&mut self) {
        crate::lifesupport::until("it does not listen", || {
            std::net::TcpStream::connect(self.0).is_err()
        });
    }
}

#[test]
fn an_answer_of_the_last_moment_survives_an_unread_body() {
    let gate = Gate::default();
    let handler = handler(|h, x| {
        gate.pass();
        echo(h, x)
    });
    let server = ThreadingHttpServer::bind("127.0.0.1:0", handler).unwrap();
    server
        .scope(|info| {
            let _open = OpenOnDrop(&gate);
            let mut client = Client::new(info.server_address);
            client.send("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
            client.send(vec![b'x'; 100_000]);
            gate.await_comers(1);
            let stop = info.shutdown.clone();
            let stopping = std::thread::spawn(move || stop.shutdown(LONG));
            TcpListenerIsGone(info.server_address.socket_addr().unwrap()).wait();
            gate.open();
            assert_eq!(stopping.join().unwrap(), 0);
            assert_eq!(client.answer().body, "/body");
            client.ends_orderly();
        })
        .unwrap();
}

#[test]
fn a_handler_may_stop_its_server() {
    let handler = || {
        handler(|h, x| {
            let running = x.server.shutdown.shutdown(LONG);
            h.send_content(x, Status::OK, "text/plain", running.to_string().as_bytes())
        })
    };
    let single = HttpServer::bind("127.0.0.1:0", handler()).unwrap();
    let several = ThreadingHttpServer::bind("127.0.0.1:0", handler()).unwrap();
    for server in [single.spawn().unwrap(), several.spawn().unwrap()] {
        let mut client = Client::new(server.addr());
        let answer = client.get("/").answer();
        assert_eq!(answer.body, "1");
        assert!(answer.closes());
        client.is_closed_silently();
        assert_eq!(server.shutdown(LONG).unwrap(), 0);
    }
}

#[test]
fn a_hook_may_stop_its_server() {
    let (told, hooked) = mpsc::channel();
    let slot = std::sync::Arc::new(std::sync::OnceLock::<servette::ShutdownHandle>::new());
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
    let handler = || {
        let told = told.clone();
        handler(move |h, x| {
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
        })
    };
    let several = ThreadingHttpServer::bind("127.0.0.1:0", handler()).unwrap();
    let single = |_| HttpServer::bind("127.0.0.1:0", handler()).unwrap();
    let singles: Vec<_> = (0..2).map(single).collect();
    let reads = "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n";
    let writes = "GET /write HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut servers = vec![(several.spawn().unwrap(), vec![reads, writes, reads, writes])];
    for (server, request) in singles.into_iter().zip([reads, writes]) {
        servers.push((server.spawn().unwrap(), vec![request]));
    }
    for (server, requests) in servers {
        let mut clients: Vec<_> = requests
            .iter()
            .map(|_| Client::new(server.addr()))
            .collect();
        for (client, request) in clients.iter_mut().zip(&requests) {
            client.send(request);
        }
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
    let gate = std::sync::Arc::new(Gate::default());
    let inner = gate.clone();
    let handler = handler(move |h, x| {
        inner.pass();
        echo(h, x)
    });
    let server = ThreadingHttpServer::bind("127.0.0.1:0", handler).unwrap();
    let (handle, address) = (server.shutdown_handle(), server.server_address());
    let server = server.spawn().unwrap();
    let mut clients: Vec<_> = (0..3).map(|_| Client::new(address)).collect();
    for client in &mut clients {
        client.get("/");
    }
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
    let gate = std::sync::Arc::new(Gate::default());
    let inner = gate.clone();
    let handler = handler(move |h, x| {
        inner.pass();
        echo(h, x)
    });
    for max_threads in [1, 2, 3] {
        let gate = &gate;
        let before = gate.comers();
        let server = ThreadingHttpServer::builder(&handler)
            .limits(limits(|limits| limits.max_threads = max_threads))
            .bind("127.0.0.1:0")
            .unwrap();
        // Cut at once, while the threads that there are wait for the gate: or they would not stay busy.
        server
            .scope(|info| {
                let mut clients: Vec<_> =
                    (0..9).map(|_| Client::new(info.server_address)).collect();
                for client in &mut clients {
                    client.get("/");
                }
                let busy = (max_threads - 1).max(1);
                gate.await_comers(before + busy);
                assert_eq!(info.shutdown.shutdown(Duration::ZERO), busy);
                gate.open();
                for client in &mut clients {
                    client.is_closed_silently();
                }
                assert_eq!(gate.comers(), before + busy);
            })
            .unwrap();
        gate.close();
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
    let address = server.socket_addr();
    let mut client = Client::new(address);
    assert_eq!(server.shutdown_handle().shutdown(LONG), 0);
    server.serve_forever().unwrap();
    client.is_closed_silently();
    drop(TcpListener::bind(address).unwrap());
}

trait SocketAddr {
    fn socket_addr(&self) -> std::net::SocketAddr;
}

impl<H: servette::RequestHandler> SocketAddr for ThreadingHttpServer<H> {
    fn socket_addr(&self) -> std::net::SocketAddr {
        self.server_address().socket_addr().unwrap()
    }
}

#[test]
fn a_server_in_the_background_has_freed_its_port_when_its_handle_says_so() {
    let _calm = no_new_processes();
    for _ in 0..50 {
        let server = ThreadingHttpServer::bind("127.0.0.1:0", handler(echo)).unwrap();
        let address = server.socket_addr();
        let running = server.spawn().unwrap();
        assert_eq!(running.shutdown_handle().shutdown(LONG), 0);
        drop(TcpListener::bind(address).unwrap());
    }
}

#[test]
fn twice_and_from_many_threads() {
    let server = ThreadingHttpServer::bind("127.0.0.1:0", handler(echo)).unwrap();
    let server = server.spawn().unwrap();
    Client::new(server.addr()).get("/").answer();
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
fn under_load_it_loses_no_answer_that_has_begun() {
    for max_threads in [1, 2, 8] {
        let server = ThreadingHttpServer::builder(handler(echo))
            .limits(limits(|limits| limits.max_threads = max_threads))
            .bind("127.0.0.1:0")
            .unwrap();
        let server = server.spawn().unwrap();
        let address = server.addr();
        let (told, served) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..6 {
                let told = told.clone();
                scope.spawn(move || {
                    let mut client = Client::new(address);
                    // Asked for one by one: either a whole answer comes, or the end.
                    for round in 0.. {
                        let request = format!("GET /{round} HTTP/1.1\r\nHost: x\r\n\r\n");
                        if client
                            .stream
                            .get_mut()
                            .write_all(request.as_bytes())
                            .is_err()
                        {
                            return;
                        }
                        let Some(answer) = client.try_answer() else {
                            return;
                        };
                        assert_eq!(answer.body, format!("/{round}"));
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
    let gate = std::sync::Arc::new(Gate::default());
    let inner = gate.clone();
    let handler = handler(move |h, x| {
        inner.pass();
        echo(h, x)
    });
    let server = ThreadingHttpServer::bind("127.0.0.1:0", handler).unwrap();
    let server = server.spawn().unwrap();
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
    let handler = handler(|h, x| h.send_content(x, Status::OK, "text/plain", name.as_bytes()));
    let server = ThreadingHttpServer::bind("127.0.0.1:0", &handler).unwrap();
    let address = server.socket_addr();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        server.scope(|info| {
            let mut client = Client::new(info.server_address);
            assert_eq!(client.get("/").answer().body, "borrowed");
            panic!("on purpose");
        })
    }));
    let payload = panic.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
    drop(TcpListener::bind(address).unwrap());
}
