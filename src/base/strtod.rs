//! A double at the start of a text, as C's `strtod` finds it there.
//!
//! [`super::float`] reads texts that are numbers as a whole, which is what commands want. Parsers that
//! go on behind the number, such as that of JSON, want its length as well. Here NaN is a number, what
//! is too large is an infinity, and what is too small is zero, as `strtod` has it.

use super::num;

/// The bits of a double's fraction.
const FRACTION_BITS: i64 = 52;
/// The smallest exponent: that of the last bit of a subnormal double.
const EXPONENT_MIN: i64 = -1074;
/// Beyond this an exponent decides alone; digits cannot make up for it in a text that fits in memory.
const EXPONENT_CLAMP: i64 = 1 << 50;

/// The double that `text` starts with and how many bytes spell it; `None` if it starts with none.
///
/// Taken are decimal and hexadecimal numbers, `inf`, `infinity`, `nan` and `nan(letters)` in any case,
/// each with an optional sign. (The letters of a NaN are its payload in C; here they are ignored.)
#[must_use]
pub fn read_f64(text: &[u8]) -> Option<(f64, usize)> {
    let (negative, sign_len) = match text.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        Some(_) | None => (false, 0),
    };
    let (magnitude, len) = read_magnitude(&text[sign_len..])?;
    Some((if negative { -magnitude } else { magnitude }, sign_len + len))
}

fn read_magnitude(text: &[u8]) -> Option<(f64, usize)> {
    if starts_with(text, b"infinity") {
        return Some((f64::INFINITY, 8));
    }
    if starts_with(text, b"inf") {
        return Some((f64::INFINITY, 3));
    }
    if starts_with(text, b"nan") {
        return Some((f64::NAN, 3 + payload_len(&text[3..])));
    }
    if let [b'0', b'x' | b'X', digits @ ..] = text
        && let Some((n, len)) = read_hexadecimal(digits)
    {
        return Some((n, 2 + len));
    }
    read_decimal(text)
}

fn starts_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// The length of `(letters)` behind a NaN; 0 if it is not complete.
fn payload_len(text: &[u8]) -> usize {
    let [b'(', rest @ ..] = text else { return 0 };
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let letters = rest.iter().take_while(|byte| is_letter(byte)).count();
    if rest.get(letters) == Some(&b')') { letters + 2 } else { 0 }
}

/// Digits with at most one point among them, and what can be said of them.
struct Mantissa {
    /// How many bytes, the point included.
    len: usize,
    digits: usize,
    /// How many digits are behind the point.
    decimals: usize,
}

impl Mantissa {
    fn scan(text: &[u8], is_digit: fn(&u8) -> bool) -> Option<Mantissa> {
        let count = |text: &[u8]| text.iter().take_while(|byte| is_digit(byte)).count();
        let whole = count(text);
        let decimals = match &text[whole..] {
            [b'.', rest @ ..] => count(rest),
            _ => 0,
        };
        if whole + decimals == 0 {
            return None;
        }
        let point = usize::from(text.get(whole) == Some(&b'.'));
        Some(Mantissa { len: whole + point + decimals, digits: whole + decimals, decimals })
    }
}

