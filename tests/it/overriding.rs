//! Every hook that is overridden is seen by the bodies of the others, and by no other way around it.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use crate::client::{Client, Response, get};
use crate::lifesupport::{Gate, spawn_single};
use crate::support::{Ask, Log};
use servette::testing::TestServer;
use servette::{
    Connection, Exchange, HttpDate, Next, RequestHandler, Result, Status, base, handler_fn, respond,
};

/// What a handler with HTTP/1.0 answers, as text.
fn answer<H: RequestHandler + ?Sized>(handler: &H, request: &str) -> String {
    String::from_utf8(respond(handler, request)).unwrap()
}

const ASK: &str = "GET / HTTP/1.0\r\n\r\n";
const REFUSED: &str = "GET / HTTP/9.9\r\n\r\n";

#[test]
fn end_headers_is_seen_by_responses_and_by_every_error_page() {
    struct Cors;
    impl RequestHandler for Cors {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            match x.path {
                "/page" => self.send_content(x, Status::OK, "text/plain", b"page"),
                "/none" => self.send_error(x, Status::NOT_FOUND),
                "/err" => Err(Status::FORBIDDEN.into()),
                "/panic" => panic!("oh"),
                _ => base::do_method(self, x),
            }
        }
        fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
            self.send_header(x, "Access-Control-Allow-Origin", "*");
            base::end_headers(self, x)
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
    }
    for (path, code) in [
        ("/page", 200),
        ("/none", 404),
        ("/err", 403),
        ("/panic", 500),
        ("/", 501),
        ("not-a-path", 400),
    ] {
        let answer = answer(&Cors, &format!("GET {path} HTTP/1.0\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.0 {code} ")), "{answer}");
        assert_eq!(
            answer.matches("Access-Control-Allow-Origin: *\r\n").count(),
            1
        );
    }
}

