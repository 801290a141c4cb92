//! The rules of a POSIX `TZ` string: an offset, and when summer time holds.

use crate::http1::calendar::{DAY, civil_day, days_to_month};

/// `CET-1CEST,M3.5.0,M10.5.0/3` as read: the names are left out.
///
/// Offsets are seconds ahead of UTC, so their sign is not that of the string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    standard: i32,
    summer: Option<Summer>,
}

impl Rule {
    /// `None` unless the whole text is a rule.
    pub(super) fn parse(text: &str) -> Option<Rule> {
        let mut scan = Scan(text);
        scan.name()?;
        let standard = -scan.time(LARGEST_OFFSET)?;
        let summer = if scan.is_at_end() {
            None
        } else {
            Some(scan.summer(standard)?)
        };
        scan.is_at_end().then_some(Rule { standard, summer })
    }

    pub(super) fn offset_at(&self, unix: i64) -> i32 {
        match &self.summer {
            Some(summer) if summer.holds_at(unix, self.standard) => summer.offset,
            _ => self.standard,
        }
    }
}

/// The other half of a rule. It need not be in summer nor ahead: in Dublin the
/// standard is Irish summer time, and this is the winter.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Summer {
    offset: i32,
    start: Change,
    end: Change,
}

impl Summer {
    fn holds_at(&self, unix: i64, standard: i32) -> bool {
        // A change may lie a week outside of its year, and a southern summer
        // lasts into the next one: so the years around count as well.
        let (year, _, _) = civil_day(unix.div_euclid(DAY));
        let end_in = |year| self.end.moment(year, self.offset);
        (year - 2..=year + 1).any(|year| {
            let start = self.start.moment(year, standard);
            let end = Some(end_in(year))
                .filter(|&end| end >= start)
                .unwrap_or_else(|| end_in(year + 1));
            start <= unix && unix < end
        })
    }
}

/// A change of each year: a day, and seconds after its local midnight.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    day: Day,
    time: i32,
}

