//! Whatever code of the program panics, and whatever it panics with: one connection ends by it at most, and the server
//! goes on with all its event loops and threads.

use std::borrow::Cow;
use std::io::Write;
use std::net::Shutdown;
use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, SystemTime};
use std::{error, fmt};

use crate::client::{Client, crowd, get};
use crate::support::{Ask, handler, limits, message, text, until};
use servette::server::Builder;
use servette::testing::{self, Request, Stubs, TestServer};
use servette::{
    Connection, Error, Exchange, HttpDate, HttpServer, Next, RequestHandler, Result, RunningServer,
    Status, ThreadingHttpServer, base, respond,
};

/// How code of the program fails: it panics with a payload, or returns an error, which panic when they are dropped, shown,
/// or asked for the source.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Payload,
    Drop,
    Display,
    Source,
    All,
}

const KINDS: [Kind; 5] = [
    Kind::Payload,
    Kind::Drop,
    Kind::Display,
    Kind::Source,
    Kind::All,
];

#[derive(Debug)]
struct Bomb(Kind);

impl Drop for Bomb {
    fn drop(&mut self) {
        if matches!(self.0, Kind::Payload | Kind::Drop | Kind::All) {
            panic!("while it is dropped");
        }
    }
}

impl fmt::Display for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.0, Kind::Display | Kind::All) {
            panic!("while it is shown");
        }
        f.write_str("a bomb")
    }
}

impl error::Error for Bomb {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        if matches!(self.0, Kind::Source | Kind::All) {
            panic!("while its source is looked for");
        }
        None
    }
}

type Mine = (&'static str, Kind);

/// A handler some of whose hooks fail.
struct Mined {
    mines: Mutex<Vec<Mine>>,
    /// As many handlers as may run at the same time come together at `/all`.
    all: Barrier,
    /// How often `service_actions` has run.
    acted: AtomicUsize,
}

impl Mined {
    fn new(handlers: usize) -> Arc<Self> {
        Arc::new(Mined {
            mines: Mutex::default(),
            all: Barrier::new(handlers),
            acted: AtomicUsize::new(0),
        })
    }

    fn set(&self, mines: &[Mine]) {
        *self.mines.lock().unwrap() = mines.to_vec();
    }

    fn step(&self, hook: &str) -> Result<()> {
        let mines = self.mines.lock().unwrap().clone();
        match mines.into_iter().find(|(mined, _)| *mined == hook) {
            Some((_, Kind::Payload)) => panic_any(Bomb(Kind::Payload)),
            Some((_, kind)) => Err(Error::other(Bomb(kind))),
            None => Ok(()),
        }
    }

    fn panic(&self, hook: &str) {
        self.step(hook).unwrap();
    }
}

/// Hooks that may return an error.
const FALLIBLE: [&str; 8] = [
    "handle",
    "handle_one_request",
    "handle_expect_100",
    "do_method",
    "send_error",
    "send_content",
    "end_headers",
    "flush_headers",
];

const OTHERS: [&str; 16] = [
    "send_response",
    "send_response_only",
    "send_header",
    "log_request",
    "log_error",
    "log_message",
    "server_version",
    "sys_version",
    "version_string",
    "protocol_version",
    "error_message_format",
    "error_content_type",
    "responses",
    "date_time_string",
    "log_date_time_string",
    "address_string",
];

impl RequestHandler for Mined {
    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        // Before the answers are sent, or the next mine could be set when a client has its answer already.
        self.step("handle")?;
        base::handle(self, conn)
    }
    fn handle_one_request(&self, conn: &mut Connection) -> Result<()> {
        self.step("handle_one_request")?;
        base::handle_one_request(self, conn)
    }
    fn handle_expect_100(&self, x: &mut Exchange<'_>) -> Result<bool> {
        self.step("handle_expect_100")?;
        base::handle_expect_100(self, x)
    }
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.step("do_method")?;
        match x.path {
            "/error" => return self.send_error(x, Status::NOT_FOUND),
            "/all" => drop(self.all.wait()),
            _ => {}
        }
        text(self, x, "fine")
    }
    fn send_error(&self, x: &mut Exchange<'_>, status: Status<'_>) -> Result<()> {
        self.step("send_error")?;
        base::send_error(self, x, status)
    }
    fn send_content(
        &self,
        x: &mut Exchange<'_>,
        status: Status<'_>,
        content_type: &str,
        body: &[u8],
    ) -> Result<()> {
        self.step("send_content")?;
        base::send_content(self, x, status, content_type, body)
    }
    fn send_response(&self, x: &mut Exchange<'_>, status: Status<'_>) {
        self.panic("send_response");
        base::send_response(self, x, status);
    }
    fn send_response_only(&self, x: &mut Exchange<'_>, status: Status<'_>) {
        self.panic("send_response_only");
        base::send_response_only(self, x, status);
    }
    fn send_header(&self, x: &mut Exchange<'_>, name: &str, value: &str) {
        self.panic("send_header");
        base::send_header(self, x, name, value);
    }
    fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.step("end_headers")?;
        base::end_headers(self, x)
    }
    fn flush_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.step("flush_headers")?;
        base::flush_headers(self, x)
    }
    fn log_request(&self, x: &Exchange<'_>, code: u16, size: Option<u64>) {
        self.panic("log_request");
        base::log_request(self, x, code, size);
    }
    fn log_error(&self, x: &Exchange<'_>, message: fmt::Arguments<'_>) {
        self.panic("log_error");
        base::log_error(self, x, message);
    }
    fn log_message(&self, x: &Exchange<'_>, message: fmt::Arguments<'_>) {
        self.panic("log_message");
        // As the default does, but for the line.
        drop(self.log_date_time_string() + &self.address_string(x) + &message.to_string());
    }
    fn server_version(&self) -> &str {
        self.panic("server_version");
        base::server_version(self)
    }
    fn sys_version(&self) -> &str {
        self.panic("sys_version");
        base::sys_version(self)
    }
    fn version_string(&self) -> Cow<'_, str> {
        self.panic("version_string");
        base::version_string(self)
    }
    fn protocol_version(&self) -> &str {
        self.panic("protocol_version");
        "HTTP/1.1"
    }
    fn error_message_format(&self) -> &str {
        self.panic("error_message_format");
        base::error_message_format(self)
    }
    fn error_content_type(&self) -> &str {
        self.panic("error_content_type");
        base::error_content_type(self)
    }
    fn responses(&self, code: u16) -> Option<(&str, &str)> {
        self.panic("responses");
        base::responses(self, code)
    }
    fn date_time_string(&self, timestamp: Option<SystemTime>) -> HttpDate {
        self.panic("date_time_string");
        base::date_time_string(self, timestamp)
    }
    fn log_date_time_string(&self) -> String {
        self.panic("log_date_time_string");
        base::log_date_time_string(self)
    }
    fn address_string(&self, x: &Exchange<'_>) -> String {
        self.panic("address_string");
        base::address_string(self, x)
    }
}

