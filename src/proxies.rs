//! Reverse proxies in front of the server: which of them are trusted ([`TrustedProxies`]), and how they name the client, for
//! a connection ([`header`], the PROXY protocol) and for a request ([`forwarded`]).

use std::net::IpAddr;

use crate::info::Peer;
use crate::{Error, Result};

pub(crate) mod forwarded;
pub(crate) mod header;

/// The addresses of proxies that may say who the client is. Empty by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies {
    networks: Vec<Network>,
    /// All clients of a Unix socket are trusted.
    unix: bool,
}

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl TrustedProxies {
    pub(crate) fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    /// Adds an address, a network (`10.0.0.0/8`), or `unix`.
    ///
    /// # Errors
    /// If the text is none of these; the error has the text.
    pub(crate) fn add(&mut self, text: &str) -> Result<()> {
        if text == "unix" {
            self.unix = true;
            return Ok(());
        }
        let network = Network::parse(text).ok_or_else(|| {
            let text = text.escape_debug();
            Error::other(format!(
                "'{text}' is not a trusted proxy: expected an address, a network such as 10.0.0.0/8, or \"unix\""
            ))
        })?;
        self.networks.push(network);
        Ok(())
    }

    pub(crate) fn contains(&self, peer: Peer) -> bool {
        match peer {
            Peer::Ip(address) => {
                let ip = address.ip();
                self.networks.iter().any(|network| network.contains(ip))
            }
            Peer::Unix => self.unix,
            Peer::Memory => false,
        }
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(number(bits)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(most, u32::from);
        // An IPv4 address is one, however it is written. (A network that has others beside these stays as it is.)
        let is_mapped = address.to_canonical() != address && bits >= 96;
        match is_mapped {
            true => Some(Network {
                address: address.to_canonical(),
                bits: bits - 96,
            }),
            false => Some(Network { address, bits }),
        }
        .filter(|_| bits <= most)
    }

    fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// A decimal number of 16 bits, without a sign or a leading zero.
fn number(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = text == "0" || !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain && is_short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(proxies: &[&str]) -> TrustedProxies {
        let mut trusted = TrustedProxies::default();
        for proxy in proxies {
            trusted.add(proxy).unwrap();
        }
        trusted
    }

    fn peer(address: &str) -> Peer {
        Peer::from(std::net::SocketAddr::new(address.parse().unwrap(), 1))
    }

    #[test]
    fn addresses_and_networks_are_told_apart() {
        for (proxy, inside, outside) in [
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("127.0.0.1", "::ffff:127.0.0.1", "::1"),
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.9.9.9/8", "10.0.0.1", "9.255.255.255"),
            ("10.0.0.0/31", "10.0.0.1", "10.0.0.2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
        ] {
            let trusted = trusted(&[proxy]);
            assert!(trusted.contains(peer(inside)), "{proxy} {inside}");
            assert!(!trusted.contains(peer(outside)), "{proxy} {outside}");
            assert!(!trusted.contains(Peer::Unix) && !trusted.contains(Peer::Memory));
        }
        assert!(trusted(&["unix"]).contains(Peer::Unix));
        assert!(!trusted(&["unix"]).contains(peer("127.0.0.1")));
        let none = trusted(&[]);
        assert!(none.is_empty() && !none.contains(peer("127.0.0.1")) && !none.contains(Peer::Unix));
    }

    #[test]
    fn what_is_no_proxy_is_named() {
        for text in [
            "",
            "*",
            "localhost",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0",
            "/8",
            "10.0.0.1:80",
            "[::1]",
            "UNIX",
            "10.0.0.1\n",
            "10.0.0.0/-1",
            "fe80::1%eth0",
            "10.0.0.0/8/8",
        ] {
            let error = TrustedProxies::default().add(text).unwrap_err();
            let shown = text.escape_debug().to_string();
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("'{shown}' is not a trusted proxy"))
            );
        }
    }
}
