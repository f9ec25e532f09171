//! From one list to another: LMOVE, RPOPLPUSH, and the forms that wait: BLMOVE, BRPOPLPUSH.

use super::{parse_end, popped_from, pushed_to, shape};
use crate::command::blocking::{Wanted, WhenGone};
use crate::command::spec::{
    Arg, ArgType, Categories, Deprecation, Flags, Group, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::Output;
use crate::value::list::End;
use crate::value::{List, ListRef, Type};

/// LMOVE source destination LEFT|RIGHT LEFT|RIGHT
pub(super) static LMOVE: Command = Command {
    spec: LMOVE_SPEC,
    handler: Some(|ctx| move_now(ctx, Ends::parse(ctx)?)),
    subcommands: &[],
};

const LMOVE_SPEC: Spec = Spec {
    name: "lmove",
    summary: "Moves an element from an end of one list to an end of another and returns it.",
    complexity: "O(1)",
    since: "6.2.0",
    group: Group::List,
    arity: 5,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::LIST,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)),
        KeySpec::range(2, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT)),
    ],
    args: &[
        Arg::key("source", 0),
        Arg::key("destination", 1),
        Arg::one_of("wherefrom", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]),
        Arg::one_of("whereto", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]),
    ],
    ..Spec::EMPTY
};

/// RPOPLPUSH source destination
pub(super) static RPOPLPUSH: Command = Command {
    spec: RPOPLPUSH_SPEC,
    handler: Some(|ctx| move_now(ctx, Ends::BACK_TO_FRONT)),
    subcommands: &[],
};

const RPOPLPUSH_SPEC: Spec = Spec {
    name: "rpoplpush",
    summary: "Moves the last element of a list to the front of another and returns it.",
    complexity: "O(1)",
    since: "1.2.0",
    group: Group::List,
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::LIST,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)),
        KeySpec::range(2, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT)),
    ],
    args: &[Arg::key("source", 0), Arg::key("destination", 1)],
    deprecated: Some(Deprecation {
        since: "6.2.0",
        replaced_by: "`LMOVE` with `RIGHT` and `LEFT`",
    }),
    ..Spec::EMPTY
};

/// BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout
pub(super) static BLMOVE: Command = Command {
    spec: BLMOVE_SPEC,
    handler: Some(|ctx| move_or_wait(ctx, Ends::parse(ctx)?, 5)),
    subcommands: &[],
};

const BLMOVE_SPEC: Spec = Spec {
    name: "blmove",
    summary: "Moves an element from an end of one list to an end of another; waits for one.",
    complexity: "O(1)",
    since: "6.2.0",
    group: Group::List,
    arity: 6,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::BLOCKING),
    categories: Categories::LIST,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)),
        KeySpec::range(2, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT)),
    ],
    args: &[
        Arg::key("source", 0),
        Arg::key("destination", 1),
        Arg::one_of("wherefrom", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]),
        Arg::one_of("whereto", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]),
        Arg::new("timeout", ArgType::Double),
    ],
    ..Spec::EMPTY
};

/// BRPOPLPUSH source destination timeout
pub(super) static BRPOPLPUSH: Command = Command {
    spec: BRPOPLPUSH_SPEC,
    handler: Some(|ctx| move_or_wait(ctx, Ends::BACK_TO_FRONT, 3)),
    subcommands: &[],
};

const BRPOPLPUSH_SPEC: Spec = Spec {
    name: "brpoplpush",
    summary: "Moves the last element of a list to the front of another; waits for one.",
    complexity: "O(1)",
    since: "2.2.0",
    group: Group::List,
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::BLOCKING),
    categories: Categories::LIST,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)),
        KeySpec::range(2, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT)),
    ],
    args: &[
        Arg::key("source", 0),
        Arg::key("destination", 1),
        Arg::new("timeout", ArgType::Double),
    ],
    history: &[("6.0.0", "The timeout may have a fraction.")],
    deprecated: Some(Deprecation {
        since: "6.2.0",
        replaced_by: "`BLMOVE` with `RIGHT` and `LEFT`",
    }),
    ..Spec::EMPTY
};

/// Where an element is taken, and where it goes.
#[derive(Clone, Copy, Debug)]
struct Ends {
    from: End,
    to: End,
}

impl Ends {
    const BACK_TO_FRONT: Self = Self { from: End::Back, to: End::Front };

    fn parse(ctx: &Context<'_>) -> Result<Self, Error> {
        Ok(Self { from: parse_end(ctx, 3)?, to: parse_end(ctx, 4)? })
    }
}

