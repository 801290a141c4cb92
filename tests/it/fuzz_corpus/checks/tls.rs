//! Records: whatever comes in whatever state of a session, nothing panics, the reads come to an end, and a session
//! that has failed stays so.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};

use servette::Tls;
use servette::internals::TlsSocket;
use servette::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use servette::rustls::crypto::{CryptoProvider, ring};
use servette::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use servette::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, version,
};

/// The first byte says in which state the others come, the second how: as they are, or as changes of what a client
/// would send then. A third one says into how many reads they are split.
pub fn check(data: &[u8]) {
    let [state, how, pieces, bytes @ ..] = data else {
        return;
    };
    let (mut client, mut wire, server) = pair(state & 4 != 0);
    let mut room = [0; 4 << 10];
    let mut genuine = take(&mut client);
    for step in 0..state & 3 {
        if wire.write_all(&genuine).is_err() || drain(&server, &mut room).is_err() {
            break;
        }
        answer(&mut client, &mut wire);
        if step == 1 {
            let _ = client
                .writer()
                .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        }
        genuine = take(&mut client);
    }
    let sent = match how & 1 {
        0 => bytes.to_vec(),
        _ => changed(genuine, bytes),
    };
    let size = (sent.len() / (usize::from(*pieces % 8) + 1)).max(1);
    for piece in sent.chunks(size) {
        if wire.write_all(piece).is_err() {
            break;
        }
        // It may write at any time, as well.
        let _ = server.send(b"answer");
        let _ = drain(&server, &mut room);
    }
    let _ = wire.shutdown(std::net::Shutdown::Write);
    let end = drain(&server, &mut room);
    if let Some((failure, is_panic)) = server.failure() {
        assert!(!is_panic, "{failure}");
        assert!(server.send(b"behind").is_err());
        assert!(matches!(server.recv(&mut room), Ok(0) | Err(_)));
    } else {
        assert!(end.is_ok(), "{end:?}");
    }
    server.close();
}

/// Reads until there is nothing left.
fn drain(server: &TlsSocket, room: &mut [u8]) -> io::Result<()> {
    for _ in 0..10_000 {
        match server.recv(room) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    panic!("the reads have no end")
}

fn take(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// Has the client look at what the server has sent.
fn answer(client: &mut ClientConnection, wire: &mut UnixStream) {
    let mut block = [0; 16 << 10];
    while let Ok(count @ 1..) = wire.read(&mut block) {
        let mut rest = &block[..count];
        while !rest.is_empty() && client.read_tls(&mut rest).is_ok() {
            let _ = client.process_new_packets();
        }
    }
}

/// What a client would send, with changes: pairs of a place and what is changed there.
fn changed(mut genuine: Vec<u8>, changes: &[u8]) -> Vec<u8> {
    for change in changes.chunks_exact(3) {
        let place = usize::from(change[0]) << 8 | usize::from(change[1]);
        if let Some(length @ 1..) = Some(genuine.len()) {
            genuine[place % length] ^= change[2];
        }
    }
    genuine
}

fn pair(is_old: bool) -> (ClientConnection, UnixStream, TlsSocket) {
    static SERVER: OnceLock<Tls> = OnceLock::new();
    static CLIENTS: OnceLock<[Arc<ClientConfig>; 2]> = OnceLock::new();
    let tls = SERVER.get_or_init(|| Tls::self_signed(["localhost"]).unwrap().0);
    let clients = CLIENTS.get_or_init(|| [false, true].map(|is_old| Arc::new(config(is_old))));
    let (ours, theirs) = UnixStream::pair().unwrap();
    for end in [&ours, &theirs] {
        end.set_nonblocking(true).unwrap();
    }
    let name = ServerName::try_from("localhost").unwrap();
    let config = clients[usize::from(is_old)].clone();
    let client = ClientConnection::new(config, name).unwrap();
    (client, theirs, TlsSocket::new(ours, tls))
}

fn config(is_old: bool) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let versions = match is_old {
        true => [&version::TLS12],
        false => [&version::TLS13],
    };
    ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
        .with_no_client_auth()
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
