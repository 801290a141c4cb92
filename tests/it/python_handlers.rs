//! The handlers of Python's `test_httpservers.py` once more, as a program for servette has them.

use std::fmt;
use std::io::Write;

use crate::webroot::WebRoot;
use servette::{
    CgiHandler, Exchange, Layer, OrStatus, RequestHandler, Result, SimpleHandler, Status, base,
    respond,
};

/// Of BaseHTTPServerTestCase.
struct Base;

impl RequestHandler for Base {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.command {
            "TEST" | "KEEP" => {
                let close = if x.command == "TEST" {
                    "close"
                } else {
                    "keep-alive"
                };
                x.send_header("Connection", close);
                x.send_content(Status::NO_CONTENT, "text/html", "")
            }
            "KEYERROR" => x.send_error(Status::new(999)),
            "NOTFOUND" => x.send_error(Status::NOT_FOUND),
            "EXPLAINERROR" => {
                let status = Status::new(999).with_message("Short Message");
                x.send_error(status.with_explain("This is a long \n explanation"))
            }
            "CUSTOM" => {
                x.send_header("Connection", "close");
                x.send_content(Status::new(999), "text/html", "")
            }
            "LATINONEHEADER" => {
                x.send_header("X-Special", "Dängerous Mind");
                x.send_header("Connection", "close");
                let special = x
                    .headers
                    .get("x-special-incoming")
                    .or_status(Status::BAD_REQUEST)?;
                x.send_content(Status::new(999), "text/plain", special)
            }
            "SEND_ERROR" | "HEAD" => {
                let code = x.path[1..].parse().or_status(Status::BAD_REQUEST)?;
                x.send_error(Status::new(code))
            }
            _ => base::do_method(self, x),
        }
    }
    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

/// NoLogRequestHandler, for any handler.
struct NoLog<H>(H);

impl<H: RequestHandler> Layer for NoLog<H> {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }
    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

/// Of RequestHandlerLoggingTestCase.
struct Logging;

impl RequestHandler for Logging {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.command {
            "GET" => {
                x.send_response(Status::OK);
                x.end_headers()
            }
            "ERROR" => x.send_error(Status::NOT_FOUND.with_message("File not found")),
            _ => base::do_method(self, x),
        }
    }
    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

/// SocketlessRequestHandler, of BaseHTTPRequestHandlerTestCase, without what there is to avoid a socket.
struct Socketless;

impl RequestHandler for Socketless {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        x.send_response(Status::OK);
        x.send_header("Content-Type", "text/html");
        x.end_headers()?;
        Ok(x.wfile.write_all(b"<html><body>Data</body></html>\r\n")?)
    }
    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

/// RejectingSocketlessRequestHandler.
struct Rejecting<H>(H);

impl<H: RequestHandler> Layer for Rejecting<H> {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }
    fn handle_expect_100(&self, x: &mut Exchange<'_>) -> Result<bool> {
        x.send_error(Status::EXPECTATION_FAILED).map(|()| false)
    }
}

fn ask(handler: &dyn RequestHandler, request: &str) -> String {
    String::from_utf8_lossy(&respond(handler, request)).into_owned()
}

#[test]
fn they_respond_as_pythons() {
    let base = |request: &str| ask(&Base, &format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(base("TEST /").starts_with("HTTP/1.1 204 "));
    assert!(base("TEST /").contains("\r\nConnection: close\r\n"));
    assert!(base("KEEP /").contains("\r\nConnection: keep-alive\r\n"));
    assert!(base("KEYERROR /").starts_with("HTTP/1.1 999 \r\n"));
    assert!(base("NOTFOUND /").starts_with("HTTP/1.1 404 Not Found\r\n"));
    assert!(base("EXPLAINERROR /").starts_with("HTTP/1.1 999 Short Message\r\n"));
    assert!(base("CUSTOM /").contains("\r\nContent-Type: text/html\r\n"));
    assert!(base("SEND_ERROR /404").starts_with("HTTP/1.1 404 "));
    assert!(base("HEAD /405").ends_with("\r\n\r\n"));
    assert!(base("SPAM /").starts_with("HTTP/1.1 501 "));
    let latin = b"LATINONEHEADER / HTTP/1.1\r\nHost: a\r\nX-Special-Incoming: \xc4rger\r\n\r\n";
    let answer = respond(&Base, latin);
    assert!(answer.windows(10).any(|part| part == b"X-Special:") && answer.contains(&0xe4));
    assert!(answer.ends_with("\r\n\r\nÄrger".as_bytes()));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(ask(&NoLog(Logging), &get("/")).starts_with("HTTP/1.1 200 "));
    let expect = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    assert!(ask(&Rejecting(Socketless), expect).starts_with("HTTP/1.0 417 "));
    let root = WebRoot::new();
    root.file("test", "We are the knights who say Ni!");
    for handler in [
        &NoLog(SimpleHandler::new(root.path())) as &dyn RequestHandler,
        &NoLog(CgiHandler::new(root.path())),
    ] {
        assert!(ask(handler, &get("/test")).ends_with("knights who say Ni!"));
    }
}
