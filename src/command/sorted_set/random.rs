//! ZRANDMEMBER.

use super::reply::{self, Form, Scores};
use super::view;
use crate::base::rng::Rng;
use crate::command::picks::{self, Count};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::Output;
use crate::value::SortedSetRef;
use crate::value::sorted_set::Direction;
use std::collections::BTreeSet;

/// ZRANDMEMBER key [count [WITHSCORES]]
pub(super) static ZRANDMEMBER: Command =
    Command { spec: ZRANDMEMBER_SPEC, handler: Some(zrandmember), subcommands: &[] };

const ZRANDMEMBER_SPEC: Spec = Spec {
    name: "zrandmember",
    summary: "Returns members picked at random, with their scores if asked.",
    complexity: "O(N), N being the number of members returned.",
    since: "6.2.0",
    group: Group::SortedSet,
    arity: -2,
    flags: Flags::READONLY,
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::block(
            "options",
            &[
                Arg::new("count", ArgType::Integer),
                Arg::flag("withscores", "WITHSCORES").optional(),
            ],
        )
        .optional(),
    ],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// If a set has less than so many times the members wanted, all are walked through to pick some.
const WALK_SHARE: usize = 8;

fn zrandmember(ctx: &mut Context<'_>) -> Outcome {
    if ctx.args.len() == 2 {
        return one(ctx);
    }
    let count = Count::parse(ctx)?;
    let (count, scores) = match ctx.args.len() {
        3 => (count, Scores::Hidden),
        4 if ctx.is_word(3, "withscores") => (count.of_pairs()?, Scores::Shown),
        _ => return Err(Error::SYNTAX),
    };
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let entry = ctx.server.keyspace.read(scope, key);
    let set = view(&entry)?;
    let out = &mut ctx.session.output;
    let form = Form::of(scores, out.protocol);
    match (set, count) {
        (None, _) => out.array(0),
        (Some(set), Count::Repeated(count)) => {
            return repeated(out, &mut ctx.server.rng, set, count, form);
        }
        (Some(set), Count::Distinct(count)) => {
            distinct(out, &mut ctx.server.rng, set, count, form);
        }
    }
    Ok(())
}

fn one(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let entry = ctx.server.keyspace.read(scope, key);
    let found = view(&entry)?.and_then(|set| set.random(&mut ctx.server.rng));
    match found {
        Some((member, _)) => reply::element(&mut ctx.session.output, member),
        None => ctx.session.output.null(),
    }
    Ok(())
}

/// So many members, each drawn from all.
fn repeated(
    out: &mut Output,
    rng: &mut Rng,
    set: SortedSetRef<'_>,
    count: u64,
    form: Form,
) -> Outcome {
    // Whose members are found one behind the other: better know all places.
    let places: Option<Vec<_>> = match set {
        SortedSetRef::Packed(_) => Some(set.iter().collect()),
        SortedSetRef::Scored(_) => None,
    };
    let head = |out: &mut Output, count| out.array(form.len(count));
    picks::repeat(out, count, head, |out| {
        let (member, score) = match &places {
            Some(members) => members[rng.below_usize(members.len())],
            None => set.random(rng).expect("no key holds an empty sorted set"),
        };
        form.write(out, member, score);
    })
}

/// So many different members, or all.
fn distinct(out: &mut Output, rng: &mut Rng, set: SortedSetRef<'_>, count: usize, form: Form) {
    let len = set.len();
    if count >= len {
        return reply::members(out, len, set.iter(), form);
    }
    out.array(form.len(count));
    if len / WALK_SHARE < count {
        // Each is taken with the chance that fills the places that are left.
        let mut wanted = count;
        for (seen, (member, score)) in set.iter().enumerate() {
            if rng.below_usize(len - seen) < wanted {
                form.write(out, member, score);
                wanted -= 1;
            }
        }
        return;
    }
    // Floyd's sample: every set of ranks is as likely as the others.
    let mut ranks = BTreeSet::new();
    for last in len - count..len {
        let rank = rng.below_usize(last + 1);
        if !ranks.insert(rank) {
            ranks.insert(last);
        }
    }
    for rank in ranks {
        if let Some((member, score)) = set.range(rank..rank + 1, Direction::Forward).next() {
            form.write(out, member, score);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn arguments_are_checked_as_redis_does() {
        check(
            "ZRANDMEMBER k a; ZRANDMEMBER k -9223372036854775808; ZRANDMEMBER k 1 x; \
             ZRANDMEMBER k -9223372036854775807 WITHSCORES; ZRANDMEMBER k 9223372036854775807",
            "-ERR value is not an integer or out of range \
             -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807 \
             -ERR syntax error -ERR value is out of range []",
        );
        check("ZRANDMEMBER k; ZRANDMEMBER k 0; ZRANDMEMBER k 5 WITHSCORES", "$_ [] []");
        check(
            "ZADD k 1 a; ZRANDMEMBER k; ZRANDMEMBER k -2; ZRANDMEMBER k 5 WITHSCORES",
            ":1 $a [$a $a] [$a $1]",
        );
    }

    #[test]
    fn samples_are_distinct_and_reach_every_member() {
        for entries in ["0", "128"] {
            let mut bench = Bench::new();
            bench.raw(&["CONFIG", "SET", "zset-max-listpack-entries", entries]);
            for n in 0..100 {
                bench.raw(&["ZADD", "k", "1", &format!("m{n}")]);
            }
            for count in [1, 5, 12, 13, 50, 99, 100, 101] {
                let mut seen = std::collections::BTreeSet::new();
                for _ in 0..600 / count + 100 {
                    let reply = bench.raw(&["ZRANDMEMBER", "k", &count.to_string()]);
                    let text = String::from_utf8(reply).expect("text");
                    let members: Vec<_> =
                        text.split("\r\n").filter(|line| line.starts_with('m')).collect();
                    let distinct: std::collections::BTreeSet<_> = members.iter().collect();
                    assert_eq!((members.len(), distinct.len()), (count.min(100), count.min(100)));
                    seen.extend(members.into_iter().map(str::to_owned));
                }
                assert!(seen.len() >= 95, "{count}: {}", seen.len());
            }
        }
    }
}
