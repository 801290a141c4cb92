//! [`Asked`]: what a client asks for in a listing, by the query and by `Accept`.

use crate::exchange::Pairs;

/// The format of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Html,
    Json,
    Text,
}

impl Format {
    /// The media types to choose from by `Accept`; the first one is the default.
    pub(super) const TYPES: [&str; 3] = ["text/html", "application/json", "text/plain"];

    /// Returns the format of one of these media types.
    pub(super) fn of_type(media_type: Option<&str>) -> Self {
        match media_type {
            Some("application/json") => Format::Json,
            Some("text/plain") => Format::Text,
            _ => Format::Html,
        }
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            "html" => Some(Format::Html),
            "json" => Some(Format::Json),
            "text" => Some(Format::Text),
            _ => None,
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Html => "text/html; charset=utf-8",
            Format::Json => "application/json",
            Format::Text => "text/plain; charset=utf-8",
        }
    }
}

/// The sort key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Key {
    /// The name in lower case, as in Python.
    #[default]
    Name,
    /// The name, with numbers compared by value.
    Natural,
    Size,
    Modified,
}

impl Key {
    /// Returns the value of `sort` in a query.
    pub(super) fn name(self) -> &'static str {
        match self {
            Key::Name => "name",
            Key::Natural => "natural",
            Key::Size => "size",
            Key::Modified => "modified",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let mut keys = [Key::Name, Key::Natural, Key::Size, Key::Modified].into_iter();
        keys.find(|key| key.name() == name)
    }
}

/// The sort order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    pub(super) key: Key,
    pub(super) is_descending: bool,
}

impl Order {
    /// Returns whether the metadata of each entry is needed.
    pub(super) fn needs_details(self) -> bool {
        matches!(self.key, Key::Size | Key::Modified)
    }
}

/// The parameters of a query. Unknown ones, and unknown values, are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// `None` if `Accept` decides.
    pub(super) format: Option<Format>,
    pub(super) order: Order,
    pub(super) details: bool,
}

impl Asked {
    /// Parses the query of a request target. If a name occurs several times, its first value counts.
    pub(super) fn of(target: &str) -> Self {
        let mut asked = Asked::default();
        let (target, _) = target.split_once('#').unwrap_or((target, ""));
        let Some((_, query)) = target.split_once('?') else {
            return asked;
        };
        let (mut key, mut is_descending) = (None, None);
        for (name, value) in Pairs::of(query) {
            match &*name {
                "format" => asked.format = asked.format.or(Format::named(&value)),
                "sort" => key = key.or(Key::named(&value)),
                "order" => is_descending = is_descending.or(direction(&value)),
                "details" => asked.details = true,
                _ => {}
            }
        }
        asked.order = Order {
            key: key.unwrap_or_default(),
            is_descending: is_descending.unwrap_or_default(),
        };
        asked
    }
}

/// Returns whether the order is descending.
fn direction(name: &str) -> Option<bool> {
    match name {
        "asc" => Some(false),
        "desc" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_format_order_and_details_and_nothing_else_counts() {
        let ordered = |key, is_descending| Asked {
            order: Order { key, is_descending },
            ..Asked::default()
        };
        let formatted = |format| Asked {
            format: Some(format),
            ..Asked::default()
        };
        let details = Asked {
            details: true,
            ..Asked::default()
        };
        for (target, expected) in [
            ("/", Asked::default()),
            ("/?", Asked::default()),
            ("/?C=M;O=D", Asked::default()),
            ("/?sort=size", ordered(Key::Size, false)),
            ("/?sort=modified&order=desc", ordered(Key::Modified, true)),
            ("/?order=desc&sort=natural", ordered(Key::Natural, true)),
            ("/?order=desc", ordered(Key::Name, true)),
            ("/?sort=size&order=asc", ordered(Key::Size, false)),
            ("/?sort=size&sort=name", ordered(Key::Size, false)),
            ("/?sort=colour&sort=size", ordered(Key::Size, false)),
            ("/?s%6frt=si%7ae", ordered(Key::Size, false)),
            ("/?sort=size#&order=desc", ordered(Key::Size, false)),
            ("/#?sort=size", Asked::default()),
            ("/?Sort=size&sort=SIZE&order=down", Asked::default()),
            ("/?sort&order&format", Asked::default()),
            ("/?sort=%ff%00<script>", Asked::default()),
            ("/?format=json", formatted(Format::Json)),
            ("/?format=text", formatted(Format::Text)),
            ("/?format=html", formatted(Format::Html)),
            ("/?format=xml", Asked::default()),
            ("/?details", details),
            ("/?details=no", details),
        ] {
            assert_eq!(Asked::of(target), expected, "{target}");
        }
    }
}
