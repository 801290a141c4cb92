//! Sockets that listen, on Unix: TCP and Unix sockets.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::{fs, io};

use mio::{Registry, Token};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::connection::stream::Stream;
use crate::info::Peer;
use crate::{Error, Result};

/// A listening socket that the program made; see [`Builder::from_listener`](super::super::Builder::from_listener).
///
/// ```
/// use servette::{SimpleHandler, ThreadingHttpServer};
/// use std::net::TcpListener;
///
/// let listener = TcpListener::bind("127.0.0.1:0").unwrap();
/// let port = listener.local_addr().unwrap().port();
/// let server = ThreadingHttpServer::builder(SimpleHandler::new("public"));
/// let server = server.from_listener(listener).unwrap();
/// assert_eq!(server.info().server_port, port);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Listener::Tcp(listener)
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Listener::Unix(listener)
    }
}

/// Binds a socket to this address, exclusively. It does not listen yet.
pub(crate) fn bound(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = new_socket(family)?;
    if address.ip().is_unspecified() && address.is_ipv6() {
        // Both families on one socket, as Python's command does.
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    // At first as one that nobody else uses: two with SO_REUSEADDR could both bind it, until one listens. And
    // where the system chooses the port, Linux would choose among half of them, and search for long when
    // connections linger on these.
    match rustix::net::bind(&socket, &address) {
        Err(Errno::ADDRINUSE) if address.port() != 0 => {
            // Perhaps by connections of an earlier server that linger there.
            sockopt::set_socket_reuseaddr(&socket, true)?;
            rustix::net::bind(&socket, &address)?;
            sockopt::set_socket_reuseaddr(&socket, false)?;
        }
        bound => bound?,
    }
    Ok(socket)
}

/// Makes a socket that no child process inherits.
fn new_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    #[cfg(not(target_vendor = "apple"))]
    let flags = SocketFlags::CLOEXEC;
    #[cfg(target_vendor = "apple")]
    let flags = SocketFlags::empty();
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    #[cfg(target_vendor = "apple")]
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    Ok(socket)
}

pub(crate) fn listen(socket: impl AsFd, queue: u32) -> io::Result<()> {
    // Connections inherit it, and can linger while the port is bound again.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::listen(&socket, i32::try_from(queue).unwrap_or(i32::MAX))?;
    Ok(())
}

/// Binds to a path and listens. A socket file on which no process listens any more is replaced.
pub(in crate::server) fn bind_unix(path: &Path, mode: Option<u32>, queue: u32) -> Result<Listener> {
    let bound = match bind_path(path, mode, queue) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path) => {
            fs::remove_file(path).and_then(|()| bind_path(path, mode, queue))
        }
        bound => bound,
    };
    let error = |error| Error::context(format!("cannot bind {}", path.display()), error);
    bound.map(Listener::Unix).map_err(error)
}

fn bind_path(path: &Path, mode: Option<u32>, queue: u32) -> io::Result<UnixListener> {
    let socket = new_socket(AddressFamily::UNIX)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    // Nobody can connect before it listens.
    if let Some(mode) = mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    rustix::net::listen(&socket, i32::try_from(queue).unwrap_or(i32::MAX))?;
    Ok(UnixListener::from(socket))
}

/// Returns true if the path is a socket file that a server left behind. It does not wait for a server whose queue is full.
fn is_stale(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let connect = || {
        let socket = new_socket(AddressFamily::UNIX)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?)
    };
    let refuses = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && connect().is_err_and(refuses)
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(mio::net::TcpListener),
    Unix(mio::net::UnixListener),
}

impl Socket {
    pub(super) fn new(listener: Listener) -> io::Result<(Self, Peer)> {
        match listener {
            Listener::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                let address = Peer::Ip(listener.local_addr()?);
                // Accepted sockets inherit it on Linux; elsewhere it is set on each.
                sockopt::set_tcp_nodelay(&listener, true)?;
                Ok((
                    Socket::Tcp(mio::net::TcpListener::from_std(listener)),
                    address,
                ))
            }
            Listener::Unix(listener) => {
                listener.set_nonblocking(true)?;
                let listener = mio::net::UnixListener::from_std(listener);
                Ok((Socket::Unix(listener), Peer::Unix))
            }
        }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn register(&self, registry: &Registry, token: Token, _: usize) -> io::Result<()> {
        use rustix::event::epoll::{EventData, EventFlags, add};
        let flags = EventFlags::IN | EventFlags::ET | EventFlags::EXCLUSIVE;
        let data = EventData::new_u64(token.0 as u64);
        Ok(add(registry, self.as_fd(), data, flags)?)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn register(
        &self,
        registry: &Registry,
        token: Token,
        number: usize,
    ) -> io::Result<()> {
        use std::os::fd::AsRawFd;

        use mio::event::Source;
        let socket = self.as_fd().as_raw_fd();
        match number {
            0 => mio::unix::SourceFd(&socket).register(registry, token, mio::Interest::READABLE),
            _ => Ok(()),
        }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(listener) => listener.as_fd(),
            Socket::Unix(listener) => listener.as_fd(),
        }
    }

    /// Returns true if a connection waits, or if the system can't tell. A failed `accept` costs several times as much:
    /// Linux makes the socket before it looks for a connection.
    pub(super) fn has_more(&self) -> bool {
        let mut polled = [PollFd::from_borrowed_fd(self.as_fd(), PollFlags::IN)];
        let at_once = Timespec::default();
        rustix::event::poll(&mut polled, Some(&at_once)) != Ok(0)
    }

    pub(super) fn accept(&self) -> io::Result<(Stream, Peer)> {
        let (stream, peer) = self.accept_as_it_is()?;
        #[cfg(target_vendor = "apple")]
        if let Some(socket) = stream.fd() {
            sockopt::set_socket_nosigpipe(socket, true)?;
        }
        Ok((stream, peer))
    }

    fn accept_as_it_is(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Socket::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                if cfg!(not(target_os = "linux")) {
                    // It fails only where the client is gone again.
                    let _ = stream.set_nodelay(true);
                }
                Ok((Stream::Tcp(stream), Peer::from(address)))
            }
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                Ok((Stream::Unix(stream), Peer::Unix))
            }
        }
    }
}
