use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Sun, 06 Nov 1994 08:49:37 GMT
const NOVEMBER: u64 = 784_111_777;
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn there(tag: Option<&str>, modified: Option<SystemTime>) -> Validators<'_> {
    let text = Box::leak(Box::new(HttpDate::from(modified.unwrap_or(UNIX_EPOCH))));
    Validators {
        tag,
        modified,
        modified_text: text,
    }
}

fn evaluate(fields: &[(&str, &str)], there: &Validators<'_>) -> Verdict {
    Asked::of(fields.iter().copied()).evaluate(there)
}

const MATCH: &str = "If-Match";
const NONE_MATCH: &str = "If-None-Match";
const UNMODIFIED: &str = "If-Unmodified-Since";
const MODIFIED: &str = "If-Modified-Since";

/// RFC 9110, 13.2.2.
#[test]
fn conditions_are_evaluated_in_their_order() {
    use Verdict::{Failed, NotModified, Proceed};
    let ours = "\"1\"";
    let table: [(&[(&str, &str)], Verdict); 24] = [
        (&[], Proceed),
        (&[(MATCH, ours)], Proceed),
        (&[(MATCH, "\"2\"")], Failed),
        (&[(MATCH, "W/\"1\"")], Failed),
        (&[(MATCH, "*")], Proceed),
        (&[(MATCH, "")], Failed),
        (&[(UNMODIFIED, BEFORE)], Failed),
        (&[(UNMODIFIED, SAME)], Proceed),
        (&[(UNMODIFIED, AFTER)], Proceed),
        (&[(UNMODIFIED, "yesterday")], Proceed),
        // The first switches the second off.
        (&[(UNMODIFIED, BEFORE), (MATCH, ours)], Proceed),
        (&[(UNMODIFIED, AFTER), (MATCH, "\"2\"")], Failed),
        (&[(NONE_MATCH, ours)], NotModified),
        (&[(NONE_MATCH, "W/\"1\"")], NotModified),
        (&[(NONE_MATCH, "*")], NotModified),
        (&[(NONE_MATCH, "\"2\"")], Proceed),
        // The third switches the fourth off, also if nothing can be read in it.
        (&[(NONE_MATCH, "\"2\""), (MODIFIED, AFTER)], Proceed),
        (&[(NONE_MATCH, ""), (MODIFIED, AFTER)], Proceed),
        (&[(NONE_MATCH, ours), (MODIFIED, BEFORE)], NotModified),
        (&[(MODIFIED, BEFORE)], Proceed),
        (&[(MODIFIED, SAME)], NotModified),
        // The first two go before the others.
        (&[(NONE_MATCH, ours), (MATCH, "\"2\"")], Failed),
        (&[(NONE_MATCH, ours), (MATCH, ours)], NotModified),
        (&[(MODIFIED, AFTER), (UNMODIFIED, BEFORE)], Failed),
    ];
    for (fields, outcome) in table {
        let there = there(Some(ours), Some(at(NOVEMBER)));
        assert_eq!(evaluate(fields, &there), outcome, "{fields:?}");
    }
}

#[test]
fn names_of_fields_have_any_case_and_the_first_date_counts() {
    let there = there(Some("\"1\""), Some(at(NOVEMBER)));
    for fields in [
        [("if-none-match", "\"2\""), ("IF-NONE-MATCH", "\"1\"")],
        [("if-modified-since", AFTER), (MODIFIED, BEFORE)],
        [("x", BEFORE), (MODIFIED, AFTER)],
    ] {
        assert_eq!(
            evaluate(&fields, &there),
            Verdict::NotModified,
            "{fields:?}"
        );
    }
    for (name, _) in [
        (MATCH, 0),
        (NONE_MATCH, 0),
        (UNMODIFIED, 0),
        (MODIFIED, 0),
        ("If-Range", 0),
        ("Range", 0),
    ] {
        assert_ne!(LENGTHS & 1 << name.len(), 0, "{name}");
    }
}

#[test]
fn what_has_no_validators_matches_no_tag_and_no_date() {
    let there = there(None, None);
    for (fields, outcome) in [
        ([(MATCH, "\"1\"")], Verdict::Failed),
        ([(MATCH, "*")], Verdict::Proceed),
        ([(UNMODIFIED, BEFORE)], Verdict::Proceed),
        ([(NONE_MATCH, "\"1\"")], Verdict::Proceed),
        ([(NONE_MATCH, "*")], Verdict::NotModified),
        (
            [(MODIFIED, "Fri, 31 Dec 9999 23:59:59 GMT")],
            Verdict::Proceed,
        ),
    ] {
        assert_eq!(evaluate(&fields, &there), outcome, "{fields:?}");
    }
}

fn not_modified(date: &str, modified: SystemTime) -> bool {
    evaluate(&[(MODIFIED, date)], &there(None, Some(modified))) == Verdict::NotModified
}

#[test]
fn every_date_format_counts() {
    for date in [
        SAME,
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 -0000",
    ] {
        assert!(not_modified(date, at(NOVEMBER)), "{date}");
        assert!(
            not_modified(date, at(NOVEMBER) + Duration::from_millis(999)),
            "{date}"
        );
        assert!(not_modified(date, at(NOVEMBER - 1)), "{date}");
        assert!(!not_modified(date, at(NOVEMBER + 1)), "{date}");
    }
    assert!(not_modified("Fri, 31 Dec 9999 23:59:59 GMT", at(NOVEMBER)));
}

