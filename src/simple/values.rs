//! Checks the values of options. A value that can match no request is a mistake, and is rejected where it is set. The
//! command uses the same rules for its arguments.

use std::net::IpAddr;

use crate::exchange::prefix;
use crate::proxies::TrustedProxies;

/// Checks a host name; with a leading dot, it also allows all names below it.
///
/// # Errors
/// If no request can have it.
pub fn host(text: &str) -> Result<String, String> {
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let inner = name.strip_prefix('.').unwrap_or(&name);
    // Addresses are allowed anyway.
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=".contains(c);
    let problem = if is_address {
        None
    } else if inner.is_empty() {
        Some("the name is missing")
    } else if inner.contains([':', '/']) {
        Some("expected a host name without a scheme, a port and a path")
    } else if inner.contains('*') {
        Some("patterns are not supported; `.example.org` allows the domain and its subdomains")
    } else if !inner.is_ascii() {
        Some("expected the ASCII form of the name, which begins with `xn--`")
    } else if inner.split('.').any(str::is_empty) || !inner.chars().all(is_of_name) {
        Some("it is not a host name")
    } else {
        None
    };
    unless(problem, text).map(|()| name)
}

/// A trusted proxy: an address, a network, or `unix`.
///
/// # Errors
/// If it is none of them.
pub fn proxy(text: &str) -> Result<String, String> {
    let added = TrustedProxies::default().add(text);
    added.map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// Checks a directory below that of a handler; `/` is all of it.
///
/// # Errors
/// If nothing can be below it.
pub fn directory(text: &str) -> Result<String, String> {
    let problem = match text {
        "" => Some("the directory is missing; `/` is the whole directory"),
        _ => dots(text),
    };
    let names = text.split('/').filter(|name| !name.is_empty());
    unless(problem, text).map(|()| names.collect::<Vec<_>>().join("/"))
}

/// Checks a page below the directory of a handler.
///
/// # Errors
/// If it can't be a file.
pub fn page(text: &str) -> Result<String, String> {
    let name = text.trim_start_matches('/');
    let problem = match name {
        "" => Some("the file name is missing"),
        _ if name.ends_with('/') => Some("it is a directory, not a file"),
        _ => dots(name),
    };
    unless(problem, text).map(|()| name.to_owned())
}

/// Checks a path prefix of URLs.
///
/// # Errors
/// If no request path can begin with it.
pub fn url_prefix(text: &str) -> Result<String, String> {
    unless(prefix::problem(text), text).map(|()| text.to_owned())
}

/// Checks the suffix of a name, and returns it in lower case without its dot.
///
/// # Errors
/// If no name can end with it.
pub fn suffix(text: &str) -> Result<String, String> {
    let suffix = text.trim_start_matches('.').to_ascii_lowercase();
    let problem = if suffix.is_empty() {
        Some("the suffix is missing")
    } else if suffix.contains('/') {
        Some("a suffix has no slash")
    } else if suffix.contains('.') {
        Some("a suffix has one dot: it is the part of a name from its last dot on")
    } else {
        None
    };
    unless(problem, text).map(|()| suffix)
}

/// Returns a value that the program has set.
///
/// # Panics
/// If it is invalid.
#[track_caller]
#[allow(clippy::panic)] // A program that asks for what can't be should stop where it asks.
pub(crate) fn given<T>(value: Result<T, String>) -> T {
    value.unwrap_or_else(|problem| panic!("{problem}"))
}

fn unless(problem: Option<&str>, text: &str) -> Result<(), String> {
    match problem {
        None => Ok(()),
        Some(problem) => Err(format!("'{}': {problem}", text.escape_debug())),
    }
}

/// Returns why a path leads to nothing that a request can name.
fn dots(path: &str) -> Option<&'static str> {
    let is_resolved = path.split('/').any(|name| matches!(name, "." | ".."));
    is_resolved.then_some("a path with `.` or `..` never matches, as requests have them resolved")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_never_match_are_refused() {
        type Rule = fn(&str) -> Result<String, String>;
        for (rule, good, bad) in [
            (
                host as Rule,
                &[
                    "box.lan",
                    ".lan",
                    "Box.LAN.",
                    "localhost",
                    "a_b",
                    "127.0.0.1",
                    "::1",
                    "[::1]",
                ][..],
                &[
                    "",
                    ".",
                    "http://x",
                    "x:80",
                    "x/",
                    "*.lan",
                    "a..b",
                    "a b",
                    "..lan",
                    "caf\u{e9}.fr",
                    "u@x",
                    "%41",
                ][..],
            ),
            (
                directory,
                &["assets", "/assets/", "a//b", "/", "...", ".x"],
                &["", ".", "./a", "a/../b", ".."],
            ),
            (
                page,
                &["404.html", "/index.html", "a/b.html"],
                &["", "/", "a/", "../a", "./a"],
            ),
            (
                url_prefix,
                &["", "/", "/a/b", "a b"],
                &["/a/../b", "http://x/", "/%2e"],
            ),
            (suffix, &[".x", "x", ".X"], &["", ".", "a/b", ".tar.gz"]),
        ] {
            for text in good {
                assert!(rule(text).is_ok(), "{text:?}");
            }
            for text in bad {
                let problem = rule(text).unwrap_err();
                assert!(
                    problem.starts_with(&format!("'{}': ", text.escape_debug())),
                    "{problem}"
                );
            }
        }
    }
}
