//! What a server of HTTPS does with what is no session, or none that it can have: what the client sees, and what is
//! logged.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use servette::rustls::pki_types::ServerName;
use servette::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use servette::{RunningServer, ThreadingHttpServer, Tls};

use crate::client::Client;
use crate::over_tls::trusting;
use crate::support::{Log, PATIENCE, echo, handler, until};

fn serve() -> (RunningServer, Log) {
    let log = Log::default();
    let kept = log.clone();
    let tls = Tls::self_signed(["localhost"]).unwrap().0;
    let server = ThreadingHttpServer::builder(handler(echo))
        .tls(tls)
        .handle_tls_error(move |error, _| kept.push(error));
    (server.bind("127.0.0.1:0").unwrap().spawn().unwrap(), log)
}

fn connect(server: &RunningServer) -> TcpStream {
    let stream = TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What comes back to these bytes: the alerts among it, and whether the end came.
fn alerts(server: &RunningServer, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(server);
    stream.write_all(bytes).unwrap();
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    let mut rest = &all[..];
    let mut alerts = Vec::new();
    while let [kind, _, _, high, low, more @ ..] = rest {
        let length = usize::from(*high) << 8 | usize::from(*low);
        let (record, behind) = more.split_at(length);
        if *kind == 0x15 {
            alerts.push(record[1]);
        }
        rest = behind;
    }
    alerts
}

/// A hello of TLS 1.2 with these extensions: no client sends what is wrong with it on purpose.
fn hello(version: u8, suites: &[u8], extensions: &[&[u8]]) -> Vec<u8> {
    let extensions = extensions.concat();
    let mut body = vec![3, version];
    body.extend([7; 32]);
    body.push(0);
    body.extend((suites.len() as u16).to_be_bytes());
    body.extend(suites);
    body.extend([1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut message = vec![1, 0];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(body);
    let mut record = vec![0x16, 3, 1];
    record.extend((message.len() as u16).to_be_bytes());
    record.extend(message);
    record
}

const GROUPS: &[u8] = &[0, 10, 0, 4, 0, 2, 0, 23];
const SCHEMES: &[u8] = &[0, 13, 0, 4, 0, 2, 4, 3];
const POINTS: &[u8] = &[0, 11, 0, 2, 1, 0];
const H2: &[u8] = &[0, 16, 0, 5, 0, 3, 2, b'h', b'2'];
const SUITES: &[u8] = &[0xc0, 0x2b];

#[test]
fn what_cannot_become_a_session_gets_an_alert_and_a_line() {
    let usual = [GROUPS, SCHEMES, POINTS];
    for (bytes, alert, line) in [
        (
            hello(2, SUITES, &usual),
            Some(70),
            "TLS: no TLS version in common with the client",
        ),
        (
            hello(2, SUITES, &[GROUPS, POINTS]),
            Some(40),
            "TLS: no TLS version in common with the client",
        ),
        (
            hello(3, SUITES, &[GROUPS, SCHEMES, POINTS, H2]),
            Some(120),
            "TLS: the client does not offer HTTP/1.1 (ALPN)",
        ),
        (
            hello(3, &[0, 0x2f], &usual),
            Some(40),
            "TLS: no TLS parameters in common with the client (peer is incompatible: NoCipherSuitesInCommon)",
        ),
        (
            b"\x16\x03\x01\x00\x05hello".to_vec(),
            // None is sent.
            None,
            "TLS: received corrupt message of type HandshakePayloadTooLarge",
        ),
        (
            vec![0xff; 100],
            Some(50),
            "TLS: received corrupt message of type InvalidContentType",
        ),
    ] {
        let (server, log) = serve();
        let got = alerts(&server, &bytes);
        until("a line", || log.lines().len() == 1);
        assert_eq!((got, &*log.lines()[0]), (Vec::from_iter(alert), line));
    }
}

#[test]
fn a_client_that_does_not_trust_the_certificate_is_told_of_in_one_line() {
    let (server, log) = serve();
    let provider = trusting().crypto_provider().clone();
    let strict = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(strict), name).unwrap();
    let mut client = StreamOwned::new(client, connect(&server));
    assert!(client.write_all(b"GET / HTTP/1.0\r\n\r\n").is_err());
    let _ = client.conn.complete_io(&mut client.sock);
    until("a line", || {
        log.lines() == ["TLS: the client rejected the certificate (unknown CA)"]
    });
}

#[test]
fn clients_that_leave_during_the_handshake_are_not_told_of() {
    let (server, log) = serve();
    drop(connect(&server));
    let mut stops = connect(&server);
    stops.write_all(&hello(3, SUITES, &[])[..40]).unwrap();
    stops.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(stops.read(&mut [0; 16]).unwrap(), 0);
    let mut answers = StreamOwned::new(
        ClientConnection::new(
            Arc::new(trusting()),
            ServerName::try_from("localhost").unwrap(),
        )
        .unwrap(),
        connect(&server),
    );
    answers.write_all(b"GET /x HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    answers.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("/x"));
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn plain_http_is_answered_in_plain_http() {
    let (server, log) = serve();
    for request in [
        "GET /secret HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
        "\r\nGET /secret HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
        "GET /secret".to_owned(),
        "GET /secret HTTP/1.0\r\n".to_owned(),
        format!(
            "POST /secret HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n{}",
            "x".repeat(99_999)
        ),
    ] {
        let mut client = Client::new(server.addr());
        client.send(&request);
        let response = client.response();
        assert_eq!(response.status, 400, "{request}");
        assert_eq!(response.reason, "This port speaks HTTPS, not plain HTTP");
        assert!(response.says_close() && !response.text().contains("/secret"));
        client.finish().assert_end();
    }
    assert_eq!(log.lines(), [""; 0]);
}

/// A message of the handshake may be as long as its length says, but is not kept without bound.
#[test]
fn a_handshake_message_that_is_too_long_is_not_kept() {
    let (server, log) = serve();
    let mut stream = connect(&server);
    // Four bytes of a message that says it is 65,535 long, then records with one byte each.
    let _ = stream.write_all(&[0x16, 3, 1, 0, 4, 1, 0, 0xff, 0xff]);
    let record = [0x16, 3, 1, 0, 1, 0];
    let many = record.repeat(20_000);
    let _ = stream.write_all(&many);
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    until("a line", || {
        log.lines() == ["TLS: a TLS handshake message is too long"]
    });
}
