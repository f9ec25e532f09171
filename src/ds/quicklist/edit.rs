//! Changes in the middle.

use super::node::Node;
use super::{Direction, End, Place, Quicklist};
use crate::base::num;
use crate::ds::listpack::{Listpack, Needle};
use std::ops::Range;

impl Quicklist {
    /// Puts an element at `index`, in front of the one that is there; at the back if `index` is the
    /// length. O(nodes + node).
    ///
    /// # Panics
    /// If `index` is larger.
    pub fn insert(&mut self, index: usize, text: &[u8]) {
        if index == 0 {
            return self.push(End::Front, text);
        }
        if index == self.len {
            return self.push(End::Back, text);
        }
        let fill = self.shape.fill;
        let Place { node, offset } = self.locate(index);
        self.len += 1;
        if self.nodes[node].takes(text.len(), fill) {
            return self.insert_into(node, offset, text);
        }
        if offset == 0 && self.nodes[node - 1].takes(text.len(), fill) {
            return self.insert_into(node - 1, self.nodes[node - 1].len(), text);
        }
        let at = self.cut(Place { node, offset });
        if offset > 0 && self.nodes[at - 1].takes(text.len(), fill) {
            self.insert_into(at - 1, offset, text);
        } else if offset > 0 && self.nodes[at].takes(text.len(), fill) {
            self.insert_into(at, 0, text);
        } else {
            self.nodes.insert(at, Node::of(text, fill));
        }
        self.join_around(at);
    }

    /// Puts an element into a node that takes it.
    fn insert_into(&mut self, node: usize, offset: usize, text: &[u8]) {
        let found = &mut self.nodes[node];
        let listpack = found.packed_mut().expect("it takes another element");
        match listpack.seek(num::i64_of(offset)) {
            Some(at) => {
                listpack.insert_before(at, text);
            }
            None => listpack.push_back(text),
        }
        found.count += 1;
        self.settle(node);
    }

    /// Makes a node begin at this place, and gives its index.
    fn cut(&mut self, Place { node, offset }: Place) -> usize {
        if offset == 0 {
            return node;
        }
        let behind = self.nodes[node].split_off(offset);
        self.nodes.insert(node + 1, behind);
        node + 1
    }

    /// Joins small nodes near this one, and compresses those that are to be.
    fn join_around(&mut self, node: usize) {
        let from = node.saturating_sub(2);
        for left in (from..=node + 1).rev() {
            let Some(next) = self.nodes.get(left + 1) else { continue };
            if self.nodes[left].joins(next, self.shape.fill) {
                let next = self.nodes.remove(left + 1).expect("looked at above");
                let (count, next) = (next.count, next.into_packed());
                let joined = &mut self.nodes[left];
                let listpack = joined.packed_mut().expect("it joins the next one");
                listpack.append(&next.expect("it is joined"));
                joined.count += count;
            }
        }
        // One by cutting a node, one for the element.
        self.settle_ends(2);
        for index in from..(node + 3).min(self.nodes.len()) {
            self.settle(index);
        }
    }

    /// Puts another element at the place of the one at `index`. O(nodes + node).
    ///
    /// # Panics
    /// If there is no such element.
    pub fn replace(&mut self, index: usize, text: &[u8]) {
        let fill = self.shape.fill;
        let Place { node, offset } = self.locate(index);
        let found = &mut self.nodes[node];
        let old_len = found.with(offset, |element| element.encoded_len());
        if found.len() == 1 {
            *found = Node::of(text, fill);
            self.settle(node);
        } else if found.takes_instead(text.len(), old_len, fill) {
            let listpack = found.packed_mut().expect("it has several elements");
            let at = listpack.seek(num::i64_of(offset)).expect("an offset in the node");
            listpack.replace(at, text);
            self.settle(node);
        } else {
            self.delete_range(index, 1);
            self.insert(index, text);
        }
    }

    /// Removes up to `count` elements from the one at `index` on; gives how many there were. O(nodes +
    /// bytes of the nodes removed in part).
    pub fn delete_range(&mut self, index: usize, count: usize) -> usize {
        let count = count.min(self.len.saturating_sub(index));
        if count == 0 {
            return 0;
        }
        let Place { mut node, offset } = self.locate(index);
        self.len -= count;
        let mut left = count;
        let mut touched = Vec::new();
        if offset > 0 {
            let here = left.min(self.nodes[node].len() - offset);
            self.nodes[node].delete(offset, here);
            touched.push(node);
            left -= here;
            node += 1;
        }
        let mut whole: Range<usize> = node..node;
        while left > 0 && self.nodes[whole.end].len() <= left {
            left -= self.nodes[whole.end].len();
            whole.end += 1;
        }
        let is_removed = !whole.is_empty();
        self.nodes.drain(whole);
        if left > 0 {
            self.nodes[node].delete(0, left);
            touched.push(node);
        }
        if is_removed {
            self.settle_ends(0);
        }
        for node in touched {
            self.settle(node);
        }
        count
    }

    /// Removes up to `limit` elements of this text, the first or the last ones; gives how many.
    /// O(length).
    pub fn remove_matching(&mut self, text: &[u8], limit: usize, direction: Direction) -> usize {
        let needle = Needle::new(text);
        let mut removed = 0;
        let mut is_any_empty = false;
        for step in 0..self.nodes.len() {
            if removed == limit {
                break;
            }
            let index = match direction {
                Direction::Forward => step,
                Direction::Backward => self.nodes.len() - 1 - step,
            };
            let here = self.nodes[index].remove_matching(&needle, limit - removed, direction);
            if here > 0 {
                removed += here;
                is_any_empty |= self.nodes[index].count == 0;
                self.settle(index);
            }
        }
        self.len -= removed;
        if is_any_empty {
            self.nodes.retain(|node| node.count > 0);
            self.settle_ends(0);
        }
        removed
    }
}

/// Removes up to `limit` elements of a listpack that are the needle, the first or the last ones; gives
/// how many.
pub fn remove_from_packed(
    listpack: &mut Listpack,
    needle: &Needle<'_>,
    limit: usize,
    direction: Direction,
) -> usize {
    let mut removed = 0;
    let mut next = match direction {
        Direction::Forward => listpack.first(),
        Direction::Backward => listpack.last(),
    };
    while let Some(at) = next
        && removed < limit
    {
        let found = needle.is(listpack.get(at));
        removed += usize::from(found);
        next = match direction {
            Direction::Forward if found => listpack.delete(at),
            Direction::Forward => listpack.next(at),
            Direction::Backward => {
                let before = listpack.prev(at);
                if found {
                    listpack.delete(at);
                }
                before
            }
        };
    }
    removed
}
