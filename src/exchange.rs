//! [`Exchange`]: one request and the response to it, as a handler is given them.

use std::cell::Cell;
use std::fmt;
use std::io;

#[cfg(feature = "auth")]
pub use self::auth::Credentials;
pub(crate) use self::context::{Context, Data, Scope};
pub use self::form::{Form, Pairs};
pub use self::headers::Headers;
pub(crate) use self::hooks::Nesting;
pub use self::target::Target;
#[cfg(feature = "tls-config")]
use crate::TlsInfo;
use crate::connection::channel::Channel;
use crate::connection::deferred::Deferred;
use crate::connection::raw::{DetachedStream, RawStream};
use crate::connection::request_body::RequestBody;
use crate::connection::response_writer::ResponseWriter;
use crate::info::{Peer, ServerInfo};

mod accepts;
#[cfg(feature = "auth")]
mod auth;
mod context;
mod cookies;
mod form;
mod headers;
mod hooks;
#[cfg(feature = "json")]
mod json;
pub(crate) mod prefix;
mod target;

/// One request and the response to it: a view over its [`Connection`](crate::Connection).
///
/// The fields are the instance variables of Python's `BaseHTTPRequestHandler`. Those of the request are
/// `Copy` and live as long as the exchange, so that `x.send_header("Location", x.path)` passes
/// the borrow checker, and `rfile` and `wfile` can be borrowed side by side.
///
/// The response is made in the order of HTTP:
/// [`send_response`](crate::RequestHandler::send_response),
/// [`send_header`](crate::RequestHandler::send_header) as often as needed,
/// [`end_headers`](crate::RequestHandler::end_headers), then the body to `wfile`. Until its first byte
/// was sent, a second `send_response` replaces what was there; afterwards it is an error.
///
/// ```
/// use servette::{Exchange, RequestHandler, Result, Status, respond};
/// use std::io::{self, Write};
///
/// struct Mirror;
///
/// impl RequestHandler for Mirror {
///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
///         x.send_response(Status::OK);
///         x.send_header("X-Path", x.path);
///         x.end_headers()?;
///         io::copy(&mut x.rfile, &mut x.wfile)?;
///         Ok(write!(x.wfile, " from {}", x.headers.get("User-Agent").unwrap_or("-"))?)
///     }
/// }
///
/// let answer = respond(&Mirror, b"POST /p HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");
/// assert!(answer.ends_with(b"\r\n\r\nhi from -"));
/// ```
#[non_exhaustive]
#[doc(alias = "BaseHTTPRequestHandler")]
pub struct Exchange<'a> {
    /// Who sent the request: the peer of the connection, or the client that it names, if the peer is one of the
    /// [`trusted_proxies`](crate::server::Builder::trusted_proxies). The port is 0 where a proxy does not name it.
    pub client_address: Peer,
    /// The server that got it.
    pub server: &'a ServerInfo,
    /// The request line without its line end. Empty where none could be read.
    pub requestline: &'a str,
    /// The method, `GET`; case-sensitive. Empty in an exchange that refuses a malformed request.
    pub command: &'a str,
    /// The path with its query, as it was sent (percent-encoded); it starts with one `/`. What was sent
    /// in absolute form has only its path here and its host in [`host`](Self::host); for `CONNECT` it
    /// is `host:port`, for `OPTIONS *` it is `*`.
    pub path: &'a str,
    /// The version of the request, `HTTP/1.1`.
    pub request_version: &'a str,
    /// The fields of the request.
    pub headers: Headers<'a>,
    /// The body of the request.
    pub rfile: RequestBody<'a>,
    /// The body of the response.
    pub wfile: ResponseWriter<'a>,
    /// Whether the connection ends after this exchange. It does so in any case where the client, the
    /// version of either side or the framing of the messages demands it. Set before
    /// [`end_headers`](crate::RequestHandler::end_headers), it is also told to the client.
    pub close_connection: &'a Cell<bool>,
    /// The host that a trusted proxy names, or else the authority of a target in absolute form.
    pub(crate) authority: Option<&'a str>,
    /// What a trusted proxy says about that.
    pub(crate) is_https: Option<bool>,
    /// The client said `Expect: 100-continue`.
    pub(crate) expects_continue: bool,
    /// How often the request was handed on within the server, by the answers of scripts.
    pub(crate) redirects: u32,
    /// The handler that answers it.
    pub(crate) context: &'a Context<'a>,
    /// What was taken off the front of the path.
    pub(crate) mount: Option<&'a String>,
}

