//! The header of the PROXY protocol, versions 1 and 2, which names the client at the start of a connection: bytes in, a
//! client or an error out.
//!
//! The protocol is specified in HAProxy's `doc/proxy-protocol.txt`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::number;
use crate::info::Peer;

/// Maximum length of a version 1 line, line end included.
const LINE: usize = 107;
const LINE_START: &[u8] = b"PROXY ";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Length of the fixed part of a version 2 header.
const FIXED: usize = 16;
/// Length of two paths of Unix sockets, the longest addresses.
const PATHS: usize = 216;
/// Maximum length of the type-length-value fields after the addresses, which are ignored.
const FIELDS: usize = 4 << 10;
/// Maximum length of a header.
pub(crate) const MOST: usize = FIXED + PATHS + FIELDS;

/// A complete header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Its length in bytes.
    pub(crate) length: usize,
    /// The client; `None` for `LOCAL` and `UNKNOWN`.
    pub(crate) source: Option<Peer>,
}

/// Parses the header at the start of a connection. Returns `None` if it is incomplete.
///
/// # Errors
/// A text for the log, if the header is malformed.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
    match bytes {
        [] => Ok(None),
        _ if begins(bytes, SIGNATURE) => binary(bytes),
        _ if begins(bytes, LINE_START) => line(bytes),
        _ => Err("the connection does not begin with a PROXY header"),
    }
}

/// Returns true if the bytes begin with `start`, or with a part of it and end there.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(one, other)| one == other)
}

/// Parses version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 4321 80` and a line end.
fn line(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
    let longest = bytes.get(..LINE).unwrap_or(bytes);
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~');
    let end = longest.iter().take_while(|&byte| is_text(byte)).count();
    match longest.get(end..).unwrap_or_default() {
        [b'\r', b'\n', ..] => {}
        [] | [b'\r'] if longest.len() < LINE => return Ok(None),
        [] | [b'\r'] => return Err("the PROXY line is longer than 107 bytes"),
        _ => return Err(MALFORMED_LINE),
    }
    let text = bytes.get(LINE_START.len()..end).unwrap_or_default();
    let source = str::from_utf8(text).ok().and_then(source_of_line);
    let source = source.ok_or(MALFORMED_LINE)?;
    let length = end + 2;
    Ok(Some(Header { length, source }))
}

const MALFORMED_LINE: &str = "malformed PROXY line";

fn source_of_line(text: &str) -> Option<Option<Peer>> {
    let mut words = text.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        // What follows is to be ignored.
        return Some(None);
    }
    let [source, destination] = [words.next()?, words.next()?];
    let [port, _] = [number(words.next()?)?, number(words.next()?)?];
    let [source, _] = match family {
        "TCP4" => [ip::<Ipv4Addr>(source)?, ip::<Ipv4Addr>(destination)?],
        "TCP6" => [ip::<Ipv6Addr>(source)?, ip::<Ipv6Addr>(destination)?],
        _ => return None,
    };
    let source = Peer::from(SocketAddr::new(source, port));
    words.next().is_none().then_some(Some(source))
}

fn ip<T: FromStr + Into<IpAddr>>(text: &str) -> Option<IpAddr> {
    text.parse::<T>().ok().map(T::into)
}

/// Parses version 2: a signature, version and command, family, length, addresses.
fn binary(bytes: &[u8]) -> Result<Option<Header>, &'static str> {
    let Some((&[.., command, family, high, low], rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MOST - FIXED {
        return Err("the PROXY header is too long");
    }
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err("unknown version or command in a PROXY header"),
    };
    let Some(rest) = rest.get(..length) else {
        return Ok(None);
    };
    let source = match family {
        _ if is_local => None,
        // Not known to the proxy.
        0x00 => None,
        0x11 => Some(internet(rest, 4).ok_or(SHORT)?),
        0x21 => Some(internet(rest, 16).ok_or(SHORT)?),
        0x31 if rest.len() >= PATHS => Some(Peer::Unix),
        0x31 => return Err(SHORT),
        _ => return Err("unknown address family in a PROXY header"),
    };
    let length = FIXED + length;
    Ok(Some(Header { length, source }))
}

const SHORT: &str = "the PROXY header is too short for its addresses";

