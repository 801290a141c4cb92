use proptest::prelude::*;

use super::*;

const MOST: usize = 256;

/// In the notation of the field, of a file of 1,000 bytes.
fn of_1000(field: &str) -> String {
    let text = |range: &ByteRange| format!("{}-{}", range.first, range.last);
    match Ranges::of(field, 1000, MOST) {
        Ranges::Whole => "whole".into(),
        Ranges::One(one) => text(&one),
        Ranges::Several(several) => several.iter().map(text).collect::<Vec<_>>().join(","),
        Ranges::Unsatisfiable => "none".into(),
    }
}

#[test]
fn a_field_asks_for_bytes() {
    for (field, expected) in [
        ("bytes=0-9", "0-9"),
        ("BYTES=0-9", "0-9"),
        ("bytes=0-0", "0-0"),
        ("bytes=999-", "999-999"),
        ("bytes=0-", "0-999"),
        ("bytes=990-2000", "990-999"),
        ("bytes=-5", "995-999"),
        ("bytes=-1000", "0-999"),
        ("bytes=-1001", "0-999"),
        ("bytes=-18446744073709551616", "0-999"),
        ("bytes=0-18446744073709551616", "0-999"),
        ("bytes=000-009", "0-9"),
        ("bytes= 0-9 ", "0-9"),
        ("bytes=,0-9,\t,", "0-9"),
        // Nothing of it is there.
        ("bytes=1000-", "none"),
        ("bytes=1000-1001", "none"),
        ("bytes=-0", "none"),
        ("bytes=1000-,-0", "none"),
        ("bytes=18446744073709551616-", "none"),
        ("bytes=99999999999999999999-99999999999999999999", "none"),
        // What is not there is left out.
        ("bytes=1000-,0-1", "0-1"),
        // No range: the whole.
        ("bytes=5-4", "whole"),
        ("bytes=0-1,5-4", "whole"),
        ("bytes=a-b", "whole"),
        ("bytes=0-1,x", "whole"),
        ("bytes=", "whole"),
        ("bytes=,", "whole"),
        ("bytes=-", "whole"),
        ("bytes=--1", "whole"),
        ("bytes=1--2", "whole"),
        ("bytes=+1-2", "whole"),
        ("bytes=1-2-3", "whole"),
        ("bytes=1", "whole"),
        ("bytes=0x1-2", "whole"),
        ("bytes=0 -1", "whole"),
        ("bytes=0-1;2-3", "whole"),
        ("bytes =0-1", "whole"),
        ("bytes:0-1", "whole"),
        ("bytes", "whole"),
        ("0-1", "whole"),
        ("items=0-1", "whole"),
        ("", "whole"),
        ("bytes=\u{661}-2", "whole"),
    ] {
        assert_eq!(of_1000(field), expected, "{field}");
    }
}

#[test]
fn ranges_that_overlap_or_nearly_touch_are_one() {
    for (field, expected) in [
        ("bytes=0-1,500-509", "0-1,500-509"),
        ("bytes=0-5,3-8", "0-8"),
        ("bytes=0-8,3-5", "0-8"),
        ("bytes=0-5,6-8", "0-8"),
        ("bytes=0-9,90-99", "0-99"),
        ("bytes=0-9,91-99", "0-9,91-99"),
        ("bytes=0-9,90-99,180-", "0-999"),
        // The order is that of the client.
        ("bytes=500-509,0-1", "500-509,0-1"),
        ("bytes=-1,0-0", "999-999,0-0"),
        ("bytes=6-8,0-5", "6-8,0-5"),
    ] {
        assert_eq!(of_1000(field), expected, "{field}");
    }
}

#[test]
fn an_empty_file_is_sent_whole() {
    for field in ["bytes=0-0", "bytes=0-", "bytes=-1", "bytes=-0", "bytes=1-"] {
        assert_eq!(Ranges::of(field, 0, MOST), Ranges::Whole, "{field}");
    }
}

fn list(count: u64, step: u64) -> String {
    let members = (0..count).map(|at| format!("{0}-{0}", at * step));
    format!("bytes={}", members.collect::<Vec<_>>().join(","))
}

