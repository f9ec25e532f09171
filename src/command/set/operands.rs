//! Several sets at once, and what becomes of a result.

use super::set_of;
use crate::command::{Context, Outcome};
use crate::ds::dict::Ref;
use crate::store::{Event, Free, KeepTtl, Key, Keyspace};
use crate::value::{Entry, Heap, NewValue, Set, SetRef};
use std::ops::Range;

/// The entries at some keys, `None` for each that does not exist. All others hold sets.
pub(super) struct Operands<'a>(Vec<Option<Ref<'a, Entry>>>);

impl<'a> Operands<'a> {
    /// The sets in the order of their keys.
    pub(super) fn sets(&self) -> impl Iterator<Item = Option<SetRef<'_>>> {
        self.0.iter().map(|entry| entry.as_deref().and_then(SetRef::of))
    }

    /// The entries at the keys, all of which [`check`] has seen in this turn.
    pub(super) fn find(keyspace: &'a Keyspace, db: usize, keys: &[Key<'_>]) -> Self {
        Self(keys.iter().map(|&key| keyspace.glimpse(db, key)).collect())
    }
}

/// The keys at these arguments, each read once.
///
/// # Errors
/// One of them holds another type than a set.
pub(super) fn check<'a>(
    ctx: &mut Context<'a>,
    places: Range<usize>,
) -> Result<Vec<Key<'a>>, crate::command::Error> {
    let scope = ctx.scope();
    let keys: Vec<Key<'a>> = places.map(|place| ctx.key(place)).collect();
    for &key in &keys {
        if let Some(entry) = ctx.server.keyspace.read(scope, key) {
            set_of(&entry)?;
        }
    }
    Ok(keys)
}

/// Stores a result at the key of argument 1, which is told as `event`, or removes that key if the result is empty; replies with
/// its length.
pub(super) fn store(ctx: &mut Context<'_>, result: Set, event: Event) -> Outcome {
    let (db, key) = (ctx.session.db, ctx.key(1));
    let keyspace = &mut ctx.server.keyspace;
    let len = result.view().len();
    if len == 0 {
        if keyspace.remove(db, key, Free::Here) {
            keyspace.dirty += 1;
            keyspace.note(db, key, Event::DEL);
        }
    } else {
        keyspace.set(db, key, NewValue::Payload(Heap::Set(result)), None, KeepTtl::No);
        keyspace.dirty += 1;
        keyspace.note(db, key, event);
    }
    ctx.session.output.count(len);
    Ok(())
}
