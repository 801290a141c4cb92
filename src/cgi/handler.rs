//! [`CgiHandler`]: the attributes of handlers that run scripts, and the ready-made one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::RunScripts;
use super::environment::Variables;
use super::inherited::inherited_descriptors;
use super::process::Permit;
use crate::simple::{self, Content, Sealed, values};
use crate::{Exchange, RequestHandler, Result, ServeFiles, SimpleHandler, cgi};

/// The `PATH` of a script, unless it is given another one.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Runs the scripts in certain directories, and serves the files of the rest: Python's
/// `CGIHTTPRequestHandler`, and its attributes for handlers that embed it.
///
/// ```no_run
/// use servette::{CgiHandler, ThreadingHttpServer};
/// use std::time::Duration;
///
/// let handler = CgiHandler::new("public")
///     .interpreter(".py", "/usr/bin/python3")
///     .env("DATABASE", "/var/lib/app.db")
///     .with_silence_timeout(Duration::from_secs(10));
/// ThreadingHttpServer::bind("127.0.0.1:8000", handler)?.serve_forever()?;
/// # Ok::<(), servette::Error>(())
/// ```
///
/// A script gets a clean environment, runs as nobody if the server is root, and ends with its request:
/// see [`RunScripts::run_cgi`]. Clones of a handler count their scripts together.
#[derive(Clone, Debug)]
#[doc(alias = "CGIHTTPRequestHandler")]
pub struct CgiHandler {
    files: SimpleHandler,
    cgi_directories: Vec<String>,
    interpreters: BTreeMap<String, PathBuf>,
    index_scripts: Vec<String>,
    every_method: bool,
    full_duplex: bool,
    server_name_from_host: bool,
    pass_authorization: bool,
    query_arguments: bool,
    as_server_user: bool,
    path: OsString,
    inherit: Vec<OsString>,
    env: Variables,
    silence_timeout: Duration,
    total_deadline: Option<Duration>,
    max_output_head: usize,
    max_scripts: usize,
    max_body: Option<u64>,
    running: Arc<AtomicUsize>,
    inherited: Vec<u32>,
}

