//! Sets put together and taken from each other: SUNION, SUNIONSTORE, SDIFF, SDIFFSTORE.

use super::operands::{self, Operands};
use super::put;
use crate::command::spec::{Arg, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::ds::listpack::{Digits, Element};
use crate::resp::Output;
use crate::store::{Event, Key};
use crate::value::set::{Limits, Probe, Set, SetRef};

/// SDIFF key [key …]
pub(super) static SDIFF: Command =
    Command { spec: SDIFF_SPEC, handler: Some(difference), subcommands: &[] };

const SDIFF_SPEC: Spec = Spec {
    name: "sdiff",
    summary: "Returns the members of the first set that are in none of the others.",
    complexity: "O(N), N being the number of members given.",
    group: Group::Set,
    arity: -2,
    flags: Flags::READONLY,
    categories: Categories::SET,
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0).multiple()],
    tips: &["nondeterministic_output_order"],
    ..Spec::EMPTY
};

/// SDIFFSTORE destination key [key …]
pub(super) static SDIFFSTORE: Command =
    Command { spec: SDIFFSTORE_SPEC, handler: Some(difference_store), subcommands: &[] };

const SDIFFSTORE_SPEC: Spec = Spec {
    name: "sdiffstore",
    summary: "Stores the members of the first set that are in none of the others.",
    complexity: "O(N), N being the number of members given.",
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

/// SUNION key [key …]
pub(super) static SUNION: Command =
    Command { spec: SUNION_SPEC, handler: Some(union), subcommands: &[] };

const SUNION_SPEC: Spec = Spec {
    name: "sunion",
    summary: "Returns the members that are in any of the sets.",
    complexity: "O(N), N being the number of members given.",
    group: Group::Set,
    arity: -2,
    flags: Flags::READONLY,
    categories: Categories::SET,
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0).multiple()],
    tips: &["nondeterministic_output_order"],
    ..Spec::EMPTY
};

/// SUNIONSTORE destination key [key …]
pub(super) static SUNIONSTORE: Command =
    Command { spec: SUNIONSTORE_SPEC, handler: Some(union_store), subcommands: &[] };

const SUNIONSTORE_SPEC: Spec = Spec {
    name: "sunionstore",
    summary: "Stores the members that are in any of the sets.",
    complexity: "O(N), N being the number of members given.",
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

/// How a difference is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// Each member of the first set is looked for in the others.
    LookUp,
    /// The members of the others are taken out of a copy of the first.
    TakeOut,
}

impl Method {
    /// The one with less to do; a lookup often ends at the first set asked, hence the half.
    fn for_sets(first: SetRef<'_>, others: &[SetRef<'_>]) -> Self {
        let looked_up = first.len().saturating_mul(others.len() + 1) / 2;
        let taken_out = others.iter().fold(first.len(), |sum, set| sum.saturating_add(set.len()));
        if looked_up <= taken_out { Self::LookUp } else { Self::TakeOut }
    }
}

/// An empty set to gather a reply in, which nobody sees: whatever makes finding members fast.
fn scratch<'a>(mut operands: impl Iterator<Item = SetRef<'a>>, limits: &Limits) -> Set {
    if operands.all(|set| matches!(set, SetRef::Integers(_))) {
        Set::new()
    } else {
        Set::table(limits)
    }
}

fn add_all(result: &mut Set, members: SetRef<'_>, limits: &Limits) {
    for member in members {
        result.add(member, limits);
    }
}

/// Calls `f` with each member of the first set that none of the others has.
fn only_in_first<'a>(
    first: SetRef<'a>,
    mut others: Vec<SetRef<'_>>,
    mut f: impl FnMut(Element<'a>),
) {
    // The largest is the most likely to end a search.
    others.sort_by_key(|set| std::cmp::Reverse(set.len()));
    for member in first {
        let mut digits = Digits::new();
        let probe = Probe::new(&member, &mut digits);
        if !others.iter().any(|set| set.holds(&probe)) {
            f(member);
        }
    }
}

/// Takes the members of the others out of `result`, to which those of the first are added.
fn take_out(result: &mut Set, first: SetRef<'_>, others: &[SetRef<'_>], limits: &Limits) {
    add_all(result, first, limits);
    for member in others.iter().copied().flatten() {
        member.with_text(|text| result.remove(text));
    }
}

