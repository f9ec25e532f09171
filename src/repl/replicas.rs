//! Who follows this server, and how far each is.
//!
//! A replica is known by its place in the table of clients. It is sent a snapshot first, unless it goes on
//! where it was, and then the stream from the byte behind what the snapshot holds. Meanwhile that byte and all
//! after it are kept: [`Replicas::needed`].

use bitflags::bitflags;

/// By how much a replica's confirmation may be late before the replica counts as silent, milliseconds.
const LATE_MS: u64 = 500;

bitflags! {
    /// What a replica has said that it understands.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Capabilities: u8 {
        /// A snapshot whose length is not known ahead, ended by a mark.
        const EOF = 1 << 0;
        /// An id with the answer to PSYNC.
        const PSYNC2 = 1 << 1;
        /// It wants a snapshot and nothing after it.
        const SNAPSHOT_ONLY = 1 << 2;
        /// It wants no keys in it.
        const NO_KEYS = 1 << 3;
        /// It wants no functions in it.
        const NO_FUNCTIONS = 1 << 4;
    }
}

impl Capabilities {
    /// What makes one snapshot another than the next.
    const SNAPSHOT: Self =
        Self::EOF.union(Self::SNAPSHOT_ONLY).union(Self::NO_KEYS).union(Self::NO_FUNCTIONS);

    /// Whether a snapshot made for `other` is as good for it.
    pub const fn takes_snapshot_for(self, other: Self) -> bool {
        self.intersection(Self::SNAPSHOT).bits() == other.intersection(Self::SNAPSHOT).bits()
    }
}

/// What a client says about itself before it asks to follow.
#[derive(Clone, Debug, Default)]
pub struct Announcement {
    /// What it understands.
    pub capabilities: Capabilities,
    /// The address that it wants to be known by; empty for the one it comes from.
    pub address: Box<[u8]>,
    /// The port where it listens; 0 if it has not said.
    pub port: u16,
}

/// How far a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits for a snapshot to be begun.
    WaitsForStart,
    /// It waits for the snapshot that is being made for it, or gets it as it is made.
    WaitsForEnd,
    /// It is sent a snapshot.
    Receives,
    /// It is sent the stream as it comes.
    Online,
}

impl Stage {
    /// As INFO says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WaitsForStart | Self::WaitsForEnd => "wait_bgsave",
            Self::Receives => "send_bulk",
            Self::Online => "online",
        }
    }
}

/// One replica.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Its place in the table of clients.
    pub place: usize,
    /// How far it is.
    pub stage: Stage,
    /// What it has said about itself.
    pub announced: Announcement,
    /// Whether it asked with SYNC, and is told neither id nor offset.
    pub is_old: bool,
    /// When it asked to follow, milliseconds of the rising clock.
    pub asked_at_ms: u64,
    /// When it last took a part of a snapshot, Unix seconds.
    pub took_at_s: i64,
    /// The first byte of the stream that is still to be sent to it, once it is certain where it begins.
    pub next: Option<u64>,
    /// How far it has confirmed, and how far what it has on disk.
    pub acknowledged: u64,
    /// See `acknowledged`.
    pub on_disk: u64,
    /// When it confirmed last, milliseconds of the rising clock; 0 if it never has.
    pub acknowledged_at_ms: u64,
    /// Whether it counts as online only once it has confirmed what was sent: it was sent a snapshot whose end it
    /// has to find by itself.
    pub starts_with_ack: bool,
}

impl Replica {
    /// One that has just asked to follow.
    pub const fn new(place: usize, announced: Announcement) -> Self {
        Self {
            place,
            stage: Stage::WaitsForStart,
            announced,
            is_old: false,
            asked_at_ms: 0,
            took_at_s: 0,
            next: None,
            acknowledged: 0,
            on_disk: 0,
            acknowledged_at_ms: 0,
            starts_with_ack: false,
        }
    }

    /// Whether it follows the stream.
    pub fn is_online(&self) -> bool {
        self.stage == Stage::Online
    }

    /// The first byte of the stream that it is to be sent now, if it is one to be sent any.
    pub fn wants_from(&self) -> Option<u64> {
        let is_ready = self.is_online() && !self.starts_with_ack;
        if is_ready { self.next } else { None }
    }

    /// Whether the snapshot made for another one is as good for it.
    pub const fn takes_snapshot_of(&self, other: &Self) -> bool {
        self.announced.capabilities.takes_snapshot_for(other.announced.capabilities)
    }

