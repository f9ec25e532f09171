//! What removing an entry means to the groups: whether some still want it, and what becomes of those
//! deliveries of it that nobody has acknowledged.
//!
//! Why there is no index from entries to groups: it would cost memory for each pending entry and time
//! for each delivery and acknowledgement, and few streams are ever asked. The groups are asked instead;
//! [`Demand`] does so for many entries in their order at the price of one look-up for each group and one
//! for each pending entry that is met.

use super::group::Group;
use super::id::StreamId;
use super::log::{Keep, Log, Precision};
use super::{Groups, Stream};
use crate::base::num;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// What becomes of groups' pending deliveries of an entry that is to be removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// They stay: the groups have its ID, and nothing under it.
    #[default]
    Keep,
    /// They go.
    Remove,
    /// The entry is removed only if there are none, and all groups have read it.
    Acked,
}

/// Whether groups still want an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No group does.
    Unwanted,
    /// A group has not read it, or has delivered it and got no acknowledgement.
    Wanted,
    /// It and all entries behind it are.
    AllWanted,
}

/// What trimming came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// How many entries went.
    pub removed: u64,
    /// How many pending deliveries went.
    pub dereferenced: u64,
    /// The last entry that went, if wanted ones stay.
    pub last: Option<StreamId>,
}

impl Trimmed {
    /// The threshold with which exact trimming removes just what trimming to `keep` by nodes has.
    #[must_use]
    pub fn threshold(self, keep: Keep, log: &Log) -> Keep {
        match (keep, self.last) {
            (Keep::Last(_), _) => Keep::Last(log.len()),
            // Some in front of it were kept, and would be again.
            (Keep::From(_), Some(last)) => Keep::From(last.next().unwrap_or(StreamId::MAX)),
            (Keep::From(_), None) if log.is_empty() => Keep::From(StreamId::MAX),
            (Keep::From(_), None) => Keep::From(log.first_id()),
        }
    }
}

/// What the groups of a stream want, asked for entries in ascending order.
pub(super) struct Demand<'g> {
    groups: Vec<&'g Group>,
    /// The last entry that all groups have read.
    read_by_all: StreamId,
    /// A pending entry of each group that may have some: the first behind one asked for before.
    next: BinaryHeap<Reverse<(StreamId, usize)>>,
}

impl<'g> Demand<'g> {
    pub(super) fn of(groups: &'g Groups) -> Self {
        let groups: Vec<&Group> = groups.iter().map(|(_, group)| group).collect();
        let read_by_all = groups.iter().map(|group| group.last_id()).min();
        let first = |(index, group): (usize, &&Group)| {
            first_from(group, StreamId::MIN).map(|id| Reverse((id, index)))
        };
        let next = groups.iter().enumerate().filter_map(first).collect();
        Self { next, read_by_all: read_by_all.unwrap_or(StreamId::MAX), groups }
    }

    /// Whether an entry is wanted, which is behind all that were asked for before.
    pub(super) fn of_entry(&mut self, id: StreamId) -> Verdict {
        if id > self.read_by_all {
            return Verdict::AllWanted;
        }
        while let Some(mut top) = self.next.peek_mut() {
            let Reverse((pending, group)) = *top;
            if pending >= id {
                break;
            }
            match first_from(self.groups[group], id) {
                Some(pending) => *top = Reverse((pending, group)),
                None => _ = PeekMut::pop(top),
            }
        }
        match self.next.peek() {
            Some(&Reverse((pending, _))) if pending == id => Verdict::Wanted,
            Some(_) | None => Verdict::Unwanted,
        }
    }
}

fn first_from(group: &Group, id: StreamId) -> Option<StreamId> {
    group.pending_range(id..=StreamId::MAX).map(|(id, _)| id).next()
}

impl Groups {
    /// Whether a group has not read an entry, or has delivered it and got no acknowledgement.
    /// O(groups · log).
    #[must_use]
    pub fn want(&self, id: StreamId) -> bool {
        self.iter().any(|(_, group)| id > group.last_id() || group.pending(id).is_some())
    }

    /// Takes an entry off what all groups wait to be acknowledged; gives for how many it was.
    /// O(groups · log).
    pub fn dereference(&mut self, id: StreamId) -> u64 {
        let was_pending = |group: &mut Group| u64::from(group.ack(id).is_some());
        self.iter_mut().map(|(_, group)| was_pending(group)).sum()
    }

    /// The same for all entries from `from` to `to`. O(groups + pending entries there).
    fn dereference_range(&mut self, from: StreamId, to: StreamId) -> u64 {
        let mut count = 0;
        for (_, group) in self.iter_mut() {
            let ids: Vec<StreamId> = group.pending_range(from..=to).map(|(id, _)| id).collect();
            count += num::u64_of(ids.len());
            ids.into_iter().for_each(|id| _ = group.ack(id));
        }
        count
    }
}

