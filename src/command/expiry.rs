//! Expire times as arguments.

use super::{Context, Error};

/// How an expire time is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `EX`: seconds from now.
    Seconds,
    /// `PX`: milliseconds from now.
    Millis,
    /// `EXAT`: Unix seconds.
    UnixSeconds,
    /// `PXAT`: Unix milliseconds.
    UnixMillis,
}

impl Unit {
    /// The unit that an option's word names.
    pub fn of_word(word: &[u8]) -> Option<Self> {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if is(b"ex") {
            Some(Self::Seconds)
        } else if is(b"px") {
            Some(Self::Millis)
        } else if is(b"exat") {
            Some(Self::UnixSeconds)
        } else if is(b"pxat") {
            Some(Self::UnixMillis)
        } else {
            None
        }
    }

    /// The time as Unix milliseconds; `None` if that overflows.
    pub fn to_unix_ms(self, value: i64, now_ms: i64) -> Option<i64> {
        match self {
            Self::Seconds => value.checked_mul(1000)?.checked_add(now_ms),
            Self::Millis => value.checked_add(now_ms),
            Self::UnixSeconds => value.checked_mul(1000),
            Self::UnixMillis => Some(value),
        }
    }
}

/// The time that argument `index` gives, Unix milliseconds. It must be positive.
///
/// # Errors
/// No integer; not positive, or too far away: `invalid expire time in 'name' command`.
pub fn deadline_ms(ctx: &Context<'_>, index: usize, unit: Unit) -> Result<i64, Error> {
    let value = ctx.integer(index)?;
    let deadline = unit.to_unix_ms(value, ctx.server.now.unix_ms()).filter(|_| value > 0);
    deadline.ok_or_else(|| Error::invalid_expire(ctx.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_overflow_are_refused() {
        assert_eq!(Unit::Seconds.to_unix_ms(2, 1000), Some(3000));
        assert_eq!(Unit::Seconds.to_unix_ms(i64::MAX, 0), None);
        assert_eq!(Unit::Millis.to_unix_ms(i64::MAX, 1), None);
        assert_eq!(Unit::UnixSeconds.to_unix_ms(i64::MAX / 1000 + 1, 0), None);
        assert_eq!(Unit::UnixMillis.to_unix_ms(i64::MAX, 1), Some(i64::MAX));
    }
}
