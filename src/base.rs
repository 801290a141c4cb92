//! The hooks of a handler, [`RequestHandler`] (Python's `BaseHTTPRequestHandler`), and their default implementations.
//!
//! Every hook has a default implementation, which is a function of the same name in this module. An override of
//! `end_headers` calls `base::end_headers(self, x)` where Python calls `super().end_headers()`.

use std::borrow::Cow;
use std::fmt;
use std::time::{Instant, SystemTime};

use crate::clock;
use crate::connection::cycle::Due;
use crate::connection::kept::Carried;
use crate::connection::observer::Observation;
use crate::connection::{Connection, Next, Readiness};
use crate::exchange::{Context, Exchange, Scope};
use crate::http1::date::HttpDate;
use crate::http1::quote::quoted;
use crate::local_time;
use crate::log::{self, LogFormat, colours};
use crate::{Result, Status, status};

pub use self::closure::{HandlerFn, handler_fn};
pub use self::error_page::{DEFAULT_ERROR_CONTENT_TYPE, DEFAULT_ERROR_MESSAGE};
pub use self::hooks::RequestHandler;
pub use self::layer::Layer;
pub use crate::connection::outcome::Outcome;

mod branch;
mod closure;
mod error_page;
mod head;
mod hooks;
mod layer;
mod log_lines;
mod outcome;

/// Runs an expression in which `$h` is the outermost handler if that is a layer, and otherwise this handler.
macro_rules! outermost {
    ($h:ident, $x:ident => $body:expr) => {
        match $x.layers() {
            None => $body,
            Some($h) => $crate::base::layered(|| $body),
        }
    };
}

/// Runs the code of a layered handler out of line, so that the compiler can inline the common case.
#[cold]
#[inline(never)]
pub(crate) fn layered<T>(body: impl FnOnce() -> T) -> T {
    body()
}

/// The name of the software and the version of this crate, as `server_version` returns them.
macro_rules! software {
    ($name:literal) => {
        concat!($name, "/", env!("CARGO_PKG_VERSION"))
    };
}
pub(crate) use self::error_page::{page_head, page_style};
pub(crate) use software;

const SERVER_VERSION: &str = software!("BaseHTTP");
/// The maximum number of requests that a connection gets answered before other connections are served.
const REQUESTS: usize = 64;
const SYS_VERSION: &str = "servette";

/// Default implementation of [`RequestHandler::handle`].
///
/// # Errors
/// Errors of [`RequestHandler::handle_one_request`], and errors of sending the responses.
pub fn handle<H: RequestHandler + ?Sized>(handler: &H, conn: &mut Connection) -> Result<Next> {
    let next = handle_requests(handler, conn)?;
    conn.flush()?;
    Ok(next)
}

/// Serves a connection whose handler does not override `handle`. It does not flush: the server sends the responses,
/// together with the end of the stream if the connection is closed.
pub(crate) fn handle_requests<H: RequestHandler + ?Sized>(
    handler: &H,
    conn: &mut Connection,
) -> Result<Next> {
    for _ in 0..REQUESTS {
        match conn.poll_request()? {
            Readiness::Pending => return Ok(Next::Park),
            Readiness::Ended => return Ok(Next::Close),
            Readiness::Request => handler.handle_one_request(conn)?,
        }
        if conn.ending().is_some() {
            return Ok(Next::Close);
        }
        if conn.is_unfinished() {
            return Ok(Next::Park);
        }
        if conn.is_one_at_a_time() {
            break;
        }
    }
    Ok(Next::Again)
}

/// Calls the handler of a connection that has something to do. The outcome of the last response is reported first: an
/// override of `handle` might end the connection instead.
pub(crate) fn report_and_handle<H: RequestHandler + ?Sized>(
    handler: &H,
    conn: &mut Connection,
) -> Result<Next> {
    if conn.is_to_report() {
        handler.handle_one_request(conn)?;
        if conn.ending().is_some() {
            return Ok(Next::Close);
        }
    }
    handler.handle(conn)
}

