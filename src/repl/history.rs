//! Whose stream of changes the data are the sum of, and how far.
//!
//! The stream is one row of bytes; an offset is the number of bytes up to and with the last one, so that
//! whoever has the offset `n` asks for byte `n + 1` next. A server that is promoted goes on with an id of
//! its own from where it is, and remembers the id before and how far that held: replicas that knew the old
//! id go on with it, unless they have more of it.

use super::id::ReplId;
use crate::base::num;

/// A history that this one has grown out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Second {
    /// Its id.
    pub id: ReplId,
    /// The first byte that may be another one there: whoever asks for a later one has a past of his own.
    pub until: u64,
}

/// Ids and the offset.
#[derive(Clone, Debug)]
pub struct History {
    id: ReplId,
    offset: u64,
    second: Option<Second>,
}

impl History {
    /// A history that begins now.
    pub const fn new(id: ReplId) -> Self {
        Self { id, offset: 0, second: None }
    }

    /// Its id.
    pub const fn id(&self) -> &ReplId {
        &self.id
    }

    /// How many bytes it has.
    #[inline]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The history before it, if that is still good for something.
    pub const fn second(&self) -> Option<&Second> {
        self.second.as_ref()
    }

    /// Adds bytes to the stream, which are given to the backlog at the same time.
    #[inline]
    pub const fn advance(&mut self, bytes: usize) {
        self.offset += num::u64_of(bytes);
    }

    /// Whether somebody who knows this id shares all before byte `from`, the first that he wants. Whether that
    /// byte and those behind it are still at hand, the backlog says.
    pub fn holds(&self, id: &[u8], from: u64) -> bool {
        if id == self.id.bytes() {
            return true;
        }
        self.second.is_some_and(|second| id == second.id.bytes() && from <= second.until)
    }

    /// Goes on from here under another id: the server was promoted, or its primary was. The id so far becomes
    /// the second.
    pub const fn shift(&mut self, id: ReplId) {
        self.second = Some(Second { id: self.id, until: self.offset + 1 });
        self.id = id;
    }

    /// Goes on from here under an id of which nobody knows a past: what replicas had is not the past of these
    /// data, or nothing of the stream was kept.
    pub const fn restart(&mut self, id: ReplId) {
        (self.id, self.second) = (id, None);
    }

    /// Takes over the data of another server: a full synchronisation.
    pub const fn adopt(&mut self, id: ReplId, offset: u64) {
        *self = Self { id, offset, second: None };
    }

    /// The data were loaded from a snapshot that says whose they are: replicas of that history may go on with
    /// this server, whose own id stays.
    pub const fn resume(&mut self, id: ReplId, offset: u64) {
        self.second = Some(Second { id, until: offset + 1 });
        self.offset += offset;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: u8) -> ReplId {
        ReplId::of_random([digit; 20])
    }

    #[test]
    fn a_promoted_server_knows_its_past() {
        let mut history = History::new(id(1));
        history.advance(100);
        history.shift(id(2));
        history.advance(50);
        assert_eq!((history.id(), history.offset()), (&id(2), 150));
        // Who has all 100 bytes of the old history asks for byte 101, and may go on; who has more may not.
        assert!(history.holds(id(1).bytes(), 101) && history.holds(id(1).bytes(), 1));
        assert!(!history.holds(id(1).bytes(), 102));
        assert!(history.holds(id(2).bytes(), 151));
        assert!(!history.holds(id(3).bytes(), 1) && !history.holds(b"?", 0));
    }

    #[test]
    fn only_the_last_past_counts() {
        let mut history = History::new(id(1));
        history.shift(id(2));
        history.shift(id(3));
        assert!(!history.holds(id(1).bytes(), 1) && history.holds(id(2).bytes(), 1));
        history.restart(id(4));
        assert!(!history.holds(id(3).bytes(), 1) && history.second().is_none());
    }

    #[test]
    fn another_servers_data_bring_its_history() {
        let mut history = History::new(id(1));
        history.shift(id(2));
        history.adopt(id(5), 1000);
        assert_eq!((history.id(), history.offset(), history.second()), (&id(5), 1000, None));
    }

    #[test]
    fn a_snapshot_from_disk_is_a_past() {
        let mut history = History::new(id(1));
        history.advance(7); // what had expired meanwhile
        history.resume(id(2), 1000);
        assert_eq!(history.offset(), 1007);
        assert!(history.holds(id(2).bytes(), 1001) && !history.holds(id(2).bytes(), 1002));
        assert_eq!(history.id(), &id(1));
    }
}
