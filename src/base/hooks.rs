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

/// What answers requests: Python's `BaseHTTPRequestHandler`.
///
/// A handler is behaviour: one value serves all connections, so every hook takes `&self`, and what
/// belongs to a request is in the [`Exchange`]. Override [`do_method`](Self::do_method) to answer;
/// override any other hook to change one step and keep the rest. In the override, the function of the
/// same name in [`base`] is what `super()` is in Python. An override that calls itself overflows the stack, and so ends
/// the process, when a client gets it to run: the compiler's lint `unconditional_recursion` reports only one that does so
/// in any case. Hooks of the exchange, [`x.send_header`](Exchange::send_header), fail instead.
///
/// For a handler around another one, a subclass or middleware, there is [`Layer`](crate::Layer).
///
/// A hook may return an error: see [`Error`](crate::Error). A panic in a hook is caught, logged, and
/// answered with 500 if nothing was sent yet; that needs `panic = "unwind"`, the default.
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
#[doc(alias = "BaseHTTPRequestHandler")]
// What writes the head is inlined wherever it is called: of a name or a value that the compiler knows, it does
// the checks. That is a sixth of all instructions of a small answer.
pub trait RequestHandler {
    /// Serves a connection that has something to read: request after request until none is ready.
    /// Called again each time there is more. You normally don't need to override this.
    ///
    /// All answers are sent when [`base::handle`](super::handle) returns.
    ///
    /// # Errors
    /// Ends the connection, and is given to the server's `handle_error`.
    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        base::handle_requests(self, conn)
    }

    /// Parses one request, has it answered, completes the response and drains the body. Waits for the
    /// request if none is there. You normally don't need to override this.
    ///
    /// # Errors
    /// As [`handle`](Self::handle).
    fn handle_one_request(&self, conn: &mut Connection) -> Result<()> {
        base::handle_one_request(self, conn)
    }

    /// Decides about a request of HTTP/1.1 that says `Expect: 100-continue`, before
    /// [`do_method`](Self::do_method) is called (RFC 9110, 10.1.1); as in Python, also if the request has no
    /// body. Returns true by default: the first read of `rfile` that waits sends `100 Continue`, whatever
    /// [`protocol_version`](Self::protocol_version) is, unless this hook has sent it already. False means
    /// that this hook has sent the answer, usually with [`send_error`](Self::send_error) and 417:
    /// `do_method` is not called, and the connection is closed if the request has a body.
    ///
    /// # Errors
    /// Answered as those of [`do_method`](Self::do_method).
    fn handle_expect_100(&self, x: &mut Exchange<'_>) -> Result<bool> {
        base::handle_expect_100(self, x)
    }

    /// Answers a request: Python's methods `do_GET`, `do_POST`, `do_SPAM`. Match on `x.command`, and
    /// leave other methods to [`base::do_method`], which answers them with 501.
    ///
    /// # Errors
    /// Whatever you return is answered, as [`Error`](crate::Error) says. `Ok` without any response is
    /// logged and answered with 500.
    #[doc(alias = "do_GET")]
    #[doc(alias = "do_POST")]
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        base::do_method(self, x)
    }

    /// Logs an error, and answers with its status and a page made from
    /// [`error_message_format`](Self::error_message_format). The server's own refusals (400, 408, 414,
    /// 431, 503) come here too, in an exchange whose request fields are empty.
    ///
    /// 400, 408, 411, 413, 414, 417, 431 and 505 end the connection, others keep it (Python ends all).
    ///
    /// # Errors
    /// Those of [`end_headers`](Self::end_headers) and of writing the page.
    fn send_error(&self, x: &mut Exchange<'_>, status: Status<'_>) -> Result<()> {
        base::send_error(self, x, status)
    }

    /// Sends a whole response in one call: status, `Content-Type`, `Content-Length`, body. If the media type is empty, as
    /// for a 204, there is no `Content-Type`.
    ///
    /// # Errors
    /// Those of [`end_headers`](Self::end_headers) and of writing the body.
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

    /// Logs the request, and starts the response: status line, `Server`, `Date`.
    #[inline(always)]
    fn send_response(&self, x: &mut Exchange<'_>, status: Status<'_>) {
        base::send_response(self, x, status);
    }

    /// The status line alone: for `100 Continue` and other interim responses, or to send other fields.
    #[inline(always)]
    fn send_response_only(&self, x: &mut Exchange<'_>, status: Status<'_>) {
        base::send_response_only(self, x, status);
    }

    /// Adds a field. One that is sent before the status line is kept for whatever response comes to this request, an
    /// error page too, unless that response has a field of this name; of several kept ones of a name the last is sent. Of
    /// `Set-Cookie` and `Vary` all are sent, beside those of the response:
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
    /// A name that is not a token, or a value with a control character or one beyond
    /// Latin-1, is reported by [`end_headers`](Self::end_headers); nothing of it is sent.
    ///
    /// `Content-Length` and `Transfer-Encoding: chunked` decide how [`wfile`](crate::ResponseWriter)
    /// frames the body. `Connection: close` and `keep-alive` set
    /// [`close_connection`](Exchange::close_connection).
    #[inline(always)]
    fn send_header(&self, x: &mut Exchange<'_>, name: &str, value: &str) {
        base::send_header(self, x, name, value);
    }

    /// Ends the fields; the body follows. The head of an interim response (1xx) is sent at once.
    ///
    /// # Errors
    /// `InvalidInput` for what was wrong with the head: a name or value that can't be sent, two
    /// lengths, a field without a status line.
    fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        base::end_headers(self, x)
    }

    /// Hands the head to [`wfile`](Exchange::wfile), called by [`end_headers`](Self::end_headers). It
    /// leaves with the body, or when `wfile` is flushed.
    ///
    /// # Errors
    /// As [`end_headers`](Self::end_headers).
    fn flush_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        base::flush_headers(self, x)
    }

    /// Logs a request that is answered with `code`; `size` is the length of the body where it is known,
    /// which [`send_response`](Self::send_response) does not say.
    fn log_request(&self, x: &Exchange<'_>, code: u16, size: Option<u64>) {
        base::log_request(self, x, code, size);
    }

    /// Logs an error: by default like any message.
    fn log_error(&self, x: &Exchange<'_>, message: fmt::Arguments<'_>) {
        base::log_error(self, x, message);
    }

    /// Writes a line to the log: by default to stderr, as `ADDRESS - - [DATE] MESSAGE`, with control
    /// characters and backslashes escaped. Override it with an empty body for silence.
    fn log_message(&self, x: &Exchange<'_>, message: fmt::Arguments<'_>) {
        base::log_message(self, x, message);
    }

    /// Writes a finished line of the log, which ends with a line feed: by default to stderr. Control characters and
    /// backslashes in it are escaped, so this is the hook for a log of your own: a file, syslog.
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

    /// The first half of [`version_string`](Self::version_string): `BaseHTTP/0.1.0`, with the version
    /// of this crate.
    fn server_version(&self) -> &str {
        base::server_version(self)
    }

    /// The second half: `servette`. (Python's names the version of the interpreter.)
    fn sys_version(&self) -> &str {
        base::sys_version(self)
    }

    /// The value of the `Server` field.
    fn version_string(&self) -> Cow<'_, str> {
        base::version_string(self)
    }

    /// The version of HTTP that this handler speaks: `HTTP/1.0` by default, as in Python; `HTTP/1.1`
    /// switches on connections that are kept, and chunked responses.
    fn protocol_version(&self) -> &str {
        base::protocol_version(self)
    }

    /// The page of [`send_error`](Self::send_error): `%(code)d`, `%(message)s` and `%(explain)s` are
    /// replaced, the texts escaped for HTML; `%%` is a percent sign. `%(message)j` and `%(explain)j` are strings of JSON
    /// with their quotes, for error pages of an API:
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

    /// The `Content-Type` of that page: `text/html;charset=utf-8`.
    #[doc(alias = "DEFAULT_ERROR_CONTENT_TYPE")]
    fn error_content_type(&self) -> &str {
        base::error_content_type(self)
    }

    /// The reason phrase and the explanation of a code; `None` for an unknown one.
    fn responses(&self, code: u16) -> Option<(&str, &str)> {
        base::responses(self, code)
    }

    /// A time, or the present one, as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
    fn date_time_string(&self, timestamp: Option<SystemTime>) -> HttpDate {
        base::date_time_string(self, timestamp)
    }

    /// The present local time, as the log writes it: `23/Nov/2026 14:20:00`.
    fn log_date_time_string(&self) -> String {
        base::log_date_time_string(self)
    }

    /// The client's address, as the log writes it: the IP address, without a look-up.
    fn address_string(&self, x: &Exchange<'_>) -> String {
        base::address_string(self, x)
    }

    // What follows is how a handler is found to be more than this trait says; `Layer` and the handlers of this crate
    // override it.

    #[doc(hidden)]
    fn end_request(&self, _: &Exchange<'_>, _: &Outcome) {}

    #[doc(hidden)]
    fn is_layer(&self) -> bool {
        false
    }

    #[doc(hidden)]
    fn as_files(&self) -> Option<&dyn ServeFiles> {
        None
    }

    #[doc(hidden)]
    fn as_scripts(&self) -> Option<&dyn RunScripts> {
        None
    }
}
