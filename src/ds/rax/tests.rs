//! The tree against the standard library's.

use super::*;
use crate::base::num;
use crate::base::rng::Rng;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::rc::Rc;

/// A stream's ID as it is in keys.
fn id(ms: u64, seq: u64) -> [u8; 16] {
    (u128::from(ms) << 64 | u128::from(seq)).to_be_bytes()
}

/// What keys are like.
#[derive(Clone, Copy, Debug)]
enum Keys {
    /// IDs of neighbouring milliseconds, a few in each.
    Ids,
    /// Words of two letters, so that many begin with another.
    Words,
    /// Any short strings.
    Bytes,
    /// Strings that are alike for longer than a tail may be.
    Long,
    /// Names with numbers.
    Names,
}

impl Keys {
    fn draw(self, rng: &mut Rng, range: u64) -> Vec<u8> {
        match self {
            Keys::Ids => {
                let seq = rng.below(8).saturating_sub(5) * rng.below(300);
                id(1_700_000_000_000 + rng.below(range), seq).to_vec()
            }
            Keys::Words => (0..rng.below(14)).map(|_| b"ab"[rng.below_usize(2)]).collect(),
            Keys::Bytes => (0..rng.below(4)).map(|_| num::low_u8(rng.next_u64())).collect(),
            Keys::Long => {
                let mut key = vec![b'x'; 300];
                for _ in 0..2 {
                    key[[0, 10, 100, 299][rng.below_usize(4)]] = num::low_u8(rng.below(range));
                }
                key.truncate([300, 300, 299, 12][rng.below_usize(4)]);
                key
            }
            Keys::Names => format!("consumer-{}", rng.below(range)).into_bytes(),
        }
    }
}

type Oracle = BTreeMap<Vec<u8>, u64>;

fn owned(entry: Option<(Key, &u64)>) -> Option<(Vec<u8>, u64)> {
    entry.map(|(key, value)| (key.to_vec(), *value))
}

fn borrowed(entry: Option<(&Vec<u8>, &u64)>) -> Option<(Vec<u8>, u64)> {
    entry.map(|(key, value)| (key.clone(), *value))
}

fn same(rax: &Rax<u64>, oracle: &Oracle) {
    rax.check_invariants();
    assert_eq!(rax.len(), oracle.len());
    let mut cursor = rax.cursor(Edge::Start);
    for (key, value) in oracle {
        assert_eq!(cursor.next_entry(), Some((&key[..], value)));
    }
    assert_eq!(cursor.next_entry(), None);
    assert_eq!(owned(rax.first()), borrowed(oracle.first_key_value()));
    assert_eq!(owned(rax.last()), borrowed(oracle.last_key_value()));
}

/// The neighbours of a place, one after the other, there and back.
fn look_around(rax: &Rax<u64>, oracle: &Oracle, key: &[u8], rng: &mut Rng) {
    let (edge, behind, before) = if rng.below(2) == 0 {
        (Edge::Before(key), Bound::Included(key), Bound::Excluded(key))
    } else {
        (Edge::After(key), Bound::Excluded(key), Bound::Included(key))
    };
    let mut behind = oracle.range::<[u8], _>((behind, Bound::Unbounded));
    let mut before = oracle.range::<[u8], _>((Bound::Unbounded, before));
    assert_eq!(owned(rax.next_from(edge)), borrowed(behind.clone().next()));
    assert_eq!(owned(rax.previous_from(edge)), borrowed(before.clone().next_back()));
    let steps = rng.below(20);
    let mut cursor = rax.cursor(edge);
    for back in 0..=steps {
        let Some((key, value)) = behind.next() else {
            assert_eq!(cursor.next_entry(), None);
            assert_eq!(cursor.next_entry(), None);
            for _ in 0..back {
                cursor.previous_entry();
            }
            break;
        };
        assert_eq!(cursor.next_entry(), Some((&key[..], value)));
        if back == steps {
            for _ in 0..=steps {
                cursor.previous_entry();
            }
        }
    }
    for _ in 0..rng.below(20) {
        let expected = before.next_back().map(|(key, value)| (&key[..], value));
        assert_eq!(cursor.previous_entry(), expected);
    }
}

