//! HyperLogLogs: time to add, count and merge, in both encodings.
//!
//! `cargo bench --bench hll`

use carnelian::ds::hll::{self, Encoding, Hll, HllMut, REGISTER_COUNT};
use divan::Bencher;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// `hll-sparse-max-bytes`
const SPARSE_LEN_MAX: usize = 3000;
/// Distinct elements: few and many in run lengths, and enough to be dense.
const ELEMENTS: [u64; 3] = [10, 800, 100_000];

fn main() {
    divan::main();
}

fn with(elements: u64) -> Vec<u8> {
    let mut bytes = hll::empty();
    (0..elements).for_each(|n| add(&mut bytes, n));
    bytes
}

fn add(bytes: &mut Vec<u8>, n: u64) {
    let mut hll = HllMut::of(bytes, SPARSE_LEN_MAX).expect("a HyperLogLog");
    hll.add(&n.to_le_bytes()).expect("a sound one");
}

#[divan::bench(args = ELEMENTS)]
fn add_what_is_there(bencher: Bencher<'_, '_>, elements: u64) {
    let mut bytes = with(elements);
    let mut n = 0;
    bencher.bench_local(|| {
        n = (n + 1) % elements;
        add(&mut bytes, n);
    });
}

#[divan::bench(args = ELEMENTS)]
fn count(bencher: Bencher<'_, '_>, elements: u64) {
    let bytes = with(elements);
    bencher.bench_local(|| Hll::of(black_box(&bytes)).expect("a HyperLogLog").count());
}

#[divan::bench(args = ELEMENTS)]
fn merge(bencher: Bencher<'_, '_>, elements: u64) {
    let bytes = with(elements);
    let mut registers = [0; REGISTER_COUNT];
    bencher.bench_local(|| {
        let hll = Hll::of(black_box(&bytes)).expect("a HyperLogLog");
        hll.merge_into(black_box(&mut registers))
    });
}

#[divan::bench(args = ELEMENTS)]
fn store(bencher: Bencher<'_, '_>, elements: u64) {
    let bytes = with(elements);
    let hll = Hll::of(&bytes).expect("a HyperLogLog");
    let mut registers = [0; REGISTER_COUNT];
    hll.merge_into(&mut registers).expect("a sound one");
    bencher.with_inputs(hll::empty).bench_local_values(|mut target| {
        let mut new = HllMut::of(&mut target, SPARSE_LEN_MAX).expect("it was just made");
        new.store(&registers, Encoding::Sparse).expect("a sound one");
        target
    });
}
