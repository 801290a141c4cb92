//! [`RunScripts`]: the hooks of handlers that run scripts.

use std::path::Path;

use super::{CgiHandler, CgiInfo, RemoteUser};
use crate::{Exchange, Result, ServeFiles, cgi};

/// What runs scripts: the methods of Python's `CGIHTTPRequestHandler`.
///
/// [`CgiHandler`] is the ready-made one. To subclass it, implement [`Layer`](crate::Layer), which has all these hooks:
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
    /// The attributes: this handler runs scripts as that one does.
    fn cgi(&self) -> &CgiHandler;

    /// Answers POST: runs a script, and is 501 for everything else.
    ///
    /// # Errors
    /// Those of [`run_cgi`](Self::run_cgi).
    #[doc(alias = "do_POST")]
    fn do_post(&self, x: &mut Exchange<'_>) -> Result<()> {
        cgi::do_post(self, x)
    }

    /// Whether a path (with its query) names a script, and where in it the script's name begins.
    #[doc(alias = "cgi_info")]
    fn is_cgi(&self, path: &str) -> Option<CgiInfo> {
        cgi::is_cgi(self, path)
    }

    /// Whether a file may be executed.
    fn is_executable(&self, path: &Path) -> bool {
        cgi::is_executable(self, path)
    }

    /// Whether a file is a script in Python, by its name: `.py` or `.pyw`. It is then run by the
    /// interpreter for `.py`, if one was named and the file is not executable itself.
    fn is_python(&self, path: &Path) -> bool {
        cgi::is_python(self, path)
    }

    /// Who sent the request, if this handler has checked that: the script's `AUTH_TYPE` and
    /// `REMOTE_USER`. By default nobody is known.
    fn remote_user(&self, x: &Exchange<'_>) -> Option<RemoteUser> {
        cgi::remote_user(self, x)
    }

    /// Runs the script that `info` names, and answers with its output.
    ///
    /// # Errors
    /// A status of the 5xx class if the script can't be started or its output is none; 504 if it
    /// stalls; those of [`rfile`](crate::RequestBody) and [`wfile`](crate::ResponseWriter). The script
    /// does not outlive an error.
    fn run_cgi(&self, x: &mut Exchange<'_>, info: &CgiInfo) -> Result<()> {
        cgi::run_cgi(self, x, info)
    }
}
