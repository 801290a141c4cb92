//! Time zone files in the format `TZif` (RFC 9636), versions 1 to 4.

use super::{Zone, posix};

/// `None` if the file is cut short or contradicts itself.
///
/// A rule at its end that cannot be read counts as none: the last known offset
/// is a better guess than UTC.
pub(super) fn parse(bytes: &[u8]) -> Option<Zone> {
    let mut reader = Reader(bytes);
    let header = reader.header()?;
    if header.version == 0 {
        return reader.block::<4>(&header);
    }
    // The first block is for readers of version 1, which know 32 bits only.
    reader.take(header.block_length(4)?)?;
    let header = reader.header()?;
    let mut zone = reader.block::<8>(&header)?;
    zone.rule = reader.footer().and_then(posix::Rule::parse);
    Some(zone)
}

/// The counts of a header, in the order of the file.
struct Header {
    version: u8,
    utc_marks: usize,
    standard_marks: usize,
    leap_seconds: usize,
    transitions: usize,
    types: usize,
    name_bytes: usize,
}

impl Header {
    /// The length of the block that follows, with times of `width` bytes.
    fn block_length(&self, width: usize) -> Option<usize> {
        [
            (self.transitions, width + 1),
            (self.types, TYPE_LENGTH),
            (self.name_bytes, 1),
            (self.leap_seconds, width + 4),
            (self.standard_marks, 1),
            (self.utc_marks, 1),
        ]
        .into_iter()
        .try_fold(0_usize, |sum, (count, length)| {
            sum.checked_add(count.checked_mul(length)?)
        })
    }
}

/// What is still to be read of a file.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn header(&mut self) -> Option<Header> {
        if self.take(4)? != b"TZif" {
            return None;
        }
        let &version = self.take(1)?.first()?;
        self.take(15)?;
        let mut count = || usize::try_from(signed(self.take(4)?)?).ok();
        Some(Header {
            version,
            utc_marks: count()?,
            standard_marks: count()?,
            leap_seconds: count()?,
            transitions: count()?,
            types: count()?,
            name_bytes: count()?,
        })
    }

    /// The transitions of a block, with times of `WIDTH` bytes. What comes
    /// after them (names, leap seconds, marks) is skipped.
    fn block<const WIDTH: usize>(&mut self, header: &Header) -> Option<Zone> {
        let mut block = Reader(self.take(header.block_length(WIDTH)?)?);
        let times = block.take(header.transitions * WIDTH)?;
        let indexes = block.take(header.transitions)?;
        let types = block.take(header.types * TYPE_LENGTH)?;
        let offsets: Vec<i32> = types
            .chunks_exact(TYPE_LENGTH)
            .map(|kind| i32::try_from(signed(kind.get(..4)?)?).ok())
            .map(|offset| offset.filter(|offset| offset.abs() <= LARGEST_OFFSET))
            .collect::<Option<_>>()?;
        let transitions: Vec<(i64, i32)> = times
            .chunks_exact(WIDTH)
            .zip(indexes)
            .map(|(time, &index)| Some((signed(time)?, *offsets.get(usize::from(index))?)))
            .collect::<Option<_>>()?;
        let zone = Zone {
            first: *offsets.first()?,
            transitions,
            rule: None,
        };
        zone.transitions
            .is_sorted_by_key(|&(start, _)| start)
            .then_some(zone)
    }

    /// A `TZ` string between two line feeds.
    fn footer(&mut self) -> Option<&'a str> {
        let text = std::str::from_utf8(self.0).ok()?;
        text.strip_prefix('\n')?.split_once('\n').map(|(tz, _)| tz)
    }
}

/// A signed number of four or eight bytes, the highest first.
fn signed(bytes: &[u8]) -> Option<i64> {
    if let Ok(&four) = <&[u8; 4]>::try_from(bytes) {
        return Some(i32::from_be_bytes(four).into());
    }
    bytes.try_into().ok().map(i64::from_be_bytes)
}

const TYPE_LENGTH: usize = 6;
/// In seconds. RFC 9636 advises to stay below 26 hours.
const LARGEST_OFFSET: i32 = 26 * 3600;

