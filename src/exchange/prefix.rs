//! Path prefixes: the rule of [`Exchange::strip_prefix`](super::Exchange::strip_prefix) and
//! [`SimpleHandler::with_prefix`](crate::SimpleHandler::with_prefix).
//!
//! A path is below a prefix if the file that it names is below the directory that the prefix names. Both are read like
//! file names: decoded once, split at slashes (`%2F` is one), with `.` and `..` resolved. Otherwise a guard of
//! `/private` would not match `/%70rivate/`, `/private%2Fa` or `/x/../private/a`, and the handler of files behind it
//! would serve them.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Returns the rest of a path after the prefix; `None` if the path is not below the prefix.
///
/// The rest is empty or starts with `?` or `#` if the path is the prefix itself. Otherwise it starts with a slash,
/// which may be encoded, and its `..` do not leave the prefix.
pub(crate) fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    // The common case.
    let own = prefix.trim_end_matches('/');
    if own.starts_with('/') && !own.contains(['?', '#']) && is_plain(own) && is_plain(path) {
        let rest = path.strip_prefix(own)?;
        return (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then_some(rest);
    }
    let count = names(prefix).count();
    // The number of names so far, and the number of leading names that are equal to names of the prefix.
    let (mut depth, mut same) = (0, 0);
    let (mut rest, mut found) = (path, path);
    while let Some(after) = after_slash(rest) {
        let (name, behind) = split_name(after);
        rest = behind;
        if is(name, "") || is(name, ".") {
            continue;
        }
        if is(name, "..") {
            depth = usize::saturating_sub(depth, 1);
            same = same.min(depth);
            continue;
        }
        if same == depth && names(prefix).nth(depth).is_some_and(|own| is(name, own)) {
            same += 1;
            if same == count {
                found = rest;
            }
        }
        depth += 1;
    }
    let is_path = rest.is_empty() || rest.starts_with(['?', '#']);
    (is_path && same == count).then_some(found)
}

/// Returns true if nothing is encoded, and no name is empty or starts with a dot.
fn is_plain(path: &str) -> bool {
    let mut after_slash = false;
    for byte in path.bytes() {
        match byte {
            b'?' | b'#' => return true,
            b'%' => return false,
            b'/' | b'.' if after_slash => return false,
            _ => after_slash = byte == b'/',
        }
    }
    true
}

/// Returns the prefix as part of the path of a URL: it starts with a slash and does not end with one. The root is
/// empty.
pub(crate) fn in_url(prefix: &str) -> String {
    let mut text = String::with_capacity(prefix.len() + 1);
    for name in names(prefix) {
        text.push('/');
        text.extend(utf8_percent_encode(name, ENCODED));
    }
    text
}

/// Returns the reason why no path can be below this prefix; `None` if one can be.
pub(crate) fn problem(prefix: &str) -> Option<&'static str> {
    if prefix.contains("://") {
        return Some("expected only the path of the URL");
    }
    let is_resolved = names(prefix).any(|name| is(name, ".") || is(name, ".."));
    is_resolved.then_some("a path with `.` or `..` never matches, as requests have them resolved")
}

/// The characters that are encoded. `%` is not, because the prefix of the caller may be encoded already.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'#')
    .add(b'\\');

/// Returns the names of a prefix.
fn names(prefix: &str) -> impl Iterator<Item = &str> {
    let mut rest = prefix;
    let next = move || {
        let (name, behind) = split(rest, |at| after_slash(at).is_some());
        rest = after_slash(behind).unwrap_or_default();
        (!name.is_empty() || !rest.is_empty()).then_some(name)
    };
    std::iter::from_fn(next).filter(|name| !name.is_empty())
}

/// Returns the rest of a path after a slash, encoded or not; `None` if the path does not start with one.
pub(crate) fn after_slash(path: &str) -> Option<&str> {
    let encoded = || {
        path.strip_prefix("%2F")
            .or_else(|| path.strip_prefix("%2f"))
    };
    path.strip_prefix('/').or_else(encoded)
}

/// Splits a path after its first name. The rest starts with a slash, a query or a fragment, or is empty.
fn split_name(path: &str) -> (&str, &str) {
    split(path, |at| {
        at.starts_with(['?', '#']) || after_slash(at).is_some()
    })
}

/// Splits a text before the first position where `is_end` returns true.
fn split(text: &str, is_end: impl Fn(&str) -> bool) -> (&str, &str) {
    let end = text
        .char_indices()
        .find(|&(at, _)| text.get(at..).is_some_and(&is_end));
    text.split_at_checked(end.map_or(text.len(), |(at, _)| at))
        .unwrap_or((text, ""))
}

