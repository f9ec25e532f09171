//! The local time zone, without a lock on the way.
//!
//! `localtime_r` takes a lock inside the C library, which a forked child or a signal handler may
//! find held for ever. So the offset from UTC is asked for once in a quarter of an hour (zones
//! change on such boundaries only) and kept in one atomic word; those who must not lock take the
//! kept one as it is.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::num::{i64_clamped, low_u32};
use crate::base::time::Civil;
use crate::os::clock;

const QUARTER_S: i64 = 900;

/// Who asks for the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// May take the C library's lock.
    Ordinary,
    /// A signal handler or a forked child.
    MustNotLock,
}

/// The cached offset in the low half, the number of the quarter it was asked in above; 0 before.
static CACHE: AtomicU64 = AtomicU64::new(0);

/// Seconds to add to UTC for local time at `unix_s`.
pub(crate) fn offset_s(unix_s: i64, caller: Caller) -> i32 {
    let quarter = low_u32(unix_s.div_euclid(QUARTER_S).cast_unsigned());
    let cached = CACHE.load(Ordering::Relaxed);
    let (cached_quarter, cached_offset) = unpack(cached);
    if caller == Caller::MustNotLock || (cached != 0 && cached_quarter == quarter) {
        return cached_offset;
    }
    let offset = ask(unix_s);
    CACHE.store(pack(quarter, offset), Ordering::Relaxed);
    offset
}

fn pack(quarter: u32, offset_s: i32) -> u64 {
    u64::from(quarter) << 32 | u64::from(offset_s.cast_unsigned())
}

fn unpack(cached: u64) -> (u32, i32) {
    (low_u32(cached >> 32), low_u32(cached).cast_signed())
}

fn ask(unix_s: i64) -> i32 {
    // SAFETY: all-zero bytes are a valid tm: integers and a null pointer.
    let mut local: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values for the length of the call.
    let answer = unsafe { libc::localtime_r(&raw const unix_s, &raw mut local) };
    if answer.is_null() { 0 } else { i32::try_from(local.tm_gmtoff).unwrap_or(0) }
}

/// A moment of local time, to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    civil: Civil,
    millis: u64,
    offset_s: i32,
}

impl Stamp {
    /// The present moment.
    pub(crate) fn now(caller: Caller) -> Stamp {
        let unix_ms = clock::unix_ms();
        Stamp::new(unix_ms, offset_s(i64_clamped(unix_ms / 1000), caller))
    }

    /// `unix_ms` shown in a zone `offset_s` seconds ahead of UTC.
    fn new(unix_ms: u64, offset_s: i32) -> Stamp {
        let civil = Civil::at(i64_clamped(unix_ms / 1000), offset_s);
        Stamp { civil, millis: unix_ms % 1000, offset_s }
    }

    /// Writes `2026-11-20T12:56:52.745+01:00`.
    pub(crate) fn write_rfc3339(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second } = self.civil;
        let sign = if self.offset_s < 0 { '-' } else { '+' };
        let zone_minutes = self.offset_s.abs() / 60;
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        write!(out, ".{:03}{sign}", self.millis)?;
        write!(out, "{:02}:{:02}", zone_minutes / 60, zone_minutes % 60)
    }
}

/// `20 Nov 2026 12:56:52.745`, as in Redis's log.
impl fmt::Display for Stamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{:03}", self.civil, self.millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_stamp() {
        let check = |offset_s: i32, plain: &str, rfc3339: &str| {
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
            assert_eq!(unpack(pack(1_994_643, offset)), (1_994_643, offset));
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
