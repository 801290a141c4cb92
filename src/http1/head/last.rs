//! What a thread remembers from one head to the next: the room for the fields of each, and the last usual
//! head from its version on.
//!
//! Clients repeat themselves: another request of the same client has another target and the same fields. What
//! was said by the same bytes need not be read again.

use super::Version;
use super::fields::Places;
use crate::http1::framing::Meta;

/// Nothing at first. It is lent to the connection that is served, so it is small itself.
#[derive(Debug, Default)]
pub(crate) struct LastHead(Option<Box<Remembered>>);

#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// The fields of the present head.
    pub(super) places: Places,
    /// The last usual head from the space before its version to its end, which the places are in; or
    /// nothing.
    pub(super) lines: String,
    said: Option<(Version, Meta)>,
}

impl LastHead {
    #[inline]
    pub(super) fn open(&mut self) -> &mut Remembered {
        self.0.get_or_insert_default()
    }
}

impl Remembered {
    /// What the bytes at the start of `input` say, if they are those that are remembered.
    #[inline]
    pub(super) fn recall(&self, input: &[u8]) -> Option<(Version, Meta)> {
        let said = self.said?;
        input.starts_with(self.lines.as_bytes()).then_some(said)
    }

    /// Makes room for the places of another head.
    pub(super) fn forget(&mut self) -> &mut Places {
        self.said = None;
        self.places.clear();
        &mut self.places
    }

    /// Remembers lines, the places of whose fields are there already.
    pub(super) fn remember(&mut self, lines: &str, version: Version, meta: Meta) {
        self.lines.clear();
        self.lines.push_str(lines);
        self.said = Some((version, meta));
    }
}
