//! Entries on their way into a database, in small groups.
//!
//! The place where a key goes is known as soon as the key is, and is not in the cache. So its bucket is
//! loaded while the next keys are read, and the entry is put there when a group is complete.

use crate::base::num;
use crate::persist::Progress;
use crate::persist::rdb::error::Reason;
use crate::store::Keyspace;
use crate::value::Entry;

/// Entries of a group: more than memory needs time for, and few enough that all stay in the cache.
const GROUP: usize = 16;

/// What becomes of a key that the database has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// It is an error.
    Refuse,
    /// The one that was read takes its place.
    Replace,
}

/// Entries with the hashes of their keys.
#[derive(Debug)]
pub(super) struct Pending {
    db: usize,
    entries: Vec<(u64, Entry)>,
    duplicates: Duplicates,
    /// How many entries were added.
    added: u64,
}

/// A key that is there twice.
#[derive(Debug)]
pub(super) struct Duplicate {
    pub(super) key: Vec<u8>,
    pub(super) reason: Reason,
}

impl Pending {
    pub(super) fn new(duplicates: Duplicates) -> Self {
        Self { db: 0, entries: Vec::with_capacity(GROUP), duplicates, added: 0 }
    }

    /// How many entries were added so far.
    pub(super) const fn added(&self) -> u64 {
        self.added
    }

    /// The database that entries go to.
    pub(super) const fn db(&self) -> usize {
        self.db
    }

    /// Changes the database that entries go to.
    pub(super) fn select(
        &mut self,
        db: usize,
        keyspace: &mut Keyspace,
        progress: &Progress,
    ) -> Result<(), Duplicate> {
        self.flush(keyspace, progress)?;
        self.db = db;
        Ok(())
    }

    /// Adds an entry whose key has this hash.
    #[inline]
    pub(super) fn push(
        &mut self,
        hash: u64,
        entry: Entry,
        keyspace: &mut Keyspace,
        progress: &Progress,
    ) -> Result<(), Duplicate> {
        keyspace.prefetch_bucket(self.db, hash);
        self.entries.push((hash, entry));
        if self.entries.len() == GROUP { self.flush(keyspace, progress) } else { Ok(()) }
    }

    /// Puts all entries into the database.
    pub(super) fn flush(
        &mut self,
        keyspace: &mut Keyspace,
        progress: &Progress,
    ) -> Result<(), Duplicate> {
        let count = num::u64_of(self.entries.len());
        for (hash, entry) in self.entries.drain(..) {
            let Err(entry) = keyspace.add_loaded(self.db, hash, entry) else { continue };
            match self.duplicates {
                Duplicates::Refuse => {
                    let reason = Reason::DuplicateKey { db: self.db };
                    return Err(Duplicate { key: entry.key().to_vec(), reason });
                }
                Duplicates::Replace => keyspace.replace_loaded(self.db, hash, entry),
            }
        }
        self.added += count;
        progress.add_keys(count);
        Ok(())
    }
}
