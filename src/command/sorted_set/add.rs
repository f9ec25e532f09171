//! ZADD, ZINCRBY.

use super::limits;
use crate::base::float;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::Event;
use crate::value::SortedSet;
use crate::value::sorted_set::{Limits, Updated};

/// ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]
pub(super) static ZADD: Command =
    Command { spec: ZADD_SPEC, handler: Some(zadd), subcommands: &[] };

const ZADD_SPEC: Spec = Spec {
    name: "zadd",
    summary: "Adds members with scores, or changes the scores of members.",
    complexity: "O(log(N)) for each member, N being the size of the sorted set.",
    since: "1.2.0",
    group: Group::SortedSet,
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::one_of("condition", &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX")])
            .optional()
            .since("3.0.2"),
        Arg::one_of("comparison", &[Arg::flag("gt", "GT"), Arg::flag("lt", "LT")])
            .optional()
            .since("6.2.0"),
        Arg::flag("change", "CH").optional().since("3.0.2"),
        Arg::flag("increment", "INCR").optional().since("3.0.2"),
        Arg::block(
            "data",
            &[Arg::new("score", ArgType::Double), Arg::new("member", ArgType::String)],
        )
        .multiple(),
    ],
    history: &[
        ("2.4.0", "Several members may be given."),
        ("3.0.2", "Options XX, NX, CH and INCR."),
        ("6.2.0", "Options GT and LT."),
    ],
    member_at: 3,
    ..Spec::EMPTY
};

/// ZINCRBY key increment member
pub(super) static ZINCRBY: Command =
    Command { spec: ZINCRBY_SPEC, handler: Some(zincrby), subcommands: &[] };

const ZINCRBY_SPEC: Spec = Spec {
    name: "zincrby",
    summary: "Adds an amount to the score of a member; a missing member counts as 0.",
    complexity: "O(log(N)), N being the size of the sorted set.",
    since: "1.2.0",
    group: Group::SortedSet,
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("increment", ArgType::Integer),
        Arg::new("member", ArgType::String),
    ],
    member_at: 3,
    ..Spec::EMPTY
};

const NX_AND_XX: Error = Error::fixed("ERR XX and NX options at the same time are not compatible");
const GT_LT_NX: Error =
    Error::fixed("ERR GT, LT, and/or NX options at the same time are not compatible");
const ONE_INCREMENT: Error =
    Error::fixed("ERR INCR option supports a single increment-element pair");
const NOT_A_NUMBER: Error = Error::fixed("ERR resulting score is not a number (NaN)");

/// Which members may be touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    All,
    New,
    Existing,
}

/// Which changes of a score are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moves {
    Any,
    Up,
    Down,
}

/// What the numbers are, and what the reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Scores; reply with the number of new members.
    Set,
    /// Scores; reply with the number of new and changed members.
    SetAndCount,
    /// An increment; reply with the score.
    Increment,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    which: Which,
    moves: Moves,
    mode: Mode,
    /// The first score's argument.
    first: usize,
}

fn parse(ctx: &Context<'_>, mode: Mode) -> Result<Options, Error> {
    let (mut nx, mut xx, mut gt, mut lt, mut ch) = (false, false, false, false, false);
    let mut increment = mode == Mode::Increment;
    let mut at = 2;
    loop {
        let seen = if ctx.is_word(at, "nx") {
            &mut nx
        } else if ctx.is_word(at, "xx") {
            &mut xx
        } else if ctx.is_word(at, "ch") {
            &mut ch
        } else if ctx.is_word(at, "incr") {
            &mut increment
        } else if ctx.is_word(at, "gt") {
            &mut gt
        } else if ctx.is_word(at, "lt") {
            &mut lt
        } else {
            break;
        };
        *seen = true;
        at += 1;
    }
    let rest = ctx.args.len() - at;
    if rest == 0 || rest % 2 == 1 {
        return Err(Error::SYNTAX);
    }
    let which = match (nx, xx) {
        (true, true) => return Err(NX_AND_XX),
        (true, false) => Which::New,
        (false, true) => Which::Existing,
        (false, false) => Which::All,
    };
    let moves = match (gt, lt) {
        (true, true) => return Err(GT_LT_NX),
        (true, false) | (false, true) if nx => return Err(GT_LT_NX),
        (true, false) => Moves::Up,
        (false, true) => Moves::Down,
        (false, false) => Moves::Any,
    };
    if increment && rest > 2 {
        return Err(ONE_INCREMENT);
    }
    let mode = match (increment, ch) {
        (true, _) => Mode::Increment,
        (false, true) => Mode::SetAndCount,
        (false, false) => Mode::Set,
    };
    Ok(Options { which, moves, mode, first: at })
}

