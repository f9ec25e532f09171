//! The nodes of a stream, in the order of their IDs.

use super::id::StreamId;
use super::node::Node;
use std::collections::BTreeMap;
use std::collections::btree_map;

/// Nodes by the ID that each is filed under.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    map: BTreeMap<StreamId, Node>,
}

/// Nodes in a range, from either end.
#[derive(Clone, Debug)]
pub(super) struct Range<'a>(Option<btree_map::Range<'a, StreamId, Node>>);

impl Nodes {
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    pub(super) fn first(&self) -> Option<(StreamId, &Node)> {
        self.map.first_key_value().map(|(id, node)| (*id, node))
    }

    pub(super) fn first_mut(&mut self) -> Option<(StreamId, &mut Node)> {
        self.map.iter_mut().next().map(|(id, node)| (*id, node))
    }

    pub(super) fn last(&self) -> Option<(StreamId, &Node)> {
        self.map.last_key_value().map(|(id, node)| (*id, node))
    }

    pub(super) fn last_mut(&mut self) -> Option<(StreamId, &mut Node)> {
        self.map.iter_mut().next_back().map(|(id, node)| (*id, node))
    }

    /// The ID of the node that an entry would be in.
    fn holder(&self, id: StreamId) -> Option<StreamId> {
        self.map.range(..=id).next_back().map(|(base, _)| *base)
    }

    /// The node that an entry would be in.
    pub(super) fn find(&self, id: StreamId) -> Option<(StreamId, &Node)> {
        self.map.range(..=id).next_back().map(|(base, node)| (*base, node))
    }

    pub(super) fn get_mut(&mut self, base: StreamId) -> Option<&mut Node> {
        self.map.get_mut(&base)
    }

    /// Adds a node behind all others.
    pub(super) fn push(&mut self, base: StreamId, node: Node) {
        self.map.insert(base, node);
    }

    pub(super) fn remove(&mut self, base: StreamId) {
        self.map.remove(&base);
    }

    /// The nodes that entries from `from` to `to` would be in.
    pub(super) fn range(&self, from: StreamId, to: StreamId) -> Range<'_> {
        let from = self.holder(from).unwrap_or(from);
        Range((from <= to).then(|| self.map.range(from..=to)))
    }

    /// Bytes of memory all of them take, estimated from `samples`, or exactly if that is 0.
    pub(super) fn memory_bytes(&self, samples: usize) -> usize {
        // What a B-tree's nodes take, filled from one end: eleven places, of which six are used.
        let index = self.map.len() * (size_of::<(StreamId, Node)>() * 2 + size_of::<u64>());
        let samples = if samples == 0 { self.map.len() } else { samples.min(self.map.len()) };
        let sum: usize = self.map.values().take(samples).map(Node::allocated_bytes).sum();
        index + sum.checked_div(samples).map_or(0, |_| sum * self.map.len() / samples)
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = (StreamId, &'a Node);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.as_mut()?.next().map(|(id, node)| (*id, node))
    }
}

impl DoubleEndedIterator for Range<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.as_mut()?.next_back().map(|(id, node)| (*id, node))
    }
}
