//! Streams: adding, reading and trimming entries, and what a group keeps of those that it delivered.
//!
//! `cargo bench --bench stream`. Nodes are as large as they are by default: 4 KiB or 100 entries.

use carnelian::value::stream::{Group, Keep, Limits, Log, NewId, Precision, StreamId};
use divan::Bencher;
use divan::counter::ItemsCount;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SIZES: [u64; 3] = [10, 1_000, 1_000_000];
const LIMITS: Limits = Limits::new(4096, 100);

fn main() {
    divan::main();
}

fn add(log: &mut Log, n: u64) {
    let fields = [&b"field"[..], b"fourteen bytes"];
    let id = NewId::Explicit(StreamId::new(1_700_000_000_000 + n / 500, n % 500 + 1));
    log.append(id, 0, fields.into_iter(), LIMITS).expect("a larger ID");
}

fn with(count: u64) -> Log {
    let mut log = Log::default();
    (0..count).for_each(|n| add(&mut log, n));
    log
}

#[divan::bench(args = SIZES)]
fn append(bencher: Bencher, count: u64) {
    let mut n = count;
    bencher.counter(ItemsCount::new(1usize)).with_inputs(|| ()).bench_local_values({
        let mut log = with(count);
        move |()| {
            add(&mut log, n);
            n += 1;
        }
    });
}

#[divan::bench(args = SIZES)]
fn append_and_trim_about(bencher: Bencher, count: u64) {
    let mut log = with(count);
    let mut n = count;
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        add(&mut log, n);
        n += 1;
        log.trim(Keep::Last(count), Precision::Nodes { limit: None })
    });
}

#[divan::bench(args = SIZES)]
fn append_and_trim_exactly(bencher: Bencher, count: u64) {
    let mut log = with(count);
    let mut n = count;
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        add(&mut log, n);
        n += 1;
        log.trim(Keep::Last(count), Precision::Exact)
    });
}

fn texts<'a>(
    entries: impl Iterator<Item = (StreamId, carnelian::value::stream::Fields<'a>)>,
) -> usize {
    let mut bytes = 0;
    for (id, fields) in entries {
        black_box(id);
        fields.for_each(|(name, value)| bytes += name.text_len() + value.text_len());
    }
    bytes
}

#[divan::bench(args = SIZES)]
fn read_100(bencher: Bencher, count: u64) {
    let log = with(count);
    bencher
        .counter(ItemsCount::new(100usize))
        .bench_local(|| texts(black_box(&log).range(StreamId::MIN, StreamId::MAX).take(100)));
}

#[divan::bench(args = SIZES)]
fn read_100_backward(bencher: Bencher, count: u64) {
    let log = with(count);
    bencher
        .counter(ItemsCount::new(100usize))
        .bench_local(|| texts(black_box(&log).range(StreamId::MIN, StreamId::MAX).rev().take(100)));
}

#[divan::bench(args = SIZES)]
fn find_any(bencher: Bencher, count: u64) {
    let log = with(count);
    let mut n = 0;
    bencher.bench_local(|| {
        n = (n + 618_033) % count;
        log.get(StreamId::new(1_700_000_000_000 + n / 500, n % 500 + 1)).is_some()
    });
}

/// So many entries are pending; the oldest is acknowledged and another one delivered.
#[divan::bench(args = SIZES)]
fn deliver_and_ack(bencher: Bencher, count: u64) {
    let mut group = Group::new(StreamId::MIN, Some(0));
    let consumer = group.create_consumer(b"consumer", 0).expect("the first");
    let id = |n: u64| StreamId::new(1_700_000_000_000 + n / 500, n % 500 + 1);
    (0..count).for_each(|n| group.deliver(id(n), consumer, 0));
    let mut n = count;
    bencher.bench_local(|| {
        group.deliver(id(n), consumer, 0);
        let acked = group.ack(id(n - count));
        n += 1;
        acked.is_some()
    });
}

/// All that a consumer has not acknowledged.
#[divan::bench(args = SIZES)]
fn pending_of_a_consumer(bencher: Bencher, count: u64) {
    let mut group = Group::new(StreamId::MIN, Some(0));
    let consumer = group.create_consumer(b"consumer", 0).expect("the first");
    let id = |n: u64| StreamId::new(1_700_000_000_000 + n / 500, n % 500 + 1);
    (0..count).for_each(|n| group.deliver(id(n), consumer, 0));
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let all = StreamId::MIN..=StreamId::MAX;
        group.pending_of(consumer, all).map(|(_, nack)| nack.deliveries).sum::<u64>()
    });
}
