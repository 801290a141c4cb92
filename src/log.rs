//! [`Log`]: the log of a server, on stderr or in a file, and its [`LogFormat`].
//!
//! The module `base` formats the lines of requests. Read `output` first: it writes lines without blocking.

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

/// The format of the lines of a log. Default: [`Python`](Self::Python).
///
/// ```text
/// Python    127.0.0.1 - - [29/Nov/2026 23:16:29] "GET /a HTTP/1.1" 200 -
/// Common    127.0.0.1 - - [29/Nov/2026:23:16:29 +0000] "GET /a HTTP/1.1" 200 12
/// Combined  127.0.0.1 - - [29/Nov/2026:23:16:29 +0000] "GET /a HTTP/1.1" 200 12 "-" "curl/8.14.1"
/// Json      {"time":"2026-11-29T23:16:29.123Z","client":"127.0.0.1","user":null,"method":"GET","target":"/a",
///            "version":"1.1","status":200,"bytes":12,"ms":0.214,"referer":null,"agent":"curl/8.14.1","host":"a.example"}
/// ```
///
/// Python's line is written when the response starts, the others when it ends. Their size is the size of the body as it
/// was sent, without the head. `-` stands for an empty body (JSON: 0); in Python's line it is always `-`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// The format of Python's `http.server`.
    #[default]
    Python,
    /// NCSA's common log format, with the size of the body and the time zone.
    Common,
    /// The combined log format: common, with the fields `Referer` and `User-Agent`. Apache and nginx write it, and
    /// GoAccess reads it.
    Combined,
    /// A JSON object on each line.
    Json,
}

/// The log of a server, on stderr or in a file, in a [`LogFormat`]; set by
/// [`Builder::log`](crate::server::Builder::log).
///
/// Each line is one write, so lines of several threads or processes do not mix.
///
/// Logging never blocks a request. If stderr or a FIFO has no room, lines are queued (at most 1 MiB), and a thread
/// writes them as soon as there is room. Lines that exceed the queue, or that can't be written because the disk is
/// full, are dropped. A warning on stderr says how many were dropped.
///
/// Clones share the log. Keep a clone to [`reopen`](Self::reopen) the file.
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
    /// The path of the file; `None` for stderr.
    path: Option<Arc<Path>>,
}

impl Log {
    /// Returns a log on stderr in Python's format. A server without [`Builder::log`](crate::server::Builder::log) uses
    /// it.
    pub fn stderr() -> Self {
        Log {
            format: LogFormat::Python,
            output: stderr().clone(),
            path: None,
        }
    }

    /// Opens a log in a file, in Python's format. Lines are appended to an existing file. A new file has the mode 0640,
    /// less the bits of the umask, so its owner and its group can read it.
    ///
    /// If the file is removed or renamed, lines go to the removed or renamed file until you call
    /// [`reopen`](Self::reopen).
    ///
    /// # Errors
    /// An error with the path, if the file can't be opened: for example it is a directory, it is not writable, or it is
    /// a FIFO without a reader.
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
    /// Messages, such as errors, are not request lines. They have Python's form, or in JSON the keys `time`, `client`
    /// and `message`. The common and the combined format have no place for messages, so there they go to stderr. The
    /// message of an error page, `code 404, message File not found`, is in Python's format only; the other formats have
    /// the status in the line of the request.
    #[must_use]
    pub fn with_format(mut self, format: LogFormat) -> Self {
        self.format = format;
        self
    }

    /// Opens the file again by its path. Call it after the file was renamed, for example by `logrotate`. No line is
    /// lost or truncated. It does nothing for stderr.
    ///
    /// # Errors
    /// An error with the path, if the file can't be opened. Then the log continues in the old file.
    pub fn reopen(&self) -> Result<()> {
        if let Some(path) = &self.path {
            self.output.replace(Sink::Own(Arc::new(open(path)?)));
        }
        Ok(())
    }

    /// Waits until all lines are written, at most for `timeout`. Returns false if some are not written by then. Call it
    /// before the program exits, so that lines are not lost if the reader of stderr is slow.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.output.flush(timeout)
    }

    /// Returns the number of lines that were dropped since the log was opened.
    pub fn dropped(&self) -> u64 {
        self.output.dropped()
    }

    /// Logs a message that belongs to no request, such as a failed TLS handshake. Control characters are escaped.
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

    /// Returns true if request lines may be coloured.
    pub(crate) fn is_painted(&self) -> bool {
        self.format == LogFormat::Python && self.path.is_none()
    }

    /// Writes the line of a request, or a message.
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

/// Writes a line to stderr without blocking.
pub(crate) fn write_stderr(line: &str) {
    stderr().write(line.as_bytes());
}

/// Formats a message as a JSON object, with its line feed.
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

/// Returns the current time in UTC with milliseconds: `2026-11-29T23:16:29.123Z`.
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
