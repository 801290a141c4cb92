//! Handlers may block; threads are bounded, and come and go.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::client::{Client, crowd, get};
use crate::lifesupport::{Gate, spawn, spawn_both, spawn_gated, spawn_loops, spawn_single};
#[cfg(target_os = "linux")]
use crate::support::until;
use crate::support::{echo, handler, text};
use servette::{Connection, Exchange, HttpServer, Next, RequestHandler, Result, base};
#[cfg(target_os = "linux")]
use servette::{Limits, ThreadingHttpServer};

#[test]
fn blocked_handlers_block_no_other_request() {
    let gate = Gate::default();
    let inner = gate.clone();
    let handler = handler(move |h, x| {
        if x.path == "/blocks" {
            inner.pass();
        }
        echo(h, x)
    });
    let server = spawn(handler, |_| ());
    let mut blocked = crowd(20, server.addr(), get("/blocks"));
    gate.await_comers(20);
    for _ in 0..20 {
        let mut beside = Client::new(server.addr());
        assert_eq!(beside.get("/beside").response().text(), "/beside");
    }
    gate.open();
    for client in &mut blocked {
        assert_eq!(client.response().text(), "/blocks");
    }
}

#[test]
fn max_threads_is_kept_and_each_request_is_answered() {
    for max_threads in [1, 2, 3] {
        let counts = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let inner = counts.clone();
        let handler = handler(move |h, x| {
            let (now, most) = &*inner;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::park_timeout(Duration::from_millis(2));
            now.fetch_sub(1, Ordering::SeqCst);
            echo(h, x)
        });
        let server = spawn(handler, |limits| limits.max_threads = max_threads);
        let mut clients: Vec<_> = (0..40).map(|_| Client::new(server.addr())).collect();
        for round in 0..5 {
            for (index, client) in clients.iter_mut().enumerate() {
                client.get(&format!("/{round}/{index}"));
            }
            for (index, client) in clients.iter_mut().enumerate() {
                assert_eq!(client.response().text(), format!("/{round}/{index}"));
            }
        }
        let most = counts.1.load(Ordering::SeqCst);
        assert!((1..=max_threads).contains(&most), "{most} of {max_threads}");
    }
}

