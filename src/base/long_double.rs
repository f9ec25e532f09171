//! Numbers with 64 significant bits, in which `INCRBYFLOAT` and `HINCRBYFLOAT` compute.
//!
//! Redis uses C's `long double`, which on its main platform is the 80-bit format of the x87. Rust
//! has no such type, so a soft float stands in; sums come out the same to the last bit.
//!
//! Printing shows 17 digits behind the point and drops trailing zeros. It is exact: a number below
//! 2^64 is `significand / 2^k`, and its first 17 decimals are one 128-bit multiplication; above
//! that it is an integer, computed in pieces of 9 digits.

use std::ops::Add;

use rustc_apfloat::ieee::{self, X87DoubleExtended};
use rustc_apfloat::{Float, FloatConvert};

use super::{float, num};

/// An 80-bit extended number. Never NaN after [`LongDouble::parse`]; sums may be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LongDouble(X87DoubleExtended);

/// Redis copies its operands into a buffer of 5 KiB; longer ones are refused.
const TEXT_LEN_MAX: usize = 5 * 1024 - 1;

/// The bias of the exponent, plus 63 because the significand is read as an integer.
const EXPONENT_BIAS: i32 = 16_383 + 63;

/// How many digits are shown behind the point, and ten to that power.
const DECIMALS: usize = 17;
const SCALE: u128 = 10u128.pow(17);

impl LongDouble {
    /// The number that `text` spells, with the syntax of [`float::parse_f64`] and the wider range.
    ///
    /// `None` for anything else, for what is too large or vanishes, and for a text of 5 KiB.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() > TEXT_LEN_MAX {
            return None;
        }
        let float::Numeral { negative, body } = float::scan(text)?;
        let magnitude = match parse_short(body) {
            Some(magnitude) => magnitude,
            None => float::parse_body(body)?,
        };
        Some(LongDouble(if negative { -magnitude } else { magnitude }))
    }

    /// The nearest double; an infinity if it is too large, and the least one of its sign if it is not zero
    /// but would be.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        let mut inexact = false;
        let double: ieee::Double = self.0.convert(&mut inexact).value;
        let bits = u64::try_from(double.to_bits()).expect("a double has 64 bits");
        let nearest = f64::from_bits(bits);
        if nearest == 0.0 && !self.0.is_zero() {
            return f64::MIN_POSITIVE.copysign(nearest);
        }
        nearest
    }

    /// Exact: every `i64` fits in 64 significant bits.
    #[must_use]
    pub fn from_i64(n: i64) -> LongDouble {
        LongDouble(X87DoubleExtended::from_i128(i128::from(n)).value)
    }

    /// Neither NaN nor an infinity.
    #[must_use]
    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// Appends the number with up to 17 decimals and without an exponent; never `-0`.
    /// O(1) below 2^64, O(digits^2) above (0.1 ms for the largest, which has 4,933 digits).
    pub fn format(self, out: &mut Vec<u8>) {
        let bits = self.0.to_bits();
        let (exponent, significand) = (num::low_u16(num::low_u64(bits >> 64)), num::low_u64(bits));
        let (negative, exponent) = (exponent & 0x8000 != 0, i32::from(exponent & 0x7fff));
        if !self.is_finite() {
            out.extend_from_slice(if self.0.is_nan() {
                b"nan"
            } else if negative {
                b"-inf"
            } else {
                b"inf"
            });
            return;
        }
        let start = out.len();
        if negative {
            out.push(b'-');
        }
        // A subnormal number has exponent 0 and the scale of exponent 1.
        let shift = exponent.max(1) - EXPONENT_BIAS;
        match u32::try_from(shift) {
            Ok(left) => format_shifted(significand, left, out),
            Err(_) => format_fraction(significand, shift.unsigned_abs(), out),
        }
        if out[start..] == *b"-0" {
            out.remove(start);
        }
    }
}

impl Add for LongDouble {
    type Output = LongDouble;

    /// Rounds to nearest, ties to even, as the hardware does.
    fn add(self, other: LongDouble) -> LongDouble {
        LongDouble((self.0 + other.0).value)
    }
}

/// A decimal of up to 19 digits without an exponent, which is how people write amounts: both digits
/// and the power of ten below them are 64-bit integers, so one division, rounded once, is exact. It
/// is ten times as fast as the general way.
fn parse_short(body: float::Body<'_>) -> Option<X87DoubleExtended> {
    let float::Body::Decimal { text, zero: false } = body else {
        return None;
    };
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() + decimals.len() > 19 {
        return None;
    }
    let (mut number, mut power) = (0u64, 1u64);
    for &digit in whole.as_bytes() {
        number = number * 10 + decimal(digit)?;
    }
    for &digit in decimals.as_bytes() {
        number = number * 10 + decimal(digit)?;
        power *= 10;
    }
    Some(divide(number, power))
}

