//! A map from byte strings to values in the order of the strings: a radix tree with compressed paths.
//!
//! A node stands for what the keys below it begin with. It has the bytes that come next in these keys,
//! ascending, and for each of them either a node or, if there is only one such key and it goes on with
//! the node's *tail*, that key's value. The tail is what makes the tree small: identifiers that are
//! counted up end alike, so that nearly all of them are a byte and a value in a node of up to 256.
//!
//! Invariants, for all nodes but a root that is a leaf:
//! - a node without slots, a leaf, has a value of its own; another has two slots, or one and a value;
//! - `len` is the number of values, `node_bytes` the sum of the nodes' sizes.
//!
//! Layout, numbers and reasons: `docs/design/rax.md`.
#![expect(unsafe_code, reason = "nodes of several arrays in one allocation")]

#[cfg(any(test, fuzzing))]
mod check;
mod cursor;
mod edit;
mod key;
mod node;
mod relocate;
mod short;
#[cfg(test)]
mod tests;

pub use cursor::Cursor;
pub use key::Key;

use node::{ChildMut, ChildRef, Node};
use std::fmt;

/// A map from byte strings to values, in the order of the strings.
///
/// Nothing takes longer the more keys there are; all is O(length of the key) unless said otherwise.
pub struct Rax<V> {
    root: Option<Node<V>>,
    /// Keys.
    len: usize,
    /// Bytes of the nodes.
    node_bytes: usize,
}

/// A place between keys.
#[derive(Clone, Copy, Debug)]
pub enum Edge<'a> {
    /// In front of all keys.
    Start,
    /// In front of a key that is there or would be.
    Before(&'a [u8]),
    /// Behind a key that is there or would be.
    After(&'a [u8]),
    /// Behind all keys.
    End,
}

impl<V> Default for Rax<V> {
    fn default() -> Self {
        Rax::new()
    }
}

impl<V: fmt::Debug> fmt::Debug for Rax<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        let mut cursor = self.cursor(Edge::Start);
        while let Some((key, value)) = cursor.next_entry() {
            map.entry(&Key::of(key), value);
        }
        map.finish()
    }
}

impl<V> Rax<V> {
    /// An empty map, which has no allocation.
    #[must_use]
    pub const fn new() -> Rax<V> {
        Rax { root: None, len: 0, node_bytes: 0 }
    }

    /// Keys.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no keys.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the map's allocations, without those of the values. O(1).
    #[inline]
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.node_bytes
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&V> {
        let mut node = self.root.as_ref()?;
        let mut rest = key;
        loop {
            rest = rest.strip_prefix(node.prefix())?;
            let Some((&byte, after)) = rest.split_first() else { return node.own() };
            match node.child(node.find(byte).ok()?) {
                ChildRef::Value(value) => return (node.tail() == after).then_some(value),
                ChildRef::Node(child) => (node, rest) = (child, after),
            }
        }
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        let mut node = self.root.as_mut()?;
        let mut rest = key;
        loop {
            rest = rest.strip_prefix(node.prefix())?;
            let Some((&byte, after)) = rest.split_first() else { return node.own_mut() };
            let is_tail = node.tail() == after;
            match node.child_mut(node.find(byte).ok()?) {
                ChildMut::Value(value) => return is_tail.then_some(value),
                ChildMut::Node(child) => (node, rest) = (child, after),
            }
        }
    }

    /// Whether there is a key.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// Gives a key a value and returns the one that it had.
    pub fn insert(&mut self, key: &[u8], value: V) -> Option<V> {
        let Some(root) = &mut self.root else {
            let leaf = Node::leaf([key, &[], &[]], value);
            self.node_bytes += leaf.size();
            self.root = Some(leaf);
            self.len = 1;
            return None;
        };
        let old = edit::insert(root, key, value, &mut self.node_bytes);
        if old.is_none() {
            self.len += 1;
        }
        old
    }

    /// Takes a key out and returns its value.
    pub fn remove(&mut self, key: &[u8]) -> Option<V> {
        let value = edit::remove(&mut self.root, key, &mut self.node_bytes)?;
        self.len -= 1;
        Some(value)
    }

