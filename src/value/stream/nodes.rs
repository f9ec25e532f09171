//! The nodes of a stream, in the order of their IDs, in chunks that ascend as well.
//!
//! Invariants: no chunk is empty; the IDs of a chunk's nodes are larger than those of the chunk before;
//! the counters count.
//! Why: entries come at one end and mostly go at the other, so a sorted sequence of chunks is found in as
//! fast as a tree and takes less; see `docs/design/stream.md`.

use super::chunk::Chunk;
use super::id::StreamId;
use super::node::{DELETED, Node, Place};
use crate::base::num;
use crate::ds::listpack::Element;
use crate::ds::relocate::{self, Relocator};
use crate::ds::size_class::{allocated_bytes, size_class};
use std::collections::VecDeque;

/// Largest chunk of several nodes, bytes.
const CHUNK_BYTES_MAX: usize = 256 * 1024;
/// A chunk of several nodes is at most this part of its stream, so that what is removed at the front is
/// soon given back.
const CHUNKS_MIN: usize = 8;
/// A chunk from half its largest size on is closed where the allocator adds at most this part to it.
const SLACK_PART_MAX: usize = 64;

/// All nodes.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    chunks: VecDeque<Chunk>,
    count: usize,
    /// Bytes of all chunks.
    bytes: usize,
}

/// Where a node is, until one is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    chunk: usize,
    index: usize,
}

impl Clone for Nodes {
    fn clone(&self) -> Self {
        // What is dead in a chunk is not copied.
        let chunks = self.chunks.clone();
        let bytes = chunks.iter().map(Chunk::bytes_len).sum();
        Self { chunks, count: self.count, bytes }
    }
}

impl Nodes {
    /// Number of nodes.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// Where the first one is.
    pub(super) fn first(&self) -> Option<Spot> {
        (!self.chunks.is_empty()).then_some(Spot { chunk: 0, index: 0 })
    }

    /// Where the last one is.
    #[inline]
    pub(super) fn last(&self) -> Option<Spot> {
        let chunk = self.chunks.len().checked_sub(1)?;
        Some(Spot { chunk, index: self.chunks[chunk].len() - 1 })
    }

    /// Where the node is that an entry with this ID would be in.
    #[inline]
    pub(super) fn find(&self, id: StreamId) -> Option<Spot> {
        let behind = match self.chunks.back() {
            // What is asked for is mostly new.
            Some(last) if last.first_base() <= id => self.chunks.len(),
            Some(_) => self.chunks.partition_point(|chunk| chunk.first_base() <= id),
            None => 0,
        };
        let chunk = behind.checked_sub(1)?;
        Some(Spot { chunk, index: self.chunks[chunk].find(id) })
    }

