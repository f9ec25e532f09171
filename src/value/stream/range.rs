//! The entries of a stream in a range of IDs.

use super::id::StreamId;
use super::log::Log;
use super::node::{Entries, Fields};
use super::nodes;

/// Entries in order of their IDs, from either end. What it yields at one end is not to be asked for at
/// the other.
#[derive(Clone, Debug)]
pub struct Range<'a> {
    nodes: nodes::Range<'a>,
    front: Option<Entries<'a>>,
    back: Option<Entries<'a>>,
    from: StreamId,
    to: StreamId,
}

impl<'a> Range<'a> {
    pub(super) fn new(nodes: nodes::Range<'a>, from: StreamId, to: StreamId) -> Self {
        Self { nodes, front: None, back: None, from, to }
    }

    fn finish<T>(&mut self) -> Option<T> {
        // Nothing is in a range that ends before it begins.
        (self.from, self.to) = (StreamId::MAX, StreamId::MIN);
        (self.front, self.back) = (None, None);
        None
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = (StreamId, Fields<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.from > self.to {
            return None;
        }
        loop {
            if let Some(entries) = &mut self.front {
                for entry in entries {
                    if entry.id > self.to {
                        return self.finish();
                    }
                    if entry.id >= self.from && !entry.is_deleted() {
                        return Some((entry.id, entry.fields));
                    }
                }
            }
            let Some(node) = self.nodes.next() else { return self.finish() };
            self.front = Some(node.entries());
        }
    }
}

impl DoubleEndedIterator for Range<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.from > self.to {
            return None;
        }
        loop {
            if let Some(entries) = &mut self.back {
                while let Some(entry) = entries.next_back() {
                    if entry.id < self.from {
                        return self.finish();
                    }
                    if entry.id <= self.to && !entry.is_deleted() {
                        return Some((entry.id, entry.fields));
                    }
                }
            }
            let Some(node) = self.nodes.next_back() else { return self.finish() };
            self.back = Some(node.entries());
        }
    }
}

impl Log {
    /// The entries with IDs from `from` to `to`, both included.
    #[inline]
    #[must_use]
    pub fn range(&self, from: StreamId, to: StreamId) -> Range<'_> {
        Range::new(self.nodes().range(from, to), from, to)
    }
}
