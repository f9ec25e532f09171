//! What the modules promise, checked: for tests and fuzzers.

use super::ScoredSet;
use super::list::{List, member_of};
use super::node::{NodeRef, Ptr};

impl ScoredSet {
    /// Checks everything the modules promise. O(n).
    pub fn check_invariants(&self) {
        self.dict.check_invariants();
        self.list.check_invariants();
        assert_eq!(self.dict.len(), self.list.len());
        let members: usize = self.dict.iter().map(|item| item.memory_bytes()).sum();
        assert_eq!(members, self.member_bytes);
        for (member, score) in self.iter() {
            assert_eq!(self.score(member).map(f64::to_bits), Some(score.to_bits()));
        }
    }
}

impl List {
    /// Checks everything the module promises. O(n).
    pub(super) fn check_invariants(&self) {
        let head = self.node(self.head());
        let mut order: Vec<(Ptr, NodeRef<'_>, usize)> = Vec::new();
        let (mut next, mut before, mut rank) = (head.links()[0].next, None, 0);
        while let Some(ptr) = next {
            let node = self.node(ptr);
            assert!(node.len() > 0 && node.len() <= node.capacity());
            assert!(node.height() <= head.height());
            assert_eq!(node.previous(), before);
            order.push((ptr, node, rank));
            rank += node.len();
            (before, next) = (Some(ptr), node.links()[0].next);
        }
        assert_eq!(rank, self.len());
        let entries: Vec<_> = order
            .iter()
            .flat_map(|(_, node, _)| node.scores().iter().zip(node.items()))
            // SAFETY: items of the list live.
            .map(|(score, item)| (*score, unsafe { member_of(*item) }))
            .collect();
        assert!(entries.iter().all(|(score, _)| !score.is_nan()));
        assert!(entries.is_sorted_by(|a, b| a.0 < b.0 || (a.0 == b.0 && a.1 < b.1)));
        for level in 0..head.height() {
            let (mut at, mut start) = (head, 0);
            for (ptr, node, rank) in order.iter().filter(|(_, node, _)| node.height() > level) {
                let link = at.links()[level];
                assert_eq!((link.next, link.span), (Some(*ptr), rank - start), "level {level}");
                assert_eq!(link.score.to_bits(), node.scores()[0].to_bits());
                (at, start) = (*node, *rank);
            }
            assert_eq!(at.links()[level].next, None);
            assert_eq!(at.links()[level].span, self.len() - start);
        }
    }
}