#[test]
fn send_header_is_seen_by_all_that_send_fields() {
    struct Lower;
    impl RequestHandler for Lower {
        fn send_header(&self, x: &mut Exchange<'_>, name: &str, value: &str) {
            base::send_header(self, x, &name.to_lowercase(), value);
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
    }
    let answer = answer(&Lower, ASK);
    for name in ["server: ", "date: ", "content-type: ", "content-length: "] {
        assert!(answer.contains(&format!("\r\n{name}")), "{answer}");
    }
}

#[test]
fn the_version_string_has_two_halves() {
    struct Named(&'static str, &'static str);
    impl RequestHandler for Named {
        fn server_version(&self) -> &str {
            self.0
        }
        fn sys_version(&self) -> &str {
            self.1
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
    }
    for (server, sys, whole) in [
        ("A/1", "B/2", "A/1 B/2"),
        ("A/1", "", "A/1"),
        ("", "B/2", "B/2"),
    ] {
        let answer = answer(&Named(server, sys), ASK);
        assert!(
            answer.contains(&format!("\r\nServer: {whole}\r\n")),
            "{answer}"
        );
    }
    struct Whole;
    impl RequestHandler for Whole {
        fn version_string(&self) -> Cow<'_, str> {
            "whole".into()
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
    }
    assert!(answer(&Whole, ASK).contains("\r\nServer: whole\r\n"));
}

#[test]
fn the_texts_of_errors_and_dates_can_be_replaced() {
    struct Own;
    impl RequestHandler for Own {
        fn responses(&self, code: u16) -> Option<(&str, &str)> {
            match code {
                505 => Some(("Too new", "We like the old times")),
                code => base::responses(self, code),
            }
        }
        fn error_message_format(&self) -> &str {
            "%(code)d|%(message)s|%(explain)s|100%%"
        }
        fn error_content_type(&self) -> &str {
            "text/x-own"
        }
        fn date_time_string(&self, _: Option<SystemTime>) -> HttpDate {
            let then = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
            base::date_time_string(self, Some(then))
        }
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            self.send_error(x, Status::new(505))
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
    }
    let own = answer(&Own, ASK);
    assert!(own.starts_with("HTTP/1.0 505 Too new\r\n"), "{own}");
    assert!(own.contains("\r\nContent-Type: text/x-own\r\n"), "{own}");
    assert!(
        own.contains("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
        "{own}"
    );
    assert!(
        own.ends_with("\r\n\r\n505|Too new|We like the old times|100%"),
        "{own}"
    );
    assert!(
        answer(&Own, REFUSED)
            .ends_with("505|Invalid HTTP version (9.9)|We like the old times|100%")
    );
}

#[test]
fn send_response_and_its_parts_are_seen() {
    struct Plain;
    impl RequestHandler for Plain {
        fn send_response(&self, x: &mut Exchange<'_>, status: Status<'_>) {
            self.send_response_only(x, status);
        }
        fn send_response_only(&self, x: &mut Exchange<'_>, status: Status<'_>) {
            base::send_response_only(self, x, status.with_message("Only"));
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
    }
    let answer = answer(&Plain, ASK);
    assert!(
        answer.starts_with("HTTP/1.0 501 Only\r\nContent-Type: "),
        "{answer}"
    );
}

#[test]
fn flush_headers_is_called_by_end_headers() {
    struct Streaming;
    impl RequestHandler for Streaming {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            self.send_response(x, Status::OK);
            self.end_headers(x)?;
            assert!(x.response_has_begun());
            Ok(x.wfile.write_all(b"body")?)
        }
        fn flush_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
            base::flush_headers(self, x)?;
            Ok(x.wfile.flush()?)
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
    }
    let answer = answer(&Streaming, ASK);
    assert!(
        answer.starts_with("HTTP/1.0 200 ") && answer.ends_with("\r\n\r\nbody"),
        "{answer}"
    );
}

/// A request that was found, and put off by `handle`, has its own fields though others came between.
#[test]
fn a_request_that_is_put_off_is_itself_later() {
    struct Putting(Gate, AtomicUsize);
    impl RequestHandler for Putting {
        fn handle(&self, conn: &mut Connection) -> Result<Next> {
            if self.1.fetch_add(1, Ordering::SeqCst) != 2 {
                return base::handle(self, conn);
            }
            self.0.pass();
            Ok(Next::Again)
        }
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            let name = x.headers.get("X-Name").unwrap_or("none").to_owned();
            self.send_content(x, Status::OK, "text/plain", name.as_bytes())
        }
        fn protocol_version(&self) -> &str {
            "HTTP/1.1"
        }
    }
    let gate = Gate::default();
    let server = spawn_single(Putting(gate.clone(), AtomicUsize::new(0)));
    let request = |name: &str| format!("GET / HTTP/1.1\r\nX-Name: {name}\r\nHost: h\r\n\r\n");
    let mut clients = ["one", "another"].map(|name| {
        let mut client = Client::new(server.addr());
        client.send(request(name));
        assert_eq!(client.response().text(), name);
        client
    });
    let [first, second] = &mut clients;
    first.send(request("put off"));
    gate.await_comers(1);
    second.send("GET / HTTP/1.1\r\nHost: a.longer.one\r\nX-Name: between\r\n\r\n");
    gate.open();
    assert_eq!(second.response().text(), "between");
    assert_eq!(first.response().text(), "put off");
}

#[test]
fn handle_and_handle_one_request_wrap_the_whole() {
    struct Wrapped(Log);
    impl RequestHandler for Wrapped {
        fn handle(&self, conn: &mut Connection) -> Result<Next> {
            self.0.push("handle");
            base::handle(self, conn)
        }
        fn handle_one_request(&self, conn: &mut Connection) -> Result<()> {
            let before = conn.answered();
            base::handle_one_request(self, conn)?;
            self.0.push(format!("{before} {}", conn.answered()));
            Ok(())
        }
        fn protocol_version(&self) -> &str {
            "HTTP/1.1"
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
    }
    let log = Log::default();
    respond(&Wrapped(log.clone()), get("/1") + &get("/2"));
    assert_eq!(log.lines(), ["handle", "0 1", "1 2"]);
    let log = Log::default();
    let server = TestServer::start(Wrapped(log.clone()));
    let mut client = server.connect();
    client.send(get("/1") + &get("/2"));
    let statuses: Vec<_> = (0..2).map(|_| client.response().status).collect();
    client.finish().assert_end();
    assert_eq!(statuses, [501, 501]);
    assert_eq!(log.lines()[..3], ["handle", "0 1", "1 2"]);
}

/// What `log_message` gets.
struct Logged(Log);

impl RequestHandler for Logged {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.path {
            "/sized" => self.log_request(x, 200, Some(1_234)),
            "/error" => self.log_error(x, format_args!("an {}", "error")),
            _ => {}
        }
        base::do_method(self, x)
    }
    fn log_message(&self, _: &Exchange<'_>, message: fmt::Arguments<'_>) {
        self.0.push(message);
    }
}

/// Python's RequestHandlerLoggingTestCase, and who calls whom.
#[test]
fn the_lines_of_the_log_are_those_of_python() {
    let logged = |request: &str| {
        let log = Log::default();
        respond(&Logged(log.clone()), request);
        log.lines()
    };
    let unsupported = "code 501, message Unsupported method ('GET')";
    assert_eq!(logged(ASK), [unsupported, "\"GET / HTTP/1.0\" 501 -"]);
    assert_eq!(
        logged("GET /sized HTTP/1.0\r\n\r\n")[0],
        "\"GET /sized HTTP/1.0\" 200 1234"
    );
    assert_eq!(logged("GET /error HTTP/1.0\r\n\r\n")[0], "an error");
    assert_eq!(
        logged(REFUSED),
        [
            "code 505, message Invalid HTTP version (9.9)",
            "\"GET / HTTP/9.9\" 505 -"
        ]
    );

    struct Errors(Log);
    impl RequestHandler for Errors {
        fn log_request(&self, _: &Exchange<'_>, code: u16, size: Option<u64>) {
            self.0.push(format!("request {code} {size:?}"));
        }
        fn log_error(&self, _: &Exchange<'_>, message: fmt::Arguments<'_>) {
            self.0.push(format!("error {message}"));
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {
            unreachable!("both callers are replaced")
        }
    }
    let log = Log::default();
    respond(&Errors(log.clone()), ASK);
    assert_eq!(
        log.lines(),
        [&format!("error {unsupported}"), "request 501 None"]
    );
}

/// Not a test by itself: it is run by the next one, which reads what it logs.
#[test]
#[ignore = "run by `the_log_goes_to_stderr`"]
fn logs_to_stderr() {
    struct Loud;
    impl RequestHandler for Loud {
        fn log_date_time_string(&self) -> String {
            "DATE".into()
        }
        fn address_string(&self, x: &Exchange<'_>) -> String {
            assert_eq!(x.client_address.to_string(), "memory");
            "ADDRESS\n".into()
        }
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            self.log_message(x, format_args!("a\\b\x1b[1m\r\nc\u{e9}\u{85}\u{a0}"));
            self.send_content(x, Status::OK, "text/plain", b"")
        }
    }
    respond(&Loud, ASK);
    let plain = handler_fn(|h, x| h.send_content(x, Status::OK, "text/plain", b""));
    respond(&plain, "GET /plain HTTP/1.0\r\n\r\n");
    respond(&plain.quiet(), "GET /quiet HTTP/1.0\r\n\r\n");
}

/// Python 13 and test_unprintable_not_logged.
#[test]
fn the_log_goes_to_stderr() {
    let start = SystemTime::now();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--nocapture",
            "--exact",
            "overriding::logs_to_stderr",
        ])
        .env("TZ", "AAA-24")
        .output()
        .unwrap();
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "ADDRESS\\x0a - - [DATE] a\\\\b\\x1b[1m\\x0d\\x0ac\u{e9}\\x85\u{a0}",
            "ADDRESS\\x0a - - [DATE] \"GET / HTTP/1.0\" 200 -",
        ]
    );
    let (address, rest) = lines[2].split_once(" - - [").unwrap();
    let (date, message) = rest.split_once("] ").unwrap();
    assert_eq!(
        (address, message),
        ("memory", "\"GET /plain HTTP/1.0\" 200 -")
    );
    // 23/Nov/2026 14:20:00, a day ahead of UTC. The clock may be that of the last tick before the start.
    let tomorrow = start + Duration::from_secs(24 * 3600 - 1);
    let passed = start.elapsed().unwrap().as_secs() + 2;
    let mut possible = (0..=passed).map(|later| {
        let moment = HttpDate::from(tomorrow + Duration::from_secs(later));
        let (day, time) = moment["Sun, ".len()..].split_at("06 Nov 1994".len());
        format!("{}{}", day.replace(' ', "/"), time.trim_end_matches(" GMT"))
    });
    assert!(possible.any(|moment| moment == date), "{date}");
    assert_eq!(lines.len(), 3);
}

