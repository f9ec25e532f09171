//! Moving what a tree has allocated, node by node.
//!
//! A node's place is the bytes that lead to it, without its prefix; the root's has none. Nodes are moved
//! in the order of their places, so that whatever happens to the tree between two steps, the next finds
//! where to go on. Who keeps a node's address: the slot that it hangs from, or the tree.

use super::Rax;
use super::edit::common_len;
use super::node::{ChildMut, Node};
use crate::ds::relocate::Relocator;

impl<V> Rax<V> {
    /// Moves the first node at `from` or behind it, which is a place; returns the next place there can
    /// be, `None` at the end. The beginning is the empty one. O(length of a key).
    pub fn relocate_node(&mut self, from: &[u8], to: &mut dyn Relocator) -> Option<Vec<u8>> {
        let mut place = self.first_place(from)?;
        let mut node = self.root.as_mut()?;
        let mut rest = &place[..];
        while !rest.is_empty() {
            let (&byte, after) = rest.strip_prefix(node.prefix())?.split_first()?;
            let index = node.find(byte).ok()?;
            let ChildMut::Node(child) = node.child_mut(index) else { return None };
            (node, rest) = (child, after);
        }
        node.relocate(to);
        place.push(0);
        Some(place)
    }

    /// The first place of a node that is `from` or behind it.
    fn first_place(&self, from: &[u8]) -> Option<Vec<u8>> {
        let mut node = self.root.as_ref()?;
        if from.is_empty() {
            return Some(Vec::new());
        }
        // The node is at the first `at` bytes of `from`.
        let mut at = 0;
        // The first place behind, in the nodes that were passed: so many bytes of `from`, and another.
        let mut later = None;
        let place = |(len, byte): (usize, u8)| [&from[..len], &[byte]].concat();
        loop {
            let rest = &from[at..];
            let common = common_len(node.prefix(), rest);
            let Some(&byte) = rest.get(common) else { break };
            match node.prefix().get(common) {
                Some(&other) if other > byte => break,
                Some(_) => return later.map(place),
                None => {}
            }
            let (Ok(index) | Err(index)) = node.find(byte);
            let end = at + common;
            let next = first_node(node, index);
            if next.is_none_or(|next| node.bytes()[next] != byte) {
                return next.map(|next| (end, node.bytes()[next])).or(later).map(place);
            }
            if end + 1 == from.len() {
                return Some(from.to_vec());
            }
            let behind = first_node(node, index + 1);
            later = behind.map(|behind| (end, node.bytes()[behind])).or(later);
            node = node.node_at(index)?;
            at = end + 1;
        }
        // All that hangs from the node is behind.
        match first_node(node, 0) {
            Some(index) => Some([&from[..at], node.prefix(), &[node.bytes()[index]]].concat()),
            None => later.map(place),
        }
    }
}

/// The first slot from `from` on that holds a node.
fn first_node<V>(node: &Node<V>, from: usize) -> Option<usize> {
    (from..node.len()).find(|&index| !node.is_value(index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::ds::relocate::testing::Everything;
    use std::collections::BTreeMap;

    fn random_key(rng: &mut Rng) -> Vec<u8> {
        let len = rng.below_usize(8);
        (0..len).map(|_| [0, 1, b'a', 255][rng.below_usize(4)]).collect()
    }

    #[test]
    fn every_node_is_moved_once() {
        for seed in 0..300 {
            let mut rng = Rng::seeded(seed);
            let mut rax = Rax::new();
            let mut oracle = BTreeMap::new();
            for n in 0..rng.below(400) {
                let key = random_key(&mut rng);
                assert_eq!(rax.insert(&key, n), oracle.insert(key, n));
            }
            let mut to = Everything::default();
            let (mut steps, mut place) = (0, Some(Vec::new()));
            while let Some(from) = place {
                place = rax.relocate_node(&from, &mut to);
                assert!(place.as_ref().is_none_or(|place| *place > from), "it goes on");
                steps += u64::from(place.is_some());
            }
            rax.check_invariants();
            assert_eq!((to.moved, steps), (rax.node_count(), rax.node_count()), "seed {seed}");
            assert!(oracle.iter().all(|(key, value)| rax.get(key) == Some(value)));
        }
    }

    #[test]
    fn changes_between_steps_do_no_harm() {
        for seed in 0..200 {
            let mut rng = Rng::seeded(seed);
            let mut rax = Rax::new();
            let mut oracle = BTreeMap::new();
            let mut to = Everything::default();
            let mut place = Vec::new();
            for n in 0..600 {
                let key = random_key(&mut rng);
                if rng.below(3) == 0 {
                    assert_eq!(rax.remove(&key), oracle.remove(&key));
                } else {
                    assert_eq!(rax.insert(&key, n), oracle.insert(key, n));
                }
                place = rax.relocate_node(&place, &mut to).unwrap_or_default();
            }
            rax.check_invariants();
            assert_eq!(rax.len(), oracle.len());
            assert!(oracle.iter().all(|(key, value)| rax.get(key) == Some(value)));
        }
    }
}
