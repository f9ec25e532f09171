//! The dict against the standard library's maps, and the promises of its page one by one.

use super::bucket::SLOTS;
use super::resize::LOAD;
use super::*;
use crate::base::num;
use crate::base::rng::Rng;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// An item for tests: a key and a value, and it is counted while it lives.
struct Pair(NonNull<Body>);

#[repr(align(8))]
struct Body {
    key: Vec<u8>,
    value: u32,
}

thread_local! {
    static LIVING: Cell<usize> = const { Cell::new(0) };
}

impl Pair {
    fn new(key: &[u8], value: u32) -> Pair {
        LIVING.set(LIVING.get() + 1);
        let body = Box::new(Body { key: key.to_vec(), value });
        Pair(NonNull::from(Box::leak(body)))
    }

    fn body(&self) -> &Body {
        // SAFETY: the box leaked in `new`, ours until `drop`.
        unsafe { self.0.as_ref() }
    }

    fn set(&mut self, value: u32) {
        // SAFETY: as above, and `self` is exclusive.
        unsafe { self.0.as_mut() }.value = value;
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        LIVING.set(LIVING.get() - 1);
        // SAFETY: the box leaked in `new`, given back once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

// SAFETY: a plain pointer to a box, which is 8-aligned and in user space; the key never changes.
unsafe impl Item for Pair {
    fn into_raw(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).0.cast()
    }

    unsafe fn from_raw(raw: NonNull<u8>) -> Pair {
        Pair(raw.cast())
    }

    unsafe fn key_of<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: the trait's contract: a living item.
        &unsafe { raw.cast::<Body>().as_ref() }.key
    }
}

fn empty() -> Dict<Pair> {
    Dict::new(HashKey::new(3, 4))
}

fn key(n: usize) -> Vec<u8> {
    format!("key:{n}").into_bytes()
}

fn add(dict: &mut Dict<Pair>, n: usize, mark: Mark) {
    let key = key(n);
    let hash = dict.hash(&key);
    assert!(dict.find(hash, &key).is_none());
    let slot = dict.insert(hash, Pair::new(&key, num::u32_of(n, "small")), mark);
    assert_eq!((slot.get().body().key.as_slice(), slot.mark()), (&key[..], mark));
}

fn drop_key(dict: &mut Dict<Pair>, n: usize) -> bool {
    let key = key(n);
    dict.remove(dict.hash(&key), &key).is_some()
}

fn with(items: usize) -> Dict<Pair> {
    let mut dict = empty();
    (0..items).for_each(|n| add(&mut dict, n, Mark::Clear));
    dict
}

fn keys<'a>(items: impl Iterator<Item = Ref<'a, Pair>>) -> Vec<Vec<u8>> {
    let mut keys: Vec<_> = items.map(|item| item.body().key.clone()).collect();
    keys.sort_unstable();
    keys
}

type Oracle = BTreeMap<Vec<u8>, (u32, Mark)>;

/// One random operation on both.
fn step(dict: &mut Dict<Pair>, oracle: &mut Oracle, rng: &mut Rng, range: usize) {
    let key = key(rng.below_usize(range));
    let (hash, value) = (dict.hash(&key), num::low_u32(rng.next_u64()));
    let mark = if rng.below_usize(3) == 0 { Mark::Set } else { Mark::Clear };
    match rng.below_usize(12) {
        0..=4 => match dict.entry(hash, &key) {
            Entry::Occupied(mut slot) => {
                assert_eq!(oracle.get(&key), Some(&(slot.get().body().value, slot.mark())));
                slot.get_mut().set(value);
                oracle.get_mut(&key).expect("the dict has it").0 = value;
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Pair::new(&key, value), mark);
                assert_eq!(oracle.insert(key, (value, mark)), None);
            }
        },
        5..=7 => {
            let removed = dict.remove(hash, &key).map(|item| item.body().value);
            assert_eq!(removed, oracle.remove(&key).map(|(value, _)| value));
        }
        8 => {
            if let Some(mut slot) = dict.find_mut(hash, &key) {
                slot.set_mark(mark);
                oracle.get_mut(&key).expect("the dict has it").1 = mark;
            }
        }
        9 => {
            if let Some(slot) = dict.find_mut(hash, &key) {
                let slot = slot.update(|old| Pair::new(&old.body().key, value));
                assert_eq!(slot.into_ref().body().value, value);
                oracle.get_mut(&key).expect("the dict has it").0 = value;
            }
        }
        10 => {
            if let Some(mut slot) = dict.find_mut(hash, &key) {
                let old = slot.replace(Pair::new(&key, value)).body().value;
                let known = oracle.get_mut(&key).expect("the dict has it");
                assert_eq!(std::mem::replace(&mut known.0, value), old);
            }
        }
        _ => {
            dict.prefetch_bucket(hash);
            let _ = dict.prefetch_item(hash);
            dict.prefetch_child_item(hash);
            let found = dict.find(hash, &key).map(|item| item.body().value);
            assert_eq!(found, oracle.get(&key).map(|(value, _)| *value));
        }
    }
}

