//! Hashes of every encoding against a tree.

use super::*;
use std::collections::BTreeMap;

const NEVER: i64 = i64::MIN;
const KEY: HashKey = HashKey::new(1, 2);

fn rules(entries_max: usize, value_bytes_max: usize, now_ms: i64) -> Rules {
    Rules { entries_max, value_bytes_max, hash_key: KEY, now_ms }
}

fn text(scalar: Scalar<'_>) -> Vec<u8> {
    scalar.text(&mut Digits::new()).to_vec()
}

fn set(hash: &mut Hash, name: &[u8], value: &[u8], rules: &Rules) -> Stored {
    hash.set(name, NewValue::Copied(value), FieldTtl::Clear, rules)
}

type Oracle = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn same(hash: &Hash, oracle: &Oracle, now_ms: i64) {
    hash.check_invariants();
    let view = hash.as_ref();
    let found: Oracle =
        view.iter().map(|field| (text(field.name), (text(field.value), field.expiry))).collect();
    assert_eq!(&found, oracle);
    assert_eq!(view.len(), oracle.len());
    let is_live = |expiry: &Option<i64>| expiry.is_none_or(|at_ms| at_ms > now_ms);
    let live = oracle.values().filter(|(_, expiry)| is_live(expiry)).count();
    assert_eq!(view.live_len(now_ms), live);
    assert_eq!(view.next_expiry(), oracle.values().filter_map(|(_, expiry)| *expiry).min());
    for (name, (value, expiry)) in oracle {
        let field = view.find(name, now_ms);
        assert_eq!(field.is_some(), is_live(expiry));
        assert!(field.is_none_or(|field| text(field.value) == *value));
    }
    let mut rng = Rng::seeded(1);
    let drawn = view.random(&mut rng, now_ms);
    assert_eq!(drawn.is_some(), live > 0);
    assert!(drawn.is_none_or(|field| field.is_live(now_ms)));
}

fn step(hash: &mut Hash, oracle: &mut Oracle, rng: &mut Rng, rules: &Rules) {
    let now_ms = rules.now_ms;
    let name = match rng.below(3) {
        0 => rng.below(20).to_string().into_bytes(),
        _ => format!("f{}", rng.below(20)).into_bytes(),
    };
    let is_live = |known: &(Vec<u8>, Option<i64>)| known.1.is_none_or(|at_ms| at_ms > now_ms);
    let was_live = oracle.get(&name).is_some_and(is_live);
    match rng.below(10) {
        0..=3 => {
            let value = vec![b'0' + num::low_u8(rng.below(10)); rng.below_usize(12)];
            let ttl = [FieldTtl::Clear, FieldTtl::Keep][rng.below_usize(2)];
            let stored = hash.set(&name, NewValue::Copied(&value), ttl, rules);
            let kept = oracle.get(&name).filter(|known| is_live(known) && ttl == FieldTtl::Keep);
            let expiry = kept.and_then(|known| known.1);
            oracle.insert(name, (value, expiry));
            assert_eq!(stored, if was_live { Stored::Replaced } else { Stored::Added });
        }
        4..=5 => {
            let removed = hash.remove(&name, now_ms);
            assert_eq!(removed, if was_live { Removed::Yes } else { Removed::No });
            oracle.remove(&name);
        }
        6..=8 => {
            let expiry = (rng.below(4) > 0).then(|| now_ms + 1 + num::i64_of(rng.below_usize(30)));
            hash.set_expiry(&name, expiry);
            if let Some(known) = oracle.get_mut(&name) {
                known.1 = expiry;
            }
        }
        _ => {
            let due = oracle.values().filter(|known| !is_live(known)).count();
            let max = [usize::MAX, 2][rng.below_usize(2)];
            let removed = hash.expire(now_ms, max, |_| ());
            assert!(removed == due || removed == max);
            oracle
                .retain(|name, known| is_live(known) || hash.as_ref().find(name, NEVER).is_some());
        }
    }
}

#[test]
fn random_changes_agree_with_a_tree() {
    let mut tables = 0;
    for seed in 0..400 {
        let mut rng = Rng::seeded(seed);
        let (mut hash, mut oracle) = (Hash::new(), Oracle::new());
        let mut rules = rules(rng.below_usize(40), 4 + rng.below_usize(12), 1000);
        for _ in 0..200 {
            rules.now_ms += num::i64_of(rng.below_usize(3));
            if hash.as_ref().encoding() != "hashtable" {
                // Whoever changes a listpack has removed what expired from it.
                hash.expire(rules.now_ms, 0, |_| ());
                oracle.retain(|_, known| known.1.is_none_or(|at_ms| at_ms > rules.now_ms));
            }
            step(&mut hash, &mut oracle, &mut rng, &rules);
            same(&hash, &oracle, rules.now_ms);
            if rng.below(50) == 0 {
                hash = hash.as_ref().duplicate();
                same(&hash, &oracle, rules.now_ms);
            }
        }
        tables += usize::from(hash.as_ref().encoding() == "hashtable");
    }
    assert!((100..400).contains(&tables), "{tables} of 400 became tables");
}

