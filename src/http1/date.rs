//! The one date form that HTTP sends: IMF-fixdate (RFC 9110, 5.6.7).

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::time::SystemTime;

use super::calendar::{DAY, civil};

/// The text of a moment as HTTP writes it in `Date`, `Last-Modified` and
/// `Expires`: an IMF-fixdate, always 29 bytes and always in GMT.
///
/// It dereferences to `str`, is `Copy` and owns no heap memory. Parts of a
/// second are cut off. The form has room for the years 1970 to 9999 only; a
/// moment outside of them becomes the nearest one inside.
///
/// ```
/// use servette::HttpDate;
/// use std::time::{Duration, SystemTime};
///
/// let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
/// let date = HttpDate::from(moment);
/// assert_eq!(&*date, "Sun, 06 Nov 1994 08:49:37 GMT");
/// assert_eq!(format!("Date: {date}"), "Date: Sun, 06 Nov 1994 08:49:37 GMT");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HttpDate([u8; LENGTH]);

impl HttpDate {
    /// The present moment.
    ///
    /// The text is kept per thread and rendered at most once a second, so a
    /// call costs little more than reading the clock.
    #[must_use]
    pub fn now() -> HttpDate {
        let second = clamped_seconds(SystemTime::now());
        // A thread that is being torn down has no cache any more.
        LATEST
            .try_with(|latest| match latest.get() {
                Some((known, date)) if known == second => date,
                _ => {
                    let date = HttpDate::at(second);
                    latest.set(Some((second, date)));
                    date
                }
            })
            .unwrap_or_else(|_| HttpDate::at(second))
    }

    fn at(second: u64) -> HttpDate {
        let second = second.min(LAST_SECOND) as i64;
        let (year, month, day, hour, minute, of_minute) = civil(second);
        // The first day of 1970 was a Thursday.
        let weekday = name_at(b"ThuFriSatSunMonTueWed", second / DAY % 7);
        let month = name_at(
            b"JanFebMarAprMayJunJulAugSepOctNovDec",
            i64::from(month) - 1,
        );
        let (day, hour) = (two_digits(day), two_digits(hour));
        let (minute, second) = (two_digits(minute), two_digits(of_minute));
        let century = two_digits((year / 100) as u8);
        let year = two_digits((year % 100) as u8);
        let mut text = EPOCH;
        let parts: [(usize, &[u8]); 8] = [
            (0, &weekday),
            (5, &day),
            (8, &month),
            (12, &century),
            (14, &year),
            (17, &hour),
            (20, &minute),
            (23, &second),
        ];
        for (at, part) in parts {
            if let Some(place) = text.get_mut(at..at + part.len()) {
                place.copy_from_slice(part);
            }
        }
        HttpDate(text)
    }
}

/// One of several names of three letters.
fn name_at(names: &[u8], number: i64) -> [u8; 3] {
    let at = number as usize * 3;
    let name = names.get(at..).and_then(<[u8]>::first_chunk);
    name.copied().unwrap_or_default()
}

fn two_digits(number: u8) -> [u8; 2] {
    [b'0' + number / 10 % 10, b'0' + number % 10]
}

impl From<SystemTime> for HttpDate {
    fn from(moment: SystemTime) -> HttpDate {
        HttpDate::at(clamped_seconds(moment))
    }
}

impl Deref for HttpDate {
    type Target = str;

    fn deref(&self) -> &str {
        // Always ASCII; the default is there because this crate has no unsafe.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpDate").field(&&**self).finish()
    }
}

/// Whole seconds since 1970, moved into the range that the form can write.
fn clamped_seconds(moment: SystemTime) -> u64 {
    moment
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs().min(LAST_SECOND))
}

thread_local! {
    static LATEST: Cell<Option<(u64, HttpDate)>> = const { Cell::new(None) };
}

const LENGTH: usize = 29;
const EPOCH: [u8; LENGTH] = *b"Thu, 01 Jan 1970 00:00:00 GMT";
/// 9999-12-31 23:59:59.
const LAST_SECOND: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use proptest::prelude::*;

    fn date(seconds: u64) -> HttpDate {
        HttpDate::from(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn writes_an_imf_fixdate() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (LAST_SECOND, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(&*date(seconds), text);
        }
    }

    #[test]
    fn clamps_what_the_form_cannot_write() {
        let first = "Thu, 01 Jan 1970 00:00:00 GMT";
        let last = "Fri, 31 Dec 9999 23:59:59 GMT";
        let before = SystemTime::UNIX_EPOCH - Duration::from_nanos(1);
        assert_eq!(&*HttpDate::from(before), first);
        let long_before = SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 40);
        assert_eq!(&*HttpDate::from(long_before), first);
        assert_eq!(&*date(LAST_SECOND + 1), last);
        assert_eq!(&*date(1 << 40), last);
    }

    #[test]
    fn cuts_off_parts_of_a_second() {
        let nearly = SystemTime::UNIX_EPOCH + Duration::from_millis(1_999);
        assert_eq!(HttpDate::from(nearly), date(1));
        assert_ne!(HttpDate::from(nearly), date(2));
    }

    #[test]
    fn now_follows_the_clock() {
        let before = clamped_seconds(SystemTime::now());
        let now = httpdate::parse_http_date(&HttpDate::now()).unwrap();
        let after = clamped_seconds(SystemTime::now());
        assert!((before..=after).contains(&clamped_seconds(now)));
    }

    #[test]
    fn now_replaces_a_stale_text() {
        LATEST.with(|latest| latest.set(Some((0, date(0)))));
        assert_ne!(HttpDate::now(), date(0));
    }

    #[test]
    fn now_uses_the_text_of_the_same_second() {
        // A mark no rendering would give; a few tries for the turn of a second.
        let mark = HttpDate([b'x'; LENGTH]);
        let seen = (0..10).any(|_| {
            let second = clamped_seconds(SystemTime::now());
            LATEST.with(|latest| latest.set(Some((second, mark))));
            HttpDate::now() == mark
        });
        assert!(seen);
    }

    #[test]
    fn formats_like_a_str() {
        assert_eq!(
            format!("{:>31}", date(0)),
            "  Thu, 01 Jan 1970 00:00:00 GMT"
        );
        assert_eq!(
            format!("{:?}", date(0)),
            r#"HttpDate("Thu, 01 Jan 1970 00:00:00 GMT")"#
        );
    }

    proptest! {
        #[test]
        fn any_writable_second_reads_back(seconds in 0..=LAST_SECOND) {
            let text = date(seconds);
            prop_assert_eq!(text.len(), LENGTH);
            let back = httpdate::parse_http_date(&text).unwrap();
            prop_assert_eq!(clamped_seconds(back), seconds);
        }

        #[test]
        fn any_moment_is_written(seconds: u64, nanos in 0..1_000_000_000_u32, past: bool) {
            let distance = Duration::new(seconds, nanos);
            let moment = if past {
                SystemTime::UNIX_EPOCH.checked_sub(distance)
            } else {
                SystemTime::UNIX_EPOCH.checked_add(distance)
            };
            if let Some(moment) = moment {
                prop_assert!(HttpDate::from(moment).ends_with(" GMT"));
            }
        }
    }
}
