//! The socket of a detached stream on Unix.

use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use super::DetachedStream;

/// A socket that blocks. It is read and written like any descriptor.
pub(super) type Blocking = std::fs::File;

/// The socket of a [`DetachedStream`].
///
/// ```
/// use servette::{DetachedSocket, handler_fn};
///
/// let handler = handler_fn(|_, x| {
///     // The bytes that the server has read beyond the head, and the socket.
///     if let Ok((_ahead, DetachedSocket::Tcp(socket))) = x.detach()?.into_parts() {
///         socket.set_nodelay(true)?;
///     }
///     Ok(())
/// });
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum DetachedSocket {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl DetachedSocket {
    pub(super) fn new(socket: OwnedFd, is_local: bool) -> Self {
        match is_local {
            true => DetachedSocket::Unix(UnixStream::from(socket)),
            false => DetachedSocket::Tcp(TcpStream::from(socket)),
        }
    }
}

impl AsFd for DetachedStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket()
    }
}
