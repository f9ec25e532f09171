//! Databases, entries and expiry. Time and randomness are passed in; what is thrown away and large
//! is left for the caller to free elsewhere.

mod access;
mod awaited;
mod collections;
mod db;
mod defrag;
mod events;
mod evict;
mod expire;
mod fields;
mod keys;
mod load;
mod removed;
mod watched;

pub use crate::ds::dict::Prefetch;
pub use access::{AccessPolicy, lfu_decayed, lfu_initial, lfu_touched};
pub use awaited::Awaited;
pub use collections::WrongType;
pub use db::Db;
pub use defrag::Slice;
pub use events::{Event, Happened, KeyEvents};
pub use removed::{Removals, Removed, What, Why};
pub use watched::Watched;

use crate::base::hash::HashKey;
use crate::base::rng::Rng;
use crate::ds::dict::{self, Dict, Mark, Ref};
use crate::ds::entry::Payload;
use crate::value::string::{self, Overwritten};
use crate::value::{self, Entry, Heap, NewValue};

/// A key's place in its database, to change what is there.
pub type Slot<'a> = dict::Slot<'a, Entry>;

/// Values that take more steps than this to free are freed on the helper thread.
const LAZY_FREE_EFFORT_MIN: usize = 64;

/// How many expired keys a search for a random one passes that must leave them where they are.
const RANDOM_TRIES_MAX: usize = 1000;

/// A key with its hash.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its hash in this process.
    pub hash: u64,
}

/// Whether a lookup counts as an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It brings the key's access clock up to date.
    Yes,
    /// It leaves no trace.
    No,
}

/// Where a client's lookups go.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// The database.
    pub db: usize,
    /// Whether its lookups count as accesses.
    pub touch: Touch,
}

/// Where a value that is thrown away is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// Here, or on the helper thread if it is large.
    Here,
    /// Here, whatever it takes (FLUSHALL SYNC).
    Blocking,
}

/// Something large, to be freed on the helper thread.
#[derive(Debug)]
pub enum Garbage {
    /// A key with its value.
    Entry(Entry),
    /// A value.
    Value(Heap),
    /// A whole database.
    Table(Dict<Entry>),
}

impl Garbage {
    /// How many keys or values it is, for `lazyfreed_objects`.
    pub fn objects(&self) -> usize {
        match self {
            Self::Entry(_) | Self::Value(_) => 1,
            Self::Table(table) => table.len(),
        }
    }

    /// Bytes it takes, as far as a few samples tell; 0 where they would not.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Entry(entry) => value::estimated_bytes(entry),
            Self::Value(_) => 0,
            Self::Table(table) => table.memory_bytes(),
        }
    }
}

/// What happened to an entry that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepTtl {
    /// The new value has no expiry.
    No,
    /// The new value keeps the old one's expiry.
    Yes,
}

/// All databases.
#[derive(Debug)]
pub struct Keyspace {
    dbs: Vec<Db>,
    hash_key: HashKey,
    now_ms: i64,
    /// What an access writes into an entry.
    policy: AccessPolicy,
    rng: Rng,
    garbage: Vec<Garbage>,
    expire_db: usize,
    expire_fields_db: usize,
    /// Keys found that may be evicted next.
    evictor: evict::Evictor,
    /// Where defragmentation is.
    walk: defrag::Walk,
    /// Keys that clients wait for.
    pub awaited: Awaited,
    /// What expired.
    pub removals: Removals,
    /// Whether readers leave keys and fields where they are whose time has come, without seeing them.
    pub keeps_expired: bool,
    /// Keys that clients watch.
    watched: Watched,
    /// What happened to keys.
    pub events: KeyEvents,
    /// Lookups that found a key, and that found none.
    pub hits: u64,
    /// See `hits`.
    pub misses: u64,
    /// Keys that expired.
    pub expired: u64,
    /// Keys that were evicted.
    pub evicted: u64,
    /// Fields of hashes that expired.
    pub expired_fields: u64,
    /// Share of keys found expired by the last active cycles, percent.
    pub expired_stale_percent: f64,
    /// Changes since the last snapshot.
    pub dirty: u64,
}

