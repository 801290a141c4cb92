//! Handlers that hand an exchange on to another one: routers.

use super::outcome;
use crate::error::guarded;
use crate::exchange::{Context, Exchange};
use crate::{RequestHandler, Result};

impl Exchange<'_> {
    /// Lets another handler respond, with its own hooks: for routers, mounts and virtual hosts.
    ///
    /// `branch.do_method(x)` would keep the hooks of the router instead: whatever `branch` calls on `x` would be a hook of
    /// the router. Fields that were sent before the response, and [`data`](Self::data), stay. The branch logs to the log of
    /// the outermost handler, whose `log_request` and `log_line` apply unless the branch overrides them.
    ///
    /// An error, a panic, and `Ok` without a response are answered here, with the error page of the branch, as those of a
    /// handler that the server was given; then this is `Ok`.
    ///
    /// ```
    /// use servette::{Exchange, RequestHandler, Result, SimpleHandler, Status, respond};
    ///
    /// struct Hosts {
    ///     one: SimpleHandler,
    ///     two: SimpleHandler,
    /// }
    ///
    /// impl RequestHandler for Hosts {
    ///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
    ///         match x.host() {
    ///             Some("one.example") => x.delegate_to(&self.one),
    ///             Some("two.example") => x.delegate_to(&self.two),
    ///             _ => x.send_error(Status::MISDIRECTED_REQUEST),
    ///         }
    ///     }
    /// }
    ///
    /// let hosts = Hosts { one: SimpleHandler::new("one"), two: SimpleHandler::new("two") };
    /// let answer = respond(&hosts, "GET / HTTP/1.1\r\nHost: three.example\r\n\r\n");
    /// assert!(answer.starts_with(b"HTTP/1.0 421 "));
    /// ```
    ///
    /// # Errors
    /// That of the branch, if its response has begun or the client has left; that of its error page; and one where handlers hand
    /// the exchange on in a circle, some 64 calls deep.
    pub fn delegate_to(&mut self, branch: &dyn RequestHandler) -> Result<()> {
        let context = Context {
            handler: branch,
            is_layered: true,
            is_branch: true,
            scope: self.context.scope,
        };
        let nesting = self.nest()?;
        let mut x = self.reborrow();
        x.context = &context;
        let result =
            guarded(|| branch.do_method(&mut x)).and_then(|()| x.channel().check_answered());
        x.unwound(nesting);
        outcome::note_panic(&x, &result);
        match result {
            Err(error) if outcome::is_answerable(&x, &error) => {
                outcome::answer_error(branch, &mut x, &error)
            }
            other => other,
        }
    }
}
