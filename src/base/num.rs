//! Integers: conversions, strict parsing, printing.
//!
//! This is the only module with `as` casts. Each function here says what happens to a value that
//! does not fit; code elsewhere picks one by name and cannot lose bits by accident. (For the
//! reinterpretation of signs the standard library has names: `cast_signed`, `cast_unsigned`.)

// Lengths and 64-bit counts convert into each other without loss: this server has 64-bit words.
const _: () = assert!(usize::BITS == 64);

/// A length or index as `u64`. Lossless.
#[inline(always)]
#[must_use]
pub const fn u64_of(n: usize) -> u64 {
    n as u64
}

/// A 64-bit count as an index. Lossless.
#[inline(always)]
#[must_use]
pub const fn usize_of(n: u64) -> usize {
    n as usize
}

/// A 32-bit count as an index. Lossless.
#[inline(always)]
#[must_use]
pub const fn usize_of_u32(n: u32) -> usize {
    n as usize
}

/// A length as `u32`.
///
/// # Panics
/// If it does not fit, with the broken `invariant` as the message.
#[inline]
#[must_use]
pub fn u32_of(n: usize, invariant: &str) -> u32 {
    u32::try_from(n).expect(invariant)
}

/// A length as `u16`.
///
/// # Panics
/// If it does not fit, with the broken `invariant` as the message.
#[inline]
#[must_use]
pub fn u16_of(n: usize, invariant: &str) -> u16 {
    u16::try_from(n).expect(invariant)
}

/// A length as `u8`.
///
/// # Panics
/// If it does not fit, with the broken `invariant` as the message.
#[inline]
#[must_use]
pub fn u8_of(n: usize, invariant: &str) -> u8 {
    u8::try_from(n).expect(invariant)
}

/// A length as a signed integer; beyond `i64::MAX`, which no length in memory reaches, that.
#[inline]
#[must_use]
pub const fn i64_of(n: usize) -> i64 {
    i64_clamped(n as u64)
}

/// An unsigned count as a signed integer; beyond `i64::MAX`, that.
#[inline]
#[must_use]
pub const fn i64_clamped(n: u64) -> i64 {
    if n > i64::MAX as u64 { i64::MAX } else { n as i64 }
}

/// The low 8 bits.
#[inline(always)]
#[must_use]
pub const fn low_u8(n: u64) -> u8 {
    n as u8
}

/// The low 16 bits.
#[inline(always)]
#[must_use]
pub const fn low_u16(n: u64) -> u16 {
    n as u16
}

/// The low 32 bits.
#[inline(always)]
#[must_use]
pub const fn low_u32(n: u64) -> u32 {
    n as u32
}

/// The low 64 bits.
#[inline(always)]
#[must_use]
pub const fn low_u64(n: u128) -> u64 {
    n as u64
}

/// The nearest double; exact up to 2^53.
#[inline(always)]
#[must_use]
pub const fn f64_of(n: i64) -> f64 {
    n as f64
}

/// The nearest double; exact up to 2^53.
#[inline(always)]
#[must_use]
pub const fn f64_of_u64(n: u64) -> f64 {
    n as f64
}

/// The nearest double; exact up to 2^53.
#[inline(always)]
#[must_use]
pub const fn f64_of_usize(n: usize) -> f64 {
    n as f64
}

/// Toward zero; outside the range of `i64` its nearest end, and 0 for NaN.
#[inline(always)]
#[must_use]
pub const fn i64_truncated(n: f64) -> i64 {
    n as i64
}

/// Toward zero; outside the range of `u64` its nearest end, and 0 for NaN.
#[inline(always)]
#[must_use]
pub const fn u64_truncated(n: f64) -> u64 {
    n as u64
}

/// The integer a double holds, if it is one and `i64` can hold it. Both zeros give 0.
#[inline]
#[must_use]
pub const fn i64_exactly(n: f64) -> Option<i64> {
    // -2^63 is a double and fits; 2^63 is the first that does not.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if n >= -LIMIT && n < LIMIT && (n as i64) as f64 == n { Some(n as i64) } else { None }
}

