//! Strings.

mod compare;
mod condition;
mod counter;
mod edit;
mod get;
mod getex;
mod lcs;
mod many;
mod options;
mod set;
mod subsequence;

use super::{Command, Context};
use crate::store::{Event, KeepTtl, Key};
use crate::value::string;
use options::Expiry;

/// The family.
pub static COMMANDS: &[&Command] = &[
    &compare::DELEX,
    &compare::DELIFEQ,
    &compare::DIGEST,
    &counter::DECR,
    &counter::DECRBY,
    &counter::INCR,
    &counter::INCRBY,
    &counter::INCRBYFLOAT,
    &edit::APPEND,
    &edit::GETRANGE,
    &edit::SETRANGE,
    &edit::STRLEN,
    &edit::SUBSTR,
    &get::GET,
    &getex::GETDEL,
    &getex::GETEX,
    &lcs::LCS,
    &many::MGET,
    &many::MSET,
    &many::MSETEX,
    &many::MSETNX,
    &set::GETSET,
    &set::PSETEX,
    &set::SET,
    &set::SETEX,
    &set::SETNX,
];

/// Records that a key was given the string of argument `index`, whatever command did it.
fn record_put(ctx: &mut Context<'_>, key: usize, index: usize, expiry: Expiry) {
    let (key, value) = (ctx.args.at(key), ctx.args.at(index));
    let Some(mut effects) = ctx.effects_instead() else { return };
    match expiry {
        Expiry::Never => effects.add(3).word(b"SET").word(key).word(value),
        Expiry::Kept => effects.add(4).word(b"SET").word(key).word(value).word(b"KEEPTTL"),
        Expiry::At(at_ms) => {
            effects.add(5).word(b"SET").word(key).word(value).word(b"PXAT").number(at_ms)
        }
    };
}

/// Gives a key the string of argument `index`, whatever it had before, and counts the change.
#[inline]
fn put(ctx: &mut Context<'_>, key: Key<'_>, index: usize, expiry: Expiry) {
    let (db, args) = (ctx.session.db, ctx.args);
    let keyspace = &mut ctx.server.keyspace;
    keyspace.dirty += 1;
    let (at_ms, keep) = match expiry {
        Expiry::Never => (None, KeepTtl::No),
        Expiry::At(at_ms) => (Some(at_ms), KeepTtl::No),
        Expiry::Kept => (None, KeepTtl::Yes),
    };
    if keep == KeepTtl::No && args.shared(index).is_none() {
        keyspace.set_string(db, key, args.at(index), at_ms);
    } else {
        keyspace.set(db, key, string::new_value_of_arg(&args, index), at_ms, keep);
    }
    keyspace.note(db, key, Event::SET);
    if at_ms.is_some() {
        keyspace.note(db, key, Event::EXPIRE);
    }
}
