//! The listening socket: TCP or Unix.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
#[cfg(not(target_os = "linux"))]
use std::os::fd::AsRawFd;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{fs, io};

#[cfg(not(target_os = "linux"))]
use mio::{Interest, event::Source, unix::SourceFd};
use mio::{Registry, Token};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use super::task::Speaks;
use crate::connection::stream::Stream;
use crate::info::Peer;
use crate::{Error, Result};

/// A listening socket that a program made itself; see [`Builder::from_listener`](super::Builder::from_listener).
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

const NO_ADDRESS: &str = "cannot find the address to bind, which is a host and a port, such as \"127.0.0.1:8000\" or (\"::\", 8000)";

/// Binds and listens: the first of the addresses that can be bound.
pub(super) fn bind(addresses: impl ToSocketAddrs, queue: u32) -> Result<Listener> {
    bind_all(addresses.to_socket_addrs().map(Iterator::collect), queue)
}

/// The same where the addresses are known, or could not be found.
pub(super) fn bind_all(addresses: io::Result<Vec<SocketAddr>>, queue: u32) -> Result<Listener> {
    let addresses = addresses.map_err(|error| Error::context(NO_ADDRESS, error))?;
    let mut last = Error::other("no address to bind");
    for address in addresses {
        match bind_one(address, queue) {
            Ok(listener) => return Ok(Listener::Tcp(listener)),
            Err(error) => last = Error::context(format!("cannot bind {address}"), error),
        }
    }
    Err(last)
}

fn bind_one(address: SocketAddr, queue: u32) -> io::Result<TcpListener> {
    let socket = bound(address)?;
    listen(&socket, queue)?;
    Ok(TcpListener::from(socket))
}

/// A socket with this address, which does not listen yet, and which nobody else can bind meanwhile.
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

/// A socket that no child gets.
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

/// Binds and listens at a path. A socket there to which nobody listens any more is replaced.
pub(super) fn bind_unix(path: &Path, mode: Option<u32>, queue: u32) -> Result<Listener> {
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

/// Whether a path is a socket that a server has left behind.
fn is_stale(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refuses = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && UnixStream::connect(path).is_err_and(refuses)
}

/// The listeners that the event loops share: they never block.
#[derive(Debug)]
pub(super) struct Acceptor {
    sockets: Vec<(Socket, Speaks)>,
    /// Where it is looked for the next connection first, so that no listener keeps the others waiting.
    next: AtomicUsize,
}

impl Acceptor {
    pub(super) fn new(listeners: Vec<(Listener, Speaks)>) -> io::Result<(Self, Vec<Peer>)> {
        let new = |(listener, speaks)| {
            let (socket, address) = Socket::new(listener)?;
            Ok(((socket, speaks), address))
        };
        let all: Vec<_> = listeners.into_iter().map(new).collect::<io::Result<_>>()?;
        let (sockets, addresses) = all.into_iter().unzip();
        let next = AtomicUsize::new(0);
        Ok((Acceptor { sockets, next }, addresses))
    }

    /// Has the poller of an event loop report new connections.
    ///
    /// On Linux all loops wait for them, and each connection wakes one that has nothing else to do
    /// (`EPOLLEXCLUSIVE`), so a loop that is busy with a handler keeps no client waiting. Elsewhere the first loop
    /// accepts all of them.
    pub(super) fn register(
        &self,
        registry: &Registry,
        token: Token,
        number: usize,
    ) -> io::Result<()> {
        let mut sockets = self.sockets.iter();
        sockets.try_for_each(|(socket, _)| socket.register(registry, token, number))
    }

    /// Whether a connection waits, or that can't be told.
    pub(super) fn has_more(&self) -> bool {
        self.sockets.iter().any(|(socket, _)| socket.has_more())
    }

    pub(super) fn accept(&self) -> io::Result<(Stream, Peer, Speaks)> {
        let accept = |socket: &Socket, speaks: Speaks| {
            let (stream, peer) = socket.accept()?;
            Ok((stream, peer, speaks))
        };
        if let [(socket, speaks)] = &*self.sockets {
            return accept(socket, *speaks);
        }
        let start = self.next.fetch_add(1, Relaxed) % self.sockets.len().max(1);
        let (before, from) = self.sockets.split_at_checked(start).unwrap_or_default();
        for (socket, speaks) in from.iter().chain(before) {
            match socket.has_more().then(|| accept(socket, *speaks)) {
                None => {}
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                Some(accepted) => return accepted,
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }
}

#[derive(Debug)]
enum Socket {
    Tcp(mio::net::TcpListener),
    Unix(mio::net::UnixListener),
}

impl Socket {
    fn new(listener: Listener) -> io::Result<(Self, Peer)> {
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

    fn register(&self, registry: &Registry, token: Token, number: usize) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::event::epoll::{EventData, EventFlags, add};
            let _ = number;
            let flags = EventFlags::IN | EventFlags::ET | EventFlags::EXCLUSIVE;
            let data = EventData::new_u64(token.0 as u64);
            Ok(add(registry, self.as_fd(), data, flags)?)
        }
        #[cfg(not(target_os = "linux"))]
        match number {
            0 => SourceFd(&self.as_fd().as_raw_fd()).register(registry, token, Interest::READABLE),
            _ => Ok(()),
        }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(listener) => listener.as_fd(),
            Socket::Unix(listener) => listener.as_fd(),
        }
    }

    /// Whether a connection waits, or that can't be told. To try in vain costs several times as much: Linux
    /// makes the socket before it looks for a connection.
    fn has_more(&self) -> bool {
        let mut polled = [PollFd::from_borrowed_fd(self.as_fd(), PollFlags::IN)];
        let at_once = Timespec::default();
        rustix::event::poll(&mut polled, Some(&at_once)) != Ok(0)
    }

    fn accept(&self) -> io::Result<(Stream, Peer)> {
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

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_listener_says_whether_a_connection_waits() {
        fn check(listener: Listener, connect: impl Fn()) {
            let (acceptor, _) = Acceptor::new(vec![(listener, Speaks::AsTheServer)]).unwrap();
            assert!(!acceptor.has_more());
            connect();
            connect();
            for _ in 0..2 {
                let start = Instant::now();
                // The client may hear of it first.
                while !acceptor.has_more() {
                    assert!(start.elapsed() < Duration::from_secs(10));
                    std::thread::yield_now();
                }
                acceptor.accept().unwrap();
            }
            assert!(!acceptor.has_more());
        }
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        check(tcp.into(), || drop(TcpStream::connect(address).unwrap()));
        let name = format!("servette-listener-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let unix = UnixListener::bind(&path).unwrap();
        check(unix.into(), || drop(UnixStream::connect(&path).unwrap()));
        std::fs::remove_file(&path).unwrap();
    }
}
