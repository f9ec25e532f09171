//! Sets.

mod edit;
mod inter;
mod operands;
mod random;
mod read;
mod union;

use super::{Command, Error};
use crate::ds::listpack::Element;
use crate::resp::Output;
use crate::value::{Entry, SetRef};

/// The family.
pub static COMMANDS: &[&Command] = &[
    &edit::SADD,
    &edit::SMOVE,
    &edit::SREM,
    &inter::SINTER,
    &inter::SINTERCARD,
    &inter::SINTERSTORE,
    &random::SPOP,
    &random::SRANDMEMBER,
    &read::SCARD,
    &read::SISMEMBER,
    &read::SMEMBERS,
    &read::SMISMEMBER,
    &read::SSCAN,
    &union::SDIFF,
    &union::SDIFFSTORE,
    &union::SUNION,
    &union::SUNIONSTORE,
];

/// The set in an entry.
///
/// # Errors
/// The entry holds another type.
#[inline]
fn set_of(entry: &Entry) -> Result<SetRef<'_>, Error> {
    SetRef::of(entry).ok_or(Error::WRONG_TYPE)
}

/// Replies with a member.
#[inline]
fn put(out: &mut Output, member: Element<'_>) {
    match member {
        Element::Integer(n) => out.bulk_integer(n),
        Element::Bytes(bytes) => out.bulk(bytes),
    }
}
