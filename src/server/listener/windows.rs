//! Sockets that listen, on Windows: TCP.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;

use mio::event::Source;
use mio::{Interest, Registry, Token};
use rustix::net::sockopt;

use crate::connection::stream::Stream;
use crate::info::Peer;
use crate::shutdown::lock;
use crate::sys::{AsSocket, OwnedSocket};

/// A listening socket that the program made; see [`Builder::from_listener`](super::super::Builder::from_listener).
///
/// ```
/// use servette::{SimpleHandler, ThreadingHttpServer};
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let server = ThreadingHttpServer::from_listener(listener, SimpleHandler::new("."))?;
/// # drop(server);
/// # Ok::<(), servette::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Listener::Tcp(listener)
    }
}

/// A socket with this address, which does not listen yet, and which nobody else can bind meanwhile.
///
/// Never with `SO_REUSEADDR`, by which another process could take the port of one that listens. No connection that lingers
/// keeps a port from being bound here. `socket2` starts the library of sockets, and makes some that no child inherits.
pub(crate) fn bound(address: SocketAddr) -> io::Result<OwnedSocket> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    if address.ip().is_unspecified() && address.is_ipv6() {
        // Both families on one socket, as Python's command does.
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

pub(crate) fn listen(socket: impl AsSocket, queue: u32) -> io::Result<()> {
    let queue = i32::try_from(queue).unwrap_or(i32::MAX);
    socket2::SockRef::from(&socket).listen(queue)
}

/// A listener that never blocks.
#[derive(Debug)]
pub(super) struct Socket(Mutex<mio::net::TcpListener>);

impl Socket {
    pub(super) fn new(listener: Listener) -> io::Result<(Self, Peer)> {
        let Listener::Tcp(listener) = listener;
        listener.set_nonblocking(true)?;
        let address = Peer::Ip(listener.local_addr()?);
        let listener = mio::net::TcpListener::from_std(listener);
        Ok((Socket(Mutex::new(listener)), address))
    }

    /// With the poller of the first loop, which accepts all connections.
    pub(super) fn register(
        &self,
        registry: &Registry,
        token: Token,
        number: usize,
    ) -> io::Result<()> {
        match number {
            0 => lock(&self.0).register(registry, token, Interest::READABLE),
            _ => Ok(()),
        }
    }

    /// The poller reports the next connection only after it was tried in vain to accept one.
    pub(super) fn has_more(&self) -> bool {
        true
    }

    pub(super) fn accept(&self) -> io::Result<(Stream, Peer)> {
        let (stream, address) = lock(&self.0).accept()?;
        // It fails only where the client is gone again.
        let _ = sockopt::set_tcp_nodelay(&stream, true);
        Ok((Stream::Tcp(stream), Peer::from(address)))
    }
}
