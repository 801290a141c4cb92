//! The path below which all of a directory is served, where that is not `/`: as behind a proxy that passes one
//! part of its site on.

use percent_encoding::percent_decode_str;

/// Such a path, decoded: it begins with a slash and does not end with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prefix(Box<[u8]>);

/// Where a request's path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within<'a> {
    /// What follows the prefix, from its slash on, with the query.
    Below(&'a str),
    /// The prefix, without a slash behind it.
    Itself,
    /// Elsewhere.
    Outside,
}

impl Prefix {
    /// From a path as it stands in a URL; `None` for the root.
    pub(super) fn new(path: &str) -> Option<Self> {
        let path = path.trim_matches('/');
        let decoded = percent_decode_str(path);
        (!path.is_empty()).then(|| Prefix([b'/'].into_iter().chain(decoded).collect()))
    }

    /// Compares byte by byte, after decoding: `/f%69les/` is below `/files`, and `/filesystem` is not. Dots are not
    /// resolved before: a path that climbs out of the prefix is still one below it, and ends at the root of the
    /// directory.
    pub(super) fn within<'a>(&self, path: &'a str) -> Within<'a> {
        let mut rest = path;
        for &expected in &*self.0 {
            match next_byte(rest) {
                Some((byte, after)) if byte == expected => rest = after,
                _ => return Within::Outside,
            }
        }
        match rest.bytes().next() {
            None | Some(b'?' | b'#') => Within::Itself,
            _ if next_byte(rest).is_some_and(|(byte, _)| byte == b'/') => Within::Below(rest),
            _ => Within::Outside,
        }
    }
}

/// The first byte of an encoded path, and what follows it; `None` at its end.
fn next_byte(path: &str) -> Option<(u8, &str)> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    match *path.as_bytes() {
        [] | [b'?' | b'#', ..] => None,
        [b'%', high, low, ..] if digit(high).is_some() && digit(low).is_some() => {
            let byte = digit(high)? * 16 + digit(low)?;
            Some((byte as u8, path.get(3..)?))
        }
        // Of a character of several bytes, which no request has, there is no such rest.
        [byte, ..] => Some((byte, path.get(1..)?)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_below_a_prefix_name_by_name() {
        use Within::{Below, Itself, Outside};
        for (prefix, path, expected) in [
            ("/files", "/files/", Below("/")),
            ("/files", "/files/a?b", Below("/a?b")),
            ("/files", "/files", Itself),
            ("/files", "/files?x", Itself),
            ("/files", "/files#x", Itself),
            ("/files", "/filesystem", Outside),
            ("/files", "/file", Outside),
            ("/files", "/", Outside),
            ("/files", "", Outside),
            ("/files", "*", Outside),
            ("/files", "/Files/", Outside),
            ("/files", "/x/files/", Outside),
            ("/files", "/f%69les/a", Below("/a")),
            ("/files", "/%66%69les%2fa", Below("%2fa")),
            ("/files", "%2Ffiles/", Below("/")),
            ("/files", "/files%", Outside),
            ("/files", "/files%2", Outside),
            ("/files", "/files/../x", Below("/../x")),
            ("/files", "/x/../files/", Outside),
            ("files/", "/files/a", Below("/a")),
            ("/a/b/", "/a/b/c", Below("/c")),
            ("/a/b", "/a/b", Itself),
            ("/a/b", "/a", Outside),
            ("/a/b", "/a/", Outside),
            ("/a%20b", "/a%20b/", Below("/")),
            ("/a b", "/a%20b/", Below("/")),
            ("/caf\u{e9}", "/caf%C3%A9/", Below("/")),
            ("/a%3fb", "/a%3Fb/", Below("/")),
            ("/a%3fb", "/a?b/", Outside),
            ("/100%", "/100%/", Below("/")),
            ("/100%", "/100%25/", Below("/")),
        ] {
            let within = Prefix::new(prefix).unwrap();
            assert_eq!(within.within(path), expected, "{prefix} {path}");
        }
        for root in ["", "/", "//"] {
            assert_eq!(Prefix::new(root), None);
        }
    }

    proptest! {
        #[test]
        fn what_follows_is_a_part_of_the_path_that_begins_with_a_slash(prefix in "/[a-c%2f/]{1,4}", path in "/[a-c%2f/?]{0,9}") {
            let Some(prefix) = Prefix::new(&prefix) else { return Ok(()) };
            if let Within::Below(rest) = prefix.within(&path) {
                prop_assert!(path.ends_with(rest));
                prop_assert!(rest.starts_with('/') || rest.to_lowercase().starts_with("%2f"));
                let before = path.strip_suffix(rest).unwrap();
                let decoded: Vec<u8> = percent_decode_str(before).collect();
                prop_assert_eq!(&*decoded, &*prefix.0);
            }
        }
    }
}
