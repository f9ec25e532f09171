//! ZPOPMIN, ZPOPMAX, ZMPOP and the forms that wait for members.

use super::reply::Form;
use crate::base::num;
use crate::command::blocking::{Wanted, WhenGone};
use crate::command::several::Several;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::{Output, Protocol};
use crate::store::{Event, Key};
use crate::value::sorted_set::Direction;
use crate::value::{SortedSet, Type};
use std::ops::Range;

/// ZPOPMIN key [count]
pub(super) static ZPOPMIN: Command =
    Command { spec: ZPOPMIN_SPEC, handler: Some(zpopmin), subcommands: &[] };

const ZPOPMIN_SPEC: Spec = Spec {
    name: "zpopmin",
    summary: "Removes the members with the lowest scores.",
    complexity: "O(M*log(N)), N being the size of the sorted set and M the number removed.",
    since: "5.0.0",
    group: Group::SortedSet,
    arity: -2,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), Arg::new("count", ArgType::Integer).optional()],
    ..Spec::EMPTY
};

/// ZPOPMAX key [count]
pub(super) static ZPOPMAX: Command =
    Command { spec: ZPOPMAX_SPEC, handler: Some(zpopmax), subcommands: &[] };

const ZPOPMAX_SPEC: Spec = Spec {
    name: "zpopmax",
    summary: "Removes the members with the highest scores.",
    complexity: "O(M*log(N)), N being the size of the sorted set and M the number removed.",
    since: "5.0.0",
    group: Group::SortedSet,
    arity: -2,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), Arg::new("count", ArgType::Integer).optional()],
    ..Spec::EMPTY
};

/// ZMPOP numkeys key [key ...] MIN|MAX [COUNT count]
pub(super) static ZMPOP: Command =
    Command { spec: ZMPOP_SPEC, handler: Some(zmpop), subcommands: &[] };

const ZMPOP_SPEC: Spec = Spec {
    name: "zmpop",
    summary: "Removes members with the lowest or highest scores from the first sorted set that \
          has any.",
    complexity: "O(K)+O(M*log(N)), K being the number of keys, N the size of the sorted set and \
          M the number of members removed.",
    since: "7.0.0",
    group: Group::SortedSet,
    arity: -4,
    flags: Flags::WRITE.union(Flags::MOVABLE_KEYS),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::counted(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[
        Arg::new("numkeys", ArgType::Integer),
        Arg::key("key", 0).multiple(),
        Arg::one_of("where", &[Arg::flag("min", "MIN"), Arg::flag("max", "MAX")]),
        Arg::new("count", ArgType::Integer).token("COUNT").optional(),
    ],
    ..Spec::EMPTY
};

/// BZPOPMIN key [key ...] timeout
pub(super) static BZPOPMIN: Command =
    Command { spec: BZPOPMIN_SPEC, handler: Some(bzpopmin), subcommands: &[] };

const BZPOPMIN_SPEC: Spec = Spec {
    name: "bzpopmin",
    summary: "Removes the member with the lowest score from the first sorted set that has any; \
          waits for one.",
    complexity: "O(log(N)), N being the size of the sorted set.",
    since: "5.0.0",
    group: Group::SortedSet,
    arity: -3,
    flags: Flags::WRITE.union(Flags::BLOCKING).union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, -2, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0).multiple(), Arg::new("timeout", ArgType::Double)],
    history: &[("6.0.0", "The timeout may have a fraction.")],
    ..Spec::EMPTY
};

/// BZPOPMAX key [key ...] timeout
pub(super) static BZPOPMAX: Command =
    Command { spec: BZPOPMAX_SPEC, handler: Some(bzpopmax), subcommands: &[] };

const BZPOPMAX_SPEC: Spec = Spec {
    name: "bzpopmax",
    summary: "Removes the member with the highest score from the first sorted set that has any; \
          waits for one.",
    complexity: "O(log(N)), N being the size of the sorted set.",
    since: "5.0.0",
    group: Group::SortedSet,
    arity: -3,
    flags: Flags::WRITE.union(Flags::BLOCKING).union(Flags::FAST),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::range(1, -2, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0).multiple(), Arg::new("timeout", ArgType::Double)],
    history: &[("6.0.0", "The timeout may have a fraction.")],
    ..Spec::EMPTY
};

/// BZMPOP timeout numkeys key [key ...] MIN|MAX [COUNT count]
pub(super) static BZMPOP: Command =
    Command { spec: BZMPOP_SPEC, handler: Some(bzmpop), subcommands: &[] };

