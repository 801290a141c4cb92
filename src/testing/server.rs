//! [`TestServer`]: a mock server that lives as long as its test.

use std::fmt;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::builder::TestServerBuilder;
use super::gates::Gate;
use super::matching::RequestPattern;
use super::recording::Recording;
use super::report;
use super::request::Request;
use super::reserved_port::{ReservedPort, url};
use super::stub::plural;
use super::stubs::Stubs;
use crate::ShutdownHandle;
use crate::base::RequestHandler;
use crate::shutdown::lock;

/// A mock HTTP server for one test: on 127.0.0.1 and a free port, with threads of its own, stopped when it is
/// dropped.
///
/// It serves any handler, usually [`Stubs`], records every request, and can fail on purpose: see the
/// [module](crate::testing). It speaks HTTP/1.1, whatever the handler says. A handler that does not override
/// [`protocol_version`](RequestHandler::protocol_version) speaks HTTP/1.0 in production: without keep-alive, and with
/// a body of unknown length that ends with the connection. To test it as in production, set
/// [`protocol_version(None)`](TestServerBuilder::protocol_version).
///
/// Dropping the server stops it, and the port can be bound again at once. Idle connections, and handlers that
/// wait on their socket or at a gate, end immediately. A handler that is blocked elsewhere has one second
/// ([`drop_deadline`](TestServerBuilder::drop_deadline)). After that it is left running, and a message on stderr
/// names its request; if it panics later, no test fails. A [detached](crate::Exchange::detach) stream stays open.
///
/// Then the drop panics, and so fails the test, if a handler panicked, an answer could not be sent, a gate was
/// not opened in time, or a stub did not get the expected requests. If the test is already panicking, the
/// message is printed to stderr instead.
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
    pub(super) shared: Arc<Recording>,
    pub(super) stubs: Vec<Stubs>,
    pub(super) drop_deadline: Duration,
    #[cfg(feature = "self-signed")]
    pub(super) certificate: Option<crate::SelfSigned>,
    /// Problems that were reported already.
    pub(super) reported: Mutex<Vec<String>>,
}

