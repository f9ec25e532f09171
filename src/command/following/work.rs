//! What a replica has in hand while it follows its primary.

use super::own_keys::OwnKeys;
use crate::base::num;
use crate::repl::link::{Handover, Link, Position};
use crate::resp::Assembly;
use crate::session::ClientId;
use std::collections::VecDeque;

/// Bytes of the stream that may wait to be executed before no more are read.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The link in use.
#[derive(Debug)]
pub(super) struct Connected {
    /// The client that its connection is.
    pub(super) client: ClientId,
    /// Its place.
    pub(super) place: usize,
    /// What is said on it.
    pub(super) link: Link,
}

/// Whether a connection is being made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Dialling {
    /// No.
    #[default]
    No,
    /// It is to be.
    Wanted,
    /// It is.
    UnderWay,
}

/// Where the snapshot that is being received goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Into the file of snapshots, which is loaded once it is complete.
    File,
    /// Into new databases, while the old ones are gone or not to be seen.
    Data,
    /// Into new databases, while the old ones are served.
    DataBeside,
}

/// A snapshot that is being received or loaded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    pub(super) target: Target,
    /// Whether its end was marked: then the primary waits to hear of us before it sends more.
    pub(super) is_marked: bool,
}

/// The stream of commands as it comes.
#[derive(Debug, Default)]
pub struct Inflow {
    /// What was received and is not part of the history yet.
    pub pending: Vec<u8>,
    /// How much of that was executed: the commands of a transaction count when it ends.
    pub executed: usize,
    /// What follows that, if it is a long command.
    pub assembly: Option<Box<Assembly>>,
}

impl Inflow {
    /// Whether more may be read.
    pub fn has_room(&self) -> bool {
        self.assembly.is_some() || self.pending.len() - self.executed < WAITING_BYTES_MAX
    }

    /// Whether there is something that may be executed when nothing is in the way.
    pub fn has_waiting(&self) -> bool {
        self.assembly.is_none() && self.pending.len() > self.executed
    }
}

/// Places of the log kept in mind at most: the oldest ones, and the last.
const PLACES_MAX: usize = 64;

/// How far the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogPlaces {
    /// The place behind all that was changed so far.
    pub(super) end: u64,
    /// The place up to which it is on disk.
    pub(super) synced: u64,
}

/// Up to where changes are on disk, as an offset of the stream.
#[derive(Debug, Default)]
pub(super) struct Synced {
    /// Places in the log that are not on disk, and the offsets that they stand for, in rising order.
    asked: VecDeque<(u64, u64)>,
    reached: u64,
    /// What the primary was last told of that.
    told: u64,
    /// Whether the primary has asked how far it is, and waits for what was not on disk then.
    is_owed: bool,
}

impl Synced {
    /// Follows the log, whose end has everything up to `offset`; up to which offset changes are on disk.
    pub(super) fn follow(&mut self, log: Option<LogPlaces>, offset: u64) -> Option<u64> {
        let Some(LogPlaces { end, synced }) = log else {
            *self = Self::default();
            return None;
        };
        while let Some(&(place, reached)) = self.asked.front()
            && place <= synced
        {
            self.reached = reached;
            self.asked.pop_front();
        }
        if end <= synced {
            self.reached = offset;
        } else if self.asked.back() != Some(&(end, offset)) {
            if self.asked.len() == PLACES_MAX {
                // What was asked about there is confirmed with the next that is on disk.
                self.asked.pop_back();
            }
            self.asked.push_back((end, offset));
        }
        Some(self.reached)
    }

    /// The primary was told how far it is: it is to hear of what is not on disk yet.
    pub(super) fn owe_rest(&mut self) {
        self.told = self.reached;
        self.is_owed = !self.asked.is_empty();
    }

    /// Whether something that the primary waits for has come to disk.
    pub(super) fn is_due(&self, log: Option<LogPlaces>) -> bool {
        let next = self.asked.front().map(|&(place, _)| place);
        let has_come = |log: LogPlaces| next.is_some_and(|place| place <= log.synced);
        self.is_owed && (self.reached > self.told || log.is_some_and(has_come))
    }

