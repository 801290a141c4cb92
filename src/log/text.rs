//! Log lines, and the escapes that keep a client from forging a log line.
//!
//! The escapes are Python's, which no crate provides.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::{Error, Peer};

/// Formats a log line with its line feed: `ADDRESS - - [DATE] message`.
///
/// The message is escaped as by [`escape`]. The client controls its length, so it is truncated after
/// [`LONGEST_MESSAGE`] bytes and then ends with `...`.
pub(crate) fn line(address: &str, date: &str, message: fmt::Arguments<'_>) -> String {
    // The capacity suffices for most lines.
    let mut line = String::with_capacity(address.len() + date.len() + 128);
    // Writing to a String fails only if a `Display` of the message fails, or at the limit. The line then contains the
    // text before that.
    let _ = write!(line, "{address} - - [{date}] ");
    let _ = Escaped::new(&mut line, LONGEST_MESSAGE).write_fmt(message);
    line.push('\n');
    line
}

/// Escapes control characters (U+0000 to U+001F and U+007F to U+009F) as `\xNN`, and a backslash as two, so that the
/// result is unambiguous.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_special) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    let _ = Escaped::new(&mut escaped, usize::MAX).write_str(text);
    Cow::Owned(escaped)
}

/// A writer that escapes text and appends it to a `String`.
#[derive(Debug)]
pub(crate) struct Escaped<'a> {
    out: &'a mut String,
    /// The number of bytes that may still be appended.
    room: usize,
    is_cut: bool,
    /// Whether the text is quoted. Then quotes and backslashes are escaped as `\xNN`.
    is_quoted: bool,
}

impl<'a> Escaped<'a> {
    /// Returns a writer that appends at most `room` bytes to `out`, not counting the `...`.
    pub(crate) fn new(out: &'a mut String, room: usize) -> Escaped<'a> {
        Escaped {
            out,
            room,
            is_cut: false,
            is_quoted: false,
        }
    }

    /// Returns a writer of quoted text for the log formats of Apache: it escapes every special character as `\xNN`.
    fn quoted(out: &'a mut String, room: usize) -> Escaped<'a> {
        Escaped {
            is_quoted: true,
            ..Escaped::new(out, room)
        }
    }

    fn is_special(&self, c: char) -> bool {
        is_special(c) || (c == '"' && self.is_quoted)
    }

    /// Appends text without special characters, as much as fits.
    fn push_plain(&mut self, text: &str) -> fmt::Result {
        let fitting = text.get(..char_boundary(text, self.room));
        self.out.push_str(fitting.unwrap_or_default());
        self.take_room(text.len())
    }

    /// Appends a whole escape, or nothing if it does not fit.
    fn push_special(&mut self, c: char) -> fmt::Result {
        if c == '\\' && !self.is_quoted {
            self.take_room(2)?;
            self.out.push_str("\\\\");
            return Ok(());
        }
        // Each byte of the character is escaped, as Apache does.
        let (mut room, code) = ([0; 4], u32::from(c));
        if code < 0x100 {
            self.take_room(4)?;
            return write!(self.out, "\\x{code:02x}");
        }
        let bytes = c.encode_utf8(&mut room).as_bytes();
        self.take_room(4 * bytes.len())?;
        bytes
            .iter()
            .try_for_each(|byte| write!(self.out, "\\x{byte:02x}"))
    }

    /// Takes room for a number of bytes. If they do not fit, it fails, and so does every later call.
    fn take_room(&mut self, length: usize) -> fmt::Result {
        if let Some(left) = self.room.checked_sub(length) {
            self.room = left;
            return Ok(());
        }
        self.is_cut = true;
        self.out.push_str("...");
        Err(fmt::Error)
    }
}

impl fmt::Write for Escaped<'_> {
    /// Fails at the limit, so that the rest is not formatted.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_cut {
            return Err(fmt::Error);
        }
        let mut rest = text;
        while let Some(start) = rest.find(|c| self.is_special(c)) {
            let (plain, tail) = rest.split_at_checked(start).unwrap_or((rest, ""));
            self.push_plain(plain)?;
            let mut tail = tail.chars();
            if let Some(special) = tail.next() {
                self.push_special(special)?;
            }
            rest = tail.as_str();
        }
        self.push_plain(rest)
    }
}

fn is_special(c: char) -> bool {
    c == '\\' || moves_text(c)
}

