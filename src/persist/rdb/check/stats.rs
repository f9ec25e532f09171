//! What a snapshot holds: numbers of keys, bytes and the biggest keys, for each type.

use super::CheckedKey;
use crate::base::num;
use crate::base::units::human_size;
use crate::value::{self, Entry, HeapRef, Type, ValueRef};
use std::collections::BTreeMap;
use std::fmt;

/// How many of the biggest keys of each type are kept.
const BIGGEST: usize = 5;
/// How many elements of a large value are measured, as MEMORY USAGE does.
const SAMPLES: usize = 5;
/// Bytes of a key that are shown.
const SHOWN_LEN: usize = 80;
/// The types of values, and modules.
const TYPES: usize = Type::ALL.len() + 1;
/// Milliseconds and names of the times in which keys expire.
const HORIZONS: [(i64, &str); 4] = [
    (0, "already"),
    (3_600_000, "within an hour"),
    (86_400_000, "within a day"),
    (30 * 86_400_000, "within 30 days"),
];

/// A key that is bigger than others.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Big {
    memory_bytes: u64,
    file_bytes: u64,
    items: Option<u64>,
    db: u64,
    key: Vec<u8>,
}

/// What was counted of keys, of all of a type or a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    keys: u64,
    expires: u64,
    items: u64,
    file_bytes: u64,
    memory_bytes: u64,
}

impl Sums {
    fn add(&mut self, key: &CheckedKey<'_>, items: u64, memory_bytes: u64) {
        self.keys += 1;
        self.expires += u64::from(key.expiry_ms.is_some());
        self.items += items;
        self.file_bytes += key.file_bytes;
        self.memory_bytes += memory_bytes;
    }
}

/// Figures of a snapshot; `Display` prints them as tables.
#[derive(Clone, Debug)]
pub struct Statistics {
    now_ms: i64,
    types: [Sums; TYPES],
    biggest: [Vec<Big>; TYPES],
    databases: BTreeMap<u64, Sums>,
    kinds: BTreeMap<&'static str, u64>,
    /// Keys that expire before each horizon and not before the one in front of it; then all others.
    expiries: [u64; HORIZONS.len() + 1],
}

impl Statistics {
    /// Nothing yet, at this time in Unix milliseconds.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Self {
            now_ms,
            types: [Sums::default(); TYPES],
            biggest: [const { Vec::new() }; TYPES],
            databases: BTreeMap::new(),
            kinds: BTreeMap::new(),
            expiries: [0; HORIZONS.len() + 1],
        }
    }

    /// Counts a key. O(1) but for a list, whose nodes are looked at.
    pub fn add(&mut self, key: &CheckedKey<'_>) {
        let of_type = key.entry.map(value::type_of);
        let position = Type::ALL.iter().position(|&one| Some(one) == of_type);
        let index = position.unwrap_or(Type::ALL.len());
        let items = key.entry.and_then(items_of);
        let memory =
            |entry: &Entry| num::u64_of(value::memory_bytes(entry, SAMPLES) + size_of::<u64>());
        let memory_bytes = key.entry.map_or(0, memory);
        self.types[index].add(key, items.unwrap_or(0), memory_bytes);
        self.databases.entry(key.db).or_default().add(key, items.unwrap_or(0), memory_bytes);
        *self.kinds.entry(key.kind.name).or_default() += 1;
        if let Some(at_ms) = key.expiry_ms {
            let later = |&(horizon, _): &(i64, &str)| at_ms < self.now_ms.saturating_add(horizon);
            self.expiries[HORIZONS.iter().position(later).unwrap_or(HORIZONS.len())] += 1;
        }
        let rank = (memory_bytes, key.file_bytes);
        let biggest = &mut self.biggest[index];
        let place = biggest.partition_point(|big| (big.memory_bytes, big.file_bytes) >= rank);
        if place < BIGGEST {
            biggest.truncate(BIGGEST - 1);
            let (file_bytes, db, key) = (key.file_bytes, key.db, key.key.to_vec());
            biggest.insert(place, Big { memory_bytes, file_bytes, items, db, key });
        }
    }
}

/// The elements of a collection; `None` for a string.
fn items_of(entry: &Entry) -> Option<u64> {
    let count = match entry.value() {
        ValueRef::Integer(_) | ValueRef::Embedded(_) | ValueRef::Payload(HeapRef::Text(_)) => {
            return None;
        }
        ValueRef::Payload(HeapRef::List(list)) => list.len(),
        ValueRef::Payload(HeapRef::Set(set)) => set.len(),
        ValueRef::Payload(HeapRef::SortedSet(set)) => set.len(),
        ValueRef::Payload(HeapRef::Hash(hash)) => hash.len(),
        ValueRef::Payload(HeapRef::Stream(stream)) => return Some(stream.log.len()),
    };
    Some(num::u64_of(count))
}

