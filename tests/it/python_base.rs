//! The tests of Python's `test_httpservers.py` for `BaseHTTPRequestHandler`, each under its name there.
//! Where HTTP has one reading and Python's leniency two, the answer is a 400 here.

use std::fmt;
use std::io::Write;

use crate::client::{Response, get};
use crate::support::{Ask, Log};
use servette::testing::TestServer;
use servette::{Exchange, RequestHandler, Result, Status, base, respond};

/// The handler of BaseHTTPServerTestCase.
struct Handler;

impl RequestHandler for Handler {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.command {
            "TEST" => self.short(x, &[("Content-Type", "text/html"), ("Connection", "close")]),
            "KEEP" => self.short(
                x,
                &[("Content-Type", "text/html"), ("Connection", "keep-alive")],
            ),
            "KEYERROR" => self.send_error(x, Status::new(999)),
            "NOTFOUND" => self.send_error(x, Status::NOT_FOUND),
            "EXPLAINERROR" => self.send_error(
                x,
                Status::new(999)
                    .with_message("Short Message")
                    .with_explain("This is a long \n explanation"),
            ),
            "CUSTOM" => {
                self.send_response(x, Status::new(999));
                self.send_header(x, "Content-Type", "text/html");
                self.send_header(x, "Connection", "close");
                self.end_headers(x)
            }
            "LATINONEHEADER" => {
                self.send_response(x, Status::new(999));
                self.send_header(x, "X-Special", "D\u{e4}ngerous Mind");
                self.send_header(x, "Connection", "close");
                self.end_headers(x)?;
                let special = x.headers.get("X-Special-Incoming").unwrap_or_default();
                Ok(x.wfile.write_all(special.as_bytes())?)
            }
            "SEND_ERROR" => {
                let code = x.path[1..].parse().unwrap();
                self.send_error(x, Status::new(code))
            }
            "HEAD" => self.send_error(x, Status::new(x.path[1..].parse().unwrap())),
            _ => base::do_method(self, x),
        }
    }
}

impl Handler {
    fn short(&self, x: &mut Exchange<'_>, fields: &[(&str, &str)]) -> Result<()> {
        self.send_response(x, Status::NO_CONTENT);
        for (name, value) in fields {
            self.send_header(x, name, value);
        }
        self.end_headers(x)
    }
}

fn server() -> TestServer {
    TestServer::start(Handler)
}

#[track_caller]
fn request(line: &str) -> Response {
    server().answer(format!("{line}\r\nHost: h\r\n\r\n"))
}

#[test]
fn test_command() {
    assert_eq!(request("GET / HTTP/1.1").status, 501);
}

/// Python trims a stray LF after the version, which is the end of the head here: no Host.
#[test]
fn test_request_line_trimming() {
    assert_eq!(request("XYZBOGUS / HTTP/1.0\n").status, 501);
    assert_eq!(request("XYZBOGUS / HTTP/1.1\n").status, 400);
}

#[test]
fn test_version_bogus() {
    assert_eq!(request("GET / FUBAR").status, 400);
}

#[test]
fn test_version_digits() {
    assert_eq!(request("GET / HTTP/9.9.9").status, 400);
}

#[test]
fn test_version_signs_and_underscores() {
    for version in ["-9.-9", "+9.+9", "_9.9", "9_9.9", "9.9_9"] {
        assert_eq!(request(&format!("GET / HTTP/{version}")).status, 400);
    }
}

#[test]
fn test_major_and_minor_version_number_too_long() {
    assert_eq!(request("GET / HTTP/909876543210.0").status, 400);
    assert_eq!(request("GET / HTTP/1.909876543210").status, 400);
}

/// 501 in Python: HTTP/0.9.
#[test]
fn test_version_none_get() {
    assert_eq!(request("GET /").status, 400);
}

#[test]
fn test_version_none() {
    let response = request("PUT /");
    assert_eq!(response.status, 400);
    assert_eq!(response.reason, "Bad HTTP/0.9 request type ('PUT')");
}

#[test]
fn test_version_invalid() {
    assert_eq!(request("GET / HTTP/9.9").status, 505);
}

#[test]
fn test_send_blank() {
    assert_eq!(request("").status, 400);
}

#[test]
fn test_header_close_and_keep_alive() {
    for option in ["close", "keep-alive"] {
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\nConnection: {option}\r\n\r\n");
        assert_eq!(server().answer(request).status, 501);
    }
}

#[test]
fn test_handler() {
    assert_eq!(request("TEST / HTTP/1.1").status, 204);
}

