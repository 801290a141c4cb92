//! Checks of a Host field and of the authority of a target (RFC 9110, section 7.2; RFC 3986, section 3.2).

use std::net::Ipv6Addr;

use super::bytes::{alphanumeric_and, are_in, is_in};

/// Returns true for an empty value, and for a name, an IPv4 address or an IPv6 address in brackets, with an optional
/// port.
///
/// These are valid: `name:` with an empty port, a trailing dot, and `_`. The zone of an IPv6 address, `%eth0` or
/// `%25eth0` (RFC 6874), is valid too: clients should not send it, but Python's urllib, aiohttp, Node and LWP do.
///
/// These are not valid, although the grammar has them: a comma, which would make the value a list, a single quote, and
/// a port without a host.
#[inline]
pub(crate) fn is_valid(host: &[u8]) -> bool {
    if are_in(host, &NAME) {
        return true;
    }
    let name = host.iter().take_while(|&&byte| is_in(byte, &NAME)).count();
    match host.split_at_checked(name) {
        Some((name, [b':', port @ ..])) => !name.is_empty() && is_port(port),
        _ => is_unusual(host),
    }
}

/// Checks a host in brackets, or a name with escapes.
#[cold]
fn is_unusual(host: &[u8]) -> bool {
    let Ok(host) = str::from_utf8(host) else {
        return false;
    };
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(address, rest)| {
            is_ipv6(address)
                && (rest.is_empty()
                    || rest
                        .strip_prefix(':')
                        .is_some_and(|port| is_port(port.as_bytes())))
        });
    }
    match host.split_once(':') {
        Some((name, port)) => !name.is_empty() && is_name(name) && is_port(port.as_bytes()),
        None => is_name(host),
    }
}

/// Returns true for an IPv6 address, optionally with a zone.
fn is_ipv6(address: &str) -> bool {
    let (address, zone) = match address.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (address, None),
    };
    let is_zone = |zone: &str| {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !zone.is_empty() && zone.bytes().all(unreserved)
    };
    address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_zone)
}

fn is_port(port: &[u8]) -> bool {
    port.iter().all(u8::is_ascii_digit)
}

/// Returns true for a `reg-name` of RFC 3986. An IPv4 address is one, too.
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        let is_valid = match byte {
            b'%' => bytes.by_ref().take(2).filter(u8::is_ascii_hexdigit).count() == 2,
            _ => is_in(byte, &NAME),
        };
        if !is_valid {
            return false;
        }
    }
    true
}

/// The characters of a name that need no escape.
static NAME: [bool; 256] = alphanumeric_and(b"-._~!$&()*+;=");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_hosts() {
        for host in [
            "",
            "localhost",
            "example.org",
            "example.org.",
            "EXAMPLE.org:80",
            "example.org:",
            "a_b.test",
            "a-b.test:00080",
            "127.0.0.1",
            "127.0.0.1:8000",
            "999.999.999.999",
            "[::1]",
            "[::1]:8000",
            "[::1]:",
            "[::ffff:127.0.0.1]",
            "[fe80::1%25eth0]",
            "[fe80::1%eth0]:8000",
            "[fe80::1%2512]:",
            "[fe80::1%12]",
            "[fe80::1%25]",
            "[fe80::1%wlan0.100]",
            "[fe80::1%25br-lan]:80",
            "caf%C3%A9.test",
            "a!$&()*+;=~b",
        ] {
            assert!(is_valid(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn invalid_hosts() {
        for host in [
            // RFC 9112, 3.2: refuse what is not uri-host [ ":" port ]
            "u@h",
            "u:p@h",
            "h/",
            "h/a",
            "http://h",
            "h?",
            "h#",
            "h,i",
            "h, i",
            "h i",
            " h",
            "h ",
            "h\t",
            "\"h\"",
            "'h'",
            "<h>",
            "h\\",
            "h^",
            "h{}",
            "h|",
            "h`",
            "h\0",
            "h\r",
            "h\x7f",
            "caf\u{e9}",
            "h\u{a0}",
            "h%",
            "h%4",
            "h%4g",
            "h:80x",
            "h:+80",
            "h:-1",
            "h:80:80",
            "h::",
            ":",
            ":80",
            "::1",
            "[",
            "[]",
            "[::1",
            "::1]",
            "[::1]8000",
            "[::1]:x",
            "[::1].",
            "[::1]]",
            "[[::1]]",
            "[127.0.0.1]",
            "[fe80::1%]",
            "[fe80::1%eth0%eth1]",
            "[fe80::1%25%65th0]",
            "[fe80::1%eth0/]",
            "[fe80::1%eth 0]",
            "[fe80::1%eth0",
            "[%eth0]",
            "[127.0.0.1%eth0]",
            "fe80::1%eth0",
            "h%eth0",
            "[v1.a]",
            "a[::1]",
        ] {
            assert!(!is_valid(host.as_bytes()), "{host}");
        }
    }
}
