//! CGI scripts (RFC 3875): the counterpart of Python's `CGIHTTPRequestHandler`.
//!
//! [`CgiHandler`] runs the scripts of a directory and serves its other files. [`RunScripts`] has its hooks; override
//! them with a [`Layer`]. Each function of this module is the default of the hook of the same name:
//! call it from an override where Python calls `super()`.
//!
//! Absent on Windows.

// From a request to a response: `script` (from path to script), `spool` (the request's body), `environment`, `user` and
// `inherited` (what a script gets, and what it does not), `run` (its start), `process` (its end), `transfer` (input and
// output meanwhile), `answer` and `output` (from output to response) and `complaints` (its standard error).

use std::borrow::Cow;
use std::path::Path;
use std::sync::LazyLock;

use rustix::fs::Access;

use crate::simple::{self, Content};
use crate::{Exchange, Layer, RequestHandler, Result, Status};

pub use self::handler::CgiHandler;
pub use self::hooks::RunScripts;
pub use self::inherited::{command_without, inherited_descriptors};
pub use self::script::CgiInfo;

mod answer;
mod complaints;
mod environment;
mod handler;
mod hooks;
mod inherited;
mod output;
mod process;
mod run;
mod script;
mod spool;
mod transfer;
mod user;

/// An authenticated user, for the variables `AUTH_TYPE` and `REMOTE_USER` of a script. See
/// [`RunScripts::remote_user`].
///
/// ```
/// use servette::cgi::RemoteUser;
/// use servette::{CgiHandler, Exchange, Layer, RequestHandler};
///
/// struct Signed(CgiHandler);
///
/// impl Layer for Signed {
///     fn inner(&self) -> &dyn RequestHandler {
///         &self.0
///     }
///     fn remote_user(&self, _: &Exchange<'_>) -> Option<RemoteUser> {
///         Some(RemoteUser::new("Basic", "ada"))
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteUser {
    /// The authentication scheme, such as `Basic`.
    pub auth_type: String,
    /// The name of the user.
    pub name: String,
}

impl RemoteUser {
    /// Makes a user from the authentication scheme and the name.
    pub fn new(auth_type: impl Into<String>, name: impl Into<String>) -> Self {
        RemoteUser {
            auth_type: auth_type.into(),
            name: name.into(),
        }
    }
}

/// The name of the user who sent a request, for the log.
pub(crate) fn user_name<'x, H>(h: &H, x: &'x Exchange<'_>) -> Option<Cow<'x, str>>
where
    H: RequestHandler + ?Sized,
{
    match h.as_scripts().and_then(|h| h.remote_user(x)) {
        Some(user) => Some(user.name.into()),
        None => x.data::<RemoteUser>().map(|user| (&*user.name).into()),
    }
}

/// The handler of scripts inside a layer. In the place of one that is not there, a handler without scripts.
pub(crate) fn inside_of<L: Layer>(layer: &L) -> &dyn RunScripts {
    /// No file has this name.
    static NOTHING: LazyLock<CgiHandler> = LazyLock::new(|| CgiHandler::new("\0"));
    layer.inner_as_scripts().unwrap_or(&*NOTHING)
}

/// Returns the outermost handler if that is a layer around a handler of scripts, and otherwise this handler.
fn outermost<'h, 'x: 'h, H: RunScripts + ?Sized>(
    handler: &'h H,
    x: &Exchange<'x>,
) -> &'h dyn RunScripts {
    let layer = x.layers().and_then(|layer| layer.as_scripts());
    layer.unwrap_or_else(|| handler.dyn_scripts())
}

/// Answers a request as [`CgiHandler`] does. This is its [`do_method`](crate::RequestHandler::do_method); a handler
/// that embeds a [`CgiHandler`] calls it from its own.
///
/// GET, HEAD and POST are answered by [`do_get`](crate::ServeFiles::do_get), [`do_head`](crate::ServeFiles::do_head)
/// and [`do_post`](RunScripts::do_post). A script gets any other method if [`CgiHandler::every_method`] is on;
/// otherwise the answer is 501. A host that is not [allowed](crate::SimpleHandler::with_allowed_hosts) is rejected
/// with 421.
///
/// # Errors
/// Those of the hooks.
pub fn do_method<H: RunScripts + ?Sized>(handler: &H, x: &mut Exchange<'_>) -> Result<()> {
    let handler = outermost(handler, x);
    match x.command {
        _ if !handler.files().allows_host(x) => simple::refuse_host(handler, x),
        "GET" => handler.do_get(x),
        "HEAD" => handler.do_head(x),
        "POST" => handler.do_post(x),
        _ if handler.cgi().takes_every_method() => match handler.is_cgi(x.path) {
            Some(info) => handler.run_cgi(x, &info),
            None => simple::do_method(handler.dyn_files(), x),
        },
        _ => simple::do_method(handler.dyn_files(), x),
    }
}

/// Runs the script that the path names, or else serves a file as [`simple::send_head`] does. This is the
/// [`send_head`](crate::ServeFiles::send_head) of [`CgiHandler`]; a handler that embeds one calls it from its own.
///
/// # Errors
/// Those of [`RunScripts::run_cgi`] and of [`simple::send_head`].
pub fn send_head<H: RunScripts + ?Sized>(
    handler: &H,
    x: &mut Exchange<'_>,
) -> Result<Option<Content>> {
    let handler = outermost(handler, x);
    match handler.is_cgi(x.path) {
        Some(info) => handler.run_cgi(x, &info).map(|()| None),
        None => simple::send_head(handler.dyn_files(), x),
    }
}

/// The default of [`RunScripts::do_post`].
///
/// # Errors
/// Those of [`RunScripts::run_cgi`].
pub fn do_post<H: RunScripts + ?Sized>(handler: &H, x: &mut Exchange<'_>) -> Result<()> {
    let handler = outermost(handler, x);
    match handler.is_cgi(x.path) {
        Some(info) => handler.run_cgi(x, &info),
        None => {
            let status = Status::NOT_IMPLEMENTED.with_message("Can only POST to CGI scripts");
            handler.send_error(x, status)
        }
    }
}

/// The default of [`RunScripts::is_cgi`].
pub fn is_cgi<H: RunScripts + ?Sized>(handler: &H, path: &str) -> Option<CgiInfo> {
    CgiInfo::of(path, handler.cgi().cgi_directories())
}

/// The default of [`RunScripts::is_executable`].
pub fn is_executable<H: RunScripts + ?Sized>(_: &H, path: &Path) -> bool {
    rustix::fs::access(path, Access::EXEC_OK).is_ok()
}

/// The default of [`RunScripts::is_python`].
pub fn is_python<H: RunScripts + ?Sized>(_: &H, path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("py") || extension.eq_ignore_ascii_case("pyw")
    })
}

/// The default of [`RunScripts::remote_user`].
pub fn remote_user<H: RunScripts + ?Sized>(_: &H, _: &Exchange<'_>) -> Option<RemoteUser> {
    None
}

/// The default of [`RunScripts::run_cgi`].
///
/// # Errors
/// Those of [`RunScripts::run_cgi`].
pub fn run_cgi<H: RunScripts + ?Sized>(
    handler: &H,
    x: &mut Exchange<'_>,
    info: &CgiInfo,
) -> Result<()> {
    run::run(outermost(handler, x), x, info)
}
