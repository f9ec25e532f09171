//! Eviction: which key goes when memory is full.
//!
//! A hand sweeps over the table and looks at a few entries for each key that is to go; the best of what
//! it saw lately wait in a small pool, in order. So what goes is chosen among many, though only a few
//! are looked at anew, and the entries that come next are loaded while others are dealt with. The pool
//! holds hashes, not keys: whoever is to go is looked up by its hash and must still look as it did
//! when it was seen, so an entry that was used, changed or removed meanwhile is passed over.
//!
//! Why a sweep and not random places: the order of the table has nothing to do with how keys are
//! used, so a sweep is as fair as a draw, sees every key once before it sees one twice, and knows what
//! to load next. See `docs/design/eviction.md`.

use super::{AccessPolicy, Db, Event, Free, Keyspace, discard};
use crate::base::rng::Rng;
use crate::config::MaxmemoryPolicy;
use crate::ds::dict::Dict;
use crate::value::Entry;

/// Keys that wait in the pool.
const POOL_LEN: usize = 32;
/// Times the pool is filled before the search is given up: what was found may have changed since.
const TRIES_MAX: usize = 64;

/// Which keys may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    All,
    Volatile,
}

/// Which of them goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// The one that was not used for longest.
    Idle,
    /// The one that is used least often.
    Rare,
    /// The one that expires first.
    Deadline,
    /// Any.
    Random,
}

const fn rules_of(policy: MaxmemoryPolicy) -> Option<(Range, Order)> {
    Some(match policy {
        MaxmemoryPolicy::VolatileLru => (Range::Volatile, Order::Idle),
        MaxmemoryPolicy::VolatileLfu => (Range::Volatile, Order::Rare),
        MaxmemoryPolicy::VolatileRandom => (Range::Volatile, Order::Random),
        MaxmemoryPolicy::VolatileTtl => (Range::Volatile, Order::Deadline),
        MaxmemoryPolicy::AllkeysLru => (Range::All, Order::Idle),
        MaxmemoryPolicy::AllkeysLfu => (Range::All, Order::Rare),
        MaxmemoryPolicy::AllkeysRandom => (Range::All, Order::Random),
        MaxmemoryPolicy::Noeviction => return None,
    })
}

/// A key that may go.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// Lower ones go first.
    rank: i64,
    db: usize,
    hash: u64,
    /// What its entry looked like.
    stamp: Stamp,
}

/// What tells whether an entry was used or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    access: u32,
    expiry: Option<i64>,
}

impl Stamp {
    fn of(entry: &Entry) -> Self {
        Self { access: entry.access(), expiry: entry.expiry() }
    }
}

/// The search for keys to evict.
#[derive(Debug, Default)]
pub(super) struct Evictor {
    /// The rules that the pool was filled by.
    rules: Option<(Range, Order)>,
    /// In descending order of rank: the last goes first.
    pool: Vec<Candidate>,
    /// The database looked at last.
    db: usize,
}

/// By what an entry is ranked.
#[derive(Clone, Copy)]
struct Ranking {
    order: Order,
    policy: AccessPolicy,
    now_ms: i64,
}

impl Ranking {
    /// Lower ranks go first. Ranks do not change as long as an entry is not used, but for a decay that
    /// befalls all.
    fn rank(self, entry: &Entry) -> i64 {
        if entry.expiry().is_some_and(|at_ms| at_ms <= self.now_ms) {
            return i64::MIN; // nobody will miss it
        }
        match self.order {
            Order::Idle => {
                let idle_s = self.policy.idle_s(entry.access()).unwrap_or(0);
                self.now_ms / 1000 - i64::from(idle_s)
            }
            Order::Rare => i64::from(self.policy.rarity(entry.access()).unwrap_or(0)),
            Order::Deadline => entry.expiry().unwrap_or(i64::MAX),
            Order::Random => 0,
        }
    }
}

impl Evictor {
    /// Forgets what was found by other rules.
    fn follow(&mut self, rules: (Range, Order)) {
        if self.rules != Some(rules) {
            self.rules = Some(rules);
            self.pool.clear();
        }
    }

    /// Whether a key of this rank would get into the pool.
    #[inline]
    fn admits(&self, rank: i64) -> bool {
        self.pool.len() < POOL_LEN || self.pool.first().is_some_and(|worst| rank < worst.rank)
    }

