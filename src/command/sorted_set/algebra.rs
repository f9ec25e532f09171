//! ZUNION, ZINTER, ZDIFF, their storing forms, ZINTERCARD. Inputs may be sets: their members have the
//! score 1.

use super::reply::{self, Form, Scores};
use super::{limits, store};
use crate::base::{float, num};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::ds::dict::Ref;
use crate::ds::listpack::Element;
use crate::store::Event;
use crate::value::sorted_set::{Builder, Limits};
use crate::value::{Entry, SetRef, SortedSet, SortedSetRef};

const WEIGHTS: Arg = Arg::new("weight", ArgType::Integer).token("WEIGHTS").optional().multiple();
const AGGREGATE: Arg = Arg::one_of(
    "aggregate",
    &[Arg::flag("sum", "SUM"), Arg::flag("min", "MIN"), Arg::flag("max", "MAX")],
)
.token("AGGREGATE")
.optional();
const WITHSCORES: Arg = Arg::flag("withscores", "WITHSCORES").optional();
const READ: KeySpec = KeySpec::counted(1, KeyFlags::RO.union(KeyFlags::ACCESS));
const READ_TO_STORE: &[KeySpec] = &[
    KeySpec::range(1, 0, 1, KeyFlags::OW.union(KeyFlags::UPDATE)),
    KeySpec::counted(2, KeyFlags::RO.union(KeyFlags::ACCESS)),
];

/// ZUNION numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]
pub(super) static ZUNION: Command =
    Command { spec: ZUNION_SPEC, handler: Some(zunion), subcommands: &[] };

const ZUNION_SPEC: Spec = Spec {
    name: "zunion",
    summary: "Returns the members that are in any of the sorted sets.",
    complexity: "O(N)+O(M*log(M)), N being the number of members given and M that of the result.",
    since: "6.2.0",
    group: Group::SortedSet,
    arity: -3,
    flags: Flags::READONLY.union(Flags::MOVABLE_KEYS),
    categories: Categories::SORTEDSET,
    keys: &[READ],
    args: &[
        Arg::new("numkeys", ArgType::Integer),
        Arg::key("key", 0).multiple(),
        WEIGHTS,
        AGGREGATE,
        WITHSCORES,
    ],
    ..Spec::EMPTY
};

/// ZINTER numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]
pub(super) static ZINTER: Command =
    Command { spec: ZINTER_SPEC, handler: Some(zinter), subcommands: &[] };

const ZINTER_SPEC: Spec = Spec {
    name: "zinter",
    summary: "Returns the members that are in every sorted set.",
    complexity: "O(N*K)+O(M*log(M)), N being the size of the smallest of K inputs and M that of \
          the result.",
    since: "6.2.0",
    group: Group::SortedSet,
    arity: -3,
    flags: Flags::READONLY.union(Flags::MOVABLE_KEYS),
    categories: Categories::SORTEDSET,
    keys: &[READ],
    args: &[
        Arg::new("numkeys", ArgType::Integer),
        Arg::key("key", 0).multiple(),
        WEIGHTS,
        AGGREGATE,
        WITHSCORES,
    ],
    ..Spec::EMPTY
};

/// ZDIFF numkeys key [key ...] [WITHSCORES]
pub(super) static ZDIFF: Command =
    Command { spec: ZDIFF_SPEC, handler: Some(zdiff), subcommands: &[] };

const ZDIFF_SPEC: Spec = Spec {
    name: "zdiff",
    summary: "Returns the members of the first sorted set that are in none of the others.",
    complexity: "O(L+(N-K)*log(N)), L being the number of members given, N the size of the first \
          input and K that of the result.",
    since: "6.2.0",
    group: Group::SortedSet,
    arity: -3,
    flags: Flags::READONLY.union(Flags::MOVABLE_KEYS),
    categories: Categories::SORTEDSET,
    keys: &[READ],
    args: &[Arg::new("numkeys", ArgType::Integer), Arg::key("key", 0).multiple(), WITHSCORES],
    ..Spec::EMPTY
};

/// ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM|MIN|MAX]
pub(super) static ZUNIONSTORE: Command =
    Command { spec: ZUNIONSTORE_SPEC, handler: Some(zunionstore), subcommands: &[] };