#[test]
fn limits_decide_the_encoding() {
    let rules = rules(3, 5, 0);
    let encoding = |fields: &[(&str, &str)]| {
        let mut hash = Hash::new();
        for (name, value) in fields {
            set(&mut hash, name.as_bytes(), value.as_bytes(), &rules);
        }
        hash.as_ref().encoding()
    };
    assert_eq!(encoding(&[("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")]), "listpack");
    assert_eq!(encoding(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]), "hashtable");
    assert_eq!(encoding(&[("a", "12345")]), "listpack");
    assert_eq!(encoding(&[("a", "123456")]), "hashtable");
    assert_eq!(encoding(&[("123456", "a")]), "hashtable");
}

#[test]
fn a_listpack_has_room_for_expiries_from_the_first_on() {
    let rules = rules(3, 5, 0);
    let mut hash = Hash::new();
    set(&mut hash, b"a", b"1", &rules);
    hash.set_expiry(b"a", None);
    assert_eq!(hash.as_ref().encoding(), "listpack");
    hash.set_expiry(b"a", Some(9));
    assert_eq!(hash.as_ref().encoding(), "listpackex");
    hash.set_expiry(b"a", None);
    assert_eq!(hash.as_ref().encoding(), "listpackex");
    for name in [b"b", b"c", b"d"] {
        set(&mut hash, name, b"2", &rules);
        hash.set_expiry(name, Some(5));
    }
    assert_eq!(hash.as_ref().encoding(), "hashtable");
    assert_eq!(hash.as_ref().next_expiry(), Some(5));
    hash.check_invariants();
}

#[test]
fn fields_in_a_listpack_stand_in_the_order_of_their_expiries() {
    let rules = rules(9, 9, 0);
    let mut hash = Hash::new();
    for (name, expiry) in [("a", None), ("b", Some(7)), ("c", Some(5)), ("d", Some(7)), ("e", None)]
    {
        set(&mut hash, name.as_bytes(), b"v", &rules);
        hash.set_expiry(name.as_bytes(), expiry);
    }
    let names: Vec<_> = hash.as_ref().iter().map(|field| text(field.name)).collect();
    assert_eq!(names, [b"c", b"b", b"d", b"a", b"e"]);
    // A value that is set takes the expiry away, and with it the place.
    set(&mut hash, b"c", b"w", &rules);
    let names: Vec<_> = hash.as_ref().iter().map(|field| text(field.name)).collect();
    assert_eq!(names, [b"b", b"d", b"a", b"e", b"c"]);
}

#[test]
fn names_of_equal_expiry_are_expired_one_by_one_from_a_table() {
    let rules = rules(0, 9, 0);
    let mut hash = Hash::new();
    for n in 0..1000 {
        let name = format!("f{n}");
        set(&mut hash, name.as_bytes(), b"v", &rules);
        hash.set_expiry(name.as_bytes(), Some(5));
    }
    assert_eq!((hash.expire(4, 10, |_| ()), hash.expire(5, 10, |_| ())), (0, 10));
    assert_eq!((hash.as_ref().len(), hash.as_ref().live_len(5)), (990, 0));
    assert_eq!(hash.as_ref().random(&mut Rng::seeded(1), 5).map(|field| field.expiry), None);
    assert_eq!(hash.expire(5, usize::MAX, |_| ()), 990);
    assert_eq!((hash.as_ref().len(), hash.as_ref().next_expiry()), (0, None));
    hash.check_invariants();
}

#[test]
fn long_values_are_shared_with_whoever_gave_them() {
    let rules = rules(9, 9, 0);
    let long = Bytes::from(vec![b'x'; 100_000]);
    let mut hash = Hash::new();
    hash.set(b"f", NewValue::Shared(&long), FieldTtl::Clear, &rules);
    let field = hash.as_ref().find(b"f", 0).expect("it was set");
    let Scalar::Shared(bytes) = field.value else { panic!("a shared value expected") };
    assert_eq!(bytes.as_ptr(), long.as_ptr());
    assert!(hash.as_ref().memory_bytes(5) > 100_000);
}
