//! A long list: nodes of packed elements, and of single large ones, in a table.
//!
//! Invariant: no node is empty, and `len` is the sum of their counts. With a compress depth, that
//! many nodes at each end are not compressed.
//! Why a table and not linked nodes: finding an index adds up counts that lie side by side in memory,
//! 32 bytes a node, instead of following a pointer for each. A node in the middle that is added or
//! removed moves the shorter side of the table, which for nodes of 8 KiB is a 256th of the list's own
//! bytes. See `docs/design/quicklist.md`.

mod edit;
mod fill;
mod load;
mod node;
mod read;

use crate::ds::listpack::{Element, Listpack};
use crate::ds::relocate::{self, Relocator};
pub use fill::Fill;
use node::Node;
pub use node::{Form, NodeBytes};
use std::collections::VecDeque;

pub use edit::remove_from_packed;
pub use read::{Direction, visit_packed};

/// Tables of more nodes have pages of their own, and are not moved.
const TABLE_MOVED_MAX: usize = 512;
/// Most elements of a node, however many are allowed.
const NODE_COUNT_MAX: u32 = (1 << 15) - 1;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The left one, with index 0.
    Front,
    /// The right one.
    Back,
}

impl End {
    /// The opposite one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Front => Self::Back,
            Self::Back => Self::Front,
        }
    }
}

/// How a list is divided into nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How much belongs in one node.
    pub fill: Fill,
    /// How many nodes at each end are not compressed; 0: none is.
    pub depth: usize,
}

/// A list of byte strings.
#[derive(Clone, Debug)]
pub struct Quicklist {
    nodes: VecDeque<Node>,
    len: usize,
    shape: Shape,
}

/// One node, as DEBUG QUICKLIST describes it.
#[derive(Clone, Copy, Debug)]
pub struct NodeSummary {
    /// Its elements.
    pub elements: usize,
    /// Their bytes, uncompressed.
    pub bytes: usize,
    /// Bytes asked of the allocator.
    pub allocated_bytes: usize,
    /// `packed`, `plain` or `compressed`.
    pub form: &'static str,
}

/// Where an element is.
#[derive(Clone, Copy, Debug)]
struct Place {
    node: usize,
    /// Its index in the node.
    offset: usize,
}

impl Quicklist {
    /// An empty list.
    #[must_use]
    pub fn new(mut shape: Shape) -> Self {
        shape.fill = shape.fill.at_most(NODE_COUNT_MAX);
        Self { nodes: VecDeque::new(), len: 0, shape }
    }

    /// A list that begins with these elements, kept in one node, however many they are.
    #[must_use]
    pub fn of_packed(listpack: Listpack, shape: Shape) -> Self {
        let mut list = Self::new(shape);
        if !listpack.is_empty() {
            let node = Node::packed(listpack);
            list.len = node.len();
            list.nodes.push_back(node);
        }
        list
    }

    /// Number of elements. O(1).
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How it is divided into nodes.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Changes which elements will stand alone in a node: those of so many bytes and more, or with
    /// `None` those that no node takes.
    pub const fn set_plain_from(&mut self, plain_from: Option<usize>) {
        self.shape.fill.plain_from = plain_from;
    }