/// `None` for the mark of an exponent.
fn decimal(digit: u8) -> Option<u64> {
    digit.is_ascii_digit().then(|| u64::from(digit - b'0'))
}

/// The quotient of two positive integers, rounded to 64 bits, ties to even.
fn divide(number: u64, divisor: u64) -> X87DoubleExtended {
    // With the highest bits of both set, the quotient has 64 or 65 bits.
    let (up, down) = (number.leading_zeros(), divisor.leading_zeros());
    let (number, divisor) = (u128::from(number << up) << 64, u128::from(divisor << down));
    let (quotient, rest) = (number / divisor, number % divisor);
    let mut exponent = EXPONENT_BIAS - 64 + down.cast_signed() - up.cast_signed();
    let mut significand = quotient;
    let round_up = if quotient >> 64 == 0 {
        rest * 2 > divisor || (rest * 2 == divisor && quotient % 2 == 1)
    } else {
        significand >>= 1;
        exponent += 1;
        quotient % 2 == 1 && (rest > 0 || significand % 2 == 1)
    };
    significand += u128::from(round_up);
    if significand >> 64 != 0 {
        significand >>= 1;
        exponent += 1;
    }
    let exponent = u128::try_from(exponent).expect("64-bit integers have moderate quotients");
    X87DoubleExtended::from_bits(exponent << 64 | significand)
}

/// Appends `significand / 2^right`, rounded to [`DECIMALS`] places, ties to even.
fn format_fraction(significand: u64, right: u32, out: &mut Vec<u8>) {
    if right >= 128 {
        // Below 2^-64 in value, so below half of the last place.
        out.push(b'0');
        return;
    }
    let value = u128::from(significand);
    let mut whole = value >> right;
    // Below 2^64 * 10^17 < 2^121.
    let scaled = (value & low_bits(right)) * SCALE;
    let mut decimals = scaled >> right;
    let (rest, half) = (scaled & low_bits(right), 1u128 << (right - 1));
    if rest > half || (rest == half && decimals % 2 == 1) {
        decimals += 1;
    }
    if decimals == SCALE {
        decimals = 0;
        whole += 1;
    }
    num::write_u64(out, num::low_u64(whole));
    if decimals != 0 {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(num::low_u64(decimals));
        out.push(b'.');
        out.extend((digits.len()..DECIMALS).map(|_| b'0'));
        out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
    }
}

fn low_bits(count: u32) -> u128 {
    (1 << count) - 1
}

