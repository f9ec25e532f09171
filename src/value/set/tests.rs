//! Sets against the standard library's tree, through every conversion.

use super::*;
use crate::base::hash::HashKey;
use crate::base::num;
use crate::base::rng::Rng;
use crate::config::Config;
use std::collections::{BTreeMap, BTreeSet};

fn limits(ints: usize, entries: usize, value: usize) -> Limits {
    let config = Config {
        set_max_intset_entries: ints,
        set_max_listpack_entries: entries,
        set_max_listpack_value: value,
        ..Config::default()
    };
    Limits::of(&config, HashKey::new(1, 2))
}

fn texts(set: SetRef<'_>) -> BTreeSet<Vec<u8>> {
    let all: Vec<Vec<u8>> = set.iter().map(|member| member.to_vec()).collect();
    let unique: BTreeSet<Vec<u8>> = all.iter().cloned().collect();
    assert_eq!(all.len(), unique.len(), "no member comes twice");
    unique
}

fn member(rng: &mut Rng, range: u64) -> Vec<u8> {
    let n = rng.below(range);
    match rng.below(8) {
        0 => format!("m{n}").into_bytes(),
        1 if n == 0 => vec![b'x'; 100],
        2 if n < 3 => (i64::MAX - num::i64_clamped(n)).to_string().into_bytes(),
        _ => n.to_string().into_bytes(),
    }
}

fn same(set: &Set, oracle: &BTreeSet<Vec<u8>>, limits: (usize, usize, usize)) {
    let view = set.view();
    assert_eq!((view.len(), view.is_empty()), (oracle.len(), oracle.is_empty()));
    assert_eq!(&texts(view), oracle);
    match view {
        SetRef::Integers(ints) => {
            ints.check_invariants();
            assert!(ints.len() <= limits.0);
        }
        SetRef::Listing(list) => {
            list.check_invariants();
            assert!(list.len() <= limits.1);
            assert!(oracle.iter().all(|text| text.len() <= limits.2));
        }
        SetRef::Table(table) => table.check_invariants(),
    }
}

