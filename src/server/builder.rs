//! [`Builder`]: a server with settings of the program.

use std::fmt;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::ThreadingHttpServer;
use super::event_loop::EventLoop;
use super::listener::{self, Listener};
use super::options::Options;
use super::task::Speaks;
use crate::info::Peer;
use crate::limits::Limits;
use crate::{Error, Log, Result};

#[cfg(unix)]
mod unix;

/// Settings of a server `S` for a handler `H`; returned by [`HttpServer::builder`](crate::HttpServer::builder) and
/// [`ThreadingHttpServer::builder`](crate::ThreadingHttpServer::builder). [`bind`](Self::bind) makes the server.
///
/// The methods that take closures are the hooks of Python's `socketserver`. A panic in one of them is caught and reported
/// to [`handle_error`](Self::handle_error).
///
/// ```
/// use servette::{HttpServer, SimpleHandler};
/// use std::time::Duration;
///
/// let server = HttpServer::builder(SimpleHandler::new("."))
///     .timeout(Duration::from_millis(1))
///     .verify_request(|client| client.ip().is_some_and(|ip| ip.is_loopback()))
///     .handle_timeout(|| println!("nobody came"))
///     .bind("127.0.0.1:0")?;
/// assert!(!server.handle_request()?);
/// # Ok::<(), servette::Error>(())
/// ```
#[must_use = "nothing listens before `bind` or `from_listener`"]
pub struct Builder<H, S> {
    handler: H,
    options: Options,
    /// The error about the first malformed trusted proxy.
    wrong_proxy: Option<Error>,
    /// The mode of Unix sockets; of no effect where there are none.
    mode: Option<u32>,
    /// Further listeners, beside the address of `bind`.
    also: Vec<(Bind, Speaks)>,
    /// `None`: one for each core.
    event_loops: Option<usize>,
    make: fn(H, Vec<EventLoop>) -> S,
}

/// Binds a further listener, together with the first one. It takes the mode of Unix sockets and the length of the queue.
type Bind = Box<dyn FnOnce(Option<u32>, u32) -> Result<Listener> + Send + Sync>;

impl<H, S> Builder<H, S> {
    pub(super) fn new(
        handler: H,
        event_loops: Option<usize>,
        make: fn(H, Vec<EventLoop>) -> S,
    ) -> Self {
        Builder {
            handler,
            options: Options::default(),
            wrong_proxy: None,
            mode: None,
            also: Vec::new(),
            event_loops,
            make,
        }
    }

