//! socketserver's hooks, and `handle_request`.

#[cfg(target_os = "linux")]
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::client::{Client, crowd, get};
use crate::lifesupport::{Gate, a_new_process, spawn_single};
use crate::support::{PATIENCE, echo, handler, limits};
use servette::{
    Connection, Exchange, HttpServer, Limits, Next, Peer, RequestHandler, Result, RunningServer,
    ThreadingHttpServer, base,
};

#[test]
fn a_client_that_is_not_verified_is_closed_without_a_word() {
    let server = ThreadingHttpServer::builder(handler(echo))
        .verify_request(|peer| {
            assert!(peer.ip().unwrap().is_loopback());
            assert_ne!(peer.port(), 0);
            false
        })
        .bind("127.0.0.1:0")
        .unwrap();
    let server = server.spawn().unwrap();
    for _ in 0..100 {
        Client::new(server.addr()).is_closed_silently();
    }
}

/// Fails outside of any exchange, behind the one whose path says so.
#[derive(Default)]
struct Failing(AtomicBool, AtomicBool);

impl RequestHandler for Failing {
    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        base::handle_one_request(self, conn)?;
        if self.0.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("on\npurpose").into());
        }
        assert!(!self.1.load(Ordering::SeqCst), "also on purpose");
        Ok(Next::Park)
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.0.store(x.path == "/fails", Ordering::SeqCst);
        self.1.store(x.path == "/panics", Ordering::SeqCst);
        echo(&self, x)
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

#[test]
fn errors_that_no_response_can_report_go_to_handle_error() {
    let (told, errors) = mpsc::channel();
    let server = ThreadingHttpServer::builder(Failing::default())
        .handle_error(move |error, peer| {
            told.send((error.to_string(), *peer)).unwrap();
            panic!("on purpose");
        })
        .bind("127.0.0.1:0")
        .unwrap();
    let server = server.spawn().unwrap();
    for (path, text) in [
        ("/fails", "on\npurpose"),
        ("/panics", "panic: also on purpose"),
    ] {
        let mut client = Client::new(server.addr());
        let address = client.stream.local_addr().unwrap();
        client.get("/first").get(path);
        // What was answered before is sent all the same.
        assert_eq!(client.response().text(), "/first");
        assert_eq!(client.response().text(), path);
        client.is_closed_silently();
        let (error, peer) = errors.recv_timeout(PATIENCE).unwrap();
        assert_eq!((&*error, peer), (text, Peer::Ip(address)));
    }
    // Clients that leave are none.
    let mut client = Client::new(server.addr());
    client.get("/x").response();
    client.reset();
    let mut client = Client::new(server.addr());
    client.send("GET /x HT");
    client.reset();
    server.shutdown(PATIENCE).unwrap();
    assert!(errors.try_recv().is_err());
}

#[test]
fn a_panic_of_verify_request_costs_one_client_its_connection() {
    let (told, errors) = mpsc::channel();
    let first = std::sync::atomic::AtomicBool::new(true);
    let server = ThreadingHttpServer::builder(handler(echo))
        .verify_request(
            move |_| match first.swap(false, std::sync::atomic::Ordering::SeqCst) {
                true => panic!("on purpose"),
                false => true,
            },
        )
        .handle_error(move |error, _| told.send(error.to_string()).unwrap())
        .bind("127.0.0.1:0")
        .unwrap();
    let server = server.spawn().unwrap();
    Client::new(server.addr()).is_closed_silently();
    assert_eq!(errors.recv_timeout(PATIENCE).unwrap(), "panic: on purpose");
    assert_eq!(Client::new(server.addr()).get("/x").response().text(), "/x");
}

/// A server whose clients are verified at a gate once that is wanted, and connections to all of its event loops.
fn spawn_verifying(
    set: impl FnOnce(&mut Limits),
) -> (RunningServer, Gate, Arc<AtomicBool>, Vec<Client>) {
    let (gate, is_wanted) = (Gate::default(), Arc::new(AtomicBool::new(false)));
    let (inner, wanted) = (gate.clone(), is_wanted.clone());
    let server = ThreadingHttpServer::builder(handler(echo))
        .limits(limits(set))
        .event_loops(2)
        .verify_request(move |_| {
            if wanted.load(Ordering::SeqCst) {
                inner.pass();
            }
            true
        })
        .bind("127.0.0.1:0")
        .unwrap();
    let server = server.spawn().unwrap();
    let kept = (0..10).map(|_| {
        let mut client = Client::new(server.addr());
        client.get("/first").response();
        client
    });
    let kept = kept.collect();
    (server, gate, is_wanted, kept)
}

