//! Removing at the ends: LPOP, RPOP, LMPOP, and the forms that wait: BLPOP, BRPOP, BLMPOP.

use super::{parse_end, popped_from, reply_element, shape};
use crate::base::num;
use crate::command::blocking::{Wanted, WhenGone};
use crate::command::several::Several;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::Output;
use crate::store::{Key, Keyspace};
use crate::value::list::{Direction, End, Shape};
use crate::value::{List, Type};
use std::ops::Range;

const COUNT_NEGATIVE: Error = Error::fixed("ERR value is out of range, must be positive");

/// LPOP key [count]
pub(super) static LPOP: Command =
    Command { spec: LPOP_SPEC, handler: Some(|ctx| pop(ctx, End::Front)), subcommands: &[] };

const LPOP_SPEC: Spec = Spec {
    name: "lpop",
    summary: "Removes the first elements of a list.",
    complexity: "O(N), N being the number of elements returned.",
    group: Group::List,
    arity: -2,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), Arg::new("count", ArgType::Integer).optional().since("6.2.0")],
    history: &[("6.2.0", "A count may be given.")],
    ..Spec::EMPTY
};

/// RPOP key [count]
pub(super) static RPOP: Command =
    Command { spec: RPOP_SPEC, handler: Some(|ctx| pop(ctx, End::Back)), subcommands: &[] };

const RPOP_SPEC: Spec = Spec {
    name: "rpop",
    summary: "Removes the last elements of a list.",
    complexity: "O(N), N being the number of elements returned.",
    group: Group::List,
    arity: -2,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), Arg::new("count", ArgType::Integer).optional().since("6.2.0")],
    history: &[("6.2.0", "A count may be given.")],
    ..Spec::EMPTY
};

/// LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]
pub(super) static LMPOP: Command =
    Command { spec: LMPOP_SPEC, handler: Some(pop_several), subcommands: &[] };

const LMPOP_SPEC: Spec = Spec {
    name: "lmpop",
    summary: "Removes elements from an end of the first list that has any.",
    complexity: "O(N+M), N being the number of keys and M that of elements returned.",
    since: "7.0.0",
    group: Group::List,
    arity: -4,
    flags: Flags::WRITE.union(Flags::MOVABLE_KEYS),
    categories: Categories::LIST,
    keys: &[KeySpec::counted(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[
        Arg::new("numkeys", ArgType::Integer),
        Arg::key("key", 0).multiple(),
        Arg::one_of("where", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]),
        Arg::new("count", ArgType::Integer).token("COUNT").optional(),
    ],
    ..Spec::EMPTY
};

/// BLPOP key [key ...] timeout
pub(super) static BLPOP: Command = Command {
    spec: BLPOP_SPEC,
    handler: Some(|ctx| wait_and_pop(ctx, End::Front)),
    subcommands: &[],
};

const BLPOP_SPEC: Spec = Spec {
    name: "blpop",
    summary: "Removes the first element of the first list that has any; waits for one.",
    complexity: "O(N), N being the number of keys.",
    since: "2.0.0",
    group: Group::List,
    arity: -3,
    flags: Flags::WRITE.union(Flags::BLOCKING),
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, -2, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0).multiple(), Arg::new("timeout", ArgType::Double)],
    history: &[("6.0.0", "The timeout may have a fraction.")],
    ..Spec::EMPTY
};

/// BRPOP key [key ...] timeout
pub(super) static BRPOP: Command = Command {
    spec: BRPOP_SPEC,
    handler: Some(|ctx| wait_and_pop(ctx, End::Back)),
    subcommands: &[],
};

const BRPOP_SPEC: Spec = Spec {
    name: "brpop",
    summary: "Removes the last element of the first list that has any; waits for one.",
    complexity: "O(N), N being the number of keys.",
    since: "2.0.0",
    group: Group::List,
    arity: -3,
    flags: Flags::WRITE.union(Flags::BLOCKING),
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, -2, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0).multiple(), Arg::new("timeout", ArgType::Double)],
    history: &[("6.0.0", "The timeout may have a fraction.")],
    ..Spec::EMPTY
};

/// BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]
pub(super) static BLMPOP: Command =
    Command { spec: BLMPOP_SPEC, handler: Some(wait_and_pop_several), subcommands: &[] };