fn same(dict: &Dict<Pair>, oracle: &Oracle) {
    dict.check_invariants();
    assert_eq!(dict.len(), oracle.len());
    assert!(keys(dict.iter()).iter().eq(oracle.keys()));
    let mut marked = BTreeSet::new();
    let end =
        dict.scan_marked(0, usize::MAX, |item| assert!(marked.insert(item.body().key.clone())));
    assert_eq!(end, 0);
    let expected = oracle.iter().filter(|(_, (_, mark))| *mark == Mark::Set).map(|(key, _)| key);
    assert!(marked.iter().eq(expected));
    assert_eq!(marked.len(), dict.marked_len());
}

#[test]
fn random_operations_agree_with_a_tree() {
    for seed in 0..2000 {
        let mut rng = Rng::seeded(seed);
        let (mut dict, mut oracle) = (empty(), Oracle::new());
        let range = 1 << rng.below_usize(10);
        for round in 0..rng.below_usize(400) {
            if rng.below_usize(60) == 0 {
                let mode = [Resize::Allow, Resize::Avoid][rng.below_usize(2)];
                dict.set_resize(mode);
            }
            if rng.below_usize(40) == 0 {
                dict.maintain(rng.below_usize(20));
            }
            step(&mut dict, &mut oracle, &mut rng, range);
            if round % 64 == 0 {
                same(&dict, &oracle);
            }
        }
        same(&dict, &oracle);
        drop(dict);
        assert_eq!(LIVING.get(), 0, "seed {seed}");
    }
}

#[test]
fn a_large_table_grows_and_shrinks_through_every_width() {
    let (mut dict, mut oracle) = (empty(), Oracle::new());
    let mut rng = Rng::seeded(1);
    for phase in 0..4 {
        // Up beyond 2^13 buckets, where the stored hash bits have moved on, and down again.
        for n in 0..60_000 {
            let mark = if n % 100 == 0 { Mark::Set } else { Mark::Clear };
            if phase % 2 == 0 {
                add(&mut dict, n, mark);
                oracle.insert(key(n), (num::u32_of(n, "small"), mark));
            } else {
                assert!(drop_key(&mut dict, n));
                oracle.remove(&key(n));
            }
            if n % 7919 == 0 {
                same(&dict, &oracle);
                for _ in 0..300 {
                    step(&mut dict, &mut oracle, &mut rng, 60_000);
                }
                let extra: Vec<_> = oracle.keys().cloned().collect();
                for key in extra {
                    let number: usize = String::from_utf8_lossy(&key[4..]).parse().unwrap();
                    if (phase % 2 == 0) == (number > n) {
                        assert!(drop_key(&mut dict, number));
                        oracle.remove(&key);
                    }
                }
                let gone: Vec<_> = if phase % 2 == 0 { 0..=n } else { n + 1..=59_999 }
                    .filter(|&number| !oracle.contains_key(&key(number)))
                    .collect();
                for number in gone {
                    add(&mut dict, number, Mark::Clear);
                    oracle.insert(key(number), (num::u32_of(number, "small"), Mark::Clear));
                }
                same(&dict, &oracle);
            }
        }
    }
    assert!(dict.is_empty());
    assert_eq!(dict.memory_bytes(), 0);
}

#[test]
fn an_empty_dict_allocates_nothing_and_answers() {
    let mut dict = empty();
    let mut rng = Rng::seeded(1);
    for _ in 0..2 {
        assert_eq!((dict.len(), dict.memory_bytes(), dict.scan(0, |_| panic!())), (0, 0, 0));
        assert!(dict.find(5, b"k").is_none() && dict.remove(5, b"k").is_none());
        assert!(dict.random(&mut rng).is_none() && dict.random_marked(&mut rng).is_none());
        assert!(!dict.maintain(10) && !dict.take_bucket(|_| panic!()));
        dict.sample(&mut rng, 5, |_| panic!());
        dict.prefetch_bucket(9);
        dict.prefetch_item(9);
        assert_eq!(dict.iter().count(), 0);
        add(&mut dict, 1, Mark::Set);
        assert_eq!(dict.len(), 1);
        assert!(drop_key(&mut dict, 1));
    }
}