#[test]
fn clients_that_are_being_verified_keep_nobody_waiting() {
    let (server, gate, is_wanted, mut kept) = spawn_verifying(|_| ());
    is_wanted.store(true, Ordering::SeqCst);
    let mut new = crowd(20, server.addr(), get("/new"));
    for client in &mut kept {
        assert_eq!(client.get("/kept").response().text(), "/kept");
    }
    gate.await_comers(20);
    for client in &mut kept {
        assert_eq!(client.get("/kept").response().text(), "/kept");
    }
    gate.open();
    for client in &mut new {
        assert_eq!(client.response().text(), "/new");
    }
}

#[test]
fn at_most_max_threads_clients_are_verified_at_the_same_time() {
    let (server, gate, is_wanted, mut kept) = spawn_verifying(|limits| {
        limits.max_threads = 4;
        limits.idle_timeout = Duration::from_millis(300);
    });
    is_wanted.store(true, Ordering::SeqCst);
    let mut new = crowd(20, server.addr(), get("/new"));
    gate.await_comers(4);
    // Deadlines are kept in all event loops.
    kept.iter_mut().for_each(Client::is_closed_silently);
    assert_eq!(gate.comers(), 4);
    gate.open();
    for client in &mut new {
        assert_eq!(client.response().text(), "/new");
    }
}

#[test]
fn by_default_such_an_error_is_one_line_on_stderr() {
    const CHILD: &str = "SERVETTE_TEST_STDERR";
    if std::env::var_os(CHILD).is_some() {
        let server = spawn_single(Failing::default());
        let mut client = Client::new(server.addr());
        client.get("/fails");
        client.rest_or_reset();
        server.shutdown(PATIENCE).unwrap();
        return;
    }
    let guard = a_new_process();
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "hooks::by_default_such_an_error_is_one_line_on_stderr",
            "--exact",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(guard);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let [line] = *lines else { panic!("{text}") };
    assert!(line.starts_with("servette: 127.0.0.1:"), "{line}");
    assert!(line.contains("on") && line.ends_with("purpose"), "{line}");
}

#[test]
fn service_actions_run_every_half_second_in_one_event_loop_and_may_panic() {
    let (told, ran) = mpsc::channel();
    let its = told.clone();
    let single = HttpServer::builder(handler(echo)).service_actions(move || {
        its.send((1, Instant::now())).unwrap();
        panic!("on purpose");
    });
    let several = ThreadingHttpServer::builder(handler(echo)).service_actions(move || {
        told.send((8, Instant::now())).unwrap();
        panic!("on purpose");
    });
    let servers = [
        single.bind("127.0.0.1:0").unwrap().spawn().unwrap(),
        several
            .event_loops(8)
            .bind("127.0.0.1:0")
            .unwrap()
            .spawn()
            .unwrap(),
    ];
    let mut times: [Vec<Instant>; 2] = Default::default();
    while times.iter().any(|times| times.len() < 4) {
        let (loops, time) = ran.recv_timeout(PATIENCE).unwrap();
        times[usize::from(loops > 1)].push(time);
    }
    for times in times {
        assert!(times[3] - times[0] >= Duration::from_millis(1490));
        assert!(times[3] - times[0] < Duration::from_secs(6));
    }
    for server in servers {
        assert_eq!(Client::new(server.addr()).get("/x").response().text(), "/x");
    }
}

