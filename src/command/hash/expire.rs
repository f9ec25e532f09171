//! Making fields expire: HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT, HPERSIST.

use super::arguments::{self, FIELDS, Fields, NO_FIELD};
use super::record;
use crate::base::num;
use crate::command::expiry::Unit;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::Event;
use crate::value::Hash;

const NO_POSITIVE_COUNT: Error = Error::fixed("ERR Parameter `numFields` should be greater than 0");

const CONDITION: Arg = Arg::one_of(
    "condition",
    &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX"), Arg::flag("gt", "GT"), Arg::flag("lt", "LT")],
)
.optional();

/// HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub(super) static HEXPIRE: Command =
    Command { spec: HEXPIRE_SPEC, handler: Some(hexpire), subcommands: &[] };

const HEXPIRE_SPEC: Spec = Spec {
    name: "hexpire",
    summary: "Makes fields expire after some seconds.",
    complexity: "O(N), N being the number of fields.",
    since: "7.4.0",
    group: Group::Hash,
    arity: -6,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[Arg::key("key", 0), Arg::new("seconds", ArgType::Integer), CONDITION, FIELDS],
    ..Spec::EMPTY
};

/// HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub(super) static HPEXPIRE: Command =
    Command { spec: HPEXPIRE_SPEC, handler: Some(hpexpire), subcommands: &[] };

const HPEXPIRE_SPEC: Spec = Spec {
    name: "hpexpire",
    summary: "Makes fields expire after some milliseconds.",
    complexity: "O(N), N being the number of fields.",
    since: "7.4.0",
    group: Group::Hash,
    arity: -6,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[Arg::key("key", 0), Arg::new("milliseconds", ArgType::Integer), CONDITION, FIELDS],
    ..Spec::EMPTY
};

/// HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub(super) static HEXPIREAT: Command =
    Command { spec: HEXPIREAT_SPEC, handler: Some(hexpireat), subcommands: &[] };

const HEXPIREAT_SPEC: Spec = Spec {
    name: "hexpireat",
    summary: "Makes fields expire at a Unix time in seconds.",
    complexity: "O(N), N being the number of fields.",
    since: "7.4.0",
    group: Group::Hash,
    arity: -6,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("unix-time-seconds", ArgType::UnixTime),
        CONDITION,
        FIELDS,
    ],
    ..Spec::EMPTY
};

/// HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub(super) static HPEXPIREAT: Command =
    Command { spec: HPEXPIREAT_SPEC, handler: Some(hpexpireat), subcommands: &[] };

const HPEXPIREAT_SPEC: Spec = Spec {
    name: "hpexpireat",
    summary: "Makes fields expire at a Unix time in milliseconds.",
    complexity: "O(N), N being the number of fields.",
    since: "7.4.0",
    group: Group::Hash,
    arity: -6,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("unix-time-milliseconds", ArgType::UnixTime),
        CONDITION,
        FIELDS,
    ],
    ..Spec::EMPTY
};

/// HPERSIST key FIELDS numfields field [field ...]
pub(super) static HPERSIST: Command =
    Command { spec: HPERSIST_SPEC, handler: Some(hpersist), subcommands: &[] };

const HPERSIST_SPEC: Spec = Spec {
    name: "hpersist",
    summary: "Makes fields never expire.",
    complexity: "O(N), N being the number of fields.",
    since: "7.4.0",
    group: Group::Hash,
    arity: -5,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[Arg::key("key", 0), FIELDS],
    ..Spec::EMPTY
};

/// The reply for a field whose condition does not hold.
const NOT_CHANGED: i64 = 0;
/// The reply for a field that has its new expiry, or none any more.
const CHANGED: i64 = 1;
/// The reply for a field that was deleted, its time having passed.
const DELETED: i64 = 2;
/// HPERSIST's reply for a field that did not expire.
const NEVER: i64 = -1;

/// When a field gets its new expiry. No expiry counts as the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Always,
    /// NX: it has none.
    Missing,
    /// XX: it has one.
    Present,
    /// GT: the new one is later.
    Later,
    /// LT: the new one is earlier.
    Earlier,
}

impl Condition {
    fn of_word(word: &[u8]) -> Option<Self> {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if is(b"nx") {
            Some(Self::Missing)
        } else if is(b"xx") {
            Some(Self::Present)
        } else if is(b"gt") {
            Some(Self::Later)
        } else if is(b"lt") {
            Some(Self::Earlier)
        } else {
            None
        }
    }

