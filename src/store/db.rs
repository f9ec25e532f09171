//! One database.

use super::fields::FieldDeadlines;
use crate::base::hash::HashKey;
use crate::ds::dict::{Dict, Ref, Stats};
use crate::value::Entry;

/// Buckets merged in one round of upkeep.
const MAINTAIN_BUCKETS: usize = 1024;

/// One database: keys with their values, those with an expiry marked.
#[derive(Debug)]
pub struct Db {
    pub(super) dict: Dict<Entry>,
    /// The hashes with fields that expire.
    pub(super) field_deadlines: FieldDeadlines,
    /// Where active expiry goes on.
    pub(super) expire_cursor: usize,
    /// Where the search for keys to evict goes on.
    pub(super) evict_cursor: usize,
    /// Running mean of the time keys have left, milliseconds, for INFO.
    pub(super) mean_ttl_ms: i64,
}

impl Db {
    pub(super) fn new(hash_key: HashKey) -> Self {
        Self {
            dict: Dict::new(hash_key),
            field_deadlines: FieldDeadlines::default(),
            expire_cursor: 0,
            evict_cursor: 0,
            mean_ttl_ms: 0,
        }
    }

    /// Keys, those included that have expired and were not noticed yet.
    pub fn len(&self) -> usize {
        self.dict.len()
    }

    /// Whether it has no keys.
    pub fn is_empty(&self) -> bool {
        self.dict.is_empty()
    }

    /// Keys that have an expiry.
    pub fn volatile_len(&self) -> usize {
        self.dict.marked_len()
    }

    /// Hashes with fields that expire.
    pub fn field_volatile_len(&self) -> usize {
        self.field_deadlines.len()
    }

    /// Mean time the keys that expire have left, milliseconds, by sampling.
    pub const fn mean_ttl_ms(&self) -> i64 {
        self.mean_ttl_ms
    }

    /// Calls `f` for some entries and returns where to go on; 0 starts and ends. Every key that is
    /// there from the first call to the last is given at least once, whatever happens in between.
    pub fn scan<'a>(&'a self, cursor: u64, f: impl FnMut(Ref<'a, Entry>)) -> u64 {
        self.dict.scan(cursor, f)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = Ref<'_, Entry>> {
        self.dict.iter()
    }

    /// Bytes of the table, entries not included.
    pub fn table_bytes(&self) -> usize {
        self.dict.memory_bytes()
    }

    /// The table's shape.
    pub fn table_stats(&self) -> Stats {
        self.dict.stats()
    }

    /// Leaves the database empty and returns its table. O(1).
    pub(super) fn take(&mut self) -> Dict<Entry> {
        self.expire_cursor = 0;
        self.evict_cursor = 0;
        self.field_deadlines = FieldDeadlines::default();
        self.mean_ttl_ms = 0;
        self.dict.take()
    }

    /// Checks what the module promises. O(n).
    #[cfg(any(test, fuzzing))]
    pub fn check_invariants(&self) {
        self.dict.check_invariants();
        let volatile = self.dict.iter().filter(|entry| entry.expiry().is_some()).count();
        assert_eq!(volatile, self.dict.marked_len());
        self.dict.scan_marked(0, usize::MAX, |entry| assert!(entry.expiry().is_some()));
        self.check_field_deadlines();
    }

    pub(super) fn maintain(&mut self) {
        self.dict.maintain(MAINTAIN_BUCKETS);
    }
}
