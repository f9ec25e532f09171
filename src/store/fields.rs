//! Fields of hashes that expire.
//!
//! Each database has an index of the hashes with such fields, by when the next one expires. Invariant:
//! it holds the key of each of them with just that time, and nothing else. So a hash is known to be due
//! without looking at it, by whoever asks for it and by active expiry, and the index needs no help from
//! what moves keys about: whatever puts an entry into a database, or takes one out, tells it.

use super::{Db, Event, Free, Key, Keyspace, Scope, WrongType, discard};
use crate::ds::dict::Ref;
use crate::value::{Entry, Hash, HashRef};
use std::collections::BTreeSet;

/// Most fields of one table that are removed when somebody asks for it; readers do not see the others.
const FIELDS_PER_ACCESS: usize = 512;
/// Fields removed between two looks at the clock.
const FIELDS_PER_STEP: usize = 128;

/// When the next field of each hash in a database expires, Unix milliseconds, and the hash's key.
#[derive(Debug, Default)]
pub(super) struct FieldDeadlines(BTreeSet<(i64, Box<[u8]>)>);

impl FieldDeadlines {
    /// Hashes with fields that expire.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is a hash with a field that has expired.
    #[inline]
    fn is_due(&self, now_ms: i64) -> bool {
        self.0.first().is_some_and(|(at_ms, _)| *at_ms <= now_ms)
    }

    /// A hash with a field that has expired.
    fn first_due(&self, now_ms: i64) -> Option<&[u8]> {
        self.0.first().filter(|(at_ms, _)| *at_ms <= now_ms).map(|(_, key)| &**key)
    }

    /// Follows a hash's next expiry.
    #[inline]
    pub(super) fn change(&mut self, key: &[u8], before: Option<i64>, after: Option<i64>) {
        if before == after {
            return;
        }
        if let Some(at_ms) = before {
            self.0.remove(&(at_ms, Box::from(key)));
        }
        if let Some(at_ms) = after {
            self.0.insert((at_ms, Box::from(key)));
        }
    }

    /// Takes note of an entry that was put into the database.
    #[inline]
    pub(super) fn enter(&mut self, entry: &Entry) {
        self.change(entry.key(), None, next_expiry(entry));
    }

    /// Takes note of an entry that was taken out of the database.
    #[inline]
    pub(super) fn leave(&mut self, entry: &Entry) {
        self.change(entry.key(), next_expiry(entry), None);
    }
}

/// When the next field expires of what may be a hash.
#[inline]
pub(super) fn next_expiry(entry: &Entry) -> Option<i64> {
    HashRef::of(entry).and_then(HashRef::next_expiry)
}

