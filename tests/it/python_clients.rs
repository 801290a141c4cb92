//! Clients that people use, Python's and curl, against the command and against a handler.

use std::io::{Read, Write};
use std::process::Command;

use servette::testing::TestServer;
use servette::{Exchange, RequestHandler, Result, Status, base};

use crate::child::Running;
use crate::webroot::WebRoot;

/// Whether a program is there; where it must be, in CI, its absence is a failure.
pub(crate) fn has(program: &str, test: &str) -> bool {
    says(program, "--version", test)
}

/// The same for a program that tells its version when it is asked in another way.
pub(crate) fn says(program: &str, argument: &str, test: &str) -> bool {
    let mut command = Command::new(program);
    let there = command
        .arg(argument)
        .output()
        .is_ok_and(|output| output.status.success());
    if !there {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "{program} is missing"
        );
        eprintln!("skipped: {test}, as there is no {program}");
    }
    there
}

/// Runs a client to its end, and returns what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    let (stdout, stderr, status) = Running::start(command).end();
    assert!(
        status.success(),
        "{status}\n{}\n{}",
        stdout.join("\n"),
        stderr.join("\n")
    );
    stdout.join("\n")
}

fn python(script: &str, port: u16) {
    run(Command::new("python3")
        .args(["-c", script])
        .arg(port.to_string()));
}

fn curl(arguments: &[&str]) -> String {
    run(Command::new("curl")
        .args(["-q", "-sS", "--max-time", "15"])
        .args(arguments))
}

fn tree() -> WebRoot {
    let root = WebRoot::new();
    root.file("a.txt", "hello\n")
        .file("dir/b.txt", "below")
        .file("big", vec![b'x'; 300_000]);
    root
}

/// Answers with what it was sent.
struct Echo;

impl RequestHandler for Echo {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.command {
            "POST" | "PUT" => {
                let mut body = Vec::new();
                x.rfile.read_to_end(&mut body)?;
                self.send_response(x, Status::OK);
                self.send_header(
                    x,
                    "X-Coding",
                    x.headers.get("Transfer-Encoding").unwrap_or("-"),
                );
                self.send_header(x, "X-Expect", x.headers.get("Expect").unwrap_or("-"));
                self.end_headers(x)?;
                Ok(x.wfile.write_all(&body)?)
            }
            "GET" | "HEAD" => self.send_content(x, Status::OK, "text/plain", b"echo"),
            _ => base::do_method(self, x),
        }
    }
}

#[test]
fn http_client_keeps_one_connection() {
    if !has("python3", "http_client_keeps_one_connection") {
        return;
    }
    let script = r#"
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=15)
def ask(method, path, body=None, headers={}):
    c.request(method, path, body, headers)
    r = c.getresponse()
    data = r.read()
    return r, data
r, data = ask("GET", "/a.txt")
assert (r.status, r.reason, data, r.version) == (200, "OK", b"hello\n", 11), (r.status, data)
sock = c.sock
assert sock is not None
for n in range(3):
    r, data = ask("HEAD", "/big")
    assert (r.status, data, r.getheader("Content-Length")) == (200, b"", "300000")
    r, data = ask("GET", "/big")
    assert data == b"x" * 300000
    r, data = ask("GET", "/none")
    assert (r.status, r.reason) == (404, "File not found") and b"File not found" in data
    r, data = ask("POST", "/a.txt", b"body" * 1000)
    assert (r.status, r.reason) == (501, "Unsupported method ('POST')"), r.status
    r, data = ask("GET", "/dir")
    assert (r.status, r.getheader("Location"), data) == (301, "/dir/", b"")
    r, data = ask("GET", "/a.txt", headers={"If-Modified-Since": "Fri, 31 Dec 9999 23:59:59 GMT"})
    assert (r.status, data) == (304, b"")
    assert c.sock is sock, n
r, data = ask("GET", "/a.txt", headers={"Connection": "close"})
assert r.getheader("Connection") == "close" and c.sock is None
"#;
    let root = tree();
    let (_running, port) = Running::servette(&root, &["-p", "HTTP/1.1"]);
    python(script, port);
}

#[test]
fn http_client_sends_chunks_to_a_handler() {
    if !has("python3", "http_client_sends_chunks_to_a_handler") {
        return;
    }
    let script = r#"
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=15)
sock = None
for n in range(4):
    c.request("POST", "/", iter([b"a" * 70000, b"b", b"c" * 10]), encode_chunked=True)
    r = c.getresponse()
    data = r.read()
    assert r.status == 200 and data == b"a" * 70000 + b"b" + b"c" * 10, (r.status, len(data))
    assert r.getheader("X-Coding") == "chunked"
    assert sock in (None, c.sock)
    sock = c.sock
    c.request("PUT", "/", b"sized")
    assert c.getresponse().read() == b"sized"
    c.request("DELETE", "/", b"left unread")
    r = c.getresponse()
    assert r.status == 501 and r.read()
    assert c.sock is sock
