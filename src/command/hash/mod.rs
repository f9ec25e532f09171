//! Hashes, and the expiry of their fields.

mod arguments;
mod counter;
mod delete;
mod expire;
mod get;
mod getex;
mod list;
mod random;
mod record;
mod scan;
mod set;
mod setex;
mod ttl;

#[cfg(test)]
mod tests;

use super::{Command, Context};
use crate::ds::dict::Ref;
use crate::resp::Args;
use crate::value::hash::{NewValue, Rules};
use crate::value::{Entry, HashRef};

/// The family.
pub static COMMANDS: &[&Command] = &[
    &counter::HINCRBY,
    &counter::HINCRBYFLOAT,
    &delete::HDEL,
    &delete::HGETDEL,
    &expire::HEXPIRE,
    &expire::HEXPIREAT,
    &expire::HPERSIST,
    &expire::HPEXPIRE,
    &expire::HPEXPIREAT,
    &get::HEXISTS,
    &get::HGET,
    &get::HLEN,
    &get::HMGET,
    &get::HSTRLEN,
    &getex::HGETEX,
    &list::HGETALL,
    &list::HKEYS,
    &list::HVALS,
    &random::HRANDFIELD,
    &scan::HSCAN,
    &set::HMSET,
    &set::HSET,
    &set::HSETNX,
    &setex::HSETEX,
    &ttl::HEXPIRETIME,
    &ttl::HPEXPIRETIME,
    &ttl::HPTTL,
    &ttl::HTTL,
];

/// What decides now how a field is stored.
#[inline]
fn rules(ctx: &Context<'_>) -> Rules {
    let server = &ctx.server;
    Rules {
        entries_max: server.config.hash_max_listpack_entries,
        value_bytes_max: server.config.hash_max_listpack_value,
        hash_key: server.keyspace.hash_key(),
        now_ms: server.keyspace.now_ms(),
    }
}

/// The hash that `read_hash` found.
#[inline]
fn hash_in<'a>(found: &'a Option<Ref<'_, Entry>>) -> Option<HashRef<'a>> {
    found.as_deref().and_then(HashRef::of)
}

/// The value at argument `index`; a long one that has its own buffer is shared, not copied.
#[inline]
fn new_value<'a>(args: &Args<'a>, index: usize) -> NewValue<'a> {
    match args.shared(index) {
        Some(bytes) => NewValue::Shared(bytes),
        None => NewValue::Copied(args.at(index)),
    }
}
