//! Doubles as text: what clients may write and what the server prints.
//!
//! Reading takes what C's `strtod` takes, since that is what Redis calls: decimal and hexadecimal
//! floating point, infinities in any case. Printing takes the shortest digits that read back as the
//! same double and lays them out as Redis 7.4 does. Its own digits (Grisu2) are one longer, or not
//! the nearest, for about 0.2 % of doubles; these differ here on purpose.

use rustc_apfloat::{Float, Round, Status, StatusAnd, ieee};

use super::num;

/// The double that `text` spells: a decimal (`-1`, `.5`, `1e3`) or hexadecimal (`0x1p3`) number, or
/// an infinity (`inf`, `+Infinity`), in any case.
///
/// `None` for everything else: blanks on either side, NaN, a number too large for a double, and one
/// that is not zero and too small. (Subnormal doubles are taken.)
#[must_use]
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    if text.len() <= 15
        && let Some(n) = num::parse_i64(text)
    {
        return Some(num::f64_of(n)); // below 2^53: exact
    }
    let Numeral { negative, body } = scan(text)?;
    let magnitude = match body {
        Body::Infinity => f64::INFINITY,
        Body::Decimal { text, zero } => {
            let magnitude: f64 = text.parse().ok()?;
            if magnitude.is_infinite() || (magnitude == 0.0 && !zero) {
                return None;
            }
            magnitude
        }
        Body::Hexadecimal { .. } => {
            let bits = u64::try_from(parse_body::<ieee::Double>(body)?.to_bits());
            f64::from_bits(bits.expect("a double has 64 bits"))
        }
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// Appends `n` as replies show it: `3`, `0.1`, `1.5e-7`, `1e+20`, `-0`, `inf`, `-inf`, `nan`.
///
/// An integer up to 2^62 is printed whole. Another number is printed with its shortest digits: plain
/// while few zeros have to be filled in, with an exponent otherwise. At most [`F64_LEN_MAX`] bytes.
pub fn format_f64(n: f64, out: &mut Vec<u8>) {
    /// 2^62, where Redis stops treating doubles as integers.
    const INTEGER_MAX: f64 = 4_611_686_018_427_387_904.0;
    if !n.is_finite() {
        out.extend_from_slice(if n.is_nan() {
            b"nan"
        } else if n > 0.0 {
            b"inf"
        } else {
            b"-inf"
        });
    } else if n == 0.0 {
        out.extend_from_slice(if n.is_sign_negative() { b"-0" } else { b"0" });
    } else if n.abs() <= INTEGER_MAX
        && let Some(integer) = num::i64_exactly(n)
    {
        num::write_i64(out, integer);
    } else {
        write_shortest(n, out);
    }
}

/// As [`format_f64`], but large integers are no exception: `1e+17`.
pub fn format_f64_shortest(n: f64, out: &mut Vec<u8>) {
    if n.is_finite() && n != 0.0 { write_shortest(n, out) } else { format_f64(n, out) }
}

/// The shortest digits of a finite number that is not 0.
fn write_shortest(n: f64, out: &mut Vec<u8>) {
    if n < 0.0 {
        out.push(b'-');
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(n.abs()).as_bytes();
    if is_laid_out(text) {
        out.extend_from_slice(text);
    } else {
        Digits::of(text).lay_out(out);
    }
}

/// Appends `n` as C's `%.17g` prints it: up to 17 digits, whether or not fewer would do.
pub fn format_f64_17(n: f64, out: &mut Vec<u8>) {
    format_f64_digits(n, 17, out);
}

/// Appends `n` as C's `%.*g` prints it with a precision of `digits_max`, which is at least 1.
pub fn format_f64_digits(n: f64, digits_max: usize, out: &mut Vec<u8>) {
    if !n.is_finite() || n == 0.0 {
        return format_f64(n, out);
    }
    let text = format!("{:.*e}", digits_max.saturating_sub(1), n.abs());
    if n < 0.0 {
        out.push(b'-');
    }
    let (mantissa, power) = text.split_once('e').expect("the form asked for has an exponent");
    let power = exponent(power.as_bytes());
    let digits: Vec<u8> = mantissa.bytes().filter(|&byte| byte != b'.').collect();
    let len = digits.iter().rposition(|&digit| digit != b'0').map_or(1, |last| last + 1);
    let (digits, point) = (&digits[..len], power + 1);
    match usize::try_from(point) {
        Ok(whole) if (1..=digits_max).contains(&whole) => {
            out.extend_from_slice(&digits[..whole.min(len)]);
            out.extend(std::iter::repeat_n(b'0', whole.saturating_sub(len)));
            if len > whole {
                out.push(b'.');
                out.extend_from_slice(&digits[whole..]);
            }
        }
        Ok(_) | Err(_) if (-3..=0).contains(&point) => {
            out.extend_from_slice(b"0.");
            push_zeros(out, -point);
            out.extend_from_slice(digits);
        }
        Ok(_) | Err(_) => {
            out.push(digits[0]);
            if len > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            let sign = if power < 0 { '-' } else { '+' };
            out.extend_from_slice(format!("e{sign}{:02}", power.unsigned_abs()).as_bytes());
        }
    }
}

/// The longest text [`format_f64`] prints: a sign, 17 digits, 7 zeros.
pub const F64_LEN_MAX: usize = 25;

/// Whether the shortest digits stand as Redis would have them: no exponent, and either few decimals
/// or a number between 0.001 and 10,000.
fn is_laid_out(text: &[u8]) -> bool {
    let Some(point) = memchr::memchr(b'.', text) else {
        return false;
    };
    let decimals = &text[point + 1..];
    if memchr::memchr(b'e', decimals).is_some() || decimals == b"0" {
        return false;
    }
    let moderate = point <= 4 && (text[0] != b'0' || !decimals.starts_with(b"000"));
    moderate || decimals.len() < 7
}

/// The shortest decimal digits of a positive double: `0.d1 d2 … dn * 10^point`, d1 and dn not 0.
struct Digits {
    bytes: [u8; 17],
    len: usize,
    /// Where the decimal point stands, counted from before the first digit.
    point: i32,
}

impl Digits {
    /// Takes apart what the shortest-digits crate prints, which is `123.0`, `0.00123` or `1.23e-7`.
    fn of(text: &[u8]) -> Digits {
        let mut digits = Digits { bytes: [0; 17], len: 0, point: 0 };
        let mut trailing_zeros = 0;
        let mut step = 1; // what a digit moves the point by: 1 before it, 0 behind it
        for (at, &byte) in text.iter().enumerate() {
            match byte {
                b'.' => step = 0,
                b'e' => {
                    digits.point += exponent(&text[at + 1..]);
                    break;
                }
                b'0' if digits.len == 0 => digits.point += step - 1,
                b'0' => {
                    trailing_zeros += 1;
                    digits.point += step;
                }
                _ => {
                    digits.bytes[digits.len..][..trailing_zeros].fill(b'0');
                    digits.len += trailing_zeros;
                    trailing_zeros = 0;
                    digits.bytes[digits.len] = byte;
                    digits.len += 1;
                    digits.point += step;
                }
            }
        }
        digits
    }

    fn lay_out(&self, out: &mut Vec<u8>) {
        let digits = &self.bytes[..self.len];
        let len = i32::from(num::u8_of(self.len, "a double has at most 17 digits"));
        let exponent = self.point - 1;
        let zeros = self.point - len;
        if zeros >= 0 && exponent < len + 7 {
            out.extend_from_slice(digits);
            push_zeros(out, zeros);
        } else if zeros < 0 && (zeros > -7 || exponent.abs() < 4) {
            match usize::try_from(self.point) {
                Ok(whole) if whole > 0 => {
                    out.extend_from_slice(&digits[..whole]);
                    out.push(b'.');
                    out.extend_from_slice(&digits[whole..]);
                }
                Ok(_) | Err(_) => {
                    out.extend_from_slice(b"0.");
                    push_zeros(out, -self.point);
                    out.extend_from_slice(digits);
                }
            }
        } else {
            out.push(digits[0]);
            if len > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
            num::write_u64(out, u64::from(exponent.unsigned_abs()));
        }
    }
}

fn push_zeros(out: &mut Vec<u8>, count: i32) {
    out.extend((0..count).map(|_| b'0'));
}

/// `-7`, `+20` or `20`, as printed by the shortest-digits crate.
fn exponent(text: &[u8]) -> i32 {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    sign * digits.iter().fold(0, |n, digit| n * 10 + i32::from(digit - b'0'))
}

/// A number as C's `strtod` family reads it, taken apart but not computed.
pub(super) struct Numeral<'a> {
    pub(super) negative: bool,
    pub(super) body: Body<'a>,
}

/// What follows the sign.
#[derive(Clone, Copy)]
pub(super) enum Body<'a> {
    Infinity,
    /// Digits with at most one point and a complete exponent; `zero` if all digits are.
    Decimal {
        text: &'a str,
        zero: bool,
    },
    /// The same behind `0x`, where the exponent is binary and may be absent.
    Hexadecimal {
        text: &'a str,
        zero: bool,
        exponent: Exponent,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Exponent {
    Present,
    Absent,
}

/// Splits a number that fills all of `text`. NaN is no number here.
pub(super) fn scan(text: &[u8]) -> Option<Numeral<'_>> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
        return Some(Numeral { negative, body: Body::Infinity });
    }
    let body = match text {
        [b'0', b'x' | b'X', text @ ..] => {
            let (zero, exponent) = scan_digits(text, u8::is_ascii_hexdigit, b'p')?;
            Body::Hexadecimal { text: str::from_utf8(text).ok()?, zero, exponent }
        }
        text => {
            let (zero, _) = scan_digits(text, u8::is_ascii_digit, b'e')?;
            Body::Decimal { text: str::from_utf8(text).ok()?, zero }
        }
    };
    Some(Numeral { negative, body })
}

