//! [`TestServerBuilder`]: the settings of a [`TestServer`].

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::answer::Answer;
#[cfg(feature = "self-signed")]
use super::https::{self, HttpsFault};
use super::recording::{Bounds, Recording};
use super::reserved_port::ReservedPort;
use super::script::Script;
use super::server::TestServer;
use super::streamed::Streamed;
use super::stubs::Stubs;
use super::tap::Tap;
use crate::base::RequestHandler;
use crate::connection::{Connection, Next};
use crate::error::guarded;
use crate::server::ThreadingHttpServer;
use crate::{Error, Limits, Peer, Result};

/// Settings of a [`TestServer`]: made by [`TestServer::builder`].
///
/// ```
/// use servette::testing::{TestServer, status};
/// use std::time::Duration;
///
/// let server = TestServer::builder()
///     .protocol_version("HTTP/1.0")
///     .gate_deadline(Duration::from_secs(2))
///     .reset_connections(1)
///     .start(status(200));
/// assert!(ureq::get(server.url("/")).call().is_err());
/// assert!(ureq::get(server.url("/")).call().is_ok());
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is served before `start` or `scope`"]
pub struct TestServerBuilder {
    protocol_version: Option<&'static str>,
    limits: Limits,
    bounds: Bounds,
    gate_deadline: Duration,
    drop_deadline: Duration,
    resets: usize,
    stubs: Vec<Stubs>,
    #[cfg(feature = "self-signed")]
    https: Option<Option<HttpsFault>>,
}

impl Default for TestServerBuilder {
    fn default() -> Self {
        // In tests, slow clients are slow on purpose.
        let long = Duration::from_secs(3600);
        let mut limits = Limits::default();
        (limits.body_timeout, limits.write_timeout) = (long, long);
        limits.min_rate = 0;
        TestServerBuilder {
            protocol_version: Some("HTTP/1.1"),
            limits,
            bounds: Bounds::default(),
            gate_deadline: Duration::from_secs(10),
            drop_deadline: Duration::from_secs(1),
            resets: 0,
            stubs: Vec::new(),
            #[cfg(feature = "self-signed")]
            https: None,
        }
    }
}

impl TestServerBuilder {
    /// Sets the HTTP version of the server, whatever the handler says; `None` leaves it to the handler.
    /// Default: `HTTP/1.1`.
    pub fn protocol_version(mut self, version: impl Into<Option<&'static str>>) -> Self {
        self.protocol_version = version.into();
        self
    }

    /// Sets limits and timeouts. Default: [`Limits::default`], except that a client may take an hour to send a
    /// body or to read a response, at any rate. Limits that are set here replace all of these.
    ///
    /// ```
    /// use servette::testing::TestServer;
    /// use servette::{Limits, Status, handler_fn};
    ///
    /// let upload = handler_fn(|_, x| {
    ///     let length = x.rfile.discard()?;
    ///     x.send_content(Status::OK, "text/plain", length.to_string().as_bytes())
    /// });
    /// let limits = Limits::default().with_max_body(10);
    /// let server = TestServer::builder().limits(limits).start(upload);
    ///
    /// assert!(ureq::post(server.url("/")).send("ten bytes.").is_ok());
    /// let too_large = ureq::post(server.url("/")).send("eleven bytes").unwrap_err();
    /// assert!(matches!(too_large, ureq::Error::StatusCode(413)));
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the maximum number of recorded requests (at least one), and the maximum number of recorded bytes of each
    /// body. Default: 10,000 requests, 1 MiB. All recorded requests together take at most 64 MiB, but the last one is
    /// always kept; the oldest are dropped first.
    ///
    /// Patterns of [`Stubs`] see `body` bytes of a body, and at least 16 MiB. [`Stubs::unmatched`] keeps at most
    /// 64 KiB of each body.
    pub fn max_recorded(mut self, requests: usize, body: usize) -> Self {
        self.bounds.requests = requests;
        self.bounds.body = body;
        self
    }

    /// Sets how long an answer waits at a gate before the test fails. Default: 10 s.
    pub fn gate_deadline(mut self, deadline: Duration) -> Self {
        self.gate_deadline = deadline;
        self
    }

