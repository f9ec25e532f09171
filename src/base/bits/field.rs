//! Integers of 1 to 64 bits that start at any bit, most significant bit first.

use super::num;

/// The width of an integer, and whether it has a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    signed: bool,
    bits: u32,
}

/// What happens to an integer that a field cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Its low bits are kept.
    Wrap,
    /// The nearest that the field can hold is kept.
    Saturate,
    /// Nothing is changed.
    Fail,
}

/// A field may touch so many bytes: seven bits of the first, then 57.
const WINDOW_BYTES: usize = 9;
const WORD_BITS: u32 = u128::BITS;

impl Field {
    /// Reads `i1` to `i64` and `u1` to `u63`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (signed, bits, bits_max) = match text {
            [b'i', bits @ ..] => (true, bits, 64),
            [b'u', bits @ ..] => (false, bits, 63),
            _ => return None,
        };
        let bits = u32::try_from(num::parse_i64(bits)?).ok()?;
        (1..=bits_max).contains(&bits).then_some(Self { signed, bits })
    }

    /// Its width.
    #[must_use]
    pub fn bits(self) -> u64 {
        u64::from(self.bits)
    }

    /// The field's integer at bit `offset`; bits beyond the end are 0. O(1).
    #[must_use]
    pub fn read(self, bytes: &[u8], offset: u64) -> i64 {
        let (window, skip) = window(bytes, offset);
        self.extend(window << skip >> (WORD_BITS - self.bits))
    }

    /// Puts the low bits of `value` at bit `offset`. O(1).
    ///
    /// # Panics
    /// If the field goes beyond the bytes.
    pub fn write(self, bytes: &mut [u8], offset: u64, value: i64) {
        let (window, skip) = window(bytes, offset);
        let lift = WORD_BITS - self.bits - skip;
        let mask = self.mask() << lift;
        let value = u128::from(value.cast_unsigned()) << lift;
        let changed = ((window & !mask) | (value & mask)).to_be_bytes();
        let start = num::usize_of(offset / 8);
        let end = num::usize_of((offset + self.bits()).div_ceil(8));
        bytes[start..end].copy_from_slice(&changed[..end - start]);
    }

    /// What SET stores for `value`. An unsigned field takes a negative one for the huge number of the same
    /// bits. `None` if that overflows and overflowing fails.
    #[must_use]
    pub fn fit(self, value: i64, overflow: Overflow) -> Option<i64> {
        if !self.signed {
            return self.keep(i128::from(value.cast_unsigned()), overflow);
        }
        let [_, max] = self.bounds();
        // In Redis the distance to the greatest integer has 64 bits, too. Where it needs one more, which is
        // next to `i64::MIN`, the value counts as too great.
        let is_far = self.bits < 64 && max - i128::from(value) > i128::from(i64::MAX);
        let value = if is_far && overflow == Overflow::Saturate { max } else { i128::from(value) };
        self.keep(value, overflow)
    }

    /// The sum of what the field holds and an increment. `None` if it overflows and overflowing fails.
    #[must_use]
    pub fn add(self, held: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        self.keep(i128::from(held) + i128::from(increment), overflow)
    }

    fn keep(self, value: i128, overflow: Overflow) -> Option<i64> {
        let [min, max] = self.bounds();
        let kept = match overflow {
            Overflow::Wrap => return Some(self.extend(value.cast_unsigned())),
            Overflow::Saturate => value.clamp(min, max),
            Overflow::Fail if value < min || value > max => return None,
            Overflow::Fail => value,
        };
        Some(self.extend(kept.cast_unsigned()))
    }

    /// The least and the greatest integer the field can hold.
    fn bounds(self) -> [i128; 2] {
        if self.signed {
            let half = 1 << (self.bits - 1);
            [-half, half - 1]
        } else {
            [0, (1 << self.bits) - 1]
        }
    }

    fn mask(self) -> u128 {
        (1 << self.bits) - 1
    }

    /// The integer that the low bits of `word` are in this field.
    fn extend(self, word: u128) -> i64 {
        let unused = u64::BITS - self.bits;
        let top = num::low_u64(word & self.mask()) << unused;
        if self.signed { top.cast_signed() >> unused } else { (top >> unused).cast_signed() }
    }
}

/// The bytes from bit `offset` on as one big-endian word, zeros beyond the end; and how many bits of the
/// first byte come before the offset.
fn window(bytes: &[u8], offset: u64) -> (u128, u32) {
    let start = num::usize_of(offset / 8).min(bytes.len());
    let end = bytes.len().min(start + WINDOW_BYTES);
    let mut buffer = [0; size_of::<u128>()];
    buffer[..end - start].copy_from_slice(&bytes[start..end]);
    (u128::from_be_bytes(buffer), num::low_u32(offset % 8))
}

