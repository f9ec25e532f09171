//! Streams: entries under ascending IDs, and groups of consumers that read them.
//!
//! A stream without entries stays: its counters and groups matter.
//! See `docs/design/stream.md`.

mod chunk;
mod group;
mod id;
mod ids;
mod limits;
mod log;
mod node;
mod nodes;
#[cfg(test)]
mod oracle;
mod range;
mod references;
mod relocate;
#[cfg(test)]
mod tests;

pub use group::{Consumer, ConsumerId, Group, Nack};
pub use id::{NewId, StreamId};
pub use limits::Limits;
pub use log::{AppendError, Keep, Log, Precision};
pub use node::{BadNode, Fields, Node, check};
pub use range::Range;
pub use references::{References, Trimmed};
pub use relocate::Place;

use super::{Collection, Entry, Heap, HeapRef, ValueRef};
#[cfg(test)]
use crate::ds::listpack::Listpack;
use crate::ds::size_class::{allocated_bytes, btree_bytes};
use std::collections::BTreeMap;

/// A stream. Its two halves are apart so that a group can move on while entries are read.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// The entries.
    pub log: Log,
    /// The consumer groups.
    pub groups: Groups,
}

/// The consumer groups of a stream.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    map: BTreeMap<Box<[u8]>, Box<Group>>,
}

impl Collection for Box<Stream> {
    #[inline]
    fn of_mut(value: &mut Heap) -> Option<&mut Self> {
        if let Heap::Stream(stream) = value { Some(stream) } else { None }
    }

    #[inline]
    fn into_heap(self) -> Heap {
        Heap::Stream(self)
    }

    /// Never: a key stays when its stream has no entries left.
    #[inline]
    fn is_empty(&self) -> bool {
        false
    }
}

impl Stream {
    /// A stream without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The stream that a value is; `None` if it is of another type.
    #[inline]
    #[must_use]
    pub fn of(entry: &Entry) -> Option<&Self> {
        if let ValueRef::Payload(HeapRef::Stream(stream)) = entry.value() {
            Some(stream)
        } else {
            None
        }
    }

    /// Bytes of memory it takes; what groups take is estimated.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let groups = &self.groups.map;
        let names: usize = groups.keys().map(|name| allocated_bytes(name.len())).sum();
        let map = btree_bytes(groups.len(), size_of::<(Box<[u8]>, Box<Group>)>());
        let groups: usize = groups.values().map(|group| group.memory_bytes()).sum();
        allocated_bytes(size_of::<Self>()) + self.log.memory_bytes() + names + map + groups
    }

    /// Steps that freeing it takes.
    #[must_use]
    pub fn free_effort(&self) -> usize {
        let groups: usize = self.groups.map.values().map(|group| group.free_effort()).sum();
        1 + self.log.free_effort() + groups
    }
}

impl Groups {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The group of this name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&Group> {
        self.map.get(name).map(|group| &**group)
    }

    /// The group of this name, to be changed.
    pub fn get_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.map.get_mut(name).map(|group| &mut **group)
    }

    /// Adds a group under this name; `None` if there is one.
    pub fn create(&mut self, name: &[u8], group: Group) -> Option<&mut Group> {
        if self.map.contains_key(name) {
            return None;
        }
        Some(self.map.entry(name.into()).or_insert(Box::new(group)))
    }

    /// Takes a group out; the caller lets go of it.
    pub fn destroy(&mut self, name: &[u8]) -> Option<Box<Group>> {
        self.map.remove(name)
    }

    /// All groups, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        self.map.iter().map(|(name, group)| (&**name, &**group))
    }

    /// All groups, in the order of their names, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&[u8], &mut Group)> {
        self.map.iter_mut().map(|(name, group)| (&**name, &mut **group))
    }
}
