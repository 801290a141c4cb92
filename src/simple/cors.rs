//! CORS: scripts in pages of other origins may read what is served
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use super::{ServeFiles, outermost};
use crate::{Exchange, Result, Status, base};

/// Fields of every response: who may read it, and which of its fields besides the usual ones.
const OF_ANSWERS: [(&str, &str); 2] = [
    ("Access-Control-Allow-Origin", "*"),
    (
        "Access-Control-Expose-Headers",
        "Accept-Ranges, Content-Encoding, Content-Length, Content-Range, ETag",
    ),
];

/// Further fields of the response to a preflight.
const OF_PREFLIGHTS: [(&str, &str); 3] = [
    ("Access-Control-Allow-Methods", "GET, HEAD"),
    (
        "Access-Control-Allow-Headers",
        "Range, If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, Content-Type",
    ),
    ("Access-Control-Max-Age", "86400"),
];

/// Ends the response head, and adds the fields of [`SimpleHandler::cors`](super::SimpleHandler::cors) if that is on.
/// This is the [`end_headers`](crate::RequestHandler::end_headers) of [`SimpleHandler`](super::SimpleHandler); a
/// handler that embeds one calls it from its own.
///
/// # Errors
/// Those of [`base::end_headers`].
pub fn end_headers<H: ServeFiles + ?Sized>(handler: &H, x: &mut Exchange<'_>) -> Result<()> {
    if handler.files().site().has_cors {
        let outermost = outermost(handler, x);
        for (name, value) in OF_ANSWERS {
            outermost.send_header(x, name, value);
        }
    }
    base::end_headers(handler, x)
}

/// Answers OPTIONS, a preflight or not.
pub(super) fn answer_options(handler: &dyn ServeFiles, x: &mut Exchange<'_>) -> Result<()> {
    let has = |name| x.headers.get(name).is_some();
    let is_preflight = has("Origin") && has("Access-Control-Request-Method");
    handler.send_response(x, Status::NO_CONTENT);
    handler.send_header(x, "Allow", handler.files().site().methods());
    if is_preflight {
        for (name, value) in OF_PREFLIGHTS {
            handler.send_header(x, name, value);
        }
    }
    handler.end_headers(x)
}
