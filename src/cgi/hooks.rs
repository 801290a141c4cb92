//! [`RunScripts`]: the hooks of handlers that run scripts.

use std::path::Path;
use std::sync::Arc;

use super::{CgiHandler, CgiInfo, RemoteUser};
use crate::{Exchange, Result, ServeFiles, cgi};

/// What runs scripts: the methods of Python's `CGIHTTPRequestHandler`.
///
/// To subclass: embed a [`CgiHandler`], return it from [`cgi`](Self::cgi) and its files from
/// [`files`](ServeFiles::files), let [`do_method`](crate::RequestHandler::do_method) call
/// [`cgi::do_method`], and [`send_head`](ServeFiles::send_head) call [`cgi::send_head`]. Without the
/// last one a GET of a script is a 404. Then override hooks of the three traits.
///
/// ```no_run
/// use servette::cgi::{self, CgiHandler, RemoteUser, RunScripts};
/// use servette::simple::Content;
/// use servette::{Exchange, RequestHandler, Result, ServeFiles, SimpleHandler, Status};
///
/// struct Members(CgiHandler);
///
/// impl RunScripts for Members {
///     fn cgi(&self) -> &CgiHandler {
///         &self.0
///     }
///
///     fn remote_user(&self, x: &Exchange<'_>) -> Option<RemoteUser> {
///         let is_known = x.headers.get("Authorization") == Some("Basic YW5uYTpzZWNyZXQ=");
///         is_known.then(|| RemoteUser::new("Basic", "anna"))
///     }
/// }
///
/// impl ServeFiles for Members {
///     fn files(&self) -> &SimpleHandler {
///         self.0.files()
///     }
///
///     fn send_head(&self, x: &mut Exchange<'_>) -> Result<Option<Content>> {
///         cgi::send_head(self, x)
///     }
/// }
///
/// impl RequestHandler for Members {
///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
///         match self.remote_user(x) {
///             Some(_) => cgi::do_method(self, x),
///             None => {
///                 self.send_response(x, Status::UNAUTHORIZED);
///                 self.send_header(x, "WWW-Authenticate", "Basic realm=\"members\"");
///                 self.send_header(x, "Content-Length", "0");
///                 self.end_headers(x)
///             }
///         }
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

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: RunScripts + ?Sized> RunScripts for $pointer {
            fn cgi(&self) -> &CgiHandler {
                (**self).cgi()
            }
            fn do_post(&self, x: &mut Exchange<'_>) -> Result<()> {
                (**self).do_post(x)
            }
            fn is_cgi(&self, path: &str) -> Option<CgiInfo> {
                (**self).is_cgi(path)
            }
            fn is_executable(&self, path: &Path) -> bool {
                (**self).is_executable(path)
            }
            fn is_python(&self, path: &Path) -> bool {
                (**self).is_python(path)
            }
            fn remote_user(&self, x: &Exchange<'_>) -> Option<RemoteUser> {
                (**self).remote_user(x)
            }
            fn run_cgi(&self, x: &mut Exchange<'_>, info: &CgiInfo) -> Result<()> {
                (**self).run_cgi(x, info)
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{RequestHandler, SimpleHandler, Status, respond};

    /// Takes down which of its hooks are called.
    struct Counting {
        cgi: CgiHandler,
        called: Mutex<Vec<&'static str>>,
    }

    impl Counting {
        fn note(&self, name: &'static str) {
            self.called.lock().unwrap().push(name);
        }
    }

    impl RunScripts for Counting {
        fn cgi(&self) -> &CgiHandler {
            self.note("cgi");
            &self.cgi
        }
        fn do_post(&self, x: &mut Exchange<'_>) -> Result<()> {
            self.note("do_post");
            self.send_error(x, Status::GONE)
        }
        fn is_cgi(&self, _: &str) -> Option<CgiInfo> {
            self.note("is_cgi");
            None
        }
        fn is_executable(&self, _: &Path) -> bool {
            self.note("is_executable");
            false
        }
        fn is_python(&self, _: &Path) -> bool {
            self.note("is_python");
            false
        }
        fn remote_user(&self, _: &Exchange<'_>) -> Option<RemoteUser> {
            self.note("remote_user");
            None
        }
        fn run_cgi(&self, _: &mut Exchange<'_>, _: &CgiInfo) -> Result<()> {
            self.note("run_cgi");
            Ok(())
        }
    }

    impl ServeFiles for Counting {
        fn files(&self) -> &SimpleHandler {
            self.cgi.files()
        }
    }

    impl RequestHandler for Counting {}

    /// Calls every hook of what it points to.
    struct Caller<H>(H);

    impl<H: RunScripts> RequestHandler for Caller<H> {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            let h = &self.0;
            let info = CgiInfo::of("/cgi-bin/x", h.cgi().cgi_directories()).unwrap();
            h.is_cgi(x.path);
            h.is_executable(Path::new("x"));
            h.is_python(Path::new("x"));
            h.remote_user(x);
            h.run_cgi(x, &info)?;
            h.do_post(x)
        }
    }

    #[test]
    fn pointers_hand_on_every_hook() {
        let counting = || Counting {
            cgi: CgiHandler::new("."),
            called: Mutex::default(),
        };
        let all = [
            "cgi",
            "is_cgi",
            "is_executable",
            "is_python",
            "remote_user",
            "run_cgi",
            "do_post",
        ];
        let request = "GET /x HTTP/1.0\r\n\r\n";
        let (plain, boxed, shared) = (counting(), Box::new(counting()), Arc::new(counting()));
        respond(&Caller(&plain), request);
        assert_eq!(*plain.called.lock().unwrap(), all);
        let caller = Caller(boxed);
        respond(&caller, request);
        assert_eq!(*caller.0.called.lock().unwrap(), all);
        respond(&Caller(shared.clone()), request);
        assert_eq!(*shared.called.lock().unwrap(), all);
    }
}
