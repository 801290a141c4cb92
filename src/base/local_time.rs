//! Local time for the log, from the system's time zone files: std has none.
//!
//! `posix` has the rules of a `TZ` string, `tzif` reads a zone file.

use std::cell::RefCell;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::http1::calendar::civil;

mod posix;
mod tzif;

/// `23/Nov/2026 14:20:00` in local time, with English names.
///
/// The zone is looked up at the first call and kept for the process.
pub(crate) fn log_date(now: SystemTime) -> String {
    let unix = unix_seconds(now);
    // A thread that is being torn down has no cache any more.
    LATEST
        .try_with(|latest| {
            let mut latest = latest.borrow_mut();
            if latest.0 != Some(unix) {
                *latest = (Some(unix), render(local_zone(), unix));
            }
            latest.1.clone()
        })
        .unwrap_or_else(|_| render(local_zone(), unix))
}

/// What local time is in one place, at any moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Zone {
    /// The offset before the first transition, and of a zone without any.
    first: i32,
    /// From which moment on which offset holds, in ascending order.
    transitions: Vec<(i64, i32)>,
    /// What holds from the last transition on, or always if there is none.
    rule: Option<posix::Rule>,
}

impl Zone {
    const UTC: Zone = Zone {
        first: 0,
        transitions: Vec::new(),
        rule: None,
    };

    /// The zone of a file in the format of RFC 9636; `None` if it is broken.
    ///
    /// Leap seconds are ignored: the clock of a POSIX system has none.
    pub(crate) fn parse_tzif(bytes: &[u8]) -> Option<Zone> {
        tzif::parse(bytes)
    }

    /// The zone of a POSIX string such as `CET-1CEST,M3.5.0,M10.5.0/3`.
    pub(crate) fn parse_posix(text: &str) -> Option<Zone> {
        posix::Rule::parse(text).map(|rule| Zone {
            rule: Some(rule),
            ..Zone::UTC
        })
    }

    /// How many seconds local time is ahead of UTC at a moment.
    pub(crate) fn offset_at(&self, unix: i64) -> i32 {
        let passed = self
            .transitions
            .partition_point(|&(start, _)| start <= unix);
        match &self.rule {
            Some(rule) if passed == self.transitions.len() => rule.offset_at(unix),
            _ => passed
                .checked_sub(1)
                .and_then(|last| self.transitions.get(last))
                .map_or(self.first, |&(_, offset)| offset),
        }
    }
}

fn render(zone: &Zone, unix: i64) -> String {
    let local = unix.saturating_add(zone.offset_at(unix).into());
    let (year, month, day, hour, minute, second) = civil(local);
    let month = MONTHS
        .get(usize::from(month).wrapping_sub(1))
        .unwrap_or(&"???");
    format!("{day:02}/{month}/{year:04} {hour:02}:{minute:02}:{second:02}")
}

/// Whole seconds since 1970, rounded down before it too.
fn unix_seconds(moment: SystemTime) -> i64 {
    match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(error) => {
            let before = error.duration();
            let started = u64::from(before.subsec_nanos() > 0);
            let seconds = before.as_secs().saturating_add(started);
            i64::try_from(seconds).map_or(i64::MIN, |seconds| -seconds)
        }
    }
}

fn local_zone() -> &'static Zone {
    static ZONE: OnceLock<Zone> = OnceLock::new();
    ZONE.get_or_init(|| {
        let folders = match env::var_os("TZDIR") {
            Some(folder) if !folder.is_empty() => vec![PathBuf::from(folder)],
            _ => ZONE_FOLDERS.map(PathBuf::from).to_vec(),
        };
        match env::var_os("TZ") {
            Some(tz) => named_zone(&tz, &folders),
            None => read_zone(Path::new("/etc/localtime")),
        }
        .unwrap_or(Zone::UTC)
    })
}

/// The zone that a value of `TZ` means, read like glibc reads it: a file, else
/// a POSIX string. An empty name is UTC, as is what yields nothing here.
fn named_zone(tz: &OsStr, folders: &[PathBuf]) -> Option<Zone> {
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
    file.or_else(|| Zone::parse_posix(name))
}

fn read_zone(path: &Path) -> Option<Zone> {
    // Opening a FIFO would wait for its writer, and for ever.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).ok()?;
    if u64::try_from(bytes.len()).ok()? > LARGEST_FILE {
        return None;
    }
    Zone::parse_tzif(&bytes)
}

thread_local! {
    /// The last second that was asked for, and its text.
    static LATEST: RefCell<(Option<i64>, String)> =
        const { RefCell::new((None, String::new())) };
}

