//! The first difference between a body and the expected body, for failure messages.

use std::fmt::Write as _;

/// Maximum number of bytes of a line before the first difference.
const BEFORE: usize = 40;
/// Maximum number of bytes from the difference on.
const BEHIND: usize = 40;

/// The first difference between a body and the expected body: both lines, and a mark below.
///
/// ```text
/// the body differs at byte 8:
///   got       {"paid":false}
///   expected  {"paid":true}
///                     ^
/// ```
pub(super) fn first_difference(own: &[u8], wanted: &[u8]) -> String {
    let same = own.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    let common = own.get(..same).unwrap_or(own);
    let line = common.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let line_start = common
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    // A character that differs in its second byte is shown as a whole.
    let from = boundary(common, line_start.max(same.saturating_sub(BEFORE)));
    let at = boundary(own, same).min(boundary(wanted, same)).max(from);

    let lead = if from > line_start { "…" } else { "" };
    let before = shown(own.get(from..at).unwrap_or_default());
    let rest = |body: &[u8]| {
        let (text, is_cut) = to_line_end(body.get(at..).unwrap_or_default());
        format!(
            "{lead}{before}{}{}",
            shown(text),
            if is_cut { "…" } else { "" }
        )
    };
    let mut text = format!("the body differs at byte {same}");
    if line > 1 {
        let _ = write!(text, " (line {line})");
    }
    let mark = lead.chars().count() + before.chars().count();
    let _ = write!(
        text,
        ":\n  got       {}\n  expected  {}\n            {:mark$}^",
        rest(own),
        rest(wanted),
        ""
    );
    text
}

/// The rest of the line with its line end, or the part of it that is shown (then true).
fn to_line_end(text: &[u8]) -> (&[u8], bool) {
    let end = text
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(text.len(), |at| at + 1);
    match end > BEHIND {
        true => (text.get(..boundary(text, BEHIND)).unwrap_or_default(), true),
        false => (text.get(..end).unwrap_or_default(), false),
    }
}

/// The start of the UTF-8 character that this byte belongs to.
fn boundary(text: &[u8], at: usize) -> usize {
    let starts = |at: &usize| text.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    (at.saturating_sub(3)..=at).rev().find(starts).unwrap_or(at)
}

/// The text, with control characters and invalid UTF-8 escaped.
pub(super) fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c.is_control() {
                true => text.extend(c.escape_debug()),
                false => text.push(c),
            }
        }
        let _ = write!(text, "{}", chunk.invalid().escape_ascii());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differs(own: &str, wanted: &str, expected: &str) {
        assert_eq!(
            first_difference(own.as_bytes(), wanted.as_bytes()),
            expected
        );
    }

    #[test]
    fn the_first_difference_is_marked_below_its_line() {
        differs(
            "{\"paid\":false}",
            "{\"paid\":true}",
            "the body differs at byte 8:\n  got       {\"paid\":false}\n  expected  {\"paid\":true}\n                    ^",
        );
        differs(
            "a\nbc\nd",
            "a\nbX\nd",
            "the body differs at byte 3 (line 2):\n  got       bc\\n\n  expected  bX\\n\n             ^",
        );
    }

    #[test]
    fn an_end_that_comes_too_early_or_too_late_is_a_difference() {
        differs(
            "ab",
            "ab\n",
            "the body differs at byte 2:\n  got       ab\n  expected  ab\\n\n              ^",
        );
        differs(
            "ab",
            "a",
            "the body differs at byte 1:\n  got       ab\n  expected  a\n             ^",
        );
    }

    #[test]
    fn of_a_long_line_the_part_around_the_difference_is_shown() {
        let (own, wanted) = ("x".repeat(100) + &"y".repeat(100), "x".repeat(100) + "z");
        let (xs, ys) = ("x".repeat(40), "y".repeat(40));
        let mark = " ".repeat(53);
        differs(
            &own,
            &wanted,
            &format!(
                "the body differs at byte 100:\n  got       …{xs}{ys}…\n  expected  …{xs}z\n{mark}^"
            ),
        );
    }

    #[test]
    fn characters_stay_whole_and_bytes_are_escaped() {
        // These two differ in their second byte.
        differs(
            "aé",
            "aè",
            "the body differs at byte 2:\n  got       aé\n  expected  aè\n             ^",
        );
        let text = first_difference(b"\0\xffa", b"\0\xffb");
        let expected = "the body differs at byte 2:\n  got       \\0\\xffa\n  expected  \\0\\xffb\n                  ^";
        assert_eq!(text, expected);
    }
}