/// Default implementation of [`RequestHandler::handle_one_request`].
///
/// # Errors
/// Errors of the socket before a request has arrived. Later errors are answered or logged.
pub fn handle_one_request<H: RequestHandler + ?Sized>(
    handler: &H,
    conn: &mut Connection,
) -> Result<()> {
    let was_over = conn.is_to_report();
    while conn.wait_request()? == Readiness::Request {
        let is_over = conn.is_to_report();
        answer_one_request(handler, conn);
        // A `handle` that goes on by itself waits for a request, not for the end of the response before.
        if was_over || !is_over {
            break;
        }
    }
    Ok(())
}

/// Answers the request that is there, or reports the outcome of the one before.
#[inline]
fn answer_one_request<H: RequestHandler + ?Sized>(handler: &H, conn: &mut Connection) {
    let Carried {
        data,
        start,
        is_to_log,
    } = conn.take_carried();
    let scope = Scope::new(&handler, conn.version(handler.protocol_version()), data);
    scope.is_to_log.set(is_to_log);
    let context = Context {
        handler: &handler,
        is_layered: handler.is_layer(),
        router: None,
        scope: &scope,
    };
    let is_told = context.is_layered || conn.server().late_format().is_some();
    let start = start.or_else(|| is_told.then(Instant::now));
    conn.exchange(&context, |x, due| {
        match &due {
            Due::Over(outcome) => {
                outcome::tell(handler, x, outcome);
                return false;
            }
            Due::Request => x.channel().observed().tell(Observation::Begun(x, None)),
            Due::Refused(refusal) => x
                .channel()
                .observed()
                .tell(Observation::Begun(x, Some(refusal))),
            // The observer was told when the request arrived.
            Due::Late(_) => false,
        };
        let is_cut = outcome::answer(handler, x, due);
        if let Some(start) = start {
            outcome::tell_if_over(handler, x, start, is_cut);
        }
        is_cut
    });
    conn.carry(|| Carried {
        is_to_log: scope.is_to_log.get(),
        data: scope.data,
        start,
    });
}

/// Default implementation of [`RequestHandler::handle_expect_100`]: returns true.
///
/// # Errors
/// It never fails.
pub fn handle_expect_100<H: RequestHandler + ?Sized>(_: &H, _: &mut Exchange<'_>) -> Result<bool> {
    Ok(true)
}

/// Default implementation of [`RequestHandler::do_method`]: answers with 501.
///
/// # Errors
/// Errors of [`RequestHandler::send_error`].
pub fn do_method<H: RequestHandler + ?Sized>(handler: &H, x: &mut Exchange<'_>) -> Result<()> {
    let message = format!("Unsupported method ({})", quoted(x.command));
    let status = Status::NOT_IMPLEMENTED.with_message(&message);
    outermost!(handler, x => handler.send_error(x, status))
}

/// Default implementation of [`RequestHandler::send_error`].
///
/// # Errors
/// Errors of [`RequestHandler::end_headers`], and errors of writing the page.
pub fn send_error<H: RequestHandler + ?Sized>(
    handler: &H,
    x: &mut Exchange<'_>,
    status: Status<'_>,
) -> Result<()> {
    outermost!(handler, x => error_page::send(handler, x, status))
}

/// Default implementation of [`RequestHandler::send_content`].
///
/// # Errors
/// Errors of [`RequestHandler::end_headers`], and errors of writing the body.
#[inline(always)]
pub fn send_content<H: RequestHandler + ?Sized>(
    handler: &H,
    x: &mut Exchange<'_>,
    status: Status<'_>,
    content_type: &str,
    body: &[u8],
) -> Result<()> {
    match x.layers() {
        None => head::content(handler, x, status, content_type, body),
        Some(handler) => head::content_of_layers(handler, x, status, content_type, body),
    }
}