/// Returns true if two names are equal when they are decoded.
fn is(name: &str, other: &str) -> bool {
    percent_decode_str(name).eq(percent_decode_str(other))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simple::path;

    #[test]
    fn paths_are_below_a_prefix_name_by_name() {
        for (prefix, path, expected) in [
            ("/files", "/files/", Some("/")),
            ("/files", "/files/a?b", Some("/a?b")),
            ("/files", "/files", Some("")),
            ("/files", "/files?x", Some("?x")),
            ("/files", "/files#x", Some("#x")),
            ("/files", "/filesystem", None),
            ("/files", "/file", None),
            ("/files", "/", None),
            ("/files", "", None),
            ("/files", "*", None),
            ("/files", "/Files/", None),
            ("/files", "/x/files/", None),
            ("/files", "/x?/files/", None),
            ("/files", "/f%69les/a", Some("/a")),
            ("/files", "/%66%69les%2fa", Some("%2fa")),
            ("/files", "%2Ffiles/", Some("/")),
            ("/files", "/%2Ffiles/", Some("/")),
            ("/files", "/files%", None),
            ("/files", "/files%2", None),
            ("/files", "/files%252Fa", None),
            ("/files", "/files%00/a", None),
            ("/files", "/files\\a", None),
            // Dot segments.
            ("/files", "/files/../x", None),
            ("/files", "/files/%2e%2E/x", None),
            ("/files", "/files%2f..%2fx", None),
            ("/files", "/files/a/../../x", None),
            ("/files", "/files/a/../b", Some("/a/../b")),
            ("/files", "/files/..", None),
            ("/files", "/files/../files/b", Some("/b")),
            ("/files", "/files/.", Some("/.")),
            ("/files", "/x/../files/", Some("/")),
            ("/files", "/../../files/", Some("/")),
            ("/files", "/x/%2e./files/", Some("/")),
            ("/files", "/%2e/files/", Some("/")),
            ("/files", "/.%2Ffiles/", Some("/")),
            ("/files", "//files//a", Some("//a")),
            ("/files", "/%252e%252e/files/", None),
            ("/files", "/files/...", Some("/...")),
            ("files/", "/files/a", Some("/a")),
            ("/a/b/", "/a/b/c", Some("/c")),
            ("/a/b", "/a/b", Some("")),
            ("/a/b", "/a/x/../b/c", Some("/c")),
            ("/a/b", "/a/b/../c", None),
            ("/a/b", "/a", None),
            ("/a/b", "/a/", None),
            ("/a/b", "/b/a", None),
            ("/a/a", "/a/a/a", Some("/a")),
            ("/a%2Fb", "/a/b/c", Some("/c")),
            ("//a//b//", "/a/b/c", Some("/c")),
            ("/a%20b", "/a%20b/", Some("/")),
            ("/a b", "/a%20b/", Some("/")),
            ("/caf\u{e9}", "/caf%C3%A9/", Some("/")),
            ("/a%3fb", "/a%3Fb/", Some("/")),
            ("/a%3fb", "/a?b/", None),
            ("/a?b", "/a?b/", None),
            ("/a?b", "/a%3fb/", Some("/")),
            ("/.a", "/.a/b", Some("/b")),
            ("/a.b", "/a.b/c", Some("/c")),
            ("//", "/a", Some("/a")),
            ("/100%", "/100%/", Some("/")),
            ("/100%", "/100%25/", Some("/")),
            ("/", "/a", Some("/a")),
            ("", "/../a", Some("/../a")),
            ("", "?q", Some("?q")),
            ("", "*", None),
            ("", "a:443", None),
        ] {
            assert_eq!(below(path, prefix), expected, "{prefix} {path}");
        }
    }

    #[test]
    fn a_prefix_is_written_as_in_a_url() {
        for (prefix, text) in [
            ("/files/", "/files"),
            ("a/b", "/a/b"),
            ("/", ""),
            ("/m%20n", "/m%20n"),
            ("/m n", "/m%20n"),
            ("/\\host", "/%5Chost"),
            ("/\u{e9}", "/%C3%A9"),
        ] {
            assert_eq!(in_url(prefix), text);
        }
    }

    #[test]
    fn a_prefix_that_no_path_can_have_is_known() {
        for prefix in ["/a/./b", "..", "/a/%2e%2e", "https://x/y", "."] {
            assert!(problem(prefix).is_some(), "{prefix}");
        }
        for prefix in ["", "/", "/a", "a/b/", "/a%20b", "/..."] {
            assert_eq!(problem(prefix), None, "{prefix}");
        }
    }

    proptest! {
        /// A path is below a prefix if and only if the file that it names is in the directory of the prefix.
        #[test]
        fn a_path_is_below_a_prefix_if_its_file_is(path in "(/|%2f|a|b|\\.|%2e|%61|%){0,12}(\\?/a)?") {
            let path = format!("/{path}");
            // On Windows some names are refused.
            let Ok(path::Relative { path: whole, .. }) = path::relative(&path) else {
                return Ok(());
            };
            for prefix in ["a", "a/b", "ab"] {
                let rest = below(&path, prefix);
                prop_assert_eq!(rest.is_some(), whole.starts_with(prefix), "{} {}", path, prefix);
                if let Some(rest) = rest {
                    prop_assert!(path.ends_with(rest));
                    let inside = path::relative(rest).unwrap().path;
                    prop_assert_eq!(&whole, &std::path::Path::new(prefix).join(inside));
                }
            }
        }
    }
}
