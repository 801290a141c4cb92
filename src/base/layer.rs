//! [`Layer`]: middleware and subclasses. Pointers to handlers are layers too.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use super::{Outcome, RequestHandler};
use crate::cgi::RunScripts;
#[cfg(unix)]
use crate::cgi::{self, CgiHandler, CgiInfo, RemoteUser};
use crate::connection::{Connection, Next};
use crate::http1::date::HttpDate;
use crate::simple::{
    Content, Directory, DirectoryListing, FileMetadata, Sealed, ServeFiles, SimpleHandler,
    Visibility,
};
use crate::{Exchange, Result, Status, base};

/// Defines the trait, and implements the handler traits for all layers and `Layer` for all pointers.
macro_rules! layer {
    (
        hooks { $(fn $name:ident($($arg:ident: $type:ty),*) -> $ret:ty;)* }
        files { $(fn $of_files:ident($($file_arg:ident: $file_type:ty),*) -> $file_ret:ty;)* }
        scripts { $(fn $of_scripts:ident($($script_arg:ident: $script_type:ty),*) -> $script_ret:ty;)* }
    ) => {
        /// A handler around another one: middleware around any handler, or a subclass of the handler of files or
        /// scripts.
        ///
        /// A layer overrides some hooks; the inner handler does the rest. `Layer` has all hooks of [`RequestHandler`],
        /// [`ServeFiles`] and [`RunScripts`].
        ///
        /// The inner handler calls the overrides too, as with Python's `self`. Its error pages, redirects and listings
        /// go through them, and so does every hook that it calls on the exchange, such as
        /// [`x.send_header`](Exchange::send_header).
        ///
        /// In an override, `self.0.end_headers(x)` is Python's `super().end_headers()`. Import [`ServeFiles`] or
        /// [`RunScripts`] to call their hooks.
        ///
        /// A subclass:
        ///
        /// ```
        /// use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler, respond};
        ///
        /// struct Site(SimpleHandler);
        ///
        /// impl Layer for Site {
        ///     fn inner(&self) -> &dyn RequestHandler {
        ///         &self.0
        ///     }
        ///     fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        ///         x.send_header("Access-Control-Allow-Origin", "*"); // CORS
        ///         self.0.end_headers(x)
        ///     }
        /// }
        ///
        /// let site = Site(SimpleHandler::new("/no/such/directory"));
        /// let answer = String::from_utf8(respond(&site, "GET / HTTP/1.0\r\n\r\n")).unwrap();
        /// assert!(answer.starts_with("HTTP/1.0 404 File not found\r\n"));
        /// assert!(answer.contains("\r\nAccess-Control-Allow-Origin: *\r\n"));
        /// ```
        ///
        /// Middleware passes a request on with `self.0.do_method(x)`. (A handler that is no `Layer` uses
        /// [`x.delegate_to`](Exchange::delegate_to) for that.) Its own responses have the HTTP version, the `Server` field
        /// and the error page of the inner handler:
        ///
        /// ```
        /// use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler, Status, respond};
        ///
        /// struct Guard<H>(H);
        ///
        /// impl<H: RequestHandler> Layer for Guard<H> {
        ///     fn inner(&self) -> &dyn RequestHandler {
        ///         &self.0
        ///     }
        ///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        ///         match x.headers.get("X-Key") {
        ///             Some("sesame") => self.0.do_method(x),
        ///             _ => x.send_error(Status::FORBIDDEN),
        ///         }
        ///     }
        /// }
        ///
        /// let guard = Guard(SimpleHandler::new("public").with_protocol_version("HTTP/1.1"));
        /// let answer = String::from_utf8(respond(&guard, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")).unwrap();
        /// assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\nServer: SimpleHTTP/"));
        /// ```
        ///
        /// A layer without `inner` does not compile:
        ///
        /// ```compile_fail,E0046
        /// use servette::{Exchange, Layer, SimpleHandler};
        ///
        /// struct Quiet(SimpleHandler);
        ///
        /// impl Layer for Quiet {
        ///     fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
        /// }
        /// ```
        ///
        /// Call hooks on the exchange: `x.send_header(..)`. `self.send_header(x, ..)` is ambiguous, because a layer has
        /// the hook from two traits, `Layer` and `RequestHandler`:
        ///
        /// ```compile_fail,E0034
        /// use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler};
        ///
        /// struct Site(SimpleHandler);
        ///
        /// impl Layer for Site {
        ///     fn inner(&self) -> &dyn RequestHandler {
        ///         &self.0
        ///     }
        ///     fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        ///         self.send_header(x, "X-Site", "1");
        ///         self.0.end_headers(x)
        ///     }
        /// }
        /// ```
        ///
        /// A hook that calls itself through the exchange fails at about 64 nested calls, and the request is answered
        /// with 500.
        ///
        /// A router is not a layer: it passes the exchange on with [`Exchange::delegate_to`], and its branches respond
        /// with their own hooks. Of the hooks of layers around the router, `end_headers` is called for these responses
        /// too, and `log_request` and `log_line` for their log lines.
        #[diagnostic::on_unimplemented(
            message = "`{Self}` is not a handler",
            note = "implement `RequestHandler`, or `Layer` for a handler around another one"
        )]
        #[doc(alias = "middleware")]
        #[doc(alias = "subclass")]
        #[doc(alias = "super")]
        pub trait Layer: Sized {
            /// Returns the inner handler, which does everything that this layer does not override.
            fn inner(&self) -> &dyn RequestHandler;

            /// Serves a connection; see [`RequestHandler::handle`]. It does not call `handle` of the inner handler,
            /// because the outermost handler serves the connection.
            ///
            /// # Errors
            /// Errors of [`RequestHandler::handle`].
            fn handle(&self, conn: &mut Connection) -> Result<Next> {
                base::handle_requests(self, conn)
            }

            /// Reads and answers one request; see [`RequestHandler::handle_one_request`]. It does not call the hook of
            /// the inner handler.
            ///
            /// # Errors
            /// Errors of [`RequestHandler::handle_one_request`].
            fn handle_one_request(&self, conn: &mut Connection) -> Result<()> {
                base::handle_one_request(self, conn)
            }

            /// Called on the outermost layer once at the end of each exchange, also if the request was rejected: for an
            /// access log with status, size and duration. By default it calls the hook of the inner handler.
            ///
            /// An exchange ends when its response is complete, or when its connection is dropped. A download or a
            /// [`ResponseStream`](crate::ResponseStream) may end long after the handler has returned. The hook is then
            /// called by a thread that runs handlers, with an exchange that has the fields of the request and the values
            /// of [`set_data`](Exchange::set_data), and before the next request of the connection. Assignments of the
            /// handler to fields such as `x.path` are not kept. A [deferred](Exchange::defer) request whose client leaves
            /// before the response ends with code 0.
            ///
            /// ```
            /// use servette::base::Outcome;
            /// use servette::{Exchange, Layer, RequestHandler, Status, handler_fn, respond};
            /// use std::sync::Mutex;
            ///
            /// struct AccessLog<H>(H, Mutex<Vec<String>>);
            ///
            /// impl<H: RequestHandler> Layer for AccessLog<H> {
            ///     fn inner(&self) -> &dyn RequestHandler {
            ///         &self.0
            ///     }
            ///     fn end_request(&self, x: &Exchange<'_>, outcome: &Outcome) {
            ///         println!("\"{}\" {outcome}", x.requestline);
            ///         self.1.lock().unwrap().push(format!("{} {}", x.path, outcome.code));
            ///     }
            /// }
            ///
            /// let log = AccessLog(handler_fn(|_, _| Err(Status::GONE.into())), Mutex::default());
            /// respond(&log, "GET /x HTTP/1.0\r\n\r\n");
            /// assert_eq!(*log.1.lock().unwrap(), ["/x 410"]);
            /// ```
            fn end_request(&self, x: &Exchange<'_>, outcome: &Outcome) {
                self.inner().end_request(x, outcome);
            }

            /// Returns the value of the `Server` field; see [`RequestHandler::version_string`]. By default it calls the
            /// hook of the inner handler, or joins the two halves if this layer overrides one of them.
            fn version_string(&self) -> Cow<'_, str> {
                let halves = (self.server_version(), self.sys_version());
                let inner = self.inner();
                match halves == (inner.server_version(), inner.sys_version()) {
                    true => inner.version_string(),
                    false => base::version_string(self),
                }
            }

            /// See [`ServeFiles::entity_tag`]. By default it calls the hook of the inner handler.
            fn entity_tag<'a>(&'a self, path: &Path, file: &'a FileMetadata) -> Option<Cow<'a, str>> {
                self.inner_files().entity_tag(path, file)
            }

            $(
                #[doc = concat!("See [`RequestHandler::", stringify!($name), "`]. By default it calls the hook of the inner handler.")]
                fn $name(&self, $($arg: $type),*) -> $ret {
                    self.inner().$name($($arg),*)
                }
            )*

            $(
                #[doc = concat!("See [`ServeFiles::", stringify!($of_files), "`]. By default it calls the hook of the inner handler.")]
                fn $of_files(&self, $($file_arg: $file_type),*) -> $file_ret {
                    self.inner_files().$of_files($($file_arg),*)
                }
            )*

            $(
                #[cfg(unix)]
                #[doc = concat!("See [`RunScripts::", stringify!($of_scripts), "`]. By default it calls the hook of the inner handler.")]
                fn $of_scripts(&self, $($script_arg: $script_type),*) -> $script_ret {
                    cgi::inside_of(self).$of_scripts($($script_arg),*)
                }
            )*

            // A pointer overrides these in place of `inner`.

            #[doc(hidden)]
            fn has_inner_layer(&self) -> bool {
                true
            }

            #[doc(hidden)]
            fn inner_as_files(&self) -> Option<&dyn ServeFiles> {
                self.inner().as_files()
            }

            #[doc(hidden)]
            fn inner_as_scripts(&self) -> Option<&dyn RunScripts> {
                self.inner().as_scripts()
            }

            #[doc(hidden)]
            fn inner_files(&self) -> &dyn ServeFiles {
                self.inner_as_files().unwrap_or(&*NOTHING)
            }
        }

        impl<L: Layer> RequestHandler for L {
            fn handle(&self, conn: &mut Connection) -> Result<Next> {
                Layer::handle(self, conn)
            }
            fn handle_one_request(&self, conn: &mut Connection) -> Result<()> {
                Layer::handle_one_request(self, conn)
            }
            fn end_request(&self, x: &Exchange<'_>, outcome: &Outcome) {
                Layer::end_request(self, x, outcome);
            }
            fn version_string(&self) -> Cow<'_, str> {
                Layer::version_string(self)
            }
            fn is_layer(&self) -> bool {
                self.has_inner_layer()
            }
            fn as_files(&self) -> Option<&dyn ServeFiles> {
                self.inner_as_files().map(|_| self as _)
            }
            fn as_scripts(&self) -> Option<&dyn RunScripts> {
                self.inner_as_scripts().map(|_| self as _)
            }
            $(
                #[inline(always)]
                fn $name(&self, $($arg: $type),*) -> $ret {
                    Layer::$name(self, $($arg),*)
                }
            )*
        }

        impl<L: Layer> Sealed for L {
            fn dyn_files(&self) -> &dyn ServeFiles {
                self
            }
        }

        impl<L: Layer> ServeFiles for L {
            fn files(&self) -> &SimpleHandler {
                self.inner_files().files()
            }
            fn entity_tag<'a>(&'a self, path: &Path, file: &'a FileMetadata) -> Option<Cow<'a, str>> {
                Layer::entity_tag(self, path, file)
            }
            $(
                fn $of_files(&self, $($file_arg: $file_type),*) -> $file_ret {
                    Layer::$of_files(self, $($file_arg),*)
                }
            )*
        }

        #[cfg(unix)]
        impl<L: Layer> RunScripts for L {
            fn cgi(&self) -> &CgiHandler {
                cgi::inside_of(self).cgi()
            }
            fn dyn_scripts(&self) -> &dyn RunScripts {
                self
            }
            $(
                fn $of_scripts(&self, $($script_arg: $script_type),*) -> $script_ret {
                    Layer::$of_scripts(self, $($script_arg),*)
                }
            )*
        }

        layer!(@pointer [&T] [$(fn $name($($arg: $type),*) -> $ret;)*]);
        layer!(@pointer [Box<T>] [$(fn $name($($arg: $type),*) -> $ret;)*]);
        layer!(@pointer [Arc<T>] [$(fn $name($($arg: $type),*) -> $ret;)*]);
    };
    (@pointer [$pointer:ty] [$(fn $name:ident($($arg:ident: $type:ty),*) -> $ret:ty;)*]) => {
        /// A pointer to a handler calls every hook of that handler.
        impl<T: RequestHandler + ?Sized> Layer for $pointer {
            /// Never called: the handler behind the pointer may be unsized, and can't be returned here.
            fn inner(&self) -> &dyn RequestHandler {
                &*NOTHING
            }
            fn handle(&self, conn: &mut Connection) -> Result<Next> {
                (**self).handle(conn)
            }
            fn handle_one_request(&self, conn: &mut Connection) -> Result<()> {
                (**self).handle_one_request(conn)
            }
            fn end_request(&self, x: &Exchange<'_>, outcome: &Outcome) {
                (**self).end_request(x, outcome);
            }
            fn version_string(&self) -> Cow<'_, str> {
                (**self).version_string()
            }
            fn has_inner_layer(&self) -> bool {
                (**self).is_layer()
            }
            fn inner_as_files(&self) -> Option<&dyn ServeFiles> {
                (**self).as_files()
            }
            fn inner_as_scripts(&self) -> Option<&dyn RunScripts> {
                (**self).as_scripts()
            }
            $(
                #[inline(always)]
                fn $name(&self, $($arg: $type),*) -> $ret {
                    (**self).$name($($arg),*)
                }
            )*
        }
    };
}

