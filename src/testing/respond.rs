//! [`respond`]: a handler against bytes, without a server, but with the eyes of one.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::builder::Watched;
use super::recording::Recording;
use super::report;
use super::request::Request;
use super::response::Response;
use crate::base::RequestHandler;

/// Runs a handler against these requests in memory, without a socket: the requests as they were recorded,
/// the responses parsed, and their bytes.
///
/// As [`servette::respond`](crate::respond()) does, it speaks the version of the handler, and a panic in
/// the handler is a 500. (If that version is HTTP/1.0, the default of a handler, the connection ends after one
/// request unless the client asks for more.) [`respond_or_panic`] speaks HTTP/1.1, and is strict. A
/// [`pause`](super::pause) takes no time here, and nobody could open a [`gate`](super::gate()).
///
/// ```
/// use servette::testing::respond;
/// use servette::{Status, handler_fn};
///
/// let hello = handler_fn(|_, x| x.send_content(Status::OK, "text/plain", b"hello"));
///
/// let answered = respond(&hello, "GET /hi?to=you HTTP/1.0\r\n\r\n");
/// assert_eq!(answered.response().status, 200);
/// assert_eq!(answered.response().header("Content-Type"), Some("text/plain"));
/// assert_eq!(answered.response().text(), "hello");
/// assert_eq!(answered.request().query_value("to").as_deref(), Some("you"));
/// assert!(answered.bytes.starts_with(b"HTTP/1.0 200 OK\r\n"));
/// ```
pub fn respond<H: RequestHandler + ?Sized>(handler: &H, requests: impl AsRef<[u8]>) -> Transcript {
    let shared = Arc::new(Recording::in_memory(None));
    let watched = Watched {
        handler,
        shared: shared.clone(),
    };
    Transcript::new(crate::respond(&watched, requests), &shared)
}

/// As [`respond`], but as strict as a [`TestServer`](super::TestServer).
///
/// The test fails if the handler panics or a canned answer can't be given. It speaks HTTP/1.1, whatever
/// version its handler says, and the log of the handler is shown only if the test fails. What
/// [`Stubs`](super::Stubs) expect they [verify](super::Stubs::verify) themselves.
///
/// ```
/// use servette::handler_fn;
/// use servette::testing::respond_or_panic;
///
/// let handler = handler_fn(|_, x| x.send_error(servette::Status::GONE));
/// let answered = respond_or_panic(&handler, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
/// assert_eq!(answered.response().status, 410);
/// ```
///
/// # Panics
/// If the handler panics, an answer can't be given as it says, or one waits at a gate; with the message of a
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
    // What panics past all hooks was noted on its way.
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

/// What [`respond`] returns: requests and responses of one connection.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transcript {
    /// The bytes that a client would read.
    pub bytes: Vec<u8>,
    /// The requests, as a [`TestServer`](super::TestServer) records them: refused ones too, and as much of
    /// a body as was read.
    pub requests: Vec<Request>,
    /// The responses in `bytes`, interim ones (1xx) too, up to bytes that are no response.
    pub responses: Vec<Response>,
    /// The lines that the handler has logged, at most 200.
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

    /// The only response, interim ones (1xx) aside.
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

    /// The only request.
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
