//! Sorted sets: members in the order of their scores, then of their bytes.
//!
//! A small one is a listpack, any other a [`ScoredSet`]. One that has grown does not go back, but
//! what a command stores as a whole starts in the smallest form that holds it.

mod iter;
mod packed;
#[cfg(test)]
mod tests;

use super::{Collection, Entry, Heap, HeapRef, ValueRef};
use crate::base::hash::HashKey;
use crate::base::num;
use crate::base::rng::Rng;
use crate::ds::entry::thin_payload;
use crate::ds::listpack::{Element, Listpack};
use crate::ds::skiplist::ScoredSet;
use std::ops::Range;

pub use crate::ds::skiplist::{Builder, Direction, Edge, Side, Updated};
pub use iter::Iter;

thin_payload! {
    /// A sorted set in one of its encodings.
    SortedSet, SortedSetRef {
        /// Few and short members.
        Packed(Listpack) = 11,
        /// Any others.
        Scored(Box<ScoredSet>) = 12,
    }
}

/// What decides on the encoding.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `zset-max-listpack-entries`
    pub members: usize,
    /// `zset-max-listpack-value`, bytes.
    pub member_len: usize,
    /// The secret under which the members of large sets are hashed.
    pub hash_key: HashKey,
}

impl Collection for SortedSet {
    fn of_mut(value: &mut Heap) -> Option<&mut Self> {
        if let Heap::SortedSet(set) = value { Some(set) } else { None }
    }

    fn into_heap(self) -> Heap {
        Heap::SortedSet(self)
    }

    fn is_empty(&self) -> bool {
        self.view().is_empty()
    }
}

impl SortedSet {
    /// An empty set that is about to get so many members, of about this length in bytes.
    pub fn new(members: usize, member_len: usize, limits: &Limits) -> Self {
        if members <= limits.members && member_len <= limits.member_len {
            Self::Packed(Listpack::new())
        } else {
            Self::Scored(Box::new(ScoredSet::new(limits.hash_key)))
        }
    }

    /// A set that was made as a whole, in the large form.
    pub fn built(builder: Builder) -> Self {
        Self::Scored(Box::new(builder.finish()))
    }

    /// A set of members and scores in turn that were put together elsewhere. As in Redis, only their
    /// number decides whether they stay in the listpack; those out of order are put in order.
    pub fn of_packed(list: Listpack, limits: &Limits) -> Self {
        let is_sorted = packed::is_sorted(&list);
        let is_small = list.len() / 2 <= limits.members;
        let mut set = Self::Packed(list);
        if is_sorted && is_small {
            return set;
        }
        set.large(limits);
        if is_small { set.compacted(limits) } else { set }
    }

    /// Whether all scores of members and scores in turn are numbers.
    pub fn has_scores(list: &Listpack) -> bool {
        list.iter().skip(1).step_by(2).all(packed::is_score)
    }

    /// The set, to read.
    pub fn view(&self) -> SortedSetRef<'_> {
        match self {
            Self::Packed(list) => SortedSetRef::Packed(list),
            Self::Scored(set) => SortedSetRef::Scored(set),
        }
    }

    /// Makes a set large that is about to get more members than a small one may have.
    pub fn reserve(&mut self, added: usize, limits: &Limits) {
        if added > limits.members {
            self.large(limits);
        }
    }

    /// The large form of the set, which it takes if it does not have it. O(n log n) then.
    fn large(&mut self, limits: &Limits) -> &mut ScoredSet {
        if let Self::Packed(_) = self {
            *self = Self::Scored(Box::new(self.view().to_scored(limits.hash_key)));
        }
        match self {
            Self::Scored(set) => set,
            Self::Packed(_) => unreachable!("replaced above"),
        }
    }

    /// Adds a member or changes its score to what `decide` says, which is given the score it has;
    /// `None` leaves everything as it is. O(log n), O(n) in a small set. See [`ScoredSet::update`] for
    /// `likely`.
    #[inline]
    pub fn update(
        &mut self,
        member: &[u8],
        limits: &Limits,
        likely: Option<f64>,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Updated {
        let list = match self {
            Self::Scored(set) => return set.update(member, likely, decide),
            Self::Packed(list) => list,
        };
        if let Some(at) = packed::find(list, member) {
            let old = packed::score(list, member);
            return match (old, decide(old)) {
                (Some(old), Some(new)) => packed::change(list, at, member, old, new),
                (Some(_) | None, None) | (None, Some(_)) => Updated::Declined,
            };
        }
        let Some(score) = decide(None) else { return Updated::Declined };
        let fits = list.len() / 2 < limits.members
            && member.len() <= limits.member_len
            && list.is_safe_to_add(member.len() + crate::base::float::F64_LEN_MAX);
        if fits {
            packed::insert(list, member, score);
            Updated::Added
        } else {
            self.large(limits).update(member, Some(score), |_| Some(score))
        }
    }

    /// Takes a member out and returns its score. O(log n), O(n) in a small set.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Packed(list) => packed::remove(list, member),
            Self::Scored(set) => set.remove(member),
        }
    }

    /// Takes the members of these ranks out. O(log n + removed), O(n) in a small set.
    pub fn remove_range(&mut self, ranks: Range<usize>) {
        match self {
            Self::Packed(list) => {
                list.delete_range(num::i64_of(2 * ranks.start), 2 * ranks.len());
            }
            Self::Scored(set) => set.remove_range(ranks),
        }
    }

    /// The same set in its small form, if it fits that.
    #[must_use]
    pub fn compacted(self, limits: &Limits) -> Self {
        let Self::Scored(set) = &self else { return self };
        let mut list = Listpack::new();
        if set.len() > limits.members {
            return self;
        }
        for (member, score) in set.iter() {
            let added = member.len() + crate::base::float::F64_LEN_MAX;
            if member.len() > limits.member_len || !list.is_safe_to_add(added) {
                return self;
            }
            packed::with_score(score, |score| list.push_back_all(&[Element::Bytes(member), score]));
        }
        Self::Packed(list)
    }
}