    /// Number of nodes. O(1).
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The nodes as they are kept, front to back.
    pub fn nodes(&self) -> impl Iterator<Item = NodeBytes<'_>> {
        self.nodes.iter().map(Node::stored)
    }

    /// The nodes, described.
    pub fn node_summaries(&self) -> impl Iterator<Item = NodeSummary> {
        self.nodes.iter().map(|node| NodeSummary {
            elements: node.len(),
            bytes: node.bytes(),
            allocated_bytes: node.allocated_bytes(),
            form: match (node.is_squeezed(), node.is_packed()) {
                (true, _) => "compressed",
                (false, true) => "packed",
                (false, false) => "plain",
            },
        })
    }

    /// Bytes of all nodes, uncompressed. O(nodes).
    #[must_use]
    pub fn raw_bytes(&self) -> usize {
        self.nodes.iter().map(Node::bytes).sum()
    }

    /// Bytes asked of the allocator. O(nodes).
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(Node::allocated_bytes).sum();
        size_of::<Self>() + self.nodes.capacity() * size_of::<Node>() + nodes
    }

    /// As [`Quicklist::memory_bytes`], estimated from the first `samples` nodes.
    #[must_use]
    pub fn estimated_bytes(&self, samples: usize) -> usize {
        let sampled = samples.min(self.nodes.len());
        let bytes: usize = self.nodes.iter().take(sampled).map(Node::allocated_bytes).sum();
        let nodes = (bytes * self.nodes.len()).checked_div(sampled).unwrap_or(0);
        size_of::<Self>() + self.nodes.capacity() * size_of::<Node>() + nodes
    }

    /// Moves what node number `from` has allocated, with 0 the table of nodes first, and returns the
    /// number of the next one; `None` at the end.
    pub fn relocate_node(&mut self, from: usize, to: &mut dyn Relocator) -> Option<usize> {
        if from == 0 && self.nodes.capacity() <= TABLE_MOVED_MAX {
            relocate::queue(&mut self.nodes, to);
        }
        self.nodes.get_mut(from)?.relocate(to);
        Some(from + 1)
    }

    /// Bytes and number of the elements, if they are in one node that is a listpack.
    #[must_use]
    pub fn single_packed(&self) -> Option<(usize, usize)> {
        match self.nodes.front() {
            Some(node) if self.nodes.len() == 1 && node.is_packed() => {
                Some((node.bytes(), node.len()))
            }
            Some(_) | None => None,
        }
    }

    /// Takes the elements out, if they are in one node that is a listpack.
    pub fn take_packed(&mut self) -> Option<Listpack> {
        self.single_packed()?;
        self.len = 0;
        self.nodes.pop_front().and_then(Node::into_packed)
    }

    /// Puts an element at an end. O(1), and O(node) at the front.
    pub fn push(&mut self, end: End, text: &[u8]) {
        self.len += 1;
        let fill = self.shape.fill;
        let node = match end {
            End::Front => self.nodes.front_mut(),
            End::Back => self.nodes.back_mut(),
        };
        if let Some(node) = node.filter(|node| node.takes(text.len(), fill)) {
            let listpack = node.packed_mut().expect("it takes another element");
            match end {
                End::Front => listpack.push_front(text),
                End::Back => listpack.push_back(text),
            }
            node.count += 1;
            return;
        }
        let node = Node::of(text, fill);
        match end {
            End::Front => self.nodes.push_front(node),
            End::Back => self.nodes.push_back(node),
        }
        self.settle_ends(1);
    }

    /// Removes the element at an end, giving what `f` makes of it. O(1), and O(node) at the front.
    pub fn pop<R>(&mut self, end: End, f: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        let node = match end {
            End::Front => self.nodes.front_mut(),
            End::Back => self.nodes.back_mut(),
        }?;
        self.len -= 1;
        if node.count > 1 {
            let listpack = node.packed_mut().expect("it has several elements");
            let at = match end {
                End::Front => listpack.first(),
                End::Back => listpack.last(),
            };
            let at = at.expect("it has several elements");
            let result = f(listpack.get(at));
            listpack.delete(at);
            node.count -= 1;
            return Some(result);
        }
        let result = node.with(0, f);
        match end {
            End::Front => self.nodes.pop_front(),
            End::Back => self.nodes.pop_back(),
        };
        self.settle_ends(0);
        Some(result)
    }

    /// Where the element at `index` is, which must be in the list. O(nodes), from the nearer end.
    fn locate(&self, index: usize) -> Place {
        assert!(index < self.len, "an index in the list");
        if index <= self.len / 2 {
            let mut offset = index;
            for (node, found) in self.nodes.iter().enumerate() {
                if offset < found.len() {
                    return Place { node, offset };
                }
                offset -= found.len();
            }
        } else {
            // Elements behind the one looked for.
            let mut behind = self.len - 1 - index;
            for (node, found) in self.nodes.iter().enumerate().rev() {
                if behind < found.len() {
                    return Place { node, offset: found.len() - 1 - behind };
                }
                behind -= found.len();
            }
        }
        unreachable!("the counts of the nodes add up to the length")
    }

    /// Decompresses the nodes near the ends and compresses those that have ceased to be near, which are
    /// as many at each end as were `added`. To be called whenever nodes were added or removed.
    fn settle_ends(&mut self, added: usize) {
        let depth = self.shape.depth;
        if depth == 0 {
            return;
        }
        let nodes = self.nodes.len();
        for index in 0..depth.min(nodes) {
            self.nodes[index].inflate();
            self.nodes[nodes - 1 - index].inflate();
        }
        for index in depth..(depth + added).min(nodes) {
            self.settle(index);
            self.settle(nodes - 1 - index);
        }
    }

    /// Compresses the node if it is to be, decompresses it if not.
    fn settle(&mut self, index: usize) {
        let depth = self.shape.depth;
        if depth > 0 && index >= depth && index + depth < self.nodes.len() {
            self.nodes[index].squeeze();
        } else {
            self.nodes[index].inflate();
        }
    }

    /// Checks every node.
    #[cfg(any(test, fuzzing))]
    pub fn check_invariants(&self) {
        let depth = self.shape.depth;
        let mut len = 0;
        for (index, node) in self.nodes.iter().enumerate() {
            node.check_invariants();
            len += node.len();
            let near_end = index < depth || index + depth >= self.nodes.len();
            assert!(!node.is_squeezed() || !near_end && depth > 0, "node {index} compressed");
        }
        assert_eq!(self.len, len);
    }
}

#[cfg(test)]
mod tests;