/// Returns the source of two addresses of `width` bytes, followed by two ports.
fn internet(bytes: &[u8], width: usize) -> Option<Peer> {
    let (source, rest) = bytes.split_at_checked(width)?;
    let ports = rest.get(width..)?.first_chunk::<4>()?;
    let [high, low, ..] = *ports;
    let ip = match source.first_chunk::<16>() {
        Some(&ip) => IpAddr::from(ip),
        None => IpAddr::from(*source.first_chunk::<4>()?),
    };
    let port = u16::from_be_bytes([high, low]);
    Some(Peer::from(SocketAddr::new(ip, port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn peer(address: &str) -> Option<Peer> {
        Some(Peer::Ip(address.parse().unwrap()))
    }

    /// Version 2, with addresses and whatever follows.
    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut header = SIGNATURE.to_vec();
        header.extend([command, family]);
        header.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        header.extend(rest);
        header
    }

    const FOUR: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 16, 225, 0, 80];

    #[test]
    fn lines_name_the_client() {
        let longest = "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
                       ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
        assert_eq!(longest.len(), 104);
        let unknown = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LINE - 16));
        assert_eq!(unknown.len(), LINE);
        for (text, source) in [
            (
                "PROXY TCP4 192.0.2.1 192.0.2.2 4321 80\r\n",
                peer("192.0.2.1:4321"),
            ),
            (
                "PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n",
                peer("192.0.2.1:0"),
            ),
            (
                "PROXY TCP6 2001:db8::1 ::1 4321 80\r\n",
                peer("[2001:db8::1]:4321"),
            ),
            (
                "PROXY TCP6 ::ffff:192.0.2.1 ::1 4321 80\r\n",
                peer("192.0.2.1:4321"),
            ),
            (
                longest,
                peer("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
            ),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN 1 2 3 4 5\r\n", None),
            (&unknown, None),
        ] {
            let length = text.len();
            let whole = [text, "GET / HTTP/1.1\r\n\r\n"].concat();
            assert_eq!(
                parse(whole.as_bytes()),
                Ok(Some(Header { length, source })),
                "{text}"
            );
        }
    }

    #[test]
    fn lines_of_another_form_are_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LINE - 15));
        assert_eq!(long.len(), LINE + 1);
        for text in [
            "GET / HTTP/1.1\r\n\r\n",
            "\r\nGET",
            "proxy TCP4",
            "PROXY\r\n",
            "PROXY \r\n",
            "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n",
            "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 x 1 2\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
            "PROXY TCP4 192.0.2.1\t192.0.2.2 1 2",
            "PROXY TCP4 \rx",
            "PROXY UNKNOWN \0",
            "PROXY UNKNOWN \0\r\n",
            "PROXY UNKNOWN a\rb",
            "PROXY UNKNOWN a\rb\r\n",
            &long,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn binary_headers_name_the_client() {
        let six = [
            &[0x20, 1, 0xd, 0xb8],
            &[0; 11][..],
            &[1],
            &[0; 16],
            &[16, 225, 0, 80],
        ]
        .concat();
        let fields = [&FOUR[..], &[7; FIELDS]].concat();
        let most = [&[7; PATHS][..], &[7; FIELDS]].concat();
        let client = peer("192.0.2.1:4321");
        for (header, source) in [
            (v2(0x21, 0x11, &FOUR), client),
            (v2(0x21, 0x11, &fields), client),
            (v2(0x21, 0x21, &six), peer("[2001:db8::1]:4321")),
            (v2(0x21, 0x31, &most), Some(Peer::Unix)),
            (v2(0x21, 0x00, b""), None),
            (v2(0x21, 0x00, &FOUR), None),
            (v2(0x20, 0x00, b""), None),
            (v2(0x20, 0x11, &FOUR), None),
            (v2(0x20, 0xff, b"x"), None),
        ] {
            let length = header.len();
            let whole = [&header[..], b"GET"].concat();
            assert_eq!(parse(&whole), Ok(Some(Header { length, source })));
        }
    }

    #[test]
    fn binary_headers_of_another_form_are_refused() {
        let mut longest = v2(0x21, 0x11, &FOUR);
        longest[14..16].copy_from_slice(&[0xff, 0xff]);
        for header in [
            longest,
            v2(0x21, 0x31, &[0; MOST - FIXED + 1]),
            v2(0x11, 0x11, &FOUR),
            v2(0x22, 0x11, &FOUR),
            v2(0x31, 0x11, &FOUR),
            v2(0x21, 0x11, &FOUR[..11]),
            v2(0x21, 0x21, &FOUR),
            v2(0x21, 0x31, &[0; PATHS - 1]),
            v2(0x21, 0x12, &FOUR),
            v2(0x21, 0x41, &FOUR),
            b"\r\n\r\n\0\r\nQUIT\r".to_vec(),
        ] {
            assert!(parse(&header).is_err(), "{header:?}");
        }
    }

    proptest! {
        /// Byte by byte, a header is incomplete up to its last byte, and what follows it changes nothing.
        #[test]
        fn how_a_header_comes_makes_no_difference(
            port in any::<u16>(), fields in prop::collection::vec(any::<u8>(), 0..40), is_binary: bool,
            behind in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let header = match is_binary {
                true => v2(0x21, 0x11, &[&FOUR[..], &fields].concat()),
                false => format!("PROXY TCP4 192.0.2.1 192.0.2.2 {port} 80\r\n").into_bytes(),
            };
            for end in 0..header.len() {
                prop_assert_eq!(parse(&header[..end]), Ok(None));
            }
            let found = parse(&[&header[..], &behind].concat()).unwrap().unwrap();
            prop_assert_eq!(found.length, header.len());
            prop_assert!(found.length <= MOST && found.source.is_some());
        }

        /// Whatever comes, the first verdict is the last one.
        #[test]
        fn how_anything_else_comes_makes_no_difference(
            start in 0..4_usize, text in "[ -~]{0,110}", bytes in prop::collection::vec(any::<u8>(), 0..40),
            is_ended: bool,
        ) {
            let start = [&b""[..], LINE_START, b"PROXY UNKNOWN", SIGNATURE][start];
            let end: &[u8] = if is_ended { b"\r\n" } else { b"" };
            let all = [start, text.as_bytes(), &bytes, end].concat();
            let verdicts = (0..=all.len()).map(|end| parse(&all[..end]));
            let first = verdicts.into_iter().find(|verdict| *verdict != Ok(None));
            prop_assert_eq!(parse(&all), first.unwrap_or(Ok(None)));
        }
    }
}
