//! Snapshots and RESTORE's payloads: loaded or refused without a panic, whatever they are; what was
//! accepted can be read, changed, written again and read back.
//!
//! Input: a byte of choices, then the bytes. Their checksum is made right, so that changes get in.

use carnelian::base::crc64::crc64;
use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::config::Config;
use carnelian::ds::listpack::{Digits, Element};
use carnelian::persist::Progress;
use carnelian::persist::rdb::{
    Compression, Encodings, Expired, LoadOptions, RestoreOptions, Sanitize, SaveOptions, Verify,
    dump, load, restore, save,
};
use carnelian::store::Keyspace;
use carnelian::value::hash::{FieldTtl, NewValue};
use carnelian::value::list::{Direction, End};
use carnelian::value::stream::{ConsumerId, Keep, Limits, NewId, Precision, StreamId};
use carnelian::value::{
    self, Collection, Entry, Hash, HashRef, List, ListRef, Set, SetRef, SortedSet, SortedSetRef,
    Str, Stream,
};
use std::hint::black_box;

const KEY: HashKey = HashKey::new(1, 2);
const NOW_MS: i64 = 1_700_000_000_000;
const CHECKSUM_LEN: usize = 8;
/// So many elements are looked for where that takes time for each.
const FEW: usize = 100;

/// What the first byte says.
#[derive(Clone, Copy)]
struct Choices {
    sanitize: Sanitize,
    expired: Expired,
    encodings: Encodings,
}

impl Choices {
    fn of(byte: u8) -> Self {
        let mut config = Config::default();
        if byte & 2 != 0 {
            config.hash_max_listpack_entries = 2;
            config.set_max_intset_entries = 2;
            config.set_max_listpack_entries = 2;
            config.zset_max_listpack_entries = 2;
            config.list_max_listpack_size = 2;
            config.list_compress_depth = 1;
        }
        Self {
            sanitize: if byte & 1 == 0 { Sanitize::No } else { Sanitize::Yes },
            expired: if byte & 4 == 0 { Expired::Keep } else { Expired::Drop },
            encodings: Encodings::of(&config, KEY, NOW_MS),
        }
    }
}

/// A snapshot.
pub fn run_load(bytes: &[u8]) {
    let Some((&choices, file)) = bytes.split_first() else { return };
    let choices = Choices::of(choices);
    let mut file = file.to_vec();
    if let Some(at) = file.len().checked_sub(CHECKSUM_LEN) {
        let checksum = crc64(&file[..at]);
        file[at..].copy_from_slice(&checksum.to_le_bytes());
    }
    let Some(keyspace) = loaded(&file, choices) else { return };
    for db in 0..keyspace.len() {
        for entry in keyspace.db(db).iter() {
            used(&entry, choices);
        }
    }
    if choices.sanitize == Sanitize::No {
        return;
    }
    let mut again = Vec::new();
    save(&keyspace, &SaveOptions::default(), &mut again).expect("memory takes everything");
    let copy = loaded(&again, choices).expect("it was written here");
    for db in 0..keyspace.len() {
        assert_eq!(copy.db(db).len(), keyspace.db(db).len());
        assert_eq!(copy.db(db).volatile_len(), keyspace.db(db).volatile_len());
    }
}

fn loaded(file: &[u8], choices: Choices) -> Option<Keyspace> {
    let mut keyspace = Keyspace::new(3, KEY, Rng::seeded(1));
    keyspace.set_now(NOW_MS);
    let mut options = LoadOptions::new(choices.encodings);
    options.sanitize = choices.sanitize;
    options.expired = choices.expired;
    options.input_bytes = u64::try_from(file.len()).ok();
    let progress = Progress::new();
    let loaded = load(file, &mut keyspace, &options, &progress).ok()?;
    assert!(loaded.bytes_read <= progress.bytes());
    #[cfg(fuzzing)]
    for db in 0..keyspace.len() {
        keyspace.db(db).check_invariants();
    }
    Some(keyspace)
}