impl CgiHandler {
    /// Serves this directory, and runs the scripts in its `cgi-bin` and `htbin`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        SimpleHandler::new(directory).into()
    }

    /// The directories of scripts, as paths of requests: at any depth, `/sub/dir/cgi-bin`. Below them
    /// no file is ever sent; with `/` none at all. Default: `/cgi-bin`, `/htbin`.
    #[must_use]
    pub fn with_cgi_directories<S: AsRef<str>>(
        mut self,
        directories: impl IntoIterator<Item = S>,
    ) -> Self {
        self.cgi_directories.clear();
        let add = |handler: Self, directory: S| handler.with_cgi_directory(directory);
        directories.into_iter().fold(self, add)
    }

    /// Adds a directory of scripts to them.
    ///
    /// ```
    /// let handler = servette::CgiHandler::new(".").with_cgi_directory("/tools/cgi");
    /// assert_eq!(handler.cgi_directories(), ["/cgi-bin", "/htbin", "/tools/cgi"]);
    /// ```
    ///
    /// # Panics
    /// If it is empty (`/` is the whole directory), or has `.` or `..` in it.
    #[must_use]
    #[track_caller]
    pub fn with_cgi_directory(mut self, directory: impl AsRef<str>) -> Self {
        let directory = values::given(values::directory(directory.as_ref()));
        self.cgi_directories.push(format!("/{directory}"));
        let relative = |directory: &String| PathBuf::from(directory.trim_start_matches('/'));
        let unserved = self.cgi_directories.iter().map(relative).collect();
        self.files.keep_unserved(unserved);
        self
    }

    /// The program that runs files with this suffix (`.py`; the dot may be left out) which are not
    /// executable themselves. A name without a slash is looked up in this process's `PATH` now. Default:
    /// none, so that such files are a 403.
    ///
    /// This holds in the directories of scripts. Elsewhere a file with the suffix is sent as it is, with
    /// its source.
    ///
    /// # Panics
    /// If no name can have this suffix, as [`SimpleHandler::extension`].
    #[track_caller]
    pub fn interpreter(mut self, suffix: &str, program: impl AsRef<Path>) -> Self {
        let suffix = values::given(values::suffix(suffix));
        self.interpreters.insert(suffix, look_up(program.as_ref()));
        self
    }

    /// The names of the script that answers for a directory of scripts, `/cgi-bin/`, and for each
    /// directory below it; the first regular file wins. Default: none, so that such a path is a 403.
    #[must_use]
    pub fn with_index_scripts<S: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Self {
        self.index_scripts = names.into_iter().map(Into::into).collect();
        self
    }

    /// Whether the output of a script is sent while its client still sends the body of the request.
    /// Default: no.
    ///
    /// By default the output waits until the script has got the whole body or has closed its standard
    /// input or its output, or until more than 64 KiB of output wait. Many clients (LWP, and proxies
    /// such as HAProxy, Caddy and nginx) send the whole request before they read: an early answer is
    /// lost, or both sides wait for each other. A body that ends early or stalls is answered with 400 or
    /// 408 then.
    ///
    /// Chunked bodies are complete before the script is started, so this does not matter for them.
    pub fn full_duplex(mut self, full_duplex: bool) -> Self {
        self.full_duplex = full_duplex;
        self
    }

    /// Whether `SERVER_NAME` and `SERVER_PORT` are what the client has addressed, by its `Host` field or
    /// the host of an absolute target (Apache: `UseCanonicalName Off`). A host without a port means 80,
    /// or 443 if [`env`](Self::env) sets `HTTPS` to `on`. Default: no; they are what the server is bound
    /// to, also for a request without a host.
    ///
    /// A client can put any name there. Use it for scripts that make links from these variables, behind
    /// a proxy that passes only known hosts.
    pub fn server_name_from_host(mut self, from_host: bool) -> Self {
        self.server_name_from_host = from_host;
        self
    }

    /// Whether scripts get requests of every method, not only GET, HEAD and POST. Default: no.
    pub fn every_method(mut self, every: bool) -> Self {
        self.every_method = every;
        self
    }

    /// Whether scripts see the fields `Authorization` and `Proxy-Authorization`, and with them
    /// passwords. Default: no.
    pub fn pass_authorization(mut self, pass: bool) -> Self {
        self.pass_authorization = pass;
        self
    }

    /// Whether the words of a query without `=` become arguments of the script (RFC 3875, 4.4). Default:
    /// no, for a program may take them for its options.
    pub fn query_arguments(mut self, pass: bool) -> Self {
        self.query_arguments = pass;
        self
    }

    /// Runs scripts as the user that the server runs as, even if that is root. Default: no; scripts of
    /// a server that is root run as nobody, and are answered with 500 if there is no such user.
    pub fn run_as_server_user(mut self, same: bool) -> Self {
        self.as_server_user = same;
        self
    }

    /// The `PATH` of scripts. Default: `/usr/local/bin:/usr/bin:/bin`.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<OsString>) -> Self {
        self.path = path.into();
        self
    }

    /// Passes a variable of the server's own environment on, if it is set. Default: none.
    pub fn inherit_env(mut self, name: impl Into<OsString>) -> Self {
        self.inherit.push(name.into());
        self
    }

    /// Sets a variable for all scripts. Those of the request win over it.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets the maximum time that a script may neither write output nor read input. Then it is killed, and the client gets
    /// 504, or the connection is dropped if the response has begun. Time that the server waits for the client does not
    /// count: [`Limits::body_timeout`](crate::Limits::body_timeout) bounds that. Default: 60 s.
    #[must_use]
    pub fn with_silence_timeout(mut self, timeout: Duration) -> Self {
        self.silence_timeout = timeout;
        self
    }

    /// Sets the maximum time that a script may run; then it is killed as after the silence timeout. Default: `None`, no
    /// limit.
    #[must_use]
    pub fn with_total_deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.total_deadline = deadline.into();
        self
    }

    /// Sets the maximum size of a script's response head, in bytes; a larger one is answered with 502. Default: 65,536.
    #[must_use]
    pub fn with_max_output_head(mut self, bytes: usize) -> Self {
        self.max_output_head = bytes;
        self
    }

    /// Sets the maximum number of scripts that run at a time; further requests get 503. Default: 64.
    #[must_use]
    pub fn with_max_scripts(mut self, scripts: usize) -> Self {
        self.max_scripts = scripts;
        self
    }

    /// Sets the maximum size of a request body for scripts, in bytes; a larger one is rejected with 413. Chunked bodies are
    /// spooled to disk up to that size. `None` is no limit. Default: 1 GiB.
    #[must_use]
    pub fn with_max_body(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.max_body = bytes.into();
        self
    }

    /// The directories of scripts.
    pub fn cgi_directories(&self) -> &[String] {
        &self.cgi_directories
    }

    pub(super) fn index_scripts(&self) -> &[String] {
        &self.index_scripts
    }

    pub(super) fn is_full_duplex(&self) -> bool {
        self.full_duplex
    }

    pub(super) fn takes_server_name_from_host(&self) -> bool {
        self.server_name_from_host
    }

    pub(super) fn takes_every_method(&self) -> bool {
        self.every_method
    }

    pub(super) fn passes_authorization(&self) -> bool {
        self.pass_authorization
    }

    pub(super) fn passes_query_arguments(&self) -> bool {
        self.query_arguments
    }

    pub(super) fn runs_as_server_user(&self) -> bool {
        self.as_server_user
    }

    pub(super) fn silence_timeout(&self) -> Duration {
        self.silence_timeout
    }

    pub(super) fn total_deadline(&self) -> Option<Duration> {
        self.total_deadline
    }

    pub(super) fn max_output_head(&self) -> usize {
        self.max_output_head
    }

    pub(super) fn max_body(&self) -> Option<u64> {
        self.max_body
    }

    pub(super) fn inherited(&self) -> &[u32] {
        &self.inherited
    }

    pub(super) fn interpreter_for(&self, suffix: &OsStr) -> Option<&Path> {
        let suffix = suffix.to_str()?.to_ascii_lowercase();
        self.interpreters.get(&suffix).map(PathBuf::as_path)
    }

    /// Whether one more script may run at this moment.
    pub(super) fn has_room(&self) -> bool {
        self.running.load(Ordering::SeqCst) < self.max_scripts
    }

    pub(super) fn permit(&self) -> Option<Permit> {
        Permit::take(&self.running, self.max_scripts)
    }

    /// What scripts get beside the variables of a request.
    pub(super) fn base_environment(&self) -> Variables {
        let mut variables = vec![("PATH".into(), self.path.clone())];
        for name in &self.inherit {
            if let Some(value) = std::env::var_os(name) {
                variables.push((name.clone(), value));
            }
        }
        variables.extend_from_slice(&self.env);
        variables
    }
}

