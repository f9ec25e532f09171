//! Setting fields: HSET, HMSET, HSETNX.

use super::{new_value, rules};
use crate::base::num;
use crate::command::spec::{
    Arg, ArgType, Categories, Deprecation, Flags, Group, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::Event;
use crate::value::hash::{FieldTtl, Stored};

/// HSET key field value [field value ...]
pub(super) static HSET: Command =
    Command { spec: HSET_SPEC, handler: Some(hset), subcommands: &[] };

const HSET_SPEC: Spec = Spec {
    name: "hset",
    summary: "Sets fields to values and counts those that are new.",
    complexity: "O(N), N being the number of fields.",
    since: "2.0.0",
    group: Group::Hash,
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::block(
            "data",
            &[Arg::new("field", ArgType::String), Arg::new("value", ArgType::String)],
        )
        .multiple(),
    ],
    history: &[("4.0.0", "Several pairs may be given.")],
    member_at: 2,
    ..Spec::EMPTY
};

/// HMSET key field value [field value ...]
pub(super) static HMSET: Command =
    Command { spec: HMSET_SPEC, handler: Some(hmset), subcommands: &[] };

const HMSET_SPEC: Spec = Spec {
    name: "hmset",
    summary: "Sets fields to values.",
    complexity: "O(N), N being the number of fields.",
    since: "2.0.0",
    group: Group::Hash,
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::block(
            "data",
            &[Arg::new("field", ArgType::String), Arg::new("value", ArgType::String)],
        )
        .multiple(),
    ],
    deprecated: Some(Deprecation { since: "4.0.0", replaced_by: "`HSET` with several pairs" }),
    ..Spec::EMPTY
};

/// HSETNX key field value
pub(super) static HSETNX: Command =
    Command { spec: HSETNX_SPEC, handler: Some(hset_nx), subcommands: &[] };

const HSETNX_SPEC: Spec = Spec {
    name: "hsetnx",
    summary: "Sets a field to a value unless the field exists.",
    complexity: "O(1)",
    since: "2.0.0",
    group: Group::Hash,
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT))],
    args: &[
        Arg::key("key", 0),
        Arg::new("field", ArgType::String),
        Arg::new("value", ArgType::String),
    ],
    ..Spec::EMPTY
};

fn hset(ctx: &mut Context<'_>) -> Outcome {
    let added = set_all(ctx)?;
    ctx.reply_integer(num::i64_of(added))
}

fn hmset(ctx: &mut Context<'_>) -> Outcome {
    set_all(ctx)?;
    ctx.ok()
}

/// Sets the fields given from argument 2 on; returns how many are new.
#[inline]
fn set_all(ctx: &mut Context<'_>) -> Result<usize, Error> {
    let args = ctx.args;
    if !args.len().is_multiple_of(2) {
        return Err(Error::arity(ctx.name()));
    }
    let (scope, key, rules) = (ctx.scope(), ctx.key(1), rules(ctx));
    let added = ctx.server.keyspace.change_or_create_hash(scope, key, |hash| {
        if args.len() > 4 {
            hash.fit(args.from(2), &rules);
        }
        let mut added = 0;
        for index in (2..args.len()).step_by(2) {
            let value = new_value(&args, index + 1);
            let stored = hash.set(args.at(index), value, FieldTtl::Clear, &rules);
            added += usize::from(stored == Stored::Added);
        }
        added
    })?;
    ctx.server.keyspace.dirty += num::u64_of((args.len() - 2) / 2);
    ctx.note(key, Event::hash("hset"));
    Ok(added)
}

fn hset_nx(ctx: &mut Context<'_>) -> Outcome {
    let (args, scope, key, rules) = (ctx.args, ctx.scope(), ctx.key(1), rules(ctx));
    let mut is_stale = false;
    let stored = ctx.server.keyspace.change_or_create_hash(scope, key, |hash| {
        if hash.as_ref().find(args.at(2), rules.now_ms).is_some() {
            return None;
        }
        is_stale = hash.as_ref().find(args.at(2), i64::MIN).is_some();
        Some(hash.set(args.at(2), new_value(&args, 3), FieldTtl::Clear, &rules))
    })?;
    if stored.is_none() {
        return ctx.reply_integer(0);
    }
    ctx.server.keyspace.dirty += 1;
    ctx.note(key, Event::hash("hset"));
    if is_stale {
        // Nobody has removed the expired field yet, and elsewhere time may not pass.
        ctx.effects_also(&[b"HDEL", key.bytes, args.at(2)]);
    }
    ctx.reply_integer(1)
}
