//! Servers: Python's `HTTPServer` and `ThreadingHTTPServer`, with the settings of [`Builder`].

// Reading order: `builder` and `options` (what can be set), `listener`, then `event_loop` with its `poller`, the `table`
// of its connections (`task`) and their `deadlines`. A `ThreadingHttpServer` has a `worker_pool`: `leadership` says which
// worker leads an event loop, `scheduler` what the other workers do, `handoff` and `predictor` when a leader passes its
// event loop on, `monitor` when it loses it. `running` is a server in the background.

use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};
use std::{mem, thread};

use self::event_loop::{EventLoop, Left, Shared, Step};
use self::worker_pool::WorkerPool;
use crate::base::RequestHandler;
use crate::connection::Buffers;
use crate::error::guarded;
use crate::info::{Peer, ServerInfo};
use crate::shutdown::ShutdownHandle;
use crate::{Error, Result};

pub use self::builder::Builder;
pub use self::listener::Listener;
pub use self::running::RunningServer;

mod builder;
mod busy_poll;
mod deadlines;
mod event_loop;
mod handoff;
mod leadership;
pub(crate) mod listener;
mod monitor;
mod options;
mod poller;
mod predictor;
mod route;
mod running;
mod scheduler;
mod sync;
mod table;
mod task;
#[cfg(test)]
mod tests;
mod worker_pool;

/// A server that runs its handler on the calling thread, one request at a time: Python's
/// `HTTPServer`.
///
/// The handler need be neither `Send` nor `Sync`. Idle connections, such as those that a browser opens in advance, do
/// not block the server. A handler that blocks does block it; use [`ThreadingHttpServer`] if handlers may block.
///
/// ```
/// use servette::{HttpServer, Status, handler_fn};
///
/// let visits = std::cell::Cell::new(0); // not `Sync`, and need not be
/// let server = HttpServer::bind(
///     "127.0.0.1:0",
///     handler_fn(|_, x| {
///         visits.set(visits.get() + 1);
///         x.server.shutdown_handle().shutdown(std::time::Duration::ZERO);
///         x.send_content(Status::OK, "text/plain", b"welcome")
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
    loops: Vec<EventLoop>,
}

/// A server that runs its handler on a bounded thread pool: Python's `ThreadingHTTPServer`.
///
/// All threads share one handler, so it has to be `Sync`. It needs no `Arc`, and with
/// [`serve_forever`](Self::serve_forever) and [`scope`](Self::scope) it may borrow. A handler may block: up to
/// [`Limits::max_threads`](crate::Limits) requests are handled at the same time (512 by default), and idle connections
/// occupy no thread.
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
    loops: Vec<EventLoop>,
}

macro_rules! common {
    ($server:ident, $event_loops:expr) => {
        impl<H: RequestHandler> $server<H> {
            /// Binds to an address and listens; port 0 takes any free port. Clients can connect from now on. Requests
            /// are served by [`serve_forever`](Self::serve_forever) or [`handle_request`](Self::handle_request).
            ///
            /// # Errors
            /// If the address can't be bound; the error names it.
            pub fn bind(address: impl ToSocketAddrs, handler: H) -> Result<Self> {
                Self::builder(handler).bind(address)
            }

            /// Returns a [`Builder`], which sets limits, TLS, the log and socketserver's hooks before it binds.
            pub fn builder(handler: H) -> Builder<H, Self> {
                Builder::new(handler, $event_loops, |handler, loops| $server {
                    handler,
                    loops,
                })
            }

            /// Makes a server of a socket that listens already, TCP or Unix.
            ///
            /// # Errors
            /// If the process has no file descriptors left for the server.
            pub fn from_listener(listener: impl Into<Listener>, handler: H) -> Result<Self> {
                Self::builder(handler).from_listener(listener)
            }

            /// Returns the handler.
            #[doc(alias = "RequestHandlerClass")]
            pub fn handler(&self) -> &H {
                &self.handler
            }

            /// Returns the name, the addresses, the port and the URLs of the server.
            pub fn info(&self) -> &ServerInfo {
                &self.shared().info
            }

            /// Returns the address on which the server listens, with the port that was bound.
            pub fn server_address(&self) -> Peer {
                self.shared().info.server_address
            }

            /// Returns the name of the host, without a DNS lookup; see [`ServerInfo::server_name`].
            pub fn server_name(&self) -> &str {
                &self.shared().info.server_name
            }

            /// Returns the port; 0 for a Unix socket.
            pub fn server_port(&self) -> u16 {
                self.shared().info.server_port
            }

            /// Returns a handle that stops the server from another thread, a signal or a handler.
            pub fn shutdown_handle(&self) -> ShutdownHandle {
                self.shared().info.shutdown_handle()
            }

            /// Handles one request on this thread and returns true. Returns false if none arrives within
            /// [`Builder::timeout`], after calling [`Builder::handle_timeout`]. Other connections stay open for the next
            /// call.
            ///
            /// # Errors
            /// If polling fails, if the server was shut down, or if it serves already on another thread.
            pub fn handle_request(&self) -> Result<bool> {
                let _serving = self.shared().begin_serving()?;
                let timeout = self.shared().options.timeout;
                let until = timeout.and_then(|time| Instant::now().checked_add(time));
                match first(&self.loops).serve(&self.handler, Until::Answered(until))? {
                    Served::Stopped => {
                        // Each of them has the port open.
                        for of in &self.loops {
                            of.stop(&mut of.lock());
                        }
                        first(&self.loops).run_last_notices(&self.handler);
                        Err(Error::other("the server was shut down"))
                    }
                    Served::Answered => Ok(true),
                    Served::TimedOut => {
                        self.shared().options.run_handle_timeout(self.info());
                        Ok(false)
                    }
                }
            }

            fn shared(&self) -> &Shared {
                &first(&self.loops).shared
            }
        }
    };
}

