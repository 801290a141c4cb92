//! The options for limits.

use std::time::Duration;

use clap::Args;
use servette::Limits;

/// Options for [`Limits`]. A timeout bounds one wait, a deadline the whole.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArguments {
    /// Maximum open connections; beyond that the longest-idle one is closed [default: 16384]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: Option<u32>,

    /// Maximum requests handled at a time, each by a thread; further ones wait [default: 512]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_threads: Option<u32>,

    /// Close connections that are idle between requests for this time [default: 75]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    idle_timeout: Option<u32>,

    /// Time for a client to send the whole head of a request [default: 15]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    head_deadline: Option<u32>,

    /// Drop connections whose client reads nothing of a response for this time [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    write_timeout: Option<u32>,
}

impl LimitArguments {
    pub(super) fn limits(&self) -> Limits {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let mut limits = Limits::default();
        if let Some(connections) = self.max_connections {
            limits.max_connections = connections as usize;
        }
        if let Some(threads) = self.max_threads {
            limits.max_threads = threads as usize;
        }
        if let Some(time) = self.idle_timeout {
            limits.idle_timeout = seconds(time);
        }
        if let Some(time) = self.head_deadline {
            limits.head_deadline = seconds(time);
        }
        if let Some(time) = self.write_timeout {
            limits.write_timeout = seconds(time);
        }
        limits
    }
}
