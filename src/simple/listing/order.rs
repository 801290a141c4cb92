//! The sort orders of listings.

use std::cmp::Ordering;

use super::asked::{Key, Order};
use super::names::Names;

/// Sorts entries. Equal entries are sorted by name.
pub(super) fn arrange(names: &mut Names, order: Order) {
    names.sort();
    let directed = |ordering: Ordering| match order.is_descending {
        true => ordering.reverse(),
        false => ordering,
    };
    match order.key {
        Key::Name if order.is_descending => names.reverse(),
        Key::Name => {}
        Key::Natural => names.sort_by(|a, b| directed(natural(a.key, b.key))),
        Key::Size => names.sort_by(|a, b| directed(a.size.cmp(&b.size))),
        Key::Modified => names.sort_by(|a, b| directed(a.modified.cmp(&b.modified))),
    }
}

/// Compares texts in which runs of digits are compared as numbers: `file-2` is before `file-10`.
fn natural(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let (number_a, rest_a) = split_number(a);
        let (number_b, rest_b) = split_number(b);
        let ordering = if number_a.is_empty() || number_b.is_empty() {
            match (a.split_first(), b.split_first()) {
                (Some((byte_a, rest_a)), Some((byte_b, rest_b))) => {
                    (a, b) = (rest_a, rest_b);
                    byte_a.cmp(byte_b)
                }
                _ => return a.len().cmp(&b.len()),
            }
        } else {
            (a, b) = (rest_a, rest_b);
            compare_numbers(number_a, number_b)
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
}

/// Splits a text after the digits at its beginning.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    text.split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or((text, &[]))
}

/// Compares numbers of any length.
fn compare_numbers(a: &[u8], b: &[u8]) -> Ordering {
    let [a, b] = [a, b].map(|digits| {
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        digits.get(zeros..).unwrap_or_default()
    });
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use super::super::names::{Details, Kind, Line};
    use super::*;

    fn arranged(entries: &[(&str, Option<u64>, u64)], key: Key, is_descending: bool) -> String {
        let mut names = Names::default();
        for (name, size, _) in entries {
            names.push(&Line {
                name: name.as_bytes(),
                kind: size.map_or(Kind::Directory, |_| Kind::File),
                is_link: false,
                details: Details::default(),
            });
        }
        names.describe(|name, _| {
            let (_, size, modified) = entries
                .iter()
                .find(|(of_entry, ..)| name == *of_entry)
                .unwrap();
            let details = Details {
                size: *size,
                modified: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(*modified)),
            };
            Some((size.map_or(Kind::Directory, |_| Kind::File), details))
        });
        arrange(&mut names, Order { key, is_descending });
        let texts = names
            .lines()
            .map(|line| String::from_utf8(line.name.to_owned()).unwrap());
        texts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_order_has_two_directions_and_ties_go_by_name() {
        let entries = [
            ("f10", Some(5), 30),
            ("F2", Some(7), 10),
            ("f1", Some(5), 20),
            ("d", None, 20),
        ];
        for (key, ascending, descending) in [
            (Key::Name, "d f1 f10 F2", "F2 f10 f1 d"),
            (Key::Natural, "d f1 F2 f10", "f10 F2 f1 d"),
            (Key::Size, "d f1 f10 F2", "F2 f1 f10 d"),
            (Key::Modified, "F2 d f1 f10", "f10 d f1 F2"),
        ] {
            assert_eq!(arranged(&entries, key, false), ascending, "{key:?}");
            assert_eq!(arranged(&entries, key, true), descending, "{key:?}");
        }
    }

    #[test]
    fn numbers_in_names_count_as_numbers() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, expected) in [
            ("file-2", "file-10", Less),
            ("file-10", "file-9", Greater),
            ("1.2.10", "1.2.9", Greater),
            ("a", "a1", Less),
            ("a1", "a", Greater),
            ("1a", "a", Less),
            ("007", "7", Equal),
            ("0", "00", Equal),
            ("1x", "01y", Less),
            (
                "99999999999999999999999999",
                "100000000000000000000000000",
                Less,
            ),
            ("-1", "1", Less),
            ("", "0", Less),
            ("", "", Equal),
            ("2 b", "2-a", Less),
        ] {
            assert_eq!(natural(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
    }

    proptest! {
        /// Or sorting would panic.
        #[test]
        fn the_natural_order_is_an_order(
            a in "[019a\\-.é]{0,6}", b in "[019a\\-.é]{0,6}", c in "[019a\\-.é]{0,6}",
        ) {
            let compare = |a: &str, b: &str| natural(a.as_bytes(), b.as_bytes());
            prop_assert_eq!(compare(&a, &a), Ordering::Equal);
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            let (ab, bc) = (compare(&a, &b), compare(&b, &c));
            if ab == bc || bc.is_eq() {
                prop_assert_eq!(compare(&a, &c), ab);
            }
            if ab.is_eq() {
                prop_assert_eq!(compare(&a, &c), bc);
            }
        }
    }
}
