//! Windows.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::windows::fs::FileExt;
pub(crate) use std::os::windows::io::{AsSocket, BorrowedSocket, OwnedSocket};
use std::path::PathBuf;
use std::time::Duration;

use mio::Registry;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use self::names::is_name;

pub(crate) mod names;

/// A connection over a Unix socket: there is none.
#[derive(Debug)]
pub(crate) enum LocalStream {}

impl AsSocket for LocalStream {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        match *self {}
    }
}

/// An end of a pair of sockets: what one end does, the other end can be polled for. `WSAPoll` knows sockets only.
pub(crate) type SignalEnd = TcpStream;

pub(crate) fn signal_pair() -> io::Result<(SignalEnd, SignalEnd)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let ours = TcpStream::connect(listener.local_addr()?)?;
    let address = ours.local_addr()?;
    loop {
        // Any process could connect.
        let (theirs, peer) = listener.accept()?;
        if peer == address {
            // By default, child processes inherit accepted sockets.
            socket2::SockRef::from(&theirs).set_no_inherit(true)?;
            return Ok((ours, theirs));
        }
    }
}

/// Makes the other end readable, for good.
pub(crate) fn signal(end: &SignalEnd) -> io::Result<()> {
    end.shutdown(Shutdown::Both)
}

#[inline]
pub(crate) fn socket<S: AsSocket>(of: &S) -> BorrowedSocket<'_> {
    of.as_socket()
}

/// Between two looks at a socket of which only the end of what the client sends is reported.
const NAP: Duration = Duration::from_millis(10);

/// Waits until the socket is ready for one of these, has an error or has hung up, or `cut` is readable; true in the
/// first case. False also before the time is over.
///
/// `WSAPoll` reports `POLLHUP` at once and for ever where the client has ended its sending direction, even to who wants
/// to write only: that is not ready.
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
    poll(&mut polled, Some(time))?;
    let [socket, cut_signal] = &polled;
    let found = socket.revents();
    if found.intersects(flags | PollFlags::ERR | PollFlags::NVAL) {
        return Ok(true);
    }
    if found.is_empty() || !cut_signal.revents().is_empty() {
        return Ok(false);
    }
    if flags == PollFlags::IN {
        // The end is something to read.
        return Ok(true);
    }
    let mut polled = [PollFd::from_borrowed_fd(cut, PollFlags::IN)];
    poll(&mut polled, Some(&nap(time)))?;
    Ok(false)
}

/// Returns true if the socket has something to read, or a connection to accept.
pub(crate) fn is_readable(socket: BorrowedSocket<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(socket, PollFlags::IN)];
    !matches!(poll(&mut polled, Some(&Timespec::default())), Ok(0))
}

/// As long as this, but a nap at the most.
fn nap(time: &Timespec) -> Timespec {
    let nanos = NAP.as_nanos() as i64;
    let is_short = time.tv_sec == 0 && i64::from(time.tv_nsec) < nanos;
    match is_short {
        true => *time,
        false => Timespec {
            tv_sec: 0,
            tv_nsec: nanos as _,
        },
    }
}

/// A poller can't be polled beside a socket.
pub(crate) fn wait_beside_poller(_: BorrowedSocket<'_>, _: &Registry, _: &Timespec) -> bool {
    false
}

/// Whether a thread can wait for a poller and a socket at once.
pub(crate) const POLLS_POLLERS: bool = false;

/// That the client is gone, in what was polled without asking for anything. It has hung up already when it only sends
/// nothing more.
pub(crate) const GONE: PollFlags = PollFlags::ERR;

pub(crate) fn read_at(file: &File, room: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(room, offset)
}

pub(crate) fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "localhost".to_owned())
}

/// How many descriptors this process may have: there is no limit but memory.
pub(crate) fn descriptor_limit() -> Option<u64> {
    None
}

pub(crate) fn has_spare_descriptors(_: &File) -> bool {
    true
}

/// Accepting failed, as the process has as many descriptors as it may have.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::MFILE)
}

/// The system has too little to open a file, whatever file that is.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    /// `ERROR_TOO_MANY_OPEN_FILES`, `ERROR_NOT_ENOUGH_MEMORY`, `ERROR_OUTOFMEMORY`, `ERROR_NO_SYSTEM_RESOURCES`.
    const SHORTAGES: [i32; 4] = [4, 8, 14, 1450];
    let code = error.raw_os_error();
    code.is_some_and(|code| SHORTAGES.contains(&code))
}

/// Errors that were waiting on the new socket are reported by accept.
pub(crate) fn is_of_the_client(error: &io::Error) -> bool {
    const OF_THE_CLIENT: [Errno; 7] = [
        Errno::INTR,
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::NETDOWN,
        Errno::NETUNREACH,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
    ];
    Errno::from_io_error(error).is_some_and(|error| OF_THE_CLIENT.contains(&error))
}

/// The path of these bytes, of which those from `floor` on came from a request, with a slash between two names; `None` if
/// none can be that: names are Unicode, and some mean something else than a file of this name.
pub(crate) fn path(mut bytes: Vec<u8>, floor: usize) -> Option<PathBuf> {
    let names = bytes.get_mut(floor..)?;
    for name in names.split(|&byte| byte == b'/') {
        if !name.is_empty() && !str::from_utf8(name).is_ok_and(is_name) {
            return None;
        }
    }
    // Behind `\\?\`, a slash separates nothing.
    for byte in names {
        if *byte == b'/' {
            *byte = b'\\';
        }
    }
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// The name of these bytes, which were taken from one; `None` for one that is not Unicode.
pub(crate) fn name(bytes: &[u8]) -> Option<&OsStr> {
    str::from_utf8(bytes).ok().map(OsStr::new)
}