const ZUNIONSTORE_SPEC: Spec = Spec {
    name: "zunionstore",
    summary: "Stores the members that are in any of the sorted sets.",
    complexity: "O(N)+O(M*log(M)), N being the number of members given and M that of the result.",
    since: "2.0.0",
    group: Group::SortedSet,
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLE_KEYS),
    categories: Categories::SORTEDSET,
    keys: READ_TO_STORE,
    args: &[
        Arg::key("destination", 0),
        Arg::new("numkeys", ArgType::Integer),
        Arg::key("key", 1).multiple(),
        WEIGHTS,
        AGGREGATE,
    ],
    ..Spec::EMPTY
};

/// ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM|MIN|MAX]
pub(super) static ZINTERSTORE: Command =
    Command { spec: ZINTERSTORE_SPEC, handler: Some(zinterstore), subcommands: &[] };

const ZINTERSTORE_SPEC: Spec = Spec {
    name: "zinterstore",
    summary: "Stores the members that are in every sorted set.",
    complexity: "O(N*K)+O(M*log(M)), N being the size of the smallest of K inputs and M that of \
          the result.",
    since: "2.0.0",
    group: Group::SortedSet,
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLE_KEYS),
    categories: Categories::SORTEDSET,
    keys: READ_TO_STORE,
    args: &[
        Arg::key("destination", 0),
        Arg::new("numkeys", ArgType::Integer),
        Arg::key("key", 1).multiple(),
        WEIGHTS,
        AGGREGATE,
    ],
    ..Spec::EMPTY
};

/// ZDIFFSTORE destination numkeys key [key ...]
pub(super) static ZDIFFSTORE: Command =
    Command { spec: ZDIFFSTORE_SPEC, handler: Some(zdiffstore), subcommands: &[] };

const ZDIFFSTORE_SPEC: Spec = Spec {
    name: "zdiffstore",
    summary: "Stores the members of the first sorted set that are in none of the others.",
    complexity: "O(L+(N-K)*log(N)), L being the number of members given, N the size of the first \
          input and K that of the result.",
    since: "6.2.0",
    group: Group::SortedSet,
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLE_KEYS),
    categories: Categories::SORTEDSET,
    keys: READ_TO_STORE,
    args: &[
        Arg::key("destination", 0),
        Arg::new("numkeys", ArgType::Integer),
        Arg::key("key", 1).multiple(),
    ],
    ..Spec::EMPTY
};

/// ZINTERCARD numkeys key [key ...] [LIMIT limit]
pub(super) static ZINTERCARD: Command =
    Command { spec: ZINTERCARD_SPEC, handler: Some(zintercard), subcommands: &[] };

const ZINTERCARD_SPEC: Spec = Spec {
    name: "zintercard",
    summary: "Counts the members that are in every sorted set.",
    complexity: "O(N*K), N being the size of the smallest of K inputs.",
    since: "7.0.0",
    group: Group::SortedSet,
    arity: -3,
    flags: Flags::READONLY.union(Flags::MOVABLE_KEYS),
    categories: Categories::SORTEDSET,
    keys: &[READ],
    args: &[
        Arg::new("numkeys", ArgType::Integer),
        Arg::key("key", 0).multiple(),
        Arg::new("limit", ArgType::Integer).token("LIMIT").optional(),
    ],
    ..Spec::EMPTY
};

const WEIGHT_NOT_A_FLOAT: Error = Error::fixed("ERR weight value is not a float");
const LIMIT_NEGATIVE: Error = Error::fixed("ERR LIMIT can't be negative");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// What becomes of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Reply,
    Store,
    Count,
}

/// How the scores of one member become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

/// The result of a computation with infinities that has none is 0 here.
fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

impl Aggregate {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Sum => number(a + b),
            Self::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            Self::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
        }
    }
}

/// The options behind the keys.
struct Options {
    /// One for each key.
    weights: Vec<f64>,
    aggregate: Aggregate,
    scores: Scores,
    /// Members to count at most.
    limit: usize,
}

