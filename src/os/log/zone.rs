//! The local time zone, without a lock on the way.
//!
//! `localtime_r` takes a lock inside the C library, which a forked child or a signal handler may
//! find held for ever. So the offset from UTC is asked for once in a quarter of an hour (zones
//! change on such boundaries only) and kept in one atomic word; those who must not lock take the
//! kept one as it is.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

const QUARTER_S: i64 = 900;
const OFFSET_BITS: u32 = 20;
/// Added to an offset to make it positive; offsets lie within a day.
const OFFSET_BIAS: i64 = 1 << (OFFSET_BITS - 1);
const _: () = assert!(OFFSET_BIAS > 86_400);

/// Who asks for the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// May take the C library's lock.
    Ordinary,
    /// A signal handler or a forked child.
    MustNotLock,
}

/// The cached offset: the quarter it was asked in, above the biased offset; 0 before that.
static CACHE: AtomicU64 = AtomicU64::new(0);

/// Seconds to add to UTC for local time at `unix_s`.
pub(crate) fn offset_s(unix_s: i64, caller: Caller) -> i64 {
    let quarter = unix_s.div_euclid(QUARTER_S).cast_unsigned() << OFFSET_BITS >> OFFSET_BITS;
    let cached = CACHE.load(Ordering::Relaxed);
    match caller {
        Caller::MustNotLock if cached == 0 => 0,
        Caller::MustNotLock => unpack(cached),
        Caller::Ordinary if cached >> OFFSET_BITS == quarter => unpack(cached),
        Caller::Ordinary => {
            let offset = ask(unix_s);
            let biased = (offset + OFFSET_BIAS).cast_unsigned();
            CACHE.store(quarter << OFFSET_BITS | biased, Ordering::Relaxed);
            offset
        }
    }
}

fn unpack(cached: u64) -> i64 {
    (cached & ((1 << OFFSET_BITS) - 1)).cast_signed() - OFFSET_BIAS
}

fn ask(unix_s: i64) -> i64 {
    // SAFETY: all-zero bytes are a valid tm: integers and a null pointer.
    let mut local: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values for the length of the call.
    let answer = unsafe { libc::localtime_r(&raw const unix_s, &raw mut local) };
    if answer.is_null() { 0 } else { local.tm_gmtoff }
}

/// A moment of local time, to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: i64,
    millis: i64,
    offset_s: i64,
}

impl Stamp {
    /// The present moment.
    pub(crate) fn now(caller: Caller) -> Stamp {
        let unix_ms = i64::try_from(crate::os::clock::unix_ms()).unwrap_or(i64::MAX);
        Stamp::new(unix_ms, offset_s(unix_ms / 1000, caller))
    }

    /// `unix_ms` shown in a zone `offset_s` seconds ahead of UTC.
    fn new(unix_ms: i64, offset_s: i64) -> Stamp {
        let local_s = unix_ms.div_euclid(1000) + offset_s;
        let (year, month, day) = civil(local_s.div_euclid(86_400));
        let second_of_day = local_s.rem_euclid(86_400);
        Stamp { year, month, day, second_of_day, millis: unix_ms.rem_euclid(1000), offset_s }
    }

    fn clock(&self) -> [i64; 3] {
        let s = self.second_of_day;
        [s / 3600, s / 60 % 60, s % 60]
    }

    /// Writes `2026-11-20T12:56:52.745+01:00`.
    pub(crate) fn write_rfc3339(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let Stamp { year, month, day, millis, .. } = self;
        let [hour, minute, second] = self.clock();
        let sign = if self.offset_s < 0 { '-' } else { '+' };
        let minutes = self.offset_s.abs() / 60;
        let [zone_hour, zone_minute] = [minutes / 60, minutes % 60];
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}")?;
        write!(out, "{sign}{zone_hour:02}:{zone_minute:02}")
    }
}

/// `20 Nov 2026 12:56:52.745`, as in Redis's log.
impl fmt::Display for Stamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let Stamp { year, day, millis, .. } = self;
        let month = usize::try_from(self.month - 1).ok().and_then(|index| NAMES.get(index));
        let month = month.expect("civil() returns months 1 to 12");
        let [hour, minute, second] = self.clock();
        write!(out, "{day:02} {month} {year} {hour:02}:{minute:02}:{second:02}.{millis:03}")
    }
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01.
///
/// Years are counted from March, so that the leap day is the last of its year; five months from
/// there always have 153 days.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_ERA: i64 = 146_097;
    let since_march_of_year_0 = days + 719_468;
    let era = since_march_of_year_0.div_euclid(DAYS_OF_ERA);
    let day_of_era = since_march_of_year_0.rem_euclid(DAYS_OF_ERA);
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_agree_with_a_calendar_walked_day_by_day() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..60_000 {
            assert_eq!(civil(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }

    #[test]
    fn both_forms_of_a_stamp() {
        let check = |offset_s: i64, plain: &str, rfc3339: &str| {
            let stamp = Stamp::new(1_795_179_412_745, offset_s);
            assert_eq!(stamp.to_string(), plain);
            let mut text = String::new();
            stamp.write_rfc3339(&mut text).unwrap();
            assert_eq!(text, rfc3339);
        };
        check(0, "20 Nov 2026 12:56:52.745", "2026-11-20T12:56:52.745+00:00");
        check(19_800, "20 Nov 2026 18:26:52.745", "2026-11-20T18:26:52.745+05:30");
        check(-12_600, "20 Nov 2026 09:26:52.745", "2026-11-20T09:26:52.745-03:30");
        check(46_800, "21 Nov 2026 01:56:52.745", "2026-11-21T01:56:52.745+13:00");
    }

    #[test]
    fn an_offset_survives_packing() {
        for offset in [0, 3600, -43_200, 50_400] {
            assert_eq!(unpack((offset + OFFSET_BIAS).cast_unsigned() | 77 << OFFSET_BITS), offset);
        }
    }

    #[test]
    fn the_cache_answers_as_the_c_library() {
        // The cache is shared with other tests, which log at this moment too.
        let now = i64::try_from(crate::os::clock::unix_ms() / 1000).unwrap();
        assert_eq!(offset_s(now, Caller::Ordinary), ask(now));
        assert_eq!(offset_s(now, Caller::MustNotLock), ask(now));
    }
}
