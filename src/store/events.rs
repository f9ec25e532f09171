//! What happens to keys, noted as it happens for whoever wants to hear of it: keyspace notifications,
//! WATCH, client-side caching.
//!
//! While nobody does, each event costs one test that never holds. While somebody does, the events of the
//! wanted kinds are kept in order, names and keys one behind the other in one buffer, until the command
//! is over and the server tells them.
//!
//! Invariant: a key that was removed because its last element went is told as `del` right behind the
//! event of the command that took the element.

use crate::config::Events as Classes;
use std::ops::Range;

/// Set in the kinds of an event after which a key's value or existence is not what it was.
const CHANGE: u32 = 1 << 16;

/// Room that is kept from command to command, bytes.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// Something that can happen to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    name: &'static str,
    kinds: u32,
}

impl Event {
    /// A key was deleted.
    pub const DEL: Self = Self::generic("del");
    /// A key's time had come.
    pub const EXPIRED: Self = Self::change(Classes::EXPIRED, "expired");
    /// A key had to make room.
    pub const EVICTED: Self = Self::change(Classes::EVICTED, "evicted");
    /// A key was looked up that is not there.
    pub const KEY_MISS: Self = Self::mere(Classes::KEY_MISS, "keymiss");
    /// A key was created.
    pub const NEW: Self = Self::mere(Classes::NEW, "new");
    /// A key was given a time to live.
    pub const EXPIRE: Self = Self::generic("expire");
    /// A key got a string.
    pub const SET: Self = Self::string("set");

    /// An event of a class after which the key is not what it was.
    pub const fn change(class: Classes, name: &'static str) -> Self {
        Self { name, kinds: widened(class) | CHANGE }
    }

    /// An event of a class that leaves the key as it is.
    pub const fn mere(class: Classes, name: &'static str) -> Self {
        Self { name, kinds: widened(class) }
    }

    /// A change by a command for keys of any type.
    pub const fn generic(name: &'static str) -> Self {
        Self::change(Classes::GENERIC, name)
    }

    /// A change by a command for strings.
    pub const fn string(name: &'static str) -> Self {
        Self::change(Classes::STRING, name)
    }

    /// A change by a command for lists.
    pub const fn list(name: &'static str) -> Self {
        Self::change(Classes::LIST, name)
    }

    /// A change by a command for sets.
    pub const fn set(name: &'static str) -> Self {
        Self::change(Classes::SET, name)
    }

    /// A change by a command for hashes.
    pub const fn hash(name: &'static str) -> Self {
        Self::change(Classes::HASH, name)
    }

    /// A change by a command for sorted sets.
    pub const fn sorted_set(name: &'static str) -> Self {
        Self::change(Classes::ZSET, name)
    }

    /// A change by a command for streams.
    pub const fn stream(name: &'static str) -> Self {
        Self::change(Classes::STREAM, name)
    }

    /// A change that no notification tells.
    pub const SILENT: Self = Self { name: "", kinds: CHANGE };

    /// Its name, as notifications tell it.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Whether the key is not what it was.
    pub const fn is_change(self) -> bool {
        self.kinds & CHANGE != 0
    }

    /// Whether it is of one of these classes.
    pub const fn is_of(self, classes: Classes) -> bool {
        self.kinds & widened(classes) & !CHANGE != 0
    }
}

/// A set of classes as kinds; the bits that name channels are no class.
const fn widened(classes: Classes) -> u32 {
    let [low, high] = classes.difference(Classes::CHANNELS).bits().to_le_bytes();
    u32::from_le_bytes([low, high, 0, 0])
}

/// One event that was noted.
#[derive(Clone, Debug)]
struct Noted {
    db: usize,
    event: Event,
    /// Where its key is in the bytes.
    key: Range<usize>,
}

/// Events in the order in which they happened.
#[derive(Debug, Default)]
pub struct Happened {
    noted: Vec<Noted>,
    keys: Vec<u8>,
}

impl Happened {
    /// The database, the key and the event.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[u8], Event)> {
        self.noted.iter().map(|noted| (noted.db, &self.keys[noted.key.clone()], noted.event))
    }

    fn push(&mut self, db: usize, key: &[u8], event: Event) {
        let start = self.keys.len();
        self.keys.extend_from_slice(key);
        self.noted.push(Noted { db, event, key: start..self.keys.len() });
    }
}

/// The events that nobody has taken yet.
#[derive(Debug, Default)]
pub struct KeyEvents {
    wanted: u32,
    happened: Happened,
    /// A key that lost its last element to the command under way, which has not told its event yet.
    emptied: Option<Noted>,
}

impl KeyEvents {
    /// Says which classes are notified of.
    pub fn want_classes(&mut self, classes: Classes) {
        let has_channel = classes.intersects(Classes::CHANNELS);
        self.wanted &= CHANGE;
        if has_channel {
            self.wanted |= widened(classes);
        }
    }

    /// Says that somebody wants to hear of every change, whatever its class.
    pub const fn want_changes(&mut self) {
        self.wanted |= CHANGE;
    }