/// The nearest `f32`; beyond its range an infinity.
#[inline(always)]
#[must_use]
pub const fn f32_of(n: f64) -> f32 {
    n as f32
}

/// `part / whole` as a double, and 0 for an empty whole.
#[inline]
#[must_use]
pub const fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Digits any `u64` of which is in range: 10^19 - 1 < 2^64.
const SAFE_DIGITS: usize = 19;

/// The canonical decimal form of an `i64`, and nothing else: no `+`, no leading zeros, no `-0`, no
/// spaces. What this accepts, [`write_i64`] prints back unchanged, which is why a string may be
/// stored as the integer it spells.
#[inline]
#[must_use]
pub const fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => match parse_u64(digits) {
            None | Some(0) => None,
            Some(n) if n <= i64::MIN.unsigned_abs() => Some(n.wrapping_neg().cast_signed()),
            Some(_) => None,
        },
        digits => match parse_u64(digits) {
            Some(n) if n <= i64::MAX.cast_unsigned() => Some(n.cast_signed()),
            Some(_) | None => None,
        },
    }
}

/// The canonical decimal form of a `u64`, as strict as [`parse_i64`].
#[inline]
#[must_use]
pub const fn parse_u64(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > SAFE_DIGITS + 1 || (text[0] == b'0' && text.len() > 1) {
        return None;
    }
    let mut n = 0u64;
    let mut at = 0;
    while at < text.len() {
        let digit = text[at].wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        if at < SAFE_DIGITS {
            n = n * 10 + digit as u64;
        } else {
            n = match n.checked_mul(10) {
                Some(n) => match n.checked_add(digit as u64) {
                    Some(n) => n,
                    None => return None,
                },
                None => return None,
            };
        }
        at += 1;
    }
    Some(n)
}

