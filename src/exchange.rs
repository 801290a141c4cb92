//! [`Exchange`]: one request and the response to it.

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
use crate::connection::detached::DetachedStream;
use crate::connection::raw::RawStream;
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

/// One request and the response to it; the server passes it to the hooks of a handler.
///
/// The fields are the instance variables of Python's `BaseHTTPRequestHandler`. The fields of the request are `Copy` and
/// live as long as the exchange, so `x.send_header("Location", x.path)` compiles. `rfile` and `wfile` can be borrowed
/// at the same time, in one thread: a handler can read a part of the body, write a part of the response, and so on. Both
/// stay in the thread of the handler. To write the response from another thread, use
/// [`start_stream`](ResponseWriter::start_stream); to read and write a protocol other than HTTP from two threads, use
/// [`detach`](Self::detach).
///
/// A handler sends a response in this order: [`send_response`](crate::RequestHandler::send_response), then
/// [`send_header`](crate::RequestHandler::send_header) for each field, then
/// [`end_headers`](crate::RequestHandler::end_headers), then the body through `wfile`.
///
/// A handler sends one response. A second one is an error, which the handler returns with `?`: the client gets 500, and
/// the log says `the handler sent a second response`. If the handler ignores the error, the first response is sent. So a handler that forgets to return after `send_error` does not send more. A handler that fails
/// after its response returns an error: the error page replaces the response if no byte of it was sent. Before
/// `end_headers`, a second `send_response` replaces the status line and the fields of the first.
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
    /// The address of the client: the peer of the connection. If the peer is one of the
    /// [`trusted_proxies`](crate::server::Builder::trusted_proxies), it is the client that the proxy names. The port is
    /// 0 if the proxy does not name one.
    pub client_address: Peer,
    /// The server that received the request.
    pub server: &'a ServerInfo,
    /// The request line without its line end; empty if no request line could be read.
    pub requestline: &'a str,
    /// The method, such as `GET`; case-sensitive. Empty if the server rejects a malformed request.
    pub command: &'a str,
    /// The path and the query, percent-encoded as the client sent them. The path starts with exactly one `/`. For a
    /// target in absolute form (`http://host/path`), it is the path alone, and [`host`](Self::host) returns the host.
    /// It is `host:port` for `CONNECT`, and `*` for `OPTIONS *`.
    pub path: &'a str,
    /// The HTTP version of the request, such as `HTTP/1.1`.
    pub request_version: &'a str,
    /// The header fields of the request.
    pub headers: Headers<'a>,
    /// The body of the request, to be read.
    pub rfile: RequestBody<'a>,
    /// The body of the response, to be written.
    pub wfile: ResponseWriter<'a>,
    /// Whether the connection is closed after this exchange. The connection is closed in any case if the client, the
    /// HTTP version of either side, or the framing of the messages requires it. If it is set before
    /// [`end_headers`](crate::RequestHandler::end_headers), the response has `Connection: close`.
    pub close_connection: &'a Cell<bool>,
    /// The host that a trusted proxy names, otherwise the authority of a target in absolute form.
    pub(crate) authority: Option<&'a str>,
    /// Whether the client uses HTTPS, if a trusted proxy says so.
    pub(crate) is_https: Option<bool>,
    /// Whether the request has `Expect: 100-continue`.
    pub(crate) expects_continue: bool,
    /// The number of redirects inside the server, which CGI scripts ask for.
    pub(crate) redirects: u32,
    /// The handler that answers the request.
    pub(crate) context: &'a Context<'a>,
    /// The prefix that was removed from the path.
    pub(crate) mount: Option<&'a String>,
}

