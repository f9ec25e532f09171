//! The quicklist against a deque of vectors.

use super::*;
use crate::base::num;
use crate::base::rng::Rng;
use std::ops::ControlFlow;

type Oracle = VecDeque<Vec<u8>>;

fn texts(list: &Quicklist) -> Vec<Vec<u8>> {
    walk(list, 0, Direction::Forward)
}

fn walk(list: &Quicklist, from: usize, direction: Direction) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    let flow = list.visit(from, direction, |element| {
        texts.push(element.to_vec());
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue());
    texts
}

fn shape(size: i32, depth: usize) -> Shape {
    Shape { fill: Fill::of_directive(size), depth }
}

fn counting(range: std::ops::Range<usize>, shape: Shape) -> Quicklist {
    let mut list = Quicklist::new(shape);
    range.for_each(|n| list.push(End::Back, format!("element {n:06}").as_bytes()));
    list.check_invariants();
    list
}

fn random_text(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.below(20) {
        0..=13 => rng.below_usize(20),
        14..=16 => rng.below_usize(300),
        17..=18 => rng.below_usize(4_000),
        _ => rng.below_usize(20_000),
    };
    if rng.below(3) == 0 {
        return rng.below(50).to_string().into_bytes();
    }
    (0..len).map(|_| b'a' + num::low_u8(rng.below(3))).collect()
}

/// One random change to both.
fn step(list: &mut Quicklist, oracle: &mut Oracle, rng: &mut Rng) {
    let text = random_text(rng);
    let place = rng.below_usize(oracle.len() + 1);
    match rng.below(16) {
        0..=2 => {
            list.push(End::Front, &text);
            oracle.push_front(text);
        }
        3..=5 => {
            list.push(End::Back, &text);
            oracle.push_back(text);
        }
        6 => {
            let popped = list.pop(End::Front, |element| element.to_vec());
            assert_eq!(popped, oracle.pop_front());
        }
        7 => {
            let popped = list.pop(End::Back, |element| element.to_vec());
            assert_eq!(popped, oracle.pop_back());
        }
        8..=10 => {
            list.insert(place, &text);
            oracle.insert(place, text);
        }
        11 if place < oracle.len() => {
            list.replace(place, &text);
            oracle[place] = text;
        }
        12 => {
            let count = rng.below_usize(1 + oracle.len() / 2);
            let end = oracle.len().min(place + count);
            assert_eq!(list.delete_range(place, count), end - place);
            oracle.drain(place..end);
        }
        13 => remove_matching(list, oracle, rng),
        _ => look(list, oracle, place),
    }
}

fn remove_matching(list: &mut Quicklist, oracle: &mut Oracle, rng: &mut Rng) {
    let text = match oracle.len() {
        0 => b"none".to_vec(),
        len => oracle[rng.below_usize(len)].clone(),
    };
    let (limit, before) = (rng.below_usize(4), oracle.len());
    let direction = [Direction::Forward, Direction::Backward][rng.below_usize(2)];
    for _ in 0..limit {
        let found = match direction {
            Direction::Forward => oracle.iter().position(|found| *found == text),
            Direction::Backward => oracle.iter().rposition(|found| *found == text),
        };
        let Some(found) = found else { break };
        oracle.remove(found);
    }
    assert_eq!(list.remove_matching(&text, limit, direction), before - oracle.len());
}

fn look(list: &Quicklist, oracle: &Oracle, place: usize) {
    assert_eq!(list.with(place, |element| element.to_vec()).as_ref(), oracle.get(place));
    let forward: Vec<_> = oracle.iter().skip(place).cloned().collect();
    assert_eq!(walk(list, place, Direction::Forward), forward);
    if place < oracle.len() {
        let backward: Vec<_> = oracle.iter().take(place + 1).rev().cloned().collect();
        assert_eq!(walk(list, place, Direction::Backward), backward);
    }
    assert_eq!(*oracle, texts(&list.clone()));
}

