//! The field lines of a head, as places in its text: so that a thread keeps room for them from one head to
//! the next, and nothing is made anew for each.

use std::fmt;

use crate::http1::bytes::is_named;

/// Where the name and the value of each field stand in the text of a head.
#[derive(Debug, Default)]
pub(crate) struct Places(Vec<Place>);

/// Where a name and its value start and end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) name: (usize, usize),
    pub(super) value: (usize, usize),
}

impl Places {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(super) fn push(&mut self, place: Place) {
        self.0.push(place);
    }

    /// The fields that stand at these places in `text`.
    pub(super) fn of<'a>(&'a self, text: &'a str) -> FieldLines<'a> {
        FieldLines {
            text,
            places: &self.0,
        }
    }
}

/// All field lines of a head in their order.
#[derive(Clone, Copy)]
pub(crate) struct FieldLines<'a> {
    text: &'a str,
    places: &'a [Place],
}

impl<'a> FieldLines<'a> {
    pub(super) const NONE: FieldLines<'static> = FieldLines {
        text: "",
        places: &[],
    };

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let FieldLines { text, places } = *self;
        places
            .iter()
            .map(move |place| (part(text, place.name), part(text, place.value)))
    }

    /// The same of those whose names have one of these lengths (up to 63), a bit for each.
    pub(crate) fn of_lengths(&self, lengths: u64) -> impl Iterator<Item = (&'a str, &'a str)> {
        let FieldLines { text, places } = *self;
        places
            .iter()
            .filter(move |place| {
                let length = place.name.1 - place.name.0;
                length < 64 && lengths >> length & 1 == 1
            })
            .map(move |place| (part(text, place.name), part(text, place.value)))
    }

    /// The values of all fields of this name, in any case.
    pub(crate) fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a str> {
        let FieldLines { text, places } = *self;
        places
            .iter()
            .filter(move |place| {
                // The length tells most names apart.
                place.name.1 - place.name.0 == name.len()
                    && is_named(part(text, place.name).as_bytes(), name.as_bytes())
            })
            .map(move |place| part(text, place.value))
    }
}

impl fmt::Debug for FieldLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

fn part(text: &str, (start, end): (usize, usize)) -> &str {
    text.get(start..end).unwrap_or_default()
}