impl<'a> Exchange<'a> {
    /// Returns the host that the request is for, with the port if the client sent one; `None` if the request names no
    /// host.
    ///
    /// The host is the authority of a target in absolute form, otherwise the `Host` field (RFC 9112, section 3.2.2).
    /// Behind one of the [`trusted_proxies`](crate::server::Builder::trusted_proxies), it is the host that the client
    /// sent to the proxy, if the proxy names it.
    pub fn host(&self) -> Option<&'a str> {
        self.authority.or_else(|| self.headers.get("Host"))
    }

    /// Returns the scheme of the URL that the client requested: `https` or `http`.
    ///
    /// By default it is `https` if the connection has TLS. Behind one of the
    /// [`trusted_proxies`](crate::server::Builder::trusted_proxies), it is the scheme that the proxy names.
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

    /// Returns the same exchange with another path: Python's `self.path = ...; super().do_GET()`.
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

    /// Returns the same exchange with a shorter lifetime.
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

    /// Returns the byte stream of the connection, to send anything but a proper response: for a protocol other than
    /// HTTP, or for faults in a test.
    ///
    /// A head that is complete and the body bytes after it are sent before. From then on nothing is framed, the request
    /// counts as answered, and the connection is closed after the exchange. Reads start with the bytes that the server
    /// has read after the head of the request.
    ///
    /// If the handler has not read the request body, the body is in the stream, with its chunk framing if it is chunked, and
    /// reading `rfile` is an error (`InvalidInput`). Read the body first: `x.rfile.discard()?`.
    ///
    /// # Errors
    /// Errors of sending the bytes that were written before.
    pub fn raw_stream(&mut self) -> io::Result<RawStream<'_>> {
        RawStream::new(&mut self.rfile)
    }

    /// Takes the connection out of the server, as a blocking stream that outlives the exchange: for an upgrade such as
    /// WebSocket, or for a tunnel.
    ///
    /// As with [`raw_stream`](Self::raw_stream), the bytes that were written before are sent, the request counts as
    /// answered, and an unread request body is in the stream: read it first, with `x.rfile.discard()?`. The timeouts of the
    /// server and its shutdown do not apply to the stream. It counts in [`Limits::max_connections`](crate::Limits) until it
    /// is dropped.
    ///
    /// # Errors
    /// Errors of sending the bytes that were written before. In [`respond`](crate::respond), which has no socket, it
    /// always fails.
    pub fn detach(&mut self) -> io::Result<DetachedStream> {
        DetachedStream::new(&mut self.rfile)
    }

    /// Returns the parameters of the TLS session, such as version and cipher suite; `None` without TLS. (Feature `tls`,
    /// or `tls-config`.)
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

    /// Defers the response: any thread can send it later, for a long poll or a job in a queue. The handler then returns
    /// `Ok` without a response, and the connection does not occupy a thread.
    ///
    /// If the handler returns an error instead, the response is that error, and not deferred.
    ///
    /// # Errors
    /// `InvalidInput` if the head of the response was sent, or if the response is deferred already. An error with
    /// status 503 if the server is stopping, or if the queued and deferred data of all connections takes more memory
    /// than [`Limits::total_queue`](crate::Limits::total_queue).
    pub fn defer(&mut self) -> io::Result<Deferred> {
        let fields = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4);
        self.channel()
            .defer(self.requestline.len() + fields.sum::<usize>())
    }

    /// Returns true if the client has disconnected: it has closed or reset the connection, or shut down its sending
    /// direction (which looks the same to the server). Use it in a handler that waits for something other than the
    /// client. It reads no bytes.
    ///
    /// To end the request then, return [`Error::client_disconnected`](crate::Error::client_disconnected): no response is
    /// sent, and no error is logged.
    ///
    /// Each call is a system call. In [`respond`](crate::respond), which has no connection, it always returns false.
    pub fn client_has_disconnected(&self) -> bool {
        self.channel().wire.stream.has_left()
    }

    /// Returns true if the first byte of the response was written to the socket. After that no other response, such as
    /// an error page, can replace it.
    pub fn response_has_begun(&self) -> bool {
        self.channel().out.borrow().has_begun()
    }

    /// Keeps a value for the rest of this request, so that other handlers and hooks can read it: for example the user,
    /// or the time when the request started.
    ///
    /// [`data`](Self::data) finds values by their type; a later value hides an earlier one of the same type. A
    /// [deferred](Self::defer) request keeps its values. Another thread may answer it, so values are `Send`.
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
