//! The latest bytes of a stream, in blocks that are written once and read by all who are still to be sent
//! them.
//!
//! Whoever is sent the stream is a position in it. Bytes are kept as long as [`Backlog::trim`] is told that
//! somebody needs them, and the last `size` of them in any case, so that slow readers share what they hold up:
//! it is there once, however many they are.
//!
//! With a [`Spill`], blocks that are not among the last `size` bytes go to disk, whether somebody needs them or
//! not, and are kept there up to its limit.
//!
//! Invariant: the blocks are not empty and their lengths add up to `len`; byte `first` is the first of them,
//! byte `first + len` would be the next. What is spilled ends where they begin.

use super::spill::{Spill, SpillFile};
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
    spill: Option<Spill>,
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
        Self {
            blocks: VecDeque::new(),
            first: next,
            len: 0,
            size,
            block_bytes,
            allocated: 0,
            spill: None,
        }
    }

    /// Keeps nothing that nobody needs, and is made of blocks of so many bytes.
    pub const fn passing(block_bytes: usize) -> Self {
        let mut passing = Self::new(0, 1);
        passing.block_bytes = block_bytes;
        passing
    }

    /// Number of the first byte kept, or of the next one if there is none.
    pub fn first(&self) -> u64 {
        self.spill.as_ref().map_or(self.first, Spill::first)
    }

    /// Number of the byte that comes next.
    #[inline]
    pub const fn next(&self) -> u64 {
        self.first + num::u64_of(self.len)
    }

    /// Bytes kept.
    pub fn len(&self) -> usize {
        self.len + self.spilled_len()
    }

    /// Those of them that are spilled.
    pub fn spilled_len(&self) -> usize {
        self.spill.as_ref().map_or(0, Spill::len)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
        let spill_bytes = self.spill.as_ref().map_or(0, Spill::memory_bytes);
        self.allocated + self.blocks.capacity() * size_of::<Vec<u8>>() + spill_bytes
    }

    /// Whether somebody can go on at this byte.
    pub fn holds(&self, from: u64) -> bool {
        from >= self.first() && from <= self.next()
    }

    /// How many bytes from number `from` on lie in blocks, and not on disk.
    pub fn unspilled_from(&self, from: u64) -> u64 {
        self.next().saturating_sub(if self.spill.is_some() { from.max(self.first) } else { from })
    }

    /// The blocks with bytes from number `from` on that are in memory.
    pub fn held_from(&self, from: u64) -> Held {
        let spilled = self.spill.as_ref().map(|spill| spill.held_from(from));
        let (blocks, bytes) = spilled.unwrap_or_default();
        let mut held = Held { blocks, bytes };
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

    /// Gives up blocks that nobody needs: of bytes before `needed`, and not of the last `size`. With a spill they
    /// go to disk, and so do those that are needed.
    pub fn trim(&mut self, needed: u64) {
        while let Some(block) = self.blocks.front() {
            let rest = self.len - block.len();
            let is_needed = self.first + num::u64_of(block.len()) > needed;
            if rest < self.size || is_needed && self.spill.is_none() {
                return;
            }
            let block = self.blocks.pop_front().expect("the first block");
            let (len, capacity) = (block.len(), block.capacity());
            if let Some(spill) = &mut self.spill
                && let Some(refused) = spill.push(block, needed)
            {
                if is_needed {
                    self.blocks.push_front(refused);
                    return;
                }
                // What is older would end before a gap.
                spill.restart(self.first + num::u64_of(len));
            }
            self.first += num::u64_of(len);
            self.len = rest;
            self.allocated -= capacity;
            if self.blocks.capacity() > 4 * (self.blocks.len() + BLOCKS) {
                self.blocks.shrink_to(2 * self.blocks.len());
            }
        }
    }

    /// Spills to a file from now on, at most `limit` bytes.
    pub fn spill_to(&mut self, file: Box<dyn SpillFile>, limit: u64) {
        self.spill = Some(Spill::new(file, limit, self.first));
    }

    /// What is spilled, if anything is to be.
    pub const fn spill(&self) -> Option<&Spill> {
        self.spill.as_ref()
    }

    /// The same, to look after it.
    pub const fn spill_mut(&mut self) -> Option<&mut Spill> {
        self.spill.as_mut()
    }

    /// Spills nothing from now on. What was spilled is kept as long as somebody needs it.
    pub fn stop_spilling(&mut self, needed: u64) {
        if let Some(spill) = &mut self.spill {
            spill.set_limit(0);
            spill.trim(needed);
            if spill.is_empty() {
                self.spill = None;
            }
        }
    }

    /// Forgets all bytes; the next one has this number.
    pub fn restart(&mut self, next: u64) {
        let spill = self.spill.take();
        *self = Self::new(self.size, next);
        self.spill = spill;
        if let Some(spill) = &mut self.spill {
            spill.restart(next);
        }
    }

    /// Counts all bytes as coming so much later in the stream.
    pub fn rebase(&mut self, later: u64) {
        self.first += later;
        if let Some(spill) = &mut self.spill {
            spill.rebase(later);
        }
    }

    /// Whether the byte of this number can be read at once, if it is there. If it has to come from disk first,
    /// it is asked for.
    pub fn prepare(&mut self, from: u64) -> bool {
        from >= self.first || self.spill.as_mut().is_some_and(|spill| spill.prepare(from))
    }

    /// The bytes from number `from` on, in pieces: all of them, or one segment of what is spilled. None if they
    /// are not kept any more, or not in memory.
    pub fn pieces(&self, from: u64) -> impl Iterator<Item = &[u8]> {
        // Who is up to date reads at the end of the last block: look from there.
        let (mut start, mut at) = (self.next(), self.blocks.len());
        while from >= self.first && start > from {
            at -= 1;
            start -= num::u64_of(self.blocks[at].len());
        }
        let mut skip = num::usize_of(from.saturating_sub(start));
        let blocks = self.blocks.range(at..).map(move |block| &block[std::mem::take(&mut skip)..]);
        let spilled = self.spill.as_ref().filter(|_| from < self.first);
        spilled.and_then(|spill| spill.piece(from)).into_iter().chain(blocks)
    }

    /// Whether the invariant holds.
    #[cfg(any(test, fuzzing))]
    pub fn check_invariants(&self) {
        assert_eq!(self.blocks.iter().map(Vec::len).sum::<usize>(), self.len);
        assert_eq!(self.blocks.iter().map(Vec::capacity).sum::<usize>(), self.allocated);
        assert!(self.blocks.iter().all(|block| !block.is_empty()));
        if let Some(spill) = &self.spill {
            spill.check_invariants();
            assert_eq!(spill.end(), self.first);
        }
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