/// What became of one number.
enum Decision {
    /// The options leave the member as it is.
    Kept,
    /// The member gets or keeps this score.
    Score(f64),
    /// An infinity less the same infinity.
    NotANumber,
}

impl Options {
    fn decide(&self, old: Option<f64>, number: f64) -> Decision {
        let Some(old) = old else {
            return match self.which {
                Which::Existing => Decision::Kept,
                Which::All | Which::New => Decision::Score(number),
            };
        };
        if self.which == Which::New {
            return Decision::Kept;
        }
        let score = if self.mode == Mode::Increment { old + number } else { number };
        if score.is_nan() {
            return Decision::NotANumber;
        }
        let allowed = match self.moves {
            Moves::Any => true,
            Moves::Up => score > old,
            Moves::Down => score < old,
        };
        if allowed { Decision::Score(score) } else { Decision::Kept }
    }

    fn apply(
        &self,
        set: &mut SortedSet,
        limits: &Limits,
        number: f64,
        member: &[u8],
    ) -> (Updated, Decision) {
        let mut decision = Decision::Kept;
        // An increment says nothing about the score.
        let likely = (self.mode != Mode::Increment).then_some(number);
        let updated = set.update(member, limits, likely, |old| {
            decision = self.decide(old, number);
            match decision {
                Decision::Score(score) => Some(score),
                Decision::Kept | Decision::NotANumber => None,
            }
        });
        (updated, decision)
    }
}

fn zadd(ctx: &mut Context<'_>) -> Outcome {
    add(ctx, Mode::Set)
}

fn zincrby(ctx: &mut Context<'_>) -> Outcome {
    add(ctx, Mode::Increment)
}

