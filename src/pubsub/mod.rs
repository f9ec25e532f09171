//! Publish and subscribe: who listens to which channel, and messages that are encoded once for all who
//! listen. No sockets, no clients: whoever listens is a place, and messages are handed to the caller.
//!
//! Invariant: a place is listed under a name in [`Hub`] if and only if the name is in the
//! [`Subscriptions`] of the client at that place.

mod message;

pub use message::Message;

use crate::base::glob::{self, Case};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A channel or a pattern, shared by all who name it.
type Name = Arc<[u8]>;

/// What a client can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A channel.
    Channel,
    /// All channels whose names match a pattern.
    Pattern,
    /// A channel that lives in one slot.
    Shard,
}

/// What one client subscribed to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    channels: BTreeSet<Name>,
    patterns: BTreeSet<Name>,
    shard_channels: BTreeSet<Name>,
}

impl Subscriptions {
    fn names(&self, kind: Kind) -> &BTreeSet<Name> {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shard_channels,
        }
    }

    fn names_mut(&mut self, kind: Kind) -> &mut BTreeSet<Name> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard_channels,
        }
    }

    /// How many of a kind.
    pub fn len(&self, kind: Kind) -> usize {
        self.names(kind).len()
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty()
    }

    /// The number that a reply about a subscription of this kind tells: shard channels are counted for
    /// themselves.
    pub fn told_count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel | Kind::Pattern => self.channels.len() + self.patterns.len(),
            Kind::Shard => self.shard_channels.len(),
        }
    }

    /// All names of a kind.
    pub fn all(&self, kind: Kind) -> Vec<Arc<[u8]>> {
        self.names(kind).iter().cloned().collect()
    }

    /// Bytes of memory, about.
    pub fn memory_bytes(&self) -> usize {
        let kinds = [&self.channels, &self.patterns, &self.shard_channels];
        let names = kinds.into_iter().flatten();
        size_of::<Self>() + names.map(|name| name.len() + 2 * size_of::<Name>()).sum::<usize>()
    }
}

/// The places of those who listen.
type Listeners = BTreeSet<usize>;

/// Who listens to what.
#[derive(Debug, Default)]
pub struct Hub {
    channels: HashMap<Name, Listeners>,
    patterns: BTreeMap<Name, Listeners>,
    shard_channels: HashMap<Name, Listeners>,
    /// Clients that listen to something.
    clients: usize,
}

impl Hub {
    /// How many clients listen to something.
    pub const fn clients(&self) -> usize {
        self.clients
    }

    /// Whether nobody listens to channels or patterns.
    #[inline]
    pub fn is_silent(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty()
    }