/// Moves one element and replies with it; `None` if there is no source.
fn transfer(ctx: &mut Context<'_>, ends: Ends) -> Result<Option<()>, Error> {
    let (scope, source, target) = (ctx.scope(), ctx.key(1), ctx.key(2));
    let shape = shape(ctx.server);
    let keyspace = &mut ctx.server.keyspace;
    let move_within = source.bytes == target.bytes;
    if !move_within && keyspace.peek(scope.db, source).is_some() {
        let other = keyspace.peek(scope.db, target);
        if other.is_some_and(|entry| ListRef::of(&entry).is_none()) {
            // The type of the source is looked at first, but the error is the same.
            return Err(Error::WRONG_TYPE);
        }
    }
    let taken = keyspace.change(scope, source, |list: &mut List| {
        let text = list.pop(ends.from, |element| element.to_vec());
        let text = text.expect("a list that a key has is not empty");
        if move_within {
            list.prepare([&text[..]].into_iter(), shape);
            list.push(ends.to, &text);
        }
        list.settle(shape);
        text
    })?;
    let Some(text) = taken else { return Ok(None) };
    if !move_within {
        keyspace.change_or_create(scope, target, List::new, |list| {
            list.prepare([&text[..]].into_iter(), shape);
            list.push(ends.to, &text);
        })?;
    }
    keyspace.dirty += 1;
    keyspace.note(scope.db, target, pushed_to(ends.to));
    keyspace.note(scope.db, source, popped_from(ends.from));
    ctx.session.output.bulk(&text);
    Ok(Some(()))
}

fn move_now(ctx: &mut Context<'_>, ends: Ends) -> Outcome {
    if transfer(ctx, ends)?.is_none() {
        ctx.session.output.null();
    }
    Ok(())
}

/// Records the command that does the same and never waits.
fn record_without_timeout(ctx: &mut Context<'_>) {
    let args = ctx.args;
    let name: &[u8] = if args.len() == 4 { b"RPOPLPUSH" } else { b"LMOVE" };
    let Some(mut effects) = ctx.effects_instead() else { return };
    effects.add(args.len() - 1).word(name).words(args.from(1).take(args.len() - 2));
}

fn move_or_wait(ctx: &mut Context<'_>, ends: Ends, timeout: usize) -> Outcome {
    let until_ns = ctx.timeout(timeout)?;
    match transfer(ctx, ends)? {
        Some(()) => {
            record_without_timeout(ctx);
            Ok(())
        }
        None if ctx.may_not_wait() => {
            ctx.session.output.null();
            Ok(())
        }
        None => {
            let timed_out = Output::null_array;
            ctx.wait_for_keys(Wanted {
                keys: 1..2,
                kind: Type::List,
                when_gone: WhenGone::Wait,
                until_ns,
                timed_out,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn an_element_moves_between_any_ends() {
        check(
            "RPUSH a 1 2 3 4; LMOVE a b LEFT LEFT; LMOVE a b RIGHT LEFT; LMOVE a b left right; \
             LRANGE a 0 -1; LRANGE b 0 -1; RPOPLPUSH a b; EXISTS a; LRANGE b 0 -1; RPOPLPUSH a b; \
             LMOVE a b LEFT RIGHT; LMOVE a b UP LEFT; LMOVE a b LEFT UP",
            ":4 $1 $4 $2 [$3] [$4 $1 $2] $3 :0 [$3 $4 $1 $2] $_ $_ -ERR syntax error \
             -ERR syntax error",
        );
    }

    #[test]
    fn a_list_is_rotated() {
        check(
            "RPUSH l a b c; RPOPLPUSH l l; LRANGE l 0 -1; LMOVE l l LEFT RIGHT; LRANGE l 0 -1; \
             LMOVE l l LEFT LEFT; LRANGE l 0 -1; RPUSH one x; EXPIRE one 100; RPOPLPUSH one one; \
             TTL one",
            ":3 $c [$c $a $b] $c [$a $b $c] $a [$a $b $c] :1 :1 $x :100",
        );
    }

    #[test]
    fn other_types_are_left_alone() {
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        check(
            "SET s v; RPUSH l a; LMOVE s l LEFT LEFT; LMOVE l s LEFT LEFT; LRANGE l 0 -1; \
             LMOVE none s LEFT LEFT; BLMOVE l s LEFT LEFT 0; BRPOPLPUSH s l 0; LMOVE s s LEFT LEFT",
            &format!("+OK :1 {wrong} {wrong} [$a] $_ {wrong} {wrong} {wrong}"),
        );
    }

    #[test]
    fn the_forms_that_wait_need_not_if_there_is_a_list() {
        let mut bench = Bench::new();
        bench.check(
            "RPUSH a 1 2; BLMOVE a b LEFT RIGHT 0; BRPOPLPUSH a b 0; LRANGE b 0 -1; \
             BLMOVE a b UP LEFT x; BLMOVE a b LEFT LEFT x",
            ":2 $1 $2 [$2 $1] -ERR syntax error -ERR timeout is not a float or out of range",
        );
        assert_eq!(bench.server.keyspace.dirty, 4);
    }
}
