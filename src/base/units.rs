//! Sizes of memory and percentages as `redis.conf` writes them.
//!
//! `1k` is 1000 bytes and `1kb` is 1024; likewise `m` and `mb`, `g` and `gb`. `b` or no unit is
//! bytes. Case does not matter.

use super::num;

const KB: u64 = 1 << 10;
const MB: u64 = 1 << 20;
const GB: u64 = 1 << 30;

/// A number of bytes. No digits at all count as 0 (`""`, `kb`), as in Redis.
///
/// `None` for signs, fractions, blanks, other units, and for 2^64 bytes or more, where Redis would
/// wrap around or stop at 2^64 - 1.
#[must_use]
pub fn parse_size(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    let significant = &number[number.iter().take_while(|&&digit| digit == b'0').count()..];
    let number = if significant.is_empty() { 0 } else { num::parse_u64(significant)? };
    let bytes = match &*unit.to_ascii_lowercase() {
        b"" | b"b" => 1,
        b"k" => 1_000,
        b"kb" => KB,
        b"m" => 1_000_000,
        b"mb" => MB,
        b"g" => 1_000_000_000,
        b"gb" => GB,
        _ => return None,
    };
    number.checked_mul(bytes)
}

/// Appends a size for `redis.conf`: in the largest binary unit that divides it, `100mb`.
pub fn write_size(out: &mut Vec<u8>, bytes: u64) {
    let (unit, name): (u64, &[u8]) = match bytes {
        0 => (1, b""),
        _ if bytes.is_multiple_of(GB) => (GB, b"gb"),
        _ if bytes.is_multiple_of(MB) => (MB, b"mb"),
        _ if bytes.is_multiple_of(KB) => (KB, b"kb"),
        _ => (1, b""),
    };
    num::write_u64(out, bytes / unit);
    out.extend_from_slice(name);
}

/// A size for people, as the `_human` fields of INFO show it: `512B`, `1.50K`, `2.25G`.
#[must_use]
pub fn human_size(bytes: u64) -> String {
    const SCALES: [(u32, char); 5] = [(50, 'P'), (40, 'T'), (30, 'G'), (20, 'M'), (10, 'K')];
    // From 1024 P on Redis falls back to bytes.
    if !(KB..1 << 60).contains(&bytes) {
        return format!("{bytes}B");
    }
    let (shift, name) = SCALES
        .into_iter()
        .find(|(shift, _)| bytes >> shift > 0)
        .expect("sizes from 1 KiB to 1 EiB have a unit");
    format!("{:.2}{name}", num::ratio(bytes, 1 << shift))
}

/// The number before a `%`, unbounded: whether 101 is too much is the directive's affair.
#[must_use]
pub fn parse_percent(text: &[u8]) -> Option<u64> {
    num::parse_u64(text.strip_suffix(b"%")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_decimal_and_binary_units() {
        let cases = [
            ("0", 0),
            ("1b", 1),
            ("1k", 1000),
            ("1Kb", 1024),
            ("2m", 2_000_000),
            ("2MB", 2 << 20),
            ("3g", 3_000_000_000),
            ("3gB", 3 << 30),
            ("007", 7),
            ("", 0),
            ("kb", 0),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text.as_bytes()), Some(bytes), "{text}");
        }
        let refused = [
            "-1",
            "+1",
            "1t",
            "1 kb",
            " 1",
            "1.5gb",
            "1kbb",
            "18446744073709551616",
            "17179869184gb",
        ];
        for text in refused {
            assert_eq!(parse_size(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_written_in_the_largest_unit_that_divides_and_read_back() {
        let cases = [
            (0, "0"),
            (1000, "1000"),
            (1024, "1kb"),
            (1 << 20, "1mb"),
            (5 << 30, "5gb"),
            (1536, "1536"),
        ];
        for (bytes, text) in cases {
            let mut out = Vec::new();
            write_size(&mut out, bytes);
            assert_eq!(String::from_utf8(out.clone()).unwrap(), text);
            assert_eq!(parse_size(&out), Some(bytes));
        }
    }

    #[test]
    fn people_see_two_decimals() {
        let cases = [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1_572_864, "1.50M"),
            ((1 << 40) - 1, "1024.00G"),
            (1 << 40, "1.00T"),
            (1 << 50, "1.00P"),
            (1 << 60, "1152921504606846976B"),
        ];
        for (bytes, text) in cases {
            assert_eq!(human_size(bytes), text);
        }
    }

    #[test]
    fn percentages_are_canonical_integers() {
        assert_eq!(parse_percent(b"0%"), Some(0));
        assert_eq!(parse_percent(b"101%"), Some(101));
        for text in ["5", "%", "-1%", "1.5%", "5 %", "010%", ""] {
            assert_eq!(parse_percent(text.as_bytes()), None, "{text}");
        }
    }
}