    /// Names of a kind that somebody listens to.
    pub fn len(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel => self.channels.len(),
            Kind::Pattern => self.patterns.len(),
            Kind::Shard => self.shard_channels.len(),
        }
    }

    /// Whether nobody listens to anything.
    pub fn is_empty(&self) -> bool {
        self.is_silent() && self.shard_channels.is_empty()
    }

    /// Lets a client listen; it may do so already.
    pub fn subscribe(&mut self, own: &mut Subscriptions, place: usize, kind: Kind, name: &[u8]) {
        if own.names(kind).contains(name) {
            return;
        }
        self.clients += usize::from(own.is_empty());
        let shared = match kind {
            Kind::Channel => self.channels.get_key_value(name).map(|(name, _)| name.clone()),
            Kind::Pattern => self.patterns.get_key_value(name).map(|(name, _)| name.clone()),
            Kind::Shard => self.shard_channels.get_key_value(name).map(|(name, _)| name.clone()),
        };
        let name: Name = shared.unwrap_or_else(|| name.into());
        own.names_mut(kind).insert(name.clone());
        let listeners = match kind {
            Kind::Channel => self.channels.entry(name).or_default(),
            Kind::Pattern => self.patterns.entry(name).or_default(),
            Kind::Shard => self.shard_channels.entry(name).or_default(),
        };
        listeners.insert(place);
    }

    /// Lets a client listen no longer, if it did.
    pub fn unsubscribe(&mut self, own: &mut Subscriptions, place: usize, kind: Kind, name: &[u8]) {
        if own.names_mut(kind).remove(name) {
            self.forget(place, kind, name);
            self.clients -= usize::from(own.is_empty());
        }
    }

    /// Lets a client listen to nothing.
    pub fn leave(&mut self, own: &Subscriptions, place: usize) {
        self.clients -= usize::from(!own.is_empty());
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in own.names(kind) {
                self.forget(place, kind, name);
            }
        }
    }

    fn forget(&mut self, place: usize, kind: Kind, name: &[u8]) {
        let gone = |listeners: &mut Listeners| {
            listeners.remove(&place);
            listeners.is_empty()
        };
        match kind {
            Kind::Channel => {
                if self.channels.get_mut(name).is_some_and(gone) {
                    self.channels.remove(name);
                }
            }
            Kind::Pattern => {
                if self.patterns.get_mut(name).is_some_and(gone) {
                    self.patterns.remove(name);
                }
            }
            Kind::Shard => {
                if self.shard_channels.get_mut(name).is_some_and(gone) {
                    self.shard_channels.remove(name);
                }
            }
        }
    }

    /// Hands a message to all who listen to a channel, by its name and by patterns; returns how many
    /// times it did. O(listeners + patterns).
    pub fn publish(
        &self,
        channel: &[u8],
        payload: &[u8],
        mut hand: impl FnMut(usize, &mut Message),
    ) -> usize {
        let mut receivers = 0;
        if let Some(listeners) = self.channels.get(channel) {
            let mut message = Message::new(&[b"message", channel, payload]);
            receivers += listeners.len();
            listeners.iter().for_each(|&place| hand(place, &mut message));
        }
        for (pattern, listeners) in &self.patterns {
            if glob::matches(pattern, channel, Case::Sensitive) {
                let mut message = Message::new(&[b"pmessage", pattern, channel, payload]);
                receivers += listeners.len();
                listeners.iter().for_each(|&place| hand(place, &mut message));
            }
        }
        receivers
    }

    /// As [`Hub::publish`], for a shard channel.
    pub fn publish_to_shard(
        &self,
        channel: &[u8],
        payload: &[u8],
        mut hand: impl FnMut(usize, &mut Message),
    ) -> usize {
        let Some(listeners) = self.shard_channels.get(channel) else { return 0 };
        let mut message = Message::new(&[b"smessage", channel, payload]);
        listeners.iter().for_each(|&place| hand(place, &mut message));
        listeners.len()
    }

    /// The names of channels or shard channels that somebody listens to; those that match, if there is a
    /// pattern.
    pub fn names<'a>(
        &'a self,
        kind: Kind,
        pattern: Option<&'a [u8]>,
    ) -> impl Iterator<Item = &'a [u8]> {
        let (hashed, sorted) = match kind {
            Kind::Channel => (Some(&self.channels), None),
            Kind::Shard => (Some(&self.shard_channels), None),
            Kind::Pattern => (None, Some(&self.patterns)),
        };
        let hashed = hashed.into_iter().flat_map(HashMap::keys);
        let sorted = sorted.into_iter().flat_map(BTreeMap::keys);
        let wanted = move |name: &&[u8]| {
            pattern.is_none_or(|pattern| glob::matches(pattern, name, Case::Sensitive))
        };
        hashed.chain(sorted).map(|name| &**name).filter(wanted)
    }

    /// How many listen to a name.
    pub fn listeners(&self, kind: Kind, name: &[u8]) -> usize {
        let found = match kind {
            Kind::Channel => self.channels.get(name),
            Kind::Pattern => self.patterns.get(name),
            Kind::Shard => self.shard_channels.get(name),
        };
        found.map_or(0, BTreeSet::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::Protocol;

    /// Whom a message on a channel reaches, and as what.
    fn reached(hub: &Hub, channel: &str) -> Vec<String> {
        let mut reached = Vec::new();
        let count = hub.publish(channel.as_bytes(), b"m", |place, message| {
            let bytes = message.bytes(Protocol::Resp3);
            let words: Vec<&str> =
                std::str::from_utf8(bytes).expect("text").split("\r\n").collect();
            let words: Vec<&str> = words.into_iter().skip(2).step_by(2).collect();
            reached.push(format!("{place} {}", words.join(" ")));
        });
        assert_eq!(count, reached.len());
        reached
    }

    #[test]
    fn messages_reach_who_listens() {
        let mut hub = Hub::default();
        let (mut first, mut second) = (Subscriptions::default(), Subscriptions::default());
        for _ in 0..2 {
            hub.subscribe(&mut first, 7, Kind::Channel, b"news");
            hub.subscribe(&mut first, 7, Kind::Pattern, b"n*");
            hub.subscribe(&mut second, 3, Kind::Channel, b"news");
            hub.subscribe(&mut second, 3, Kind::Shard, b"news");
        }
        assert_eq!(
            reached(&hub, "news"),
            ["3 message news m", "7 message news m", "7 pmessage n* news m"]
        );
        assert_eq!(reached(&hub, "new"), ["7 pmessage n* new m"]);
        assert_eq!(hub.publish_to_shard(b"news", b"m", |_, _| ()), 1);
        assert_eq!((first.told_count(Kind::Channel), second.told_count(Kind::Shard)), (2, 1));
        hub.unsubscribe(&mut first, 7, Kind::Channel, b"news");
        hub.unsubscribe(&mut first, 7, Kind::Channel, b"news");
        assert_eq!(hub.listeners(Kind::Channel, b"news"), 1);
        hub.leave(&second, 3);
        assert_eq!(hub.listeners(Kind::Channel, b"news"), 0);
        assert!(!hub.is_silent());
        hub.leave(&first, 7);
        assert!(hub.is_empty());
    }

    #[test]
    fn names_are_listed_by_pattern() {
        let mut hub = Hub::default();
        let mut own = Subscriptions::default();
        for name in ["a1", "a2", "b1"] {
            hub.subscribe(&mut own, 1, Kind::Channel, name.as_bytes());
        }
        let listed = |pattern: Option<&[u8]>| hub.names(Kind::Channel, pattern).count();
        assert_eq!((listed(None), listed(Some(b"a*")), listed(Some(b"c"))), (3, 2, 0));
        assert_eq!(hub.names(Kind::Shard, None).count(), 0);
    }
}
