//! Local time, for the log and for listings.

mod zone;

use std::cell::RefCell;
use std::thread::LocalKey;
use std::time::{Duration, SystemTime};

use tz::{TimeZone, UtcDateTime};

use self::zone::{local_zone, offset};

/// `23/Nov/2026 14:20:00` in local time, with English names, for a count of seconds since 1970.
///
/// The zone is looked up at the first call and kept for the process.
pub(crate) fn log_date(second: u64) -> String {
    cached(&LATEST, second, render)
}

/// The same as the common log format has it: `23/Nov/2026:14:20:00 +0000`.
pub(crate) fn common_date(second: u64) -> String {
    cached(&LATEST_COMMON, second, render_common)
}

/// `2026-11-23T14:20:00.000Z`: a moment in UTC, to the millisecond, for a time since 1970.
pub(crate) fn utc(since: Duration) -> String {
    let mut text = cached(&LATEST_UTC, since.as_secs(), |_, second| render_utc(second));
    let millis = since.subsec_millis();
    text.push_str(&format!(".{millis:03}Z"));
    text
}

fn render_utc(second: u64) -> String {
    let time = date_time(moment(second));
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        time.year(),
        time.month(),
        time.month_day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

fn cached(
    latest: &'static LocalKey<RefCell<(Option<u64>, String)>>,
    second: u64,
    render: impl Fn(&TimeZone, u64) -> String,
) -> String {
    // A thread that is being torn down has no cache any more.
    latest
        .try_with(|latest| {
            let mut latest = latest.borrow_mut();
            if latest.0 != Some(second) {
                *latest = (Some(second), render(local_zone(), second));
            }
            latest.1.clone()
        })
        .unwrap_or_else(|_| render(local_zone(), second))
}

/// Adds `2026-11-23 14:20`, in local time, for a moment.
///
/// Digit by digit: with `format!`, dates are more than half of the cost of a listing.
pub(crate) fn push_local_minute(page: &mut Vec<u8>, moment: SystemTime) {
    push_minute(page, &local_time(local_zone(), timestamp(moment)), b' ');
}

/// Adds `2026-11-23T13:20:00Z` (RFC 3339), in UTC, for a moment.
pub(crate) fn push_utc_second(page: &mut Vec<u8>, moment: SystemTime) {
    let utc = date_time(timestamp(moment));
    push_minute(page, &utc, b'T');
    page.push(b':');
    page.extend_from_slice(&digits::<2>(utc.second().into()));
    page.push(b'Z');
}

fn push_minute(page: &mut Vec<u8>, time: &UtcDateTime, separator: u8) {
    page.extend_from_slice(&digits::<4>(time.year()));
    for (separator, number) in [
        (b'-', time.month()),
        (b'-', time.month_day()),
        (separator, time.hour()),
        (b':', time.minute()),
    ] {
        page.push(separator);
        page.extend_from_slice(&digits::<2>(number.into()));
    }
}

/// The last digits of a number that is not negative, with zeros in front.
fn digits<const N: usize>(mut number: i32) -> [u8; N] {
    let mut text = [b'0'; N];
    for place in text.iter_mut().rev() {
        *place = b'0' + (number % 10).unsigned_abs() as u8;
        number /= 10;
    }
    text
}

/// Seconds since 1970, at most the last that has a year of four digits in every zone, and at least the first.
fn timestamp(moment: SystemTime) -> i64 {
    let second = match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |before| -before)
        }
    };
    second.clamp(FIRST_SECOND, LAST_SECOND)
}

/// The same for a moment that is not before 1970.
fn moment(second: u64) -> i64 {
    i64::try_from(second).map_or(LAST_SECOND, |second| second.min(LAST_SECOND))
}

fn local_time(zone: &TimeZone, second: i64) -> UtcDateTime {
    date_time(second + i64::from(offset(zone, second)))
}

fn date_time(second: i64) -> UtcDateTime {
    UtcDateTime::from_timespec(second, 0).unwrap_or(UtcDateTime::UNIX_EPOCH)
}

fn render_common(zone: &TimeZone, second: u64) -> String {
    let date = render(zone, second).replacen(' ', ":", 1);
    let seconds = offset(zone, moment(second));
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    format!("{date} {sign}{:02}{:02}", minutes / 60, minutes % 60)
}

fn render(zone: &TimeZone, second: u64) -> String {
    let local = local_time(zone, moment(second));
    let month = usize::from(local.month()).checked_sub(1);
    let month = month.and_then(|month| MONTHS.get(month));
    format!(
        "{:02}/{}/{:04} {:02}:{:02}:{:02}",
        local.month_day(),
        month.unwrap_or(&"???"),
        local.year(),
        local.hour(),
        local.minute(),
        local.second()
    )
}

