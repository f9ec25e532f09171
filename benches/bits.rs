//! Bytes per second of counting, searching and combining bits, by length of the strings.
//!
//! `cargo bench --bench bits`

use carnelian::base::bits::{Bit, Combine, combine, count_ones, find_first, len_of};
use carnelian::base::rng::Rng;
use divan::Bencher;
use divan::counter::BytesCount;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// In the first cache, in the second, in none.
const LENS: [usize; 4] = [100, 4 << 10, 1 << 20, 64 << 20];

fn main() {
    divan::main();
}

fn random(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Rng::seeded(1).fill(&mut bytes);
    bytes
}

#[divan::bench(args = LENS)]
fn count(bencher: Bencher<'_, '_>, len: usize) {
    let bytes = random(len);
    bencher.counter(BytesCount::new(len)).bench_local(|| {
        let bytes = black_box(&bytes);
        count_ones(bytes, 0..len_of(bytes))
    });
}

#[divan::bench(args = LENS)]
fn find(bencher: Bencher<'_, '_>, len: usize) {
    let bytes = vec![0xff; len];
    bencher.counter(BytesCount::new(len)).bench_local(|| {
        let bytes = black_box(&bytes);
        find_first(bytes, Bit::Clear, 0..len_of(bytes))
    });
}

/// Bytes of the sources.
#[divan::bench(args = LENS, consts = [0, 1, 2, 3, 4])]
fn combine_two<const HOW: usize>(bencher: Bencher<'_, '_>, len: usize) {
    const ALL: [Combine; 5] =
        [Combine::And, Combine::Or, Combine::Xor, Combine::Diff, Combine::One];
    let sources = [random(len), random(len)];
    let sources: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
    bencher
        .counter(BytesCount::new(2 * len))
        .bench_local(|| combine(ALL[HOW], black_box(&sources)));
}
