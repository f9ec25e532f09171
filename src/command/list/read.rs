//! Reading by index: LLEN, LINDEX and LRANGE.

use super::{reply_element, span};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::value::ListRef;
use crate::value::list::Direction;

/// LINDEX key index
pub(super) static LINDEX: Command =
    Command { spec: LINDEX_SPEC, handler: Some(index), subcommands: &[] };

const LINDEX_SPEC: Spec = Spec {
    name: "lindex",
    summary: "Returns the element at an index.",
    complexity: "O(N), N being the distance from the nearer end.",
    group: Group::List,
    arity: 3,
    flags: Flags::READONLY,
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), Arg::new("index", ArgType::Integer)],
    ..Spec::EMPTY
};

/// LLEN key
pub(super) static LLEN: Command = Command { spec: LLEN_SPEC, handler: Some(len), subcommands: &[] };

const LLEN_SPEC: Spec = Spec {
    name: "llen",
    summary: "Returns the length of a list.",
    complexity: "O(1)",
    group: Group::List,
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

/// LRANGE key start stop
pub(super) static LRANGE: Command =
    Command { spec: LRANGE_SPEC, handler: Some(range), subcommands: &[] };

const LRANGE_SPEC: Spec = Spec {
    name: "lrange",
    summary: "Returns the elements between two indexes, both inclusive.",
    complexity: "O(S+N), S being the distance of the first from the nearer end and N the number \
          returned.",
    group: Group::List,
    arity: 4,
    flags: Flags::READONLY,
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("start", ArgType::Integer),
        Arg::new("stop", ArgType::Integer),
    ],
    ..Spec::EMPTY
};

fn len(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let len = match ctx.server.keyspace.read(scope, key) {
        Some(entry) => ListRef::of(&entry).ok_or(Error::WRONG_TYPE)?.len(),
        None => 0,
    };
    ctx.session.output.count(len);
    Ok(())
}

fn index(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, index) = (ctx.scope(), ctx.key(1), ctx.integer(2));
    let out = &mut ctx.session.output;
    let Some(entry) = ctx.server.keyspace.read(scope, key) else {
        out.null();
        return Ok(());
    };
    let list = ListRef::of(&entry).ok_or(Error::WRONG_TYPE)?;
    let found = super::place(index?, list.len());
    let found = found.and_then(|index| list.with(index, |element| reply_element(out, element)));
    if found.is_none() {
        out.null();
    }
    Ok(())
}

fn range(ctx: &mut Context<'_>) -> Outcome {
    let (start, stop) = (ctx.integer(2)?, ctx.integer(3)?);
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let out = &mut ctx.session.output;
    let Some(entry) = ctx.server.keyspace.read(scope, key) else {
        out.array(0);
        return Ok(());
    };
    let list = ListRef::of(&entry).ok_or(Error::WRONG_TYPE)?;
    let range = span(start, stop, list.len());
    out.array(range.len());
    list.for_each(range.start, range.len(), Direction::Forward, |element| {
        reply_element(out, element);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn indexes_count_from_both_ends() {
        check(
            "RPUSH l a b 3; LINDEX l 0; LINDEX l 2; LINDEX l -3; LINDEX l 3; LINDEX l -4; \
             LINDEX l -9223372036854775808; LINDEX l x; LINDEX none x; LLEN l; LLEN none",
            ":3 $a $3 $a $_ $_ $_ -ERR value is not an integer or out of range $_ :3 :0",
        );
    }

    #[test]
    fn ranges_are_cut_to_the_list() {
        check(
            "RPUSH l a b c d; LRANGE l 1 2; LRANGE l -100 0; LRANGE l 3 100; LRANGE l 4 9; \
             LRANGE l 2 1; LRANGE l -1 -9223372036854775808; LRANGE none 0 -1; LRANGE none x 1; \
             LRANGE l -9223372036854775808 9223372036854775807",
            ":4 [$b $c] [$a] [$d] [] [] [] [] -ERR value is not an integer or out of range \
             [$a $b $c $d]",
        );
    }

    #[test]
    fn other_types_are_refused() {
        for command in ["LLEN s", "LINDEX s x", "LRANGE s 0 1"] {
            let script = format!("SET s v; {command}");
            let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
            check(&script, &format!("+OK {wrong}"));
        }
    }
}
