//! What is measured: the commands of the throughput table and the data sets of the memory table.
//! A later family adds rows here and nothing elsewhere.

use crate::wire::put_command;

/// A command that `redis-benchmark` repeats, with random keys.
pub(crate) struct Workload {
    /// The name that `--only` takes, and the row's title in capitals.
    pub(crate) name: &'static str,
    /// The command's name and what precedes the repeated part.
    head: &'static [&'static str],
    /// What stands `units` times; `__rand_int__` becomes a random number of 12 digits.
    unit: &'static [&'static str],
    units: usize,
    /// How much longer than a GET it takes, roughly: divides the number of requests.
    pub(crate) cost: u32,
    /// Appends the command that makes the i-th item of the data set it works on.
    pub(crate) preload: fn(&mut Vec<u8>, u32),
}

impl Workload {
    /// The words of the command.
    pub(crate) fn command(&self) -> Vec<&'static str> {
        let mut words = self.head.to_vec();
        for _ in 0..self.units {
            words.extend_from_slice(self.unit);
        }
        words
    }
}

/// The rows of the throughput table.
pub(crate) const WORKLOADS: &[Workload] = &[
    Workload {
        name: "get",
        head: &["get"],
        unit: &["key:__rand_int__"],
        units: 1,
        cost: 1,
        preload: put_short_string,
    },
    Workload {
        name: "set",
        head: &["set"],
        unit: &["key:__rand_int__", "xxx"],
        units: 1,
        cost: 1,
        preload: put_short_string,
    },
    Workload {
        name: "incr",
        head: &["incr"],
        unit: &["counter:__rand_int__"],
        units: 1,
        cost: 1,
        preload: put_counter,
    },
    Workload {
        name: "mget10",
        head: &["mget"],
        unit: &["key:__rand_int__"],
        units: 10,
        cost: 5,
        preload: put_short_string,
    },
    Workload {
        name: "mset10",
        head: &["mset"],
        unit: &["key:__rand_int__", "xxx"],
        units: 10,
        cost: 5,
        preload: put_short_string,
    },
];

/// A data set whose memory is measured.
pub(crate) struct Shape {
    /// The name that `--shapes` takes.
    pub(crate) name: &'static str,
    /// The row's title.
    pub(crate) title: &'static str,
    /// Appends the command that makes the i-th item.
    pub(crate) put: fn(&mut Vec<u8>, u32),
}

/// The rows of the memory table. Every key has 16 bytes.
pub(crate) const SHAPES: &[Shape] = &[
    Shape { name: "string16", title: "16-byte value", put: put_string::<16> },
    Shape { name: "integer", title: "integer value", put: put_integer },
    Shape { name: "ttl", title: "16-byte value and a TTL", put: put_expiring },
    Shape { name: "string64", title: "64-byte value", put: put_string::<64> },
    Shape { name: "string100", title: "100-byte value", put: put_string::<100> },
    Shape { name: "string1k", title: "1,024-byte value", put: put_string::<1024> },
];

/// The 16-byte key that `redis-benchmark` makes of `key:__rand_int__`.
pub(crate) fn key(index: u32) -> String {
    format!("key:{index:012}")
}

/// `SET` of a 16-byte key to a 16-byte value, for the insert latency too.
pub(crate) fn put_string<const LENGTH: usize>(out: &mut Vec<u8>, index: u32) {
    put_command(out, &[b"SET", key(index).as_bytes(), &value::<LENGTH>(index)]);
}

fn put_short_string(out: &mut Vec<u8>, index: u32) {
    put_command(out, &[b"SET", key(index).as_bytes(), b"xxx"]);
}

fn put_counter(out: &mut Vec<u8>, index: u32) {
    let key = format!("counter:{index:012}");
    put_command(out, &[b"SET", key.as_bytes(), index.to_string().as_bytes()]);
}

/// Above the 10,000 integers that Redis shares.
fn put_integer(out: &mut Vec<u8>, index: u32) {
    let number = 1_000_000_000 + u64::from(index);
    put_command(out, &[b"SET", key(index).as_bytes(), number.to_string().as_bytes()]);
}

fn put_expiring(out: &mut Vec<u8>, index: u32) {
    let (key, value) = (key(index), value::<16>(index));
    let seconds = (1_000_000 + index % 100_000).to_string();
    put_command(out, &[b"SET", key.as_bytes(), &value, b"EX", seconds.as_bytes()]);
}

/// Bytes that are no number and differ from item to item.
fn value<const LENGTH: usize>(index: u32) -> [u8; LENGTH] {
    let mut bytes = [b'v'; LENGTH];
    let digits = index.to_string();
    bytes[LENGTH - digits.len()..].copy_from_slice(digits.as_bytes());
    bytes
}
