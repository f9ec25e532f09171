//! Client-side caching: which clients are to be told when a key changes (CLIENT TRACKING).
//!
//! By default the server remembers for each key which clients have read it, and forgets that when it has
//! told them. In broadcasting mode it remembers nothing: clients name prefixes, and are told of every key
//! that begins with one of theirs.
//!
//! Invariant: a client is in `clients` from when its tracking is switched on until it is switched off or
//! the client leaves. Keys may name clients that have left, since that is found when they are told; their
//! numbers are never used again.

use super::ClientId;
use crate::base::hash::HashKey;
use crate::base::rng::Rng;
use crate::ds::dict::{self, Dict, Mark};
use crate::value::string::Str;
use crate::value::{Entry, NewValue};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Which of the keys that a client reads it is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All.
    All,
    /// Those of commands right behind CLIENT CACHING YES.
    OptIn,
    /// All but those of commands right behind CLIENT CACHING NO.
    OptOut,
    /// Not those that it reads, but all that begin with one of its prefixes.
    Broadcast,
}

/// Whether a client is told of keys that it has changed itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnChanges {
    /// It is.
    Told,
    /// It is not (NOLOOP).
    Kept,
}

/// Whether the next command's keys are an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// No.
    AsUsual,
    /// CLIENT CACHING has said so.
    Excepted,
}

/// A client that tracks keys.
#[derive(Clone, Debug)]
pub struct Tracker {
    /// Its place.
    pub place: usize,
    /// What it is told of.
    pub mode: Mode,
    /// Whether it is told of its own changes.
    pub own: OwnChanges,
    /// The client that is told in its stead.
    pub redirect: Option<ClientId>,
    /// Whether that client has left.
    pub is_broken: bool,
    /// CLIENT CACHING.
    pub caching: Caching,
    /// Its prefixes, if it is in broadcasting mode.
    pub prefixes: BTreeSet<Box<[u8]>>,
}

/// Bytes that a prefix takes, about, beside its name in two tables.
const PREFIX_BYTES: usize = 2 * size_of::<Box<[u8]>>() + size_of::<Prefix>() + 64;

/// The clients of one prefix, and what is to be broadcast to them.
#[derive(Debug, Default)]
struct Prefix {
    clients: BTreeSet<ClientId>,
    /// Keys that have changed in this turn, and the client that changed each last.
    changed: BTreeMap<Box<[u8]>, Option<ClientId>>,
}

/// Keys to tell a client of.
#[derive(Debug)]
pub struct Broadcast {
    /// The client.
    pub client: ClientId,
    /// The keys.
    pub keys: Vec<Box<[u8]>>,
}

/// All clients that track keys.
#[derive(Debug)]
pub struct Tracking {
    clients: HashMap<ClientId, Tracker>,
    /// For each key an integer: the number of the only client that has read it, or, negative, -1 less the
    /// place of several in `sets`.
    keys: Dict<Entry>,
    sets: Vec<BTreeSet<u64>>,
    free_sets: Vec<usize>,
    /// Clients of all keys together.
    items: usize,
    prefixes: BTreeMap<Box<[u8]>, Prefix>,
    /// Whether a prefix has keys that have changed.
    has_changed: bool,
}

impl Tracking {
    /// Nobody tracks anything. The secret is the one under which keys' hashes are made.
    pub fn new(hash_key: HashKey) -> Self {
        Self {
            clients: HashMap::new(),
            keys: Dict::new(hash_key),
            sets: Vec::new(),
            free_sets: Vec::new(),
            items: 0,
            prefixes: BTreeMap::new(),
            has_changed: false,
        }
    }

    /// Whether no client tracks keys.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// How many clients track keys.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// The numbers of all clients that track keys.
    pub fn clients(&self) -> Vec<ClientId> {
        let mut clients: Vec<ClientId> = self.clients.keys().copied().collect();
        clients.sort_unstable();
        clients
    }

    /// Keys that are remembered.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Clients that are remembered, for all keys together.
    pub const fn items(&self) -> usize {
        self.items
    }

    /// Prefixes that are tracked.
    pub fn prefixes(&self) -> usize {
        self.prefixes.len()
    }

    /// What a client tracks, if it does.
    pub fn get(&self, client: ClientId) -> Option<&Tracker> {
        self.clients.get(&client)
    }

    /// What a client tracks, if it does. Its prefixes are not to be changed.
    pub fn get_mut(&mut self, client: ClientId) -> Option<&mut Tracker> {
        self.clients.get_mut(&client)
    }

