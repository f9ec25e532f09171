//! XREADGROUP.

use super::ids::INVALID_ID;
use super::read::{Acks, BLOCK_ARG, COUNT_ARG, Options, Reader, STREAMS_ARG, Streams};
use super::record::{self, Claimed, Owner};
use super::{no_group, reply};
use crate::command::blocking::WhenGone;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::Output;
use crate::store::Key;
use crate::value::stream::{ConsumerId, Group as ConsumerGroup, Log, StreamId};

const END_MEANINGLESS: Error = Error::fixed(
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of \
     this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would \
     just return an empty result set.",
);
const LAST_MEANINGLESS: Error = Error::fixed(
    "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of \
     this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would \
     just return an empty result set.",
);

/// XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id
/// [id ...]
pub(super) static XREADGROUP: Command =
    Command { spec: XREADGROUP_SPEC, handler: Some(xreadgroup), subcommands: &[] };

const XREADGROUP_SPEC: Spec = Spec {
    name: "xreadgroup",
    summary: "Returns entries of streams that no consumer of a group was given yet, or those that a \
          consumer has not acknowledged; waits for some.",
    complexity: "O(N), N being the number of entries returned.",
    since: "5.0.0",
    group: Group::Stream,
    arity: -7,
    flags: Flags::WRITE.union(Flags::BLOCKING).union(Flags::MOVABLE_KEYS),
    categories: Categories::STREAM,
    keys: &[super::read::streams(4)],
    args: &[
        Arg::block(
            "group-block",
            &[Arg::new("group", ArgType::String), Arg::new("consumer", ArgType::String)],
        )
        .token("GROUP"),
        COUNT_ARG,
        BLOCK_ARG,
        Arg::flag("noack", "NOACK").optional(),
        STREAMS_ARG,
    ],
    ..Spec::EMPTY
};

/// What is read of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// What no consumer was given yet.
    New,
    /// What the consumer has not acknowledged, behind an ID.
    History(StreamId),
}

impl From {
    fn parse(text: &[u8]) -> Result<Self, Error> {
        match text {
            b">" => Ok(Self::New),
            b"$" => Err(END_MEANINGLESS),
            b"+" => Err(LAST_MEANINGLESS),
            text => StreamId::parse(text, 0).map(Self::History).ok_or(INVALID_ID),
        }
    }
}

/// Who reads, when and how much.
#[derive(Clone, Copy, Debug)]
struct Reading {
    consumer: ConsumerId,
    now_ms: i64,
    count: usize,
    acks: Acks,
}

/// What reading one stream came to.
#[derive(Debug, Default)]
struct Read {
    has_made_consumer: bool,
    /// Entries delivered, if somebody wants to know; those that need no acknowledgement not included.
    claimed: Vec<Claimed<'static>>,
    /// How far the group has read, if it has read on.
    read_up_to: Option<(StreamId, Option<u64>)>,
}

fn xreadgroup(ctx: &mut Context<'_>) -> Outcome {
    let options = Options::parse(ctx, Reader::Group)?;
    ctx.effects_none();
    let mut from = Vec::with_capacity(options.keys);
    for key_at in options.key_range() {
        has_group(ctx, key_at, options.group_at)?;
        from.push(From::parse(ctx.args.at(options.id_at(key_at)))?);
    }
    let mut streams = Streams::begin(&mut ctx.session.output);
    for (key_at, &from) in options.key_range().zip(&from) {
        read_one(ctx, options, key_at, from, &mut streams)?;
    }
    if streams.end(&mut ctx.session.output) {
        return Ok(());
    }
    super::read::reply_later(ctx, options, WhenGone::TryAgain, |args| args.from(0).collect())
}

/// Whether there is a stream with the group.
///
/// # Errors
/// There is not.
fn has_group(ctx: &mut Context<'_>, key_at: usize, group_at: usize) -> Outcome {
    let (scope, key, group) = (ctx.scope(), ctx.key(key_at), ctx.args.at(group_at));
    let found = ctx.server.keyspace.read(scope, key);
    let group_found = super::view(&found)?.and_then(|stream| stream.groups.get(group));
    match group_found {
        Some(_) => Ok(()),
        None => Err(no_group(key.bytes, group, b" in XREADGROUP with GROUP option")),
    }
}