#[test]
fn a_server_whose_threads_are_all_busy_accepts_and_keeps_deadlines() {
    let (server, gate) = spawn_gated(|limits| {
        limits.max_threads = 2;
        limits.head_deadline = Duration::from_millis(300);
    });
    let mut busy = crowd(2, server.addr(), get("/busy"));
    gate.await_comers(2);
    let mut waiting = crowd(3, server.addr(), get("/waiting"));
    let mut silent = Client::new(server.addr());
    silent.is_closed_silently();
    assert_eq!(gate.comers(), 2);
    gate.open();
    for client in busy.iter_mut().chain(&mut waiting) {
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn exactly_max_threads_handlers_run_at_the_same_time() {
    let check = |event_loops: usize, max_threads: usize| {
        let gate = Gate::default();
        let inner = gate.clone();
        let handler = handler(move |h, x| {
            inner.pass();
            echo(h, x)
        });
        let server = spawn_loops(event_loops, handler, |limits| {
            limits.max_threads = max_threads;
            limits.head_deadline = Duration::from_millis(300);
        });
        let count = max_threads + 2 * event_loops + 2;
        let mut clients = crowd(count, server.addr(), get("/busy"));
        gate.await_comers(max_threads);
        // New clients are accepted, and deadlines kept, in all event loops.
        let silent = (0..event_loops).map(|_| Client::new(server.addr()));
        for mut client in silent.collect::<Vec<_>>() {
            client.is_closed_silently();
        }
        assert_eq!(gate.comers(), max_threads, "{event_loops} event loops");
        gate.open();
        for client in &mut clients {
            assert_eq!(client.response().text(), "/busy");
        }
    };
    std::thread::scope(|scope| {
        for (event_loops, max_threads) in [(1, 1), (1, 3), (2, 4), (2, 5), (8, 16), (8, 17)] {
            scope.spawn(move || check(event_loops, max_threads));
        }
    });
}

#[test]
fn panics_end_no_thread() {
    let handler = handler(|h, x| match x.path {
        "/panic" => panic!("on purpose"),
        _ => echo(h, x),
    });
    let handler = Arc::new(handler);
    for max_threads in [1, 2, 3] {
        let server = spawn(handler.clone(), |limits| limits.max_threads = max_threads);
        for _ in 0..10 {
            let mut client = Client::new(server.addr());
            assert_eq!(client.get("/panic").response().status, 500);
            client.is_closed_silently();
        }
        let mut client = Client::new(server.addr());
        assert_eq!(client.get("/on").response().text(), "/on");
    }
}

#[test]
fn a_single_threaded_handler_needs_neither_send_nor_sync() {
    let visits = Rc::new(Cell::new(0));
    let handler = handler(|h, x| {
        visits.set(visits.get() + 1);
        if visits.get() == 3 {
            x.server.shutdown_handle().shutdown(Duration::ZERO);
        }
        echo(h, x)
    });
    let server = HttpServer::bind("127.0.0.1:0", handler).unwrap();
    let address = server.server_address();
    let clients = std::thread::spawn(move || {
        for _ in 0..3 {
            Client::new(address).get("/").response();
        }
    });
    server.serve_forever().unwrap();
    clients.join().unwrap();
    assert_eq!(visits.get(), 3);
}

#[test]
fn a_single_threaded_server_runs_one_handler_at_a_time() {
    let inside = Arc::new(AtomicUsize::new(0));
    let handler = handler(move |h, x| {
        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
        std::thread::park_timeout(Duration::from_millis(2));
        inside.fetch_sub(1, Ordering::SeqCst);
        echo(h, x)
    });
    let server = spawn_single(handler);
    let mut clients = crowd(20, server.addr(), get("/"));
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
}

/// Parks the connection after each request, though more may be there.
struct Hasty;

impl RequestHandler for Hasty {
    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        base::handle_one_request(self, conn)?;
        Ok(Next::Park)
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        let length = x.rfile.discard()?;
        text(self, x, &format!("{} {length}", x.path))
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

#[test]
fn a_handle_that_parks_too_early_strands_nobody() {
    for server in spawn_both(Hasty) {
        let mut client = Client::new(server.addr());
        let one = "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n1234567";
        client.send(one.repeat(50));
        for _ in 0..50 {
            assert_eq!(client.response().text(), "/x 7");
        }
        // A body that is read by its length leaves what follows in the socket.
        let body = "x".repeat(200_000);
        let long = format!("POST /l HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n{body}");
        client.send(long.repeat(3));
        for _ in 0..3 {
            assert_eq!(client.response().text(), "/l 200000");
        }
    }
}

/// Parks the connection behind two requests, though the client may have sent its last one.
struct Twice;

impl RequestHandler for Twice {
    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        base::handle_one_request(self, conn)?;
        base::handle_one_request(self, conn)?;
        Ok(Next::Park)
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        echo(&self, x)
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

#[test]
fn a_handle_that_parks_behind_the_end_of_the_stream_keeps_no_connection() {
    for server in spawn_both(Twice) {
        for kept in [0, 2, 4] {
            let mut client = Client::new(server.addr());
            client.send(get("/").repeat(kept + 1)).finish();
            for _ in 0..=kept {
                assert_eq!(client.response().text(), "/");
            }
            client.assert_end();
            let mut client = Client::new(server.addr());
            for _ in 0..kept {
                client.get("/").response();
            }
            client.get("/last").finish();
            assert_eq!(client.response().text(), "/last");
            client.assert_end();
        }
    }
}

#[test]
fn a_connection_whose_handler_waited_for_it_goes_on_as_before() {
    let gate = Gate::default();
    let inner = gate.clone();
    let handler = handler(move |h, x| {
        inner.pass();
        let length = x.rfile.discard()?;
        text(h, x, &format!("{length}"))
    });
    gate.open();
    let server = spawn(handler, |_| ());
    let mut client = Client::new(server.addr());
    for round in 1..=20 {
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
        gate.await_comers(2 * round - 1);
        client.send("123456789");
        assert_eq!(client.response().text(), "9");
        // Parked by now or not, it is read.
        assert_eq!(client.get("/").response().text(), "0");
    }
    client.finish().assert_end();
}

/// Never answers anything.
struct Idler;

impl RequestHandler for Idler {
    fn handle(&self, _: &mut Connection) -> Result<Next> {
        Ok(Next::Park)
    }
}

#[test]
fn a_handle_that_does_nothing_keeps_no_connection_beyond_its_deadline() {
    let server = spawn(Idler, |limits| {
        limits.head_deadline = Duration::from_millis(300)
    });
    let mut client = Client::new(server.addr());
    client.get("/").is_closed_silently();
}

#[cfg(target_os = "linux")]
#[test]
fn threads_without_work_end() {
    use crate::lifesupport::child::{Child, serves};
    let server = || {
        let handler = handler(|h, x| {
            x.rfile.discard()?;
            echo(h, x)
        });
        let mut limits = Limits::default();
        limits.thread_idle_timeout = Duration::from_millis(50);
        let server = ThreadingHttpServer::builder(handler).limits(limits);
        // One event loop, whose leader is there from the start.
        let server = server.event_loops(1).bind("127.0.0.1:0").unwrap();
        server.spawn().unwrap()
    };
    if serves(server) {
        return;
    }
    let child = Child::start("threads::threads_without_work_end", None);
    let mut first = Client::new(child.address);
    first.get("/").response();
    let at_rest = child.threads();
    for _ in 0..3 {
        let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n";
        let mut clients = crowd(20, child.address, head);
        until("a thread for each", || child.threads() >= at_rest + 18);
        for client in &mut clients {
            client.send("x").response();
        }
        // One more may stay: the thread that called `serve_forever`, if it does not lead.
        until("they end", || child.threads() <= at_rest + 1);
    }
    let before = child.ticks();
    first.get("/").response();
    assert!(child.ticks() - before < 20, "they end, and don't spin");
}
