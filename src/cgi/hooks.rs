//! [`RunScripts`]: the hooks of handlers that run CGI scripts.

use std::path::Path;

use super::{CgiHandler, CgiInfo, RemoteUser};
use crate::{Exchange, Result, ServeFiles, cgi};

/// The hooks of a handler that runs CGI scripts: the methods of Python's `CGIHTTPRequestHandler`.
///
/// [`CgiHandler`] implements them. To override some, implement [`Layer`](crate::Layer) around it, which has all these hooks.
/// This handler lets only authenticated users run scripts, and tells the scripts who they are:
///
/// ```no_run
/// use servette::cgi::RemoteUser;
/// use servette::{CgiHandler, Exchange, Layer, RequestHandler, Result, RunScripts, Status};
///
/// struct Members(CgiHandler);
///
/// impl Layer for Members {
///     fn inner(&self) -> &dyn RequestHandler {
///         &self.0
///     }
///     fn remote_user(&self, x: &Exchange<'_>) -> Option<RemoteUser> {
///         let is_known = x.headers.get("Authorization") == Some("Basic YW5uYTpzZWNyZXQ=");
///         is_known.then(|| RemoteUser::new("Basic", "anna"))
///     }
///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
///         if Layer::remote_user(self, x).is_none() {
///             x.send_header("WWW-Authenticate", "Basic realm=\"members\"");
///             return x.send_error(Status::UNAUTHORIZED);
///         }
///         self.0.do_method(x)
///     }
/// }
/// ```
#[doc(alias = "CGIHTTPRequestHandler")]
pub trait RunScripts: ServeFiles {
    /// Returns the [`CgiHandler`] with the options of this handler.
    fn cgi(&self) -> &CgiHandler;

    /// Answers POST: runs the script, or answers with 501 if the path names none.
    ///
    /// # Errors
    /// Those of [`run_cgi`](Self::run_cgi).
    #[doc(alias = "do_POST")]
    fn do_post(&self, x: &mut Exchange<'_>) -> Result<()> {
        cgi::do_post(self, x)
    }

    /// Splits a request path, which may have a query, after the script directory. Returns `None` if the path is not below a
    /// script directory; the request is then one for a file. (Python's `is_cgi`.)
    #[doc(alias = "cgi_info")]
    fn is_cgi(&self, path: &str) -> Option<CgiInfo> {
        cgi::is_cgi(self, path)
    }

    /// Returns whether the server may execute a file. A file that it may not execute is run by its
    /// [interpreter](CgiHandler::interpreter), or answered with 403.
    fn is_executable(&self, path: &Path) -> bool {
        cgi::is_executable(self, path)
    }

    /// Returns whether a file is a Python script, by its suffix: `.py` or `.pyw`. If it is not executable, it is run by the
    /// [interpreter](CgiHandler::interpreter) for `.py`.
    fn is_python(&self, path: &Path) -> bool {
        cgi::is_python(self, path)
    }

    /// Returns the user that this handler has authenticated, for the variables `AUTH_TYPE` and `REMOTE_USER` of the script.
    /// Default: `None`; both are unset.
    fn remote_user(&self, x: &Exchange<'_>) -> Option<RemoteUser> {
        cgi::remote_user(self, x)
    }

    /// Runs the script that `info` names, and answers with its output. A path without a script is answered with 404 or 403.
    ///
    /// # Errors
    /// 500 if the script can't be started, 502 if its output is no CGI response, 503 if too many scripts are running, 504
    /// after a timeout, 413 and 431 for a request that is too large; and the errors of [`rfile`](crate::RequestBody) and
    /// [`wfile`](crate::ResponseWriter). The script is killed after an error.
    fn run_cgi(&self, x: &mut Exchange<'_>, info: &CgiInfo) -> Result<()> {
        cgi::run_cgi(self, x, info)
    }

    // Returns this handler.
    #[doc(hidden)]
    fn dyn_scripts(&self) -> &dyn RunScripts;
}
