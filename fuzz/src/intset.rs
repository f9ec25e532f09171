//! Integers: random operations against a sorted set, and foreign bytes, which are refused or read as they
//! are.
//!
//! Input: a byte; 0: the rest is foreign bytes; otherwise how large integers are, then steps.

use super::input::Input;
use carnelian::ds::intset::IntSet;
use std::collections::BTreeSet;

/// Steps of one run.
const STEPS_MAX: usize = 400;

/// Checks one sequence of operations, or some foreign bytes.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let width = input.byte();
    if width == 0 {
        return read(input.rest());
    }
    let (mut set, mut oracle) = (IntSet::new(), BTreeSet::new());
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        step(&mut set, &mut oracle, width, &mut input);
        check(&set, &oracle);
    }
}

/// Of 16, 32 or 64 bits, few enough to meet again.
fn integer(width: u8, input: &mut Input<'_>) -> i64 {
    let small = i64::from(input.byte()) - 128;
    match (width % 4, input.byte() % 8) {
        (0, 0) => i64::MAX - small.abs(),
        (1, 0) => i64::MIN + small.abs(),
        (0..=2, 1) => small << 24,
        (0..=2, 2) => small << 8,
        _ => small,
    }
}

fn step(set: &mut IntSet, oracle: &mut BTreeSet<i64>, width: u8, input: &mut Input<'_>) {
    match input.below(8) {
        0..4 => {
            let value = integer(width, input);
            assert_eq!(set.insert(value), oracle.insert(value));
        }
        4 | 5 => {
            let value = integer(width, input);
            assert_eq!(set.remove(value), oracle.remove(&value));
        }
        6 => {
            let index = input.below(256);
            let expected = oracle.iter().nth(index).copied();
            assert_eq!(set.remove_at(index), expected);
            expected.map(|value| oracle.remove(&value));
        }
        _ => {
            let divisor = 1 + i64::from(input.byte() % 7);
            set.retain(|value| value % divisor != 0);
            oracle.retain(|value| value % divisor != 0);
        }
    }
}

fn check(set: &IntSet, oracle: &BTreeSet<i64>) {
    #[cfg(fuzzing)]
    set.check_invariants();
    assert!(set.iter().eq(oracle.iter().copied()));
    assert_eq!((set.len(), set.is_empty()), (oracle.len(), oracle.is_empty()));
    for (index, &value) in oracle.iter().enumerate() {
        assert!(set.contains(value));
        assert_eq!(set.get(index), Some(value));
    }
    assert_eq!(set.get(oracle.len()), None);
    assert_eq!(IntSet::from_bytes(set.as_bytes()).is_ok(), !oracle.is_empty());
}

/// What is taken is what it says, and a set like any other.
fn read(bytes: &[u8]) {
    let Ok(mut set) = IntSet::from_bytes(bytes) else { return };
    assert_eq!(set.as_bytes(), bytes);
    let mut oracle: BTreeSet<i64> = set.iter().collect();
    check(&set, &oracle);
    for value in [i64::MIN, 0, i64::MAX] {
        assert_eq!(set.insert(value), oracle.insert(value));
    }
    check(&set, &oracle);
}
