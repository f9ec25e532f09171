//! Streams: nodes that somebody else wrote, random changes against a stream of vectors, and the pending
//! entries of a group against ordered maps.
//!
//! Input: elements of a node, taken as such under a header that fits, or steps.

use super::input::Input;
use carnelian::ds::listpack::Listpack;
use carnelian::value::stream::{
    AppendError, ConsumerId, Fields, Group, Keep, Limits, Log, Nack, NewId, Precision, StreamId,
    check,
};
use oracle::Oracle;
use std::collections::BTreeMap;

#[path = "../../src/value/stream/oracle.rs"]
mod oracle;

const STEPS_MAX: usize = 200;
/// Entries of the vectors, at most.
const COUNT_MAX: usize = 200;

/// Checks one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.below(4) {
        0 => foreign(&mut input),
        1 => pending(&mut input),
        _ => changes(&mut input),
    }
}

fn small_id(input: &mut Input<'_>) -> StreamId {
    let part = |input: &mut Input<'_>| match input.below(8) {
        0 => u64::MAX,
        1 => input.number().cast_unsigned(),
        _ => u64::try_from(input.below(40)).expect("small"),
    };
    StreamId::new(part(input), part(input))
}

/// Nodes of any elements: those that pass the check can be read, trimmed and emptied.
fn foreign(input: &mut Input<'_>) {
    let mut log = Log::default();
    for _ in 0..3 {
        let base = small_id(input);
        let mut list = Listpack::new();
        for _ in 0..input.below(60) {
            match input.below(8) {
                0 => list.push_back(input.number()),
                1 => {
                    let len = input.below(4);
                    list.push_back(input.bytes(len));
                }
                _ => list.push_back(i64::try_from(input.below(8)).expect("small")),
            }
        }
        let checked = check(base, list.as_bytes());
        let pushed = log.push_node(base, list.as_bytes());
        assert!(checked.is_ok() || pushed == checked);
    }
    #[cfg(fuzzing)]
    log.check_invariants();
    let ids: Vec<StreamId> = log.range(StreamId::MIN, StreamId::MAX).map(|(id, _)| id).collect();
    assert_eq!(u64::try_from(ids.len()), Ok(log.len()));
    assert!(ids.is_sorted_by(|a, b| a < b));
    let mut backward: Vec<_> =
        log.range(StreamId::MIN, StreamId::MAX).rev().map(|(id, _)| id).collect();
    backward.reverse();
    assert_eq!(ids, backward);
    if let Some(id) = ids.get(input.below(64)) {
        log.trim(Keep::From(*id), Precision::Exact);
        #[cfg(fuzzing)]
        log.check_invariants();
    }
    for id in &ids {
        let is_there = log.get(*id).is_some();
        assert_eq!(log.delete(*id), is_there);
    }
    assert!(log.is_empty());
    #[cfg(fuzzing)]
    log.check_invariants();
}

fn texts_of(input: &mut Input<'_>) -> Vec<Vec<u8>> {
    let pairs = 1 + input.below(3);
    let text = |input: &mut Input<'_>| match input.below(4) {
        0 => input.number().to_string().into_bytes(),
        1 => vec![input.byte(); input.below(65_536) / 64],
        _ => {
            let len = input.below(4);
            input.bytes(len).to_vec()
        }
    };
    let name = |input: &mut Input<'_>| match input.below(8) {
        0 => text(input),
        n => vec![b'a' + u8::try_from(n / 4).expect("small")],
    };
    (0..pairs).flat_map(|_| [name(input), text(input)]).collect()
}

fn changes(input: &mut Input<'_>) {
    let limits = (1 << (5 + input.below(9)), 1 + input.below(200));
    let (mut log, mut oracle) = (Log::default(), Oracle::default());
    for _ in 0..STEPS_MAX {
        if input.is_empty() || oracle.ids().len() > COUNT_MAX {
            break;
        }
        let ids = oracle.ids();
        let known = |input: &mut Input<'_>| match ids.get(input.below(COUNT_MAX)) {
            Some(id) => *id,
            None => small_id(input),
        };
        match input.below(8) {
            0 => {
                let id = known(input);
                assert_eq!(log.delete(id), oracle.delete(id));
            }
            1 => {
                let keep = match input.below(2) {
                    0 => Keep::Last(u64::try_from(input.below(COUNT_MAX)).expect("small")),
                    _ => Keep::From(known(input)),
                };
                let limit = u64::try_from(input.below(64)).expect("small");
                let precision = match input.below(3) {
                    0 => Precision::Exact,
                    1 => Precision::Nodes { limit: None },
                    _ => Precision::Nodes { limit: Some(limit) },
                };
                assert_eq!(log.trim(keep, precision), oracle.trim(keep, precision));
            }
            2 => {
                let (from, to) = (known(input), known(input));
                oracle.check_range(&log, from, to);
            }
            kind => {
                let last = log.last_id();
                let id = match kind {
                    3 => small_id(input),
                    4 => StreamId::new(last.ms.saturating_add(1 << input.below(40)), 0),
                    _ => last.next().unwrap_or(last),
                };
                oracle.append_to_both(&mut log, id, &texts_of(input), limits);
            }
        }
        #[cfg(fuzzing)]
        log.check_invariants();
        oracle.check(&log);
    }
    oracle.check_range(&log, StreamId::MIN, StreamId::MAX);
}

fn pending(input: &mut Input<'_>) {
    let mut group = Group::new(StreamId::MIN, None);
    let mut oracle: BTreeMap<StreamId, Nack> = BTreeMap::new();
    let mut consumers: Vec<(u8, ConsumerId)> = Vec::new();
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        let id = small_id(input);
        let now = input.number();
        let name = input.byte() % 8;
        let at = consumers.iter().position(|(known, _)| *known == name);
        let Some(at) = at else {
            let made = group.create_consumer(&[name], now).expect("a new name");
            consumers.push((name, made));
            continue;
        };
        let consumer = consumers[at].1;
        match input.below(8) {
            0 => assert_eq!(group.ack(id), oracle.remove(&id)),
            1 => {
                let gone = group.delete_consumer(consumer);
                let before = oracle.len();
                oracle.retain(|_, nack| nack.consumer != Some(consumer));
                assert_eq!(gone, before - oracle.len());
                consumers.remove(at);
            }
            2 => {
                group.redeliver(id, now);
                if let Some(nack) = oracle.get_mut(&id) {
                    (nack.delivered_ms, nack.deliveries) = (now, nack.deliveries + 1);
                }
            }
            3 => {
                let to = small_id(input);
                let own = |nack: &Nack| nack.consumer == Some(consumer);
                let wanted: Vec<_> = oracle
                    .iter()
                    .filter(|(key, nack)| (id..=to).contains(*key) && own(nack))
                    .map(|(key, nack)| (*key, *nack))
                    .collect();
                let found: Vec<_> =
                    group.pending_of(consumer, id..=to).map(|(key, nack)| (key, *nack)).collect();
                assert_eq!(found, wanted);
            }
            _ => {
                group.deliver(id, consumer, now);
                let nack = Nack { delivered_ms: now, deliveries: 1, consumer: Some(consumer) };
                oracle.insert(id, nack);
            }
        }
        #[cfg(fuzzing)]
        group.check_invariants();
    }
    let all: Vec<_> =
        group.pending_range(StreamId::MIN..=StreamId::MAX).map(|(id, nack)| (id, *nack)).collect();
    assert_eq!(all, oracle.into_iter().collect::<Vec<_>>());
}