/// Real zone files have some kilobytes.
const LARGEST_FILE: u64 = 256 * 1024;

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
    use std::time::Duration;

    fn posix(text: &str) -> Zone {
        Zone::parse_posix(text).unwrap()
    }

    #[test]
    fn renders_local_time() {
        let berlin = posix("CET-1CEST,M3.5.0,M10.5.0/3");
        for (zone, unix, text) in [
            (&Zone::UTC, 1_795_443_600, "23/Nov/2026 14:20:00"),
            (&berlin, 1_795_443_600, "23/Nov/2026 15:20:00"),
            (&berlin, 1_780_000_005, "28/May/2026 22:26:45"),
            (
                &posix("<+0545>-5:45"),
                1_709_164_799,
                "29/Feb/2024 05:44:59",
            ),
            (&posix("<-03>3"), 0, "31/Dec/1969 21:00:00"),
            (&Zone::UTC, -62_167_219_200, "01/Jan/0000 00:00:00"),
        ] {
            assert_eq!(render(zone, unix), text);
        }
    }

    #[test]
    fn seconds_are_rounded_down() {
        let half = Duration::from_millis(500);
        assert_eq!(unix_seconds(SystemTime::UNIX_EPOCH + half), 0);
        assert_eq!(unix_seconds(SystemTime::UNIX_EPOCH - half), -1);
        assert_eq!(unix_seconds(SystemTime::UNIX_EPOCH - 2 * half), -1);
    }

    #[test]
    fn the_cache_follows_the_second() {
        let moment = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let first = log_date(moment(1_000_000));
        assert_eq!(log_date(moment(1_000_000)), first);
        assert_ne!(log_date(moment(1_000_001)), first);
        assert_eq!(log_date(moment(1_000_000)), first);

        let mark = String::from("kept");
        LATEST.with(|latest| *latest.borrow_mut() = (Some(7), mark.clone()));
        assert_eq!(log_date(moment(7)), mark);
        assert_ne!(log_date(moment(8)), mark);
    }

    #[test]
    fn a_name_is_a_file_below_a_folder_or_a_rule() {
        let top = env::temp_dir().join(format!("servette-zones-{}", std::process::id()));
        let inner = top.join("inner");
        fs::create_dir_all(inner.join("Area")).unwrap();
        let file = tzif::fixture(b'2', &[], &[(3600, false)], "EET-2");
        fs::write(inner.join("Area/Place"), &file).unwrap();
        fs::write(top.join("Outside"), &file).unwrap();
        fs::write(inner.join("Broken"), file.get(..50).unwrap()).unwrap();
        let mut huge = file.clone();
        huge.resize(300 * 1024, 0);
        fs::write(inner.join("Huge"), huge).unwrap();

        let folders = [top.join("missing"), inner.clone()];
        let offset = |tz: &str| named_zone(OsStr::new(tz), &folders).map(|zone| zone.offset_at(0));
        let absolute = top.join("Outside");
        let absolute = absolute.to_str().unwrap();
        assert_eq!(offset("Area/Place"), Some(7200));
        assert_eq!(offset(":Area/Place"), Some(7200));
        assert_eq!(offset(absolute), Some(7200));
        assert_eq!(offset(&format!(":{absolute}")), Some(7200));
        assert_eq!(offset("CET-1CEST,M3.5.0,M10.5.0/3"), Some(3600));
        for utc in [
            "",
            ":",
            "Area",
            "Nowhere",
            "Broken",
            "Huge",
            "../Outside",
            "a\0b",
            "UTC",
        ] {
            assert_eq!(offset(utc), None, "{utc}");
        }
        fs::remove_dir_all(top).unwrap();
    }

    proptest! {
        #[test]
        fn any_moment_is_rendered(unix: i64) {
            for tz in ["UTC0", "AAA-24BBB-24,0/-167,J365/167", "AAA24BBB,M12.5.6/167,M1.1.0/-167"] {
                prop_assert!(render(&posix(tz), unix).len() >= 20);
            }
        }
    }

    #[test]
    fn the_ends_of_time_are_rendered() {
        for tz in [
            "AAA24",
            "AAA-24",
            "AAA-24BBB,M3.2.0,M11.1.0",
            "AAA24BBB24,J1/-167,365/167",
        ] {
            let zone = posix(tz);
            assert!(
                render(&zone, i64::MIN).contains("Jan/-292277022657 "),
                "{tz}"
            );
            assert!(
                render(&zone, i64::MAX).contains("Dec/292277026596 "),
                "{tz}"
            );
        }
    }
}