/// Checks digits, point and exponent; says whether all digits are zero and an exponent is there.
fn scan_digits(
    text: &[u8],
    is_digit: fn(&u8) -> bool,
    exponent_mark: u8,
) -> Option<(bool, Exponent)> {
    let (mut count, mut zero, mut point) = (0, true, false);
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        if is_digit(byte) {
            count += 1;
            zero &= *byte == b'0';
        } else if *byte == b'.' && !point {
            point = true;
        } else {
            break;
        }
        rest = tail;
    }
    if count == 0 {
        return None;
    }
    let digits = match rest {
        [] => return Some((zero, Exponent::Absent)),
        [mark, rest @ ..] if mark.eq_ignore_ascii_case(&exponent_mark) => match rest {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        },
        _ => return None,
    };
    let complete = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    complete.then_some((zero, Exponent::Present))
}

/// Computes a scanned number, rounding to nearest. `None` if it overflows, or vanishes.
pub(super) fn parse_body<F: Float>(body: Body<'_>) -> Option<F> {
    let (text, zero) = match body {
        Body::Infinity => return Some(F::INFINITY),
        Body::Decimal { zero: true, .. } | Body::Hexadecimal { zero: true, .. } => {
            return Some(F::ZERO);
        }
        Body::Decimal { text, zero } => (text.to_owned(), zero),
        Body::Hexadecimal { text, zero, exponent: Exponent::Present } => {
            (format!("0x{text}"), zero)
        }
        // The library wants an exponent where C does not.
        Body::Hexadecimal { text, zero, exponent: Exponent::Absent } => {
            (format!("0x{text}p0"), zero)
        }
    };
    let StatusAnd { value, status } = F::from_str_r(&text, Round::NearestTiesToEven).ok()?;
    let out_of_range = status.contains(Status::OVERFLOW) || (value.is_zero() && !zero);
    (!out_of_range).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTORS: &str = include_str!("../../tests/data/float-vectors.tsv");

    /// Where 7.4 prints more digits than needed. We print the shortest.
    const LONGER_IN_7_4: [(&str, &str, &str); 1] = [("1e23", "99999999999999990000000", "1e+23")];

    #[test]
    fn seventeen_digits_are_those_of_c() {
        for (n, expected) in [
            (0.1, "0.10000000000000001"),
            (-0.1, "-0.10000000000000001"),
            (1.0, "1"),
            (100.5, "100.5"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (1e-300, "1e-300"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NEG_INFINITY, "-inf"),
            (-0.0, "-0"),
        ] {
            let mut out = Vec::new();
            format_f64_17(n, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn fewer_digits_are_those_of_c() {
        for (n, digits, expected) in [
            (123_456_789_012_345_678.0, 14, "1.2345678901235e+17"),
            (1e14, 14, "1e+14"),
            (99_999_999_999_999.9, 14, "1e+14"),
            (12_345_678_901_234.0, 14, "12345678901234"),
            (std::f64::consts::PI, 14, "3.1415926535898"),
            (0.1, 14, "0.1"),
            (-0.0, 14, "-0"),
            (1.234_56, 3, "1.23"),
            (1_234_567.0, 3, "1.23e+06"),
            (10.0, 1, "1e+01"),
            (9.96, 2, "10"),
            (2.5, 1, "2"),
        ] {
            let mut out = Vec::new();
            format_f64_digits(n, digits, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    fn printed(n: f64) -> String {
        let mut out = Vec::new();
        format_f64(n, &mut out);
        assert!(out.len() <= F64_LEN_MAX, "{n:e} takes {} bytes", out.len());
        String::from_utf8(out).unwrap()
    }

    /// The text in a bulk string or a RESP3 double of the vectors.
    fn payload(reply: &str) -> &str {
        let reply = reply.strip_suffix("\\r\\n").unwrap();
        match reply.strip_prefix(',') {
            Some(text) => text,
            None => reply.split_once("\\r\\n").unwrap().1,
        }
    }

    #[test]
    fn scores_print_as_on_a_server_of_the_7_4_line() {
        let mut rows = 0;
        for row in VECTORS.lines().filter(|row| !row.starts_with('#')) {
            let [operation, input, reply] = row.splitn(3, '\t').collect::<Vec<_>>()[..] else {
                panic!("three columns in {row}");
            };
            if !operation.starts_with('Z') {
                continue;
            }
            rows += 1;
            let mut n: f64 = input.parse().unwrap();
            if !operation.ends_with("-skiplist") {
                n += 0.0; // a small sorted set stores integers as such and forgets the sign of zero
            }
            let mut expected = payload(reply);
            if let Some((_, theirs, ours)) = LONGER_IN_7_4.iter().find(|(text, ..)| *text == input)
            {
                assert_eq!(expected, *theirs);
                expected = ours;
            }
            assert_eq!(printed(n), expected, "{operation} {input}");
        }
        assert!(rows > 300, "only {rows} rows");
    }

    #[test]
    fn layout_changes_where_it_should() {
        let cases = [
            (4_611_686_018_427_387_904.0, "4611686018427387904"),
            (4_611_686_018_427_388_928.0, "4611686018427389000"),
            (-1.234_567_890_123_456_7e-4, "-1.2345678901234567e-4"),
            (0.001_234_567_890_123_456_7, "0.0012345678901234567"),
            (1_234.567_890_123_456_7, "1234.5678901234567"),
            (12_345.678_901_234_567, "1.2345678901234567e+4"),
            (-4.456_307_394_048_942_6e23, "-445630739404894260000000"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (123e20, "1.23e+22"),
            (-f64::MIN_POSITIVE, "-2.2250738585072014e-308"),
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (n, expected) in cases {
            assert_eq!(printed(n), expected);
        }
    }

    #[test]
    fn every_double_prints_in_the_fewest_digits_and_reads_back() {
        let mut bits = 1u64;
        for round in 0..200_000 {
            bits = bits.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let n = if round % 2 == 0 {
                f64::from_bits(bits)
            } else {
                // short decimals around 1
                num::f64_of_u64(bits >> 44) / [1.0, 10.0, 1e3, 1e7, 1e11][round % 5]
            };
            if n.is_nan() || n == 0.0 {
                continue;
            }
            let text = printed(n);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), n.to_bits(), "{n:e} as {text}");
            let digits = |text: &str| {
                let mantissa = text.split('e').next().unwrap();
                let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
                all.trim_matches('0').len()
            };
            if n.is_finite() && num::i64_exactly(n).is_none() {
                assert_eq!(digits(&text), digits(&format!("{n:e}")), "{text}");
            }
        }
    }

    #[test]
    fn the_short_cut_of_the_layout_is_the_layout() {
        let mut short_cuts = 0;
        for exponent in -12..20 {
            for digits in
                ["1", "9", "12", "1234567", "12345678", "1234567890123456", "12345678901234567"]
            {
                let n: f64 = format!("0.{digits}e{exponent}").parse().unwrap();
                let mut buffer = zmij::Buffer::new();
                let text = buffer.format_finite(n);
                let mut laid_out = Vec::new();
                Digits::of(text.as_bytes()).lay_out(&mut laid_out);
                if is_laid_out(text.as_bytes()) {
                    short_cuts += 1;
                    assert_eq!(text, String::from_utf8(laid_out).unwrap());
                }
            }
        }
        assert!(short_cuts > 50, "{short_cuts}");
    }

    /// Checked against the replies of a 7.0.15 server.
    #[test]
    fn reading_takes_what_strtod_takes() {
        let taken: [(&str, f64); 27] = [
            ("0", 0.0),
            ("-0", -0.0),
            ("+5", 5.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("-5.e1", -50.0),
            ("1E5", 1e5),
            ("007", 7.0),
            ("123456789012345678901234567890", 123_456_789_012_345_678_901_234_567_890.0),
            ("inf", f64::INFINITY),
            ("+Inf", f64::INFINITY),
            ("-INFINITY", f64::NEG_INFINITY),
            ("0x10", 16.0),
            ("-0X1P3", -8.0),
            ("0x1.8", 1.5),
            ("0x.8", 0.5),
            ("0x1.p1", 2.0),
            ("0x1p+3", 8.0),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.00000000000018p0", 1.000_000_000_000_000_4),
            ("0x0p99999", 0.0),
            ("0e99999", 0.0),
            ("0.00e-99999", 0.0),
            ("5e-324", 5e-324),
            ("1e-310", 1e-310),
            ("1.7976931348623157e308", f64::MAX),
            ("0.1", 0.1),
        ];
        for (text, expected) in taken {
            let n = parse_f64(text.as_bytes()).map(f64::to_bits);
            assert_eq!(n, Some(expected.to_bits()), "{text}");
        }
        let refused = [
            "",
            "+",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            "1e5x",
            "--5",
            "+-1",
            " 1",
            "1 ",
            "1_0",
            "1\n",
            "1\0",
            "1..",
            "1.0.0",
            "0x",
            "0x.",
            "0xg",
            "0x1p",
            "0x1p+",
            "nan",
            "-nan",
            "nan(1)",
            "infinit",
            "infinityx",
            "1e400",
            "-1e400",
            "1e-400",
            "4.9e-325",
            "0x1p99999",
            "0x1p-99999",
            "1e2.5",
            "0b1",
            "\u{664}",
        ];
        for text in refused {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_f64(b"1\xff"), None);
    }
}
