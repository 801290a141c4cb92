//! Every program in `examples/` starts, says its URL, and does what its first lines say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A running example, on a port of its own; killed when the test is over, however it ends.
struct Example {
    child: Child,
    lines: Receiver<String>,
    authority: String,
}

impl Example {
    /// Starts the example; `None` if it was not built, as when `cargo test --test it` skips them.
    fn start(name: &str) -> Option<Example> {
        Example::start_in(env!("CARGO_MANIFEST_DIR"), name, &["0"])
    }

    /// The same with these arguments, in this directory.
    fn start_in(directory: impl AsRef<Path>, name: &str, arguments: &[&str]) -> Option<Example> {
        let path = built(name);
        if !path.exists() {
            eprintln!("skipped: {} is not built", path.display());
            return None;
        }
        let mut child = Command::new(path)
            .args(arguments)
            .current_dir(directory)
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
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
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

/// What curl says to these arguments, which name `URL`; from a directory with the example's log and socket.
#[cfg(all(feature = "json", feature = "auth"))]
struct Curl<'e>(&'e Example, &'e Path);

#[cfg(all(feature = "json", feature = "auth"))]
impl Curl<'_> {
    fn ask(&self, arguments: &[&str]) -> String {
        let url = format!("http://{}", self.0.authority);
        let arguments = arguments
            .iter()
            .map(|argument| argument.replace("URL", &url));
        let output = Command::new("curl")
            .args(["-s", "-i", "--max-time", "20"])
            .args(arguments)
            .current_dir(self.1)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn expect(&self, arguments: &[&str], parts: &[&str]) -> String {
        let answer = self.ask(arguments);
        for part in parts {
            assert!(answer.contains(part), "{part:?} is not in {answer}");
        }
        answer
    }
}

#[cfg(all(feature = "json", feature = "auth"))]
#[test]
fn todo_does_all_that_it_says() {
    let root = crate::webroot::WebRoot::new();
    root.dir("uploads");
    let arguments = ["0", "uploads"];
    let Some(mut example) = Example::start_in(root.path(), "todo", &arguments) else {
        return;
    };
    let folder = root.path();
    let curl = Curl(&example, &folder);
    let anna = ["-u", "anna:secret"];
    let with = |more: &[&'static str]| [&anna[..], more].concat();
    // Cookies, CORS, basic auth, JSON and forms.
    curl.expect(
        &["URL/", "-b", "visits=6"],
        &["HTTP/1.1 200 ", "Set-Cookie: visits=7; ", "Visits: 6"],
    );
    curl.expect(
        &["-X", "OPTIONS", "URL/todos"],
        &["HTTP/1.1 204 ", "Access-Control-Allow-Methods: "],
    );
    curl.expect(
        &["-d", "title=x", "URL/todos"],
        &[
            "HTTP/1.1 401 ",
            "WWW-Authenticate: Basic ",
            "Access-Control-Allow-Origin: *",
            "{\"code\": 401, ",
        ],
    );
    curl.expect(
        &with(&["-d", "title=two eggs", "URL/todos"]),
        &["HTTP/1.1 303 ", "Location: /todos/1"],
    );
    let json = ["-H", "Content-Type: application/json", "-d"];
    let post = |body: &'static str| [&anna[..], &json, &[body, "URL/todos"]].concat();
    curl.expect(&post(r#"{"title": "say \"hi\""}"#), &["Location: /todos/2"]);
    curl.expect(
        &post("{"),
        &[
            "HTTP/1.1 400 ",
            "application/json",
            "\"explain\": \"EOF while parsing",
        ],
    );
    curl.expect(
        &["URL/todos/2"],
        &["application/json", r#"{"title":"say \"hi\""}"#],
    );
    curl.expect(
        &["-I", "URL/todos/2"],
        &["HTTP/1.1 200 ", "Content-Length: 22"],
    );
    for path in ["URL/todos/3", "URL/todos/x", "URL/none"] {
        curl.expect(&[path], &["HTTP/1.1 404 ", "{\"code\": 404, "]);
    }
    // Query, Accept, gzip.
    let found = curl.expect(&["URL/todos?q=o+e"], &["two eggs", "Vary: Accept"]);
    assert!(!found.contains("say"), "{found}");
    curl.expect(
        &["-H", "Accept: text/plain", "URL/todos"],
        &["text/plain", "two eggs\nsay \"hi\"\n"],
    );
    curl.expect(
        &["-H", "Accept: image/png", "URL/todos"],
        &["HTTP/1.1 406 "],
    );
    let long: &'static str = format!("title={}", "long ".repeat(200)).leak();
    curl.expect(&with(&["-d", long, "URL/todos"]), &["HTTP/1.1 303 "]);
    curl.expect(
        &["--compressed", "URL/todos"],
        &["Content-Encoding: gzip", "long long"],
    );
    curl.expect(&with(&["-X", "DELETE", "URL/todos/1"]), &["HTTP/1.1 204 "]);
    curl.expect(
        &with(&["-X", "PATCH", "URL/todos/1"]),
        &["HTTP/1.1 405 ", "Allow: GET"],
    );
    // Files, up to a limit, and back.
    root.file("up", "upload")
        .file("large", vec![b'x'; (10 << 20) + 1]);
    curl.expect(&with(&["-T", "up", "URL/files/one"]), &["HTTP/1.1 201 "]);
    curl.expect(
        &["URL/files/one"],
        &["Content-Disposition: attachment", "\r\n\r\nupload"],
    );
    curl.expect(&with(&["-T", "large", "URL/files/two"]), &["HTTP/1.1 413 "]);
    curl.expect(
        &with(&["-T", "up", "URL/files/%2e%2e%2fx"]),
        &["HTTP/1.1 400 "],
    );
    curl.expect(
        &["--path-as-is", "URL/files/../todo.log"],
        &["HTTP/1.1 404 "],
    );
    // A Unix socket beside TCP.
    curl.expect(
        &["--unix-socket", "todo.socket", "http://localhost/todos/2"],
        &["hi"],
    );
    // Events.
    let mut watcher = TcpStream::connect(&example.authority).unwrap();
    watcher.set_read_timeout(Some(PATIENCE)).unwrap();
    watcher
        .write_all(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut events = BufReader::new(watcher).lines().map(Result::unwrap);
    assert!(events.any(|line| line == "Content-Type: text/event-stream"));
    assert!(events.any(|line| line.is_empty()));
    curl.expect(
        &with(&["-d", "title=news", "URL/todos"]),
        &["HTTP/1.1 303 "],
    );
    assert!(events.any(|line| line == "data: news"));
    // The log, and SIGTERM.
    let log = std::fs::read_to_string(root.join("todo.log")).unwrap();
    assert!(
        log.contains("] \"GET / HTTP/1.1\" 200 ") && log.contains("\" 401 "),
        "{log}"
    );
    let pid = example.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(example.child.wait().unwrap().success());
}

#[test]
fn todo_is_no_longer_than_the_same_in_go() {
    let text = include_str!("../../examples/todo.rs");
    assert!(text.lines().count() <= 174, "{}", text.lines().count());
}
