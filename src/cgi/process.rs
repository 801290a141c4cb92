//! The process of a script: its process group, and its end.

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

/// Milliseconds to wait before each further try to start a script whose file is open for writing. Another thread may
/// have a child between fork and exec that still has the file open; on a busy machine that takes tens of
/// milliseconds.
pub(super) const PAUSES: [u64; 5] = [1, 4, 16, 64, 256];
/// How long a script may take to end after the end of its output, before a thread of its own waits for it.
pub(super) const UNWINDING: Duration = Duration::from_millis(100);
/// How often to check for the end if the system can't report it.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// The permission to run one script; counts the scripts that are running.
#[derive(Debug)]
pub(super) struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// Returns `None` if `most` scripts are running.
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

/// A child process with a process group of its own. If it is dropped before [`reap`](Self::reap), the whole group is
/// killed.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) child: Child,
    /// A descriptor that becomes readable when the child ends.
    exit: Option<OwnedFd>,
    _permit: Permit,
    is_reaped: bool,
}

impl Process {
    /// Starts the command in a new process group.
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

    /// Returns the descriptor to poll for the end of the child, if the system has one.
    pub(super) fn exit_signal(&self) -> Option<BorrowedFd<'_>> {
        self.exit.as_ref().map(AsFd::as_fd)
    }

    /// Returns whether the child has ended. It is not reaped, so the process and group numbers stay in use.
    pub(super) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.group()), options) {
            Ok(status) => status.is_some(),
            // There is no such child: somebody else has reaped it.
            Err(_) => true,
        }
    }

    /// Waits for the end of the child. Returns false if it has not ended at the deadline.
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

    /// Reaps a child that has ended, without killing its group.
    pub(super) fn reap(mut self) -> io::Result<ExitStatus> {
        self.is_reaped = true;
        self.child.wait()
    }

    /// Kills every process of the group. The child still has to be reaped.
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

/// Waits in a thread of its own for a script that has closed its output, and kills it at the deadline.
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

/// Starts something; tries again after pauses if its file is open for writing.
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