    /// Seconds since it last confirmed.
    pub const fn lag_s(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.acknowledged_at_ms) / 1000
    }

    /// Until when it counts as one that has confirmed something within the last `lag_s` seconds, milliseconds
    /// of the rising clock. Replicas confirm each second, and may be half a second late.
    pub fn good_until_ms(&self, lag_s: u64) -> u64 {
        self.acknowledged_at_ms.saturating_add(lag_s.saturating_mul(1000)).saturating_add(LATE_MS)
    }
}

/// All replicas.
#[derive(Debug, Default)]
pub struct Replicas {
    list: Vec<Replica>,
}

impl Replicas {
    /// Adds one.
    pub fn add(&mut self, replica: Replica) {
        self.list.push(replica);
    }

    /// Removes the one at a place of the table of clients.
    pub fn remove(&mut self, place: usize) -> Option<Replica> {
        let at = self.list.iter().position(|replica| replica.place == place)?;
        Some(self.list.remove(at))
    }

    /// The one at a place.
    pub fn get(&self, place: usize) -> Option<&Replica> {
        self.list.iter().find(|replica| replica.place == place)
    }

    /// See [`Replicas::get`].
    pub fn get_mut(&mut self, place: usize) -> Option<&mut Replica> {
        self.list.iter_mut().find(|replica| replica.place == place)
    }

    /// In the order in which they came.
    pub fn iter(&self) -> std::slice::Iter<'_, Replica> {
        self.list.iter()
    }

    /// See [`Replicas::iter`].
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Replica> {
        self.list.iter_mut()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The first byte of the stream that one of them is still to be sent; `None` if there is none.
    pub fn needed(&self) -> Option<u64> {
        self.list.iter().filter_map(|replica| replica.next).min()
    }

    /// How many have confirmed the stream up to an offset.
    pub fn acknowledged(&self, offset: u64) -> usize {
        self.online().filter(|replica| replica.acknowledged >= offset).count()
    }

    /// How many have it on disk up to an offset.
    pub fn on_disk(&self, offset: u64) -> usize {
        self.online().filter(|replica| replica.on_disk >= offset).count()
    }

    /// How many have confirmed something within the last `lag_s` seconds, and when one of them will not have,
    /// milliseconds of the rising clock.
    pub fn good(&self, now_ms: u64, lag_s: u64) -> (usize, u64) {
        let ends = self.online().map(|replica| replica.good_until_ms(lag_s));
        ends.filter(|&until_ms| now_ms < until_ms)
            .fold((0, u64::MAX), |(count, first_ms), until_ms| (count + 1, first_ms.min(until_ms)))
    }

    fn online(&self) -> impl Iterator<Item = &Replica> {
        self.list.iter().filter(|replica| replica.is_online())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(place: usize, next: Option<u64>, acknowledged: u64, at_s: u64) -> Replica {
        let mut replica = Replica::new(place, Announcement::default());
        replica.stage = if next.is_some() { Stage::Online } else { Stage::WaitsForStart };
        (replica.next, replica.acknowledged, replica.acknowledged_at_ms) =
            (next, acknowledged, at_s * 1000);
        replica
    }

    #[test]
    fn the_slowest_says_what_is_needed() {
        let mut replicas = Replicas::default();
        assert_eq!(replicas.needed(), None);
        replicas.add(replica(4, Some(100), 90, 10));
        replicas.add(replica(9, Some(70), 60, 5));
        replicas.add(replica(2, None, 0, 0));
        assert_eq!((replicas.len(), replicas.needed()), (3, Some(70)));
        assert_eq!((replicas.acknowledged(60), replicas.acknowledged(61)), (2, 1));
        assert_eq!(replicas.good(12_000, 2), (1, 12_500));
        assert_eq!(replicas.good(12_499, 7), (2, 12_500));
        assert_eq!(replicas.good(12_500, 2), (0, u64::MAX));
        assert_eq!((replicas.list[0].lag_s(12_999), replicas.list[0].lag_s(13_000)), (2, 3));
        assert_eq!(replicas.remove(9).map(|gone| gone.acknowledged), Some(60));
        assert_eq!((replicas.needed(), replicas.remove(9).is_none()), (Some(100), true));
    }

    #[test]
    fn a_snapshot_is_shared_by_those_who_want_the_same() {
        let plain = Capabilities::PSYNC2.union(Capabilities::EOF);
        assert!(Capabilities::EOF.takes_snapshot_for(plain));
        assert!(!Capabilities::empty().takes_snapshot_for(plain));
        assert!(!plain.takes_snapshot_for(plain.union(Capabilities::NO_KEYS)));
    }
}
