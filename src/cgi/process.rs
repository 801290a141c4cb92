//! A script that runs: its process group, its end, and that nothing is left of it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::complaints::Complaints;

/// After so many milliseconds the start is tried again when the script's file is open for writing:
/// another thread may have a child between fork and exec, which still has the file open that this
/// process has just written. On a machine with much to do that takes a child tens of milliseconds.
pub(super) const PAUSES: [u64; 5] = [1, 4, 16, 64, 256];
/// How long a script may take to end after the end of its output, before it is left to a thread.
pub(super) const UNWINDING: Duration = Duration::from_millis(100);
/// How often to look for the end where the system can't report it.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// Counts the scripts that run at the same time.
#[derive(Debug)]
pub(super) struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// `None` when `most` scripts run already.
    pub(super) fn take(running: &Arc<AtomicUsize>, most: usize) -> Option<Permit> {
        running
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
                (count < most).then_some(count + 1)
            })
            .ok()
            .map(|_| Permit(running.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A child with a process group of its own. When it is dropped before [`reap`](Self::reap), the whole
/// group is killed.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) child: Child,
    /// Becomes readable when the child has ended.
    exit: Option<OwnedFd>,
    _permit: Permit,
    is_reaped: bool,
}

impl Process {
    /// Starts the command in a group of its own.
    pub(super) fn spawn(command: &mut Command, permit: Permit) -> io::Result<Process> {
        command.process_group(0);
        let child = patiently(|| command.spawn(), thread::sleep)?;
        Ok(Process {
            exit: exit_signal(&child),
            child,
            _permit: permit,
            is_reaped: false,
        })
    }

    /// What to poll for the end of the child, where the system has such a thing.
    pub(super) fn exit_signal(&self) -> Option<BorrowedFd<'_>> {
        self.exit.as_ref().map(AsFd::as_fd)
    }

    /// Whether the child has ended. It is not reaped, so that its number, and that of its group, stays
    /// its own.
    pub(super) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.group()), options) {
            Ok(status) => status.is_some(),
            // There is no such child: somebody else has reaped it.
            Err(_) => true,
        }
    }

    /// Waits for the end of the child; false at the deadline.
    pub(super) fn wait_ended(&self, deadline: Duration) -> bool {
        let start = Instant::now();
        while !self.has_ended() {
            let left = deadline.saturating_sub(start.elapsed());
            if left.is_zero() {
                return false;
            }
            match self.exit_signal() {
                Some(exit) => {
                    let millis = left.as_millis().min(3_600_000) as i64 + 1;
                    let timeout = Timespec {
                        tv_sec: millis / 1000,
                        tv_nsec: (millis % 1000) * 1_000_000,
                    };
                    let mut polled = [PollFd::from_borrowed_fd(exit, PollFlags::IN)];
                    // What it found out is asked for again above.
                    let _ = rustix::event::poll(&mut polled, Some(&timeout));
                }
                None => thread::sleep(TICK.min(left)),
            }
        }
        true
    }

    /// Takes the status of a child that has ended, and leaves the rest of its group alone.
    pub(super) fn reap(mut self) -> io::Result<ExitStatus> {
        self.is_reaped = true;
        self.child.wait()
    }

    /// Ends every process of the group. The child is still there to be reaped.
    pub(super) fn kill_group(&self) {
        // It fails where all of them have ended, or have become another user by a set-uid bit.
        let _ = kill_process_group(self.group(), Signal::KILL);
    }

    fn group(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.kill_group();
            let _ = self.child.wait();
        }
    }
}

/// A script that has closed its output and goes on has until the deadline, and nobody waits for it.
pub(super) fn leave_to_a_thread(process: Process, mut complaints: Complaints, deadline: Duration) {
    let wait = move || {
        let start = Instant::now();
        while start.elapsed() < deadline {
            // What it complains about now belongs to no request.
            complaints.read(|_| {});
            if process.wait_ended(UNWINDING) {
                let _ = process.reap();
                return;
            }
        }
    };
    // Without a thread it ends here: dropping the process kills it.
    let _ = thread::Builder::new()
        .name("servette-cgi".into())
        .spawn(wait);
}

/// Starts something, again after pauses if it is a file that somebody has open for writing.
fn patiently<T>(
    mut start: impl FnMut() -> io::Result<T>,
    pause: impl Fn(Duration),
) -> io::Result<T> {
    for millis in PAUSES {
        match start() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                pause(Duration::from_millis(millis));
            }
            result => return result,
        }
    }
    start()
}

#[cfg(target_os = "linux")]
fn exit_signal(child: &Child) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};
    pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn exit_signal(_: &Child) -> Option<OwnedFd> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_being_written_is_tried_again_and_nothing_else_is() {
        let tried = |kind: io::ErrorKind, failures: usize| {
            let mut tries = 0;
            let start = || {
                tries += 1;
                match tries > failures {
                    true => Ok(()),
                    false => Err(io::Error::from(kind)),
                }
            };
            let result = patiently(start, |_| ());
            (tries, result.map_err(|error| error.kind()))
        };
        let busy = io::ErrorKind::ExecutableFileBusy;
        assert_eq!(tried(busy, 0), (1, Ok(())));
        assert_eq!(tried(busy, PAUSES.len()), (PAUSES.len() + 1, Ok(())));
        assert_eq!(tried(busy, 100), (PAUSES.len() + 1, Err(busy)));
        let missing = io::ErrorKind::NotFound;
        assert_eq!(tried(missing, 1), (1, Err(missing)));
    }
}
