//! Streams on Windows.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags};

use super::{Socket, Stream};
#[cfg(feature = "tls-config")]
use crate::sys::OwnedSocket;
use crate::sys::{self, BorrowedSocket};

/// No flags: there are no signals.
pub(crate) const QUIET: SendFlags = SendFlags::empty();

/// Writes as much of all slices as the socket takes.
pub(super) fn send_slices(
    socket: BorrowedSocket<'_>,
    slices: &[IoSlice<'_>],
    _: SendFlags,
) -> io::Result<usize> {
    socket2::SockRef::from(&socket).send_vectored(slices)
}

/// Makes the socket end with a reset.
pub(super) fn reset_on_close(socket: BorrowedSocket<'_>) -> io::Result<()> {
    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))
}

/// Returns true if the client has left, or (if `its_end`) has shut down its sending side.
pub(super) fn has_left(socket: BorrowedSocket<'_>, its_end: bool) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(socket, PollFlags::IN)];
    let found = poll(&mut polled, Some(&Timespec::default()));
    let [polled] = &polled;
    let found = match found {
        Ok(_) => polled.revents(),
        Err(_) => return false,
    };
    if found.contains(PollFlags::ERR) || (its_end && found.contains(PollFlags::HUP)) {
        return true;
    }
    // Only the end is something to read without bytes.
    its_end
        && found.contains(PollFlags::IN)
        && matches!(
            rustix::net::recv(socket, &mut [0; 1][..], RecvFlags::PEEK),
            Ok((_, 0))
        )
}

impl Stream {
    /// Duplicates the socket, to write to it from other threads; the poller keeps the first one. Returns `None` in memory,
    /// and with TLS, where only one thread may write.
    pub(crate) fn share(&mut self) -> Option<Arc<Socket>> {
        let Stream::Tcp(socket) = self else {
            return None;
        };
        let descriptor = sys::socket(socket).try_clone_to_owned().ok()?;
        Some(Arc::new(Socket {
            descriptor,
            is_tcp: true,
        }))
    }

    /// The socket to register with a poller.
    pub(in crate::connection) fn source(&mut self) -> Option<&mut mio::net::TcpStream> {
        match self {
            Stream::Tcp(socket) => Some(socket),
            #[cfg(feature = "tls-config")]
            Stream::Tls(tls) => tls.socket.source(),
            _ => None,
        }
    }

    /// Returns true if the end of the stream came with bytes that were read. (A message ends a session of TLS.)
    pub(in crate::connection) fn end_is_read(&self) -> bool {
        #[cfg(feature = "tls-config")]
        if let Stream::Tls(tls) = self {
            return tls.has_ended();
        }
        false
    }

    /// Makes a stream of the same kind from another socket.
    #[cfg(feature = "tls-config")]
    pub(in crate::connection) fn same_with(&self, socket: OwnedSocket) -> Self {
        Stream::Tcp(mio::net::TcpStream::from_std(socket.into()))
    }

    /// Makes a non-blocking stream from one end of a socket pair, for tests.
    #[cfg(any(test, feature = "_internals"))]
    pub(crate) fn of_pair(end: crate::sys::SignalEnd) -> Self {
        Stream::Tcp(mio::net::TcpStream::from_std(end))
    }
}
