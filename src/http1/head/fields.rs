//! The field lines of a head, as positions in its text. A thread reuses the memory for the next head, so no field
//! allocates.

use std::fmt;

use crate::http1::bytes::is_named;

/// The positions of the names and values of the fields in the text of a head.
#[derive(Debug, Default)]
pub(crate) struct Places(Vec<Place>);

/// The start and end of a name and its value.
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

    /// Returns the fields at these positions in `text`.
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

    /// Returns the names and values of all fields.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let FieldLines { text, places } = *self;
        places
            .iter()
            .map(move |place| (part(text, place.name), part(text, place.value)))
    }

    /// Returns names and values of the fields whose names have one of these lengths. Bit `n` of `lengths` stands for
    /// the length `n`, up to 63.
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

    /// Returns the values of all fields of this name, without regard to case.
    pub(crate) fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a str> {
        let FieldLines { text, places } = *self;
        places
            .iter()
            .filter(move |place| {
                // Most names differ in their length.
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