    /// Ends [`KeyEvents::want_changes`].
    pub const fn want_no_changes(&mut self) {
        self.wanted &= !CHANGE;
    }

    /// Whether any kind of event is wanted.
    #[inline]
    pub const fn wanted(&self) -> bool {
        self.wanted != 0
    }

    /// Whether there is nothing to take.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.happened.noted.is_empty() && self.emptied.is_none()
    }

    /// Notes an event if somebody wants to hear of it.
    #[inline]
    pub fn note(&mut self, db: usize, key: &[u8], event: Event) {
        if self.wanted & event.kinds != 0 {
            self.push(db, key, event);
        } else if self.wanted != 0 && self.emptied.is_some() {
            self.tell_emptied(db, key);
        }
    }

    #[cold]
    fn push(&mut self, db: usize, key: &[u8], event: Event) {
        self.happened.push(db, key, event);
        self.tell_emptied(db, key);
    }

    /// Tells that a key is gone that its command has now told of.
    #[cold]
    fn tell_emptied(&mut self, db: usize, key: &[u8]) {
        let keys = &self.happened.keys;
        let is_it = |noted: &mut Noted| noted.db == db && keys[noted.key.clone()] == *key;
        if let Some(noted) = self.emptied.take_if(is_it) {
            self.happened.noted.push(noted);
        }
    }

    /// Notes that a key was removed since its last element went; told behind the command's own event.
    #[inline]
    pub(super) fn note_emptied(&mut self, db: usize, key: &[u8]) {
        if self.wanted & Event::DEL.kinds != 0 {
            self.settle();
            let start = self.happened.keys.len();
            self.happened.keys.extend_from_slice(key);
            let key = start..self.happened.keys.len();
            self.emptied = Some(Noted { db, event: Event::DEL, key });
        }
    }

    /// Tells what waits for a command's event that has not come.
    fn settle(&mut self) {
        if let Some(noted) = self.emptied.take() {
            self.happened.noted.push(noted);
        }
    }

    /// Takes what has happened; to be given back with [`KeyEvents::give_back`].
    pub fn take(&mut self) -> Happened {
        self.settle();
        std::mem::take(&mut self.happened)
    }

    /// Takes back the allocations of what was told, unless they are large.
    pub fn give_back(&mut self, mut happened: Happened) {
        if self.happened.noted.is_empty() && happened.keys.capacity() <= KEPT_BYTES_MAX {
            happened.noted.clear();
            happened.keys.clear();
            self.happened = happened;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(events: &mut KeyEvents) -> Vec<String> {
        let happened = events.take();
        let text = |(db, key, event): (usize, &[u8], Event)| {
            format!("{db} {} {}", key.escape_ascii(), event.name())
        };
        let told = happened.iter().map(text).collect();
        events.give_back(happened);
        told
    }

    #[test]
    fn only_wanted_kinds_are_noted() {
        let mut events = KeyEvents::default();
        assert!(!events.wanted());
        events.note(0, b"k", Event::SET);
        assert!(events.is_empty());
        events.want_classes(Classes::STRING);
        assert!(!events.wanted(), "there is no channel to tell it on");
        events.want_classes(Classes::STRING | Classes::KEYEVENT);
        events.note(0, b"k", Event::SET);
        events.note(0, b"k", Event::DEL);
        events.note(1, b"", Event::SET);
        assert_eq!(told(&mut events), ["0 k set", "1  set"]);
        events.want_classes(Classes::empty());
        events.want_changes();
        events.note(0, b"k", Event::NEW);
        events.note(0, b"k", Event::SILENT);
        assert_eq!(told(&mut events), ["0 k "]);
        events.want_no_changes();
        assert!(!events.wanted());
    }

    #[test]
    fn an_emptied_key_is_told_behind_its_command() {
        let mut events = KeyEvents::default();
        events.want_classes(Classes::all());
        events.note_emptied(0, b"k");
        events.note(0, b"other", Event::NEW);
        events.note(0, b"k", Event::list("lpop"));
        assert_eq!(told(&mut events), ["0 other new", "0 k lpop", "0 k del"]);
        events.note_emptied(0, b"k");
        assert!(!events.is_empty());
        assert_eq!(told(&mut events), ["0 k del"]);
        events.want_classes(Classes::KEYSPACE | Classes::GENERIC);
        events.note_emptied(0, b"k");
        events.note(0, b"k", Event::list("lpop"));
        events.note(0, b"k", Event::generic("restore"));
        assert_eq!(told(&mut events), ["0 k del", "0 k restore"]);
    }

    #[test]
    fn classes_are_told_apart() {
        assert!(Event::SET.is_of(Classes::STRING) && !Event::SET.is_of(Classes::GENERIC));
        assert!(Event::SET.is_change() && !Event::NEW.is_change() && !Event::KEY_MISS.is_change());
        assert!(!Event::SILENT.is_of(Classes::all()));
    }
}
