//! Numbers as bytes and back.

use super::format::{Order, Sign};
use crate::base::num;

/// A number as 64 bits: toward zero, and modulo 2^64 if negative. Too large ones, and what is none, give
/// what the processor gave the original library.
pub(super) fn bits_of(n: f64) -> u64 {
    const LIMIT: f64 = 18_446_744_073_709_551_616.0;
    if n.is_nan() {
        1 << 63
    } else if n < 0.0 {
        num::i64_truncated(n).cast_unsigned()
    } else if n < LIMIT {
        num::u64_truncated(n)
    } else {
        0
    }
}

/// Appends the low bytes of a number, `size` of them; there are zeros beyond the eighth.
pub(super) fn write_integer(bits: u64, size: usize, order: Order, out: &mut Vec<u8>) {
    let start = out.len();
    let bytes = bits.to_le_bytes();
    out.extend((0..size).map(|place| bytes.get(place).copied().unwrap_or(0)));
    match order {
        Order::Little => {}
        Order::Big => out[start..].reverse(),
    }
}

/// An integer of up to 32 bytes, the lowest 64 bits of it.
///
/// The sign of one of more than eight bytes is taken from a bit whose place is counted modulo 64, as the
/// shifts of the original library do on this processor.
pub(super) fn read_integer(bytes: &[u8], order: Order, sign: Sign) -> f64 {
    let join = |bits: u64, &byte: &u8| bits << 8 | u64::from(byte);
    let mut bits = match order {
        Order::Big => bytes.iter().fold(0, join),
        Order::Little => bytes.iter().rev().fold(0, join),
    };
    match sign {
        Sign::Unsigned => num::f64_of_u64(bits),
        Sign::Signed => {
            let place = num::low_u32(num::u64_of(bytes.len())).wrapping_mul(8).wrapping_sub(1);
            let mask = u64::MAX.wrapping_shl(place);
            if bits & mask != 0 {
                bits |= mask;
            }
            num::f64_of(bits.cast_signed())
        }
    }
}

/// Appends a single of four bytes.
pub(super) fn write_float(n: f64, order: Order, out: &mut Vec<u8>) {
    let n = num::f32_of(n);
    out.extend_from_slice(&match order {
        Order::Little => n.to_le_bytes(),
        Order::Big => n.to_be_bytes(),
    });
}

/// Appends a double of eight bytes.
pub(super) fn write_double(n: f64, order: Order, out: &mut Vec<u8>) {
    out.extend_from_slice(&match order {
        Order::Little => n.to_le_bytes(),
        Order::Big => n.to_be_bytes(),
    });
}

/// A single; `None` unless there are four bytes.
pub(super) fn read_float(bytes: &[u8], order: Order) -> Option<f64> {
    let bytes = bytes.try_into().ok()?;
    Some(f64::from(match order {
        Order::Little => f32::from_le_bytes(bytes),
        Order::Big => f32::from_be_bytes(bytes),
    }))
}

/// A double; `None` unless there are eight bytes.
pub(super) fn read_double(bytes: &[u8], order: Order) -> Option<f64> {
    let bytes = bytes.try_into().ok()?;
    Some(match order {
        Order::Little => f64::from_le_bytes(bytes),
        Order::Big => f64::from_be_bytes(bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_bits_as_on_a_7_0_15_server() {
        for (n, expected) in [
            (1.9, 1),
            (-1.9, u64::MAX),
            (9_223_372_036_854_775_808.0, 1 << 63),
            (-9_223_372_036_854_775_808.0, 1 << 63),
            (18_446_744_073_709_551_616.0, 0),
            (1e300, 0),
            (-1e300, 1 << 63),
            (f64::NAN, 1 << 63),
        ] {
            assert_eq!(bits_of(n), expected, "{n}");
        }
    }

    #[test]
    fn integers_of_every_size_are_written_and_read_back() {
        for order in [Order::Little, Order::Big] {
            for size in 1..=8 {
                for n in [0, 1, 100, -1, -100] {
                    let mut out = Vec::new();
                    write_integer(i64::cast_unsigned(n), size, order, &mut out);
                    assert_eq!(out.len(), size);
                    assert_eq!(read_integer(&out, order, Sign::Signed), num::f64_of(n));
                }
            }
        }
        let mut out = Vec::new();
        write_integer(u64::MAX - 1, 16, Order::Big, &mut out);
        assert_eq!(out, [[0; 8], [255, 255, 255, 255, 255, 255, 255, 254]].concat());
    }

    #[test]
    fn signs_of_long_integers_are_where_the_shift_puts_them() {
        let bytes =
            |first: u8, second: u8, len: usize| [vec![first, second], vec![0; len - 2]].concat();
        for (bytes, expected) in [
            (bytes(129, 0, 9), -127.0),
            (bytes(1, 2, 9), -127.0),
            (bytes(1, 2, 10), 513.0),
            (bytes(129, 0, 17), -127.0),
            (vec![255; 16], -1.0),
        ] {
            assert_eq!(read_integer(&bytes, Order::Little, Sign::Signed), expected);
        }
    }
}
