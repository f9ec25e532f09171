//! Whole hashes: HGETALL, HKEYS, HVALS.

use super::hash_in;
use crate::command::spec::{Arg, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};

/// HGETALL key
pub(super) static HGETALL: Command =
    Command { spec: HGETALL_SPEC, handler: Some(hgetall), subcommands: &[] };

const HGETALL_SPEC: Spec = Spec {
    name: "hgetall",
    summary: "Returns all fields with their values.",
    complexity: "O(N), N being the number of fields of the hash.",
    since: "2.0.0",
    group: Group::Hash,
    arity: 2,
    flags: Flags::READONLY,
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0)],
    tips: &["nondeterministic_output_order"],
    ..Spec::EMPTY
};

/// HKEYS key
pub(super) static HKEYS: Command =
    Command { spec: HKEYS_SPEC, handler: Some(hkeys), subcommands: &[] };

const HKEYS_SPEC: Spec = Spec {
    name: "hkeys",
    summary: "Returns all fields.",
    complexity: "O(N), N being the number of fields of the hash.",
    since: "2.0.0",
    group: Group::Hash,
    arity: 2,
    flags: Flags::READONLY,
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0)],
    tips: &["nondeterministic_output_order"],
    ..Spec::EMPTY
};

/// HVALS key
pub(super) static HVALS: Command =
    Command { spec: HVALS_SPEC, handler: Some(hvals), subcommands: &[] };

const HVALS_SPEC: Spec = Spec {
    name: "hvals",
    summary: "Returns all values.",
    complexity: "O(N), N being the number of fields of the hash.",
    since: "2.0.0",
    group: Group::Hash,
    arity: 2,
    flags: Flags::READONLY,
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0)],
    tips: &["nondeterministic_output_order"],
    ..Spec::EMPTY
};

/// What is listed of each field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listed {
    Names,
    Values,
    Both,
}

fn hgetall(ctx: &mut Context<'_>) -> Outcome {
    list(ctx, Listed::Both)
}

fn hkeys(ctx: &mut Context<'_>) -> Outcome {
    list(ctx, Listed::Names)
}

fn hvals(ctx: &mut Context<'_>) -> Outcome {
    list(ctx, Listed::Values)
}

fn list(ctx: &mut Context<'_>, listed: Listed) -> Outcome {
    let (scope, key, now_ms) = (ctx.scope(), ctx.key(1), ctx.server.keyspace.now_ms());
    let found = ctx.server.keyspace.read_hash(scope, key)?;
    let hash = hash_in(&found);
    let out = &mut ctx.session.output;
    let len = hash.map_or(0, |hash| hash.live_len(now_ms));
    match listed {
        Listed::Both => out.map(len),
        Listed::Names | Listed::Values => out.array(len),
    }
    let fields = hash.into_iter().flat_map(|hash| hash.iter());
    for field in fields.filter(|field| field.is_live(now_ms)) {
        if listed != Listed::Values {
            field.name.reply(out);
        }
        if listed != Listed::Names {
            field.value.reply(out);
        }
    }
    Ok(())
}
