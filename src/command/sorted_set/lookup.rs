//! ZSCORE, ZMSCORE, ZRANK, ZREVRANK.

use super::view;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::value::sorted_set::Direction;

/// ZSCORE key member
pub(super) static ZSCORE: Command =
    Command { spec: ZSCORE_SPEC, handler: Some(zscore), subcommands: &[] };

const ZSCORE_SPEC: Spec = Spec {
    name: "zscore",
    summary: "Returns the score of a member.",
    complexity: "O(1)",
    since: "1.2.0",
    group: Group::SortedSet,
    arity: 3,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), Arg::new("member", ArgType::String)],
    member_at: 2,
    ..Spec::EMPTY
};

/// ZMSCORE key member [member ...]
pub(super) static ZMSCORE: Command =
    Command { spec: ZMSCORE_SPEC, handler: Some(zmscore), subcommands: &[] };

const ZMSCORE_SPEC: Spec = Spec {
    name: "zmscore",
    summary: "Returns the scores of several members.",
    complexity: "O(N), N being the number of members asked for.",
    since: "6.2.0",
    group: Group::SortedSet,
    arity: -3,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), Arg::new("member", ArgType::String).multiple()],
    ..Spec::EMPTY
};

/// ZRANK key member [WITHSCORE]
pub(super) static ZRANK: Command =
    Command { spec: ZRANK_SPEC, handler: Some(zrank), subcommands: &[] };

const ZRANK_SPEC: Spec = Spec {
    name: "zrank",
    summary: "Returns the rank of a member by ascending score.",
    complexity: "O(log(N))",
    since: "2.0.0",
    group: Group::SortedSet,
    arity: -3,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("member", ArgType::String),
        Arg::flag("withscore", "WITHSCORE").optional(),
    ],
    history: &[("7.2.0", "Option WITHSCORE.")],
    ..Spec::EMPTY
};

/// ZREVRANK key member [WITHSCORE]
pub(super) static ZREVRANK: Command =
    Command { spec: ZREVRANK_SPEC, handler: Some(zrevrank), subcommands: &[] };

const ZREVRANK_SPEC: Spec = Spec {
    name: "zrevrank",
    summary: "Returns the rank of a member by descending score.",
    complexity: "O(log(N))",
    since: "2.0.0",
    group: Group::SortedSet,
    arity: -3,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("member", ArgType::String),
        Arg::flag("withscore", "WITHSCORE").optional(),
    ],
    history: &[("7.2.0", "Option WITHSCORE.")],
    ..Spec::EMPTY
};

fn zscore(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let entry = ctx.server.keyspace.read(scope, key);
    let score = view(&entry)?.and_then(|set| set.score(ctx.args.at(2)));
    match score {
        Some(score) => ctx.session.output.double(score),
        None => ctx.session.output.null(),
    }
    Ok(())
}

fn zmscore(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let entry = ctx.server.keyspace.read(scope, key);
    let set = view(&entry)?;
    let (members, out) = (ctx.args.from(2), &mut ctx.session.output);
    out.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => out.double(score),
            None => out.null(),
        }
    }
    Ok(())
}

fn zrank(ctx: &mut Context<'_>) -> Outcome {
    rank(ctx, Direction::Forward)
}

fn zrevrank(ctx: &mut Context<'_>) -> Outcome {
    rank(ctx, Direction::Backward)
}

fn rank(ctx: &mut Context<'_>, direction: Direction) -> Outcome {
    let with_score = match ctx.args.len() {
        3 => false,
        4 if ctx.is_word(3, "withscore") => true,
        4 => return Err(Error::SYNTAX),
        _ => return Err(Error::arity(ctx.name())),
    };
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let entry = ctx.server.keyspace.read(scope, key);
    let set = view(&entry)?;
    let found = set.and_then(|set| Some((set.rank(ctx.args.at(2))?, set.len())));
    let out = &mut ctx.session.output;
    let Some(((rank, score), len)) = found else {
        if with_score {
            out.null_array();
        } else {
            out.null();
        }
        return Ok(());
    };
    let rank = match direction {
        Direction::Forward => rank,
        Direction::Backward => len - 1 - rank,
    };
    if with_score {
        out.array(2);
    }
    out.count(rank);
    if with_score {
        out.double(score);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn scores_are_looked_up() {
        check(
            "ZADD k 1.5 a -inf b 3e20 c; ZSCORE k a; ZSCORE k b; ZSCORE k c; ZSCORE k x; ZSCORE x a",
            ":3 $1.5 $-inf $3e+20 $_ $_",
        );
        check("ZADD k 1 a; ZMSCORE k a x; ZMSCORE x a b", ":1 [$1 $_] [$_ $_]");
        check(
            "HELLO 3; ZADD k 1.5 a; ZSCORE k a; ZMSCORE k a x",
            &format!("{} :1 ,1.5 [,1.5 _]", HELLO),
        );
    }

    const HELLO: &str = "%[$server $redis $version $7.4.0 $proto :3 $id :1 $mode $standalone $role $master $modules []]";

    #[test]
    fn ranks_count_from_either_end() {
        check(
            "ZADD k 1 a 2 b 2 c; ZRANK k a; ZRANK k c; ZREVRANK k a; ZRANK k x; ZRANK x a",
            ":3 :0 :2 :2 $_ $_",
        );
        check(
            "ZADD k 1 a 2 b; ZRANK k b WITHSCORE; ZREVRANK k b withscore; ZRANK k x WITHSCORE; ZRANK k a x; ZRANK k a x y",
            ":2 [:1 $2] [:0 $2] *_ -ERR syntax error -ERR wrong number of arguments for 'zrank' command",
        );
    }
}