#[cfg(test)]
mod tests {
    use super::super::place;
    use super::*;
    use crate::base::rng::Rng;

    fn field(text: &str) -> Field {
        Field::parse(text.as_bytes()).expect("a type")
    }

    fn any_field(rng: &mut Rng) -> Field {
        let signed = rng.below(2) == 0;
        let bits = 1 + num::low_u32(rng.below(if signed { 64 } else { 63 }));
        Field { signed, bits }
    }

    /// Bit by bit; two's complement is undone at the end.
    fn naive_read(field: Field, bytes: &[u8], offset: u64) -> i64 {
        let mut value: i128 = 0;
        for bit in offset..offset + field.bits() {
            let (byte, mask) = place(bit);
            value = 2 * value + i128::from(bytes.get(byte).is_some_and(|byte| byte & mask != 0));
        }
        if field.signed && value >= 1 << (field.bits - 1) {
            value -= 1 << field.bits;
        }
        i64::try_from(value).expect("64 bits")
    }

    #[test]
    fn types_are_a_letter_and_a_width() {
        for text in ["i1", "i64", "u1", "u63"] {
            assert!(Field::parse(text.as_bytes()).is_some(), "{text}");
        }
        for text in
            ["", "i", "u", "i0", "u0", "i65", "u64", "I8", "i08", "i-8", "i8 ", "8", "u4294967297"]
        {
            assert!(Field::parse(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn integers_read_as_their_bits_do() {
        let mut rng = Rng::seeded(14);
        for _ in 0..5000 {
            let mut bytes = vec![0; rng.below_usize(20)];
            rng.fill(&mut bytes);
            let (field, offset) = (any_field(&mut rng), rng.below(180));
            assert_eq!(field.read(&bytes, offset), naive_read(field, &bytes, offset));
        }
        assert_eq!(field("i64").read(b"abc", u64::MAX - 7), 0);
    }

    #[test]
    fn writing_changes_the_field_and_nothing_else() {
        let mut rng = Rng::seeded(15);
        for _ in 0..5000 {
            let mut before = vec![0; 20];
            rng.fill(&mut before);
            let (field, offset) = (any_field(&mut rng), rng.below(97));
            let mut after = before.clone();
            let value = rng.next_u64().cast_signed() >> rng.below(64);
            field.write(&mut after, offset, value);
            assert_eq!(Some(field.read(&after, offset)), field.fit(value, Overflow::Wrap));
            for bit in (0..160).filter(|bit| !(offset..offset + field.bits()).contains(bit)) {
                let (byte, mask) = place(bit);
                assert_eq!(before[byte] & mask, after[byte] & mask);
            }
        }
    }

    #[test]
    fn overflowing_wraps_saturates_or_fails() {
        use Overflow::{Fail, Saturate, Wrap};
        let (u2, i8, i64, u63) = (field("u2"), field("i8"), field("i64"), field("u63"));
        assert_eq!([Wrap, Saturate, Fail].map(|how| u2.add(3, 1, how)), [Some(0), Some(3), None]);
        assert_eq!([Wrap, Saturate, Fail].map(|how| u2.add(1, -2, how)), [Some(3), Some(0), None]);
        assert_eq!([Wrap, Saturate, Fail].map(|how| u2.fit(-1, how)), [Some(3), Some(3), None]);
        assert_eq!(
            [Wrap, Saturate, Fail].map(|how| i8.fit(128, how)),
            [Some(-128), Some(127), None]
        );
        assert_eq!(
            [Wrap, Saturate, Fail].map(|how| i64.add(i64::MAX, 1, how)),
            [Some(i64::MIN), Some(i64::MAX), None]
        );
        assert_eq!(
            [Wrap, Saturate, Fail].map(|how| i64.add(i64::MIN, i64::MIN, how)),
            [Some(0), Some(i64::MIN), None]
        );
        assert_eq!(
            [Wrap, Saturate, Fail].map(|how| u63.add(i64::MAX, i64::MAX, how)),
            [Some(i64::MAX - 1), Some(i64::MAX), None]
        );
        assert_eq!(field("i1").fit(1, Wrap), Some(-1));
        // As redis-server 7.0.15 replies.
        assert_eq!(i8.fit(i64::MIN + 128, Saturate), Some(-128));
        assert_eq!(i8.fit(i64::MIN + 127, Saturate), Some(127));
        assert_eq!(i64.fit(i64::MIN, Saturate), Some(i64::MIN));
    }
}