const BLMPOP_SPEC: Spec = Spec {
    name: "blmpop",
    summary: "Removes elements from an end of the first list that has any; waits for one.",
    complexity: "O(N+M), N being the number of keys and M that of elements returned.",
    since: "7.0.0",
    group: Group::List,
    arity: -5,
    flags: Flags::WRITE.union(Flags::BLOCKING).union(Flags::MOVABLE_KEYS),
    categories: Categories::LIST,
    keys: &[KeySpec::counted(2, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[
        Arg::new("timeout", ArgType::Double),
        Arg::new("numkeys", ArgType::Integer),
        Arg::key("key", 0).multiple(),
        Arg::one_of("where", &[Arg::flag("left", "LEFT"), Arg::flag("right", "RIGHT")]),
        Arg::new("count", ArgType::Integer).token("COUNT").optional(),
    ],
    ..Spec::EMPTY
};

fn pop(ctx: &mut Context<'_>, end: End) -> Outcome {
    let count = match ctx.args.len() {
        2 => return pop_one(ctx, end),
        3 => ctx.integer(2).ok().and_then(|count| usize::try_from(count).ok()),
        _ => return Err(Error::arity(ctx.name())),
    };
    let count = count.ok_or(COUNT_NEGATIVE)?;
    let shape = shape(ctx.server);
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let out = &mut ctx.session.output;
    let keyspace = &mut ctx.server.keyspace;
    let popped =
        keyspace.change(scope, key, |list: &mut List| pop_array(list, end, count, shape, out))?;
    match popped {
        Some(popped) => note_popped(keyspace, scope.db, key, end, popped),
        None => out.null_array(),
    }
    Ok(())
}

fn pop_one(ctx: &mut Context<'_>, end: End) -> Outcome {
    let shape = shape(ctx.server);
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let out = &mut ctx.session.output;
    let keyspace = &mut ctx.server.keyspace;
    let popped = keyspace.change(scope, key, |list: &mut List| {
        list.pop(end, |element| reply_element(out, element));
        list.settle(shape);
    })?;
    match popped {
        Some(()) => note_popped(keyspace, scope.db, key, end, 1),
        None => out.null(),
    }
    Ok(())
}

/// Counts elements that were popped, and notes it.
#[inline]
fn note_popped(keyspace: &mut Keyspace, db: usize, key: Key<'_>, end: End, popped: usize) {
    keyspace.dirty += num::u64_of(popped);
    if popped > 0 {
        keyspace.note(db, key, popped_from(end));
    }
}

/// Removes up to `count` elements, replying with them in an array; gives how many there were.
fn pop_array(list: &mut List, end: End, count: usize, shape: Shape, out: &mut Output) -> usize {
    let len = list.view().len();
    let count = count.min(len);
    out.array(count);
    let (first, direction) = match end {
        End::Front => (0, Direction::Forward),
        End::Back => (len - 1, Direction::Backward),
    };
    list.view().for_each(first, count, direction, |element| reply_element(out, element));
    match end {
        End::Front => list.delete_range(0, count),
        End::Back => list.delete_range(len - count, count),
    };
    list.settle(shape);
    count
}

/// The command that does nothing but pop from an end.
const fn name_of(end: End) -> &'static [u8] {
    match end {
        End::Front => b"LPOP",
        End::Back => b"RPOP",
    }
}

impl Several<End> {
    /// Pops from the first key that has a list; gives whether there was one.
    fn serve(&self, ctx: &mut Context<'_>) -> Result<Served, Error> {
        let (scope, shape) = (ctx.scope(), shape(ctx.server));
        for index in self.keys.clone() {
            let key = ctx.key(index);
            let out = &mut ctx.session.output;
            let keyspace = &mut ctx.server.keyspace;
            let popped = keyspace.change(scope, key, |list: &mut List| {
                out.array(2);
                out.bulk(key.bytes);
                pop_array(list, self.end, self.count, shape, out)
            })?;
            if let Some(popped) = popped {
                note_popped(keyspace, scope.db, key, self.end, popped);
                if let Some(mut effects) = ctx.effects_instead() {
                    effects.add(3).word(name_of(self.end)).word(key.bytes).count(popped);
                }
                return Ok(Served::Yes);
            }
        }
        Ok(Served::No)
    }
}

/// Whether a reply was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    Yes,
    No,
}

fn pop_several(ctx: &mut Context<'_>) -> Outcome {
    if Several::parse(ctx, 1, parse_end)?.serve(ctx)? == Served::No {
        ctx.session.output.null_array();
    }
    Ok(())
}

fn wait_and_pop_several(ctx: &mut Context<'_>) -> Outcome {
    let several = Several::parse(ctx, 2, parse_end)?;
    let until_ns = ctx.timeout(1)?;
    match several.serve(ctx)? {
        Served::Yes => Ok(()),
        Served::No => wait(ctx, several.keys, until_ns),
    }
}

