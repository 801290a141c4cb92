//! `--health`: a page for the health checks of balancers.

use servette::base::Outcome;
use servette::{Exchange, Layer, RequestHandler, Result, Status};

/// Answers at one path for the server itself, in front of everything else.
#[derive(Clone, Debug)]
pub(super) struct Health<H> {
    pub(super) path: String,
    pub(super) inner: H,
}

/// The path of `--health`.
pub(super) fn path(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\"".contains(&byte);
    match text.starts_with('/') && text.bytes().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("expected a URL path that begins with / and has no query".into()),
    }
}

impl<H> Health<H> {
    fn is_asked(&self, x: &Exchange<'_>) -> bool {
        let path = x.path.split('?').next();
        path == Some(&*self.path) && matches!(x.command, "GET" | "HEAD")
    }
}

impl<H: RequestHandler> Layer for Health<H> {
    fn inner(&self) -> &dyn RequestHandler {
        &self.inner
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        if !self.is_asked(x) {
            return self.inner.do_method(x);
        }
        x.send_header("Cache-Control", "no-store");
        match x.server.shutdown_handle().is_draining() {
            false => x.send_content(Status::OK, "text/plain", "ok\n"),
            true => x.send_content(Status::SERVICE_UNAVAILABLE, "text/plain", "stopping\n"),
        }
    }

    fn log_request(&self, x: &Exchange<'_>, code: u16, size: Option<u64>) {
        if !self.is_asked(x) {
            self.inner.log_request(x, code, size);
        }
    }

    fn end_request(&self, x: &Exchange<'_>, outcome: &Outcome) {
        if !self.is_asked(x) {
            self.inner.end_request(x, outcome);
        }
    }
}
