//! The hash table: its bytes and probes by size, then its speed.
//!
//! `cargo bench --bench dict` prints a table of shapes first; a filter leaves it out. Keys have 16 bytes, and allocations
//! are made by jemalloc as in the server. Results: `docs/design/dict.md`.

use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::ds::dict::{Dict, Mark, Member, Prefetch};
use divan::Bencher;
use divan::counter::ItemsCount;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Commands in one pipeline: keys hashed and prefetched together.
const BATCH: usize = 64;
const SIZES: [u64; 4] = [100, 10_000, 1_000_000, 10_000_000];

fn main() {
    // Not when a filter asks for something else.
    if std::env::args().skip(1).all(|argument| argument.starts_with("--")) {
        print_shapes();
    }
    divan::main();
}

type Key = [u8; 16];

fn key(n: u64) -> Key {
    let mut key = *b"key:000000000000";
    let mut rest = n;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
    }
    key
}

fn add(dict: &mut Dict<Member>, n: u64) {
    let key = key(n);
    dict.insert(dict.hash(&key), Member::new(&key), Mark::Clear);
}

fn with(items: u64) -> Dict<Member> {
    let mut dict = Dict::new(HashKey::new(1, 2));
    (0..items).for_each(|n| add(&mut dict, n));
    dict
}

/// Bytes per item and mean buckets per lookup, as a dict grows.
fn print_shapes() {
    let mut dict = with(0);
    println!("{:>9} {:>8} {:>8} {:>7} {:>7}", "items", "buckets", "children", "B/item", "probes");
    let doubling = (0..10).map(|level| 7 << level);
    let steps = (0..=30).map(|step| 10_000 * (1 << (step / 3)) * [100, 126, 159][step % 3] / 100);
    for items in doubling.chain(steps) {
        (u64::try_from(dict.len()).expect("small")..items).for_each(|n| add(&mut dict, n));
        let stats = dict.stats();
        let probes: usize = stats.depth.iter().enumerate().map(|(depth, n)| (depth + 1) * n).sum();
        let per_item = |sum: usize| {
            // Three decimals, rounded.
            let thousandths = (sum * 1000 + dict.len() / 2) / dict.len();
            format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
        };
        println!(
            "{items:>9} {:>8} {:>8} {:>7} {:>7}",
            stats.buckets,
            stats.children,
            per_item(stats.memory_bytes),
            per_item(probes)
        );
    }
}

/// Looks random keys up, a batch at a time, and checks how many are found.
fn lookups(bencher: Bencher, items: u64, from: u64, look_up: fn(&Dict<Member>, &[Key]) -> usize) {
    let dict = with(items);
    let mut rng = Rng::seeded(7);
    let keys: Vec<Key> = (0..1 << 18).map(|_| key(from + rng.below(items))).collect();
    let expected = if from == 0 { BATCH } else { 0 };
    let mut batches = keys.chunks_exact(BATCH).cycle();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        let batch = batches.next().expect("an endless cycle");
        assert_eq!(look_up(&dict, black_box(batch)), expected);
    });
}

fn one_by_one(dict: &Dict<Member>, keys: &[Key]) -> usize {
    keys.iter().filter(|key| dict.find(dict.hash(*key), *key).is_some()).count()
}

fn prefetched(dict: &Dict<Member>, keys: &[Key]) -> usize {
    let mut hashes = [0; BATCH];
    for (hash, key) in hashes.iter_mut().zip(keys) {
        *hash = dict.hash(key);
        dict.prefetch_bucket(*hash);
    }
    // The few that go on to a child are kept at the front of a second list.
    let (mut unfinished, mut count) = ([0; BATCH], 0);
    for hash in hashes {
        unfinished[count] = hash;
        count += usize::from(dict.prefetch_item(hash) == Prefetch::Unfinished);
    }
    for hash in &unfinished[..count] {
        dict.prefetch_child_item(*hash);
    }
    hashes.iter().zip(keys).filter(|(hash, key)| dict.find(**hash, *key).is_some()).count()
}

#[divan::bench(args = SIZES, sample_count = 200, sample_size = 50)]
fn find_hit(bencher: Bencher, items: u64) {
    lookups(bencher, items, 0, one_by_one);
}

#[divan::bench(args = SIZES, sample_count = 200, sample_size = 50)]
fn find_hit_prefetched(bencher: Bencher, items: u64) {
    lookups(bencher, items, 0, prefetched);
}

#[divan::bench(args = SIZES, sample_count = 200, sample_size = 50)]
fn find_miss(bencher: Bencher, items: u64) {
    lookups(bencher, items, items, one_by_one);
}

#[divan::bench(args = SIZES, sample_count = 200, sample_size = 50)]
fn find_miss_prefetched(bencher: Bencher, items: u64) {
    lookups(bencher, items, items, prefetched);
}

/// The same work by the standard library's table, without its own hashing of the result.
#[divan::bench(args = SIZES, sample_count = 200, sample_size = 50)]
fn find_hit_in_hash_map(bencher: Bencher, items: u64) {
    let map: std::collections::HashMap<Box<[u8]>, ()> =
        (0..items).map(|n| (Box::from(key(n).as_slice()), ())).collect();
    let mut rng = Rng::seeded(7);
    let keys: Vec<Key> = (0..1 << 18).map(|_| key(rng.below(items))).collect();
    let mut batches = keys.chunks_exact(BATCH).cycle();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        let batch = black_box(batches.next().expect("an endless cycle"));
        assert_eq!(batch.iter().filter(|key| map.contains_key(key.as_slice())).count(), BATCH);
    });
}

#[divan::bench(args = [100, 10_000, 1_000_000], sample_count = 20)]
fn insert_all(bencher: Bencher, items: u64) {
    bencher.counter(ItemsCount::new(items)).bench_local(|| with(items));
}

#[divan::bench(args = [100, 10_000, 1_000_000], sample_count = 20)]
fn remove_all(bencher: Bencher, items: u64) {
    bencher.counter(ItemsCount::new(items)).with_inputs(|| with(items)).bench_local_values(
        |mut dict| {
            for n in 0..items {
                let key = key(n);
                assert!(dict.remove(dict.hash(&key), &key).is_some());
            }
        },
    );
}

#[divan::bench(args = [100, 10_000, 1_000_000], sample_count = 20)]
fn drop_all(bencher: Bencher, items: u64) {
    bencher.counter(ItemsCount::new(items)).with_inputs(|| with(items)).bench_local_values(drop);
}

/// All items in turn, with as much work for each as writing it out.
#[divan::bench(args = [100, 10_000, 1_000_000], sample_count = 20)]
fn iterate(bencher: Bencher, items: u64) {
    let mut numbers: Vec<u64> = (0..items).collect();
    Rng::seeded(7).shuffle(&mut numbers);
    let mut dict = with(0);
    numbers.into_iter().for_each(|n| add(&mut dict, n));
    bencher.counter(ItemsCount::new(items)).bench_local(|| {
        dict.iter().fold(0, |sum, item| {
            (0..5).fold(sum, |sum, _| sum ^ dict.hash(black_box(item.as_bytes())))
        })
    });
}

#[divan::bench(args = [1_000_000], sample_count = 200, sample_size = 50)]
fn random(bencher: Bencher, items: u64) {
    let dict = with(items);
    let mut rng = Rng::seeded(7);
    bencher.bench_local(|| dict.random(&mut rng).map(|item| item.as_bytes()[15]));
}
