//! [`respond`]: runs a handler in memory, and records like a server.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::builder::Watched;
use super::recording::Recording;
use super::report;
use super::request::Request;
use super::response::Response;
use crate::base::RequestHandler;

/// Runs a handler against these requests in memory, without a socket: a unit test of a handler. Returns the
/// recorded requests, the parsed responses, and their bytes.
///
/// As in [`servette::respond`](crate::respond()), the HTTP version is that of the handler, and a panic in the
/// handler gets a 500. With HTTP/1.0, the default of a handler, the connection ends after one request unless the
/// client asks for more. [`respond_or_panic`] speaks HTTP/1.1, and panics if the handler panics. A
/// [`pause`](super::pause) takes no time in memory, and a [`gate`](super::gate()) is an error. There is no socket, so
/// [`Exchange::detach`](crate::Exchange::detach) always fails: test a handler that detaches, such as a WebSocket, with a
/// [`TestServer`](super::TestServer). [`Exchange::raw_stream`](crate::Exchange::raw_stream) works.
///
/// The limits are those of [`Limits::default`](crate::Limits). To test with others, start a server with
/// [`TestServerBuilder::limits`](super::TestServerBuilder::limits).
///
/// ```
/// use servette::testing::respond;
/// use servette::{Status, handler_fn};
///
/// let hello = handler_fn(|_, x| x.send_content(Status::OK, "text/plain", b"hello"));
///
/// let transcript = respond(&hello, "GET /hi?to=you HTTP/1.0\r\n\r\n");
/// assert_eq!(transcript.response().status, 200);
/// assert_eq!(transcript.response().header("Content-Type"), Some("text/plain"));
/// assert_eq!(transcript.response().text(), "hello");
/// assert_eq!(transcript.request().query_value("to").as_deref(), Some("you"));
/// assert!(transcript.bytes.starts_with(b"HTTP/1.0 200 OK\r\n"));
/// ```
pub fn respond<H: RequestHandler + ?Sized>(handler: &H, requests: impl AsRef<[u8]>) -> Transcript {
    let shared = Arc::new(Recording::in_memory(None));
    let watched = Watched {
        handler,
        shared: shared.clone(),
    };
    Transcript::new(crate::respond(&watched, requests), &shared)
}

/// Runs a handler in memory as [`respond`] does, but as strict as a [`TestServer`](super::TestServer).
///
/// It panics if the handler panics or an answer can't be sent. It speaks HTTP/1.1, even if the handler itself
/// speaks HTTP/1.0. The log of the handler is shown only if the test fails. Expectations of
/// [`Stubs`](super::Stubs) are checked by [`Stubs::verify`](super::Stubs::verify).
///
/// ```
/// use servette::handler_fn;
/// use servette::testing::respond_or_panic;
///
/// let handler = handler_fn(|_, x| x.send_error(servette::Status::GONE));
/// let transcript = respond_or_panic(&handler, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
/// assert_eq!(transcript.response().status, 410);
/// ```
///
/// # Panics
/// If the handler panics, an answer can't be sent, or an answer waits at a gate. The message is that of a
/// `TestServer`.
#[track_caller]
#[allow(clippy::panic)] // The test fails.
pub fn respond_or_panic<H: RequestHandler + ?Sized>(
    handler: &H,
    requests: impl AsRef<[u8]>,
) -> Transcript {
    let shared = Arc::new(Recording::in_memory(Some("HTTP/1.1")));
    let watched = Watched {
        handler,
        shared: shared.clone(),
    };
    // A panic that no hook caught has been noted already.
    let bytes = catch_unwind(AssertUnwindSafe(|| crate::respond(&watched, requests)));
    let problems = shared.problems();
    match bytes {
        Ok(bytes) if problems.is_empty() => Transcript::new(bytes, &shared),
        _ => panic!(
            "{}",
            report::failure("respond_or_panic", &problems, &shared.all_notes(), &shared)
        ),
    }
}

/// The requests and responses of one connection: returned by [`respond`] and
/// [`Forward::recorded`](super::Forward::recorded).
///
/// ```
/// use servette::testing::respond;
/// use servette::{Status, handler_fn};
///
/// let echo = handler_fn(|_, x| {
///     let text = x.rfile.read_text(100)?;
///     x.send_content(Status::OK, "text/plain", text)
/// });
/// let transcript = respond(&echo, "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");
/// assert_eq!(transcript.request().text(), "hi");
/// assert_eq!(transcript.response().text(), "hi");
/// assert!(transcript.log[0].contains("\"POST / HTTP/1.0\" 200"));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transcript {
    /// The bytes that a client receives.
    pub bytes: Vec<u8>,
    /// The requests, as a [`TestServer`](super::TestServer) records them: with the part of the body that was read,
    /// and with requests that the server rejected.
    pub requests: Vec<Request>,
    /// The responses in `bytes`, including interim ones (1xx), up to the first bytes that are not a response.
    pub responses: Vec<Response>,
    /// The lines that the handler logged, at most 200.
    pub log: Vec<String>,
}

impl Transcript {
    fn new(bytes: Vec<u8>, shared: &Recording) -> Self {
        Transcript::of(bytes, shared.requests(), shared.log_lines())
    }

    pub(super) fn of(bytes: Vec<u8>, requests: Vec<Request>, log: Vec<String>) -> Self {
        let methods = requests.iter().map(|request| &*request.command);
        Transcript {
            responses: Response::parse_all(&bytes, methods),
            bytes,
            requests,
            log,
        }
    }

    /// Returns the only response, if there is one. Interim responses (1xx) are not counted.
    ///
    /// # Panics
    /// If there is none, or more than one.
    #[track_caller]
    #[allow(clippy::panic)] // It is an assertion.
    pub fn response(&self) -> &Response {
        let mut responses = self.responses.iter().filter(|own| !own.is_interim());
        match (responses.next(), responses.next()) {
            (Some(response), None) => response,
            (None, _) => panic!("expected one response, got none, but {self:?}"),
            _ => panic!("expected one response, got more: {self:?}"),
        }
    }

    /// Returns the only request, if there is one.
    ///
    /// # Panics
    /// If there is none, or more than one.
    #[track_caller]
    #[allow(clippy::panic)]
    pub fn request(&self) -> &Request {
        match &*self.requests {
            [request] => request,
            _ => panic!(
                "expected one request, got {}: {self:?}",
                self.requests.len()
            ),
        }
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "these bytes: {}", report::preview(&self.bytes))?;
        f.write_str(&report::list(&self.requests))?;
        f.write_str(&report::list(&self.responses))
    }
}