const BZMPOP_SPEC: Spec = Spec {
    name: "bzmpop",
    summary: "Removes members with the lowest or highest scores from the first sorted set that \
          has any; waits for one.",
    complexity: "O(K)+O(M*log(N)), K being the number of keys, N the size of the sorted set and \
          M the number of members removed.",
    since: "7.0.0",
    group: Group::SortedSet,
    arity: -5,
    flags: Flags::WRITE.union(Flags::BLOCKING).union(Flags::MOVABLE_KEYS),
    categories: Categories::SORTEDSET,
    keys: &[KeySpec::counted(2, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[
        Arg::new("timeout", ArgType::Double),
        Arg::new("numkeys", ArgType::Integer),
        Arg::key("key", 0).multiple(),
        Arg::one_of("where", &[Arg::flag("min", "MIN"), Arg::flag("max", "MAX")]),
        Arg::new("count", ArgType::Integer).token("COUNT").optional(),
    ],
    ..Spec::EMPTY
};

const COUNT_NEGATIVE: Error = Error::fixed("ERR value is out of range, must be positive");

/// Which end of a set members are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

/// Takes up to `count` members out of a set, after `write` was given how many there will be and `each`
/// of them.
fn pop(
    set: &mut SortedSet,
    end: End,
    count: usize,
    out: &mut Output,
    head: impl FnOnce(&mut Output, usize),
    form: Form,
) -> usize {
    let len = set.view().len();
    let count = count.min(len);
    let (ranks, direction) = match end {
        End::Min => (0..count, Direction::Forward),
        End::Max => (len - count..len, Direction::Backward),
    };
    head(out, count);
    for (member, score) in set.view().range(ranks.clone(), direction) {
        form.write(out, member, score);
    }
    set.remove_range(ranks);
    count
}

fn zpopmin(ctx: &mut Context<'_>) -> Outcome {
    pop_one_key(ctx, End::Min)
}

fn zpopmax(ctx: &mut Context<'_>) -> Outcome {
    pop_one_key(ctx, End::Max)
}

fn pop_one_key(ctx: &mut Context<'_>, end: End) -> Outcome {
    let protocol = ctx.session.output.protocol;
    let (count, form) = match ctx.args.get(2) {
        None => (1, Form::Flat),
        Some(_) if ctx.args.len() > 3 => return Err(Error::SYNTAX),
        Some(count) => {
            let count = num::parse_i64(count).and_then(|count| usize::try_from(count).ok());
            let form = match protocol {
                Protocol::Resp2 => Form::Flat,
                Protocol::Resp3 => Form::Pairs,
            };
            (count.ok_or(COUNT_NEGATIVE)?, form)
        }
    };
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let out = &mut ctx.session.output;
    let popped = ctx.server.keyspace.change(scope, key, |set| {
        pop(set, end, count, out, |out, popped| out.array(form.len(popped)), form)
    })?;
    match popped {
        Some(popped) => note_popped(ctx, key, end, popped),
        None => ctx.session.output.array(0),
    }
    Ok(())
}

/// Counts what was popped, and notes it.
fn note_popped(ctx: &mut Context<'_>, key: Key<'_>, end: End, popped: usize) {
    ctx.server.keyspace.dirty += num::u64_of(popped);
    if popped > 0 {
        ctx.note(
            key,
            Event::sorted_set(match end {
                End::Min => "zpopmin",
                End::Max => "zpopmax",
            }),
        );
    }
}

/// Pops from the first of several keys that has a sorted set; false if none has.
///
/// # Errors
/// A key before that holds another type.
fn pop_first_of(
    ctx: &mut Context<'_>,
    keys: Range<usize>,
    end: End,
    count: usize,
    form: Form,
) -> Result<bool, Error> {
    let scope = ctx.scope();
    for index in keys {
        let key = ctx.key(index);
        let out = &mut ctx.session.output;
        let head = |out: &mut Output, popped| match form {
            Form::Pairs => {
                out.array(2);
                out.bulk(key.bytes);
                out.array(popped);
            }
            Form::Members | Form::Flat => {
                out.array(3);
                out.bulk(key.bytes);
            }
        };
        let popped =
            ctx.server.keyspace.change(scope, key, |set| pop(set, end, count, out, head, form))?;
        if let Some(popped) = popped {
            note_popped(ctx, key, end, popped);
            record(ctx, key.bytes, end, form, popped);
            return Ok(true);
        }
    }
    Ok(false)
}

/// Records the command that does nothing but pop from one key.
fn record(ctx: &mut Context<'_>, key: &[u8], end: End, form: Form, popped: usize) {
    let name: &[u8] = match end {
        End::Min => b"ZPOPMIN",
        End::Max => b"ZPOPMAX",
    };
    let Some(mut effects) = ctx.effects_instead() else { return };
    match form {
        Form::Pairs => effects.add(3).word(name).word(key).count(popped),
        Form::Members | Form::Flat => effects.add(2).word(name).word(key),
    };
}

/// The end that an argument of ZMPOP and BZMPOP names.
fn parse_end(ctx: &Context<'_>, index: usize) -> Result<End, Error> {
    if ctx.is_word(index, "min") {
        Ok(End::Min)
    } else if ctx.is_word(index, "max") {
        Ok(End::Max)
    } else {
        Err(Error::SYNTAX)
    }
}

fn zmpop(ctx: &mut Context<'_>) -> Outcome {
    let Several { keys, end, count } = Several::parse(ctx, 1, parse_end)?;
    if !pop_first_of(ctx, keys, end, count, Form::Pairs)? {
        ctx.session.output.null_array();
    }
    Ok(())
}

fn bzpopmin(ctx: &mut Context<'_>) -> Outcome {
    pop_or_wait(ctx, End::Min)
}

fn bzpopmax(ctx: &mut Context<'_>) -> Outcome {
    pop_or_wait(ctx, End::Max)
}

fn pop_or_wait(ctx: &mut Context<'_>, end: End) -> Outcome {
    let last = ctx.args.len() - 1;
    let until_ns = ctx.timeout(last)?;
    if pop_first_of(ctx, 1..last, end, 1, Form::Flat)? {
        return Ok(());
    }
    wait(ctx, 1..last, until_ns)
}

fn bzmpop(ctx: &mut Context<'_>) -> Outcome {
    let Several { keys, end, count } = Several::parse(ctx, 2, parse_end)?;
    let until_ns = ctx.timeout(1)?;
    if pop_first_of(ctx, keys.clone(), end, count, Form::Pairs)? {
        return Ok(());
    }
    wait(ctx, keys, until_ns)
}

fn wait(ctx: &mut Context<'_>, keys: Range<usize>, until_ns: Option<u64>) -> Outcome {
    let timed_out = Output::null_array;
    ctx.wait_for_keys(Wanted {
        keys,
        kind: Type::SortedSet,
        when_gone: WhenGone::Wait,
        until_ns,
        timed_out,
    })
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn members_are_popped_from_either_end() {
        for entries in [0, 128] {
            check(
                &format!(
                    "CONFIG SET zset-max-listpack-entries {entries}; ZADD k 1 a 2 b 3 c 4 d 5 e; ZPOPMIN k; ZPOPMAX k 2; ZPOPMIN k 0; ZPOPMIN k 9; EXISTS k; ZPOPMIN k; ZPOPMAX k 3"
                ),
                "+OK :5 [$a $1] [$e $5 $d $4] [] [$b $2 $c $3] :0 [] []",
            );
        }
        check(
            "ZPOPMIN k -1; ZPOPMIN k a; ZPOPMIN k 1 2; SET k v; ZPOPMIN k",
            "-ERR value is out of range, must be positive -ERR value is out of range, must be positive \
             -ERR syntax error +OK -WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn resp3_has_pairs_if_a_count_is_given() {
        let mut bench = Bench::new();
        bench.raw(&["HELLO", "3"]);
        bench.check(
            "ZADD k 1 a 2 b 3 c; ZPOPMIN k; ZPOPMIN k 1; ZMPOP 1 k MAX",
            ":3 [$a ,1] [[$b ,2]] [$k [[$c ,3]]]",
        );
    }

    #[test]
    fn zmpop_takes_from_the_first_that_has_members() {
        check(
            "ZADD k 1 a 2 b 3 c; ZMPOP 2 x k MIN; ZMPOP 2 x k MAX COUNT 9; ZMPOP 2 x k MIN",
            ":3 [$k [[$a $1]]] [$k [[$c $3] [$b $2]]] *_",
        );
        check(
            "ZMPOP 0 k MIN; ZMPOP a k MIN; ZMPOP 1 k; ZMPOP 2 k MIN; ZMPOP 1 k MIN COUNT 0; ZMPOP 1 k MIN COUNT; ZMPOP 1 k MIN COUNT 1 COUNT 2; ZMPOP 9223372036854775807 k MIN",
            "-ERR numkeys should be greater than 0 -ERR numkeys should be greater than 0 \
             -ERR wrong number of arguments for 'zmpop' command -ERR syntax error \
             -ERR count should be greater than 0 -ERR syntax error -ERR syntax error -ERR syntax error",
        );
    }

    #[test]
    fn blocking_forms_serve_at_once_what_is_there() {
        check(
            "ZADD k 1 a 2 b 3 c 4 d; BZPOPMIN x k 0; BZPOPMAX k 0; BZMPOP 0 1 k MIN COUNT 5",
            ":4 [$k $a $1] [$k $d $4] [$k [[$b $2] [$c $3]]]",
        );
        check(
            "BZPOPMIN k -1; BZPOPMIN k a; BZMPOP a 0 k MIN; BZMPOP a 1 k MIN; SET k v; BZPOPMIN k 0",
            "-ERR timeout is negative -ERR timeout is not a float or out of range \
             -ERR numkeys should be greater than 0 -ERR timeout is not a float or out of range +OK \
             -WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
