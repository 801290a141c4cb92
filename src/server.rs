//! `HTTPServer` and `ThreadingHTTPServer`: a socket, a poller, and the threads that run handlers.
//!
//! Reading order: [`builder`] and [`options`] (what can be set), [`listener`], then [`lane`] (who
//! polls) with its [`poller`] and its [`table`] of connections, [`client`], [`wheel`] (deadlines) and [`queue`] (who
//! has waited for longest), [`crew`] (the threads), [`running`] (a server in the background); `relief`
//! is how most test fixtures do with one thread.

use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use self::crew::Crew;
use self::lane::{Hub, Lane, Step};
use crate::base::RequestHandler;
use crate::connection::Buffers;
use crate::info::{Peer, ServerInfo};
use crate::shutdown::ShutdownHandle;
use crate::{Error, Result};

pub use self::builder::Builder;
pub use self::listener::Listener;
pub use self::running::RunningServer;

mod baton;
mod builder;
mod client;
mod crew;
mod lane;
pub(crate) mod listener;
#[cfg(test)]
mod model;
mod options;
pub(crate) mod poller;
mod predictor;
mod queue;
#[cfg(feature = "testing")]
pub(crate) mod relief;
mod running;
mod seat;
mod shift;
mod sleeper;
mod spin;
mod table;
mod wheel;

/// A server that runs its handler on the calling thread, one request at a time: Python's
/// `HTTPServer`.
///
/// The handler need be neither `Send` nor `Sync`. Connections that wait, idle ones and those that a
/// browser opens in advance, are parked in a poller and block nobody. A handler that blocks does; for
/// those there is [`ThreadingHttpServer`].
///
/// ```
/// use servette::{HttpServer, Status, handler_fn};
///
/// let visits = std::cell::Cell::new(0); // not `Sync`, and need not be
/// let server = HttpServer::bind(
///     "127.0.0.1:0",
///     handler_fn(|h, x| {
///         visits.set(visits.get() + 1);
///         x.server.shutdown.shutdown(std::time::Duration::ZERO);
///         h.send_content(x, Status::OK, "text/plain", b"welcome")
///     }),
/// )?;
/// let url = server.info().url("/");
/// # let address = server.server_address();
/// # std::thread::spawn(move || {
/// #     use std::io::Write;
/// #     let mut client = std::net::TcpStream::connect(address).unwrap();
/// #     client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
/// #     std::io::copy(&mut client, &mut std::io::sink())
/// # });
/// server.serve_forever()?;
/// assert_eq!(visits.get(), 1);
/// # Ok::<(), servette::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "HTTPServer")]
pub struct HttpServer<H> {
    handler: H,
    lanes: Arc<[Lane]>,
}

/// A server that runs each handler on a thread of a bounded set: Python's `ThreadingHTTPServer`.
///
/// All threads share the one handler, so it is `Sync`; it need not be in an `Arc`, nor `'static`. A
/// handler may block as long as it likes: up to [`Limits::max_threads`](crate::Limits) requests are
/// handled at a time, and connections that wait need no thread at all.
///
/// ```no_run
/// use servette::{SimpleHandler, ThreadingHttpServer};
///
/// let server = ThreadingHttpServer::bind("127.0.0.1:8000", SimpleHandler::new("public"))?;
/// server.serve_forever()?;
/// # Ok::<(), servette::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "ThreadingHTTPServer")]
pub struct ThreadingHttpServer<H> {
    handler: H,
    /// Who closes the port of a fixture shares them.
    lanes: Arc<[Lane]>,
}

macro_rules! common {
    ($server:ident, $is_single:expr) => {
        impl<H: RequestHandler> $server<H> {
            /// Binds to an address and listens; port 0 takes any free port. Nothing is served before
            /// [`serve_forever`](Self::serve_forever) or [`handle_request`](Self::handle_request), but
            /// clients can connect already.
            ///
            /// # Errors
            /// With the address in its text, if it can't be bound.
            pub fn bind(address: impl ToSocketAddrs, handler: H) -> Result<Self> {
                Self::builder(handler).bind(address)
            }

            /// To set limits, timeouts and socketserver's hooks.
            pub fn builder(handler: H) -> Builder<H, Self> {
                Builder::new(handler, $is_single, |handler, lanes| $server {
                    handler,
                    lanes,
                })
            }

            /// Serves a socket that listens already, TCP or Unix.
            ///
            /// # Errors
            /// If the server's own descriptors can't be made.
            pub fn from_listener(listener: impl Into<Listener>, handler: H) -> Result<Self> {
                Self::builder(handler).from_listener(listener)
            }

            /// The handler.
            #[doc(alias = "RequestHandlerClass")]
            pub fn handler(&self) -> &H {
                &self.handler
            }

            /// Name, address, port and URLs of the server.
            pub fn info(&self) -> &ServerInfo {
                &self.hub().info
            }

            /// Where the server listens, with its real port.
            pub fn server_address(&self) -> Peer {
                self.hub().info.server_address
            }

            /// The name of the host, without a look-up in the DNS: see [`ServerInfo::server_name`].
            pub fn server_name(&self) -> &str {
                &self.hub().info.server_name
            }

            /// The port; 0 for a Unix socket.
            pub fn server_port(&self) -> u16 {
                self.hub().info.server_port
            }

            /// Stops the server from another thread, a signal, or a handler.
            pub fn shutdown_handle(&self) -> ShutdownHandle {
                self.hub().info.shutdown.clone()
            }

            /// Handles one request on this thread, from whatever connection has one first, and true; or
            /// waits in vain until the builder's timeout, calls its `handle_timeout`, and false. Other
            /// connections stay as they are for the next call.
            ///
            /// # Errors
            /// If polling fails, or the server was shut down.
            pub fn handle_request(&self) -> Result<bool> {
                first(&self.lanes).handle_request(&self.handler)
            }

            fn hub(&self) -> &Hub {
                &first(&self.lanes).hub
            }
        }
    };
}