const EXPECTS: &str =
    "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx";

/// Requests that together run all hooks.
fn requests() -> [String; 3] {
    [get("/"), get("/error"), EXPECTS.into()]
}

/// A server whose hooks may be mined, and connections to all of its event loops.
struct Mines {
    handler: Arc<Mined>,
    server: RunningServer,
    kept: Vec<Client>,
    /// As many as may run at the same time.
    handlers: usize,
}

/// One of each kind.
fn mines() -> [Mines; 2] {
    let mines = |server: RunningServer, handler, handlers| {
        // Until then all event loops have begun.
        for _ in 0..20 {
            Client::new(server.addr()).get("/").response();
        }
        Mines {
            kept: (0..4).map(|_| Client::new(server.addr())).collect(),
            handler,
            server,
            handlers,
        }
    };
    let one = Mined::new(1);
    // The kept connections are idle for as long as the test takes.
    let idle_timeout = Duration::from_secs(600);
    let single = with_closures(HttpServer::builder(one.clone()), &one)
        .limits(limits(|limits| limits.idle_timeout = idle_timeout));
    let single = single.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    let four = Mined::new(4);
    let several = with_closures(ThreadingHttpServer::builder(four.clone()), &four)
        .limits(limits(|limits| {
            limits.max_threads = 4;
            limits.idle_timeout = idle_timeout;
        }))
        .event_loops(2);
    let several = several.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    [mines(single, one, 1), mines(several, four, 4)]
}

fn with_closures<S>(builder: Builder<Arc<Mined>, S>, mined: &Arc<Mined>) -> Builder<Arc<Mined>, S> {
    let of = || mined.clone();
    let (verify, act, handle) = (of(), of(), of());
    builder
        .verify_request(move |_| {
            verify.panic("verify_request");
            true
        })
        .service_actions(move || {
            act.acted.fetch_add(1, SeqCst);
            act.panic("service_actions");
        })
        .handle_error(move |error, _| {
            handle.panic("handle_error");
            let _ = error.to_string();
        })
}

