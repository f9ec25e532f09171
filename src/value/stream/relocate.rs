//! Moving what a stream has allocated, in steps: chunks of nodes, then the groups with the trees of their
//! pending entries.
//!
//! The B-trees of names are not moved.

use super::Stream;
use super::group::GroupPlace;
use crate::ds::relocate::{Relocator, boxed};
use std::ops::Bound;

/// Where moving a stream goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Part);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Chunk(usize),
    /// The first group with this name or a greater one; `None`: from its beginning.
    Group(Box<[u8]>, Option<GroupPlace>),
}

/// Nodes of trees that are moved in one step.
const NODES_PER_STEP: usize = 16;

impl Place {
    /// The beginning.
    pub const START: Self = Self(Part::Chunk(0));
}

impl Stream {
    /// Moves some of what it has allocated and returns where to go on; `None` at the end. What happens to
    /// the stream between two steps does no harm.
    pub fn relocate(&mut self, place: Place, to: &mut dyn Relocator) -> Option<Place> {
        let part = match place.0 {
            Part::Chunk(index) if self.log.relocate_chunk(index, to) => Part::Chunk(index + 1),
            Part::Chunk(_) => Part::Group(Box::default(), None),
            Part::Group(name, at) => self.relocate_group(&name, at, to)?,
        };
        Some(Place(part))
    }

    fn relocate_group(
        &mut self,
        from: &[u8],
        at: Option<GroupPlace>,
        to: &mut dyn Relocator,
    ) -> Option<Part> {
        let from = (Bound::Included(from), Bound::Unbounded);
        let (name, group) = self.groups.map.range_mut::<[u8], _>(from).next()?;
        let mut at = at.unwrap_or_else(|| {
            boxed(group, to);
            GroupPlace::Pending(Vec::new())
        });
        for _ in 0..NODES_PER_STEP {
            match group.relocate(at, to) {
                Some(next) => at = next,
                // The next name there can be.
                None => return Some(Part::Group([name, &b"\0"[..]].concat().into(), None)),
            }
        }
        Some(Part::Group(name.clone(), Some(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::ds::relocate::testing::Everything;
    use crate::value::stream::{Group, Limits, NewId, StreamId};

    const LIMITS: Limits = Limits::new(4096, 20);

    fn id(ms: u64) -> StreamId {
        StreamId::new(ms / 5, ms % 5)
    }

    /// Adds entries and groups, delivers, acknowledges and deletes.
    fn change(stream: &mut Stream, rng: &mut Rng, turns: usize) {
        for _ in 0..turns {
            let last = stream.log.entries_added();
            let name = rng.below(6).to_string();
            match rng.below(30) {
                0 => _ = stream.groups.create(name.as_bytes(), Group::new(StreamId::MIN, None)),
                1 => _ = stream.groups.destroy(name.as_bytes()),
                2 => _ = stream.log.delete(id(rng.below(last + 1))),
                3..12 => {
                    let fields = [&b"field"[..], b"some text"].into_iter();
                    let wanted = NewId::Explicit(id(last + 1));
                    stream.log.append(wanted, 0, fields, LIMITS).expect("larger");
                }
                kind => {
                    let Some(group) = stream.groups.get_mut(name.as_bytes()) else { continue };
                    let name = rng.below(9).to_string();
                    let consumer = group.consumer_named(name.as_bytes());
                    let consumer = consumer.or_else(|| group.create_consumer(name.as_bytes(), 1));
                    let consumer = consumer.expect("it is there or new");
                    match kind {
                        12 => _ = group.delete_consumer(consumer),
                        13..17 => _ = group.ack(id(rng.below(last + 1))),
                        _ => group.deliver(id(rng.below(last + 1)), consumer, 7),
                    }
                }
            }
        }
    }

    fn check(stream: &Stream) {
        stream.log.check_invariants();
        stream.groups.iter().for_each(|(_, group)| group.check_invariants());
    }

    #[test]
    fn moving_everything_changes_nothing() {
        for seed in 0..40 {
            let mut rng = Rng::seeded(seed);
            let mut stream = Stream::new();
            change(&mut stream, &mut rng, 2000);
            let before = format!("{stream:?}");
            let mut to = Everything::default();
            let (mut steps, mut place) = (0, Some(Place::START));
            while let Some(at) = place {
                place = stream.relocate(at, &mut to);
                steps += 1;
            }
            assert_eq!(format!("{stream:?}"), before, "seed {seed}");
            assert!(steps > 3 && to.moved > 10, "{steps} steps, {} blocks", to.moved);
            check(&stream);
        }
    }

    #[test]
    fn changes_between_steps_do_no_harm() {
        for seed in 0..40 {
            let mut rng = Rng::seeded(seed);
            let (mut stream, mut copy) = (Stream::new(), Stream::new());
            let mut other = Rng::seeded(seed);
            let mut to = Everything::default();
            let mut place = Place::START;
            for _ in 0..600 {
                change(&mut stream, &mut rng, 4);
                change(&mut copy, &mut other, 4);
                place = stream.relocate(place, &mut to).unwrap_or(Place::START);
            }
            check(&stream);
            assert_eq!(format!("{stream:?}"), format!("{copy:?}"), "seed {seed}");
        }
    }
}
