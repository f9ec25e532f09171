//! Population count, by carry-save adders (Harley and Seal): sixteen blocks are added bitwise into
//! blocks of ones, twos, fours, eights and sixteens, so that only one in sixteen has its bits counted.

use super::split;
use std::ops::Range;

const LANES: usize = 8;
const STEP: usize = 16;

/// Words that are worked on in parallel.
type Block = [u64; LANES];
const BLOCK_BYTES: usize = size_of::<Block>();

/// How many bits of `range` are set. O(bytes).
///
/// # Panics
/// If the range goes beyond the bytes.
#[must_use]
pub fn count_ones(bytes: &[u8], range: Range<u64>) -> u64 {
    if range.is_empty() {
        return 0;
    }
    let (touched, first, last) = split(&range);
    match &bytes[touched] {
        [] => 0,
        [only] => u64::from((only & first & last).count_ones()),
        [head, body @ .., tail] => {
            u64::from((head & first).count_ones() + (tail & last).count_ones()) + count_all(body)
        }
    }
}

fn count_all(bytes: &[u8]) -> u64 {
    let mut strides = bytes.chunks_exact(STEP * BLOCK_BYTES);
    let mut sums = Sums::default();
    for stride in &mut strides {
        sums.add(stride);
    }
    let (words, rest) = strides.remainder().as_chunks::<8>();
    let words: u32 = words.iter().map(|word| u64::from_ne_bytes(*word).count_ones()).sum();
    let rest: u32 = rest.iter().map(|byte| byte.count_ones()).sum();
    sums.total() + u64::from(words + rest)
}

/// What was counted so far: `sixteens` in full, and what has not reached sixteen yet.
#[derive(Default)]
struct Sums {
    ones: Block,
    twos: Block,
    fours: Block,
    eights: Block,
    sixteens: u64,
}

impl Sums {
    #[inline(always)]
    fn add(&mut self, stride: &[u8]) {
        let block = |index: usize| -> Block {
            let (words, _) = stride[index * BLOCK_BYTES..][..BLOCK_BYTES].as_chunks::<8>();
            std::array::from_fn(|lane| u64::from_ne_bytes(words[lane]))
        };
        let mut eights = [[0; LANES]; 2];
        for (half, eight) in eights.iter_mut().enumerate() {
            let mut fours = [[0; LANES]; 2];
            for (quarter, four) in fours.iter_mut().enumerate() {
                let at = half * 8 + quarter * 4;
                let first = carry(&mut self.ones, block(at), block(at + 1));
                let second = carry(&mut self.ones, block(at + 2), block(at + 3));
                *four = carry(&mut self.twos, first, second);
            }
            *eight = carry(&mut self.fours, fours[0], fours[1]);
        }
        let sixteens = carry(&mut self.eights, eights[0], eights[1]);
        self.sixteens += population(sixteens);
    }

    fn total(&self) -> u64 {
        16 * self.sixteens
            + 8 * population(self.eights)
            + 4 * population(self.fours)
            + 2 * population(self.twos)
            + population(self.ones)
    }
}

/// Adds two blocks to a third, bit by bit: that keeps the low bit of each sum, the carries are returned.
#[inline(always)]
fn carry(sum: &mut Block, first: Block, second: Block) -> Block {
    let mut carries = [0; LANES];
    for lane in 0..LANES {
        let (a, b, c) = (sum[lane], first[lane], second[lane]);
        let half = a ^ b;
        carries[lane] = (a & b) | (half & c);
        sum[lane] = half ^ c;
    }
    carries
}

#[inline(always)]
fn population(block: Block) -> u64 {
    block.iter().map(|word| u64::from(word.count_ones())).sum()
}

#[cfg(test)]
mod tests {
    use super::super::{len_of, num, place};
    use super::*;
    use crate::base::rng::Rng;

    fn naive(bytes: &[u8], range: Range<u64>) -> u64 {
        let set = range.map(place).filter(|&(byte, mask)| bytes[byte] & mask != 0);
        num::u64_of(set.count())
    }

    #[test]
    fn counts_are_those_of_a_walk_over_the_bits() {
        let mut rng = Rng::seeded(11);
        for _ in 0..300 {
            let mut bytes = vec![0; rng.below_usize(6000)];
            rng.fill(&mut bytes);
            let start = rng.below(len_of(&bytes) + 1);
            let end = start + rng.below(len_of(&bytes) - start + 1);
            assert_eq!(count_ones(&bytes, start..end), naive(&bytes, start..end));
        }
    }

    #[test]
    fn every_short_range_counts() {
        let bytes = [0b1010_0101, 0xff, 0, 0b0110_1001];
        for start in 0..=32 {
            for end in start..=32 {
                assert_eq!(count_ones(&bytes, start..end), naive(&bytes, start..end));
            }
        }
    }

    #[test]
    fn all_ones_are_counted_at_every_length() {
        for len in (0..200).chain(1000..1100).chain([2047, 2048, 2049, 100_000]) {
            let bytes = vec![0xff; len];
            assert_eq!(count_ones(&bytes, 0..len_of(&bytes)), len_of(&bytes));
        }
    }
}