    fn add(&mut self, candidate: Candidate) {
        let is_same = |other: &Candidate| other.hash == candidate.hash && other.db == candidate.db;
        if let Some(index) = self.pool.iter().position(is_same) {
            self.pool.remove(index);
        } else if self.pool.len() == POOL_LEN {
            self.pool.remove(0);
        }
        let at = self.pool.partition_point(|other| other.rank > candidate.rank);
        self.pool.insert(at, candidate);
    }
}

impl Keyspace {
    /// Evicts the key that the policy says is to go first, of those that a search finds which looks at
    /// `samples` new ones. False if there is none that may go.
    ///
    /// The value is freed here, or left as garbage if it is large. A key that has expired goes first,
    /// and as such.
    pub fn evict(&mut self, policy: MaxmemoryPolicy, samples: usize) -> bool {
        let Some(rules) = rules_of(policy) else { return false };
        self.evictor.follow(rules);
        let victim = match rules {
            (range, Order::Random) => self.take_random(range),
            (range, order) => self.take_first(range, order, samples),
        };
        let Some((db, entry)) = victim else { return false };
        let Self { dbs, removals, events, garbage, evicted, expired, now_ms, .. } = self;
        dbs[db].field_deadlines.leave(&entry);
        if entry.expiry().is_some_and(|at_ms| at_ms <= *now_ms) {
            *expired += 1;
            removals.expired(db, entry.key());
            events.note(db, entry.key(), Event::EXPIRED);
        } else {
            *evicted += 1;
            removals.evicted(db, entry.key());
            events.note(db, entry.key(), Event::EVICTED);
        }
        discard(garbage, entry, Free::Here);
        true
    }

    /// Takes out the best of the pool, once the search has added to it.
    fn take_first(&mut self, range: Range, order: Order, samples: usize) -> Option<(usize, Entry)> {
        for _ in 0..TRIES_MAX {
            if !self.search(range, order, samples) {
                return None;
            }
            while let Some(candidate) = self.evictor.pool.pop() {
                if let Some(entry) = take_candidate(&mut self.dbs, range, candidate) {
                    return Some((candidate.db, entry));
                }
            }
        }
        None
    }

    /// Looks at some more keys, of the next database that has any; false if there are none at all.
    fn search(&mut self, range: Range, order: Order, samples: usize) -> bool {
        let Self { dbs, evictor, policy, now_ms, .. } = self;
        let ranking = Ranking { order, policy: *policy, now_ms: *now_ms };
        let count = dbs.len();
        let has_keys = |&db: &usize| eligible_len(&dbs[db].dict, range) > 0;
        let mut later = (evictor.db + 1..count).chain(0..=evictor.db.min(count - 1));
        let Some(db) = later.find(has_keys) else { return false };
        evictor.db = db;
        let Db { dict, evict_cursor, .. } = &mut dbs[db];
        let look = |entry: &Entry| {
            let rank = ranking.rank(entry);
            if evictor.admits(rank) {
                let hash = dict.hash(entry.key());
                evictor.add(Candidate { rank, db, hash, stamp: Stamp::of(entry) });
            }
        };
        *evict_cursor = sweep(dict, range, *evict_cursor, samples, look);
        true
    }

    /// Takes a key out at random.
    fn take_random(&mut self, range: Range) -> Option<(usize, Entry)> {
        let Self { dbs, rng, .. } = self;
        let total: usize = dbs.iter().map(|db| eligible_len(&db.dict, range)).sum();
        if total == 0 {
            return None;
        }
        // Every key as likely as the others, in whichever database it is.
        let mut nth = rng.below_usize(total);
        let db = dbs.iter().position(|db| {
            let len = eligible_len(&db.dict, range);
            let is_here = nth < len;
            nth = nth.wrapping_sub(len);
            is_here
        })?;
        let entry = take_random_of(&mut dbs[db].dict, range, rng)?;
        Some((db, entry))
    }
}

fn eligible_len(dict: &Dict<Entry>, range: Range) -> usize {
    match range {
        Range::All => dict.len(),
        Range::Volatile => dict.marked_len(),
    }
}

