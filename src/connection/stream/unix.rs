//! Streams on Unix.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendFlags, sockopt};

use super::{Socket, Stream};
use crate::sys::{BorrowedSocket, OwnedSocket};

/// Suppresses SIGPIPE when the client has left. On Apple's systems that is a property of the socket.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const QUIET: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(crate) const QUIET: SendFlags = SendFlags::empty();

/// Writes as much of all slices as the socket takes.
#[inline]
pub(super) fn send_slices(
    socket: BorrowedSocket<'_>,
    slices: &[IoSlice<'_>],
    flags: SendFlags,
) -> io::Result<usize> {
    let mut none = SendAncillaryBuffer::default();
    Ok(rustix::net::sendmsg(socket, slices, &mut none, flags)?)
}

/// Makes the socket end with a reset.
pub(super) fn reset_on_close(socket: BorrowedSocket<'_>) -> io::Result<()> {
    Ok(sockopt::set_socket_linger(socket, Some(Duration::ZERO))?)
}

/// Returns true if the client has left, or (if `its_end`) has shut down its sending side.
#[cfg(target_os = "linux")]
pub(super) fn has_left(socket: BorrowedSocket<'_>, its_end: bool) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut ends = PollFlags::HUP | PollFlags::ERR;
    ends.set(PollFlags::RDHUP, its_end);
    let mut polled = [PollFd::from_borrowed_fd(socket, ends)];
    let found = poll(&mut polled, Some(&Timespec::default()));
    let [polled] = &polled;
    found.is_ok() && polled.revents().intersects(ends)
}

/// The same. An end behind unread bytes is not noticed.
#[cfg(not(target_os = "linux"))]
pub(super) fn has_left(socket: BorrowedSocket<'_>, its_end: bool) -> bool {
    use rustix::io::Errno;
    match rustix::net::recv(socket, &mut [0; 1][..], rustix::net::RecvFlags::PEEK) {
        Ok((_, count)) => its_end && count == 0,
        Err(error) => error != Errno::AGAIN && error != Errno::INTR,
    }
}

impl Stream {
    /// Shares the socket. Returns `None` in memory, and with TLS, where only one thread may write.
    pub(crate) fn share(&mut self) -> Option<Arc<Socket>> {
        let (descriptor, is_tcp) = match std::mem::replace(self, Stream::Memory(RefCell::default()))
        {
            Stream::Tcp(socket) => (OwnedSocket::from(socket), true),
            Stream::Unix(socket) => (OwnedSocket::from(socket), false),
            other => {
                *self = other;
                return match self {
                    Stream::Shared(socket) => Some(socket.clone()),
                    _ => None,
                };
            }
        };
        let socket = Arc::new(Socket { descriptor, is_tcp });
        *self = Stream::Shared(socket.clone());
        Some(socket)
    }

    /// Makes a stream of the same kind from another descriptor.
    #[cfg(feature = "tls-config")]
    pub(in crate::connection) fn same_with(&self, socket: OwnedSocket) -> Self {
        match self {
            Stream::Unix(_) => Stream::Unix(mio::net::UnixStream::from_std(socket.into())),
            _ => Stream::Tcp(mio::net::TcpStream::from_std(socket.into())),
        }
    }

    /// Makes a non-blocking stream from one end of a socket pair, for tests.
    #[cfg(any(test, feature = "_internals"))]
    pub(crate) fn of_pair(end: crate::sys::SignalEnd) -> Self {
        Stream::Unix(mio::net::UnixStream::from_std(end))
    }
}