impl Keyspace {
    /// Empty databases. `hash_key` should be random.
    pub fn new(databases: usize, hash_key: HashKey, rng: Rng) -> Self {
        Self {
            dbs: (0..databases).map(|_| Db::new(hash_key)).collect(),
            hash_key,
            now_ms: 0,
            policy: AccessPolicy::Lru { clock: 0 },
            rng,
            garbage: Vec::new(),
            expire_db: 0,
            expire_fields_db: 0,
            evictor: evict::Evictor::default(),
            walk: defrag::Walk::default(),
            awaited: Awaited::default(),
            removals: Removals::default(),
            keeps_expired: false,
            watched: Watched::default(),
            events: KeyEvents::default(),
            hits: 0,
            misses: 0,
            expired: 0,
            evicted: 0,
            expired_fields: 0,
            expired_stale_percent: 0.0,
            dirty: 0,
        }
    }

    /// Sets the time, Unix milliseconds.
    pub fn set_now(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
        self.policy.set_now(now_ms);
    }

    /// Sets the time of accesses, Unix milliseconds, but lets nothing expire: for executing a log, in
    /// which what expired is deleted, and what was made to stay in time stays.
    pub fn set_now_without_expiry(&mut self, now_ms: i64) {
        self.now_ms = 0;
        self.policy.set_now(now_ms);
    }

    /// Whether something may expire: not after [`Keyspace::set_now_without_expiry`].
    pub const fn lets_expire(&self) -> bool {
        self.now_ms != 0
    }

    /// The time of the turn, Unix milliseconds.
    pub const fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// What accesses write into entries.
    pub const fn policy(&self) -> AccessPolicy {
        self.policy
    }

    /// Changes what accesses write into entries; what is in them is then read the new way.
    pub fn set_policy(&mut self, policy: AccessPolicy) {
        self.policy = policy;
        self.policy.set_now(self.now_ms);
    }

    /// The secret under which keys are hashed, and the members and fields of values.
    pub const fn hash_key(&self) -> HashKey {
        self.hash_key
    }

