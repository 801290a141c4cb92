//! Certificates: which one a client gets, which of its own it must have, and when they are read again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use servette::rustls::client::Resumption;
use servette::rustls::pki_types::ServerName;
use servette::rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, SignatureScheme,
    StreamOwned,
};
use servette::testing::{HttpsFault, TestServer, status};
use servette::{CgiHandler, ClientAuth, RunningServer, SimpleHandler, ThreadingHttpServer, Tls};

use crate::cgi_site::Site;
use crate::keys::{Authority, Pair, pair, pair_of};
use crate::over_tls::trusting;
use crate::support::{Log, PATIENCE, echo, handler, text, until};
use crate::webroot::WebRoot;

const REQUEST: &[u8] = b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

fn serve(tls: &Tls) -> (RunningServer, Log) {
    let log = Log::default();
    let kept = log.clone();
    let handler = handler(|h, x| match x.path {
        "/peer" => {
            let tls = x.tls().unwrap();
            text(h, x, &tls.peer_certificates.len().to_string())
        }
        _ => echo(h, x),
    });
    let server = ThreadingHttpServer::builder(handler)
        .tls(tls.clone())
        .handle_tls_error(move |error, _| kept.push(error));
    (server.bind("127.0.0.1:0").unwrap().spawn().unwrap(), log)
}

type Client = StreamOwned<ClientConnection, TcpStream>;

fn connect(server: &RunningServer, name: &str, config: &Arc<ClientConfig>) -> Client {
    let stream = TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), stream)
}

fn ask(client: &mut Client, request: &[u8]) -> std::io::Result<String> {
    client.write_all(request)?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The certificate that a client gets who asks for this name.
fn shown(server: &RunningServer, name: &str) -> Vec<u8> {
    let mut client = connect(server, name, &Arc::new(trusting()));
    assert!(ask(&mut client, REQUEST).unwrap().ends_with("/x"));
    client.conn.peer_certificates().unwrap()[0].to_vec()
}

fn with(builder: servette::TlsBuilder, pair: &Pair) -> servette::TlsBuilder {
    builder.add_pem(pair.certificate.clone(), pair.key.clone())
}

#[test]
fn a_client_gets_the_certificate_of_the_name_that_it_asks_for() {
    let pairs = [
        pair(&["first.test"]),
        pair(&["one.test", "other.test"]),
        pair(&["*.wild.test"]),
    ];
    let tls = pairs.iter().fold(Tls::builder(), with).build().unwrap();
    let (server, _) = serve(&tls);
    for (name, number) in [
        ("first.test", 0),
        ("one.test", 1),
        ("other.test", 1),
        ("OTHER.test", 1),
        ("a.wild.test", 2),
        ("a.b.wild.test", 0),
        ("wild.test", 0),
        ("unknown.test", 0),
        // No name is sent.
        ("127.0.0.1", 0),
    ] {
        assert!(shown(&server, name) == *pairs[number].der(), "{name}");
    }
}

#[test]
fn of_two_kinds_of_keys_for_a_name_a_client_gets_the_first_that_it_can_use() {
    let pairs = [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P256_SHA256];
    let pairs = pairs.map(|kind| pair_of(kind, &["localhost"]));
    let tls = pairs.iter().fold(Tls::builder(), with).build().unwrap();
    let (server, _) = serve(&tls);
    let mut provider = (**trusting().crypto_provider()).clone();
    let known = &mut provider.signature_verification_algorithms;
    known.mapping = known.mapping.get(..2).unwrap();
    let schemes = [
        SignatureScheme::ECDSA_NISTP384_SHA384,
        SignatureScheme::ECDSA_NISTP256_SHA256,
    ];
    assert_eq!(known.supported_schemes(), schemes);
    let mut narrow = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    crate::over_tls::trust(&mut narrow);
    for (config, pair) in [trusting(), narrow].into_iter().zip(&pairs) {
        let mut client = connect(&server, "localhost", &Arc::new(config));
        assert!(ask(&mut client, REQUEST).unwrap().ends_with("/x"));
        assert!(client.conn.peer_certificates().unwrap()[0] == pair.der());
    }
}

/// Not even where a configuration of the program's own allows it.
#[test]
fn early_data_is_never_accepted() {
    let own = pair(&["localhost"]);
    let mut config = ServerConfig::builder_with_provider(trusting().crypto_provider().clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der()], own.key_der())
        .unwrap();
    config.max_early_data_size = 1 << 10;
    let (server, _) = serve(&Tls::from(Arc::new(config)));
    let mut config = trusting();
    config.enable_early_data = true;
    config.resumption = Resumption::in_memory_sessions(8);
    let config = Arc::new(config);
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut client = connect(&server, "localhost", &config);
        assert!(client.conn.early_data().is_none(), "{kind:?}");
        assert!(ask(&mut client, REQUEST).unwrap().ends_with("/x"));
        assert_eq!(client.conn.handshake_kind(), Some(kind));
    }
}