fn add(ctx: &mut Context<'_>, mode: Mode) -> Outcome {
    let options = parse(ctx, mode)?;
    let args = ctx.args;
    let number = |at: usize| float::parse_f64(args.at(at)).ok_or(Error::NOT_A_FLOAT);
    let (pairs, last) = ((args.len() - options.first) / 2, args.len() - 2);
    // All numbers are looked at before anything is changed; one is not read twice.
    let first = number(options.first)?;
    for at in (options.first + 2..=last).step_by(2) {
        number(at)?;
    }
    let (scope, key, limits) = (ctx.scope(), ctx.key(1), limits(ctx.server));
    let (mut added, mut changed, mut decision) = (0, 0, Decision::Kept);
    let mut change = |set: &mut SortedSet| {
        set.reserve(pairs, &limits);
        for at in (options.first..=last).step_by(2) {
            let number = if at == options.first { Ok(first) } else { number(at) };
            let (updated, decided) =
                options.apply(set, &limits, number.expect("read above"), args.at(at + 1));
            decision = decided;
            match updated {
                Updated::Added => added += 1,
                Updated::Changed => changed += 1,
                Updated::Same | Updated::Declined => {}
            }
        }
    };
    let keyspace = &mut ctx.server.keyspace;
    if options.which == Which::Existing {
        keyspace.change(scope, key, change)?;
    } else {
        let new = || SortedSet::new(pairs, args.at(options.first + 1).len(), &limits);
        keyspace.change_or_create(scope, key, new, &mut change)?;
    }
    keyspace.dirty += added + changed;
    if added + changed > 0 {
        let name = if options.mode == Mode::Increment { "zincr" } else { "zadd" };
        keyspace.note(scope.db, key, Event::sorted_set(name));
    }
    let out = &mut ctx.session.output;
    match (options.mode, decision) {
        (Mode::Increment, Decision::NotANumber) => return Err(NOT_A_NUMBER),
        (Mode::Increment, Decision::Score(score)) => out.double(score),
        (Mode::Increment, Decision::Kept) => out.null(),
        (Mode::Set, _) => out.integer(added.cast_signed()),
        (Mode::SetAndCount, _) => out.integer((added + changed).cast_signed()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn zadd_adds_and_changes() {
        check(
            "ZADD k 1 a 2 b; ZADD k 3 a 2 b 5 c; ZADD k CH 4 a 2 b 6 d; ZRANGE k 0 -1 WITHSCORES",
            ":2 :1 :2 [$b $2 $a $4 $c $5 $d $6]",
        );
        check("ZADD k 1 a 1 a 2 a; ZRANGE k 0 -1 WITHSCORES", ":1 [$a $2]");
    }

    #[test]
    fn options_choose_members_and_moves() {
        check("ZADD k NX 1 a; ZADD k NX 2 a 3 b; ZSCORE k a", ":1 :1 $1");
        check("ZADD k XX 1 a; EXISTS k; ZADD k 1 a; ZADD k XX CH 2 a 3 b", ":0 :0 :1 :1");
        check("ZADD k 5 a; ZADD k GT CH 4 a; ZADD k GT CH 6 a; ZADD k GT CH 6 a", ":1 :0 :1 :0");
        check("ZADD k 5 a; ZADD k LT CH 6 a 1 b; ZADD k LT CH 4 a; ZSCORE k a", ":1 :1 :1 $4");
        check("ZADD k XX GT CH 1 a; ZADD k 1 a; ZADD k XX GT CH 2 a 2 b", ":0 :1 :1");
    }

    #[test]
    fn incr_replies_with_the_score_or_null() {
        check("ZADD k INCR 1.5 a; ZADD k INCR 1 a; ZINCRBY k -3 a", "$1.5 $2.5 $-0.5");
        check("ZADD k NX INCR 1 a; ZADD k NX INCR 1 a; ZADD x XX INCR 1 a", "$1 $_ $_");
        check("ZADD k 5 a; ZADD k GT INCR -1 a; ZADD k GT INCR 1 a", ":1 $_ $6");
        check(
            "ZADD k inf a; ZINCRBY k -inf a; ZSCORE k a; ZINCRBY k inf a",
            ":1 -ERR resulting score is not a number (NaN) $inf $inf",
        );
    }

    #[test]
    fn wrong_arguments_change_nothing() {
        check(
            "ZADD k 1; ZADD k 1 a 2; ZADD k NX; ZADD k NX XX 1 a; ZADD k GT LT 1 a; ZADD k NX GT 1 a",
            "-ERR wrong number of arguments for 'zadd' command -ERR syntax error -ERR wrong number of arguments for 'zadd' command \
             -ERR XX and NX options at the same time are not compatible \
             -ERR GT, LT, and/or NX options at the same time are not compatible \
             -ERR GT, LT, and/or NX options at the same time are not compatible",
        );
        check(
            "ZADD k INCR 1 a 2 b; ZADD k 1 a x b; EXISTS k; ZADD k nan a; ZINCRBY k nx a; ZINCRBY k x a",
            "-ERR INCR option supports a single increment-element pair -ERR value is not a valid float :0 \
             -ERR value is not a valid float -ERR syntax error -ERR value is not a valid float",
        );
        check(
            "SET k v; ZADD k 1 a; ZADD k XX 1 a",
            "+OK -WRONGTYPE Operation against a key holding the wrong kind of value -WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn encodings_follow_the_limits() {
        let long = "x".repeat(65);
        let mut bench = Bench::new();
        bench.check("ZADD k 1 a; OBJECT ENCODING k", ":1 $listpack");
        bench.check(&format!("ZADD k XX 1 {long}; OBJECT ENCODING k"), ":0 $listpack");
        bench.check(&format!("ZADD k 1 {long}; OBJECT ENCODING k"), ":1 $skiplist");
        bench.check(&format!("ZREM k {long}; OBJECT ENCODING k"), ":1 $skiplist");
        bench.check("CONFIG SET zset-max-listpack-entries 3", "+OK");
        bench.check("ZADD l 1 a 2 b 3 c; OBJECT ENCODING l", ":3 $listpack");
        bench.check("ZADD l 1 d; OBJECT ENCODING l", ":1 $skiplist");
        bench.check("ZADD m 1 a 2 a 3 a 4 a; OBJECT ENCODING m", ":1 $skiplist");
        bench.check("CONFIG SET zset-max-listpack-value 2", "+OK");
        bench.check(
            "ZADD n 1 abc; OBJECT ENCODING n; ZADD o 1 ab; OBJECT ENCODING o",
            ":1 $skiplist :1 $listpack",
        );
    }
}
