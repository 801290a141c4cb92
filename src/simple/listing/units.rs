//! Sizes for people.

/// Returns `12 B`, `4.5 kB`, `45 MB`: in units of 1000, with a decimal below 10.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit: u64 = 1000;
    for name in ["kB", "MB", "GB", "TB", "PB"] {
        // Rounded to tenths, then to ones.
        let tenths = rounded(bytes, unit / 10);
        if tenths < 100 {
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
        let ones = rounded(bytes, unit);
        if ones < 1000 {
            return format!("{ones} {name}");
        }
        unit *= 1000;
    }
    let tenths = rounded(bytes, unit / 10);
    match tenths < 100 {
        true => format!("{}.{} EB", tenths / 10, tenths % 10),
        false => format!("{} EB", rounded(bytes, unit)),
    }
}

fn rounded(bytes: u64, unit: u64) -> u64 {
    (bytes / unit) + u64::from(bytes % unit >= unit.div_ceil(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_or_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (12, "12 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1049, "1.0 kB"),
            (1050, "1.1 kB"),
            (9949, "9.9 kB"),
            (9950, "10 kB"),
            (45_400, "45 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (3_500_000, "3.5 MB"),
            (1 << 30, "1.1 GB"),
            (1 << 40, "1.1 TB"),
            (1 << 50, "1.1 PB"),
            (u64::MAX, "18 EB"),
            (5_000_000_000_000_000_000, "5.0 EB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }
}
