//! Putting keys in and taking them out, from a node on.
//!
//! Every function leaves the invariants of the module intact for the node it is given and all below,
//! and keeps count of the nodes' bytes in `bytes`.

use super::Key;
use super::node::{CAPACITY_MAX, Child, ChildMut, ChildRef, Node, Own, Shape, TAIL_LEN_MAX};
use std::mem;

/// How many bytes two strings have in common.
#[inline]
pub(super) fn common_len(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Gives a key, what is left of it here, a value, and returns the one that it had.
pub(super) fn insert<V>(
    mut node: &mut Node<V>,
    key: &[u8],
    value: V,
    bytes: &mut usize,
) -> Option<V> {
    let mut rest = key;
    loop {
        let common = common_len(node.prefix(), rest);
        rest = &rest[common..];
        if common < node.prefix().len() {
            split(node, common, rest, value, bytes);
            return None;
        }
        let Some((&byte, after)) = rest.split_first() else {
            return set_own(node, value, bytes);
        };
        let index = match node.find(byte) {
            Ok(index) => index,
            Err(index) => {
                add(node, index, byte, after, value, bytes);
                return None;
            }
        };
        if node.is_value(index) && node.tail() != after {
            branch(node, index, after, value, bytes);
            return None;
        }
        match node.child_mut(index) {
            ChildMut::Value(old) => return Some(mem::replace(old, value)),
            ChildMut::Node(child) => (node, rest) = (child, after),
        }
    }
}

/// Gives the key that ends at a node a value, and returns the one that it had.
fn set_own<V>(node: &mut Node<V>, value: V, bytes: &mut usize) -> Option<V> {
    if !node.has_own_room() {
        renew(node, Node::new(Shape { own: Own::Room, ..node.shape() }), bytes);
    }
    let old = node.take_own();
    node.put_own(value);
    old
}

/// Puts a new node with what an old one has in its place.
fn renew<V>(node: &mut Node<V>, mut new: Node<V>, bytes: &mut usize) {
    new.take_all(node);
    *bytes = *bytes + new.size() - node.size();
    *node = new;
}

/// Slots to make for so many that are needed: some more, for those that come next.
fn roomy(len: usize) -> usize {
    (len + len / 8).min(CAPACITY_MAX)
}

/// Adds the only key that goes on with this byte.
#[inline]
fn add<V>(node: &mut Node<V>, index: usize, byte: u8, after: &[u8], value: V, bytes: &mut usize) {
    let capacity = roomy(node.len() + 1);
    if node.tail() != after && after.len() <= TAIL_LEN_MAX && node.values() == 0 {
        // No key has this tail any more, or yet.
        renew(node, Node::new(Shape { tail: after, capacity, ..node.shape() }), bytes);
    } else if node.is_full() {
        renew(node, Node::new(Shape { capacity, ..node.shape() }), bytes);
    }
    let child = if node.tail() == after {
        Child::Value(value)
    } else {
        let leaf = Node::leaf([after, &[], &[]], value);
        *bytes += leaf.size();
        Child::Node(leaf)
    };
    node.insert(index, byte, child);
}

/// Adds what is left of a key to a node that it has nothing in common with.
fn place<V>(node: &mut Node<V>, rest: &[u8], value: V, bytes: &mut usize) {
    match rest.split_first() {
        None => node.put_own(value),
        Some((&byte, after)) => {
            let (Ok(index) | Err(index)) = node.find(byte);
            add(node, index, byte, after, value, bytes);
        }
    }
}

/// What of a key would be the tail of a node that it is added to.
fn tail_of(rest: &[u8]) -> Option<&[u8]> {
    let (_, after) = rest.split_first()?;
    (after.len() <= TAIL_LEN_MAX).then_some(after)
}

/// Puts a node above `node` for the first `common` bytes of its prefix, and adds a key there.
fn split<V>(node: &mut Node<V>, common: usize, rest: &[u8], value: V, bytes: &mut usize) {
    let (head, left) = node.prefix().split_at(common);
    let is_tail = node.is_leaf() && left.len() <= TAIL_LEN_MAX;
    let tail = if is_tail { tail_of(left) } else { tail_of(rest) };
    let own = if rest.is_empty() { Own::Room } else { Own::No };
    let above = Node::new(Shape {
        prefix: [head, &[], &[]],
        tail: tail.unwrap_or_default(),
        capacity: 2,
        own,
    });
    *bytes += above.size();
    let byte = left[0];
    let mut below = mem::replace(node, above);
    let below = match below.take_own() {
        Some(value) if is_tail => {
            *bytes -= below.size();
            Child::Value(value)
        }
        own => {
            if let Some(value) = own {
                below.put_own(value);
            }
            let prefix = [&below.prefix()[common + 1..], &[], &[]];
            let cut = Node::new(Shape { prefix, ..below.shape() });
            renew(&mut below, cut, bytes);
            Child::Node(below)
        }
    };
    node.insert(0, byte, below);
    place(node, rest, value, bytes);
}

/// Makes a node of the value at `index`, whose key is another than the one that is added.
fn branch<V>(node: &mut Node<V>, index: usize, after: &[u8], value: V, bytes: &mut usize) {
    let tail = Key::of(node.tail());
    let (common, left) = tail.split_at(common_len(&tail, after));
    let rest = &after[common.len()..];
    let own = if left.is_empty() || rest.is_empty() { Own::Room } else { Own::No };
    let child = Node::new(Shape {
        prefix: [common, &[], &[]],
        tail: tail_of(left).or(tail_of(rest)).unwrap_or_default(),
        capacity: 2,
        own,
    });
    *bytes += child.size();
    let old = node.replace(index, Child::Node(child));
    if let (ChildMut::Node(child), Child::Value(old)) = (node.child_mut(index), old) {
        place(child, left, old, bytes);
        place(child, rest, value, bytes);
    }
}

/// Takes a key out of a tree and returns its value.
pub(super) fn remove<V>(root: &mut Option<Node<V>>, key: &[u8], bytes: &mut usize) -> Option<V> {
    let top = root.as_mut()?;
    if top.is_leaf() {
        if top.prefix() != key {
            return None;
        }
        *bytes -= top.size();
        return root.take()?.take_own();
    }
    let (value, became) = remove_below(top, key, bytes)?;
    if became == Became::Leaf {
        hang_leaf(top, key, bytes);
    }
    Some(value)
}

/// What a node is after something was taken out of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Became {
    /// A node with a value and nothing else.
    Leaf,
    /// A node with slots.
    Branch,
}

