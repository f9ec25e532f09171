//! Fields of a large hash: names and values of 14 bytes in a dict, set, overwritten and read.
//!
//! Allocations are made by jemalloc, as in the server. `cargo bench --bench field` prints the bytes of a
//! field first. Results: `docs/design/hash.md`.

use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::ds::dict::field::NewValue;
use carnelian::ds::dict::{Dict, Entry, Field, Mark};
use divan::Bencher;
use divan::counter::ItemsCount;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SIZES: [u64; 3] = [100, 10_000, 1_000_000];

fn main() {
    println!("{:>6} {:>6} {:>8} {:>8}", "name", "value", "bytes", "expiring");
    for (name, value) in [(14, 14), (20, 3), (20, 20), (40, 100), (200, 300)] {
        let bytes = |expiry| {
            let value = vec![b'v'; value];
            Field::new(&vec![b'n'; name], NewValue::Copied(&value), expiry).memory_bytes()
        };
        println!("{name:>6} {value:>6} {:>8} {:>8}", bytes(None), bytes(Some(1)));
    }
    divan::main();
}

fn name(n: u64) -> [u8; 14] {
    let mut name = *b"member00000000";
    let mut rest = n;
    for digit in name[6..].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
    }
    name
}

fn set(dict: &mut Dict<Field>, n: u64, value: &[u8]) {
    let name = name(n);
    match dict.entry(dict.hash(&name), &name) {
        Entry::Vacant(vacant) => {
            vacant.insert(Field::new(&name, NewValue::Copied(value), None), Mark::Clear);
        }
        Entry::Occupied(mut slot) => slot.get_mut().set_value(NewValue::Copied(value)),
    }
}

fn with(fields: u64) -> Dict<Field> {
    let mut dict = Dict::new(HashKey::new(1, 2));
    (0..fields).for_each(|n| set(&mut dict, n, &[b'v'; 14]));
    dict
}

#[divan::bench(args = SIZES, sample_count = 20)]
fn add_all(bencher: Bencher, fields: u64) {
    bencher.counter(ItemsCount::new(fields)).bench_local(|| with(fields));
}

#[divan::bench(args = SIZES, sample_count = 100, sample_size = 1000)]
fn overwrite_in_place(bencher: Bencher, fields: u64) {
    let (mut dict, mut rng) = (with(fields), Rng::seeded(7));
    bencher.bench_local(|| set(&mut dict, rng.below(fields), black_box(&[b'w'; 12])));
}

#[divan::bench(args = SIZES, sample_count = 100, sample_size = 1000)]
fn overwrite_with_another_size(bencher: Bencher, fields: u64) {
    let (mut dict, mut rng) = (with(fields), Rng::seeded(7));
    bencher.bench_local(|| {
        let len = 14 + 20 * rng.below_usize(2);
        set(&mut dict, rng.below(fields), black_box(&[b'w'; 34][..len]));
    });
}

#[divan::bench(args = SIZES, sample_count = 100, sample_size = 1000)]
fn read(bencher: Bencher, fields: u64) {
    let (dict, mut rng) = (with(fields), Rng::seeded(7));
    bencher.bench_local(|| {
        let name = name(rng.below(fields));
        dict.find(dict.hash(&name), &name).map(|field| field.parts().value.len())
    });
}
