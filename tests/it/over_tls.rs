//! The promises of HTTP once more over TLS: modules of this crate, run in a process in which fixtures and servers speak
//! HTTPS, and the client does.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use crate::client::receive;
use servette::Tls;
use servette::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use servette::rustls::crypto::{CryptoProvider, ring};
use servette::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use servette::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, Stream,
};

const SWITCH: &str = "SERVETTE_TEST_OVER_TLS";

/// Whether this process runs the tests over TLS.
pub(crate) fn is_on() -> bool {
    static IS_ON: OnceLock<bool> = OnceLock::new();
    *IS_ON.get_or_init(|| std::env::var_os(SWITCH).is_some())
}

/// What servers that are no fixtures have then.
pub(crate) fn tls() -> Option<Tls> {
    static TLS: OnceLock<Tls> = OnceLock::new();
    let made = || Tls::self_signed(["localhost"]).unwrap().0;
    is_on().then(|| TLS.get_or_init(made).clone())
}

/// The client's side of a session.
pub(crate) struct Session(ClientConnection);

/// A new one, where tests run over TLS.
pub(crate) fn session() -> Option<Session> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    is_on().then(|| {
        let config = CONFIG.get_or_init(|| Arc::new(trusting()));
        let name = ServerName::try_from("localhost").unwrap();
        Session(ClientConnection::new(config.clone(), name).unwrap())
    })
}

/// A client that trusts everybody: these tests are not about certificates.
pub(crate) fn trusting() -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
        .with_no_client_auth()
}

/// Has a client trust everybody.
pub(crate) fn trust(config: &mut ClientConfig) {
    let verifier = Arc::new(Trusting(config.crypto_provider().clone()));
    config.dangerous().set_certificate_verifier(verifier);
}

impl Session {
    pub(crate) fn write_all(&mut self, stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        let mut tls = Stream::new(&mut self.0, stream);
        tls.write_all(bytes)?;
        tls.flush()
    }

    pub(crate) fn read(&mut self, stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        Stream::new(&mut self.0, &mut Receiving(stream)).read(buffer)
    }

    /// The client sends nothing more.
    pub(crate) fn finish(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        self.0.send_close_notify();
        while self.0.wants_write() {
            self.0.write_tls(stream)?;
        }
        match stream.shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            _ => Ok(()),
        }
    }
}

/// A socket that reports a reset; see [`receive`].
struct Receiving<'s>(&'s mut TcpStream);

impl Read for Receiving<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        receive(self.0, buffer)
    }
}

impl Write for Receiving<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Runs the tests of these modules, but for some, in a process of their own.
#[track_caller]
fn run(modules: &[&str], skipped: &[&str]) {
    let here = || Command::new(std::env::current_exe().unwrap());
    let listed = here().arg("--list").args(modules).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    // Elsewhere some of them are absent.
    let skipped_here = if cfg!(target_os = "linux") {
        skipped
    } else {
        &[]
    };
    for name in modules.iter().chain(skipped_here) {
        assert!(listed.contains(name), "there is no test {name} any more");
    }
    let mut command = here();
    command.env(SWITCH, "1").args(modules);
    for name in skipped {
        command.args(["--skip", name]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}

#[test]
fn framing_and_pipelining() {
    if !is_on() {
        run(&["framing::", "pipelining::"], &[]);
    }
}

#[test]
fn connections_and_bodies() {
    if !is_on() {
        let modules = [
            "keep_alive::",
            "requests::",
            "errors::",
            "expect_continue::",
            "unread_bodies::",
            "held_responses::",
            "tails::",
            "streams::",
            "deferred::",
            "detached::",
            "upgrades::",
            "outcome::",
        ];
        // They need processes, plain sockets, much time, the 503 that a full server of HTTPS does not send, or an end in
        // order, which an answer that is cut has not.
        let skipped = [
            "in_a_child",
            "detached_connections_count_until_their_streams_are_dropped",
            "handle_request_returns_after_its_response_is_sent",
            "the_end_of_the_stream_comes_after_the_body",
            "a_client_whose_chunked_response_is_incomplete_is_not_reset",
            "others_are_served_while_a_client_sends_on_after_the_server_has_closed",
            "a_client_that_reads_nothing_is_closed_when_connections_run_out",
            "a_client_that_stops_reading_is_reset",
            "a_client_below_the_minimum_rate_is_closed_and_a_slow_one_above_it_is_not",
            "tails_that_begin_while_a_server_stops_are_sent",
            "it_is_answered_in_memory_and_in_a_fixture",
            "a_single_request_is_not_handled_before_it_is_answered",
            "streams_outlive_the_call_that_handles_a_single_request",
            "a_client_that_reads_nothing_until_the_deadline_is_closed",
            "a_stopping_server_sends_what_is_queued",
            "all_queues_together_are_bounded",
            "open_streams_count_as_connections",
            "a_single_request_is_sent_to_its_end_before_the_call_returns",
            "a_closure_of_a_disconnected_client_may_panic_when_it_is_dropped",
            "the_refusal_of_a_request_is_not_put_off",
            "a_client_that_makes_room_for_another_is_reported",
            "a_single_request_is_reported_by_its_call_and_a_stream_by_a_later_one",
            "a_stream_in_memory_is_reported_at_its_end",
        ];
        run(&modules, &skipped);
    }
}
