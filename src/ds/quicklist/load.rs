//! Building a list out of whole nodes, as they are in files.

use super::Quicklist;
use super::node::Node;
use crate::ds::listpack::Listpack;

impl Quicklist {
    /// Puts elements behind all others, in a node of their own, however many they are; no node is made
    /// of none. O(1), and O(bytes) where nodes are compressed.
    pub fn append_packed(&mut self, listpack: Listpack) {
        if !listpack.is_empty() {
            self.append(Node::packed(listpack));
        }
    }

    /// Puts an element behind all others, in a node of its own, however short it is.
    pub fn append_plain(&mut self, text: &[u8]) {
        self.append(Node::plain(text));
    }

    fn append(&mut self, node: Node) {
        self.len += node.len();
        self.nodes.push_back(node);
        self.settle_ends(1);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Fill, Shape};
    use super::*;

    #[test]
    fn nodes_stay_as_they_are() {
        let shape = Shape { fill: Fill::of_directive(2), depth: 1 };
        let mut list = Quicklist::new(shape);
        list.append_packed(Listpack::new());
        for count in [3, 1] {
            let mut listpack = Listpack::new();
            (0..count).for_each(|_| listpack.push_back(&[b'x'; 100]));
            list.append_packed(listpack);
            list.append_plain(b"short");
        }
        list.check_invariants();
        assert_eq!((list.len(), list.node_count()), (6, 4));
    }
}
