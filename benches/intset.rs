//! The sorted array of integers: searching, adding in order and at random, walking.
//!
//! `cargo bench --bench intset`. 512 is where a set becomes a table by default.

use carnelian::base::rng::Rng;
use carnelian::ds::intset::IntSet;
use divan::Bencher;
use divan::counter::ItemsCount;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SIZES: [u32; 4] = [8, 64, 512, 10_000];
/// Bounds of the values: two, four and eight bytes for each.
const BOUNDS: [u64; 3] = [1 << 15, 1 << 31, 1 << 63];

fn values(count: u32, bound: u64) -> Vec<i64> {
    let mut rng = Rng::seeded(7);
    (0..count).map(|_| i64::try_from(rng.below(bound)).expect("below 2^63")).collect()
}

#[divan::bench(args = SIZES, consts = BOUNDS)]
fn contains<const BOUND: u64>(bencher: Bencher, count: u32) {
    let values = values(count, BOUND);
    let set: IntSet = values.iter().copied().collect();
    bencher
        .counter(ItemsCount::new(values.len()))
        .bench_local(|| black_box(&values).iter().filter(|value| set.contains(**value)).count());
}

#[divan::bench(args = SIZES, consts = BOUNDS)]
fn misses<const BOUND: u64>(bencher: Bencher, count: u32) {
    let values = values(count, BOUND);
    let set: IntSet = values.iter().copied().collect();
    bencher.counter(ItemsCount::new(values.len())).bench_local(|| {
        black_box(&values).iter().filter(|value| set.contains(**value ^ 1)).count()
    });
}

#[divan::bench(args = SIZES)]
fn insert_at_random(bencher: Bencher, count: u32) {
    let values = values(count, 1 << 31);
    bencher
        .counter(ItemsCount::new(values.len()))
        .bench_local(|| black_box(&values).iter().copied().collect::<IntSet>());
}

#[divan::bench(args = SIZES)]
fn insert_in_order(bencher: Bencher, count: u32) {
    let count = i64::from(count);
    bencher
        .counter(ItemsCount::new(usize::try_from(count).expect("positive")))
        .bench_local(|| (0..black_box(count)).collect::<IntSet>());
}

#[divan::bench(args = SIZES)]
fn iterate(bencher: Bencher, count: u32) {
    let set: IntSet = values(count, 1 << 31).into_iter().collect();
    bencher
        .counter(ItemsCount::new(set.len()))
        .bench_local(|| black_box(&set).iter().fold(0, |sum, value| sum ^ value));
}

fn main() {
    divan::main();
}
