//! A consumer group: how far it has read, its consumers, and what they have not acknowledged.
//!
//! Invariant: each pending entry is in [`Group::pending`], once, and if it has a consumer also among
//! the IDs that this one keeps; a consumer keeps no others.

use super::id::StreamId;
use super::ids::Ids;
use super::log::Log;
use crate::base::num;
use crate::ds::relocate::{self, Relocator};
use crate::ds::size_class::{allocated_bytes, btree_bytes};
use std::collections::BTreeMap;
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
    pending: Ids<()>,
}

/// A consumer group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    last_id: StreamId,
    entries_read: Option<u64>,
    pending: Ids<Nack>,
    names: BTreeMap<Box<[u8]>, ConsumerId>,
    /// By their IDs; `None` where one was deleted.
    consumers: Vec<Option<Consumer>>,
    /// Places of deleted ones.
    free: Vec<ConsumerId>,
}

/// Where moving a group goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GroupPlace {
    /// In the tree of pending entries, at a place of [`crate::ds::rax::Rax::relocate_node`].
    Pending(Vec<u8>),
    /// In the tree of a consumer's.
    Consumer(usize, Vec<u8>),
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
        self.pending.range(range).map(|(id, ())| id)
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
            pending: Ids::default(),
        };
        let id = self.free.pop().unwrap_or_else(|| {
            let next = self.consumers.len();
            self.consumers.push(None);
            ConsumerId(num::u32_of(next, "consumers take memory, so they are few"))
        });
        self.consumers[index(id)] = Some(consumer);
        self.names.insert(name.into(), id);
        Some(id)
    }

    /// Deletes a consumer with its pending entries; gives how many these were. O(pending · log).
    pub fn delete_consumer(&mut self, consumer: ConsumerId) -> usize {
        let Some(gone) = self.consumers.get_mut(index(consumer)).and_then(Option::take) else {
            return 0;
        };
        self.names.remove(&gone.name);
        self.free.push(consumer);
        for id in gone.pending_ids(StreamId::MIN..=StreamId::MAX) {
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
        self.pending.get(id)
    }

    /// The last entry that is not acknowledged.
    #[must_use]
    pub fn last_pending(&self) -> Option<StreamId> {
        self.pending.last()
    }

    /// The entries in a range that are not acknowledged, in order.
    pub fn pending_range(
        &self,
        range: RangeInclusive<StreamId>,
    ) -> impl Iterator<Item = (StreamId, &Nack)> {
        self.pending.range(range)
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
        ids.filter_map(|id| self.pending.get(id).map(|nack| (id, nack)))
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
            self.consumer_mut(from).pending.remove(id);
        }
        if let Some(to) = to {
            self.consumer_mut(to).pending.insert(id, ());
        }
    }

    /// Notes another delivery to the same consumer.
    pub fn redeliver(&mut self, id: StreamId, now_ms: i64) {
        if let Some(nack) = self.pending.get_mut(id) {
            nack.delivered_ms = now_ms;
            nack.deliveries = nack.deliveries.saturating_add(1);
        }
    }

    /// Takes an entry off those that are pending; gives what was known of it.
    pub fn ack(&mut self, id: StreamId) -> Option<Nack> {
        let nack = self.pending.remove(id)?;
        if let Some(consumer) = nack.consumer {
            self.consumer_mut(consumer).pending.remove(id);
        }
        Some(nack)
    }

    /// Gives a pending entry that has no consumer to this one, as files have it; says whether there is
    /// such an entry.
    ///
    /// # Panics
    /// If the consumer was deleted.
    pub fn assign(&mut self, id: StreamId, consumer: ConsumerId) -> bool {
        match self.pending.get_mut(id) {
            Some(nack) if nack.consumer.is_none() => {
                nack.consumer = Some(consumer);
                self.consumer_mut(consumer).pending.insert(id, ()).is_none()
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

    /// Checks that pending entries and consumers agree.
    #[cfg(any(test, fuzzing))]
    pub fn check_invariants(&self) {
        assert_eq!(self.names.len(), self.consumers.iter().flatten().count());
        assert_eq!(self.names.len() + self.free.len(), self.consumers.len());
        for (name, &id) in &self.names {
            let consumer = self.consumer(id);
            assert_eq!(consumer.name, *name);
            for pending in consumer.pending_ids(StreamId::MIN..=StreamId::MAX) {
                let nack = self.pending(pending).expect("the group has all of a consumer's");
                assert_eq!(nack.consumer, Some(id));
            }
        }
        let owned = self.pending_range(StreamId::MIN..=StreamId::MAX);
        let owned = owned.filter(|(_, nack)| nack.consumer.is_some()).count();
        let kept: usize = self.consumers.iter().flatten().map(Consumer::pending_len).sum();
        assert_eq!(owned, kept);
    }

    /// Steps that freeing it takes.
    pub(super) fn free_effort(&self) -> usize {
        1 + self.names.len() + self.pending.len() / 4
    }

    /// Bytes of memory it takes, itself included; estimated.
    pub(super) fn memory_bytes(&self) -> usize {
        let owned: usize =
            self.consumers.iter().flatten().map(|consumer| consumer.pending.memory_bytes()).sum();
        let texts: usize = self.names.keys().map(|name| 2 * allocated_bytes(name.len())).sum();
        let names = btree_bytes(self.names.len(), size_of::<(Box<[u8]>, ConsumerId)>());
        let consumers = allocated_bytes(self.consumers.capacity() * size_of::<Option<Consumer>>());
        let free = allocated_bytes(self.free.capacity() * size_of::<ConsumerId>());
        let pending = self.pending.memory_bytes() + owned;
        allocated_bytes(size_of::<Self>()) + pending + texts + names + consumers + free
    }

    /// Moves some of what it has allocated, O(1) nodes, and returns where to go on; `None` at the end.
    pub(super) fn relocate(
        &mut self,
        at: GroupPlace,
        to: &mut dyn Relocator,
    ) -> Option<GroupPlace> {
        match at {
            GroupPlace::Pending(place) => Some(match self.pending.relocate_node(&place, to) {
                Some(next) => GroupPlace::Pending(next),
                None => {
                    relocate::vector(&mut self.consumers, to);
                    relocate::vector(&mut self.free, to);
                    GroupPlace::Consumer(0, Vec::new())
                }
            }),
            GroupPlace::Consumer(index, place) => {
                let next = match self.consumers.get_mut(index)? {
                    Some(consumer) => {
                        if place.is_empty() {
                            relocate::boxed_bytes(&mut consumer.name, to);
                        }
                        consumer.pending.relocate_node(&place, to)
                    }
                    None => None,
                };
                Some(match next {
                    Some(next) => GroupPlace::Consumer(index, next),
                    None => GroupPlace::Consumer(index + 1, Vec::new()),
                })
            }
        }
    }
}

fn index(consumer: ConsumerId) -> usize {
    num::usize_of_u32(consumer.0)
}
