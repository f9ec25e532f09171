//! Several nodes of a stream behind one another in one allocation.
//!
//! Invariants: the IDs ascend; the nodes' bytes do not overlap, lie in the order of their IDs, and the
//! last node ends where the bytes end; `dead` counts the bytes between nodes, at most half of all.
//! Why: the allocator rounds a node of 2,400 bytes up to 2,560; many of them together lose next to
//! nothing, and an entry is appended without moving anything. Nodes change size rarely: see
//! [`Chunk::replace`].

use super::id::StreamId;
use super::node::{self, Node};
use crate::base::num;
use crate::ds::listpack::{Element, raw};
use crate::ds::relocate::{self, Relocator};
use crate::ds::size_class::{allocated_bytes, size_class};

/// Where a node is.
#[derive(Clone, Copy, Debug)]
struct Head {
    base: StreamId,
    /// Offset of its listpack, bytes.
    at: u32,
}

/// Some nodes; at least one, but for a moment.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The ID of the first node.
    first: StreamId,
    heads: Vec<Head>,
    bytes: Vec<u8>,
    dead: usize,
}

impl Clone for Chunk {
    fn clone(&self) -> Self {
        let mut clone = Self::new();
        clone.heads.reserve_exact(self.heads.len());
        clone.bytes.reserve_exact(self.bytes.len() - self.dead);
        self.iter().for_each(|node| clone.push(node));
        clone
    }
}

impl Chunk {
    pub(super) const fn new() -> Self {
        Self { first: StreamId::MIN, heads: Vec::new(), bytes: Vec::new(), dead: 0 }
    }

    #[inline]
    pub(super) const fn first_base(&self) -> StreamId {
        self.first
    }

    /// Number of nodes.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.heads.len()
    }

    /// Bytes of all nodes and between them.
    #[inline]
    pub(super) fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        allocated_bytes(self.bytes.capacity())
            + allocated_bytes(self.heads.capacity() * size_of::<Head>())
    }

    /// Moves its two blocks.
    pub(super) fn relocate(&mut self, to: &mut dyn Relocator) {
        relocate::vector(&mut self.heads, to);
        relocate::vector(&mut self.bytes, to);
    }

    #[inline]
    fn iter(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.len()).map(|index| self.node(index))
    }

    #[inline]
    pub(super) fn node(&self, index: usize) -> Node<'_> {
        let head = self.heads[index];
        Node::new(head.base, raw::first(&self.bytes[num::usize_of_u32(head.at)..]))
    }

    /// The node that an entry with this ID would be in; there is one.
    #[inline]
    pub(super) fn find(&self, id: StreamId) -> usize {
        self.heads.partition_point(|head| head.base <= id).saturating_sub(1)
    }

    /// Makes room for `added` bytes, and some more where that needs another allocation.
    #[inline]
    fn reserve(&mut self, added: usize) {
        let len = self.bytes.len();
        if self.bytes.capacity() - len < added {
            let spare = added.max(len / 8);
            self.bytes.reserve_exact(size_class(len + spare) - len);
        }
    }

    fn push_head(&mut self, base: StreamId) {
        if self.heads.is_empty() {
            self.first = base;
            self.heads.reserve_exact(1);
        }
        let at = num::u32_of(self.bytes.len(), "a chunk takes no more nodes long before 4 GiB");
        self.heads.push(Head { base, at });
    }

    /// Begins a node with one entry, whose texts have so many bytes, behind the others.
    pub(super) fn begin<'f>(
        &mut self,
        id: StreamId,
        fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
        text_bytes: usize,
    ) {
        self.reserve(text_bytes + encoding_bytes(fields.len(), text_bytes));
        self.push_head(id);
        node::begin(&mut self.bytes, fields);
    }

    /// Adds an entry, whose texts have so many bytes, to the last node.
    #[inline]
    pub(super) fn append<'f>(
        &mut self,
        id: StreamId,
        fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
        text_bytes: usize,
    ) {
        self.reserve(text_bytes + encoding_bytes(fields.len(), text_bytes));
        let index = self.heads.len() - 1;
        let Head { base, at } = self.heads[index];
        node::append(&mut self.bytes, num::usize_of_u32(at), base, id, fields);
        self.add_to_counts(index, 1, 0);
    }

    /// Adds a node behind the others.
    pub(super) fn push(&mut self, node: Node<'_>) {
        self.reserve(node.bytes().len());
        self.push_head(node.base());
        self.bytes.extend_from_slice(node.bytes());
    }

    /// Gives back room that is not needed any more.
    pub(super) fn close(&mut self) {
        self.bytes.shrink_to(size_class(self.bytes.len()));
        self.heads.shrink_to_fit();
    }

    /// Changes how many entries a node counts.
    #[inline]
    pub(super) fn add_to_counts(&mut self, index: usize, count: i64, deleted: i64) {
        let node = self.node(index);
        let (now, now_deleted) = node.counts();
        let changed = |now: u64, by| Element::Integer(num::i64_clamped(now).saturating_add(by));
        if deleted != 0 {
            let at = node.deleted_at();
            self.replace(index, at, changed(now_deleted, deleted));
        }
        self.replace(index, raw::FIRST_AT, changed(now, count));
    }

    /// Puts another element at the place of the one at `at` in a node. O(1) if it takes as many bytes, as
    /// flags and nearly all counts do; O(bytes) otherwise.
    #[inline]
    pub(super) fn replace(&mut self, index: usize, at: usize, new: Element<'_>) {
        let start = num::usize_of_u32(self.heads[index].at);
        if !raw::overwrite(&mut self.bytes[start..], at, new) {
            let moved = raw::replace(&mut self.bytes, start, start + at, new);
            for head in &mut self.heads[index + 1..] {
                let at = num::usize_of_u32(head.at).saturating_add_signed(moved);
                head.at = num::u32_of(at, "a chunk takes no more nodes long before 4 GiB");
            }
        }
    }

    /// Removes a node; the last one of all is not to be removed so. O(nodes), and now and then O(bytes).
    pub(super) fn remove(&mut self, index: usize) {
        self.dead += self.node(index).bytes().len();
        self.heads.remove(index);
        self.first = self.heads[0].base;
        if index == self.heads.len() {
            let head = self.heads[index - 1];
            let end = num::usize_of_u32(head.at) + self.node(index - 1).bytes().len();
            self.dead -= self.bytes.len() - end;
            self.bytes.truncate(end);
        }
        if self.dead > self.bytes.len() / 2 {
            *self = self.clone();
        }
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.first, self.heads[0].base);
        assert!(self.heads.is_sorted_by(|a, b| a.base < b.base && a.at < b.at));
        let (mut end, mut live) = (0, 0);
        for (head, node) in self.heads.iter().zip(self.iter()) {
            assert!(num::usize_of_u32(head.at) >= end);
            end = num::usize_of_u32(head.at) + node.bytes().len();
            live += node.bytes().len();
            assert_eq!(node::check(node.base(), node.bytes()), Ok(()));
        }
        assert_eq!((end, live + self.dead), (self.bytes.len(), self.bytes.len()));
        assert!(self.dead <= self.bytes.len() / 2);
    }
}

/// Most bytes that so many texts take as an entry, beside their own.
#[inline]
fn encoding_bytes(texts: usize, text_bytes: usize) -> usize {
    // Two bytes each, and up to eight more for each one of 64 bytes and more.
    let long = texts.min(text_bytes / 64);
    node::OVERHEAD_MAX + 2 * texts + 8 * long
}