/// A payload.
pub fn run_restore(bytes: &[u8]) {
    let Some((&choices, body)) = bytes.split_first() else { return };
    let choices = Choices::of(choices);
    let payload = [body, &crc64(body).to_le_bytes()].concat();
    if let Some(entry) = restored(&payload, choices) {
        used(&entry, choices);
        changed(entry, choices);
    }
}

fn restored(payload: &[u8], choices: Choices) -> Option<Entry> {
    let options = RestoreOptions {
        encodings: choices.encodings,
        sanitize: choices.sanitize,
        verify: Verify::Checksum,
        access: 0,
        expiry: None,
    };
    restore(payload, b"key", &options).ok()
}

/// Reads a value in every way, and writes it.
fn used(entry: &Entry, choices: Choices) {
    value::memory_bytes(entry, 5);
    value::free_effort(entry);
    let copy = value::copy_of(entry, b"copy", 0, None);
    assert_eq!(value::encoding_of(&copy), value::encoding_of(entry));
    look_up(entry);
    let mut payload = Vec::new();
    dump(entry, Compression::Lzf, &mut payload);
    if choices.sanitize == Sanitize::Yes {
        let again = restored(&payload, choices).expect("it was written here");
        assert_eq!(value::type_of(&again), value::type_of(entry));
    }
}

/// Looks for everything that is there.
fn look_up(entry: &Entry) {
    let mut digits = Digits::new();
    if let Some(string) = Str::of(entry) {
        assert_eq!(string.to_vec().len(), string.len());
    } else if let Some(list) = ListRef::of(entry) {
        let mut index = 0;
        list.for_each(0, list.len(), Direction::Forward, |element| {
            if index < FEW {
                let found = list.position(element.text(&mut digits));
                assert!(found.is_some_and(|found| found <= index));
            }
            index += 1;
        });
        assert_eq!(index, list.len());
    } else if let Some(set) = SetRef::of(entry) {
        assert!(set.iter().all(|member| set.contains(member.text(&mut digits))));
    } else if let Some(set) = SortedSetRef::of(entry) {
        for (member, _) in set.iter().take(FEW) {
            let text = member.text(&mut digits);
            assert!(set.rank(text).is_some_and(|(rank, score)| {
                rank < set.len() && set.score(text) == Some(score)
            }));
        }
    } else if let Some(hash) = HashRef::of(entry) {
        for field in hash.iter() {
            let name = field.name.text(&mut digits);
            assert!(hash.find(name, i64::MIN).is_some());
        }
    } else if let Some(stream) = Stream::of(entry) {
        look_up_stream(stream);
    }
}

/// Every entry both ways and by its ID, every pending entry by its consumer.
fn look_up_stream(Stream { log, groups }: &Stream) {
    #[cfg(fuzzing)]
    log.check_invariants();
    let mut ids = Vec::new();
    for (id, fields) in log.range(StreamId::MIN, StreamId::MAX) {
        let count = fields.len();
        assert_eq!(fields.count(), count);
        ids.push(id);
    }
    assert_eq!(u64::try_from(ids.len()).ok(), Some(log.len()));
    assert!(ids.is_sorted_by(|a, b| a < b) && ids.last().is_none_or(|last| *last <= log.last_id()));
    assert!(ids.iter().take(FEW).all(|id| log.get(*id).is_some()));
    let backwards = log.range(StreamId::MIN, StreamId::MAX).rev();
    assert!(backwards.map(|(id, _)| id).eq(ids.into_iter().rev()));
    for (_, group) in groups.iter() {
        black_box(group.lag(log));
        let all = StreamId::MIN..=StreamId::MAX;
        let mut count = 0;
        for (consumer, _) in group.consumers() {
            for (_, nack) in group.pending_of(consumer, all.clone()) {
                assert_eq!(nack.consumer, Some(consumer));
                count += 1;
            }
        }
        assert_eq!(count, group.pending_len());
        assert_eq!(count, group.pending_range(all).count());
    }
}