impl Stream {
    /// Removes entries from the front, as `references` says; gives how many. With
    /// [`References::Acked`] those that a group wants are passed over, and nothing behind the last entry that
    /// all groups have read is looked at.
    pub fn trim(&mut self, keep: Keep, precision: Precision, references: References) -> Trimmed {
        let Self { log, groups } = self;
        match references {
            References::Acked if !groups.is_empty() => {
                let mut demand = Demand::of(groups);
                log.trim_unwanted(keep, precision, |id| demand.of_entry(id))
            }
            References::Keep | References::Acked => {
                Trimmed { removed: log.trim(keep, precision), ..Trimmed::default() }
            }
            References::Remove => {
                let first = log.first_id();
                let removed = log.trim(keep, precision);
                // No entry is behind the last ID there was.
                let behind =
                    if log.is_empty() { log.last_id().next() } else { Some(log.first_id()) };
                let last = behind.map_or(Some(StreamId::MAX), StreamId::prev);
                let dereferenced = match last {
                    Some(last) if removed > 0 => groups.dereference_range(first, last),
                    Some(_) | None => 0,
                };
                Trimmed { removed, dereferenced, last: None }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::value::stream::{Limits, NewId};

    const LIMITS: Limits = Limits::new(4096, 5);

    fn id(ms: u64) -> StreamId {
        StreamId::new(ms, 0)
    }

    /// A stream of some entries, and groups that have read and acknowledged some of them.
    fn random(rng: &mut Rng) -> Stream {
        let mut stream = Stream::new();
        let last = 1 + rng.below(80);
        for ms in 1..=last {
            let fields = [&b"f"[..], b"v"].into_iter();
            stream.log.append(NewId::Explicit(id(ms)), 0, fields, LIMITS).expect("larger");
        }
        for n in 0..rng.below(4) {
            let mut group = Group::new(id(rng.below(last + 2)), None);
            let consumer = group.create_consumer(b"c", 0).expect("new");
            let share = 1 + rng.below(8);
            for ms in (1..=last).filter(|_| rng.below(share) == 0).collect::<Vec<_>>() {
                group.deliver(id(ms), consumer, 5);
            }
            stream.groups.create(n.to_string().as_bytes(), group).expect("new");
        }
        for _ in 0..rng.below(20) {
            stream.log.delete(id(1 + rng.below(last)));
        }
        stream
    }

    fn ids(stream: &Stream) -> Vec<u64> {
        stream.log.range(StreamId::MIN, StreamId::MAX).map(|(id, _)| id.ms).collect()
    }

    fn pending(stream: &Stream) -> Vec<Vec<u64>> {
        let all = |group: &Group| {
            group.pending_range(StreamId::MIN..=StreamId::MAX).map(|(id, _)| id.ms).collect()
        };
        stream.groups.iter().map(|(_, group)| all(group)).collect()
    }

    fn random_keep(rng: &mut Rng, stream: &Stream) -> Keep {
        if rng.below(2) == 0 {
            Keep::Last(rng.below(stream.log.len() + 3))
        } else {
            Keep::From(id(rng.below(90)))
        }
    }

    #[test]
    fn wanted_entries_stay_and_others_go_in_order() {
        for seed in 0..3000 {
            let mut rng = Rng::seeded(seed);
            let mut stream = random(&mut rng);
            let keep = random_keep(&mut rng, &stream);
            let before = ids(&stream);
            let waiting = pending(&stream);
            let mut left = before.len();
            let mut expected = Vec::new();
            let is_wanted = |ms: u64| stream.groups.want(id(ms));
            for &ms in &before {
                let is_beyond = match keep {
                    Keep::Last(kept) => num::u64_of(left) <= kept,
                    Keep::From(from) => id(ms) >= from,
                };
                if is_beyond || is_wanted(ms) {
                    expected.push(ms);
                } else {
                    left -= 1;
                }
            }
            let trimmed = stream.trim(keep, Precision::Exact, References::Acked);
            assert_eq!(ids(&stream), expected, "seed {seed}");
            assert_eq!(trimmed.removed, num::u64_of(before.len() - left), "seed {seed}");
            assert_eq!(pending(&stream), waiting);
            stream.log.check_invariants();
            // What is counted is true, or not known.
            for (at, &ms) in ids(&stream).iter().enumerate() {
                let behind = num::u64_of(expected.len() - at - 1);
                let known = stream.log.entries_up_to(id(ms));
                let counted = known.map(|count| stream.log.entries_added() - count);
                assert!(counted.is_none_or(|counted| counted == behind), "seed {seed}, {ms}");
            }
        }
    }

    /// What trimming by nodes removed is removed by the threshold that is recorded for it.
    #[test]
    fn trimming_by_nodes_is_repeated_by_a_threshold() {
        for seed in 0..3000 {
            let mut rng = Rng::seeded(seed);
            let mut stream = random(&mut rng);
            let mut copy = stream.clone();
            let keep = random_keep(&mut rng, &stream);
            let limit = (rng.below(2) == 0).then(|| rng.below(30));
            let trimmed = stream.trim(keep, Precision::Nodes { limit }, References::Acked);
            let keep = trimmed.threshold(keep, &stream.log);
            let again = copy.trim(keep, Precision::Exact, References::Acked);
            assert_eq!(again.removed, trimmed.removed, "seed {seed}");
            assert_eq!(ids(&copy), ids(&stream), "seed {seed}");
            stream.log.check_invariants();
        }
    }

    #[test]
    fn references_go_with_their_entries() {
        for seed in 0..1000 {
            let mut rng = Rng::seeded(seed);
            let mut stream = random(&mut rng);
            let keep = random_keep(&mut rng, &stream);
            let (before, waiting) = (ids(&stream), pending(&stream));
            let mut copy = stream.log.clone();
            let trimmed = stream.trim(keep, Precision::Exact, References::Remove);
            assert_eq!(copy.trim(keep, Precision::Exact), trimmed.removed);
            let after = ids(&stream);
            let first = before.first().copied().unwrap_or(0);
            let gone = |ms: u64| match after.first() {
                _ if trimmed.removed == 0 => false,
                Some(&left) => (first..left).contains(&ms),
                None => ms >= first,
            };
            for (had, has) in waiting.into_iter().zip(pending(&stream)) {
                let expected: Vec<u64> = had.into_iter().filter(|&ms| !gone(ms)).collect();
                assert_eq!(has, expected, "seed {seed}");
            }
            stream.groups.iter().for_each(|(_, group)| group.check_invariants());
        }
    }
}