    /// A node.
    #[inline]
    pub(super) fn get(&self, spot: Spot) -> Node<'_> {
        self.chunks[spot.chunk].node(spot.index)
    }

    /// The chunk that a new node goes to.
    fn open_chunk(&mut self) -> &mut Chunk {
        let limit = (self.bytes / CHUNKS_MIN).min(CHUNK_BYTES_MAX);
        if let Some(chunk) = self.chunks.back_mut() {
            let len = chunk.bytes_len();
            let next = chunk.node(chunk.len() - 1).bytes().len();
            let fits = len > limit / 2 && size_class(len) - len <= len / SLACK_PART_MAX;
            if len + next > limit || fits {
                chunk.close();
                self.chunks.push_back(Chunk::new());
            }
        } else {
            self.chunks.reserve_exact(1);
            self.chunks.push_back(Chunk::new());
        }
        self.chunks.back_mut().expect("one was there or was added")
    }

    /// Begins a node with one entry, whose texts have so many bytes.
    pub(super) fn begin<'f>(
        &mut self,
        id: StreamId,
        fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
        text_bytes: usize,
    ) {
        let chunk = self.open_chunk();
        let before = chunk.bytes_len();
        chunk.begin(id, fields, text_bytes);
        let added = chunk.bytes_len() - before;
        self.bytes += added;
        self.count += 1;
    }

    /// Adds an entry, whose texts have so many bytes, to the last node, which there must be.
    #[inline]
    pub(super) fn append<'f>(
        &mut self,
        id: StreamId,
        fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
        text_bytes: usize,
    ) {
        let chunk = self.chunks.back_mut().expect("the caller saw the last node");
        let before = chunk.bytes_len();
        chunk.append(id, fields, text_bytes);
        self.bytes = self.bytes - before + chunk.bytes_len();
    }

    /// Adds a node behind all others.
    pub(super) fn push(&mut self, node: Node<'_>) {
        self.open_chunk().push(node);
        self.bytes += node.bytes().len();
        self.count += 1;
    }

    /// Removes a node.
    pub(super) fn remove(&mut self, spot: Spot) {
        self.count -= 1;
        let chunk = &mut self.chunks[spot.chunk];
        self.bytes -= chunk.bytes_len();
        if chunk.len() == 1 {
            self.chunks.remove(spot.chunk);
        } else {
            chunk.remove(spot.index);
            self.bytes += chunk.bytes_len();
        }
    }

    /// Marks entries of a node as deleted.
    pub(super) fn delete(&mut self, spot: Spot, places: &[Place]) {
        let chunk = &mut self.chunks[spot.chunk];
        let before = chunk.bytes_len();
        for place in places {
            chunk.replace(spot.index, place.at, Element::Integer(place.flags | DELETED));
        }
        let count = num::i64_of(places.len());
        chunk.add_to_counts(spot.index, -count, count);
        self.bytes = self.bytes - before + chunk.bytes_len();
    }

    /// The nodes that entries from `from` to `to` would be in.
    #[inline]
    pub(super) fn range(&self, from: StreamId, to: StreamId) -> Range<'_> {
        let front = self.find(from).or(self.first());
        let back = if to == StreamId::MAX { self.last() } else { self.find(to) };
        Range { nodes: self, ends: front.zip(back).filter(|(front, back)| front <= back) }
    }

    /// Where the node behind this one is.
    pub(super) fn after(&self, spot: Spot) -> Option<Spot> {
        self.at_or_after(Spot { index: spot.index + 1, ..spot })
    }

    /// Where the node is that has taken the place of one that was removed.
    pub(super) fn at_or_after(&self, spot: Spot) -> Option<Spot> {
        let chunk = self.chunks.get(spot.chunk)?;
        if spot.index < chunk.len() {
            return Some(spot);
        }
        let chunk = spot.chunk + 1;
        (chunk < self.chunks.len()).then_some(Spot { chunk, index: 0 })
    }

    fn next(&self, spot: Spot) -> Spot {
        if spot.index + 1 < self.chunks[spot.chunk].len() {
            Spot { index: spot.index + 1, ..spot }
        } else {
            Spot { chunk: spot.chunk + 1, index: 0 }
        }
    }

    fn prev(&self, spot: Spot) -> Spot {
        match spot.index.checked_sub(1) {
            Some(index) => Spot { index, ..spot },
            None => {
                let chunk = spot.chunk - 1;
                Spot { chunk, index: self.chunks[chunk].len() - 1 }
            }
        }
    }

    /// Bytes of memory all of them take.
    pub(super) fn memory_bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(Chunk::allocated_bytes).sum();
        chunks + allocated_bytes(self.chunks.capacity() * size_of::<Chunk>())
    }

    /// Moves a chunk, and with the first one the list of all; false if there is no such chunk.
    pub(super) fn relocate_chunk(&mut self, index: usize, to: &mut dyn Relocator) -> bool {
        if index == 0 {
            relocate::queue(&mut self.chunks, to);
        }
        match self.chunks.get_mut(index) {
            Some(chunk) => {
                chunk.relocate(to);
                true
            }
            None => false,
        }
    }

    /// Steps that freeing them takes.
    pub(super) fn free_effort(&self) -> usize {
        // Returning many pages to the system takes as long as many small frees.
        2 * self.chunks.len() + self.bytes / (64 * 1024)
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn check_invariants(&self) {
        self.chunks.iter().for_each(Chunk::check_invariants);
        assert_eq!(self.count, self.chunks.iter().map(Chunk::len).sum::<usize>());
        assert_eq!(self.bytes, self.chunks.iter().map(Chunk::bytes_len).sum::<usize>());
        let all: Vec<_> = self.range(StreamId::MIN, StreamId::MAX).collect();
        assert_eq!(all.len(), self.count);
        assert!(all.windows(2).all(|pair| pair[0].last_id().is_none_or(|id| id < pair[1].base())));
    }
}

/// Nodes in a range, from either end.
#[derive(Clone, Debug)]
pub(super) struct Range<'a> {
    nodes: &'a Nodes,
    /// The first and the last one still to come.
    ends: Option<(Spot, Spot)>,
}

impl<'a> Iterator for Range<'a> {
    type Item = Node<'a>;

    #[inline]
    fn next(&mut self) -> Option<Node<'a>> {
        let (front, back) = self.ends?;
        self.ends = (front < back).then(|| (self.nodes.next(front), back));
        Some(self.nodes.get(front))
    }
}

impl DoubleEndedIterator for Range<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let (front, back) = self.ends?;
        self.ends = (front < back).then(|| (front, self.nodes.prev(back)));
        Some(self.nodes.get(back))
    }
}
