//! Numbers as JSON has them here: `%.14g`, and what to do with those that JSON has not.

use crate::base::{float, num};

/// What becomes of an infinity or NaN that is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Invalid {
    /// An error.
    Refused,
    /// Their names, which is no JSON.
    Named,
    /// `null`.
    Null,
}

/// A number that is not encoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused;

/// Appends a number with up to so many digits.
pub(super) fn write(
    n: f64,
    digits_max: u8,
    invalid: Invalid,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    if !n.is_finite() {
        match invalid {
            Invalid::Refused => return Err(Refused),
            Invalid::Named => float::format_f64(n, out),
            Invalid::Null => out.extend_from_slice(b"null"),
        }
        return Ok(());
    }
    // All digits of an integer that has so few are printed.
    let limit = 10_i64.pow(u32::from(digits_max));
    match num::i64_exactly(n) {
        Some(integer)
            if -limit < integer && integer < limit && (integer != 0 || n.to_bits() == 0) =>
        {
            num::write_i64(out, integer);
        }
        Some(_) | None => float::format_f64_digits(n, usize::from(digits_max), out),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(n: f64, digits_max: u8, invalid: Invalid) -> Result<String, Refused> {
        let mut out = Vec::new();
        write(n, digits_max, invalid, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn numbers_have_as_many_digits_as_asked_for() {
        for (n, digits_max, expected) in [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (-12.0, 14, "-12"),
            (99_999_999_999_999.0, 14, "99999999999999"),
            (1e14, 14, "1e+14"),
            (-1e14, 14, "-1e+14"),
            (0.1, 14, "0.1"),
            (1.0 / 3.0, 14, "0.33333333333333"),
            (1e-5, 14, "1e-05"),
            (9.0, 1, "9"),
            (10.0, 1, "1e+01"),
            (1e100, 14, "1e+100"),
        ] {
            assert_eq!(written(n, digits_max, Invalid::Refused).unwrap(), expected);
        }
    }

    #[test]
    fn what_json_has_not_is_refused_named_or_null() {
        let infinity = f64::NEG_INFINITY;
        assert_eq!(written(infinity, 14, Invalid::Refused), Err(Refused));
        assert_eq!(written(infinity, 14, Invalid::Named).unwrap(), "-inf");
        assert_eq!(written(-f64::NAN, 14, Invalid::Named).unwrap(), "nan");
        assert_eq!(written(f64::NAN, 14, Invalid::Null).unwrap(), "null");
    }
}
