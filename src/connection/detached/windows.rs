//! The socket of a detached stream on Windows.

use std::net::TcpStream;
use std::os::windows::io::{AsSocket, BorrowedSocket, OwnedSocket};

use super::DetachedStream;

/// A socket that blocks.
pub(super) type Blocking = TcpStream;

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
}

impl DetachedSocket {
    pub(super) fn new(socket: OwnedSocket, _is_local: bool) -> Self {
        DetachedSocket::Tcp(TcpStream::from(socket))
    }
}

impl AsSocket for DetachedStream {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.socket()
    }
}