    /// A key with its hash.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key { bytes, hash: self.hash_key.hash(bytes) }
    }

    /// Starts loading the bucket a hash belongs to.
    #[inline]
    pub fn prefetch_bucket(&self, db: usize, hash: u64) {
        self.dbs[db].dict.prefetch_bucket(hash);
    }

    /// Starts loading the entry a hash probably belongs to; call `prefetch_bucket` well before. If
    /// that took only a step towards it, `prefetch_child_entry` takes the next.
    #[inline]
    pub fn prefetch_entry(&self, db: usize, hash: u64) -> Prefetch {
        self.dbs[db].dict.prefetch_item(hash)
    }

    /// The last step of `prefetch_entry`.
    #[inline]
    pub fn prefetch_child_entry(&self, db: usize, hash: u64) {
        self.dbs[db].dict.prefetch_child_item(hash);
    }

    /// How many databases there are.
    pub const fn len(&self) -> usize {
        self.dbs.len()
    }

    /// Whether there are none, which never happens.
    pub const fn is_empty(&self) -> bool {
        self.dbs.is_empty()
    }

    /// A database.
    pub fn db(&self, db: usize) -> &Db {
        &self.dbs[db]
    }

    /// A database, to change its settings.
    pub fn db_mut(&mut self, db: usize) -> &mut Db {
        &mut self.dbs[db]
    }

    /// The slot of a key that has not expired; one that has is removed.
    #[inline]
    fn live(&mut self, db: usize, key: Key<'_>) -> Option<Slot<'_>> {
        let Self { dbs, now_ms, expired, garbage, removals, events, awaited, .. } = self;
        let reaper = Reaper {
            db,
            now_ms: *now_ms,
            expired,
            garbage,
            removals,
            events,
            awaited,
            keeps: false,
        };
        live(&mut dbs[db], key, reaper)
    }

    /// The entry of a key, to read. Counts as a hit or miss and as an access.
    #[inline]
    pub fn read(&mut self, scope: Scope, key: Key<'_>) -> Option<Ref<'_, Entry>> {
        let Self {
            keeps_expired,
            dbs,
            now_ms,
            expired,
            garbage,
            removals,
            events,
            awaited,
            hits,
            misses,
            policy,
            rng,
            ..
        } = self;
        let reaper = Reaper {
            db: scope.db,
            now_ms: *now_ms,
            expired,
            garbage,
            removals,
            events,
            awaited,
            keeps: *keeps_expired,
        };
        let Some(slot) = live(&mut dbs[scope.db], key, reaper) else {
            *misses += 1;
            events.note(scope.db, key.bytes, Event::KEY_MISS);
            return None;
        };
        *hits += 1;
        if scope.touch == Touch::Yes {
            touch(&slot, *policy, rng);
        }
        Some(slot.into_ref())
    }

    /// As [`Keyspace::read`], but the entry may be changed in ways that readers do not see.
    #[inline]
    pub fn read_mut(&mut self, scope: Scope, key: Key<'_>) -> Option<Slot<'_>> {
        let Self {
            keeps_expired,
            dbs,
            now_ms,
            expired,
            garbage,
            removals,
            events,
            awaited,
            hits,
            misses,
            policy,
            rng,
            ..
        } = self;
        let reaper = Reaper {
            db: scope.db,
            now_ms: *now_ms,
            expired,
            garbage,
            removals,
            events,
            awaited,
            keeps: *keeps_expired,
        };
        let Some(slot) = live(&mut dbs[scope.db], key, reaper) else {
            *misses += 1;
            events.note(scope.db, key.bytes, Event::KEY_MISS);
            return None;
        };
        *hits += 1;
        if scope.touch == Touch::Yes {
            touch(&slot, *policy, rng);
        }
        Some(slot)
    }

    /// The entry of a key, to look at without a trace: no hit, no miss, no access.
    #[inline]
    pub fn peek(&mut self, db: usize, key: Key<'_>) -> Option<Ref<'_, Entry>> {
        if self.keeps_expired {
            return self.glimpse(db, key);
        }
        self.live(db, key).map(Slot::into_ref)
    }

    /// As [`Keyspace::peek`], but it counts as a hit or miss, of which nobody is told.
    pub fn look(&mut self, db: usize, key: Key<'_>) -> Option<Ref<'_, Entry>> {
        if self.peek(db, key).is_none() {
            self.misses += 1;
            return None;
        }
        self.hits += 1;
        self.dbs[db].dict.find(key.hash, key.bytes)
    }

    /// The entries of two keys, to read together. Counts as reading the first, then the second.
    pub fn read_two(
        &mut self,
        scope: Scope,
        first: Key<'_>,
        second: Key<'_>,
    ) -> [Option<Ref<'_, Entry>>; 2] {
        let found = [first, second].map(|key| self.read(scope, key).is_some().then_some(key));
        let dict = &self.dbs[scope.db].dict;
        found.map(|key| key.and_then(|key| dict.find(key.hash, key.bytes)))
    }

    /// The entries of several keys, to read together. Counts as reading each, in order.
    pub fn read_many(&mut self, scope: Scope, keys: &[Key<'_>]) -> Vec<Option<Ref<'_, Entry>>> {
        let found: Vec<bool> = keys.iter().map(|&key| self.read(scope, key).is_some()).collect();
        let dict = &self.dbs[scope.db].dict;
        let entry = |(key, found): (&Key<'_>, bool)| {
            if found { dict.find(key.hash, key.bytes) } else { None }
        };
        keys.iter().zip(found).map(entry).collect()
    }

    /// The slot of a key, to change its value in place. Counts as an access. The caller counts the
    /// change in `dirty`.
    #[inline]
    pub fn write(&mut self, scope: Scope, key: Key<'_>) -> Option<Slot<'_>> {
        let Self { dbs, now_ms, expired, garbage, removals, events, awaited, policy, rng, .. } =
            self;
        let reaper = Reaper {
            db: scope.db,
            now_ms: *now_ms,
            expired,
            garbage,
            removals,
            events,
            awaited,
            keeps: false,
        };
        let slot = live(&mut dbs[scope.db], key, reaper)?;
        if scope.touch == Touch::Yes {
            touch(&slot, *policy, rng);
        }
        Some(slot)
    }

    /// Adds a key that is known not to exist.
    #[inline]
    pub fn insert(
        &mut self,
        db: usize,
        key: Key<'_>,
        value: NewValue<'_, Heap>,
        expiry: Option<i64>,
    ) {
        let is_hash = matches!(value, NewValue::Payload(Heap::Hash(_)));
        let entry = Entry::new(key.bytes, value, self.policy.initial(), expiry);
        let Db { dict, field_deadlines, .. } = &mut self.dbs[db];
        let slot = dict.insert(key.hash, entry, mark_of(expiry));
        if is_hash {
            field_deadlines.enter(&slot.get());
        }
        self.events.note(db, key.bytes, Event::NEW);
        if !self.awaited.is_empty() {
            self.awaited.note(db, key.bytes);
        }
    }

    /// Adds an entry under its own key, which is known not to exist.
    pub fn insert_entry(&mut self, db: usize, entry: Entry) {
        let hash = self.hash_key.hash(entry.key());
        let mark = mark_of(entry.expiry());
        self.events.note(db, entry.key(), Event::NEW);
        if !self.awaited.is_empty() {
            self.awaited.note(db, entry.key());
        }
        let Db { dict, field_deadlines, .. } = &mut self.dbs[db];
        let slot = dict.insert(hash, entry, mark);
        field_deadlines.enter(&slot.get());
    }

    /// Gives a key a value, whatever it had before. The expiry is the given one, or with
    /// [`KeepTtl::Yes`] the old one.
    pub fn set(
        &mut self,
        db: usize,
        key: Key<'_>,
        value: NewValue<'_, Heap>,
        expiry: Option<i64>,
        keep: KeepTtl,
    ) {
        let Self { dbs, now_ms, expired, garbage, removals, events, awaited, policy, rng, .. } =
            self;
        let reaper = Reaper {
            db,
            now_ms: *now_ms,
            expired,
            garbage,
            removals,
            events,
            awaited,
            keeps: false,
        };
        let Some(mut slot) = live(&mut dbs[db], key, reaper) else {
            return self.insert(db, key, value, expiry);
        };
        // A key keeps its frequency when it gets another value.
        let access = policy.touched(slot.get().access(), policy.draw(rng));
        let expiry = match keep {
            KeepTtl::No => expiry,
            KeepTtl::Yes => slot.get().expiry(),
        };
        let old = slot.replace(Entry::new(key.bytes, value, access, expiry));
        slot.set_mark(mark_of(expiry));
        let next = fields::next_expiry(&slot.get());
        let deadlines = &mut dbs[db].field_deadlines;
        deadlines.leave(&old);
        deadlines.change(key.bytes, None, next);
        discard(garbage, old, Free::Here);
        if !self.awaited.is_empty() {
            self.awaited.note(db, key.bytes);
        }
    }

    /// Gives a key a string, whatever it had before: what SET does most. A string that fits is
    /// written over the old one.
    #[inline]
    pub fn set_string(&mut self, db: usize, key: Key<'_>, bytes: &[u8], expiry: Option<i64>) {
        let Self { dbs, now_ms, expired, garbage, removals, events, policy, rng, .. } = self;
        let mut slot = match dbs[db].dict.entry(key.hash, key.bytes) {
            dict::Entry::Vacant(vacant) => {
                let value = string::new_value(bytes);
                let entry = Entry::new(key.bytes, value, policy.initial(), expiry);
                let _slot = vacant.insert(entry, mark_of(expiry));
                events.note(db, key.bytes, Event::NEW);
                return;
            }
            dict::Entry::Occupied(slot) => slot,
        };
        let mut access = policy.touched(slot.get().access(), policy.draw(rng));
        if slot.mark() == Mark::Set && slot.get().expiry().is_some_and(|at_ms| at_ms <= *now_ms) {
            *expired += 1;
            removals.expired(db, key.bytes);
            events.note(db, key.bytes, Event::EXPIRED);
            events.note(db, key.bytes, Event::NEW);
            access = policy.initial();
        }
        if slot.mark() == mark_of(expiry) {
            let mut entry = slot.get_mut();
            if string::overwrite(&mut entry, bytes) == Overwritten::Yes {
                entry.set_access(access);
                if let Some(at_ms) = expiry {
                    entry.move_expiry(at_ms);
                }
                return;
            }
        }
        let entry = Entry::new(key.bytes, string::new_value(bytes), access, expiry);
        let old = slot.replace(entry);
        slot.set_mark(mark_of(expiry));
        dbs[db].field_deadlines.leave(&old);
        discard(garbage, old, Free::Here);
        if !self.awaited.is_empty() {
            self.awaited.note(db, key.bytes);
        }
    }

    /// Gives an entry another expiry, Unix milliseconds, or none.
    pub fn set_expiry(slot: Slot<'_>, expiry: Option<i64>) {
        let mut slot = slot.update(|entry| entry.with_expiry(expiry));
        slot.set_mark(mark_of(expiry));
    }

    /// Takes a key out.
    pub fn take(&mut self, db: usize, key: Key<'_>) -> Option<Entry> {
        let entry = self.live(db, key)?.remove();
        self.dbs[db].field_deadlines.leave(&entry);
        if !self.awaited.is_empty() {
            self.awaited.note(db, key.bytes);
        }
        Some(entry)
    }

    /// Removes a key; true if it existed.
    pub fn remove(&mut self, db: usize, key: Key<'_>, free: Free) -> bool {
        match self.take(db, key) {
            Some(entry) => {
                self.discard(entry, free);
                true
            }
            None => false,
        }
    }

    /// Notes what a command did to a key, for whoever wants to hear of it.
    #[inline]
    pub fn note(&mut self, db: usize, key: Key<'_>, event: Event) {
        self.events.note(db, key.bytes, event);
    }

    /// Frees an entry, here or on the helper thread.
    pub fn discard(&mut self, entry: Entry, free: Free) {
        discard(&mut self.garbage, entry, free);
    }

    /// Frees a value, here or on the helper thread.
    pub fn discard_value(&mut self, value: Heap) {
        self.garbage.push(Garbage::Value(value));
    }

    /// Empties a database and returns how many keys it had.
    pub fn flush(&mut self, db: usize, free: Free) -> usize {
        if !self.watched.is_empty() {
            self.touch_all_watched(db, None);
        }
        let table = self.dbs[db].take();
        let len = table.len();
        self.awaited.note_all(db);
        match free {
            Free::Here if len > 0 => self.garbage.push(Garbage::Table(table)),
            Free::Here | Free::Blocking => drop(table),
        }
        len
    }

    /// Takes over the databases of another keyspace with the same secret and as many databases, in place
    /// of its own.
    pub fn adopt(&mut self, other: Self) {
        debug_assert_eq!(self.dbs.len(), other.dbs.len());
        for (db, theirs) in other.dbs.into_iter().enumerate() {
            self.flush(db, Free::Here);
            self.dbs[db] = theirs;
            self.awaited.note_all(db);
        }
    }

    /// Exchanges two databases.
    pub fn swap(&mut self, first: usize, second: usize) {
        if !self.watched.is_empty() {
            self.touch_all_watched(first, Some(second));
            self.touch_all_watched(second, Some(first));
        }
        self.dbs.swap(first, second);
        self.awaited.note_all(first);
        self.awaited.note_all(second);
    }

    /// A random key that has not expired. Where those that have are left, one of them after many tries.
    pub fn random_key(&mut self, db: usize) -> Option<Vec<u8>> {
        // With nearly all keys expired a try may fail many times; every failure removes a key, or counts.
        let mut tries = 0;
        loop {
            let Self { dbs, rng, .. } = self;
            let key = dbs[db].dict.random(rng)?.key().to_vec();
            let key_hash = self.key(&key);
            if tries == RANDOM_TRIES_MAX || self.peek(db, key_hash).is_some() {
                return Some(key);
            }
            tries += usize::from(self.keeps_expired);
        }
    }

    /// Whether [`Keyspace::take_garbage`] would give anything.
    #[inline]
    pub const fn has_garbage(&self) -> bool {
        !self.garbage.is_empty()
    }

    /// Takes what is to be freed on the helper thread.
    pub fn take_garbage(&mut self) -> Vec<Garbage> {
        std::mem::take(&mut self.garbage)
    }

    /// Keys that have an expiry, in all databases.
    pub fn volatile_len(&self) -> usize {
        self.dbs.iter().map(Db::volatile_len).sum()
    }

    /// A little upkeep of the tables, to be called regularly.
    pub fn maintain(&mut self) {
        for db in &mut self.dbs {
            db.maintain();
        }
    }
}

fn mark_of(expiry: Option<i64>) -> Mark {
    if expiry.is_some() { Mark::Set } else { Mark::Clear }
}

/// What happens to a key whose time has come.
struct Reaper<'a> {
    db: usize,
    now_ms: i64,
    expired: &'a mut u64,
    garbage: &'a mut Vec<Garbage>,
    removals: &'a mut Removals,
    events: &'a mut KeyEvents,
    awaited: &'a mut Awaited,
    /// Whether it is left where it is, though not given to whoever asks.
    keeps: bool,
}

#[inline]
fn live<'a>(db: &'a mut Db, key: Key<'_>, reaper: Reaper<'_>) -> Option<Slot<'a>> {
    let Db { dict, field_deadlines, .. } = db;
    let slot = dict.find_mut(key.hash, key.bytes)?;
    if slot.mark() == Mark::Set && slot.get().expiry().is_some_and(|at_ms| at_ms <= reaper.now_ms) {
        if reaper.keeps {
            return None;
        }
        *reaper.expired += 1;
        reaper.removals.expired(reaper.db, key.bytes);
        reaper.events.note(reaper.db, key.bytes, Event::EXPIRED);
        reaper.awaited.note(reaper.db, key.bytes);
        let entry = slot.remove();
        field_deadlines.leave(&entry);
        discard(reaper.garbage, entry, Free::Here);
        return None;
    }
    Some(slot)
}

#[inline]
fn touch(slot: &Slot<'_>, policy: AccessPolicy, rng: &mut Rng) {
    let entry = slot.get();
    let old = entry.access();
    let new = policy.touched(old, policy.draw(rng));
    if new != old {
        entry.set_access(new);
    }
}

fn discard(garbage: &mut Vec<Garbage>, entry: Entry, free: Free) {
    let elsewhere = match free {
        Free::Blocking => false,
        Free::Here => value::free_effort(&entry) > LAZY_FREE_EFFORT_MIN,
    };
    if elsewhere {
        garbage.push(Garbage::Entry(entry));
    }
}

const _: fn() = || {
    fn is_payload<P: Payload>() {}
    is_payload::<Heap>();
};

#[cfg(test)]
mod tests;
