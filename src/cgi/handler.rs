//! [`CgiHandler`]: runs scripts and serves files, with the options for both.

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

/// Runs the CGI scripts in some directories, and serves all other files: the counterpart of Python's
/// `CGIHTTPRequestHandler`.
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
/// A script gets a clean environment, runs as `nobody` if the server is root, and is killed when it exceeds a time
/// limit or its client disconnects. Clones share the count of running scripts. To override hooks, put the handler
/// into a [`Layer`](crate::Layer); see [`RunScripts`].
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

    /// Sets the script directories, as request paths at any depth, such as `/sub/dir/cgi-bin`. No file in them is
    /// ever sent. With `/` the whole site consists of scripts. Default: `/cgi-bin` and `/htbin`.
    ///
    /// # Panics
    /// As [`with_cgi_directory`](Self::with_cgi_directory).
    #[must_use]
    pub fn with_cgi_directories<S: AsRef<str>>(
        mut self,
        directories: impl IntoIterator<Item = S>,
    ) -> Self {
        self.cgi_directories.clear();
        let add = |handler: Self, directory: S| handler.with_cgi_directory(directory);
        directories.into_iter().fold(self, add)
    }

    /// Adds a script directory.
    ///
    /// ```
    /// let handler = servette::CgiHandler::new(".").with_cgi_directory("/tools/cgi");
    /// assert_eq!(handler.cgi_directories(), ["/cgi-bin", "/htbin", "/tools/cgi"]);
    /// ```
    ///
    /// # Panics
    /// If it is empty (`/` is the whole site), or contains `.` or `..`.
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

    /// Sets the program that runs files with this suffix if they are not executable. The suffix may be given with its
    /// dot or without: `.py`, `py`. A program without a slash is looked up in the `PATH` of this process at once.
    /// Default: none; such files are answered with 403.
    ///
    /// This applies to script directories only. Elsewhere a file with the suffix is sent with its source.
    ///
    /// # Panics
    /// If no file name can have this suffix, as [`SimpleHandler::extension`].
    #[track_caller]
    pub fn interpreter(mut self, suffix: &str, program: impl AsRef<Path>) -> Self {
        let suffix = values::given(values::suffix(suffix));
        self.interpreters.insert(suffix, look_up(program.as_ref()));
        self
    }

    /// Sets the names of the script that answers for a directory, such as `/cgi-bin/`, and for each directory below
    /// it. The first one that is a regular file answers. Default: none; a request for a directory is answered with
    /// 403.
    #[must_use]
    pub fn with_index_scripts<S: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Self {
        self.index_scripts = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether output is sent while the client is still sending the request body. Default: false.
    ///
    /// By default, output waits until the script has received the whole body, has closed its standard input or its
    /// output, or more than 64 KiB of output wait. Many clients (LWP, and proxies such as HAProxy, Caddy and nginx)
    /// send the whole request before they read: they lose an early response, or both sides wait for each other. If
    /// the client stops sending meanwhile, it gets a complete response, 400 or 408.
    ///
    /// This makes no difference for chunked bodies, because the server receives them completely before it starts the
    /// script.
    pub fn full_duplex(mut self, full_duplex: bool) -> Self {
        self.full_duplex = full_duplex;
        self
    }

    /// Sets whether `SERVER_NAME` and `SERVER_PORT` come from the `Host` field, or the host of an absolute request
    /// target (Apache: `UseCanonicalName Off`). Default: false; they are the name and port that the server is bound
    /// to, which are also used for requests without a host.
    ///
    /// A host without a port means port 80, or 443 over HTTPS or if [`env`](Self::env) sets `HTTPS` to `on`.
    ///
    /// Use this for scripts that make links from these variables, behind a proxy that passes known hosts only: a
    /// client can write any name into `Host`.
    pub fn server_name_from_host(mut self, from_host: bool) -> Self {
        self.server_name_from_host = from_host;
        self
    }

    /// Sets whether scripts get requests with any method, not only GET, HEAD and POST. Default: false.
    pub fn every_method(mut self, every: bool) -> Self {
        self.every_method = every;
        self
    }

    /// Sets whether scripts get the fields `Authorization` and `Proxy-Authorization`, and with them passwords.
    /// Default: false.
    pub fn pass_authorization(mut self, pass: bool) -> Self {
        self.pass_authorization = pass;
        self
    }

    /// Sets whether the words of a query without `=` become arguments of the script (RFC 3875, 4.4). Default: false,
    /// because a program may take them for options.
    pub fn query_arguments(mut self, pass: bool) -> Self {
        self.query_arguments = pass;
        self
    }

    /// Sets whether scripts run as the user of the server, even if that is root. Default: false; a server that is
    /// root runs scripts as `nobody`, and answers with 500 if there is no such user.
    pub fn run_as_server_user(mut self, same: bool) -> Self {
        self.as_server_user = same;
        self
    }

    /// Sets the `PATH` of scripts. Default: `/usr/local/bin:/usr/bin:/bin`.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<OsString>) -> Self {
        self.path = path.into();
        self
    }

    /// Passes a variable of the server's environment to scripts, if it is set. Default: none. May be called several
    /// times.
    pub fn inherit_env(mut self, name: impl Into<OsString>) -> Self {
        self.inherit.push(name.into());
        self
    }

    /// Sets an environment variable for all scripts. The variables of a request, such as `QUERY_STRING`, win over it.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets how long a script may neither write output nor read input before it is killed. The client then gets 504,
    /// or a truncated response if it has begun. Time in which the server waits for the client does not count.
    /// Default: 60 s.
    #[must_use]
    pub fn with_silence_timeout(mut self, timeout: Duration) -> Self {
        self.silence_timeout = timeout;
        self
    }

    /// Sets how long a script may run in all before it is killed, as above. Default: `None`, no limit.
    #[must_use]
    pub fn with_total_deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.total_deadline = deadline.into();
        self
    }

    /// Sets the maximum size of a script's response head in bytes; a larger one is answered with 502. Default:
    /// 65,536.
    #[must_use]
    pub fn with_max_output_head(mut self, bytes: usize) -> Self {
        self.max_output_head = bytes;
        self
    }

    /// Sets the maximum number of scripts that run at the same time; further requests are answered with 503. Default:
    /// 64.
    #[must_use]
    pub fn with_max_scripts(mut self, scripts: usize) -> Self {
        self.max_scripts = scripts;
        self
    }

    /// Sets the maximum size of a request body in bytes; a larger one is answered with 413. Chunked bodies of more
    /// than 128 KiB are stored in a temporary file. Default: 1 GiB; `None` for no limit.
    #[must_use]
    pub fn with_max_body(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.max_body = bytes.into();
        self
    }

    /// Returns the script directories.
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

impl Sealed for CgiHandler {
    fn dyn_files(&self) -> &dyn ServeFiles {
        self
    }
}

impl RunScripts for CgiHandler {
    fn cgi(&self) -> &CgiHandler {
        self
    }

    fn dyn_scripts(&self) -> &dyn RunScripts {
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
