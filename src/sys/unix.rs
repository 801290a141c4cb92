//! Linux, macOS, the BSDs.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::net::Shutdown;
pub(crate) use std::os::fd::{
    AsFd as AsSocket, BorrowedFd as BorrowedSocket, OwnedFd as OwnedSocket,
};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use mio::Registry;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A connection over a Unix socket.
pub(crate) type LocalStream = mio::net::UnixStream;

/// An end of a pair of sockets: what one end does, the other end can be polled for.
pub(crate) type SignalEnd = UnixStream;

pub(crate) fn signal_pair() -> io::Result<(SignalEnd, SignalEnd)> {
    UnixStream::pair()
}

/// Makes the other end readable, for good. Closing alone would wait for a copy that a process holds which is just being
/// started.
pub(crate) fn signal(end: &SignalEnd) -> io::Result<()> {
    end.shutdown(Shutdown::Both)
}

#[inline]
pub(crate) fn socket<S: AsSocket>(of: &S) -> BorrowedSocket<'_> {
    of.as_fd()
}

/// Waits until the socket is ready for one of these, has an error or has hung up, or `cut` is readable; true in the
/// first case. False also after the time, and after a signal.
pub(crate) fn wait(
    socket: BorrowedSocket<'_>,
    flags: PollFlags,
    cut: BorrowedSocket<'_>,
    time: &Timespec,
) -> io::Result<bool> {
    let mut polled = [
        PollFd::from_borrowed_fd(socket, flags),
        PollFd::from_borrowed_fd(cut, PollFlags::IN),
    ];
    match poll(&mut polled, Some(time)) {
        Err(Errno::INTR) => return Ok(false),
        Err(error) => return Err(error.into()),
        Ok(_) => {}
    }
    let [socket, _] = &polled;
    Ok(!socket.revents().is_empty())
}

/// Waits until there is something to read on the socket (true), or something to do for the poller.
pub(crate) fn wait_beside_poller(
    socket: BorrowedSocket<'_>,
    poller: &Registry,
    time: &Timespec,
) -> bool {
    let mut polled = [socket, poller.as_fd()].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
    let found = poll(&mut polled, Some(time));
    let [socket, _] = polled;
    found.is_ok() && !socket.revents().is_empty()
}

/// Whether a thread can wait for a poller and a socket at once.
pub(crate) const POLLS_POLLERS: bool = true;

/// That the client is gone, in what was polled without asking for anything.
pub(crate) const GONE: PollFlags = PollFlags::HUP.union(PollFlags::ERR);

pub(crate) fn read_at(file: &File, room: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(room, offset)
}

pub(crate) fn host_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

/// How many descriptors this process may have; `None` for any number.
pub(crate) fn descriptor_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// Whether most descriptors that this process may have are free, as a file shows that was just opened: a new one has the
/// lowest number that was.
pub(crate) fn has_spare_descriptors(file: &File) -> bool {
    use std::os::fd::AsRawFd;
    is_low(file.as_raw_fd(), descriptor_limit())
}

pub(crate) fn is_low(descriptor: i32, limit: Option<u64>) -> bool {
    u64::try_from(descriptor).is_ok_and(|number| number < limit.unwrap_or(u64::MAX) / 2)
}

/// Accepting failed, as the process has as many descriptors as it may have.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::MFILE)
}

/// The process or the system has too little to open a file, whatever file that is.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    let error = Errno::from_io_error(error);
    matches!(error, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

/// Errors that were waiting on the new socket are reported by accept (accept(2) on Linux).
pub(crate) fn is_of_the_client(error: &io::Error) -> bool {
    const OF_THE_CLIENT: [Errno; 10] = [
        Errno::INTR,
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::PERM,
        Errno::PROTO,
        Errno::NETDOWN,
        Errno::NETUNREACH,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
        Errno::NOPROTOOPT,
    ];
    Errno::from_io_error(error).is_some_and(|error| OF_THE_CLIENT.contains(&error))
}

/// The path of these bytes, of which those from `floor` on came from a request; `None` if none can be that.
#[inline]
pub(crate) fn path(bytes: Vec<u8>, _floor: usize) -> Option<PathBuf> {
    Some(OsString::from_vec(bytes).into())
}

/// The name of these bytes, which were taken from one.
#[inline]
pub(crate) fn name(bytes: &[u8]) -> Option<&OsStr> {
    Some(OsStr::from_bytes(bytes))
}

/// Makes a FIFO, by the command that every such system has: rustix has no call for it on Apple's.
#[cfg(test)]
pub(crate) fn make_fifo(path: &std::path::Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success(), "{path:?}");
}