    /// Whether the primary waits for something.
    #[inline]
    pub(super) const fn is_owed(&self) -> bool {
        self.is_owed
    }
}

/// What a replica has in hand.
#[derive(Debug, Default)]
pub struct Work {
    pub(super) connected: Option<Connected>,
    pub(super) dialling: Dialling,
    /// Tells a connection that was asked for from one asked for before.
    pub(super) attempts: u64,
    /// When to connect again, milliseconds of the rising clock.
    pub(super) retry_ms: u64,
    /// The database that the stream has selected, if the primary can be asked to go on with it where the
    /// history ends.
    pub(super) resumable: Option<usize>,
    /// Where the stream begins behind the snapshot; `None` if the primary is too old to say.
    pub(super) begins: Option<Position>,
    /// Whether the primary is too old to be gone on with.
    pub(super) is_old: bool,
    pub(super) transfer: Option<Transfer>,
    /// The stream.
    pub inflow: Inflow,
    /// The database that the stream has selected where the history ends.
    pub stream_db: usize,
    pub(super) synced: Synced,
    pub(super) own_keys: OwnKeys,
    pub(super) handover: Handover,
}

impl Work {
    /// Bytes of memory it takes besides itself.
    pub fn memory_bytes(&self) -> usize {
        let assembly = self.inflow.assembly.as_ref().map_or(0, |assembly| assembly.memory_bytes());
        self.inflow.pending.capacity() + assembly
    }

    /// Whether there is a link.
    pub(super) const fn is_linked(&self) -> bool {
        self.connected.is_some()
    }

    /// Whether a client is the primary.
    pub(super) fn is_link(&self, client: ClientId) -> bool {
        self.connected.as_ref().is_some_and(|connected| connected.client == client)
    }

    /// Bytes received that are not part of the history yet.
    pub fn pending_bytes(&self) -> u64 {
        num::u64_of(self.inflow.pending.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn log(end: u64, synced: u64) -> Option<LogPlaces> {
        Some(LogPlaces { end, synced })
    }

    #[test]
    fn an_offset_is_on_disk_once_its_place_in_the_log_is() {
        let mut synced = Synced::default();
        assert_eq!(synced.follow(log(10, 10), 100), Some(100));
        assert_eq!(synced.follow(log(30, 10), 120), Some(100));
        synced.owe_rest();
        assert_eq!(synced.follow(log(50, 20), 140), Some(100));
        assert!(!synced.is_due(log(50, 20)) && synced.is_due(log(50, 30)));
        assert_eq!(synced.follow(log(70, 30), 160), Some(120));
        assert!(synced.is_due(log(70, 30)), "it was seen and not told");
        assert_eq!(synced.follow(log(70, 60), 160), Some(140));
        synced.owe_rest();
        assert!(!synced.is_due(log(90, 69)) && synced.is_due(log(90, 70)));
        assert_eq!(synced.follow(log(90, 70), 180), Some(160));
        // Bytes of the stream that are no changes need no disk.
        assert_eq!(synced.follow(log(90, 90), 200), Some(200));
        synced.owe_rest();
        assert!(!synced.is_owed());
        assert_eq!(synced.follow(None, 210), None);
        assert_eq!(synced.follow(log(95, 90), 220), Some(0));
    }

    #[test]
    fn of_many_places_the_oldest_and_the_last_are_kept() {
        let mut synced = Synced::default();
        for n in 1..1000 {
            assert_eq!(synced.follow(log(n, 0), n), Some(0));
            assert!(synced.asked.len() <= PLACES_MAX);
            assert_eq!(synced.asked.back(), Some(&(n, n)));
        }
        assert_eq!(synced.follow(log(1000, 500), 1000), Some(63));
        assert_eq!(synced.follow(log(1001, 999), 1001), Some(999));
        assert_eq!(synced.follow(log(1001, 1001), 1001), Some(1001));
    }
}