    /// Sets how long dropping the server waits for a handler that is blocked elsewhere than on its socket or at
    /// a gate. Default: 1 s.
    pub fn drop_deadline(mut self, deadline: Duration) -> Self {
        self.drop_deadline = deadline;
        self
    }

    /// Resets the first `count` connections as soon as they are accepted. Default: 0.
    pub fn reset_connections(mut self, count: usize) -> Self {
        self.resets = count;
        self
    }

    /// Serves HTTPS with a certificate for `localhost`, made for this server. Clients must trust
    /// [`TestServer::ca_pem`]. Default: plain HTTP. (Feature `self-signed`.)
    ///
    /// ```
    /// use servette::testing::{TestServer, status};
    /// use ureq::tls::{Certificate, RootCerts, TlsConfig};
    ///
    /// let server = TestServer::builder().https().start(status(200).body("secret"));
    /// let trusted = Certificate::from_pem(server.ca_pem().as_bytes())?;
    /// let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[trusted]));
    /// let config = ureq::Agent::config_builder().tls_config(tls.build());
    /// let client = ureq::Agent::new_with_config(config.build());
    /// assert!(server.url("/").starts_with("https://localhost:"));
    /// assert_eq!(client.get(server.url("/")).call()?.body_mut().read_to_string()?, "secret");
    /// # Ok::<(), ureq::Error>(())
    /// ```
    #[cfg(feature = "self-signed")]
    pub fn https(mut self) -> Self {
        self.https = Some(None);
        self
    }

    /// Serves HTTPS with this fault: see [`HttpsFault`]. (Feature `self-signed`.)
    #[cfg(feature = "self-signed")]
    pub fn https_fault(mut self, fault: HttpsFault) -> Self {
        self.https = Some(Some(fault));
        self
    }

    /// Checks the expectations of these stubs when the server is dropped. This is needed only if another handler
    /// contains the stubs, and in [`scope`](Self::scope).
    pub fn verify(mut self, stubs: &Stubs) -> Self {
        if !self.stubs.iter().any(|own| own.is(stubs)) {
            self.stubs.push(stubs.clone());
        }
        self
    }

    /// Starts a server with this handler on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// If there is no free port, a thread can't be started, or the handler is an [`Answer`] or a [`Script`]
    /// that can't be sent.
    #[track_caller]
    pub fn start<H: RequestHandler + Send + Sync + 'static>(self, handler: H) -> TestServer {
        self.start_on(wanted(ReservedPort::new()), handler)
    }

    /// Starts a server with this handler on a reserved port.
    ///
    /// # Panics
    /// If the port is taken, a thread can't be started, or the handler is an [`Answer`] or a [`Script`] that
    /// can't be sent.
    #[track_caller]
    pub fn start_on<H: RequestHandler + Send + Sync + 'static>(
        mut self,
        port: ReservedPort,
        handler: H,
    ) -> TestServer {
        let started_at = Location::caller();
        wanted(known_impossible(&handler).map_or(Ok(()), Err));
        if let Some(stubs) = (&handler as &dyn Any).downcast_ref::<Stubs>() {
            self = self.verify(stubs);
        }
        let (server, fixture) = wanted(self.prepare(port, handler, started_at));
        wanted(serve(server, fixture.shared.clone()));
        fixture
    }

    /// Serves a handler that borrows from the test, while `f` runs: see [`TestServer::scope`]. Expectations of
    /// stubs are checked only with [`verify`](Self::verify).
    ///
    /// # Panics
    /// If there is no free port, a thread can't be started, or the test fails.
    #[track_caller]
    pub fn scope<H: RequestHandler + Send + Sync, R>(
        self,
        handler: H,
        f: impl FnOnce(&TestServer) -> R,
    ) -> R {
        let port = wanted(ReservedPort::new());
        let prepared = self.prepare(port, handler, Location::caller());
        let (server, fixture) = wanted(prepared);
        let shared = fixture.shared.clone();
        std::thread::scope(|scope| {
            // Dropping it stops the server when `f` returns or panics.
            let fixture = fixture;
            let thread = std::thread::Builder::new()
                .name("fixture".into())
                .spawn_scoped(scope, || note_end(&shared, || server.serve_forever()));
            wanted(thread);
            f(&fixture)
        })
    }

    fn prepare<H: RequestHandler>(
        self,
        port: ReservedPort,
        handler: H,
        started_at: &'static Location<'static>,
    ) -> Result<(ThreadingHttpServer<Watched<H>>, TestServer)> {
        let shared = Arc::new(Recording::new(
            self.bounds,
            self.gate_deadline,
            self.protocol_version,
        ));
        let watched = Watched {
            handler,
            shared: shared.clone(),
        };
        // A test sends few requests, and waits for the start and the end of its server: one event loop is enough.
        let builder = ThreadingHttpServer::builder(watched).event_loops(1);
        let builder = builder.limits(self.limits);
        let (accepted, resets) = (AtomicUsize::new(0), self.resets);
        let counting = shared.clone();
        let admit = move |_: &_| {
            let is_admitted = accepted.fetch_add(1, Ordering::Relaxed) >= resets;
            if is_admitted {
                counting.accepted();
            }
            is_admitted
        };
        let noting = shared.clone();
        let note = move |error: &Error, peer: &Peer| noting.note(format!("{peer}: {error}"));
        let builder = builder.verify_request(admit).reset_refused();
        let builder = builder.handle_error(note);
        #[cfg(feature = "self-signed")]
        let https = self.https.map(https::prepare).transpose()?;
        #[cfg(feature = "self-signed")]
        let builder = match &https {
            Some((Some(tls), _)) => builder.tls(tls.clone()),
            _ => builder,
        };
        let server = builder.from_listener(port.listen()?)?;
        let address = server.server_address().socket_addr();
        let fixture = TestServer {
            address: address.ok_or_else(|| Error::other("no address"))?,
            started_at,
            shutdown: server.shutdown_handle(),
            shared,
            stubs: self.stubs,
            drop_deadline: self.drop_deadline,
            #[cfg(feature = "self-signed")]
            certificate: https.map(|(_, certificate)| certificate),
            reported: Mutex::default(),
        };
        Ok((server, fixture))
    }
}

