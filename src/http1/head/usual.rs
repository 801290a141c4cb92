//! A fast path for the heads that most clients send, which finds and parses a head in one pass. Such a head is ASCII,
//! of HTTP/1.0 or 1.1, with a target in origin-form, and its lines end with CR LF.
//!
//! All other heads, and all errors, are left to [`Scan`](super::Scan) and [`any`](super::any). A property test checks
//! that both paths agree. The fast path takes half the time: 105 ns instead of 222 ns for each of the heads of 64
//! clients, of 290 bytes on average.

use super::fields::{Place, Places};
use super::{Head, Version};
use crate::http1::HeadLimits;
use crate::http1::bytes::{first_outside, token_end};
use crate::http1::framing::{Meta, Seen};
use crate::http1::target::Target;

/// The positions of the parts of a usual head at the start of the input, and the facts of its fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usual {
    /// The position after the blank line.
    pub(crate) end: usize,
    command_end: usize,
    target_end: usize,
    version: Version,
    meta: Meta,
}

/// The length of a space, the version, and the line end.
const VERSION: usize = " HTTP/1.1\r\n".len();

/// Finds a head at the start of `input`, and stores the positions of its fields. Returns `None` if the head is not a
/// usual one, or incomplete.
pub(crate) fn find(input: &[u8], places: &mut Places, limits: &HeadLimits) -> Option<Usual> {
    let command_end = token_end(input);
    let target = input.get(command_end..)?.strip_prefix(b" ")?;
    let target_length = first_outside::<b'!'>(target)?;
    let (target, rest) = target.split_at_checked(target_length)?;
    let is_origin_form = matches!(target, [b'/'] | [b'/', b'\x21'..=b'\x2e' | b'\x30'.., ..]);
    if command_end == 0 || !is_origin_form || input.starts_with(b"CONNECT ") {
        return None;
    }
    // A match on patterns would compare byte by byte.
    let version = rest.first_chunk()?;
    let version = if version == b" HTTP/1.1\r\n" {
        Version::Http11
    } else if version == b" HTTP/1.0\r\n" {
        Version::Http10
    } else {
        return None;
    };
    let target_end = command_end + 1 + target_length;
    let mut seen = Seen::default();
    places.clear();
    let end = fields(
        input,
        target_end + VERSION,
        places,
        limits.fields,
        &mut seen,
    )?;
    let meta = seen.meta(version).ok()?;
    (end <= limits.shortest()).then_some(Usual {
        end,
        command_end,
        target_end,
        version,
        meta,
    })
}

/// Reads at most `most` field lines from `start` on, and returns the end of the blank line.
fn fields(
    input: &[u8],
    start: usize,
    places: &mut Places,
    most: usize,
    seen: &mut Seen,
) -> Option<usize> {
    let mut line = start;
    let mut rest = input.get(start..)?;
    loop {
        let (name, after) = rest.split_at_checked(token_end(rest))?;
        let after = match after {
            [b':', b' ', after @ ..] | [b':', after @ ..] if !name.is_empty() => after,
            [b'\r', b'\n', ..] if name.is_empty() => return Some(line + 2),
            _ => return None,
        };
        let (value, after) = after.split_at_checked(first_outside::<b' '>(after)?)?;
        let has_space = matches!(value, [b' ', ..] | [.., b' ']);
        let [b'\r', b'\n', next @ ..] = after else {
            return None;
        };
        if has_space || places.len() == most {
            return None;
        }
        seen.field(name, value).ok()?;
        let value_end = input.len() - after.len();
        places.push(Place {
            name: (line, line + name.len()),
            value: (value_end - value.len(), value_end),
        });
        (line, rest) = (value_end + 2, next);
    }
}

impl Usual {
    /// Returns the head in `bytes`, with the positions of its fields.
    pub(super) fn head<'a>(&self, bytes: &'a [u8], places: &'a Places) -> Head<'a> {
        // The bytes are printable ASCII, so this does not fail.
        let text = str::from_utf8(bytes).unwrap_or_default();
        let line_end = self.target_end + VERSION - 2;
        let part = |start, end| text.get(start..end).unwrap_or_default();
        Head {
            requestline: part(0, line_end),
            command: part(0, self.command_end),
            target: Target {
                path: part(self.command_end + 1, self.target_end).into(),
                authority: None,
            },
            request_version: part(self.target_end + 1, line_end),
            version: self.version,
            fields: places.of(text),
            meta: self.meta,
        }
    }
}