    /// A cursor at a place.
    #[must_use]
    pub fn cursor(&self, edge: Edge<'_>) -> Cursor<'_, V> {
        Cursor::new(self.root.as_ref(), edge)
    }

    /// The first key behind a place. Unlike a cursor it leaves the map free to be changed, and the place
    /// behind the key that it returned is where to go on.
    #[must_use]
    pub fn next_from(&self, edge: Edge<'_>) -> Option<(Key, &V)> {
        let mut cursor = self.cursor(edge);
        let (_, value) = cursor.next_entry()?;
        Some((cursor.into_key(), value))
    }

    /// The last key in front of a place.
    #[must_use]
    pub fn previous_from(&self, edge: Edge<'_>) -> Option<(Key, &V)> {
        let mut cursor = self.cursor(edge);
        let (_, value) = cursor.previous_entry()?;
        Some((cursor.into_key(), value))
    }

    /// The first key behind a place, its value to be changed.
    pub fn next_from_mut(&mut self, edge: Edge<'_>) -> Option<(Key, &mut V)> {
        let (key, _) = self.next_from(edge)?;
        let value = self.get_mut(&key)?;
        Some((key, value))
    }

    /// The last key in front of a place, its value to be changed.
    pub fn previous_from_mut(&mut self, edge: Edge<'_>) -> Option<(Key, &mut V)> {
        let (key, _) = self.previous_from(edge)?;
        let value = self.get_mut(&key)?;
        Some((key, value))
    }

    /// The first key. O(its length).
    #[must_use]
    pub fn first(&self) -> Option<(Key, &V)> {
        let mut node = self.root.as_ref()?;
        let mut key = Key::new();
        loop {
            key.0.extend(node.prefix());
            if let Some(value) = node.own() {
                return Some((key, value));
            }
            key.0.push(*node.bytes().first()?);
            match node.child(0) {
                ChildRef::Value(value) => {
                    key.0.extend(node.tail());
                    return Some((key, value));
                }
                ChildRef::Node(child) => node = child,
            }
        }
    }

    /// The last key. O(its length).
    #[must_use]
    pub fn last(&self) -> Option<(Key, &V)> {
        let mut node = self.root.as_ref()?;
        let mut key = Key::new();
        loop {
            key.0.extend(node.prefix());
            let Some(index) = node.len().checked_sub(1) else {
                return Some((key, node.own()?));
            };
            key.0.push(node.bytes()[index]);
            match node.child(index) {
                ChildRef::Value(value) => {
                    key.0.extend(node.tail());
                    return Some((key, value));
                }
                ChildRef::Node(child) => node = child,
            }
        }
    }

    /// The last key, its value to be changed. O(its length).
    pub fn last_mut(&mut self) -> Option<(Key, &mut V)> {
        let mut node = self.root.as_mut()?;
        let mut key = Key::new();
        loop {
            key.0.extend(node.prefix());
            let Some(index) = node.len().checked_sub(1) else {
                return Some((key, node.own_mut()?));
            };
            key.0.push(node.bytes()[index]);
            if node.is_value(index) {
                key.0.extend(node.tail());
            }
            match node.child_mut(index) {
                ChildMut::Value(value) => return Some((key, value)),
                ChildMut::Node(child) => node = child,
            }
        }
    }

    /// The first key, its value to be changed. O(its length).
    pub fn first_mut(&mut self) -> Option<(Key, &mut V)> {
        let (key, _) = self.first()?;
        let value = self.get_mut(&key)?;
        Some((key, value))
    }

    /// Takes the first key out.
    pub fn pop_first(&mut self) -> Option<(Key, V)> {
        let (key, _) = self.first()?;
        let value = self.remove(&key)?;
        Some((key, value))
    }

    /// Takes the last key out.
    pub fn pop_last(&mut self) -> Option<(Key, V)> {
        let (key, _) = self.last()?;
        let value = self.remove(&key)?;
        Some((key, value))
    }

    /// Visits all keys that `text` begins with, the shortest first.
    pub fn prefixes_of<'a>(&'a self, text: &[u8], mut visit: impl FnMut(&[u8], &'a V)) {
        let Some(mut node) = self.root.as_ref() else { return };
        let mut rest = text;
        while let Some(below) = rest.strip_prefix(node.prefix()) {
            if let Some(value) = node.own() {
                visit(&text[..text.len() - below.len()], value);
            }
            let Some((&byte, after)) = below.split_first() else { return };
            let Ok(index) = node.find(byte) else { return };
            match node.child(index) {
                ChildRef::Value(value) => {
                    if let Some(left) = after.strip_prefix(node.tail()) {
                        visit(&text[..text.len() - left.len()], value);
                    }
                    return;
                }
                ChildRef::Node(child) => (node, rest) = (child, after),
            }
        }
    }
}
