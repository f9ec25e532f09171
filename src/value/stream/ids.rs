//! What is filed under IDs, in their order.

use super::id::StreamId;
use crate::ds::rax::{Cursor, Edge, Rax};
use crate::ds::relocate::Relocator;
use std::ops::RangeInclusive;

/// Values by IDs. Consecutive IDs take few bytes: see `docs/design/rax.md`.
#[derive(Debug)]
pub(super) struct Ids<V> {
    tree: Rax<V>,
}

impl<V> Default for Ids<V> {
    fn default() -> Self {
        Self { tree: Rax::new() }
    }
}

impl<V: Clone> Clone for Ids<V> {
    fn clone(&self) -> Self {
        let mut clone = Self::default();
        for (id, value) in self.range(StreamId::MIN..=StreamId::MAX) {
            clone.insert(id, value.clone());
        }
        clone
    }
}

impl<V> Ids<V> {
    pub(super) const fn len(&self) -> usize {
        self.tree.len()
    }

    #[inline]
    pub(super) fn get(&self, id: StreamId) -> Option<&V> {
        self.tree.get(&id.to_bytes())
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: StreamId) -> Option<&mut V> {
        self.tree.get_mut(&id.to_bytes())
    }

    #[inline]
    pub(super) fn insert(&mut self, id: StreamId, value: V) -> Option<V> {
        self.tree.insert(&id.to_bytes(), value)
    }

    #[inline]
    pub(super) fn remove(&mut self, id: StreamId) -> Option<V> {
        self.tree.remove(&id.to_bytes())
    }

    /// Those in a range, in order.
    #[inline]
    pub(super) fn range(&self, range: RangeInclusive<StreamId>) -> Range<'_, V> {
        let cursor =
            (!range.is_empty()).then(|| self.tree.cursor(Edge::Before(&range.start().to_bytes())));
        Range { cursor, to: *range.end() }
    }

    /// The last ID.
    pub(super) fn last(&self) -> Option<StreamId> {
        let (key, _) = self.tree.last()?;
        Some(StreamId::from_bytes(*key.first_chunk().expect("keys are IDs")))
    }

    /// Moves a node of the tree and returns where to go on; see [`Rax::relocate_node`].
    pub(super) fn relocate_node(&mut self, from: &[u8], to: &mut dyn Relocator) -> Option<Vec<u8>> {
        self.tree.relocate_node(from, to)
    }

    pub(super) const fn memory_bytes(&self) -> usize {
        self.tree.memory_bytes()
    }
}

/// Values in a range of IDs.
pub(super) struct Range<'a, V> {
    cursor: Option<Cursor<'a, V>>,
    to: StreamId,
}

impl<'a, V> Iterator for Range<'a, V> {
    type Item = (StreamId, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let next = self.cursor.as_mut()?.next_entry();
        if let Some((key, value)) = next {
            let id = StreamId::from_bytes(*key.first_chunk().expect("keys are IDs"));
            if id <= self.to {
                return Some((id, value));
            }
        }
        self.cursor = None;
        None
    }
}