    /// Lets a client track keys, as it says now; prefixes it had before are kept. Bytes that its
    /// prefixes take, about.
    pub fn enable(&mut self, client: ClientId, mut tracker: Tracker) -> usize {
        for prefix in &tracker.prefixes {
            self.prefixes.entry(prefix.clone()).or_default().clients.insert(client);
        }
        if let Some(before) = self.clients.get_mut(&client) {
            tracker.prefixes.append(&mut before.prefixes);
        }
        let bytes = tracker.prefixes.iter().map(|name| PREFIX_BYTES + 2 * name.len()).sum();
        self.clients.insert(client, tracker);
        bytes
    }

    /// Lets a client track nothing.
    pub fn disable(&mut self, client: ClientId) {
        let Some(tracker) = self.clients.remove(&client) else { return };
        for name in &tracker.prefixes {
            let Some(prefix) = self.prefixes.get_mut(name) else { continue };
            prefix.clients.remove(&client);
            if prefix.clients.is_empty() {
                self.prefixes.remove(name);
            }
        }
        if self.clients.is_empty() {
            // Whoever the keys name tracks nothing any more.
            self.keys.clear();
            self.sets.clear();
            self.free_sets.clear();
            self.items = 0;
        }
    }

    /// Remembers that a client has read a key. O(1), and one lookup if it is known already.
    #[inline]
    pub fn remember(&mut self, client: ClientId, hash: u64, key: &[u8]) {
        let number = client.0.cast_signed();
        match self.keys.entry(hash, key) {
            dict::Entry::Vacant(vacant) => {
                let entry = Entry::new(key, NewValue::Integer(number), 0, None);
                let _slot = vacant.insert(entry, Mark::Clear);
                self.items += 1;
            }
            dict::Entry::Occupied(slot) => {
                let held = integer_of(&slot.get());
                if held != number {
                    self.remember_one_more(client, hash, key, held);
                }
            }
        }
    }

    /// As [`Tracking::remember`], of a key that others or several have read.
    fn remember_one_more(&mut self, client: ClientId, hash: u64, key: &[u8], held: i64) {
        if let Some(set) = set_place(held) {
            self.items += usize::from(self.sets[set].insert(client.0));
            return;
        }
        let both = BTreeSet::from([held.cast_unsigned(), client.0]);
        let place = match self.free_sets.pop() {
            Some(place) => {
                self.sets[place] = both;
                place
            }
            None => {
                self.sets.push(both);
                self.sets.len() - 1
            }
        };
        self.items += 1;
        if let Some(mut slot) = self.keys.find_mut(hash, key) {
            slot.get_mut().overwrite_integer(-1 - crate::base::num::i64_of(place));
        }
    }

    /// Takes the clients that have read a key, which is forgotten.
    pub fn take(&mut self, hash: u64, key: &[u8]) -> Vec<ClientId> {
        match self.keys.remove(hash, key) {
            Some(entry) => self.clients_of(&entry),
            None => Vec::new(),
        }
    }

    fn clients_of(&mut self, entry: &Entry) -> Vec<ClientId> {
        let held = integer_of(entry);
        let clients = match set_place(held) {
            None => vec![ClientId(held.cast_unsigned())],
            Some(place) => {
                self.free_sets.push(place);
                std::mem::take(&mut self.sets[place]).into_iter().map(ClientId).collect()
            }
        };
        self.items -= clients.len();
        clients
    }

    /// Takes the clients that have read some key, and the key; `None` if none is remembered.
    pub fn take_any(&mut self, rng: &mut Rng) -> Option<(Box<[u8]>, Vec<ClientId>)> {
        let entry = self.keys.random_mut(rng)?.remove();
        Some((entry.key().into(), self.clients_of(&entry)))
    }

    /// Forgets which clients have read which key.
    pub fn forget_keys(&mut self) {
        self.keys.clear();
        self.sets.clear();
        self.free_sets.clear();
        self.items = 0;
    }

    /// Notes that a key has changed, for who is told of prefixes. O(prefixes).
    pub fn note_change(&mut self, key: &[u8], by: Option<ClientId>) {
        for (name, prefix) in &mut self.prefixes {
            if key.starts_with(name) {
                prefix.changed.insert(key.into(), by);
                self.has_changed = true;
            }
        }
    }