/// Returns true for control characters, and for characters that break a line or change the direction of text in a
/// terminal or an editor (U+2028, bidi controls).
fn moves_text(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Appends escaped text in quotes; `-` if there is none.
pub(crate) fn push_quoted(out: &mut String, text: Option<&str>, room: usize) {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return out.push_str("\"-\"");
    };
    out.push('"');
    let _ = Escaped::quoted(out, room).write_str(text);
    out.push('"');
}

/// Appends a JSON string with its quotes (RFC 8259, section 7). A text longer than `most` bytes is truncated and ends
/// with `...`.
pub(crate) fn push_json(out: &mut String, text: &str, most: usize) {
    // `<` is escaped so that a browser does not read an error page of the wrong type as HTML. Terminals interpret the
    // control characters after DEL.
    let is_special = |c: char| moves_text(c) || matches!(c, '"' | '\\' | '<');
    out.push('"');
    let mut rest = text.get(..char_boundary(text, most)).unwrap_or(text);
    let is_cut = rest.len() < text.len();
    while let Some(start) = rest.find(is_special) {
        let (plain, tail) = rest.split_at_checked(start).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut tail = tail.chars();
        match tail.next() {
            Some(c @ ('"' | '\\')) => out.extend(['\\', c]),
            Some(c) => drop(write!(out, "\\u{:04x}", u32::from(c))),
            None => {}
        }
        rest = tail.as_str();
    }
    out.push_str(rest);
    if is_cut {
        out.push_str("...");
    }
    out.push('"');
}

/// The maximum length of a message in bytes, after escaping.
pub(crate) const LONGEST_MESSAGE: usize = 8 * 1024;
/// The maximum length of a field of a request.
pub(crate) const LONGEST_FIELD: usize = 1024;
/// The maximum length of the request line in the log formats of Apache. With two fields the line has less than 4 KiB:
/// GoAccess reads no longer lines, and a pipe takes no longer lines at once.
pub(crate) const LONGEST_REQUEST: usize = 1536;
/// The maximum length of an address and of a user name.
pub(crate) const LONGEST_WORD: usize = 128;

/// Formats a line about an error that no response can report.
pub(crate) fn report_line(error: &Error, peer: &Peer) -> String {
    let error = error.to_string();
    format!("servette: {peer}: {}\n", escape(&error))
}

