//! What several sets have in common: SINTER, SINTERCARD, SINTERSTORE.

use super::operands::{self, Operands};
use super::put;
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::ds::intset::IntSet;
use crate::ds::listpack::{Digits, Element, Listpack};
use crate::store::Event;
use crate::value::set::{Limits, Probe, Set, SetRef};
use std::ops::ControlFlow;

/// SINTER key [key …]
pub(super) static SINTER: Command =
    Command { spec: SINTER_SPEC, handler: Some(intersection), subcommands: &[] };

const SINTER_SPEC: Spec = Spec {
    name: "sinter",
    summary: "Returns the members that are in every set.",
    complexity: "O(N*M), N being the size of the smallest of M sets.",
    group: Group::Set,
    arity: -2,
    flags: Flags::READONLY,
    categories: Categories::SET,
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0).multiple()],
    tips: &["nondeterministic_output_order"],
    ..Spec::EMPTY
};

/// SINTERCARD numkeys key [key …] [LIMIT limit]
pub(super) static SINTERCARD: Command =
    Command { spec: SINTERCARD_SPEC, handler: Some(intersection_count), subcommands: &[] };

const SINTERCARD_SPEC: Spec = Spec {
    name: "sintercard",
    summary: "Counts the members that are in every set.",
    complexity: "O(N*M), N being the size of the smallest of M sets.",
    since: "7.0.0",
    group: Group::Set,
    arity: -3,
    flags: Flags::READONLY.union(Flags::MOVABLE_KEYS),
    categories: Categories::SET,
    keys: &[KeySpec::counted(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::new("numkeys", ArgType::Integer),
        Arg::key("key", 0).multiple(),
        Arg::new("limit", ArgType::Integer).token("LIMIT").optional(),
    ],
    ..Spec::EMPTY
};

/// SINTERSTORE destination key [key …]
pub(super) static SINTERSTORE: Command =
    Command { spec: SINTERSTORE_SPEC, handler: Some(intersection_store), subcommands: &[] };

const SINTERSTORE_SPEC: Spec = Spec {
    name: "sinterstore",
    summary: "Stores the members that are in every set.",
    complexity: "O(N*M), N being the size of the smallest of M sets.",
    group: Group::Set,
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::SET,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::OW.union(KeyFlags::UPDATE)),
        KeySpec::range(2, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
    ],
    args: &[Arg::key("destination", 0), Arg::key("key", 1).multiple()],
    ..Spec::EMPTY
};

const NO_KEYS: Error = Error::fixed("ERR numkeys should be greater than 0");
const TOO_MANY_KEYS: Error =
    Error::fixed("ERR Number of keys can't be greater than number of args");
const NEGATIVE_LIMIT: Error = Error::fixed("ERR LIMIT can't be negative");

/// The sets, smallest first; `None` if one is missing, which leaves nothing in common.
fn smallest_first<'a>(operands: &'a Operands<'_>) -> Option<Vec<SetRef<'a>>> {
    let mut sets: Vec<SetRef<'a>> = operands.sets().collect::<Option<_>>()?;
    sets.sort_by_key(|set| set.len());
    Some(sets)
}

/// Calls `f` with each member of the first set that all others have as well, until it breaks.
/// O(size of the first * sets), so the first should be the smallest.
fn in_common<'a>(sets: &[SetRef<'a>], mut f: impl FnMut(Element<'a>) -> ControlFlow<()>) {
    let Some((first, others)) = sets.split_first() else { return };
    for member in *first {
        let mut digits = Digits::new();
        let probe = Probe::new(&member, &mut digits);
        if others.iter().all(|set| set.holds(&probe)) && f(member).is_break() {
            return;
        }
    }
}

fn intersection(ctx: &mut Context<'_>) -> Outcome {
    let keys = operands::check(ctx, 1..ctx.args.len())?;
    let operands = Operands::find(&ctx.server.keyspace, ctx.session.db, &keys);
    let out = &mut ctx.session.output;
    let (head, mut len) = (out.defer_len(), 0);
    if let Some(sets) = smallest_first(&operands) {
        in_common(&sets, |member| {
            put(out, member);
            len += 1;
            ControlFlow::Continue(())
        });
    }
    out.fill_set(head, len);
    Ok(())
}

