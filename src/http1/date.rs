//! [`HttpDate`]: the date format of HTTP, IMF-fixdate (RFC 9110, section 5.6.7).

use std::cell::Cell;
use std::fmt;
use std::io::Write as _;
use std::ops::Deref;
use std::time::{Duration, SystemTime};

use crate::clock;

/// A date as HTTP writes it in `Date`, `Last-Modified` and `Expires`: an IMF-fixdate (RFC 9110, section 5.6.7), always
/// 29 bytes and in GMT.
///
/// It dereferences to `str`, is `Copy`, and needs no heap memory. Fractions of a second are dropped. The format has
/// years from 1970 to 9999; an earlier or later time becomes the nearest one in that range.
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
#[repr(align(8))]
pub struct HttpDate([u8; ROOM]);

impl HttpDate {
    /// Returns the current time.
    ///
    /// It is cheap: the clock is read with the precision of the system's tick, and the text is formatted once a second.
    #[must_use]
    pub fn now() -> HttpDate {
        HttpDate::kept(clock::seconds_since_1970())
    }

    /// Returns the text of a second, from the cache of this thread if it is there.
    fn kept(second: u64) -> HttpDate {
        let second = second.min(LAST_SECOND);
        // The cache is gone while the thread ends.
        let kept = KEPT.try_with(|kept| {
            let place = kept.get((second % PLACES as u64) as usize)?;
            match place.get() {
                Some((known, date)) if known == second => Some(date),
                _ => {
                    let date = HttpDate::at(second);
                    place.set(Some((second, date)));
                    Some(date)
                }
            }
        });
        kept.ok().flatten().unwrap_or_else(|| HttpDate::at(second))
    }

    /// Formats a second, which must be at most [`LAST_SECOND`]: `httpdate` panics above it.
    fn at(second: u64) -> HttpDate {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(second.min(LAST_SECOND));
        let mut text = EPOCH;
        // An IMF-fixdate has 29 bytes, so the write cannot fail.
        let written = write!(text.as_mut_slice(), "{}", httpdate::HttpDate::from(moment));
        debug_assert!(written.is_ok());
        HttpDate(text)
    }

    /// Returns true if this is the text, byte for byte.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0.get(..LENGTH) == Some(text.as_bytes())
    }
}

impl From<SystemTime> for HttpDate {
    fn from(moment: SystemTime) -> HttpDate {
        HttpDate::kept(clamped_seconds(moment))
    }
}

impl Deref for HttpDate {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        // The bytes are always ASCII; the defaults are needed because the crate has no unsafe code. Whole words are
        // checked faster than parts of words.
        let text = std::str::from_utf8(&self.0).unwrap_or_default();
        text.get(..LENGTH).unwrap_or_default()
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

/// Returns whole seconds since 1970, moved into the range of the format.
fn clamped_seconds(moment: SystemTime) -> u64 {
    moment
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs().min(LAST_SECOND))
}

/// The number of texts that a thread caches: the current second, and the times of popular files.
const PLACES: usize = 16;

/// A second and its text.
type Kept = Cell<Option<(u64, HttpDate)>>;

thread_local! {
    /// A look-up takes 77 instructions, and formatting with `httpdate` 568.
    static KEPT: [Kept; PLACES] = const { [const { Cell::new(None) }; PLACES] };
}

const LENGTH: usize = 29;
/// The length of the buffer: whole words.
const ROOM: usize = 32;
const EPOCH: [u8; ROOM] = *b"Thu, 01 Jan 1970 00:00:00 GMT   ";
/// 9999-12-31 23:59:59.
const LAST_SECOND: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
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
        let before = SystemTime::UNIX_EPOCH - Duration::from_nanos(100);
        assert_eq!(&*HttpDate::from(before), first);
        // Some systems have no such times.
        let long_before = SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(1 << 40));
        if let Some(long_before) = long_before {
            assert_eq!(&*HttpDate::from(long_before), first);
        }
        assert_eq!(&*date(LAST_SECOND + 1), last);
        // Where there are such times, which end on Windows in the year 30828.
        let far = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1 << 40));
        if let Some(far) = far {
            assert_eq!(&*HttpDate::from(far), last);
        }
    }

    #[test]
    fn cuts_off_parts_of_a_second() {
        let nearly = SystemTime::UNIX_EPOCH + Duration::from_millis(1_999);
        assert_eq!(HttpDate::from(nearly), date(1));
        assert_ne!(HttpDate::from(nearly), date(2));
    }

    #[test]
    fn now_follows_the_clock() {
        let before = clamped_seconds(clock::time_of_day());
        let now = httpdate::parse_http_date(&HttpDate::now()).unwrap();
        let after = clamped_seconds(SystemTime::now());
        assert!((before..=after).contains(&clamped_seconds(now)));
    }

    #[test]
    fn the_text_of_another_second_is_replaced() {
        let second = 784_111_777;
        for second in [second, second + PLACES as u64, second, second + 1] {
            assert_eq!(HttpDate::kept(second), HttpDate::at(second));
        }
    }

    #[test]
    fn the_text_of_the_same_second_is_used() {
        // A text that formatting never returns.
        let mark = HttpDate([b'x'; ROOM]);
        let place = 784_111_777 % PLACES as u64;
        KEPT.with(|kept| kept[place as usize].set(Some((784_111_777, mark))));
        assert_eq!(date(784_111_777), mark);
    }

    #[test]
    fn is_its_own_text_and_no_longer_or_shorter_one() {
        let date = date(784_111_777);
        assert!(date.is("Sun, 06 Nov 1994 08:49:37 GMT"));
        for other in [
            "",
            "Sun, 06 Nov 1994 08:49:38 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT   ",
        ] {
            assert!(!date.is(other), "{other}");
        }
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