/// The reason why the answer of this handler can't be sent.
fn known_impossible(handler: &dyn Any) -> Option<String> {
    let answer = handler.downcast_ref().and_then(Answer::known_impossible);
    let script = || handler.downcast_ref().and_then(Script::impossible);
    let streamed = || handler.downcast_ref().and_then(Streamed::impossible);
    answer.or_else(script).or_else(streamed)
}

/// Starts the threads of the server, which live as long as the fixture.
fn serve<H: RequestHandler + Send + Sync + 'static>(
    server: ThreadingHttpServer<H>,
    shared: Arc<Recording>,
) -> std::io::Result<()> {
    // Counted until everything is closed, so that a waiting drop is woken only once.
    let counted = server.shutdown_handle().control().enter_loop();
    let thread = std::thread::Builder::new().name("fixture".into());
    thread.spawn(move || {
        note_end(&shared, || server.serve_forever());
        drop(server);
        drop(counted);
    })?;
    Ok(())
}

/// Serves, and notes a failure or a panic of the server as a problem.
fn note_end(shared: &Recording, serve: impl FnOnce() -> Result<()>) {
    match catch_unwind(AssertUnwindSafe(serve)) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => shared.problem(format!("the server failed: {error}")),
        Err(_) => shared.problem("the server panicked".into()),
    }
}

/// Returns the value, or panics: a test can't run without its server.
#[track_caller]
#[allow(clippy::panic)]
fn wanted<T, E: fmt::Display>(result: std::result::Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("cannot start a TestServer: {error}"),
    }
}

/// A handler whose connections are observed.
#[derive(Debug)]
pub(super) struct Watched<H> {
    pub(super) handler: H,
    pub(super) shared: Arc<Recording>,
}

impl<H: RequestHandler> RequestHandler for Watched<H> {
    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        conn.observe_with(|| Box::new(Tap::new(self.shared.clone())));
        guarded(|| self.handler.handle(conn)).inspect_err(|error| {
            // Only a panic in an overridden `handle` gets past the hooks that catch it.
            if error.panic_message().is_some() {
                self.shared.problem(format!("a handler panicked: {error}"));
            }
        })
    }
}
