//! Default implementations of the hooks that write the head. Each exists twice: inlined for a handler without layers,
//! where the compiler evaluates the checks of constant names and statuses, and out of line for layers.

use std::io::{self, Write};

use super::RequestHandler;
use crate::{Error, Exchange, Result, Status};

#[inline(always)]
pub(super) fn content<H: RequestHandler + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    status: Status<'_>,
    content_type: &str,
    body: &[u8],
) -> Result<()> {
    if status.code() < 200 {
        return Err(interim_content());
    }
    h.send_response(x, status);
    if !content_type.is_empty() {
        h.send_header(x, "Content-Type", content_type);
    }
    if status.has_content() {
        h.send_header(x, "Content-Length", itoa::Buffer::new().format(body.len()));
    }
    h.end_headers(x)?;
    Ok(x.wfile.write_all(body)?)
}

#[cold]
fn interim_content() -> Error {
    let what = "a 1xx response has no content: send it with send_response_only and end_headers";
    io::Error::new(io::ErrorKind::InvalidInput, what).into()
}

#[cold]
pub(super) fn content_of_layers(
    h: &dyn RequestHandler,
    x: &mut Exchange<'_>,
    status: Status<'_>,
    content_type: &str,
    body: &[u8],
) -> Result<()> {
    content(h, x, status, content_type, body)
}

#[inline(always)]
pub(super) fn response<H: RequestHandler + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    status: Status<'_>,
) {
    h.log_request(x, status.code(), None);
    h.send_response_only(x, status);
    h.send_header(x, "Server", &h.version_string());
    h.send_header(x, "Date", &h.date_time_string(None));
}

#[cold]
pub(super) fn response_of_layers(h: &dyn RequestHandler, x: &mut Exchange<'_>, status: Status<'_>) {
    response(h, x, status);
}

#[inline(always)]
pub(super) fn status_line<H: RequestHandler + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    status: Status<'_>,
) {
    let code = status.code();
    let reason = match status.message() {
        Some(message) => message,
        None => h.responses(code).map_or("", |(phrase, _)| phrase),
    };
    let mut out = x.channel().out.borrow_mut();
    out.status_line(x.context.scope.version, code, reason);
}

#[cold]
pub(super) fn status_line_of_layers(
    h: &dyn RequestHandler,
    x: &mut Exchange<'_>,
    status: Status<'_>,
) {
    status_line(h, x, status);
}
