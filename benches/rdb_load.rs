//! Loading snapshots: nanoseconds a key, out of memory into an empty keyspace.
//!
//! `cargo bench --bench rdb_load`. What is loaded was written here, by `save`. A file
//! `CARNELIAN_BENCH_RDB` is loaded as well, if that is set.

use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::config::Config;
use carnelian::persist::Progress;
use carnelian::persist::rdb::{Encodings, LoadOptions, SaveOptions, load, save};
use carnelian::store::{Key, Keyspace};
use carnelian::value::{Collection, NewValue, Set, set, string};
use divan::Bencher;
use divan::counter::ItemsCount;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const KEY: HashKey = HashKey::new(1, 2);
const KEYS: [usize; 3] = [1000, 100_000, 2_000_000];

fn main() {
    divan::main();
}

fn keyspace() -> Keyspace {
    let mut keyspace = Keyspace::new(16, KEY, Rng::seeded(1));
    keyspace.set_now(1_700_000_000_000);
    keyspace
}

fn file(keyspace: &Keyspace) -> Vec<u8> {
    let mut bytes = Vec::new();
    save(keyspace, &SaveOptions::default(), &mut bytes).expect("memory takes everything");
    bytes
}

fn filled(count: usize, mut value: impl FnMut(usize, &mut Keyspace, Key<'_>)) -> Vec<u8> {
    let mut keyspace = keyspace();
    for n in 0..count {
        let name = format!("key:{n:012}");
        let key = keyspace.key(name.as_bytes());
        value(n, &mut keyspace, key);
    }
    file(&keyspace)
}

fn bench(bencher: Bencher, count: usize, bytes: &[u8]) {
    let mut options = LoadOptions::new(Encodings::of(&Config::default(), KEY, 1_700_000_000_000));
    options.input_bytes = u64::try_from(bytes.len()).ok();
    bencher.counter(ItemsCount::new(count)).with_inputs(keyspace).bench_local_values(
        |mut keyspace| {
            let loaded = load(bytes, &mut keyspace, &options, &Progress::new());
            loaded.expect("it was written here");
            keyspace
        },
    );
}

#[divan::bench(args = KEYS, max_time = 4)]
fn strings_of_16_bytes(bencher: Bencher, count: usize) {
    let bytes = filled(count, |n, keyspace, key| {
        let value = format!("value:{n:010}");
        keyspace.insert(0, key, string::new_value(value.as_bytes()), None);
    });
    bench(bencher, count, &bytes);
}

#[divan::bench(args = [100_000], max_time = 4)]
fn strings_of_200_bytes_that_expire(bencher: Bencher, count: usize) {
    let bytes = filled(count, |n, keyspace, key| {
        let value = format!("{n:0200}");
        keyspace.insert(0, key, string::new_value(value.as_bytes()), Some(1_800_000_000_000));
    });
    bench(bencher, count, &bytes);
}

#[divan::bench(args = [100_000], max_time = 4)]
fn sets_of_eight(bencher: Bencher, count: usize) {
    let limits = set::Limits::of(&Config::default(), KEY);
    let bytes = filled(count, |n, keyspace, key| {
        let mut set = Set::new();
        for member in 0..8 {
            let text = format!("member:{n}:{member}");
            set.add(text.as_bytes().into(), &limits);
        }
        keyspace.insert(0, key, NewValue::Payload(set.into_heap()), None);
    });
    bench(bencher, count, &bytes);
}

#[divan::bench(max_time = 20, ignore = std::env::var_os("CARNELIAN_BENCH_RDB").is_none())]
fn a_file_of_ones_own(bencher: Bencher) {
    let path = std::env::var_os("CARNELIAN_BENCH_RDB").expect("otherwise it is ignored");
    let bytes = std::fs::read(path).expect("a file that can be read");
    let mut keyspace = keyspace();
    let options = LoadOptions::new(Encodings::of(&Config::default(), KEY, 1_700_000_000_000));
    let loaded = load(&bytes[..], &mut keyspace, &options, &Progress::new());
    let count = loaded.expect("a snapshot").keys;
    drop(keyspace);
    bench(bencher, usize::try_from(count).unwrap_or(0), &bytes);
}
