//! Local time, for the log and for listings. `tz-rs` reads zone files and rules; this module finds the zone.

use std::cell::RefCell;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;
use std::thread::LocalKey;
use std::time::{Duration, SystemTime};

use tz::{LocalTimeType, TimeZone, UtcDateTime};

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

/// Seconds east of UTC.
fn offset(zone: &TimeZone, second: i64) -> i32 {
    let local = zone.find_local_time_type(second).ok().or_else(|| {
        // Files without a rule for the future.
        let zone = zone.as_ref();
        let last = zone.transitions().last()?;
        zone.local_time_types().get(last.local_time_type_index())
    });
    local.map_or(0, LocalTimeType::ut_offset)
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

fn local_zone() -> &'static TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    ZONE.get_or_init(|| {
        let folders = match env::var_os("TZDIR") {
            Some(folder) if !folder.is_empty() => vec![PathBuf::from(folder)],
            _ => ZONE_FOLDERS.map(PathBuf::from).to_vec(),
        };
        match env::var_os("TZ") {
            Some(tz) => named_zone(&tz, &folders),
            None => read_zone(Path::new("/etc/localtime")),
        }
        .unwrap_or_else(TimeZone::utc)
    })
}

/// The zone that a value of `TZ` means, as glibc reads it: a file, else a POSIX string.
///
/// An empty name is UTC, as is a value that yields nothing here.
fn named_zone(tz: &OsStr, folders: &[PathBuf]) -> Option<TimeZone> {
    let tz = tz.to_str()?;
    let name = tz.strip_prefix(':').unwrap_or(tz);
    if name.is_empty() {
        return None;
    }
    let path = Path::new(name);
    let file = if path.is_absolute() {
        read_zone(path)
    } else if path.components().all(|part| part != Component::ParentDir) {
        folders
            .iter()
            .find_map(|folder| read_zone(&folder.join(path)))
    } else {
        None
    };
    file.or_else(|| posix_zone(name))
        // A summer time without rules has those of the United States.
        .or_else(|| posix_zone(&format!("{name},M3.2.0,M11.1.0")))
}

/// The zone of a POSIX string, which becomes the rule of a zone file without transitions: in files, `tz-rs` reads
/// hours from -167 to 167, as glibc does everywhere.
fn posix_zone(rule: &str) -> Option<TimeZone> {
    if rule.contains(|c: char| c.is_ascii_whitespace()) {
        return None;
    }
    let utc = [&b"TZif3"[..], &[0; 34], &[1, 0, 0, 0, 4], &[0; 6], b"UTC\0"].concat();
    parse_zone(&[&utc[..], &utc, b"\n", rule.as_bytes(), b"\n"].concat())
}

/// Reads a zone file.
fn read_zone(path: &Path) -> Option<TimeZone> {
    // Opening a FIFO would wait for its writer, and for ever.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(LARGEST_FILE).read_to_end(&mut bytes).ok()?;
    parse_zone(&bytes)
}

