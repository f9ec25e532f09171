//! The first set or clear bit.

use super::{num, split};
use std::ops::Range;

/// What a bit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bit {
    /// 0
    Clear,
    /// 1
    Set,
}

/// Bytes of which it is found out together whether one of them has the bit.
const STRIDE_BYTES: usize = 64;

/// The first bit of `range` that is `bit`. O(bytes up to there).
///
/// # Panics
/// If the range goes beyond the bytes.
#[must_use]
pub fn find_first(bytes: &[u8], bit: Bit, range: Range<u64>) -> Option<u64> {
    if range.is_empty() {
        return None;
    }
    // Turned so that a set bit is looked for.
    let flip = match bit {
        Bit::Set => 0,
        Bit::Clear => 0xff,
    };
    let (touched, first, last) = split(&range);
    let at = |index: usize, byte: u8| {
        Some(num::u64_of(index) * 8 + u64::from(byte.leading_zeros())).filter(|_| byte != 0)
    };
    let start = touched.start;
    match &bytes[touched] {
        [] => None,
        [only] => at(start, (only ^ flip) & first & last),
        [head, body @ .., tail] => at(start, (head ^ flip) & first)
            .or_else(|| {
                let index = find_other(body, flip)?;
                at(start + 1 + index, body[index] ^ flip)
            })
            .or_else(|| at(start + 1 + body.len(), (tail ^ flip) & last)),
    }
}

/// The first byte that is not `byte`.
fn find_other(bytes: &[u8], byte: u8) -> Option<usize> {
    let same = u64::from_ne_bytes([byte; 8]);
    let (strides, _) = bytes.as_chunks::<STRIDE_BYTES>();
    let differs = |stride: &[u8; STRIDE_BYTES]| {
        let (words, _) = stride.as_chunks::<8>();
        words.iter().fold(0, |any, word| any | (u64::from_ne_bytes(*word) ^ same)) != 0
    };
    let skipped = strides.iter().position(differs).unwrap_or(strides.len()) * STRIDE_BYTES;
    let found = bytes[skipped..].iter().position(|&other| other != byte);
    found.map(|index| skipped + index)
}

#[cfg(test)]
mod tests {
    use super::super::{len_of, place};
    use super::*;
    use crate::base::rng::Rng;

    fn naive(bytes: &[u8], bit: Bit, mut range: Range<u64>) -> Option<u64> {
        range.find(|&at| {
            let (byte, mask) = place(at);
            (bytes[byte] & mask != 0) == (bit == Bit::Set)
        })
    }

    #[test]
    fn the_first_bit_is_that_of_a_walk() {
        let mut rng = Rng::seeded(12);
        for _ in 0..2000 {
            let (bit, fill) = if rng.below(2) == 0 { (Bit::Set, 0) } else { (Bit::Clear, 0xff) };
            let mut bytes = vec![fill; rng.below_usize(300)];
            for _ in 0..rng.below(3) {
                if !bytes.is_empty() {
                    let (byte, mask) = place(rng.below(len_of(&bytes)));
                    bytes[byte] ^= mask;
                }
            }
            let start = rng.below(len_of(&bytes) + 1);
            let end = start + rng.below(len_of(&bytes) - start + 1);
            let range = start..end;
            assert_eq!(find_first(&bytes, bit, range.clone()), naive(&bytes, bit, range));
        }
    }

    #[test]
    fn every_short_range_is_searched() {
        for bytes in [[0b0001_0000, 0, 0b0000_0010], [0xff, 0b1111_0111, 0xfe]] {
            for start in 0..=24 {
                for end in start..=24 {
                    for bit in [Bit::Set, Bit::Clear] {
                        let found = find_first(&bytes, bit, start..end);
                        assert_eq!(found, naive(&bytes, bit, start..end));
                    }
                }
            }
        }
    }
}
