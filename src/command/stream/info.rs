//! XINFO, but for XINFO STREAM FULL.

use super::group::syntax;
use super::info_full::reply_in_full;
use super::{no_group_for_key, reply};
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::ds::dict::Ref;
use crate::resp::Output;
use crate::value::Entry;
use crate::value::stream::{Fields, Log, Node, Stream, StreamId};

/// Bytes of an ID as a key.
const ID_BYTES: usize = 16;
/// Entries that FULL shows of each list, unless the client says otherwise.
const FULL_COUNT: usize = 10;

const KEY: &[KeySpec] = &[KeySpec::range(2, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))];

/// XINFO, the container.
pub(super) static XINFO: Command = Command {
    spec: Spec {
        name: "xinfo",
        summary: "A container for commands that tell what streams are made of.",
        complexity: "Depends on subcommand.",
        since: "5.0.0",
        group: Group::Stream,
        arity: -2,
        ..Spec::EMPTY
    },
    handler: None,
    subcommands: &[&CONSUMERS, &GROUPS, &HELP, &STREAM],
};

/// What the subcommands have in common.
const COMMON: Spec = Spec {
    since: "5.0.0",
    group: Group::Stream,
    flags: Flags::READONLY,
    categories: Categories::STREAM,
    keys: KEY,
    ..Spec::EMPTY
};

/// XINFO CONSUMERS key group
static CONSUMERS: Command = Command {
    spec: Spec {
        name: "consumers",
        summary: "Returns the consumers of a group.",
        complexity: "O(N), N being the number of consumers.",
        arity: 4,
        args: &[Arg::key("key", 0), Arg::new("group", ArgType::String)],
        history: &[("7.2.0", "The field inactive; idle has another meaning.")],
        tips: &["nondeterministic_output"],
        ..COMMON
    },
    handler: Some(consumers),
    subcommands: &[],
};

/// XINFO GROUPS key
static GROUPS: Command = Command {
    spec: Spec {
        name: "groups",
        summary: "Returns the consumer groups of a stream.",
        complexity: "O(N), N being the number of groups.",
        arity: 3,
        args: &[Arg::key("key", 0)],
        history: &[("7.0.0", "The fields entries-read and lag.")],
        ..COMMON
    },
    handler: Some(groups),
    subcommands: &[],
};

/// XINFO HELP
static HELP: Command = Command {
    spec: Spec {
        name: "help",
        summary: "Lists the subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: Flags::LOADING.union(Flags::STALE),
        keys: &[],
        ..COMMON
    },
    handler: Some(help),
    subcommands: &[],
};

/// XINFO STREAM key [FULL [COUNT count]]
static STREAM: Command = Command {
    spec: Spec {
        name: "stream",
        summary: "Returns what is known of a stream.",
        complexity: "O(1), or O(N) with FULL, N being the number of entries returned.",
        arity: -3,
        args: &[
            Arg::key("key", 0),
            Arg::block(
                "full-block",
                &[
                    Arg::flag("full", "FULL"),
                    Arg::new("count", ArgType::Integer).token("COUNT").optional(),
                ],
            )
            .optional(),
        ],
        history: &[
            ("6.0.0", "The form FULL."),
            (
                "7.0.0",
                "The fields max-deleted-entry-id, entries-added, recorded-first-entry-id, \
                 entries-read and lag.",
            ),
            ("7.2.0", "The field active-time; seen-time has another meaning."),
        ],
        ..COMMON
    },
    handler: Some(stream),
    subcommands: &[],
};

/// The stream at argument 2.
///
/// # Errors
/// There is none.
fn found<'a>(found: &'a Option<Ref<'_, Entry>>) -> Result<&'a Stream, Error> {
    super::view(found)?.ok_or(Error::NO_SUCH_KEY)
}

fn consumers(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, name) = (ctx.scope(), ctx.key(2), ctx.args.at(3));
    let now_ms = ctx.server.now.unix_ms();
    let entry = ctx.server.keyspace.read(scope, key);
    let group = found(&entry)?.groups.get(name);
    let group = group.ok_or_else(|| no_group_for_key(key.bytes, name))?;
    let out = &mut ctx.session.output;
    out.array(group.consumer_count());
    for (_, consumer) in group.consumers() {
        let since = |at_ms: i64| now_ms.saturating_sub(at_ms).max(0);
        out.map(4);
        out.text("name");
        out.bulk(consumer.name());
        out.text("pending");
        out.count(consumer.pending_len());
        out.text("idle");
        out.integer(since(consumer.seen_ms));
        out.text("inactive");
        out.integer(consumer.active_ms.map_or(-1, since));
    }
    Ok(())
}