fn client_with(pair: Option<&Pair>) -> Arc<ClientConfig> {
    let trusting = trusting();
    let provider = trusting.crypto_provider().clone();
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty());
    let mut config = match pair {
        Some(pair) => builder
            .with_client_auth_cert(vec![pair.der()], pair.key_der())
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    crate::over_tls::trust(&mut config);
    Arc::new(config)
}

#[test]
fn client_certificates_are_required_or_optional() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (right, wrong) = (ours.client("a"), theirs.client("a"));
    let own = pair(&["localhost"]);
    let peer = b"GET /peer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    for (auth, without) in [
        (ClientAuth::Required, None),
        (ClientAuth::Optional, Some("0")),
    ] {
        let builder = with(Tls::builder(), &own);
        let tls = builder
            .client_ca_pem(ours.certificate.clone(), auth)
            .build()
            .unwrap();
        let (server, log) = serve(&tls);
        let answer = |pair| ask(&mut connect(&server, "localhost", &client_with(pair)), peer);
        assert!(answer(Some(&right)).unwrap().ends_with("\r\n1"));
        match without {
            Some(body) => assert!(answer(None).unwrap().ends_with(body)),
            None => {
                let error = answer(None).unwrap_err().to_string();
                assert!(error.contains("CertificateRequired"), "{error}");
            }
        }
        let error = answer(Some(&wrong)).unwrap_err().to_string();
        assert!(error.contains("UnknownCA"), "{error}");
        let refused = "TLS: the client's certificate was rejected (unknown issuer)";
        let none = "TLS: the client sent no certificate";
        let expected = match without {
            Some(_) => vec![refused],
            None => vec![none, refused],
        };
        until("both in the log", || log.lines() == expected);
    }
}

fn files(root: &WebRoot, pair: &Pair) -> [PathBuf; 2] {
    let names = [root.join("cert.pem"), root.join("key.pem")];
    std::fs::write(&names[0], &pair.certificate).unwrap();
    std::fs::write(&names[1], &pair.key).unwrap();
    names
}

