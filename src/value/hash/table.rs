//! A hash as a table: for many fields, or long ones.
//!
//! Invariant: `deadlines` holds the expiry of each field that has one, with the hash of its name, and
//! nothing else. So the next field to expire is known, and those that have expired are found without
//! looking at the others. Two fields may share a deadline: names whose hashes are equal.

use super::deadlines::Deadlines;
use super::{NewValue, Scalar};
use crate::base::hash::HashKey;
use crate::base::rng::Rng;
use crate::ds::dict::field::FieldRef;
use crate::ds::dict::{Dict, Entry, Field, Iter, Loader, Mark, Ref};
use crate::ds::relocate::Relocator;
#[cfg(any(test, fuzzing))]
use std::collections::BTreeSet;

/// Random fields drawn before all are looked through for one that has not expired.
const DRAWS_MAX: usize = 100;

/// Fields by name, and by when they expire.
#[derive(Debug)]
pub struct Table {
    fields: Dict<Field>,
    deadlines: Deadlines,
}

/// Whether a change leaves a field's expiry as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldTtl {
    /// It goes: what HSET does.
    Clear,
    /// It stays: what HINCRBY does.
    Keep,
}

/// What setting a field did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The field is new.
    Added,
    /// It had a value before.
    Replaced,
}

/// Whether there was something to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// There was, and it is gone.
    Yes,
    /// There was not.
    No,
}

impl Table {
    /// A table without fields, which hashes names under `hash_key`.
    pub const fn new(hash_key: HashKey) -> Self {
        Self { fields: Dict::new(hash_key), deadlines: Deadlines::new() }
    }

    /// The fields by name, to be loaded ahead.
    pub fn names(&self) -> &dyn Loader {
        &self.fields
    }

    /// Fields, those included that have expired and were not removed yet.
    #[inline]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Fields that have not expired. O(1 + those that have expired since it was last asked for).
    pub fn live_len(&self, now_ms: i64) -> usize {
        self.fields.len() - self.deadlines.due(now_ms)
    }

    /// When the next field expires, Unix milliseconds. O(1).
    #[inline]
    pub fn next_expiry(&self) -> Option<i64> {
        self.deadlines.first().map(|(at_ms, _)| at_ms)
    }

