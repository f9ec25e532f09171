//! A place between keys, which moves over one after the other.

use super::Edge;
use super::edit::common_len;
use super::key::Key;
use super::node::{ChildRef, Node};
use super::short::Short;
use std::cmp::Ordering;

/// Nodes of a path that needs no allocation.
const DEPTH_INLINE: usize = 8;

/// A node on the path to a place.
struct Step<'a, V> {
    /// Always there, but in the filler of [`Short`].
    node: Option<&'a Node<V>>,
    /// How many of the node's parts come before the place: its own value, then its slots. In a node
    /// that is not the last of the path: those before the slot that leads on.
    before: usize,
}

impl<V> Clone for Step<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Step<'_, V> {}

/// On which side of a key a place is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// A place between keys, in front of all or behind all; made by [`super::Rax::cursor`].
///
/// A cursor moves from key to key in either direction, O(1) on average. It is between keys, so
/// [`Cursor::next_entry`] and then [`Cursor::previous_entry`] return the same one.
pub struct Cursor<'a, V> {
    /// From the root on. Empty if the tree is.
    path: Short<Step<'a, V>, DEPTH_INLINE>,
    /// What the keys below the last node of the path have in common, and then `ending` bytes.
    key: Key,
    /// How much of `key` belongs only to the entry that was returned last.
    ending: usize,
}

impl<'a, V> Cursor<'a, V> {
    /// A cursor at a place. O(length of the place's key).
    pub(super) fn new(root: Option<&'a Node<V>>, edge: Edge<'_>) -> Cursor<'a, V> {
        let path = Short::new(Step { node: None, before: 0 });
        let mut cursor = Cursor { path, key: Key::new(), ending: 0 };
        if let Some(root) = root {
            match edge {
                Edge::Start => cursor.enter(root, 0),
                Edge::End => cursor.enter(root, root.len() + 1),
                Edge::Before(key) => cursor.seek(root, key, Side::Before),
                Edge::After(key) => cursor.seek(root, key, Side::After),
            }
        }
        cursor
    }

    /// The key that was returned last.
    #[inline]
    pub(super) fn into_key(self) -> Key {
        self.key
    }

    /// Makes a node the last of the path.
    #[inline]
    fn enter(&mut self, node: &'a Node<V>, before: usize) {
        self.key.0.extend(node.prefix());
        self.path.push(Step { node: Some(node), before });
    }

    /// Goes to one side of where a key is or would be.
    fn seek(&mut self, mut node: &'a Node<V>, key: &[u8], side: Side) {
        let mut rest = key;
        loop {
            let common = common_len(node.prefix(), rest);
            rest = &rest[common..];
            if let Some(byte) = node.prefix().get(common) {
                let are_greater = rest.first().is_none_or(|first| first < byte);
                return self.enter(node, if are_greater { 0 } else { node.len() + 1 });
            }
            let Some((&byte, after)) = rest.split_first() else {
                return self.enter(node, usize::from(side == Side::After));
            };
            let index = match node.find(byte) {
                Ok(index) => index,
                Err(index) => return self.enter(node, index + 1),
            };
            match node.child(index) {
                ChildRef::Value(_) => {
                    let is_before = match node.tail().cmp(after) {
                        Ordering::Less => true,
                        Ordering::Equal => side == Side::After,
                        Ordering::Greater => false,
                    };
                    return self.enter(node, index + 1 + usize::from(is_before));
                }
                ChildRef::Node(child) => {
                    self.enter(node, index + 1);
                    self.key.0.push(byte);
                    (node, rest) = (child, after);
                }
            }
        }
    }

    /// Forgets what belongs only to the entry that was returned last.
    #[inline]
    fn forget_ending(&mut self) {
        self.key.0.truncate(self.key.len() - self.ending);
        self.ending = 0;
    }

    /// Leaves the last node of the path; false if it is the only one.
    #[inline]
    fn leave(&mut self, node: &'a Node<V>) -> bool {
        if self.path.len() == 1 {
            return false;
        }
        self.path.truncate(self.path.len() - 1);
        self.key.0.truncate(self.key.len() - node.prefix().len() - 1);
        true
    }

    /// The key of a value in a slot, if the entry that was returned last is another slot of the node:
    /// then it differs in one byte.
    #[inline]
    fn beside(&mut self, index: Option<usize>) -> Option<&'a V> {
        let node = self.path.last_mut()?.node?;
        let index = index.filter(|index| self.ending > 0 && *index < node.len())?;
        let ChildRef::Value(value) = node.child(index) else { return None };
        let at = self.key.len() - self.ending;
        self.key.0.as_mut_slice()[at] = node.bytes()[index];
        Some(value)
    }

    /// Completes the key of a value in a slot.
    #[inline]
    fn complete(&mut self, node: &'a Node<V>, index: usize) {
        self.key.0.push(node.bytes()[index]);
        self.key.0.extend(node.tail());
        self.ending = 1 + node.tail().len();
    }

    /// Moves over the next key and returns it and its value; `None` behind the last.
    #[inline]
    pub fn next_entry(&mut self) -> Option<(&[u8], &'a V)> {
        let before = self.path.last()?.before;
        if let Some(value) = self.beside(before.checked_sub(1)) {
            self.path.last_mut()?.before = before + 1;
            return Some((&self.key, value));
        }
        self.forget_ending();
        loop {
            let step = self.path.last_mut()?;
            let node = step.node?;
            if step.before > node.len() {
                if !self.leave(node) {
                    return None;
                }
                self.path.last_mut()?.before += 1;
                continue;
            }
            let Some(index) = step.before.checked_sub(1) else {
                step.before = 1;
                match node.own() {
                    Some(value) => return Some((&self.key, value)),
                    None => continue,
                }
            };
            match node.child(index) {
                ChildRef::Value(value) => {
                    step.before += 1;
                    self.complete(node, index);
                    return Some((&self.key, value));
                }
                ChildRef::Node(child) => {
                    self.key.0.push(node.bytes()[index]);
                    self.enter(child, 0);
                }
            }
        }
    }

    /// Moves back over the key before and returns it and its value; `None` in front of the first.
    #[inline]
    pub fn previous_entry(&mut self) -> Option<(&[u8], &'a V)> {
        let before = self.path.last()?.before;
        if let Some(value) = self.beside(before.checked_sub(2)) {
            self.path.last_mut()?.before = before - 1;
            return Some((&self.key, value));
        }
        self.forget_ending();
        loop {
            let step = self.path.last_mut()?;
            let node = step.node?;
            let Some(part) = step.before.checked_sub(1) else {
                if !self.leave(node) {
                    return None;
                }
                continue;
            };
            step.before = part;
            let Some(index) = part.checked_sub(1) else {
                match node.own() {
                    Some(value) => return Some((&self.key, value)),
                    None => continue,
                }
            };
            match node.child(index) {
                ChildRef::Value(value) => {
                    self.complete(node, index);
                    return Some((&self.key, value));
                }
                ChildRef::Node(child) => {
                    self.key.0.push(node.bytes()[index]);
                    self.enter(child, child.len() + 1);
                }
            }
        }
    }
}
