//! Clients behind proxies: who they are, as the PROXY protocol and forwarded fields say it, and who is believed.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use servette::server::Builder;
use servette::{
    Exchange, HttpServer, Limits, RequestHandler, Result, RunningServer, ThreadingHttpServer,
};

use crate::client::Client;
use crate::support::{Log, PATIENCE, handler, limits, text, until};

const GET: &str = "GET / HTTP/1.1\r\nHost: own\r\nConnection: close\r\n\r\n";
const LINE: &str = "PROXY TCP4 192.0.2.1 192.0.2.2 4321 80\r\n";

/// Version 2 for the same client.
fn binary(command: u8, fields: &[u8]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([command, 0x11]);
    header.extend(u16::try_from(12 + fields.len()).unwrap().to_be_bytes());
    header.extend([192, 0, 2, 1, 192, 0, 2, 2, 16, 225, 0, 80]);
    header.extend(fields);
    header
}

/// Answers with client, scheme and host.
fn tell(h: &dyn RequestHandler, x: &mut Exchange<'_>) -> Result<()> {
    let host = x.host().unwrap_or("-");
    text(h, x, &format!("{} {} {host}", x.client_address, x.scheme()))
}

/// A server that requires the protocol of loopback clients, and its errors.
fn requiring<H, S>(
    builder: Builder<H, S>,
    log: &Log,
    set: impl FnOnce(&mut Limits),
) -> Builder<H, S> {
    let log = log.clone();
    builder
        .limits(limits(set))
        .trusted_proxies(["127.0.0.1", "unix", "10.0.0.0/8"])
        .proxy_protocol(true)
        .handle_error(move |error, peer| log.push(format!("{} {error}", peer.ip().is_some())))
}

/// One of each kind.
fn both(log: &Log, set: impl Fn(&mut Limits)) -> [RunningServer; 2] {
    let single = requiring(HttpServer::builder(handler(tell)), log, &set);
    let many = requiring(ThreadingHttpServer::builder(handler(tell)), log, &set);
    [
        single.bind("127.0.0.1:0").unwrap().spawn().unwrap(),
        many.bind("127.0.0.1:0").unwrap().spawn().unwrap(),
    ]
}

