//! Large sorted sets: members found by their bytes in O(1), by score, rank or bytes in O(log n).
//!
//! A [`ScoredSet`] is a dict of its members and an unrolled, indexable skiplist over them (Pugh 1990;
//! spans as in his "cookbook"; several entries per node as in unrolled linked lists). Members are
//! stored once, in the dict's items, and the list's nodes hold their addresses with their scores
//! beside them: about fifty to a kilobyte, so that a search reads few cache lines and no members
//! unless scores are equal.
//!
//! Invariant: the list has exactly the dict's items, each under the score that is in the item.
//! Layout, numbers and reasons: `docs/design/skiplist.md`.
#![expect(unsafe_code, reason = "nodes in raw memory that point to items of the dict")]

mod build;
#[cfg(any(test, fuzzing))]
mod check;
mod iter;
mod list;
mod node;
mod relocate;
mod scored;
mod target;
#[cfg(test)]
mod tests;

pub use build::Builder;
pub use iter::Iter;
pub use list::Direction;
pub use scored::Scored;
pub use target::Side;

use crate::base::hash::HashKey;
use crate::base::rng::Rng;
use crate::ds::dict::{self, Dict, Loader, Mark, Ref};
use list::List;
use std::ops::Range;
use target::{ByMember, ByScore, Exact};

/// A set of byte strings ordered by score, then by bytes. Scores are never NaN.
pub struct ScoredSet {
    // Before the dict, whose items it points to.
    list: List,
    dict: Dict<Scored>,
    /// Bytes of the dict's items.
    member_bytes: usize,
}

/// A place between members.
#[derive(Clone, Copy, Debug)]
pub enum Edge<'a> {
    /// On one side of all members with a score.
    Score(f64, Side),
    /// On one side of where a member is or would be, in a set whose scores are all the same.
    Member(&'a [u8], Side),
}

/// What [`ScoredSet::update`] did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Updated {
    /// There is a new member.
    Added,
    /// The member has another score.
    Changed,
    /// The member has the score it had.
    Same,
    /// Nothing was wanted.
    Declined,
}

impl std::fmt::Debug for ScoredSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScoredSet").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl ScoredSet {
    /// An empty set that hashes under `key`.
    #[must_use]
    pub fn new(key: HashKey) -> ScoredSet {
        ScoredSet { list: List::new(), dict: Dict::new(key), member_bytes: 0 }
    }

    /// The members by name, to be loaded ahead.
    #[must_use]
    pub fn members(&self) -> &dyn Loader {
        &self.dict
    }

    /// Members.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are no members.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the table, the list and the members. O(1).
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.dict.memory_bytes() + self.list.memory_bytes() + self.member_bytes
    }

    /// A set with the same members, hashed under the same key. O(n log n).
    #[must_use]
    pub fn duplicate(&self) -> ScoredSet {
        let mut copy = Builder::new(self.dict.hash_key());
        for (member, score) in self.iter() {
            copy.add(member, score);
        }
        copy.finish()
    }

    /// The score of a member. O(1).
    #[inline]
    #[must_use]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.dict.find(self.dict.hash(member), member).map(|item| item.score())
    }

    /// Adds a member or changes its score to what `decide` says, which is given the score it has;
    /// `None` leaves everything as it is. O(log n).
    ///
    /// If the score that the member will have is `likely` known, its place is looked for while the
    /// table's memory is still on its way.
    #[inline]
    pub fn update(
        &mut self,
        member: &[u8],
        likely: Option<f64>,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Updated {
        let hash = self.dict.hash(member);
        self.dict.prefetch_bucket(hash);
        let ahead = likely.map(|score| (score, self.list.path_to_member(score, member)));
        match self.dict.entry(hash, member) {
            dict::Entry::Occupied(mut slot) => {
                let old = slot.get().score();
                let Some(new) = decide(Some(old)) else { return Updated::Declined };
                debug_assert!(!new.is_nan());
                if old == new {
                    return Updated::Same;
                }
                slot.get_mut().set_score(new);
                self.list.change(old, slot.get().as_raw(), new, hash);
                Updated::Changed
            }
            dict::Entry::Vacant(vacant) => {
                let Some(score) = decide(None) else { return Updated::Declined };
                debug_assert!(!score.is_nan());
                let item = Scored::new(score, member);
                self.member_bytes += item.memory_bytes();
                let slot = vacant.insert(item, Mark::Clear);
                let path = match ahead {
                    Some((likely, path)) if likely == score => path,
                    Some(_) | None => self.list.path_to_member(score, member),
                };
                // SAFETY: the dict keeps the item; all that takes it out takes it from the list too.
                unsafe { self.list.insert(path, score, slot.get().as_raw(), hash) };
                Updated::Added
            }
        }
    }

    /// Takes a member out and returns its score. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let slot = self.dict.find_mut(self.dict.hash(member), member)?;
        let score = slot.get().score();
        self.list.remove(score, slot.get().as_raw());
        self.member_bytes -= slot.remove().memory_bytes();
        Some(score)
    }

    /// How many members come before this one. O(log n).
    #[must_use]
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.list.rank_of(&Exact { score, member }), score))
    }

    /// How many members come before a place. O(log n).
    #[must_use]
    pub fn rank_of_edge(&self, edge: Edge<'_>) -> usize {
        match edge {
            Edge::Score(score, side) => self.list.rank_of(&ByScore { score, side }),
            Edge::Member(member, side) => self.list.rank_of(&ByMember { member, side }),
        }
    }

    /// The members of these ranks with their scores, first to last or last to first.
    /// O(log n + returned).
    #[must_use]
    pub fn range(&self, ranks: Range<usize>, direction: Direction) -> Iter<'_> {
        debug_assert!(ranks.start <= ranks.end && ranks.end <= self.len());
        let start = match direction {
            Direction::Forward => ranks.start,
            Direction::Backward => ranks.end,
        };
        let place = self.list.place_of_rank(start);
        // SAFETY: the list's items are in the dict, borrowed as long as the result.
        unsafe { Iter::new(&self.list, place, ranks.len(), direction) }
    }

    /// All members with their scores, ascending.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        self.range(0..self.len(), Direction::Forward)
    }

    /// Takes the members of these ranks out. O(log n + removed).
    pub fn remove_range(&mut self, ranks: Range<usize>) {
        let mut left = ranks.len();
        while left > 0 {
            let ScoredSet { dict, list, member_bytes } = self;
            let taken = list.remove_some(ranks.start, left, |item| {
                // SAFETY: an item of the dict, which is still there.
                let member = unsafe { list::member_of(item) };
                let item = dict.remove(dict.hash(member), member);
                *member_bytes -= item.map_or(0, |item| item.memory_bytes());
            });
            if taken == 0 {
                return;
            }
            left -= taken;
        }
    }

    /// A random member with its score, each as likely as the others. O(1) expected.
    pub fn random(&self, rng: &mut Rng) -> Option<(&[u8], f64)> {
        self.dict.random(rng).map(entry_of)
    }

    /// Visits some members with their scores and returns the cursor to go on at; see [`Dict::scan`].
    pub fn scan<'a>(&'a self, cursor: u64, mut f: impl FnMut(&'a [u8], f64)) -> u64 {
        self.dict.scan(cursor, |item| {
            let (member, score) = entry_of(item);
            f(member, score);
        })
    }
}

/// The member and score of an item, for as long as the dict is borrowed.
fn entry_of(item: Ref<'_, Scored>) -> (&[u8], f64) {
    // SAFETY: an item of the dict, which is borrowed for as long as `item` says.
    (unsafe { list::member_of(item.as_raw()) }, item.score())
}
