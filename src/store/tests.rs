//! Tests of the keyspace.

use super::*;
use crate::value::{Str, string};

const SCOPE: Scope = Scope { db: 0, touch: Touch::Yes };

fn keyspace() -> Keyspace {
    let mut keyspace = Keyspace::new(2, HashKey::new(1, 2), Rng::seeded(3));
    keyspace.set_now(1_000_000);
    keyspace
}

fn set(keyspace: &mut Keyspace, key: &str, value: &str, expiry: Option<i64>) {
    let key = keyspace.key(key.as_bytes());
    keyspace.set(0, key, string::new_value(value.as_bytes()), expiry, KeepTtl::No);
}

fn get(keyspace: &mut Keyspace, key: &str) -> Option<Vec<u8>> {
    let key = keyspace.key(key.as_bytes());
    keyspace.read(SCOPE, key).and_then(|entry| Str::of(&entry).map(Str::to_vec))
}

#[test]
fn what_is_set_is_read_and_counted() {
    let mut keyspace = keyspace();
    assert_eq!(get(&mut keyspace, "k"), None);
    set(&mut keyspace, "k", "v", None);
    set(&mut keyspace, "k", "w", None);
    assert_eq!(get(&mut keyspace, "k"), Some(b"w".to_vec()));
    assert_eq!((keyspace.hits, keyspace.misses), (1, 1));
    assert_eq!(keyspace.db(0).len(), 1);
}

#[test]
fn a_key_is_gone_when_its_time_has_come() {
    let mut keyspace = keyspace();
    set(&mut keyspace, "k", "v", Some(1_000_001));
    assert!(get(&mut keyspace, "k").is_some());
    keyspace.set_now(1_000_001);
    assert!(get(&mut keyspace, "k").is_none());
    assert_eq!((keyspace.expired, keyspace.db(0).len()), (1, 0));
}

#[test]
fn a_kept_expiry_outlives_the_value() {
    let mut keyspace = keyspace();
    set(&mut keyspace, "k", "v", Some(2_000_000));
    let key = keyspace.key(b"k");
    keyspace.set(0, key, string::new_value(b"w"), None, KeepTtl::Yes);
    assert_eq!(keyspace.peek(0, key).and_then(|entry| entry.expiry()), Some(2_000_000));
    assert_eq!(keyspace.volatile_len(), 1);
    keyspace.set(0, key, string::new_value(b"w"), None, KeepTtl::No);
    assert_eq!(keyspace.volatile_len(), 0);
}

#[test]
fn strings_are_set_with_and_without_an_expiry() {
    let mut keyspace = keyspace();
    let key = keyspace.key(b"k");
    let all = [None, Some(1_000_001), Some(2_000_000), Some(999_999)];
    for first in all {
        for second in all {
            for (old, new) in [("v", "w"), ("v", "a longer one"), ("1", "2"), ("1", "x")] {
                keyspace.set_string(0, key, old.as_bytes(), first);
                keyspace.set_string(0, key, new.as_bytes(), second);
                let marked = usize::from(second.is_some());
                assert_eq!((keyspace.db(0).len(), keyspace.volatile_len()), (1, marked));
                if second == Some(999_999) {
                    assert_eq!(get(&mut keyspace, "k"), None);
                } else {
                    assert_eq!(keyspace.peek(0, key).and_then(|entry| entry.expiry()), second);
                    assert_eq!(get(&mut keyspace, "k"), Some(new.into()));
                }
            }
        }
    }
}

#[test]
fn a_key_keeps_its_frequency_when_it_is_overwritten() {
    let mut keyspace = keyspace();
    keyspace.set_policy(AccessPolicy::Lfu { minutes: 0, log_factor: 0, decay_minutes: 0 });
    set(&mut keyspace, "k", "v", None);
    for _ in 0..50 {
        get(&mut keyspace, "k");
    }
    let key = keyspace.key(b"k");
    let policy = keyspace.policy();
    let frequency = |keyspace: &mut Keyspace| {
        let entry = keyspace.peek(0, key).expect("it was set");
        policy.frequency(entry.access()).expect("the policy is LFU")
    };
    let before = frequency(&mut keyspace);
    set(&mut keyspace, "k", "w", None);
    keyspace.set_string(0, key, b"x", None);
    keyspace.set_string(0, key, b"longer than that", Some(1_000_001));
    assert!(frequency(&mut keyspace) >= before && before > 50);
    keyspace.set_now(1_000_001);
    keyspace.set_string(0, key, b"x", None);
    assert_eq!(frequency(&mut keyspace), 5, "the old one had expired");
}

