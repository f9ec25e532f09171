//! What was removed from the databases though no command asked for it: keys and fields of hashes whose
//! time had come, and keys that were evicted.
//!
//! The log is filled only while somebody wants it. Whoever does takes it often: after each command, and
//! after what the server does by itself.

use std::vec::Drain;

/// Why something is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its time had come.
    Expired,
    /// Memory was needed.
    Evicted,
}

/// What is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The key.
    Key,
    /// Fields of the hash at the key; the key with them, if they were its last.
    Fields(Vec<Box<[u8]>>),
}

/// Something that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// What of it.
    pub what: What,
    /// Why.
    pub why: Why,
}

/// The removals that nobody has taken yet, in order.
#[derive(Debug, Default)]
pub struct Removals {
    is_wanted: bool,
    log: Vec<Removed>,
}

impl Removals {
    /// Fills the log from now on.
    pub fn start(&mut self) {
        self.is_wanted = true;
    }

    /// Forgets what is in the log and fills it no more.
    pub fn stop(&mut self) {
        *self = Self::default();
    }

    /// Whether the log is filled.
    #[inline]
    pub const fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Whether there is nothing to take.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    /// Takes what was removed.
    pub fn take(&mut self) -> Drain<'_, Removed> {
        self.log.drain(..)
    }

    /// How many were not taken yet.
    pub const fn len(&self) -> usize {
        self.log.len()
    }

    /// Adds what was removed elsewhere, before anything that is removed from now on.
    pub fn append(&mut self, mut earlier: Self) {
        if self.is_wanted {
            self.log.append(&mut earlier.log);
        }
    }

    /// Notes that a key's time had come.
    #[inline]
    pub fn expired(&mut self, db: usize, key: &[u8]) {
        if self.is_wanted {
            self.log.push(Removed { db, key: key.into(), what: What::Key, why: Why::Expired });
        }
    }

    /// Notes that a key was evicted.
    pub(super) fn evicted(&mut self, db: usize, key: &[u8]) {
        if self.is_wanted {
            self.log.push(Removed { db, key: key.into(), what: What::Key, why: Why::Evicted });
        }
    }

    /// Notes that the time of fields had come.
    pub fn expired_fields(&mut self, db: usize, key: &[u8], fields: Vec<Box<[u8]>>) {
        if self.is_wanted && !fields.is_empty() {
            let what = What::Fields(fields);
            self.log.push(Removed { db, key: key.into(), what, why: Why::Expired });
        }
    }
}
