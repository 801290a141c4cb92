//! Conditions of files. Input: field lines, one a line.

use servette::internals::{Selection, select};

const TAG: &str = "\"0123456789abcdef\"";
/// Sun, 06 Nov 1994 08:49:37 GMT
const MODIFIED: u64 = 784_111_777;
/// Dates as clients write them, and whether a file of that date was changed after it.
const DATES: [(&str, bool); 6] = [
    ("Sun, 06 Nov 1994 08:49:36 GMT", true),
    ("Sun, 06 Nov 1994 08:49:37 GMT", false),
    ("Sun, 06 Nov 1994 08:49:38 GMT", false),
    ("Sunday, 06-Nov-94 08:49:37 GMT", false),
    ("Sun Nov  6 08:49:36 1994", true),
    ("Thu, 01 Jan 1970 00:00:00 GMT", true),
];

/// What comes of the conditions.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Proceed,
    NotModified,
    Failed,
}

/// They are evaluated in the order of RFC 9110, 13.2.2.
pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let fields: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim_matches([' ', '\t'])))
        .collect();
    let found = match select(&fields, TAG, MODIFIED, 1000) {
        Selection::Failed => Outcome::Failed,
        Selection::NotModified => Outcome::NotModified,
        Selection::Unsatisfiable | Selection::Parts(_) => Outcome::Proceed,
    };
    let values = |wanted: &str| -> Vec<&str> {
        let named = fields
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named.map(|(_, value)| *value).collect()
    };
    let (matches, none_match) = (values("If-Match"), values("If-None-Match"));
    let (unmodified, modified) = (values("If-Unmodified-Since"), values("If-Modified-Since"));
    match found {
        Outcome::Failed => assert!(!matches.is_empty() || !unmodified.is_empty()),
        Outcome::NotModified if none_match.is_empty() => assert!(!modified.is_empty()),
        Outcome::NotModified => {
            let has = |value: &&str| value.contains(TAG) || *value == "*";
            assert!(none_match.iter().any(has), "{text}");
        }
        Outcome::Proceed => {}
    }
    if let Some(expected) = expected(&matches, &unmodified, &none_match, &modified) {
        assert_eq!(found, expected, "{text}");
    }
}

/// `None` if a field is not one of those that are understood here.
fn expected(
    matches: &[&str],
    unmodified: &[&str],
    none_match: &[&str],
    modified: &[&str],
) -> Option<Outcome> {
    let matches = has_tag(matches, false)?;
    let is_newer = |dates: &[&str]| match dates.first() {
        None => Some(None),
        Some(date) => {
            let known = DATES.iter().find(|(known, _)| known == date);
            known.map(|(_, is_newer)| Some(*is_newer))
        }
    };
    let (unmodified, modified) = (is_newer(unmodified)?, is_newer(modified)?);
    let none_match = has_tag(none_match, true)?;
    Some(match (matches, unmodified, none_match, modified) {
        (Some(false), _, _, _) | (None, Some(true), _, _) => Outcome::Failed,
        (_, _, Some(true), _) | (_, _, None, Some(false)) => Outcome::NotModified,
        _ => Outcome::Proceed,
    })
}

/// Whether the tag is in a list; `Some(None)` where there is no list.
fn has_tag(values: &[&str], weakly: bool) -> Option<Option<bool>> {
    if values.is_empty() {
        return Some(None);
    }
    if values == ["*"] {
        return Some(Some(true));
    }
    let mut has = false;
    for value in values {
        let mut rest = value.trim_matches([' ', '\t']);
        while !rest.is_empty() {
            let (is_weak, tag) = match rest.strip_prefix("W/") {
                Some(tag) => (true, tag),
                None => (false, rest),
            };
            let inner = tag.strip_prefix('"')?;
            let (inner, after) = inner.split_once('"')?;
            if !inner
                .bytes()
                .all(|byte| byte == b'!' || byte > b'"' && byte != 0x7f)
            {
                return None;
            }
            has |= inner == TAG.trim_matches('"') && (weakly || !is_weak);
            let after = after.trim_start_matches([' ', '\t']);
            rest = match after.strip_prefix(',') {
                Some(more) => more.trim_start_matches([' ', '\t']),
                None if after.is_empty() => "",
                None => return None,
            };
        }
    }
    Some(Some(has))
}