fn step(rax: &mut Rax<u64>, oracle: &mut Oracle, keys: Keys, range: u64, rng: &mut Rng) {
    let key = keys.draw(rng, range);
    match rng.below(16) {
        0..=6 => {
            let value = rng.next_u64();
            assert_eq!(rax.insert(&key, value), oracle.insert(key, value));
        }
        7..=9 => assert_eq!(rax.remove(&key), oracle.remove(&key)),
        10 => assert_eq!(rax.get(&key), oracle.get(&key)),
        11 => {
            assert_eq!(rax.get_mut(&key), oracle.get_mut(&key));
            for value in [rax.get_mut(&key), oracle.get_mut(&key)].into_iter().flatten() {
                *value += 1;
            }
        }
        12 => {
            let mut found = Vec::new();
            rax.prefixes_of(&key, |key, value| found.push((key.to_vec(), *value)));
            let expected = oracle.iter().filter(|(other, _)| key.starts_with(other));
            assert!(found.iter().map(|(key, value)| (key, value)).eq(expected));
        }
        13 => {
            let popped = rax.pop_first().map(|(key, value)| (key.to_vec(), value));
            assert_eq!(popped, oracle.pop_first());
        }
        14 => {
            let last = rax.last_mut().map(|(key, value)| (key.to_vec(), *value));
            assert_eq!(last, borrowed(oracle.last_key_value()));
            if rng.below(2) == 0 {
                let popped = rax.pop_last().map(|(key, value)| (key.to_vec(), value));
                assert_eq!(popped, oracle.pop_last());
            }
        }
        _ => look_around(rax, oracle, &key, rng),
    }
}

#[test]
fn random_operations_agree_with_a_tree_of_the_standard_library() {
    let kinds = [Keys::Ids, Keys::Words, Keys::Bytes, Keys::Long, Keys::Names];
    let (seeds, steps_max) = if cfg!(miri) { (10, 200) } else { (250, 3000) };
    for seed in 0..seeds {
        let mut rng = Rng::seeded(seed);
        let keys = kinds[num::usize_of(seed) % kinds.len()];
        let range = 1 << rng.below(12);
        let (mut rax, mut oracle) = (Rax::new(), Oracle::new());
        for round in 0..rng.below_usize(steps_max) {
            step(&mut rax, &mut oracle, keys, range, &mut rng);
            if round % 128 == 0 {
                same(&rax, &oracle);
            }
        }
        same(&rax, &oracle);
        while let Some(key) = oracle.keys().nth(rng.below_usize(oracle.len().max(1))).cloned() {
            assert_eq!(rax.remove(&key), oracle.remove(&key));
            if oracle.len() % 32 == 0 {
                same(&rax, &oracle);
            }
        }
        assert_eq!((rax.len(), rax.memory_bytes()), (0, 0));
    }
}

#[test]
fn an_empty_map_answers() {
    let mut rax: Rax<u64> = Rax::new();
    rax.check_invariants();
    assert_eq!(rax.get(b""), None);
    assert_eq!(rax.remove(b""), None);
    assert!(rax.first().is_none() && rax.last().is_none() && rax.pop_first().is_none());
    for edge in [Edge::Start, Edge::End, Edge::Before(b"x"), Edge::After(b"")] {
        assert_eq!(rax.cursor(edge).next_entry(), None);
        assert_eq!(rax.cursor(edge).previous_entry(), None);
        assert!(rax.next_from_mut(edge).is_none());
    }
    assert_eq!(rax.insert(b"", 1), None);
    assert_eq!(rax.get(b""), Some(&1));
    assert_eq!(rax.last_mut().map(|(_, value)| *value), Some(1));
    assert_eq!(rax.pop_last().map(|(key, value)| (key.len(), value)), Some((0, 1)));
    assert!(rax.is_empty());
}

#[test]
fn every_value_is_freed_once() {
    let count = if cfg!(miri) { 300 } else { 20_000 };
    let value = Rc::new(());
    let mut rng = Rng::seeded(1);
    for keys in [Keys::Ids, Keys::Words, Keys::Long] {
        let mut rax = Rax::new();
        for _ in 0..count {
            rax.insert(&keys.draw(&mut rng, 4000), Rc::clone(&value));
            if rng.below(3) == 0 {
                rax.remove(&keys.draw(&mut rng, 4000));
            }
            if rng.below(100) == 0 {
                rax.pop_first();
            }
        }
        assert_eq!(Rc::strong_count(&value), rax.len() + 1);
        drop(rax);
        assert_eq!(Rc::strong_count(&value), 1);
    }
}

