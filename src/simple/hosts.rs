//! The hosts that a server answers for, against DNS rebinding: another site can make its host name resolve to this
//! machine, so that its pages can read what is served here.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{ServeFiles, values};
use crate::{Exchange, Result, Status};

/// Allowed names, besides those that are always allowed.
#[derive(Clone, Debug)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    #[track_caller]
    pub(super) fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter().map(Into::into);
        Hosts(values::given(
            names.map(|name| values::host(&name)).collect(),
        ))
    }

    /// Returns whether a request for this host, which may have a port, is answered by a server with this name.
    /// Requests without a host, for an IP address (which no DNS server can have redirected), and for `localhost`
    /// always are.
    pub(super) fn allow(&self, host: Option<&str>, server_name: &str) -> bool {
        let Some(host) = host else {
            return true;
        };
        if host.starts_with('[') {
            return is_ipv6(host);
        }
        let name = host.split(':').next().unwrap_or_default();
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        name.is_empty()
            || name.parse::<Ipv4Addr>().is_ok()
            || is_within(&name, ".localhost")
            || name.eq_ignore_ascii_case(server_name)
            || self.0.iter().any(|allowed| is_within(&name, allowed))
    }
}

/// Answers a request for a host that is not allowed (RFC 9110, 7.4).
pub(crate) fn refuse(h: &dyn ServeFiles, x: &mut Exchange<'_>) -> Result<()> {
    let status = Status::MISDIRECTED_REQUEST.with_explain(
        "This host name is not allowed. The option --allow-host NAME of servette allows it",
    );
    h.send_error(x, status)
}

/// Returns whether this is the allowed name, or, if that has a leading dot, one below it.
fn is_within(name: &str, allowed: &str) -> bool {
    match allowed.strip_prefix('.') {
        Some(domain) => name == domain || name.ends_with(allowed),
        None => name == allowed,
    }
}

/// Returns whether this is an address in brackets, with or without a zone and a port. Its syntax was checked before.
fn is_ipv6(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let address = inner.and_then(|(address, _)| address.split('%').next());
    address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_known_names_are_allowed() {
        let hosts = Hosts::new(["box.lan", ".Example.org", "dot."]);
        for (host, expected) in [
            (None, true),
            (Some(""), true),
            (Some("127.0.0.1"), true),
            (Some("192.168.1.2:8000"), true),
            (Some("[::1]"), true),
            (Some("[::1]:8000"), true),
            (Some("[fe80::1%25eth0]:8000"), true),
            (Some("localhost"), true),
            (Some("LOCALHOST:8000"), true),
            (Some("localhost."), true),
            (Some("app.localhost:8000"), true),
            (Some("box.lan"), true),
            (Some("Box.LAN.:80"), true),
            (Some("dot"), true),
            (Some("example.org"), true),
            (Some("a.b.example.org:1"), true),
            (Some("here"), true),
            (Some("evil.test"), false),
            (Some("evil.test:8000"), false),
            (Some("a.box.lan"), false),
            (Some("notexample.org"), false),
            (Some("example.org.evil.test"), false),
            (Some("localhost.evil.test"), false),
            (Some("notlocalhost"), false),
            (Some("127.0.0.1.evil.test"), false),
            // Not in the form of an address: a browser never sends these.
            (Some("127.1"), false),
            (Some("0x7f000001"), false),
            (Some("2130706433"), false),
            (Some("127.0.0.01"), false),
            (Some("[evil.test]"), false),
            (Some("%6cocalhost"), false),
            (Some("box.lan.."), false),
        ] {
            assert_eq!(hosts.allow(host, "here"), expected, "{host:?}");
        }
        assert!(!Hosts::new([""; 0]).allow(Some("box.lan"), ""));
        assert!(Hosts::new([""; 0]).allow(Some("localhost"), ""));
    }
}
