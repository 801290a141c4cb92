//! [`Exchange::delegate_to`]: routers, mounts and virtual hosts.

use super::outcome;
use crate::error::guarded;
use crate::exchange::{Context, Exchange};
use crate::{RequestHandler, Result};

/// Ends the head of a branch's response with `end_headers` of the router and of the layers around it, so that a layer
/// around a router can add a field to every response.
#[cold]
pub(super) fn end_headers_of_router(router: &Context<'_>, x: &mut Exchange<'_>) -> Result<()> {
    let mut x = x.reborrow();
    x.context = router;
    router.handler.end_headers(&mut x)
}

impl Exchange<'_> {
    /// Lets another handler respond to the request, with its own hooks: for routers, mounts and virtual hosts.
    ///
    /// Do not call `branch.do_method(x)` instead: then all hooks that the branch calls on `x` are those of the router,
    /// such as its error pages. (In a [`Layer`](crate::Layer), `self.inner.do_method(x)` is right.)
    ///
    /// Three things are shared with the handlers around the branch:
    ///
    /// - Fields that were sent before the response, and [`data`](Self::data), are kept.
    /// - [`end_headers`](RequestHandler::end_headers) of the router, and of layers around it, is called after that of the
    ///   branch, so a layer around a router can add a field to every response. There `x.path` is the path without the
    ///   prefix of a [mount](Self::mount).
    /// - The branch writes to the log of the outermost handler: that handler's `log_request` and `log_line` apply unless
    ///   the branch overrides them.
    ///
    /// If the branch fails, panics or sends no response, its error page is sent and the result is `Ok`.
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
    /// The error of the branch, if its response has begun or the client has disconnected. An error of sending its error
    /// page. An error if handlers delegate in a circle, after about 64 calls.
    pub fn delegate_to(&mut self, branch: &dyn RequestHandler) -> Result<()> {
        let context = Context {
            handler: branch,
            is_layered: true,
            router: Some(self.context),
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
