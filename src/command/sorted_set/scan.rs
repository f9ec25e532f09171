//! ZSCAN.

use super::{reply, view};
use crate::base::float;
use crate::command::cursor::{self, WalkOptions, Walked};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::value::SortedSetRef;

/// ZSCAN key cursor [MATCH pattern] [COUNT count]
pub(super) static ZSCAN: Command =
    Command { spec: ZSCAN_SPEC, handler: Some(zscan), subcommands: &[] };

const ZSCAN_SPEC: Spec = Spec {
    name: "zscan",
    summary: "Walks over the members and scores of a sorted set in steps.",
    complexity: "O(1) for a call, O(N) for a whole walk, N being the number of elements.",
    since: "2.8.0",
    group: Group::SortedSet,
    arity: -3,
    flags: Flags::READONLY,
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("cursor", ArgType::Integer),
        Arg::new("pattern", ArgType::Pattern).token("MATCH").optional(),
        Arg::new("count", ArgType::Integer).token("COUNT").optional(),
    ],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

fn zscan(ctx: &mut Context<'_>) -> Outcome {
    let cursor = cursor::parse_cursor(ctx, 2)?;
    let (scope, key) = (ctx.scope(), ctx.key(1));
    if view(&ctx.server.keyspace.read(scope, key))?.is_none() {
        cursor::reply_head(&mut ctx.session.output, 0, 0);
        return Ok(());
    }
    // Only now, as in Redis: without a key any options will do.
    let options = WalkOptions::parse(ctx, 3, Walked::Members)?;
    let entry = ctx.server.keyspace.glimpse(scope.db, key);
    let set = view(&entry)?.expect("it was there before");
    let mut found = Vec::new();
    let next = options.walk(cursor, |cursor, visited| {
        set.scan(cursor, |member, score| {
            *visited += 1;
            if member.with_text(|text| options.matches(text)) {
                found.push((member, score));
            }
        })
    });
    let out = &mut ctx.session.output;
    cursor::reply_head(out, next, 2 * found.len());
    let mut digits = Vec::new();
    for (member, score) in found {
        reply::element(out, member);
        digits.clear();
        // Redis prints the scores of large sets by other means here than anywhere else.
        match set {
            SortedSetRef::Packed(_) => float::format_f64(score, &mut digits),
            SortedSetRef::Scored(_) => float::format_f64_17(score, &mut digits),
        }
        out.bulk(&digits);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use std::collections::BTreeSet;

    #[test]
    fn small_sets_come_at_once() {
        check(
            "ZADD k 1 a 2.5 b 3 ab; ZSCAN k 0; ZSCAN k 0 MATCH a* COUNT 1",
            ":3 [$0 [$a $1 $b $2.5 $ab $3]] [$0 [$a $1 $ab $3]]",
        );
        check(
            "ZSCAN x 0; ZSCAN x 0 FOO; ZSCAN x a; ZADD k 1 a; ZSCAN k 0 FOO",
            "[$0 []] [$0 []] -ERR invalid cursor :1 -ERR syntax error",
        );
        check(
            "SET k v; ZSCAN k 0",
            "+OK -WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn large_sets_come_in_steps() {
        let mut bench = Bench::new();
        for n in 0..1000 {
            bench.raw(&["ZADD", "k", "0.1", &format!("m{n}")]);
        }
        let (mut cursor, mut seen, mut calls) = ("0".to_owned(), BTreeSet::new(), 0);
        loop {
            let reply = String::from_utf8(bench.raw(&["ZSCAN", "k", &cursor])).expect("text");
            let lines: Vec<_> = reply.split("\r\n").collect();
            seen.extend(
                lines.iter().filter(|line| line.starts_with('m')).map(|line| (*line).to_owned()),
            );
            assert!(lines.contains(&"0.10000000000000001"));
            cursor = lines[2].to_owned();
            calls += 1;
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen.len(), 1000);
        assert!((20..=100).contains(&calls), "{calls}");
    }
}
