//! What the modules promise, checked: for tests and fuzzers.

use super::node::{ChildRef, Node, TAIL_LEN_MAX};
use super::{Edge, Rax};

impl<V> Rax<V> {
    /// Checks everything the modules promise. O(n).
    pub fn check_invariants(&self) {
        let (mut len, mut node_bytes) = (0, 0);
        let mut nodes: Vec<_> = self.root.iter().collect();
        while let Some(node) = nodes.pop() {
            node_bytes += node.size();
            len += usize::from(node.own().is_some()) + node.values();
            node.check();
            nodes.extend((0..node.len()).filter_map(|index| match node.child(index) {
                ChildRef::Node(child) => Some(child),
                ChildRef::Value(_) => None,
            }));
        }
        assert_eq!((len, node_bytes), (self.len, self.node_bytes));
        self.check_order();
    }

    /// How many nodes there are. O(n).
    pub fn node_count(&self) -> u64 {
        let mut count = 0;
        let mut nodes: Vec<_> = self.root.iter().collect();
        while let Some(node) = nodes.pop() {
            count += 1;
            nodes.extend((0..node.len()).filter_map(|index| node.node_at(index)));
        }
        count
    }

    /// Checks that keys are in order both ways and are found where they are.
    fn check_order(&self) {
        let mut cursor = self.cursor(Edge::Start);
        let mut keys: Vec<Vec<u8>> = Vec::new();
        while let Some((key, value)) = cursor.next_entry() {
            assert!(keys.last().is_none_or(|last| last[..] < *key));
            assert!(self.get(key).is_some_and(|found| std::ptr::eq(found, value)));
            keys.push(key.to_vec());
        }
        assert_eq!(keys.len(), self.len);
        while let Some((key, _)) = cursor.previous_entry() {
            assert_eq!(keys.pop().as_deref(), Some(key));
        }
        assert!(keys.is_empty());
    }
}

impl<V> Node<V> {
    /// Checks what a single node promises.
    fn check(&self) {
        assert!(self.bytes().is_sorted_by(|a, b| a < b));
        assert!(self.len() <= self.capacity() && self.tail().len() <= TAIL_LEN_MAX);
        let own = usize::from(self.own().is_some());
        if self.is_leaf() {
            assert_eq!((own, self.capacity()), (1, 0));
        } else {
            assert!(own + self.len() >= 2);
        }
        for index in 0..self.len() {
            assert_eq!(self.find(self.bytes()[index]), Ok(index));
        }
    }
}
