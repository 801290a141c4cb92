//! Files whose size is not that of their content, as in `/proc` and `/sys`: they are sent up to their end.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use servette::testing::TestServer;
use servette::{SimpleHandler, respond};

use crate::client::Client;
use crate::support::until;
use crate::webroot::{Answer, Silent, WebRoot, ask, at, get};

/// A process whose file `environ`, of size 0, has what a test wants. It ends with its input.
struct Process {
    child: Child,
    environ: Vec<u8>,
}

impl Process {
    fn new(variables: usize, length: usize) -> Self {
        let mut command = Command::new("/bin/cat");
        command.env_clear().stdin(Stdio::piped());
        let mut environ = Vec::new();
        for number in 0..variables {
            let (name, value) = (format!("V{number}"), "x".repeat(length));
            write!(environ, "{name}={value}\0").unwrap();
            command.env(name, value);
        }
        let child = command.spawn().unwrap();
        let path = format!("/proc/{}/environ", child.id());
        // For a moment a new program has none.
        until("its environment", || fs::read(&path).unwrap() == environ);
        Process { child, environ }
    }

    /// Serves what the system says of it.
    fn handler(&self) -> Silent {
        let directory = format!("/proc/{}", self.child.id());
        assert_eq!(
            fs::metadata(format!("{directory}/environ")).unwrap().len(),
            0
        );
        Silent(SimpleHandler::new(directory).with_protocol_version("HTTP/1.1"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.stdin = None;
        let _ = self.child.wait();
    }
}

#[test]
fn a_file_of_size_0_with_content_is_sent_completely() {
    let process = Process::new(3, 1000);
    let handler = process.handler();
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        for method in ["GET", "HEAD"] {
            // It has no date to compare with: that of the file system does not change with the content.
            let condition = "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT";
            let condition = format!("{condition}\r\nRange: bytes=0-1");
            let request = format!("{method} /environ {version}\r\nHost: h\r\n{condition}\r\n\r\n");
            let answer = ask(&handler, request);
            assert_eq!(answer.status(), 200, "{method} {version}");
            let length = process.environ.len().to_string();
            assert_eq!(answer.field("Content-Length"), Some(&*length));
            for name in ["Last-Modified", "ETag", "Accept-Ranges"] {
                assert_eq!(answer.field(name), None);
            }
            let expected = if method == "GET" {
                &process.environ[..]
            } else {
                b""
            };
            assert!(answer.body == expected, "{method} {version}: {answer:?}");
        }
    }
}

#[test]
fn one_whose_end_is_far_goes_in_chunks_or_ends_with_the_connection() {
    let process = Process::new(5, 100_000);
    let server = TestServer::start(process.handler());
    let mut client = Client::new(server.addr());
    for _ in 0..2 {
        let response = client.get("/environ").response();
        assert_eq!(
            (response.status, response.get("Content-Length")),
            (200, None)
        );
        assert!(response.chunks.is_some() && response.body == process.environ);
        // Its end is not looked for, so HEAD does not tell the length.
        client.send("HEAD /environ HTTP/1.1\r\nHost: h\r\n\r\n");
        let head = client.response_to("HEAD");
        assert_eq!((head.status, head.get("Content-Length")), (200, None));
        assert!(!head.says_close());
    }
    let answer = ask(&process.handler(), "GET /environ HTTP/1.0\r\n\r\n");
    assert_eq!(answer.field("Content-Length"), None);
    assert_eq!(answer.field("Connection"), Some("close"));
    assert!(answer.body == process.environ);
}

#[test]
fn a_file_that_says_a_page_is_as_long_as_it_is() {
    let directory = "/sys/devices/virtual/net/lo";
    let Ok(content) = fs::read(format!("{directory}/mtu")) else {
        return eprintln!("skipped: there is no {directory}/mtu");
    };
    let answer = get(&Silent(SimpleHandler::new(directory)), "/mtu");
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.field("Content-Length"),
        Some(&*content.len().to_string())
    );
    assert!(answer.body == content, "{answer:?}");
    // Parts of two readings would not fit together.
    let request = "GET /mtu HTTP/1.0\r\nRange: bytes=0-1\r\n\r\n";
    let whole = ask(&Silent(SimpleHandler::new(directory)), request);
    assert_eq!((whole.status(), &whole.body), (200, &content));
    assert_eq!(whole.field("Accept-Ranges"), None);
}

#[test]
fn what_changes_unseen_is_never_kept() {
    let handler = Silent(SimpleHandler::new("/proc"));
    let uptime = || get(&handler, "/uptime").text();
    let first = uptime();
    assert!(first.ends_with('\n'), "{first:?}");
    until("another uptime", || uptime() != first);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    // It opens, but nothing is at its beginning.
    let answer = get(&Silent(SimpleHandler::new("/proc/self")), "/mem");
    assert_eq!(answer.status(), 500);
}

/// Empty ones, and such of which nothing was written.
#[test]
fn files_that_take_no_space_are_files_like_others() {
    let root = WebRoot::new();
    for (name, length) in [
        ("empty", 0),
        ("page", 4096),
        ("more", 64 << 10),
        ("large", 1 << 20),
    ] {
        root.file(name, "");
        let file = fs::File::options()
            .write(true)
            .open(root.join(name))
            .unwrap();
        file.set_len(length).unwrap();
        root.modified(name, at(784_111_777));
        let handler = root.handler();
        for method in ["GET", "HEAD"] {
            for _ in 0..2 {
                let answer = Answer::parse(&respond(
                    &handler,
                    format!("{method} /{name} HTTP/1.0\r\n\r\n"),
                ));
                assert_eq!(answer.status(), 200);
                assert_eq!(answer.field("Content-Length"), Some(&*length.to_string()));
                let date = "Sun, 06 Nov 1994 08:49:37 GMT";
                assert_eq!(answer.field("Last-Modified"), Some(date));
                let sent = if method == "GET" { length as usize } else { 0 };
                assert!(answer.body == vec![0; sent], "{method} {name}");
                let condition = format!("If-Modified-Since: {date}");
                let request = format!("{method} /{name} HTTP/1.0\r\n{condition}\r\n\r\n");
                assert_eq!(ask(&handler, request).status(), 304);
            }
        }
    }
}