impl<'a> SortedSetRef<'a> {
    /// The sorted set in an entry; `None` if the entry holds another type.
    #[inline]
    pub fn of(entry: &'a Entry) -> Option<Self> {
        if let ValueRef::Payload(HeapRef::SortedSet(set)) = entry.value() {
            Some(set)
        } else {
            None
        }
    }

    /// Members. O(1).
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Packed(list) => list.len() / 2,
            Self::Scored(set) => set.len(),
        }
    }

    /// Whether there are no members, which a value in a database never is.
    pub fn is_empty(self) -> bool {
        match self {
            Self::Packed(list) => list.is_empty(),
            Self::Scored(set) => set.is_empty(),
        }
    }

    /// The score of a member. O(1), O(n) in a small set.
    #[inline]
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Packed(list) => packed::score(list, member),
            Self::Scored(set) => set.score(member),
        }
    }

    /// How many members come before this one, and its score. O(log n), O(n) in a small set.
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            Self::Packed(list) => {
                let score = packed::score(list, member)?;
                Some((packed::rank(list, member, score), score))
            }
            Self::Scored(set) => set.rank(member),
        }
    }

    /// How many members come before a place. O(log n), O(n) in a small set.
    pub fn rank_of_edge(self, edge: Edge<'_>) -> usize {
        match self {
            Self::Packed(list) => packed::rank_of_edge(list, edge),
            Self::Scored(set) => set.rank_of_edge(edge),
        }
    }

    /// The members of these ranks with their scores, in either direction. O(log n + returned).
    pub fn range(self, ranks: Range<usize>, direction: Direction) -> Iter<'a> {
        match self {
            Self::Packed(list) => Iter::packed(list, ranks, direction),
            Self::Scored(set) => Iter::Scored(set.range(ranks, direction)),
        }
    }

    /// All members with their scores, ascending.
    pub fn iter(self) -> Iter<'a> {
        self.range(0..self.len(), Direction::Forward)
    }

    /// A random member with its score, each as likely as the others; `None` of an empty set.
    pub fn random(self, rng: &mut Rng) -> Option<(Element<'a>, f64)> {
        match self {
            Self::Packed(_) if self.is_empty() => None,
            Self::Packed(_) => {
                let rank = rng.below_usize(self.len());
                self.range(rank..rank + 1, Direction::Forward).next()
            }
            Self::Scored(set) => {
                set.random(rng).map(|(member, score)| (Element::Bytes(member), score))
            }
        }
    }

    /// Visits some members and returns the cursor to go on at, as [`ScoredSet::scan`] does; a small
    /// set is visited as a whole.
    pub fn scan(self, cursor: u64, mut f: impl FnMut(Element<'a>, f64)) -> u64 {
        match self {
            Self::Packed(_) => {
                self.iter().for_each(|(member, score)| f(member, score));
                0
            }
            Self::Scored(set) => set.scan(cursor, |member, score| f(Element::Bytes(member), score)),
        }
    }

    fn to_scored(self, key: HashKey) -> ScoredSet {
        let mut set = ScoredSet::new(key);
        for (member, score) in self.iter() {
            member.with_text(|member| set.update(member, Some(score), |_| Some(score)));
        }
        set
    }

    /// A deep copy.
    pub fn duplicate(self) -> SortedSet {
        match self {
            Self::Packed(list) => SortedSet::Packed(list.clone()),
            Self::Scored(set) => SortedSet::Scored(Box::new(set.duplicate())),
        }
    }

    /// The encoding's name, as OBJECT ENCODING prints it.
    pub const fn encoding(self) -> &'static str {
        match self {
            Self::Packed(_) => "listpack",
            Self::Scored(_) => "skiplist",
        }
    }

    /// Bytes of memory the value takes.
    pub fn memory_bytes(self) -> usize {
        match self {
            Self::Packed(list) => list.allocated_bytes(),
            Self::Scored(set) => size_of::<ScoredSet>() + set.memory_bytes(),
        }
    }

    /// Steps that freeing the value takes, about.
    pub fn free_effort(self) -> usize {
        match self {
            Self::Packed(_) => 1,
            Self::Scored(set) => set.len(),
        }
    }
}
