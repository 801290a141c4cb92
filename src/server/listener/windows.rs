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
use crate::sys::{self, AsSocket, OwnedSocket};

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
pub(super) struct Socket(Mutex<Watched>);

/// A listener, and the poller that reports its connections.
#[derive(Debug)]
struct Watched {
    listener: mio::net::TcpListener,
    poller: Option<(Registry, Token)>,
}

impl Socket {
    pub(super) fn new(listener: Listener) -> io::Result<(Self, Peer)> {
        let Listener::Tcp(listener) = listener;
        listener.set_nonblocking(true)?;
        let address = Peer::Ip(listener.local_addr()?);
        let watched = Watched {
            listener: mio::net::TcpListener::from_std(listener),
            poller: None,
        };
        Ok((Socket(Mutex::new(watched)), address))
    }

    /// With the poller of the first loop, which accepts all connections.
    pub(super) fn register(
        &self,
        registry: &Registry,
        token: Token,
        number: usize,
    ) -> io::Result<()> {
        if number > 0 {
            return Ok(());
        }
        let mut watched = lock(&self.0);
        let registered = watched
            .listener
            .register(registry, token, Interest::READABLE);
        registered?;
        watched.poller = Some((registry.try_clone()?, token));
        Ok(())
    }

    /// Returns true if a connection waits, or if that is unknown. Otherwise the poller reports the next connection: it reports
    /// each one only after it was registered again, or after an accept that would have blocked.
    pub(super) fn has_more(&self) -> bool {
        let mut watched = lock(&self.0);
        let Watched { listener, poller } = &mut *watched;
        if sys::is_readable(listener.as_socket()) {
            return true;
        }
        // If the poller can't be registered again, the caller tries to accept.
        poller.as_ref().is_some_and(|(registry, token)| {
            let watched = listener.reregister(registry, *token, Interest::READABLE);
            watched.is_err()
        })
    }

    pub(super) fn accept(&self) -> io::Result<(Stream, Peer)> {
        let (stream, address) = lock(&self.0).listener.accept()?;
        // By default, child processes inherit accepted sockets.
        socket2::SockRef::from(&stream).set_no_inherit(true)?;
        // It fails only where the client is gone again.
        let _ = sockopt::set_tcp_nodelay(&stream, true);
        Ok((Stream::Tcp(stream), Peer::from(address)))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};
    use std::time::{Duration, Instant};

    use mio::{Events, Poll};

    use super::*;

    const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn no_other_process_may_bind_the_port_of_a_server() {
        let socket = bound(ANY_PORT).unwrap();
        assert!(!socket2::SockRef::from(&socket).reuse_address().unwrap());
        listen(&socket, 5).unwrap();
        let address = TcpListener::from(socket).local_addr().unwrap();
        assert_eq!(address.ip(), ANY_PORT.ip());
    }

    #[test]
    fn every_connection_is_reported_after_the_one_before_it() {
        const TOKEN: Token = Token(3);
        let listener = TcpListener::bind(ANY_PORT).unwrap();
        let address = listener.local_addr().unwrap();
        let (socket, _) = Socket::new(listener.into()).unwrap();
        let mut poll = Poll::new().unwrap();
        let registry = poll.registry().try_clone().unwrap();
        socket.register(&registry, TOKEN, 0).unwrap();
        for _ in 0..3 {
            assert!(!socket.has_more());
            let _client = TcpStream::connect(address).unwrap();
            let mut events = Events::with_capacity(4);
            poll.poll(&mut events, Some(Duration::from_secs(10)))
                .unwrap();
            assert!(events.iter().any(|event| event.token() == TOKEN));
            let start = Instant::now();
            while !socket.has_more() {
                assert!(start.elapsed() < Duration::from_secs(10));
            }
            socket.accept().unwrap();
        }
    }
}