    /// Whether there is something to broadcast.
    #[inline]
    pub const fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Takes what is to be broadcast: for each prefix whom to tell of which keys.
    pub fn take_broadcasts(&mut self) -> Vec<Broadcast> {
        let mut broadcasts = Vec::new();
        self.has_changed = false;
        for prefix in self.prefixes.values_mut().filter(|prefix| !prefix.changed.is_empty()) {
            let changed = std::mem::take(&mut prefix.changed);
            for &client in &prefix.clients {
                let own = self.clients.get(&client).map(|tracker| tracker.own);
                let is_told =
                    |by: &Option<ClientId>| own != Some(OwnChanges::Kept) || *by != Some(client);
                let told = changed.iter().filter(|(_, by)| is_told(by));
                let keys: Vec<Box<[u8]>> = told.map(|(key, _)| key.clone()).collect();
                if !keys.is_empty() {
                    broadcasts.push(Broadcast { client, keys });
                }
            }
        }
        broadcasts
    }
}

fn integer_of(entry: &Entry) -> i64 {
    match Str::of(entry) {
        Some(Str::Integer(number)) => number,
        Some(Str::Bytes(_)) | None => unreachable!("this table holds integers only"),
    }
}

/// The place of a set of clients, if that is what an integer names.
fn set_place(held: i64) -> Option<usize> {
    usize::try_from(-1 - held).ok().filter(|_| held < 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracker(prefixes: &[&str]) -> Tracker {
        Tracker {
            place: 0,
            mode: if prefixes.is_empty() { Mode::All } else { Mode::Broadcast },
            own: OwnChanges::Told,
            redirect: None,
            is_broken: false,
            caching: Caching::AsUsual,
            prefixes: prefixes.iter().map(|prefix| prefix.as_bytes().into()).collect(),
        }
    }

    fn remember(tracking: &mut Tracking, client: u64, key: &str) {
        let hash = tracking.keys.hash(key.as_bytes());
        tracking.remember(ClientId(client), hash, key.as_bytes());
    }

    fn take(tracking: &mut Tracking, key: &str) -> Vec<u64> {
        let hash = tracking.keys.hash(key.as_bytes());
        tracking.take(hash, key.as_bytes()).into_iter().map(|client| client.0).collect()
    }

    #[test]
    fn readers_of_a_key_are_told_once() {
        let mut tracking = Tracking::new(HashKey::new(1, 2));
        tracking.enable(ClientId(1), tracker(&[]));
        for _ in 0..2 {
            for (client, key) in [(1, "a"), (1, "b"), (2, "a"), (3, "a"), (2, "c"), (1, "c")] {
                remember(&mut tracking, client, key);
            }
        }
        assert_eq!((tracking.keys(), tracking.items()), (3, 6));
        assert_eq!(take(&mut tracking, "a"), [1, 2, 3]);
        assert_eq!(take(&mut tracking, "a"), [0; 0]);
        assert_eq!(take(&mut tracking, "b"), [1]);
        remember(&mut tracking, 9, "d");
        remember(&mut tracking, 8, "d");
        assert_eq!((take(&mut tracking, "d"), take(&mut tracking, "c")), (vec![8, 9], vec![1, 2]));
        assert_eq!((tracking.keys(), tracking.items()), (0, 0));
        assert!(tracking.take_any(&mut Rng::seeded(1)).is_none());
        remember(&mut tracking, 1, "e");
        let taken = tracking.take_any(&mut Rng::seeded(1)).expect("there is one");
        assert_eq!(taken, (Box::from(&b"e"[..]), vec![ClientId(1)]));
        remember(&mut tracking, 1, "e");
        tracking.disable(ClientId(1));
        assert_eq!((tracking.keys(), tracking.items(), tracking.len()), (0, 0, 0));
    }

    #[test]
    fn prefixes_gather_what_changes() {
        let mut tracking = Tracking::new(HashKey::new(1, 2));
        let kept = Tracker { own: OwnChanges::Kept, ..tracker(&["a", "b"]) };
        tracking.enable(ClientId(1), kept);
        tracking.enable(ClientId(2), tracker(&[""]));
        for (key, by) in [("a2", 1), ("a1", 3), ("b", 1), ("c", 1)] {
            tracking.note_change(key.as_bytes(), Some(ClientId(by)));
        }
        assert!(tracking.has_changed());
        let broadcasts = tracking.take_broadcasts();
        let told: Vec<String> = (broadcasts.iter())
            .map(|Broadcast { client, keys }| {
                format!("{} {}", client.0, keys.concat().escape_ascii())
            })
            .collect();
        assert_eq!(told, ["2 a1a2bc", "1 a1"]);
        assert!(!tracking.has_changed() && tracking.take_broadcasts().is_empty());
        tracking.disable(ClientId(2));
        assert_eq!(tracking.prefixes(), 2);
    }
}
