//! The list itself: search, insertion, removal, by the nodes' scores and the items' members.
//!
//! Invariants: entries ascend by score, then by member, within nodes and from node to node; no node
//! but the head is empty, and the head has no entries and the highest tower; a link leads to the next
//! node that has its level, and repeats that node's first score; its span counts the entries from
//! the beginning of its own node to there. The items belong to the dict, which frees none that is
//! in the list.
//!
//! A full node gives entries to the node after it; if that is full too, the two become three. So
//! nodes are four fifths full under random insertion, and full under ascending or descending one.

use super::node::{HEIGHT_MAX, Link, NodeMut, NodeRef, Ptr, Raw, capacity_of};
use super::scored::Scored;
use super::target::{Exact, Target};
use crate::base::num;
use crate::ds::dict::Item;

/// Room in a list's first node, in entries; its size doubles until it is full-sized.
const FIRST_CAPACITY: usize = 5;
/// A node gives at least this many entries to the next, or the two become three.
const GIVEN_MIN: usize = 4;
/// Heights rise by one with a chance of one in 2^this.
const HEIGHT_BITS: u32 = 2;

/// An ordered index of items that a dict owns.
pub(super) struct List {
    pub(super) head: Ptr,
    pub(super) len: usize,
    /// Bytes of all nodes.
    node_bytes: usize,
    /// Towers built so far, which makes the heights of towers independent.
    towers: u64,
}

/// For each level the last node whose first entry is before some place, and the entries before that
/// node.
#[derive(Clone, Copy)]
pub(super) struct Path {
    pub(super) steps: [Step; HEIGHT_MAX],
}

#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) node: Ptr,
    /// Entries before that node.
    pub(super) rank: usize,
}

/// A place in the list: an entry, or the end of the last node.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The node; `None` at the end of an empty list.
    pub(super) node: Option<Ptr>,
    /// The entry in it.
    pub(super) index: usize,
}

/// A direction to walk in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Ascending.
    Forward,
    /// Descending.
    Backward,
}

// SAFETY: a list owns its nodes and shares them with nobody.
unsafe impl Send for List {}
// SAFETY: `&List` only reads.
unsafe impl Sync for List {}

/// The member of an item in the list.
///
/// # Safety
/// The item is in a list, and its owner keeps it for `'a`.
#[inline]
pub(super) unsafe fn member_of<'a>(item: Raw) -> &'a [u8] {
    // SAFETY: items in the list are living `Scored` of the dict, says the caller.
    unsafe { Scored::key_of(item) }
}

impl List {
    /// An empty list.
    pub(super) fn new() -> List {
        let (head, node_bytes) = Ptr::allocate(1, 0);
        List { head, len: 0, node_bytes, towers: 0 }
    }