#[test]
fn other_zones_and_other_texts_are_ignored() {
    for date in [
        "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 ",
        "Sun, 06 Nov 1994",
        "+0000",
        "GMT",
        "0",
        "",
        "é",
    ] {
        assert!(!not_modified(date, at(0)), "{date}");
    }
}

#[test]
fn a_file_from_before_1970_is_older_than_any_date() {
    let modified = UNIX_EPOCH - Duration::from_secs(1);
    assert!(not_modified("Thu, 01 Jan 1970 00:00:00 GMT", modified));
}

/// RFC 9110, 13.1.5 and 14.2.
#[test]
fn a_range_is_valid_for_the_very_version_that_it_is_of() {
    let range = ("Range", "bytes=0-1");
    let table: [(&[(&str, &str)], bool); 16] = [
        (&[range], true),
        (&[range, range], false),
        (&[range, ("range", "bytes=2-3")], false),
        (&[range, ("If-Range", "\"1\"")], true),
        (&[range, ("If-Range", "\"2\"")], false),
        (&[range, ("If-Range", "W/\"1\"")], false),
        (&[range, ("If-Range", "\"1\", \"2\"")], false),
        (&[range, ("If-Range", "*")], false),
        (&[range, ("If-Range", "1")], false),
        (&[range, ("If-Range", "")], false),
        (&[range, ("If-Range", SAME)], true),
        (
            &[range, ("If-Range", "Sunday, 06-Nov-94 08:49:37 GMT")],
            true,
        ),
        (&[range, ("If-Range", BEFORE)], false),
        (&[range, ("If-Range", AFTER)], false),
        (
            &[range, ("If-Range", "\"1\""), ("If-Range", "\"1\"")],
            false,
        ),
        (&[("If-Range", "\"1\"")], false),
    ];
    for (fields, is_valid) in table {
        let asked = Asked::of(fields.iter().copied());
        let there = there(Some("\"1\""), Some(at(NOVEMBER)));
        let range = asked.valid_range(&there, || at(NOVEMBER + 1));
        assert_eq!(range.is_some(), is_valid, "{fields:?}");
    }
    let dated = Asked::of([range, ("If-Range", SAME)].into_iter());
    let present = there(None, Some(at(NOVEMBER)));
    // It may change once more within its second.
    assert_eq!(dated.valid_range(&present, || at(NOVEMBER)), None);
    assert_eq!(
        dated.valid_range(&there(None, None), || at(NOVEMBER + 1)),
        None
    );
    let weak = Asked::of([range, ("If-Range", "W/\"1\"")].into_iter());
    assert_eq!(
        weak.valid_range(&there(Some("W/\"1\""), None), || at(0)),
        None
    );
}

proptest! {
    /// The table of RFC 9110, 13.2.2, step by step.
    #[test]
    fn the_outcome_is_that_of_the_steps(
        if_match in prop::option::of(0..3_u8),
        unmodified in prop::option::of(0..4_usize),
        none_match in prop::option::of(0..3_u8),
        modified in prop::option::of(0..4_usize),
    ) {
        let tag = |which: u8| ["\"1\"", "W/\"1\"", "\"2\""][usize::from(which)];
        let date = |which: usize| [BEFORE, SAME, AFTER, "none"][which];
        let mut fields = Vec::new();
        fields.extend(modified.map(|which| (MODIFIED, date(which))));
        fields.extend(none_match.map(|which| (NONE_MATCH, tag(which))));
        fields.extend(unmodified.map(|which| (UNMODIFIED, date(which))));
        fields.extend(if_match.map(|which| (MATCH, tag(which))));
        let first = match (if_match, unmodified) {
            (Some(which), _) => which == 0,
            (None, Some(which)) => which != 0,
            (None, None) => true,
        };
        let third = match (none_match, modified) {
            (Some(which), _) => which == 2,
            (None, Some(which)) => !matches!(which, 1 | 2),
            (None, None) => true,
        };
        let expected = match (first, third) {
            (false, _) => Verdict::Failed,
            (true, false) => Verdict::NotModified,
            (true, true) => Verdict::Proceed,
        };
        prop_assert_eq!(evaluate(&fields, &there(Some("\"1\""), Some(at(NOVEMBER)))), expected);
    }

    #[test]
    fn no_text_panics(text in any::<String>(), near in "[A-Z][a-z]{2,5}, [0-9]{2}[ -][A-Z][a-z]{2}[ -][0-9]{2,4} [0-9]{2}:[0-9]{2}:[0-9]{2} [-+G][0M][0T]00") {
        for text in [&*text, &*near] {
            for name in [MATCH, NONE_MATCH, UNMODIFIED, MODIFIED, "If-Range"] {
                let asked = Asked::of([(name, text), ("Range", text)].into_iter());
                let there = there(Some("\"1\""), Some(at(NOVEMBER)));
                asked.evaluate(&there);
                asked.valid_range(&there, || at(NOVEMBER + 1));
            }
        }
    }
}
