//! Programs that others use as clients of HTTPS, and what they get.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use servette::SimpleHandler;
use servette::testing::TestServer;

use crate::child::lines;
use crate::support::PATIENCE;
use crate::webroot::WebRoot;

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.arg("version").status().is_ok()
}

/// A fixture that serves a file of 3 MiB and a small one, and its certificate in `ca.pem`.
fn serve() -> (WebRoot, TestServer) {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    let big: Vec<u8> = (0..(3 << 20))
        .map(|at: u32| (at * 31 % 251) as u8)
        .collect();
    std::fs::write(root.join("big"), big).unwrap();
    let files = SimpleHandler::new(root.path()).quiet(true);
    let server = TestServer::builder().https().start(files);
    std::fs::write(root.join("ca.pem"), server.ca_pem()).unwrap();
    (root, server)
}

fn run(root: &WebRoot, program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    output
}

fn same(root: &WebRoot, file: impl AsRef<Path>) -> bool {
    std::fs::read(root.join("big")).unwrap() == std::fs::read(root.path().join(file)).unwrap()
}

#[test]
fn curl_gets_files_ranges_and_keeps_its_connection() {
    let (root, server) = serve();
    let (small, big) = (server.url("/a.txt"), server.url("/big"));
    for version in ["--tlsv1.3", "--tls-max"] {
        let options: &[&str] = match version {
            "--tls-max" => &["--tls-max", "1.2"],
            _ => &["--tlsv1.3"],
        };
        let common = [&["-sS", "--cacert", "ca.pem"], options].concat();
        let out = run(&root, "curl", &[&common[..], &["-o", "got", &big]].concat());
        assert!(out.stderr.is_empty() && same(&root, "got"));
        let out = run(
            &root,
            "curl",
            &[&common[..], &["-r", "1-3", &small]].concat(),
        );
        assert_eq!(out.stdout, b"ell");
        let before = server.connections();
        let out = run(
            &root,
            "curl",
            &[&common[..], &[&small, &small, &small]].concat(),
        );
        assert_eq!(
            (&out.stdout[..], server.connections()),
            (&b"hellohellohello"[..], before + 1)
        );
        let out = run(
            &root,
            "curl",
            &[&common[..], &["-d", "x", "-w", "%{http_code}", &small]].concat(),
        );
        assert!(out.stdout.ends_with(b"501"));
    }
}

/// With its strict verification, and an end that it checks.
#[test]
fn python_gets_files_with_a_strict_context() {
    const PROGRAM: &str = "
import http.client, ssl, sys
context = ssl.create_default_context(cafile='ca.pem')
context.verify_flags |= getattr(ssl, 'VERIFY_X509_STRICT', 0)
port = int(sys.argv[1])
connection = http.client.HTTPSConnection('localhost', port, context=context)
for path, size in [('/a.txt', 5), ('/big', 3 << 20), ('/a.txt', 5)]:
    connection.request('GET', path)
    body = connection.getresponse().read()
    assert len(body) == size, (path, len(body))
    open('got', 'wb').write(body) if size > 5 else None
    assert connection.sock.version() == 'TLSv1.3'
connection.close()
# Until the end of the stream, which must be an orderly one.
import socket
with context.wrap_socket(socket.create_connection(('127.0.0.1', port)), server_hostname='127.0.0.1',
                         suppress_ragged_eofs=False) as client:
    client.sendall(b'GET /a.txt HTTP/1.1\\r\\nHost: h\\r\\nConnection: close\\r\\n\\r\\n')
    data = b''
    while part := client.recv(4096):
        data += part
    assert data.endswith(b'hello'), data
    client.unwrap()
";
    let (root, server) = serve();
    let port = server.addr().port().to_string();
    run(&root, "python3", &["-c", PROGRAM, &port]);
    assert!(same(&root, "got"));
}

/// `openssl s_client`: each input is written when a line with what is expected behind the one before has come.
fn s_client(root: &WebRoot, port: u16, options: &[&str], steps: &[(&str, &str)]) -> String {
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}")])
        .args([
            "-servername",
            "localhost",
            "-CAfile",
            "ca.pem",
            "-verify_return_error",
        ])
        .args(options)
        .current_dir(root.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let [out, err] = [
        lines(child.stdout.take().unwrap()),
        lines(child.stderr.take().unwrap()),
    ];
    let mut all = String::new();
    for (text, expected) in steps {
        input.write_all(text.as_bytes()).unwrap();
        let start = Instant::now();
        loop {
            let more = out.recv_timeout(Duration::from_millis(10));
            let Ok(line) = more.or_else(|_| err.try_recv()) else {
                assert!(start.elapsed() < PATIENCE, "no {expected:?} in {all}");
                continue;
            };
            all += &line;
            all.push('\n');
            if line.contains(expected) {
                break;
            }
        }
    }
    drop(input);
    child.wait().unwrap();
    all.extend(out.iter().chain(err.iter()));
    all
}

/// Both versions, key updates, and a renegotiation, which is refused.
#[test]
fn openssl_shakes_hands_updates_keys_and_may_not_renegotiate() {
    let (root, server) = serve();
    let port = server.addr().port();
    let request = "GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n";
    let closing = "GET /a.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    for version in ["-tls1_2", "-tls1_3"] {
        let out = s_client(&root, port, &[version, "-quiet"], &[(closing, "200 OK")]);
        assert!(out.contains("hello"), "{out}");
    }
    let steps = [
        ("", "Verify return code: 0 (ok)"),
        ("K\n", "KEYUPDATE"),
        (request, "200 OK"),
        ("k\n", "KEYUPDATE"),
        (closing, "200 OK"),
    ];
    let out = s_client(&root, port, &["-tls1_3"], &steps);
    assert!(out.contains("hello"), "{out}");
    assert!(out.contains("Max Early Data: 0"), "{out}");
    let steps = [
        ("", "Verify return code: 0 (ok)"),
        ("R\n", "no renegotiation"),
    ];
    s_client(&root, port, &["-tls1_2"], &steps);
    let old = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    s_client(&root, port, &old, &[("", "alert handshake failure")]);
}

#[test]
fn go_gets_files() {
    const PROGRAM: &str = r#"package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	pem, _ := os.ReadFile("ca.pem")
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	for i := 0; i < 3; i++ {
		answer, err := client.Get(os.Args[1])
		if err != nil {
			panic(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			panic(err)
		}
		os.WriteFile("got", body, 0o600)
		fmt.Println(answer.Proto, len(body))
	}
}
"#;
    if !is_there("go") {
        eprintln!("skipped: there is no go");
        return;
    }
    let (root, server) = serve();
    std::fs::write(root.join("main.go"), PROGRAM).unwrap();
    let cache = root.join("cache");
    let output = Command::new("go")
        .args(["run", "main.go", &server.url("/big")])
        .env("GOCACHE", &cache)
        .env("GOFLAGS", "-mod=mod")
        .env("GO111MODULE", "off")
        .current_dir(root.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text, "HTTP/1.1 3145728\n".repeat(3), "{output:?}");
    assert!(same(&root, "got"));
    assert_eq!(server.connections(), 1);
}