fn connect(server: &RunningServer) -> TcpStream {
    let stream = TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// What comes until the end or a reset.
fn rest(mut stream: impl Read) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn ask(mut stream: impl Read + Write, parts: &[&[u8]]) -> String {
    for part in parts {
        stream.write_all(part).unwrap();
    }
    let answer = rest(stream);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    body.to_owned()
}

#[test]
fn forwarded_fields_of_trusted_proxies_only_are_used() {
    let fields =
        "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: site\r\n";
    let request = format!("GET / HTTP/1.0\r\nHost: own\r\n{fields}\r\n");
    for (trusted, expected) in [
        (&["127.0.0.1"][..], Some("192.0.2.1:0 https site")),
        (&["127.0.0.0/8", "::1"], Some("192.0.2.1:0 https site")),
        (&["unix", "10.0.0.0/8"], None),
        (&[], None),
    ] {
        let single = HttpServer::builder(handler(tell)).trusted_proxies(trusted);
        let many = ThreadingHttpServer::builder(handler(tell)).trusted_proxies(trusted);
        for server in [
            single.bind("127.0.0.1:0").unwrap().spawn().unwrap(),
            many.bind("127.0.0.1:0").unwrap().spawn().unwrap(),
        ] {
            let stream = connect(&server);
            let own = format!("{} http own", stream.local_addr().unwrap());
            let answer = ask(stream, &[request.as_bytes()]);
            assert_eq!(answer, expected.unwrap_or(&own), "{trusted:?}");
        }
    }
}

#[test]
fn each_request_of_a_connection_has_its_own_client() {
    let server = ThreadingHttpServer::builder(handler(tell)).trusted_proxies(["127.0.0.1"]);
    let server = server.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    let mut client = Client::new(server.addr());
    for number in 0..3 {
        let field = format!("Forwarded: for=192.0.2.{number};proto=https;host=h");
        client.send(format!("GET / HTTP/1.1\r\nHost: own\r\n{field}\r\n\r\n"));
        let expected = format!("192.0.2.{number}:0 https h");
        assert_eq!(client.response().text(), expected);
    }
}

#[test]
fn the_proxy_protocol_names_the_client() {
    let log = Log::default();
    for server in both(&log, |_| ()) {
        let expected = "192.0.2.1:4321 http own";
        for header in [
            LINE.as_bytes().to_vec(),
            binary(0x21, b""),
            binary(0x21, &[4; 4096]),
        ] {
            let stream = connect(&server);
            assert_eq!(ask(&stream, &[&header, GET.as_bytes()]), expected);
            let together = [&header[..], GET.as_bytes()].concat();
            assert_eq!(ask(connect(&server), &[&together]), expected);
            // Its fields are not believed: that client is no proxy.
            let forged = "GET / HTTP/1.0\r\nHost: own\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n";
            assert_eq!(
                ask(connect(&server), &[&header, forged.as_bytes()]),
                expected
            );
        }
        // The checks of a balancer come from itself.
        for header in [&b"PROXY UNKNOWN\r\n"[..], &binary(0x20, b"")] {
            let stream = connect(&server);
            let own = format!("{} http own", stream.local_addr().unwrap());
            assert_eq!(ask(stream, &[header, GET.as_bytes()]), own);
            // Whoever is not named is not believed, either.
            let stream = connect(&server);
            let own = format!("{} http -", stream.local_addr().unwrap());
            let forged = b"GET / HTTP/1.0\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n";
            assert_eq!(ask(stream, &[header, forged]), own);
        }
        // A second proxy, behind the one that speaks the protocol.
        let request = "GET / HTTP/1.0\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n";
        let line = b"PROXY TCP4 10.0.0.1 192.0.2.2 4321 80\r\n";
        let answer = ask(connect(&server), &[line, request.as_bytes()]);
        assert_eq!(answer, "192.0.2.9:0 http -");
    }
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn a_proxy_header_that_arrives_byte_by_byte_occupies_no_thread() {
    let log = Log::default();
    for server in both(&log, |_| ()) {
        for header in [LINE.as_bytes().to_vec(), binary(0x21, b"some fields")] {
            let mut stream = connect(&server);
            for byte in &header {
                stream.write_all(&[*byte]).unwrap();
                // Another client is served meanwhile: the single thread too has looked at the byte and waits.
                if *byte == b' ' || *byte == 0 {
                    let answer = ask(connect(&server), &[LINE.as_bytes(), GET.as_bytes()]);
                    assert_eq!(answer, "192.0.2.1:4321 http own");
                }
            }
            let mut bytes = GET.as_bytes().chunks(1);
            let parts: Vec<&[u8]> = bytes.by_ref().collect();
            assert_eq!(ask(stream, &parts), "192.0.2.1:4321 http own");
        }
    }
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn a_kept_connection_begins_with_one_header() {
    let log = Log::default();
    for server in both(&log, |_| ()) {
        let mut stream = connect(&server);
        stream.write_all(LINE.as_bytes()).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: own\r\n\r\n";
        stream.write_all(request.repeat(3).as_bytes()).unwrap();
        let answer = ask(&stream, &[GET.as_bytes()]);
        assert_eq!(
            answer.matches("192.0.2.1:4321 http own").count(),
            4,
            "{answer}"
        );
        // A second one is no request.
        let answer = ask(connect(&server), &[LINE.as_bytes(), LINE.as_bytes()]);
        assert!(answer.contains("400"), "{answer}");
    }
}

#[test]
fn a_connection_without_a_valid_proxy_header_is_closed_with_one_log_line() {
    let mut endless = LINE.as_bytes().to_vec();
    endless.truncate(LINE.len() - 2);
    endless.resize(108, b' ');
    let mut enormous = binary(0x21, b"");
    enormous[14..16].copy_from_slice(&[0xff, 0xff]);
    let mut unknown = binary(0x21, b"");
    unknown[13] = 0x41;
    let log = Log::default();
    for server in both(&log, |_| ()) {
        for (bytes, reason) in [
            (
                GET.as_bytes(),
                "the connection does not begin with a PROXY header",
            ),
            (
                b"\x16\x03\x01\x02\x00",
                "the connection does not begin with a PROXY header",
            ),
            (&endless, "the PROXY line is longer than 107 bytes"),
            (&enormous, "the PROXY header is too long"),
            (&unknown, "unknown address family in a PROXY header"),
            (b"PROXY TCP4 1 2 3 4\r\n", "malformed PROXY line"),
        ] {
            let before = log.lines().len();
            let mut stream = connect(&server);
            stream.write_all(bytes).unwrap();
            assert_eq!(rest(&stream), "");
            assert_eq!(
                log.lines()[before..],
                [format!("true PROXY protocol: {reason}")]
            );
        }
        // It ends in the middle.
        let before = log.lines().len();
        let mut stream = connect(&server);
        stream.write_all(b"PROXY TC").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&stream), "");
        let line = "true PROXY protocol: the connection ends within its PROXY header";
        assert_eq!(log.lines()[before..], [line]);
        // As some balancers look whether a port is open.
        let before = log.lines().len();
        let stream = connect(&server);
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&stream), "");
        drop(connect(&server));
        let answer = ask(connect(&server), &[LINE.as_bytes(), GET.as_bytes()]);
        assert_eq!(answer, "192.0.2.1:4321 http own");
        assert_eq!(log.lines().len(), before);
    }
}