/// A file with these transitions (a time and the index of a type) and types
/// (an offset and whether it is summer time). Version 0 stands for the first.
#[cfg(test)]
pub(super) fn fixture(
    version: u8,
    transitions: &[(i64, u8)],
    types: &[(i32, bool)],
    footer: &str,
) -> Vec<u8> {
    let mut file = Vec::new();
    for width in [4, 8] {
        file.extend_from_slice(b"TZif");
        file.push(version);
        file.extend_from_slice(&[0; 15]);
        // Version 2 and later: one of each skipped thing, so that skipping shows.
        let others = u32::from(version != 0);
        let counts = [others, others, others];
        let counts = counts.into_iter().chain([
            u32::try_from(transitions.len()).unwrap(),
            u32::try_from(types.len()).unwrap(),
            4,
        ]);
        file.extend(counts.flat_map(u32::to_be_bytes));
        for &(time, _) in transitions {
            // The low bytes only; the times of a test of version 1 fit there.
            file.extend(time.to_be_bytes().into_iter().skip(8 - width));
        }
        file.extend(transitions.iter().map(|&(_, index)| index));
        for &(offset, is_summer) in types {
            file.extend_from_slice(&offset.to_be_bytes());
            file.extend_from_slice(&[is_summer.into(), 0]);
        }
        file.extend_from_slice(b"LMT\0");
        if version == 0 {
            return file;
        }
        file.resize(file.len() + width + 4 + 2, 0);
    }
    file.extend_from_slice(format!("\n{footer}\n").as_bytes());
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    const TYPES: [(i32, bool); 3] = [(3208, false), (7200, true), (3600, false)];
    /// Berlin's local mean time to 1893, a summer of 1980, the last by table.
    const TRANSITIONS: [(i64, u8); 4] = [
        (-2_422_054_408, 2),
        (323_830_800, 1),
        (338_950_800, 2),
        (354_675_600, 1),
    ];

    fn offsets(file: &[u8], moments: &[i64]) -> Vec<i32> {
        let zone = parse(file).unwrap();
        moments.iter().map(|&unix| zone.offset_at(unix)).collect()
    }

    #[test]
    fn the_table_holds_up_to_its_end_and_then_the_rule() {
        for version in *b"234" {
            let file = fixture(version, &TRANSITIONS, &TYPES, BERLIN);
            assert_eq!(
                offsets(&file, &[i64::MIN, -2_422_054_409, -2_422_054_408, 0]),
                [3208, 3208, 3600, 3600]
            );
            assert_eq!(
                offsets(&file, &[323_830_799, 323_830_800, 338_950_799, 338_950_800]),
                [3600, 7200, 7200, 3600]
            );
            assert_eq!(
                offsets(
                    &file,
                    &[354_675_599, 354_675_600, 1_711_846_799, 1_711_846_800]
                ),
                [3600, 7200, 3600, 7200]
            );
        }
    }

    #[test]
    fn without_a_rule_the_last_offset_stays() {
        let moments = [354_675_600, 1_711_846_799, i64::MAX];
        for footer in ["", "nonsense", "CET-1CEST,M3.5.0"] {
            let file = fixture(b'2', &TRANSITIONS, &TYPES, footer);
            assert_eq!(offsets(&file, &moments), [7200; 3], "{footer}");
        }
        let mut file = fixture(b'2', &TRANSITIONS, &TYPES, BERLIN);
        file.pop();
        assert_eq!(offsets(&file, &moments), [7200; 3]);
    }

    #[test]
    fn without_transitions_there_is_the_rule_or_the_first_type() {
        let moments = [i64::MIN, 0, i64::MAX];
        let file = fixture(b'2', &[], &[(0, false)], "<+0530>-5:30");
        assert_eq!(offsets(&file, &moments), [19_800; 3]);
        let file = fixture(b'2', &[], &[(19_800, false)], "");
        assert_eq!(offsets(&file, &moments), [19_800; 3]);
        assert_eq!(
            offsets(&fixture(0, &[], &[(-12_600, false)], ""), &moments),
            [-12_600; 3]
        );
    }

    #[test]
    fn version_1_has_32_bits() {
        let transitions = [(-1_000_000_000, 1), (354_675_600, 2)];
        let file = fixture(0, &transitions, &TYPES, "");
        assert_eq!(
            offsets(
                &file,
                &[-1_000_000_001, -1_000_000_000, 354_675_599, i64::MAX]
            ),
            [3208, 7200, 7200, 3600]
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let file = |transitions: &[_], types: &[_]| fixture(b'2', transitions, types, "");
        assert_eq!(parse(&file(&[], &[])), None);
        assert_eq!(parse(&file(&[(0, 1)], &[(0, false)])), None);
        assert_eq!(parse(&file(&[(1, 0), (0, 0)], &[(0, false)])), None);
        for offset in [i32::MIN + 1, -93_601, 93_601, i32::MAX] {
            assert_eq!(parse(&file(&[], &[(offset, false)])), None);
        }
        let mut magic = file(&[], &[(0, false)]);
        assert!(parse(&magic).is_some());
        magic[0] = b't';
        assert_eq!(parse(&magic), None);
    }

    #[test]
    fn a_file_cut_short_is_refused() {
        for (version, footer) in [(0, ""), (b'2', BERLIN)] {
            let file = fixture(version, &TRANSITIONS, &TYPES, footer);
            let footer_length = if version == 0 { 0 } else { footer.len() + 2 };
            for length in 0..file.len() - footer_length {
                assert_eq!(parse(&file[..length]), None, "{length}");
            }
        }
    }

    #[test]
    fn counts_beyond_the_file_are_refused() {
        for field in 0..6 {
            for count in [0x0001_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff_u32] {
                for start in [20, 20 + 44 + 4 * 5 + 3 * 6 + 4 + 10] {
                    let mut file = fixture(b'2', &TRANSITIONS, &TYPES, BERLIN);
                    file[start + 4 * field..][..4].copy_from_slice(&count.to_be_bytes());
                    assert_eq!(parse(&file), None, "{field} {count} {start}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, unix: i64) {
            let _ = parse(&bytes);
            let headed = [b"TZif2".as_slice(), &bytes].concat();
            let _ = parse(&headed).map(|zone| zone.offset_at(unix));
        }

        #[test]
        fn a_damaged_file_is_read_or_refused(
            damage in proptest::collection::vec((0..400_usize, 0..=255_u8), 1..6),
            version in prop_oneof![Just(0), Just(b'2')],
            unix: i64,
        ) {
            let mut file = fixture(version, &TRANSITIONS, &TYPES, BERLIN);
            for (place, byte) in damage {
                let place = place % file.len();
                file[place] = byte;
            }
            if let Some(zone) = parse(&file) {
                prop_assert!(zone.offset_at(unix).abs() <= LARGEST_OFFSET);
            }
        }
    }
}
