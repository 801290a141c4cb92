//! The time zone of the process. `tz-rs` reads zone files and rules; this module finds the zone as glibc does.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use tz::{LocalTimeType, TimeZone};

/// Real zone files have some kilobytes.
const LARGEST_FILE: u64 = 256 * 1024;

/// 25:59:59, the largest offset of a POSIX string.
const LARGEST_OFFSET: i32 = 93_599;

const ZONE_FOLDERS: [&str; 4] = [
    "/usr/share/zoneinfo",
    "/usr/lib/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/etc/zoneinfo",
];

/// Returns the zone of the process, which is looked up once.
pub(super) fn local_zone() -> &'static TimeZone {
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
pub(super) fn named_zone(tz: &OsStr, folders: &[PathBuf]) -> Option<TimeZone> {
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

/// Returns the seconds east of UTC at a moment.
pub(super) fn offset(zone: &TimeZone, second: i64) -> i32 {
    let local = zone.find_local_time_type(second).ok().or_else(|| {
        // Files without a rule for the future.
        let zone = zone.as_ref();
        let last = zone.transitions().last()?;
        zone.local_time_types().get(last.local_time_type_index())
    });
    local.map_or(0, LocalTimeType::ut_offset)
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;
    use proptest::prelude::*;

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