#[test]
fn random_changes_agree_with_a_deque() {
    for (seed, size) in [-2, -1, 1, 2, 5, 128, -2, 3].into_iter().enumerate() {
        for depth in [0, 1, 3] {
            let mut rng = Rng::seeded(num::u64_of(seed * 10 + depth));
            let (mut list, mut oracle) = (Quicklist::new(shape(size, depth)), Oracle::new());
            if seed % 3 == 1 {
                list.set_plain_from(Some(15));
            }
            for _ in 0..500 {
                step(&mut list, &mut oracle, &mut rng);
                list.check_invariants();
                assert_eq!((list.len(), list.is_empty()), (oracle.len(), oracle.is_empty()));
            }
            assert_eq!(oracle, texts(&list));
        }
    }
}

#[test]
fn nodes_hold_what_the_directive_says() {
    assert_eq!(counting(0..1000, shape(10, 0)).node_count(), 100);
    // Seven bytes, and sixteen for each element, which is taken for 22 when it comes.
    assert_eq!(counting(0..1000, shape(-2, 0)).node_count(), 2);
    let mut list = Quicklist::new(shape(-1, 0));
    list.push(End::Back, &[b'x'; 4097]);
    list.push(End::Back, b"y");
    list.push(End::Back, &[b'x'; 5000]);
    assert_eq!(list.node_count(), 3);
    assert_eq!(list.single_packed(), None);
}

#[test]
fn a_million_short_elements_take_17_bytes_each() {
    let list = counting(0..1_000_000, shape(-2, 0));
    let bytes = list.memory_bytes();
    assert!(bytes < 16_200_000, "{bytes}");
}

#[test]
fn inner_nodes_are_compressed() {
    let list = counting(0..10_000, shape(-2, 1));
    let squeezed = list.nodes.iter().filter(|node| node.is_squeezed()).count();
    assert_eq!(squeezed, list.node_count() - 2);
    assert!(list.memory_bytes() * 2 < list.raw_bytes());
}

#[test]
fn inner_nodes_stay_compressed_wherever_elements_come_and_go() {
    let mut rng = Rng::seeded(6);
    for depth in [1, 2, 3] {
        let mut list = counting(0..20_000, shape(-1, depth));
        for step in 0..1000 {
            let index = match rng.below(3) {
                0 => rng.below_usize(list.len().min(900)),
                1 => list.len() - 1 - rng.below_usize(list.len().min(900)),
                _ => rng.below_usize(list.len()),
            };
            match rng.below(40) {
                0..=24 => list.insert(index, &[b'x'; 200][..rng.below_usize(200)]),
                25..=29 => list.insert(index, &[b'y'; 4000]),
                30..=38 => {
                    list.delete_range(index, rng.below_usize(4));
                }
                _ => {
                    list.delete_range(index, rng.below_usize(700));
                }
            }
            if step % 10 > 0 {
                continue;
            }
            list.check_invariants();
            for node in depth..list.node_count().saturating_sub(depth) {
                let mut copy = list.nodes[node].clone();
                copy.squeeze();
                assert_eq!(copy.is_squeezed(), list.nodes[node].is_squeezed(), "{step} {node}");
            }
        }
    }
}

#[test]
fn inserting_leaves_no_trail_of_small_nodes() {
    let mut list = counting(0..20_000, shape(-2, 0));
    let mut rng = Rng::seeded(1);
    for _ in 0..20_000 {
        let index = rng.below_usize(list.len());
        list.insert(index, b"inserted");
    }
    list.check_invariants();
    assert!(list.raw_bytes() / list.node_count() > 3000);
}

#[test]
fn one_listpack_becomes_a_list_and_back() {
    let mut listpack = Listpack::new();
    (0..10).for_each(|n| listpack.push_back(n));
    let mut list = Quicklist::of_packed(listpack, shape(-2, 1));
    list.check_invariants();
    assert_eq!((list.len(), list.single_packed().map(|(_, len)| len)), (10, Some(10)));
    assert_eq!(list.take_packed().map(|listpack| listpack.len()), Some(10));
    list.check_invariants();
    assert!(list.take_packed().is_none());
    assert!(Quicklist::of_packed(Listpack::new(), shape(-2, 1)).is_empty());
}

#[test]
fn a_walk_stops_when_told_to() {
    let list = counting(0..2000, shape(-2, 0));
    for direction in [Direction::Forward, Direction::Backward] {
        let mut seen = 0;
        let flow = list.visit(1000, direction, |_| {
            seen += 1;
            if seen == 700 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((seen, flow.is_break()), (700, true));
    }
}
