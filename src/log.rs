//! [`Log`]: where the lines of a server's log go, and in which [`LogFormat`].
//!
//! What a line of a request says is made in `base`, which knows exchanges. Read `output` first: how a line is written
//! without waiting.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use self::output::Output;
use self::sink::Sink;
use crate::clock;
use crate::info::Peer;
use crate::local_time;
use crate::{Error, Result};

pub(crate) mod colours;
mod output;
#[cfg_attr(unix, path = "log/sink/unix.rs")]
#[cfg_attr(windows, path = "log/sink/windows.rs")]
mod sink;
pub(crate) mod text;

/// What a line of the log looks like.
///
/// ```text
/// Python    127.0.0.1 - - [29/Nov/2026 23:16:29] "GET /a HTTP/1.1" 200 -
/// Common    127.0.0.1 - - [29/Nov/2026:23:16:29 +0000] "GET /a HTTP/1.1" 200 12
/// Combined  127.0.0.1 - - [29/Nov/2026:23:16:29 +0000] "GET /a HTTP/1.1" 200 12 "-" "curl/8.14.1"
/// Json      {"time":"2026-11-29T23:16:29.123Z","client":"127.0.0.1","user":null,"method":"GET","target":"/a",
///            "version":"1.1","status":200,"bytes":12,"ms":0.214,"referer":null,"agent":"curl/8.14.1","host":"a.example"}
/// ```
///
/// Python's line is written when the response starts, the others at its end. In those the size is that of the body as it
/// was sent, without the head; `-` (Python's line: always) where nothing was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// The line of Python's `http.server`.
    #[default]
    Python,
    /// NCSA's common log format: with the size of the body and the time zone.
    Common,
    /// The same, with the fields `Referer` and `User-Agent`: what Apache and nginx write, and GoAccess reads.
    Combined,
    /// An object of JSON in one line.
    Json,
}

/// The log of a server: a [`LogFormat`], and stderr or a file; given to [`Builder::log`](crate::server::Builder::log).
///
/// Each line is one write, so that lines of several threads or processes do not mix. A write never keeps a request
/// waiting: what stderr, or a FIFO, has no room for is queued (at most 1 MiB), and written by a thread of its own as soon
/// as there is room. What does not fit, or can't be written because the disk is full, is dropped; stderr tells how many
/// lines that were, once for each time it happens.
///
/// A clone is the same log: keep one to [`reopen`](Self::reopen) the file.
///
/// ```
/// use servette::{Log, LogFormat, SimpleHandler, ThreadingHttpServer};
///
/// # let path = std::env::temp_dir().join(format!("servette-log-{}.log", std::process::id()));
/// let log = Log::file(&path)?.with_format(LogFormat::Combined);
/// let server = ThreadingHttpServer::builder(SimpleHandler::new("."))
///     .log(log.clone())
///     .bind("127.0.0.1:0")?;
/// // At SIGHUP, after logrotate has renamed the file:
/// log.reopen()?;
/// # std::fs::remove_file(path)?;
/// # drop(server);
/// # Ok::<(), servette::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Log {
    format: LogFormat,
    output: Arc<Output>,
    /// Where the file is; none for stderr.
    path: Option<Arc<Path>>,
}

impl Log {
    /// A log on stderr, in Python's format: what a server has without [`Builder::log`](crate::server::Builder::log).
    pub fn stderr() -> Self {
        Log {
            format: LogFormat::Python,
            output: stderr().clone(),
            path: None,
        }
    }