/// Default implementation of [`RequestHandler::send_response`].
#[inline(always)]
pub fn send_response<H: RequestHandler + ?Sized>(
    handler: &H,
    x: &mut Exchange<'_>,
    status: Status<'_>,
) {
    match x.layers() {
        None => head::response(handler, x, status),
        Some(handler) => head::response_of_layers(handler, x, status),
    }
}

/// Default implementation of [`RequestHandler::send_response_only`].
#[inline(always)]
pub fn send_response_only<H: RequestHandler + ?Sized>(
    handler: &H,
    x: &mut Exchange<'_>,
    status: Status<'_>,
) {
    match x.layers() {
        None => head::status_line(handler, x, status),
        Some(handler) => head::status_line_of_layers(handler, x, status),
    }
}

/// Default implementation of [`RequestHandler::send_header`].
#[inline(always)]
pub fn send_header<H: RequestHandler + ?Sized>(
    _: &H,
    x: &mut Exchange<'_>,
    name: &str,
    value: &str,
) {
    if name.len() == 10 && name.eq_ignore_ascii_case("Connection") {
        note_connection(x, value.trim());
    }
    x.channel().out.borrow_mut().field(name, value);
}

/// Sets `close_connection` by the value of a `Connection` field, as Python does.
#[cold]
fn note_connection(x: &Exchange<'_>, value: &str) {
    if value.eq_ignore_ascii_case("close") {
        x.close_connection.set(true);
    } else if value.eq_ignore_ascii_case("keep-alive") {
        x.close_connection.set(false);
    }
}

/// Default implementation of [`RequestHandler::end_headers`].
///
/// # Errors
/// `InvalidInput` if the head is wrong: a name or value that can't be sent, two lengths, or a field without a status
/// line. Errors of [`RequestHandler::flush_headers`].
pub fn end_headers<H: RequestHandler + ?Sized>(handler: &H, x: &mut Exchange<'_>) -> Result<()> {
    outermost!(handler, x => handler.flush_headers(x))
}

/// Default implementation of [`RequestHandler::flush_headers`].
///
/// # Errors
/// Errors of [`end_headers`], and errors of sending an interim response.
pub fn flush_headers<H: RequestHandler + ?Sized>(_: &H, x: &mut Exchange<'_>) -> Result<()> {
    match x.context.router {
        None => Ok(x.channel().end_fields()?),
        Some(router) => branch::end_headers_of_router(router, x),
    }
}

/// Default implementation of [`RequestHandler::log_request`]. A [`LogFormat`] with status, size and time is written
/// when the request ends.
pub fn log_request<H: RequestHandler + ?Sized>(
    handler: &H,
    x: &Exchange<'_>,
    code: u16,
    size: Option<u64>,
) {
    let scope = x.context.scope;
    // The first handler decides whether requests of its branches are logged, as with their lines.
    if x.context.router.is_some() && !scope.is_logging_request.replace(true) {
        scope.first.log_request(x, code, size);
        return scope.is_logging_request.set(false);
    }
    if x.server.late_format().is_some() {
        return scope.is_to_log.set(true);
    }
    scope.logged_code.set(code);
    outermost!(handler, x => match size {
        Some(size) => handler.log_message(x, format_args!("\"{}\" {code} {size}", x.requestline)),
        None => handler.log_message(x, format_args!("\"{}\" {code} -", x.requestline)),
    });
    scope.logged_code.set(0);
}

/// Default implementation of [`RequestHandler::log_error`].
pub fn log_error<H: RequestHandler + ?Sized>(
    handler: &H,
    x: &Exchange<'_>,
    message: fmt::Arguments<'_>,
) {
    outermost!(handler, x => handler.log_message(x, message));
}

