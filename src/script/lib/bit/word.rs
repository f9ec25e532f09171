//! Words of 32 bits: what a number is as one, and its digits.

use crate::base::num;

/// The hexadecimal digits of a word.
pub(super) const DIGITS_MAX: i32 = 8;

/// A number as a word: rounded to an integer (to the even one of two), modulo 2^32.
///
/// Beyond 2^51 in magnitude the addition rounds further, and what comes out is what the original
/// library's trick gives, which is this one.
pub(super) fn of(n: f64) -> u32 {
    /// 2^52 + 2^51: added to a number it leaves the integer in the low bits of the fraction.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    num::low_u32((n + SHIFT).to_bits())
}

/// Appends the last hexadecimal digits: `width` of them, at most eight, in upper case if it is negative.
pub(super) fn write_hex(word: u32, width: i32, out: &mut Vec<u8>) {
    let digits = if width < 0 { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let width = width.unsigned_abs().min(DIGITS_MAX.unsigned_abs());
    for place in (0..width).rev() {
        let digit = (word >> (4 * place)) & 15;
        out.push(digits[num::usize_of_u32(digit)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_modulo_two_to_the_32() {
        for (n, expected) in [
            (1.0, 1),
            (2_147_483_648.0, i32::MIN),
            (4_294_967_301.0, 5),
            (-1.0, -1),
            (1.5, 2),
            (2.5, 2),
            (-2.5, -2),
            (1e300, -2_013_235_812),
            (f64::INFINITY, 0),
        ] {
            assert_eq!(of(n).cast_signed(), expected, "{n}");
        }
    }

    fn hex(word: u32, width: i32) -> String {
        let mut out = Vec::new();
        write_hex(word, width, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cve_2024_31449_hex_digits_of_an_extreme_width_are_eight() {
        assert_eq!(hex(0xdead_beef, i32::MIN), "DEADBEEF");
        assert_eq!(hex(0xdead_beef, i32::MAX), "deadbeef");
        assert_eq!(hex(255, 0), "");
        assert_eq!(hex(255, 4), "00ff");
        assert_eq!(hex(255, -1), "F");
    }
}
