//! Every program in `examples/` starts, says its URL, and does what its first lines say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running example, on a port of its own; killed when the test is over, however it ends.
struct Example {
    child: Child,
    lines: Receiver<String>,
    authority: String,
}

impl Example {
    /// Starts the example; `None` if it was not built, as when `cargo test --test it` skips them.
    fn start(name: &str) -> Option<Example> {
        let path = built(name);
        if !path.exists() {
            eprintln!("skipped: {} is not built", path.display());
            return None;
        }
        let mut child = Command::new(path)
            .arg("0")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut example = Example {
            child,
            lines,
            authority: String::new(),
        };
        let url = example.line();
        let rest = url.strip_prefix("http://").unwrap();
        example.authority = rest.split('/').next().unwrap().to_owned();
        Some(example)
    }

    /// The next line that it prints.
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    /// Sends these bytes on a connection of their own, and reads the answer to its end.
    fn ask(&self, request: impl AsRef<[u8]>) -> String {
        let mut client = TcpStream::connect(&self.authority).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_write_timeout(Some(PATIENCE)).unwrap();
        client.write_all(request.as_ref()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> String {
        self.ask(format!("GET {path} HTTP/1.0\r\n\r\n"))
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cargo puts the examples beside the directory of the test programs.
fn built(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join(name)
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn hello_greets_and_counts() {
    let Some(hello) = Example::start("hello") else {
        return;
    };
    assert_eq!(body(&hello.get("/")), "Hello, World!");
    let length = 5_000_000;
    let mut request = format!("POST / HTTP/1.0\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    request.resize(request.len() + length, b'x');
    assert_eq!(body(&hello.ask(request)), "5000000");
}

#[test]
fn spam_has_one_method() {
    let Some(spam) = Example::start("spam") else {
        return;
    };
    let answer = spam.ask("SPAM /eggs HTTP/1.0\r\n\r\n");
    assert_eq!(body(&answer), "spam, spam, /eggs and spam\n");
    assert!(spam.get("/").starts_with("HTTP/1.0 501 "));
}

#[test]
fn files_have_the_fields_of_the_subclass() {
    let Some(files) = Example::start("files") else {
        return;
    };
    let answer = files.get("/Cargo.lock");
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"));
    assert!(answer.contains("\r\nContent-type: text/plain; charset=utf-8\r\n"));
    for answer in [answer, files.get("/"), files.get("/no/such/file")] {
        assert!(answer.contains("\r\nAccess-Control-Allow-Origin: *\r\n"));
    }
}

#[test]
fn echo_answers_as_it_was_asked() {
    let Some(echo) = Example::start("echo") else {
        return;
    };
    let length = 1 << 20;
    let mut request = format!("POST / HTTP/1.0\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    request.resize(request.len() + length, b'x');
    let answer = echo.ask(request);
    assert!(body(&answer).len() == length && body(&answer).bytes().all(|byte| byte == b'x'));

    let answer = echo.ask(
        "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n",
    );
    assert!(answer.contains("\r\nTransfer-Encoding: chunked\r\n"));
    assert!(body(&answer).ends_with("0\r\n\r\n"));
    assert!(answer.contains("one") && answer.contains("two"));
}

#[test]
fn state_is_shared_by_all_connections() {
    let Some(state) = Example::start("state") else {
        return;
    };
    assert_eq!(body(&state.get("/")), "visit 1, of 127.0.0.1\n");
    assert_eq!(body(&state.get("/")), "visit 2, of 127.0.0.1\n");
}

#[test]
fn events_go_to_every_page() {
    let Some(events) = Example::start("events") else {
        return;
    };
    assert!(body(&events.get("/")).contains("new EventSource(\"/events\")"));
    let listen = || {
        let mut client = TcpStream::connect(&events.authority).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
            .write_all(b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap();
        BufReader::new(client)
            .lines()
            .map(|line| line.unwrap_or_default())
    };
    let mut first = listen();
    assert!(first.any(|line| line == "data: welcome"));
    assert!(first.any(|line| line == "data: 1"));
    let mut second = listen();
    assert!(second.any(|line| line == "data: 2"));
    assert!(first.any(|line| line == "data: 2"));
    let said = events.ask("POST /say HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello");
    assert!(said.starts_with("HTTP/1.1 204 "));
    assert!(second.any(|line| line == "data: hello"));
    drop(second);
    assert!(first.any(|line| line == "data: hello"));
    assert!(first.any(|line| line == "data: 1"));
}

#[test]
fn websocket_echoes() {
    let Some(example) = Example::start("websocket") else {
        return;
    };
    assert!(body(&example.get("/")).contains("new WebSocket("));
    assert!(example.get("/echo").starts_with("HTTP/1.1 426 "));
    // RFC 6455, 1.3 and 5.7: the handshake, and a masked "Hello".
    let mut client = TcpStream::connect(&example.authority).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
        .write_all(
            b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
              \x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        )
        .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\x81\x05Hello") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    let head = String::from_utf8_lossy(&answer);
    assert!(head.starts_with("HTTP/1.1 101 "));
    assert!(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
}

#[test]
fn once_takes_the_callback_and_goes_on() {
    let Some(mut once) = Example::start("once") else {
        return;
    };
    assert!(once.get("/favicon.ico").starts_with("HTTP/1.0 404 "));
    assert!(
        once.get("/callback?state=x&code=4711")
            .starts_with("HTTP/1.0 200 ")
    );
    assert_eq!(once.line(), "the code is 4711");
    assert!(once.child.wait().unwrap().success());
}
