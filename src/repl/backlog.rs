//! The latest bytes of a stream, in blocks that are written once and read by all who are still to be sent
//! them.
//!
//! Whoever is sent the stream is a position in it. Bytes are kept as long as [`Backlog::trim`] is told that
//! somebody needs them, and the last `size` of them in any case, so that slow readers share what they hold up:
//! it is there once, however many they are.
//!
//! Invariant: the blocks are not empty and their lengths add up to `len`; byte `first` is the first of them,
//! byte `first + len` would be the next.

use crate::base::num;
use std::collections::VecDeque;

/// Bytes of a block at least and at most. A block is given up as a whole.
const BLOCK_BYTES_MIN: usize = 16 * 1024;
const BLOCK_BYTES_MAX: usize = 1024 * 1024;
/// Blocks that a backlog of the usual size is made of, about.
const BLOCKS: usize = 16;

/// The bytes kept.
#[derive(Debug)]
pub struct Backlog {
    blocks: VecDeque<Vec<u8>>,
    first: u64,
    len: usize,
    size: usize,
    block_bytes: usize,
    allocated: usize,
}

/// Blocks that somebody holds up, and the bytes of memory that they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many.
    pub blocks: usize,
    /// What they take.
    pub bytes: usize,
}

/// Bytes of a block of a backlog of this size.
const fn block_bytes(size: usize) -> usize {
    let wanted = size / BLOCKS;
    if wanted < BLOCK_BYTES_MIN {
        BLOCK_BYTES_MIN
    } else if wanted > BLOCK_BYTES_MAX {
        BLOCK_BYTES_MAX
    } else {
        wanted
    }
}

impl Backlog {
    /// Keeps at least `size` bytes, once there are so many. `next` is the number of the first byte that will be
    /// given.
    pub const fn new(size: usize, next: u64) -> Self {
        let block_bytes = block_bytes(size);
        Self { blocks: VecDeque::new(), first: next, len: 0, size, block_bytes, allocated: 0 }
    }

    /// Keeps nothing that nobody needs, and is made of blocks of so many bytes.
    pub const fn passing(block_bytes: usize) -> Self {
        let mut passing = Self::new(0, 1);
        passing.block_bytes = block_bytes;
        passing
    }

    /// Number of the first byte kept, or of the next one if there is none.
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// Number of the byte that comes next.
    #[inline]
    pub const fn next(&self) -> u64 {
        self.first + num::u64_of(self.len)
    }

    /// Bytes kept.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes kept though nobody needs them.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Keeps another number of bytes. Fewer are left by the next [`Backlog::trim`].
    pub const fn resize(&mut self, size: usize) {
        (self.size, self.block_bytes) = (size, block_bytes(size));
    }

    /// Bytes of memory that it takes.
    pub fn memory_bytes(&self) -> usize {
        self.allocated + self.blocks.capacity() * size_of::<Vec<u8>>()
    }

    /// Whether somebody can go on at this byte.
    pub const fn holds(&self, from: u64) -> bool {
        from >= self.first && from <= self.next()
    }

    /// The blocks with bytes from number `from` on.
    pub fn held_from(&self, from: u64) -> Held {
        let mut held = Held::default();
        let mut start = self.next();
        for block in self.blocks.iter().rev() {
            if start <= from {
                break;
            }
            start -= num::u64_of(block.len());
            held.blocks += 1;
            held.bytes += block.capacity();
        }
        held
    }

    /// Adds bytes.
    pub fn append(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len();
        while !bytes.is_empty() {
            let room = self.blocks.back().map_or(0, |block| block.capacity() - block.len());
            if room == 0 {
                let block = Vec::with_capacity(self.block_bytes);
                self.allocated += block.capacity();
                self.blocks.push_back(block);
                continue;
            }
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.blocks.back_mut().expect("a block with room").extend_from_slice(now);
            bytes = rest;
        }
    }

    /// Gives up blocks that nobody needs: of bytes before `needed`, and not of the last `size`.
    pub fn trim(&mut self, needed: u64) {
        while let Some(block) = self.blocks.front() {
            let rest = self.len - block.len();
            if rest < self.size || self.first + num::u64_of(block.len()) > needed {
                return;
            }
            self.first += num::u64_of(block.len());
            self.len = rest;
            self.allocated -= block.capacity();
            self.blocks.pop_front();
            if self.blocks.capacity() > 4 * (self.blocks.len() + BLOCKS) {
                self.blocks.shrink_to(2 * self.blocks.len());
            }
        }
    }

