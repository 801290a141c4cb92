//! What differs on Windows.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags};

use super::{Socket, Stream};
#[cfg(feature = "tls-config")]
use crate::sys::OwnedSocket;
use crate::sys::{self, BorrowedSocket};

/// There are no signals.
pub(crate) const QUIET: SendFlags = SendFlags::empty();

/// Writes as much of all slices as goes at once.
pub(super) fn send_slices(
    socket: BorrowedSocket<'_>,
    slices: &[IoSlice<'_>],
    _: SendFlags,
) -> io::Result<usize> {
    socket2::SockRef::from(&socket).send_vectored(slices)
}

/// Has the socket end with a reset.
pub(super) fn reset_on_close(socket: BorrowedSocket<'_>) -> io::Result<()> {
    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))
}

/// Whether the client is gone, or (if that counts) has ended its sending direction.
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
    /// A second descriptor of the socket, to write to beside this one; `None` in memory, and with TLS, where only one may
    /// write. The first one stays with the poller.
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

    /// What a poller is told of.
    pub(in crate::connection) fn source(&mut self) -> Option<&mut mio::net::TcpStream> {
        match self {
            Stream::Tcp(socket) => Some(socket),
            #[cfg(feature = "tls-config")]
            Stream::Tls(tls) => tls.socket.source(),
            _ => None,
        }
    }

    /// A stream of this kind, of another descriptor.
    #[cfg(feature = "tls-config")]
    pub(in crate::connection) fn same_with(&self, socket: OwnedSocket) -> Self {
        Stream::Tcp(mio::net::TcpStream::from_std(socket.into()))
    }

    /// An end of a pair that does not block, in the place of a connection.
    #[cfg(any(test, feature = "_internals"))]
    pub(crate) fn of_pair(end: crate::sys::SignalEnd) -> Self {
        Stream::Tcp(mio::net::TcpStream::from_std(end))
    }
}
