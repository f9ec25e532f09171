//! The entries of a stream, and the counters that outlive them.

use super::id::{NewId, StreamId};
use super::limits::{Limits, NODE_BYTES_MAX};
use super::node::{self, BadNode, Fields, Node, Place};
use super::nodes::{Nodes, Spot};
use super::references::{Trimmed, Verdict};
use crate::base::num;
use crate::ds::relocate::Relocator;

/// The entries and what is known of those that are gone.
#[derive(Clone, Debug, Default)]
pub struct Log {
    nodes: Nodes,
    len: u64,
    first_id: StreamId,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
}

/// Why no entry was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// No ID is `0-0`.
    ZeroId,
    /// The ID is not larger than the last one there was.
    SmallId,
    /// The largest ID has been used.
    Exhausted,
    /// Fields and values take more than 1 GiB together.
    TooLarge,
}

/// What trimming leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// So many entries, the last ones.
    Last(u64),
    /// Those from this ID on.
    From(StreamId),
}

/// How closely trimming does that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Entry by entry.
    Exact,
    /// Node by node, so that more may stay.
    Nodes {
        /// Most entries to remove.
        limit: Option<u64>,
    },
}

impl Log {
    /// Number of entries.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ID of the first entry, `0-0` if there is none.
    #[must_use]
    pub const fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The largest ID that an entry has had, or that was set as such.
    #[inline]
    #[must_use]
    pub const fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The largest ID that is kept, those of entries that are marked as deleted included.
    #[must_use]
    pub fn greatest_id(&self) -> Option<StreamId> {
        self.nodes.last().and_then(|last| self.nodes.get(last).last_id())
    }

    /// The largest ID that was deleted, `0-0` if none was. Trimming does not count.
    #[must_use]
    pub const fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries there have been, or what was set as such.
    #[must_use]
    pub const fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// The first entry.
    #[must_use]
    pub fn first(&self) -> Option<(StreamId, Fields<'_>)> {
        self.range(StreamId::MIN, StreamId::MAX).next()
    }

    /// The last entry.
    #[must_use]
    pub fn last(&self) -> Option<(StreamId, Fields<'_>)> {
        self.range(StreamId::MIN, StreamId::MAX).next_back()
    }

