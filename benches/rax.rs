//! The radix tree beside the standard library's ordered map: bytes for each key, then speed.
//!
//! `cargo bench --bench rax` prints the bytes first; a filter leaves them out. Keys are 16-byte
//! identifiers as streams have them, values 8 bytes, and allocations are made by jemalloc as in the
//! server. Results: `docs/design/rax.md`.

use carnelian::base::rng::Rng;
use carnelian::ds::rax::{Edge, Rax};
use divan::Bencher;
use divan::counter::ItemsCount;
use std::collections::BTreeMap;
use std::ops::Bound;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SIZES: [u64; 3] = [100, 10_000, 1_000_000];

fn main() {
    // Not when a filter asks for something else.
    if std::env::args().skip(1).all(|argument| argument.starts_with("--")) {
        print_bytes();
    }
    divan::main();
}

type Id = [u8; 16];

/// How identifiers follow each other.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// One a millisecond.
    Single,
    /// A hundred a millisecond.
    Many,
    /// Three a millisecond.
    Few,
    /// Any.
    Random,
}

fn id(n: u64, order: Order) -> Id {
    let (ms, seq) = match order {
        Order::Single => (n, 0),
        Order::Many => (n / 100, n % 100),
        Order::Few => (n / 3, n % 3),
        Order::Random => {
            let mut rng = Rng::seeded(n);
            (rng.next_u64(), rng.next_u64())
        }
    };
    (u128::from(1_700_000_000_000_u64.wrapping_add(ms)) << 64 | u128::from(seq)).to_be_bytes()
}

/// What both maps do.
trait Map: Default + 'static {
    fn put(&mut self, key: &Id, value: u64);
    fn look(&self, key: &Id) -> Option<u64>;
    fn take(&mut self, key: &Id) -> Option<u64>;
    fn take_first(&mut self) -> Option<u64>;
    fn sum_100(&self, from: &Id) -> u64;
}

impl Map for Rax<u64> {
    fn put(&mut self, key: &Id, value: u64) {
        self.insert(key, value);
    }

    fn look(&self, key: &Id) -> Option<u64> {
        self.get(key).copied()
    }

    fn take(&mut self, key: &Id) -> Option<u64> {
        self.remove(key)
    }

    fn take_first(&mut self) -> Option<u64> {
        self.pop_first().map(|(_, value)| value)
    }

    fn sum_100(&self, from: &Id) -> u64 {
        let mut cursor = self.cursor(Edge::Before(from));
        let mut sum = 0;
        for _ in 0..100 {
            let Some((key, value)) = cursor.next_entry() else { break };
            sum += value + u64::from(key[7]);
        }
        sum
    }
}

impl Map for BTreeMap<Id, u64> {
    fn put(&mut self, key: &Id, value: u64) {
        self.insert(*key, value);
    }

    fn look(&self, key: &Id) -> Option<u64> {
        self.get(key).copied()
    }

    fn take(&mut self, key: &Id) -> Option<u64> {
        self.remove(key)
    }

    fn take_first(&mut self) -> Option<u64> {
        self.pop_first().map(|(_, value)| value)
    }

    fn sum_100(&self, from: &Id) -> u64 {
        let range = self.range((Bound::Included(*from), Bound::Unbounded));
        range.take(100).map(|(key, value)| value + u64::from(key[7])).sum()
    }
}

fn with<M: Map>(len: u64, order: Order) -> M {
    let mut map = M::default();
    for n in 0..len {
        map.put(&id(n, order), n);
    }
    map
}

/// Allocated bytes for each key.
fn allocated<M: Map>(order: Order) -> u64 {
    let allocated = tikv_jemalloc_ctl::stats::allocated::mib().expect("jemalloc");
    let epoch = tikv_jemalloc_ctl::epoch::mib().expect("jemalloc");
    let read = || {
        epoch.advance().expect("jemalloc");
        allocated.read().expect("jemalloc")
    };
    let before = read();
    let map: M = with(1_000_000, order);
    let after = read();
    drop(map);
    u64::try_from(after - before).expect("small")
}

