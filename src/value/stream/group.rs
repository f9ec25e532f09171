//! A consumer group: how far it has read, its consumers, and what they have not acknowledged.
//!
//! Invariant: each pending entry is in [`Group::pending`], once, and if it has a consumer also among
//! the IDs that this one keeps; a consumer keeps no others.

use super::id::StreamId;
use super::log::Log;
use crate::base::num;
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::ops::RangeInclusive;

/// A consumer of a group. It is another one's when this one is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerId(u32);

/// A delivery that was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nack {
    /// When it was delivered last, Unix milliseconds.
    pub delivered_ms: i64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// To whom; `None` only while a group is put together from a file.
    pub consumer: Option<ConsumerId>,
}

/// One that reads for a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last tried anything, Unix milliseconds.
    pub seen_ms: i64,
    /// When it last was given an entry, Unix milliseconds; `None`: never.
    pub active_ms: Option<i64>,
    pending: BTreeSet<StreamId>,
}

/// A consumer group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    last_id: StreamId,
    entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Nack>,
    names: BTreeMap<Box<[u8]>, ConsumerId>,
    /// By their IDs; `None` where one was deleted.
    consumers: Vec<Option<Consumer>>,
}

impl Consumer {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How many entries it has not acknowledged.
    #[must_use]
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The IDs in a range that it has not acknowledged, in order.
    pub fn pending_ids(&self, range: RangeInclusive<StreamId>) -> impl Iterator<Item = StreamId> {
        (!range.is_empty()).then(|| self.pending.range(range)).into_iter().flatten().copied()
    }
}

impl Group {
    /// A group that reads what comes after `last_id`; `entries_read` is how many there were up to it, if
    /// that is known.
    #[must_use]
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> Self {
        Self { last_id, entries_read, ..Self::default() }
    }

