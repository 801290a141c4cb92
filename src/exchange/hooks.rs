//! The hooks of the outermost handler, as methods of the exchange.

use std::fmt;

use super::Exchange;
use crate::{Error, RequestHandler, Result, Status};

/// So deep hooks may call each other; they do it some five times.
const DEEPEST: u8 = 64;
const TOO_DEEP: &str = "hooks call each other without end";

/// The hooks of the outermost handler: what Python calls on `self`.
///
/// Call hooks here, `x.send_header(..)`: that calls the outermost handler, so the overrides of a subclass or of middleware
/// ([`Layer`](crate::Layer)) apply. `self.send_header(x, ..)` calls the hook of `self` alone.
impl<'a> Exchange<'a> {
    /// The outermost handler: the one that the server, or [`delegate_to`](Self::delegate_to), was given.
    pub fn handler(&self) -> &'a dyn RequestHandler {
        self.context.handler
    }

    /// Answers with an error page; see [`RequestHandler::send_error`].
    ///
    /// # Errors
    /// As there.
    pub fn send_error(&mut self, status: Status<'_>) -> Result<()> {
        self.nested(|h, x| h.send_error(x, status))
    }

    /// Answers with a whole response; see [`RequestHandler::send_content`].
    ///
    /// # Errors
    /// As there.
    pub fn send_content(
        &mut self,
        status: Status<'_>,
        content_type: &str,
        body: impl AsRef<[u8]>,
    ) -> Result<()> {
        self.nested(|h, x| h.send_content(x, status, content_type, body.as_ref()))
    }

    /// Starts a response; see [`RequestHandler::send_response`].
    pub fn send_response(&mut self, status: Status<'_>) {
        self.note_nested(|h, x| h.send_response(x, status));
    }

    /// The status line alone; see [`RequestHandler::send_response_only`].
    pub fn send_response_only(&mut self, status: Status<'_>) {
        self.note_nested(|h, x| h.send_response_only(x, status));
    }

    /// Adds a field; see [`RequestHandler::send_header`].
    pub fn send_header(&mut self, name: &str, value: &str) {
        self.note_nested(|h, x| h.send_header(x, name, value));
    }

    /// Adds a field whose value is bytes, as they come from another server: those beyond ASCII are sent as they are.
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
            // Text is sent as Latin-1, whose characters have the numbers of its bytes.
            _ => self.send_header(
                name,
                &value.iter().copied().map(char::from).collect::<String>(),
            ),
        }
    }

    /// Ends the fields; see [`RequestHandler::end_headers`].
    ///
    /// # Errors
    /// As there.
    pub fn end_headers(&mut self) -> Result<()> {
        self.nested(|h, x| h.end_headers(x))
    }

    /// Hands the head to `wfile`; see [`RequestHandler::flush_headers`].
    ///
    /// # Errors
    /// As there.
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

    /// The outermost handler, if hooks are to be called on it and not on the handler at hand.
    #[inline(always)]
    pub(crate) fn layers(&self) -> Option<&'a dyn RequestHandler> {
        match self.context.is_layered {
            true => Some(self.context.handler),
            false => None,
        }
    }

    /// Calls a hook, unless hooks call each other in a circle: a client could end the process by it.
    fn nested<T>(
        &mut self,
        call: impl FnOnce(&dyn RequestHandler, &mut Self) -> Result<T>,
    ) -> Result<T> {
        let before = self.enter().ok_or_else(|| Error::other(TOO_DEEP))?;
        let result = call(self.context.handler, self);
        self.context.scope.depth.set(before);
        result
    }

    /// The same for a hook that returns nothing: the end of the head fails instead.
    fn note_nested(&mut self, call: impl FnOnce(&dyn RequestHandler, &mut Self)) {
        match self.enter() {
            Some(before) => {
                call(self.context.handler, self);
                self.context.scope.depth.set(before);
            }
            None => self.channel().out.borrow_mut().fail(TOO_DEEP),
        }
    }

    /// The same for a hook that only looks on.
    fn look_nested(&self, call: impl FnOnce(&dyn RequestHandler)) {
        if let Some(before) = self.enter() {
            call(self.context.handler);
            self.context.scope.depth.set(before);
        }
    }

    /// One call deeper; returns how deep it was before.
    fn enter(&self) -> Option<u8> {
        let depth = &self.context.scope.depth;
        let before = depth.get();
        (before < DEEPEST).then(|| depth.replace(before + 1))
    }

    /// Calls another handler, one call deeper; returns how deep it was before.
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

    /// No more calls are nested than these, also after an error or a panic.
    pub(crate) fn unwound(&self, nesting: Nesting) {
        let scope = self.context.scope;
        scope.depth.set(nesting.depth);
        scope.is_logging.set(nesting.is_logging);
        scope.is_logging_request.set(nesting.is_logging_request);
        scope.logged_code.set(0);
        scope.logs_page.set(false);
    }
}

/// How deep calls through the exchange are nested.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nesting {
    depth: u8,
    is_logging: bool,
    is_logging_request: bool,
}
