//! XDEL and XDELEX.

use super::ids;
use super::listed::{DELETED, IDS_ARG, Listed, NO_SUCH_ID, REFERENCES_ARG, STILL_WANTED};
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::store::Event;
use crate::value::stream::{References, Stream, StreamId};

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

/// XDELEX key [KEEPREF|DELREF|ACKED] IDS numids id [id ...]
pub(super) static XDELEX: Command =
    Command { spec: XDELEX_SPEC, handler: Some(xdelex), subcommands: &[] };

const XDELEX_SPEC: Spec = Spec {
    name: "xdelex",
    summary: "Deletes entries of a stream; says what becomes of their deliveries to groups.",
    complexity: "O(N), N being the number of IDs; times the number of groups with DELREF and ACKED.",
    since: "8.2.0",
    group: Group::Stream,
    arity: -5,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::STREAM,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), REFERENCES_ARG, IDS_ARG],
    ..Spec::EMPTY
};

/// Entries were deleted.
pub(super) const DELETION: Event = Event::stream("xdel");

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
        ctx.note(key, DELETION);
    }
    ctx.session.output.count(deleted);
    Ok(())
}

/// What deleting came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deletions {
    /// Entries that went.
    pub(super) entries: u64,
    /// Pending deliveries that went.
    pub(super) dereferenced: u64,
}

impl Deletions {
    /// Deletes an entry, unless it is wanted and that counts.
    pub(super) fn delete(
        &mut self,
        stream: &mut Stream,
        id: StreamId,
        references: References,
    ) -> Deletion {
        match references {
            References::Acked if stream.groups.want(id) => return Deletion::Wanted,
            References::Keep | References::Acked => {}
            // Even those that are left of an entry which is gone.
            References::Remove => self.dereferenced += stream.groups.dereference(id),
        }
        if stream.log.delete(id) {
            self.entries += 1;
            Deletion::Done
        } else {
            Deletion::NoEntry
        }
    }
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deletion {
    Done,
    NoEntry,
    /// It stays, since a group wants it.
    Wanted,
}

fn xdelex(ctx: &mut Context<'_>) -> Outcome {
    let listed = Listed::parse(ctx, 2)?;
    let (scope, key) = (ctx.scope(), ctx.key(1));
    // IDs are looked at only if there is a stream.
    let ids = listed.ids(ctx);
    let mut deletions = Deletions::default();
    let replies = super::change(ctx.server, scope, key, |stream| {
        let delete = |id| match deletions.delete(stream, id, listed.references) {
            Deletion::Done => DELETED,
            Deletion::Wanted if stream.log.get(id).is_some() => STILL_WANTED,
            Deletion::NoEntry | Deletion::Wanted => NO_SUCH_ID,
        };
        ids.map(|ids| ids.into_iter().map(delete).collect::<Vec<i64>>())
    })?;
    let Some(replies) = replies else {
        listed.reply_nothing(ctx);
        return Ok(());
    };
    let replies = replies?;
    let out = &mut ctx.session.output;
    out.array(replies.len());
    replies.into_iter().for_each(|reply| out.integer(reply));
    ctx.server.keyspace.dirty += deletions.entries + deletions.dereferenced;
    if deletions.entries > 0 {
        ctx.note(key, DELETION);
    }
    Ok(())
}