layer! {
    hooks {
        fn handle_expect_100(x: &mut Exchange<'_>) -> Result<bool>;
        fn do_method(x: &mut Exchange<'_>) -> Result<()>;
        fn send_error(x: &mut Exchange<'_>, status: Status<'_>) -> Result<()>;
        fn send_content(x: &mut Exchange<'_>, status: Status<'_>, content_type: &str, body: &[u8]) -> Result<()>;
        fn send_response(x: &mut Exchange<'_>, status: Status<'_>) -> ();
        fn send_response_only(x: &mut Exchange<'_>, status: Status<'_>) -> ();
        fn send_header(x: &mut Exchange<'_>, name: &str, value: &str) -> ();
        fn end_headers(x: &mut Exchange<'_>) -> Result<()>;
        fn flush_headers(x: &mut Exchange<'_>) -> Result<()>;
        fn log_request(x: &Exchange<'_>, code: u16, size: Option<u64>) -> ();
        fn log_error(x: &Exchange<'_>, message: fmt::Arguments<'_>) -> ();
        fn log_message(x: &Exchange<'_>, message: fmt::Arguments<'_>) -> ();
        fn log_line(x: &Exchange<'_>, line: &str) -> ();
        fn server_version() -> &str;
        fn sys_version() -> &str;
        fn protocol_version() -> &str;
        fn error_message_format() -> &str;
        fn error_content_type() -> &str;
        fn responses(code: u16) -> Option<(&str, &str)>;
        fn date_time_string(timestamp: Option<SystemTime>) -> HttpDate;
        fn log_date_time_string() -> String;
        fn address_string(x: &Exchange<'_>) -> String;
    }
    files {
        fn do_get(x: &mut Exchange<'_>) -> Result<()>;
        fn do_head(x: &mut Exchange<'_>) -> Result<()>;
        fn send_head(x: &mut Exchange<'_>) -> Result<Option<Content>>;
        fn send_not_found(x: &mut Exchange<'_>, path: &Path) -> Result<Option<Content>>;
        fn list_directory(x: &mut Exchange<'_>, directory: &Directory<'_>) -> Result<Option<Content>>;
        fn listing_page(x: &mut Exchange<'_>, listing: &DirectoryListing<'_>) -> Result<Vec<u8>>;
        fn translate_path(path: &str) -> PathBuf;
        fn visibility(name: &OsStr) -> Visibility;
        fn guess_type(path: &Path) -> Cow<'_, str>;
        fn cache_control(path: &Path) -> Option<Cow<'_, str>>;
        fn copyfile(x: &mut Exchange<'_>, source: Content) -> Result<()>;
    }
    scripts {
        fn do_post(x: &mut Exchange<'_>) -> Result<()>;
        fn is_cgi(path: &str) -> Option<CgiInfo>;
        fn is_executable(path: &Path) -> bool;
        fn is_python(path: &Path) -> bool;
        fn remote_user(x: &Exchange<'_>) -> Option<RemoteUser>;
        fn run_cgi(x: &mut Exchange<'_>, info: &CgiInfo) -> Result<()>;
    }
}

/// The inner handler of a layer without files inside. No file has this name.
static NOTHING: LazyLock<SimpleHandler> = LazyLock::new(|| SimpleHandler::new("\0"));
