//! Making a set as a whole: the members first, then the list over them in order.
//!
//! Adding members one by one searches the list for each; here they are sorted once, and the list is
//! written from its beginning to its end.

use super::list::{self, List};
use super::node::Raw;
use super::{Scored, ScoredSet};
use crate::base::hash::HashKey;
use crate::base::text_sort::{self, Keyed};
use crate::ds::dict::{self, Dict, Item, Mark};

/// A set that is being made.
pub struct Builder {
    dict: Dict<Scored>,
    member_bytes: usize,
}

impl Builder {
    /// Without members yet, and hashing under `key`.
    #[must_use]
    pub const fn new(key: HashKey) -> Builder {
        Builder { dict: Dict::new(key), member_bytes: 0 }
    }

    /// Members so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dict.len()
    }

    /// Whether there are no members yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dict.is_empty()
    }

    /// Adds a member that is known to be new. O(1).
    pub fn add(&mut self, member: &[u8], score: f64) {
        debug_assert!(!score.is_nan());
        let item = Scored::new(score, member);
        self.member_bytes += item.memory_bytes();
        let _slot = self.dict.insert(self.dict.hash(member), item, Mark::Clear);
    }

    /// Adds a member, or changes its score to what `change` makes of it. O(1).
    pub fn add_or_change(&mut self, member: &[u8], score: f64, change: impl FnOnce(f64) -> f64) {
        let new = match self.dict.entry(self.dict.hash(member), member) {
            dict::Entry::Occupied(mut slot) => {
                let changed = change(slot.get().score());
                debug_assert!(!changed.is_nan());
                slot.get_mut().set_score(changed);
                return;
            }
            dict::Entry::Vacant(vacant) => vacant,
        };
        debug_assert!(!score.is_nan());
        let item = Scored::new(score, member);
        self.member_bytes += item.memory_bytes();
        let _slot = new.insert(item, Mark::Clear);
    }

    /// The set. O(n log n), and O(n) if the members came in order and `add` is all that was called.
    #[must_use]
    pub fn finish(self) -> ScoredSet {
        let Builder { dict, member_bytes } = self;
        let mut entries: Vec<Keyed<(f64, Raw)>> = dict
            .iter()
            .map(|item| {
                let score = item.score();
                Keyed { word: text_sort::word_of_number(score), item: (score, item.as_raw()) }
            })
            .collect();
        // SAFETY: the items are in the dict, which stays as it is.
        text_sort::sort(&mut entries, |(_, item)| unsafe { Scored::key_of(item) });
        let mut list = List::new();
        let mut path = list.path_to_end();
        for Keyed { item: (score, item), .. } in entries {
            // SAFETY: the dict keeps the item as long as the list does, in the set below.
            let entropy = || dict.hash(unsafe { list::member_of(item) });
            // SAFETY: as above; the entries are sorted, and the path is the one that `append` left.
            unsafe { list.append(&mut path, score, item, entropy) };
        }
        ScoredSet { list, dict, member_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Direction;
    use super::*;
    use crate::base::num;
    use crate::base::rng::Rng;
    use std::collections::BTreeMap;

    #[test]
    fn a_set_made_as_a_whole_is_one_made_bit_by_bit() {
        let mut rng = Rng::seeded(8);
        for len in [0, 1, 5, 6, 40, 61, 62, 500, 20_000] {
            for kinds in [1, 10, 1 << 40] {
                let mut builder = Builder::new(HashKey::new(1, 2));
                let mut naive = BTreeMap::new();
                for _ in 0..len {
                    let member = format!("member:{}", rng.below(3 * num::u64_of(len)));
                    let score = num::f64_of_u64(rng.below(kinds)) - 2.0;
                    builder.add_or_change(member.as_bytes(), score, |old| old + score);
                    naive.entry(member).and_modify(|old| *old += score).or_insert(score);
                }
                let mut set = builder.finish();
                set.check_invariants();
                let mut expected: Vec<(f64, &[u8])> =
                    naive.iter().map(|(member, score)| (*score, member.as_bytes())).collect();
                expected.sort_by(|a, b| a.partial_cmp(b).expect("no NaN"));
                assert!(set.iter().map(|(member, score)| (score, member)).eq(expected));
                let middle = set.len() / 2;
                let ranked = set.range(0..middle, Direction::Forward).len();
                assert_eq!(ranked, middle);
                set.update(b"another", None, |_| Some(3.0));
                set.remove_range(0..middle);
                set.check_invariants();
            }
        }
    }

    #[test]
    fn members_that_are_known_to_be_new_need_no_search() {
        let mut builder = Builder::new(HashKey::new(1, 2));
        for index in 0..1000_u32 {
            builder.add(&index.to_be_bytes(), f64::from(index / 100));
        }
        let set = builder.finish();
        set.check_invariants();
        assert_eq!(set.rank(&700_u32.to_be_bytes()), Some((700, 7.0)));
    }
}