fn print_bytes() {
    for order in [Order::Single, Order::Many, Order::Few, Order::Random] {
        println!(
            "{order:?}: {} KB allocated for 1,000,000 identifiers; BTreeMap {} KB",
            allocated::<Rax<u64>>(order) / 1000,
            allocated::<BTreeMap<Id, u64>>(order) / 1000,
        );
    }
}

#[divan::bench(types = [Rax<u64>, BTreeMap<Id, u64>], args = SIZES, sample_count = 10)]
fn append_all<M: Map>(bencher: Bencher, len: u64) {
    bencher.counter(ItemsCount::new(len)).bench_local(|| with::<M>(len, Order::Single));
}

#[divan::bench(types = [Rax<u64>, BTreeMap<Id, u64>], args = SIZES, sample_count = 10)]
fn append_all_few<M: Map>(bencher: Bencher, len: u64) {
    bencher.counter(ItemsCount::new(len)).bench_local(|| with::<M>(len, Order::Few));
}

#[divan::bench(types = [Rax<u64>, BTreeMap<Id, u64>], args = SIZES, sample_count = 10)]
fn add_all_at_random<M: Map>(bencher: Bencher, len: u64) {
    bencher.counter(ItemsCount::new(len)).bench_local(|| with::<M>(len, Order::Random));
}

/// Each identifier is added at the end, and the first taken out: what a queue does.
#[divan::bench(types = [Rax<u64>, BTreeMap<Id, u64>], args = SIZES, sample_count = 100, sample_size = 1000)]
fn append_and_pop<M: Map>(bencher: Bencher, len: u64) {
    let mut map: M = with(len, Order::Single);
    let mut n = len;
    bencher.bench_local(|| {
        map.put(&id(n, Order::Single), n);
        n += 1;
        map.take_first()
    });
}

/// Each identifier is added at the end, and one that is `len` older removed: what pending entries do.
#[divan::bench(types = [Rax<u64>, BTreeMap<Id, u64>], args = SIZES, sample_count = 100, sample_size = 1000)]
fn append_and_remove<M: Map>(bencher: Bencher, len: u64) {
    let mut map: M = with(len, Order::Single);
    let mut n = len;
    bencher.bench_local(|| {
        map.put(&id(n, Order::Single), n);
        n += 1;
        map.take(&id(n - len, Order::Single))
    });
}

#[divan::bench(types = [Rax<u64>, BTreeMap<Id, u64>], args = SIZES, sample_count = 100, sample_size = 1000)]
fn look_up<M: Map>(bencher: Bencher, len: u64) {
    let map: M = with(len, Order::Single);
    let mut rng = Rng::seeded(7);
    bencher.bench_local(|| map.look(&id(rng.below(len), Order::Single)));
}

#[divan::bench(types = [Rax<u64>, BTreeMap<Id, u64>], args = SIZES, sample_count = 100, sample_size = 1000)]
fn look_up_random<M: Map>(bencher: Bencher, len: u64) {
    let map: M = with(len, Order::Random);
    let mut rng = Rng::seeded(7);
    bencher.bench_local(|| map.look(&id(rng.below(len), Order::Random)));
}

#[divan::bench(types = [Rax<u64>, BTreeMap<Id, u64>], args = SIZES, sample_count = 100, sample_size = 100)]
fn range_of_100<M: Map>(bencher: Bencher, len: u64) {
    let map: M = with(len, Order::Single);
    let mut rng = Rng::seeded(7);
    bencher
        .counter(ItemsCount::new(100usize))
        .bench_local(|| map.sum_100(&id(rng.below(len - 99), Order::Single)));
}

/// The last key and its value, to be changed: where a stream's next entry goes.
#[divan::bench(args = SIZES, sample_count = 100, sample_size = 1000)]
fn last(bencher: Bencher, len: u64) {
    let mut map: Rax<u64> = with(len, Order::Single);
    bencher.bench_local(|| {
        let (key, value) = map.last_mut()?;
        *value += 1;
        Some(key[15])
    });
}