impl<'a> Exchange<'a> {
    /// The host that the request is for, perhaps with a port: of a target in absolute form, else of the `Host` field
    /// (RFC 9112, 3.2.2). Behind one of the [`trusted_proxies`](crate::server::Builder::trusted_proxies), the host that
    /// the client has sent to that, if the proxy names it.
    pub fn host(&self) -> Option<&'a str> {
        self.authority.or_else(|| self.headers.get("Host"))
    }

    /// The scheme of the URL that the client has asked for, `https` or `http`: what one of the
    /// [`trusted_proxies`](crate::server::Builder::trusted_proxies) says of the client, else whether this connection has
    /// TLS.
    ///
    /// ```
    /// use servette::{Status, handler_fn, respond};
    ///
    /// let handler = handler_fn(|_, x| {
    ///     let url = format!("{}://{}{}", x.scheme(), x.host().unwrap_or("localhost"), x.path);
    ///     x.send_content(Status::OK, "text/plain", url.as_bytes())
    /// });
    /// let answer = respond(&handler, "GET /a HTTP/1.0\r\nHost: example.org\r\n\r\n");
    /// assert!(answer.ends_with(b"\r\n\r\nhttp://example.org/a"));
    /// ```
    pub fn scheme(&self) -> &'static str {
        match self.is_https.unwrap_or_else(|| self.channel().has_tls()) {
            true => "https",
            false => "http",
        }
    }

    /// The same exchange under another path: Python's `self.path = ...; super().do_GET()`.
    ///
    /// ```
    /// use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler};
    ///
    /// struct Start(SimpleHandler);
    ///
    /// impl Layer for Start {
    ///     fn inner(&self) -> &dyn RequestHandler {
    ///         &self.0
    ///     }
    ///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
    ///         match x.path {
    ///             "/" => self.0.do_method(&mut x.with_path("/start.html")),
    ///             _ => self.0.do_method(x),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn with_path<'b>(&'b mut self, path: &'b str) -> Exchange<'b> {
        let mut x = self.reborrow();
        x.path = path;
        x
    }

    /// The same for a shorter life.
    pub(crate) fn reborrow(&mut self) -> Exchange<'_> {
        Exchange {
            client_address: self.client_address,
            server: self.server,
            requestline: self.requestline,
            command: self.command,
            path: self.path,
            request_version: self.request_version,
            headers: self.headers,
            rfile: self.rfile.reborrow(),
            wfile: ResponseWriter {
                channel: self.wfile.channel,
            },
            close_connection: self.close_connection,
            authority: self.authority,
            is_https: self.is_https,
            expects_continue: self.expects_continue,
            redirects: self.redirects,
            context: self.context,
            mount: self.mount,
        }
    }

    /// The bare stream, for faults on purpose and for protocols that HTTP does not know.
    ///
    /// What the handler wrote before is sent as far as its head is complete; from here on nothing is
    /// framed, the exchange counts as answered, and the connection ends with it. Reading starts with
    /// what was read beyond the head.
    ///
    /// # Errors
    /// As a write.
    pub fn raw(&mut self) -> io::Result<RawStream<'_>> {
        RawStream::new(&mut self.rfile)
    }

    /// The connection itself, as a blocking stream that outlives the exchange: for an upgrade, a tunnel.
    ///
    /// As with [`raw`](Self::raw), what was written before is sent, and the exchange counts as
    /// answered. The server forgets the connection: its deadlines and its shutdown don't reach it.
    ///
    /// # Errors
    /// As a write; and where there is no socket, in [`respond`](crate::respond).
    pub fn detach(&mut self) -> io::Result<DetachedStream> {
        DetachedStream::new(&mut self.rfile)
    }

    /// What the client and the server agreed on, if the connection has TLS. (Feature `tls`, or `tls-config`.)
    ///
    /// ```
    /// use servette::{Status, handler_fn, respond};
    ///
    /// let handler = handler_fn(|_, x| {
    ///     let version = x.tls().map_or("no TLS", |tls| tls.version);
    ///     x.send_content(Status::OK, "text/plain", version.as_bytes())
    /// });
    /// let answer = respond(&handler, "GET / HTTP/1.0\r\n\r\n");
    /// assert!(answer.ends_with(b"no TLS"));
    /// ```
    #[cfg(feature = "tls-config")]
    pub fn tls(&self) -> Option<&'a TlsInfo> {
        self.channel().tls()
    }

    /// Defers the response: any thread may answer later, for a long poll or a job in a queue. The handler then returns
    /// `Ok` without an answer, and the connection waits without a thread.
    ///
    /// If the handler returns an error instead, or the first byte of a response was sent, nothing is deferred.
    ///
    /// # Errors
    /// `InvalidInput` behind the head of the response, and if it was put off before. An error that is answered with 503
    /// where the server stops, and nobody would send the answer, or where all that is deferred takes more memory than
    /// [`Limits::total_queue`](crate::Limits::total_queue) allows: the head of the request is kept.
    pub fn defer(&mut self) -> io::Result<Deferred> {
        let fields = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4);
        self.channel()
            .defer(self.requestline.len() + fields.sum::<usize>())
    }

    /// Whether the client has left: it has closed or reset the connection, or has ended its sending direction, which
    /// can't be told from closing. For a handler that waits for something else. Nothing is read for that.
    ///
    /// It asks the system each time. In memory, in [`respond`](crate::respond), no client leaves.
    pub fn client_has_disconnected(&self) -> bool {
        self.channel().wire.stream.has_left()
    }

    /// Whether the first byte of the response was handed to the socket, so that it can't be replaced.
    pub fn response_has_begun(&self) -> bool {
        self.channel().out.borrow().has_begun()
    }

    /// Keeps a value for the rest of this request, for other handlers and hooks: the user, the time when it began. There
    /// is one value of each type; a later one hides an earlier one. A request that is [deferred](Self::defer) keeps its
    /// values; it may be answered by another thread, so they are `Send`.
    ///
    /// ```
    /// use servette::{Exchange, Layer, RequestHandler, Result, Status, handler_fn, respond};
    ///
    /// struct User(String);
    ///
    /// struct Login<H>(H);
    ///
    /// impl<H: RequestHandler> Layer for Login<H> {
    ///     fn inner(&self) -> &dyn RequestHandler {
    ///         &self.0
    ///     }
    ///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
    ///         let name = x.headers.get("X-User").ok_or(Status::FORBIDDEN)?;
    ///         x.set_data(User(name.to_owned()));
    ///         self.0.do_method(x)
    ///     }
    /// }
    ///
    /// let hello = handler_fn(|_, x| {
    ///     let User(name) = x.data().ok_or(Status::FORBIDDEN)?;
    ///     x.send_content(Status::OK, "text/plain", name.as_bytes())
    /// });
    /// let answer = respond(&Login(hello), "GET / HTTP/1.0\r\nX-User: anna\r\n\r\n");
    /// assert!(answer.ends_with(b"\r\n\r\nanna"));
    /// ```
    pub fn set_data<T: Send + 'static>(&self, value: T) {
        self.context.scope.data.push(Box::new(value));
    }

    /// Returns the last value of this type that [`set_data`](Self::set_data) kept; `None` if there is none.
    pub fn data<T: 'static>(&self) -> Option<&'a T> {
        self.context.scope.data.last()
    }

    pub(crate) fn channel(&self) -> &'a Channel {
        self.wfile.channel
    }
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("client_address", &self.client_address)
            .field("requestline", &self.requestline)
            .field("headers", &self.headers)
            .field("rfile", &self.rfile)
            .finish_non_exhaustive()
    }
}