fn read_one(
    ctx: &mut Context<'_>,
    options: Options,
    key_at: usize,
    from: From,
    streams: &mut Streams,
) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(key_at));
    let (group_name, name) = (ctx.args.at(options.group_at), ctx.args.at(options.group_at + 1));
    let now_ms = ctx.server.now.unix_ms();
    let is_recorded = ctx.server.effects.wanted();
    let out = &mut ctx.session.output;
    let read = super::change_group(ctx.server, scope, key, group_name, |log, group| {
        let mut read = Read::default();
        let consumer = consumer(group, name, now_ms, &mut read);
        let reading = Reading { consumer, now_ms, count: options.count, acks: options.acks };
        match from {
            From::New => {
                let claimed = is_recorded.then_some(&mut read.claimed);
                let head = |out: &mut Output| streams.key(out, key.bytes);
                read.read_up_to = reading.deliver_new(log, group, out, head, claimed);
            }
            From::History(after) => {
                if let Some(first) = after.next() {
                    streams.key(out, key.bytes);
                    reading.deliver_again(log, group, out, first);
                }
            }
        }
        read
    })?;
    let read = read.expect("it was looked at before");
    let owner = Owner { key: key.bytes, group: group_name, consumer: name };
    note(ctx, key, owner, read);
    Ok(())
}

/// The consumer of this name, which is made if there is none.
fn consumer(group: &mut ConsumerGroup, name: &[u8], now_ms: i64, read: &mut Read) -> ConsumerId {
    if let Some(id) = group.consumer_named(name) {
        group.consumer_mut(id).seen_ms = now_ms;
        return id;
    }
    read.has_made_consumer = true;
    group.create_consumer(name, now_ms).expect("there is none of that name")
}

/// Counts what was changed, and records it.
fn note(ctx: &mut Context<'_>, key: Key<'_>, owner: Owner<'_>, read: Read) {
    let dirty = &mut ctx.server.keyspace.dirty;
    *dirty += u64::from(read.has_made_consumer) + u64::from(read.read_up_to.is_some());
    if read.has_made_consumer {
        ctx.note(key, super::CONSUMER_MADE);
        if read.claimed.is_empty() {
            record::consumer(ctx, owner);
        }
    }
    for claimed in read.claimed {
        record::claim(ctx, owner, &claimed);
    }
    if let Some((id, entries_read)) = read.read_up_to {
        record::last_id(ctx, owner.key, owner.group, id, entries_read);
    }
}

impl Reading {
    /// Replies with entries that no consumer was given yet, after `head`, if there are any; gives how far
    /// the group has read then.
    fn deliver_new(
        self,
        log: &Log,
        group: &mut ConsumerGroup,
        out: &mut Output,
        head: impl FnOnce(&mut Output),
        mut claimed: Option<&mut Vec<Claimed<'static>>>,
    ) -> Option<(StreamId, Option<u64>)> {
        let first = group.last_id().next()?;
        let mut entries = log.range(first, StreamId::MAX).take(self.count).peekable();
        entries.peek()?;
        head(out);
        let entries = entries.inspect(|&(id, _)| {
            group.advance(log, id);
            if self.acks == Acks::Wanted {
                group.deliver(id, self.consumer, self.now_ms);
                if let Some(claimed) = &mut claimed {
                    let nack = *group.pending(id).expect("it was just delivered");
                    let last_id = group.last_id();
                    claimed.push(Claimed { id, text: None, nack, last_id, former: None });
                }
            }
        });
        reply::entries(out, entries);
        if self.acks == Acks::Wanted {
            group.consumer_mut(self.consumer).active_ms = Some(self.now_ms);
        }
        Some((group.last_id(), group.entries_read()))
    }

    /// Replies with what the consumer has not acknowledged, from an ID on; entries that are gone have no
    /// fields.
    fn deliver_again(
        self,
        log: &Log,
        group: &mut ConsumerGroup,
        out: &mut Output,
        first: StreamId,
    ) {
        let pending = group.pending_of(self.consumer, first..=StreamId::MAX);
        let ids: Vec<StreamId> = pending.map(|(id, _)| id).take(self.count).collect();
        out.array(ids.len());
        for id in ids {
            if reply::entry_with(out, log, id) {
                group.redeliver(id, self.now_ms);
            } else {
                out.array(2);
                reply::id(out, id);
                out.null_array();
            }
        }
    }
}
