//! ZCARD, ZCOUNT, ZLEXCOUNT.

use super::bounds::Bounds;
use super::view;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};

/// ZCARD key
pub(super) static ZCARD: Command =
    Command { spec: ZCARD_SPEC, handler: Some(zcard), subcommands: &[] };

const ZCARD_SPEC: Spec = Spec {
    name: "zcard",
    summary: "Returns the number of members.",
    complexity: "O(1)",
    since: "1.2.0",
    group: Group::SortedSet,
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

/// ZCOUNT key min max
pub(super) static ZCOUNT: Command =
    Command { spec: ZCOUNT_SPEC, handler: Some(zcount), subcommands: &[] };

const ZCOUNT_SPEC: Spec = Spec {
    name: "zcount",
    summary: "Counts the members with scores in a range.",
    complexity: "O(log(N)), N being the size of the sorted set.",
    since: "2.0.0",
    group: Group::SortedSet,
    arity: 4,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), Arg::new("min", ArgType::Double), Arg::new("max", ArgType::Double)],
    ..Spec::EMPTY
};

/// ZLEXCOUNT key min max
pub(super) static ZLEXCOUNT: Command =
    Command { spec: ZLEXCOUNT_SPEC, handler: Some(zlexcount), subcommands: &[] };

const ZLEXCOUNT_SPEC: Spec = Spec {
    name: "zlexcount",
    summary: "Counts the members between two others in byte order.",
    complexity: "O(log(N)), N being the size of the sorted set.",
    since: "2.8.9",
    group: Group::SortedSet,
    arity: 4,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), Arg::new("min", ArgType::String), Arg::new("max", ArgType::String)],
    ..Spec::EMPTY
};

fn zcard(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let entry = ctx.server.keyspace.read(scope, key);
    ctx.session.output.count(view(&entry)?.map_or(0, |set| set.len()));
    Ok(())
}

fn zcount(ctx: &mut Context<'_>) -> Outcome {
    let bounds = Bounds::scores(ctx.args.at(2), ctx.args.at(3))?;
    count(ctx, bounds)
}

fn zlexcount(ctx: &mut Context<'_>) -> Outcome {
    let bounds = Bounds::members(ctx.args.at(2), ctx.args.at(3))?;
    count(ctx, bounds)
}

fn count(ctx: &mut Context<'_>, bounds: Bounds<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let entry = ctx.server.keyspace.read(scope, key);
    ctx.session.output.count(view(&entry)?.map_or(0, |set| bounds.ranks(set).len()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn members_are_counted() {
        check(
            "ZADD k 1 a 2 b 3 c; ZCARD k; ZCARD x; ZCOUNT k (1 3; ZCOUNT k -inf +inf; ZCOUNT k 3 1; ZCOUNT x 0 1",
            ":3 :3 :0 :2 :3 :0 :0",
        );
        check(
            "ZADD k 0 a 0 b 0 c; ZLEXCOUNT k - +; ZLEXCOUNT k (a [c; ZLEXCOUNT k + -; ZLEXCOUNT k [b [b",
            ":3 :3 :2 :0 :1",
        );
        check(
            "ZCOUNT k a 1; ZCOUNT k 1 nan; ZLEXCOUNT k a +; SET k v; ZCOUNT k 0 1; ZCARD k",
            "-ERR min or max is not a float -ERR min or max is not a float \
             -ERR min or max not valid string range item +OK \
             -WRONGTYPE Operation against a key holding the wrong kind of value \
             -WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