    /// The field of this name. O(1).
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<FieldRef<'_>> {
        self.fields.find(self.fields.hash(name), name).map(|field| field.parts())
    }

    /// All fields.
    pub fn iter(&self) -> Iter<'_, Field> {
        self.fields.iter()
    }

    /// Moves what a bucket of the table has allocated; 0 starts, and 0 is the end. The deadlines stay
    /// where they are.
    pub fn relocate_bucket(&mut self, cursor: u64, to: &mut dyn Relocator) -> u64 {
        if cursor == 0 {
            self.fields.relocate_table(to);
        }
        self.fields.relocate_bucket(cursor, to, |field, to| field.relocate(to))
    }

    /// Calls `f` for some fields and returns where to go on, see [`Dict::scan`].
    pub fn scan<'a>(&'a self, cursor: u64, f: impl FnMut(Ref<'a, Field>)) -> u64 {
        self.fields.scan(cursor, f)
    }

    /// A random field that has not expired. O(1) expected, as long as few have expired.
    pub fn random(&self, rng: &mut Rng, now_ms: i64) -> Option<FieldRef<'_>> {
        let is_live = |field: &FieldRef<'_>| field.expiry.is_none_or(|at_ms| at_ms > now_ms);
        let all_live = self.next_expiry().is_none_or(|at_ms| at_ms > now_ms);
        for _ in 0..if all_live { 1 } else { DRAWS_MAX } {
            let field = self.fields.random(rng)?.parts();
            if all_live || is_live(&field) {
                return Some(field);
            }
        }
        let live = self.live_len(now_ms);
        let chosen = if live == 0 { 0 } else { rng.below_usize(live) };
        self.fields.iter().map(|field| field.parts()).filter(is_live).nth(chosen)
    }

    /// Gives a field a value. O(1).
    #[inline]
    pub fn set(&mut self, name: &[u8], value: NewValue<'_>, ttl: FieldTtl, now_ms: i64) -> Stored {
        let hash = self.fields.hash(name);
        let mut slot = match self.fields.entry(hash, name) {
            Entry::Vacant(vacant) => {
                let _slot = vacant.insert(Field::new(name, value, None), Mark::Clear);
                return Stored::Added;
            }
            Entry::Occupied(slot) => slot,
        };
        let expiry = slot.get().expiry();
        let mut field = slot.get_mut();
        field.set_value(value);
        let Some(at_ms) = expiry else { return Stored::Replaced };
        let was_live = at_ms > now_ms;
        if ttl == FieldTtl::Clear || !was_live {
            field.set_expiry(None);
            drop(field);
            self.forget_deadline(at_ms, hash);
        }
        if was_live { Stored::Replaced } else { Stored::Added }
    }

    /// Adds a field that is known not to exist.
    pub(super) fn add(&mut self, name: &[u8], value: NewValue<'_>, expiry: Option<i64>) {
        let hash = self.fields.hash(name);
        let _slot = self.fields.insert(hash, Field::new(name, value, expiry), Mark::Clear);
        if let Some(at_ms) = expiry {
            self.deadlines.insert(at_ms, hash);
        }
    }

    /// Takes a field out; whether there was one that had not expired. O(1), and O(log n) if it has an
    /// expiry.
    pub fn remove(&mut self, name: &[u8], now_ms: i64) -> Removed {
        let hash = self.fields.hash(name);
        let Some(field) = self.fields.remove(hash, name) else { return Removed::No };
        let Some(at_ms) = field.expiry() else { return Removed::Yes };
        self.forget_deadline(at_ms, hash);
        if at_ms > now_ms { Removed::Yes } else { Removed::No }
    }

    /// Gives a field another expiry, Unix milliseconds, or none; whether there is such a field.
    /// O(log n).
    pub fn set_expiry(&mut self, name: &[u8], expiry: Option<i64>) -> bool {
        let hash = self.fields.hash(name);
        let Some(mut slot) = self.fields.find_mut(hash, name) else { return false };
        let old = slot.get().expiry();
        slot.get_mut().set_expiry(expiry);
        if old == expiry {
            return true;
        }
        if let Some(at_ms) = old {
            self.forget_deadline(at_ms, hash);
        }
        if let Some(at_ms) = expiry {
            self.deadlines.insert(at_ms, hash);
        }
        true
    }

    /// Removes up to `max` fields that have expired; returns how many. O(removed log n).
    pub fn expire(&mut self, now_ms: i64, max: usize, mut gone: impl FnMut(&[u8])) -> usize {
        let mut removed = 0;
        while removed < max
            && let Some((at_ms, hash)) = self.deadlines.first()
            && at_ms <= now_ms
        {
            let due = self.fields.find_by_hash(hash, |field| field.expiry() == Some(at_ms));
            if let Some(slot) = due {
                gone(slot.remove().name());
                removed += 1;
            }
            self.forget_deadline(at_ms, hash);
        }
        removed
    }

    /// Forgets the deadline of a field that is gone or has another now, unless another field has it.
    fn forget_deadline(&mut self, at_ms: i64, hash: u64) {
        if self.fields.find_by_hash(hash, |field| field.expiry() == Some(at_ms)).is_none() {
            self.deadlines.remove(at_ms, hash);
        }
    }

    /// A table of equal fields.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let mut copy = Self { fields: self.fields.new_like(), deadlines: self.deadlines.clone() };
        for field in &self.fields {
            let hash = copy.fields.hash(field.name());
            let _slot = copy.fields.insert(hash, field.duplicate(), Mark::Clear);
        }
        copy
    }

    /// Bytes of memory, those of the fields estimated from `samples` of them.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        let samples = samples.clamp(1, self.len().max(1));
        let sampled: usize =
            self.fields.iter().take(samples).map(|field| field.memory_bytes()).sum();
        let fields = sampled * self.len() / samples;
        size_of::<Self>() + self.fields.memory_bytes() + self.deadlines.memory_bytes() + fields
    }

    /// Checks what the module promises.
    #[cfg(any(test, fuzzing))]
    pub(super) fn check_invariants(&self) {
        self.fields.check_invariants();
        let expected: BTreeSet<(i64, u64)> = self
            .fields
            .iter()
            .filter_map(|field| Some((field.expiry()?, self.fields.hash(field.name()))))
            .collect();
        assert_eq!(self.deadlines.tree(), &expected);
        self.fields.iter().for_each(|field| field.check_invariants());
    }
}

impl<'a> From<FieldRef<'a>> for Scalar<'a> {
    /// The field's value.
    #[inline]
    fn from(field: FieldRef<'a>) -> Self {
        match field.shared_value {
            Some(bytes) => Self::Shared(bytes),
            None => Self::Bytes(field.value),
        }
    }
}
