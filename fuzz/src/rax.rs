//! The radix tree: random operations against the standard library's ordered map.
//!
//! Input: what keys are like, then steps, each a byte that says what happens and a key. Under a fuzzer
//! the tree also checks its own invariants.

use super::input::Input;
use carnelian::ds::rax::{Edge, Rax};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Steps of one run.
const STEPS_MAX: usize = 400;
/// A run stops after so much work: keys added, walked over and checked.
const WORK_MAX: usize = 20_000;

/// Checks one sequence of operations.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let keys = match input.below(4) {
        0 => Keys::Ids,
        1 => Keys::Words,
        2 => Keys::Long,
        _ => Keys::Bytes,
    };
    let mut pair =
        Pair { rax: Rax::new(), oracle: BTreeMap::new(), keys, next: 0, work: 0, unchecked: 0 };
    for _ in 0..STEPS_MAX {
        if input.is_empty() || pair.work >= WORK_MAX {
            break;
        }
        pair.step(&mut input);
        pair.unchecked += 1;
        // Small trees after every step, large ones when as many steps were done.
        if pair.unchecked * pair.unchecked >= pair.oracle.len() {
            pair.check();
        }
    }
    pair.check();
}

/// What keys are like.
#[derive(Clone, Copy)]
enum Keys {
    /// Identifiers of streams.
    Ids,
    /// Words of two letters.
    Words,
    /// Strings that are alike for longer than a tail may be.
    Long,
    /// The fuzzer's own bytes.
    Bytes,
}

impl Keys {
    fn draw(self, input: &mut Input<'_>) -> Vec<u8> {
        match self {
            Keys::Ids => {
                let (ms, seq) = (input.below(1024), input.below(256).saturating_sub(250));
                id(1_700_000_000_000 + wide(ms), wide(seq))
            }
            Keys::Words => {
                let letters = input.below(65_536);
                (0..letters % 13).map(|bit| b"ab"[letters >> (bit + 4) & 1]).collect()
            }
            Keys::Long => {
                let mut key = vec![b'x'; 300];
                key[[0, 10, 200, 299][input.below(4)]] = input.byte();
                key.truncate([300, 299, 150, 12][input.below(4)]);
                key
            }
            Keys::Bytes => {
                let len = input.below(8);
                input.bytes(len).to_vec()
            }
        }
    }
}

fn wide(n: usize) -> u64 {
    u64::try_from(n).expect("64 bits at most")
}

fn id(ms: u64, seq: u64) -> Vec<u8> {
    (u128::from(ms) << 64 | u128::from(seq)).to_be_bytes().to_vec()
}

/// The tree and what should be in it.
struct Pair {
    /// Values with a destructor, so that one freed twice or never is noticed.
    rax: Rax<Box<u64>>,
    oracle: BTreeMap<Vec<u8>, u64>,
    keys: Keys,
    /// The next value, and the next identifier.
    next: u64,
    work: usize,
    /// Steps since the last check.
    unchecked: usize,
}

impl Pair {
    fn put(&mut self, key: Vec<u8>) {
        self.work += 1;
        self.next += 1;
        let old = self.rax.insert(&key, Box::new(self.next));
        assert_eq!(old.map(|old| *old), self.oracle.insert(key, self.next));
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(10) {
            0..=2 => {
                let key = self.keys.draw(input);
                self.put(key);
            }
            3 => {
                for _ in 0..input.below(256) {
                    self.put(id(self.next, 0));
                }
            }
            4..=5 => {
                let key = self.keys.draw(input);
                let value = self.rax.remove(&key).map(|value| *value);
                assert_eq!(value, self.oracle.remove(&key));
            }
            6 => {
                for _ in 0..input.below(256) {
                    let popped = if input.is_empty() || input.below(2) == 0 {
                        (self.rax.pop_first(), self.oracle.pop_first())
                    } else {
                        (self.rax.pop_last(), self.oracle.pop_last())
                    };
                    self.work += 1;
                    let (found, expected) = popped;
                    assert_eq!(found.map(|(key, value)| (key.to_vec(), *value)), expected);
                }
            }
            7 => {
                let text = self.keys.draw(input);
                let mut found = Vec::new();
                self.rax.prefixes_of(&text, |key, value| found.push((key.to_vec(), **value)));
                let expected = self.oracle.iter().filter(|(key, _)| text.starts_with(key));
                assert!(found.iter().map(|(key, value)| (key, value)).eq(expected));
            }
            _ => self.walk(input),
        }
    }

    /// There and back from a key's place.
    fn walk(&mut self, input: &mut Input<'_>) {
        let key = self.keys.draw(input);
        let (edge, bound) = if input.below(2) == 0 {
            (Edge::Before(&key), Bound::Included(&key[..]))
        } else {
            (Edge::After(&key), Bound::Excluded(&key[..]))
        };
        assert_eq!(self.rax.get(&key).map(|value| **value), self.oracle.get(&key).copied());
        let mut cursor = self.rax.cursor(edge);
        let mut behind = self.oracle.range::<[u8], _>((bound, Bound::Unbounded));
        let mut seen = Vec::new();
        for _ in 0..input.below(256) {
            let (found, expected) = (cursor.next_entry(), behind.next());
            assert_eq!(found.map(|(key, value)| (key, **value)), expected.map(view));
            let Some(entry) = expected else { break };
            seen.push(entry);
        }
        self.work += 2 * seen.len();
        while let Some(entry) = seen.pop() {
            let found = cursor.previous_entry();
            assert_eq!(found.map(|(key, value)| (key, **value)), Some(view(entry)));
        }
        let bound = match bound {
            Bound::Included(key) => Bound::Excluded(key),
            Bound::Excluded(key) => Bound::Included(key),
            Bound::Unbounded => Bound::Unbounded,
        };
        let mut before = self.oracle.range::<[u8], _>((Bound::Unbounded, bound));
        let found = cursor.previous_entry();
        assert_eq!(found.map(|(key, value)| (key, **value)), before.next_back().map(view));
    }

    fn check(&mut self) {
        self.work += self.oracle.len();
        self.unchecked = 0;
        #[cfg(fuzzing)]
        self.rax.check_invariants();
        assert_eq!(self.rax.len(), self.oracle.len());
        let mut cursor = self.rax.cursor(Edge::Start);
        for (key, value) in &self.oracle {
            assert!(cursor.next_entry().is_some_and(|found| found.0 == key && **found.1 == *value));
        }
        assert_eq!(cursor.next_entry(), None);
        let last = self.rax.last_mut().map(|(key, value)| (key.to_vec(), **value));
        assert_eq!(last, self.oracle.last_key_value().map(|(key, value)| (key.clone(), *value)));
    }
}

fn view<'a>((key, value): (&'a Vec<u8>, &u64)) -> (&'a [u8], u64) {
    (key, *value)
}
