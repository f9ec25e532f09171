//! What all clients take together, and who of them takes most.
//!
//! Clients are sorted into classes by the power of two below what they take, so that an entry moves
//! rarely; within a class the oldest comes first. Kept only while there is a limit for all of them.
//!
//! Invariant: `total_bytes` is the sum of the `counted` bytes of all clients; a client is in
//! `evictable` with its `class` if it has one.

use super::{ClientId, Session, SessionFlags};
use crate::base::num;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Clients that take less than two to this are of one class, the least.
const CLASS_MIN: u32 = 15;

/// What a client was found to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    bytes: usize,
    /// Its class, if it may be evicted.
    class: Option<u32>,
    /// Since which start this holds.
    epoch: u64,
}

/// The sums.
#[derive(Debug, Default)]
pub struct Ledger {
    is_kept: bool,
    epoch: u64,
    total_bytes: u64,
    evictable: BTreeSet<(u32, Reverse<ClientId>)>,
}

impl Ledger {
    /// Begins with no client counted. All are to be counted then.
    pub fn start(&mut self) {
        *self = Self { is_kept: true, epoch: self.epoch + 1, ..Self::default() };
    }

    /// Counts no longer.
    pub fn stop(&mut self) {
        *self = Self { epoch: self.epoch + 1, ..Self::default() };
    }

    /// Whether clients are counted.
    #[inline]
    pub const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Bytes that all clients take.
    #[inline]
    pub const fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Counts what a client takes now.
    pub fn note(&mut self, session: &mut Session) {
        let is_link = session.flags.intersects(SessionFlags::REPLICA | SessionFlags::PRIMARY);
        // What is said between servers is bounded in other ways.
        let bytes = if is_link { 0 } else { session.claimed_bytes() };
        let before = self.counted(session);
        self.total_bytes = self.total_bytes - num::u64_of(before.bytes) + num::u64_of(bytes);
        let may_go = !is_link && !session.flags.contains(SessionFlags::NO_EVICT);
        let class = may_go.then(|| bytes.checked_ilog2().unwrap_or(0).max(CLASS_MIN));
        if class != before.class {
            self.move_client(session.id, before.class, class);
        }
        session.counted = Counted { bytes, class, epoch: self.epoch };
    }

    /// Counts a client no more.
    pub fn forget(&mut self, session: &mut Session) {
        let before = self.counted(session);
        self.total_bytes -= num::u64_of(before.bytes);
        self.move_client(session.id, before.class, None);
        session.counted = Counted::default();
    }

    fn counted(&self, session: &Session) -> Counted {
        if session.counted.epoch == self.epoch { session.counted } else { Counted::default() }
    }

    fn move_client(&mut self, id: ClientId, from: Option<u32>, to: Option<u32>) {
        if let Some(class) = from {
            self.evictable.remove(&(class, Reverse(id)));
        }
        if let Some(class) = to {
            self.evictable.insert((class, Reverse(id)));
        }
    }

    /// The client to be evicted next: the oldest of those that take most.
    pub fn largest(&self) -> Option<ClientId> {
        self.evictable.last().map(|&(_, Reverse(id))| id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Endpoint;
    use super::*;

    fn session(id: u64, extra_bytes: usize) -> Session {
        let end = Endpoint::Unix("/tmp/s".into());
        let mut session =
            Session::new(ClientId(id), end.clone(), end, 3, 0, &crate::acl::testing::anyone());
        session.tail = Vec::with_capacity(extra_bytes);
        session
    }

    #[test]
    fn the_oldest_of_the_largest_goes_first() {
        let mut ledger = Ledger::default();
        ledger.start();
        let mut sessions: Vec<Session> =
            [(1, 10), (2, 300_000), (3, 400_000), (4, 100_000), (5, 20)]
                .map(|(id, bytes)| session(id, bytes))
                .into();
        sessions[2].flags.insert(SessionFlags::NO_EVICT);
        for session in &mut sessions {
            ledger.note(session);
        }
        let sum: usize = sessions.iter().map(Session::memory_bytes).sum();
        assert_eq!(ledger.total_bytes(), num::u64_of(sum));
        sessions[2].flags.insert(SessionFlags::REPLICA);
        ledger.note(&mut sessions[2]);
        let replica = num::u64_of(sessions[2].memory_bytes());
        assert_eq!(ledger.total_bytes(), num::u64_of(sum) - replica, "replicas do not count");
        sessions[2].flags.remove(SessionFlags::REPLICA);
        ledger.note(&mut sessions[2]);
        let mut order = Vec::new();
        while let Some(ClientId(id)) = ledger.largest() {
            order.push(id);
            let session = sessions.iter_mut().find(|session| session.id.0 == id);
            ledger.forget(session.expect("one of them"));
        }
        assert_eq!(order, [2, 4, 1, 5]);
        assert_eq!(ledger.total_bytes(), num::u64_of(sessions[2].memory_bytes()));
        sessions[2].flags.remove(SessionFlags::NO_EVICT);
        ledger.note(&mut sessions[2]);
        assert_eq!(ledger.largest(), Some(ClientId(3)));
        ledger.forget(&mut sessions[2]);
        ledger.forget(&mut sessions[2]);
        ledger.note(&mut sessions[1]);
        ledger.stop();
        ledger.start();
        assert_eq!((ledger.total_bytes(), ledger.largest()), (0, None));
        ledger.note(&mut sessions[1]);
        assert_eq!(ledger.total_bytes(), num::u64_of(sessions[1].memory_bytes()));
    }
}