    /// The entry with this ID.
    #[must_use]
    pub fn get(&self, id: StreamId) -> Option<Fields<'_>> {
        self.range(id, id).next().map(|(_, fields)| fields)
    }

    pub(super) const fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Number of nodes.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The nodes in order, to be written as they are.
    pub fn raw_nodes(&self) -> impl DoubleEndedIterator<Item = Node<'_>> {
        self.nodes.range(StreamId::MIN, StreamId::MAX)
    }

    // ---- Adding ----

    /// The ID that an entry asking for `wanted` gets.
    ///
    /// # Errors
    /// There is none.
    pub fn resolve(&self, wanted: NewId, now_ms: u64) -> Result<StreamId, AppendError> {
        let last = self.last_id;
        if last == StreamId::MAX {
            return Err(AppendError::Exhausted);
        }
        let after_last = || last.next().ok_or(AppendError::Exhausted);
        match wanted {
            NewId::Auto if now_ms > last.ms => Ok(StreamId::new(now_ms, 0)),
            NewId::Auto => after_last(),
            NewId::AutoSeq { ms } if ms > last.ms => Ok(StreamId::new(ms, 0)),
            NewId::AutoSeq { ms } => {
                after_last().ok().filter(|id| id.ms == ms).ok_or(AppendError::SmallId)
            }
            NewId::Explicit(id) if id == StreamId::MIN => Err(AppendError::ZeroId),
            NewId::Explicit(id) if id <= last => Err(AppendError::SmallId),
            NewId::Explicit(id) => Ok(id),
        }
    }

    /// Adds an entry of fields, each followed by its value, under the ID that [`Log::resolve`] gives;
    /// returns that. O(length of the entry), and O(bytes of a node) where its allocation must grow.
    ///
    /// # Errors
    /// There is no such ID, or the entry is too large.
    pub fn append<'f>(
        &mut self,
        wanted: NewId,
        now_ms: u64,
        fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
        limits: Limits,
    ) -> Result<StreamId, AppendError> {
        let id = self.resolve(wanted, now_ms)?;
        let added = fields.clone().map(<[u8]>::len).sum::<usize>();
        if added > NODE_BYTES_MAX {
            return Err(AppendError::TooLarge);
        }
        match self.nodes.last() {
            Some(last) if !self.nodes.get(last).is_full(added, limits) => {
                self.nodes.append(id, fields, added);
            }
            Some(_) | None => self.nodes.begin(id, fields, added),
        }
        if self.len == 0 {
            self.first_id = id;
        }
        self.len += 1;
        self.entries_added += 1;
        self.last_id = id;
        Ok(id)
    }

    // ---- Removing ----

    /// Deletes an entry; says whether there was one. O(entries in a node + log(nodes)).
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some(spot) = self.nodes.find(id) else { return false };
        let node = self.nodes.get(spot);
        let found = node.entries().find(|entry| entry.id >= id);
        let Some(found) = found.filter(|found| found.id == id && !found.is_deleted()) else {
            return false;
        };
        let place = found.place();
        if node.counts().0 <= 1 {
            self.nodes.remove(spot);
        } else {
            self.nodes.delete(spot, &[place]);
        }
        self.len -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id {
            self.find_first();
        }
        true
    }

    /// Removes entries from the front; gives how many. O(entries in a node + nodes removed).
    pub fn trim(&mut self, keep: Keep, precision: Precision) -> u64 {
        let mut removed = 0;
        while let Some(first) = self.nodes.first() {
            if matches!(keep, Keep::Last(count) if self.len <= count) {
                break;
            }
            let node = self.nodes.get(first);
            let (count, _) = node.counts();
            if let Precision::Nodes { limit: Some(limit) } = precision
                && removed + count > limit
            {
                break;
            }
            if self.goes_whole(node, keep) {
                self.nodes.remove(first);
            } else {
                if precision == Precision::Exact {
                    removed += self.trim_node(first, keep);
                }
                break;
            }
            self.len -= count;
            removed += count;
        }
        if removed > 0 {
            self.find_first();
        }
        removed
    }

    /// Removes the first entries of a node, which keeps some.
    fn trim_node(&mut self, spot: Spot, keep: Keep) -> u64 {
        let mut left = match keep {
            Keep::Last(count) => self.len - count,
            Keep::From(_) => u64::MAX,
        };
        // Counted from the end, since the node's counts are at its start and may change size.
        let (mut removed, mut bytes_left) = (0, usize::MAX);
        loop {
            let mut entries = self.nodes.get(spot).entries();
            entries.leave(bytes_left);
            let mut batch = [Place::default(); 16];
            let mut taken = 0;
            while taken < batch.len()
                && left > 0
                && let Some(entry) = entries.next()
                && !matches!(keep, Keep::From(from) if entry.id >= from)
            {
                if !entry.is_deleted() {
                    batch[taken] = entry.place();
                    taken += 1;
                    left -= 1;
                }
            }
            bytes_left = entries.bytes_left();
            self.nodes.delete(spot, &batch[..taken]);
            removed += num::u64_of(taken);
            if taken < batch.len() {
                self.len -= removed;
                return removed;
            }
        }
    }

    /// As [`Log::trim`], but leaves entries that are wanted; they are asked for in their order. By nodes,
    /// of those that would go whole the unwanted entries go. O(entries looked at + nodes removed).
    pub(super) fn trim_unwanted(
        &mut self,
        keep: Keep,
        precision: Precision,
        mut verdict: impl FnMut(StreamId) -> Verdict,
    ) -> Trimmed {
        let mut trimmed = Trimmed::default();
        let mut has_kept = false;
        let mut next = self.nodes.first();
        while let Some(spot) = next {
            if matches!(keep, Keep::Last(count) if self.len <= count) {
                break;
            }
            let node = self.nodes.get(spot);
            let (count, _) = node.counts();
            if let Precision::Nodes { limit } = precision {
                let is_beyond = limit.is_some_and(|limit| trimmed.removed + count > limit);
                if is_beyond || !self.goes_whole(node, keep) {
                    break;
                }
            }
            let mut unwanted = Vec::new();
            let mut is_last = false;
            for entry in node.entries().filter(|entry| !entry.is_deleted()) {
                let is_enough = match keep {
                    Keep::Last(kept) => self.len - num::u64_of(unwanted.len()) <= kept,
                    Keep::From(id) => entry.id >= id,
                };
                let found = if is_enough { Verdict::AllWanted } else { verdict(entry.id) };
                match found {
                    Verdict::Unwanted => {
                        unwanted.push(entry.place());
                        trimmed.last = Some(entry.id);
                        if has_kept {
                            // There is a gap now, which those who count entries must know of.
                            self.max_deleted_id = self.max_deleted_id.max(entry.id);
                        }
                    }
                    Verdict::Wanted => has_kept = true,
                    Verdict::AllWanted => {
                        is_last = true;
                        break;
                    }
                }
            }
            let removed = num::u64_of(unwanted.len());
            next = if removed == count {
                self.nodes.remove(spot);
                self.nodes.at_or_after(spot)
            } else {
                self.nodes.delete(spot, &unwanted);
                self.nodes.after(spot)
            };
            self.len -= removed;
            trimmed.removed += removed;
            if is_last {
                break;
            }
        }
        if trimmed.removed > 0 {
            self.find_first();
        }
        trimmed
    }

    /// Whether trimming leaves nothing of the first node.
    fn goes_whole(&self, node: Node<'_>, keep: Keep) -> bool {
        match keep {
            Keep::Last(kept) => self.len.saturating_sub(node.counts().0) >= kept,
            // Deleted entries count here, as in Redis.
            Keep::From(id) => node.last_id().is_none_or(|last| last < id),
        }
    }

    fn find_first(&mut self) {
        self.first_id = self.first().map_or(StreamId::MIN, |(id, _)| id);
    }

    // ---- Counters ----

    /// Sets the ID that new ones have to be larger than.
    pub fn set_last_id(&mut self, id: StreamId) {
        self.last_id = id;
    }

    /// Sets how many entries there have been.
    pub fn set_entries_added(&mut self, count: u64) {
        self.entries_added = count;
    }

    /// Sets the largest ID that was deleted.
    pub fn set_max_deleted_id(&mut self, id: StreamId) {
        self.max_deleted_id = id;
    }

    /// Adds a node, as a file has it, behind the others; its entries count in [`Log::len`], nothing else
    /// is changed but [`Log::first_id`]. O(bytes).
    ///
    /// # Errors
    /// It is none, or its entries are not behind the others.
    pub fn push_node(&mut self, base: StreamId, bytes: &[u8]) -> Result<(), BadNode> {
        node::check(base, bytes)?;
        let node = Node::new(base, bytes);
        if self.greatest_id().is_some_and(|last| last >= base) {
            return Err(BadNode::BadId { index: 0 });
        }
        self.nodes.push(node);
        let is_first = self.len == 0;
        self.len += node.counts().0;
        if is_first {
            self.find_first();
        }
        Ok(())
    }

    // ---- What groups ask ----

    /// Whether an entry between `from` and the end may have been deleted.
    #[must_use]
    pub fn has_tombstones_from(&self, from: StreamId) -> bool {
        self.len > 0
            && self.max_deleted_id != StreamId::MIN
            && self.first_id <= self.max_deleted_id
            && from <= self.max_deleted_id
    }

    /// How many entries there have been up to this ID, itself included; `None` if that is not known.
    #[must_use]
    pub fn entries_up_to(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if id != StreamId::MIN && id < self.max_deleted_id {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.entries_added);
        }
        let is_whole = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < self.first_id;
        if !is_whole || id > self.first_id {
            return None;
        }
        let before = self.entries_added.wrapping_sub(self.len);
        Some(if id < self.first_id { before } else { before.wrapping_add(1) })
    }

    /// Moves a chunk of nodes; false if there is no such chunk.
    pub(super) fn relocate_chunk(&mut self, index: usize, to: &mut dyn Relocator) -> bool {
        self.nodes.relocate_chunk(index, to)
    }

    /// Bytes of memory it takes beside itself.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.nodes.memory_bytes()
    }

    /// Steps that freeing it takes.
    pub(super) fn free_effort(&self) -> usize {
        self.nodes.free_effort()
    }

    /// Checks all nodes and counters.
    #[cfg(any(test, fuzzing))]
    pub fn check_invariants(&self) {
        self.nodes.check_invariants();
        let counts = self.raw_nodes().map(|node| node.counts().0);
        assert_eq!(self.len, counts.sum::<u64>());
        assert_eq!(self.first_id, self.first().map_or(StreamId::MIN, |(id, _)| id));
    }
}
