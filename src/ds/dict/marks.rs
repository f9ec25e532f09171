//! Which buckets hold a marked item: one bit a bucket, one summary bit for 64 of them.
//!
//! 64 words of 64 bits are the buckets of one segment, so a segment has one summary word. Finding
//! the next marked bucket skips 4096 unmarked ones with one load, and the blocks of segments in
//! which nothing was ever marked are not allocated.

use super::segments::{SEGMENT, SEGMENT_SHIFT};
use crate::ds::relocate::{self, Relocator};

const WORDS: usize = SEGMENT / 64;
const _: () = assert!(WORDS == 64, "a summary is one word");

/// The set of marked buckets and the number of marked items.
#[derive(Default)]
pub(super) struct Marks {
    /// Marked items, not buckets.
    pub(super) len: usize,
    segments: Vec<Block>,
}

#[derive(Default)]
struct Block {
    /// Bit `i` says that `words[i]` is not zero.
    summary: u64,
    words: Option<Box<[u64; WORDS]>>,
}

impl Marks {
    /// Adds bucket `index`.
    pub(super) fn set(&mut self, index: usize) {
        let (segment, word, bit) = split(index);
        if segment >= self.segments.len() {
            self.segments.resize_with(segment + 1, Block::default);
        }
        let block = &mut self.segments[segment];
        block.words.get_or_insert_with(|| Box::new([0; WORDS]))[word] |= 1 << bit;
        block.summary |= 1 << word;
    }

    /// Takes bucket `index` out.
    pub(super) fn clear(&mut self, index: usize) {
        let (segment, word, bit) = split(index);
        let Some(block) = self.segments.get_mut(segment) else { return };
        let Some(words) = &mut block.words else { return };
        words[word] &= !(1 << bit);
        if words[word] == 0 {
            block.summary &= !(1 << word);
        }
    }

    /// The first marked bucket at or after `index`.
    pub(super) fn next(&self, index: usize) -> Option<usize> {
        let (segment, word, bit) = split(index);
        if let Some(found) = self.next_in(segment, word, bit) {
            return Some(found);
        }
        let rest = self.segments.get(segment + 1..)?;
        let skipped = rest.iter().position(|block| block.summary != 0)?;
        self.next_in(segment + 1 + skipped, 0, 0)
    }

    /// The first marked bucket of one segment at or after a position in it.
    fn next_in(&self, segment: usize, word: usize, bit: u32) -> Option<usize> {
        let block = self.segments.get(segment)?;
        let words = block.words.as_ref()?;
        let (at, bits) = match words[word] & (u64::MAX << bit) {
            0 => {
                // Two shifts, because shifting by 64 is not defined.
                let later = block.summary & (u64::MAX << word << 1);
                let at = later.checked_ilog2().map(|_| later.trailing_zeros())?;
                let at = crate::base::num::usize_of_u32(at);
                (at, words[at])
            }
            bits => (word, bits),
        };
        let bit = crate::base::num::usize_of_u32(bits.trailing_zeros());
        Some((segment << SEGMENT_SHIFT) + at * 64 + bit)
    }

    /// Releases what belongs to buckets at or above `buckets`, which must not be marked.
    pub(super) fn truncate(&mut self, buckets: usize) {
        let segments = buckets.div_ceil(SEGMENT);
        if segments < self.segments.len() {
            self.segments.truncate(segments);
            self.segments.shrink_to(2 * segments);
        }
    }

    /// Moves the blocks and the list of them.
    pub(super) fn relocate(&mut self, to: &mut dyn Relocator) {
        relocate::vector(&mut self.segments, to);
        for words in self.segments.iter_mut().filter_map(|block| block.words.as_mut()) {
            relocate::boxed(words, to);
        }
    }

    /// Bytes allocated, this struct included.
    pub(super) fn memory_bytes(&self) -> usize {
        let blocks = self.segments.iter().filter(|block| block.words.is_some()).count();
        size_of::<Marks>()
            + self.segments.capacity() * size_of::<Block>()
            + blocks * size_of::<[u64; WORDS]>()
    }
}

/// Segment, word and bit of a bucket.
fn split(index: usize) -> (usize, usize, u32) {
    let bit = crate::base::num::u32_of(index % 64, "below 64");
    (index >> SEGMENT_SHIFT, index / 64 % WORDS, bit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn marks_agree_with_a_tree() {
        let mut marks = Marks::default();
        let mut oracle = BTreeSet::new();
        let mut seed = 7u64;
        for round in 0..30_000 {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let range = if round % 2 == 0 { 300 } else { 5 * SEGMENT };
            let index = crate::base::num::usize_of(seed >> 33) % range;
            if seed >> 20 & 3 == 0 {
                marks.set(index);
                oracle.insert(index);
            } else {
                marks.clear(index);
                oracle.remove(&index);
            }
            for at in [index, index.saturating_sub(70), 0, 4095, 4096, 8191] {
                assert_eq!(marks.next(at), oracle.range(at..).next().copied());
            }
        }
        marks.truncate(SEGMENT + 1);
        assert_eq!(marks.segments.len(), 2);
    }
}
