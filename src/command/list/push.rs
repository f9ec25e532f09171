//! Adding at the ends: LPUSH, RPUSH, LPUSHX and RPUSHX.

use super::{pushed_to, shape};
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::value::List;
use crate::value::list::End;

/// LPUSH key element [element ...]
pub(super) static LPUSH: Command = Command {
    spec: LPUSH_SPEC,
    handler: Some(|ctx| push(ctx, End::Front, Missing::Created)),
    subcommands: &[],
};

const LPUSH_SPEC: Spec = Spec {
    name: "lpush",
    summary: "Adds elements at the front of a list, creating it if it is missing.",
    complexity: "O(N), N being the number of elements added.",
    group: Group::List,
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT))],
    args: &[Arg::key("key", 0), Arg::new("element", ArgType::String).multiple()],
    history: &[("2.4.0", "Several elements may be given.")],
    ..Spec::EMPTY
};

/// LPUSHX key element [element ...]
pub(super) static LPUSHX: Command = Command {
    spec: LPUSHX_SPEC,
    handler: Some(|ctx| push(ctx, End::Front, Missing::Left)),
    subcommands: &[],
};

const LPUSHX_SPEC: Spec = Spec {
    name: "lpushx",
    summary: "Adds elements at the front of a list that exists.",
    complexity: "O(N), N being the number of elements added.",
    since: "2.2.0",
    group: Group::List,
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT))],
    args: &[Arg::key("key", 0), Arg::new("element", ArgType::String).multiple()],
    history: &[("4.0.0", "Several elements may be given.")],
    ..Spec::EMPTY
};

/// RPUSH key element [element ...]
pub(super) static RPUSH: Command = Command {
    spec: RPUSH_SPEC,
    handler: Some(|ctx| push(ctx, End::Back, Missing::Created)),
    subcommands: &[],
};

const RPUSH_SPEC: Spec = Spec {
    name: "rpush",
    summary: "Adds elements at the end of a list, creating it if it is missing.",
    complexity: "O(N), N being the number of elements added.",
    group: Group::List,
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT))],
    args: &[Arg::key("key", 0), Arg::new("element", ArgType::String).multiple()],
    history: &[("2.4.0", "Several elements may be given.")],
    ..Spec::EMPTY
};

/// RPUSHX key element [element ...]
pub(super) static RPUSHX: Command = Command {
    spec: RPUSHX_SPEC,
    handler: Some(|ctx| push(ctx, End::Back, Missing::Left)),
    subcommands: &[],
};

const RPUSHX_SPEC: Spec = Spec {
    name: "rpushx",
    summary: "Adds elements at the end of a list that exists.",
    complexity: "O(N), N being the number of elements added.",
    since: "2.2.0",
    group: Group::List,
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT))],
    args: &[Arg::key("key", 0), Arg::new("element", ArgType::String).multiple()],
    history: &[("4.0.0", "Several elements may be given.")],
    ..Spec::EMPTY
};

/// What becomes of a key that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    /// It gets a list.
    Created,
    /// Nothing.
    Left,
}

fn push(ctx: &mut Context<'_>, end: End, missing: Missing) -> Outcome {
    let (scope, key, shape) = (ctx.scope(), ctx.key(1), shape(ctx.server));
    let added = || ctx.args.from(2);
    let keyspace = &mut ctx.server.keyspace;
    let add = |list: &mut List| {
        list.prepare(added(), shape);
        added().for_each(|text| list.push(end, text));
        list.view().len()
    };
    let len = match missing {
        Missing::Created => keyspace.change_or_create(scope, key, List::new, add)?,
        Missing::Left => match keyspace.change(scope, key, add)? {
            Some(len) => len,
            None => return ctx.reply_integer(0),
        },
    };
    keyspace.dirty += num::u64_of(added().len());
    keyspace.note(scope.db, key, pushed_to(end));
    ctx.session.output.count(len);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn elements_are_pushed_one_after_the_other() {
        check(
            "RPUSH l a b; LPUSH l 1 2; LRANGE l 0 -1; TYPE l; LPUSHX l x; RPUSHX l y z; LRANGE l 0 -1",
            ":2 :4 [$2 $1 $a $b] +list :5 :7 [$x $2 $1 $a $b $y $z]",
        );
        check("LPUSHX l a; RPUSHX l a b; EXISTS l", ":0 :0 :0");
        check("SET s v; LPUSH s a; RPUSHX s a", &["+OK", WRONG, WRONG].join(" "));
    }

    const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

    #[test]
    fn every_element_is_a_change() {
        let mut bench = Bench::new();
        bench.check("RPUSH l a b c; LPUSHX x a; LPUSHX l a", ":3 :0 :4");
        assert_eq!(bench.server.keyspace.dirty, 4);
    }

    #[test]
    fn a_list_becomes_a_quicklist_before_it_exceeds_a_node() {
        check(
            "CONFIG SET list-max-listpack-size 3; RPUSH l a b c; OBJECT ENCODING l; RPUSH l d; \
             OBJECT ENCODING l; RPUSH m a b c d; OBJECT ENCODING m; LRANGE l 0 -1",
            "+OK :3 $listpack :4 $quicklist :4 $quicklist [$a $b $c $d]",
        );
    }

    #[test]
    fn lists_are_copied_digested_and_measured() {
        check(
            "RPUSH l a 12; COPY l m; RPUSH m x; LRANGE l 0 -1; LRANGE m 0 -1; MEMORY USAGE l; \
             RENAME m n; EXISTS m; DEL l n",
            ":2 :1 :3 [$a $12] [$a $12 $x] :56 +OK :0 :2",
        );
    }
}