impl Options {
    fn parse(
        ctx: &Context<'_>,
        from: usize,
        keys: usize,
        operation: Operation,
        purpose: Use,
    ) -> Result<Self, Error> {
        let mut options = Self {
            weights: vec![1.0; keys],
            aggregate: Aggregate::Sum,
            scores: Scores::Hidden,
            limit: usize::MAX,
        };
        let weighted = operation != Operation::Difference && purpose != Use::Count;
        let mut at = from;
        while at < ctx.args.len() {
            let left = ctx.args.len() - at;
            if weighted && left > keys && ctx.is_word(at, "weights") {
                for weight in &mut options.weights {
                    at += 1;
                    *weight = float::parse_f64(ctx.args.at(at)).ok_or(WEIGHT_NOT_A_FLOAT)?;
                }
            } else if weighted && left >= 2 && ctx.is_word(at, "aggregate") {
                at += 1;
                options.aggregate = if ctx.is_word(at, "sum") {
                    Aggregate::Sum
                } else if ctx.is_word(at, "min") {
                    Aggregate::Min
                } else if ctx.is_word(at, "max") {
                    Aggregate::Max
                } else {
                    return Err(Error::SYNTAX);
                };
            } else if purpose == Use::Reply && ctx.is_word(at, "withscores") {
                options.scores = Scores::Shown;
            } else if purpose == Use::Count && left >= 2 && ctx.is_word(at, "limit") {
                at += 1;
                let limit = num::parse_i64(ctx.args.at(at)).and_then(|n| usize::try_from(n).ok());
                options.limit = match limit.ok_or(LIMIT_NEGATIVE)? {
                    0 => usize::MAX,
                    limit => limit,
                };
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        Ok(options)
    }
}

/// One of the sets that are combined.
#[derive(Clone, Copy)]
enum Input<'a> {
    /// There is none at the key.
    Nothing,
    Sorted(SortedSetRef<'a>),
    Plain(SetRef<'a>),
}

/// The score of a member of a set.
const PLAIN_SCORE: f64 = 1.0;

impl<'a> Input<'a> {
    /// The set in an entry.
    fn of(entry: &'a Entry) -> Option<Self> {
        let sorted = SortedSetRef::of(entry).map(Self::Sorted);
        sorted.or_else(|| SetRef::of(entry).map(Self::Plain))
    }

    fn len(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Sorted(set) => set.len(),
            Self::Plain(set) => set.len(),
        }
    }

    fn score(self, member: Element<'_>) -> Option<f64> {
        match self {
            Self::Nothing => None,
            Self::Sorted(set) => member.with_text(|member| set.score(member)),
            Self::Plain(set) => {
                member.with_text(|member| set.contains(member)).then_some(PLAIN_SCORE)
            }
        }
    }

    /// Gives the members to `f` until it says that it has enough.
    fn visit(self, mut f: impl FnMut(Element<'a>, f64) -> Enough) {
        match self {
            Self::Nothing => {}
            Self::Sorted(set) => {
                for (member, score) in set.iter() {
                    if f(member, score) == Enough::Yes {
                        return;
                    }
                }
            }
            Self::Plain(set) => {
                for member in set.iter() {
                    if f(member, PLAIN_SCORE) == Enough::Yes {
                        return;
                    }
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Enough {
    Yes,
    No,
}

/// The sets with their weights; smaller ones first, but for a difference in the order given.
type Inputs<'a> = Vec<(Input<'a>, f64)>;

/// Gives the members that all inputs have to `f`, with the score that comes of theirs.
fn intersect<'a>(
    inputs: &Inputs<'a>,
    aggregate: Aggregate,
    mut f: impl FnMut(Element<'a>, f64) -> Enough,
) {
    let Some(((smallest, weight), others)) = inputs.split_first() else { return };
    smallest.visit(|member, score| {
        let mut total = number(weight * score);
        for (other, weight) in others {
            let Some(score) = other.score(member) else { return Enough::No };
            // No number here makes a sum 0, and leaves minimum and maximum as they are.
            total = aggregate.of(total, weight * score);
        }
        f(member, total)
    });
}

/// Adds up all inputs.
fn unite(inputs: &Inputs<'_>, aggregate: Aggregate, limits: &Limits) -> SortedSet {
    let mut result = Builder::new(limits.hash_key);
    for (input, weight) in inputs {
        input.visit(|member, score| {
            let score = number(weight * score);
            member.with_text(|member| {
                result.add_or_change(member, score, |old| aggregate.of(old, score));
            });
            Enough::No
        });
    }
    SortedSet::built(result)
}

/// The members of the first input that the others do not have.
fn subtract(inputs: &Inputs<'_>, limits: &Limits) -> SortedSet {
    let mut result = Builder::new(limits.hash_key);
    if let Some(((first, _), others)) = inputs.split_first() {
        first.visit(|member, score| {
            if others.iter().all(|(other, _)| other.score(member).is_none()) {
                member.with_text(|member| result.add(member, score));
            }
            Enough::No
        });
    }
    SortedSet::built(result)
}

fn zunion(ctx: &mut Context<'_>) -> Outcome {
    combine(ctx, Operation::Union, Use::Reply)
}

fn zinter(ctx: &mut Context<'_>) -> Outcome {
    combine(ctx, Operation::Intersection, Use::Reply)
}

fn zdiff(ctx: &mut Context<'_>) -> Outcome {
    combine(ctx, Operation::Difference, Use::Reply)
}

fn zunionstore(ctx: &mut Context<'_>) -> Outcome {
    combine(ctx, Operation::Union, Use::Store)
}

fn zinterstore(ctx: &mut Context<'_>) -> Outcome {
    combine(ctx, Operation::Intersection, Use::Store)
}

fn zdiffstore(ctx: &mut Context<'_>) -> Outcome {
    combine(ctx, Operation::Difference, Use::Store)
}

fn zintercard(ctx: &mut Context<'_>) -> Outcome {
    combine(ctx, Operation::Intersection, Use::Count)
}

fn combine(ctx: &mut Context<'_>, operation: Operation, purpose: Use) -> Outcome {
    let count_at = if purpose == Use::Store { 2 } else { 1 };
    let count = ctx.integer(count_at)?;
    if count < 1 {
        let name = ctx.name();
        return Err(Error::new(format!("ERR at least 1 input key is needed for '{name}' command")));
    }
    let first = count_at + 1;
    let keys = usize::try_from(count).ok().filter(|&keys| keys <= ctx.args.len() - first);
    let keys = keys.ok_or(Error::SYNTAX)?;
    let entries = read_all(ctx, first, keys)?;
    let options = Options::parse(ctx, first + keys, keys, operation, purpose)?;
    let limits = limits(ctx.server);
    let entries: Vec<Option<Ref<'_, Entry>>> = entries
        .into_iter()
        .map(|key| key.and_then(|key| ctx.server.keyspace.glimpse(ctx.session.db, key)))
        .collect();
    let mut inputs: Inputs<'_> = entries
        .iter()
        .map(|entry| entry.as_deref().and_then(Input::of).unwrap_or(Input::Nothing))
        .zip(options.weights)
        .collect();
    if operation != Operation::Difference {
        inputs.sort_by_key(|(input, _)| input.len());
    }
    if purpose == Use::Count {
        let mut members = 0;
        intersect(&inputs, options.aggregate, |_, _| {
            members += 1;
            if members == options.limit { Enough::Yes } else { Enough::No }
        });
        ctx.session.output.count(members);
        return Ok(());
    }
    let result = match operation {
        Operation::Union => unite(&inputs, options.aggregate, &limits),
        Operation::Difference => subtract(&inputs, &limits),
        Operation::Intersection => {
            let mut result = Builder::new(limits.hash_key);
            intersect(&inputs, options.aggregate, |member, score| {
                member.with_text(|member| result.add(member, score));
                Enough::No
            });
            SortedSet::built(result)
        }
    };
    drop(inputs);
    drop(entries);
    if purpose == Use::Store {
        let event = Event::sorted_set(match operation {
            Operation::Union => "zunionstore",
            Operation::Intersection => "zinterstore",
            Operation::Difference => "zdiffstore",
        });
        let len = store(ctx, 1, result.compacted(&limits), event);
        return ctx.reply_integer(num::i64_of(len));
    }
    let out = &mut ctx.session.output;
    let form = Form::of(options.scores, out.protocol);
    reply::members(out, result.view().len(), result.view().iter(), form);
    Ok(())
}

/// Looks the keys up, which counts as reading them; gives those that exist.
///
/// # Errors
/// A value that is neither a sorted set nor a set.
fn read_all<'a>(
    ctx: &mut Context<'a>,
    first: usize,
    keys: usize,
) -> Result<Vec<Option<crate::store::Key<'a>>>, Error> {
    let scope = ctx.scope();
    let found = (first..first + keys).map(|index| {
        let key = ctx.key(index);
        match ctx.server.keyspace.read(scope, key) {
            Some(entry) => Input::of(&entry).map(|_| Some(key)).ok_or(Error::WRONG_TYPE),
            None => Ok(None),
        }
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    const TWO: &str = "ZADD a 1 x 2 y 3 z; ZADD b 10 y 20 z 30 w";

    fn of_two(script: &str, expected: &str) {
        check(&format!("{TWO}; {script}"), &format!(":3 :3 {expected}"));
        let config = "CONFIG SET zset-max-listpack-entries 0";
        check(&format!("{config}; {TWO}; {script}"), &format!("+OK :3 :3 {expected}"));
    }

    #[test]
    fn unions() {
        of_two(
            "ZUNION 2 a b; ZUNION 2 a b WITHSCORES",
            "[$x $y $z $w] [$x $1 $y $12 $z $23 $w $30]",
        );
        of_two(
            "ZUNION 2 a b WEIGHTS 2 -1 WITHSCORES; ZUNION 2 a b AGGREGATE MAX WITHSCORES",
            "[$w $-30 $z $-14 $y $-6 $x $2] [$x $1 $y $10 $z $20 $w $30]",
        );
        of_two(
            "ZUNIONSTORE c 3 a b x AGGREGATE MIN; ZRANGE c 0 -1 WITHSCORES; ZUNIONSTORE c 1 x; EXISTS c",
            ":4 [$x $1 $y $2 $z $3 $w $30] :0 :0",
        );
    }

    #[test]
    fn intersections() {
        of_two(
            "ZINTER 2 a b WITHSCORES; ZINTERCARD 2 a b; ZINTERCARD 2 a b LIMIT 1; ZINTERCARD 2 a x; ZINTERCARD 2 a b LIMIT 0",
            "[$y $12 $z $23] :2 :1 :0 :2",
        );
        of_two(
            "ZINTERSTORE a 2 a b WEIGHTS 0 1; ZRANGE a 0 -1 WITHSCORES; ZINTER 2 a x",
            ":2 [$y $10 $z $20] []",
        );
    }

    #[test]
    fn differences() {
        of_two(
            "ZDIFF 2 a b WITHSCORES; ZDIFF 2 b a; ZDIFF 1 a; ZDIFF 2 x a; ZDIFF 2 a a",
            "[$x $1] [$w] [$x $y $z] [] []",
        );
        of_two("ZDIFFSTORE c 2 a b; ZDIFFSTORE c 2 a a; EXISTS c", ":1 :0 :0");
    }

    #[test]
    fn members_of_sets_have_the_score_1() {
        let both = "SADD s x 1 y; ZADD z 5 y 6 1 7 w";
        check(
            &format!(
                "{both}; ZUNION 2 s z WITHSCORES; ZINTER 2 z s WEIGHTS 1 10 WITHSCORES; ZDIFF 2 s z WITHSCORES; ZINTERCARD 2 s z"
            ),
            ":3 :3 [$x $1 $y $6 $1 $7 $w $7] [$y $15 $1 $16] [$x $1] :2",
        );
        check(
            "SADD s 3 1 2; ZUNIONSTORE s 1 s; TYPE s; ZRANGE s 0 -1 WITHSCORES",
            ":3 :3 +zset [$1 $1 $2 $1 $3 $1]",
        );
    }

    #[test]
    fn infinities_that_cancel_out_give_0() {
        check(
            "ZADD a inf x; ZADD b -inf x; ZUNION 2 a b WITHSCORES; ZUNION 1 a WEIGHTS 0 WITHSCORES",
            ":1 :1 [$x $0] [$x $0]",
        );
    }

    #[test]
    fn stored_results_take_the_smallest_encoding() {
        let long = "x".repeat(65);
        let mut bench = Bench::new();
        bench.check(
            &format!("ZADD a 1 {long} 2 y; ZREM a {long}; OBJECT ENCODING a"),
            ":2 :1 $skiplist",
        );
        bench.check(
            "ZUNIONSTORE b 1 a; OBJECT ENCODING b; ZINTERSTORE b 1 a; OBJECT ENCODING b",
            ":1 $listpack :1 $listpack",
        );
        bench.check(
            &format!("ZADD a 1 {long}; ZUNIONSTORE b 1 a; OBJECT ENCODING b"),
            ":1 :2 $skiplist",
        );
    }

    #[test]
    fn wrong_arguments_are_refused() {
        check(
            "ZUNION 0 a; ZUNIONSTORE c -1 a; ZUNION a a; ZUNION 2 a; ZINTERCARD 1 a LIMIT -1; ZUNION 1 a WEIGHTS x; ZUNION 1 a WEIGHTS; ZUNION 1 a AGGREGATE avg",
            "-ERR at least 1 input key is needed for 'zunion' command \
             -ERR at least 1 input key is needed for 'zunionstore' command \
             -ERR value is not an integer or out of range -ERR syntax error -ERR LIMIT can't be negative \
             -ERR weight value is not a float -ERR syntax error -ERR syntax error",
        );
        check(
            "ZDIFF 1 a WEIGHTS 1; ZUNIONSTORE c 1 a WITHSCORES; ZINTERCARD 1 a WITHSCORES; ZUNION 9223372036854775807 a; SET a v; ZUNION 1 a FOO",
            "-ERR syntax error -ERR syntax error -ERR syntax error -ERR syntax error +OK \
             -WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