#[test]
fn the_proxy_header_and_the_request_head_share_one_deadline() {
    let log = Log::default();
    let deadline = Duration::from_millis(300);
    for server in both(&log, |limits| limits.head_deadline = deadline) {
        for begun in ["", "PROXY", &LINE[..30], &LINE[..LINE.len() - 1], LINE] {
            let start = Instant::now();
            let mut stream = connect(&server);
            stream.write_all(begun.as_bytes()).unwrap();
            assert_eq!(rest(&stream), "", "{begun:?}");
            let waited = start.elapsed();
            assert!(waited >= deadline && waited < PATIENCE, "{waited:?}");
        }
        // Bytes that come now and then do not extend it.
        let start = Instant::now();
        let mut stream = connect(&server);
        for byte in LINE.as_bytes() {
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        assert_eq!(rest(&stream), "");
        assert!(start.elapsed() >= deadline, "{:?}", start.elapsed());
    }
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn a_proxy_header_from_an_untrusted_address_is_not_read() {
    let log = Log::default();
    let inner = log.clone();
    let server = ThreadingHttpServer::builder(handler(tell))
        .trusted_proxies(["192.0.2.0/24"])
        .proxy_protocol(true)
        .handle_error(move |error, _| inner.push(error));
    let server = server.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    for bytes in ["", LINE, GET] {
        let before = log.lines().len();
        let mut stream = connect(&server);
        let _ = stream.write_all(bytes.as_bytes());
        assert_eq!(rest(&stream), "");
        let line = "PROXY protocol: the peer is not a trusted proxy";
        assert_eq!(log.lines()[before..], [line]);
    }
}

#[cfg(unix)]
#[test]
fn it_is_spoken_over_unix_sockets_too() {
    let log = Log::default();
    let path = std::env::temp_dir().join(format!("servette-proxied-{}", std::process::id()));
    let builder = requiring(ThreadingHttpServer::builder(handler(tell)), &log, |_| ());
    let server = builder.bind_unix(&path).unwrap().spawn().unwrap();
    let connect = || {
        let stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    for header in [LINE.as_bytes().to_vec(), binary(0x21, b"")] {
        let answer = ask(connect(), &[&header, GET.as_bytes()]);
        assert_eq!(answer, "192.0.2.1:4321 http own");
    }
    let own = ask(connect(), &[b"PROXY UNKNOWN\r\n", GET.as_bytes()]);
    assert_eq!(own, "unix http own");
    drop(server);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn verify_request_is_asked_about_the_client_and_not_the_proxy() {
    let asked = Log::default();
    let (log, inner) = (Log::default(), asked.clone());
    let builder = requiring(ThreadingHttpServer::builder(handler(tell)), &log, |_| ());
    let builder = builder.verify_request(move |peer| {
        inner.push(peer);
        peer.port() != 7
    });
    let server = builder.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    let mut stream = connect(&server);
    // Nobody is asked before the header is there.
    stream.write_all(b"PROXY TCP4 192.0.2.1 ").unwrap();
    let answer = ask(connect(&server), &[LINE.as_bytes(), GET.as_bytes()]);
    assert_eq!(answer, "192.0.2.1:4321 http own");
    assert_eq!(asked.lines(), ["192.0.2.1:4321"]);
    assert_eq!(ask(&stream, &[b"192.0.2.2 7 80\r\n", GET.as_bytes()]), "");
    assert_eq!(asked.lines(), ["192.0.2.1:4321", "192.0.2.1:7"]);
}

#[test]
fn many_incomplete_proxy_headers_do_not_shut_out_others() {
    let log = Log::default();
    for server in both(&log, |limits| limits.max_connections = 4) {
        let begun: Vec<TcpStream> = (0..60)
            .map(|_| {
                let mut stream = connect(&server);
                stream.write_all(b"PROXY ").unwrap();
                stream
            })
            .collect();
        let answer = ask(connect(&server), &[LINE.as_bytes(), GET.as_bytes()]);
        assert_eq!(answer, "192.0.2.1:4321 http own");
        drop(begun);
    }
}

#[cfg(feature = "self-signed")]
#[test]
fn the_proxy_header_comes_before_tls() {
    use servette::rustls::pki_types::ServerName;
    use servette::rustls::{ClientConnection, StreamOwned};
    let (tls, _) = servette::Tls::self_signed(["localhost"]).unwrap();
    let log = Log::default();
    let single = requiring(HttpServer::builder(handler(tell)), &log, |_| ()).tls(tls.clone());
    let many = requiring(ThreadingHttpServer::builder(handler(tell)), &log, |_| ()).tls(tls);
    for server in [
        single.bind("127.0.0.1:0").unwrap().spawn().unwrap(),
        many.bind("127.0.0.1:0").unwrap().spawn().unwrap(),
    ] {
        for header in [LINE.as_bytes().to_vec(), binary(0x21, b"fields")] {
            let mut stream = connect(&server);
            stream.write_all(&header).unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let config = Arc::new(crate::over_tls::trusting());
            let session = ClientConnection::new(config, name).unwrap();
            let answer = ask(StreamOwned::new(session, stream), &[GET.as_bytes()]);
            assert_eq!(answer, "192.0.2.1:4321 https own");
        }
    }
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn settings_that_cannot_be_are_errors_of_bind() {
    let wrong = HttpServer::builder(handler(tell)).trusted_proxies(["127.0.0.1", "nonsense", "x"]);
    let error = wrong.bind("127.0.0.1:0").unwrap_err().to_string();
    assert!(
        error.contains("'nonsense' is not a trusted proxy"),
        "{error}"
    );
    let nobody = HttpServer::builder(handler(tell)).proxy_protocol(true);
    let error = nobody.bind("127.0.0.1:0").unwrap_err().to_string();
    assert!(error.contains("requires trusted_proxies"), "{error}");
}

/// The other clients of a server that drains.
#[test]
fn a_server_that_drains_serves_and_keeps_no_connection() {
    for server in crate::lifesupport::spawn_both(handler(tell)) {
        let address: SocketAddr = server.info().server_address.socket_addr().unwrap();
        let mut idle = Client::new(address);
        assert!(!idle.get("/").response().says_close());
        let handle = server.info().shutdown_handle();
        assert!(!handle.is_draining());
        handle.drain();
        assert!(handle.is_draining() && !handle.is_stopping());
        // One that is kept from before is answered, and closed then.
        assert!(idle.get("/").response().says_close());
        idle.assert_end();
        let mut new = Client::new(address);
        assert!(new.get("/").response().says_close());
        new.assert_end();
        // One that has been accepted is answered after the stop, too.
        let mut silent = Client::new(address);
        let mut begun = Client::new(address);
        begun.send("GET / HT");
        // Behind another one, they have been accepted.
        Client::new(address).get("/").response();
        let stopping = std::thread::spawn(move || handle.shutdown(PATIENCE));
        until("the port is closed", || {
            TcpStream::connect(address).is_err()
        });
        begun.send("TP/1.1\r\nHost: h\r\n\r\n");
        assert!(begun.response().says_close());
        begun.assert_end();
        assert!(!stopping.is_finished());
        assert!(silent.get("/").response().says_close());
        assert_eq!(stopping.join().unwrap(), 0);
        server.shutdown(PATIENCE).unwrap();
    }
}
