//! Deleting fields: HDEL, HGETDEL.

use super::arguments::{FIELDS, Fields};
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::store::Event;
use crate::value::hash::Removed;

/// HDEL key field [field ...]
pub(super) static HDEL: Command =
    Command { spec: HDEL_SPEC, handler: Some(hdel), subcommands: &[] };

const HDEL_SPEC: Spec = Spec {
    name: "hdel",
    summary: "Deletes fields, and the hash with the last of them.",
    complexity: "O(N), N being the number of fields.",
    since: "2.0.0",
    group: Group::Hash,
    arity: -3,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), Arg::new("field", ArgType::String).multiple()],
    history: &[("2.4.0", "Several fields may be given.")],
    member_at: 2,
    ..Spec::EMPTY
};

/// HGETDEL key FIELDS numfields field [field ...]
pub(super) static HGETDEL: Command =
    Command { spec: HGETDEL_SPEC, handler: Some(hgetdel), subcommands: &[] };

const HGETDEL_SPEC: Spec = Spec {
    name: "hgetdel",
    summary: "Returns the values of fields and deletes the fields, and the hash with the last of them.",
    complexity: "O(N), N being the number of fields.",
    since: "8.0.0",
    group: Group::Hash,
    arity: -5,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), FIELDS],
    ..Spec::EMPTY
};

fn hdel(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, now_ms) = (ctx.scope(), ctx.key(1), ctx.server.keyspace.now_ms());
    let names = ctx.args.from(2);
    let keyspace = &mut ctx.server.keyspace;
    let removed = keyspace.change_hash(scope, key, |hash| {
        names.filter(|name| hash.remove(name, now_ms) == Removed::Yes).count()
    })?;
    let removed = removed.unwrap_or(0);
    keyspace.dirty += num::u64_of(removed);
    if removed > 0 {
        keyspace.note(scope.db, key, Event::hash("hdel"));
    }
    ctx.reply_integer(num::i64_of(removed))
}

fn hgetdel(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, now_ms) = (ctx.scope(), ctx.key(1), ctx.server.keyspace.now_ms());
    ctx.server.keyspace.has_hash(scope, key)?;
    let names = Fields::at(2).parse(ctx)?;
    let out = &mut ctx.session.output;
    out.array(names.len());
    let keyspace = &mut ctx.server.keyspace;
    let mut removed_names = Vec::new();
    let removed = keyspace.change_hash(scope, key, |hash| {
        for name in names.clone() {
            match hash.as_ref().find(name, now_ms) {
                Some(field) => {
                    field.value.reply(out);
                    hash.remove(name, now_ms);
                    removed_names.push(name);
                }
                None => out.null(),
            }
        }
    })?;
    match removed {
        Some(()) => keyspace.dirty += num::u64_of(removed_names.len()),
        None => names.for_each(|_| out.null()),
    }
    if !removed_names.is_empty() {
        ctx.note(key, Event::hash("hdel"));
    }
    if !removed_names.is_empty()
        && let Some(mut effects) = ctx.effects_instead()
    {
        let words = effects.add(2 + removed_names.len()).word(b"HDEL").word(key.bytes);
        words.words(removed_names);
    }
    Ok(())
}
