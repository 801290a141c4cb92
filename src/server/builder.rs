//! [`Builder`]: a server with other settings than the defaults.

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

/// Builds a server `S` for a handler `H`; made by `HttpServer::builder` and
/// `ThreadingHttpServer::builder`. The closures are socketserver's hooks.
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
    /// The first of the trusted proxies that is none.
    wrong_proxy: Option<Error>,
    /// The mode of Unix sockets; of no effect where there are none.
    mode: Option<u32>,
    /// Where it listens beside the address of `bind`.
    also: Vec<(Bind, Speaks)>,
    /// None: as many as there are cores.
    event_loops: Option<usize>,
    make: fn(H, Vec<EventLoop>) -> S,
}

/// Binds another place to listen, with the first one; takes the mode of Unix sockets and the length of the queue.
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

    /// Limits and deadlines. Default: [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = Arc::new(limits);
        self
    }

    /// How many connections the system queues before they are accepted. Default 1,024 (Python: 5); the
    /// system may cap it. It has no effect on a listener of your own.
    pub fn request_queue_size(mut self, connections: u32) -> Self {
        self.options.request_queue_size = connections;
        self
    }

    /// How long `handle_request` waits for a request. Default: for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Called with each new client; false closes the connection without an answer. It may block: it counts
    /// as a handler in [`Limits::max_threads`], and other connections do not wait for it.
    pub fn verify_request(
        mut self,
        verify: impl Fn(&Peer) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.options.verify_request = Some(Box::new(verify));
        self
    }

    /// Clients that `verify_request` turns away are reset (RST), whatever they have sent by then.
    #[cfg(feature = "testing")]
    pub(crate) fn reset_refused(mut self) -> Self {
        self.options.resets_refused = true;
        self
    }

    /// Trusts proxies at these addresses (`127.0.0.1`), in these networks (`10.0.0.0/8`), or, with `unix`, at the other
    /// end of a Unix socket, to say who their clients are. Default: none. May be called several times.
    ///
    /// Of a request that comes from one of them, [`Exchange::client_address`](crate::Exchange::client_address) is what
    /// `X-Forwarded-For` says, or, if there is no such field, `Forwarded` (RFC 7239): the last address in the list that
    /// is not a trusted proxy itself; up to one that can't be read. [`scheme`](crate::Exchange::scheme) and
    /// [`host`](crate::Exchange::host) are those of the same place in `X-Forwarded-Proto` and `X-Forwarded-Host`, or of the
    /// same element of `Forwarded`. The log and the variables of scripts have the same. Fields of other peers are ignored.
    ///
    /// A proxy that is trusted must set these fields or remove them: what it passes on from its client unseen is believed.
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
    /// What is no address and no network is an error of `bind`.
    #[doc(alias = "X-Forwarded-For")]
    pub fn trusted_proxies<P: AsRef<str>>(mut self, proxies: impl IntoIterator<Item = P>) -> Self {
        for proxy in proxies {
            if let Err(error) = self.options.trusted_proxies.add(proxy.as_ref()) {
                self.wrong_proxy.get_or_insert(error);
            }
        }
        self
    }

    /// Requires that every connection begins with a header of the PROXY protocol, version 1 or 2, from one of the
    /// [`trusted_proxies`](Self::trusted_proxies). The client that it names is the peer of the connection then, for
    /// [`verify_request`](Self::verify_request), too. Default: false.
    ///
    /// The header comes before TLS, and has [`Limits::head_deadline`](crate::Limits) together with the first request. A
    /// header `LOCAL` or `UNKNOWN`, as checks of a balancer send it, leaves the proxy's own address, and fields are not
    /// believed then. A connection without a header, with a malformed one, or from another peer is closed without an
    /// answer and reported to [`handle_error`](Self::handle_error).
    ///
    /// Without a trusted proxy it is an error of `bind`, for nobody could connect.
    pub fn proxy_protocol(mut self, is_required: bool) -> Self {
        self.options.proxy_protocol = is_required;
        self
    }

    /// Called when a connection ends by an error that no response could report: an override of
    /// [`RequestHandler::handle`](crate::RequestHandler::handle) failed or panicked, or `verify_request` panicked, or
    /// the header of [`proxy_protocol`](Self::proxy_protocol) is wrong. And,
    /// with the server's own address, when connections run short, at most once in ten seconds, or when
    /// `service_actions` or `handle_timeout` panicked. Default: a line on stderr. Clients that leave are no errors.
    pub fn handle_error(mut self, handle: impl Fn(&Error, &Peer) + Send + Sync + 'static) -> Self {
        self.options.handle_error = Some(Box::new(handle));
        self
    }

    /// Writes the log there, in its format: see [`Log`]. Default: Python's format, on stderr.
    ///
    /// The hooks decide what is in it, as they do without: of a request there is a line if
    /// [`log_request`](crate::RequestHandler::log_request) is called and not overridden by a silent one, a format that tells
    /// status, size and time writes it at the end of the request, and every line passes through
    /// [`log_line`](crate::RequestHandler::log_line).
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

    /// Speaks TLS on all connections: Python's `HTTPSServer` and `ThreadingHTTPSServer`. (Feature `tls`, or
    /// `tls-config`.)
    ///
    /// A client that is slow or silent in its handshake occupies no thread, and has
    /// [`Limits::head_deadline`](crate::Limits) for the handshake and the first head together. One that speaks plain HTTP
    /// is answered with 400. Beyond [`Limits::max_connections`](crate::Limits) a new connection is closed without an
    /// answer.
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

    /// Called when TLS fails on a connection, with the client's address: a client that does not trust the certificate,
    /// speaks old versions only, has no certificate where one is demanded, or sends something else than TLS. Default:
    /// nothing is done. Clients that leave during the handshake, or stay silent, are not told of.
    ///
    /// Every client can cause such calls, so a program that logs them should bound how many.
    #[cfg(feature = "tls-config")]
    pub fn handle_tls_error(
        mut self,
        tell: impl Fn(&Error, &Peer) + Send + Sync + 'static,
    ) -> Self {
        self.options.handle_tls_error = Some(Box::new(tell));
        self
    }

    /// Called about every half second while the server serves, on one of its threads. Without it, a server at rest
    /// sleeps.
    pub fn service_actions(mut self, actions: impl Fn() + Send + Sync + 'static) -> Self {
        self.options.service_actions = Some(Box::new(actions));
        self
    }

    /// Called when the [`timeout`](Self::timeout) of `handle_request` is over.
    pub fn handle_timeout(mut self, handle: impl Fn() + Send + Sync + 'static) -> Self {
        self.options.handle_timeout = Some(Box::new(handle));
        self
    }

    /// Listens at another address, too, with the same threads, limits and shutdown; [`ServerInfo::addresses`] has all of
    /// them. It is bound with the first one, whose error may be about this one then.
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

    /// As [`also_bind`](Self::also_bind), but plain HTTP is spoken there, beside the [`tls`](Self::tls) of the other
    /// places. In an exchange, [`tls`](crate::Exchange::tls) tells them apart:
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

    /// Serves a socket that listens already, too: one more of those that a service manager has opened.
    pub fn also_listen(mut self, listener: impl Into<Listener>) -> Self {
        let listener = listener.into();
        let bind = Box::new(|_, _| Ok(listener));
        self.also.push((bind, Speaks::AsTheServer));
        self
    }

    /// Binds to the first of the addresses that can be bound, and listens. Port 0 takes any free port.
    /// An IPv6 server on all interfaces (`[::]:8000`) serves IPv4 as well.
    ///
    /// # Errors
    /// With the address in its text, if none can be bound.
    pub fn bind(self, address: impl ToSocketAddrs) -> Result<S> {
        let listener = listener::bind(address, self.options.request_queue_size)?;
        self.from_listener(listener)
    }

    /// Serves a socket that listens already: a `std::net::TcpListener` or a
    /// `std::os::unix::net::UnixListener`.
    ///
    /// # Errors
    /// If the server's own descriptors can't be made, or the settings contradict each other.
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
    /// How many event loops (pollers) the server has, each led by a thread of its own. Default: one for each core
    /// that the process may use, and at most half of [`Limits::max_threads`].
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