fn groups(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(2));
    let entry = ctx.server.keyspace.read(scope, key);
    let Stream { log, groups } = found(&entry)?;
    let out = &mut ctx.session.output;
    out.array(groups.len());
    for (name, group) in groups.iter() {
        out.map(6);
        out.text("name");
        out.bulk(name);
        out.text("consumers");
        out.count(group.consumer_count());
        out.text("pending");
        out.count(group.pending_len());
        out.text("last-delivered-id");
        reply::id(out, group.last_id());
        out.text("entries-read");
        known(out, group.entries_read().map(u64::cast_signed));
        out.text("lag");
        known(out, group.lag(log));
    }
    Ok(())
}

/// A number that may not be known.
pub(super) fn known(out: &mut Output, number: Option<i64>) {
    match number {
        Some(number) => out.integer(number),
        None => out.null(),
    }
}

fn stream(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(2));
    // Whether there is a stream counts for more than what else is wrong.
    found(&ctx.server.keyspace.read(scope, key))?;
    let count = parse_full(ctx)?;
    let entry = ctx.server.keyspace.peek(scope.db, key);
    let stream = found(&entry)?;
    let out = &mut ctx.session.output;
    if let Some(count) = count {
        reply_in_full(out, stream, count);
        return Ok(());
    }
    out.map(10);
    reply_counters(out, &stream.log);
    out.text("groups");
    out.count(stream.groups.len());
    out.text("first-entry");
    entry_or_null(out, stream.log.first());
    out.text("last-entry");
    entry_or_null(out, stream.log.last());
    Ok(())
}

/// How many entries FULL is to show, if it is given.
fn parse_full(ctx: &Context<'_>) -> Result<Option<usize>, Error> {
    match ctx.args.len() {
        3 => Ok(None),
        4 if ctx.is_word(3, "FULL") => Ok(Some(FULL_COUNT)),
        6 if ctx.is_word(3, "FULL") && ctx.is_word(4, "COUNT") => {
            Ok(Some(match u64::try_from(ctx.integer(5)?) {
                Ok(0) => usize::MAX,
                Ok(count) => num::usize_of(count),
                Err(_) => FULL_COUNT,
            }))
        }
        _ => Err(syntax(ctx)),
    }
}

/// The fields that both forms of XINFO STREAM begin with: seven.
pub(super) fn reply_counters(out: &mut Output, log: &Log) {
    out.text("length");
    out.count(num::usize_of(log.len()));
    out.text("radix-tree-keys");
    out.count(log.node_count());
    out.text("radix-tree-nodes");
    out.count(radix_nodes(log.raw_nodes().map(Node::base)));
    out.text("last-generated-id");
    reply::id(out, log.last_id());
    out.text("max-deleted-entry-id");
    reply::id(out, log.max_deleted_id());
    out.text("entries-added");
    out.integer(log.entries_added().cast_signed());
    out.text("recorded-first-entry-id");
    reply::id(out, log.first_id());
}

/// How many nodes Redis's radix tree has for these keys, which ascend: one for each key, one where keys
/// part, and one for each run of bytes in front of those. O(keys).
fn radix_nodes(keys: impl Iterator<Item = StreamId>) -> usize {
    let keys: Vec<[u8; ID_BYTES]> = keys.map(StreamId::to_bytes).collect();
    if keys.is_empty() { 1 } else { radix_nodes_below(&keys, 0) }
}

/// The same for keys that have their first `depth` bytes in common.
fn radix_nodes_below(keys: &[[u8; ID_BYTES]], depth: usize) -> usize {
    let (first, last) = (&keys[0], &keys[keys.len() - 1]);
    // Ascending keys have in common what the first and the last have.
    let parts = (depth..ID_BYTES).find(|&at| first[at] != last[at]).unwrap_or(ID_BYTES);
    let run = usize::from(parts > depth);
    if parts == ID_BYTES {
        return run + 1;
    }
    let children = keys.chunk_by(|one, other| one[parts] == other[parts]);
    run + 1 + children.map(|keys| radix_nodes_below(keys, parts + 1)).sum::<usize>()
}

fn entry_or_null(out: &mut Output, entry: Option<(StreamId, Fields<'_>)>) {
    match entry {
        Some((id, fields)) => reply::entry(out, id, fields),
        None => out.null(),
    }
}

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "CONSUMERS <key> <groupname>",
        "    Show consumers of <groupname>.",
        "GROUPS <key>",
        "    Show the stream consumer groups.",
        "STREAM <key> [FULL [COUNT <count>]",
        "    Show information about the stream.",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_counted_as_redis_counts_them() {
        let nodes =
            |ids: &[(u64, u64)]| radix_nodes(ids.iter().map(|&(ms, seq)| StreamId::new(ms, seq)));
        assert_eq!(nodes(&[]), 1);
        assert_eq!(nodes(&[(1, 0)]), 2);
        // They part in their last byte; then behind their first byte.
        assert_eq!(nodes(&[(1, 0), (1, 1)]), 4);
        assert_eq!(nodes(&[(1, 0), (1 << 56, 0)]), 5);
        assert_eq!(nodes(&[(1, 0), (1, 1), (1, 256)]), 7);
    }
}
