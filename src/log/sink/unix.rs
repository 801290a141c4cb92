//! [`Sink`]: a descriptor that lines are written to, blocking or not.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, OFlags};

/// The number of bytes that a pipe with any room takes at once: POSIX's `PIPE_BUF`. It is 4096 on Linux, and 512 on
/// macOS.
const PIPE_BUF: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

#[derive(Clone, Debug)]
pub(super) enum Sink {
    /// The stderr of the process. Other processes may share it, so it can't be made non-blocking.
    Stderr(Means),
    /// A descriptor of this process alone, which is non-blocking.
    Own(Arc<File>),
}

/// The way to write to stderr without blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// A plain write, for a file or a device such as `/dev/null`: it needs no reader.
    Write,
    /// A system call with a flag not to block. Some kernels do not support it for pipes and sockets.
    Flag,
    /// A poll for room before the write.
    Poll,
}

impl Sink {
    pub(super) fn of_stderr() -> Self {
        let stderr = io::stderr();
        if stderr.is_terminal() {
            // Opens the terminal again, to get a non-blocking descriptor. This fails for a terminal of another user.
            let again = File::options()
                .write(true)
                .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
                .open("/proc/self/fd/2");
            return again.map_or(Sink::Stderr(Means::Poll), |file| Sink::Own(Arc::new(file)));
        }
        let kind = rustix::fs::fstat(&stderr).map(|stat| FileType::from_raw_mode(stat.st_mode));
        Sink::Stderr(match kind {
            Ok(FileType::Fifo | FileType::Socket) => Means::Flag,
            _ => Means::Write,
        })
    }

    /// Writes the bytes that can be written without blocking, and returns their number.
    ///
    /// # Errors
    /// `WouldBlock` if no byte can be written.
    pub(super) fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Own(file) => Ok(rustix::io::write(file, bytes)?),
            Sink::Stderr(means) => {
                let stderr = io::stderr();
                if *means == Means::Flag {
                    match write_with_flag(stderr.as_fd(), bytes) {
                        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                            *means = Means::Poll;
                        }
                        other => return other,
                    }
                }
                if *means == Means::Poll
                    && (bytes.len() > PIPE_BUF || !has_room(stderr.as_fd(), false)?)
                {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(rustix::io::write(stderr, bytes)?)
            }
        }
    }

    /// Writes all bytes, and blocks until they are written.
    pub(super) fn write_waiting(&self, mut bytes: &[u8]) -> io::Result<()> {
        let stderr = io::stderr();
        let fd = match self {
            Sink::Own(file) => file.as_fd(),
            Sink::Stderr(_) => stderr.as_fd(),
        };
        while !bytes.is_empty() {
            match rustix::io::write(fd, bytes).map_err(io::Error::from) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    has_room(fd, true)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Returns the options to open a log.
pub(super) fn options() -> OpenOptions {
    let mut options = File::options();
    options.append(true).create(true).mode(0o640);
    // Opening a FIFO must not block until it has a reader.
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    options
}

#[cfg(target_os = "linux")]
fn write_with_flag(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    use rustix::io::{Errno, ReadWriteFlags, pwritev2};
    // The maximum offset stands for the current position.
    match pwritev2(
        fd,
        &[io::IoSlice::new(bytes)],
        u64::MAX,
        ReadWriteFlags::NOWAIT,
    ) {
        // A filter of system calls (seccomp) may answer `PERM`.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM | Errno::SPIPE | Errno::INVAL) => {
            Err(io::ErrorKind::Unsupported.into())
        }
        other => Ok(other?),
    }
}

#[cfg(not(target_os = "linux"))]
fn write_with_flag(_: BorrowedFd<'_>, _: &[u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Polls for room. With `waits` it blocks until there is room or an error.
fn has_room(fd: BorrowedFd<'_>, waits: bool) -> io::Result<bool> {
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let timeout = (!waits).then_some(&at_once);
    match rustix::event::poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], timeout) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