impl Change {
    /// The Unix time of the change, under the offset that holds before it.
    fn moment(&self, year: i64, offset: i32) -> i64 {
        self.day
            .in_year(year)
            .saturating_mul(DAY)
            .saturating_add(i64::from(self.time) - i64::from(offset))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Day {
    /// `Jn`, 1 to 365: a leap day is not counted, so J60 is always 1 March.
    Julian(i64),
    /// `n`, 0 to 365: a leap day is counted.
    Ordinal(i64),
    /// `Mm.w.d`: weekday `d` (0 is Sunday) for the `w`th time, 5 is the last.
    Weekday { month: i64, week: i64, weekday: i64 },
}

impl Day {
    /// In days since 1970-01-01.
    fn in_year(&self, year: i64) -> i64 {
        let new_year = days_to_month(year, 1);
        match *self {
            Day::Ordinal(day) => new_year + day,
            Day::Julian(day) if day < 60 => new_year + day - 1,
            Day::Julian(day) => days_to_month(year, 3) + day - 60,
            Day::Weekday {
                month,
                week,
                weekday,
            } => {
                let first = days_to_month(year, month);
                let next_month = if month == 12 {
                    days_to_month(year + 1, 1)
                } else {
                    days_to_month(year, month + 1)
                };
                // 1970-01-01 was a Thursday.
                let until_weekday = (weekday - first - 4).rem_euclid(7);
                let day = first + until_weekday + (week - 1) * 7;
                if day < next_month { day } else { day - 7 }
            }
        }
    }
}

/// What is still to be read of a string.
struct Scan<'a>(&'a str);

impl Scan<'_> {
    fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    fn eat(&mut self, expected: char) -> bool {
        match self.0.strip_prefix(expected) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// `CET`, or `<+0330>` where it is not of letters only.
    fn name(&mut self) -> Option<()> {
        let is_quoted = self.eat('<');
        let rest = self.0.trim_start_matches(|c: char| {
            c.is_ascii_alphabetic() || is_quoted && matches!(c, '0'..='9' | '+' | '-')
        });
        let length = self.0.len() - rest.len();
        self.0 = rest;
        (length >= 3 && (!is_quoted || self.eat('>'))).then_some(())
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    fn time(&mut self, most_hours: i32) -> Option<i32> {
        let is_negative = self.eat('-');
        if !is_negative {
            self.eat('+');
        }
        let mut seconds = self.number(0..=most_hours)? * 3600;
        if self.eat(':') {
            seconds += self.number(0..=59)? * 60;
            if self.eat(':') {
                seconds += self.number(0..=59)?;
            }
        }
        Some(if is_negative { -seconds } else { seconds })
    }

    /// At most three digits, with a value in the range.
    fn number(&mut self, range: std::ops::RangeInclusive<i32>) -> Option<i32> {
        let rest = self.0.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = self.0.strip_suffix(rest)?;
        self.0 = rest;
        let number = digits.parse().ok().filter(|_| digits.len() <= 3)?;
        range.contains(&number).then_some(number)
    }

    /// `CEST[-2][,start,end]`.
    fn summer(&mut self, standard: i32) -> Option<Summer> {
        self.name()?;
        let offset = if self.is_at_end() || self.0.starts_with(',') {
            standard + 3600
        } else {
            -self.time(LARGEST_OFFSET)?
        };
        // Like glibc, a string without rules has those of the United States.
        let mut usual = Scan(USUAL_RULES);
        let rules = if self.is_at_end() { &mut usual } else { self };
        Some(Summer {
            offset,
            start: rules.change()?,
            end: rules.change()?,
        })
    }

    /// `,day[/time]`.
    fn change(&mut self) -> Option<Change> {
        if !self.eat(',') {
            return None;
        }
        let day = self.day()?;
        let time = if self.eat('/') {
            self.time(LARGEST_TIME)?
        } else {
            2 * 3600
        };
        Some(Change { day, time })
    }

    fn day(&mut self) -> Option<Day> {
        if self.eat('J') {
            return Some(Day::Julian(self.number(1..=365)?.into()));
        }
        if !self.eat('M') {
            return Some(Day::Ordinal(self.number(0..=365)?.into()));
        }
        let month = self.number(1..=12)?.into();
        let week = self.after_dot(1..=5)?;
        let weekday = self.after_dot(0..=6)?;
        Some(Day::Weekday {
            month,
            week,
            weekday,
        })
    }

    fn after_dot(&mut self, range: std::ops::RangeInclusive<i32>) -> Option<i64> {
        if !self.eat('.') {
            return None;
        }
        self.number(range).map(i64::from)
    }
}

/// In hours, as POSIX has it.
const LARGEST_OFFSET: i32 = 24;
/// In hours, as RFC 9636 extends POSIX: a week less an hour.
const LARGEST_TIME: i32 = 167;
const USUAL_RULES: &str = ",M3.2.0,M11.1.0";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(text: &str) -> Rule {
        Rule::parse(text).unwrap()
    }

    #[test]
    fn offsets_without_summer_time() {
        for (text, offset) in [
            ("UTC0", 0),
            ("MSK-3", 10_800),
            ("<+03>-3", 10_800),
            ("<-03>+3", -10_800),
            ("NST3:30", -12_600),
            ("<+0545>-5:45", 20_700),
            ("LMT-0:53:28", 3208),
            ("AAA24", -86_400),
            ("AAA-24:59:59", 89_999),
        ] {
            for unix in [i64::MIN, -1, 0, 1_795_443_600, i64::MAX] {
                assert_eq!(rule(text).offset_at(unix), offset, "{text}");
            }
        }
    }

    /// At each moment the offset changes from one to the other.
    #[test]
    fn edges_of_summer_time() {
        for (text, unix, before, after) in [
            // Berlin 2018 (1 April was a Sunday too), 2024, 2026 and 2100.
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_521_939_600, 3600, 7200),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_711_846_800, 3600, 7200),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_729_990_800, 7200, 3600),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_774_746_000, 3600, 7200),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 4_109_878_800, 3600, 7200),
            // New York 2024, rules given and by default.
            ("EST5EDT,M3.2.0,M11.1.0", 1_710_054_000, -18_000, -14_400),
            ("EST5EDT", 1_710_054_000, -18_000, -14_400),
            ("EST5EDT", 1_730_613_600, -14_400, -18_000),
            // Sydney 2024: summer lasts over the new year.
            (
                "AEST-10AEDT,M10.1.0,M4.1.0/3",
                1_712_419_200,
                39_600,
                36_000,
            ),
            (
                "AEST-10AEDT,M10.1.0,M4.1.0/3",
                1_728_144_000,
                36_000,
                39_600,
            ),
            // Lord Howe 2024: half an hour, from half-hour offsets.
            (
                "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                1_712_415_600,
                39_600,
                37_800,
            ),
            (
                "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                1_728_142_200,
                37_800,
                39_600,
            ),
            // Dublin 2024: the "summer" is the winter, and behind.
            ("IST-1GMT0,M10.5.0,M3.5.0/1", 1_711_846_800, 0, 3600),
            ("IST-1GMT0,M10.5.0,M3.5.0/1", 1_729_990_800, 3600, 0),
            // Nuuk 2024: on Saturday, counted from Sunday.
            (
                "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                1_711_846_800,
                -7200,
                -3600,
            ),
            // Jerusalem 2024: the Friday after a Thursday, at 26 hours.
            ("IST-2IDT,M3.4.4/26,M10.5.0", 1_711_670_400, 7200, 10_800),
            // The leap day: 59 is 29 February 2024 and 1 March 2023, J60 never the former.
            ("AAA0BBB,59/0,300/0", 1_709_164_800, 0, 3600),
            ("AAA0BBB,59/0,300/0", 1_677_628_800, 0, 3600),
            ("AAA0BBB,J60/0,J300/0", 1_709_251_200, 0, 3600),
            ("AAA0BBB,J60/0,J300/0", 1_677_628_800, 0, 3600),
            ("AAA0BBB,J59/0,J300/0", 1_709_078_400, 0, 3600),
            // A start in the year before: 2023-12-31 00:00.
            ("AAA0BBB,J1/-24,J100", 1_703_980_800, 0, 3600),
        ] {
            let rule = rule(text);
            assert_eq!(rule.offset_at(unix - 1), before, "{text} before {unix}");
            assert_eq!(rule.offset_at(unix), after, "{text} at {unix}");
        }
    }

    #[test]
    fn summer_time_all_year() {
        // The end of each year is the start of the next, or after it.
        for text in ["EST5EDT,0/0,J365/25", "EST5EDT,0/0,J365/26"] {
            for unix in [1_704_085_199, 1_704_085_200, 1_704_088_800, 1_720_000_000] {
                assert_eq!(rule(text).offset_at(unix), -14_400, "{text} at {unix}");
            }
        }
    }

    #[test]
    fn what_is_no_rule() {
        for text in [
            "",
            "UTC",
            "CE-1",
            "<+3>-3",
            "<+03-3",
            "<+0\u{e9}>-3",
            "C3T-1",
            "CET--1",
            "CET-25",
            "CET-1:60",
            "CET-1:30:60",
            "CET-0001",
            "CET-99999999999999999999",
            "CET-1 ",
            "CET-1CE",
            "CET-1CEST,",
            "CET-1CEST,M3.5.0",
            "CET-1CEST,M3.5.0,M10.5.0/3x",
            "CET-1CEST,M0.5.0,M10.5.0",
            "CET-1CEST,M13.5.0,M10.5.0",
            "CET-1CEST,M3.0.0,M10.5.0",
            "CET-1CEST,M3.6.0,M10.5.0",
            "CET-1CEST,M3.5.7,M10.5.0",
            "CET-1CEST,M3.5,M10.5.0",
            "CET-1CEST,J0,J365",
            "CET-1CEST,J1,J366",
            "CET-1CEST,0,366",
            "CET-1CEST,0/168,1",
            "Europe/Berlin",
        ] {
            assert_eq!(Rule::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in "\\PC*|[A-Z<>]{3,5}[-+0-9:]{1,4}([A-Z]{3})?([,MJ./0-9-]{0,12})",
            unix: i64,
        ) {
            if let Some(rule) = Rule::parse(&text) {
                prop_assert!(rule.offset_at(unix).abs() <= 26 * 3600);
            }
        }

        #[test]
        fn any_rule_has_an_offset_at_any_moment(
            days in proptest::collection::vec(
                "(J[1-9][0-9]?|[1-9]?[0-9]|M([1-9]|1[0-2])\\.[1-5]\\.[0-6])/-?1?[0-6]?[0-7]:[0-5][0-9]",
                2,
            ),
            unix: i64,
        ) {
            let rule = rule(&format!("AAA-5BBB3:30,{}", days.join(",")));
            for unix in [unix, i64::MIN, i64::MAX, unix % 10_000_000_000] {
                prop_assert!([18_000, -12_600].contains(&rule.offset_at(unix)));
            }
        }
    }
}
