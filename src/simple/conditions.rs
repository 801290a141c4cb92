//! Evaluates the conditions of a request (RFC 9110, 13), in the order of 13.2.2.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::http1::bytes;
use crate::http1::date::HttpDate;

pub(crate) use self::tags::Tags;

mod tags;

/// The fields of a request about versions and ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked<'a> {
    pub(crate) if_match: Tags<'a>,
    pub(crate) if_none_match: Tags<'a>,
    pub(crate) if_unmodified_since: Option<&'a str>,
    pub(crate) if_modified_since: Option<&'a str>,
    pub(crate) if_range: Option<&'a str>,
    pub(crate) range: Option<&'a str>,
    /// Whether there are several `Range` or `If-Range` fields, which are invalid.
    pub(crate) has_two_ranges: bool,
}

/// The validators of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validators<'a> {
    pub(crate) tag: Option<&'a str>,
    /// In whole seconds.
    pub(crate) modified: Option<SystemTime>,
    /// The time as text, as a client sends it back.
    pub(crate) modified_text: &'a HttpDate,
}

/// The result of the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The file is sent, or a part of it.
    Proceed,
    /// The client has this version already: 304.
    NotModified,
    /// It is another version than the client expects: 412.
    Failed,
}

/// The lengths of the names that [`Asked`] looks for, as a bit set. Most other fields have other lengths.
pub(crate) const LENGTHS: u64 = 1 << 5 | 1 << 8 | 1 << 13 | 1 << 17 | 1 << 19;

impl<'a> Asked<'a> {
    /// Parses the fields of a request; those of other lengths than [`LENGTHS`] may be left out. If there are several
    /// dates, the first one counts, as in Python.
    pub(crate) fn of(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut asked = Asked::default();
        for (name, value) in fields {
            let is = |known: &str| bytes::is_named(name.as_bytes(), known.as_bytes());
            match name.len() {
                8 if is("If-Match") => asked.if_match.push(value),
                13 if is("If-None-Match") => asked.if_none_match.push(value),
                17 if is("If-Modified-Since") => {
                    asked.if_modified_since.get_or_insert(value);
                }
                19 if is("If-Unmodified-Since") => {
                    asked.if_unmodified_since.get_or_insert(value);
                }
                8 if is("If-Range") => {
                    asked.has_two_ranges |= asked.if_range.replace(value).is_some();
                }
                5 if is("Range") => asked.has_two_ranges |= asked.range.replace(value).is_some(),
                _ => {}
            }
        }
        asked
    }

    /// Evaluates the conditions of GET and HEAD for a file that would be sent with 200.
    pub(crate) fn evaluate(&self, there: &Validators<'_>) -> Verdict {
        if self.if_match.is_given() {
            if !self.if_match.has_strong(there.tag) {
                return Verdict::Failed;
            }
        } else if let Some(date) = self.if_unmodified_since
            && there.is_newer(date) == Some(true)
        {
            return Verdict::Failed;
        }
        let is_known = if self.if_none_match.is_given() {
            self.if_none_match.has_weak(there.tag)
        } else if let Some(date) = self.if_modified_since {
            there.is_newer(date) == Some(false)
        } else {
            false
        };
        match is_known {
            true => Verdict::NotModified,
            false => Verdict::Proceed,
        }
    }

    /// Returns the requested range, unless `If-Range` names another version.
    pub(crate) fn valid_range(
        &self,
        there: &Validators<'_>,
        now: impl FnOnce() -> SystemTime,
    ) -> Option<&'a str> {
        let range = self.range.filter(|_| !self.has_two_ranges)?;
        let is_valid = self
            .if_range
            .is_none_or(|text| there.is_exactly(text, now()));
        is_valid.then_some(range)
    }
}

impl Validators<'_> {
    /// Returns whether the file has changed after this date; `None` if there is no valid date, or none of the file.
    /// Whole seconds are compared, because HTTP dates have no more.
    fn is_newer(&self, date: &str) -> Option<bool> {
        let modified = self.modified?;
        // What most clients send is the very text that they got, which is cheaper to compare than to read.
        if self.modified_text.is(date) {
            return Some(false);
        }
        Some(seconds(modified) > seconds(parse_date(date)?))
    }

    /// Returns whether the text of `If-Range` is this version: a strong tag, or a date that no later change can have
    /// (RFC 9110, 8.8.2.2).
    fn is_exactly(&self, text: &str, now: SystemTime) -> bool {
        if text.starts_with('"') || text.starts_with("W/") {
            return !text.starts_with("W/") && self.tag == Some(text);
        }
        let date = parse_date(text).map(seconds);
        date.is_some()
            && self.modified.is_some_and(|modified| {
                date == Some(seconds(modified)) && seconds(modified) < seconds(now)
            })
    }
}

/// Parses an HTTP date in one of its three formats. `+0000` and `-0000` are accepted as the zone, like `GMT`.
fn parse_date(text: &str) -> Option<SystemTime> {
    let utc = ["+0000", "-0000"]
        .into_iter()
        .find_map(|zone| text.strip_suffix(zone));
    let text = match utc {
        Some(date) => Cow::Owned(format!("{date}GMT")),
        None => Cow::Borrowed(text),
    };
    httpdate::parse_http_date(&text).ok()
}

/// Returns whole seconds since 1970. `None` is before that, and so less than all others.
fn seconds(time: SystemTime) -> Option<u64> {
    time.duration_since(UNIX_EPOCH)
        .ok()
        .map(|since| since.as_secs())
}

#[cfg(test)]
mod tests;
