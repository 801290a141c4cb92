//! What a handler can know of the two ends: [`Peer`] and [`ServerInfo`].

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::log::{Log, LogFormat};
use crate::proxies::TrustedProxies;
use crate::shutdown::ShutdownHandle;

/// An end of a connection: Python's `client_address` and `server_address`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// An address of the Internet. A client of a dual-stack server that speaks IPv4 has an IPv4 address.
    Ip(SocketAddr),
    /// A Unix socket.
    Unix,
    /// Memory: the requests of [`respond`](crate::respond).
    Memory,
}

impl Peer {
    /// The address with its port, if it is one of the Internet.
    pub fn socket_addr(self) -> Option<SocketAddr> {
        match self {
            Peer::Ip(address) => Some(address),
            Peer::Unix | Peer::Memory => None,
        }
    }

    /// The address alone, if it is one of the Internet.
    pub fn ip(self) -> Option<IpAddr> {
        self.socket_addr().map(|address| address.ip())
    }

    /// The port; 0 where there is none.
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
    /// `127.0.0.1:8000`, `unix` or `memory`.
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

    /// So that `TcpStream::connect(server.addr())` works.
    ///
    /// # Errors
    /// `InvalidInput` for a Unix socket.
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

/// The server, as its handlers see it: Python's `self.server`.
#[derive(Debug)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The name of the host: for a server on all interfaces what the system calls itself, else the
    /// address it is bound to. Never looked up in the DNS.
    pub server_name: String,
    /// The port; 0 for a Unix socket.
    pub server_port: u16,
    /// Where the server listens; the first place, if there are several.
    pub server_address: Peer,
    /// All places where it listens: that of `bind`, then those of
    /// [`also_bind`](crate::server::Builder::also_bind) in their order.
    pub addresses: Vec<Peer>,
    /// Whether it speaks HTTPS.
    pub is_tls: bool,
    /// Whose word about clients is taken.
    pub(crate) proxies: TrustedProxies,
    /// None: Python's, on stderr.
    pub(crate) log: Option<Log>,
    pub(crate) shutdown: ShutdownHandle,
}

impl ServerInfo {
    /// What a server with these addresses is called, without asking the DNS.
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

    /// The format of lines that are written at the end of requests; none for Python's, which is written earlier.
    #[inline]
    pub(crate) fn late_format(&self) -> Option<LogFormat> {
        let format = self.log.as_ref()?.format();
        (format != LogFormat::Python).then_some(format)
    }

    /// The handle that stops the server. Inside a handler, `x.server.shutdown_handle().shutdown(..)` asks for the stop and
    /// returns at once.
    #[doc(alias = "shutdown")]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        self.shutdown.clone()
    }

    /// The URL of a path on this server: `url("/x")` is `http://127.0.0.1:8000/x`, or `https://...` for a server that
    /// speaks TLS. For a server on all interfaces it names the loopback address; for one without a port, `localhost`.
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
