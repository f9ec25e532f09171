//! Streams, and groups of consumers that read them.

mod ack;
mod add;
mod autoclaim;
mod claim;
mod delete;
mod group;
mod ids;
mod info;
mod info_full;
mod listed;
mod pending;
mod range;
mod read;
mod read_group;
mod record;
mod reply;
mod set_id;
mod trim;

#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod listed_tests;
#[cfg(test)]
mod tests;

use super::error::printed;
use super::{Command, Context, Error, Server};
use crate::config::Events;
use crate::store::{Event, Key, Scope, WrongType};
use crate::value::stream::{Group, Limits, Log, Stream};
use crate::value::{Collection, Entry, NewValue};
use std::ops::Deref;

/// The family.
pub static COMMANDS: &[&Command] = &[
    &ack::XACK,
    &ack::XACKDEL,
    &add::XADD,
    &add::XLEN,
    &autoclaim::XAUTOCLAIM,
    &claim::XCLAIM,
    &delete::XDEL,
    &delete::XDELEX,
    &group::XGROUP,
    &info::XINFO,
    &pending::XPENDING,
    &range::XRANGE,
    &range::XREVRANGE,
    &read::XREAD,
    &read_group::XREADGROUP,
    &set_id::XSETID,
    &trim::XTRIM,
];

/// `No such key … or consumer group …`, with whatever follows.
fn no_group(key: &[u8], group: &[u8], rest: &[u8]) -> Error {
    let parts: [&[u8]; 6] = [
        b"NOGROUP No such key '",
        printed(key),
        b"' or consumer group '",
        printed(group),
        b"'",
        rest,
    ];
    Error::new(parts.concat())
}

/// `No such consumer group … for key name …`
fn no_group_for_key(key: &[u8], group: &[u8]) -> Error {
    let parts: [&[u8]; 5] = [
        b"NOGROUP No such consumer group '",
        printed(group),
        b"' for key name '",
        printed(key),
        b"'",
    ];
    Error::new(parts.concat())
}

/// Something that happens to the groups of a stream, which leaves its entries as they are.
const fn of_groups(name: &'static str) -> Event {
    Event::mere(Events::STREAM, name)
}

/// A consumer was made, by a command or since it reads or claims.
const CONSUMER_MADE: Event = of_groups("xgroup-createconsumer");

/// When nodes are full at present.
#[inline]
fn limits(server: &Server) -> Limits {
    Limits::of(&server.config)
}

/// The stream in an entry, if there is an entry.
///
/// # Errors
/// A value of another type.
#[inline]
fn view<E: Deref<Target = Entry>>(entry: &Option<E>) -> Result<Option<&Stream>, Error> {
    match entry {
        Some(entry) => Stream::of(entry).map(Some).ok_or(Error::WRONG_TYPE),
        None => Ok(None),
    }
}

/// Lets `f` change a stream, if there is one.
///
/// # Errors
/// A value of another type.
#[inline]
fn change<R>(
    server: &mut Server,
    scope: Scope,
    key: Key<'_>,
    f: impl FnOnce(&mut Stream) -> R,
) -> Result<Option<R>, WrongType> {
    server.keyspace.change(scope, key, |stream: &mut Box<Stream>| f(stream))
}

/// Lets `f` change a group of a stream, and look at the entries; `None` if there is no such key or group.
///
/// # Errors
/// A value of another type.
#[inline]
fn change_group<R>(
    server: &mut Server,
    scope: Scope,
    key: Key<'_>,
    group: &[u8],
    f: impl FnOnce(&Log, &mut Group) -> R,
) -> Result<Option<R>, WrongType> {
    let changed = change(server, scope, key, |stream| {
        let Stream { log, groups } = stream;
        groups.get_mut(group).map(|group| f(log, group))
    })?;
    Ok(changed.flatten())
}

/// Puts a stream at a key that does not exist.
fn insert(ctx: &mut Context<'_>, key: Key<'_>, stream: Stream) {
    let value = NewValue::Payload(Box::new(stream).into_heap());
    ctx.server.keyspace.insert(ctx.session.db, key, value, None);
}

/// Notes that there may be something for those who wait for a key.
#[inline]
fn wake(ctx: &mut Context<'_>, key: Key<'_>) {
    let awaited = &mut ctx.server.keyspace.awaited;
    if !awaited.is_empty() {
        awaited.note(ctx.session.db, key.bytes);
    }
}
