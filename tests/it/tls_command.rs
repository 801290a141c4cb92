//! HTTPS of the `servette` command: its options, what it says, and what is wrong with them.

use std::process::Command;

use rustix::process::Signal;

use crate::child::{Running, servette};
use crate::keys::{Authority, Pair, pair};
use crate::webroot::WebRoot;

fn root() -> (WebRoot, Pair) {
    let (root, own) = (WebRoot::new(), pair(&["localhost"]));
    root.file("a.txt", "hello");
    std::fs::write(root.join("cert.pem"), &own.certificate).unwrap();
    std::fs::write(root.join("key.pem"), &own.key).unwrap();
    (root, own)
}

fn start(root: &WebRoot, arguments: &[&str]) -> Running {
    let mut command = servette();
    command
        .args(["0", "-b", "127.0.0.1", "-d", "."])
        .args(arguments)
        .current_dir(root.path());
    Running::start(&mut command)
}

/// What curl gets, or its complaint.
fn curl(root: &WebRoot, port: u16, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "20"])
        .args(arguments)
        .arg(format!("https://localhost:{port}/a.txt"))
        .current_dir(root.path())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stderr)),
    }
}

const FILES: [&str; 4] = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];

#[test]
fn files_are_served_over_https_and_read_again_at_sighup() {
    let (root, _) = root();
    let mut running = start(&root, &FILES);
    let banner = running.out();
    let (_, port) = banner.split_once(" port ").unwrap();
    let port: u16 = port.split(' ').next().unwrap().parse().unwrap();
    let expected =
        format!("Serving HTTPS on 127.0.0.1 port {port} (https://127.0.0.1:{port}/) ...");
    assert_eq!(banner, expected);
    let ask = || curl(&root, port, &["--cacert", "cert.pem"]);
    assert_eq!(ask().unwrap(), "hello");
    let line = running.err();
    assert!(line.ends_with("\"GET /a.txt HTTP/1.1\" 200 -"), "{line}");

    let new = pair(&["localhost"]);
    std::fs::write(root.join("key.pem"), &new.key).unwrap();
    running.signal(Signal::HUP);
    let line = running.err();
    let start = "servette: error: cannot reload the certificates, the old ones stay in use: key.pem: it does not match";
    assert!(line.starts_with(start), "{line}");
    assert_eq!(ask().unwrap(), "hello");
    running.err();
    std::fs::write(root.join("cert.pem"), &new.certificate).unwrap();
    running.signal(Signal::HUP);
    assert_eq!(running.out(), "The certificates were read again.");
    assert_eq!(ask().unwrap(), "hello");
    running.err();
    assert!(curl(&root, port, &[]).is_err());
    let line = running.err();
    let start = "127.0.0.1 - - [";
    let end = "] TLS: the client rejected the certificate (unknown CA)";
    assert!(line.starts_with(start) && line.ends_with(end), "{line}");
    // One of a kind in ten seconds.
    assert!(curl(&root, port, &[]).is_err());
    assert_eq!(ask().unwrap(), "hello");
    let line = running.err();
    assert!(line.ends_with("\"GET /a.txt HTTP/1.1\" 200 -"), "{line}");
    running.signal(Signal::TERM);
    assert_eq!(running.end().2.code(), Some(0));
}

#[test]
fn tls_alone_makes_a_certificate_and_says_its_fingerprint() {
    let (root, _) = root();
    let mut command = servette();
    command
        .args(["0", "-b", "127.0.0.1", "--tls", "-q"])
        .current_dir(root.path());
    let running = Running::start(&mut command);
    let line = running.out();
    let start = "Self-signed certificate for this run. SHA-256 fingerprint: ";
    let fingerprint = line.strip_prefix(start).expect(&line);
    let port = running.banner_port();
    let shown = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null \
             | openssl x509 -outform pem > shown.pem; openssl x509 -in shown.pem -noout \
             -fingerprint -sha256"
        ))
        .current_dir(root.path())
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let shown = shown.trim().split_once('=').expect(&shown).1;
    assert_eq!(shown, fingerprint);
    // Whoever trusts it can use it.
    assert_eq!(
        curl(&root, port, &["--cacert", "shown.pem"]).unwrap(),
        "hello"
    );
    // --quiet.
    assert!(curl(&root, port, &[]).is_err());
    running.signal(Signal::TERM);
    let mut running = running;
    assert_eq!(running.end().1, [""; 0]);
}

