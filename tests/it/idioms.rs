//! What users write, each under the Python that it mirrors. The numbers are those of the API's idioms;
//! the ones that serve files are elsewhere.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::client::get;
use crate::support::Ask;
use servette::testing::TestServer;
use servette::{
    Connection, Exchange, HttpServer, RequestHandler, Result, Status, ThreadingHttpServer, base,
    handler_fn, respond,
};

fn answer<H: RequestHandler + ?Sized>(handler: &H, request: &str) -> String {
    String::from_utf8(respond(handler, request)).unwrap()
}

/// 1. `self.send_response(200); self.send_header(..); self.end_headers(); self.wfile.write(b"hello\n")`
struct Hello;

impl RequestHandler for Hello {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.command {
            "GET" => {
                self.send_response(x, Status::OK);
                self.send_header(x, "Content-Type", "text/plain");
                self.end_headers(x)?;
                Ok(x.wfile.write_all(b"hello\n")?)
            }
            _ => base::do_method(self, x),
        }
    }
}

#[test]
fn hello() {
    let hello = answer(&Hello, "GET / HTTP/1.0\r\n\r\n");
    assert!(
        hello.starts_with("HTTP/1.0 200 OK\r\nServer: BaseHTTP/"),
        "{hello}"
    );
    let end = "\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n";
    assert!(hello.ends_with(end), "{hello}");
    let other = answer(&Hello, "PUT / HTTP/1.0\r\n\r\n");
    assert!(
        other.starts_with("HTTP/1.0 501 Unsupported method ('PUT')\r\n"),
        "{other}"
    );
}

/// 2. `def do_SPAM(self)`
struct Spam;

impl RequestHandler for Spam {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.command {
            "SPAM" => self.do_spam(x),
            _ => base::do_method(self, x),
        }
    }
}

impl Spam {
    fn do_spam(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.send_response(x, Status::OK);
        self.end_headers(x)?;
        Ok(x.wfile.write_all(b"spam, spam, eggs\n")?)
    }
}

#[test]
fn spam() {
    assert!(answer(&Spam, "SPAM / HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nspam, spam, eggs\n"));
    assert!(answer(&Spam, "spam / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 501 "));
}

/// 3. `self.rfile.read(int(self.headers["Content-Length"]))`
struct Echo;

impl RequestHandler for Echo {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        if x.command != "POST" {
            return base::do_method(self, x);
        }
        let mut body = Vec::new();
        x.rfile.read_to_end(&mut body)?;
        self.send_response(x, Status::OK);
        self.send_header(x, "Content-Length", &body.len().to_string());
        self.end_headers(x)?;
        Ok(x.wfile.write_all(&body)?)
    }
}

#[test]
fn echo() {
    let request = "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc";
    assert!(answer(&Echo, request).ends_with("\r\nContent-Length: 3\r\n\r\nabc"));
    let chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                   2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    assert!(answer(&Echo, chunked).ends_with("\r\n\r\nabc"));
}

/// 5. `def log_message(self, format, *args): pass`, and 9. state that all connections share.
#[derive(Default)]
struct Counter {
    hits: AtomicUsize,
}

impl RequestHandler for Counter {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        let n = 1 + self.hits.fetch_add(1, Ordering::Relaxed);
        self.send_response(x, Status::OK);
        self.end_headers(x)?;
        Ok(writeln!(x.wfile, "request number {n}")?)
    }
    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

#[test]
fn counter() {
    let counter = Counter::default();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| respond(&counter, "GET / HTTP/1.0\r\n\r\n"));
        }
    });
    assert!(answer(&counter, "GET / HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nrequest number 5\n"));
    assert_eq!(counter.hits.into_inner(), 5);
}

/// 7. `def send_error(self, code, message=None, explain=None)`
struct JsonErrors;

impl RequestHandler for JsonErrors {
    fn send_error(&self, x: &mut Exchange<'_>, status: Status<'_>) -> Result<()> {
        let body = format!(
            "{{\"code\":{},\"message\":{:?}}}\n",
            status.code(),
            status.phrase()
        );
        self.send_response(x, status);
        self.send_header(x, "Content-Type", "application/json");
        self.end_headers(x)?;
        Ok(x.wfile.write_all(body.as_bytes())?)
    }
}

