//! The hash table: random operations against a sorted map.
//!
//! Input: the range of keys, then steps, each a byte that says what happens and what that takes.
//! Under a fuzzer the table also checks its own invariants.

use super::input::Input;
use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::ds::dict::{self, Dict, Mark, Prefetch, Ref, Resize};
use carnelian::ds::entry::NewValue;
use carnelian::value::{Entry, ValueRef};
use std::collections::{BTreeMap, BTreeSet};

/// Steps of one run.
const STEPS_MAX: usize = 300;
/// A run stops after so much work: items added, removed and checked.
const WORK_MAX: usize = 10_000;

/// Checks one sequence of operations.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let range = [8, 60, 400, 3000][input.below(4)];
    let mut pair = Pair {
        dict: Dict::new(HashKey::new(3, 4)),
        oracle: BTreeMap::new(),
        scan: None,
        rng: Rng::seeded(5),
        range,
        work: 0,
        unchecked: 0,
    };
    for _ in 0..STEPS_MAX {
        if input.is_empty() || pair.work >= WORK_MAX {
            break;
        }
        pair.step(&mut input);
        pair.unchecked += 1;
        // Small tables after every step, large ones when as many steps were done.
        if pair.unchecked * pair.unchecked >= pair.oracle.len() {
            pair.check();
        }
    }
    pair.check();
}

/// A walk through the table that is under way.
struct Scan {
    cursor: u64,
    /// Keys there from its start on, and not visited yet.
    awaited: BTreeSet<usize>,
}

/// The table and what should be in it: for each number its value and mark.
struct Pair {
    dict: Dict<Entry>,
    oracle: BTreeMap<usize, (i64, Mark)>,
    scan: Option<Scan>,
    rng: Rng,
    range: usize,
    work: usize,
    /// Steps since the last check.
    unchecked: usize,
}

fn key_of(number: usize) -> Vec<u8> {
    format!("k{number}").into_bytes()
}

fn number_of(entry: &Entry) -> usize {
    let digits = String::from_utf8_lossy(&entry.key()[1..]);
    digits.parse().expect("all keys are made by `key_of`")
}

fn value_of(entry: &Entry) -> i64 {
    match entry.value() {
        ValueRef::Integer(n) => n,
        ValueRef::Embedded(_) | ValueRef::Payload(_) => panic!("all values are integers"),
    }
}

fn entry_of(key: &[u8], value: i64) -> Entry {
    Entry::new(key, NewValue::Integer(value), 0, None)
}

fn mark_of(input: &mut Input<'_>) -> Mark {
    if input.below(2) == 0 { Mark::Clear } else { Mark::Set }
}

