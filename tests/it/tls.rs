//! HTTPS: what the server does with sessions, and with what is no session.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use servette::rustls::crypto::ring;
use servette::rustls::pki_types::ServerName;
use servette::rustls::server::{ClientHello, ResolvesServerCert};
use servette::rustls::sign::CertifiedKey;
use servette::rustls::{ClientConfig, ClientConnection, ServerConfig, StreamOwned, version};
use servette::testing::TestServer;
use servette::{
    HttpServer, Limits, RequestHandler, RunningServer, Status, ThreadingHttpServer, Tls, handler_fn,
};

use crate::keys::pair;
use crate::over_tls::{trust, trusting};
use crate::support::{Log, PATIENCE, echo, handler, limits, text, until};

/// A client with a session.
type Secure = StreamOwned<ClientConnection, TcpStream>;

fn connect(address: impl std::net::ToSocketAddrs) -> Secure {
    connect_with(address, trusting())
}

fn connect_with(address: impl std::net::ToSocketAddrs, config: ClientConfig) -> Secure {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(
        ClientConnection::new(Arc::new(config), name).unwrap(),
        stream,
    )
}

/// All that comes until the end, which is to be an orderly one.
fn rest(client: &mut Secure) -> String {
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    String::from_utf8(all).unwrap()
}

fn ask(client: &mut Secure, request: &str) -> String {
    client.write_all(request.as_bytes()).unwrap();
    rest(client)
}

const CLOSING: &str = "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

fn servers(tls: &Tls, set: impl Fn(&mut Limits)) -> [RunningServer; 2] {
    let single = HttpServer::builder(handler(echo))
        .limits(limits(&set))
        .tls(tls.clone());
    let many = ThreadingHttpServer::builder(handler(echo))
        .limits(limits(&set))
        .tls(tls.clone());
    [
        single.bind("127.0.0.1:0").unwrap().spawn().unwrap(),
        many.bind("127.0.0.1:0").unwrap().spawn().unwrap(),
    ]
}

fn made() -> Tls {
    Tls::self_signed(["localhost"]).unwrap().0
}

#[test]
fn both_servers_speak_it() {
    for server in servers(&made(), |_| ()) {
        assert!(server.url("/").starts_with("https://127.0.0.1:"));
        let mut client = connect(server.addr());
        client
            .write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap();
        assert!(ask(&mut client, CLOSING).ends_with("\r\n\r\n/x"));
    }
}

#[test]
fn a_plain_listener_beside_it_speaks_http() {
    let says = handler_fn(|h, x| {
        let what = x.tls().map_or("plain", |_| "secure");
        text(h, x, what)
    });
    let server = ThreadingHttpServer::builder(says)
        .tls(made())
        .also_bind_plain("127.0.0.1:0")
        .also_bind("127.0.0.1:0")
        .bind("127.0.0.1:0")
        .unwrap()
        .spawn()
        .unwrap();
    let addresses: Vec<_> = server
        .info()
        .addresses
        .iter()
        .map(|of| of.socket_addr())
        .collect();
    let [Some(first), Some(plain), Some(second)] = addresses[..] else {
        panic!("{addresses:?}");
    };
    for secure in [first, second] {
        assert!(ask(&mut connect(secure), CLOSING).ends_with("\r\n\r\nsecure"));
        let mut client = TcpStream::connect(secure).unwrap();
        client.write_all(CLOSING.as_bytes()).unwrap();
        let answer = io::read_to_string(client).unwrap();
        assert!(answer.contains(" 400 This port speaks HTTPS"), "{answer}");
    }
    let mut client = TcpStream::connect(plain).unwrap();
    client.write_all(CLOSING.as_bytes()).unwrap();
    assert!(
        io::read_to_string(client)
            .unwrap()
            .ends_with("\r\n\r\nplain")
    );
}