fn look_up(program: &Path) -> PathBuf {
    if program.components().count() != 1 || program.is_absolute() {
        return program.to_owned();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|found| found.is_file())
        .unwrap_or_else(|| program.to_owned())
}

impl From<SimpleHandler> for CgiHandler {
    /// Runs scripts beside the files that this handler serves.
    fn from(files: SimpleHandler) -> Self {
        let handler = CgiHandler {
            files,
            cgi_directories: Vec::new(),
            interpreters: BTreeMap::new(),
            index_scripts: Vec::new(),
            every_method: false,
            full_duplex: false,
            server_name_from_host: false,
            pass_authorization: false,
            query_arguments: false,
            as_server_user: false,
            path: PATH.into(),
            inherit: Vec::new(),
            env: Vec::new(),
            silence_timeout: Duration::from_secs(60),
            total_deadline: None,
            max_output_head: 64 << 10,
            max_scripts: 64,
            max_body: Some(1 << 30),
            running: Arc::default(),
            inherited: inherited_descriptors(),
        };
        handler.with_cgi_directories(["/cgi-bin", "/htbin"])
    }
}

impl Sealed for CgiHandler {}

impl RunScripts for CgiHandler {
    fn cgi(&self) -> &CgiHandler {
        self
    }
}

impl ServeFiles for CgiHandler {
    fn files(&self) -> &SimpleHandler {
        &self.files
    }

    fn send_head(&self, x: &mut Exchange<'_>) -> Result<Option<Content>> {
        cgi::send_head(self, x)
    }
}

impl RequestHandler for CgiHandler {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        cgi::do_method(self, x)
    }

    fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        simple::end_headers(self, x)
    }

    fn log_request(&self, x: &Exchange<'_>, code: u16, size: Option<u64>) {
        self.files.log_request(x, code, size);
    }

    fn server_version(&self) -> &str {
        self.files.server_version()
    }

    fn version_string(&self) -> Cow<'_, str> {
        self.files.version_string()
    }

    fn protocol_version(&self) -> &str {
        self.files.protocol_version()
    }

    fn as_files(&self) -> Option<&dyn ServeFiles> {
        Some(self)
    }

    fn as_scripts(&self) -> Option<&dyn RunScripts> {
        Some(self)
    }
}