/// Appends `significand * 2^left` in full.
fn format_shifted(significand: u64, left: u32, out: &mut Vec<u8>) {
    /// Nine digits a piece, so that a piece shifted by a step and a carry fit in 64 bits.
    const PIECE: u64 = 1_000_000_000;
    const STEP: u32 = 32;
    let mut pieces = vec![significand % PIECE, significand / PIECE % PIECE];
    pieces.push(significand / PIECE / PIECE);
    let mut left = left;
    while left > 0 {
        let step = left.min(STEP);
        let mut carry = 0;
        for piece in &mut pieces {
            let shifted = (*piece << step) + carry;
            *piece = shifted % PIECE;
            carry = shifted / PIECE;
        }
        while carry > 0 {
            pieces.push(carry % PIECE);
            carry /= PIECE;
        }
        left -= step;
    }
    while pieces.len() > 1 && pieces.last() == Some(&0) {
        pieces.pop();
    }
    let mut pieces = pieces.into_iter().rev();
    num::write_u64(out, pieces.next().expect("there is one piece at least"));
    for piece in pieces {
        out.extend_from_slice(format!("{piece:09}").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_double_keeps_sign_and_what_is_not_zero() {
        for (text, expected) in [
            ("1.5", 1.5),
            ("-0.1", -0.1),
            ("0", 0.0),
            ("1e400", f64::INFINITY),
            ("-1e400", f64::NEG_INFINITY),
            ("1e-400", f64::MIN_POSITIVE),
            ("-1e-400", -f64::MIN_POSITIVE),
            ("9223372036854775807", 9_223_372_036_854_775_808.0),
        ] {
            let parsed = LongDouble::parse(text.as_bytes()).expect("a number");
            assert!(parsed.to_f64() == expected, "{text}");
        }
    }
    use crate::base::rng::Rng;

    const VECTORS: &str = include_str!("../../tests/data/float-vectors.tsv");

    /// What INCRBYFLOAT does with two operands.
    fn incrbyfloat(value: &str, increment: &str) -> String {
        let (Some(value), Some(increment)) =
            (LongDouble::parse(value.as_bytes()), LongDouble::parse(increment.as_bytes()))
        else {
            return "-ERR value is not a valid float".to_owned();
        };
        let sum = value + increment;
        if !sum.is_finite() {
            return "-ERR increment would produce NaN or Infinity".to_owned();
        }
        let mut out = Vec::new();
        sum.format(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sums_are_those_of_a_real_server() {
        let mut rows = 0;
        for row in VECTORS.lines() {
            let [operation, input, reply] = row.splitn(3, '\t').collect::<Vec<_>>()[..] else {
                continue;
            };
            if operation != "INCRBYFLOAT2" {
                continue;
            }
            rows += 1;
            let (value, increment) = input.split_once("'+'").unwrap();
            let sum = incrbyfloat(&value[1..], increment.strip_suffix('\'').unwrap());
            let reply = reply.strip_suffix("\\r\\n").unwrap();
            let expected =
                reply.strip_prefix('$').map_or(reply, |bulk| bulk.split_once("\\r\\n").unwrap().1);
            assert_eq!(sum, expected, "{input}");
        }
        assert!(rows >= 60, "only {rows} rows");
    }

    #[test]
    fn random_sums_are_those_of_7_0_15() {
        let rows = include_str!("../../tests/data/incrbyfloat.tsv");
        for row in rows.lines().filter(|row| !row.starts_with('#')) {
            let [value, increment, reply] = row.split('\t').collect::<Vec<_>>()[..] else {
                panic!("three columns in {row}");
            };
            assert_eq!(incrbyfloat(value, increment), reply, "{row}");
        }
    }

    #[test]
    fn short_decimals_are_read_as_by_the_general_way() {
        let mut rng = Rng::seeded(11);
        let mut short = 0;
        for _ in 0..50_000 {
            let digits = rng.below_usize(20) + 1;
            let mut text: Vec<u8> =
                (0..digits).map(|_| b"0123456789"[rng.below_usize(10)]).collect();
            let point = rng.below_usize(digits + 1);
            text.insert(point, b'.');
            let body = float::scan(&text).unwrap().body;
            let general: X87DoubleExtended = float::parse_body(body).unwrap();
            if let Some(magnitude) = parse_short(body) {
                short += 1;
                assert_eq!(magnitude.to_bits(), general.to_bits(), "{}", text.escape_ascii());
            }
        }
        assert!(short > 40_000);
        // A tie, which goes to the even significand, and the carry into the next power of two.
        for (number, divisor) in [(u64::MAX, 2), (1, 1), (u64::MAX, 1), ((1 << 63) + 1, 1 << 63)] {
            let quotient = divide(number, divisor);
            let expected = (X87DoubleExtended::from_u128(number.into()).value
                / X87DoubleExtended::from_u128(divisor.into()).value)
                .value;
            assert_eq!(quotient.to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn integers_pass_through_unchanged() {
        for n in [0, 1, -1, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1] {
            let mut out = Vec::new();
            LongDouble::from_i64(n).format(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), n.to_string());
            assert_eq!(LongDouble::parse(n.to_string().as_bytes()), Some(LongDouble::from_i64(n)));
        }
    }

    #[test]
    fn ties_round_to_the_even_digit_and_carry() {
        // 2^-18 and its multiples end in a 5 at the 18th place.
        assert_eq!(incrbyfloat("0", "0x1p-18"), "0.00000381469726562");
        assert_eq!(incrbyfloat("0", "0x3p-18"), "0.00001144409179688");
        assert_eq!(incrbyfloat("0", "0.999999999999999999"), "1");
        assert_eq!(incrbyfloat("0", "-0.999999999999999999"), "-1");
        assert_eq!(incrbyfloat("0", "9.999999999999999999"), "10");
        assert_eq!(incrbyfloat("0x1p-64", "0"), "0");
        assert_eq!(incrbyfloat("3.6e-4951", "0"), "0");
    }

    #[test]
    fn operands_of_five_kilobytes_are_refused() {
        let long = |zeros| format!("1.{}", "0".repeat(zeros));
        assert_eq!(incrbyfloat(&long(5117), "1"), "2");
        assert_eq!(incrbyfloat(&long(5118), "1"), "-ERR value is not a valid float");
    }

    /// The naive oracle: shift one bit at a time over decimal digits.
    #[test]
    fn large_numbers_are_printed_in_full() {
        let mut digits = vec![1u8];
        for power in 0..16_000u32 {
            if power > 64 && power % 97 == 0 {
                let expected: String =
                    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect();
                assert_eq!(incrbyfloat(&format!("0x1p{power}"), "0"), expected);
            }
            let mut carry = 0;
            for digit in &mut digits {
                let doubled = *digit * 2 + carry;
                (*digit, carry) = (doubled % 10, doubled / 10);
            }
            if carry > 0 {
                digits.push(carry);
            }
        }
    }
}
