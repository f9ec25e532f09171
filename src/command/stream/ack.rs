//! XACK.

use super::ids;
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};

/// XACK key group id [id ...]
pub(super) static XACK: Command =
    Command { spec: XACK_SPEC, handler: Some(xack), subcommands: &[] };

const XACK_SPEC: Spec = Spec {
    name: "xack",
    summary: "Acknowledges entries that a consumer of a group was given.",
    complexity: "O(N), N being the number of IDs.",
    since: "5.0.0",
    group: Group::Stream,
    arity: -4,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::STREAM,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("group", ArgType::String),
        Arg::new("id", ArgType::String).multiple(),
    ],
    ..Spec::EMPTY
};

fn xack(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, group) = (ctx.scope(), ctx.key(1), ctx.args.at(2));
    // IDs are looked at only if there is a group.
    let ids = ids::ids_from(ctx, 3);
    let acked = super::change_group(ctx.server, scope, key, group, |_, group| {
        ids.map(|ids| ids.into_iter().filter(|&id| group.ack(id).is_some()).count())
    })?;
    let acked = acked.unwrap_or(Ok(0))?;
    ctx.server.keyspace.dirty += num::u64_of(acked);
    ctx.session.output.count(acked);
    Ok(())
}
