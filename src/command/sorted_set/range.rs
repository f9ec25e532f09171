//! ZRANGE and its older forms, ZRANGESTORE.

use super::bounds::Bounds;
use super::reply::{self, Form, Scores};
use super::{limits, store, view};
use crate::base::num;
use crate::command::spec::{
    Arg, ArgType, Categories, Deprecation, Flags, Group, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::Event;
use crate::value::SortedSet;
use crate::value::sorted_set::Direction;
use std::ops::Range;

/// ZRANGE key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
pub(super) static ZRANGE: Command =
    Command { spec: ZRANGE_SPEC, handler: Some(zrange), subcommands: &[] };

const ZRANGE_SPEC: Spec = Spec {
    name: "zrange",
    summary: "Returns the members in a range of ranks, scores or byte order.",
    complexity: "O(log(N)+M), N being the size of the sorted set and M the number of members \
          returned.",
    since: "1.2.0",
    group: Group::SortedSet,
    arity: -4,
    flags: Flags::READONLY,
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("start", ArgType::String),
        Arg::new("stop", ArgType::String),
        Arg::one_of("sortby", &[Arg::flag("byscore", "BYSCORE"), Arg::flag("bylex", "BYLEX")])
            .optional()
            .since("6.2.0"),
        Arg::flag("rev", "REV").optional().since("6.2.0"),
        Arg::block(
            "limit",
            &[Arg::new("offset", ArgType::Integer), Arg::new("count", ArgType::Integer)],
        )
        .token("LIMIT")
        .optional()
        .since("6.2.0"),
        Arg::flag("withscores", "WITHSCORES").optional(),
    ],
    history: &[("6.2.0", "Options REV, BYSCORE, BYLEX and LIMIT.")],
    ..Spec::EMPTY
};

/// ZREVRANGE key start stop [WITHSCORES]
pub(super) static ZREVRANGE: Command =
    Command { spec: ZREVRANGE_SPEC, handler: Some(zrevrange), subcommands: &[] };

const ZREVRANGE_SPEC: Spec = Spec {
    name: "zrevrange",
    summary: "Returns the members in a range of ranks by descending score.",
    complexity: "O(log(N)+M), N being the size of the sorted set and M the number of members \
          returned.",
    since: "1.2.0",
    group: Group::SortedSet,
    arity: -4,
    flags: Flags::READONLY,
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("start", ArgType::Integer),
        Arg::new("stop", ArgType::Integer),
        Arg::flag("withscores", "WITHSCORES").optional(),
    ],
    deprecated: Some(Deprecation { since: "6.2.0", replaced_by: "`ZRANGE` with `REV`" }),
    ..Spec::EMPTY
};

/// ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]
pub(super) static ZRANGEBYSCORE: Command =
    Command { spec: ZRANGEBYSCORE_SPEC, handler: Some(zrangebyscore), subcommands: &[] };

const ZRANGEBYSCORE_SPEC: Spec = Spec {
    name: "zrangebyscore",
    summary: "Returns the members with scores in a range.",
    complexity: "O(log(N)+M), N being the size of the sorted set and M the number of members \
          returned.",
    since: "1.0.5",
    group: Group::SortedSet,
    arity: -4,
    flags: Flags::READONLY,
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("min", ArgType::Double),
        Arg::new("max", ArgType::Double),
        Arg::flag("withscores", "WITHSCORES").optional().since("2.0.0"),
        Arg::block(
            "limit",
            &[Arg::new("offset", ArgType::Integer), Arg::new("count", ArgType::Integer)],
        )
        .token("LIMIT")
        .optional(),
    ],
    history: &[("2.0.0", "Option WITHSCORES.")],
    deprecated: Some(Deprecation { since: "6.2.0", replaced_by: "`ZRANGE` with `BYSCORE`" }),
    ..Spec::EMPTY
};

/// ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]
pub(super) static ZREVRANGEBYSCORE: Command =
    Command { spec: ZREVRANGEBYSCORE_SPEC, handler: Some(zrevrangebyscore), subcommands: &[] };

