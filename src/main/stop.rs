//! How the command ends: by SIGINT and SIGTERM, and in which order.

use std::io;
use std::mem;
use std::process::exit;
use std::thread;
use std::time::Duration;

use clap::Args;
use servette::ShutdownHandle;

use super::listen::SocketFile;
use super::systemd;

/// What a shell reports for a program that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

/// `--health`, `--drain` and `--grace`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Health and stop")]
pub(super) struct StopArguments {
    /// Answer health checks at this path: 200, or 503 while the server stops; they are not logged
    #[arg(long, value_name = "PATH", value_parser = super::health::path)]
    pub(super) health: Option<String>,

    /// Time after SIGTERM in which the server still accepts requests, but closes connections, and --health answers 503
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    drain: u32,

    /// Time for running responses to complete when the server stops
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    grace: u32,
}

impl StopArguments {
    /// Stops the server at the first signal, and ends the process at the second one.
    ///
    /// # Errors
    /// If the signals can't be caught.
    pub(super) fn stop_at_signals(
        &self,
        stopper: ShutdownHandle,
        mut files: Vec<SocketFile>,
    ) -> io::Result<()> {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let (drain, grace) = (seconds(self.drain), seconds(self.grace));
        let mut stopping = false;
        super::system::at_signals(move |is_of_keyboard| {
            if stopping {
                exit(INTERRUPTED);
            }
            stopping = true;
            if is_of_keyboard {
                super::say("\nKeyboard interrupt received, exiting.\n");
            }
            let (stopper, files) = (stopper.clone(), mem::take(&mut files));
            // Nobody waits for a balancer in front of somebody's keyboard.
            let drain = drain * u32::from(!is_of_keyboard);
            thread::spawn(move || stop(&stopper, files, drain, grace));
        })
    }
}

/// Lets balancers see it, then running answers end, and then the process, even if a handler does not.
fn stop(stopper: &ShutdownHandle, files: Vec<SocketFile>, drain: Duration, grace: Duration) {
    systemd::notify("STOPPING=1");
    stopper.drain();
    thread::sleep(drain);
    files.into_iter().for_each(SocketFile::remove);
    if stopper.shutdown(grace) > 0 {
        exit(0);
    }
}
