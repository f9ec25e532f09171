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
    for free in [Free::Here, Free::Elsewhere, Free::Blocking] {
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
