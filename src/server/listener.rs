//! Listening sockets: TCP and Unix.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mio::{Registry, Token};

pub use self::system::*;
use super::task::Speaks;
use crate::connection::stream::Stream;
use crate::info::Peer;
use crate::{Error, Result};

#[cfg_attr(unix, path = "listener/unix.rs")]
#[cfg_attr(windows, path = "listener/windows.rs")]
mod system;

const NO_ADDRESS: &str = "cannot find the address to bind, which is a host and a port, such as \"127.0.0.1:8000\" or (\"::\", 8000)";

/// Binds to the first address that can be bound, and listens.
pub(super) fn bind(addresses: impl ToSocketAddrs, queue: u32) -> Result<Listener> {
    bind_all(addresses.to_socket_addrs().map(Iterator::collect), queue)
}

/// Binds as [`bind`] does, to addresses that were looked up before.
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

/// The non-blocking listeners that all event loops share.
#[derive(Debug)]
pub(super) struct Acceptor {
    sockets: Vec<(Socket, Speaks)>,
    /// The listener that is asked first for the next connection, so that none keeps the others waiting.
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

    /// Registers the listeners with the poller of an event loop.
    ///
    /// On Linux all loops wait for connections, and each connection wakes an idle one (`EPOLLEXCLUSIVE`), so a loop that
    /// is busy with a handler keeps no client waiting. Elsewhere the first loop accepts all connections.
    pub(super) fn register(
        &self,
        registry: &Registry,
        token: Token,
        number: usize,
    ) -> io::Result<()> {
        let mut sockets = self.sockets.iter();
        sockets.try_for_each(|(socket, _)| socket.register(registry, token, number))
    }

    /// Returns true if a connection waits, or if the system can't tell.
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
        #[cfg(unix)]
        {
            use std::os::unix::net::{UnixListener, UnixStream};
            let name = format!("servette-listener-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let unix = UnixListener::bind(&path).unwrap();
            check(unix.into(), || drop(UnixStream::connect(&path).unwrap()));
            std::fs::remove_file(&path).unwrap();
        }
    }
}
