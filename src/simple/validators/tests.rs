use proptest::prelude::*;

use super::*;

/// Sun, 06 Nov 1994 08:49:37 GMT
const NOVEMBER: u64 = 784_111_777;

const VERSION: Version = Version {
    inode: 12_345,
    size: 1024,
    modified: (NOVEMBER as i64, 0),
    changed: (1_700_000_000, 123_456_789),
};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn tag(version: Version, now: SystemTime) -> String {
    let facts = FileMetadata::new(version, true, now);
    facts.tag().unwrap().to_owned()
}

/// Whoever changes this makes all that clients have of all files stale once, and ends their downloads.
#[test]
fn a_tag_is_the_same_in_every_process() {
    assert_eq!(tag(VERSION, at(1_800_000_000)), TAG_OF_VERSION);
    assert_eq!(tag(VERSION, at(1_900_000_000)), TAG_OF_VERSION);
}

const TAG_OF_VERSION: &str = "\"d6634eca59bd2037\"";

#[test]
fn a_file_without_dates_has_no_tag() {
    let facts = FileMetadata::new(VERSION, false, at(1_800_000_000));
    assert_eq!(facts.tag(), None);
}

#[test]
fn facts_are_those_of_the_file_system() {
    let facts = FileMetadata::new(VERSION, true, at(1_800_000_000));
    assert_eq!((facts.inode(), facts.size()), (12_345, 1024));
    assert_eq!(facts.modified(), at(NOVEMBER));
    let changed = at(1_700_000_000) + Duration::from_nanos(123_456_789);
    assert_eq!(facts.changed(), changed);
    for (time, expected) in [
        ((-2, 500_000_000), UNIX_EPOCH - Duration::from_millis(1500)),
        ((i64::MIN, 0), UNIX_EPOCH),
    ] {
        let modified = Version {
            modified: time,
            ..VERSION
        };
        assert!(FileMetadata::new(modified, true, changed).modified() <= expected);
    }
}

#[test]
fn within_the_grain_of_the_clock_no_tag_is_given_twice() {
    let changed = moment(VERSION.changed);
    let coarse = Version {
        changed: (1_700_000_000, 0),
        ..VERSION
    };
    let recent = Version {
        modified: VERSION.changed,
        changed: (1_600_000_000, 1),
        ..VERSION
    };
    for (version, since, millis, is_settled) in [
        (VERSION, changed, 0, false),
        (VERSION, changed, 19, false),
        (VERSION, changed, 20, true),
        (coarse, at(1_700_000_000), 2019, false),
        (coarse, at(1_700_000_000), 2020, true),
        // Of a file system without a time of change.
        (recent, changed, 19, false),
        (recent, changed, 20, true),
    ] {
        let now = since + Duration::from_millis(millis);
        assert_eq!(version.is_settled(now), is_settled, "{version:?} {millis}");
        // The grain of the clock of Windows.
        let later = now + Duration::from_nanos(100);
        assert_eq!(tag(version, now) == tag(version, later), is_settled);
        assert_eq!(
            tag(version, now) == tag(version, at(1_800_000_000)),
            is_settled
        );
    }
}

#[test]
fn a_time_of_content_in_the_future_is_no_recent_change() {
    let now = at(1_800_000_000);
    let future = Version {
        modified: (4_102_444_800, 0),
        ..VERSION
    };
    assert!(future.is_settled(now));
    let skewed = Version {
        changed: (1_800_000_001, 1),
        ..VERSION
    };
    assert!(!skewed.is_settled(now));
}

#[test]
fn dates_that_stores_make_up_are_none() {
    let before = UNIX_EPOCH - Duration::from_secs(1);
    for (modified, expected) in [
        (at(0), None),
        (at(1), None),
        (at(2), Some(at(2))),
        (at(NOVEMBER), Some(at(NOVEMBER))),
        (before, Some(before)),
    ] {
        assert_eq!(date(modified), expected);
    }
}

#[test]
fn a_file_from_the_future_was_modified_now_and_one_from_before_1970_never() {
    let now = at(NOVEMBER);
    for (modified, now, expected) in [
        (UNIX_EPOCH - Duration::from_secs(1), now, None),
        (at(NOVEMBER - 1), now, Some(at(NOVEMBER - 1))),
        (at(NOVEMBER + 1), now, Some(now)),
        (at(YEAR_10000), now, Some(now)),
        (at(YEAR_10000 - 1), at(YEAR_10000), Some(at(YEAR_10000 - 1))),
        (at(YEAR_10000), at(YEAR_10000), None),
    ] {
        assert_eq!(last_modified(modified, now), expected);
    }
}

fn any_version() -> impl Strategy<Value = Version> {
    let time = || (any::<i64>(), 0..1_000_000_000_i64);
    (any::<u64>(), any::<u64>(), time(), time()).prop_map(|(inode, size, modified, changed)| {
        Version {
            inode,
            size,
            modified,
            changed,
        }
    })
}

proptest! {
    #[test]
    fn a_tag_is_sixteen_digits_in_quotes(version in any_version(), now in 0..YEAR_10000) {
        let tag = tag(version, at(now));
        let digits = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap();
        prop_assert_eq!(digits.len(), 16);
        prop_assert!(digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    }

    #[test]
    fn whatever_changes_changes_the_tag(version in any_version(), other: u64, nanos in 0..1_000_000_000_i64) {
        let second = other as i64 % 8_000_000_000;
        let small = Version { modified: (1, 1), changed: (1, 1), ..version };
        for (a, b) in [
            (version, Version { inode: other, ..version }),
            (version, Version { size: other, ..version }),
            (small, Version { modified: (second, nanos), ..small }),
            (small, Version { changed: (second, nanos), ..small }),
        ] {
            prop_assert_eq!(a.digest() == b.digest(), a == b);
        }
    }

    #[test]
    fn what_is_sent_as_a_date_can_be_written_and_is_not_late(modified in any::<i64>(), now in 0..YEAR_10000) {
        let modified = moment((modified / 4, 0));
        if let Some(time) = last_modified(modified, at(now)) {
            prop_assert!(time <= at(now));
            let text = httpdate::fmt_http_date(time);
            prop_assert_eq!(httpdate::parse_http_date(&text).unwrap(), time);
        }
    }
}