    /// A log in a file, in Python's format. Lines are added to a file that is there; a new one can be read by its owner and
    /// its group (mode 0640, less what the umask forbids).
    ///
    /// A file that is removed while it is written is made anew by [`reopen`](Self::reopen) only.
    ///
    /// # Errors
    /// With the path in its text, if the file can't be opened: it is a directory, may not be written, or is a FIFO that
    /// nobody reads.
    pub fn file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let path = std::path::absolute(path).map_err(|error| cannot_open(path, error))?;
        let file = open(&path)?;
        Ok(Log {
            format: LogFormat::Python,
            output: Arc::new(Output::new(Sink::Own(Arc::new(file)), Some(path.clone()))),
            path: Some(path.into()),
        })
    }

    /// Sets the format. Default: [`LogFormat::Python`].
    ///
    /// Messages that belong to no request, or tell what went wrong with one, have Python's form, and JSON's the keys
    /// `time`, `client` and `message`. In a log of the formats common and combined there is no place for them: they go to
    /// stderr. The message that goes with an error page, `code 404, message File not found`, is in Python's log only: in
    /// the others the line of the request has the status.
    #[must_use]
    pub fn with_format(mut self, format: LogFormat) -> Self {
        self.format = format;
        self
    }

    /// Opens the file anew, by its path: to be called after the file was renamed, as `logrotate` does. No line is lost, and
    /// none is cut. For stderr nothing is done.
    ///
    /// # Errors
    /// With the path in its text, if it can't be opened; the log stays in the old file then.
    pub fn reopen(&self) -> Result<()> {
        if let Some(path) = &self.path {
            self.output.replace(Sink::Own(Arc::new(open(path)?)));
        }
        Ok(())
    }

    /// Waits until all lines are written, at most for this time; false if some are not by then. A program calls it before
    /// it ends, so that lines are not lost which a slow reader of stderr has not taken yet.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.output.flush(timeout)
    }

    /// How many lines were dropped, since the log was opened.
    pub fn dropped(&self) -> u64 {
        self.output.dropped()
    }

    /// Writes a message that belongs to no request, such as a failure of TLS. Control characters in it are escaped.
    pub fn message(&self, peer: &Peer, message: fmt::Arguments<'_>) {
        let address = peer.ip().map_or(peer.to_string(), |ip| ip.to_string());
        let line = match self.format {
            LogFormat::Json => json_message(&address, message, None),
            _ => text::line(
                &address,
                &local_time::log_date(clock::seconds_since_1970()),
                message,
            ),
        };
        self.put(&line, false);
    }

    pub(crate) fn format(&self) -> LogFormat {
        self.format
    }

    /// Lines of requests may have colours.
    pub(crate) fn is_painted(&self) -> bool {
        self.format == LogFormat::Python && self.path.is_none()
    }

    /// Writes a line: of a request, or a message.
    pub(crate) fn put(&self, line: &str, is_request: bool) {
        match self.format {
            LogFormat::Common | LogFormat::Combined if !is_request => write_stderr(line),
            _ => self.output.write(line.as_bytes()),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log::stderr()
    }
}

/// Writes a line to stderr, without waiting.
pub(crate) fn write_stderr(line: &str) {
    stderr().write(line.as_bytes());
}

/// A message as an object of JSON, with its line feed.
pub(crate) fn json_message(
    client: &str,
    message: fmt::Arguments<'_>,
    request_id: Option<&str>,
) -> String {
    let mut line = format!("{{\"time\":\"{}\",\"client\":", now());
    text::push_json(&mut line, client, text::LONGEST_FIELD);
    line.push_str(",\"message\":");
    text::push_json(&mut line, &message.to_string(), text::LONGEST_MESSAGE);
    if let Some(id) = request_id {
        line.push_str(",\"request_id\":");
        text::push_json(&mut line, id, text::LONGEST_FIELD);
    }
    line.push_str("}\n");
    line
}

/// The present time in UTC, to the millisecond: `2026-11-29T23:16:29.123Z`.
pub(crate) fn now() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    local_time::utc(since.unwrap_or_default())
}

fn stderr() -> &'static Arc<Output> {
    static STDERR: LazyLock<Arc<Output>> =
        LazyLock::new(|| Arc::new(Output::new(Sink::of_stderr(), None)));
    &STDERR
}

fn open(path: &Path) -> Result<File> {
    let file = sink::options().open(path);
    file.map_err(|error| cannot_open(path, error))
}

fn cannot_open(path: &Path, error: io::Error) -> Error {
    Error::context(format!("cannot open the log file {}", shown(path)), error)
}

fn shown(path: &Path) -> String {
    text::escape(&path.to_string_lossy()).into_owned()
}
