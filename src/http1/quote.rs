//! Quotes text of a client for a message, as Python's `ascii()` does. No crate does this.

use std::fmt::Write as _;

/// The maximum number of characters that are shown, so that a response does not repeat a line of 64 KiB.
const SHOWN: usize = 200;

/// Returns `text` in quotes, with everything but printable ASCII escaped; a long text is truncated and ends with `...`.
///
/// As in Python, the quotes are double if that avoids escaping single ones. Characters beyond ASCII are escaped too, so
/// the result is safe in a status line and in a log.
pub(crate) fn quoted(text: &str) -> String {
    let cut = text
        .char_indices()
        .nth(SHOWN)
        .and_then(|(end, _)| text.get(..end));
    let shown = cut.unwrap_or(text);
    let quote = if shown.contains('\'') && !shown.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::with_capacity(shown.len() + 5);
    out.push(quote);
    for character in shown.chars() {
        push_escaped(&mut out, character, quote);
    }
    if cut.is_some() {
        out.push_str("...");
    }
    out.push(quote);
    out
}

fn push_escaped(out: &mut String, character: char, quote: char) {
    match character {
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        _ if character == '\\' || character == quote => out.extend(['\\', character]),
        ' '..='~' => out.push(character),
        _ => {
            let code = u32::from(character);
            // Writing to a String cannot fail.
            let _ = match code {
                0..=0xff => write!(out, "\\x{code:02x}"),
                0x100..=0xffff => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_as_python_does_it() {
        for (text, expected) in [
            ("", "''"),
            ("GET /", "'GET /'"),
            ("it's", "\"it's\""),
            ("'\"", "'\\'\"'"),
            ("say \"a\"", "'say \"a\"'"),
            ("a\\b", "'a\\\\b'"),
            ("\t\r\n", "'\\t\\r\\n'"),
            ("\0\x1b\x7f\u{85}\u{e9}", "'\\x00\\x1b\\x7f\\x85\\xe9'"),
            ("\u{20ac}\u{1f980}", "'\\u20ac\\U0001f980'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn long_text_is_cut() {
        let whole = "x".repeat(SHOWN);
        assert_eq!(quoted(&whole), format!("'{whole}'"));
        assert_eq!(quoted(&"x".repeat(65_536)), format!("'{whole}...'"));
        // The truncated part does not decide about the quotes, and no character is split.
        assert_eq!(quoted(&format!("{whole}'")), format!("'{whole}...'"));
        assert_eq!(
            quoted(&"\u{e9}".repeat(300)),
            format!("'{}...'", "\\xe9".repeat(SHOWN))
        );
    }
}
