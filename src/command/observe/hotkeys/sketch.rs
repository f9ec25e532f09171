//! Which keys have the largest sums, found in bounded memory: the frequent-items sketch of Misra and Gries
//! with weights.
//!
//! It keeps a sum for each of at most [`LEN_MAX`] keys. When one more comes, the median of all sums is taken
//! off each, and keys without anything left go, which is half of them: so an addition takes a constant number
//! of steps on average.
//!
//! Invariant: a sum is never more than the true one, and less by at most `taken`, which is at most the total
//! of all additions divided by half of [`LEN_MAX`]. A key whose true sum is more than that is found.

use std::collections::HashMap;

/// Most keys with a sum.
pub(super) const LEN_MAX: usize = 4096;
/// Longest key that is kept, bytes.
const KEY_LEN_MAX: usize = 4096;

/// The sums of keys, in whatever unit.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    sums: HashMap<Box<[u8]>, u64>,
    /// What was taken off each sum so far, at most.
    taken: u64,
}

impl Sketch {
    /// Adds to a key's sum. Keys that are too long to keep are passed over.
    pub(super) fn add(&mut self, key: &[u8], amount: u64) {
        if let Some(sum) = self.sums.get_mut(key) {
            *sum = sum.saturating_add(amount);
        } else if amount > 0 && key.len() <= KEY_LEN_MAX {
            if self.sums.len() == LEN_MAX {
                self.make_room();
            }
            self.sums.insert(key.into(), amount);
        }
    }

    /// The keys with the largest sums, at most `count`, the largest first.
    pub(super) fn top(&self, count: usize) -> Vec<(&[u8], u64)> {
        let mut all: Vec<(&[u8], u64)> =
            self.sums.iter().map(|(key, &sum)| (&**key, sum)).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        all.truncate(count);
        all
    }

    fn make_room(&mut self) {
        let mut sums: Vec<u64> = self.sums.values().copied().collect();
        let middle = sums.len() / 2;
        let (_, &mut median, _) = sums.select_nth_unstable(middle);
        self.taken += median;
        self.sums.retain(|_, sum| {
            *sum = sum.saturating_sub(median);
            *sum > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::num;
    use crate::base::rng::Rng;
    use std::collections::BTreeMap;

    fn check_invariants(sketch: &Sketch, exact: &BTreeMap<Vec<u8>, u64>) {
        assert!(sketch.sums.len() <= LEN_MAX);
        let total: u64 = exact.values().sum();
        assert!(sketch.taken <= total / (num::u64_of(LEN_MAX) / 2), "{} of {total}", sketch.taken);
        for (key, &sum) in exact {
            let kept = sketch.sums.get(key.as_slice()).copied().unwrap_or(0);
            assert!(kept <= sum && kept + sketch.taken >= sum, "{kept} of {sum}");
        }
    }

    #[test]
    fn few_keys_have_their_exact_sums() {
        let mut sketch = Sketch::default();
        for (key, amount) in [("a", 5), ("b", 9), ("a", 1), ("c", 6), ("d", 0)] {
            sketch.add(key.as_bytes(), amount);
        }
        assert_eq!(sketch.top(2), [(&b"b"[..], 9), (b"a", 6)]);
        assert_eq!(sketch.top(9).len(), 3);
        sketch.add(&[b'x'; KEY_LEN_MAX + 1], 100);
        assert_eq!(sketch.top(9).len(), 3);
    }

    #[test]
    fn among_many_keys_the_largest_are_found() {
        let mut rng = Rng::seeded(8);
        let (mut sketch, mut exact) = (Sketch::default(), BTreeMap::new());
        for n in 0..60_000_u64 {
            let key = if n % 3 == 0 {
                format!("hot{}", rng.below(10))
            } else {
                format!("cold{}", rng.below(50_000))
            };
            let amount = 1 + rng.below(100);
            sketch.add(key.as_bytes(), amount);
            *exact.entry(key.into_bytes()).or_insert(0) += amount;
        }
        check_invariants(&sketch, &exact);
        assert!(sketch.taken > 0);
        assert!(sketch.top(10).iter().all(|(key, _)| key.starts_with(b"hot")));
    }
}
