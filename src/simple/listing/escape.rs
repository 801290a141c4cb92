//! Escapes names for links and for HTML.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::names::Line;

/// Adds the link to an entry, relative to its directory: the percent-encoded name, without characters that have a
/// meaning in URLs or HTML.
pub(super) fn push_link(page: &mut Vec<u8>, line: &Line<'_>) {
    for part in percent_encode(line.name, QUOTED) {
        page.extend_from_slice(part.as_bytes());
    }
    if line.is_dir() {
        page.push(b'/');
    }
}

/// Returns whether a byte needs no escape in URLs and HTML.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'~')
}

/// All characters except those that never need to be encoded in a URL.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~');

/// Returns what Python shows after a name.
pub(super) fn mark(line: &Line<'_>) -> &'static str {
    match (line.is_link, line.is_dir()) {
        (true, _) => "@",
        (false, true) => "/",
        (false, false) => "",
    }
}

/// Escapes text for elements and attributes of HTML: `&`, `<`, `>`, `"` and `'`. Control characters, which HTML does
/// not allow, are replaced by U+FFFD. Use it in a page of [`listing_page`](super::super::ServeFiles::listing_page).
#[doc(alias = "html.escape")]
pub fn html_escape(text: &str) -> String {
    let mut page = Vec::with_capacity(text.len());
    push_text(&mut page, text.as_bytes());
    String::from_utf8(page).unwrap_or_default()
}

/// Adds bytes as text that is safe in elements and attributes. Control characters, and bytes that are not UTF-8, are
/// replaced by U+FFFD.
pub(super) fn push_text(page: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some((plain, special, after)) = split_at_special(rest) {
            page.extend_from_slice(plain.as_bytes());
            page.extend_from_slice(match special {
                '&' => b"&amp;",
                '<' => b"&lt;",
                '>' => b"&gt;",
                '"' => b"&quot;",
                '\'' => b"&#x27;",
                _ => REPLACEMENT,
            });
            rest = after;
        }
        page.extend_from_slice(rest.as_bytes());
        if !chunk.invalid().is_empty() {
            page.extend_from_slice(REPLACEMENT);
        }
    }
}

fn split_at_special(text: &str) -> Option<(&str, char, &str)> {
    let at = text.find(|c: char| matches!(c, '&' | '<' | '>' | '"' | '\'') || c.is_control())?;
    let (plain, rest) = text.split_at_checked(at)?;
    let special = rest.chars().next()?;
    Some((plain, special, rest.get(special.len_utf8()..)?))
}

/// U+FFFD.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_safe_in_elements_and_attributes() {
        for (text, escaped) in [
            ("plain é", "plain é"),
            (
                "<b a=\"c\" d='e'>&amp;",
                "&lt;b a=&quot;c&quot; d=&#x27;e&#x27;&gt;&amp;amp;",
            ),
            ("a\r\n\0b", "a\u{fffd}\u{fffd}\u{fffd}b"),
            ("", ""),
        ] {
            assert_eq!(html_escape(text), escaped);
        }
    }
}