#[test]
fn a_handler_sees_what_was_agreed_on() {
    for (version, expected) in [
        (&version::TLS13, "TLSv1.3 TLS_AES_256_GCM_SHA384"),
        (
            &version::TLS12,
            "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        ),
    ] {
        let server = TestServer::builder().https().start(handler_fn(|h, x| {
            let tls = x.tls().unwrap();
            let alpn = tls.alpn.as_deref().unwrap_or("none");
            let name = tls.server_name.as_deref().unwrap_or("none");
            let all = format!("{} {} {name} {alpn}", tls.version, tls.cipher);
            text(h, x, &all)
        }));
        let provider = Arc::new(ring::default_provider());
        let roots = servette::rustls::RootCertStore::empty();
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        trust(&mut config);
        let answer = ask(&mut connect_with(server.addr(), config), CLOSING);
        assert!(
            answer.ends_with(&format!("{expected} localhost http/1.1")),
            "{answer}"
        );
    }
    let server = TestServer::start(handler_fn(|h, x| text(h, x, &format!("{:?}", x.tls()))));
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client.write_all(CLOSING.as_bytes()).unwrap();
    assert!(io::read_to_string(client).unwrap().ends_with("None"));
}

/// The session and its handshake have the deadline of a head, and occupy nobody.
#[test]
fn clients_that_are_silent_or_stop_in_the_handshake_are_closed() {
    let deadline = Duration::from_millis(300);
    for server in servers(&made(), |limits| limits.head_deadline = deadline) {
        let silent = TcpStream::connect(server.addr()).unwrap();
        let mut stops = TcpStream::connect(server.addr()).unwrap();
        stops.write_all(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
        assert!(ask(&mut connect(server.addr()), CLOSING).ends_with("/x"));
        let mut open = connect(server.addr());
        while open.conn.is_handshaking() {
            open.conn.complete_io(&mut open.sock).unwrap();
        }
        for mut client in [silent, stops] {
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            assert_eq!(client.read(&mut [0; 16]).unwrap(), 0);
        }
        // This one is told.
        assert_eq!(rest(&mut open), "");
    }
}

/// A client that leaves Nagle's algorithm on has its request held back until something comes.
#[test]
fn the_end_of_the_handshake_is_answered_without_a_request() {
    for server in servers(&made(), |_| ()) {
        let mut client = connect(server.addr());
        while client.conn.is_handshaking() {
            client.conn.complete_io(&mut client.sock).unwrap();
        }
        while client.conn.wants_write() {
            client.conn.write_tls(&mut client.sock).unwrap();
        }
        // Read until PATIENCE; a server that waits for the request sends nothing.
        assert!(client.conn.read_tls(&mut client.sock).unwrap() > 0);
        assert!(ask(&mut client, CLOSING).ends_with("/x"));
    }
}

/// Idle, stopped, or making room: nothing is missing, and the client is told so.
#[test]
fn a_close_between_two_responses_has_close_notify() {
    let kept = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
    let one = |limits: &mut Limits| limits.max_connections = 1;
    let idle = |limits: &mut Limits| limits.idle_timeout = Duration::from_millis(100);
    for server in servers(&made(), idle) {
        assert!(ask(&mut connect(server.addr()), kept).ends_with("/x"));
    }
    for server in servers(&made(), one) {
        let mut first = connect(server.addr());
        first.write_all(kept.as_bytes()).unwrap();
        let mut answer = [0; 17];
        first.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK\r\n");
        // The first one may not be idle yet when its answer is here.
        let mut second = connect(server.addr());
        until("it makes room", || {
            second = connect(server.addr());
            let sent = second.write_all(kept.as_bytes());
            sent.and_then(|()| second.read_exact(&mut answer)).is_ok()
        });
        assert!(rest(&mut first).ends_with("/x"));
        let stop = server.shutdown_handle();
        stop.shutdown(PATIENCE);
        assert!(rest(&mut second).ends_with("/x"));
    }
}

/// No 503: it would take a handshake with each client of a flood.
#[test]
fn a_server_at_its_connection_limit_closes_without_a_handshake() {
    let (entered, entering) = channel();
    let gate = Arc::new(Mutex::new(()));
    let locked = gate.lock().unwrap();
    let inner = gate.clone();
    let handler = handler(move |h, x| {
        entered.send(()).unwrap();
        drop(inner.lock().unwrap());
        echo(h, x)
    });
    let server = ThreadingHttpServer::builder(handler).tls(made());
    let server = server.limits(limits(|limits| {
        limits.max_connections = 1;
        // Not for this.
        limits.head_deadline = Duration::from_secs(3600);
    }));
    let server = server
        .handle_error(|_, _| ())
        .bind("127.0.0.1:0")
        .unwrap()
        .spawn()
        .unwrap();
    let mut busy = connect(server.addr());
    busy.write_all(CLOSING.as_bytes()).unwrap();
    entering.recv_timeout(PATIENCE).unwrap();
    let mut second = TcpStream::connect(server.addr()).unwrap();
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(second.read(&mut [0; 16]).unwrap(), 0);
    drop(locked);
    assert!(rest(&mut busy).ends_with("/x"));
}

/// A cut answer has no orderly end, also where its framing shows the cut.
#[test]
fn an_incomplete_response_ends_without_close_notify() {
    let log = Log::default();
    let kept = log.clone();
    let failing = handler_fn(|h: &dyn RequestHandler, x: &mut servette::Exchange<'_>| {
        h.send_response(x, Status::OK);
        if x.path == "/length" {
            h.send_header(x, "Content-Length", "10");
        }
        h.end_headers(x)?;
        x.wfile.write_all(b"some")?;
        x.wfile.flush()?;
        Err(servette::Error::other("on purpose"))
    });
    let server =
        ThreadingHttpServer::builder(failing.protocol_version("HTTP/1.1").quiet()).tls(made());
    let server = server.handle_error(move |error, _| kept.push(error));
    let server = server.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    for (path, version) in [("/length", "1.1"), ("/chunks", "1.1"), ("/close", "1.0")] {
        let mut client = connect(server.addr());
        let request = format!("GET {path} HTTP/{version}\r\nHost: h\r\n\r\n");
        client.write_all(request.as_bytes()).unwrap();
        let mut all = Vec::new();
        let error = client.read_to_end(&mut all).unwrap_err();
        let is_cut = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        assert!(is_cut.contains(&error.kind()), "{path}: {error}");
        if path != "/close" {
            assert_eq!(
                error.kind(),
                io::ErrorKind::UnexpectedEof,
                "{path}: {error}"
            );
            assert!(String::from_utf8(all).unwrap().contains("some"));
        }
    }
}

/// A resolver that panics stands for any dependency that does.
#[derive(Debug)]
struct Panics(Mutex<bool>, Arc<CertifiedKey>);

impl ResolvesServerCert for Panics {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        assert!(!std::mem::take(&mut *self.0.lock().unwrap()), "on purpose");
        Some(self.1.clone())
    }
}

