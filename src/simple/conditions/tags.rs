//! Lists of entity tags (RFC 9110, 8.8.3 and 13.1.1).

/// The values of all `If-Match` or `If-None-Match` fields, which form one list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags<'a> {
    first: Option<&'a str>,
    /// The second and further values; hardly any client sends them.
    more: Vec<&'a str>,
}

impl<'a> Tags<'a> {
    pub(crate) fn push(&mut self, value: &'a str) {
        match self.first {
            None => self.first = Some(value),
            Some(_) => self.more.push(value),
        }
    }

    /// Returns whether there is such a field, whatever its value.
    pub(super) fn is_given(&self) -> bool {
        self.first.is_some()
    }

    /// Returns whether this tag is in the list and both are strong, so that the two versions have the same bytes.
    pub(super) fn has_strong(&self, tag: Option<&str>) -> bool {
        let is_strong = tag.is_some_and(|tag| !is_weak(tag));
        self.is_any() || is_strong && self.has(|member| Some(member) == tag)
    }

    /// Returns whether this tag is in the list, weak or strong.
    pub(super) fn has_weak(&self, tag: Option<&str>) -> bool {
        // What most clients send is the one tag that they got.
        if self.first.is_some() && self.first == tag && self.more.is_empty() {
            return true;
        }
        let wanted = tag.map(opaque);
        self.is_any() || wanted.is_some() && self.has(|member| Some(opaque(member)) == wanted)
    }

    /// Returns whether the list is `*`, which matches any version.
    fn is_any(&self) -> bool {
        self.first == Some("*") && self.more.is_empty()
    }

    fn has(&self, is_it: impl Fn(&str) -> bool) -> bool {
        let values = self.first.iter().chain(&self.more);
        values.flat_map(|value| members(value)).any(is_it)
    }
}

fn is_weak(tag: &str) -> bool {
    tag.starts_with("W/")
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Returns the entity tags of a list. Anything else is ignored up to the next comma; a comma inside quotes is part of
/// its tag.
fn members(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return None;
            }
            let (tag, after) = match tag_length(rest) {
                Some(length) => (rest.get(..length), rest.get(length..)?),
                None => (None, rest),
            };
            let after = after.trim_start_matches([' ', '\t']);
            let is_whole = after.is_empty() || after.starts_with(',');
            rest = match is_whole {
                true => after,
                false => after.split_once(',').map_or("", |(_, rest)| rest),
            };
            if is_whole && tag.is_some() {
                return tag;
            }
        }
    })
}

/// Returns the length of the entity tag at the start of a text.
fn tag_length(text: &str) -> Option<usize> {
    let inner = opaque(text).strip_prefix('"')?;
    let end = inner.find('"')?;
    // A space or a control character can't be in a tag.
    let is_tag = inner.get(..end)?.chars().all(|c| c > ' ' && c != '\u{7f}');
    is_tag.then_some(text.len() - inner.len() + end + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list<'a>(values: &[&'a str]) -> Tags<'a> {
        let mut tags = Tags::default();
        values.iter().for_each(|value| tags.push(value));
        tags
    }

    #[test]
    fn tags_stand_in_lists() {
        let table: [(&str, &[&str]); 22] = [
            ("", &[]),
            ("\"a\"", &["\"a\""]),
            ("W/\"a\"", &["W/\"a\""]),
            ("w/\"a\"", &[]),
            ("\"\"", &["\"\""]),
            ("\"a\", \"b\"", &["\"a\"", "\"b\""]),
            ("\"a\",\"b\" ,\t\"c\"", &["\"a\"", "\"b\"", "\"c\""]),
            (", ,\"a\",,", &["\"a\""]),
            ("\"a,b\", W/\",\"", &["\"a,b\"", "W/\",\""]),
            ("a", &[]),
            ("a, \"b\"", &["\"b\""]),
            ("\"a", &[]),
            ("\"a, \"b\"", &["\"b\""]),
            ("\"a\"b, \"c\"", &["\"c\""]),
            ("\"a\" b, \"c\"", &["\"c\""]),
            ("\"a b\", \"c\"", &["\"c\""]),
            ("\"a\" \"b\", \"c\"", &["\"c\""]),
            ("W/ \"a\", \"c\"", &["\"c\""]),
            ("W/, \"c\"", &["\"c\""]),
            ("*, \"c\"", &["\"c\""]),
            ("\"*\"", &["\"*\""]),
            ("\"\u{e9}\\\"", &["\"\u{e9}\\\""]),
        ];
        for (value, expected) in table {
            assert_eq!(members(value).collect::<Vec<_>>(), expected, "{value}");
        }
    }

    #[test]
    fn two_tags_are_compared_strongly_or_weakly() {
        for (value, tag, strong, weak) in [
            ("\"1\"", Some("\"1\""), true, true),
            ("W/\"1\"", Some("\"1\""), false, true),
            ("\"1\"", Some("W/\"1\""), false, true),
            ("W/\"1\"", Some("W/\"1\""), false, true),
            ("W/\"1\"", Some("W/\"2\""), false, false),
            ("\"0\", \"1\"", Some("\"1\""), true, true),
            ("\"0\", \"2\"", Some("\"1\""), false, false),
            ("1", Some("\"1\""), false, false),
            ("*", Some("\"1\""), true, true),
            ("*", None, true, true),
            ("\"*\"", Some("\"1\""), false, false),
            ("\"1\"", None, false, false),
            ("", Some("\"1\""), false, false),
        ] {
            let tags = list(&[value]);
            assert!(tags.is_given());
            assert_eq!(tags.has_strong(tag), strong, "{value} {tag:?}");
            assert_eq!(tags.has_weak(tag), weak, "{value} {tag:?}");
        }
        assert!(!list(&[]).is_given());
    }

    #[test]
    fn several_fields_are_one_list() {
        let tags = list(&["\"1\"", "W/\"2\", \"3\""]);
        for (tag, strong, weak) in [
            ("\"1\"", true, true),
            ("\"2\"", false, true),
            ("\"3\"", true, true),
            ("\"4\"", false, false),
        ] {
            assert_eq!(
                (tags.has_strong(Some(tag)), tags.has_weak(Some(tag))),
                (strong, weak)
            );
        }
        assert!(!list(&["*", "\"1\""]).has_weak(Some("\"2\"")));
        assert!(!list(&["\"1\"", "*"]).has_weak(Some("\"2\"")));
    }

    proptest! {
        #[test]
        fn every_tag_of_a_list_is_found_and_no_other(tags in prop::collection::vec("(W/)?\"[!#-~,]{0,5}\"", 0..6), gap in "[ \t]?,[ \t]{0,2}", other in "\"[!#-~,]{0,5}\"") {
            let value = tags.join(&gap);
            let found: Vec<&str> = members(&value).collect();
            prop_assert_eq!(&found, &tags);
            let is_there = tags.iter().any(|tag| opaque(tag) == other);
            prop_assert_eq!(list(&[&value]).has_weak(Some(&other)), is_there);
            prop_assert_eq!(list(&[&value]).has_strong(Some(&other)), tags.contains(&other));
        }

        #[test]
        fn no_text_panics_and_what_is_found_stands_in_it(text in "[W/\"*, a\t\u{e9}]{0,30}") {
            for tag in members(&text) {
                prop_assert!(text.contains(tag) && opaque(tag).len() >= 2 && tag.ends_with('"'));
            }
        }
    }
}
