//! The options of the command that have to do with its log.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use servette::{Log, LogFormat, Result};

/// How long the end of the process waits for a slow reader of stderr.
const FLUSH: Duration = Duration::from_secs(1);

/// `--log-format` and `--log-file`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub(super) struct LogArguments {
    /// Format of request log lines
    #[arg(long, value_name = "FORMAT", default_value = "python")]
    log_format: Format,

    /// Append the log to this file instead of stderr; SIGHUP reopens it (for logrotate)
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
}

/// [`LogFormat`], as it is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Python,
    Common,
    Combined,
    Json,
}

impl LogArguments {
    /// The log that these options ask for.
    pub(super) fn log(&self) -> Result<Log> {
        let log = match &self.log_file {
            Some(path) => Log::file(path)?,
            None => Log::stderr(),
        };
        if self.log_file.is_some() {
            reopen_at_sighup(log.clone())?;
        }
        Ok(log.with_format(match self.log_format {
            Format::Python => LogFormat::Python,
            Format::Common => LogFormat::Common,
            Format::Combined => LogFormat::Combined,
            Format::Json => LogFormat::Json,
        }))
    }
}

/// The process ends: lines that wait for a slow reader get some time.
pub(super) fn flush(log: &Log) {
    log.flush(FLUSH);
}

fn reopen_at_sighup(log: Log) -> Result<()> {
    super::system::at_hang_ups(move || {
        if let Err(error) = log.reopen() {
            super::complain(&format!("{error}; logging continues in the old file"));
        }
    })?;
    Ok(())
}
