//! The sorted set: its bytes by order of insertion, then its speed.
//!
//! `cargo bench --bench skiplist` prints the bytes first; a filter leaves them out. Members have 14
//! bytes, and allocations are made by jemalloc as in the server. Results: `docs/design/skiplist.md`.

use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::ds::skiplist::{Direction, Edge, ScoredSet, Side};
use divan::Bencher;
use divan::counter::ItemsCount;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SIZES: [u32; 3] = [100, 10_000, 1_000_000];

fn main() {
    // Not when a filter asks for something else.
    if std::env::args().skip(1).all(|argument| argument.starts_with("--")) {
        print_bytes();
    }
    divan::main();
}

fn member(n: u32) -> [u8; 14] {
    let mut member = *b"me:00000000000";
    let mut rest = n;
    for digit in member[3..].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
    }
    member
}

/// Scores for `len` members, in the order of insertion.
#[derive(Clone, Copy)]
enum Order {
    Random,
    Ascending,
    Descending,
    Equal,
}

fn with(len: u32, order: Order) -> ScoredSet {
    let mut set = ScoredSet::new(HashKey::new(1, 2));
    let mut rng = Rng::seeded(3);
    for n in 0..len {
        let score = match order {
            Order::Random => rng.next_f64(),
            Order::Ascending => f64::from(n),
            Order::Descending => -f64::from(n),
            Order::Equal => 0.0,
        };
        set.update(&member(n), Some(score), |_| Some(score));
    }
    set
}

fn print_bytes() {
    for (name, order) in [
        ("random", Order::Random),
        ("ascending", Order::Ascending),
        ("descending", Order::Descending),
        ("equal", Order::Equal),
    ] {
        let allocated = tikv_jemalloc_ctl::stats::allocated::mib().expect("jemalloc");
        let resident = tikv_jemalloc_ctl::stats::resident::mib().expect("jemalloc");
        let epoch = tikv_jemalloc_ctl::epoch::mib().expect("jemalloc");
        let read = || {
            epoch.advance().expect("jemalloc");
            (allocated.read().expect("jemalloc"), resident.read().expect("jemalloc"))
        };
        let before = read();
        let set = with(1_000_000, order);
        let after = read();
        println!(
            "{name}: {} KB asked for, {} KB allocated, {} KB resident for 1,000,000 members of 14 bytes",
            set.memory_bytes() / 1000,
            (after.0 - before.0) / 1000,
            after.1.saturating_sub(before.1) / 1000,
        );
    }
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn add_all_at_random(bencher: Bencher, len: u32) {
    bencher.counter(ItemsCount::new(len)).bench_local(|| with(len, Order::Random));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn add_all_ascending(bencher: Bencher, len: u32) {
    bencher.counter(ItemsCount::new(len)).bench_local(|| with(len, Order::Ascending));
}

/// Random members of a large set get random scores.
#[divan::bench(args = SIZES, sample_count = 100, sample_size = 1000)]
fn change_score(bencher: Bencher, len: u32) {
    let mut set = with(len, Order::Random);
    let mut rng = Rng::seeded(7);
    bencher.bench_local(|| {
        let n = u32::try_from(rng.below(u64::from(len))).expect("small");
        let score = rng.next_f64();
        set.update(&member(n), Some(score), |_| Some(score))
    });
}

/// Half of the members are new, and one is taken out for each that is added.
#[divan::bench(args = SIZES, sample_count = 100, sample_size = 1000)]
fn add_and_pop(bencher: Bencher, len: u32) {
    let mut set = with(len, Order::Random);
    let mut rng = Rng::seeded(7);
    let mut n = len;
    bencher.bench_local(|| {
        n += 1;
        let score = rng.next_f64() + 0.5;
        set.update(&member(n), Some(score), |_| Some(score));
        set.remove_range(0..1);
    });
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn pop_all(bencher: Bencher, len: u32) {
    let set = || with(len, Order::Random);
    bencher.counter(ItemsCount::new(len)).with_inputs(set).bench_local_values(|mut set| {
        while !set.is_empty() {
            black_box(set.range(0..1, Direction::Forward).next());
            set.remove_range(0..1);
        }
    });
}

#[divan::bench(args = SIZES, sample_count = 100, sample_size = 100)]
fn range_of_100(bencher: Bencher, len: u32) {
    let set = with(len, Order::Random);
    let mut rng = Rng::seeded(7);
    bencher.counter(ItemsCount::new(100usize)).bench_local(|| {
        let start = rng.below_usize(set.len() - 99);
        let members = set.range(start..start + 100, Direction::Forward);
        members.fold(0.0, |sum, (member, score)| sum + score + f64::from(member[5]))
    });
}

#[divan::bench(args = SIZES, sample_count = 100, sample_size = 100)]
fn rank_of_score(bencher: Bencher, len: u32) {
    let set = with(len, Order::Random);
    let mut rng = Rng::seeded(7);
    bencher.bench_local(|| set.rank_of_edge(Edge::Score(rng.next_f64(), Side::Before)));
}
