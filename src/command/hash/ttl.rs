//! When fields expire: HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME.

use super::arguments::{FIELDS, Fields, NO_FIELD};
use super::hash_in;
use crate::command::spec::{Arg, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};

/// The reply for a field that does not expire.
const NEVER: i64 = -1;

/// HTTL key FIELDS numfields field [field ...]
pub(super) static HTTL: Command =
    Command { spec: HTTL_SPEC, handler: Some(httl), subcommands: &[] };

const HTTL_SPEC: Spec = Spec {
    name: "httl",
    summary: "Returns the seconds until fields expire.",
    complexity: "O(N), N being the number of fields.",
    since: "7.4.0",
    group: Group::Hash,
    arity: -5,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), FIELDS],
    ..Spec::EMPTY
};

/// HPTTL key FIELDS numfields field [field ...]
pub(super) static HPTTL: Command =
    Command { spec: HPTTL_SPEC, handler: Some(hpttl), subcommands: &[] };

const HPTTL_SPEC: Spec = Spec {
    name: "hpttl",
    summary: "Returns the milliseconds until fields expire.",
    complexity: "O(N), N being the number of fields.",
    since: "7.4.0",
    group: Group::Hash,
    arity: -5,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), FIELDS],
    ..Spec::EMPTY
};

/// HEXPIRETIME key FIELDS numfields field [field ...]
pub(super) static HEXPIRETIME: Command =
    Command { spec: HEXPIRETIME_SPEC, handler: Some(hexpiretime), subcommands: &[] };

const HEXPIRETIME_SPEC: Spec = Spec {
    name: "hexpiretime",
    summary: "Returns the Unix times in seconds at which fields expire.",
    complexity: "O(N), N being the number of fields.",
    since: "7.4.0",
    group: Group::Hash,
    arity: -5,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), FIELDS],
    ..Spec::EMPTY
};

/// HPEXPIRETIME key FIELDS numfields field [field ...]
pub(super) static HPEXPIRETIME: Command =
    Command { spec: HPEXPIRETIME_SPEC, handler: Some(hpexpiretime), subcommands: &[] };

const HPEXPIRETIME_SPEC: Spec = Spec {
    name: "hpexpiretime",
    summary: "Returns the Unix times in milliseconds at which fields expire.",
    complexity: "O(N), N being the number of fields.",
    since: "7.4.0",
    group: Group::Hash,
    arity: -5,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), FIELDS],
    ..Spec::EMPTY
};

fn httl(ctx: &mut Context<'_>) -> Outcome {
    reply(ctx, |at_ms, now_ms| to_seconds(at_ms - now_ms))
}

fn hpttl(ctx: &mut Context<'_>) -> Outcome {
    reply(ctx, |at_ms, now_ms| at_ms - now_ms)
}

fn hexpiretime(ctx: &mut Context<'_>) -> Outcome {
    reply(ctx, |at_ms, _now_ms| to_seconds(at_ms))
}

fn hpexpiretime(ctx: &mut Context<'_>) -> Outcome {
    reply(ctx, |at_ms, _now_ms| at_ms)
}

/// Seconds, those begun counted in full: unlike TTL, which rounds to the nearest.
const fn to_seconds(millis: i64) -> i64 {
    (millis + 999) / 1000
}

/// Replies for each field with what `form` makes of its expiry and the time, which lies before it.
fn reply(ctx: &mut Context<'_>, form: impl Fn(i64, i64) -> i64) -> Outcome {
    let (scope, key, now_ms) = (ctx.scope(), ctx.key(1), ctx.server.keyspace.now_ms());
    ctx.server.keyspace.has_hash(scope, key)?;
    let names = Fields::at(2).parse(ctx)?;
    let found = ctx.server.keyspace.read_hash(scope, key)?;
    let out = &mut ctx.session.output;
    out.array(names.len());
    for name in names {
        let field = hash_in(&found).and_then(|hash| hash.find(name, now_ms));
        out.integer(match field.map(|field| field.expiry) {
            Some(Some(at_ms)) => form(at_ms, now_ms),
            Some(None) => NEVER,
            None => NO_FIELD,
        });
    }
    Ok(())
}