    /// The ID of the last entry delivered.
    #[must_use]
    pub const fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// How many entries there were up to that one, if that is known.
    #[must_use]
    pub const fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }

    /// Lets it go on behind `last_id`.
    pub fn set_last_id(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        self.last_id = last_id;
        self.entries_read = entries_read;
    }

    /// Moves on to an entry that is delivered: [`Group::last_id`] and [`Group::entries_read`] follow, if
    /// it is behind the last one; says whether it is.
    #[inline]
    pub fn advance(&mut self, log: &Log, id: StreamId) -> bool {
        if id <= self.last_id {
            return false;
        }
        match &mut self.entries_read {
            Some(read)
                if self.last_id >= log.first_id() && !log.has_tombstones_from(self.last_id) =>
            {
                *read = read.wrapping_add(1);
            }
            read if log.entries_added() > 0 => *read = log.entries_up_to(id),
            Some(_) | None => {}
        }
        self.last_id = id;
        true
    }

    /// How many entries are still to be delivered, if that is known.
    #[must_use]
    pub fn lag(&self, log: &Log) -> Option<i64> {
        let (first, added) = (log.first_id(), log.entries_added());
        if added == 0 || log.is_empty() {
            return Some(0);
        }
        if self.last_id < first && log.max_deleted_id() < first {
            return Some(log.len().cast_signed());
        }
        let read = match self.entries_read {
            Some(read) if !log.has_tombstones_from(self.last_id) => read,
            Some(_) | None => log.entries_up_to(self.last_id)?,
        };
        Some(added.wrapping_sub(read).cast_signed())
    }

    // ---- Consumers ----

    /// How many consumers there are.
    #[must_use]
    pub fn consumer_count(&self) -> usize {
        self.names.len()
    }

    /// The consumer of this name.
    #[must_use]
    pub fn consumer_named(&self, name: &[u8]) -> Option<ConsumerId> {
        self.names.get(name).copied()
    }

    /// Makes a consumer of this name, seen now and never active; `None` if there is one.
    pub fn create_consumer(&mut self, name: &[u8], now_ms: i64) -> Option<ConsumerId> {
        if self.names.contains_key(name) {
            return None;
        }
        let consumer = Consumer {
            name: name.into(),
            seen_ms: now_ms,
            active_ms: None,
            pending: BTreeSet::new(),
        };
        let free = self.consumers.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.consumers.push(None);
            self.consumers.len() - 1
        });
        self.consumers[index] = Some(consumer);
        let id = ConsumerId(num::u32_of(index, "consumers take memory, so they are few"));
        self.names.insert(name.into(), id);
        Some(id)
    }

    /// Deletes a consumer with its pending entries; gives how many these were. O(pending · log).
    pub fn delete_consumer(&mut self, consumer: ConsumerId) -> usize {
        let Some(gone) = self.consumers.get_mut(index(consumer)).and_then(Option::take) else {
            return 0;
        };
        self.names.remove(&gone.name);
        for id in &gone.pending {
            self.pending.remove(id);
        }
        gone.pending.len()
    }

    /// A consumer.
    ///
    /// # Panics
    /// If it was deleted.
    #[must_use]
    pub fn consumer(&self, consumer: ConsumerId) -> &Consumer {
        self.consumers[index(consumer)].as_ref().expect("a consumer that was not deleted")
    }

    /// A consumer, to note when it was seen.
    ///
    /// # Panics
    /// If it was deleted.
    pub fn consumer_mut(&mut self, consumer: ConsumerId) -> &mut Consumer {
        self.consumers[index(consumer)].as_mut().expect("a consumer that was not deleted")
    }

    /// All consumers, in the order of their names.
    pub fn consumers(&self) -> impl Iterator<Item = (ConsumerId, &Consumer)> {
        self.names.values().map(|&id| (id, self.consumer(id)))
    }

    // ---- Pending entries ----

    /// How many entries are not acknowledged.
    #[must_use]
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// What is known of an entry that is not acknowledged.
    #[must_use]
    pub fn pending(&self, id: StreamId) -> Option<&Nack> {
        self.pending.get(&id)
    }

    /// The entries in a range that are not acknowledged, in order; from either end.
    pub fn pending_range(
        &self,
        range: RangeInclusive<StreamId>,
    ) -> impl DoubleEndedIterator<Item = (StreamId, &Nack)> {
        let found = (!range.is_empty()).then(|| self.pending.range(range));
        found.into_iter().flatten().map(|(id, nack)| (*id, nack))
    }

    /// The entries in a range that a consumer has not acknowledged, in order.
    ///
    /// # Panics
    /// If it was deleted.
    pub fn pending_of(
        &self,
        consumer: ConsumerId,
        range: RangeInclusive<StreamId>,
    ) -> impl Iterator<Item = (StreamId, &Nack)> {
        let ids = self.consumer(consumer).pending_ids(range);
        ids.filter_map(|id| self.pending.get(&id).map(|nack| (id, nack)))
    }

    /// Notes that an entry is delivered to a consumer for the first time. If it is pending already, it
    /// changes hands and counts as delivered for the first time all the same.
    ///
    /// # Panics
    /// If the consumer was deleted.
    pub fn deliver(&mut self, id: StreamId, consumer: ConsumerId, now_ms: i64) {
        let nack = Nack { delivered_ms: now_ms, deliveries: 1, consumer: Some(consumer) };
        self.put(id, nack);
    }

    /// Makes an entry pending as this says, in place of what it was if it was pending: what a claim
    /// comes to.
    ///
    /// # Panics
    /// If the consumer was deleted.
    pub fn put(&mut self, id: StreamId, nack: Nack) {
        let before = self.pending.insert(id, nack);
        let (from, to) = (before.and_then(|before| before.consumer), nack.consumer);
        if from == to {
            return;
        }
        if let Some(from) = from {
            self.consumer_mut(from).pending.remove(&id);
        }
        if let Some(to) = to {
            self.consumer_mut(to).pending.insert(id);
        }
    }

    /// Notes another delivery to the same consumer.
    pub fn redeliver(&mut self, id: StreamId, now_ms: i64) {
        if let Some(nack) = self.pending.get_mut(&id) {
            nack.delivered_ms = now_ms;
            nack.deliveries = nack.deliveries.saturating_add(1);
        }
    }

    /// Takes an entry off those that are pending; gives what was known of it.
    pub fn ack(&mut self, id: StreamId) -> Option<Nack> {
        let btree_map::Entry::Occupied(entry) = self.pending.entry(id) else { return None };
        let nack = entry.remove();
        if let Some(consumer) = nack.consumer {
            self.consumer_mut(consumer).pending.remove(&id);
        }
        Some(nack)
    }

    /// Gives a pending entry that has no consumer to this one, as files have it; says whether there is
    /// such an entry.
    ///
    /// # Panics
    /// If the consumer was deleted.
    pub fn assign(&mut self, id: StreamId, consumer: ConsumerId) -> bool {
        match self.pending.get_mut(&id) {
            Some(nack) if nack.consumer.is_none() => {
                nack.consumer = Some(consumer);
                self.consumer_mut(consumer).pending.insert(id)
            }
            Some(_) | None => false,
        }
    }

    /// Whether all pending entries have a consumer; what a file is to have brought about.
    #[must_use]
    pub fn is_assigned(&self) -> bool {
        let owned: usize = self.consumers.iter().flatten().map(Consumer::pending_len).sum();
        owned == self.pending.len()
    }

    /// Steps that freeing it takes.
    pub(super) fn free_effort(&self) -> usize {
        1 + self.names.len() + self.pending.len() / 4
    }

    /// Bytes of memory it takes, itself included; estimated.
    pub(super) fn memory_bytes(&self) -> usize {
        // B-trees filled from one end are half full.
        let pending = self.pending.len() * 2 * size_of::<(StreamId, Nack)>();
        let owned = self.pending.len() * 2 * size_of::<StreamId>();
        let name = |name: &[u8]| 2 * name.len() + 4 * size_of::<usize>();
        let names: usize = self.names.keys().map(|text| name(text)).sum();
        let consumers = self.consumers.capacity() * size_of::<Option<Consumer>>();
        size_of::<Self>() + pending + owned + names + consumers
    }
}

fn index(consumer: ConsumerId) -> usize {
    num::usize_of_u32(consumer.0)
}
