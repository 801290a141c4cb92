//! Content negotiation: lists of names with weights (RFC 9110, section 12.4.2), as in `Accept` and `Accept-Encoding`.

/// A member of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    /// A media range, a coding, or `*`.
    pub(crate) name: &'a str,
    /// The weight in thousandths, from 0 to 1000. 0 means "not acceptable".
    pub(crate) weight: u16,
}

/// Returns true if the client accepts this media type by its name. Ranges such as `*/*` do not count.
pub(crate) fn names<'a>(accept: impl Iterator<Item = &'a str>, media_type: &str) -> bool {
    members(accept).any(|member| member.weight > 0 && member.name.eq_ignore_ascii_case(media_type))
}

/// Returns the members of all fields of a name, which form one list. A member with a malformed weight is ignored.
pub(crate) fn members<'a>(
    values: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = Member<'a>> {
    values
        .flat_map(|value| split(value, ','))
        .filter_map(Member::parse)
}

impl<'a> Member<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = split(text, ';');
        let name = parts.next().map(trim).filter(|name| !name.is_empty())?;
        let is_weight = |parameter: &&str| {
            let name = parameter.split('=').next().map(trim);
            name.is_some_and(|name| name.eq_ignore_ascii_case("q"))
        };
        let weight = match parts.map(trim).find(is_weight) {
            Some(parameter) => weight(parameter.split_once('=')?.1)?,
            None => 1000,
        };
        Some(Member { name, weight })
    }
}

/// Splits a text at separators outside of quoted strings (RFC 9110, section 5.6.4).
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |c| {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_quoted,
            '"' => is_quoted = !is_quoted,
            _ => return c == separator && !is_quoted,
        }
        false
    })
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Parses a `qvalue`, in thousandths.
fn weight(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().map(|byte| u16::from(byte - b'0'));
    let thousandths: u16 = digits.zip([100, 10, 1]).map(|(digit, of)| digit * of).sum();
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 9110, 12.4.2.
    #[test]
    fn a_weight_has_up_to_three_digits_and_is_at_most_1() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0.", Some(0)),
            ("0.000", Some(0)),
            ("0.001", Some(1)),
            ("0.5", Some(500)),
            ("0.25", Some(250)),
            ("0.999", Some(999)),
            ("1", Some(1000)),
            ("1.", Some(1000)),
            ("1.000", Some(1000)),
            ("1.001", None),
            ("1.0000", None),
            ("0.0001", None),
            ("2", None),
            ("00", None),
            ("01", None),
            ("-0", None),
            ("+1", None),
            (".5", None),
            ("0,5", None),
            ("0.5.5", None),
            ("0.+5", None),
            (" 0.5", None),
            ("0.5 ", None),
            ("1e0", None),
            ("", None),
        ] {
            assert_eq!(weight(text), expected, "{text:?}");
        }
    }

    /// Fields, and the members of their list.
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, u16)]);

    #[test]
    fn members_stand_between_commas_and_have_weights() {
        let table: [Case<'_>; 16] = [
            (&[], &[]),
            (&[""], &[]),
            (&[" ,, ,\t"], &[]),
            (&["gzip"], &[("gzip", 1000)]),
            (&["gzip, br"], &[("gzip", 1000), ("br", 1000)]),
            (&["gzip", "br"], &[("gzip", 1000), ("br", 1000)]),
            (&["gzip;q=0.5 ,\tbr ; q=0"], &[("gzip", 500), ("br", 0)]),
            (&["gzip;Q=0.1"], &[("gzip", 100)]),
            (&["gzip;q=x, br"], &[("br", 1000)]),
            (&["gzip;q, br;q=, zstd;q= 1"], &[]),
            (&["gzip;q=0.5;q=1"], &[("gzip", 500)]),
            (&[";q=1, a"], &[("a", 1000)]),
            (
                &["text/html;level=1;q=0.4;x=y, */*"],
                &[("text/html", 400), ("*/*", 1000)],
            ),
            (
                &[r#"a;b=", text/html,";q=0.1, c"#],
                &[("a", 100), ("c", 1000)],
            ),
            (&[r#"a;b="\",;q=0.2,", c"#], &[("a", 1000), ("c", 1000)]),
            // An open quote goes up to the end of its field.
            (&[r#"a;b=", c"#, "d"], &[("a", 1000), ("d", 1000)]),
        ];
        for (values, expected) in table {
            let found: Vec<_> = members(values.iter().copied())
                .map(|member| (member.name, member.weight))
                .collect();
            assert_eq!(found, expected, "{values:?}");
        }
    }

    #[test]
    fn only_a_type_that_is_named_counts() {
        for (accept, expected) in [
            // Documents and frames: Chromium, Firefox, Safari.
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
                true,
            ),
            ("text/html", true),
            ("TEXT/HTML;q=0.001", true),
            ("*/*, text/html;level=1", true),
            // Styles, images, scripts, workers, fetch, curl, wget.
            ("text/css,*/*;q=0.1", false),
            (
                "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
                false,
            ),
            ("*/*", false),
            ("text/*", false),
            ("text/html;q=0", false),
            ("text/html;q=2", false),
            ("text/htmlx", false),
            ("x;y=\",text/html,\"", false),
            ("", false),
        ] {
            assert_eq!(
                names([accept].into_iter(), "text/html"),
                expected,
                "{accept}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(list in prop::collection::vec(("[a-z*/+-]{1,9}", 0_u16..=1000), 0..6)) {
            let texts: Vec<String> = list
                .iter()
                .map(|(name, weight)| format!("{name};q={}.{:03}", weight / 1000, weight % 1000))
                .collect();
            let joined = texts.join(" ,");
            let read = |values: &[&str]| -> Vec<(String, u16)> {
                members(values.iter().copied()).map(|m| (m.name.to_owned(), m.weight)).collect()
            };
            prop_assert_eq!(&read(&[&joined]), &list);
            let apart: Vec<&str> = texts.iter().map(String::as_str).collect();
            prop_assert_eq!(&read(&apart), &list);
        }

        #[test]
        fn any_text_is_read(value in "([a-z\"\\\\;=,. \t0-9qQ]|\\PC){0,40}") {
            for member in members([&*value].into_iter()) {
                prop_assert!(member.weight <= 1000 && !member.name.is_empty());
                prop_assert!(value.contains(member.name));
            }
        }
    }
}