#[test]
fn a_panic_in_the_handshake_ends_one_connection_and_no_thread() {
    let pair = pair(&["localhost"]);
    let provider = Arc::new(ring::default_provider());
    let key = CertifiedKey::from_der(vec![pair.der()], pair.key_der(), &provider).unwrap();
    for is_single in [true, false] {
        let resolver = Panics(Mutex::new(true), Arc::new(key.clone()));
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        let (config, log) = (Arc::new(config), Log::default());
        let kept = log.clone();
        let server = match is_single {
            true => HttpServer::builder(handler(echo))
                .tls(config)
                .handle_tls_error(move |error, _| kept.push(error))
                .bind("127.0.0.1:0")
                .unwrap()
                .spawn(),
            false => ThreadingHttpServer::builder(handler(echo))
                .tls(config)
                .handle_tls_error(move |error, _| kept.push(error))
                .bind("127.0.0.1:0")
                .unwrap()
                .spawn(),
        };
        let server = server.unwrap();
        let mut first = connect(server.addr());
        assert!(first.write_all(CLOSING.as_bytes()).is_err());
        assert!(ask(&mut connect(server.addr()), CLOSING).ends_with("/x"));
        assert_eq!(log.lines(), ["TLS: panic: on purpose"]);
    }
}

/// A resolver that panics when it is dropped: by the last session of its configuration, on a thread of the server.
#[derive(Debug)]
struct Bomb(Arc<CertifiedKey>, Arc<AtomicBool>);

impl ResolvesServerCert for Bomb {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.1.store(true, Relaxed);
        panic!("on purpose");
    }
}

#[test]
fn a_panic_at_the_end_of_a_session_ends_no_thread() {
    let pair = pair(&["localhost"]);
    let provider = Arc::new(ring::default_provider());
    let key = CertifiedKey::from_der(vec![pair.der()], pair.key_der(), &provider).unwrap();
    let has_panicked = Arc::new(AtomicBool::new(false));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Bomb(key.into(), has_panicked.clone())));
    let tls = Tls::from(Arc::new(config));
    let server = HttpServer::builder(handler(echo)).tls(tls.clone());
    let server = server.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    let silent = TcpStream::connect(server.addr()).unwrap();
    // It is accepted behind the first one.
    assert!(ask(&mut connect(server.addr()), CLOSING).ends_with("/x"));
    tls.replace(made());
    drop(silent);
    until("the panic", || has_panicked.load(Relaxed));
    assert!(ask(&mut connect(server.addr()), CLOSING).ends_with("/x"));
}

