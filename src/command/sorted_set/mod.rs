//! Commands on sorted sets, and what they share.

mod add;
mod algebra;
mod bounds;
mod count;
mod lookup;
mod pop;
mod random;
mod range;
mod remove;
mod reply;
mod scan;

use super::{Command, Context, Error, Server};
use crate::store::{Event, Free, KeepTtl};
use crate::value::sorted_set::Limits;
use crate::value::{Collection, Entry, NewValue, SortedSet, SortedSetRef};
use std::ops::Deref;

/// The family.
pub static COMMANDS: &[&Command] = &[
    &add::ZADD,
    &add::ZINCRBY,
    &algebra::ZDIFF,
    &algebra::ZDIFFSTORE,
    &algebra::ZINTER,
    &algebra::ZINTERCARD,
    &algebra::ZINTERSTORE,
    &algebra::ZUNION,
    &algebra::ZUNIONSTORE,
    &count::ZCARD,
    &count::ZCOUNT,
    &count::ZLEXCOUNT,
    &lookup::ZMSCORE,
    &lookup::ZRANK,
    &lookup::ZREVRANK,
    &lookup::ZSCORE,
    &pop::BZMPOP,
    &pop::BZPOPMAX,
    &pop::BZPOPMIN,
    &pop::ZMPOP,
    &pop::ZPOPMAX,
    &pop::ZPOPMIN,
    &random::ZRANDMEMBER,
    &range::ZRANGE,
    &range::ZRANGEBYLEX,
    &range::ZRANGEBYSCORE,
    &range::ZRANGESTORE,
    &range::ZREVRANGE,
    &range::ZREVRANGEBYLEX,
    &range::ZREVRANGEBYSCORE,
    &remove::ZREM,
    &remove::ZREMRANGEBYLEX,
    &remove::ZREMRANGEBYRANK,
    &remove::ZREMRANGEBYSCORE,
    &scan::ZSCAN,
];

/// What decides on the encoding of a sorted set.
pub(super) fn limits(server: &Server) -> Limits {
    Limits {
        members: server.config.zset_max_listpack_entries,
        member_len: server.config.zset_max_listpack_value,
        hash_key: server.keyspace.hash_key(),
    }
}

/// The sorted set in an entry, if there is an entry.
///
/// # Errors
/// A value of another type.
#[inline]
pub(super) fn view<'a, E: Deref<Target = Entry>>(
    entry: &'a Option<E>,
) -> Result<Option<SortedSetRef<'a>>, Error> {
    match entry {
        Some(entry) => SortedSetRef::of(entry).map(Some).ok_or(Error::WRONG_TYPE),
        None => Ok(None),
    }
}

/// Puts a set in place of what argument `key` held, which is told as `event`, or removes that if the set
/// is empty. Returns the number of members.
pub(super) fn store(ctx: &mut Context<'_>, key: usize, set: SortedSet, event: Event) -> usize {
    let (db, key, len) = (ctx.session.db, ctx.key(key), set.view().len());
    let keyspace = &mut ctx.server.keyspace;
    if len > 0 {
        let value = NewValue::Payload(set.into_heap());
        keyspace.set(db, key, value, None, KeepTtl::No);
        keyspace.dirty += 1;
        keyspace.note(db, key, event);
    } else if keyspace.remove(db, key, Free::Here) {
        keyspace.dirty += 1;
        keyspace.note(db, key, Event::DEL);
    }
    len
}
