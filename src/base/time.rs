//! Civil dates from Unix time. There is no clock here: the time is an argument.

use std::fmt;

/// Seconds in a day; Unix time has no leap seconds.
const DAY: i64 = 86_400;

/// Days in the Gregorian calendar's 400-year cycle.
const CYCLE: i64 = 146_097;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date and time of day in the proleptic Gregorian calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Civil {
    /// Astronomical: the year before 1 is 0.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

impl Civil {
    /// The local date and time, `utc_offset_s` seconds east of Greenwich. O(1); every `i64` is
    /// taken, and moved by no more than fits.
    #[must_use]
    pub fn at(unix_s: i64, utc_offset_s: i32) -> Civil {
        let local = unix_s.saturating_add(i64::from(utc_offset_s));
        let (days, second) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        // Count from 1 March of year 0, so that a leap day is the last day of a year, of four
        // years and of a cycle. 1970-01-01 is 719,468 days later.
        let days = days + 719_468;
        let (cycle, day) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
        // Take out the leap days before this one; the rest is years of 365 days.
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        // Months from March have 31 30 31 30 31 days, over and over: 153 in five.
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        Civil {
            year: cycle * 400 + year + next_year,
            month: small(month),
            day: small(day),
            hour: small(second / 3_600),
            minute: small(second / 60 % 60),
            second: small(second % 60),
        }
    }

    /// The month's English abbreviation: `Nov`.
    #[must_use]
    pub fn month_name(&self) -> &'static str {
        MONTHS[usize::from(self.month - 1)]
    }
}

/// The date of log lines: `05 Nov 2026 09:07:03`.
impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, day, hour, minute, second, .. } = self;
        let month = self.month_name();
        write!(f, "{day:02} {month} {year} {hour:02}:{minute:02}:{second:02}")
    }
}

fn small(n: i64) -> u8 {
    u8::try_from(n).expect("parts of a date are small and not negative")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(unix_s: i64, utc_offset_s: i32, expected: &str) {
        assert_eq!(Civil::at(unix_s, utc_offset_s).to_string(), expected, "{unix_s}");
    }

    #[test]
    fn known_moments() {
        check(0, 0, "01 Jan 1970 00:00:00");
        check(-1, 0, "31 Dec 1969 23:59:59");
        check(951_782_400, 0, "29 Feb 2000 00:00:00");
        check(1_234_567_890, 0, "13 Feb 2009 23:31:30");
        check(1_234_567_890, 3_600, "14 Feb 2009 00:31:30");
        check(1_234_567_890, -12_600, "13 Feb 2009 20:01:30");
        check(4_107_542_400, 0, "01 Mar 2100 00:00:00");
        check(i64::from(i32::MAX), 0, "19 Jan 2038 03:14:07");
        let _ = (Civil::at(i64::MAX, i32::MAX), Civil::at(i64::MIN, i32::MIN));
    }

    /// The naive oracle: a calendar walked day by day, over more than a whole cycle.
    #[test]
    fn every_day_of_five_hundred_years() {
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let (mut year, mut month, mut day) = (1970i64, 1u8, 1u8);
        for days in 0..182_622 {
            let civil = Civil::at(days * DAY + 86_399, 0);
            assert_eq!((civil.year, civil.month, civil.day), (year, month, day));
            assert_eq!((civil.hour, civil.minute, civil.second), (23, 59, 59));
            let length = match month {
                2 => 28 + u8::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (day, month, year) = match (day == length, month) {
                (false, _) => (day + 1, month, year),
                (true, 12) => (1, 1, year + 1),
                (true, _) => (1, month + 1, year),
            };
        }
        assert_eq!(year, 2470);
    }
}
