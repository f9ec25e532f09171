//! Looking at single fields: HGET, HMGET, HEXISTS, HSTRLEN, HLEN.

use super::hash_in;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::value::hash::Named;

/// HGET key field
pub(super) static HGET: Command =
    Command { spec: HGET_SPEC, handler: Some(hget), subcommands: &[] };

const HGET_SPEC: Spec = Spec {
    name: "hget",
    summary: "Returns the value of a field.",
    complexity: "O(1)",
    since: "2.0.0",
    group: Group::Hash,
    arity: 3,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), Arg::new("field", ArgType::String)],
    member_at: 2,
    ..Spec::EMPTY
};

/// HMGET key field [field ...]
pub(super) static HMGET: Command =
    Command { spec: HMGET_SPEC, handler: Some(hmget), subcommands: &[] };

const HMGET_SPEC: Spec = Spec {
    name: "hmget",
    summary: "Returns the values of some fields, null for each that is missing.",
    complexity: "O(N), N being the number of fields asked for.",
    since: "2.0.0",
    group: Group::Hash,
    arity: -3,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), Arg::new("field", ArgType::String).multiple()],
    ..Spec::EMPTY
};

/// HEXISTS key field
pub(super) static HEXISTS: Command =
    Command { spec: HEXISTS_SPEC, handler: Some(hexists), subcommands: &[] };

const HEXISTS_SPEC: Spec = Spec {
    name: "hexists",
    summary: "Says whether a field exists.",
    complexity: "O(1)",
    since: "2.0.0",
    group: Group::Hash,
    arity: 3,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0), Arg::new("field", ArgType::String)],
    member_at: 2,
    ..Spec::EMPTY
};

/// HSTRLEN key field
pub(super) static HSTRLEN: Command =
    Command { spec: HSTRLEN_SPEC, handler: Some(hstrlen), subcommands: &[] };

const HSTRLEN_SPEC: Spec = Spec {
    name: "hstrlen",
    summary: "Returns the length of the value of a field in bytes.",
    complexity: "O(1)",
    since: "3.2.0",
    group: Group::Hash,
    arity: 3,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0), Arg::new("field", ArgType::String)],
    ..Spec::EMPTY
};

/// HLEN key
pub(super) static HLEN: Command =
    Command { spec: HLEN_SPEC, handler: Some(hlen), subcommands: &[] };

const HLEN_SPEC: Spec = Spec {
    name: "hlen",
    summary: "Returns the number of fields.",
    complexity: "O(1)",
    since: "2.0.0",
    group: Group::Hash,
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

fn hget(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, now_ms) = (ctx.scope(), ctx.key(1), ctx.server.keyspace.now_ms());
    let found = ctx.server.keyspace.read_hash(scope, key)?;
    let out = &mut ctx.session.output;
    match hash_in(&found).and_then(|hash| hash.find(ctx.args.at(2), now_ms)) {
        Some(field) => field.value.reply(out),
        None => out.null(),
    }
    Ok(())
}

fn hmget(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, now_ms) = (ctx.scope(), ctx.key(1), ctx.server.keyspace.now_ms());
    let found = ctx.server.keyspace.read_hash(scope, key)?;
    let out = &mut ctx.session.output;
    let names = ctx.args.from(2);
    out.array(names.len());
    for name in names {
        match hash_in(&found).and_then(|hash| hash.find(name, now_ms)) {
            Some(field) => field.value.reply(out),
            None => out.null(),
        }
    }
    Ok(())
}

fn hexists(ctx: &mut Context<'_>) -> Outcome {
    reply_of_field(ctx, |_| 1)
}

fn hstrlen(ctx: &mut Context<'_>) -> Outcome {
    reply_of_field(ctx, |field| field.value.len())
}

/// Replies with a number that belongs to the field of argument 2, or 0 if there is no such field.
fn reply_of_field(ctx: &mut Context<'_>, number: impl FnOnce(Named<'_>) -> usize) -> Outcome {
    let (scope, key, now_ms) = (ctx.scope(), ctx.key(1), ctx.server.keyspace.now_ms());
    let found = ctx.server.keyspace.read_hash(scope, key)?;
    let field = hash_in(&found).and_then(|hash| hash.find(ctx.args.at(2), now_ms));
    ctx.session.output.count(field.map_or(0, number));
    Ok(())
}

fn hlen(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, now_ms) = (ctx.scope(), ctx.key(1), ctx.server.keyspace.now_ms());
    let found = ctx.server.keyspace.read_hash(scope, key)?;
    let len = hash_in(&found).map_or(0, |hash| hash.live_len(now_ms));
    ctx.session.output.count(len);
    Ok(())
}
