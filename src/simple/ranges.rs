//! Which bytes a field `Range` asks for (RFC 9110, 14), and whether it costs less to send them than the
//! whole.

/// Bytes of a file, from the first to the last; the two may be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ranges {
    /// All of it: 200.
    Whole,
    /// 206.
    One(ByteRange),
    /// At least two, in the order in which they were asked for: 206 in parts.
    Several(Vec<ByteRange>),
    /// Nothing of it is there: 416.
    Unsatisfiable,
}

/// About as much as the frame of a part takes: a gap up to this size is sent, and not a second frame (RFC 9110, 14.2).
const GAP: u64 = 80;
/// What a part is taken to cost beside its bytes.
const FRAME: u64 = 256;
/// So many bytes more than the file has are sent in the worst case.
const EXCESS: u64 = 4096;
/// So many ranges may overlap and stand in any order (RFC 9110, 17.15).
const UNORDERED: usize = 16;

impl ByteRange {
    pub(crate) fn length(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

impl Ranges {
    /// What the value of a field `Range` asks for of a file of this size. A field that is wrong, that has
    /// more than `most` ranges, or that would cost more than the whole, counts as none.
    pub(crate) fn of(field: &str, size: u64, most: usize) -> Self {
        let Some(members) = asked_for(field, most) else {
            return Ranges::Whole;
        };
        // Some clients ask for the first bytes of everything.
        if size == 0 {
            return Ranges::Whole;
        }
        let ranges: Vec<ByteRange> = members.iter().filter_map(|asked| asked.of(size)).collect();
        if ranges.len() > UNORDERED && !are_ascending(&ranges) {
            return Ranges::Whole;
        }
        match &*joined(&ranges) {
            [] => Ranges::Unsatisfiable,
            [one] => Ranges::One(*one),
            several if cost(several) > size.saturating_add(EXCESS) => Ranges::Whole,
            several => Ranges::Several(several.to_vec()),
        }
    }
}

/// One member of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// From the first to the last byte.
    From(u64, u64),
    /// So many at the end.
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

/// The members of the list; `None` if there is none, or something else, or too many of them.
fn asked_for(field: &str, most: usize) -> Option<Vec<Asked>> {
    let (unit, list) = field.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut members = Vec::new();
    for member in list.split(',') {
        let member = member.trim_matches([' ', '\t']);
        if member.is_empty() {
            continue;
        }
        if members.len() >= most {
            return None;
        }
        members.push(Asked::parse(member)?);
    }
    (!members.is_empty()).then_some(members)
}

/// Digits only; a number that is too large is the largest.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

/// Each range lies behind the one before it.
fn are_ascending(ranges: &[ByteRange]) -> bool {
    ranges.is_sorted_by(|before, after| before.last < after.first)
}

/// Ascending ranges that overlap, or nearly touch, are sent as one.
fn joined(ranges: &[ByteRange]) -> Vec<ByteRange> {
    let mut joined: Vec<ByteRange> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(before)
                if before.first <= range.first
                    && range.first <= before.last.saturating_add(GAP + 1) =>
            {
                before.last = before.last.max(range.last);
            }
            _ => joined.push(*range),
        }
    }
    joined
}

fn cost(ranges: &[ByteRange]) -> u64 {
    let costs = ranges
        .iter()
        .map(|range| range.length().saturating_add(FRAME));
    costs.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