/// Takes a key out of a tree of more than one.
fn remove_below<V>(mut node: &mut Node<V>, key: &[u8], bytes: &mut usize) -> Option<(V, Became)> {
    let mut rest = key;
    loop {
        rest = rest.strip_prefix(node.prefix())?;
        let Some((&byte, after)) = rest.split_first() else {
            let value = node.take_own()?;
            return Some((value, tidy(node, bytes)));
        };
        let index = node.find(byte).ok()?;
        let (is_here, is_last) = match node.child(index) {
            ChildRef::Value(_) => (node.tail() == after, true),
            ChildRef::Node(child) => (child.prefix() == after, child.is_leaf()),
        };
        if !is_last {
            let ChildMut::Node(child) = node.child_mut(index) else { return None };
            (node, rest) = (child, after);
        } else if !is_here {
            return None;
        } else {
            let value = match node.remove(index) {
                Child::Value(value) => value,
                Child::Node(mut leaf) => {
                    *bytes -= leaf.size();
                    leaf.take_own()?
                }
            };
            return Some((value, tidy(node, bytes)));
        }
    }
}

/// Brings a node that has lost something into its proper form.
fn tidy<V>(node: &mut Node<V>, bytes: &mut usize) -> Became {
    match (node.own().is_some(), node.len()) {
        (true, 0) => {
            let shape = Shape { tail: &[], capacity: 0, ..node.shape() };
            renew(node, Node::new(shape), bytes);
            Became::Leaf
        }
        (false, 1) => merge(node, bytes),
        (_, len) => {
            if len < node.capacity() / 2 {
                renew(node, Node::new(Shape { capacity: roomy(len), ..node.shape() }), bytes);
            }
            Became::Branch
        }
    }
}

/// Puts what a node has in its one slot into its place.
fn merge<V>(node: &mut Node<V>, bytes: &mut usize) -> Became {
    let byte = [node.bytes()[0]];
    let (new, became) = match node.remove(0) {
        Child::Value(value) => {
            (Node::leaf([node.prefix(), &byte, node.tail()], value), Became::Leaf)
        }
        Child::Node(mut child) => {
            let prefix = [node.prefix(), &byte, child.prefix()];
            let mut new = Node::new(Shape { prefix, ..child.shape() });
            new.take_all(&mut child);
            *bytes -= child.size();
            let became = if new.is_leaf() { Became::Leaf } else { Became::Branch };
            (new, became)
        }
    };
    *bytes = *bytes + new.size() - node.size();
    *node = new;
    became
}

/// Hangs the value of the leaf that a removed key's path leads to into a slot of the node above, if it
/// has that tail.
fn hang_leaf<V>(mut node: &mut Node<V>, key: &[u8], bytes: &mut usize) {
    let mut rest = key;
    while let Some((&byte, after)) = rest.strip_prefix(node.prefix()).and_then(<[u8]>::split_first)
    {
        let Ok(index) = node.find(byte) else { return };
        let ChildRef::Node(child) = node.child(index) else { return };
        if child.is_leaf() {
            if child.prefix() == node.tail() {
                *bytes -= child.size();
                let ChildMut::Node(child) = node.child_mut(index) else { return };
                let Some(value) = child.take_own() else { return };
                node.replace(index, Child::Value(value));
            }
            return;
        }
        let ChildMut::Node(child) = node.child_mut(index) else { return };
        (node, rest) = (child, after);
    }
}