#[test]
fn test_return_header_keep_alive() {
    let server = server();
    let mut client = server.connect();
    client.send("KEEP / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.response().get("Connection"), Some("keep-alive"));
    client.send("TEST / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(client.response().says_close());
    client.assert_end();
}

#[test]
fn test_internal_key_error() {
    assert_eq!(request("KEYERROR / HTTP/1.1").status, 999);
}

#[test]
fn test_return_explain_error() {
    let response = request("EXPLAINERROR / HTTP/1.1");
    assert_eq!((response.status, &*response.reason), (999, "Short Message"));
    assert!(
        response
            .text()
            .contains("<p>This is a long \n explanation.</p>")
    );
}

#[test]
fn test_return_custom_status() {
    let response = request("CUSTOM / HTTP/1.1");
    assert_eq!((response.status, &*response.reason), (999, ""));
}

#[test]
fn test_latin1_header() {
    let bytes = b"LATINONEHEADER / HTTP/1.1\r\nHost: h\r\n\
                  X-Special-Incoming: \xc4rger mit Unicode\r\n\r\n";
    let response = server().answer(bytes);
    assert_eq!(response.get("X-Special"), Some("D\u{e4}ngerous Mind"));
    assert_eq!(response.text(), "\u{c4}rger mit Unicode");
}

#[test]
fn test_error_content_length() {
    let response = request("NOTFOUND / HTTP/1.1");
    assert_eq!(response.status, 404);
    let length = response.body.len().to_string();
    assert_eq!(response.get("Content-Length"), Some(&*length));
}

#[test]
fn test_send_error() {
    for code in [204, 304, 101, 205] {
        let response = request(&format!("SEND_ERROR /{code} HTTP/1.1"));
        assert_eq!(response.status, code);
        assert_eq!(response.get("Content-Type"), None);
        assert!(response.body.is_empty());
    }
    // An interim response is no answer, so one follows.
    let server = server();
    let mut client = server.connect();
    client.send("SEND_ERROR /102 HTTP/1.1\r\nHost: h\r\n\r\n");
    let statuses = [client.response().status, client.response().status];
    assert_eq!(statuses, [102, 500]);
}

#[test]
fn test_head_via_send_error() {
    let response = request("HEAD /200 HTTP/1.1");
    assert_eq!(response.status, 200);
    assert_ne!(response.get("Content-Length"), Some("0"));
    assert_eq!(
        response.get("Content-Type"),
        Some("text/html;charset=utf-8")
    );
    for code in [204, 205, 304] {
        let response = request(&format!("HEAD /{code} HTTP/1.1"));
        assert_eq!(
            (response.status, response.get("Content-Type")),
            (code, None)
        );
    }
}

/// RequestHandlerLoggingTestCase: test_get and test_err.
#[test]
fn test_get_and_test_err() {
    struct Logging(Log);
    impl RequestHandler for Logging {
        fn protocol_version(&self) -> &str {
            "HTTP/1.1"
        }
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            match x.command {
                "GET" => {
                    self.send_response(x, Status::OK);
                    self.end_headers(x)
                }
                _ => self.send_error(x, Status::NOT_FOUND.with_message("File not found")),
            }
        }
        fn log_message(&self, _: &Exchange<'_>, message: fmt::Arguments<'_>) {
            self.0.push(message);
        }
    }
    let log = Log::default();
    let handler = Logging(log.clone());
    respond(
        &handler,
        "GET / HTTP/1.1\r\nHost: h\r\n\r\nERROR / HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    assert_eq!(
        log.lines(),
        [
            "\"GET / HTTP/1.1\" 200 -",
            "code 404, message File not found",
            "\"ERROR / HTTP/1.1\" 404 -",
        ]
    );
}

/// The handler of BaseHTTPRequestHandlerTestCase.
struct Socketless {
    protocol_version: &'static str,
    log: Log,
}

impl RequestHandler for Socketless {
    fn protocol_version(&self) -> &str {
        self.protocol_version
    }
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        if x.command != "GET" {
            return base::do_method(self, x);
        }
        self.log.push(format!(
            "{} {} {:?}",
            x.requestline, x.request_version, x.headers
        ));
        self.send_response(x, Status::OK);
        self.send_header(x, "Content-Type", "text/html");
        self.end_headers(x)?;
        x.wfile.write_all(b"<html><body>Data</body></html>\r\n")?;
        std::io::copy(&mut x.rfile, &mut std::io::sink())?;
        Ok(())
    }
    fn log_message(&self, _: &Exchange<'_>, message: fmt::Arguments<'_>) {
        self.log.push(message);
    }
}

/// The answer of a handler of this version, and its log.
fn socketless(version: &'static str, request: impl AsRef<[u8]>) -> (String, Vec<String>) {
    let log = Log::default();
    let handler = Socketless {
        protocol_version: version,
        log: log.clone(),
    };
    let answer = String::from_utf8(respond(&handler, request)).unwrap();
    (answer, log.lines())
}

const DATA: &str = "\r\n\r\n<html><body>Data</body></html>\r\n";