/// Returns the end of the last whole character in the first `most` bytes of a text.
pub(crate) fn char_boundary(text: &str, most: usize) -> usize {
    let most = most.min(text.len());
    let mut ends = (0..=most).rev();
    ends.find(|&end| text.is_char_boundary(end)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "127.0.0.1 - - [23/Nov/2026 14:20:00] ";

    fn logged(message: fmt::Arguments<'_>) -> String {
        line("127.0.0.1", "23/Nov/2026 14:20:00", message)
    }

    #[test]
    fn escapes_controls_and_backslashes() {
        for (text, escaped) in [
            ("\0\t\n\r\x1b[31m", r"\x00\x09\x0a\x0d\x1b[31m"),
            ("\x1f\x20\x7e\x7f", r"\x1f ~\x7f"),
            ("\u{80}\u{85}\u{9f}\u{a0}", "\\x80\\x85\\x9f\u{a0}"),
            (r"C:\x0a", r"C:\\x0a"),
            (
                "a\u{2028}\u{202e}b\u{2030}",
                "a\\xe2\\x80\\xa8\\xe2\\x80\\xaeb\u{2030}",
            ),
            ("\\", r"\\"),
            ("é\n日本\u{1f600}\\", "é\\x0a日本\u{1f600}\\\\"),
        ] {
            assert_eq!(escape(text), escaped);
        }
    }

    #[test]
    fn text_between_quotes_has_none_and_is_cut() {
        let quoted = |text, room| {
            let mut out = String::new();
            push_quoted(&mut out, text, room);
            out
        };
        assert_eq!(
            quoted(Some("a\"\\\n\u{85}é"), 99),
            r#""a\x22\x5c\x0a\x85é""#
        );
        assert_eq!(quoted(Some("abc\"d"), 6), "\"abc...\"");
        assert_eq!([quoted(None, 9), quoted(Some(""), 9)], ["\"-\""; 2]);
    }

    #[test]
    fn a_string_of_json_reads_back() {
        let json = |text, most| {
            let mut out = String::new();
            push_json(&mut out, text, most);
            out
        };
        assert_eq!(
            json("a\"\\<\n\x7f\u{9f}\u{202e}é", 99),
            r#""a\"\\\u003c\u000a\u007f\u009f\u202eé""#
        );
        assert_eq!(json("abé", 3), "\"ab...\"");
        assert_eq!(json("abc", 3), "\"abc\"");
    }

    #[test]
    fn plain_text_is_borrowed() {
        for text in ["", "GET / HTTP/1.1", "é日本\u{a0}\u{1f600}"] {
            assert!(matches!(escape(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn a_control_is_what_python_escapes() {
        for c in '\0'..=char::MAX {
            let code = u32::from(c);
            assert_eq!(
                c.is_control(),
                code <= 0x1f || (0x7f..=0x9f).contains(&code)
            );
        }
    }

    #[test]
    fn a_line_has_address_date_and_escaped_message() {
        let requestline = "GET /\r\n1.2.3.4 - - \\";
        assert_eq!(
            logged(format_args!("\"{requestline}\" {} {}", 200, '-')),
            format!("{HEAD}\"GET /\\x0d\\x0a1.2.3.4 - - \\\\\" 200 -\n")
        );
        assert_eq!(logged(format_args!("")), format!("{HEAD}\n"));
    }

    #[test]
    fn a_long_message_is_cut() {
        let full = "x".repeat(LONGEST_MESSAGE);
        assert_eq!(logged(format_args!("{full}")), format!("{HEAD}{full}\n"));
        assert_eq!(
            logged(format_args!("{full}{}", "")),
            format!("{HEAD}{full}\n")
        );
        let cut = format!("{HEAD}{full}...\n");
        assert_eq!(logged(format_args!("{full}x")), cut);
        assert_eq!(logged(format_args!("{full}{0}{0}", 'x')), cut);
        assert_eq!(logged(format_args!("{full}\n")), cut);
    }

    #[test]
    fn a_cut_splits_neither_an_escape_nor_a_character() {
        for (last, room) in [("\x07", 3), ("\\", 1), ("é", 1), ("\u{1f600}", 3)] {
            let kept = "x".repeat(LONGEST_MESSAGE - room);
            assert_eq!(
                logged(format_args!("{kept}{last}yz")),
                format!("{HEAD}{kept}...\n")
            );
        }
    }

    #[test]
    fn a_display_that_ignores_errors_writes_nothing_after_the_cut() {
        struct Stubborn;
        impl fmt::Display for Stubborn {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for _ in 0..10 {
                    let _ = f.write_str(&"x".repeat(LONGEST_MESSAGE));
                }
                Ok(())
            }
        }
        let full = "x".repeat(LONGEST_MESSAGE);
        assert_eq!(
            logged(format_args!("{Stubborn}")),
            format!("{HEAD}{full}...\n")
        );
    }

    fn unescape(text: &str) -> String {
        let mut plain = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' if chars.next().unwrap() == 'x' => {
                    let hex: String = chars.by_ref().take(2).collect();
                    plain.push(char::from(u8::from_str_radix(&hex, 16).unwrap()));
                }
                c => plain.push(c),
            }
        }
        plain
    }

    proptest! {
        #[test]
        fn an_escaped_text_reads_back(text in "([\\x00-\\xa0]|\\\\|x|\\PC)*") {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(char::is_control));
            prop_assert_eq!(unescape(&escaped), text);
        }

        #[test]
        fn any_message_is_one_bounded_line(
            parts in proptest::collection::vec(("([\\x00-\\xa0]|\\PC){0,20}", 0..2000_usize), 0..4),
        ) {
            let text: String = parts.iter().map(|(part, times)| part.repeat(*times)).collect();
            let line = logged(format_args!("{text}"));
            prop_assert!(line.ends_with('\n') && line.matches('\n').count() == 1);
            let message = line.strip_prefix(HEAD).unwrap().strip_suffix('\n').unwrap();
            let whole = escape(&text);
            if whole.len() <= LONGEST_MESSAGE {
                prop_assert_eq!(message, &*whole);
            } else {
                let kept = message.strip_suffix("...").unwrap();
                // The longest escape is that of three bytes, such as U+2028.
                prop_assert!(kept.len() <= LONGEST_MESSAGE && kept.len() > LONGEST_MESSAGE - 12);
                prop_assert!(whole.starts_with(kept));
            }
        }
    }
}