thread_local! {
    /// The last second that was asked for, and its text.
    static LATEST: RefCell<(Option<u64>, String)> =
        const { RefCell::new((None, String::new())) };
    /// The same in UTC.
    static LATEST_UTC: RefCell<(Option<u64>, String)> =
        const { RefCell::new((None, String::new())) };
    /// The same for the common log format.
    static LATEST_COMMON: RefCell<(Option<u64>, String)> =
        const { RefCell::new((None, String::new())) };
}

/// 0000-01-03 and 9999-12-29, so that no zone leads to another year.
const FIRST_SECOND: i64 = -62_167_046_400;
const LAST_SECOND: i64 = 253_402_041_600;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn posix(text: &str) -> TimeZone {
        zone::named_zone(OsStr::new(text), &[]).unwrap()
    }

    #[test]
    fn renders_local_time() {
        let berlin = posix("CET-1CEST,M3.5.0,M10.5.0/3");
        for (zone, second, text) in [
            (&TimeZone::utc(), 1_795_443_600, "23/Nov/2026 14:20:00"),
            (&berlin, 1_795_443_600, "23/Nov/2026 15:20:00"),
            (&berlin, 1_780_000_005, "28/May/2026 22:26:45"),
            (
                &posix("<+0545>-5:45"),
                1_709_164_799,
                "29/Feb/2024 05:44:59",
            ),
            (&posix("<-03>3"), 0, "31/Dec/1969 21:00:00"),
            // The rules of the United States.
            (&posix("CET-1CEST"), 1_730_591_999, "03/Nov/2024 01:59:59"),
            (&posix("CET-1CEST"), 1_730_592_000, "03/Nov/2024 01:00:00"),
        ] {
            assert_eq!(render(zone, second), text);
        }
    }

    #[test]
    fn the_common_date_has_its_zone() {
        for (tz, text) in [
            ("CET-1CEST,M3.5.0,M10.5.0/3", "23/Nov/2026:15:20:00 +0100"),
            ("<+0545>-5:45", "23/Nov/2026:20:05:00 +0545"),
            ("<-0330>3:30", "23/Nov/2026:10:50:00 -0330"),
            ("UTC0", "23/Nov/2026:14:20:00 +0000"),
        ] {
            assert_eq!(render_common(&posix(tz), 1_795_443_600), text);
        }
    }

    #[test]
    fn a_moment_in_utc_has_its_milliseconds() {
        for (time, text) in [
            (
                Duration::from_millis(1_795_443_600_007),
                "2026-11-23T14:20:00.007Z",
            ),
            (Duration::ZERO, "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(utc(time), text);
        }
        assert!(utc(Duration::MAX).starts_with("9999-12-29"));
    }

    #[test]
    fn moments_have_years_of_four_digits() {
        let at = |second: i64| {
            let distance = std::time::Duration::from_secs(second.unsigned_abs());
            match second < 0 {
                true => SystemTime::UNIX_EPOCH.checked_sub(distance),
                false => SystemTime::UNIX_EPOCH.checked_add(distance),
            }
        };
        for (second, utc) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_623_758_400, "2021-06-15T12:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (-62_135_596_800, "0001-01-01T00:00:00Z"),
            (FIRST_SECOND, "0000-01-03T00:00:00Z"),
            (LAST_SECOND, "9999-12-29T00:00:00Z"),
            (i64::MIN + 1, "0000-01-03T00:00:00Z"),
            (i64::MAX, "9999-12-29T00:00:00Z"),
        ] {
            // Windows counts from 1601 to 30828.
            let Some(moment) = at(second) else {
                assert_eq!(std::env::consts::OS, "windows");
                continue;
            };
            let (mut text, mut local) = (Vec::new(), Vec::new());
            push_utc_second(&mut text, moment);
            assert_eq!(String::from_utf8(text).unwrap(), utc);
            push_local_minute(&mut local, moment);
            let local = String::from_utf8(local).unwrap();
            assert!(local.len() == 16 && local[4..].starts_with('-'), "{local}");
        }
    }

    #[test]
    fn the_ends_of_time_are_rendered() {
        for tz in [
            "AAA24",
            "AAA-24",
            "AAA-24BBB,M3.2.0,M11.1.0",
            "AAA24BBB24,J60/-167,300/167",
        ] {
            let zone = posix(tz);
            let first = render(&zone, 0);
            assert!(
                first.ends_with("Dec/1969 00:00:00") || first.starts_with("02/Jan/1970"),
                "{first}"
            );
            let last = render(&zone, u64::MAX);
            assert!(last.contains("/Dec/9999 "), "{last}");
        }
    }

    #[test]
    fn the_cache_follows_the_second() {
        let first = log_date(1_000_000);
        assert_eq!(log_date(1_000_000), first);
        assert_ne!(log_date(1_000_001), first);
        assert_eq!(log_date(1_000_000), first);

        let mark = String::from("kept");
        LATEST.with(|latest| *latest.borrow_mut() = (Some(7), mark.clone()));
        assert_eq!(log_date(7), mark);
        assert_ne!(log_date(8), mark);
    }
}