#[test]
fn several_hosts_and_certificates_of_clients() {
    let (root, _) = root();
    let (other, ours) = (pair(&["other.test"]), Authority::new("ours"));
    let client = ours.client("client");
    for (name, content) in [
        (
            "other.pem",
            &[other.certificate.clone(), other.key.clone()].concat(),
        ),
        ("ca.pem", &ours.certificate),
        (
            "client.pem",
            &[client.certificate.clone(), client.key.clone()].concat(),
        ),
    ] {
        std::fs::write(root.join(name), content).unwrap();
    }
    let both = [
        ["--tls-cert", "cert.pem", "--tls-key", "key.pem"],
        ["--tls-cert", "other.pem", "--tls-key", "other.pem"],
    ];
    let running = start(&root, &both.concat());
    let port = running.banner_port();
    assert_eq!(
        curl(&root, port, &["--cacert", "cert.pem"]).unwrap(),
        "hello"
    );
    let output = Command::new("curl")
        .args(["-sS", "--cacert", "other.pem", "--resolve"])
        .arg(format!("other.test:{port}:127.0.0.1"))
        .arg(format!("https://other.test:{port}/a.txt"))
        .current_dir(root.path())
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"hello", "{output:?}");

    let running = start(
        &root,
        &[&FILES[..], &["--tls-client-ca", "ca.pem"]].concat(),
    );
    let port = running.banner_port();
    assert!(curl(&root, port, &["--cacert", "cert.pem"]).is_err());
    let with = ["--cacert", "cert.pem", "--cert", "client.pem"];
    assert_eq!(curl(&root, port, &with).unwrap(), "hello");
    let line = running.err();
    assert!(
        line.ends_with("TLS: the client sent no certificate"),
        "{line}"
    );
}

#[test]
fn a_key_with_a_password() {
    let root = WebRoot::new();
    root.file("a.txt", "hello")
        .file("password", " secret\n")
        .file("wrong", "x");
    let certificate = include_str!("../data/encrypted-key-cert.pem");
    std::fs::write(root.join("cert.pem"), certificate).unwrap();
    let key = include_str!("../data/encrypted-key.pem");
    std::fs::write(root.join("key.pem"), key).unwrap();
    let with = |file| [&FILES[..], &["--tls-password-file", file]].concat();
    let running = start(&root, &with("password"));
    let port = running.banner_port();
    assert_eq!(
        curl(&root, port, &["--cacert", "cert.pem"]).unwrap(),
        "hello"
    );
    for (arguments, code, why) in [
        (
            with("wrong"),
            1,
            "key.pem: the key can't be decrypted with this password",
        ),
        (
            FILES.to_vec(),
            1,
            "key.pem: the key is encrypted: it requires a password",
        ),
        (
            with("none"),
            2,
            "Failed to read TLS password file: none: No such file or directory (os error 2)",
        ),
    ] {
        let (_, stderr, status) = start(&root, &arguments).end();
        assert_eq!(stderr, [format!("servette: error: {why}")]);
        assert_eq!(status.code(), Some(code));
    }
}

#[test]
fn options_that_do_not_fit_are_usage_errors_and_files_that_do_not_are_errors() {
    let (root, _) = root();
    root.file("empty", "");
    for (arguments, code, why) in [
        (
            &["--tls-key", "key.pem"][..],
            2,
            "--tls-key requires --tls-cert to be set",
        ),
        (
            &["--tls-password-file", "p"],
            2,
            "--tls-password-file requires --tls-cert to be set",
        ),
        (
            &["--tls-client-ca", "ca.pem", "--tls"],
            2,
            "--tls-client-ca requires --tls-cert to be set",
        ),
        (
            &["--tls-cert", "a", "--tls-cert", "b", "--tls-key", "a"],
            2,
            "--tls-key must be given as often as --tls-cert, or not at all",
        ),
        (
            &["--tls-cert", "none.pem"],
            1,
            "none.pem: No such file or directory (os error 2)",
        ),
        (
            &["--tls-cert", "cert.pem"],
            1,
            "cert.pem: it contains no private key in PEM format",
        ),
        (
            &["--tls-cert", "empty"],
            1,
            "empty: it contains no certificate in PEM format",
        ),
    ] {
        let (stdout, stderr, status) = start(&root, arguments).end();
        assert_eq!(stderr, [format!("servette: error: {why}")]);
        assert_eq!(
            (status.code(), stdout.len()),
            (Some(code), 0),
            "{arguments:?}"
        );
    }
}

#[test]
fn tls_on_a_plain_port_is_logged_as_what_it_is() {
    let (root, _) = root();
    let (running, port) = Running::servette(&root, &[""; 0]);
    let error = curl(&root, port, &[]).unwrap_err();
    assert!(error.contains("wrong version number"), "{error}");
    let line = running.err();
    assert!(
        line.ends_with("code 400, message TLS on a port that speaks plain HTTP"),
        "{line}"
    );
}
