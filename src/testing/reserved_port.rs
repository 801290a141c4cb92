//! [`ReservedPort`]: a port where nobody listens, for now.

use std::net::{SocketAddr, TcpListener};

use super::builder::Builder;
use super::server::TestServer;
use crate::base::RequestHandler;
use crate::server::listener;
use crate::{Error, Result};

/// A port of 127.0.0.1 that is held, but not listened on: clients are refused.
///
/// ```
/// use servette::testing::{ReservedPort, TestServer, status};
///
/// let port = ReservedPort::new()?;
/// let url = port.url("/");
/// assert!(ureq::get(&url).call().is_err()); // connection refused
/// let server = TestServer::builder().start_on(port, status(200));
/// assert!(ureq::get(&url).call().is_ok());
/// # Ok::<(), servette::Error>(())
/// ```
#[derive(Debug)]
pub struct ReservedPort {
    socket: TcpListener,
    address: SocketAddr,
}

impl ReservedPort {
    /// A free one.
    ///
    /// # Errors
    /// If there is none.
    pub fn new() -> Result<Self> {
        ReservedPort::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// This one, or a free one of this address if it is 0.
    ///
    /// # Errors
    /// If it can't be bound.
    pub fn bind(address: SocketAddr) -> Result<Self> {
        let bind = || {
            let socket = TcpListener::from(listener::bound(address)?);
            let address = socket.local_addr()?;
            Ok(ReservedPort { socket, address })
        };
        bind().map_err(|error: std::io::Error| {
            Error::other(format!("cannot bind {address}: {error}"))
        })
    }

    /// The address.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path there.
    pub fn url(&self, path: &str) -> String {
        url(self.address, path)
    }

    /// Serves this handler on the port.
    ///
    /// # Panics
    /// If no thread is to be had.
    #[track_caller]
    pub fn start<H: RequestHandler + Send + Sync + 'static>(self, handler: H) -> TestServer {
        Builder::default().start_on(self, handler)
    }

    pub(super) fn listen(self) -> std::io::Result<TcpListener> {
        listener::listen(&self.socket, 1024)?;
        Ok(self.socket)
    }
}

/// The URL of a path there.
pub(super) fn url(address: SocketAddr, path: &str) -> String {
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("http://{address}{slash}{path}")
}