fn wait_and_pop(ctx: &mut Context<'_>, end: End) -> Outcome {
    let last = ctx.args.len() - 1;
    let until_ns = ctx.timeout(last)?;
    let (scope, shape) = (ctx.scope(), shape(ctx.server));
    for index in 1..last {
        let key = ctx.key(index);
        let out = &mut ctx.session.output;
        let keyspace = &mut ctx.server.keyspace;
        let popped = keyspace.change(scope, key, |list: &mut List| {
            out.array(2);
            out.bulk(key.bytes);
            list.pop(end, |element| reply_element(out, element));
            list.settle(shape);
        })?;
        if popped.is_some() {
            note_popped(keyspace, scope.db, key, end, 1);
            ctx.effects_as(&[name_of(end), key.bytes]);
            return Ok(());
        }
    }
    wait(ctx, 1..last, until_ns)
}

fn wait(ctx: &mut Context<'_>, keys: Range<usize>, until_ns: Option<u64>) -> Outcome {
    let timed_out = Output::null_array;
    ctx.wait_for_keys(Wanted {
        keys,
        kind: Type::List,
        when_gone: WhenGone::Wait,
        until_ns,
        timed_out,
    })
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn elements_are_popped_from_either_end() {
        check(
            "RPUSH l a b c d e; LPOP l; RPOP l; LPOP l 2; RPOP l 9; EXISTS l; LPOP l; RPOP l 1; \
             RPUSH l a b c; RPOP l 2; RPOP l 0; LRANGE l 0 -1",
            ":5 $a $e [$b $c] [$d] :0 $_ *_ :3 [$c $b] [] [$a]",
        );
    }

    #[test]
    fn counts_are_checked_before_the_key() {
        check(
            "SET s v; LPOP s x; LPOP s -1; LPOP s 1; LPOP s; LPOP s 1 2; LPOP none 0; \
             LPOP none -9223372036854775808",
            "+OK -ERR value is out of range, must be positive \
             -ERR value is out of range, must be positive \
             -WRONGTYPE Operation against a key holding the wrong kind of value \
             -WRONGTYPE Operation against a key holding the wrong kind of value \
             -ERR wrong number of arguments for 'lpop' command *_ \
             -ERR value is out of range, must be positive",
        );
    }

    #[test]
    fn several_come_from_the_first_list_there_is() {
        check(
            "RPUSH l a b c d; LMPOP 2 none l LEFT; LMPOP 1 l RIGHT COUNT 2; LMPOP 1 l left count 9; \
             LMPOP 2 none l LEFT; EXISTS l; SET s v; LMPOP 2 none s LEFT",
            ":4 [$l [$a]] [$l [$d $c]] [$l [$b]] *_ :0 +OK \
             -WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn arguments_of_lmpop_are_checked_in_order() {
        let keys = "-ERR numkeys should be greater than 0";
        let count = "-ERR count should be greater than 0";
        let syntax = "-ERR syntax error";
        for (script, reply) in [
            ("LMPOP 0 l LEFT", keys),
            ("LMPOP x l LEFT", keys),
            ("LMPOP 2 l LEFT", syntax),
            ("LMPOP 9223372036854775807 l LEFT", syntax),
            ("LMPOP 1 l UP", syntax),
            ("LMPOP 1 l LEFT COUNT 0", count),
            ("LMPOP 1 l LEFT COUNT x", count),
            ("LMPOP 1 l LEFT COUNT", syntax),
            ("LMPOP 1 l LEFT COUNT 1 COUNT 1", syntax),
            ("LMPOP 1 l LEFT COUNT 0 COUNT 1", count),
            ("LMPOP 1 l LEFT FOO 1", syntax),
            ("BLMPOP x 0 l LEFT", keys),
            ("BLMPOP x 1 l UP", syntax),
            ("BLMPOP x 1 l LEFT", "-ERR timeout is not a float or out of range"),
            ("BLPOP l x", "-ERR timeout is not a float or out of range"),
            ("BRPOP l -1", "-ERR timeout is negative"),
        ] {
            check(script, reply);
        }
    }

    #[test]
    fn the_forms_that_wait_need_not_if_there_is_a_list() {
        check(
            "RPUSH l a b c d e f; BLPOP none l 0; BRPOP l none 0; BLMPOP 0 2 none l LEFT COUNT 3; \
             BLMPOP 0 1 l RIGHT; EXISTS l; SET s v; BLPOP none s 0; BLMPOP 0 1 s LEFT",
            ":6 [$l $a] [$l $f] [$l [$b $c $d]] [$l [$e]] :0 +OK \
             -WRONGTYPE Operation against a key holding the wrong kind of value \
             -WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }

    #[test]
    fn every_element_is_a_change() {
        let mut bench = Bench::new();
        bench.check("RPUSH l a b c d e; LPOP l 0; LPOP l; RPOP l 2", ":5 [] $a [$e $d]");
        assert_eq!(bench.server.keyspace.dirty, 8);
        bench.check("LMPOP 1 l LEFT; BLPOP l 0; LPOP l; LPOP l 5", "[$l [$b]] [$l $c] $_ *_");
        assert_eq!(bench.server.keyspace.dirty, 10);
    }
}