#[test]
fn scan_visits_all_that_stays_however_the_table_changes() {
    for seed in 0..300 {
        let mut rng = Rng::seeded(seed);
        let staying = rng.below_usize(300);
        let mut dict = with(staying);
        let mut extra = BTreeSet::new();
        let (mut cursor, mut seen, mut calls) = (0, BTreeSet::new(), 0);
        loop {
            cursor = dict.scan(cursor, |item| seen.extend([item.body().key.clone()]));
            calls += 1;
            if cursor == 0 {
                break;
            }
            // Grow or shrink by a random amount, in a run of one kind so that it goes far.
            for _ in 0..rng.below_usize(200) {
                if seed / 3 % 2 == num::u64_of(calls / 8 % 2) {
                    let n = staying + rng.below_usize(3000);
                    if extra.insert(n) {
                        add(&mut dict, n, Mark::Clear);
                    }
                } else if let Some(n) = extra.pop_first() {
                    assert!(drop_key(&mut dict, n));
                }
            }
            dict.maintain(rng.below_usize(30));
        }
        for n in 0..staying {
            assert!(seen.contains(&key(n)), "seed {seed}: {n} of {staying} was missed");
        }
    }
}

#[test]
fn scan_of_a_table_at_rest_visits_each_item_once() {
    for items in [1, 6, 7, 8, 100, 1000, 3001] {
        let dict = with(items);
        let (mut cursor, mut seen) = (0, Vec::new());
        loop {
            cursor = dict.scan(cursor, |item| seen.push(item.body().key.clone()));
            if cursor == 0 {
                break;
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, keys(dict.iter()));
        assert_eq!(seen.len(), items);
    }
}

#[test]
fn an_operation_moves_few_buckets() {
    let mut dict = empty();
    let mut before = 0;
    for n in 0..40_000 {
        add(&mut dict, n, Mark::Clear);
        let now = dict.segments.count();
        assert!(now - before <= 1, "one split is enough to keep up");
        before = now;
    }
    for n in 0..40_000 {
        drop_key(&mut dict, n);
        let now = dict.segments.count();
        assert!(before - now <= 2 || dict.is_empty());
        before = now;
    }
}

#[test]
fn resizing_waits_for_a_forked_child_and_catches_up_after() {
    let mut dict = with(600);
    let buckets = dict.segments.count();
    dict.set_resize(Resize::Avoid);
    (600..2000).for_each(|n| add(&mut dict, n, Mark::Clear));
    assert_eq!(dict.segments.count(), buckets);
    assert!(!dict.maintain(100));
    (2000..6000).for_each(|n| add(&mut dict, n, Mark::Clear));
    assert!(dict.segments.count() < 6000 / LOAD / 2, "grows when it must");
    dict.check_invariants();
    dict.set_resize(Resize::Allow);
    for n in 6000..6600 {
        let before = dict.segments.count();
        add(&mut dict, n, Mark::Clear);
        assert!(dict.segments.count() - before <= 2);
    }
    while dict.maintain(3) {}
    assert_eq!(dict.segments.count(), 6600 / LOAD);
    dict.set_resize(Resize::Avoid);
    let buckets = dict.segments.count();
    (0..6599).for_each(|n| assert!(drop_key(&mut dict, n)));
    assert_eq!(dict.segments.count(), buckets);
    assert!(dict.random(&mut Rng::seeded(1)).is_some());
    drop_key(&mut dict, 6599);
    assert_eq!(dict.memory_bytes(), 0);
}

#[test]
fn memory_follows_the_items_down() {
    let mut dict = with(50_000);
    let full = dict.memory_bytes();
    assert!(full <= 50_000 * 15, "{full}");
    for n in 0..45_000 {
        drop_key(&mut dict, n);
    }
    assert!(dict.memory_bytes() < full / 4);
    while dict.maintain(100) {}
    assert!(dict.memory_bytes() < full / 6);
    dict.check_invariants();
}

#[test]
fn taking_buckets_empties_a_living_dict_in_slices() {
    let mut dict = with(30_000);
    for n in (0..30_000).step_by(10) {
        let key = key(n);
        dict.find_mut(dict.hash(&key), &key).unwrap().set_mark(Mark::Set);
    }
    let (mut gone, mut slices) = (BTreeSet::new(), 0);
    while dict.take_bucket(|item| assert!(gone.insert(item.body().value))) {
        slices += 1;
        if slices % 500 == 0 {
            dict.check_invariants();
            for n in 0..30_000 {
                let key = key(n);
                let left = dict.find(dict.hash(&key), &key).is_some();
                assert_eq!(left, !gone.contains(&num::u32_of(n, "small")));
            }
        }
    }
    assert_eq!((gone.len(), dict.memory_bytes(), LIVING.get()), (30_000, 0, 0));
}

#[test]
fn owned_iteration_yields_everything_and_drops_the_rest() {
    let mut items = with(5000).into_iter();
    assert_eq!(items.len(), 5000);
    let half: BTreeSet<_> = items.by_ref().take(2500).map(|item| item.body().value).collect();
    assert_eq!((half.len(), items.len(), LIVING.get()), (2500, 2500, 2500));
    drop(items);
    assert_eq!(LIVING.get(), 0);
    let mut dict = with(100);
    let taken = dict.take();
    assert_eq!((dict.len(), taken.len()), (0, 100));
    dict.clear();
    drop(taken);
    assert_eq!(LIVING.get(), 0);
}

#[test]
fn random_items_can_be_taken_until_none_is_left() {
    let mut dict = with(1000);
    let mut rng = Rng::seeded(3);
    let mut taken = BTreeSet::new();
    while let Some(slot) = dict.random_mut(&mut rng) {
        assert!(taken.insert(slot.remove().body().value));
        if taken.len() % 100 == 0 {
            dict.check_invariants();
        }
    }
    assert_eq!((taken.len(), dict.len()), (1000, 0));
}

#[test]
fn random_is_fair() {
    for items in [1, 2, 10, 40, 100] {
        let dict = with(items);
        let mut rng = Rng::seeded(5);
        let mut drawn = vec![0usize; items];
        for _ in 0..items * 2000 {
            let item = dict.random(&mut rng).unwrap();
            drawn[num::usize_of_u32(item.body().value)] += 1;
        }
        for count in drawn {
            assert!((1750..2250).contains(&count), "{count} of 2000 with {items} items");
        }
    }
}

#[test]
fn samples_have_the_size_asked_for_and_no_doubles() {
    let dict = with(500);
    let mut rng = Rng::seeded(8);
    for wanted in [0, 1, 5, 16, 499, 500, 501, 10_000] {
        for _ in 0..50 {
            let mut seen = BTreeSet::new();
            dict.sample(&mut rng, wanted, |item| assert!(seen.insert(item.body().value)));
            assert_eq!(seen.len(), wanted.min(500));
        }
    }
}

#[test]
fn marked_items_are_found_in_steps_and_at_random() {
    let mut dict = with(20_000);
    let chosen = [5, 4000, 4001, 12_345, 19_999];
    for n in chosen {
        let key = key(n);
        dict.find_mut(dict.hash(&key), &key).unwrap().set_mark(Mark::Set);
    }
    assert_eq!(dict.marked_len(), chosen.len());
    let (mut seen, mut at, mut calls) = (Vec::new(), 0, 0);
    loop {
        at = dict.scan_marked(at, 1, |item| seen.push(num::usize_of_u32(item.body().value)));
        calls += 1;
        if at == 0 {
            break;
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, chosen);
    assert!(calls <= chosen.len(), "unmarked buckets are no steps");
    let mut rng = Rng::seeded(6);
    let drawn: BTreeSet<_> =
        (0..500).map(|_| dict.random_marked(&mut rng).unwrap().body().value).collect();
    assert_eq!(drawn.len(), chosen.len());
    for n in chosen {
        assert!(drop_key(&mut dict, n));
        dict.check_invariants();
    }
    assert_eq!(dict.marked_len(), 0);
    assert!(dict.random_marked(&mut rng).is_none());
}

#[test]
fn a_sweep_comes_by_every_item_once_a_round() {
    let mut dict = empty();
    assert_eq!(dict.sweep(9, 5, |_| panic!("there is none")), 0);
    for n in 0..3000 {
        add(&mut dict, n, if n % 7 == 0 { Mark::Set } else { Mark::Clear });
    }
    let (mut all, mut marked) = (vec![0; 3000], vec![0; 3000]);
    let (mut at, mut at_marked) = (usize::MAX, 0);
    for _ in 0..3000 / 5 {
        at = dict.sweep(at, 5, |item| all[num::usize_of_u32(item.body().value)] += 1);
    }
    assert!(all.iter().all(|count| (1..=3).contains(count)), "a call visits whole buckets");
    for _ in 0..3000 / 7 + 1 {
        at_marked = dict.sweep_marked(at_marked, 1, |item| {
            marked[num::usize_of_u32(item.body().value)] += 1;
        });
    }
    for (n, count) in marked.into_iter().enumerate() {
        assert_eq!(count > 0, n % 7 == 0, "{n}");
    }
    let mut visited = 0;
    dict.sweep(77, usize::MAX, |_| visited += 1);
    dict.sweep_marked(77, usize::MAX, |_| visited += 1);
    assert_eq!(visited, 3000 + dict.marked_len(), "never twice in one call");
}

#[test]
fn a_forgotten_guard_loses_its_item_and_nothing_else() {
    let mut dict = with(100);
    let key = key(50);
    let hash = dict.hash(&key);
    std::mem::forget(dict.find_mut(hash, &key).unwrap().get_mut());
    assert_eq!(dict.len(), 99);
    assert!(dict.find(hash, &key).is_none());
    for n in (0..100).filter(|&n| n != 50) {
        assert!(drop_key(&mut dict, n));
    }
    assert!(dict.is_empty());
    drop(dict);
    assert_eq!(LIVING.replace(0), 1);
}

#[test]
fn a_panicking_update_leaves_an_empty_slot() {
    let mut dict = with(8);
    let key = key(3);
    let hash = dict.hash(&key);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = dict.find_mut(hash, &key).unwrap().update(|_| panic!("on purpose"));
    }));
    assert!(result.is_err());
    assert_eq!((dict.len(), LIVING.get()), (7, 7));
    assert!(dict.find(hash, &key).is_none());
}

