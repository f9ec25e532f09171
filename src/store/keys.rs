//! Keys as wholes: found without a trace, and entries put under a key whatever it held.

use super::fields::next_expiry;
use super::{Db, Event, Free, Key, Keyspace, discard, mark_of};
use crate::ds::dict::{self, Ref};
use crate::value::Entry;

impl Keyspace {
    /// Whether the time of an entry has not come.
    #[inline]
    pub fn is_live(&self, entry: &Entry) -> bool {
        entry.expiry().is_none_or(|at_ms| at_ms > self.now_ms)
    }

    /// The entry of a key, to look at. Unlike [`Keyspace::peek`] this removes nothing: an expired
    /// entry is not given, but it stays until somebody else finds it.
    pub fn glimpse(&self, db: usize, key: Key<'_>) -> Option<Ref<'_, Entry>> {
        let entry = self.dbs[db].dict.find(key.hash, key.bytes)?;
        self.is_live(&entry).then_some(entry)
    }

    /// The entry of a key as it is stored, even one that has expired.
    pub fn stored(&self, db: usize, key: Key<'_>) -> Option<Ref<'_, Entry>> {
        self.dbs[db].dict.find(key.hash, key.bytes)
    }

    /// Puts an entry under its own key, `key`, in place of what that held; `free` says where the
    /// old value is freed.
    pub fn put(&mut self, db: usize, key: Key<'_>, entry: Entry, free: Free) {
        debug_assert_eq!(key.bytes, entry.key());
        let mark = mark_of(entry.expiry());
        let Self { dbs, now_ms, expired, garbage, removals, events, .. } = self;
        let Db { dict, field_deadlines, .. } = &mut dbs[db];
        let next = next_expiry(&entry);
        match dict.entry(key.hash, key.bytes) {
            dict::Entry::Vacant(vacant) => {
                let _slot = vacant.insert(entry, mark);
            }
            dict::Entry::Occupied(mut slot) => {
                let old = slot.replace(entry);
                slot.set_mark(mark);
                field_deadlines.leave(&old);
                if old.expiry().is_some_and(|at_ms| at_ms <= *now_ms) {
                    *expired += 1;
                    removals.expired(db, key.bytes);
                    events.note(db, key.bytes, Event::EXPIRED);
                }
                discard(garbage, old, free);
            }
        }
        field_deadlines.change(key.bytes, None, next);
        events.note(db, key.bytes, Event::NEW);
        if !self.awaited.is_empty() {
            self.awaited.note(db, key.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AccessPolicy, KeepTtl};
    use super::*;
    use crate::base::hash::HashKey;
    use crate::base::rng::Rng;
    use crate::value::string;

    fn keyspace_with(expiries: &[(&str, Option<i64>)]) -> Keyspace {
        let mut keyspace = Keyspace::new(2, HashKey::new(1, 2), Rng::seeded(3));
        keyspace.set_now(1000);
        for &(key, expiry) in expiries {
            let key = keyspace.key(key.as_bytes());
            keyspace.set(0, key, string::new_value(b"v"), expiry, KeepTtl::No);
        }
        keyspace
    }

    #[test]
    fn a_glimpse_removes_nothing_and_counts_nothing() {
        let mut keyspace = keyspace_with(&[("k", Some(1001))]);
        let key = keyspace.key(b"k");
        assert!(keyspace.glimpse(0, key).is_some_and(|entry| keyspace.is_live(&entry)));
        assert!(keyspace.glimpse(1, key).is_none());
        keyspace.set_now(1001);
        assert!(keyspace.glimpse(0, key).is_none());
        let counts = (keyspace.db(0).len(), keyspace.expired, keyspace.hits, keyspace.misses);
        assert_eq!(counts, (1, 0, 0, 0));
    }

    #[test]
    fn an_entry_that_is_put_brings_its_expiry_along() {
        for held in [None, Some(1001), Some(5000)] {
            for brought in [None, Some(9000)] {
                let mut keyspace = keyspace_with(&[("from", brought), ("to", held)]);
                keyspace.set_now(1001);
                let (from, to) = (keyspace.key(b"from"), keyspace.key(b"to"));
                let entry = keyspace.take(0, from).expect("it was set").with_key(to.bytes);
                keyspace.put(0, to, entry, Free::Here);
                assert_eq!(keyspace.glimpse(0, to).expect("it was put").expiry(), brought);
                assert_eq!(keyspace.volatile_len(), usize::from(brought.is_some()));
                assert_eq!(keyspace.expired, u64::from(held == Some(1001)));
                assert_eq!(keyspace.db(0).len(), 1);
            }
        }
    }

    #[test]
    fn an_entry_that_is_put_keeps_its_access_clock() {
        let mut keyspace = keyspace_with(&[("k", None)]);
        let key = keyspace.key(b"k");
        let entry = keyspace.take(0, key).expect("it was set");
        let access = entry.access();
        keyspace.set_policy(AccessPolicy::Lru { clock: 0 });
        keyspace.set_now(500_000);
        keyspace.put(1, key, entry, Free::Here);
        assert_eq!(keyspace.glimpse(1, key).map(|entry| entry.access()), Some(access));
    }

    #[test]
    fn an_entry_that_is_put_serves_who_waits_for_its_key() {
        let mut keyspace = keyspace_with(&[("from", None)]);
        let (from, to) = (keyspace.key(b"from"), keyspace.key(b"to"));
        keyspace.awaited.add(0, [to.bytes].into_iter(), 7);
        let entry = keyspace.take(0, from).expect("it was set").with_key(to.bytes);
        keyspace.put(0, to, entry, Free::Here);
        assert!(keyspace.awaited.has_ready());
    }
}