fn sweep(
    dict: &Dict<Entry>,
    range: Range,
    from: usize,
    items: usize,
    mut look: impl FnMut(&Entry),
) -> usize {
    match range {
        Range::All => dict.sweep(from, items, |entry| look(&entry)),
        Range::Volatile => dict.sweep_marked(from, items, |entry| look(&entry)),
    }
}

fn take_candidate(dbs: &mut [Db], range: Range, candidate: Candidate) -> Option<Entry> {
    let Candidate { db, hash, stamp, .. } = candidate;
    let is_unchanged = |entry: &Entry| {
        Stamp::of(entry) == stamp && (range == Range::All || stamp.expiry.is_some())
    };
    Some(dbs.get_mut(db)?.dict.find_by_hash(hash, is_unchanged)?.remove())
}

fn take_random_of(dict: &mut Dict<Entry>, range: Range, rng: &mut Rng) -> Option<Entry> {
    match range {
        Range::All => Some(dict.random_mut(rng)?.remove()),
        Range::Volatile => {
            let key = dict.random_marked(rng)?.key().to_vec();
            let hash = dict.hash(&key);
            dict.remove(hash, &key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::HashKey;
    use crate::base::num;
    use crate::store::{KeepTtl, Scope, Touch};
    use crate::value::string;
    use std::collections::BTreeSet;

    const POLICIES: [MaxmemoryPolicy; 7] = [
        MaxmemoryPolicy::VolatileLru,
        MaxmemoryPolicy::VolatileLfu,
        MaxmemoryPolicy::VolatileRandom,
        MaxmemoryPolicy::VolatileTtl,
        MaxmemoryPolicy::AllkeysLru,
        MaxmemoryPolicy::AllkeysLfu,
        MaxmemoryPolicy::AllkeysRandom,
    ];

    fn keyspace() -> Keyspace {
        let mut keyspace = Keyspace::new(3, HashKey::new(1, 2), Rng::seeded(3));
        keyspace.set_now(1_000_000_000);
        keyspace
    }

    fn set(keyspace: &mut Keyspace, db: usize, key: &str, expiry: Option<i64>) {
        let key = keyspace.key(key.as_bytes());
        keyspace.set(db, key, string::new_value(b"v"), expiry, KeepTtl::No);
    }

    /// Adds `count` keys to each of three databases, every second one volatile; each a second later
    /// than the one before, with as much less time to live.
    fn filled(count: i64) -> Keyspace {
        let mut keyspace = keyspace();
        for n in 0..count {
            keyspace.set_now(1_000_000_000 + n * 1000);
            let expiry = (n % 2 == 1).then_some(3_000_000_000 - n * 5000);
            for db in 0..3 {
                set(&mut keyspace, db, &format!("k{n}"), expiry);
            }
        }
        keyspace
    }

    fn keys_left(keyspace: &Keyspace) -> BTreeSet<(usize, i64)> {
        let number = |key: &[u8]| num::parse_i64(&key[1..]).expect("a number");
        let keys = |db| keyspace.db(db).iter().map(move |entry| (db, number(entry.key())));
        (0..3).flat_map(keys).collect()
    }

    #[test]
    fn every_policy_empties_what_it_may_and_leaves_the_rest() {
        for policy in POLICIES {
            let mut keyspace = filled(100);
            let mut evicted = 0;
            while keyspace.evict(policy, 5) {
                evicted += 1;
                (0..3).for_each(|db| keyspace.db(db).check_invariants());
            }
            let is_volatile_only = rules_of(policy).expect("it evicts").0 == Range::Volatile;
            let expected = if is_volatile_only { 150 } else { 300 };
            assert_eq!((evicted, keyspace.evicted), (expected, expected));
            assert!(keys_left(&keyspace).iter().all(|(_, n)| n % 2 == 0), "{policy:?}");
        }
        assert!(!filled(10).evict(MaxmemoryPolicy::Noeviction, 5));
    }

    /// The mean age rank, from 0 (oldest) to 1, of what goes first.
    fn mean_rank(policy: MaxmemoryPolicy, samples: usize) -> f64 {
        let mut keyspace = filled(3000);
        let before = keys_left(&keyspace);
        for _ in 0..450 {
            assert!(keyspace.evict(policy, samples));
        }
        let gone = before.difference(&keys_left(&keyspace)).map(|&(_, n)| n).sum::<i64>();
        num::ratio(gone.unsigned_abs(), 450 * 3000)
    }

    #[test]
    fn those_go_that_were_not_used_for_longest() {
        // 450 of 9000 are to go, so that 0.025 would be ideal.
        assert!(mean_rank(MaxmemoryPolicy::AllkeysLru, 5) < 0.12);
        assert!(mean_rank(MaxmemoryPolicy::AllkeysLru, 20) < 0.04);
        assert!(mean_rank(MaxmemoryPolicy::VolatileLru, 20) < 0.08);
        assert!(mean_rank(MaxmemoryPolicy::VolatileTtl, 20) > 0.92, "the youngest expire first");
        assert!((0.4..0.6).contains(&mean_rank(MaxmemoryPolicy::AllkeysRandom, 5)));
    }

    #[test]
    fn those_go_that_are_used_least_often() {
        let mut keyspace = keyspace();
        keyspace.set_policy(AccessPolicy::Lfu { minutes: 0, log_factor: 1, decay_minutes: 1 });
        for n in 0..1000 {
            set(&mut keyspace, 0, &format!("k{n}"), None);
        }
        for n in (0..1000).filter(|n| n % 10 == 0) {
            let name = format!("k{n}");
            for _ in 0..50 {
                let key = keyspace.key(name.as_bytes());
                keyspace.read(Scope { db: 0, touch: Touch::Yes }, key).expect("it was set");
            }
        }
        for _ in 0..800 {
            assert!(keyspace.evict(MaxmemoryPolicy::AllkeysLfu, 5));
        }
        let busy = keys_left(&keyspace).iter().filter(|(_, n)| n % 10 == 0).count();
        assert!(busy >= 99, "{busy} of 100");
    }

    #[test]
    fn a_key_used_since_it_was_seen_stays() {
        let mut keyspace = filled(20);
        assert!(keyspace.evict(MaxmemoryPolicy::AllkeysLru, 1000));
        assert!(!keyspace.evictor.pool.is_empty());
        keyspace.set_now(2_000_000_000);
        for db in 0..3 {
            for n in 0..10 {
                let name = format!("k{n}");
                let key = keyspace.key(name.as_bytes());
                keyspace.read(Scope { db, touch: Touch::Yes }, key);
            }
        }
        for _ in 0..29 {
            assert!(keyspace.evict(MaxmemoryPolicy::AllkeysLru, 1000));
        }
        assert!(keys_left(&keyspace).iter().filter(|(_, n)| *n >= 10).count() <= 2);
    }

    #[test]
    fn a_key_without_an_expiry_any_more_is_not_volatile() {
        let mut keyspace = keyspace();
        for n in 0..10 {
            set(&mut keyspace, 0, &format!("k{n}"), Some(3_000_000_000));
        }
        assert!(keyspace.evict(MaxmemoryPolicy::VolatileLru, 10));
        for n in 0..10 {
            let name = format!("k{n}");
            let key = keyspace.key(name.as_bytes());
            if let Some(slot) = keyspace.write(Scope { db: 0, touch: Touch::No }, key) {
                Keyspace::set_expiry(slot, None);
            }
        }
        assert!(!keyspace.evict(MaxmemoryPolicy::VolatileLru, 10));
        assert_eq!(keyspace.db(0).len(), 9);
    }

    #[test]
    fn what_has_expired_goes_first_and_as_expired() {
        let mut keyspace = filled(100);
        keyspace.removals.start();
        set(&mut keyspace, 1, "k1000", Some(1_000_100_500));
        keyspace.set_now(1_000_101_000);
        for _ in 0..3 {
            assert!(keyspace.evict(MaxmemoryPolicy::AllkeysLru, 1000));
        }
        assert_eq!((keyspace.expired, keyspace.evicted), (1, 2));
        assert!(!keys_left(&keyspace).contains(&(1, 1000)));
        let causes: Vec<_> = keyspace.removals.take().map(|removed| removed.why).collect();
        assert_eq!(causes.iter().filter(|&&why| why == crate::store::Why::Expired).count(), 1);
        assert_eq!(causes.len(), 3);
    }
}