#[test]
fn json_errors() {
    for (request, body) in [
        (
            "GET / HTTP/1.0\r\n\r\n",
            "{\"code\":501,\"message\":\"Unsupported method ('GET')\"}\n",
        ),
        (
            "GET / HTTP/1.1\r\n\r\n",
            "{\"code\":400,\"message\":\"Missing Host header\"}\n",
        ),
    ] {
        let answer = answer(&JsonErrors, request);
        assert!(
            answer.contains("\r\nContent-Type: application/json\r\n"),
            "{answer}"
        );
        assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
    }
}

/// 8. `if self.headers.get("Authorization") == ..: return super().do_GET()`, around any handler.
struct Guard<H> {
    credentials: String,
    inner: H,
}

impl<H: RequestHandler> RequestHandler for Guard<H> {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        if x.headers.get("Authorization") == Some(&self.credentials) {
            return self.inner.do_method(x);
        }
        self.send_response(x, Status::UNAUTHORIZED);
        self.send_header(x, "WWW-Authenticate", "Basic realm=\"files\"");
        self.end_headers(x)
    }
    fn log_message(&self, x: &Exchange<'_>, message: fmt::Arguments<'_>) {
        self.inner.log_message(x, message);
    }
}

#[test]
fn guard() {
    let around = |inner: Box<dyn RequestHandler>| Guard {
        credentials: "Basic eA==".into(),
        inner,
    };
    for (inner, body) in [
        (Box::new(Hello) as Box<dyn RequestHandler>, "hello\n"),
        (Box::new(Counter::default()), "request number 1\n"),
    ] {
        let guard = around(inner);
        let stranger = answer(
            &guard,
            "GET / HTTP/1.0\r\nAuthorization: Basic eB==\r\n\r\n",
        );
        assert!(
            stranger.starts_with("HTTP/1.0 401 Unauthorized\r\n"),
            "{stranger}"
        );
        assert!(stranger.contains("\r\nWWW-Authenticate: Basic realm=\"files\"\r\n"));
        let friend = answer(
            &guard,
            "GET / HTTP/1.0\r\nauthorization: Basic eA==\r\n\r\n",
        );
        assert!(friend.ends_with(&format!("\r\n\r\n{body}")), "{friend}");
    }
}

/// 11. `self.send_header("Location", self.path)`
struct Redirect {
    host: String,
}

impl RequestHandler for Redirect {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.send_response(x, Status::FOUND);
        self.send_header(x, "Location", x.path);
        self.send_header(x, "X-Host", &self.host);
        self.send_header(x, "X-Agent", x.headers.get("User-Agent").unwrap_or("-"));
        self.end_headers(x)
    }
}

#[test]
fn redirect() {
    let redirect = Redirect { host: "h".into() };
    let answer = answer(&redirect, "GET /x HTTP/1.0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.0 302 Found\r\n"), "{answer}");
    assert!(
        answer.contains("\r\nLocation: /x\r\nX-Host: h\r\nX-Agent: -\r\n"),
        "{answer}"
    );
}

/// 12. `self.wfile.write(...)` in a loop; `shutil.copyfileobj(self.rfile, self.wfile)`
struct Stream;

impl RequestHandler for Stream {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.send_response(x, Status::OK);
        self.end_headers(x)?;
        for i in 0..3 {
            writeln!(x.wfile, "{} {i}", x.path)?;
        }
        io::copy(&mut x.rfile, &mut x.wfile)?;
        Ok(())
    }
}

#[test]
fn stream() {
    let request = "POST /s HTTP/1.0\r\nContent-Length: 2\r\n\r\nok";
    assert!(answer(&Stream, request).ends_with("\r\n\r\n/s 0\n/s 1\n/s 2\nok"));
    // More than any buffer, read and written at the same time.
    let server = TestServer::start(Stream);
    let mut client = server.connect();
    let body = "0123456789".repeat(200_000);
    let mut writer = client.stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let length = body.len();
            write!(
                writer,
                "POST /s HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .unwrap();
        });
        assert!(client.response().text().ends_with(&body));
    });
}