fn reply(out: &mut Output, result: SetRef<'_>) {
    out.set(result.len());
    for member in result {
        put(out, member);
    }
}

fn union(ctx: &mut Context<'_>) -> Outcome {
    let keys = operands::check(ctx, 1..ctx.args.len())?;
    let keyspace = &ctx.server.keyspace;
    let limits = Limits::of(&ctx.server.config, keyspace.hash_key());
    let operands = Operands::find(keyspace, ctx.session.db, &keys);
    let out = &mut ctx.session.output;
    let mut sets = operands.sets().flatten();
    if let (Some(only), None) = (sets.next(), sets.next()) {
        reply(out, only);
        return Ok(());
    }
    let mut result = scratch(operands.sets().flatten(), &limits);
    for set in operands.sets().flatten() {
        add_all(&mut result, set, &limits);
    }
    reply(out, result.view());
    Ok(())
}

fn union_store(ctx: &mut Context<'_>) -> Outcome {
    let keys = operands::check(ctx, 2..ctx.args.len())?;
    let keyspace = &ctx.server.keyspace;
    let limits = Limits::of(&ctx.server.config, keyspace.hash_key());
    let operands = Operands::find(keyspace, ctx.session.db, &keys);
    let mut result = Set::new();
    for set in operands.sets().flatten() {
        add_all(&mut result, set, &limits);
    }
    operands::store(ctx, result, Event::set("sunionstore"))
}

/// The first set and the others that exist; `None` if the first is missing or one of the others as well,
/// which leaves nothing.
fn minuend_and_others<'a>(
    operands: &'a Operands<'_>,
    keys: &[Key<'_>],
) -> Option<(SetRef<'a>, Vec<SetRef<'a>>)> {
    let mut sets = operands.sets();
    let first = sets.next().flatten()?;
    let is_repeated = keys[1..].iter().any(|key| key.bytes == keys[0].bytes);
    (!is_repeated).then(|| (first, sets.flatten().collect()))
}

fn difference(ctx: &mut Context<'_>) -> Outcome {
    let keys = operands::check(ctx, 1..ctx.args.len())?;
    let keyspace = &ctx.server.keyspace;
    let limits = Limits::of(&ctx.server.config, keyspace.hash_key());
    let operands = Operands::find(keyspace, ctx.session.db, &keys);
    let out = &mut ctx.session.output;
    let Some((first, others)) = minuend_and_others(&operands, &keys) else {
        out.set(0);
        return Ok(());
    };
    match Method::for_sets(first, &others) {
        Method::LookUp => {
            let (head, mut len) = (out.defer_len(), 0);
            only_in_first(first, others, |member| {
                put(out, member);
                len += 1;
            });
            out.fill_set(head, len);
        }
        Method::TakeOut => {
            let mut result = scratch(operands.sets().flatten(), &limits);
            take_out(&mut result, first, &others, &limits);
            reply(out, result.view());
        }
    }
    Ok(())
}

fn difference_store(ctx: &mut Context<'_>) -> Outcome {
    let keys = operands::check(ctx, 2..ctx.args.len())?;
    let keyspace = &ctx.server.keyspace;
    let limits = Limits::of(&ctx.server.config, keyspace.hash_key());
    let operands = Operands::find(keyspace, ctx.session.db, &keys);
    let mut result = Set::new();
    if let Some((first, others)) = minuend_and_others(&operands, &keys) {
        match Method::for_sets(first, &others) {
            Method::LookUp => only_in_first(first, others, |member| {
                result.add(member, &limits);
            }),
            Method::TakeOut => take_out(&mut result, first, &others, &limits),
        }
    }
    operands::store(ctx, result, Event::set("sdiffstore"))
}

#[cfg(test)]
mod tests {
    use crate::base::rng::Rng;
    use crate::command::testing::{Bench, check};
    use std::collections::BTreeSet;

    #[test]
    fn unions_have_each_member_once() {
        check("SADD a 3 1; SADD b 2 3; SUNION a b none", ":2 :2 [$1 $2 $3]");
        check("SADD a x y; SUNION none a; SUNION none", ":2 [$x $y] []");
        check("SADD a 1; SADD b x; SUNIONSTORE d a b a; SMEMBERS d", ":1 :1 :2 [$1 $x]");
        check("SADD a 1; SUNIONSTORE a none; EXISTS a", ":1 :0 :0");
    }

