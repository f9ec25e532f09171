//! Changing lists, sets, hashes and sorted sets where they are. A key exists as long as its collection
//! has elements.

use super::{Free, Key, Keyspace, Scope, discard};
use crate::value::{Collection, NewValue};

/// The key holds a value of another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

impl Keyspace {
    /// Changes the collection at a key, if there is one, and removes the key if that leaves it empty.
    /// Counts as an access. The caller counts the change in `dirty`.
    ///
    /// # Errors
    /// A value of another type.
    #[inline]
    pub fn change<C: Collection, R>(
        &mut self,
        scope: Scope,
        key: Key<'_>,
        f: impl FnOnce(&mut C) -> R,
    ) -> Result<Option<R>, WrongType> {
        let Some(mut slot) = self.write(scope, key) else { return Ok(None) };
        let (result, is_empty) = {
            let mut entry = slot.get_mut();
            let mut payload = entry.payload_mut().ok_or(WrongType)?;
            let collection = C::of_mut(&mut payload).ok_or(WrongType)?;
            (f(collection), collection.is_empty())
        };
        if is_empty {
            let entry = slot.remove();
            self.events.note_emptied(scope.db, key.bytes);
            discard(&mut self.garbage, entry, Free::Here);
        }
        Ok(Some(result))
    }

    /// As [`Keyspace::change`]; a key that does not exist gets what `f` makes of `new()`, unless that is
    /// empty.
    ///
    /// # Errors
    /// A value of another type.
    #[inline]
    pub fn change_or_create<C: Collection, R>(
        &mut self,
        scope: Scope,
        key: Key<'_>,
        new: impl FnOnce() -> C,
        f: impl FnOnce(&mut C) -> R,
    ) -> Result<R, WrongType> {
        let mut f = Some(f);
        let mut call = |collection: &mut C| f.take().expect("called once")(collection);
        if let Some(result) = self.change(scope, key, &mut call)? {
            return Ok(result);
        }
        let mut collection = new();
        let result = call(&mut collection);
        if !collection.is_empty() {
            self.insert(scope.db, key, NewValue::Payload(collection.into_heap()), None);
        }
        Ok(result)
    }
}