/// 13 without files: `self.path = ..; super().do_GET()`
struct Aliased;

impl RequestHandler for Aliased {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.path {
            "/" => self.do_method(&mut x.with_path("/start")),
            path => {
                let mut body = path.to_owned();
                x.rfile.read_to_string(&mut body)?;
                self.send_content(x, Status::OK, "text/plain", body.as_bytes())
            }
        }
    }
}

#[test]
fn aliased() {
    let request = "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nok";
    assert!(answer(&Aliased, request).ends_with("\r\n\r\n/startok"));
}

/// 14. `def handle_expect_100(self): self.send_error(417); return False`
struct NoUploads;

impl RequestHandler for NoUploads {
    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
    fn handle_expect_100(&self, x: &mut Exchange<'_>) -> Result<bool> {
        self.send_error(x, Status::EXPECTATION_FAILED)
            .map(|()| false)
    }
}

#[test]
fn no_uploads() {
    let request = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    let answer = answer(&NoUploads, request);
    assert!(
        answer.starts_with("HTTP/1.1 417 Expectation Failed\r\n"),
        "{answer}"
    );
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1);
    assert_eq!(answer.matches("Connection: close").count(), 1);
}

/// 15. `protocol_version = "HTTP/1.1"`
struct KeepAlive;

impl RequestHandler for KeepAlive {
    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.send_response(x, Status::OK);
        self.send_header(x, "Content-Length", "0");
        self.end_headers(x)
    }
}

#[test]
fn keep_alive() {
    let two = answer(&KeepAlive, &(get("/1") + &get("/2")));
    assert_eq!(two.matches("HTTP/1.1 200 OK\r\n").count(), 2);
}

#[test]
fn a_fixture_is_a_closure_over_the_tests_locals() {
    let seen = Mutex::new(Vec::new());
    let fixture = handler_fn(|h, x| {
        seen.lock().unwrap().push(x.path.to_owned());
        h.send_response(x, Status::OK);
        h.end_headers(x)
    });
    respond(&fixture, "GET /f HTTP/1.0\r\n\r\n");
    assert_eq!(*seen.lock().unwrap(), ["/f"]);
}

#[test]
fn what_the_types_promise() {
    fn parkable<T: Send + 'static>() {}
    parkable::<Connection>();
    let _routes: Vec<(&str, Box<dyn RequestHandler>)> = vec![
        ("/a", Box::new(Hello)),
        (
            "/b",
            Box::new(Redirect {
                host: String::new(),
            }),
        ),
    ];
    struct Borrower<'s>(&'s str);
    impl RequestHandler for Borrower<'_> {
        fn server_version(&self) -> &str {
            self.0
        }
    }
    let borrowed = String::from("not 'static");
    drop(ThreadingHttpServer::bind("127.0.0.1:0", Borrower(&borrowed)).unwrap());
    struct NotSync(std::cell::Cell<u32>);
    impl RequestHandler for NotSync {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            self.0.set(self.0.get() + 1);
            base::do_method(self, x)
        }
    }
    drop(HttpServer::bind("127.0.0.1:0", NotSync(Default::default())).unwrap());
}

#[test]
fn empty_segments_are_segments_except_at_the_start() {
    let server = TestServer::start(handler_fn(|_, x| {
        let target = x.target()?;
        x.send_content(Status::OK, "text/plain", format!("{:?}", target.segments()))
    }));
    for (path, segments) in [
        ("/", "[]"),
        ("/notes/7", r#"["notes", "7"]"#),
        ("/notes/", r#"["notes", ""]"#),
        ("/notes//7", r#"["notes", "", "7"]"#),
        ("//notes/7", r#"["notes", "7"]"#),
        ("///", "[]"),
        ("/a%2Fb?c/d", r#"["a/b"]"#),
    ] {
        assert_eq!(server.answer(get(path)).text(), segments, "{path}");
    }
}
