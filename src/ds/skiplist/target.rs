//! What the list is searched for: places between entries, told by which entries are before them.

use super::list::member_of;
use super::node::Raw;
use std::cmp::Ordering;

/// A place in the order of the list. Entries before it come first.
pub(super) trait Target {
    /// Whether the entry is before this place. `item` is asked for only if the score leaves it open.
    fn is_after(&self, score: f64, item: impl FnOnce() -> Raw) -> bool;

    /// How many of a node's entries are before this place.
    fn position(&self, scores: &[f64], items: &[Raw]) -> usize;
}

/// The place of a member with this score.
#[derive(Clone, Copy)]
pub(super) struct Exact<'a> {
    pub(super) score: f64,
    pub(super) member: &'a [u8],
}

/// The place before or behind all members with this score.
#[derive(Clone, Copy)]
pub(super) struct ByScore {
    pub(super) score: f64,
    pub(super) side: Side,
}

/// The place before or behind this member in a set whose scores are all the same.
#[derive(Clone, Copy)]
pub(super) struct ByMember<'a> {
    pub(super) member: &'a [u8],
    pub(super) side: Side,
}

/// Which side of what it names a place is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before it.
    Before,
    /// Behind it.
    After,
}

/// How many scores come before the first that is not below. All are looked at, since loads that do
/// not wait for each other are faster than a binary search.
#[inline]
fn count_below(scores: &[f64], score: f64) -> usize {
    scores.iter().map(|other| usize::from(*other < score)).sum()
}

#[inline]
fn count_up_to(scores: &[f64], score: f64) -> usize {
    scores.iter().map(|other| usize::from(*other <= score)).sum()
}

#[inline]
fn compare(item: Raw, member: &[u8]) -> Ordering {
    // SAFETY: targets are compared with items of the list that is searched; they live, and the
    // slice is not kept.
    unsafe { member_of(item) }.cmp(member)
}

impl Target for Exact<'_> {
    #[inline]
    fn is_after(&self, score: f64, item: impl FnOnce() -> Raw) -> bool {
        score < self.score
            || (score == self.score && compare(item(), self.member) == Ordering::Less)
    }

    #[inline]
    fn position(&self, scores: &[f64], items: &[Raw]) -> usize {
        let start = count_below(scores, self.score);
        let equal = scores[start..].iter().take_while(|score| **score == self.score).count();
        let ties = &items[start..start + equal];
        start + ties.partition_point(|item| compare(*item, self.member) == Ordering::Less)
    }
}

impl Target for ByScore {
    #[inline]
    fn is_after(&self, score: f64, _: impl FnOnce() -> Raw) -> bool {
        match self.side {
            Side::Before => score < self.score,
            Side::After => score <= self.score,
        }
    }

    #[inline]
    fn position(&self, scores: &[f64], _: &[Raw]) -> usize {
        match self.side {
            Side::Before => count_below(scores, self.score),
            Side::After => count_up_to(scores, self.score),
        }
    }
}

impl ByMember<'_> {
    #[inline]
    fn is_behind(&self, item: Raw) -> bool {
        match (compare(item, self.member), self.side) {
            (Ordering::Less, _) | (Ordering::Equal, Side::After) => true,
            (Ordering::Equal, Side::Before) | (Ordering::Greater, _) => false,
        }
    }
}

impl Target for ByMember<'_> {
    #[inline]
    fn is_after(&self, _: f64, item: impl FnOnce() -> Raw) -> bool {
        self.is_behind(item())
    }

    #[inline]
    fn position(&self, _: &[f64], items: &[Raw]) -> usize {
        items.partition_point(|item| self.is_behind(*item))
    }
}
