//! The request target and its four forms (RFC 9112, section 3.2).

use std::borrow::Cow;

use super::quote::quoted;
use super::{Refusal, host};

/// A parsed request target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// The path with the query, which a handler gets as `path`. It starts with exactly one `/`, unless it is `*` or the
    /// authority of a CONNECT.
    pub(crate) path: Cow<'a, str>,
    /// The authority of a target in absolute form, which replaces the Host field, or of a CONNECT.
    pub(crate) authority: Option<&'a str>,
}

/// Parses and checks the target of a request with this method.
///
/// Several leading slashes become one, because a redirect to `//name/` leads to another host (CVE-2021-28861). A
/// fragment is kept, as in Python.
pub(crate) fn parse<'a>(method: &str, target: &'a str) -> Result<Target<'a>, Refusal> {
    let parsed = if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        None
    } else if method == "CONNECT" {
        authority_form(target)
    } else if target.starts_with('/') {
        Some(Target {
            path: with_one_slash(target),
            authority: None,
        })
    } else if target == "*" {
        (method == "OPTIONS").then_some(Target {
            path: Cow::Borrowed("*"),
            authority: None,
        })
    } else {
        absolute_form(target)
    };
    parsed.ok_or_else(|| Refusal::bad_request(format!("Bad request target ({})", quoted(target))))
}

/// Returns `path` with exactly one leading slash.
fn with_one_slash(path: &str) -> Cow<'_, str> {
    match path.as_bytes() {
        [b'/', b'/', ..] => {
            let slashes = path.bytes().take_while(|&byte| byte == b'/').count();
            Cow::Borrowed(path.get(slashes - 1..).unwrap_or("/"))
        }
        [b'/', ..] => Cow::Borrowed(path),
        [] => Cow::Borrowed("/"),
        _ => Cow::Owned(format!("/{path}")),
    }
}

/// Parses the `host:port` of a CONNECT. RFC 9110, section 9.3.6: an empty or invalid port must be rejected.
fn authority_form(target: &str) -> Option<Target<'_>> {
    let (_, port) = target.rsplit_once(':')?;
    // The host check covers the digits, because `parse` would accept a plus sign.
    let has_port = port.parse::<u16>().is_ok_and(|port| port > 0);
    (has_port && host::is_valid(target.as_bytes())).then_some(Target {
        path: Cow::Borrowed(target),
        authority: Some(target),
    })
}

fn absolute_form(target: &str) -> Option<Target<'_>> {
    let (scheme, rest) = target.split_once("://")?;
    let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let (authority, path) =
        rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
    // Userinfo is not valid in a host. RFC 9110, section 4.2.1: an empty host must be rejected.
    (is_http && !authority.is_empty() && host::is_valid(authority.as_bytes())).then_some(Target {
        path: with_one_slash(path),
        authority: Some(authority),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[track_caller]
    fn parsed(method: &str, target: &str) -> Option<(String, Option<String>)> {
        let target = parse(method, target).ok()?;
        Some((
            target.path.into_owned(),
            target.authority.map(str::to_owned),
        ))
    }

    #[test]
    fn valid_targets() {
        for (method, target, path, authority) in [
            // RFC 9112, 3.2.1: origin-form
            ("GET", "/", "/", None),
            ("GET", "/a/b?c=d/e?f", "/a/b?c=d/e?f", None),
            ("GET", "/a#b", "/a#b", None),
            ("GET", "/%", "/%", None),
            ("GET", "/\"<>{}|\\^`", "/\"<>{}|\\^`", None),
            ("GET", "/\\host", "/\\host", None),
            ("OPTIONS", "/", "/", None),
            ("connect", "/", "/", None),
            // CVE-2021-28861
            ("GET", "//host/..", "/host/..", None),
            ("GET", "///", "/", None),
            ("GET", "/a//b", "/a//b", None),
            // 3.2.2: absolute-form
            ("GET", "http://h", "/", Some("h")),
            ("GET", "http://h/", "/", Some("h")),
            ("GET", "HTTPS://h:8000/a?b", "/a?b", Some("h:8000")),
            ("GET", "http://h?q=/x", "/?q=/x", Some("h")),
            ("GET", "http://h#f", "/#f", Some("h")),
            ("GET", "http://[::1]:80//x", "/x", Some("[::1]:80")),
            (
                "GET",
                "http://[fe80::1%25eth0]/",
                "/",
                Some("[fe80::1%25eth0]"),
            ),
            ("GET", "http://h/http://i/", "/http://i/", Some("h")),
            ("OPTIONS", "http://h", "/", Some("h")),
            // 3.2.3: authority-form
            ("CONNECT", "h:443", "h:443", Some("h:443")),
            ("CONNECT", "[::1]:443", "[::1]:443", Some("[::1]:443")),
            // 3.2.4: asterisk-form
            ("OPTIONS", "*", "*", None),
        ] {
            let expected = Some((path.to_owned(), authority.map(str::to_owned)));
            assert_eq!(parsed(method, target), expected, "{method} {target}");
        }
    }

    #[test]
    fn the_common_targets_are_borrowed() {
        for target in ["/", "/a?b", "//a", "http://h", "http://h/a"] {
            assert!(
                matches!(parse("GET", target).map(|t| t.path), Ok(Cow::Borrowed(_))),
                "{target}"
            );
        }
    }

    #[test]
    fn invalid_targets() {
        for (method, target) in [
            ("GET", ""),
            ("GET", "a"),
            ("GET", "index.html"),
            ("GET", "?q"),
            ("GET", "\\"),
            ("GET", "h:443"),
            ("GET", "*"),
            ("options", "*"),
            ("OPTIONS", "**"),
            ("OPTIONS", "*/"),
            // RFC 3986, 2: none of these is a character of a URI
            ("GET", "/a b"),
            ("GET", "/\t"),
            ("GET", "/\0"),
            ("GET", "/\x1f"),
            ("GET", "/\x7f"),
            ("GET", "/\u{80}"),
            ("GET", "/\u{e9}"),
            ("GET", "/a\r"),
            // RFC 9110, 4.2: other schemes, no host, userinfo (4.2.4)
            ("GET", "ftp://h/"),
            ("GET", "file:///etc/passwd"),
            ("GET", "http:/h/"),
            ("GET", "http:h"),
            ("GET", "http//h"),
            ("GET", "://h/"),
            ("GET", "http://"),
            ("GET", "http:///a"),
            ("GET", "http://?q"),
            ("GET", "http://:80/"),
            ("GET", "http://u@h/"),
            ("GET", "http://u:p@h/"),
            ("GET", "http://@h/"),
            ("GET", "http://h\\@i/"),
            ("GET", "http://h,i/"),
            ("GET", "http://h:x/"),
            ("GET", "http://[::1/"),
            // RFC 9110, 9.3.6
            ("CONNECT", "h"),
            ("CONNECT", "h:"),
            ("CONNECT", ":443"),
            ("CONNECT", "h:+443"),
            ("CONNECT", "h:0"),
            ("CONNECT", "h:65536"),
            ("CONNECT", "u@h:443"),
            ("CONNECT", "h:443/"),
            ("CONNECT", "/"),
            ("CONNECT", "*"),
            ("CONNECT", "http://h:443"),
            ("CONNECT", "::1:443"),
        ] {
            let refusal = parse(method, target).unwrap_err();
            assert_eq!(refusal.code, 400, "{method} {target}");
        }
        let refusal = parse("GET", "it\u{e9}").unwrap_err();
        assert_eq!(refusal.message, r"Bad request target ('it\xe9')");
    }
}