impl Keyspace {
    /// The entry of a key that holds a hash, to read; [`HashRef::of`] gives the hash. Counts as
    /// [`Keyspace::read`] does. Fields that have expired are removed first, unless they are many.
    ///
    /// # Errors
    /// A value of another type.
    #[inline]
    pub fn read_hash(
        &mut self,
        scope: Scope,
        key: Key<'_>,
    ) -> Result<Option<Ref<'_, Entry>>, WrongType> {
        if !self.keeps_expired {
            self.expire_on_access(scope.db, key);
        }
        match self.read(scope, key) {
            Some(entry) if HashRef::of(&entry).is_some() => Ok(Some(entry)),
            Some(_) => Err(WrongType),
            None => Ok(None),
        }
    }

    /// Whether a key holds a hash. Counts as an access, not as a hit or a miss. Fields that have expired
    /// are removed first, unless they are many.
    ///
    /// # Errors
    /// A value of another type.
    pub fn has_hash(&mut self, scope: Scope, key: Key<'_>) -> Result<bool, WrongType> {
        self.expire_on_access(scope.db, key);
        match self.write(scope, key) {
            Some(slot) if HashRef::of(&slot.get()).is_some() => Ok(true),
            Some(_) => Err(WrongType),
            None => Ok(false),
        }
    }

    /// As [`Keyspace::change`], for a hash: removes fields that have expired first, unless they are
    /// many, and follows its next expiry.
    ///
    /// # Errors
    /// A value of another type.
    #[inline]
    pub fn change_hash<R>(
        &mut self,
        scope: Scope,
        key: Key<'_>,
        f: impl FnOnce(&mut Hash) -> R,
    ) -> Result<Option<R>, WrongType> {
        self.expire_on_access(scope.db, key);
        let (mut before, mut after) = (None, None);
        let result = self.change(scope, key, |hash: &mut Hash| {
            before = hash.as_ref().next_expiry();
            let result = f(hash);
            after = hash.as_ref().next_expiry();
            result
        })?;
        self.dbs[scope.db].field_deadlines.change(key.bytes, before, after);
        Ok(result)
    }

    /// As [`Keyspace::change_or_create`], for a hash, with what [`Keyspace::change_hash`] adds.
    ///
    /// # Errors
    /// A value of another type.
    #[inline]
    pub fn change_or_create_hash<R>(
        &mut self,
        scope: Scope,
        key: Key<'_>,
        f: impl FnOnce(&mut Hash) -> R,
    ) -> Result<R, WrongType> {
        self.expire_on_access(scope.db, key);
        let (mut before, mut after) = (None, None);
        let result = self.change_or_create(scope, key, Hash::new, |hash: &mut Hash| {
            before = hash.as_ref().next_expiry();
            let result = f(hash);
            after = hash.as_ref().next_expiry();
            result
        })?;
        // A new hash was noted when it was inserted; noting it twice changes nothing.
        self.dbs[scope.db].field_deadlines.change(key.bytes, before, after);
        Ok(result)
    }

    #[inline]
    fn expire_on_access(&mut self, db: usize, key: Key<'_>) {
        if self.dbs[db].field_deadlines.is_due(self.now_ms) {
            self.expire_fields_of(db, key, FIELDS_PER_ACCESS);
        }
    }

    /// Removes up to `max` fields that have expired from what may be a hash, and the key with the last.
    fn expire_fields_of(&mut self, db: usize, key: Key<'_>, max: usize) {
        let now_ms = self.now_ms;
        let is_logged = self.removals.is_wanted();
        let mut names: Vec<Box<[u8]>> = Vec::new();
        let Some(mut slot) = self.live(db, key) else { return };
        let before = next_expiry(&slot.get());
        if before.is_none_or(|at_ms| at_ms > now_ms) {
            return;
        }
        let (removed, after, is_empty) = {
            let mut entry = slot.get_mut();
            let mut payload = entry.payload_mut().expect("a hash has an allocation of its own");
            let hash = <Hash as crate::value::Collection>::of_mut(&mut payload)
                .expect("only hashes have fields that expire");
            let removed = hash.expire(now_ms, max, |name| {
                if is_logged {
                    names.push(name.into());
                }
            });
            (removed, hash.as_ref().next_expiry(), hash.as_ref().is_empty())
        };
        let emptied = is_empty.then(|| slot.remove());
        self.dbs[db].field_deadlines.change(key.bytes, before, after);
        self.expired_fields += crate::base::num::u64_of(removed);
        self.removals.expired_fields(db, key.bytes, names);
        self.events.note(db, key.bytes, Event::hash("hexpired"));
        if let Some(entry) = emptied {
            self.events.note(db, key.bytes, Event::DEL);
            discard(&mut self.garbage, entry, Free::Here);
        }
    }

    /// Removes expired fields until none is left or `out_of_time` says so; true in the latter case.
    pub fn expire_some_fields(&mut self, mut out_of_time: impl FnMut() -> bool) -> bool {
        for _ in 0..self.dbs.len() {
            let db = self.expire_fields_db % self.dbs.len();
            while let Some(due) = self.dbs[db].field_deadlines.first_due(self.now_ms) {
                let due = due.to_vec();
                self.expire_fields_of(db, self.key(&due), FIELDS_PER_STEP);
                if out_of_time() {
                    return true;
                }
            }
            self.expire_fields_db = (db + 1) % self.dbs.len();
        }
        false
    }

    /// Hashes with fields that expire, in all databases.
    pub fn field_volatile_len(&self) -> usize {
        self.dbs.iter().map(Db::field_volatile_len).sum()
    }

    /// Checks the promises of all databases.
    #[cfg(test)]
    pub(crate) fn check_field_deadlines(&self) {
        self.dbs.iter().for_each(Db::check_field_deadlines);
    }
}

#[cfg(any(test, fuzzing))]
impl Db {
    /// Checks what the module promises. O(n).
    pub(super) fn check_field_deadlines(&self) {
        let expected: BTreeSet<(i64, Box<[u8]>)> = self
            .iter()
            .filter_map(|entry| Some((next_expiry(&entry)?, Box::from(entry.key()))))
            .collect();
        assert_eq!(self.field_deadlines.0, expected);
    }
}