/// A handler whose hooks each record their call, and have answers of their own.
#[derive(Default)]
struct Recorder(Log);

impl RequestHandler for Recorder {
    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        self.0.push("handle");
        base::handle(self, conn)
    }
    fn handle_one_request(&self, conn: &mut Connection) -> Result<()> {
        self.0.push("handle_one_request");
        base::handle_one_request(self, conn)
    }
    fn handle_expect_100(&self, x: &mut Exchange<'_>) -> Result<bool> {
        self.0.push("handle_expect_100");
        base::handle_expect_100(self, x)
    }
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.0.push("do_method");
        base::do_method(self, x)
    }
    fn send_error(&self, x: &mut Exchange<'_>, status: Status<'_>) -> Result<()> {
        self.0.push("send_error");
        base::send_error(self, x, status)
    }
    fn send_content(
        &self,
        x: &mut Exchange<'_>,
        status: Status<'_>,
        content_type: &str,
        body: &[u8],
    ) -> Result<()> {
        self.0.push("send_content");
        base::send_content(self, x, status, content_type, body)
    }
    fn send_response(&self, x: &mut Exchange<'_>, status: Status<'_>) {
        self.0.push("send_response");
        base::send_response(self, x, status);
    }
    fn send_response_only(&self, x: &mut Exchange<'_>, status: Status<'_>) {
        self.0.push("send_response_only");
        base::send_response_only(self, x, status);
    }
    fn send_header(&self, x: &mut Exchange<'_>, name: &str, value: &str) {
        self.0.push(format!("send_header {name}"));
        base::send_header(self, x, name, value);
    }
    fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.0.push("end_headers");
        base::end_headers(self, x)
    }
    fn flush_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.0.push("flush_headers");
        base::flush_headers(self, x)
    }
    fn log_request(&self, x: &Exchange<'_>, code: u16, size: Option<u64>) {
        self.0.push("log_request");
        base::log_request(self, x, code, size);
    }
    fn log_error(&self, x: &Exchange<'_>, message: fmt::Arguments<'_>) {
        self.0.push("log_error");
        base::log_error(self, x, message);
    }
    fn log_message(&self, _: &Exchange<'_>, message: fmt::Arguments<'_>) {
        self.0.push(format!("log_message {message}"));
    }
    fn server_version(&self) -> &str {
        self.0.push("server_version");
        "S/1"
    }
    fn sys_version(&self) -> &str {
        self.0.push("sys_version");
        "Y/2"
    }
    fn version_string(&self) -> Cow<'_, str> {
        self.0.push("version_string");
        base::version_string(self)
    }
    fn protocol_version(&self) -> &str {
        self.0.push("protocol_version");
        "HTTP/1.1"
    }
    fn error_message_format(&self) -> &str {
        self.0.push("error_message_format");
        "%(code)d"
    }
    fn error_content_type(&self) -> &str {
        self.0.push("error_content_type");
        "text/x-own"
    }
    fn responses(&self, code: u16) -> Option<(&str, &str)> {
        self.0.push(format!("responses {code}"));
        Some(("Phrase", "Text"))
    }
    fn date_time_string(&self, _: Option<SystemTime>) -> HttpDate {
        self.0.push("date_time_string");
        base::date_time_string(self, Some(SystemTime::UNIX_EPOCH))
    }
    fn log_date_time_string(&self) -> String {
        self.0.push("log_date_time_string");
        "DATE".into()
    }
    fn address_string(&self, _: &Exchange<'_>) -> String {
        self.0.push("address_string");
        "ADDRESS".into()
    }
}