/// A `u64` as C's `strtoull` reads it in base 10, which is how Redis reads the halves of a stream
/// id: leading white space, a sign and leading zeros are taken, and `-0N` wraps around to
/// `2^64 - N`. A canonical negative number is refused all the same, as Redis tries that form first.
#[must_use]
pub fn parse_u64_loose(text: &[u8]) -> Option<u64> {
    if let Some(n) = parse_i64(text) {
        return u64::try_from(n).ok();
    }
    // The white space of C's "C" locale; Rust's ASCII set lacks the vertical tab.
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let (negative, digits) = match &text[blanks..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    let n = match &digits[zeros..] {
        [] if zeros > 0 => 0,
        significant => parse_u64(significant)?,
    };
    Some(if negative { n.wrapping_neg() } else { n })
}

/// Appends the decimal form.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, n: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Appends the decimal form.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// How many bytes [`write_u64`] appends: 1 to 20.
#[inline]
#[must_use]
pub const fn digits(n: u64) -> usize {
    match n.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

/// How many bytes [`write_i64`] appends: 1 to 20.
#[inline]
#[must_use]
pub const fn digits_signed(n: i64) -> usize {
    digits(n.unsigned_abs()) + if n < 0 { 1 } else { 0 }
}

/// The distance or position `n`, which is not negative, as an index.
///
/// # Panics
/// If it is negative.
#[inline]
pub fn usize_of_i32(n: i32) -> usize {
    usize::try_from(n).expect("positions in arguments are not negative here")
}

/// `n` as an `i32`, or the largest one.
#[inline]
pub fn i32_clamped(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_integers_are_read_and_printed_back() {
        let mut interesting = vec![0, 1, 9, 10, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1];
        let mut power = 1i64;
        while let Some(next) = power.checked_mul(10) {
            power = next;
            interesting.extend([power - 1, power, power + 1, -power, 1 - power, -power - 1]);
        }
        for n in interesting {
            let mut text = Vec::new();
            write_i64(&mut text, n);
            assert_eq!(parse_i64(&text), Some(n));
            assert_eq!(digits_signed(n), text.len());
            assert_eq!(parse_u64(&text), u64::try_from(n).ok());
        }
        for n in [u64::MAX, u64::MAX - 5, 10_000_000_000_000_000_000] {
            let mut text = Vec::new();
            write_u64(&mut text, n);
            assert_eq!((parse_u64(&text), digits(n)), (Some(n), 20));
            assert_eq!(parse_i64(&text), None);
        }
    }

    #[test]
    fn anything_but_the_canonical_form_is_refused() {
        let refused: [&[u8]; 18] = [
            b"",
            b"-",
            b"+",
            b"+1",
            b"-0",
            b"00",
            b"01",
            b"-01",
            b" 1",
            b"1 ",
            b"1.0",
            b"1e3",
            b"0x10",
            b"--1",
            b"1\0",
            b"9223372036854775808",
            b"-9223372036854775809",
            b"123456789012345678901",
        ];
        for text in refused {
            assert_eq!(parse_i64(text), None, "{}", text.escape_ascii());
        }
        let refused: [&[u8]; 6] =
            [b"", b"-1", b"+1", b"007", b"18446744073709551616", b"99999999999999999999"];
        for text in refused {
            assert_eq!(parse_u64(text), None, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn the_loose_form_is_that_of_strtoull() {
        let cases: [(&[u8], Option<u64>); 14] = [
            (b"5", Some(5)),
            (b"007", Some(7)),
            (b"+5", Some(5)),
            (b" \t\x0b5", Some(5)),
            (b"000", Some(0)),
            (b"-0", Some(0)),
            (b"-01", Some(u64::MAX)),
            (b"-1", None),
            (b"018446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b"", None),
            (b" ", None),
            (b"+-5", None),
            (b"5 ", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_u64_loose(text), expected, "{}", text.escape_ascii());
        }
    }

    /// Every string of up to three bytes over a small alphabet, against the standard parser
    /// followed by printing back.
    #[test]
    fn short_strings_agree_with_parse_and_print() {
        let alphabet = b"0129-+ /:a";
        for a in alphabet {
            for b in alphabet {
                for c in alphabet {
                    let all = [*a, *b, *c];
                    for text in [&all[..1], &all[..2], &all[..]] {
                        let as_str = std::str::from_utf8(text).unwrap();
                        let expected =
                            as_str.parse::<i64>().ok().filter(|n| n.to_string() == as_str);
                        assert_eq!(parse_i64(text), expected, "{as_str}");
                    }
                }
            }
        }
    }

    #[test]
    fn doubles_that_hold_integers_are_told_from_others() {
        assert_eq!(i64_exactly(-0.0), Some(0));
        assert_eq!(i64_exactly(-9_223_372_036_854_775_808.0), Some(i64::MIN));
        assert_eq!(i64_exactly(9_007_199_254_740_993.0), Some(9_007_199_254_740_992));
        for n in [9_223_372_036_854_775_808.0, 0.5, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(i64_exactly(n), None);
        }
    }

    #[test]
    fn clamping_and_truncating_stop_at_the_ends() {
        assert_eq!((i64_clamped(u64::MAX), i64_of(7)), (i64::MAX, 7));
        assert_eq!((i64_truncated(1e300), i64_truncated(f64::NAN)), (i64::MAX, 0));
        assert_eq!((u64_truncated(-3.0), u64_truncated(3.9)), (0, 3));
        assert_eq!((low_u8(0x1ff), low_u16(0x1_ffff), low_u32(u64::MAX)), (0xff, 0xffff, u32::MAX));
        assert_eq!(low_u64(u128::MAX), u64::MAX);
        assert_eq!((ratio(1, 4), ratio(1, 0)), (0.25, 0.0));
    }

    #[test]
    #[should_panic(expected = "a listpack is shorter than 4 GiB")]
    fn a_length_that_does_not_fit_names_the_invariant() {
        let _ = u32_of(usize::MAX, "a listpack is shorter than 4 GiB");
    }
}
