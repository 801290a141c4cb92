//! The client of a request according to trusted proxies: `X-Forwarded-For`, `-Proto` and `-Host`, or `Forwarded` (RFC 7239).
//!
//! Each proxy appends to the right end of a list. So the lists are read from the right, as long as the proxies are trusted:
//! the client may have written everything further left. Quoted strings are parsed from the right, too.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{TrustedProxies, number};
use crate::http1::head::FieldLines;
use crate::http1::host;
use crate::info::Peer;

/// The client of a request, and the scheme and host that it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    pub(crate) client: Peer,
    /// Whether the client used HTTPS, if that is known.
    pub(crate) is_https: Option<bool>,
    /// The host in the client's request, if that is known.
    pub(crate) host: Option<&'a str>,
}

impl Origin<'_> {
    /// The origin of a request that came without a trusted proxy.
    pub(crate) fn of(client: Peer) -> Self {
        Origin {
            client,
            is_https: None,
            host: None,
        }
    }
}

impl TrustedProxies {
    /// Returns the origin of a request with these fields from this peer.
    #[inline]
    pub(crate) fn origin<'a>(&self, peer: Peer, fields: &FieldLines<'a>) -> Origin<'a> {
        match self.is_empty() || !self.contains(peer) {
            true => Origin::of(peer),
            false => self.origin_of(Origin::of(peer), fields),
        }
    }

    #[cold]
    fn origin_of<'a>(&self, peer: Origin<'a>, fields: &FieldLines<'a>) -> Origin<'a> {
        let has = |name| fields.values(name).next().is_some();
        match has("X-Forwarded-For") || !has("Forwarded") {
            true => self.of_x_fields(peer, fields),
            false => self.of_forwarded(peer, fields),
        }
    }

    fn of_x_fields<'a>(&self, peer: Origin<'a>, fields: &FieldLines<'a>) -> Origin<'a> {
        let (mut client, mut hop) = (peer.client, 0);
        for (number, text) in from_the_right(fields, "X-Forwarded-For").enumerate() {
            let Some(before) = address(text) else { break };
            (client, hop) = (before, number);
            if !self.contains(client) {
                break;
            }
        }
        // A proxy that does not append sets one value.
        let of_hop = |name| from_the_right(fields, name).take(hop + 1).last();
        Origin {
            client,
            is_https: of_hop("X-Forwarded-Proto").and_then(is_https),
            host: of_hop("X-Forwarded-Host").filter(|host| is_host(host)),
        }
    }

    fn of_forwarded<'a>(&self, peer: Origin<'a>, fields: &FieldLines<'a>) -> Origin<'a> {
        let lines = fields.values("Forwarded").rev();
        let elements = lines.flat_map(|line| split_from_the_right(line, b','));
        let mut origin = peer;
        for (number, element) in elements.enumerate() {
            let Some(element) = Element::parse(element) else {
                break;
            };
            let before = element.client.and_then(address);
            // The nearest proxy may say how it was addressed and not by whom.
            if before.is_some() || number == 0 {
                origin = Origin {
                    client: before.unwrap_or(origin.client),
                    is_https: element.proto.and_then(is_https),
                    host: element.host.filter(|host| is_host(host)),
                };
            }
            if before.is_none_or(|client| !self.contains(client)) {
                break;
            }
        }
        origin
    }
}

/// The members of a list without quoted strings, from the right.
fn from_the_right<'a>(fields: &FieldLines<'a>, name: &str) -> impl Iterator<Item = &'a str> {
    let lines = fields.values(name).rev();
    lines.flat_map(|line| line.rsplit(',')).map(str::trim_ascii)
}

/// One element of `Forwarded`, which one proxy has written.
#[derive(Debug, Default)]
struct Element<'a> {
    client: Option<&'a str>,
    proto: Option<&'a str>,
    host: Option<&'a str>,
}

impl<'a> Element<'a> {
    /// Parses an element. Returns `None` if it is malformed or has a parameter twice.
    fn parse(text: &'a str) -> Option<Self> {
        let mut element = Element::default();
        for pair in split_from_the_right(text, b';') {
            let (name, value) = pair.split_once('=')?;
            let place = match name {
                _ if name.eq_ignore_ascii_case("for") => &mut element.client,
                _ if name.eq_ignore_ascii_case("proto") => &mut element.proto,
                _ if name.eq_ignore_ascii_case("host") => &mut element.host,
                _ => continue,
            };
            let value = match value.strip_prefix('"') {
                // No address, scheme or host has anything to escape.
                Some(quoted) => quoted
                    .strip_suffix('"')
                    .filter(|text| !text.contains(['"', '\\']))?,
                None => value,
            };
            if place.replace(value).is_some() {
                return None;
            }
        }
        Some(element)
    }
}

/// The parts of a text between separators, from the right. Separators in quoted strings do not count.
fn split_from_the_right(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let bytes = text.as_bytes();
        let mut is_quoted = false;
        let at = bytes.iter().enumerate().rposition(|(at, &byte)| {
            // Inside, a quote behind a backslash is part of the text.
            if byte == b'"' && !(is_quoted && is_escaped(bytes, at)) {
                is_quoted = !is_quoted;
            }
            byte == separator && !is_quoted
        });
        let (before, part) = match at {
            Some(at) => (text.get(..at), text.get(at + 1..)),
            None => (None, Some(text)),
        };
        rest = before;
        part.map(str::trim_ascii)
    })
}

/// Returns true if an odd number of backslashes precedes this position.
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    let backslashes = before.iter().rev().take_while(|&&byte| byte == b'\\');
    backslashes.count() % 2 == 1
}

/// Parses an IP address with an optional port. An IPv6 address with a port is in brackets.
fn address(text: &str) -> Option<Peer> {
    let (ip, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (ip, port) = rest.split_once(']')?;
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':')?),
            };
            (IpAddr::V6(ip.parse().ok()?), port)
        }
        None => match text.parse::<IpAddr>() {
            Ok(ip) => (ip, None),
            Err(_) => {
                let (ip, port) = text.split_once(':')?;
                (IpAddr::V4(ip.parse::<Ipv4Addr>().ok()?), Some(port))
            }
        },
    };
    let port = match port {
        // One that a proxy keeps to itself (RFC 7239, 6.3).
        Some(port) if port.len() > 1 && port.starts_with('_') => 0,
        Some(port) => number(port)?,
        None => 0,
    };
    Some(Peer::from(SocketAddr::new(ip, port)))
}

fn is_https(scheme: &str) -> Option<bool> {
    // Some proxies name the scheme of a WebSocket.
    const SCHEMES: [(&str, bool); 4] = [
        ("https", true),
        ("http", false),
        ("wss", true),
        ("ws", false),
    ];
    let mut schemes = SCHEMES.into_iter();
    let found = schemes.find(|(name, _)| scheme.eq_ignore_ascii_case(name));
    found.map(|(_, is_https)| is_https)
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && host::is_valid(text.as_bytes())
}

#[cfg(test)]
mod tests;