common!(HttpServer, true);
common!(ThreadingHttpServer, false);

impl<H: RequestHandler> HttpServer<H> {
    /// Serves on this thread until the server is shut down.
    ///
    /// # Errors
    /// If polling fails.
    pub fn serve_forever(&self) -> Result<()> {
        let _loop = self.hub().control.enter_loop();
        let mut buffers = Buffers::of(self.hub().control.enter_thread());
        let lane = first(&self.lanes);
        let mut lead = lane.lead();
        loop {
            match lane.pick(&mut lead) {
                None => lane.wait(&mut lead, None).map_err(poll_error)?,
                Some(Step::Serve(job)) => {
                    if let Some(job) = lane.prepare(job, &mut buffers) {
                        let (left, _) = lane.serve(&self.handler, job, &mut buffers, false);
                        lead.take_back(left);
                    }
                }
                Some(Step::Stop) => return Ok(()),
            }
        }
    }

    /// Serves on a thread of its own.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn spawn(self) -> Result<RunningServer>
    where
        H: Send + 'static,
    {
        let info = self.hub().info.clone();
        RunningServer::start(info, move || self.serve_forever())
    }
}

impl<H: RequestHandler + Sync> ThreadingHttpServer<H> {
    /// Serves until the server is shut down, on this thread and others, which end with it.
    ///
    /// # Errors
    /// If polling fails.
    pub fn serve_forever(&self) -> Result<()> {
        let _loop = self.hub().control.enter_loop();
        let limits = &self.hub().options.limits;
        // Each lane has a thread that leads it, and needs one to take its place.
        let most = (limits.max_threads.saturating_sub(1) / 2).max(1);
        let lanes = self.lanes.get(..most).unwrap_or(&self.lanes);
        Crew::new(lanes, &self.handler, limits.max_threads, limits.thread_idle)
            .run()
            .map_err(poll_error)
    }

    /// Serves in the background while `f` runs, for a handler that borrows; then shuts down, with a
    /// second for the handlers that run, and waits for all of them.
    ///
    /// ```
    /// use servette::{Status, ThreadingHttpServer, handler_fn};
    /// use std::sync::Mutex;
    ///
    /// let seen = Mutex::new(Vec::new());
    /// let handler = handler_fn(|h, x| {
    ///     seen.lock().unwrap().push(x.path.to_owned());
    ///     h.send_content(x, Status::OK, "text/plain", b"")
    /// });
    /// ThreadingHttpServer::bind("127.0.0.1:0", handler.quiet())?.scope(|server| {
    ///     use std::io::{Read, Write};
    ///     let mut client = std::net::TcpStream::connect(server.server_address).unwrap();
    ///     client.write_all(b"GET /x HTTP/1.0\r\n\r\n").unwrap();
    ///     client.read_to_end(&mut Vec::new()).unwrap();
    /// })?;
    /// assert_eq!(*seen.lock().unwrap(), ["/x"]);
    /// # Ok::<(), servette::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`serve_forever`](Self::serve_forever).
    ///
    /// # Panics
    /// If `f` does.
    pub fn scope<R>(&self, f: impl FnOnce(&ServerInfo) -> R) -> Result<R> {
        let info = &self.hub().info;
        thread::scope(|scope| {
            let server = thread::Builder::new()
                .spawn_scoped(scope, || self.serve_forever())
                .map_err(|error| Error::context("cannot start a thread", error))?;
            let stop = StopOnDrop(&info.shutdown);
            let value = f(info);
            drop(stop);
            match server.join() {
                Ok(result) => result.map(|()| value),
                Err(payload) => Err(Error::panic(&*payload)),
            }
        })
    }

    /// Serves on threads of its own.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn spawn(self) -> Result<RunningServer>
    where
        H: Send + 'static,
    {
        let info = self.hub().info.clone();
        RunningServer::start(info, move || self.serve_forever())
    }
}

/// Stops a server even when the closure that uses it panics.
struct StopOnDrop<'a>(&'a ShutdownHandle);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.shutdown(Duration::from_secs(1));
    }
}

impl Lane {
    fn handle_request<H: RequestHandler>(&self, handler: &H) -> Result<bool> {
        let _loop = self.hub.control.enter_loop();
        let options = &self.hub.options;
        let mut buffers = Buffers::of(self.hub.control.enter_thread());
        let until = options
            .timeout
            .and_then(|time| Instant::now().checked_add(time));
        let mut has_waited = false;
        let mut lead = self.lead();
        loop {
            match self.pick(&mut lead) {
                None if has_waited && until.is_some_and(|until| until <= Instant::now()) => {
                    if let Some(handle) = &options.handle_timeout {
                        handle();
                    }
                    return Ok(false);
                }
                None => {
                    self.wait(&mut lead, until).map_err(poll_error)?;
                    has_waited = true;
                }
                Some(Step::Serve(job)) => {
                    let Some(job) = self.prepare(job, &mut buffers) else {
                        continue;
                    };
                    let (left, answered) = self.serve(handler, job, &mut buffers, true);
                    lead.take_back(left);
                    if answered {
                        return Ok(true);
                    }
                }
                Some(Step::Stop) => return Err(Error::other("the server was shut down")),
            }
        }
    }
}

/// A server has at least one lane.
#[expect(clippy::indexing_slicing, reason = "they are made so")]
fn first(lanes: &[Lane]) -> &Lane {
    &lanes[0]
}

fn poll_error(error: std::io::Error) -> Error {
    Error::context("cannot poll", error)
}