    /// Sets the limits, timeouts and deadlines. Default: [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = Arc::new(limits);
        self
    }

    /// Sets the backlog: the maximum number of connections that the system queues before the server accepts them. The
    /// system may cap it. It has no effect on a listener that the program made. Default 1,024 (Python: 5).
    pub fn request_queue_size(mut self, connections: u32) -> Self {
        self.options.request_queue_size = connections;
        self
    }

    /// Sets how long `handle_request` waits for a request. Default: no timeout.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Sets a closure that is called for each new connection, before TLS and the first request. If it returns false, the
    /// connection is closed without a response. It may block: it counts as a handler in [`Limits::max_threads`], and
    /// other connections do not wait for it. Default: every client is accepted.
    pub fn verify_request(
        mut self,
        verify: impl Fn(&Peer) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.options.verify_request = Some(Box::new(verify));
        self
    }

    /// Resets (RST) the connections that `verify_request` rejects.
    #[cfg(feature = "testing")]
    pub(crate) fn reset_refused(mut self) -> Self {
        self.options.resets_refused = true;
        self
    }

    /// Trusts the reverse proxies at these addresses (`127.0.0.1`), in these networks (`10.0.0.0/8`), or, with `unix`, at
    /// the other end of a Unix socket: their `X-Forwarded-For` and `Forwarded` headers (RFC 7239) say who the client is.
    /// May be called several times. Default: no proxy is trusted, and these headers are ignored.
    ///
    /// For a request from a trusted proxy, [`Exchange::client_address`](crate::Exchange::client_address) is the last address
    /// in `X-Forwarded-For` that is not a trusted proxy itself; without that header, the last such address in `Forwarded`.
    /// The search ends at a malformed address. [`scheme`](crate::Exchange::scheme) and [`host`](crate::Exchange::host) come
    /// from the same position in `X-Forwarded-Proto` and `X-Forwarded-Host`, or from the same element of `Forwarded`. The
    /// log and the environment of CGI scripts have the same values.
    ///
    /// A trusted proxy must set or remove these headers. If it forwards headers of its client unchanged, the client chooses
    /// its own address.
    ///
    /// ```
    /// use servette::{HttpServer, Status, handler_fn};
    ///
    /// let handler = handler_fn(|_, x| {
    ///     let client = format!("{} {}", x.client_address, x.scheme());
    ///     x.send_content(Status::OK, "text/plain", client.as_bytes())
    /// });
    /// let server = HttpServer::builder(handler)
    ///     .trusted_proxies(["127.0.0.1", "10.0.0.0/8"])
    ///     .bind("127.0.0.1:0")?
    ///     .spawn()?;
    /// # use std::io::{Read, Write};
    /// # let mut client = std::net::TcpStream::connect(server.addr()).unwrap();
    /// # client.write_all(b"GET / HTTP/1.0\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n\r\n").unwrap();
    /// # let mut answer = String::new();
    /// # client.read_to_string(&mut answer).unwrap();
    /// assert!(answer.ends_with("192.0.2.7:0 https"));
    /// # Ok::<(), servette::Error>(())
    /// ```
    ///
    /// A text that is neither an address nor a network nor `unix` is an error of [`bind`](Self::bind).
    #[doc(alias = "X-Forwarded-For")]
    pub fn trusted_proxies<P: AsRef<str>>(mut self, proxies: impl IntoIterator<Item = P>) -> Self {
        for proxy in proxies {
            if let Err(error) = self.options.trusted_proxies.add(proxy.as_ref()) {
                self.wrong_proxy.get_or_insert(error);
            }
        }
        self
    }

    /// Requires a header of the PROXY protocol (version 1 or 2) at the start of every connection, from one of the
    /// [`trusted_proxies`](Self::trusted_proxies). The client that it names becomes the peer of the connection, also for
    /// [`verify_request`](Self::verify_request). Default: false.
    ///
    /// The header comes before TLS. The header and the first request head share
    /// [`Limits::head_deadline`](crate::Limits). A `LOCAL` or `UNKNOWN` header, which load balancers send for health checks,
    /// keeps the proxy's own address; forwarding headers are ignored then. A connection without a header, with a malformed
    /// one, or from another peer is closed without a response and reported to [`handle_error`](Self::handle_error).
    ///
    /// Without a trusted proxy, [`bind`](Self::bind) fails, because no client could connect.
    pub fn proxy_protocol(mut self, is_required: bool) -> Self {
        self.options.proxy_protocol = is_required;
        self
    }

    /// Sets a closure that is called with errors that no response could report. Default: a line on stderr.
    ///
    /// With the address of the client: an override of [`RequestHandler::handle`](crate::RequestHandler::handle) failed or
    /// panicked, `verify_request` panicked, or the header of [`proxy_protocol`](Self::proxy_protocol) is malformed. With the
    /// address of the server: connections run short (at most once in ten seconds), or `service_actions` or
    /// `handle_timeout` panicked. A client that leaves is not an error.
    pub fn handle_error(mut self, handle: impl Fn(&Error, &Peer) + Send + Sync + 'static) -> Self {
        self.options.handle_error = Some(Box::new(handle));
        self
    }

    /// Sets where the log goes and its format; see [`Log`]. Default: Python's format, on stderr.
    ///
    /// Hooks still decide what is logged: a request gets a line if its [`log_request`](crate::RequestHandler::log_request)
    /// is not overridden by an empty one, and every line passes [`log_line`](crate::RequestHandler::log_line). Formats with
    /// status, size and time write the line at the end of the request.
    ///
    /// ```
    /// use servette::{Log, LogFormat, SimpleHandler, ThreadingHttpServer};
    ///
    /// let server = ThreadingHttpServer::builder(SimpleHandler::new("."))
    ///     .log(Log::stderr().with_format(LogFormat::Json))
    ///     .bind("127.0.0.1:0")?;
    /// # drop(server);
    /// # Ok::<(), servette::Error>(())
    /// ```
    pub fn log(mut self, log: Log) -> Self {
        self.options.log = Some(log);
        self
    }

    /// Serves HTTPS on all connections: Python's `HTTPSServer` and `ThreadingHTTPSServer`. (Feature `tls`, or
    /// `tls-config`.)
    ///
    /// The TLS handshake occupies no thread. The handshake and the first request head share
    /// [`Limits::head_deadline`](crate::Limits). A client that sends plain HTTP gets 400. Beyond
    /// [`Limits::max_connections`](crate::Limits), a new connection is closed without a response.
    ///
    /// ```no_run
    /// use servette::{SimpleHandler, ThreadingHttpServer, Tls};
    ///
    /// # #[cfg(feature = "tls")]
    /// let tls = Tls::from_files("cert.pem", "key.pem")?;
    /// # #[cfg(feature = "tls")]
    /// ThreadingHttpServer::builder(SimpleHandler::new("public"))
    ///     .tls(tls)
    ///     .bind("[::]:8443")?
    ///     .serve_forever()?;
    /// # Ok::<(), servette::Error>(())
    /// ```
    #[cfg(feature = "tls-config")]
    #[doc(alias = "HTTPSServer")]
    #[doc(alias = "ThreadingHTTPSServer")]
    pub fn tls(mut self, tls: impl Into<crate::Tls>) -> Self {
        self.options.tls = Some(tls.into());
        self
    }

    /// Sets a function that is called with the error and the client's address when TLS fails on a connection: the client
    /// does not trust the certificate, offers only old versions, has no client certificate, or does not speak TLS. It is not
    /// called for clients that disconnect during the handshake, or send nothing. Default: errors are ignored.
    ///
    /// Any client can cause such calls, so limit the rate if you log them.
    #[cfg(feature = "tls-config")]
    pub fn handle_tls_error(
        mut self,
        handle: impl Fn(&Error, &Peer) + Send + Sync + 'static,
    ) -> Self {
        self.options.handle_tls_error = Some(Box::new(handle));
        self
    }

    /// Sets a closure that is called about every half second while the server serves, on one of its threads. Without it,
    /// an idle server has no timer.
    pub fn service_actions(mut self, actions: impl Fn() + Send + Sync + 'static) -> Self {
        self.options.service_actions = Some(Box::new(actions));
        self
    }

    /// Sets a closure that is called when `handle_request` reaches its [`timeout`](Self::timeout).
    pub fn handle_timeout(mut self, handle: impl Fn() + Send + Sync + 'static) -> Self {
        self.options.handle_timeout = Some(Box::new(handle));
        self
    }

    /// Adds an address to listen on, with the same handler, threads, limits and shutdown. [`ServerInfo::addresses`] has
    /// all of them. The address is bound by [`bind`](Self::bind), which returns the error if that fails.
    ///
    /// ```
    /// use servette::{SimpleHandler, ThreadingHttpServer};
    ///
    /// let server = ThreadingHttpServer::builder(SimpleHandler::new("."))
    ///     .also_bind("127.0.0.1:0")
    ///     .bind("127.0.0.1:0")?;
    /// assert_eq!(server.info().addresses.len(), 2);
    /// # Ok::<(), servette::Error>(())
    /// ```
    ///
    /// [`ServerInfo::addresses`]: crate::ServerInfo::addresses
    pub fn also_bind(mut self, address: impl ToSocketAddrs) -> Self {
        self.also.push((at(address), Speaks::AsTheServer));
        self
    }

    /// Adds an address for plain HTTP to a server with [`tls`](Self::tls), as [`also_bind`](Self::also_bind) adds one
    /// for HTTPS. A handler tells them apart with [`Exchange::tls`](crate::Exchange::tls):
    ///
    /// ```
    /// use servette::{Exchange, RequestHandler, Result, Status, ThreadingHttpServer};
    ///
    /// struct Site;
    ///
    /// impl RequestHandler for Site {
    ///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
    ///         if x.tls().is_none() {
    ///             let location = format!("https://www.example.org{}", x.path);
    ///             return x.send_redirect(Status::PERMANENT_REDIRECT, &location);
    ///         }
    ///         x.send_content(Status::OK, "text/plain", "hello")
    ///     }
    /// }
    ///
    /// # #[cfg(feature = "self-signed")] {
    /// let (tls, _) = servette::Tls::self_signed(["localhost"])?;
    /// let server = ThreadingHttpServer::builder(Site)
    ///     .tls(tls)
    ///     .also_bind_plain("127.0.0.1:0")
    ///     .bind("127.0.0.1:0")?;
    /// # assert_eq!(server.info().addresses.len(), 2);
    /// # }
    /// # Ok::<(), servette::Error>(())
    /// ```
    #[cfg(feature = "tls-config")]
    pub fn also_bind_plain(mut self, address: impl ToSocketAddrs) -> Self {
        self.also.push((at(address), Speaks::Plainly));
        self
    }

    /// Adds a socket that listens already, for example from a service manager.
    pub fn also_listen(mut self, listener: impl Into<Listener>) -> Self {
        let listener = listener.into();
        let bind = Box::new(|_, _| Ok(listener));
        self.also.push((bind, Speaks::AsTheServer));
        self
    }

    /// Binds to an address, listens, and makes the server. If a host name has several addresses, the first one that can be
    /// bound is used. Port 0 takes any free port. `[::]` listens on all interfaces, for IPv6 and IPv4.
    ///
    /// # Errors
    /// If no address can be bound (the error names the last one), or if the settings contradict each other.
    pub fn bind(self, address: impl ToSocketAddrs) -> Result<S> {
        let listener = listener::bind(address, self.options.request_queue_size)?;
        self.from_listener(listener)
    }

    /// Makes the server of a socket that listens already: a `std::net::TcpListener` or a
    /// `std::os::unix::net::UnixListener`.
    ///
    /// # Errors
    /// If the process has no file descriptors left for the server, or if the settings contradict each other.
    pub fn from_listener(self, listener: impl Into<Listener>) -> Result<S> {
        if let Some(error) = self.wrong_proxy {
            return Err(error);
        }
        if self.options.proxy_protocol && self.options.trusted_proxies.is_empty() {
            return Err(Error::other(
                "proxy_protocol requires trusted_proxies: no other peer may connect",
            ));
        }
        // Asked only if need be: it opens files of the system, to learn of quotas.
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        // Leaders run handlers themselves while there are threads to replace all of them.
        let most = (self.options.limits.max_threads / 2).max(1);
        let count = self.event_loops.unwrap_or_else(cores).min(most);
        let queue = self.options.request_queue_size;
        let mode = self.mode;
        let also = self.also.into_iter();
        let bound = also.map(|(bind, speaks)| Ok((bind(mode, queue)?, speaks)));
        let first = (listener.into(), Speaks::AsTheServer);
        let listeners = std::iter::once(Ok(first)).chain(bound);
        let listeners = listeners.collect::<Result<_>>()?;
        let loops = EventLoop::all(listeners, self.options, count)?;
        Ok((self.make)(self.handler, loops))
    }
}

/// Binds at one of these addresses.
fn at(addresses: impl ToSocketAddrs) -> Bind {
    // They borrow, perhaps, so they are found now.
    let addresses = addresses.to_socket_addrs().map(Iterator::collect);
    Box::new(|_, queue| listener::bind_all(addresses, queue))
}

impl<H> Builder<H, ThreadingHttpServer<H>> {
    /// Sets the number of event loops, each with a worker thread that polls it. Default: one for each core that the process
    /// may use. The maximum is half of [`Limits::max_threads`].
    pub fn event_loops(mut self, event_loops: usize) -> Self {
        self.event_loops = Some(event_loops);
        self
    }
}

impl<H: fmt::Debug, S> fmt::Debug for Builder<H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("handler", &self.handler)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