#[test]
fn two_keys_are_read_together() {
    let mut keyspace = keyspace();
    set(&mut keyspace, "a", "1", None);
    set(&mut keyspace, "b", "2", Some(1_000_000));
    let (a, b) = (keyspace.key(b"a"), keyspace.key(b"b"));
    let [first, second] = keyspace.read_two(SCOPE, a, b);
    assert!(first.is_some() && second.is_none());
    let [first, second] = keyspace.read_two(SCOPE, a, a);
    assert_eq!(first.map(|entry| entry.key().to_vec()), second.map(|entry| entry.key().to_vec()));
    assert_eq!((keyspace.hits, keyspace.misses, keyspace.expired), (3, 1, 1));
}

#[test]
fn active_expiry_finds_the_few_among_the_many() {
    let mut keyspace = keyspace();
    for n in 0..20_000 {
        let expiry = (n % 10 == 0).then_some(1_000_000 + n);
        set(&mut keyspace, &format!("k{n}"), "v", expiry);
    }
    assert_eq!(keyspace.volatile_len(), 2000);
    keyspace.set_now(2_000_000);
    assert!(!keyspace.expire_some(|| false));
    assert_eq!((keyspace.volatile_len(), keyspace.expired), (0, 2000));
    assert_eq!(keyspace.db(0).len(), 18_000);
}

#[test]
fn active_expiry_stops_when_out_of_time() {
    let mut keyspace = keyspace();
    for n in 0..5000 {
        set(&mut keyspace, &format!("k{n}"), "v", Some(1_000_001));
    }
    keyspace.set_now(2_000_000);
    assert!(keyspace.expire_some(|| true));
    assert!(keyspace.expired > 0 && keyspace.volatile_len() > 0);
}

#[test]
fn large_values_are_left_to_be_freed_elsewhere() {
    let mut keyspace = keyspace();
    set(&mut keyspace, "k", &"x".repeat(100 << 20), None);
    let key = keyspace.key(b"k");
    assert!(keyspace.remove(0, key, Free::Here));
    assert_eq!(keyspace.take_garbage().len(), 1);
}

#[test]
fn random_keys_are_never_expired_ones() {
    let mut keyspace = keyspace();
    for n in 0..100 {
        set(&mut keyspace, &format!("k{n}"), "v", Some(1_000_001));
    }
    set(&mut keyspace, "stays", "v", None);
    keyspace.set_now(2_000_000);
    assert_eq!(keyspace.random_key(0), Some(b"stays".to_vec()));
}

#[test]
fn a_flushed_database_is_as_new() {
    for free in [Free::Here, Free::Blocking] {
        let mut keyspace = keyspace();
        for n in 0..1000 {
            set(&mut keyspace, &format!("k{n}"), "v", Some(1_000_000 + n * 1000));
        }
        keyspace.set_now(1_000_500);
        assert!(keyspace.expire_some(|| true));
        assert!(keyspace.db(0).mean_ttl_ms() > 0);
        let len = keyspace.db(0).len();
        assert_eq!(keyspace.flush(0, free), len);
        assert_eq!((keyspace.db(0).len(), keyspace.volatile_len()), (0, 0));
        assert_eq!((keyspace.db(0).mean_ttl_ms(), keyspace.db(0).expire_cursor), (0, 0));
        assert_eq!(keyspace.take_garbage().len(), usize::from(free != Free::Blocking));
        assert_eq!(keyspace.flush(0, free), 0);
        assert!(!keyspace.has_garbage(), "nothing is thrown away twice");
    }
}
