//! The quicklist: both ends, and indexes in the middle of long lists.
//!
//! `cargo bench --bench quicklist` prints bytes per element first; a filter leaves that out.

use carnelian::base::rng::Rng;
use carnelian::ds::quicklist::{Direction, End, Fill, Quicklist, Shape};
use divan::Bencher;
use divan::counter::ItemsCount;
use std::hint::black_box;
use std::ops::ControlFlow;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];

fn main() {
    // Not when a filter asks for something else.
    if std::env::args().skip(1).all(|argument| argument.starts_with("--")) {
        for depth in [0, 1] {
            let list = with(1_000_000, depth);
            let (bytes, nodes) = (list.memory_bytes(), list.node_count());
            println!("1,000,000 elements of 14 bytes, depth {depth}: {bytes} bytes, {nodes} nodes");
        }
    }
    divan::main();
}

fn with(count: usize, depth: usize) -> Quicklist {
    let mut list = Quicklist::new(Shape { fill: Fill::of_directive(-2), depth });
    (0..count).for_each(|n| list.push(End::Back, format!("element {n:06}").as_bytes()));
    list
}

fn push_and_pop(bencher: Bencher, end: End) {
    let mut list = with(100_000, 0);
    bencher.counter(ItemsCount::new(2000u32)).bench_local(|| {
        (0..1000).for_each(|_| list.push(end, black_box(b"element 123456")));
        (0..1000).for_each(|_| {
            list.pop(end, |element| element.text_len());
        });
    });
}

#[divan::bench]
fn front(bencher: Bencher) {
    push_and_pop(bencher, End::Front);
}

#[divan::bench]
fn back(bencher: Bencher) {
    push_and_pop(bencher, End::Back);
}

#[divan::bench(args = SIZES)]
fn index_at_random(bencher: Bencher, count: usize) {
    let list = with(count, 0);
    let mut rng = Rng::seeded(7);
    bencher.bench_local(|| list.with(rng.below_usize(count), |element| element.text_len()));
}

#[divan::bench(args = SIZES)]
fn index_in_the_middle(bencher: Bencher, count: usize) {
    let list = with(count, 0);
    bencher.bench_local(|| list.with(black_box(count / 2), |element| element.text_len()));
}

#[divan::bench(args = SIZES)]
fn walk_all(bencher: Bencher, count: usize) {
    let list = with(count, 0);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let mut sum = 0;
        let _all = list.visit(0, Direction::Forward, |element| {
            sum += element.text_len();
            ControlFlow::Continue(())
        });
        sum
    });
}
