//! When the fields of a large hash expire.
//!
//! Those that are due are counted once and remembered, so that asking for their number again and again
//! while active expiry removes them, some at a time, costs nothing.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included};

/// Bytes of one deadline: its own, in tree nodes that are two thirds full.
const DEADLINE_BYTES: usize = 24;

/// Deadlines, Unix milliseconds, with the hashes of the fields' names. Invariant: `counted` of them are
/// not after `counted_ms`.
#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines {
    tree: BTreeSet<(i64, u64)>,
    counted_ms: Cell<i64>,
    counted: Cell<usize>,
}

impl Deadlines {
    /// None.
    pub(super) const fn new() -> Self {
        Self { tree: BTreeSet::new(), counted_ms: Cell::new(i64::MIN), counted: Cell::new(0) }
    }

    /// Adds one, unless it is there. O(log n).
    pub(super) fn insert(&mut self, at_ms: i64, hash: u64) {
        if self.tree.insert((at_ms, hash)) && at_ms <= self.counted_ms.get() {
            *self.counted.get_mut() += 1;
        }
    }

    /// Takes one out, if it is there. O(log n).
    pub(super) fn remove(&mut self, at_ms: i64, hash: u64) {
        if self.tree.remove(&(at_ms, hash)) && at_ms <= self.counted_ms.get() {
            *self.counted.get_mut() -= 1;
        }
    }

    /// The next one. O(1).
    #[inline]
    pub(super) fn first(&self) -> Option<(i64, u64)> {
        self.tree.first().copied()
    }

    /// How many are not after a time. O(log n + those that have become due since it was last asked for).
    pub(super) fn due(&self, now_ms: i64) -> usize {
        if self.first().is_none_or(|(at_ms, _)| at_ms > now_ms) {
            return 0;
        }
        let until = (now_ms, u64::MAX);
        let count = match self.counted_ms.get() {
            before if before <= now_ms => {
                let range = (Excluded((before, u64::MAX)), Included(until));
                self.counted.get() + self.tree.range(range).count()
            }
            // The clock was set back.
            _ => self.tree.range(..=until).count(),
        };
        self.counted_ms.set(now_ms);
        self.counted.set(count);
        count
    }

    /// Bytes of memory. O(1).
    pub(super) fn memory_bytes(&self) -> usize {
        self.tree.len() * DEADLINE_BYTES
    }

    /// All of them, to be checked.
    #[cfg(any(test, fuzzing))]
    pub(super) fn tree(&self) -> &BTreeSet<(i64, u64)> {
        let counted = self.tree.range(..=(self.counted_ms.get(), u64::MAX)).count();
        assert_eq!(counted, self.counted.get());
        &self.tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn those_due_are_as_many_as_a_count_says() {
        let mut rng = Rng::seeded(4);
        let mut deadlines = Deadlines::new();
        let mut naive = BTreeSet::new();
        for _ in 0..5000 {
            let at_ms = i64::try_from(rng.below(200)).expect("small");
            let hash = if rng.below(9) == 0 { u64::MAX } else { rng.below(5) };
            match rng.below(5) {
                0 | 1 => {
                    deadlines.insert(at_ms, hash);
                    naive.insert((at_ms, hash));
                }
                2 => {
                    deadlines.remove(at_ms, hash);
                    naive.remove(&(at_ms, hash));
                }
                _ => {
                    let expected = naive.iter().filter(|(other, _)| *other <= at_ms).count();
                    assert_eq!(deadlines.due(at_ms), expected);
                }
            }
            assert_eq!(deadlines.tree(), &naive);
        }
    }
}