/// The length and value of `e-7` behind a mantissa; `None` without digits.
fn scan_exponent(text: &[u8], mark: u8) -> Option<(usize, i64)> {
    let [first, rest @ ..] = text else { return None };
    if !first.eq_ignore_ascii_case(&mark) {
        return None;
    }
    let (negative, digits) = match rest {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if len == 0 {
        return None;
    }
    let magnitude = digits[..len].iter().fold(0, |n: i64, digit| {
        (n.min(EXPONENT_CLAMP) * 10 + i64::from(digit - b'0')).min(EXPONENT_CLAMP)
    });
    let signs = rest.len() - digits.len();
    Some((1 + signs + len, if negative { -magnitude } else { magnitude }))
}

fn read_decimal(text: &[u8]) -> Option<(f64, usize)> {
    let mantissa = Mantissa::scan(text, u8::is_ascii_digit)?;
    let exponent_len = scan_exponent(&text[mantissa.len..], b'e').map_or(0, |(len, _)| len);
    let len = mantissa.len + exponent_len;
    let n = str::from_utf8(&text[..len]).ok()?.parse().ok()?;
    Some((n, len))
}

/// What follows `0x`.
fn read_hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    let mantissa = Mantissa::scan(text, u8::is_ascii_hexdigit)?;
    let (exponent_len, power) = scan_exponent(&text[mantissa.len..], b'p').unwrap_or((0, 0));
    let digits = text[..mantissa.len].iter().filter(|&&byte| byte != b'.');
    let mut significant = 0_u64;
    let mut kept = 0;
    let mut rest_is_zero = true;
    for &digit in digits {
        let value = u64::from(hex_value(digit));
        if significant >> 60 == 0 {
            significant = significant << 4 | value;
            kept += 1;
        } else {
            rest_is_zero &= value == 0;
        }
    }
    // Each digit dropped is worth four bits more, each one behind the point four less.
    let dropped = num::i64_of(mantissa.digits - kept) - num::i64_of(mantissa.decimals);
    let sticky = u64::from(!rest_is_zero);
    let n = scaled(significant | sticky, power + 4 * dropped);
    Some((n, mantissa.len + exponent_len))
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

/// `n * 2^power`, rounded to the nearest double, to the even one of two.
fn scaled(n: u64, power: i64) -> f64 {
    if n == 0 {
        return 0.0;
    }
    let shift = i64::from(n.leading_zeros());
    let (n, power) = (n << shift, power - shift); // the highest bit is set
    // How many bits go: 11 leave 53, and more for a subnormal double.
    let excess = (64 - FRACTION_BITS - 1).max(EXPONENT_MIN - power);
    if excess > 64 {
        return 0.0;
    }
    let wide = u128::from(n);
    let (mut kept, rest) = (wide >> excess, wide & ((1 << excess) - 1));
    let half = 1_u128 << (excess - 1);
    if rest > half || (rest == half && kept & 1 == 1) {
        kept += 1;
    }
    // A carry out of the fraction raises the exponent by itself, as the two are neighbours.
    let biased = power + excess - EXPONENT_MIN;
    if biased >= 2046 {
        return f64::INFINITY;
    }
    let fraction = num::low_u64(kept);
    let hidden = 1_u64 << FRACTION_BITS;
    if fraction < hidden {
        return f64::from_bits(fraction); // subnormal: the exponent's field is 0
    }
    f64::from_bits((biased.cast_unsigned() << FRACTION_BITS) + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checked against `cjson.decode` of a 7.0.15 server.
    #[test]
    fn a_number_ends_where_strtod_ends() {
        let cases: [(&str, f64, usize); 36] = [
            ("1", 1.0, 1),
            ("+1", 1.0, 2),
            ("-01", -1.0, 3),
            ("1.", 1.0, 2),
            (".5x", 0.5, 2),
            ("-.5e1,", -5.0, 5),
            ("1e5e", 1e5, 3),
            ("1e", 1.0, 1),
            ("1e+", 1.0, 1),
            ("1.5.2", 1.5, 3),
            ("1..2", 1.0, 2),
            ("1-2", 1.0, 1),
            ("1e999", f64::INFINITY, 5),
            ("-1e999", f64::NEG_INFINITY, 6),
            ("1e-999", 0.0, 6),
            ("1e99999999999999999999", f64::INFINITY, 22),
            ("inf", f64::INFINITY, 3),
            ("infinit", f64::INFINITY, 3),
            ("-iNfInItYx", f64::NEG_INFINITY, 9),
            ("0x10", 16.0, 4),
            ("0x", 0.0, 1),
            ("0x.p1", 0.0, 1),
            ("0x1p", 1.0, 3),
            ("0x1p+", 1.0, 3),
            ("0X1P-3", 0.125, 6),
            ("0x.8", 0.5, 4),
            ("0x1.8p1z", 3.0, 7),
            ("0x1p99999", f64::INFINITY, 9),
            ("0x1p-99999", 0.0, 10),
            ("0x1p-1074", 5e-324, 9),
            ("0x1p-1075", 0.0, 9),
            ("0x1.8p-1075", 5e-324, 11),
            ("0x1.fffffffffffffp1023", f64::MAX, 22),
            ("0x1.fffffffffffff8p1023", f64::INFINITY, 23),
            ("0xffffffffffffffffffffff", 309_485_009_821_345_068_724_781_055.0, 24),
            ("0x0p999999999999999999999", 0.0, 25),
        ];
        for (text, n, len) in cases {
            let read = read_f64(text.as_bytes()).map(|(n, len)| (n.to_bits(), len));
            assert_eq!(read, Some((n.to_bits(), len)), "{text}");
        }
        for (text, expected) in
            [("nan", 3), ("NaN(a_1)x", 8), ("nan(a-1)", 3), ("nan()", 5), ("nan(", 3)]
        {
            let (n, len) = read_f64(text.as_bytes()).unwrap();
            assert_eq!((n.is_nan(), n.is_sign_negative(), len), (true, false, expected), "{text}");
        }
        assert!(read_f64(b"-nan").unwrap().0.is_sign_negative());
        for text in ["", "-", "+", ".", "- 1", "--1", "x", "in", "e5", "-.e1"] {
            assert_eq!(read_f64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn hexadecimal_numbers_are_what_the_long_arithmetic_says() {
        let mut bits = 7_u64;
        let mut next = move || {
            bits = bits.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            bits >> 20
        };
        for round in 0..20_000 {
            let power = i64::try_from(next() % 2300).unwrap() - 1200;
            let (whole, decimals) = (next() >> (next() % 40), next());
            let text = match round % 3 {
                0 => format!("0x{whole:x}.{decimals:x}p{power}"),
                1 => format!("0x{decimals:x}{whole:011x}{decimals:011x}1p{}", power - 90),
                _ => format!("0x.000{decimals:x}p{power}"),
            };
            let (n, len) = read_f64(text.as_bytes()).unwrap();
            assert_eq!(len, text.len());
            match crate::base::float::parse_f64(text.as_bytes()) {
                Some(expected) => assert_eq!(n.to_bits(), expected.to_bits(), "{text}"),
                None => assert!(n == 0.0 || n.is_infinite(), "{text} as {n}"),
            }
        }
    }

    #[test]
    fn every_short_text_is_read_without_a_panic_and_its_end_is_a_fixed_point() {
        let alphabet = b"0x1.eEpP+-infa(_)";
        let mut text = Vec::new();
        for round in 0..200_000_usize {
            text.clear();
            let mut rest = round.wrapping_mul(2_654_435_761) % 24_137_569;
            while rest > 0 {
                text.push(alphabet[rest % alphabet.len()]);
                rest /= alphabet.len();
            }
            if let Some((n, len)) = read_f64(&text) {
                let again = read_f64(&text[..len]).unwrap();
                assert_eq!((again.0.to_bits(), again.1), (n.to_bits(), len));
            }
        }
    }
}