/// Default implementation of [`RequestHandler::log_message`].
pub fn log_message<H: RequestHandler + ?Sized>(
    handler: &H,
    x: &Exchange<'_>,
    message: fmt::Arguments<'_>,
) {
    outermost!(handler, x => match x.server.late_format() {
        None => handler.log_line(x, &log_lines::python(handler, x, message)),
        // The line of the request contains the status.
        Some(_) if x.context.scope.logs_page.get() => {}
        Some(LogFormat::Json) => handler.log_line(x, &log_lines::json_message(handler, x, message)),
        Some(_) => handler.log_line(x, &log_lines::python(handler, x, message)),
    });
}

/// Default implementation of [`RequestHandler::log_line`].
pub fn log_line<H: RequestHandler + ?Sized>(_: &H, x: &Exchange<'_>, line: &str) {
    let scope = x.context.scope;
    // A branch writes to the log of the first handler, unless it overrides this hook.
    if x.context.router.is_some() && !scope.is_logging.replace(true) {
        scope.first.log_line(x, line);
        return scope.is_logging.set(false);
    }
    if x.channel().observed().tell(Observation::Log(line)) {
        return;
    }
    let code = scope.logged_code.get();
    match &x.server.log {
        Some(log) if !log.is_painted() => log.put(line, code != 0),
        _ => match colours::paint(line, code) {
            Some(painted) => log::write_stderr(&painted),
            None => log::write_stderr(line),
        },
    }
}

/// Default implementation of [`RequestHandler::server_version`].
pub fn server_version<H: RequestHandler + ?Sized>(_: &H) -> &'static str {
    SERVER_VERSION
}

/// Default implementation of [`RequestHandler::sys_version`].
pub fn sys_version<H: RequestHandler + ?Sized>(_: &H) -> &'static str {
    SYS_VERSION
}

/// Default implementation of [`RequestHandler::version_string`].
pub fn version_string<H: RequestHandler + ?Sized>(handler: &H) -> Cow<'_, str> {
    match (handler.server_version(), handler.sys_version()) {
        (SERVER_VERSION, SYS_VERSION) => Cow::Borrowed(concat!(software!("BaseHTTP"), " servette")),
        ("", version) | (version, "") => Cow::Borrowed(version),
        (server, sys) => Cow::Owned(format!("{server} {sys}")),
    }
}

/// Default implementation of [`RequestHandler::responses`].
pub fn responses<H: RequestHandler + ?Sized>(
    _: &H,
    code: u16,
) -> Option<(&'static str, &'static str)> {
    status::responses(code)
}

/// Default implementation of [`RequestHandler::protocol_version`]: `HTTP/1.0`.
pub fn protocol_version<H: RequestHandler + ?Sized>(_: &H) -> &'static str {
    "HTTP/1.0"
}

/// Default implementation of [`RequestHandler::error_message_format`]: [`DEFAULT_ERROR_MESSAGE`].
pub fn error_message_format<H: RequestHandler + ?Sized>(_: &H) -> &'static str {
    DEFAULT_ERROR_MESSAGE
}

/// Default implementation of [`RequestHandler::error_content_type`]: [`DEFAULT_ERROR_CONTENT_TYPE`].
pub fn error_content_type<H: RequestHandler + ?Sized>(_: &H) -> &'static str {
    DEFAULT_ERROR_CONTENT_TYPE
}

/// Default implementation of [`RequestHandler::date_time_string`].
pub fn date_time_string<H: RequestHandler + ?Sized>(
    _: &H,
    timestamp: Option<SystemTime>,
) -> HttpDate {
    timestamp.map_or_else(HttpDate::now, HttpDate::from)
}

/// Default implementation of [`RequestHandler::log_date_time_string`].
pub fn log_date_time_string<H: RequestHandler + ?Sized>(_: &H) -> String {
    local_time::log_date(clock::seconds_since_1970())
}

/// Default implementation of [`RequestHandler::address_string`].
pub fn address_string<H: RequestHandler + ?Sized>(_: &H, x: &Exchange<'_>) -> String {
    match x.client_address.ip() {
        Some(ip) => ip.to_string(),
        None => x.client_address.to_string(),
    }
}
