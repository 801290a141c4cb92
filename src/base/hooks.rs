//! [`RequestHandler`]: the trait of all handlers.

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use super::Outcome;
use crate::cgi::RunScripts;
use crate::connection::{Connection, Next};
use crate::exchange::Exchange;
use crate::http1::date::HttpDate;
use crate::{Result, ServeFiles, Status, base};

/// Answers requests: Python's `BaseHTTPRequestHandler`.
///
/// One value serves all connections, so every method takes `&self`; the state of a request is in its [`Exchange`]. The
/// methods are called *hooks*, because the server calls them. Override [`do_method`](Self::do_method) to answer requests.
/// Override any other hook to change one step of a response and keep the rest. In an override, call the function of the
/// same name in [`base`] where Python calls `super()`.
///
/// To have another handler answer, call [`x.delegate_to(&other)`](Exchange::delegate_to). Only a
/// [`Layer`](crate::Layer) calls `do_method` of another handler: see [Other handlers](#other-handlers).
///
/// A hook may block. It may return an error, which is answered as [`Error`](crate::Error) says. A panic in a hook is
/// caught, logged, and answered with 500 if nothing was sent yet (with `panic = "unwind"`, the default).
///
/// An override must not call itself: that overflows the stack and ends the process. The compiler's lint
/// `unconditional_recursion` finds only overrides that always call themselves. The hooks on the exchange, such as
/// [`x.send_header`](Exchange::send_header), detect the recursion and return an error.
///
/// ```
/// use servette::{Exchange, RequestHandler, Result, Status, base, respond};
/// use std::io::Write;
///
/// struct Spam;
///
/// impl RequestHandler for Spam {
///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
///         match x.command {
///             "SPAM" => self.do_spam(x),
///             _ => base::do_method(self, x), // 501
///         }
///     }
///
///     fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
///         x.send_header("X-Menu", "spam");
///         base::end_headers(self, x) // super().end_headers()
///     }
/// }
///
/// impl Spam {
///     fn do_spam(&self, x: &mut Exchange<'_>) -> Result<()> {
///         x.send_response(Status::OK);
///         x.end_headers()?;
///         Ok(x.wfile.write_all(b"spam, spam, eggs\n")?)
///     }
/// }
///
/// let answer = String::from_utf8(respond(&Spam, "SPAM / HTTP/1.0\r\n\r\n")).unwrap();
/// assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"));
/// assert!(answer.contains("X-Menu: spam\r\n") && answer.ends_with("\r\n\r\nspam, spam, eggs\n"));
/// assert!(respond(&Spam, "EGGS / HTTP/1.0\r\n\r\n").starts_with(b"HTTP/1.0 501 "));
/// ```
///
/// # Other handlers
///
/// There are two ways to have another handler answer a request:
///
/// - A router, mount or virtual host calls [`x.delegate_to(&other)`](Exchange::delegate_to). The other handler answers
///   with its own hooks.
/// - Middleware, or a subclass, implements [`Layer`](crate::Layer) instead of this trait, and calls `do_method` of the
///   handler that it wraps, the inner handler. The hooks of the inner handler apply, except those that the layer overrides.
///
/// In an implementation of this trait, `other.do_method(x)` compiles, but mixes two handlers: `x.send_content(..)`,
/// `x.send_error(..)` and all other hooks that `other` calls on `x` are those of the outer handler. The error pages, the
/// `Server` field and an `end_headers` of `other` are not used.
///
/// ```
/// use servette::{Exchange, Layer, RequestHandler, Result, Status, handler_fn, respond};
///
/// struct Api;
///
/// impl RequestHandler for Api {
///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
///         x.send_error(Status::NOT_FOUND)
///     }
///     fn error_message_format(&self) -> &str {
///         r#"{"error": %(message)j}"#
///     }
/// }
///
/// struct Login<H>(H);
///
/// impl<H: RequestHandler> Layer for Login<H> {
///     fn inner(&self) -> &dyn RequestHandler {
///         &self.0
///     }
///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
///         self.0.do_method(x) // right: `Login` is a `Layer`
///     }
/// }
///
/// let router = handler_fn(|_, x| x.delegate_to(&Api)); // right
/// let wrong = handler_fn(|_, x| Api.do_method(x)); // wrong: the error page is that of `wrong`
///
/// let request = "GET / HTTP/1.0\r\n\r\n";
/// let json = br#"{"error": "Not Found"}"#;
/// assert!(respond(&Login(Api), request).ends_with(json));
/// assert!(respond(&router, request).ends_with(json));
/// assert!(respond(&wrong, request).ends_with(b"</html>\n"));
/// ```
#[doc(alias = "BaseHTTPRequestHandler")]
// Functions that write the head are `inline(always)`: for constant names and values, the compiler then computes the checks
// of their characters in advance. This saves a sixth of the instructions of a small response.
pub trait RequestHandler {
    /// Serves a connection that has bytes to read: one request after the other, until no further request is ready.
    /// The server calls it again when the client sends more. You normally don't need to override this.
    ///
    /// In an override, all responses have been sent when [`base::handle`](super::handle) returns. (The default of this
    /// method leaves the last of them to the server.)
    ///
    /// # Errors
    /// An error closes the connection, and is passed to the server's `handle_error`.
    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        // The same as `base::handle` without its flush at the end: here the server sends the responses itself, and can
        // send the end of the stream with them. An override that calls `base::handle` may use the connection afterwards,
        // so there all responses are sent first.
        base::handle_requests(self, conn)
    }

    /// Reads one request, answers it, completes the response, and reads the rest of the body. Waits for the request if
    /// none has arrived. You normally don't need to override this.
    ///
    /// The server calls it once more for the response of a [deferred](Exchange::defer) request, and to call
    /// [`Layer::end_request`](crate::Layer::end_request) for a response that ended after its handler.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    fn handle_one_request(&self, conn: &mut Connection) -> Result<()> {
        base::handle_one_request(self, conn)
    }

    /// Accepts or rejects a request with `Expect: 100-continue` (RFC 9110, section 10.1.1). Called before
    /// [`do_method`](Self::do_method) for requests of HTTP/1.1, with or without a body, as in Python.
    ///
    /// Returns true by default: then the first read of `rfile` that has to wait sends `100 Continue`. (This does not
    /// depend on [`protocol_version`](Self::protocol_version). If the hook itself sends `100 Continue`, it is not sent
    /// again.)
    ///
    /// To reject the request, send a response, usually by [`send_error`](Self::send_error) with 417, which closes the
    /// connection, and return false: then `do_method` is not called. If the request has a body, the connection is closed
    /// after any response.
    ///
    /// # Errors
    /// Errors are answered as those of [`do_method`](Self::do_method).
    fn handle_expect_100(&self, x: &mut Exchange<'_>) -> Result<bool> {
        base::handle_expect_100(self, x)
    }

    /// Answers a request: Python's methods `do_GET`, `do_POST`, `do_SPAM`. Match on `x.command`, and pass other methods
    /// on to [`base::do_method`], which answers them with 501.
    ///
    /// The server calls this hook. Call it yourself only in a [`Layer`](crate::Layer), on the inner handler; everywhere
    /// else, call [`x.delegate_to(&other)`](Exchange::delegate_to). See [Other handlers](#other-handlers).
    ///
    /// # Errors
    /// An error is answered as [`Error`](crate::Error) says. `Ok` without a response is logged and answered with 500.
    #[doc(alias = "do_GET")]
    #[doc(alias = "do_POST")]
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        base::do_method(self, x)
    }

    /// Logs an error, and sends an error page with this status, made from
    /// [`error_message_format`](Self::error_message_format). The server calls it too, to reject requests with 400, 408,
    /// 414, 417, 431, 501, 503 or 505; the request fields of that exchange are empty.
    ///
    /// The connection is closed after 400, 408, 411, 413, 414, 417, 431 and 505 and after a rejected `CONNECT`, and kept
    /// after others. (Python closes it after every error.)
    ///
    /// # Errors
    /// As [`end_headers`](Self::end_headers), and errors of writing the page.
    fn send_error(&self, x: &mut Exchange<'_>, status: Status<'_>) -> Result<()> {
        base::send_error(self, x, status)
    }

    /// Sends a complete response: status, `Content-Type`, `Content-Length` and body. An empty media type sends no
    /// `Content-Type`, as for a 204.
    ///
    /// # Errors
    /// As [`end_headers`](Self::end_headers), and errors of writing the body. It fails if the exchange has a response
    /// already, and with `InvalidInput` for a 1xx status, which has no content.
    #[inline(always)]
    fn send_content(
        &self,
        x: &mut Exchange<'_>,
        status: Status<'_>,
        content_type: &str,
        body: &[u8],
    ) -> Result<()> {
        base::send_content(self, x, status, content_type, body)
    }

    /// Logs the request, and starts the response with its status line, `Server` and `Date`.
    #[inline(always)]
    fn send_response(&self, x: &mut Exchange<'_>, status: Status<'_>) {
        base::send_response(self, x, status);
    }

    /// Starts the response with its status line alone: for `100 Continue` and other interim responses, for 101, or to leave
    /// out `Server` and `Date`.
    ///
    /// A client of HTTP/1.0 gets no 1xx responses (RFC 9110, section 15.2): interim responses to it are dropped, and
    /// [`end_headers`](Self::end_headers) fails for a 101, with an error that is answered with 400.
    ///
    /// As in Python, it does not log the request. For a final response, call
    /// [`x.log_request(code, None)`](Exchange::log_request) as well; otherwise the access log has no line of the request, in
    /// any format.
    #[inline(always)]
    fn send_response_only(&self, x: &mut Exchange<'_>, status: Status<'_>) {
        base::send_response_only(self, x, status);
    }

    /// Adds a field to the head of the response.
    ///
    /// A field that is sent before the status line is kept, and added to the response that follows, whichever it is: an
    /// error page, too. It is dropped if that response has a field of the same name. If several kept fields have the same
    /// name, the last one is sent; only `Set-Cookie` and `Vary` are all sent:
    ///
    /// ```
    /// use servette::{Status, handler_fn, respond};
    ///
    /// let busy = handler_fn(|_, x| {
    ///     x.send_header("Retry-After", "3");
    ///     x.send_error(Status::SERVICE_UNAVAILABLE)
    /// });
    /// let answer = String::from_utf8(respond(&busy, "GET / HTTP/1.0\r\n\r\n")).unwrap();
    /// assert!(answer.starts_with("HTTP/1.0 503 ") && answer.contains("\r\nRetry-After: 3\r\n"));
    /// ```
    ///
    /// A name that is not a token, and a value with control characters or characters beyond Latin-1, is not sent;
    /// [`end_headers`](Self::end_headers) returns the error.
    ///
    /// `Content-Length` and `Transfer-Encoding: chunked` select the framing of [`wfile`](crate::ResponseWriter).
    /// `Connection: close` and `Connection: keep-alive` set [`close_connection`](Exchange::close_connection).
    #[inline(always)]
    fn send_header(&self, x: &mut Exchange<'_>, name: &str, value: &str) {
        base::send_header(self, x, name, value);
    }

    /// Ends the head of the response; the body follows. The head of an interim response (1xx) is sent at once.
    ///
    /// It is called for every response: also for error pages, for requests that the server rejects, for streams, and for
    /// responses of handlers that this handler [delegates to](Exchange::delegate_to). So an override, of this trait or of
    /// a [`Layer`](crate::Layer), can add a field to every response.
    ///
    /// # Errors
    /// `InvalidInput` if the head is wrong: a name or value that can't be sent, two lengths, a field without a status
    /// line, or a second response.
    fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        base::end_headers(self, x)
    }

    /// Passes the head to [`wfile`](Exchange::wfile), which sends it with the body, or when it is flushed. Called by
    /// [`end_headers`](Self::end_headers).
    ///
    /// # Errors
    /// As [`end_headers`](Self::end_headers).
    fn flush_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        base::flush_headers(self, x)
    }

    /// Logs a request that is answered with `code`. `size` is the length of the body in bytes, if it is known;
    /// [`send_response`](Self::send_response) passes `None`.
    fn log_request(&self, x: &Exchange<'_>, code: u16, size: Option<u64>) {
        base::log_request(self, x, code, size);
    }

    /// Logs an error. By default it calls [`log_message`](Self::log_message).
    fn log_error(&self, x: &Exchange<'_>, message: fmt::Arguments<'_>) {
        base::log_error(self, x, message);
    }

    /// Logs a message. By default it writes `ADDRESS - - [DATE] MESSAGE` to stderr, with control characters and
    /// backslashes escaped. Override it with an empty body to log nothing. (In other formats than Python's, the lines of
    /// requests do not pass it: override [`log_request`](Self::log_request), too.)
    fn log_message(&self, x: &Exchange<'_>, message: fmt::Arguments<'_>) {
        base::log_message(self, x, message);
    }

    /// Writes a complete line to the log, by default to stderr. The line ends with a line feed, and its control characters
    /// and backslashes are escaped. Override it to log elsewhere, such as to a file of your own or to syslog.
    ///
    /// ```
    /// use servette::{Exchange, RequestHandler};
    /// use std::fs::File;
    /// use std::io::Write;
    ///
    /// struct Hello {
    ///     log: File,
    /// }
    ///
    /// impl RequestHandler for Hello {
    ///     fn log_line(&self, _: &Exchange<'_>, line: &str) {
    ///         let _ = (&self.log).write_all(line.as_bytes());
    ///     }
    /// }
    /// ```
    fn log_line(&self, x: &Exchange<'_>, line: &str) {
        base::log_line(self, x, line);
    }

    /// Returns the first half of [`version_string`](Self::version_string). Default: `BaseHTTP/0.1.0`, with the version of
    /// this crate.
    fn server_version(&self) -> &str {
        base::server_version(self)
    }

    /// Returns the second half of [`version_string`](Self::version_string). Default: `servette`, where Python has the
    /// version of its interpreter.
    fn sys_version(&self) -> &str {
        base::sys_version(self)
    }

    /// Returns the value of the `Server` field.
    fn version_string(&self) -> Cow<'_, str> {
        base::version_string(self)
    }

    /// Returns the version of HTTP that this handler speaks. Default: `HTTP/1.0`, as in Python. `HTTP/1.1` enables
    /// keep-alive and chunked responses.
    ///
    /// A 1xx response, such as 101 or 103, is always sent as HTTP/1.1, whatever this hook returns: HTTP/1.0 does not
    /// define 1xx (RFC 9110, section 15.2), and clients reject a 101 of HTTP/1.0.
    fn protocol_version(&self) -> &str {
        base::protocol_version(self)
    }

    /// Returns the template of the page of [`send_error`](Self::send_error). `%(code)d`, `%(message)s` and `%(explain)s`
    /// are replaced, the last two escaped for HTML; `%%` is a percent sign. `%(message)j` and `%(explain)j` are replaced by
    /// JSON strings, with their quotes:
    ///
    /// ```
    /// use servette::{RequestHandler, respond};
    ///
    /// struct Api;
    ///
    /// impl RequestHandler for Api {
    ///     fn error_message_format(&self) -> &str {
    ///         r#"{"code": %(code)d, "error": %(message)j}"#
    ///     }
    ///     fn error_content_type(&self) -> &str {
    ///         "application/json"
    ///     }
    /// }
    ///
    /// let answer = respond(&Api, "GET / HTTP/1.0\r\n\r\n");
    /// assert!(answer.ends_with(br#"{"code": 501, "error": "Unsupported method ('GET')"}"#));
    /// ```
    #[doc(alias = "DEFAULT_ERROR_MESSAGE")]
    fn error_message_format(&self) -> &str {
        base::error_message_format(self)
    }

    /// Returns the `Content-Type` of error pages. Default: `text/html;charset=utf-8`.
    #[doc(alias = "DEFAULT_ERROR_CONTENT_TYPE")]
    fn error_content_type(&self) -> &str {
        base::error_content_type(self)
    }

    /// Returns the reason phrase and the explanation of a status code; `None` if the code is unknown.
    fn responses(&self, code: u16) -> Option<(&str, &str)> {
        base::responses(self, code)
    }

    /// Formats a time, by default the current one, as an HTTP date: `Sun, 06 Nov 1994 08:49:37 GMT`.
    fn date_time_string(&self, timestamp: Option<SystemTime>) -> HttpDate {
        base::date_time_string(self, timestamp)
    }

    /// Formats the current local time for the log: `23/Nov/2026 14:20:00`.
    fn log_date_time_string(&self) -> String {
        base::log_date_time_string(self)
    }

    /// Formats the client's address for the log: the IP address, without a DNS lookup.
    fn address_string(&self, x: &Exchange<'_>) -> String {
        base::address_string(self, x)
    }

    // The hidden methods are how `Layer` and the handlers of this crate reach other traits through a
    // `dyn RequestHandler`. Programs do not override them.

    // Called at the end of each request. `Layer` forwards it to `Layer::end_request`, which programs override.
    #[doc(hidden)]
    fn end_request(&self, _: &Exchange<'_>, _: &Outcome) {}

    // Returns true for a `Layer`.
    #[doc(hidden)]
    fn is_layer(&self) -> bool {
        false
    }

    // Returns the handler as a file server, if it is one.
    #[doc(hidden)]
    fn as_files(&self) -> Option<&dyn ServeFiles> {
        None
    }

    // Returns the handler as a host of CGI scripts, if it is one.
    #[doc(hidden)]
    fn as_scripts(&self) -> Option<&dyn RunScripts> {
        None
    }
}
