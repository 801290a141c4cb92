//! `Last-Modified` and `If-Modified-Since`, with the clock passed in.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Whether the client's copy is still good, so that 304 is the answer.
///
/// As in Python, `If-None-Match` switches this off whatever it says, and a date that cannot be
/// read counts as none. Only whole seconds are compared, as a date in a header has no more.
pub(crate) fn not_modified(
    if_modified_since: Option<&str>,
    has_if_none_match: bool,
    mtime: SystemTime,
) -> bool {
    if has_if_none_match {
        return false;
    }
    match if_modified_since.and_then(parse_date).map(seconds) {
        Some(since) => seconds(mtime) <= since,
        None => false,
    }
}

/// The time to send as `Last-Modified`; both are given in whole seconds.
///
/// Never later than `now`, the time of the answer's `Date`: a file from the future was modified
/// now, as far as a client may know. `None` for a time that an HTTP date cannot express.
pub(crate) fn last_modified(mtime: SystemTime, now: SystemTime) -> Option<SystemTime> {
    let time = mtime.min(now);
    let end = UNIX_EPOCH + Duration::from_secs(YEAR_10000);
    (UNIX_EPOCH..end).contains(&time).then_some(time)
}

/// An HTTP date in one of its three formats; as its zone, `+0000` and `-0000` are as good as `GMT`.
fn parse_date(text: &str) -> Option<SystemTime> {
    let utc = ["+0000", "-0000"]
        .into_iter()
        .find_map(|zone| text.strip_suffix(zone));
    let text = match utc {
        Some(date) => Cow::Owned(format!("{date}GMT")),
        None => Cow::Borrowed(text),
    };
    httpdate::parse_http_date(&text).ok()
}

/// Whole seconds since 1970. `None` is before that, and so less than all others.
fn seconds(time: SystemTime) -> Option<u64> {
    time.duration_since(UNIX_EPOCH)
        .ok()
        .map(|since| since.as_secs())
}

/// The first second that has no four-digit year.
const YEAR_10000: u64 = 253_402_300_800;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const NOVEMBER: u64 = 784_111_777;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn every_date_format_counts() {
        for date in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37 -0000",
        ] {
            assert!(not_modified(Some(date), false, at(NOVEMBER)), "{date}");
            assert!(not_modified(Some(date), false, at(NOVEMBER - 1)), "{date}");
            assert!(!not_modified(Some(date), false, at(NOVEMBER + 1)), "{date}");
            assert!(!not_modified(Some(date), true, at(NOVEMBER)), "{date}");
        }
    }

    #[test]
    fn fractions_of_a_second_are_dropped() {
        let mtime = at(NOVEMBER) + Duration::from_millis(999);
        assert!(not_modified(
            Some("Sun, 06 Nov 1994 08:49:37 GMT"),
            false,
            mtime
        ));
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
            assert!(!not_modified(Some(date), false, at(0)), "{date}");
        }
        assert!(!not_modified(None, false, at(0)));
    }

    #[test]
    fn a_date_from_the_future_counts() {
        assert!(not_modified(
            Some("Fri, 31 Dec 9999 23:59:59 GMT"),
            false,
            at(NOVEMBER)
        ));
    }

    #[test]
    fn a_file_from_before_1970_is_older_than_any_date() {
        let mtime = UNIX_EPOCH - Duration::from_secs(1);
        assert!(not_modified(
            Some("Thu, 01 Jan 1970 00:00:00 GMT"),
            false,
            mtime
        ));
        assert!(!not_modified(None, false, mtime));
        assert_eq!(last_modified(mtime, at(NOVEMBER)), None);
    }

    #[test]
    fn a_file_from_the_future_was_modified_now() {
        let now = at(NOVEMBER);
        assert_eq!(last_modified(at(NOVEMBER + 1), now), Some(at(NOVEMBER)));
        assert_eq!(last_modified(at(YEAR_10000), now), Some(at(NOVEMBER)));
        assert_eq!(
            last_modified(at(YEAR_10000 - 1), at(YEAR_10000)),
            Some(at(YEAR_10000 - 1))
        );
        assert_eq!(last_modified(at(YEAR_10000), at(YEAR_10000)), None);
    }

    proptest! {
        #[test]
        fn what_is_sent_can_be_written_and_is_not_late(mtime in any::<i64>(), now in 0..YEAR_10000) {
            let offset = Duration::from_secs(mtime.unsigned_abs() / 4);
            let mtime = if mtime < 0 { UNIX_EPOCH - offset } else { UNIX_EPOCH + offset };
            if let Some(time) = last_modified(mtime, at(now)) {
                prop_assert!(time <= at(now));
                let header = httpdate::fmt_http_date(time);
                prop_assert_eq!(not_modified(Some(&header), false, mtime), mtime < time + Duration::from_secs(1));
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>(), near in "[A-Z][a-z]{2,5}, [0-9]{2}[ -][A-Z][a-z]{2}[ -][0-9]{2,4} [0-9]{2}:[0-9]{2}:[0-9]{2} [-+G][0M][0T]00") {
            not_modified(Some(&text), false, at(0));
            not_modified(Some(&near), false, at(0));
        }
    }
}
