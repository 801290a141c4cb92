//! Records in every shape: where they begin and end, and what stands behind them, makes no difference to HTTP.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use servette::rustls::ClientConnection;
use servette::rustls::pki_types::ServerName;
use servette::testing::TestServer;
use servette::{SimpleHandler, ThreadingHttpServer, Tls, handler_fn};

use crate::client::get;
use crate::over_tls::trusting;
use crate::support::{PATIENCE, echo, text};
use crate::webroot::WebRoot;

/// A client that decides for itself when which bytes of its records go.
struct Records {
    conn: ClientConnection,
    stream: TcpStream,
    plain: Vec<u8>,
}

impl Records {
    fn new(address: impl ToSocketAddrs) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        Records::of(stream)
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let conn = ClientConnection::new(Arc::new(trusting()), name).unwrap();
        let plain = Vec::new();
        Records {
            conn,
            stream,
            plain,
        }
    }

    /// With the handshake done.
    fn open(address: impl ToSocketAddrs) -> Self {
        let mut client = Records::new(address);
        client.shake();
        client
    }

    fn shake(&mut self) {
        while self.conn.is_handshaking() {
            self.conn.complete_io(&mut self.stream).unwrap();
        }
    }

    /// One record with these bytes (or several, if they are more than fit into one), which is not sent yet.
    fn record(&mut self, plain: impl AsRef<[u8]>) -> Vec<u8> {
        self.conn.writer().write_all(plain.as_ref()).unwrap();
        self.pending()
    }

    /// What is to be sent.
    fn pending(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.conn.wants_write() {
            self.conn.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    fn close_notify(&mut self) -> Vec<u8> {
        self.conn.send_close_notify();
        self.pending()
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Reads more plaintext; false at the end, which is to be an orderly one.
    fn fill(&mut self) -> io::Result<bool> {
        let mut block = [0; 16 << 10];
        loop {
            match self.conn.reader().read(&mut block) {
                Ok(count) => {
                    self.plain.extend_from_slice(&block[..count]);
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            let count = self.conn.read_tls(&mut self.stream)?;
            let state = self.conn.process_new_packets().map_err(io::Error::other)?;
            if count == 0 && !state.peer_has_closed() && state.plaintext_bytes_to_read() == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// So many answers to `echo`, which are short, and their bodies.
    fn bodies(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.body()).collect()
    }

    fn body(&mut self) -> String {
        String::from_utf8(self.body_bytes()).unwrap()
    }

    fn body_bytes(&mut self) -> Vec<u8> {
        let find = |plain: &[u8]| plain.windows(4).position(|four| four == b"\r\n\r\n");
        while find(&self.plain).is_none() {
            assert!(self.fill().unwrap(), "the end");
        }
        let end = find(&self.plain).unwrap() + 4;
        let head = String::from_utf8(self.plain.drain(..end).collect()).unwrap();
        let length = head.split("Content-Length: ").nth(1).expect(&head);
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        while self.plain.len() < length {
            assert!(self.fill().unwrap(), "the end");
        }
        self.plain.drain(..length).collect()
    }

    /// Nothing more comes, and the end is an orderly one.
    fn assert_end(&mut self) {
        assert!(
            !self.fill().unwrap(),
            "{:?}",
            String::from_utf8_lossy(&self.plain)
        );
    }
}

fn https() -> TestServer {
    TestServer::builder().https().start(handler_fn(echo))
}

fn paths(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("/{number}")).collect()
}

#[test]
fn requests_share_records_or_have_many() {
    let server = https();
    let paths = paths(50);
    let all: String = paths.iter().map(|path| get(path)).collect();
    // In one record.
    let mut client = Records::open(server.addr());
    let record = client.record(&all);
    client.send(record);
    assert_eq!(client.bodies(50), paths);
    // Each in one of its own, all at once.
    let mut client = Records::open(server.addr());
    let records: Vec<u8> = paths
        .iter()
        .flat_map(|path| client.record(get(path)))
        .collect();
    client.send(records);
    assert_eq!(client.bodies(50), paths);
    // Seven bytes a record.
    let mut client = Records::open(server.addr());
    let records: Vec<u8> = all
        .as_bytes()
        .chunks(7)
        .flat_map(|part| client.record(part))
        .collect();
    client.send(records);
    assert_eq!(client.bodies(50), paths);
}

#[test]
fn single_bytes_in_the_handshake_and_after_it_make_no_difference() {
    let server = https();
    let mut client = Records::new(server.addr());
    let send = |client: &mut Records| {
        for byte in client.pending() {
            client.send([byte]);
        }
    };
    send(&mut client);
    while client.conn.is_handshaking() {
        client.conn.read_tls(&mut client.stream).unwrap();
        client.conn.process_new_packets().unwrap();
        send(&mut client);
    }
    for byte in client.record(get("/a")) {
        client.send([byte]);
    }
    assert_eq!(client.body(), "/a");
}

#[test]
fn half_a_record_waits_while_a_long_response_is_sent() {
    let size = 4 << 20;
    let server = TestServer::builder()
        .https()
        .start(handler_fn(move |h, x| match x.path {
            "/long" => text(h, x, &"x".repeat(size)),
            path => text(h, x, path),
        }));
    let mut client = Records::open(server.addr());
    let (long, next) = (client.record(get("/long")), client.record(get("/next")));
    let (half, rest) = next.split_at(next.len() / 2);
    client.send([&long, half].concat());
    assert_eq!(client.body_bytes().len(), size);
    client.send(rest);
    assert_eq!(client.body(), "/next");
}

#[test]
fn a_slow_reader_gets_everything() {
    use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
    let root = WebRoot::new();
    let content: Vec<u8> = (0..(5 << 20)).map(|at: u32| (at % 251) as u8).collect();
    std::fs::write(root.join("big"), &content).unwrap();
    let files = SimpleHandler::new(root.path())
        .with_protocol_version("HTTP/1.1")
        .quiet(true);
    let written = content.clone();
    let handler = Both(files, written);
    let server = TestServer::builder().https().start(handler);
    for path in ["/big", "/written"] {
        let stream = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_recv_buffer_size(&stream, 2048).unwrap();
        connect(&stream, &server.addr()).unwrap();
        let mut client = Records::of(TcpStream::from(stream));
        client.shake();
        let records = [client.record(get(path)), client.record(get("/small"))].concat();
        client.send(records);
        // It takes nothing until the server can send no more.
        let mut reads = 0;
        std::thread::park_timeout(Duration::from_millis(50));
        while client.plain.len() < 1 << 20 {
            assert!(client.fill().unwrap());
            reads += 1;
        }
        assert!(reads > 10);
        sockopt::set_socket_recv_buffer_size(&client.stream, 1 << 20).unwrap();
        assert!(client.body_bytes() == content, "{path}");
        assert_eq!(client.body(), "/small");
    }
}

/// Of what is encrypted at once it takes a part, again and again.
#[test]
fn short_writes_to_the_socket_lose_nothing() {
    let root = WebRoot::new();
    let content: Vec<u8> = (0..(300 << 10)).map(|at: u32| (at % 251) as u8).collect();
    std::fs::write(root.join("big"), &content).unwrap();
    let files = SimpleHandler::new(root.path())
        .with_protocol_version("HTTP/1.1")
        .quiet(true);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Those that are accepted have it, too.
    rustix::net::sockopt::set_socket_send_buffer_size(&listener, 4096).unwrap();
    let server = ThreadingHttpServer::builder(Both(files, content.clone()))
        .tls(Tls::self_signed(["localhost"]).unwrap().0)
        .from_listener(listener)
        .unwrap()
        .spawn()
        .unwrap();
    for path in ["/big", "/written"] {
        let mut client = Records::new(server.addr());
        client.shake();
        // Nothing follows that would push the rest of it.
        let records = client.record(get(path));
        client.send(records);
        assert!(client.body_bytes() == content, "{path}");
    }
}

/// Files, and an answer that is written.
struct Both(SimpleHandler, Vec<u8>);

impl servette::Layer for Both {
    fn inner(&self) -> &dyn servette::RequestHandler {
        &self.0
    }

    fn do_method(&self, x: &mut servette::Exchange<'_>) -> servette::Result<()> {
        match x.path {
            "/written" => x.send_content(servette::Status::OK, "application/octet-stream", &self.1),
            "/small" => x.send_content(servette::Status::OK, "text/plain", b"/small"),
            _ => servette::simple::do_method(self, x),
        }
    }
}

/// The end of the client's stream, by close_notify alone, is seen at once wherever it stands.
#[test]
fn close_notify_with_a_request_or_after_it_ends_the_connection_after_the_response() {
    let server = https();
    let start = Instant::now();
    for is_in_one in [true, false] {
        let mut client = Records::open(server.addr());
        let request = client.record(get("/a"));
        let notify = client.close_notify();
        match is_in_one {
            true => client.send([request, notify].concat()),
            false => {
                client.send(request);
                assert_eq!(client.body(), "/a");
                client.send(notify);
                client.assert_end();
                continue;
            }
        }
        assert_eq!(client.body(), "/a");
        client.assert_end();
    }
    // A body that ends with it, and one that it cuts.
    let mut client = Records::open(server.addr());
    let request = client.record("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nbody");
    let notify = client.close_notify();
    client.send([request, notify].concat());
    assert_eq!(client.body(), "/b");
    client.assert_end();
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn what_stands_behind_close_notify_is_ignored() {
    let server = https();
    let mut client = Records::open(server.addr());
    let request = client.record(get("/a"));
    let notify = client.close_notify();
    client.send([&request[..], &notify, b"rubbish", &request].concat());
    assert_eq!(client.body(), "/a");
    client.assert_end();
    assert_eq!(server.requests().len(), 1);
}

/// Requests frame themselves, so this truncates nothing.
#[test]
fn a_request_is_answered_whose_client_ends_without_close_notify() {
    let server = https();
    let mut client = Records::open(server.addr());
    let request = client.record(get("/a"));
    client.send(request);
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.body(), "/a");
    client.assert_end();
}

#[test]
fn keys_are_updated() {
    let server = https();
    let mut client = Records::open(server.addr());
    for path in paths(5) {
        client.conn.refresh_traffic_keys().unwrap();
        let records = [client.pending(), client.record(get(&path))].concat();
        client.send(records);
        assert_eq!(client.body(), path);
    }
}

/// Rubbish in every state ends this connection, and nothing else.
#[test]
fn invalid_bytes_in_every_state_end_one_connection() {
    let server = https();
    let rubbish: [&[u8]; 6] = [
        b"\x16\x03\x01\x00\x05hello",
        b"\x16\x03\x01\xff\xffhello",
        b"\x17\x03\x03\x00\x10aaaaaaaaaaaaaaaa",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x14\x03\x03\x00\x01\x01\x14\x03\x03\x00\x01\x01\x14\x03\x03\x00\x01\x01",
        b"\x80\x2e\x01\x00\x02",
    ];
    for rubbish in rubbish {
        for state in 0..3 {
            let mut client = Records::new(server.addr());
            match state {
                0 => {}
                1 => {
                    let hello = client.pending();
                    client.send(hello);
                }
                _ => client.shake(),
            }
            client.send(rubbish);
            let _ = client.stream.shutdown(Shutdown::Write);
            let mut rest = Vec::new();
            // The end comes, by a reset perhaps.
            match client.stream.read_to_end(&mut rest) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
            }
        }
    }
    // In a record that can't be decrypted, behind a request.
    let mut client = Records::open(server.addr());
    let mut records = [client.record(get("/a")), client.record(get("/b"))].concat();
    *records.last_mut().unwrap() ^= 1;
    client.send(records);
    assert!(client.fill().is_err());
    let mut client = Records::open(server.addr());
    let request = client.record(get("/still"));
    client.send(request);
    assert_eq!(client.body(), "/still");
    assert!(server.notes().is_empty(), "{:?}", server.notes());
}

/// A handler whose client breaks the session in a body gets an error, and no answer goes out.
#[test]
fn a_bad_record_in_a_body_is_a_client_that_left() {
    let server = TestServer::builder().https().start(handler_fn(|h, x| {
        let error = io::copy(&mut x.rfile, &mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let _ = text(h, x, "not seen");
        Err(error.into())
    }));
    let mut client = Records::open(server.addr());
    let head = client.record("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n");
    client.send(head);
    let mut bad = client.record("body");
    *bad.last_mut().unwrap() ^= 1;
    client.send(bad);
    assert!(client.fill().is_err());
    assert!(client.plain.is_empty());
}

/// What nobody reads is dropped as it comes, decrypted or not, and the answer is there behind it.
#[test]
fn a_large_body_that_no_handler_reads_loses_no_response() {
    let server = TestServer::builder()
        .https()
        .start(handler_fn(|h, x| match x.path {
            "/refused" => h.send_error(x, servette::Status::NOT_IMPLEMENTED),
            path => text(h, x, path),
        }));
    for (path, size) in [("/a", 200 << 10), ("/a", 5 << 20), ("/refused", 5 << 20)] {
        for is_chunked in [false, true] {
            let mut client = Records::open(server.addr());
            let head = match is_chunked {
                true => "Transfer-Encoding: chunked".to_owned(),
                false => format!("Content-Length: {size}"),
            };
            let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\n{head}\r\n\r\n");
            let head = client.record(head);
            client.send(head);
            // All of it is sent before anything is read.
            let block = vec![b'x'; 10 << 10];
            for _ in 0..size / block.len() {
                let (start, end) = match is_chunked {
                    true => (format!("{:x}\r\n", block.len()), "\r\n"),
                    false => (String::new(), ""),
                };
                let part = [start.as_bytes(), &block, end.as_bytes()].concat();
                let part = client.record(part);
                client.send(part);
            }
            let end = match is_chunked {
                true => "0\r\n\r\n".to_owned(),
                false => "x".repeat(size % block.len()),
            };
            let end = client.record(end);
            client.send(end);
            let body = client.body();
            assert!(body == path || body.contains("501"), "{body}");
        }
    }
}