/// What is open goes on, no request fails meanwhile, and tickets of before are worth nothing.
#[test]
fn files_are_reloaded_under_load() {
    let root = WebRoot::new();
    let (old, new) = (pair(&["localhost"]), pair(&["localhost"]));
    let [certificate, key] = files(&root, &old);
    let tls = Tls::from_files(&certificate, &key).unwrap();
    let (server, log) = serve(&tls);
    let mut config = trusting();
    config.resumption = Resumption::in_memory_sessions(8);
    let config = Arc::new(config);
    let kind = |config: &Arc<ClientConfig>| {
        let mut client = connect(&server, "localhost", config);
        assert!(ask(&mut client, REQUEST).unwrap().ends_with("/x"));
        client.conn.handshake_kind()
    };
    assert_eq!(kind(&config), Some(HandshakeKind::Full));
    assert_eq!(kind(&config), Some(HandshakeKind::Resumed));
    let mut open = connect(&server, "localhost", &config);
    open.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        .unwrap();
    assert_eq!(open.read(&mut [0; 4]).unwrap(), 4);

    let (is_over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let config = Arc::new(trusting());
                while !is_over.load(Ordering::Relaxed) {
                    let mut client = connect(&server, "localhost", &config);
                    assert!(ask(&mut client, REQUEST).unwrap().ends_with("/x"));
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 0..20 {
            files(&root, if number % 2 == 0 { &new } else { &old });
            tls.reload().unwrap();
            let before = asked.load(Ordering::Relaxed);
            until("requests", || asked.load(Ordering::Relaxed) > before + 2);
        }
        files(&root, &new);
        tls.reload().unwrap();
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(shown(&server, "localhost") == *new.der());
    assert_eq!(kind(&config), Some(HandshakeKind::Full));
    open.write_all(REQUEST).unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("/x"), "{answer}");

    // What can't be read changes nothing.
    std::fs::write(&key, "nothing").unwrap();
    assert!(tls.reload().is_err());
    assert!(shown(&server, "localhost") == *new.der());
    // From elsewhere.
    tls.replace(Tls::from_pem(old.certificate.clone(), old.key.clone()).unwrap());
    assert!(shown(&server, "localhost") == *old.der());
    assert_eq!(log.lines(), [""; 0]);
}

/// Each with the name of the file, in words for whoever has to mend it.
#[test]
fn what_is_wrong_with_files_is_said() {
    let root = WebRoot::new();
    let (one, other) = (pair(&["localhost"]), pair(&["localhost"]));
    let write = |name: &str, content: &str| {
        std::fs::write(root.join(name), content).unwrap();
    };
    write("cert", &one.certificate);
    write("key", &one.key);
    write("other", &other.key);
    write("empty", "");
    write("text", "not PEM at all\n");
    write("broken", &one.certificate.replace("MI", "!!"));
    let body = |pem: &str| pem.lines().skip(1).take(2).collect::<String>();
    let as_certificate = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        body(&one.key)
    );
    write("no-certificate", &as_certificate);
    write(
        "old-key",
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n",
    );
    write("encrypted", ENCRYPTED);
    for (certificate, key, file, why) in [
        ("none", "key", "none", "No such file"),
        ("cert", "none", "none", "No such file"),
        (
            "empty",
            "key",
            "empty",
            "it contains no certificate in PEM format",
        ),
        (
            "text",
            "key",
            "text",
            "it contains no certificate in PEM format",
        ),
        (
            "key",
            "key",
            "key",
            "it contains no certificate in PEM format",
        ),
        ("broken", "key", "broken", "it is not valid PEM"),
        (
            "no-certificate",
            "key",
            "no-certificate",
            "the first certificate is not usable",
        ),
        (
            "cert",
            "empty",
            "empty",
            "it contains no private key in PEM format",
        ),
        (
            "cert",
            "cert",
            "cert",
            "it contains no private key in PEM format",
        ),
        (
            "cert",
            "text",
            "text",
            "it contains no private key in PEM format",
        ),
        (
            "cert",
            "other",
            "other",
            "it does not match the certificate in ",
        ),
        ("cert", "old-key", "old-key", "openssl pkcs8 -topk8"),
        (
            "cert",
            "encrypted",
            "encrypted",
            "the key is encrypted: it requires a password",
        ),
    ] {
        let path = |name: &str| root.join(name);
        let error = Tls::from_files(path(certificate), path(key))
            .unwrap_err()
            .to_string();
        let start = format!("{}: ", path(file).display());
        assert!(
            error.starts_with(&start) && error.contains(why),
            "{certificate} {key}: {error}"
        );
        let [certificate, key] = [certificate, key].map(|name| std::fs::read(path(name)));
        if let (Ok(certificate), Ok(key)) = (certificate, key) {
            let error = Tls::from_pem(certificate, key).unwrap_err().to_string();
            assert!(error.starts_with("the ") && error.contains(why), "{error}");
        }
    }
    let error = Tls::builder().build().unwrap_err().to_string();
    assert_eq!(
        error,
        "TLS requires a certificate: add one with add_files or add_pem"
    );
    let error = Tls::self_signed(["localhost"])
        .unwrap()
        .0
        .reload()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "this TLS configuration was not loaded from files, so it can't be reloaded"
    );
    // Both in one file, in any order.
    for both in [[&one.key, &one.certificate], [&one.certificate, &one.key]] {
        write("both", &both.map(|pem| &**pem).concat());
        Tls::from_files(root.join("both"), root.join("both")).unwrap();
    }
    let builder = || with(Tls::builder(), &one);
    for (authorities, why) in [("text", "no certificate"), ("empty", "no certificate")] {
        let tls = builder().client_ca_file(root.join(authorities), ClientAuth::Required);
        let error = tls.build().unwrap_err().to_string();
        assert!(
            error.contains(authorities) && error.contains(why),
            "{error}"
        );
    }
}

/// As `openssl pkcs8 -topk8` writes it.
const ENCRYPTED: &str = include_str!("../data/encrypted-key.pem");

#[test]
fn an_encrypted_key_is_read_with_its_password() {
    let certificate = include_str!("../data/encrypted-key-cert.pem");
    let with = |password: &str| {
        let builder = Tls::builder().add_pem(certificate, ENCRYPTED);
        builder.password(password).build()
    };
    with("secret").unwrap();
    let error = with("wrong").unwrap_err().to_string();
    assert_eq!(
        error,
        "the key: the key can't be decrypted with this password"
    );
    // A plain key needs none.
    let plain = pair(&["localhost"]);
    let builder = Tls::builder().add_pem(plain.certificate, plain.key);
    builder.password("secret").build().unwrap();
}

