//! The Gregorian calendar: days since 1970-01-01 to a date and back.

/// Year, month, day, hour, minute and second of a count of seconds since 1970,
/// in the Gregorian calendar carried on in both directions.
pub(crate) fn civil(unix_seconds_local: i64) -> (i64, u8, u8, u8, u8, u8) {
    let (year, month, day) = civil_day(unix_seconds_local.div_euclid(DAY));
    let second = unix_seconds_local.rem_euclid(DAY);
    (
        year,
        small(month),
        small(day),
        small(second / 3600),
        small(second / 60 % 60),
        small(second % 60),
    )
}

/// Year, month and day from the number of days since 1970-01-01.
pub(crate) fn civil_day(days: i64) -> (i64, i64, i64) {
    // Years are counted from a 1 March, which puts the leap day last: every
    // span below then starts alike, and only the last of a kind is longer.
    let days = days.saturating_add(EPOCH_FROM_MARCH);
    let (era, day) = (days.div_euclid(DAYS_400), days.rem_euclid(DAYS_400));
    let century = (day / DAYS_100).min(3);
    let day = day - century * DAYS_100;
    let (leap_cycle, day) = (day / DAYS_4, day % DAYS_4);
    let year_of_cycle = (day / 365).min(3);
    let day = day - year_of_cycle * 365;
    // Five months from March or August on have 153 days.
    let month_from_march = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month_from_march + 2) / 5 + 1;
    let year = era * 400 + century * 100 + leap_cycle * 4 + year_of_cycle;
    if month_from_march < 10 {
        (year, month_from_march + 3, day_of_month)
    } else {
        (year + 1, month_from_march - 9, day_of_month)
    }
}

/// The number of days from 1970-01-01 to the first of a month (1 to 12).
pub(crate) fn days_to_month(year: i64, month: i64) -> i64 {
    let (year, month_from_march) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day = year * 365 + year / 4 - year / 100 + (153 * month_from_march + 2) / 5;
    era * DAYS_400 + day - EPOCH_FROM_MARCH
}

/// For the parts of a date, which all are below 100.
fn small(number: i64) -> u8 {
    u8::try_from(number).unwrap_or_default()
}

/// In seconds.
pub(crate) const DAY: i64 = 86_400;
const DAYS_4: i64 = 4 * 365 + 1;
const DAYS_100: i64 = 25 * DAYS_4 - 1;
const DAYS_400: i64 = 4 * DAYS_100 + 1;
/// From 1 March of the year 0 to 1 January 1970.
const EPOCH_FROM_MARCH: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn civil_dates() {
        for (unix, date) in [
            (0, (1970, 1, 1, 0, 0, 0)),
            (-1, (1969, 12, 31, 23, 59, 59)),
            (951_782_399, (2000, 2, 28, 23, 59, 59)),
            (951_782_400, (2000, 2, 29, 0, 0, 0)),
            (951_868_800, (2000, 3, 1, 0, 0, 0)),
            (1_709_210_096, (2024, 2, 29, 12, 34, 56)),
            (1_735_689_599, (2024, 12, 31, 23, 59, 59)),
            (4_107_542_399, (2100, 2, 28, 23, 59, 59)),
            (4_107_542_400, (2100, 3, 1, 0, 0, 0)),
            (253_402_300_800, (10_000, 1, 1, 0, 0, 0)),
            (-62_167_219_200, (0, 1, 1, 0, 0, 0)),
            (-62_167_219_201, (-1, 12, 31, 23, 59, 59)),
        ] {
            assert_eq!(civil(unix), date, "{unix}");
        }
    }

    #[test]
    fn every_day_of_an_era_follows_the_one_before() {
        let mut expected = (1970, 1, 1);
        for day in 0..DAYS_400 {
            assert_eq!(civil_day(day), expected);
            let (year, month, of_month) = expected;
            let next_month = if month == 12 {
                (year + 1, 1)
            } else {
                (year, month + 1)
            };
            let length = days_to_month(next_month.0, next_month.1) - days_to_month(year, month);
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            assert_eq!(
                length,
                match month {
                    2 => 28 + i64::from(leap),
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                }
            );
            expected = if of_month < length {
                (year, month, of_month + 1)
            } else {
                (next_month.0, next_month.1, 1)
            };
        }
        assert_eq!(expected, (2370, 1, 1));
    }

    proptest! {
        #[test]
        fn civil_and_days_agree(unix: i64) {
            let (year, month, day, hour, minute, second) = civil(unix);
            prop_assert!((1..=12).contains(&month) && (1..=31).contains(&day));
            let days = days_to_month(year, month.into()) + i64::from(day) - 1;
            let time = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
            prop_assert_eq!(i128::from(days) * 86_400 + i128::from(time), i128::from(unix));
        }
    }
}
