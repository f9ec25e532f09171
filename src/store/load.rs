//! Filling databases from files.

use super::{Free, Key, Keyspace, mark_of};
use crate::ds::dict;
use crate::value::Entry;

impl Keyspace {
    /// Makes a database ready for so many keys.
    pub fn reserve(&mut self, db: usize, keys: usize) {
        let table = &mut self.dbs[db].dict;
        table.reserve(table.len().saturating_add(keys));
    }

    /// Adds an entry under its own key, of this hash; gives it back if the database has that key.
    ///
    /// # Errors
    /// The entry.
    #[inline]
    pub fn add_loaded(&mut self, db: usize, hash: u64, entry: Entry) -> Result<(), Entry> {
        let database = &mut self.dbs[db];
        let dict::Entry::Vacant(vacant) = database.dict.entry(hash, entry.key()) else {
            return Err(entry);
        };
        let mark = mark_of(entry.expiry());
        let slot = vacant.insert(entry, mark);
        database.field_deadlines.enter(&slot.get());
        Ok(())
    }

    /// Adds an entry under its own key, of this hash, in place of what the database has there.
    pub fn replace_loaded(&mut self, db: usize, hash: u64, entry: Entry) {
        let bytes = entry.key().to_vec();
        self.put(db, Key { bytes: &bytes, hash }, entry, Free::Here);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::HashKey;
    use crate::base::rng::Rng;
    use crate::value::NewValue;

    #[test]
    fn a_key_is_added_once() {
        let mut keyspace = Keyspace::new(1, HashKey::new(1, 2), Rng::seeded(3));
        keyspace.reserve(0, 1000);
        let entry = |value| Entry::new(b"k", NewValue::Integer(value), 0, Some(9));
        let hash = keyspace.key(b"k").hash;
        assert!(keyspace.add_loaded(0, hash, entry(1)).is_ok());
        let again = keyspace.add_loaded(0, hash, entry(2)).expect_err("it is there");
        keyspace.replace_loaded(0, hash, again);
        assert_eq!((keyspace.db(0).len(), keyspace.volatile_len()), (1, 1));
        let key = keyspace.key(b"k");
        let value = crate::value::Str::of(&keyspace.peek(0, key).expect("it is there"))
            .and_then(crate::value::Str::integer);
        assert_eq!(value, Some(2));
    }
}
