//! XDEL.

use super::ids;
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::store::Event;

/// XDEL key id [id ...]
pub(super) static XDEL: Command =
    Command { spec: XDEL_SPEC, handler: Some(xdel), subcommands: &[] };

const XDEL_SPEC: Spec = Spec {
    name: "xdel",
    summary: "Deletes entries of a stream.",
    complexity: "O(N), N being the number of IDs, whatever the length of the stream.",
    since: "5.0.0",
    group: Group::Stream,
    arity: -3,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::STREAM,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), Arg::new("id", ArgType::String).multiple()],
    ..Spec::EMPTY
};

fn xdel(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    // IDs are looked at only if there is a stream.
    let ids = ids::ids_from(ctx, 2);
    let deleted = super::change(ctx.server, scope, key, |stream| {
        ids.map(|ids| ids.into_iter().filter(|&id| stream.log.delete(id)).count())
    })?;
    let deleted = deleted.unwrap_or(Ok(0))?;
    ctx.server.keyspace.dirty += num::u64_of(deleted);
    if deleted > 0 {
        ctx.note(key, Event::stream("xdel"));
    }
    ctx.session.output.count(deleted);
    Ok(())
}
