//! Servers for tests, their handlers, and what is asked of them.

use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::client::{Client, Response, method_of};
use servette::base::HandlerFn;
use servette::testing::{TestServer, TestServerBuilder};
use servette::{Connection, Exchange, Limits, Next, RequestHandler, Result, Status, handler_fn};

/// Far more than anything takes: a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A fixture to be built: one of HTTPS where the tests run over TLS.
pub(crate) fn fixture() -> TestServerBuilder {
    #[cfg(feature = "self-signed")]
    if crate::over_tls::is_on() {
        return TestServer::builder().https();
    }
    TestServer::builder()
}

/// A fixture that answers with a closure, and speaks HTTP/1.1.
pub(crate) fn serve<F>(answer: F) -> TestServer
where
    F: Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()> + Send + Sync + 'static,
{
    fixture().start(handler_fn(answer))
}

/// One that speaks what its handler says: HTTP/1.0.
pub(crate) fn serve_http10<F>(answer: F) -> TestServer
where
    F: Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()> + Send + Sync + 'static,
{
    let builder = fixture().protocol_version(None);
    builder.start(handler_fn(answer))
}

/// What tests ask of a fixture.
pub(crate) trait Ask {
    fn connect(&self) -> Client;

    /// The response to one request on a connection of its own.
    fn answer(&self, request: impl AsRef<[u8]>) -> Response;

    /// What was logged, without the address and the time.
    fn logged(&self) -> Vec<String>;

    /// Waits for a line of the log that contains this.
    fn wait_for_log(&self, text: &str);
}

impl Ask for TestServer {
    fn connect(&self) -> Client {
        Client::new(self.addr())
    }

    #[track_caller]
    fn answer(&self, request: impl AsRef<[u8]>) -> Response {
        let mut client = self.connect();
        client.send(&request);
        client.response_to(method_of(request.as_ref()))
    }

    fn logged(&self) -> Vec<String> {
        let log = self.log().into_iter();
        log.map(|line| line.split_once("] ").unwrap().1.to_owned())
            .collect()
    }

    #[track_caller]
    fn wait_for_log(&self, text: &str) {
        until(&format!("{text:?} in the log"), || {
            self.log().iter().any(|line| line.contains(text))
        });
    }
}

/// A handler for servers that are no fixtures: quiet, and of HTTP/1.1.
pub(crate) fn handler<F>(f: F) -> HandlerFn<F>
where
    F: Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()>,
{
    handler_fn(f).protocol_version("HTTP/1.1").quiet()
}

/// A short answer.
pub(crate) fn text(h: &dyn RequestHandler, x: &mut Exchange<'_>, body: &str) -> Result<()> {
    h.send_content(x, Status::OK, "text/plain", body.as_bytes())
}

/// Answers with the path.
pub(crate) fn echo(h: &dyn RequestHandler, x: &mut Exchange<'_>) -> Result<()> {
    text(h, x, x.path)
}

/// Has another handler answer three requests, one after the other, by itself.
pub(crate) struct Loops<H>(pub(crate) H);

impl<H: RequestHandler> RequestHandler for Loops<H> {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.0.do_method(x)
    }

    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        for _ in 0..3 {
            self.handle_one_request(conn)?;
        }
        Ok(Next::Close)
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

pub(crate) fn limits(set: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    set(&mut limits);
    limits
}

/// Asks again and again until it is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Waits until connections to an address are refused. A process that another test starts has a copy of the listening
/// socket until it runs its program, so the first attempt may succeed.
#[track_caller]
pub(crate) fn assert_refused(address: impl ToSocketAddrs) {
    let mut error = None;
    until("connections are refused", || {
        error = TcpStream::connect(&address).err();
        error.is_some()
    });
    assert_eq!(error.unwrap().kind(), ErrorKind::ConnectionRefused);
}

/// What a test says that fails.
#[track_caller]
pub(crate) fn message<T>(test: impl FnOnce() -> T) -> String {
    let result = catch_unwind(AssertUnwindSafe(|| drop(test())));
    let payload = result.expect_err("it should have failed");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().unwrap().to_string(),
    }
}

/// What was noted, a line a note.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn push(&self, line: impl ToString) {
        self.0.lock().unwrap().push(line.to_string());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Numbers that look random and are the same each time.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }
}

/// Makes a FIFO, by the command that every Unix has.
#[cfg(unix)]
pub(crate) fn make_fifo(path: &std::path::Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success(), "{path:?}");
}

/// Whether this system tells of the end of a stream while something in front of it is unread. Linux does, macOS and FreeBSD
/// do not, and wine does not. (No code of the crate takes part in finding that out.)
pub(crate) fn end_overtakes_unread() -> bool {
    #[cfg(windows)]
    {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        use std::io::Write;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        client.write_all(b"unread").unwrap();
        drop(client);
        // The end has come by now, or soon.
        let mut polled = [PollFd::new(&socket, PollFlags::empty())];
        let while_it_comes = Timespec {
            tv_sec: 0,
            tv_nsec: 500_000_000,
        };
        let tells = poll(&mut polled, Some(&while_it_comes)).unwrap() > 0;
        if !tells {
            eprintln!(
                "skipped under wine: clients that leave something unread, of whose end it tells nothing"
            );
        }
        tells
    }
    #[cfg(not(windows))]
    cfg!(target_os = "linux")
}

/// Whether nothing came within the time that a socket waits for it.
pub(crate) fn is_late(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut)
}
