//! Moving what a scored set has allocated, node by node.
//!
//! Who keeps addresses: a node's is in the links of nodes before it, on as many levels as it is high,
//! in the node after it and, of the first of all, in the list; a member's is in its slot of the dict
//! and in its entry of one node. Both are known before something is moved and replaced right after.

use super::list::{List, member_of};
use super::node::Ptr;
use super::{Scored, ScoredSet};
use crate::ds::dict::Item;
use crate::ds::relocate::Relocator;
use std::mem::ManuallyDrop;

impl ScoredSet {
    /// Moves the child buckets of one bucket of the table; 0 starts, and 0 is the end. O(1).
    pub fn relocate_bucket(&mut self, cursor: u64, to: &mut dyn Relocator) -> u64 {
        if cursor == 0 {
            self.dict.relocate_table(to);
        }
        self.dict.relocate_bucket(cursor, to, |_, _| ())
    }

    /// Moves the node in which the entry of this rank is, and its members; returns the rank after it,
    /// `None` at the end. O(log n + entries of a node).
    pub fn relocate_node(&mut self, rank: usize, to: &mut dyn Relocator) -> Option<usize> {
        if rank == 0 {
            self.list.relocate_head(to);
        }
        let (node, first) = self.list.relocate_node_at(rank, to)?;
        let len = self.list.node(node).len();
        for index in 0..len {
            self.relocate_member(node, index, to);
        }
        Some(first + len)
    }

    fn relocate_member(&mut self, node: Ptr, index: usize, to: &mut dyn Relocator) {
        let raw = self.list.node(node).items()[index];
        // SAFETY: an item of the dict, which lives (the set's invariant); the duplicate is not dropped.
        let item = ManuallyDrop::new(unsafe { Scored::from_raw(raw) });
        if !item.is_worth_moving(to) {
            return;
        }
        // SAFETY: as above; the slice is not used after the item has been moved.
        let member = unsafe { member_of(raw) };
        let hash = self.dict.hash(member);
        let mut slot = self.dict.find_mut(hash, member).expect("the list has the dict's items");
        slot.get_mut().relocate(to);
        let moved = slot.get().as_raw();
        self.list.replace_item(node, index, moved);
    }
}

impl List {
    /// Moves the head, whose address is kept by the list alone.
    fn relocate_head(&mut self, to: &mut dyn Relocator) {
        let head = self.head;
        // SAFETY: the head lives as long as the list.
        if unsafe { head.is_worth_moving(to) } {
            // SAFETY: as above; no node has the head for its previous one.
            self.head = unsafe { head.relocate(to) };
        }
    }

    /// Moves the node in which the entry of this rank is; returns its address and the rank of its first
    /// entry, `None` if there is no such entry.
    fn relocate_node_at(&mut self, rank: usize, to: &mut dyn Relocator) -> Option<(Ptr, usize)> {
        if rank >= self.len {
            return None;
        }
        let first = self.first_rank_around(rank);
        // The last nodes that begin before it: on each level that it has, the link to it is theirs.
        let path = self.path_to_rank(first);
        let node = self.next(path.steps[0].node).expect("an entry is in a node");
        // SAFETY: a node of this list, which lives.
        if !unsafe { node.is_worth_moving(to) } {
            return Some((node, first));
        }
        let height = self.node(node).height();
        // SAFETY: as above; its address is replaced below wherever it is: in the links to it, one on each
        // of its levels, and in the node after it.
        let moved = unsafe { node.relocate(to) };
        for level in 0..height {
            let link = self.link_mut(path.steps[level].node, level);
            debug_assert_eq!(link.next, Some(node));
            link.next = Some(moved);
        }
        if let Some(next) = self.next(moved) {
            self.node_mut(next).set_previous(Some(moved));
        }
        Some((moved, first))
    }

    /// The rank of the first entry of the node in which the entry of this rank is.
    fn first_rank_around(&self, rank: usize) -> usize {
        // One further, the last node that begins before that is the one.
        self.path_to_rank(rank + 1).steps[0].rank
    }

    fn replace_item(&mut self, node: Ptr, index: usize, item: super::node::Raw) {
        self.node_mut(node).set_item(index, item);
    }
}
