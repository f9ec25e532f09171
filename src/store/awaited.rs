//! Keys that clients wait for, first come, first served.

use std::collections::BTreeMap;

/// Clients that wait for a key.
#[derive(Debug, Default)]
struct Queue {
    /// Their numbers, in the order in which they came.
    clients: BTreeMap<u64, u64>,
    /// Whether the key is noted as ready.
    is_noted: bool,
}

/// Who waits for which key, and which of these keys may have become what they wait for.
#[derive(Debug, Default)]
pub struct Awaited {
    /// For each database that somebody waits in.
    queues: BTreeMap<usize, BTreeMap<Box<[u8]>, Queue>>,
    last_turn: u64,
    ready: Vec<(usize, Box<[u8]>)>,
}

impl Awaited {
    /// Whether nobody waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// How many keys somebody waits for.
    pub fn keys(&self) -> usize {
        self.queues.values().map(BTreeMap::len).sum()
    }

    /// Lets a client wait for keys of a database, behind all who wait already; returns its turn.
    pub fn add<'a>(&mut self, db: usize, keys: impl Iterator<Item = &'a [u8]>, client: u64) -> u64 {
        self.last_turn += 1;
        let queues = self.queues.entry(db).or_default();
        for key in keys {
            let queue = queues.entry(key.into()).or_default();
            queue.clients.insert(self.last_turn, client);
        }
        self.last_turn
    }

    /// Ends the waiting of the client with this turn for these keys.
    pub fn remove<'a>(&mut self, db: usize, keys: impl Iterator<Item = &'a [u8]>, turn: u64) {
        let Some(queues) = self.queues.get_mut(&db) else { return };
        for key in keys {
            // A key may be given twice.
            let Some(queue) = queues.get_mut(key) else { continue };
            queue.clients.remove(&turn);
            if queue.clients.is_empty() {
                queues.remove(key);
            }
        }
        if queues.is_empty() {
            self.queues.remove(&db);
        }
    }

    /// The client whose turn it is to be given this key, of those that came after `turn`.
    pub fn next_after(&self, db: usize, key: &[u8], turn: u64) -> Option<(u64, u64)> {
        let queue = self.queues.get(&db)?.get(key)?;
        queue.clients.range(turn + 1..).next().map(|(&turn, &client)| (turn, client))
    }

    /// Notes that a key was created, given more elements, removed or given another value.
    #[cold]
    pub fn note(&mut self, db: usize, key: &[u8]) {
        let queue = self.queues.get_mut(&db).and_then(|queues| queues.get_mut(key));
        if let Some(queue) = queue.filter(|queue| !queue.is_noted) {
            queue.is_noted = true;
            self.ready.push((db, key.into()));
        }
    }

    /// Notes all awaited keys of a database.
    pub fn note_all(&mut self, db: usize) {
        let Some(queues) = self.queues.get_mut(&db) else { return };
        for (key, queue) in queues.iter_mut().filter(|(_, queue)| !queue.is_noted) {
            queue.is_noted = true;
            self.ready.push((db, key.clone()));
        }
    }

    /// Whether keys were noted.
    #[inline]
    pub const fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes the keys that were noted, in the order in which they were.
    pub fn take_ready(&mut self) -> Vec<(usize, Box<[u8]>)> {
        let ready = std::mem::take(&mut self.ready);
        for (db, key) in &ready {
            if let Some(queue) = self.queues.get_mut(db).and_then(|queues| queues.get_mut(key)) {
                queue.is_noted = false;
            }
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(awaited: &mut Awaited) -> Vec<(usize, String)> {
        let text = |key: Box<[u8]>| String::from_utf8(key.into_vec()).expect("text");
        awaited.take_ready().into_iter().map(|(db, key)| (db, text(key))).collect()
    }

    #[test]
    fn who_came_first_is_first_for_every_key() {
        let mut awaited = Awaited::default();
        let first = awaited.add(0, [&b"a"[..], b"b", b"a"].into_iter(), 7);
        let second = awaited.add(0, [&b"b"[..]].into_iter(), 5);
        awaited.add(1, [&b"b"[..]].into_iter(), 9);
        assert_eq!(awaited.keys(), 3);
        assert_eq!(awaited.next_after(0, b"b", 0), Some((first, 7)));
        assert_eq!(awaited.next_after(0, b"b", first), Some((second, 5)));
        assert_eq!(awaited.next_after(0, b"b", second), None);
        assert_eq!(awaited.next_after(0, b"c", 0), None);
        awaited.remove(0, [&b"a"[..], b"b", b"a"].into_iter(), first);
        assert_eq!(awaited.next_after(0, b"a", 0), None);
        assert_eq!(awaited.next_after(0, b"b", 0), Some((second, 5)));
        awaited.remove(0, [&b"b"[..]].into_iter(), second);
        assert_eq!((awaited.keys(), awaited.is_empty()), (1, false));
    }

    #[test]
    fn only_awaited_keys_are_noted_and_each_once() {
        let mut awaited = Awaited::default();
        awaited.note(0, b"a");
        assert!(!awaited.has_ready());
        let turn = awaited.add(0, [&b"a"[..], b"b"].into_iter(), 1);
        for key in [&b"b"[..], b"a", b"b", b"x"] {
            awaited.note(0, key);
            awaited.note(1, key);
        }
        assert_eq!(ready(&mut awaited), [(0, "b".to_owned()), (0, "a".to_owned())]);
        assert!(!awaited.has_ready());
        awaited.note_all(0);
        awaited.note_all(1);
        assert_eq!(ready(&mut awaited), [(0, "a".to_owned()), (0, "b".to_owned())]);
        awaited.remove(0, [&b"a"[..], b"b"].into_iter(), turn);
        assert!(awaited.is_empty());
    }
}