#[test]
fn random_operations_agree_with_a_tree() {
    for seed in 0..300 {
        let mut rng = Rng::seeded(seed);
        let numbers = (rng.below_usize(40), rng.below_usize(40), rng.below_usize(30));
        let limits = limits(numbers.0, numbers.1, numbers.2);
        let range = 1 + rng.below(100);
        let first = member(&mut rng, range);
        let mut set = Set::for_members(&first, 1, &limits);
        let mut oracle = BTreeSet::new();
        for _ in 0..rng.below(300) {
            let text = member(&mut rng, range);
            match rng.below(10) {
                0..=5 => {
                    let added = set.add(Element::Bytes(&text), &limits);
                    assert_eq!(added, oracle.insert(text));
                }
                6..=7 => assert_eq!(set.remove(&text), oracle.remove(&text)),
                8 => {
                    let member = Element::Bytes(&text);
                    let mut digits = Digits::new();
                    let probe = Probe::new(&member, &mut digits);
                    let held = oracle.contains(&text);
                    assert_eq!(
                        (set.view().contains(&text), set.view().holds(&probe)),
                        (held, held)
                    );
                }
                _ if oracle.is_empty() => assert!(set.view().random(&mut rng).is_none()),
                _ => set.pop(&mut rng, |member| assert!(oracle.remove(&member.to_vec()))),
            }
        }
        same(&set, &oracle, numbers);
        same(&set.view().duplicate(), &oracle, numbers);
        let mut scanned = BTreeSet::new();
        let mut cursor = 0;
        loop {
            cursor = set.view().scan(cursor, |member| {
                scanned.insert(member.to_vec());
            });
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(scanned, oracle);
        if oracle.len() > 1 {
            let count = 1 + rng.below_usize(oracle.len() - 1);
            let before = oracle.len();
            set.pop_some(count, &mut rng, |member| assert!(oracle.remove(&member.to_vec())));
            assert_eq!(oracle.len(), before - count);
            same(&set, &oracle, numbers);
        }
    }
}

/// Asked of Valkey 9.1.2, whose rules are those of Redis 7.2.
#[test]
fn conversions_are_redis_s() {
    let check = |limits: Limits, adds: &[&str], encodings: &[&str]| {
        let mut set = Set::for_members(adds[0].as_bytes(), 1, &limits);
        for (text, encoding) in adds.iter().zip(encodings) {
            set.add(Element::Bytes(text.as_bytes()), &limits);
            assert_eq!(set.view().encoding_name(), *encoding, "{text} of {adds:?}");
        }
    };
    check(limits(2, 128, 64), &["1", "2", "3"], &["intset", "intset", "hashtable"]);
    check(
        limits(512, 3, 64),
        &["1", "2", "a", "b"],
        &["intset", "intset", "listpack", "hashtable"],
    );
    check(limits(512, 2, 64), &["1", "2", "a"], &["intset", "intset", "hashtable"]);
    check(limits(512, 0, 64), &["a"], &["hashtable"]);
    check(limits(0, 0, 64), &["1"], &["hashtable"]);
    check(limits(0, 128, 64), &["1", "a"], &["listpack", "listpack"]);
    check(limits(512, 128, 3), &["100", "abc", "abcd"], &["intset", "listpack", "hashtable"]);
    check(limits(512, 128, 3), &["-100", "abc"], &["intset", "hashtable"]);
    check(limits(512, 128, 3), &["1000", "abc"], &["intset", "hashtable"]);
    check(limits(512, 128, 3), &["a", "1000"], &["listpack", "hashtable"]);
    check(limits(512, 128, 3), &["a", "01"], &["listpack", "listpack"]);
}

#[test]
fn a_set_begins_in_the_form_its_first_members_need() {
    let limits = limits(4, 3, 64);
    for (first, count, encoding) in [
        ("1", 4, "intset"),
        ("1", 5, "hashtable"),
        ("a", 3, "listpack"),
        ("a", 4, "hashtable"),
        ("01", 1, "listpack"),
    ] {
        let set = Set::for_members(first.as_bytes(), count, &limits);
        assert_eq!(set.view().encoding_name(), encoding, "{first} of {count}");
    }
    for (texts, count, encoding) in [
        (&["1"][..], 4, "intset"),
        (&["1"], 5, "hashtable"),
        (&["a"], 3, "listpack"),
        (&["a"], 4, "hashtable"),
    ] {
        let mut set = Set::for_members(texts[0].as_bytes(), 1, &limits);
        set.add(Element::Bytes(texts[0].as_bytes()), &limits);
        set.expect(count, &limits);
        assert_eq!(set.view().encoding_name(), encoding, "{texts:?} and {count} more");
        assert_eq!(set.view().len(), 1);
    }
}

#[test]
fn a_result_of_integers_becomes_an_array() {
    let gather = |texts: &[&str], most: usize| {
        let mut set = Set::table(&limits(most, 128, 64));
        for text in texts {
            set.add(Element::Bytes(text.as_bytes()), &limits(512, 128, 64));
        }
        set.become_integers_if_all_are(&limits(most, 128, 64));
        set.view().encoding_name()
    };
    assert_eq!(gather(&["3", "-1"], 2), "intset");
    assert_eq!(gather(&["3", "-1"], 1), "hashtable");
    assert_eq!(gather(&["3", "x"], 9), "hashtable");
    assert_eq!(gather(&["3", "03"], 9), "hashtable");
}

fn set_of(count: usize, prefix: &str, limits: &Limits) -> Set {
    let mut set = Set::for_members(format!("{prefix}0").as_bytes(), 1, limits);
    for n in 0..count {
        set.add(Element::Bytes(format!("{prefix}{n}").as_bytes()), limits);
    }
    set
}

#[test]
fn every_member_is_as_likely_in_every_encoding() {
    let mut rng = Rng::seeded(7);
    for (prefix, limits) in
        [("", limits(512, 128, 64)), ("m", limits(512, 128, 64)), ("m", limits(0, 0, 64))]
    {
        let set = set_of(20, prefix, &limits);
        let (mut picked, mut popped) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..4000 {
            let member = set.view().random(&mut rng).expect("there are some").to_vec();
            *picked.entry(member).or_insert(0) += 1;
        }
        for count in [1, 5, 10, 19] {
            for _ in 0..4000 / count {
                let mut copy = set.view().duplicate();
                copy.pop_some(count, &mut rng, |member| {
                    *popped.entry(member.to_vec()).or_insert(0) += 1;
                });
                assert_eq!(copy.view().len(), 20 - count);
            }
        }
        let encoding = set.view().encoding_name();
        for (counts, range) in [(picked, 140..260), (popped, 700..900)] {
            assert_eq!(counts.len(), 20);
            assert!(counts.values().all(|count| range.contains(count)), "{encoding} {counts:?}");
        }
    }
}

#[test]
fn a_selection_takes_as_many_as_it_should() {
    let mut rng = Rng::seeded(1);
    for (needed, len) in [(0, 5), (5, 5), (9, 5), (1, 1000), (999, 1000)] {
        let mut selection = Selection::new(needed, len);
        let taken = (0..len).filter(|_| selection.takes(&mut rng)).count();
        assert_eq!(taken, needed.min(len));
    }
}

#[test]
fn what_remains_of_a_large_set_is_moved_and_the_rest_left_to_be_freed() {
    let mut rng = Rng::seeded(1);
    let mut set = set_of(10_000, "m", &limits(0, 0, 64));
    let mut seen = 0;
    assert!(set.pop_some(5000, &mut rng, |_| seen += 1).is_none());
    let gone = set.pop_some(4990, &mut rng, |_| seen += 1).expect("nearly all");
    assert_eq!((seen, set.view().len(), gone.view().len()), (9990, 10, 4990));
    assert!(texts(gone.view()).is_disjoint(&texts(set.view())));
}

/// The target is 38 resident bytes for each of a million members of 14 bytes.
#[test]
fn members_of_14_bytes_take_16_and_their_slots_about_14() {
    let set = set_of(100_000, "member:1", &limits(512, 128, 64));
    let bytes = set.view().memory_bytes(usize::MAX);
    let per_item = bytes / set.view().len();
    assert!((25..=32).contains(&per_item), "{per_item}");
    let estimate = set.view().memory_bytes(5);
    assert!(estimate.abs_diff(bytes) < bytes / 10, "{estimate} for {bytes}");
}