const ZREVRANGEBYSCORE_SPEC: Spec = Spec {
    name: "zrevrangebyscore",
    summary: "Returns the members with scores in a range, highest first.",
    complexity: "O(log(N)+M), N being the size of the sorted set and M the number of members \
          returned.",
    since: "2.2.0",
    group: Group::SortedSet,
    arity: -4,
    flags: Flags::READONLY,
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("max", ArgType::Double),
        Arg::new("min", ArgType::Double),
        Arg::flag("withscores", "WITHSCORES").optional(),
        Arg::block(
            "limit",
            &[Arg::new("offset", ArgType::Integer), Arg::new("count", ArgType::Integer)],
        )
        .token("LIMIT")
        .optional(),
    ],
    history: &[("2.1.6", "Bounds may be exclusive.")],
    deprecated: Some(Deprecation {
        since: "6.2.0",
        replaced_by: "`ZRANGE` with `REV` and `BYSCORE`",
    }),
    ..Spec::EMPTY
};

/// ZRANGEBYLEX key min max [LIMIT offset count]
pub(super) static ZRANGEBYLEX: Command =
    Command { spec: ZRANGEBYLEX_SPEC, handler: Some(zrangebylex), subcommands: &[] };

const ZRANGEBYLEX_SPEC: Spec = Spec {
    name: "zrangebylex",
    summary: "Returns the members between two others in byte order.",
    complexity: "O(log(N)+M), N being the size of the sorted set and M the number of members \
          returned.",
    since: "2.8.9",
    group: Group::SortedSet,
    arity: -4,
    flags: Flags::READONLY,
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("min", ArgType::String),
        Arg::new("max", ArgType::String),
        Arg::block(
            "limit",
            &[Arg::new("offset", ArgType::Integer), Arg::new("count", ArgType::Integer)],
        )
        .token("LIMIT")
        .optional(),
    ],
    deprecated: Some(Deprecation { since: "6.2.0", replaced_by: "`ZRANGE` with `BYLEX`" }),
    ..Spec::EMPTY
};

/// ZREVRANGEBYLEX key max min [LIMIT offset count]
pub(super) static ZREVRANGEBYLEX: Command =
    Command { spec: ZREVRANGEBYLEX_SPEC, handler: Some(zrevrangebylex), subcommands: &[] };

const ZREVRANGEBYLEX_SPEC: Spec = Spec {
    name: "zrevrangebylex",
    summary: "Returns the members between two others in descending byte order.",
    complexity: "O(log(N)+M), N being the size of the sorted set and M the number of members \
          returned.",
    since: "2.8.9",
    group: Group::SortedSet,
    arity: -4,
    flags: Flags::READONLY,
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("max", ArgType::String),
        Arg::new("min", ArgType::String),
        Arg::block(
            "limit",
            &[Arg::new("offset", ArgType::Integer), Arg::new("count", ArgType::Integer)],
        )
        .token("LIMIT")
        .optional(),
    ],
    deprecated: Some(Deprecation {
        since: "6.2.0",
        replaced_by: "`ZRANGE` with `REV` and `BYLEX`",
    }),
    ..Spec::EMPTY
};

/// ZRANGESTORE dst src min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]
pub(super) static ZRANGESTORE: Command =
    Command { spec: ZRANGESTORE_SPEC, handler: Some(zrangestore), subcommands: &[] };

const ZRANGESTORE_SPEC: Spec = Spec {
    name: "zrangestore",
    summary: "Stores the members in a range at another key.",
    complexity: "O(log(N)+M), N being the size of the sorted set and M the number of members \
          stored.",
    since: "6.2.0",
    group: Group::SortedSet,
    arity: -5,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::SORTEDSET,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::OW.union(KeyFlags::UPDATE)),
        KeySpec::range(2, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
    ],
    args: &[
        Arg::key("dst", 0),
        Arg::key("src", 1),
        Arg::new("min", ArgType::String),
        Arg::new("max", ArgType::String),
        Arg::one_of("sortby", &[Arg::flag("byscore", "BYSCORE"), Arg::flag("bylex", "BYLEX")])
            .optional(),
        Arg::flag("rev", "REV").optional(),
        Arg::block(
            "limit",
            &[Arg::new("offset", ArgType::Integer), Arg::new("count", ArgType::Integer)],
        )
        .token("LIMIT")
        .optional(),
    ],
    ..Spec::EMPTY
};

