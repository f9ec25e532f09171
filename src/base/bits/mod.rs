//! Bits of byte strings: counting, searching, combining them, and integers of any width among them.
//!
//! Bit 0 is the most significant bit of the first byte, as SETBIT numbers them. Ranges are half open.
//! Everything here is pure and runs over words, in loops that the compiler turns into vector code.

mod combine;
mod count;
mod field;
mod find;

pub use combine::{Combine, combine};
pub use count::count_ones;
pub use field::{Field, Overflow};
pub use find::{Bit, find_first};

use super::num;
use std::ops::Range;

/// Where a bit is: its byte, and the mask that selects it there.
#[inline]
#[must_use]
pub const fn place(bit: u64) -> (usize, u8) {
    (num::usize_of(bit / 8), 0x80 >> (bit % 8))
}

/// How many bits there are.
#[inline]
#[must_use]
pub const fn len_of(bytes: &[u8]) -> u64 {
    num::u64_of(bytes.len()) * 8
}

/// The bytes a range of bits touches, and the masks that select its bits in the first and the last of
/// them (both apply if that is one byte).
fn split(range: &Range<u64>) -> (Range<usize>, u8, u8) {
    let bytes = num::usize_of(range.start / 8)..num::usize_of(range.end.div_ceil(8));
    let first = 0xff >> (range.start % 8);
    let unused = (8 - range.end % 8) % 8;
    (bytes, first, 0xff << unused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_numbered_from_the_most_significant_one() {
        assert_eq!(
            [0, 7, 8, 4_294_967_295].map(place),
            [(0, 0x80), (0, 1), (1, 0x80), (536_870_911, 1)]
        );
    }

    #[test]
    fn a_range_of_bits_is_bytes_and_masks() {
        assert_eq!(split(&(0..8)), (0..1, 0xff, 0xff));
        assert_eq!(split(&(3..13)), (0..2, 0b0001_1111, 0b1111_1000));
        assert_eq!(split(&(9..10)), (1..2, 0b0111_1111, 0b1100_0000));
    }
}