common!(HttpServer, Some(1));
common!(ThreadingHttpServer, None);

impl<H: RequestHandler> HttpServer<H> {
    /// Serves on this thread until the server is shut down.
    ///
    /// # Errors
    /// If polling fails, or if the server serves already.
    pub fn serve_forever(&self) -> Result<()> {
        let _serving = self.shared().begin_serving()?;
        first(&self.loops)
            .serve(&self.handler, Until::Stopped)
            .map(drop)
    }

    /// Serves on a new thread, in the background.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn spawn(self) -> Result<RunningServer>
    where
        H: Send + 'static,
    {
        let info = self.shared().info.clone();
        RunningServer::start(info, move || self.serve_forever())
    }
}

impl<H: RequestHandler + Sync> ThreadingHttpServer<H> {
    /// Serves on this thread and on a thread pool until the server is shut down. The workers of the pool end before this
    /// returns.
    ///
    /// # Errors
    /// If polling fails, if no thread can be started, or if the server serves already.
    pub fn serve_forever(&self) -> Result<()> {
        let _serving = self.shared().begin_serving()?;
        let _loop = self.shared().control.enter_loop();
        let limits = &self.shared().options.limits;
        let pool = WorkerPool::new(
            &self.loops,
            &self.handler,
            limits.max_threads,
            limits.thread_idle_timeout,
        );
        let result = pool.run();
        first(&self.loops).run_last_notices(&self.handler);
        result.map_err(poll_error)
    }

    /// Serves in the background while `f` runs, then shuts the server down and waits for all handlers; their sockets are
    /// closed after 1 s. The handler may borrow.
    ///
    /// ```
    /// use servette::{Status, ThreadingHttpServer, handler_fn};
    /// use std::sync::Mutex;
    ///
    /// let seen = Mutex::new(Vec::new());
    /// let handler = handler_fn(|_, x| {
    ///     seen.lock().unwrap().push(x.path.to_owned());
    ///     x.send_content(Status::OK, "text/plain", b"")
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
        let info = &self.shared().info;
        thread::scope(|scope| {
            let server = thread::Builder::new()
                .spawn_scoped(scope, || self.serve_forever())
                .map_err(|error| Error::context("cannot start a thread", error))?;
            let stop = StopOnDrop(&info.shutdown);
            let value = f(info);
            drop(stop);
            match server.join() {
                Ok(result) => result.map(|()| value),
                Err(payload) => Err(Error::panic(payload)),
            }
        })
    }

    /// Serves on new threads, in the background.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn spawn(self) -> Result<RunningServer>
    where
        H: Send + 'static,
    {
        let info = self.shared().info.clone();
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

/// When serving on one thread ends.
#[derive(Clone, Copy, Debug)]
enum Until {
    Stopped,
    /// After one request, or at this time.
    Answered(Option<Instant>),
}

/// Why serving on one thread ended.
#[derive(Clone, Copy, Debug)]
enum Served {
    Stopped,
    Answered,
    TimedOut,
}

impl EventLoop {
    /// Serves on this thread alone: polls, and runs one handler at a time.
    fn serve<H: RequestHandler>(&self, handler: &H, until: Until) -> Result<Served> {
        let _loop = self.shared.control.enter_loop();
        let mut buffers = Buffers::of(self.shared.control.enter_thread());
        let (is_one, deadline) = match until {
            Until::Stopped => (false, None),
            Until::Answered(deadline) => (true, deadline),
        };
        let mut has_waited = false;
        let mut left = Left::Nothing;
        loop {
            let mut state = self.lock();
            state.put_back(mem::take(&mut left));
            let Some(step) = self.pick(&mut state) else {
                if has_waited && deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    return Ok(Served::TimedOut);
                }
                let waited = self.wait(&mut state, deadline);
                if let Err(error) = waited {
                    drop(state);
                    self.run_last_notices(handler);
                    return Err(poll_error(error));
                }
                has_waited = true;
                continue;
            };
            drop(state);
            if matches!(step, Step::Stop) {
                self.run_last_notices(handler);
                return Ok(Served::Stopped);
            }
            // Whatever goes wrong, the thread lives on.
            let served = guarded(|| Ok(self.serve_step(handler, step, is_one, &mut buffers)));
            let has_answered;
            (left, has_answered) = served.unwrap_or_default();
            if is_one && has_answered {
                self.lock().put_back(left);
                return Ok(Served::Answered);
            }
        }
    }

    /// Does what was picked. Returns what is left to do, and whether a request was answered.
    fn serve_step<H: RequestHandler>(
        &self,
        handler: &H,
        step: Step,
        is_one: bool,
        buffers: &mut Buffers,
    ) -> (Left, bool) {
        let task = self.run_hook(step);
        let Some(mut task) = task.and_then(|task| self.prepare(task, buffers)) else {
            return (Left::Nothing, false);
        };
        task.conn.set_one_at_a_time(is_one);
        self.run_handler(handler, task, buffers)
    }
}

/// A server has at least one event loop.
#[expect(clippy::indexing_slicing, reason = "they are made so")]
fn first(loops: &[EventLoop]) -> &EventLoop {
    &loops[0]
}

fn poll_error(error: std::io::Error) -> Error {
    Error::context("cannot wait for events", error)
}
