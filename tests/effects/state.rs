//! All that a server holds, to be compared: values, and when what expires.

use carnelian::ds::listpack::Digits;
use carnelian::store::Keyspace;
use carnelian::value::list::Direction;
use carnelian::value::stream::{Stream, StreamId};
use carnelian::value::{Entry, HashRef, ListRef, SetRef, SortedSetRef, Str};
use std::collections::BTreeMap;

/// By database and key: the parts of the value, and the expiry.
pub(crate) type State = BTreeMap<(usize, Vec<u8>), (Vec<Vec<u8>>, Option<i64>)>;

pub(crate) fn of(keyspace: &Keyspace) -> State {
    let mut state = State::new();
    for db in 0..keyspace.len() {
        for entry in keyspace.db(db).iter() {
            let value = (parts(&entry), entry.expiry());
            state.insert((db, entry.key().to_vec()), value);
        }
    }
    state
}

/// The first of what differs.
pub(crate) fn difference(expected: &State, found: &State) -> Option<String> {
    let keys = expected.keys().chain(found.keys());
    let key = keys.filter(|&key| expected.get(key) != found.get(key)).min()?;
    let show = |state: &State| match state.get(key) {
        None => "nothing".to_owned(),
        Some((parts, expiry)) => {
            let parts: Vec<String> =
                parts.iter().take(50).map(|part| part.escape_ascii().to_string()).collect();
            format!("{} expiring at {expiry:?}", parts.join(" "))
        }
    };
    let (db, name) = (key.0, key.1.escape_ascii());
    Some(format!("{name} in {db}\n  was      {}\n  repeated {}", show(expected), show(found)))
}

/// All but when entries were delivered and how often: reading them again is not recorded.
fn put_stream(stream: &Stream, parts: &mut Vec<Vec<u8>>) {
    let Stream { log, groups } = stream;
    let ids = [log.first_id(), log.last_id(), log.max_deleted_id()];
    parts.push(format!("{ids:?} {} added", log.entries_added()).into_bytes());
    for (id, fields) in log.range(StreamId::MIN, StreamId::MAX) {
        parts.push(id.to_string().into_bytes());
        for (name, value) in fields {
            name.with_text(|text| parts.push(text.to_vec()));
            value.with_text(|text| parts.push(text.to_vec()));
        }
    }
    for (name, group) in groups.iter() {
        parts.push(name.to_vec());
        let read = (group.last_id(), group.entries_read());
        parts.push(format!("{read:?} read").into_bytes());
        for (id, consumer) in group.consumers() {
            parts.push(consumer.name().to_vec());
            let pending = group.pending_of(id, StreamId::MIN..=StreamId::MAX);
            parts.extend(pending.map(|(id, _)| id.to_string().into_bytes()));
        }
    }
}

fn parts(entry: &Entry) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    if let Some(string) = Str::of(entry) {
        parts.push(b"string".to_vec());
        parts.push(string.to_vec());
    } else if let Some(list) = ListRef::of(entry) {
        parts.push(b"list".to_vec());
        list.for_each(0, list.len(), Direction::Forward, |element| {
            element.with_text(|text| parts.push(text.to_vec()));
        });
    } else if let Some(set) = SetRef::of(entry) {
        set.iter().for_each(|member| member.with_text(|text| parts.push(text.to_vec())));
        parts.sort();
        parts.insert(0, b"set".to_vec());
    } else if let Some(set) = SortedSetRef::of(entry) {
        parts.push(b"zset".to_vec());
        for (member, score) in set.iter() {
            member.with_text(|text| parts.push(text.to_vec()));
            parts.push(format!("{score:?}").into_bytes());
        }
    } else if let Some(stream) = Stream::of(entry) {
        parts.push(b"stream".to_vec());
        put_stream(stream, &mut parts);
    } else if let Some(hash) = HashRef::of(entry) {
        let mut digits = Digits::new();
        for field in hash.iter() {
            let name = field.name.text(&mut digits).escape_ascii().to_string();
            let value = field.value.text(&mut digits).escape_ascii().to_string();
            parts.push(format!("{name}={value}@{:?}", field.expiry).into_bytes());
        }
        parts.sort();
        parts.insert(0, b"hash".to_vec());
    }
    parts
}