#[test]
fn there_may_be_256_ranges_and_none_where_they_are_off() {
    for (count, is_served) in [(2, true), (256, true), (257, false), (10_000, false)] {
        let ranges = Ranges::of(&list(count, 1000), 1 << 40, MOST);
        assert_eq!(matches!(ranges, Ranges::Several(_)), is_served, "{count}");
    }
    assert_eq!(Ranges::of("bytes=0-0", 1000, 0), Ranges::Whole);
    assert_eq!(Ranges::of("bytes=0-0,9-9", 1000, 1), Ranges::Whole);
}

#[test]
fn many_ranges_are_served_only_in_their_order() {
    let descending = |count: u64| {
        let members = (0..count).rev().map(|at| format!("{0}-{0}", at * 1000));
        format!("bytes={}", members.collect::<Vec<_>>().join(","))
    };
    for (count, is_served) in [(16, true), (17, false)] {
        let ranges = Ranges::of(&descending(count), 1 << 20, MOST);
        assert_eq!(matches!(ranges, Ranges::Several(_)), is_served, "{count}");
    }
    let overlapping = vec!["0-"; 17].join(",");
    assert_eq!(
        Ranges::of(&format!("bytes={overlapping}"), 1 << 20, MOST),
        Ranges::Whole
    );
}

#[test]
fn parts_never_cost_more_than_the_whole() {
    // Two parts of 2,048 bytes with a gap between them.
    let field = "bytes=4000-6047,0-2047";
    let cost = 2 * (2048 + 256);
    assert!(matches!(
        Ranges::of(field, cost - 4096 + 6000, MOST),
        Ranges::Several(_)
    ));
    let again = "bytes=1-9999,0-9999";
    assert_eq!(Ranges::of(again, 10_000, MOST), Ranges::Whole);
    for (size, is_served) in [(3583, true), (3584, true), (3585, false)] {
        // Both are nearly the whole: 2 * size - 1 + 512 against size + 4096.
        let ranges = Ranges::of("bytes=1-,0-", size, MOST);
        assert_eq!(
            matches!(ranges, Ranges::Several(_)),
            size * 2 - 1 + 512 <= size + 4096,
            "{size}"
        );
        assert!(is_served || size > 3584);
    }
}

fn field() -> impl Strategy<Value = String> {
    let number = || prop_oneof![0..2000_u64, any::<u64>()];
    let member = prop_oneof![
        8 => (number(), number()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        4 => (0..2000_u64, 0..9_u64).prop_map(|(a, length)| format!("{a}-{}", a + length)),
        2 => number().prop_map(|a| format!("{a}-")),
        2 => number().prop_map(|a| format!("-{a}")),
        1 => "[-0-9 ,]{0,6}",
    ];
    prop::collection::vec(member, 0..24).prop_map(|list| format!("bytes={}", list.join(",")))
}

proptest! {
    /// Every byte that was asked for is sent, in the order of the request, and little besides.
    #[test]
    fn what_is_sent_is_what_was_asked_for(field in field(), size in 1..3000_u64) {
        let asked = asked_for(&field, size, MOST);
        let sent = match Ranges::of(&field, size, MOST) {
            Ranges::Whole => return Ok(()),
            Ranges::Unsatisfiable => {
                prop_assert_eq!(asked, Some(Vec::new()));
                return Ok(());
            }
            Ranges::One(one) => vec![one],
            Ranges::Several(several) => {
                prop_assert!(several.len() >= 2);
                several
            }
        };
        let mut at = 0;
        for ByteRange { first, last } in asked.unwrap() {
            let found = sent[at..].iter().position(|part| part.first <= first && last <= part.last);
            prop_assert!(found.is_some(), "{}-{} of {:?}", first, last, sent);
            at += found.unwrap();
        }
        prop_assert_eq!(at, sent.len() - 1);
        let mut total = 0;
        for part in &sent {
            prop_assert!(part.first <= part.last && part.last < size);
            total += part.length();
        }
        prop_assert!(total <= size + EXCESS);
    }

    #[test]
    fn no_text_panics(text in any::<String>(), near in "bytes=[-,0-9 ]{0,40}", size: u64, most in 0..300_usize) {
        for text in [&*text, &*near] {
            match Ranges::of(text, size, most) {
                Ranges::One(one) => prop_assert!(one.first <= one.last && one.last < size),
                Ranges::Several(several) => prop_assert!(several.len() <= most && cost(&several) <= size.saturating_add(EXCESS)),
                Ranges::Whole | Ranges::Unsatisfiable => {}
            }
        }
    }
}