#[test]
fn raw_and_detached_streams_carry_plaintext() {
    let (give, detached) = channel();
    let give = Mutex::new(give);
    let server = TestServer::builder().https().start(handler_fn(move |_, x| {
        if x.path == "/raw" {
            let mut raw = x.raw_stream()?;
            let mut word = [0; 5];
            raw.read_exact(&mut word)?;
            raw.write_all(&word)?;
            raw.shutdown_write();
            // The other direction is still open.
            raw.read_exact(&mut word)?;
            assert_eq!(&word, b"later");
            return Ok(());
        }
        x.wfile.write_all(b"")?;
        give.lock().unwrap().send(x.detach()?).unwrap();
        Ok(())
    }));
    let mut client = connect(server.addr());
    let asked = "GET /raw HTTP/1.1\r\nHost: h\r\n\r\nhello";
    assert_eq!(ask(&mut client, asked), "hello");
    client.write_all(b"later").unwrap();
    let mut client = connect(server.addr());
    client
        .write_all(b"GET /detach HTTP/1.1\r\nHost: h\r\n\r\nearly")
        .unwrap();
    let mut stream = detached.recv_timeout(PATIENCE).unwrap();
    drop(server);
    let mut word = [0; 5];
    stream.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"early");
    // More than fits into sockets: the writer waits for its reader, and the reader for its writer.
    let size = 8 << 20;
    let writer = std::thread::spawn(move || {
        stream.write_all(&content(size)).unwrap();
        let mut word = [0; 5];
        stream.read_exact(&mut word).unwrap();
        let mut stream = stream.into_parts().unwrap_err();
        stream.write_all(&word).unwrap();
    });
    let mut received = vec![0; size];
    client.read_exact(&mut received).unwrap();
    assert!(received == content(size));
    client.write_all(b"later").unwrap();
    assert_eq!(rest(&mut client), "later");
    writer.join().unwrap();
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

/// With the server in a process of its own.
#[cfg(target_os = "linux")]
mod in_a_child {
    use super::*;
    use crate::lifesupport::child::{Child, serves};
    use crate::lifesupport::raise_descriptors;

    fn server() -> RunningServer {
        let server = ThreadingHttpServer::builder(handler(echo)).tls(made());
        server.bind("127.0.0.1:0").unwrap().spawn().unwrap()
    }

    #[test]
    fn a_thousand_silent_clients_take_no_thread() {
        if serves(server) {
            return;
        }
        let child = Child::start(
            "tls::in_a_child::a_thousand_silent_clients_take_no_thread",
            None,
        );
        if raise_descriptors() < 1_400 {
            eprintln!("skipped: too few descriptors");
            return;
        }
        let before = child.threads();
        let silent: Vec<_> = (0..1000)
            .map(|number| {
                let mut client = TcpStream::connect(child.address).unwrap();
                if number % 2 == 0 {
                    client.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
                }
                client
            })
            .collect();
        for _ in 0..10 {
            assert!(ask(&mut connect(child.address), CLOSING).ends_with("/x"));
        }
        // One for each core, the monitor, and some more where the machine is busy.
        let threads = child.threads();
        assert!(threads <= before + 20, "{threads} threads, {before} before");
        drop(silent);
    }

    #[test]
    fn an_idle_connection_takes_less_than_7_kib() {
        if serves(server) {
            return;
        }
        let child = Child::start(
            "tls::in_a_child::an_idle_connection_takes_less_than_7_kib",
            None,
        );
        let config = Arc::new(trusting());
        let open = |_| {
            let stream = TcpStream::connect(child.address).unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let client = ClientConnection::new(config.clone(), name).unwrap();
            let mut client = StreamOwned::new(client, stream);
            client
                .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                .unwrap();
            client.read_exact(&mut [0; 20]).unwrap();
            client.sock
        };
        let _warm: Vec<_> = (0..100).map(open).collect();
        let before = child.memory();
        let count = 400;
        let _idle: Vec<_> = (0..count).map(open).collect();
        let each = child.memory().saturating_sub(before) / count;
        println!("{each} bytes of resident memory for each of {count} idle connections");
        assert!(each < 7 << 10, "{each} bytes per connection");
    }
}
