//! [`Peer`] and [`ServerInfo`]: the two ends of a connection, as handlers see them.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::log::{Log, LogFormat};
use crate::proxies::TrustedProxies;
use crate::shutdown::ShutdownHandle;

/// The address of one end of a connection: Python's `client_address` and `server_address`.
///
/// ```
/// use servette::{Peer, Status, handler_fn, respond};
///
/// let handler = handler_fn(|_, x| match x.client_address {
///     Peer::Ip(address) if !address.ip().is_loopback() => x.send_error(Status::FORBIDDEN),
///     peer => x.send_content(Status::OK, "text/plain", peer.to_string()),
/// });
/// assert!(respond(&handler, "GET / HTTP/1.0\r\n\r\n").ends_with(b"\r\n\r\nmemory"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// An IP address and a port. An IPv4 client of a dual-stack server has an IPv4 address.
    Ip(SocketAddr),
    /// A Unix socket.
    Unix,
    /// Memory: a request of [`respond`](crate::respond()).
    Memory,
}

impl Peer {
    /// Returns the IP address and the port; `None` for a Unix socket and for memory.
    pub fn socket_addr(self) -> Option<SocketAddr> {
        match self {
            Peer::Ip(address) => Some(address),
            Peer::Unix | Peer::Memory => None,
        }
    }

    /// Returns the IP address; `None` for a Unix socket and for memory.
    pub fn ip(self) -> Option<IpAddr> {
        self.socket_addr().map(|address| address.ip())
    }

    /// Returns the port; 0 for a Unix socket and for memory.
    pub fn port(self) -> u16 {
        self.socket_addr().map_or(0, |address| address.port())
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Peer::Ip(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }
}

impl fmt::Display for Peer {
    /// Writes `127.0.0.1:8000`, `unix` or `memory`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Ip(address) => address.fmt(f),
            Peer::Unix => f.write_str("unix"),
            Peer::Memory => f.write_str("memory"),
        }
    }
}

impl ToSocketAddrs for Peer {
    type Iter = std::option::IntoIter<SocketAddr>;

    /// Returns the address, for `TcpStream::connect(server.addr())`.
    ///
    /// # Errors
    /// `InvalidInput` for a Unix socket and for memory.
    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        match self.socket_addr() {
            Some(address) => Ok(Some(address).into_iter()),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not an IP address and port",
            )),
        }
    }
}

/// The server of a connection, as handlers see it: Python's `self.server`.
///
/// ```
/// use servette::{ThreadingHttpServer, handler_fn};
///
/// let hello = handler_fn(|_, x| x.send_content(servette::Status::OK, "text/plain", x.server.url("/")));
/// let server = ThreadingHttpServer::bind("127.0.0.1:0", hello).unwrap();
/// let info = server.info();
/// assert_eq!(info.server_name, "127.0.0.1");
/// assert_eq!(info.url("/a"), format!("http://127.0.0.1:{}/a", info.server_port));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The name of the host: the system's host name for a server on all interfaces, otherwise the address that is bound.
    /// It is never looked up in the DNS.
    pub server_name: String,
    /// The port; 0 for a Unix socket.
    pub server_port: u16,
    /// The address on which the server listens; the first one, if there are several.
    pub server_address: Peer,
    /// All addresses on which the server listens: that of `bind`, then those of
    /// [`also_bind`](crate::server::Builder::also_bind) in their order.
    pub addresses: Vec<Peer>,
    /// Whether the server speaks HTTPS.
    pub is_tls: bool,
    /// The proxies that may say who the client is.
    pub(crate) proxies: TrustedProxies,
    /// `None`: Python's format, on stderr.
    pub(crate) log: Option<Log>,
    pub(crate) shutdown: ShutdownHandle,
}

impl ServerInfo {
    /// Describes a server with these addresses, without a DNS lookup.
    pub(crate) fn new(addresses: Vec<Peer>, shutdown: ShutdownHandle, is_tls: bool) -> Self {
        let address = addresses.first().copied().unwrap_or(Peer::Memory);
        let server_name = match address.ip() {
            Some(ip) if !ip.is_unspecified() => ip.to_string(),
            Some(_) | None => crate::sys::host_name(),
        };
        ServerInfo {
            server_name,
            server_port: address.port(),
            server_address: address,
            addresses,
            is_tls,
            proxies: TrustedProxies::default(),
            log: None,
            shutdown,
        }
    }

    /// The format of lines that are written at the end of requests; `None` for Python's, which is written earlier.
    #[inline]
    pub(crate) fn late_format(&self) -> Option<LogFormat> {
        let format = self.log.as_ref()?.format();
        (format != LogFormat::Python).then_some(format)
    }

    /// Returns the handle that stops the server. Inside a handler, `x.server.shutdown_handle().shutdown(..)` asks for the
    /// stop and returns at once.
    #[doc(alias = "shutdown")]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        self.shutdown.clone()
    }

    /// Returns the URL of a path on this server: `url("/x")` is `http://127.0.0.1:8000/x`, or `https://...` for HTTPS. The
    /// host is the loopback address for a server on all interfaces, and `localhost` for a Unix socket.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let slash = if path.starts_with('/') { "" } else { "/" };
        match self.server_address.socket_addr() {
            Some(mut address) => {
                if address.ip().is_unspecified() {
                    address.set_ip(match address.ip() {
                        IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
                    });
                }
                format!("{scheme}://{address}{slash}{path}")
            }
            None => format!("{scheme}://localhost{slash}{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_client_of_a_dual_stack_server_has_an_ipv4_address() {
        let mapped: SocketAddr = "[::ffff:192.0.2.7]:80".parse().unwrap();
        assert_eq!(Peer::from(mapped).to_string(), "192.0.2.7:80");
    }

    #[test]
    fn a_url_can_be_asked_for_even_where_the_server_is_bound_to_all_interfaces() {
        let https_url = |address: &str, path, is_tls| {
            let address = Peer::Ip(address.parse().unwrap());
            ServerInfo::new(vec![address], ShutdownHandle::new(), is_tls).url(path)
        };
        let url = |address, path| https_url(address, path, false);
        assert_eq!(url("192.0.2.1:80", "/x?y"), "http://192.0.2.1:80/x?y");
        assert_eq!(url("0.0.0.0:8000", "x"), "http://127.0.0.1:8000/x");
        assert_eq!(url("[::]:8000", "/"), "http://[::1]:8000/");
        let secure = https_url("[::]:8443", "/", true);
        assert_eq!(secure, "https://[::1]:8443/");
    }
}