fn type_name(index: usize) -> &'static str {
    Type::ALL.get(index).map_or("module", |one| one.name())
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Sums::default();
        let mut rows = Vec::new();
        for (index, sums) in self.types.iter().enumerate().filter(|(_, sums)| sums.keys > 0) {
            rows.push(row(type_name(index).to_owned(), sums));
            for (total, part) in [
                (&mut all.keys, sums.keys),
                (&mut all.expires, sums.expires),
                (&mut all.items, sums.items),
                (&mut all.file_bytes, sums.file_bytes),
                (&mut all.memory_bytes, sums.memory_bytes),
            ] {
                *total += part;
            }
        }
        rows.push(row("all".to_owned(), &all));
        table(f, "type", &rows)?;
        let of_db = |(db, sums): (&u64, &Sums)| row(format!("db{db}"), sums);
        table(f, "database", &self.databases.iter().map(of_db).collect::<Vec<_>>())?;
        writeln!(f, "\nEncodings in the file:")?;
        for (name, keys) in &self.kinds {
            writeln!(f, "  {name:<30} {keys:>12}")?;
        }
        if all.expires > 0 {
            writeln!(f, "\nKeys expire:")?;
            let names = HORIZONS.iter().map(|(_, name)| *name).chain(["later"]);
            for (name, keys) in names.zip(self.expiries) {
                writeln!(f, "  {name:<30} {keys:>12}")?;
            }
        }
        self.write_biggest(f)
    }
}

impl Statistics {
    fn write_biggest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, biggest) in self.biggest.iter().enumerate().filter(|(_, some)| !some.is_empty())
        {
            writeln!(f, "\nBiggest of type {}:", type_name(index))?;
            for big in biggest {
                let (memory, file) = (human_size(big.memory_bytes), human_size(big.file_bytes));
                write!(f, "  {memory:>9} in memory, {file:>9} in the file")?;
                if let Some(items) = big.items {
                    write!(f, ", {items:>9} items")?;
                }
                writeln!(f, ", db{} '{}'", big.db, Shown(&big.key))?;
            }
        }
        Ok(())
    }
}

fn row(name: String, sums: &Sums) -> [String; 6] {
    [
        name,
        sums.keys.to_string(),
        sums.expires.to_string(),
        sums.items.to_string(),
        human_size(sums.file_bytes),
        human_size(sums.memory_bytes),
    ]
}

fn table(f: &mut fmt::Formatter<'_>, head: &str, rows: &[[String; 6]]) -> fmt::Result {
    let titles = [head, "keys", "with expiry", "items", "in the file", "in memory, about"];
    writeln!(f)?;
    for cells in [titles.map(str::to_owned)].iter().chain(rows) {
        let [name, keys, expires, items, file, memory] = cells;
        writeln!(f, "{name:<10} {keys:>12} {expires:>12} {items:>12} {file:>12} {memory:>17}")?;
    }
    Ok(())
}

/// Bytes for people: UTF-8 as it is, all else escaped, and not too many of them. What a key holds must
/// not steer a terminal.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = &self.0[..self.0.len().min(SHOWN_LEN)];
        for chunk in short.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() {
                    write!(f, "{}", character.escape_default())?;
                } else {
                    write!(f, "{character}")?;
                }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        if short.len() < self.0.len() {
            write!(f, "… ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::rdb::check::Kind;
    use crate::value::NewValue;

    fn add(statistics: &mut Statistics, key: &[u8], expiry_ms: Option<i64>, file_bytes: u64) {
        let entry = Entry::new(key, NewValue::Integer(1), 0, expiry_ms);
        let kind = Kind { code: 0, name: "string" };
        statistics.add(&CheckedKey {
            db: 3,
            key,
            kind,
            entry: Some(&entry),
            expiry_ms,
            file_bytes,
        });
    }

    #[test]
    fn keys_are_counted_by_when_they_expire() {
        let mut statistics = Statistics::new(1_000_000);
        let hour = 3_600_000;
        for after_ms in [-1, 0, hour - 1, hour, 24 * hour, 31 * 24 * hour, i64::MAX - 1_000_000] {
            add(&mut statistics, b"k", Some(1_000_000 + after_ms), 10);
        }
        add(&mut statistics, b"k", None, 10);
        assert_eq!(statistics.expiries, [1, 2, 1, 1, 2]);
        assert_eq!((statistics.types[0].keys, statistics.types[0].expires), (8, 7));
        assert_eq!(statistics.databases[&3].file_bytes, 80);
    }

    #[test]
    fn the_biggest_keys_are_kept_in_order() {
        let mut statistics = Statistics::new(0);
        for len in [3, 900, 40, 300, 7, 2000, 100] {
            add(&mut statistics, &vec![b'k'; len], None, 1);
        }
        let lens: Vec<usize> = statistics.biggest[0].iter().map(|big| big.key.len()).collect();
        assert_eq!(lens, [2000, 900, 300, 100, 40]);
    }

    #[test]
    fn keys_do_not_steer_a_terminal() {
        assert_eq!(Shown("käse\n\x1b[2J".as_bytes()).to_string(), "käse\\n\\u{1b}[2J");
        assert_eq!(Shown(b"a\xffb").to_string(), "a\\xffb");
        let long = Shown(&[b'x'; 100]).to_string();
        assert!(long.ends_with("xx… (100 bytes)"), "{long}");
    }
}
