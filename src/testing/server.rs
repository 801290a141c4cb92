//! [`TestServer`]: a server that lives as long as its test.

use std::fmt;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::builder::Builder;
use super::gates::Gate;
use super::matching::RequestPattern;
use super::recording::Shared;
use super::report;
use super::request::Request;
use super::reserved_port::{ReservedPort, url};
use super::stubs::Stubs;
use crate::ShutdownHandle;
use crate::base::RequestHandler;
use crate::shutdown::lock;

/// A server for one test: on 127.0.0.1 and a free port, on threads of its own, gone when it is dropped.
///
/// It serves any handler, remembers every request, and can misbehave: see the
/// [module](crate::testing). It speaks HTTP/1.1, whatever version its handler says, unless
/// [`protocol_version`](Builder::protocol_version) says otherwise.
///
/// Dropping it ends idle connections and handlers that wait on their socket or at a gate at once; one
/// that is blocked elsewhere gets a second, and is then left and named on stderr. (If it panics later, no test
/// fails for it. A stream that was [detached](crate::Exchange::detach) is left to its owner.) The same port
/// can be bound again at once. Then the test fails, if a handler has panicked, a gate was not opened in time,
/// or a stub was not called as expected; if it fails already, the message goes to stderr.
///
/// ```
/// use servette::testing::{TestServer, get, status, Stubs};
///
/// let server = TestServer::start(Stubs::new().on(get("/hi").answer(status(200).body("hello"))));
/// let body = ureq::get(server.url("/hi")).call()?.body_mut().read_to_string()?;
/// assert_eq!(body, "hello");
/// assert_eq!(server.requests()[0].path, "/hi");
/// # Ok::<(), ureq::Error>(())
/// ```
#[must_use = "dropping it stops the server"]
pub struct TestServer {
    pub(super) address: SocketAddr,
    pub(super) started_at: &'static Location<'static>,
    pub(super) shutdown: ShutdownHandle,
    pub(super) shared: Arc<Shared>,
    pub(super) stubs: Vec<Stubs>,
    pub(super) drop_deadline: Duration,
    #[cfg(feature = "self-signed")]
    pub(super) certificate: Option<crate::SelfSigned>,
    /// What the test was told.
    pub(super) reported: Mutex<Vec<String>>,
}