/// Reads for every group, claims and acknowledges; deletes all entries.
fn change_stream(stream: &mut Stream) {
    let Stream { log, groups } = stream;
    let fields = [&b"field"[..], b"value"];
    let limits = Limits::new(4096, 10);
    let mut ids: Vec<StreamId> =
        log.range(StreamId::MIN, StreamId::MAX).map(|(id, _)| id).collect();
    let added = log.append(NewId::Auto, 5, fields.into_iter(), limits);
    assert!(added.is_ok() || log.last_id() == StreamId::MAX);
    ids.extend(added);
    for (_, group) in groups.iter_mut() {
        let new = group.create_consumer(b"new", NOW_MS);
        let new = new.or_else(|| group.consumer_named(b"new")).expect("it was made");
        for &id in ids.iter().rev().take(FEW) {
            group.advance(log, id);
            group.deliver(id, new, NOW_MS);
            group.redeliver(id, NOW_MS);
        }
        let all = StreamId::MIN..=StreamId::MAX;
        let pending: Vec<StreamId> = group.pending_range(all).map(|(id, _)| id).collect();
        for id in pending.into_iter().step_by(2) {
            assert!(group.ack(id).is_some());
        }
        let consumers: Vec<ConsumerId> = group.consumers().map(|(consumer, _)| consumer).collect();
        for consumer in consumers {
            group.delete_consumer(consumer);
        }
        assert_eq!((group.pending_len(), group.consumer_count()), (0, 0));
    }
    for id in ids.into_iter().step_by(2) {
        assert!(log.delete(id));
    }
    log.trim(Keep::Last(3), Precision::Exact);
    assert!(log.len() <= 3);
    log.trim(Keep::Last(0), Precision::Nodes { limit: None });
    #[cfg(fuzzing)]
    log.check_invariants();
}

/// Adds to a value and takes everything out again.
fn changed(mut entry: Entry, choices: Choices) {
    let Encodings { list: shape, set: limits, sorted_set, hash: rules } = choices.encodings;
    let Some(mut value) = entry.payload_mut() else { return };
    if let Some(list) = List::of_mut(&mut value) {
        list.prepare([&b"new"[..]].into_iter(), shape);
        list.push(End::Front, b"new");
        list.remove_matching(b"1", 2, Direction::Backward);
        while list.pop(End::Back, |_| ()).is_some() {
            list.settle(shape);
        }
    } else if let Some(set) = Set::of_mut(&mut value) {
        let members: Vec<Vec<u8>> = set.view().iter().map(|member| member.to_vec()).collect();
        set.add(Element::Bytes(b"new"), &limits);
        for member in members {
            set.remove(&member);
        }
        assert!(choices.sanitize == Sanitize::No || set.view().len() <= 1);
    } else if let Some(set) = SortedSet::of_mut(&mut value) {
        let members: Vec<Vec<u8>> = set.view().iter().map(|(member, _)| member.to_vec()).collect();
        set.update(b"new", &sorted_set, Some(0.5), |_| Some(0.5));
        for member in members {
            set.update(&member, &sorted_set, None, |score| score.map(|score| score.max(0.0) + 1.0));
            set.remove(&member);
        }
        assert!(choices.sanitize == Sanitize::No || set.view().len() <= 1);
    } else if let Some(hash) = Hash::of_mut(&mut value) {
        let mut digits = Digits::new();
        let names: Vec<Vec<u8>> =
            hash.as_ref().iter().map(|field| field.name.text(&mut digits).to_vec()).collect();
        hash.set(b"new", NewValue::Copied(b"value"), FieldTtl::Clear, &rules);
        for name in names {
            hash.set_expiry(&name, Some(NOW_MS + 5));
            hash.set(&name, NewValue::Copied(b"value"), FieldTtl::Keep, &rules);
            hash.remove(&name, NOW_MS);
        }
        assert!(choices.sanitize == Sanitize::No || hash.as_ref().len() <= 1);
    } else if let Some(stream) = Box::<Stream>::of_mut(&mut value) {
        change_stream(stream);
    }
}