#[test]
fn handle_request_handles_one_request() {
    let server = HttpServer::bind("127.0.0.1:0", handler(echo)).unwrap();
    let mut idle = Client::new(server.server_address());
    let mut client = Client::new(server.server_address());
    client.get("/first").get("/second");
    for path in ["/first", "/second"] {
        assert!(server.handle_request().unwrap());
        assert_eq!(client.response().text(), path);
    }
    idle.get("/idle");
    assert!(server.handle_request().unwrap());
    assert_eq!(idle.response().text(), "/idle");
    client.get("/kept");
    assert!(server.handle_request().unwrap());
    assert_eq!(client.response().text(), "/kept");
    assert_eq!(server.shutdown_handle().shutdown(PATIENCE), 0);
    assert!(server.handle_request().is_err());
    client.is_closed_silently();
    idle.is_closed_silently();
}

#[test]
fn handle_request_lets_everybody_have_a_turn() {
    let server = ThreadingHttpServer::bind("127.0.0.1:0", handler(echo)).unwrap();
    let mut greedy = Client::new(server.server_address());
    let mut modest = Client::new(server.server_address());
    modest.get("/first");
    assert!(server.handle_request().unwrap());
    assert_eq!(modest.response().text(), "/first");
    for _ in 0..20 {
        greedy.get("/greedy");
    }
    assert!(server.handle_request().unwrap());
    modest.get("/modest");
    assert!(server.handle_request().unwrap());
    assert!(server.handle_request().unwrap());
    assert_eq!(modest.response().text(), "/modest");
    for _ in 0..18 {
        assert!(server.handle_request().unwrap());
    }
    for _ in 0..20 {
        assert_eq!(greedy.response().text(), "/greedy");
    }
}

#[test]
fn handle_request_times_out() {
    let (told, timeouts) = mpsc::channel();
    for timeout in [Duration::ZERO, Duration::from_millis(50)] {
        let told = told.clone();
        let server = HttpServer::builder(handler(echo))
            .timeout(timeout)
            .handle_timeout(move || told.send(()).unwrap())
            .bind("127.0.0.1:0")
            .unwrap();
        let start = Instant::now();
        assert!(!server.handle_request().unwrap());
        assert!(start.elapsed() >= timeout && start.elapsed() < PATIENCE);
        assert!(timeouts.try_recv().is_ok());
        // Nobody waits for a request that does not end.
        let mut client = Client::new(server.server_address());
        client.send("GET /x HTTP/1.1\r\n");
        assert!(!server.handle_request().unwrap());
        assert!(timeouts.try_recv().is_ok());
        client.send("Host: x\r\n\r\n");
        assert!(server.handle_request().unwrap());
        assert!(timeouts.try_recv().is_err());
        assert_eq!(client.response().text(), "/x");
    }
}

#[test]
fn handle_request_keeps_the_deadlines_of_connections() {
    let server = HttpServer::builder(handler(echo))
        .limits(limits(|limits| {
            limits.head_deadline = Duration::from_millis(200)
        }))
        .timeout(Duration::from_millis(900))
        .bind("127.0.0.1:0")
        .unwrap();
    let mut client = Client::new(server.server_address());
    assert!(!server.handle_request().unwrap());
    client.is_closed_silently();
}

#[cfg(target_os = "linux")]
#[test]
fn request_queue_size_bounds_what_waits_to_be_accepted() {
    let fits = |queue| {
        let server = HttpServer::builder(handler(echo))
            .request_queue_size(queue)
            .bind("127.0.0.1:0")
            .unwrap();
        let address: SocketAddr = server.server_address().socket_addr().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
        let clients: Vec<_> = std::iter::from_fn(connect).take(20).collect();
        clients.len()
    };
    assert!((1..8).contains(&fits(2)));
    assert_eq!(fits(64), 20);
}

/// They are called again when they have returned and some time is over, as in Python, and not at the same time.
#[test]
fn service_actions_that_take_long_starve_nobody() {
    let inside = Arc::new(AtomicUsize::new(0));
    let server = HttpServer::builder(handler(echo))
        .service_actions(move || {
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
            std::thread::park_timeout(Duration::from_millis(550));
            inside.fetch_sub(1, Ordering::SeqCst);
        })
        .bind("127.0.0.1:0")
        .unwrap()
        .spawn()
        .unwrap();
    let mut client = Client::new(server.addr());
    for _ in 0..3 {
        assert_eq!(client.get("/").response().status, 200);
    }
}
