//! Which bits of a hash serve what.
//!
//! ```text
//! bit 63      56                                       shift + 16    shift            0
//!     |  tag  |                                        |  fragment  |
//!                                                           | address: some low bits |
//! ```
//! The address is as wide as the table is large. A split needs the address's next bit: it is in the
//! fragment, which is stored beside the item's pointer. When the address reaches the fragment's end
//! the fragment moves up, bucket by bucket, and only then must splits read the items to hash them
//! again. Tag and fragment together tell most other keys from the one looked for.

use crate::base::num;

/// Bits of a fragment.
const FRAGMENT: u32 = 16;
/// Address widths, in bits, from which the fragment begins there instead of below.
const FIRST_MOVE: u32 = 12;
const SECOND_MOVE: u32 = 28;
const _: () = assert!(FIRST_MOVE <= FRAGMENT && SECOND_MOVE - FIRST_MOVE <= FRAGMENT);
// 2^42 buckets of 64 bytes are all that 48-bit addresses reach.
const _: () = assert!(SECOND_MOVE + FRAGMENT > 42);

/// The 8 bits that a bucket compares first.
#[inline]
pub(super) fn tag(hash: u64) -> u8 {
    num::low_u8(hash >> 56)
}

/// Where the fragment lies: the number of bits below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    shift: u32,
}

impl Window {
    /// The window of buckets whose address is `width` bits of the hash.
    pub(super) const fn of(width: u32) -> Window {
        let shift = match width {
            0..FIRST_MOVE => 0,
            FIRST_MOVE..SECOND_MOVE => FIRST_MOVE,
            SECOND_MOVE.. => SECOND_MOVE,
        };
        Window { shift }
    }

    /// The fragment of a hash.
    #[inline]
    pub(super) fn fragment(self, hash: u64) -> u16 {
        num::low_u16(hash >> self.shift)
    }

    /// Whether bit `bit` of the hash is set; a split of buckets with this window needs no other.
    #[inline]
    pub(super) fn is_set(self, fragment: u16, bit: u32) -> bool {
        debug_assert!((self.shift..self.shift + FRAGMENT).contains(&bit));
        fragment >> (bit - self.shift) & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_holds_the_bit_its_split_needs() {
        let hash = 0x0123_4567_89ab_cdef;
        for width in 0..43 {
            let window = Window::of(width);
            if window == Window::of(width + 1) {
                let expected = hash >> width & 1 != 0;
                assert_eq!(window.is_set(window.fragment(hash), width), expected, "{width}");
            }
        }
        assert_eq!(tag(hash), 0x01);
    }
}
