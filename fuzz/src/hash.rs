//! Hashes in every encoding, with fields that expire: random operations against a sorted map.
//!
//! Input: the limits, then steps, each a byte that says what happens and what that takes.

use super::input::Input;
use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::ds::listpack::Digits;
use carnelian::value::Hash;
use carnelian::value::hash::{FieldTtl, NewValue, Removed, Rules, Scalar, Stored};
use std::collections::BTreeMap;

/// Steps of one run.
const STEPS_MAX: usize = 300;
/// Names that steps choose from.
const NAMES: usize = 24;

/// Checks one sequence of operations.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let rules = Rules {
        entries_max: input.below(24),
        value_bytes_max: input.below(300),
        hash_key: HashKey::new(3, 4),
        now_ms: 1000,
    };
    let mut pair = Pair { hash: Hash::new(), oracle: BTreeMap::new(), rules };
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        pair.step(&mut input);
        pair.check();
    }
}

/// A value, and when it expires.
type Known = (Vec<u8>, Option<i64>);

/// The hash and what should be in it.
struct Pair {
    hash: Hash,
    oracle: BTreeMap<Vec<u8>, Known>,
    rules: Rules,
}

fn text(scalar: Scalar<'_>) -> Vec<u8> {
    scalar.text(&mut Digits::new()).to_vec()
}

fn is_live(known: &Known, now_ms: i64) -> bool {
    known.1.is_none_or(|at_ms| at_ms > now_ms)
}

/// Integers, short names, and some around the length from which a field keeps it apart.
fn name(input: &mut Input<'_>) -> Vec<u8> {
    match input.below(NAMES) {
        number @ 0..8 => number.to_string().into_bytes(),
        number @ 8..20 => format!("f{number}").into_bytes(),
        number => vec![b'n'; 124 + number - 20],
    }
}

fn value(input: &mut Input<'_>) -> Vec<u8> {
    match input.below(8) {
        0 => input.number().to_string().into_bytes(),
        1 => vec![b'v'; 250 + input.below(10)],
        2 => vec![b'w'; 16_380 + input.below(10)],
        _ => vec![b'x'; input.below(40)],
    }
}

impl Pair {
    fn step(&mut self, input: &mut Input<'_>) {
        let now_ms = self.rules.now_ms;
        match input.below(8) {
            0..=2 => self.set(name(input), value(input), input.below(2)),
            3 => self.remove(&name(input)),
            4..=5 => {
                let name = name(input);
                let ahead = i64::try_from(input.below(30)).expect("below 30");
                let expiry = (ahead > 0).then_some(now_ms + ahead);
                self.hash.set_expiry(&name, expiry);
                if let Some(known) = self.oracle.get_mut(&name) {
                    known.1 = expiry;
                }
            }
            6 => {
                self.rules.now_ms += i64::try_from(input.below(20)).expect("below 20");
                // Whoever uses a listpack has removed what expired from it.
                if self.hash.as_ref().encoding() != "hashtable" {
                    self.expire(usize::MAX);
                }
            }
            _ => match input.below(4) {
                0 => self.hash = self.hash.as_ref().duplicate(),
                1 => self.hash.allow_expiries(),
                _ => self.expire(1 + input.below(9)),
            },
        }
    }

    fn set(&mut self, name: Vec<u8>, value: Vec<u8>, keep: usize) {
        let ttl = [FieldTtl::Clear, FieldTtl::Keep][keep];
        let known = self.oracle.get(&name).filter(|known| is_live(known, self.rules.now_ms));
        let expected = if known.is_some() { Stored::Replaced } else { Stored::Added };
        let expiry = known.filter(|_| ttl == FieldTtl::Keep).and_then(|known| known.1);
        let stored = self.hash.set(&name, NewValue::Copied(&value), ttl, &self.rules);
        assert_eq!(stored, expected);
        self.oracle.insert(name, (value, expiry));
    }

    fn remove(&mut self, name: &[u8]) {
        let now_ms = self.rules.now_ms;
        let was_live = self.oracle.remove(name).is_some_and(|known| is_live(&known, now_ms));
        let removed = self.hash.remove(name, now_ms);
        assert_eq!(removed, if was_live { Removed::Yes } else { Removed::No });
    }

    fn expire(&mut self, max: usize) {
        let now_ms = self.rules.now_ms;
        let due = self.oracle.values().filter(|known| !is_live(known, now_ms)).count();
        let is_table = self.hash.as_ref().encoding() == "hashtable";
        let removed = self.hash.expire(now_ms, max, |_| ());
        assert_eq!(removed, if is_table { due.min(max) } else { due });
        let hash = self.hash.as_ref();
        self.oracle
            .retain(|name, known| is_live(known, now_ms) || hash.find(name, i64::MIN).is_some());
        assert_eq!(self.oracle.len(), hash.len());
    }

    fn check(&self) {
        #[cfg(fuzzing)]
        self.hash.check_invariants();
        let (hash, now_ms) = (self.hash.as_ref(), self.rules.now_ms);
        let found: BTreeMap<Vec<u8>, Known> = hash
            .iter()
            .map(|field| (text(field.name), (text(field.value), field.expiry)))
            .collect();
        assert_eq!(found, self.oracle);
        let live = self.oracle.values().filter(|known| is_live(known, now_ms)).count();
        assert_eq!((hash.len(), hash.live_len(now_ms)), (self.oracle.len(), live));
        assert_eq!(hash.next_expiry(), self.oracle.values().filter_map(|known| known.1).min());
        let drawn = hash.random(&mut Rng::seeded(1), now_ms);
        assert_eq!(drawn.is_some(), live > 0);
        assert!(drawn.is_none_or(|field| field.is_live(now_ms)));
    }
}
