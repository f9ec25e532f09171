//! Keys that clients watch (WATCH), and which of these clients have seen one of theirs change.
//!
//! Invariant: a client is in `keys` under a key if and only if the key is in `clients` under the client;
//! a client that is stale watches nothing.

use super::{Event, Key, Keyspace};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// A key of a database.
type Place = (usize, Arc<[u8]>);

/// Bytes that a watched key takes, about, beside its name: its places in three tables.
const PLACE_BYTES: usize = 2 * size_of::<Place>() + 144;

/// The keys that clients watch, by their numbers.
#[derive(Debug, Default)]
pub struct Watched {
    /// For each key who watches it, and whether its time had come already when that began.
    keys: HashMap<Place, BTreeMap<u64, Was>>,
    clients: HashMap<u64, Vec<Place>>,
    /// Clients that watched a key that has changed.
    stale: HashSet<u64>,
}

/// What a key was when a client began to watch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Was {
    /// There with time left, or not there.
    Plain,
    /// There still, but its time had come: for clients it was not there, and that it goes is no change.
    Expired,
}

/// What becomes of a watched key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is not what it was.
    Changed,
    /// It is gone: no change for whoever found its time come.
    Gone,
    /// Another is in its place whose time has come: no change for whoever found its time come.
    StillExpired,
    /// Where none was there is one whose time has come, so that for clients it is not there.
    NowExpired,
}

impl Watched {
    /// Whether nobody watches anything.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Keys that somebody watches.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Clients that watch a key.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// How many keys a client watches.
    pub fn watched_by(&self, client: u64) -> usize {
        self.clients.get(&client).map_or(0, Vec::len)
    }

    /// Whether a key that a client watched has changed.
    pub fn is_stale(&self, client: u64) -> bool {
        self.stale.contains(&client)
    }

    /// Lets a client watch a key, unless it does. Bytes that this takes, about.
    pub(super) fn add(&mut self, client: u64, db: usize, key: &[u8], was: Was) -> usize {
        let place: Place = (db, key.into());
        let watchers = self.keys.entry(place.clone()).or_default();
        if let std::collections::btree_map::Entry::Vacant(vacant) = watchers.entry(client) {
            vacant.insert(was);
            self.clients.entry(client).or_default().push(place);
            return PLACE_BYTES + key.len();
        }
        0
    }

    /// Lets a client watch nothing, and forgets what has changed.
    pub fn remove(&mut self, client: u64) {
        self.stale.remove(&client);
        self.leave(client);
    }

    fn leave(&mut self, client: u64) {
        for place in self.clients.remove(&client).unwrap_or_default() {
            let Some(watchers) = self.keys.get_mut(&place) else { continue };
            watchers.remove(&client);
            if watchers.is_empty() {
                self.keys.remove(&place);
            }
        }
    }

    /// Notes what has become of a key.
    pub(super) fn touch(&mut self, db: usize, key: &[u8], fate: Fate) {
        let Some(watchers) = self.keys.get_mut(&(db, Arc::from(key))) else { return };
        let mut stale = Vec::new();
        for (&client, was) in watchers {
            match (fate, *was) {
                (Fate::Gone, Was::Expired) => *was = Was::Plain,
                (Fate::NowExpired, Was::Plain | Was::Expired) => *was = Was::Expired,
                (Fate::StillExpired, Was::Expired) => {}
                (Fate::Changed, Was::Plain | Was::Expired)
                | (Fate::Gone | Fate::StillExpired, Was::Plain) => stale.push(client),
            }
        }
        for client in stale {
            self.leave(client);
            self.stale.insert(client);
        }
    }

    /// The keys of a database that are watched.
    pub(super) fn of_db(&self, db: usize) -> Vec<Arc<[u8]>> {
        let keys = self.keys.keys().filter(|(of, _)| *of == db);
        keys.map(|(_, key)| key.clone()).collect()
    }

