//! [`Sink`]: a descriptor that lines are written to, with or without waiting.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, OFlags};

/// What a pipe with any room takes at once: POSIX's `PIPE_BUF` on the systems of today, but 512 on macOS.
const PIPE_BUF: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

#[derive(Clone, Debug)]
pub(super) enum Sink {
    /// The process's stderr, whose description others may share: it can't be made non-blocking.
    Stderr(Means),
    /// A description of our own that does not block.
    Own(Arc<File>),
}

/// How stderr is written without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// A file, or a device such as `/dev/null`: nobody has to read what is written.
    Write,
    /// A call that is told not to wait. Not all kernels have it for pipes and sockets.
    Flag,
    /// The system is asked first whether there is room.
    Poll,
}

impl Sink {
    pub(super) fn of_stderr() -> Self {
        let stderr = io::stderr();
        if stderr.is_terminal() {
            // With a description of its own; a terminal of another user may not be opened again.
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

    /// Writes what can be written at once.
    ///
    /// # Errors
    /// `WouldBlock` if that is nothing.
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

    /// Writes all of it, and waits as long as that takes.
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

/// How a log is opened.
pub(super) fn options() -> OpenOptions {
    let mut options = File::options();
    options.append(true).create(true).mode(0o640);
    // A FIFO must not wait for its reader.
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    options
}

#[cfg(target_os = "linux")]
fn write_with_flag(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    use rustix::io::{Errno, ReadWriteFlags, pwritev2};
    // This offset is the present one.
    match pwritev2(
        fd,
        &[io::IoSlice::new(bytes)],
        u64::MAX,
        ReadWriteFlags::NOWAIT,
    ) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::SPIPE | Errno::INVAL) => {
            Err(io::ErrorKind::Unsupported.into())
        }
        other => Ok(other?),
    }
}

#[cfg(not(target_os = "linux"))]
fn write_with_flag(_: BorrowedFd<'_>, _: &[u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether there is room, or an error to be had; `waits` until there is.
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