#[test]
fn test_http_1_1_and_http_1_0() {
    for version in ["HTTP/1.1", "HTTP/1.0"] {
        let request = format!("GET / {version}\r\nHost: h\r\n\r\n");
        let (answer, log) = socketless(version, request);
        assert!(
            answer.starts_with(&format!("{version} 200 OK\r\n")),
            "{answer}"
        );
        for name in ["Server: ", "Date: ", "Content-Type: "] {
            assert_eq!(
                answer.matches(&format!("\r\n{name}")).count(),
                1,
                "{answer}"
            );
        }
        assert!(answer.ends_with(DATA), "{answer}");
        assert_eq!(
            log[0],
            format!("GET / {version} {version} {{\"Host\": \"h\"}}")
        );
    }
}

/// Body only in Python.
#[test]
fn test_http_0_9() {
    for request in ["GET / HTTP/0.9\r\n\r\n", "GET /\r\n"] {
        let (answer, _) = socketless("HTTP/1.1", request);
        assert!(answer.starts_with("HTTP/1.1 400 Bad request "), "{answer}");
        assert!(!answer.contains("Data"));
    }
}

#[test]
fn test_extra_space() {
    let (answer, _) = socketless(
        "HTTP/1.1",
        "GET /spaced out HTTP/1.1\r\nHost: dummy\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("\r\nServer: ") && answer.contains("\r\nConnection: close\r\n"));
    assert!(!answer.contains("Data"));
}

#[test]
fn test_with_continue_1_0() {
    let request = "GET / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx";
    let (answer, _) = socketless("HTTP/1.1", request);
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(DATA),
        "{answer}"
    );
}

/// In memory the body is there, so nobody waits; `expect_continue` has clients that do.
#[test]
fn test_with_continue_1_1() {
    let request = "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx";
    let (answer, _) = socketless("HTTP/1.1", request);
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(DATA),
        "{answer}"
    );
}

/// test_header_buffering_of_send_error, _send_response_only, _send_header,
/// test_header_unbuffered_when_continue: only an interim head goes before the end of the response.
#[test]
fn test_header_buffering() {
    struct Buffering;
    impl RequestHandler for Buffering {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            self.send_response_only(x, Status::CONTINUE);
            self.end_headers(x)?;
            assert!(!x.response_has_begun());
            self.send_response_only(x, Status::OK);
            self.send_header(x, "A", "b");
            self.end_headers(x)?;
            assert!(
                !x.response_has_begun(),
                "one write for the head and its body"
            );
            x.wfile.flush()?;
            assert!(x.response_has_begun());
            Ok(())
        }
        fn protocol_version(&self) -> &str {
            "HTTP/1.1"
        }
    }
    let answer = respond(
        &Buffering,
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    );
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n"));
}

#[test]
fn test_request_length() {
    let long = format!("GET {} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(65_537));
    let (answer, log) = socketless("HTTP/1.1", long);
    assert!(
        answer.starts_with("HTTP/1.1 414 URI Too Long\r\n"),
        "{answer}"
    );
    assert_eq!(log, ["code 414, message URI Too Long", "\"\" 414 -"]);
}

#[test]
fn test_header_length() {
    let long = format!("GET / HTTP/1.1\r\nX-Foo: bar{}\r\n\r\n", "r".repeat(65_537));
    let (answer, log) = socketless("HTTP/1.1", long);
    assert!(
        answer.starts_with("HTTP/1.1 431 Line too long\r\n"),
        "{answer}"
    );
    assert_eq!(log[1], "\"GET / HTTP/1.1\" 431 -");
}

#[test]
fn test_too_many_headers() {
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X-Foo: bar\r\n".repeat(101));
    let (answer, log) = socketless("HTTP/1.1", many);
    assert!(
        answer.starts_with("HTTP/1.1 431 Too many headers\r\n"),
        "{answer}"
    );
    assert_eq!(log[1], "\"GET / HTTP/1.1\" 431 -");
}

#[test]
fn test_html_escape_on_error() {
    let request = "<script>alert('hello')</script> / HTTP/1.1\r\nHost: h\r\n\r\n";
    let (answer, _) = socketless("HTTP/1.1", request);
    let (_, page) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        page.contains("&lt;script&gt;") && !page.contains("<script>"),
        "{page}"
    );
}

#[test]
fn test_close_connection() {
    struct Until3(Log);
    impl RequestHandler for Until3 {
        fn protocol_version(&self) -> &str {
            "HTTP/1.1"
        }
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            self.0.push(x.path);
            x.close_connection.set(x.path == "/3");
            self.send_content(x, Status::OK, "text/plain", b"")
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
    }
    let log = Log::default();
    let requests: String = (1..=5).map(|n| get(&format!("/{n}"))).collect();
    respond(&Until3(log.clone()), requests);
    assert_eq!(log.lines(), ["/1", "/2", "/3"]);
}

#[test]
fn test_date_time_string() {
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_234_567_890);
    let date = base::date_time_string(&Handler, Some(then));
    assert_eq!(date.to_string(), "Fri, 13 Feb 2009 23:31:30 GMT");
}