    /// Entries.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of all nodes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.node_bytes
    }

    /// A node of this list.
    #[inline]
    pub(super) fn node(&self, node: Ptr) -> NodeRef<'_> {
        // SAFETY: addresses come from the list's links, paths and places, none of which outlives a
        // change that frees the node; the list is not changed while it is borrowed.
        unsafe { node.view() }
    }

    #[inline]
    pub(super) fn node_mut(&mut self, node: Ptr) -> NodeMut<'_> {
        // SAFETY: as in `node`, and the list is borrowed exclusively.
        unsafe { node.view_mut() }
    }

    /// Two different nodes of this list.
    fn pair_mut(&mut self, a: Ptr, b: Ptr) -> (NodeMut<'_>, NodeMut<'_>) {
        assert!(a != b);
        // SAFETY: as in `node`, and the list is borrowed exclusively.
        let first = unsafe { a.view_mut() };
        // SAFETY: as above, and it is another node.
        let second = unsafe { b.view_mut() };
        (first, second)
    }

    #[inline]
    fn link(&self, node: Ptr, level: usize) -> Link {
        self.node(node).links()[level]
    }

    #[inline]
    pub(super) fn link_mut(&mut self, node: Ptr, level: usize) -> &mut Link {
        self.node_mut(node).into_link(level)
    }

    fn height(&self) -> usize {
        self.node(self.head).height()
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn head(&self) -> Ptr {
        self.head
    }

    /// The first node.
    #[inline]
    pub(super) fn first(&self) -> Option<Ptr> {
        self.link(self.head, 0).next
    }

    /// The node after this one.
    #[inline]
    pub(super) fn next(&self, node: Ptr) -> Option<Ptr> {
        self.link(node, 0).next
    }

    // ---- Searching ----

    /// The path to the first entry that is not before the target: at each level the last node whose
    /// first entry is before it. O(log n).
    fn path_to(&self, target: &impl Target) -> Path {
        let start = Step { node: self.head, rank: 0 };
        let mut path = Path { steps: [start; HEIGHT_MAX] };
        let mut at = start;
        let mut links = self.node(at.node).links();
        for level in (0..self.height()).rev() {
            while let Link { next: Some(next), score, span } = links[level] {
                next.prefetch();
                if !target.is_after(score, || self.node(next).items()[0]) {
                    break;
                }
                at = Step { node: next, rank: at.rank + span };
                links = self.node(next).links();
            }
            path.steps[level] = at;
        }
        path
    }

    /// The path to a member, or to where it would be, with this score; starts loading the entries there.
    /// O(log n).
    pub(super) fn path_to_member(&self, score: f64, member: &[u8]) -> Path {
        let path = self.path_to(&Exact { score, member });
        path.steps[0].node.prefetch_all();
        path
    }

    /// The path to the entry of this rank, by the same rule.
    pub(super) fn path_to_rank(&self, rank: usize) -> Path {
        let start = Step { node: self.head, rank: 0 };
        let mut path = Path { steps: [start; HEIGHT_MAX] };
        let mut at = start;
        let mut links = self.node(at.node).links();
        for level in (0..self.height()).rev() {
            while let Link { next: Some(next), span, .. } = links[level]
                && at.rank + span < rank
            {
                at = Step { node: next, rank: at.rank + span };
                links = self.node(next).links();
            }
            path.steps[level] = at;
        }
        path
    }

    /// The place at the end of a path, `within` entries behind the beginning of its last node.
    fn place(&self, path: &Path, within: usize) -> Place {
        let Step { node, .. } = path.steps[0];
        if within == self.node(node).len()
            && let Some(next) = self.next(node)
        {
            return Place { node: Some(next), index: 0 };
        }
        Place { node: (node != self.head).then_some(node), index: within }
    }

    /// Entries of the path's last node that are before the target.
    #[inline]
    fn within(&self, path: &Path, target: &impl Target) -> usize {
        let node = self.node(path.steps[0].node);
        target.position(node.scores(), node.items())
    }

    /// Entries before the target. O(log n).
    pub(super) fn rank_of(&self, target: &impl Target) -> usize {
        let path = self.path_to(target);
        path.steps[0].rank + self.within(&path, target)
    }

    /// The place of the entry of this rank, or of the end. O(log n).
    pub(super) fn place_of_rank(&self, rank: usize) -> Place {
        debug_assert!(rank <= self.len);
        let path = self.path_to_rank(rank);
        self.place(&path, rank - path.steps[0].rank)
    }

    // ---- Inserting ----

    /// Adds an item, which must not be in the list, at the place that `path` leads to. `entropy` is a
    /// number that whoever chooses the members cannot foresee. O(log n).
    ///
    /// # Safety
    /// The item lives until it is removed from the list or the list is dropped, and the path is that to
    /// its member and score in the list as it is now.
    pub(super) unsafe fn insert(&mut self, path: Path, score: f64, item: Raw, entropy: u64) {
        // SAFETY: it lives, says the caller, and is not freed during this call.
        let member = unsafe { member_of(item) };
        let target = Exact { score, member };
        let mut path = path;
        loop {
            if path.steps[0].node == self.head {
                match self.first() {
                    None => {
                        let first = self.link_new(&mut path, 1, FIRST_CAPACITY, score);
                        self.put(&path.entered(self, first), 0, score, item);
                        return;
                    }
                    Some(first) if self.node(first).is_full() => {
                        self.make_room_before(&mut path, first, entropy);
                    }
                    Some(first) => {
                        for level in 0..self.node(first).height() {
                            self.link_mut(self.head, level).score = score;
                        }
                        self.put(&path.entered(self, first), 0, score, item);
                        return;
                    }
                }
                path = self.path_to(&target);
                continue;
            }
            let index = self.within(&path, &target);
            if !self.node(path.steps[0].node).is_full() {
                self.put(&path, index, score, item);
                return;
            }
            self.make_room(&mut path, index, entropy);
            path = self.path_to(&target);
        }
    }

    /// Adds an entry to the path's last node, which has room.
    fn put(&mut self, path: &Path, index: usize, score: f64, item: Raw) {
        for level in 0..self.height() {
            self.link_mut(path.steps[level].node, level).span += 1;
        }
        self.node_mut(path.steps[0].node).insert(index, score, item);
        self.len += 1;
    }

    /// Makes room in the first node, which is full, for an entry before all others.
    fn make_room_before(&mut self, path: &mut Path, first: Ptr, entropy: u64) {
        if self.is_small(first) {
            return self.grow_only_node(first);
        }
        // Descending insertion leaves full nodes behind.
        let score = self.node(first).scores()[0];
        let new = self.link_full_sized(path, score, entropy);
        self.balance(&path.entered(self, new), 1);
    }

    /// Makes room in the path's last node, which is full, for an entry at `index`.
    fn make_room(&mut self, path: &mut Path, index: usize, entropy: u64) {
        let node = path.steps[0].node;
        let len = self.node(node).len();
        if self.is_small(node) {
            return self.grow_only_node(node);
        }
        let score = self.node(node).scores()[0];
        let Some(next) = self.next(node) else {
            self.link_full_sized(path, score, entropy);
            // Ascending insertion leaves full nodes behind.
            let keep = if index == len { len - 1 } else { len / 2 };
            return self.balance(path, keep);
        };
        let (others, capacity) = (self.node(next).len(), self.node(next).capacity());
        let both = len + others;
        let half = (both / 2).max(both.saturating_sub(capacity));
        // Tall nodes have less room than others, so this may leave more than the node has.
        if half + GIVEN_MIN <= len {
            return self.balance(path, half);
        }
        let middle = self.link_full_sized(path, score, entropy);
        self.balance(path, both / 3);
        let share = (both / 3).min(self.node(middle).capacity());
        self.balance(&path.entered(self, middle), share);
    }

    /// Whether this is a node that may grow: the first of a small list.
    fn is_small(&self, node: Ptr) -> bool {
        let node = self.node(node);
        node.capacity() < capacity_of(node.height())
    }

    /// Moves entries between the path's last node and the next so that the first has `len`. Both
    /// have entries then.
    fn balance(&mut self, path: &Path, len: usize) {
        let node = path.steps[0].node;
        let next = self.next(node).expect("a node to share with");
        let old_len = self.node(node).len();
        let (mut first, mut second) = self.pair_mut(node, next);
        if len < old_len {
            first.give(&mut second, old_len - len);
        } else {
            first.take(&mut second, len - old_len);
        }
        let score = self.node(next).scores()[0];
        for level in 0..self.node(next).height() {
            let link = self.link_mut(path.steps[level].node, level);
            link.span = link.span + len - old_len;
            link.score = score;
            let link = self.link_mut(next, level);
            link.span = link.span + old_len - len;
        }
    }

    /// Links a new, empty, full-sized node in behind the path's last one; see `link_new`.
    fn link_full_sized(&mut self, path: &mut Path, score: f64, entropy: u64) -> Ptr {
        let height = self.random_height(entropy);
        if height > self.height() {
            self.grow_head(path);
        }
        self.link_new(path, height, capacity_of(height), score)
    }

    /// Links a new, empty node in behind the path's last one. The links to it say `score`, until it
    /// gets its first entry.
    fn link_new(&mut self, path: &mut Path, height: usize, capacity: usize, score: f64) -> Ptr {
        let new = self.allocate(height, capacity);
        let Step { node, rank } = path.steps[0];
        let end = rank + self.node(node).len();
        for level in 0..height {
            let Step { node, rank } = path.steps[level];
            let before = self.link_mut(node, level);
            let old = *before;
            *before = Link { next: Some(new), score, span: end - rank };
            *self.link_mut(new, level) = Link { span: old.span - (end - rank), ..old };
        }
        let previous = (node != self.head).then_some(node);
        self.node_mut(new).set_previous(previous);
        if let Some(next) = self.next(new) {
            self.node_mut(next).set_previous(Some(new));
        }
        new
    }

    fn allocate(&mut self, height: usize, capacity: usize) -> Ptr {
        let (node, bytes) = Ptr::allocate(height, capacity);
        self.node_bytes += bytes;
        node
    }

    /// # Safety
    /// Nothing refers to the node any more.
    unsafe fn free(&mut self, node: Ptr) {
        // SAFETY: a node of ours, to which nothing refers any more, says the caller.
        self.node_bytes -= unsafe { node.free() };
    }

    /// At most one more than the list has.
    fn random_height(&mut self, entropy: u64) -> usize {
        self.towers = self.towers.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (entropy ^ self.towers).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 29).wrapping_mul(0x94d0_49bb_1331_11eb);
        let height = 1 + mixed.leading_zeros() / HEIGHT_BITS;
        num::usize_of_u32(height).min(self.height() + 1).min(HEIGHT_MAX)
    }

    /// Gives the head another level, from which nothing leads on.
    fn grow_head(&mut self, path: &mut Path) {
        let (old, height) = (self.head, self.height());
        let head = self.allocate(height + 1, 0);
        for level in 0..height {
            let link = self.link(old, level);
            *self.link_mut(head, level) = link;
        }
        self.head = head;
        self.link_mut(head, height).span = self.len;
        for step in &mut path.steps {
            if step.node == old {
                step.node = head;
            }
        }
        // SAFETY: only the list and the path referred to it; first nodes have no previous one.
        unsafe { self.free(old) };
    }

    /// Replaces the only node by one of twice its size.
    fn grow_only_node(&mut self, old: Ptr) {
        debug_assert!(self.next(old).is_none() && self.node(old).height() == 1);
        let (len, capacity) = (self.node(old).len(), self.node(old).capacity());
        // With header and link, 128 bytes become 256 and so on.
        let new = self.allocate(1, (2 * capacity + 3).min(capacity_of(1)));
        let (mut large, mut small) = self.pair_mut(new, old);
        large.take(&mut small, len);
        self.link_mut(new, 0).span = len;
        self.link_mut(self.head, 0).next = Some(new);
        // SAFETY: the head's lowest link was all that referred to it.
        unsafe { self.free(old) };
    }

    // ---- Adding at the end ----

    /// The path to the end, for `append`. O(log n).
    pub(super) fn path_to_end(&self) -> Path {
        self.path_to_rank(self.len)
    }

    /// Adds an item behind all others and keeps `path` the one to the end. `entropy` gives a number that
    /// whoever chooses the members cannot foresee. O(1).
    ///
    /// # Safety
    /// The item lives until it is removed from the list or the list is dropped, it belongs behind those
    /// that are there, and the path is that to the end.
    pub(super) unsafe fn append(
        &mut self,
        path: &mut Path,
        score: f64,
        item: Raw,
        entropy: impl FnOnce() -> u64,
    ) {
        let last = path.steps[0].node;
        if last == self.head {
            let first = self.link_new(path, 1, FIRST_CAPACITY, score);
            *path = path.entered(self, first);
        } else if self.node(last).is_full() {
            if self.is_small(last) {
                self.grow_only_node(last);
                *path = self.path_to_end();
            } else {
                let next = self.link_full_sized(path, score, entropy());
                *path = path.entered(self, next);
            }
        }
        let index = self.node(path.steps[0].node).len();
        self.put(path, index, score, item);
    }

    // ---- Removing ----

    /// Takes the entry of an item out. O(log n).
    ///
    /// # Panics
    /// If the item is not in the list under this score.
    pub(super) fn remove(&mut self, score: f64, item: Raw) {
        // SAFETY: the item is in the list, so it lives.
        let target = Exact { score, member: unsafe { member_of(item) } };
        let mut path = self.path_to_member(score, target.member);
        let place = self.place(&path, self.within(&path, &target));
        let node = place.node.expect("the item is in the list");
        assert!(self.node(node).items().get(place.index) == Some(&item));
        self.remove_at(&mut path, node, place.index, 1);
    }

    /// Takes up to `count` entries out, from this rank on, in order and all of one node, and gives
    /// their items to `f`. O(log n + returned).
    pub(super) fn remove_some(
        &mut self,
        rank: usize,
        count: usize,
        mut f: impl FnMut(Raw),
    ) -> usize {
        let mut path = self.path_to_rank(rank);
        let place = self.place(&path, rank - path.steps[0].rank);
        let Some(node) = place.node else { return 0 };
        let items = &self.node(node).items()[place.index..];
        let count = count.min(items.len());
        items[..count].iter().for_each(|item| f(*item));
        if count > 0 {
            self.remove_at(&mut path, node, place.index, count);
        }
        count
    }

    /// Takes entries of `node` out. The path leads to the first of them: to the node before if that
    /// is the node's first, to the node itself otherwise.
    fn remove_at(&mut self, path: &mut Path, node: Ptr, index: usize, count: usize) {
        let height = self.node(node).height();
        for level in 0..self.height() {
            let inside = index == 0 && level < height;
            let at = if inside { node } else { path.steps[level].node };
            self.link_mut(at, level).span -= count;
        }
        self.node_mut(node).remove(index..index + count);
        self.len -= count;
        if index == 0 {
            let Some(&score) = self.node(node).scores().first() else {
                return self.unlink(path, node);
            };
            for level in 0..height {
                self.link_mut(path.steps[level].node, level).score = score;
            }
            *path = path.entered(self, node);
        }
        self.merge(path);
    }

    /// Takes the next node's entries into the path's last one if that leaves room for more.
    fn merge(&mut self, path: &Path) {
        let node = path.steps[0].node;
        let (len, capacity) = (self.node(node).len(), self.node(node).capacity());
        let Some(next) = self.next(node) else { return };
        let both = len + self.node(next).len();
        if len > capacity / 2 || both > capacity / 4 * 3 {
            return;
        }
        let (mut first, mut second) = self.pair_mut(node, next);
        first.take(&mut second, both - len);
        for level in 0..self.node(next).height() {
            self.link_mut(path.steps[level].node, level).span += both - len;
            self.link_mut(next, level).span -= both - len;
        }
        self.unlink(path, next);
    }

    /// Takes an empty node out and frees it. The path leads to the node before.
    fn unlink(&mut self, path: &Path, node: Ptr) {
        for level in 0..self.node(node).height() {
            let after = self.link(node, level);
            let before = self.link_mut(path.steps[level].node, level);
            debug_assert_eq!(before.next, Some(node));
            *before = Link { span: before.span + after.span, ..after };
        }
        let previous = self.node(node).previous();
        if let Some(next) = self.next(node) {
            self.node_mut(next).set_previous(previous);
        }
        // SAFETY: neither links nor the next node refer to it any more.
        unsafe { self.free(node) };
    }

    // ---- Changing a score ----

    /// Moves an item of the list from one score to another. In place if it stays in its node.
    /// O(log n).
    ///
    /// # Panics
    /// If the item is not in the list under the old score.
    pub(super) fn change(&mut self, old: f64, item: Raw, new: f64, entropy: u64) {
        // SAFETY: the item is in the list, so it lives.
        let member = unsafe { member_of(item) };
        let target = Exact { score: old, member };
        let mut path = self.path_to_member(old, member);
        let place = self.place(&path, self.within(&path, &target));
        let node = place.node.expect("the item is in the list");
        assert!(self.node(node).items().get(place.index) == Some(&item));
        if !self.change_within(&path, node, place.index, Exact { score: new, member }) {
            self.remove_at(&mut path, node, place.index, 1);
            let path = self.path_to_member(new, member);
            // SAFETY: it was in the list before, and nothing has changed since the search.
            unsafe { self.insert(path, new, item, entropy) };
        }
    }

    /// Gives an entry another score if it may stay in its node, which is its place's node; false
    /// (and nothing done) otherwise.
    fn change_within(&mut self, path: &Path, at: Ptr, index: usize, new: Exact<'_>) -> bool {
        let node = self.node(at);
        let (scores, items) = (node.scores(), node.items());
        let to = new.position(scores, items);
        // The entry itself counts if it moves up.
        let to = if to > index { to - 1 } else { to };
        let last = to + 1 == node.len();
        let follows =
            |next: Ptr| new.is_after(self.node(next).scores()[0], || self.node(next).items()[0]);
        if last && self.next(at).is_some_and(follows) {
            return false;
        }
        if to == 0 {
            // Whether it also stays behind the node before. Only the entry that was first has the
            // path on which links repeat the first score.
            let precedes = |before: Ptr| {
                let node = self.node(before);
                let last = node.len() - 1;
                !new.is_after(node.scores()[last], || node.items()[last])
            };
            if index > 0 || node.previous().is_some_and(precedes) {
                return false;
            }
        }
        if to == index {
            self.node_mut(at).set_score(index, new.score);
        } else {
            self.node_mut(at).relocate(index, to, new.score);
        }
        if index == 0 {
            let score = self.node(at).scores()[0];
            for level in 0..self.node(at).height() {
                self.link_mut(path.steps[level].node, level).score = score;
            }
        }
        true
    }
}

impl Path {
    /// The path that leads into the node after its last one, which must be `node`.
    fn entered(&self, list: &List, node: Ptr) -> Path {
        let Step { node: last, rank } = self.steps[0];
        debug_assert_eq!(list.next(last), Some(node));
        let step = Step { node, rank: rank + list.node(last).len() };
        let mut path = *self;
        path.steps[..list.node(node).height()].fill(step);
        path
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let mut next = Some(self.head);
        while let Some(node) = next {
            next = self.next(node);
            // SAFETY: the list is being dropped, and the way goes on behind the node.
            unsafe { node.free() };
        }
    }
}