#[test]
fn equal_hashes_still_tell_keys_apart() {
    let mut dict = empty();
    for n in 0..50 {
        dict.insert(77, Pair::new(&key(n), num::u32_of(n, "small")), Mark::Clear);
    }
    for n in 0..50 {
        assert_eq!(dict.find(77, &key(n)).map(|item| item.body().value), Some(num::u32_of(n, "")));
    }
    assert!(dict.find(77, &key(50)).is_none());
    assert!(dict.find_by_hash(77, |_| true).is_none(), "77 is the hash of none of these keys");
    assert!(dict.stats().longest_chain >= 50 / SLOTS);
}

#[test]
fn an_item_is_found_by_its_hash_alone() {
    let mut dict = with(1000);
    for n in 0..1000 {
        let hash = dict.hash(&key(n));
        let found = dict.find_by_hash(hash, |item| item.body().value == num::u32_of(n, "small"));
        assert_eq!(found.map(|slot| slot.remove().body().value), Some(num::u32_of(n, "small")));
        assert!(dict.find_by_hash(hash, |_| true).is_none());
    }
    dict.check_invariants();
}

#[test]
fn stats_add_up() {
    let dict = with(10_000);
    let stats = dict.stats();
    assert_eq!((stats.items, stats.marked), (10_000, 0));
    assert_eq!(stats.fill.iter().sum::<usize>(), stats.buckets);
    let weighted: usize = stats.fill.iter().enumerate().map(|(fill, count)| fill * count).sum();
    assert_eq!(weighted, 10_000);
    assert_eq!(stats.depth.iter().sum::<usize>(), 10_000);
    assert!(stats.depth[0] > 8_000 && stats.longest_chain <= 5);
    assert_eq!(stats.memory_bytes, dict.memory_bytes());
}

#[test]
fn a_dict_can_be_sent_where_its_items_can() {
    struct Number(NonNull<u8>);
    // SAFETY: as for `Pair`; never instantiated.
    unsafe impl Item for Number {
        fn into_raw(self) -> NonNull<u8> {
            self.0
        }
        unsafe fn from_raw(raw: NonNull<u8>) -> Number {
            Number(raw)
        }
        unsafe fn key_of<'a>(_: NonNull<u8>) -> &'a [u8] {
            &[]
        }
    }
    // SAFETY: never instantiated.
    unsafe impl Send for Number {}
    fn sendable<T: Send>() {}
    sendable::<Dict<Number>>();
    sendable::<IntoIter<Number>>();
}
