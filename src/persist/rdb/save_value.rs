//! Values: which of the format's types each is written as, and how.
//!
//! Facts of Redis 7.0, which reads what is written here: a small hash or sorted set and each node of a
//! list are written as the listpack that they are; a set is written member by member unless it is of
//! integers, since 7.0 knows no sets that are listpacks. Of Redis 7.4, the only one to read fields that
//! expire: with the earliest expiry in front, a listpack of such is written as it is, and each field of
//! a table has its expiry counted from the earliest on, plus 1, or 0 if it has none.

use super::format::{VERSION_FIELD_EXPIRY, VERSION_WRITTEN, kind, node};
use super::save_stream::write_stream;
use super::write::Writer;
use crate::ds::intset::IntSet;
use crate::ds::listpack::{Element, Listpack};
use crate::ds::quicklist::{Form, NodeBytes, Quicklist};
use crate::ds::skiplist::ScoredSet;
use crate::value::hash::Scalar;
use crate::value::sorted_set::Direction;
use crate::value::{Entry, HashRef, HeapRef, ListRef, SetRef, SortedSetRef, Stream, ValueRef};
use std::io;

/// A value, as the type that it is written as.
pub(super) enum Layout<'a> {
    /// A string that is kept as an integer.
    Integer(i64),
    /// Any other string.
    Text(&'a [u8]),
    /// A short list.
    PackedList(&'a Listpack),
    /// A long one.
    List(&'a Quicklist),
    /// A set of integers.
    IntegerSet(&'a IntSet),
    /// Any other set.
    Set(SetRef<'a>),
    /// A small sorted set.
    PackedSortedSet(&'a Listpack),
    /// A large one.
    SortedSet(&'a ScoredSet),
    /// A small hash.
    PackedHash(&'a Listpack),
    /// A large one, or one that had fields with an expiry.
    Hash(HashRef<'a>),
    /// A stream.
    Stream(&'a Stream),
    /// A small hash with fields that expire.
    PackedExpiringHash {
        /// Its fields.
        fields: &'a Listpack,
        /// When the first of them expires, Unix milliseconds.
        first_ms: i64,
    },
    /// A large one.
    ExpiringHash {
        /// Its fields.
        fields: HashRef<'a>,
        /// When the first of them expires, Unix milliseconds.
        first_ms: i64,
    },
}

impl<'a> Layout<'a> {
    /// The layout of an entry's value.
    #[inline]
    pub(super) fn of(entry: &'a Entry) -> Self {
        match entry.value() {
            ValueRef::Integer(n) => Self::Integer(n),
            ValueRef::Embedded(bytes) => Self::Text(bytes),
            ValueRef::Payload(HeapRef::Text(text)) => Self::Text(text.as_slice()),
            ValueRef::Payload(HeapRef::List(ListRef::Packed(list))) => Self::PackedList(list),
            ValueRef::Payload(HeapRef::List(ListRef::Linked(list))) => Self::List(list),
            ValueRef::Payload(HeapRef::Set(SetRef::Integers(set))) => Self::IntegerSet(set),
            ValueRef::Payload(HeapRef::Set(set @ (SetRef::Listing(_) | SetRef::Table(_)))) => {
                Self::Set(set)
            }
            ValueRef::Payload(HeapRef::SortedSet(SortedSetRef::Packed(set))) => {
                Self::PackedSortedSet(set)
            }
            ValueRef::Payload(HeapRef::SortedSet(SortedSetRef::Scored(set))) => {
                Self::SortedSet(set)
            }
            ValueRef::Payload(HeapRef::Hash(hash)) => Self::of_hash(hash),
            ValueRef::Payload(HeapRef::Stream(stream)) => Self::Stream(stream),
        }
    }

    fn of_hash(hash: HashRef<'a>) -> Self {
        match (hash, hash.next_expiry()) {
            (HashRef::Pack(fields), _) => Self::PackedHash(fields),
            (HashRef::ExpiringPack(_) | HashRef::Table(_), None) => Self::Hash(hash),
            (HashRef::ExpiringPack(fields), Some(first_ms)) => {
                Self::PackedExpiringHash { fields, first_ms }
            }
            (HashRef::Table(_), Some(first_ms)) => Self::ExpiringHash { fields: hash, first_ms },
        }
    }

    /// The type, one of [`kind`].
    #[inline]
    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Integer(_) | Self::Text(_) => kind::STRING,
            Self::PackedList(_) | Self::List(_) => kind::LIST_QUICKLIST_2,
            Self::IntegerSet(_) => kind::SET_INTSET,
            Self::Set(_) => kind::SET,
            Self::PackedSortedSet(_) => kind::ZSET_LISTPACK,
            Self::SortedSet(_) => kind::ZSET_2,
            Self::PackedHash(_) => kind::HASH_LISTPACK,
            Self::Hash(_) => kind::HASH,
            Self::Stream(_) => kind::STREAM_LISTPACKS_2,
            Self::PackedExpiringHash { .. } => kind::HASH_LISTPACK_EX,
            Self::ExpiringHash { .. } => kind::HASH_METADATA,
        }
    }

    /// The oldest version of the format that has this type.
    pub(super) const fn version(&self) -> u32 {
        match self {
            Self::Integer(_)
            | Self::Text(_)
            | Self::PackedList(_)
            | Self::List(_)
            | Self::IntegerSet(_)
            | Self::Set(_)
            | Self::PackedSortedSet(_)
            | Self::SortedSet(_)
            | Self::PackedHash(_)
            | Self::Hash(_)
            | Self::Stream(_) => VERSION_WRITTEN,
            Self::PackedExpiringHash { .. } | Self::ExpiringHash { .. } => VERSION_FIELD_EXPIRY,
        }
    }

    /// Writes the value, behind its type and, in a file, its key.
    ///
    /// # Errors
    /// It could not be passed on.
    #[inline]
    pub(super) fn write<W: io::Write>(&self, out: &mut Writer<'_, W>) -> io::Result<()> {
        match *self {
            Self::Integer(n) => out.integer(n),
            Self::Text(bytes) => out.string(bytes),
            Self::PackedList(list) => write_packed_list(out, list),
            Self::List(list) => write_list(out, list),
            Self::IntegerSet(set) => out.string(set.as_bytes()),
            Self::Set(set) => write_set(out, set),
            Self::PackedSortedSet(pack) | Self::PackedHash(pack) => out.string(pack.as_bytes()),
            Self::SortedSet(set) => write_sorted_set(out, set),
            Self::Hash(hash) => write_hash(out, hash),
            Self::Stream(stream) => write_stream(out, stream),
            Self::PackedExpiringHash { fields, first_ms } => {
                out.time_ms(first_ms);
                out.string(fields.as_bytes())
            }
            Self::ExpiringHash { fields, first_ms } => write_expiring_hash(out, fields, first_ms),
        }
    }
}

fn write_packed_list<W: io::Write>(out: &mut Writer<'_, W>, list: &Listpack) -> io::Result<()> {
    out.len(1);
    out.byte(node::PACKED);
    out.string(list.as_bytes())
}

fn write_list<W: io::Write>(out: &mut Writer<'_, W>, list: &Quicklist) -> io::Result<()> {
    out.len(list.node_count());
    for NodeBytes { form, bytes, inflated_len } in list.nodes() {
        out.byte(match form {
            Form::Packed => node::PACKED,
            Form::Plain => node::PLAIN,
        });
        match inflated_len {
            Some(len) => out.compressed(bytes, len)?,
            None => out.string(bytes)?,
        }
    }
    Ok(())
}

fn write_set<W: io::Write>(out: &mut Writer<'_, W>, set: SetRef<'_>) -> io::Result<()> {
    out.len(set.len());
    set.iter().try_for_each(|member| write_element(out, member))
}

/// The highest score first: readers then put each member in front of all others.
fn write_sorted_set<W: io::Write>(out: &mut Writer<'_, W>, set: &ScoredSet) -> io::Result<()> {
    out.len(set.len());
    for (member, score) in set.range(0..set.len(), Direction::Backward) {
        out.string(member)?;
        out.double(score);
    }
    Ok(())
}

fn write_hash<W: io::Write>(out: &mut Writer<'_, W>, hash: HashRef<'_>) -> io::Result<()> {
    out.len(hash.len());
    hash.iter().try_for_each(|field| {
        write_scalar(out, field.name)?;
        write_scalar(out, field.value)
    })
}

fn write_expiring_hash<W: io::Write>(
    out: &mut Writer<'_, W>,
    hash: HashRef<'_>,
    first_ms: i64,
) -> io::Result<()> {
    out.time_ms(first_ms);
    out.len(hash.len());
    hash.iter().try_for_each(|field| {
        let after_first_ms = |at_ms: i64| at_ms.wrapping_sub(first_ms).cast_unsigned();
        out.number(field.expiry.map_or(0, |at_ms| after_first_ms(at_ms).wrapping_add(1)));
        write_scalar(out, field.name)?;
        write_scalar(out, field.value)
    })
}

#[inline]
fn write_element<W: io::Write>(out: &mut Writer<'_, W>, element: Element<'_>) -> io::Result<()> {
    match element {
        Element::Integer(n) => out.integer(n),
        Element::Bytes(bytes) => out.string(bytes),
    }
}

#[inline]
fn write_scalar<W: io::Write>(out: &mut Writer<'_, W>, scalar: Scalar<'_>) -> io::Result<()> {
    match scalar {
        Scalar::Integer(n) => out.integer(n),
        Scalar::Bytes(bytes) => out.string(bytes),
        Scalar::Shared(bytes) => out.string(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::HashKey;
    use crate::base::rng::Rng;
    use crate::config::Config;
    use crate::ds::listpack::Digits;
    use crate::persist::Progress;
    use crate::persist::rdb::{Encodings, LoadOptions, SaveOptions, load, save};
    use crate::store::Keyspace;
    use crate::value::hash::{FieldTtl, NewValue, Rules};
    use crate::value::{self, Hash, Heap};
    use std::collections::BTreeMap;

    const KEY: HashKey = HashKey::new(1, 2);
    const NOW_MS: i64 = 1000;

    fn keyspace() -> Keyspace {
        let mut keyspace = Keyspace::new(1, KEY, Rng::seeded(3));
        keyspace.set_now(NOW_MS);
        keyspace
    }

    /// Twenty fields, two thirds of which expire.
    fn expiring(rules: &Rules) -> Hash {
        let mut hash = Hash::new();
        for n in 0..20 {
            let name = format!("field {n}").into_bytes();
            let value = n.to_string().into_bytes();
            hash.set(&name, NewValue::Copied(&value), FieldTtl::Clear, rules);
            if n % 3 > 0 {
                hash.set_expiry(&name, Some(NOW_MS + 1 + (n - 7) * (n - 7) * 70_000));
            }
        }
        hash
    }

    fn fields(hash: HashRef<'_>) -> BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)> {
        let text = |scalar: Scalar<'_>| scalar.text(&mut Digits::new()).to_vec();
        hash.iter().map(|field| (text(field.name), (text(field.value), field.expiry))).collect()
    }

    #[test]
    fn fields_that_expire_are_written_for_7_4_and_come_back() {
        for (entries_max, kind) in [(128, kind::HASH_LISTPACK_EX), (1, kind::HASH_METADATA)] {
            let rules = Rules { entries_max, value_bytes_max: 64, hash_key: KEY, now_ms: NOW_MS };
            let hash = expiring(&rules);
            let mut keyspace = keyspace();
            let key = keyspace.key(b"k");
            let value = Heap::Hash(hash.as_ref().duplicate());
            keyspace.insert(0, key, value::NewValue::Payload(value), None);
            assert_eq!(Layout::of(&keyspace.glimpse(0, key).expect("inserted")).kind(), kind);
            let mut file = Vec::new();
            save(&keyspace, &SaveOptions::default(), &mut file).expect("memory");
            assert_eq!(&file[..9], b"REDIS0012");

            let mut found = self::keyspace();
            let options = LoadOptions::new(Encodings::of(&Config::default(), KEY, NOW_MS));
            let loaded = load(&file[..], &mut found, &options, &Progress::new());
            assert_eq!(loaded.expect("just written").keys, 1);
            let entry = found.glimpse(0, key).expect("it was saved");
            let found = HashRef::of(&entry).expect("a hash");
            assert_eq!(fields(found), fields(hash.as_ref()));
        }
    }

    /// As soon as no field expires any more, an old server can read the hash again.
    #[test]
    fn a_hash_that_had_fields_with_an_expiry_is_written_for_7_0() {
        for entries_max in [128, 1] {
            let rules = Rules { entries_max, value_bytes_max: 64, hash_key: KEY, now_ms: NOW_MS };
            let mut hash = expiring(&rules);
            hash.expire(i64::MAX, usize::MAX, |_| ());
            let value = value::NewValue::Payload(Heap::Hash(hash));
            let entry = Entry::new(b"k", value, 0, None);
            let layout = Layout::of(&entry);
            assert_eq!((layout.kind(), layout.version()), (kind::HASH, VERSION_WRITTEN));
        }
    }
}
