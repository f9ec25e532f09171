//! The data sets of the persistence tables.

use std::fmt::Write;

use crate::wire::put_command;
use crate::workloads::key;

/// A data set, one command for each key.
pub(crate) struct DataSet {
    /// The name in the rows.
    pub(crate) title: &'static str,
    /// Appends the command that makes the i-th key.
    pub(crate) put: fn(&mut Vec<u8>, u32),
}

/// What is saved and loaded.
pub(crate) const DATA_SETS: [DataSet; 2] = [STRINGS, MIXED];

/// Short strings.
pub(crate) const STRINGS: DataSet = DataSet { title: "strings", put: put_short };

/// All types, most values small and a few large.
const MIXED: DataSet = DataSet { title: "mixed", put: put_mixed };

/// One of so many keys of the mixed data set is a large value.
const LARGE_EVERY: u32 = 10_000;
/// The items of a large value: more than a listpack holds.
const LARGE_ITEMS: u32 = 1000;

/// `SET` of a 16-byte key to 16 to 64 bytes that do not compress.
fn put_short(out: &mut Vec<u8>, index: u32) {
    let length = 16 + usize::try_from(scrambled(index) % 49).expect("below 49");
    put_command(out, &[b"SET", key(index).as_bytes(), text(index, length).as_bytes()]);
}

/// Of ten keys four are strings, one of them with an expiry, one is a number, two are hashes of five fields,
/// one is a list of eight elements, one a sorted set of six members and one a set of five.
fn put_mixed(out: &mut Vec<u8>, index: u32) {
    let large = index % LARGE_EVERY < 10;
    let items = |small: u32| if large { LARGE_ITEMS } else { small };
    let name = |item: u32| text(index.wrapping_mul(31).wrapping_add(item), 10);
    let (command, words): (&[u8], Vec<String>) = match index % 10 {
        0..=2 => return put_short(out, index),
        3 => (b"SETEX", vec![(1_000_000 + index % 100_000).to_string(), text(index, 24)]),
        4 => (b"SET", vec![(1_000_000_000 + u64::from(index)).to_string()]),
        5 | 6 => (b"HSET", (0..items(5)).flat_map(|item| [name(item), text(item, 12)]).collect()),
        7 => (b"RPUSH", (0..items(8)).map(name).collect()),
        8 => {
            let scored = |item| [scrambled(index ^ item).to_string(), name(item)];
            (b"ZADD", (0..items(6)).flat_map(scored).collect())
        }
        _ => (b"SADD", (0..items(5)).map(name).collect()),
    };
    let key = key(index);
    let mut all = vec![command, key.as_bytes()];
    all.extend(words.iter().map(String::as_bytes));
    put_command(out, &all);
}

/// Letters and digits that look random, the same for the same arguments.
fn text(seed: u32, length: usize) -> String {
    let mut text = String::new();
    let mut state = seed;
    while text.len() < length {
        state = scrambled(state.wrapping_add(1));
        write!(text, "{state:08x}").expect("a String takes everything");
    }
    text.truncate(length);
    text
}

/// A bijection that leaves no pattern (the finalizer of MurmurHash3).
fn scrambled(number: u32) -> u32 {
    let mut mixed = number ^ (number >> 16);
    mixed = mixed.wrapping_mul(0x85eb_ca6b);
    mixed ^= mixed >> 13;
    mixed = mixed.wrapping_mul(0xc2b2_ae35);
    mixed ^ (mixed >> 16)
}