impl TestServer {
    /// Serves this handler.
    ///
    /// # Panics
    /// If no port or thread is to be had, or the handler is an [`Answer`](super::Answer) or a
    /// [`Script`](super::Script) that can't be given as it says.
    #[track_caller]
    pub fn start<H: RequestHandler + Send + Sync + 'static>(handler: H) -> TestServer {
        Builder::default().start(handler)
    }

    /// Serves a handler that borrows from the test, while `f` runs. The handler must come to its end,
    /// for nothing that it borrows may go before. What [`Stubs`] expect is verified only with
    /// [`Builder::verify`].
    ///
    /// ```
    /// use servette::testing::TestServer;
    /// use servette::{Status, handler_fn};
    /// use std::sync::Mutex;
    ///
    /// let seen = Mutex::new(Vec::new());
    /// let handler = handler_fn(|h, x| {
    ///     seen.lock().unwrap().push(x.path.to_owned());
    ///     h.send_content(x, Status::OK, "text/plain", b"")
    /// });
    /// TestServer::scope(handler, |server| {
    ///     ureq::get(server.url("/x")).call().unwrap();
    /// });
    /// assert_eq!(*seen.lock().unwrap(), ["/x"]);
    /// ```
    ///
    /// # Panics
    /// If no port or thread is to be had, or the test fails.
    #[track_caller]
    pub fn scope<H: RequestHandler + Send + Sync, R>(
        handler: H,
        f: impl FnOnce(&TestServer) -> R,
    ) -> R {
        Builder::default().scope(handler, f)
    }

    /// To set more than the handler.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path: `http://127.0.0.1:PORT/x`, or `https://localhost:PORT/x` (some clients know no certificates
    /// for addresses).
    pub fn url(&self, path: &str) -> String {
        #[cfg(feature = "self-signed")]
        if self.certificate.is_some() {
            let port = self.address.port();
            let slash = if path.starts_with('/') { "" } else { "/" };
            return format!("https://localhost:{port}{slash}{path}");
        }
        url(self.address, path)
    }

    /// The certificate that clients of a server with [`https`](Builder::https) must trust, in PEM.
    ///
    /// # Panics
    /// If the server does not speak HTTPS.
    #[cfg(feature = "self-signed")]
    #[track_caller]
    pub fn ca_pem(&self) -> &str {
        &self.certificate().pem
    }

    /// The same in DER.
    ///
    /// # Panics
    /// If the server does not speak HTTPS.
    #[cfg(feature = "self-signed")]
    #[track_caller]
    pub fn ca_der(&self) -> &[u8] {
        &self.certificate().der
    }

    #[cfg(feature = "self-signed")]
    #[track_caller]
    #[allow(clippy::panic)]
    fn certificate(&self) -> &crate::SelfSigned {
        match &self.certificate {
            Some(certificate) => certificate,
            None => panic!("{} speaks plain HTTP: build it with `https()`", self.name()),
        }
    }

    /// The gate of this name; a new name makes a closed gate.
    pub fn gate<'s>(&'s self, name: &'s str) -> Gate<'s> {
        self.shared.gates.name(name);
        Gate { server: self, name }
    }

    /// All requests in the order of their heads, from the moment on when a head is complete; their
    /// bodies as far as they have come. The oldest go first when there are too many: see
    /// [`Builder::keep`].
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests()
    }

    /// Waits until `count` requests are complete (since the last [`take`](Self::take)), and returns all.
    ///
    /// # Panics
    /// At the deadline, with what did arrive.
    #[track_caller]
    #[allow(clippy::panic)] // It is an assertion.
    pub fn wait_for(&self, count: usize, deadline: Duration) -> Vec<Request> {
        if let Err(complete) = self.shared.wait_for(count, deadline) {
            let problem = format!("{complete} of {count} requests arrived within {deadline:?}");
            panic!("{}", self.failure(&[problem]));
        }
        self.requests()
    }

    /// Takes the requests that are complete, and forgets them.
    pub fn take(&self) -> Vec<Request> {
        self.shared.take()
    }

    /// How many connections have brought a request.
    pub fn connections(&self) -> u64 {
        self.shared.connections()
    }

    /// What went otherwise than the test may think: resets that came early as the client took no more,
    /// requests that no stub matched. The first twenty, and how many more there are. Failure messages
    /// show them too.
    pub fn notes(&self) -> Vec<String> {
        self.shared.notes()
    }

    /// What the handler has logged, the last 200 lines. Failure messages show the last of them, and say
    /// how many came before.
    pub fn log(&self) -> Vec<String> {
        self.shared.log_lines()
    }

    /// Asserts that a request like this has arrived, and returns the first one.
    ///
    /// # Panics
    /// If none has, with what did arrive and why the nearest does not match.
    #[track_caller]
    #[allow(clippy::panic)]
    pub fn assert_received(&self, pattern: &RequestPattern) -> Request {
        let requests = self.requests();
        // A test of the pattern that panics is told with the rest.
        let is_it = |request: &&Request| pattern.differences(request).is_empty();
        match requests.iter().find(is_it) {
            Some(found) => found.clone(),
            None => panic!("{}", self.unlike(pattern, "no request", true, &requests)),
        }
    }

    /// Asserts that exactly so many requests like this have arrived.
    ///
    /// # Panics
    /// If it is not so, with what did arrive, what of it matches, and, if that is too little, why the
    /// nearest does not.
    #[track_caller]
    #[allow(clippy::panic)]
    pub fn assert_count(&self, pattern: &RequestPattern, count: usize) {
        let requests = self.requests();
        let is_it = |request: &&Request| pattern.differences(request).is_empty();
        let found = requests.iter().filter(is_it).count();
        if found != count {
            let what = format!("{found}, not {count} requests");
            panic!("{}", self.unlike(pattern, &what, found < count, &requests));
        }
    }

    fn unlike(
        &self,
        pattern: &RequestPattern,
        what: &str,
        is_too_few: bool,
        requests: &[Request],
    ) -> String {
        let why = report::explain(pattern, requests, is_too_few);
        self.failure(&[format!("{what} like `{pattern}`{why}")])
    }

    /// Checks now what is checked when the server is dropped: that no handler has panicked, every gate
    /// was opened in time, and the stubs were called as expected. The drop does not repeat in the same
    /// words what this has reported.
    ///
    /// # Panics
    /// If it is not so. Not if the thread panics already: then the message goes to stderr.
    #[track_caller]
    pub fn verify(&self) {
        self.report(self.problems());
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = self.shared.problems();
        for stubs in &self.stubs {
            problems.extend(stubs.problems(&|| self.requests()));
        }
        problems
    }

    #[track_caller]
    #[allow(clippy::panic)]
    fn report(&self, problems: Vec<String>) {
        if problems.is_empty() {
            return;
        }
        lock(&self.reported).extend_from_slice(&problems);
        let text = self.failure(&problems);
        match std::thread::panicking() {
            true => report::say(&text),
            false => panic!("{text}"),
        }
    }

    /// Stops the server as dropping does, but keeps the port: clients are refused now, and
    /// [`ReservedPort::start`] serves on it again.
    ///
    /// # Panics
    /// As dropping does; and if somebody else took the port first.
    #[track_caller]
    #[allow(clippy::panic)]
    pub fn stop(self) -> ReservedPort {
        let address = self.address;
        drop(self);
        match ReservedPort::bind(address) {
            Ok(port) => port,
            Err(error) => panic!("cannot keep {address}: {error}"),
        }
    }

    pub(super) fn failure(&self, problems: &[String]) -> String {
        report::failure(&self.name(), problems, &self.shared)
    }

    /// By what a person finds it, among others of the same test and of other tests.
    fn name(&self) -> String {
        let (address, at) = (self.address, self.started_at);
        format!(
            "TestServer {address}, started at {}:{}",
            at.file(),
            at.line()
        )
    }

    /// Stops; what still runs, in words.
    fn end(&self) -> Option<String> {
        self.shared.gates.end();
        let running = self.shutdown.cut(self.drop_deadline);
        (running > 0).then(|| {
            format!(
                "{}: {running} still running {:?} after the end, and left: {}",
                self.name(),
                self.drop_deadline,
                self.shared.running().join(", "),
            )
        })
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // First of all, for what follows takes its time.
        let left = self.end();
        let unmatched = self.stubs.iter().filter_map(Stubs::unmatched_note);
        let unmatched = unmatched.map(|note| format!("{}: {note}", self.name()));
        for word in unmatched.chain(left) {
            report::say(&word);
        }
        let mut problems = self.problems();
        let reported = std::mem::take(&mut *lock(&self.reported));
        problems.retain(|problem| !reported.contains(problem));
        self.report(problems);
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer")
            .field("address", &self.address)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler_fn;
    use std::io::{Read, Write};
    use std::sync::{Mutex, mpsc};

    #[test]
    fn a_handler_that_is_left_is_named() {
        let (let_go, blocked) = mpsc::channel::<()>();
        let blocked = Mutex::new(blocked);
        let mut server = TestServer::builder()
            .drop_deadline(Duration::from_millis(20))
            .start(handler_fn(move |_, x| {
                if x.path == "/slow" {
                    let _ = blocked.lock().unwrap().recv();
                }
                Ok(())
            }));
        let send = |request: &[u8]| {
            let mut client = std::net::TcpStream::connect(server.addr()).unwrap();
            client.write_all(request).unwrap();
            client
        };
        let mut over = send(b"GET /quick HTTP/1.0\r\n\r\n");
        over.read_to_end(&mut Vec::new()).unwrap();
        let _left = send(b"GET /slow HTTP/1.0\r\n\r\n");
        server.wait_for(2, Duration::from_secs(20));
        // Also if it is not kept any more.
        assert_eq!(server.take().len(), 2);
        let words = server.end().unwrap();
        let expected =
            "1 still running 20ms after the end, and left: `GET /slow HTTP/1.0` (connection 2)";
        assert!(words.ends_with(expected), "{words}");
        drop(let_go);
        server.drop_deadline = Duration::from_secs(20);
        assert_eq!(server.end(), None);
    }
}
