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
    /// What the server is told before it is filled, as words with single spaces between them.
    pub(crate) setup: &'static [&'static str],
    /// The random numbers are of so many times as many as there are items.
    pub(crate) spread: u32,
    /// How much longer than a GET it takes, roughly: divides the number of requests.
    pub(crate) cost: u32,
    /// Appends the command that makes the i-th item of the data set it works on.
    pub(crate) preload: fn(&mut Vec<u8>, u32),
    /// Whether the data set is made anew before each run, since the command uses it up or completes it.
    pub(crate) data: Data,
    /// The depths it is measured at, of those asked for.
    pub(crate) depths: &'static [u32],
}

/// What becomes of a data set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    /// It stays nearly as it is.
    Kept,
    /// It is made anew before each run.
    Fresh,
}

const ALL_DEPTHS: &[u32] = &[1, 16, 64];
const DEEP: &[u32] = &[64];

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

/// What is stored where memory is full.
const VALUE_OF_100: &str = "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv";

/// The rows of the throughput table.
pub(crate) const WORKLOADS: &[Workload] = &[
    Workload {
        name: "get",
        head: &["get"],
        unit: &["key:__rand_int__"],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 1,
        preload: put_short_string,
        data: Data::Kept,
        depths: ALL_DEPTHS,
    },
    Workload {
        name: "set",
        head: &["set"],
        unit: &["key:__rand_int__", "xxx"],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 1,
        preload: put_short_string,
        data: Data::Kept,
        depths: ALL_DEPTHS,
    },
    Workload {
        name: "set_full",
        head: &["set"],
        unit: &["key:__rand_int__", VALUE_OF_100],
        units: 1,
        setup: &["CONFIG SET maxmemory-policy allkeys-lru", "CONFIG SET maxmemory 100mb"],
        spread: 100,
        cost: 2,
        preload: put_string::<100>,
        data: Data::Kept,
        depths: ALL_DEPTHS,
    },
    Workload {
        name: "incr",
        head: &["incr"],
        unit: &["counter:__rand_int__"],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 1,
        preload: put_counter,
        data: Data::Kept,
        depths: ALL_DEPTHS,
    },
    Workload {
        name: "mget10",
        head: &["mget"],
        unit: &["key:__rand_int__"],
        units: 10,
        setup: &[],
        spread: 1,
        cost: 5,
        preload: put_short_string,
        data: Data::Kept,
        depths: ALL_DEPTHS,
    },
    Workload {
        name: "mset10",
        head: &["mset"],
        unit: &["key:__rand_int__", "xxx"],
        units: 10,
        setup: &[],
        spread: 1,
        cost: 5,
        preload: put_short_string,
        data: Data::Kept,
        depths: ALL_DEPTHS,
    },
    Workload {
        name: "lpush",
        head: &["lpush", "mylist"],
        unit: &["xxx"],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 2,
        preload: put_list_element,
        data: Data::Fresh,
        depths: DEEP,
    },
    Workload {
        name: "rpush",
        head: &["rpush", "mylist"],
        unit: &["xxx"],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 2,
        preload: put_list_element,
        data: Data::Fresh,
        depths: DEEP,
    },
    Workload {
        name: "lpop",
        head: &["lpop", "mylist"],
        unit: &[],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 3,
        preload: put_list_element,
        data: Data::Fresh,
        depths: DEEP,
    },
    Workload {
        name: "rpop",
        head: &["rpop", "mylist"],
        unit: &[],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 3,
        preload: put_list_element,
        data: Data::Fresh,
        depths: DEEP,
    },
    Workload {
        name: "sadd",
        head: &["sadd", "myset"],
        unit: &["element:__rand_int__"],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 3,
        preload: put_set_member,
        data: Data::Fresh,
        depths: DEEP,
    },
    Workload {
        name: "spop",
        head: &["spop", "myset"],
        unit: &[],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 5,
        preload: put_set_member,
        data: Data::Fresh,
        depths: DEEP,
    },
    Workload {
        name: "hset",
        head: &["hset", "myhash"],
        unit: &["element:__rand_int__", "xxx"],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 3,
        preload: put_hash_field,
        data: Data::Fresh,
        depths: DEEP,
    },
    Workload {
        name: "zadd",
        head: &["zadd", "myzset"],
        unit: &["__rand_int__", "element:__rand_int__"],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 4,
        preload: put_sorted_member,
        data: Data::Fresh,
        depths: DEEP,
    },
    Workload {
        name: "zpopmin",
        head: &["zpopmin", "myzset"],
        unit: &[],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 5,
        preload: put_sorted_member,
        data: Data::Fresh,
        depths: DEEP,
    },
    Workload {
        name: "lrange_100",
        head: &["lrange", "mylist", "0", "99"],
        unit: &[],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 20,
        preload: put_list_element,
        data: Data::Kept,
        depths: DEEP,
    },
    Workload {
        name: "lrange_300",
        head: &["lrange", "mylist", "0", "299"],
        unit: &[],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 60,
        preload: put_list_element,
        data: Data::Kept,
        depths: DEEP,
    },
    Workload {
        name: "lrange_500",
        head: &["lrange", "mylist", "0", "449"],
        unit: &[],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 100,
        preload: put_list_element,
        data: Data::Kept,
        depths: DEEP,
    },
    Workload {
        name: "lrange_600",
        head: &["lrange", "mylist", "0", "599"],
        unit: &[],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 120,
        preload: put_list_element,
        data: Data::Kept,
        depths: DEEP,
    },
    Workload {
        name: "zrange_100",
        head: &["zrange", "myzset", "0", "99", "withscores"],
        unit: &[],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 20,
        preload: put_sorted_member,
        data: Data::Kept,
        depths: DEEP,
    },
    Workload {
        name: "xadd",
        head: &["xadd", "mystream", "*"],
        unit: &["field", "xxx"],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 3,
        preload: put_entry,
        data: Data::Fresh,
        depths: DEEP,
    },
    Workload {
        name: "xrange_100",
        head: &["xrange", "mystream", "-", "+", "count", "100"],
        unit: &[],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 50,
        preload: put_entry,
        data: Data::Kept,
        depths: DEEP,
    },
    Workload {
        name: "xread_100",
        head: &["xread", "count", "100", "streams", "mystream", "0"],
        unit: &[],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 50,
        preload: put_entry,
        data: Data::Kept,
        depths: DEEP,
    },
    Workload {
        name: "xreadgroup",
        head: &["xreadgroup", "group", "mygroup", "me", "count", "1", "streams", "mystream", ">"],
        unit: &[],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 6,
        preload: put_group_entry,
        data: Data::Fresh,
        depths: DEEP,
    },
    Workload {
        name: "xack",
        head: &["xack", "mystream", "mygroup"],
        unit: &["__rand_int__-1"],
        units: 1,
        setup: &[],
        spread: 1,
        cost: 6,
        preload: put_pending_entry,
        data: Data::Fresh,
        depths: DEEP,
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
    /// How many items make one of what the row counts.
    pub(crate) items: u32,
}

/// The rows of the memory table. Every key of a string has 16 bytes, every member and field 14.
pub(crate) const SHAPES: &[Shape] = &[
    Shape { name: "string16", title: "16-byte value", put: put_string::<16>, items: 1 },
    Shape { name: "integer", title: "integer value", put: put_integer, items: 1 },
    Shape { name: "ttl", title: "16-byte value and a TTL", put: put_expiring, items: 1 },
    Shape { name: "string64", title: "64-byte value", put: put_string::<64>, items: 1 },
    Shape { name: "string100", title: "100-byte value", put: put_string::<100>, items: 1 },
    Shape { name: "string1k", title: "1,024-byte value", put: put_string::<1024>, items: 1 },
    Shape { name: "hash", title: "field and 14-byte value of one hash", put: put_field, items: 1 },
    Shape { name: "set", title: "member of one set", put: put_member, items: 1 },
    Shape { name: "zset", title: "member of one sorted set", put: put_scored, items: 1 },
    Shape { name: "list", title: "14-byte element of one list", put: put_element, items: 1 },
    Shape { name: "stream", title: "entry of one stream, 14-byte value", put: put_named, items: 1 },
    Shape { name: "hashes", title: "hash of five small fields", put: put_small_field, items: 5 },
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

fn put_list_element(out: &mut Vec<u8>, _index: u32) {
    put_command(out, &[b"RPUSH", b"mylist", b"xxx"]);
}

/// Of the members that `redis-benchmark -r` makes up, every second one.
fn benchmark_member(index: u32) -> String {
    format!("element:{:012}", shuffled(index) / 2 * 2)
}

fn put_set_member(out: &mut Vec<u8>, index: u32) {
    put_command(out, &[b"SADD", b"myset", benchmark_member(index).as_bytes()]);
}

fn put_hash_field(out: &mut Vec<u8>, index: u32) {
    put_command(out, &[b"HSET", b"myhash", benchmark_member(index).as_bytes(), b"xxx"]);
}

fn put_entry(out: &mut Vec<u8>, _index: u32) {
    put_command(out, &[b"XADD", b"mystream", b"*", b"field", b"xxx"]);
}

/// A group that has not read anything, and then entries.
fn put_group_entry(out: &mut Vec<u8>, index: u32) {
    match index {
        0 => put_command(out, &[b"XGROUP", b"CREATE", b"mystream", b"mygroup", b"0", b"MKSTREAM"]),
        _ => put_entry(out, index),
    }
}

/// A group, and then in turns an entry with an odd number and its delivery.
fn put_pending_entry(out: &mut Vec<u8>, index: u32) {
    if index == 0 {
        put_group_entry(out, index);
    } else if index % 2 == 1 {
        let id = format!("{index}-1");
        put_command(out, &[b"XADD", b"mystream", id.as_bytes(), b"field", b"xxx"]);
    } else {
        let head = [&b"XREADGROUP"[..], b"GROUP", b"mygroup", b"me", b"COUNT", b"1"];
        put_command(out, &[&head[..], &[b"STREAMS", b"mystream", b">"]].concat());
    }
}

fn put_sorted_member(out: &mut Vec<u8>, index: u32) {
    let score = shuffled(index.wrapping_mul(7)).to_string();
    let member = benchmark_member(index);
    put_command(out, &[b"ZADD", b"myzset", score.as_bytes(), member.as_bytes()]);
}

/// A 14-byte name.
pub(crate) fn member(index: u32) -> String {
    format!("member{:08}", shuffled(index))
}

fn put_member(out: &mut Vec<u8>, index: u32) {
    put_command(out, &[b"SADD", b"myset", member(index).as_bytes()]);
}

fn put_field(out: &mut Vec<u8>, index: u32) {
    put_command(out, &[b"HSET", b"myhash", member(index).as_bytes(), &value::<14>(index)]);
}

fn put_scored(out: &mut Vec<u8>, index: u32) {
    let score = shuffled(index.wrapping_mul(7)).to_string();
    put_command(out, &[b"ZADD", b"myzset", score.as_bytes(), member(index).as_bytes()]);
}

fn put_element(out: &mut Vec<u8>, index: u32) {
    put_command(out, &[b"RPUSH", b"mylist", member(index).as_bytes()]);
}

fn put_named(out: &mut Vec<u8>, index: u32) {
    put_command(out, &[b"XADD", b"mystream", b"*", b"field", member(index).as_bytes()]);
}

fn put_small_field(out: &mut Vec<u8>, index: u32) {
    let (key, field) = (key(index / 5), format!("f{}", index % 5));
    let text = format!("v{}", index % 1000);
    put_command(out, &[b"HSET", key.as_bytes(), field.as_bytes(), text.as_bytes()]);
}

/// The numbers below a million in another order.
pub(crate) fn shuffled(index: u32) -> u32 {
    let shuffled = u64::from(index) * 618_033 % 1_000_000; // has no divisor in common with a million
    u32::try_from(shuffled).expect("below a million")
}

/// Bytes that are no number and differ from item to item.
pub(crate) fn value<const LENGTH: usize>(index: u32) -> [u8; LENGTH] {
    let mut bytes = [b'v'; LENGTH];
    let digits = index.to_string();
    bytes[LENGTH - digits.len()..].copy_from_slice(digits.as_bytes());
    bytes
}