    /// The keys that a client watches and whose time had not come when it began to.
    pub(super) fn plain_of(&self, client: u64) -> impl Iterator<Item = (usize, &[u8])> {
        let places = self.clients.get(&client).into_iter().flatten();
        let is_plain = move |place: &&Place| {
            let was = self.keys.get(place).and_then(|watchers| watchers.get(&client));
            was == Some(&Was::Plain)
        };
        places.filter(is_plain).map(|(db, key)| (*db, &**key))
    }
}

impl Keyspace {
    /// The keys that clients watch.
    pub const fn watched(&self) -> &Watched {
        &self.watched
    }

    /// Lets a client watch a key. Bytes that this takes, about: none if it does already.
    pub fn watch(&mut self, client: u64, db: usize, key: Key<'_>) -> usize {
        let found = self.dbs[db].dict.find(key.hash, key.bytes);
        let has_expired = found.is_some_and(|entry| !self.is_live(&entry));
        let was = if has_expired { Was::Expired } else { Was::Plain };
        self.watched.add(client, db, key.bytes, was)
    }

    /// Lets a client watch nothing.
    pub fn unwatch(&mut self, client: u64) {
        self.watched.remove(client);
    }

    /// Whether a key that a client watches has changed, or its time has come since.
    pub fn is_stale(&self, client: u64) -> bool {
        let has_expired = |(db, key): (usize, &[u8])| {
            let found = self.dbs[db].dict.find(self.hash_key.hash(key), key);
            found.is_some_and(|entry| !self.is_live(&entry))
        };
        self.watched.is_stale(client) || self.watched.plain_of(client).any(has_expired)
    }

    /// Notes for who watches it that something happened to a key.
    pub fn touch_watched(&mut self, db: usize, key: &[u8], event: Event) {
        if event.is_change() {
            let fate = if event == Event::EXPIRED { Fate::Gone } else { Fate::Changed };
            self.watched.touch(db, key, fate);
        }
    }

    /// Notes for who watches them that the keys of a database go, and those of another take their place,
    /// if there is one. To be called before they do.
    #[cold]
    pub(super) fn touch_all_watched(&mut self, db: usize, successor: Option<usize>) {
        for key in self.watched.of_db(db) {
            let hash = self.hash_key.hash(&key);
            let existed = self.dbs[db].dict.find(hash, &key).is_some();
            let next = successor.and_then(|next| self.dbs[next].dict.find(hash, &key));
            let fate = match next.map(|entry| self.is_live(&entry)) {
                None => existed.then_some(Fate::Gone),
                Some(true) => Some(Fate::Changed),
                Some(false) if existed => Some(Fate::StillExpired),
                Some(false) => Some(Fate::NowExpired),
            };
            if let Some(fate) = fate {
                self.watched.touch(db, &key, fate);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_watches_a_key_that_changes_is_stale() {
        let mut watched = Watched::default();
        for (client, key) in [(1, "a"), (1, "b"), (1, "a"), (2, "b"), (3, "a")] {
            watched.add(client, 0, key.as_bytes(), Was::Plain);
        }
        assert_eq!((watched.keys(), watched.clients(), watched.watched_by(1)), (2, 3, 2));
        watched.touch(1, b"b", Fate::Changed);
        watched.touch(0, b"c", Fate::Changed);
        assert!(!watched.is_stale(1));
        watched.touch(0, b"b", Fate::Changed);
        assert!(watched.is_stale(1) && watched.is_stale(2) && !watched.is_stale(3));
        assert_eq!((watched.keys(), watched.clients(), watched.watched_by(1)), (1, 1, 0));
        watched.remove(1);
        watched.remove(3);
        assert!(watched.is_empty() && !watched.is_stale(1) && watched.is_stale(2));
    }

    #[test]
    fn that_an_expired_key_goes_is_no_change() {
        let mut watched = Watched::default();
        watched.add(1, 0, b"a", Was::Expired);
        watched.add(2, 0, b"a", Was::Plain);
        assert_eq!(watched.plain_of(1).count(), 0);
        watched.touch(0, b"a", Fate::Gone);
        assert!(!watched.is_stale(1) && watched.is_stale(2));
        assert_eq!(watched.plain_of(1).count(), 1);
        watched.touch(0, b"a", Fate::Changed);
        assert!(watched.is_stale(1));
    }
}