#[test]
fn values_may_be_larger_than_an_address() {
    let mut rax = Rax::new();
    for n in 0..1000 {
        rax.insert(&id(n, 0), (vec![n], n, "text".to_owned()));
    }
    rax.insert(b"", (vec![], 0, String::new()));
    assert!((0..1000).all(|n| rax.get(&id(n, 0)).is_some_and(|value| value.0 == [n])));
    let small: Rax<u8> = {
        let mut small = Rax::new();
        small.insert(b"a", 1);
        small.insert(b"b", 2);
        small
    };
    small.check_invariants();
    assert_eq!(format!("{small:?}"), r#"{"a": 1, "b": 2}"#);
}

#[test]
fn a_tree_as_deep_as_it_has_keys_is_freed_without_recursion() {
    let depth = if cfg!(miri) { 300 } else { 20_000 };
    let key = vec![b'x'; depth];
    let mut rax = Rax::new();
    for len in 0..depth {
        rax.insert(&key[..len], len);
    }
    let mut visited = 0;
    rax.prefixes_of(&key, |found, value| {
        assert_eq!(found.len(), *value);
        visited += 1;
    });
    assert_eq!(visited, depth);
    assert_eq!(rax.previous_from(Edge::End).map(|(key, _)| key.len()), Some(depth - 1));
}

/// Bytes of the tree for each of many keys.
fn bytes_per_key(keys: impl Iterator<Item = [u8; 16]>) -> f64 {
    let mut rax = Rax::new();
    for key in keys {
        rax.insert(&key, 0u64);
    }
    num::f64_of_usize(rax.memory_bytes()) / num::f64_of_usize(rax.len())
}

#[test]
fn identifiers_that_are_counted_up_take_little_more_than_their_values() {
    const N: u64 = 100_000;
    const MS: u64 = 1_700_000_000_000;
    let one_a_millisecond = bytes_per_key((0..N).map(|n| id(MS + n, 0)));
    assert!(one_a_millisecond < 10.3, "{one_a_millisecond}");
    let many_a_millisecond = bytes_per_key((0..N).map(|n| id(MS + n / 100, n % 100)));
    assert!(many_a_millisecond < 10.6, "{many_a_millisecond}");
    let few_a_millisecond = bytes_per_key((0..N).map(|n| id(MS + n / 3, n % 3)));
    assert!(few_a_millisecond < 26.0, "{few_a_millisecond}");
    let counted = bytes_per_key((0..N).map(|n| id(1, n)));
    assert!(counted < 10.3, "{counted}");
    let mut rng = Rng::seeded(1);
    let random = bytes_per_key((0..N).map(|_| id(rng.next_u64(), rng.next_u64())));
    assert!(random < 60.0, "{random}");
}

#[test]
fn trimming_from_the_front_gives_memory_back() {
    let mut rax = Rax::new();
    for n in 0..50_000 {
        rax.insert(&id(1_700_000_000_000 + n, 0), n);
    }
    let full = rax.memory_bytes();
    for n in 0..45_000 {
        assert_eq!(rax.pop_first().map(|(_, value)| value), Some(n));
    }
    rax.check_invariants();
    assert!(rax.memory_bytes() < full / 9, "{} of {full}", rax.memory_bytes());
}

#[test]
fn removing_all_but_one_of_a_byte_leaves_no_node_for_it() {
    let mut rax = Rax::new();
    for n in 0..2560 {
        rax.insert(&id(1_700_000_000_000 + n, 0), n);
    }
    let dense = rax.memory_bytes();
    for n in 0..2560 {
        rax.insert(&id(1_700_000_000_000 + n, 1), n);
    }
    for n in 0..2560 {
        rax.remove(&id(1_700_000_000_000 + n, 1));
    }
    rax.check_invariants();
    assert_eq!(rax.memory_bytes(), dense);
}