const LIMIT_OF_RANKS: Error = Error::fixed(
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
);
const SCORES_OF_MEMBERS: Error =
    Error::fixed("ERR syntax error, WITHSCORES not supported in combination with BYLEX");

/// What a range is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// What becomes of the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Reply,
    Store,
}

/// What the command's name says; what it leaves open, options say.
#[derive(Clone, Copy, Debug)]
struct Shape {
    by: Option<By>,
    direction: Option<Direction>,
}

/// Which members are wanted, and how.
#[derive(Clone, Copy, Debug)]
struct Query<'a> {
    bounds: Bounds<'a>,
    direction: Direction,
    /// Members to leave out first; if negative, all are.
    offset: i64,
    /// Members to give at most; if negative, any number.
    count: i64,
    scores: Scores,
}

impl<'a> Query<'a> {
    /// The query of a command whose set is at argument `key`.
    fn parse(ctx: &Context<'a>, key: usize, shape: Shape, purpose: Use) -> Result<Self, Error> {
        let Shape { mut by, mut direction } = shape;
        let (mut offset, mut count, mut scores) = (0, -1, Scores::Hidden);
        let mut at = key + 3;
        while at < ctx.args.len() {
            if purpose == Use::Reply && ctx.is_word(at, "withscores") {
                scores = Scores::Shown;
            } else if ctx.is_word(at, "limit") && at + 2 < ctx.args.len() {
                offset = ctx.integer(at + 1)?;
                count = ctx.integer(at + 2)?;
                at += 2;
            } else if direction.is_none() && ctx.is_word(at, "rev") {
                direction = Some(Direction::Backward);
            } else if by.is_none() && ctx.is_word(at, "bylex") {
                by = Some(By::Member);
            } else if by.is_none() && ctx.is_word(at, "byscore") {
                by = Some(By::Score);
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        let (by, direction) = (by.unwrap_or(By::Rank), direction.unwrap_or(Direction::Forward));
        if count != -1 && by == By::Rank {
            return Err(LIMIT_OF_RANKS);
        }
        if scores == Scores::Shown && by == By::Member {
            return Err(SCORES_OF_MEMBERS);
        }
        let (first, second) = (ctx.args.at(key + 1), ctx.args.at(key + 2));
        let (min, max) = match direction {
            Direction::Forward => (first, second),
            Direction::Backward => (second, first),
        };
        let bounds = match by {
            By::Rank => Bounds::Ranks(ctx.integer(key + 1)?, ctx.integer(key + 2)?),
            By::Score => Bounds::scores(min, max)?,
            By::Member => Bounds::members(min, max)?,
        };
        Ok(Self { bounds, direction, offset, count, scores })
    }

    /// The ranks, ascending, of the members that are wanted.
    fn ranks(&self, set: crate::value::SortedSetRef<'_>) -> Range<usize> {
        let found = self.bounds.ranks(set);
        match (self.bounds, self.direction) {
            // Ranks are counted in the direction that is wanted.
            (Bounds::Ranks(..), Direction::Forward) => found,
            (Bounds::Ranks(..), Direction::Backward) => {
                let len = set.len();
                len - found.end..len - found.start
            }
            (Bounds::Scores(..) | Bounds::Members(..), _) => self.limited(found),
        }
    }

    /// What LIMIT leaves of a range.
    fn limited(&self, found: Range<usize>) -> Range<usize> {
        let Ok(offset) = usize::try_from(self.offset) else { return found.start..found.start };
        let skipped = offset.min(found.len());
        let left = found.len() - skipped;
        let count = usize::try_from(self.count).map_or(left, |count| count.min(left));
        match self.direction {
            Direction::Forward => found.start + skipped..found.start + skipped + count,
            Direction::Backward => found.end - skipped - count..found.end - skipped,
        }
    }
}

const ANY: Shape = Shape { by: None, direction: None };

fn zrange(ctx: &mut Context<'_>) -> Outcome {
    range(ctx, ANY)
}

fn zrevrange(ctx: &mut Context<'_>) -> Outcome {
    range(ctx, Shape { by: Some(By::Rank), direction: Some(Direction::Backward) })
}

fn zrangebyscore(ctx: &mut Context<'_>) -> Outcome {
    range(ctx, Shape { by: Some(By::Score), direction: Some(Direction::Forward) })
}

fn zrevrangebyscore(ctx: &mut Context<'_>) -> Outcome {
    range(ctx, Shape { by: Some(By::Score), direction: Some(Direction::Backward) })
}

fn zrangebylex(ctx: &mut Context<'_>) -> Outcome {
    range(ctx, Shape { by: Some(By::Member), direction: Some(Direction::Forward) })
}

fn zrevrangebylex(ctx: &mut Context<'_>) -> Outcome {
    range(ctx, Shape { by: Some(By::Member), direction: Some(Direction::Backward) })
}

fn range(ctx: &mut Context<'_>, shape: Shape) -> Outcome {
    let query = Query::parse(ctx, 1, shape, Use::Reply)?;
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let entry = ctx.server.keyspace.read(scope, key);
    let set = view(&entry)?;
    let out = &mut ctx.session.output;
    let Some(set) = set else {
        out.array(0);
        return Ok(());
    };
    let ranks = query.ranks(set);
    let form = Form::of(query.scores, out.protocol);
    reply::members(out, ranks.len(), set.range(ranks, query.direction), form);
    Ok(())
}

fn zrangestore(ctx: &mut Context<'_>) -> Outcome {
    let query = Query::parse(ctx, 2, ANY, Use::Store)?;
    let limits = limits(ctx.server);
    let (scope, key) = (ctx.scope(), ctx.key(2));
    let entry = ctx.server.keyspace.read(scope, key);
    let mut stored = SortedSet::new(0, 0, &limits);
    if let Some(set) = view(&entry)? {
        let ranks = query.ranks(set);
        stored.reserve(ranks.len(), &limits);
        // In ascending order, which is the fastest, whichever was asked for.
        for (member, score) in set.range(ranks, Direction::Forward) {
            member.with_text(|member| stored.update(member, &limits, Some(score), |_| Some(score)));
        }
    }
    let len = store(ctx, 1, stored, Event::sorted_set("zrangestore"));
    ctx.reply_integer(num::i64_of(len))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    const FIVE: &str = "ZADD k 1 a 2 b 3 c 4 d 5 e";

    fn of_five(script: &str, expected: &str) {
        check(&format!("{FIVE}; {script}"), &format!(":5 {expected}"));
        // And as a skiplist.
        let config = "CONFIG SET zset-max-listpack-entries 0";
        check(&format!("{config}; {FIVE}; {script}"), &format!("+OK :5 {expected}"));
    }

    #[test]
    fn ranges_of_ranks() {
        of_five(
            "ZRANGE k 1 2; ZRANGE k -2 -1; ZRANGE k 3 1; ZRANGE k 0 100",
            "[$b $c] [$d $e] [] [$a $b $c $d $e]",
        );
        of_five(
            "ZRANGE k 0 1 REV; ZREVRANGE k -2 -1; ZREVRANGE k 0 0 WITHSCORES",
            "[$e $d] [$b $a] [$e $5]",
        );
        of_five("ZRANGE x 0 -1; ZRANGE k 0 1 WITHSCORES", "[] [$a $1 $b $2]");
    }

    #[test]
    fn ranges_of_scores() {
        of_five(
            "ZRANGE k (1 3 BYSCORE; ZRANGE k 3 (1 BYSCORE REV; ZRANGEBYSCORE k -inf 2",
            "[$b $c] [$c $b] [$a $b]",
        );
        of_five(
            "ZREVRANGEBYSCORE k +inf 4; ZRANGEBYSCORE k 3 1; ZRANGEBYSCORE k (3 (3; ZRANGEBYSCORE k 3 3",
            "[$e $d] [] [] [$c]",
        );
        of_five(
            "ZRANGEBYSCORE k 1 5 LIMIT 1 2; ZRANGEBYSCORE k 1 5 LIMIT 4 9; ZRANGEBYSCORE k 1 5 LIMIT 9 1",
            "[$b $c] [$e] []",
        );
        of_five(
            "ZRANGEBYSCORE k 1 5 LIMIT 1 -1; ZRANGEBYSCORE k 1 5 LIMIT -1 2; ZREVRANGEBYSCORE k 5 1 LIMIT 1 2; ZRANGEBYSCORE k 1 5 LIMIT 1 0",
            "[$b $c $d $e] [] [$d $c] []",
        );
    }

    #[test]
    fn ranges_of_members() {
        let members = "ZADD l 0 a 0 b 0 c 0 d";
        check(
            &format!(
                "{members}; ZRANGEBYLEX l - [b; ZRANGEBYLEX l (b +; ZREVRANGEBYLEX l + (b; ZRANGE l [b (d BYLEX; ZRANGE l (d [b BYLEX REV LIMIT 1 1"
            ),
            ":4 [$a $b] [$c $d] [$d $c] [$b $c] [$b]",
        );
        check(
            "ZRANGEBYLEX l a +; ZRANGEBYLEX l + -; ZRANGE l - + BYLEX WITHSCORES",
            "-ERR min or max not valid string range item [] -ERR syntax error, WITHSCORES not supported in combination with BYLEX",
        );
    }

    #[test]
    fn resp3_has_pairs_and_doubles() {
        let mut bench = Bench::new();
        bench.raw(&["HELLO", "3"]);
        bench.check(
            "ZADD k 1.5 a 2 b; ZRANGE k 0 -1 WITHSCORES; ZRANGE k 0 -1",
            ":2 [[$a ,1.5] [$b ,2]] [$a $b]",
        );
    }

    #[test]
    fn wrong_arguments_are_refused() {
        check(
            "ZRANGE k a 1; ZRANGE k 0 1 LIMIT 0 1; ZRANGE k 0 1 LIMIT 0; ZRANGE k a b BYSCORE; ZRANGE k 0 1 REV REV; ZREVRANGE k 0 1 BYSCORE",
            "-ERR value is not an integer or out of range \
             -ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX \
             -ERR syntax error -ERR min or max is not a float -ERR syntax error -ERR syntax error",
        );
        check(
            "SET k v; ZRANGE k 0 1; ZRANGE k 0 1 LIMIT a 1 BYSCORE",
            "+OK -WRONGTYPE Operation against a key holding the wrong kind of value -ERR value is not an integer or out of range",
        );
    }

    #[test]
    fn zrangestore_replaces_what_was_there() {
        of_five(
            "ZRANGESTORE d k 1 -2; ZRANGE d 0 -1 WITHSCORES; ZRANGESTORE d k 9 9; EXISTS d",
            ":3 [$b $2 $c $3 $d $4] :0 :0",
        );
        of_five(
            "SET d v; ZRANGESTORE d k 2 +inf BYSCORE REV; ZRANGESTORE d k +inf 2 BYSCORE REV LIMIT 0 1; ZRANGE d 0 -1",
            "+OK :0 :1 [$e]",
        );
        of_five(
            "ZRANGESTORE k k 0 0; ZRANGE k 0 -1; ZRANGESTORE d k 0 1 WITHSCORES; ZRANGESTORE d x 0 1",
            ":1 [$a] -ERR syntax error :0",
        );
        check(
            "SET s v; SET d v; ZRANGESTORE d s 0 -1; GET d",
            "+OK +OK -WRONGTYPE Operation against a key holding the wrong kind of value $v",
        );
    }
}