impl TestServer {
    /// Starts a server with this handler: [`Stubs`], an [`Answer`](super::Answer) that is the same for every
    /// request, or any other [`RequestHandler`].
    ///
    /// # Panics
    /// If there is no free port, a thread can't be started, or the handler is an [`Answer`](super::Answer) or a
    /// [`Script`](super::Script) that can't be sent.
    #[track_caller]
    pub fn start<H: RequestHandler + Send + Sync + 'static>(handler: H) -> TestServer {
        TestServerBuilder::default().start(handler)
    }

    /// Serves a handler that borrows from the test, while `f` runs. Returns when all handlers have returned.
    /// Expectations of [`Stubs`] are checked only with [`TestServerBuilder::verify`].
    ///
    /// ```
    /// use servette::testing::TestServer;
    /// use servette::{Status, handler_fn};
    /// use std::sync::Mutex;
    ///
    /// let seen = Mutex::new(Vec::new());
    /// let handler = handler_fn(|_, x| {
    ///     seen.lock().unwrap().push(x.path.to_owned());
    ///     x.send_content(Status::OK, "text/plain", b"")
    /// });
    /// TestServer::scope(handler, |server| {
    ///     ureq::get(server.url("/x")).call().unwrap();
    /// });
    /// assert_eq!(*seen.lock().unwrap(), ["/x"]);
    /// ```
    ///
    /// # Panics
    /// If there is no free port, a thread can't be started, or the test fails.
    #[track_caller]
    pub fn scope<H: RequestHandler + Send + Sync, R>(
        handler: H,
        f: impl FnOnce(&TestServer) -> R,
    ) -> R {
        TestServerBuilder::default().scope(handler, f)
    }

    /// Returns a builder with the default settings.
    pub fn builder() -> TestServerBuilder {
        TestServerBuilder::default()
    }

    /// Returns the address of the server.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of a path: `http://127.0.0.1:PORT/x`, or `https://localhost:PORT/x` with HTTPS (because
    /// some clients don't accept certificates for IP addresses).
    pub fn url(&self, path: &str) -> String {
        #[cfg(feature = "self-signed")]
        if self.certificate.is_some() {
            let port = self.address.port();
            let slash = if path.starts_with('/') { "" } else { "/" };
            return format!("https://localhost:{port}{slash}{path}");
        }
        url(self.address, path)
    }

    /// Returns the certificate that clients must trust, as PEM: see [`https`](TestServerBuilder::https).
    ///
    /// # Panics
    /// If the server does not speak HTTPS.
    #[cfg(feature = "self-signed")]
    #[track_caller]
    pub fn ca_pem(&self) -> &str {
        &self.certificate().pem
    }

    /// Returns the certificate that clients must trust, as DER.
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

    /// Returns the gate with this name. A new gate is closed.
    pub fn gate<'s>(&'s self, name: &'s str) -> Gate<'s> {
        self.shared.gates.name(name);
        Gate { server: self, name }
    }

    /// Returns the recorded requests, in the order in which their heads arrived. A request is recorded when its
    /// head is complete, with the part of its body that has been read so far. Beyond the limits of
    /// [`TestServerBuilder::max_recorded`] the oldest requests are dropped.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests()
    }

    /// Blocks the thread until at least `count` requests are complete, and returns all recorded requests. Requests
    /// that were [taken](Self::take) are not counted.
    ///
    /// # Panics
    /// At the deadline. The message has the requests that did arrive.
    #[track_caller]
    #[allow(clippy::panic)] // It is an assertion.
    pub fn wait_for(&self, count: usize, deadline: Duration) -> Vec<Request> {
        if let Err(complete) = self.shared.wait_for(count, deadline) {
            let expected = plural(count);
            let problem = format!("expected {expected} within {deadline:?}, got {complete}");
            panic!("{}", self.failure(&[problem]));
        }
        self.requests()
    }

    /// Removes the complete requests from the record, and returns them.
    pub fn take(&self) -> Vec<Request> {
        self.shared.take()
    }

    /// Returns the number of connections that have sent a request.
    pub fn connections(&self) -> u64 {
        self.shared.connections()
    }

    /// Returns notes about events that the test may not expect: resets that came early because the client did
    /// not read, requests that no stub matched, errors of the server. These are the first twenty of each kind, and
    /// the number of the others. Failure messages show them too.
    pub fn notes(&self) -> Vec<String> {
        self.shared.all_notes()
    }

    /// Returns the log of the handler: its last 200 lines. Failure messages show the last of them.
    pub fn log(&self) -> Vec<String> {
        self.shared.log_lines()
    }

    /// Asserts that a matching request has arrived, and returns the first one.
    ///
    /// # Panics
    /// If there is none. The message has the requests that did arrive, and the reason why the nearest one does
    /// not match.
    #[track_caller]
    #[allow(clippy::panic)]
    pub fn assert_received(&self, pattern: &RequestPattern) -> Request {
        let requests = self.requests();
        // A panic in a closure of the pattern is reported as a difference.
        let is_it = |request: &&Request| pattern.differences(request).is_empty();
        match requests.iter().find(is_it) {
            Some(found) => found.clone(),
            None => {
                let what = "expected a request like";
                panic!("{}", self.unlike(pattern, what, 0, true, &requests))
            }
        }
    }

    /// Asserts that exactly `count` matching requests have arrived.
    ///
    /// # Panics
    /// If there are fewer or more. The message has the requests that did arrive and those that match; if they
    /// are too few, also the reason why the nearest of the others does not match.
    #[track_caller]
    #[allow(clippy::panic)]
    pub fn assert_count(&self, pattern: &RequestPattern, count: usize) {
        let requests = self.requests();
        let is_it = |request: &&Request| pattern.differences(request).is_empty();
        let found = requests.iter().filter(is_it).count();
        if found != count {
            let what = match count {
                0 => "expected no request like".to_owned(),
                _ => format!("expected exactly {} like", plural(count)),
            };
            let text = self.unlike(pattern, &what, found, found < count, &requests);
            panic!("{text}");
        }
    }

    fn unlike(
        &self,
        pattern: &RequestPattern,
        what: &str,
        found: usize,
        is_too_few: bool,
        requests: &[Request],
    ) -> String {
        let (why, _) = report::explain(pattern, requests, is_too_few);
        self.failure(&[format!("{what} `{pattern}`, got {found}{why}")])
    }

    /// Checks now what the drop of the server checks: no handler panicked, every gate was opened in time, and
    /// the stubs got the expected requests. The drop does not report the same failures again.
    ///
    /// # Panics
    /// If a check fails. If the thread is already panicking, the message is printed to stderr instead.
    #[track_caller]
    pub fn verify(&self) {
        let (problems, notes) = self.findings();
        self.report(problems, notes);
    }

    /// The problems that make the test fail, and the notes of the stubs about unmatched requests.
    fn findings(&self) -> (Vec<String>, Vec<String>) {
        let (mut problems, mut notes) = (self.shared.problems(), Vec::new());
        for stubs in &self.stubs {
            let found = stubs.findings(&|| self.requests());
            problems.extend(found.problems);
            notes.extend(found.note);
        }
        (problems, notes)
    }

    #[track_caller]
    #[allow(clippy::panic)]
    fn report(&self, problems: Vec<String>, mut notes: Vec<String>) {
        if problems.is_empty() {
            return;
        }
        lock(&self.reported).extend_from_slice(&problems);
        notes.extend(self.shared.notes());
        if self.stubs.is_empty() {
            notes.extend(self.shared.unmatched_notes());
        }
        let text = report::failure(&self.name(), &problems, &notes, &self.shared);
        match std::thread::panicking() {
            true => report::say(&text),
            false => panic!("{text}"),
        }
    }

    /// Stops the server as dropping it does, but keeps the port: connections are refused until
    /// [`ReservedPort::start`] serves there again.
    ///
    /// # Panics
    /// As dropping the server does; and if another program took the port first.
    #[track_caller]
    #[allow(clippy::panic)]
    pub fn stop(self) -> ReservedPort {
        let address = self.address;
        drop(self);
        match ReservedPort::bind(address) {
            Ok(port) => port,
            Err(error) => panic!("cannot reserve {address} again: {error}"),
        }
    }

    pub(super) fn failure(&self, problems: &[String]) -> String {
        report::failure(&self.name(), problems, &self.notes(), &self.shared)
    }

    /// The name of the server in messages: its address, and the line that started it.
    fn name(&self) -> String {
        let (address, at) = (self.address, self.started_at);
        format!(
            "TestServer {address}, started at {}:{}",
            at.file(),
            at.line()
        )
    }

    /// Stops the server. Returns a message about handlers that are still running.
    fn end(&self) -> Option<String> {
        self.shared.gates.end();
        let running = self.shutdown.cut(self.drop_deadline);
        (running > 0).then(|| {
            let handlers = match running {
                1 => "1 handler is".to_owned(),
                count => format!("{count} handlers are"),
            };
            format!(
                "{}: {handlers} still running {:?} after the stop: {}",
                self.name(),
                self.drop_deadline,
                self.shared.running().join(", "),
            )
        })
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // First, because the rest takes time.
        if let Some(left) = self.end() {
            report::say(&left);
        }
        let (mut problems, notes) = self.findings();
        let reported = std::mem::take(&mut *lock(&self.reported));
        problems.retain(|problem| !reported.contains(problem));
        if problems.is_empty() && reported.is_empty() {
            for note in &notes {
                report::say(&format!("{}: {note}", self.name()));
            }
        }
        self.report(problems, notes);
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
            "1 handler is still running 20ms after the stop: `GET /slow HTTP/1.0` (connection 2)";
        assert!(words.ends_with(expected), "{words}");
        drop(let_go);
        server.drop_deadline = Duration::from_secs(20);
        assert_eq!(server.end(), None);
    }
}
