//! [`ReservedPort`]: a port that is bound, but not listened on.

use std::net::{SocketAddr, TcpListener};

use super::builder::TestServerBuilder;
use super::server::TestServer;
use crate::base::RequestHandler;
use crate::server::listener;
use crate::{Error, Result};

/// A port of 127.0.0.1 that is bound, but not listened on: connections are refused, and no other program can
/// bind it.
///
/// (If two tests reserve a port at the same moment while old connections linger on it, both may get the same
/// number; then one of them can't start its server.)
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
    /// Reserves a free port.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn new() -> Result<Self> {
        ReservedPort::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Reserves the port of this address, or a free one if the port is 0.
    ///
    /// # Errors
    /// If it can't be bound.
    pub fn bind(address: SocketAddr) -> Result<Self> {
        let bind = || {
            let socket = TcpListener::from(listener::bound(address)?);
            let address = socket.local_addr()?;
            Ok(ReservedPort { socket, address })
        };
        bind().map_err(|error| Error::context(format!("cannot bind {address}"), error))
    }

    /// Returns the address.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of a path at this port: `http://127.0.0.1:PORT/path`.
    pub fn url(&self, path: &str) -> String {
        url(self.address, path)
    }

    /// Starts a server with this handler on the port.
    ///
    /// # Panics
    /// As [`TestServerBuilder::start_on`].
    #[track_caller]
    pub fn start<H: RequestHandler + Send + Sync + 'static>(self, handler: H) -> TestServer {
        TestServerBuilder::default().start_on(self, handler)
    }

    pub(super) fn listen(self) -> Result<TcpListener> {
        let context = |error| Error::context(format!("cannot listen at {}", self.address), error);
        listener::listen(&self.socket, 1024).map_err(context)?;
        Ok(self.socket)
    }
}

/// The URL of a path there.
pub(super) fn url(address: SocketAddr, path: &str) -> String {
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("http://{address}{slash}{path}")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::answer::status;
    use super::*;
    use rustix::net::sockopt::set_socket_reuseaddr;

    #[test]
    fn a_port_where_nothing_can_be_served_is_named() {
        // Two share it, until one of them wants it alone.
        let other = listener::bound(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        set_socket_reuseaddr(&other, true).unwrap();
        let address = SocketAddr::try_from(rustix::net::getsockname(&other).unwrap()).unwrap();
        let port = ReservedPort::bind(address).unwrap();
        set_socket_reuseaddr(&other, false).unwrap();
        let start = std::panic::AssertUnwindSafe(|| drop(port.start(status(200))));
        let panic = std::panic::catch_unwind(start).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        let expected = format!("cannot start a TestServer: cannot listen at {address}: ");
        assert!(text.starts_with(&expected), "{text}");
    }
}