/// Calls each hook of the pointer, once and directly; the answers of those that have one.
fn call_each<H: RequestHandler>(h: &H) -> String {
    let answers = Log::default();
    let said = answers.clone();
    // An exchange has one response.
    let responses: [fn(&H, &mut Exchange<'_>) -> Result<()>; 5] = [
        |h, x| h.do_method(x),
        |h, x| h.send_error(x, Status::NOT_FOUND),
        |h, x| h.send_content(x, Status::OK, "text/plain", b""),
        |h, x| {
            h.send_response(x, Status::OK);
            h.send_response_only(x, Status::OK);
            h.send_header(x, "A", "b");
            h.end_headers(x)
        },
        |h, x| {
            h.send_response_only(x, Status::OK);
            h.flush_headers(x)
        },
    ];
    for response in responses {
        respond(&handler_fn(|_, x| response(h, x)), ASK);
    }
    let caller = handler_fn(|_, x| {
        said.push(h.handle_expect_100(x).unwrap());
        h.log_request(x, 1, Some(2));
        h.log_error(x, format_args!("e"));
        h.log_message(x, format_args!("m"));
        said.push(h.server_version());
        said.push(h.sys_version());
        said.push(h.version_string());
        said.push(h.protocol_version());
        said.push(h.error_message_format());
        said.push(h.error_content_type());
        said.push(format!("{:?}", h.responses(7)));
        said.push(h.date_time_string(None));
        said.push(h.log_date_time_string());
        said.push(h.address_string(x));
        Ok(())
    });
    respond(&caller, ASK);
    let whole = respond(
        h,
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\na",
    );
    answers.push(String::from_utf8(whole).unwrap());
    answers.lines().join("\n")
}

#[test]
fn pointers_hand_on_every_hook() {
    fn record<H: RequestHandler>(wrap: impl FnOnce(Recorder) -> H) -> (Vec<String>, String) {
        let log = Log::default();
        let pointer = wrap(Recorder(log.clone()));
        let answers = call_each(&pointer);
        (log.lines(), answers)
    }
    let (calls, answers) = record(|recorder| recorder);
    for hook in [
        "handle",
        "handle_one_request",
        "handle_expect_100",
        "do_method",
        "send_error",
        "send_content",
        "send_response",
        "send_response_only",
        "send_header A",
        "end_headers",
        "flush_headers",
        "log_request",
        "log_error",
        "log_message m",
        "server_version",
        "sys_version",
        "version_string",
        "protocol_version",
        "error_message_format",
        "error_content_type",
        "responses 7",
        "date_time_string",
        "log_date_time_string",
        "address_string",
    ] {
        assert!(calls.iter().any(|call| call == hook), "{hook} in {calls:?}");
    }
    let direct = (calls, answers);
    assert_eq!(record(Box::new), direct);
    assert_eq!(record(Arc::new), direct);
    assert_eq!(
        record(|r| -> Box<dyn RequestHandler> { Box::new(r) }),
        direct
    );
    assert_eq!(
        record(|r| -> Arc<dyn RequestHandler> { Arc::new(r) }),
        direct
    );
    assert_eq!(record(|r| Box::new(Arc::new(r))), direct);
    let log = Log::default();
    let recorder = Recorder(log.clone());
    let reference: &dyn RequestHandler = &recorder;
    let answers = call_each(&reference);
    assert_eq!((log.lines(), answers), direct);
}

#[test]
fn a_server_serves_any_pointer_to_a_handler() {
    fn status(handler: impl RequestHandler + Send + Sync + 'static) -> Response {
        TestServer::start(handler).answer(get("/"))
    }
    let shared = Arc::new(Recorder::default());
    assert_eq!(status(shared.clone()).status, 501);
    assert_eq!(status(Box::new(Recorder::default())).status, 501);
    let dynamic: Box<dyn RequestHandler + Send + Sync> = Box::new(shared.clone());
    assert_eq!(status(dynamic).get("Server"), Some("S/1 Y/2"));
    let calls = shared.0.lines();
    assert_eq!(calls.iter().filter(|call| *call == "do_method").count(), 2);
}
