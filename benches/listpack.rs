//! The listpack: pushing, walking, searching, seeking, and checking foreign bytes.
//!
//! `cargo bench --bench listpack`. 128 is about where a hash leaves it, 500 fill a node of a list.

use carnelian::ds::listpack::{Listpack, check};
use divan::Bencher;
use divan::counter::ItemsCount;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SIZES: [usize; 3] = [8, 128, 500];

fn main() {
    divan::main();
}

fn texts(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("element:{n:06}").into_bytes()).collect()
}

fn with(count: usize) -> Listpack {
    let mut list = Listpack::new();
    texts(count).iter().for_each(|text| list.push_back(text));
    list
}

#[divan::bench(args = SIZES)]
fn push_back(bencher: Bencher, count: usize) {
    let texts = texts(count);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let mut list = Listpack::new();
        black_box(&texts).iter().for_each(|text| list.push_back(text));
        list
    });
}

#[divan::bench(args = SIZES)]
fn push_front(bencher: Bencher, count: usize) {
    let texts = texts(count);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let mut list = Listpack::new();
        black_box(&texts).iter().for_each(|text| list.push_front(text));
        list
    });
}

#[divan::bench(args = SIZES)]
fn walk(bencher: Bencher, count: usize) {
    let list = with(count);
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| black_box(&list).iter().map(|element| element.text_len()).sum::<usize>());
}

#[divan::bench(args = SIZES)]
fn walk_backward(bencher: Bencher, count: usize) {
    let list = with(count);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        black_box(&list).rev_iter().map(|element| element.text_len()).sum::<usize>()
    });
}

#[divan::bench(args = SIZES)]
fn find_last(bencher: Bencher, count: usize) {
    let list = with(count);
    let last = texts(count).pop().expect("not empty");
    let first = list.first().expect("not empty");
    bencher.counter(ItemsCount::new(count)).bench_local(|| list.find(black_box(&last), first, 0));
}

#[divan::bench(args = SIZES)]
fn seek_middle(bencher: Bencher, count: usize) {
    let list = with(count);
    let middle = i64::try_from(count / 2).expect("small");
    bencher.bench_local(|| list.seek(black_box(middle)));
}

#[divan::bench(args = SIZES)]
fn check_bytes(bencher: Bencher, count: usize) {
    let list = with(count);
    bencher.counter(ItemsCount::new(count)).bench_local(|| check(black_box(list.as_bytes())));
}