/// As a client sees them whose server is set up wrongly.
#[test]
fn fixtures_fail_their_clients_in_these_ways() {
    use ureq::tls::{Certificate, RootCerts, TlsConfig};
    let ask = |server: &TestServer| {
        let trusted = Certificate::from_pem(server.ca_pem().as_bytes()).unwrap();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[trusted]))
            .build();
        let config = ureq::Agent::config_builder().tls_config(tls);
        let config = config.timeout_global(Some(std::time::Duration::from_secs(2)));
        let client = ureq::Agent::new_with_config(config.build());
        let answer = client.get(server.url("/x")).call();
        answer.and_then(|mut answer| answer.body_mut().read_to_string())
    };
    let sound = TestServer::builder()
        .https()
        .start(status(200).body("secret"));
    assert_eq!(ask(&sound).unwrap(), "secret");
    assert_eq!(sound.requests()[0].path, "/x");
    assert_eq!(sound.ca_der(), rustls_pem(sound.ca_pem()));
    for (fault, why) in [
        (HttpsFault::Silent, "timeout"),
        (HttpsFault::Reset, "reset"),
        (HttpsFault::Alert, "AccessDenied"),
        (HttpsFault::PlainHttp, "InvalidContentType"),
        (HttpsFault::Expired, "expired"),
        (HttpsFault::NotYetValid, "not valid yet"),
        (HttpsFault::ForeignName, "not valid for name"),
    ] {
        let server = TestServer::builder().https_fault(fault).start(status(200));
        let error = ask(&server).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(why), "{fault:?}: {text}");
        let has_asked = !server.requests().is_empty();
        assert_eq!(has_asked, fault == HttpsFault::PlainHttp, "{fault:?}");
    }
    let builder = TestServer::builder().https_fault(HttpsFault::NoCloseNotify);
    let server = builder
        .protocol_version("HTTP/1.0")
        .start(status(200).body("secret"));
    let mut client = StreamOwned::new(
        ClientConnection::new(
            Arc::new(trusting()),
            ServerName::try_from("localhost").unwrap(),
        )
        .unwrap(),
        TcpStream::connect(server.addr()).unwrap(),
    );
    let error = ask_of(&mut client).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

fn ask_of(client: &mut Client) -> std::io::Result<String> {
    ask(client, REQUEST)
}

fn rustls_pem(pem: &str) -> Vec<u8> {
    use servette::rustls::pki_types::{CertificateDer, pem::PemObject};
    CertificateDer::from_pem_slice(pem.as_bytes())
        .unwrap()
        .to_vec()
}

/// As Apache's mod_ssl names them.
#[test]
fn scripts_learn_of_the_session() {
    let site = Site::with("#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nenv\n");
    let handler = CgiHandler::from(SimpleHandler::new(site.path("")).quiet(true))
        .server_name_from_host(true)
        .run_as_server_user(true);
    let (own, ours) = (pair(&["localhost"]), Authority::new("ours"));
    let client = ours.client("a");
    let tls = with(Tls::builder(), &own);
    let tls = tls.client_ca_pem(ours.certificate.clone(), ClientAuth::Optional);
    let server = ThreadingHttpServer::builder(handler).tls(tls.build().unwrap());
    let server = server.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    let request = b"GET /cgi-bin/script HTTP/1.0\r\nHost: h\r\n\r\n";
    let ask = |pair| {
        ask(
            &mut connect(&server, "localhost", &client_with(pair)),
            request,
        )
        .unwrap()
    };
    let answer = ask(Some(&client));
    for line in [
        "HTTPS=on\n",
        "SSL_PROTOCOL=TLSv1.3\n",
        "SSL_CIPHER=TLS_",
        "SSL_TLS_SNI=localhost\n",
        "SERVER_PORT=443\n",
    ] {
        assert!(answer.contains(line), "{line} {answer}");
    }
    let shown = answer.split("SSL_CLIENT_CERT=").nth(1).unwrap();
    let end = shown.find("-----END CERTIFICATE-----").unwrap();
    assert_eq!(
        rustls_pem(&format!("{}-----END CERTIFICATE-----\n", &shown[..end])),
        *client.der()
    );
    assert!(!ask(None).contains("SSL_CLIENT_CERT"));
}