    #[test]
    fn differences_lack_what_others_have() {
        check(
            "SADD a 1 2 3; SADD b 2; SDIFF a b; SDIFF a none; SDIFF b a",
            ":3 :1 [$1 $3] [$1 $2 $3] []",
        );
        check("SADD a x y z; SADD b y; SDIFFSTORE d a b; SMEMBERS d", ":3 :1 :2 [$x $z]");
        check(
            "SADD a 1; SDIFF a a; SDIFF a none a; SDIFF none a; SDIFFSTORE a a a; EXISTS a",
            ":1 [] [] [] :0 :0",
        );
    }

    #[test]
    fn encodings_of_results_are_redis_s() {
        let mut bench = Bench::new();
        bench.check("CONFIG SET set-max-listpack-entries 2; SADD a 1 x; SADD b 2", "+OK :2 :1");
        bench.check("SUNIONSTORE d a b; OBJECT ENCODING d", ":3 $hashtable");
        bench.check("SUNIONSTORE d b b; OBJECT ENCODING d", ":1 $intset");
        bench.check("SUNIONSTORE d a; OBJECT ENCODING d", ":2 $listpack");
        bench.check("SDIFFSTORE d a b; OBJECT ENCODING d", ":2 $listpack");
        bench.check("SADD c x; SDIFFSTORE d a c; OBJECT ENCODING d", ":1 :1 $intset");
    }

    #[test]
    fn all_types_are_checked() {
        let error = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        for line in ["SUNION none s", "SDIFF none s", "SUNIONSTORE d none s", "SDIFFSTORE d none s"]
        {
            check(&format!("SET s v; {line}"), &format!("+OK {error}"));
        }
    }

    fn replied(bench: &mut Bench, words: &[&str]) -> BTreeSet<String> {
        let text = String::from_utf8(bench.raw(words)).expect("members of text");
        let lines: Vec<&str> = text.split("\r\n").collect();
        let found: BTreeSet<String> =
            lines[1..].iter().skip(1).step_by(2).map(|&line| line.to_owned()).collect();
        assert_eq!(lines[0][1..].parse(), Ok(found.len()), "{text}");
        found
    }

    /// Sizes and encodings of all kinds, hence both ways to find a difference.
    #[test]
    fn random_sets_agree_with_a_tree() {
        for seed in 0..150 {
            let mut rng = Rng::seeded(seed);
            let mut bench = Bench::new();
            let mut sets = Vec::new();
            for name in ["a", "b", "c"] {
                let prefix = if rng.below(2) == 0 { "" } else { "m" };
                let (range, bits) = (1 + rng.below(400), rng.below(9));
                let size = 1 << bits;
                let set: BTreeSet<String> = (0..rng.below(size))
                    .map(|_| {
                        format!(
                            "{}{}",
                            if rng.below(9) == 0 { prefix } else { "" },
                            rng.below(range)
                        )
                    })
                    .collect();
                for member in &set {
                    bench.raw(&["SADD", name, member]);
                }
                sets.push(set);
            }
            let union: BTreeSet<String> = sets.iter().flatten().cloned().collect();
            let common =
                sets[0].iter().filter(|one| sets[1].contains(*one) && sets[2].contains(*one));
            let common: BTreeSet<String> = common.cloned().collect();
            let rest =
                sets[0].iter().filter(|one| !sets[1].contains(*one) && !sets[2].contains(*one));
            let rest: BTreeSet<String> = rest.cloned().collect();
            for (name, expected) in [("SUNION", union), ("SINTER", common), ("SDIFF", rest)] {
                assert_eq!(
                    replied(&mut bench, &[name, "a", "b", "c"]),
                    expected,
                    "{name} of {seed}"
                );
                let store = format!("{name}STORE");
                let count = format!(":{}\r\n", expected.len());
                assert_eq!(bench.raw(&[store.as_str(), "d", "a", "b", "c"]), count.as_bytes());
                assert_eq!(replied(&mut bench, &["SMEMBERS", "d"]), expected, "{store} of {seed}");
            }
        }
    }
}