    /// Forgets all bytes; the next one has this number.
    pub fn restart(&mut self, next: u64) {
        *self = Self::new(self.size, next);
    }

    /// Counts all bytes as coming so much later in the stream.
    pub const fn rebase(&mut self, later: u64) {
        self.first += later;
    }

    /// The bytes from number `from` on, in pieces. None if they are not kept any more.
    pub fn pieces(&self, from: u64) -> impl Iterator<Item = &[u8]> {
        // Who is up to date reads at the end of the last block: look from there.
        let (mut start, mut at) = (self.next(), self.blocks.len());
        while self.holds(from) && start > from {
            at -= 1;
            start -= num::u64_of(self.blocks[at].len());
        }
        let mut skip = num::usize_of(from.saturating_sub(start));
        self.blocks.range(at..).map(move |block| &block[std::mem::take(&mut skip)..])
    }

    /// Whether the invariant holds.
    #[cfg(any(test, fuzzing))]
    pub fn check_invariants(&self) {
        assert_eq!(self.blocks.iter().map(Vec::len).sum::<usize>(), self.len);
        assert_eq!(self.blocks.iter().map(Vec::capacity).sum::<usize>(), self.allocated);
        assert!(self.blocks.iter().all(|block| !block.is_empty()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    fn read(backlog: &Backlog, from: u64) -> Vec<u8> {
        backlog.pieces(from).collect::<Vec<_>>().concat()
    }

    #[test]
    fn what_was_given_is_read_from_anywhere() {
        let mut rng = Rng::seeded(7);
        let mut all = Vec::new();
        let mut backlog = Backlog::new(100_000, 41);
        for _ in 0..400 {
            let len = rng.below(3000);
            let bytes: Vec<u8> = (0..len).map(|_| num::low_u8(rng.next_u64())).collect();
            backlog.append(&bytes);
            all.extend(bytes);
            let next = 41 + num::u64_of(all.len());
            assert_eq!(backlog.next(), next);
            let needed = next - rng.below(next - backlog.first() + 1);
            backlog.trim(needed);
            backlog.check_invariants();
            assert!(backlog.first() <= needed);
            assert!(backlog.len() >= all.len().min(100_000) && backlog.holds(needed));
            let from = backlog.first() + rng.below(num::u64_of(backlog.len()) + 1);
            assert_eq!(read(&backlog, from), all[num::usize_of(from - 41)..]);
            assert_eq!(read(&backlog, next), b"");
        }
        backlog.trim(backlog.next());
        assert!(backlog.len() < 100_000 + BLOCK_BYTES_MIN && backlog.memory_bytes() < 140_000);
    }

    #[test]
    fn what_somebody_needs_is_kept() {
        let mut backlog = Backlog::new(10, 1);
        for _ in 0..100 {
            backlog.append(&[b'x'; 1024]);
            backlog.trim(1);
        }
        assert_eq!((backlog.first(), backlog.len()), (1, 102_400));
        let block_bytes = 16 * 1024;
        let held = |blocks| Held { blocks, bytes: blocks * block_bytes };
        assert_eq!(
            [1, 16_384, 16_385, 102_400, 102_401].map(|from| backlog.held_from(from)),
            [held(7), held(7), held(6), held(1), held(0)]
        );
        backlog.trim(60_000);
        assert_eq!(backlog.first(), 1 + 3 * 16 * 1024);
        assert!(!backlog.holds(1) && backlog.holds(102_401) && !backlog.holds(102_402));
        backlog.trim(backlog.next());
        assert_eq!(backlog.len(), 102_400 - 6 * 16 * 1024);
    }

    #[test]
    fn nothing_is_read_that_was_given_up() {
        let mut backlog = Backlog::new(10, 5);
        backlog.append(b"abc");
        assert_eq!(read(&backlog, 1), b"");
        assert_eq!(read(&backlog, 6), b"bc");
        backlog.rebase(10);
        assert_eq!(read(&backlog, 16), b"bc");
        backlog.restart(77);
        assert_eq!((backlog.next(), backlog.is_empty()), (77, true));
    }
}