impl Mines {
    /// Has code of the program fail several times, by requests that run it and by what else is done meanwhile.
    fn fails(&mut self, mines: &[Mine], meanwhile: impl FnOnce(&Mined)) {
        self.handler.set(mines);
        for request in requests().iter().cycle().take(9) {
            let mut client = Client::new(self.server.addr());
            // It may be closed already.
            let _ = client.stream.write_all(request.as_bytes());
            let _ = client.stream.shutdown(Shutdown::Write);
            let answer = client.rest_or_reset();
            assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "));
        }
        meanwhile(&self.handler);
        self.handler.set(&[]);
        self.is_whole();
    }

    /// All event loops and all threads are there.
    fn is_whole(&mut self) {
        for client in &mut self.kept {
            assert_eq!(client.get("/").response().text(), "fine");
        }
        let mut clients = crowd(self.handlers, self.server.addr(), get("/all"));
        for client in &mut clients {
            assert_eq!(client.response().text(), "fine");
        }
    }
}

fn all_mines() -> impl Iterator<Item = Mine> {
    let fallible = FALLIBLE.into_iter();
    let fallible = fallible.flat_map(|hook| KINDS.map(|kind| (hook, kind)));
    fallible.chain(OTHERS.map(|hook| (hook, Kind::Payload)))
}

#[test]
fn a_hook_that_panics_ends_one_connection_at_most() {
    for mut server in mines() {
        for mine in all_mines() {
            server.fails(&[mine], |_| ());
        }
    }
}

#[test]
fn a_panic_while_a_panic_is_reported_ends_one_connection_at_most() {
    for mut server in mines() {
        for kind in KINDS {
            for hook in ["send_error", "log_error", "log_message", "end_headers"] {
                let other = match hook.starts_with("log") {
                    true => Kind::Payload,
                    false => kind,
                };
                server.fails(&[("do_method", kind), (hook, other)], |_| ());
            }
            let reports = ("handle_error", Kind::Payload);
            server.fails(&[("handle", kind), reports], |_| ());
        }
    }
}

#[test]
fn a_callback_that_panics_does_not_stop_the_server() {
    for mut server in mines() {
        server.fails(&[("verify_request", Kind::Payload)], |_| ());
        server.fails(&[("service_actions", Kind::Payload)], |handler| {
            let before = handler.acted.load(SeqCst);
            until("it runs again", || handler.acted.load(SeqCst) > before + 1);
        });
    }
    let server = HttpServer::builder(handler(|h, x| text(h, x, "fine")))
        .timeout(Duration::ZERO)
        .handle_timeout(|| panic_any(Bomb(Kind::Payload)))
        .handle_error(|_, _| panic_any(Bomb(Kind::Payload)))
        .bind("127.0.0.1:0")
        .unwrap();
    assert!(!server.handle_request().unwrap());
    let mut client = Client::new(server.server_address());
    client.get("/");
    until("it is answered", || server.handle_request().unwrap());
    assert_eq!(client.response().text(), "fine");
}

#[test]
fn a_handler_that_fails_in_memory_fails_nothing_else() {
    let handler = Mined::new(1);
    for mine in all_mines() {
        for request in requests() {
            handler.set(&[mine]);
            respond(&handler, &request);
            handler.set(&[]);
            assert!(respond(&handler, get("/")).ends_with(b"fine"));
        }
    }
}

#[test]
fn a_closure_of_a_fixture_that_fails_stops_nothing() {
    let fails = |kind| match kind {
        Kind::Payload => panic_any(Bomb(kind)),
        _ => Err(Error::other(Bomb(kind))),
    };
    let mined = || {
        let that = |_: &Request| -> bool { panic_any(Bomb(Kind::Payload)) };
        testing::get("/that").predicate("mined", that)
    };
    for kind in KINDS {
        let stubs = Stubs::new()
            .on(mined().answer(testing::status(200)))
            .on(testing::get("/with").answer_with(move |_, _| fails(kind)))
            .on(testing::get("/fine").answer(testing::status(200)));
        let server = TestServer::start(stubs);
        for _ in 0..9 {
            assert_eq!(server.answer(get("/that")).status, 500);
            assert_eq!(server.answer(get("/with")).status, 500);
        }
        let told = message(|| server.assert_received(&mined()));
        assert!(told.contains("the test `mined` panicked"), "{told}");
        assert_eq!(server.answer(get("/fine")).status, 200);
        let told = message(|| drop(server));
        assert!(told.contains("a handler panicked"), "{told}");
    }
}