impl Pair {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0 => {
                let number = input.below(self.range);
                self.put(number, input.number(), mark_of(input));
            }
            1 => {
                let number = input.below(self.range);
                self.remove(number);
            }
            2 => self.change(input),
            3 => self.look(input),
            4 => {
                let (first, mark) = (input.below(self.range), mark_of(input));
                let count = input.below(self.range);
                for number in first..(first + count).min(self.range) {
                    self.put(number, 1, if number % 8 == 0 { mark } else { Mark::Clear });
                }
            }
            5 => {
                let first = input.below(self.range);
                let count = input.below(self.range);
                for number in first..(first + count).min(self.range) {
                    self.remove(number);
                }
            }
            6 => {
                self.dict.maintain(input.below(256));
            }
            7 => {
                let modes = [Resize::Allow, Resize::Avoid];
                self.dict.set_resize(modes[input.below(2)]);
            }
            8 => {
                for _ in 0..=input.below(256) {
                    self.scan();
                }
            }
            9 => self.scan_marked(1 + input.below(256)),
            10 => self.draw(input.below(256)),
            11 => self.take_bucket(),
            12 => self.empty(input),
            _ => {
                // The plain ones again, so that most steps are one of them.
                let number = input.below(self.range);
                if input.below(3) == 0 {
                    self.remove(number)
                } else {
                    self.put(number, 2, Mark::Clear)
                }
            }
        }
    }

    /// Adds a key or changes its value; the mark is for a new one.
    fn put(&mut self, number: usize, value: i64, mark: Mark) {
        self.work += 1;
        let key = key_of(number);
        let hash = self.dict.hash(&key);
        match self.dict.entry(hash, &key) {
            dict::Entry::Occupied(mut slot) => {
                let known = self.oracle.get_mut(&number).expect("the dict has it");
                assert_eq!((value_of(&slot.get()), slot.mark()), *known);
                let old = slot.replace(entry_of(&key, value));
                assert_eq!(value_of(&old), std::mem::replace(&mut known.0, value));
            }
            dict::Entry::Vacant(vacant) => {
                let slot = vacant.insert(entry_of(&key, value), mark);
                assert_eq!((value_of(&slot.get()), slot.mark()), (value, mark));
                assert_eq!(self.oracle.insert(number, (value, mark)), None);
            }
        }
    }

    fn remove(&mut self, number: usize) {
        let key = key_of(number);
        self.work += 1;
        let removed = self.dict.remove(self.dict.hash(&key), &key);
        let expected = self.oracle.remove(&number);
        assert_eq!(removed.map(|entry| value_of(&entry)), expected.map(|(value, _)| value));
        self.gone(number);
    }

    /// No walk need visit what was removed.
    fn gone(&mut self, number: usize) {
        if let Some(scan) = &mut self.scan {
            scan.awaited.remove(&number);
        }
    }

    /// Changes an item in its slot, in one of the ways there are.
    fn change(&mut self, input: &mut Input<'_>) {
        let number = input.below(self.range);
        let key = key_of(number);
        let known = self.oracle.get_mut(&number);
        let slot = self.dict.find_mut(self.dict.hash(&key), &key);
        assert_eq!(slot.is_some(), known.is_some());
        let (Some(mut slot), Some(known)) = (slot, known) else { return };
        match input.below(4) {
            0 => {
                known.1 = mark_of(input);
                slot.set_mark(known.1);
            }
            1 => {
                known.0 = input.number();
                assert!(slot.get_mut().overwrite_integer(known.0));
            }
            2 => {
                known.0 = input.number();
                let value = NewValue::Integer(known.0);
                let slot = slot.update(|entry| entry.with_value(value));
                assert_eq!(value_of(&slot.into_ref()), known.0);
            }
            _ => {
                let mut item = slot.into_mut();
                *item = entry_of(&key, 7);
                known.0 = 7;
            }
        }
    }

    fn look(&mut self, input: &mut Input<'_>) {
        let number = input.below(self.range);
        let key = key_of(number);
        let hash = self.dict.hash(&key);
        self.dict.prefetch_bucket(hash);
        if self.dict.prefetch_item(hash) == Prefetch::Unfinished {
            self.dict.prefetch_child_item(hash);
        }
        let found = self.dict.find(hash, &key).map(|entry| value_of(&entry));
        assert_eq!(found, self.oracle.get(&number).map(|(value, _)| *value));
    }

    /// One step of the walk. At its end nothing is awaited.
    fn scan(&mut self) {
        let keys = &self.oracle;
        let scan = self
            .scan
            .get_or_insert_with(|| Scan { cursor: 0, awaited: keys.keys().copied().collect() });
        scan.cursor = self.dict.scan(scan.cursor, |entry| {
            let number = number_of(&entry);
            assert!(keys.contains_key(&number));
            scan.awaited.remove(&number);
        });
        if scan.cursor == 0 {
            assert!(scan.awaited.is_empty(), "not visited: {:?}", scan.awaited);
            self.scan = None;
        }
    }

    /// A whole walk through the marked items: each once, as nothing changes meanwhile.
    fn scan_marked(&mut self, buckets: usize) {
        self.work += self.oracle.len();
        let (mut at, mut marked) = (0, BTreeSet::new());
        loop {
            let visit = |entry: Ref<'_, Entry>| assert!(marked.insert(number_of(&entry)));
            at = self.dict.scan_marked(at, buckets, visit);
            if at == 0 {
                break;
            }
        }
        let expected = self.oracle.iter().filter(|(_, (_, mark))| *mark == Mark::Set);
        assert!(marked.iter().eq(expected.map(|(number, _)| number)));
        assert_eq!(marked.len(), self.dict.marked_len());
    }

    fn draw(&mut self, items: usize) {
        let random = self.dict.random(&mut self.rng).map(|entry| number_of(&entry));
        assert_eq!(random.is_none(), self.oracle.is_empty());
        assert!(random.is_none_or(|number| self.oracle.contains_key(&number)));
        let marked = self.dict.random_marked(&mut self.rng).map(|entry| number_of(&entry));
        assert_eq!(marked.is_none(), self.dict.marked_len() == 0);
        assert!(marked.is_none_or(|number| self.oracle[&number].1 == Mark::Set));
        let mut sample = BTreeSet::new();
        self.work += items;
        self.dict.sample(&mut self.rng, items, |entry| {
            assert!(sample.insert(number_of(&entry)), "each at most once");
        });
        assert_eq!(sample.len(), items.min(self.oracle.len()));
        assert!(sample.iter().all(|number| self.oracle.contains_key(number)));
    }

    fn take_bucket(&mut self) {
        let mut taken = Vec::new();
        let more = self.dict.take_bucket(|entry| taken.push((number_of(&entry), value_of(&entry))));
        for (number, value) in taken {
            assert_eq!(self.oracle.remove(&number).map(|(value, _)| value), Some(value));
            self.gone(number);
        }
        assert_eq!(more, !self.oracle.is_empty());
    }

    /// Empties the table, in one of the ways there are.
    fn empty(&mut self, input: &mut Input<'_>) {
        match input.below(4) {
            0 => self.dict.clear(),
            1 => {
                let mut items: Vec<_> =
                    self.dict.take().into_iter().map(|e| (number_of(&e), value_of(&e))).collect();
                items.sort_unstable();
                let expected = self.oracle.iter().map(|(number, (value, _))| (*number, *value));
                assert!(items.into_iter().eq(expected));
            }
            2 => {
                let count = input.below(256);
                assert!(self.dict.take().into_iter().take(count).count() <= count);
            }
            _ => while self.dict.take_bucket(drop) {},
        }
        self.oracle.clear();
        self.scan = None;
        assert!(self.dict.is_empty());
    }

    fn check(&mut self) {
        self.work += self.oracle.len();
        self.unchecked = 0;
        #[cfg(fuzzing)]
        self.dict.check_invariants();
        assert_eq!(self.dict.len(), self.oracle.len());
        let items = self.dict.iter().map(|entry| (number_of(&entry), value_of(&entry)));
        let mut items: Vec<_> = items.collect();
        items.sort_unstable();
        let expected = self.oracle.iter().map(|(number, (value, _))| (*number, *value));
        assert!(items.into_iter().eq(expected));
        let marked = self.oracle.values().filter(|(_, mark)| *mark == Mark::Set).count();
        assert_eq!(self.dict.marked_len(), marked);
        let stats = self.dict.stats();
        assert_eq!((stats.items, stats.marked), (self.oracle.len(), marked));
        assert_eq!(stats.fill.iter().sum::<usize>(), stats.buckets);
    }
}
