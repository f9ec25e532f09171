//! ZREM, ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.

use super::bounds::Bounds;
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::store::Event;
use crate::value::{Collection, SortedSet};

/// ZREM key member [member ...]
pub(super) static ZREM: Command =
    Command { spec: ZREM_SPEC, handler: Some(zrem), subcommands: &[] };

const ZREM_SPEC: Spec = Spec {
    name: "zrem",
    summary: "Removes members, and the sorted set with the last of them.",
    complexity: "O(M*log(N)), N being the size of the sorted set and M the number removed.",
    since: "1.2.0",
    group: Group::SortedSet,
    arity: -3,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), Arg::new("member", ArgType::String).multiple()],
    history: &[("2.4.0", "Several members may be given.")],
    member_at: 2,
    ..Spec::EMPTY
};

/// ZREMRANGEBYRANK key start stop
pub(super) static ZREMRANGEBYRANK: Command =
    Command { spec: ZREMRANGEBYRANK_SPEC, handler: Some(zremrangebyrank), subcommands: &[] };

const ZREMRANGEBYRANK_SPEC: Spec = Spec {
    name: "zremrangebyrank",
    summary: "Removes the members in a range of ranks.",
    complexity: "O(log(N)+M), N being the size of the sorted set and M the number of members \
          removed.",
    since: "2.0.0",
    group: Group::SortedSet,
    arity: 4,
    flags: Flags::WRITE,
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("start", ArgType::Integer),
        Arg::new("stop", ArgType::Integer),
    ],
    ..Spec::EMPTY
};

/// ZREMRANGEBYSCORE key min max
pub(super) static ZREMRANGEBYSCORE: Command =
    Command { spec: ZREMRANGEBYSCORE_SPEC, handler: Some(zremrangebyscore), subcommands: &[] };

const ZREMRANGEBYSCORE_SPEC: Spec = Spec {
    name: "zremrangebyscore",
    summary: "Removes the members with scores in a range.",
    complexity: "O(log(N)+M), N being the size of the sorted set and M the number of members \
          removed.",
    since: "1.2.0",
    group: Group::SortedSet,
    arity: 4,
    flags: Flags::WRITE,
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), Arg::new("min", ArgType::Double), Arg::new("max", ArgType::Double)],
    ..Spec::EMPTY
};

/// ZREMRANGEBYLEX key min max
pub(super) static ZREMRANGEBYLEX: Command =
    Command { spec: ZREMRANGEBYLEX_SPEC, handler: Some(zremrangebylex), subcommands: &[] };

const ZREMRANGEBYLEX_SPEC: Spec = Spec {
    name: "zremrangebylex",
    summary: "Removes the members between two others in byte order.",
    complexity: "O(log(N)+M), N being the size of the sorted set and M the number of members \
          removed.",
    since: "2.8.9",
    group: Group::SortedSet,
    arity: 4,
    flags: Flags::WRITE,
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), Arg::new("min", ArgType::String), Arg::new("max", ArgType::String)],
    ..Spec::EMPTY
};

fn zrem(ctx: &mut Context<'_>) -> Outcome {
    let members = ctx.args.from(2);
    remove(ctx, "zrem", |set| {
        let mut removed = 0;
        for member in members {
            removed += usize::from(set.remove(member).is_some());
            if set.is_empty() {
                break;
            }
        }
        removed
    })
}

fn zremrangebyrank(ctx: &mut Context<'_>) -> Outcome {
    let bounds = Bounds::Ranks(ctx.integer(2)?, ctx.integer(3)?);
    remove_range(ctx, "zremrangebyrank", bounds)
}

fn zremrangebyscore(ctx: &mut Context<'_>) -> Outcome {
    let bounds = Bounds::scores(ctx.args.at(2), ctx.args.at(3))?;
    remove_range(ctx, "zremrangebyscore", bounds)
}

fn zremrangebylex(ctx: &mut Context<'_>) -> Outcome {
    let bounds = Bounds::members(ctx.args.at(2), ctx.args.at(3))?;
    remove_range(ctx, "zremrangebylex", bounds)
}

fn remove_range(ctx: &mut Context<'_>, event: &'static str, bounds: Bounds<'_>) -> Outcome {
    remove(ctx, event, |set| {
        let ranks = bounds.ranks(set.view());
        let removed = ranks.len();
        set.remove_range(ranks);
        removed
    })
}

/// Replies with the number of members that `f` removes, which is told as `event`.
fn remove(
    ctx: &mut Context<'_>,
    event: &'static str,
    f: impl FnOnce(&mut SortedSet) -> usize,
) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let removed = ctx.server.keyspace.change(scope, key, f)?.unwrap_or(0);
    ctx.server.keyspace.dirty += num::u64_of(removed);
    if removed > 0 {
        ctx.note(key, Event::sorted_set(event));
    }
    ctx.reply_integer(num::i64_of(removed))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn the_key_goes_with_the_last_member() {
        check("ZADD k 1 a 2 b 3 c; ZREM k a x b; ZREM k c c; EXISTS k; ZREM k a", ":3 :2 :1 :0 :0");
        for ranges in
            ["ZREMRANGEBYRANK k 0 -1", "ZREMRANGEBYSCORE k -inf +inf", "ZREMRANGEBYLEX k - +"]
        {
            for entries in [0, 128] {
                check(
                    &format!(
                        "CONFIG SET zset-max-listpack-entries {entries}; ZADD k 1 a 1 b 1 c; {ranges}; EXISTS k; {ranges}"
                    ),
                    "+OK :3 :3 :0 :0",
                );
            }
        }
    }

    #[test]
    fn ranges_are_removed() {
        for entries in [0, 128] {
            check(
                &format!(
                    "CONFIG SET zset-max-listpack-entries {entries}; ZADD k 1 a 2 b 3 c 4 d 5 e; ZREMRANGEBYRANK k 1 1; ZREMRANGEBYSCORE k (3 (5; ZREMRANGEBYRANK k 9 9; ZRANGE k 0 -1"
                ),
                "+OK :5 :1 :1 :0 [$a $c $e]",
            );
            check(
                &format!(
                    "CONFIG SET zset-max-listpack-entries {entries}; ZADD k 0 a 0 b 0 c 0 d; ZREMRANGEBYLEX k (a [c; ZRANGE k 0 -1"
                ),
                "+OK :4 :2 [$a $d]",
            );
        }
    }

    #[test]
    fn wrong_arguments_are_refused() {
        check(
            "ZREMRANGEBYRANK k a 1; ZREMRANGEBYSCORE k a 1; ZREMRANGEBYLEX k a +; SET k v; ZREM k a; ZREMRANGEBYRANK k 0 1",
            "-ERR value is not an integer or out of range -ERR min or max is not a float \
             -ERR min or max not valid string range item +OK \
             -WRONGTYPE Operation against a key holding the wrong kind of value \
             -WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
