//! XACK and XACKDEL.

use super::delete::{DELETION, Deletion, Deletions};
use super::ids;
use super::listed::{DELETED, IDS_ARG, Listed, NO_SUCH_ID, REFERENCES_ARG, STILL_WANTED};
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

/// XACKDEL key group [KEEPREF|DELREF|ACKED] IDS numids id [id ...]
pub(super) static XACKDEL: Command =
    Command { spec: XACKDEL_SPEC, handler: Some(xackdel), subcommands: &[] };

const XACKDEL_SPEC: Spec = Spec {
    name: "xackdel",
    summary: "Acknowledges entries that a consumer of a group was given, and deletes them if it may.",
    complexity: "O(N), N being the number of IDs; times the number of groups with DELREF and ACKED.",
    since: "8.2.0",
    group: Group::Stream,
    arity: -6,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::STREAM,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE).union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), Arg::new("group", ArgType::String), REFERENCES_ARG, IDS_ARG],
    ..Spec::EMPTY
};

fn xack(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, group) = (ctx.scope(), ctx.key(1), ctx.args.at(2));
    super::view(&ctx.server.keyspace.read(scope, key))?;
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

fn xackdel(ctx: &mut Context<'_>) -> Outcome {
    let listed = Listed::parse(ctx, 3)?;
    let (scope, key, group) = (ctx.scope(), ctx.key(1), ctx.args.at(2));
    // IDs are looked at only if there is a group.
    let ids = listed.ids(ctx);
    let mut deletions = Deletions::default();
    let mut acked = 0;
    let replies = super::change(ctx.server, scope, key, |stream| {
        stream.groups.get(group)?;
        let mut ack = |id| {
            // Only what the group was given is looked at further.
            let is_pending =
                stream.groups.get_mut(group).is_some_and(|group| group.ack(id).is_some());
            if !is_pending {
                return NO_SUCH_ID;
            }
            acked += 1;
            match deletions.delete(stream, id, listed.references) {
                Deletion::Done | Deletion::NoEntry => DELETED,
                Deletion::Wanted => STILL_WANTED,
            }
        };
        Some(ids.map(|ids| ids.into_iter().map(&mut ack).collect::<Vec<i64>>()))
    })?;
    let Some(replies) = replies.flatten() else {
        listed.reply_nothing(ctx);
        return Ok(());
    };
    let replies = replies?;
    let out = &mut ctx.session.output;
    out.array(replies.len());
    replies.into_iter().for_each(|reply| out.integer(reply));
    ctx.server.keyspace.dirty += acked + deletions.entries + deletions.dereferenced;
    if deletions.entries > 0 {
        ctx.note(key, DELETION);
    }
    Ok(())
}
