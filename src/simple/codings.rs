//! The content codings that a client accepts, in its order of preference (RFC 9110, 12.5.3).

use std::cmp::Reverse;

use crate::http1::accept::{self, Member};

/// A coding of a compressed file beside the plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// `br`, RFC 7932.
    Brotli,
    /// `zstd`, RFC 8878.
    Zstandard,
    /// `gzip`, RFC 1952.
    Gzip,
}

/// The codings that a client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    order: [Option<Coding>; 3],
    /// Whether the client accepts the plain file, too.
    pub(crate) identity: bool,
}

impl Coding {
    /// All codings, the ones that compress better first.
    pub(crate) const ALL: [Coding; 3] = [Coding::Brotli, Coding::Zstandard, Coding::Gzip];

    /// Returns the name in `Content-Encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstandard => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// Returns the suffix of compressed files.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Coding::Brotli => ".br",
            Coding::Zstandard => ".zst",
            Coding::Gzip => ".gz",
        }
    }

    fn is(self, name: &str) -> bool {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        // RFC 9110, 8.4.1.3.
        is(self.name()) || (self == Coding::Gzip && is("x-gzip"))
    }
}

impl Accepted {
    /// Parses the values of all `Accept-Encoding` fields. Without such a field no coding is acceptable.
    ///
    /// `*` means all codings that are not named, except zstd, which is young. Codings of equal weight are in the
    /// order of [`ALL`](Coding::ALL), and the plain file is last unless its weight is higher. If a name occurs twice,
    /// the first one counts.
    pub(crate) fn of<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let (mut named, mut identity, mut any) = ([None; 3], None, None);
        for Member { name, weight } in accept::members(values) {
            if let Some((_, place)) = Coding::ALL
                .into_iter()
                .zip(&mut named)
                .find(|(coding, _)| coding.is(name))
            {
                place.get_or_insert(weight);
            } else if name.eq_ignore_ascii_case("identity") {
                identity.get_or_insert(weight);
            } else if name == "*" {
                any.get_or_insert(weight);
            }
        }
        let [brotli, zstandard, gzip] = named;
        let mut weighed = [
            (brotli.or(any).unwrap_or(0), Coding::Brotli),
            (zstandard.unwrap_or(0), Coding::Zstandard),
            (gzip.or(any).unwrap_or(0), Coding::Gzip),
        ];
        weighed.sort_by_key(|&(weight, _)| Reverse(weight));
        let least = identity.unwrap_or(0).max(1);
        Accepted {
            order: weighed.map(|(weight, coding)| (weight >= least).then_some(coding)),
            identity: identity.or(any) != Some(0),
        }
    }

    /// Returns the codings to look for, in order of preference.
    pub(crate) fn codings(self) -> impl Iterator<Item = Coding> {
        self.order.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(values: &[&str]) -> String {
        let accepted = Accepted::of(values.iter().copied());
        let mut names: Vec<_> = accepted.codings().map(Coding::name).collect();
        if !accepted.identity {
            names.push("not identity");
        }
        names.join(" ")
    }

    /// RFC 9110, 12.5.3.
    #[test]
    fn codings_go_by_weight_and_then_by_size() {
        for (value, expected) in [
            ("", ""),
            ("identity", ""),
            ("gzip", "gzip"),
            ("x-gzip", "gzip"),
            ("GZip", "gzip"),
            ("deflate", ""),
            ("compress, x-compress, exi", ""),
            // Chromium and Firefox on loopback, Safari, curl --compressed.
            ("gzip, deflate, br, zstd", "br zstd gzip"),
            ("gzip, deflate, br", "br gzip"),
            ("deflate, gzip", "gzip"),
            ("zstd", "zstd"),
            ("br;q=0.5, gzip", "gzip br"),
            ("br;q=0.5, gzip;q=0.6, zstd;q=0.7", "zstd gzip br"),
            ("br;q=0, gzip", "gzip"),
            ("br;q=0.0, gzip;q=0.000", ""),
            ("br;q=1.5, gzip", "gzip"),
            ("br;q=, gzip;q=x, zstd;q=0.1234", ""),
            // What is not named, but for zstd.
            ("*", "br gzip"),
            ("*;q=0.5", "br gzip"),
            ("gzip, *;q=0.5", "gzip br"),
            ("*, br;q=0", "gzip"),
            ("*;q=0.1, zstd;q=0.2", "zstd br gzip"),
            // The plain file.
            ("identity;q=0", "not identity"),
            ("*;q=0", "not identity"),
            ("*;q=0, gzip", "gzip not identity"),
            ("*;q=0, identity", ""),
            ("identity;q=0.5, *;q=0", ""),
            ("identity;q=0, gzip;q=0.1", "gzip not identity"),
            ("gzip;q=0.5, identity", ""),
            ("gzip;q=0.5, identity;q=0.5", "gzip"),
            ("gzip, br;q=0.2, identity;q=0.3", "gzip"),
            // The first of a name.
            ("gzip;q=0, gzip", ""),
            ("gzip, gzip;q=0", "gzip"),
            ("gzip;q=0, x-gzip", ""),
        ] {
            assert_eq!(order(&[value]), expected, "{value}");
        }
        assert_eq!(order(&[]), "");
        assert_eq!(order(&["gzip", "br"]), "br gzip");
        assert_eq!(order(&["gzip;q=0.5", "br;q=0.4"]), "gzip br");
    }

    proptest! {
        #[test]
        fn no_coding_of_weight_0_is_sent_and_the_order_is_that_of_the_weights(
            list in prop::collection::vec((
                prop::sample::select(vec!["br", "zstd", "gzip", "identity", "*", "deflate"]),
                0_u16..=10,
            ), 0..6)
        ) {
            let text: Vec<_> =
                list.iter().map(|(name, tenths)| format!("{name};q={}.{}", tenths / 10, tenths % 10)).collect();
            let accepted = Accepted::of([&*text.join(",")].into_iter());
            let of = |name: &str| list.iter().find(|(known, _)| *known == name).map(|(_, weight)| *weight);
            let weight = |coding: Coding| match coding {
                Coding::Zstandard => of("zstd").unwrap_or(0),
                _ => of(coding.name()).or(of("*")).unwrap_or(0),
            };
            let sent: Vec<_> = accepted.codings().collect();
            prop_assert!(sent.is_sorted_by(|a, b| weight(*a) >= weight(*b) && a != b));
            for coding in Coding::ALL {
                let is_better = weight(coding) > 0 && weight(coding) >= of("identity").unwrap_or(0);
                prop_assert_eq!(sent.contains(&coding), is_better);
            }
            prop_assert_eq!(accepted.identity, of("identity").or(of("*")) != Some(0));
        }
    }
}
