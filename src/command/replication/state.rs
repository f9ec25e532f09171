//! What a server knows of replication.

use super::Role;
use super::failover::Failover;
use super::transfer::Transfers;
use crate::base::num;
use crate::base::rng::Rng;
use crate::repl::{Backlog, Held, History, ReplId, Replicas};

/// Bytes of the stream that wait for more to be sent with: one write costs as much as executing dozens of
/// commands.
const GATHERED_BYTES_MAX: usize = 32 * 1024;
/// Turns that they wait at most. They wait for none when there is nothing else to do.
const GATHERED_TURNS_MAX: u32 = 8;

/// What was added to the stream and not written to replicas.
#[derive(Debug, Default)]
pub struct Unsent {
    bytes: usize,
    turns: u32,
    is_urgent: bool,
}

impl Unsent {
    /// Adds bytes.
    #[inline]
    pub(super) const fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Somebody waits for an answer to the last bytes.
    pub(super) const fn hurry(&mut self) {
        self.is_urgent = true;
    }

    /// Whether there is something.
    #[inline]
    pub const fn is_some(&self) -> bool {
        self.bytes > 0
    }

    /// Whether it is to be written in this turn, even if there is other work.
    pub const fn is_due(&mut self) -> bool {
        self.turns += 1;
        self.is_urgent || self.bytes >= GATHERED_BYTES_MAX || self.turns >= GATHERED_TURNS_MAX
    }

    /// It is being written.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Bytes of memory that the stream takes.
#[derive(Clone, Copy, Debug)]
pub struct StreamBytes {
    /// All of it.
    pub total: u64,
    /// What is above `repl-backlog-size` while there are replicas: they hold it up.
    pub held_up: u64,
}

impl StreamBytes {
    /// What is kept in any case.
    pub const fn kept(self) -> u64 {
        self.total - self.held_up
    }
}

/// The state of replication. The books are kept by `repl/`.
#[derive(Debug)]
pub struct Replication {
    /// Whether the server follows another one. Set by what follows primaries.
    pub role: Role,
    /// Whose stream it is, and how far.
    pub history: History,
    /// What of the stream is kept; `None` as long as nobody has asked for it.
    pub backlog: Option<Backlog>,
    /// Who follows.
    pub replicas: Replicas,
    /// Snapshots on their way to replicas.
    pub transfers: Transfers,
    /// Whether there is something to be done at the end of the turn.
    pub has_news: bool,
    /// Until when it is certain how many replicas have confirmed something lately, milliseconds of the rising
    /// clock.
    pub judged_until_ms: u64,
    /// Whether replicas are to be asked how far they are.
    pub asks: bool,
    /// Since when there is no replica, milliseconds of the rising clock.
    pub alone_since_ms: u64,
    /// When the work of each second was done last, by that clock, and how often it was.
    pub cared_at_ms: u64,
    /// See `cared_at_ms`.
    pub cared: u64,
    /// Replicas that were sent a snapshot, that went on without one, and that could not.
    pub full_syncs: u64,
    /// See `full_syncs`.
    pub partial_syncs: u64,
    /// See `full_syncs`.
    pub refused_syncs: u64,
    /// Whether a replica is to take over.
    pub failover: Failover,
    /// What is to be written to replicas.
    pub unsent: Unsent,
    /// Bytes sent to replicas.
    pub sent_bytes: u64,
}

impl Replication {
    /// A primary that nobody has followed so far.
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            role: Role::Primary,
            history: History::new(random_id(rng)),
            backlog: None,
            replicas: Replicas::default(),
            transfers: Transfers::default(),
            has_news: false,
            judged_until_ms: 0, // nobody has judged yet
            asks: false,
            alone_since_ms: 0,
            cared_at_ms: 0,
            cared: 0,
            full_syncs: 0,
            partial_syncs: 0,
            refused_syncs: 0,
            failover: Failover::default(),
            unsent: Unsent::default(),
            sent_bytes: 0,
        }
    }

    /// Bytes of memory that the stream takes above what is kept in any case: what replicas hold up.
    pub fn held_up_bytes(&self) -> usize {
        let Some(backlog) = &self.backlog else { return 0 };
        backlog.memory_bytes().saturating_sub(backlog.size())
    }

    /// Bytes of memory that the stream takes.
    pub fn stream_bytes(&self) -> StreamBytes {
        let total = self.backlog.as_ref().map_or(0, |backlog| backlog.memory_bytes());
        let held_up = if self.replicas.is_empty() { 0 } else { self.held_up_bytes() };
        StreamBytes { total: num::u64_of(total), held_up: num::u64_of(held_up) }
    }

    /// The blocks that hold what a replica is still to be sent; it shares them with others.
    pub fn held_for(&self, place: usize) -> Held {
        let next = self.replicas.get(place).and_then(|replica| replica.next);
        let held = next.zip(self.backlog.as_ref()).map(|(next, backlog)| backlog.held_from(next));
        held.unwrap_or_default()
    }

    /// Whether older bytes of the stream go to disk.
    #[inline]
    pub fn is_spilling(&self) -> bool {
        self.backlog.as_ref().is_some_and(|backlog| backlog.spill().is_some())
    }

    /// How many bytes of the stream from number `from` on are in memory and not on disk.
    pub fn held_up_from(&self, from: u64) -> u64 {
        self.backlog.as_ref().map_or(0, |backlog| backlog.unspilled_from(from))
    }

    /// How many such bytes a replica is still to be sent.
    pub fn held_up_by(&self, place: usize) -> u64 {
        let next = self.replicas.get(place).and_then(|replica| replica.next);
        next.map_or(0, |next| self.held_up_from(next))
    }
}

/// An id that nobody else has.
pub(super) fn random_id(rng: &mut Rng) -> ReplId {
    let mut bits = [0; ReplId::LEN / 2];
    for chunk in bits.chunks_mut(8) {
        chunk.copy_from_slice(&rng.next_u64().to_le_bytes()[..chunk.len()]);
    }
    ReplId::of_random(bits)
}
