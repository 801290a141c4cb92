//! The hooks of the outermost handler, as methods of [`Exchange`].

use std::fmt;

use super::Exchange;
use crate::{Error, RequestHandler, Result, Status};

/// The deepest nesting of calls of hooks. About five levels are usual.
const DEEPEST: u8 = 64;
const TOO_DEEP: &str = "hooks call each other without end";

/// The hooks of the outermost handler, which Python calls on `self`.
///
/// Call a hook on the exchange, such as `x.send_header(..)`: it calls the outermost handler, so the overrides of a
/// subclass or of middleware ([`Layer`](crate::Layer)) apply. `self.send_header(x, ..)` calls the hook of `self` alone.
///
/// A handler sends one response: a second `send_error`, `send_content`, `send_response` or another method that sends a
/// response is [an error](Exchange).
impl<'a> Exchange<'a> {
    /// Returns the outermost handler: the handler of the server, or of [`delegate_to`](Self::delegate_to).
    pub fn handler(&self) -> &'a dyn RequestHandler {
        self.context.handler
    }

    /// Logs an error and sends an error page with this status; see [`RequestHandler::send_error`].
    ///
    /// # Errors
    /// Errors of [`RequestHandler::send_error`].
    pub fn send_error(&mut self, status: Status<'_>) -> Result<()> {
        self.nested(|h, x| h.send_error(x, status))
    }

    /// Sends a complete response; see [`RequestHandler::send_content`].
    ///
    /// # Errors
    /// Errors of [`RequestHandler::send_content`].
    pub fn send_content(
        &mut self,
        status: Status<'_>,
        content_type: &str,
        body: impl AsRef<[u8]>,
    ) -> Result<()> {
        self.nested(|h, x| h.send_content(x, status, content_type, body.as_ref()))
    }

    /// Starts the response with its status line, `Server` and `Date`; see [`RequestHandler::send_response`].
    pub fn send_response(&mut self, status: Status<'_>) {
        self.note_nested(|h, x| h.send_response(x, status));
    }

    /// Starts the response with its status line alone; see [`RequestHandler::send_response_only`].
    pub fn send_response_only(&mut self, status: Status<'_>) {
        self.note_nested(|h, x| h.send_response_only(x, status));
    }

    /// Adds a header field to the response; see [`RequestHandler::send_header`].
    pub fn send_header(&mut self, name: &str, value: &str) {
        self.note_nested(|h, x| h.send_header(x, name, value));
    }

    /// Adds a header field whose value is bytes, for example from another server. Bytes beyond ASCII are sent
    /// unchanged.
    ///
    /// ```
    /// use servette::{Status, handler_fn, respond};
    ///
    /// let handler = handler_fn(|_, x| {
    ///     x.send_header_bytes("X-Name", b"caf\xe9");
    ///     x.send_content(Status::OK, "text/plain", "")
    /// });
    /// let answer = respond(&handler, "GET / HTTP/1.0\r\n\r\n");
    /// assert!(answer.windows(16).any(|part| part == b"X-Name: caf\xe9\r\n\r\n"));
    /// ```
    pub fn send_header_bytes(&mut self, name: &str, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok(text) if value.is_ascii() => self.send_header(name, text),
            // Text is sent as Latin-1: the numbers of its characters are the bytes.
            _ => self.send_header(
                name,
                &value.iter().copied().map(char::from).collect::<String>(),
            ),
        }
    }

    /// Ends the head of the response; see [`RequestHandler::end_headers`].
    ///
    /// # Errors
    /// Errors of [`RequestHandler::end_headers`].
    pub fn end_headers(&mut self) -> Result<()> {
        self.nested(|h, x| h.end_headers(x))
    }

    /// Passes the head of the response to `wfile`; see [`RequestHandler::flush_headers`].
    ///
    /// # Errors
    /// Errors of [`RequestHandler::flush_headers`].
    pub fn flush_headers(&mut self) -> Result<()> {
        self.nested(|h, x| h.flush_headers(x))
    }

    /// Logs a request; see [`RequestHandler::log_request`].
    pub fn log_request(&self, code: u16, size: Option<u64>) {
        self.look_nested(|h| h.log_request(self, code, size));
    }

    /// Logs an error; see [`RequestHandler::log_error`].
    pub fn log_error(&self, message: fmt::Arguments<'_>) {
        self.look_nested(|h| h.log_error(self, message));
    }

    /// Logs a message; see [`RequestHandler::log_message`].
    pub fn log_message(&self, message: fmt::Arguments<'_>) {
        self.look_nested(|h| h.log_message(self, message));
    }

    /// Returns the outermost handler, if hooks must be called on it instead of on the running handler.
    #[inline(always)]
    pub(crate) fn layers(&self) -> Option<&'a dyn RequestHandler> {
        match self.context.is_layered {
            true => Some(self.context.handler),
            false => None,
        }
    }

    /// Calls a hook. Fails if hooks call each other recursively, because a client could overflow the stack that way.
    fn nested<T>(
        &mut self,
        call: impl FnOnce(&dyn RequestHandler, &mut Self) -> Result<T>,
    ) -> Result<T> {
        let before = self.enter().ok_or_else(|| Error::other(TOO_DEEP))?;
        let result = call(self.context.handler, self);
        self.context.scope.depth.set(before);
        result
    }

    /// Calls a hook that returns nothing. If the calls are nested too deep, the end of the head fails.
    fn note_nested(&mut self, call: impl FnOnce(&dyn RequestHandler, &mut Self)) {
        match self.enter() {
            Some(before) => {
                call(self.context.handler, self);
                self.context.scope.depth.set(before);
            }
            None => self.channel().out.borrow_mut().fail(TOO_DEEP),
        }
    }

    /// Calls a hook that only reads the exchange. If the calls are nested too deep, it is not called.
    fn look_nested(&self, call: impl FnOnce(&dyn RequestHandler)) {
        if let Some(before) = self.enter() {
            call(self.context.handler);
            self.context.scope.depth.set(before);
        }
    }

    /// Enters a call and returns the depth before it; `None` if the calls are nested too deep.
    fn enter(&self) -> Option<u8> {
        let depth = &self.context.scope.depth;
        let before = depth.get();
        (before < DEEPEST).then(|| depth.replace(before + 1))
    }

    /// Enters a call of another handler, and returns the state before it.
    pub(crate) fn nest(&self) -> Result<Nesting> {
        let scope = self.context.scope;
        let is_logging = scope.is_logging.get();
        let is_logging_request = scope.is_logging_request.get();
        let depth = self.enter().ok_or_else(|| Error::other(TOO_DEEP))?;
        Ok(Nesting {
            depth,
            is_logging,
            is_logging_request,
        })
    }

    /// Restores the state before a call, also after an error or a panic.
    pub(crate) fn unwound(&self, nesting: Nesting) {
        let scope = self.context.scope;
        scope.depth.set(nesting.depth);
        scope.is_logging.set(nesting.is_logging);
        scope.is_logging_request.set(nesting.is_logging_request);
        scope.logged_code.set(0);
        scope.logs_page.set(false);
    }
}

/// The depth of nested calls through the exchange, and the flags of logging.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nesting {
    depth: u8,
    is_logging: bool,
    is_logging_request: bool,
}
