//! [`handler_fn`]: a handler from a closure.

use std::fmt;

use super::RequestHandler;
use crate::{Exchange, Result};

/// Makes a handler from a closure, for a test or a small program.
///
/// The closure gets the handler on which it can call hooks, and the exchange. With a [`Layer`](crate::Layer), it gets
/// the outermost handler. The closure answers every method, as [`do_method`](RequestHandler::do_method) does. The
/// handler speaks HTTP/1.0 by default.
///
/// ```
/// use servette::{Status, handler_fn, respond};
///
/// let handler = handler_fn(|_, x| x.send_content(Status::OK, "text/plain", x.path.as_bytes()));
/// assert!(respond(&handler, "GET /hi HTTP/1.0\r\n\r\n").ends_with(b"\r\n\r\n/hi"));
/// ```
pub fn handler_fn<F>(f: F) -> HandlerFn<F>
where
    F: Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()>,
{
    HandlerFn {
        f,
        protocol_version: "HTTP/1.0",
        is_quiet: false,
    }
}

/// A handler from a closure; returned by [`handler_fn`].
///
/// ```
/// use servette::{Status, handler_fn, respond};
///
/// let hello = handler_fn(|_, x| x.send_content(Status::OK, "text/plain", "hello"));
/// let hello = hello.protocol_version("HTTP/1.1").quiet();
/// assert!(respond(&hello, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").starts_with(b"HTTP/1.1 200 OK"));
/// ```
#[derive(Clone, Copy)]
pub struct HandlerFn<F> {
    f: F,
    protocol_version: &'static str,
    is_quiet: bool,
}

impl<F> HandlerFn<F> {
    /// Sets the HTTP version of the responses, such as `HTTP/1.1`. Default: `HTTP/1.0`. See
    /// [`RequestHandler::protocol_version`].
    pub fn protocol_version(self, version: &'static str) -> Self {
        HandlerFn {
            protocol_version: version,
            ..self
        }
    }

    /// Turns logging off.
    pub fn quiet(self) -> Self {
        HandlerFn {
            is_quiet: true,
            ..self
        }
    }
}

impl<F> RequestHandler for HandlerFn<F>
where
    F: Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()>,
{
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.layers() {
            None => (self.f)(self, x),
            Some(outermost) => (self.f)(outermost, x),
        }
    }

    fn protocol_version(&self) -> &str {
        self.protocol_version
    }

    fn log_message(&self, x: &Exchange<'_>, message: fmt::Arguments<'_>) {
        if !self.is_quiet {
            super::log_message(self, x, message);
        }
    }
}

impl<F> fmt::Debug for HandlerFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerFn")
            .field("protocol_version", &self.protocol_version)
            .finish_non_exhaustive()
    }
}
