//! Parses `Range` (RFC 9110, 14), and decides whether sending ranges costs less than sending the whole file.

/// Bytes of a file, from the first to the last; both may be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ranges {
    /// The whole file: 200.
    Whole,
    /// One range: 206.
    One(ByteRange),
    /// Two or more ranges, in the requested order: 206 in parts.
    Several(Vec<ByteRange>),
    /// No range is in the file: 416.
    Unsatisfiable,
}

/// About the size of the lines before a part. A gap up to this size is sent instead of a second part (RFC 9110,
/// 14.2).
const GAP: u64 = 80;
/// The assumed cost of a part beside its bytes.
const FRAME: u64 = 256;
/// Maximum number of bytes to send beyond the size of the file.
const EXCESS: u64 = 4096;
/// Maximum number of ranges that may overlap or be out of order (RFC 9110, 17.15).
const UNORDERED: usize = 16;

impl ByteRange {
    pub(crate) fn length(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// Returns the value of `Content-Range` for a file of this size.
    pub(super) fn of_size(&self, size: u64) -> String {
        let mut digits = itoa::Buffer::new();
        let mut text = String::with_capacity(3 * 20 + 8);
        text.push_str("bytes ");
        text.push_str(digits.format(self.first));
        text.push('-');
        text.push_str(digits.format(self.last));
        text.push('/');
        text.push_str(digits.format(size));
        text
    }
}

impl Ranges {
    /// Parses the value of a `Range` field for a file of this size. An invalid field, one with more than `most`
    /// ranges, or one that would cost more than the whole file, is ignored.
    pub(crate) fn of(field: &str, size: u64, most: usize) -> Self {
        let Some(mut ranges) = asked_for(field, size, most) else {
            return Ranges::Whole;
        };
        // Some clients ask for the first bytes of everything.
        if size == 0 || (ranges.len() > UNORDERED && !are_ascending(&ranges)) {
            return Ranges::Whole;
        }
        join(&mut ranges);
        match &*ranges {
            [] => Ranges::Unsatisfiable,
            [one] => Ranges::One(*one),
            several if cost(several) > size.saturating_add(EXCESS) => Ranges::Whole,
            _ => Ranges::Several(ranges),
        }
    }
}

/// One member of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// From the first to the last byte.
    From(u64, u64),
    /// This number of bytes at the end.
    Last(u64),
}

impl Asked {
    fn of(self, size: u64) -> Option<ByteRange> {
        let end = size.checked_sub(1)?;
        let (first, last) = match self {
            Asked::From(first, last) => (first, last.min(end)),
            Asked::Last(0) => return None,
            Asked::Last(count) => (size.saturating_sub(count), end),
        };
        (first <= end).then_some(ByteRange { first, last })
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-')?;
        match (first, last) {
            ("", count) => Some(Asked::Last(number(count)?)),
            (first, "") => Some(Asked::From(number(first)?, u64::MAX)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Asked::From(first, last))
            }
        }
    }
}

/// Returns the ranges of the list that are in a file of this size; `None` if the list is empty or invalid, or has too
/// many members.
fn asked_for(field: &str, size: u64, most: usize) -> Option<Vec<ByteRange>> {
    let (unit, list) = field.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (mut count, mut ranges) = (0, Vec::new());
    for member in list.split(',') {
        let member = member.trim_matches([' ', '\t']);
        if member.is_empty() {
            continue;
        }
        count += 1;
        if count > most {
            return None;
        }
        ranges.extend(Asked::parse(member)?.of(size));
    }
    (count > 0).then_some(ranges)
}

/// Parses digits. A number that is too large becomes the largest one.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

/// Returns whether each range is after the one before it.
fn are_ascending(ranges: &[ByteRange]) -> bool {
    ranges.is_sorted_by(|before, after| before.last < after.first)
}

/// Joins ascending ranges that overlap or nearly touch.
fn join(ranges: &mut Vec<ByteRange>) {
    ranges.dedup_by(|range, before| {
        let touches =
            before.first <= range.first && range.first <= before.last.saturating_add(GAP + 1);
        if touches {
            before.last = before.last.max(range.last);
        }
        touches
    });
}

fn cost(ranges: &[ByteRange]) -> u64 {
    let costs = ranges
        .iter()
        .map(|range| range.length().saturating_add(FRAME));
    costs.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