"#;
    let server = TestServer::start(Echo);
    python(script, server.addr().port());
}

#[test]
fn urllib_follows_the_redirect_of_a_directory() {
    if !has("python3", "urllib_follows_the_redirect_of_a_directory") {
        return;
    }
    let script = r#"
import sys, urllib.request, urllib.error
base = "http://127.0.0.1:" + sys.argv[1]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
r = opener.open(base + "/dir?q=1", timeout=15)
assert r.url == base + "/dir/?q=1", r.url
assert b'<a href="b.txt">b.txt</a>' in r.read()
try:
    opener.open(base + "/none", timeout=15)
    assert False
except urllib.error.HTTPError as error:
    assert error.code == 404 and error.read()
assert opener.open(base + "/dir/b.txt", timeout=15).read() == b"below"
"#;
    let root = tree();
    for arguments in [&[][..], &["-p", "HTTP/1.1"]] {
        let (_running, port) = Running::servette(&root, arguments);
        python(script, port);
    }
}

#[test]
fn curl_gets_files() {
    if !has("curl", "curl_gets_files") {
        return;
    }
    let root = tree();
    root.file("a b.txt", "space");
    let (_running, port) = Running::servette(&root, &["-p", "HTTP/1.1"]);
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let report = "%{http_code} %{num_connects} %{http_version}\n";
    let kept = curl(&[
        "-o",
        "/dev/null",
        "-o",
        "/dev/null",
        "-w",
        report,
        &url("/a.txt"),
        &url("/dir/"),
    ]);
    assert_eq!(kept, "200 1 1.1\n200 0 1.1");
    let old = curl(&[
        "-0",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{size_download}",
        &url("/big"),
    ]);
    assert_eq!(old, "200 300000");
    let head = curl(&["-I", &url("/a.txt")]);
    assert!(
        head.starts_with("HTTP/1.1 200 OK") && head.contains("Content-Length: 6"),
        "{head}"
    );
    let range = curl(&["--range", "1-2", "-w", "%{http_code}", &url("/a.txt")]);
    assert_eq!(range, "el206");
    let climb = curl(&[
        "--path-as-is",
        "-w",
        "%{http_code}",
        &url("/dir/../../a.txt"),
    ]);
    assert_eq!(climb, "hello\n200");
    let outside = [
        "--path-as-is",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        &url("/../secret.txt"),
    ];
    assert_eq!(curl(&outside), "404");
    let followed = curl(&[
        "-L",
        "-w",
        "%{url_effective}",
        "-o",
        "/dev/null",
        &url("/dir"),
    ]);
    assert_eq!(followed, url("/dir/"));
    assert_eq!(curl(&[&url("/a%20b.txt")]), "space");
    let posted = curl(&[
        "-d",
        "x=1",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        &url("/a.txt"),
    ]);
    assert_eq!(posted, "501");
    let fresh = curl(&[
        "-z",
        "Fri, 31 Dec 2100 23:59:59 GMT",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        &url("/a.txt"),
    ]);
    assert_eq!(fresh, "304");
}

#[test]
fn curl_uploads_to_a_handler() {
    if !has("curl", "curl_uploads_to_a_handler") {
        return;
    }
    let root = WebRoot::new();
    root.file("upload", vec![b'u'; 3 << 20]);
    let upload = format!("@{}", root.join("upload").display());
    let server = TestServer::start(Echo);
    let url = server.url("/");
    let echoed = root.join("echoed");
    for (field, coding, expect) in [
        ("Transfer-Encoding: chunked", "chunked", "-"),
        ("Expect: 100-continue", "-", "100-continue"),
        ("Expect:", "-", "-"),
    ] {
        let head = curl(&[
            "--data-binary",
            &upload,
            "-H",
            field,
            "-H",
            "Content-Type: x/y",
            "-D",
            "-",
            "--expect100-timeout",
            "12",
            "-o",
            echoed.to_str().unwrap(),
            &url,
        ]);
        assert!(head.contains("HTTP/1.1 200 OK"), "{head}");
        assert!(head.contains(&format!("X-Coding: {coding}")), "{head}");
        if expect != "-" {
            assert!(head.contains("HTTP/1.1 100 Continue") && head.contains("X-Expect: 100"));
        }
        assert!(
            std::fs::read(&echoed).unwrap() == vec![b'u'; 3 << 20],
            "{field}"
        );
    }
    let small = curl(&["-0", "-d", "abc", &url]);
    assert_eq!(small, "abc");
}