fn parse_zone(file: &[u8]) -> Option<TimeZone> {
    let zone = TimeZone::from_tz_data(file).ok()?;
    let mut offsets = zone.as_ref().local_time_types().iter();
    offsets
        .all(|local| local.ut_offset().abs() <= LARGEST_OFFSET)
        .then_some(zone)
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

/// Real zone files have some kilobytes.
const LARGEST_FILE: u64 = 256 * 1024;

/// 25:59:59, the largest offset of a POSIX string.
const LARGEST_OFFSET: i32 = 93_599;

/// 0000-01-03 and 9999-12-29, so that no zone leads to another year.
const FIRST_SECOND: i64 = -62_167_046_400;
const LAST_SECOND: i64 = 253_402_041_600;

const ZONE_FOLDERS: [&str; 4] = [
    "/usr/share/zoneinfo",
    "/usr/lib/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/etc/zoneinfo",
];

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn posix(text: &str) -> TimeZone {
        named_zone(OsStr::new(text), &[]).unwrap()
    }

    /// A zone file whose rule is that of a `TZ` string, with a leap second.
    fn file(rule: &str) -> Vec<u8> {
        let counts = [0, 0, 1, 0, 1, 4_u32].map(u32::to_be_bytes);
        let header = [&b"TZif2"[..], &[0; 15], counts.as_flattened()].concat();
        let leap = 78_796_800_u32.to_be_bytes();
        let block =
            |zeros: &[u8]| [&header, &[0; 6][..], b"LMT\0", zeros, &leap, &[0, 0, 0, 1]].concat();
        let footer = format!("\n{rule}\n");
        [&block(&[])[..], &block(&[0; 4]), footer.as_bytes()].concat()
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

    #[test]
    fn a_name_is_a_file_below_a_folder_or_a_rule() {
        let top = env::temp_dir().join(format!("servette-zones-{}", std::process::id()));
        let inner = top.join("inner");
        fs::create_dir_all(inner.join("Area")).unwrap();
        let file = file("EET-2");
        fs::write(inner.join("Area/Place"), &file).unwrap();
        fs::write(top.join("Outside"), &file).unwrap();
        fs::write(inner.join("Broken"), &file[..50]).unwrap();

        let folders = [top.join("missing"), inner.clone()];
        let offset = |tz: &str| {
            let zone = named_zone(OsStr::new(tz), &folders)?;
            Some(offset(&zone, 1_700_000_000))
        };
        let absolute = top.join("Outside");
        let absolute = absolute.to_str().unwrap();
        assert_eq!(offset("Area/Place"), Some(7200));
        assert_eq!(offset(":Area/Place"), Some(7200));
        assert_eq!(offset(absolute), Some(7200));
        assert_eq!(offset(&format!(":{absolute}")), Some(7200));
        assert_eq!(offset("CET-1CEST,M3.5.0,M10.5.0/3"), Some(3600));
        assert_eq!(offset(":CET-1CEST,M3.5.0,M10.5.0/3"), Some(3600));
        for utc in [
            "",
            ":",
            "Area",
            "Nowhere",
            "/nowhere",
            "Broken",
            "../Outside",
            "a\0b",
            "UTC",
            "CET--1",
            "CET-1 ",
            "CET-1CEST,",
            "CET-1CEST,M3.5.0",
            "CET-1CEST,M3.5.0,M10.5.0/3x",
        ] {
            assert_eq!(offset(utc), None, "{utc}");
        }
        fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn a_file_without_a_rule_keeps_its_last_offset() {
        let zone = |east: i32| {
            let counts = [0, 0, 0, 1, 1, 4_u32].map(u32::to_be_bytes);
            let header = [&b"TZif"[..], &[0; 16], counts.as_flattened()].concat();
            let transition = [0; 5];
            let local = [&east.to_be_bytes()[..], &[0, 0], b"LMT\0"].concat();
            parse_zone(&[header, transition.to_vec(), local].concat())
        };
        let offset = |east| zone(east).map(|zone| offset(&zone, 1_700_000_000));
        assert_eq!(offset(3600), Some(3600));
        assert_eq!(offset(LARGEST_OFFSET), Some(LARGEST_OFFSET));
        assert_eq!(offset(-LARGEST_OFFSET - 1), None);
    }

    /// Opening it would wait for ever.
    #[cfg(unix)]
    #[test]
    fn a_pipe_is_no_zone() {
        let path = env::temp_dir().join(format!("servette-zone-{}", std::process::id()));
        crate::sys::make_fifo(&path);
        assert!(read_zone(&path).is_none());
        fs::remove_file(path).unwrap();
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_read_or_refused(
            damage in proptest::collection::vec((0..100_usize, any::<u8>()), 0..6),
            second: u64,
        ) {
            let mut file = file("CET-1CEST,M3.5.0,M10.5.0/3");
            for (place, byte) in damage {
                let place = place % file.len();
                file[place] = byte;
            }
            if let Some(zone) = parse_zone(&file) {
                prop_assert!(render(&zone, second).len() >= 20);
            }
        }

        #[test]
        fn any_text_is_a_zone_or_none(
            text in "\\PC*|[A-Z<>]{3,5}[-+0-9:]{1,4}([A-Z]{3})?([,MJ./0-9-]{0,12})",
            second: u64,
        ) {
            if let Some(zone) = named_zone(OsStr::new(&text), &[]) {
                prop_assert!(render(&zone, second).len() >= 20);
            }
        }
    }
}