    fn holds(self, old: Option<i64>, new: i64) -> bool {
        match self {
            Self::Always => true,
            Self::Missing => old.is_none(),
            Self::Present => old.is_some(),
            Self::Later => old.is_some_and(|old| new > old),
            Self::Earlier => old.is_none_or(|old| new < old),
        }
    }
}

fn hexpire(ctx: &mut Context<'_>) -> Outcome {
    expire(ctx, Unit::Seconds)
}

fn hpexpire(ctx: &mut Context<'_>) -> Outcome {
    expire(ctx, Unit::Millis)
}

fn hexpireat(ctx: &mut Context<'_>) -> Outcome {
    expire(ctx, Unit::UnixSeconds)
}

fn hpexpireat(ctx: &mut Context<'_>) -> Outcome {
    expire(ctx, Unit::UnixMillis)
}

fn expire(ctx: &mut Context<'_>, unit: Unit) -> Outcome {
    let (scope, key, now_ms) = (ctx.scope(), ctx.key(1), ctx.server.keyspace.now_ms());
    ctx.server.keyspace.has_hash(scope, key)?;
    let at_ms = arguments::deadline_ms(ctx, 2, unit)?;
    let (condition, fields_at) = match Condition::of_word(ctx.args.at(3)) {
        Some(condition) => (condition, 4),
        None => (Condition::Always, 3),
    };
    let names = Fields { word_at: fields_at, bad_count: NO_POSITIVE_COUNT }.parse(ctx)?;
    let out = &mut ctx.session.output;
    out.array(names.len());
    let keyspace = &mut ctx.server.keyspace;
    let mut changed_names = Vec::new();
    let changed = keyspace.change_hash(scope, key, |hash| {
        hash.allow_expiries();
        for name in names.clone() {
            let result = expire_field(hash, name, condition, at_ms, now_ms);
            if result > NOT_CHANGED {
                changed_names.push(name);
            }
            out.integer(result);
        }
    })?;
    match changed {
        Some(()) => keyspace.dirty += num::u64_of(changed_names.len()),
        None => names.for_each(|_| out.integer(NO_FIELD)),
    }
    if !changed_names.is_empty() {
        keyspace.note(scope.db, key, expiry_event(at_ms, now_ms));
    }
    let condition = (fields_at == 4).then(|| ctx.args.at(3));
    record::expiry(ctx, at_ms, condition, &changed_names);
    Ok(())
}

/// The event of fields that were given an expiry, or removed since that has passed.
pub(super) const fn expiry_event(at_ms: i64, now_ms: i64) -> Event {
    if at_ms <= now_ms { Event::hash("hdel") } else { Event::hash("hexpire") }
}

/// Gives one field its new expiry, and returns the reply for it.
fn expire_field(
    hash: &mut Hash,
    name: &[u8],
    condition: Condition,
    at_ms: i64,
    now_ms: i64,
) -> i64 {
    let Some(field) = hash.as_ref().find(name, now_ms) else { return NO_FIELD };
    if !condition.holds(field.expiry, at_ms) {
        return NOT_CHANGED;
    }
    if at_ms <= now_ms {
        hash.remove(name, now_ms);
        return DELETED;
    }
    hash.set_expiry(name, Some(at_ms));
    CHANGED
}

fn hpersist(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, now_ms) = (ctx.scope(), ctx.key(1), ctx.server.keyspace.now_ms());
    ctx.server.keyspace.has_hash(scope, key)?;
    let names = Fields::at(2).parse(ctx)?;
    let out = &mut ctx.session.output;
    out.array(names.len());
    let keyspace = &mut ctx.server.keyspace;
    let changed = keyspace.change_hash(scope, key, |hash| {
        let mut changed = false;
        for name in names.clone() {
            out.integer(match hash.as_ref().find(name, now_ms).map(|field| field.expiry) {
                None => NO_FIELD,
                Some(None) => NEVER,
                Some(Some(_)) => {
                    hash.set_expiry(name, None);
                    changed = true;
                    CHANGED
                }
            });
        }
        changed
    })?;
    match changed {
        Some(true) => {
            keyspace.dirty += 1;
            keyspace.note(scope.db, key, Event::hash("hpersist"));
        }
        Some(false) => {}
        None => names.for_each(|_| out.integer(NO_FIELD)),
    }
    Ok(())
}