fn intersection_count(ctx: &mut Context<'_>) -> Outcome {
    let (keys_end, limit) = parse_count(ctx)?;
    let keys = operands::check(ctx, 2..keys_end)?;
    let operands = Operands::find(&ctx.server.keyspace, ctx.session.db, &keys);
    let mut len = 0;
    if let Some(sets) = smallest_first(&operands) {
        in_common(&sets, |_| {
            len += 1;
            if len == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }
    ctx.session.output.count(len);
    Ok(())
}

/// Where the keys of SINTERCARD end, and its limit; 0 is none.
fn parse_count(ctx: &Context<'_>) -> Result<(usize, usize), Error> {
    let keys = num::parse_i64(ctx.args.at(1)).and_then(|keys| usize::try_from(keys).ok());
    let keys = keys.filter(|&keys| keys > 0).ok_or(NO_KEYS)?;
    if keys > ctx.args.len() - 2 {
        return Err(TOO_MANY_KEYS);
    }
    let (end, mut limit) = (2 + keys, 0);
    let mut at = end;
    while at < ctx.args.len() {
        let Some(value) = ctx.args.get(at + 1).filter(|_| ctx.is_word(at, "limit")) else {
            return Err(Error::SYNTAX);
        };
        let value = num::parse_i64(value).and_then(|limit| usize::try_from(limit).ok());
        limit = value.ok_or(NEGATIVE_LIMIT)?;
        at += 2;
    }
    Ok((end, limit))
}

fn intersection_store(ctx: &mut Context<'_>) -> Outcome {
    let keys = operands::check(ctx, 2..ctx.args.len())?;
    let keyspace = &ctx.server.keyspace;
    let limits = Limits::of(&ctx.server.config, keyspace.hash_key());
    let operands = Operands::find(keyspace, ctx.session.db, &keys);
    let mut result = Set::new();
    if let Some(sets) = smallest_first(&operands) {
        // The result begins as the set it is a part of, or as a listing if that is a table. If all
        // members turn out to be integers, it becomes an array of them.
        result = match sets.first() {
            Some(SetRef::Integers(_)) | None => Set::Integers(IntSet::new()),
            Some(SetRef::Listing(_) | SetRef::Table(_)) => Set::Listing(Listpack::new()),
        };
        in_common(&sets, |member| {
            result.add(member, &limits);
            ControlFlow::Continue(())
        });
        result.become_integers_if_all_are(&limits);
    }
    operands::store(ctx, result, Event::set("sinterstore"))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    const SETS: &str = "SADD a 1 2 3 x y; SADD b 2 3 4 x; SADD i 3 2 1";

    #[test]
    fn the_intersection_is_replied_counted_and_stored() {
        check(
            &format!("{SETS}; SINTER a b i; SINTER a none; SINTER b a"),
            ":5 :4 :3 [$2 $3] [] [$2 $3 $x]",
        );
        check(&format!("{SETS}; SINTERCARD 2 a b; SINTERCARD 2 a none"), ":5 :4 :3 :3 :0");
        check(
            &format!(
                "{SETS}; SINTERCARD 2 a b LIMIT 0; SINTERCARD 2 a b LIMIT 2; SINTERCARD 2 a b LIMIT 9"
            ),
            ":5 :4 :3 :3 :2 :3",
        );
        check(
            &format!("{SETS}; SINTERSTORE d a b; SMEMBERS d; SINTER a a"),
            ":5 :4 :3 :3 [$2 $3 $x] [$1 $2 $3 $x $y]",
        );
    }

    #[test]
    fn an_empty_result_removes_the_destination() {
        let mut bench = Bench::new();
        bench.check("SADD a 1; SET d v; SINTERSTORE d a none; EXISTS d", ":1 +OK :0 :0");
        assert_eq!(bench.server.keyspace.dirty, 3);
        bench.check("SINTERSTORE d a none; SINTERSTORE a a a; SMEMBERS a", ":0 :1 [$1]");
        assert_eq!(bench.server.keyspace.dirty, 4);
    }

    #[test]
    fn a_stored_result_has_no_expiry_and_redis_s_encoding() {
        check("SADD a 1; SET d v EX 9; SINTERSTORE d a; TTL d", ":1 +OK :1 :-1");
        check("SADD a 1 2; SADD b 1 x; SINTERSTORE d a b; OBJECT ENCODING d", ":2 :2 :1 $intset");
        check("SADD a 1 x; SADD b 1 y; SINTERSTORE d a b; OBJECT ENCODING d", ":2 :2 :1 $intset");
        check("SADD a 1 x; SADD b 1 x; SINTERSTORE d a b; OBJECT ENCODING d", ":2 :2 :2 $listpack");
    }

    #[test]
    fn all_types_are_checked_before_anything_is_replied() {
        let error = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        for line in ["SINTER none s", "SINTERCARD 2 none s", "SINTERSTORE d none s", "SINTER s"] {
            check(&format!("SET s v; {line}"), &format!("+OK {error}"));
        }
        check("SET s v; SADD a 1; SINTERSTORE s a; TYPE s", "+OK :1 :1 +set");
    }

    #[test]
    fn the_arguments_of_the_count_are_checked_as_in_redis() {
        for (line, error) in [
            ("0 a", "numkeys should be greater than 0"),
            ("-1 a", "numkeys should be greater than 0"),
            ("x a", "numkeys should be greater than 0"),
            ("2 a", "Number of keys can't be greater than number of args"),
            ("9223372036854775807 a", "Number of keys can't be greater than number of args"),
            ("1 a b", "syntax error"),
            ("1 a LIMIT", "syntax error"),
            ("1 a LIMIT -1", "LIMIT can't be negative"),
            ("1 a LIMIT x", "LIMIT can't be negative"),
            ("1 a LIMIT 1 LIMIT -1", "LIMIT can't be negative"),
        ] {
            check(&format!("SINTERCARD {line}"), &format!("-ERR {error}"));
        }
    }
}
