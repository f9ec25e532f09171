//! Changes in the middle: LINSERT, LREM, LSET and LTRIM.

use super::{place, shape, signed_count, span};
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::Event;
use crate::value::list::Direction;
use crate::value::{Collection, List};

/// Lists of more nodes are freed on the helper thread.
const FREED_HERE_MAX: usize = 64;

/// LINSERT key BEFORE|AFTER pivot element
pub(super) static LINSERT: Command =
    Command { spec: LINSERT_SPEC, handler: Some(insert), subcommands: &[] };

const LINSERT_SPEC: Spec = Spec {
    name: "linsert",
    summary: "Inserts an element before or after another.",
    complexity: "O(N), N being the elements passed to find the other.",
    since: "2.2.0",
    group: Group::List,
    arity: 5,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT))],
    args: &[
        Arg::key("key", 0),
        Arg::one_of("where", &[Arg::flag("before", "BEFORE"), Arg::flag("after", "AFTER")]),
        Arg::new("pivot", ArgType::String),
        Arg::new("element", ArgType::String),
    ],
    ..Spec::EMPTY
};

/// LREM key count element
pub(super) static LREM: Command =
    Command { spec: LREM_SPEC, handler: Some(remove), subcommands: &[] };

const LREM_SPEC: Spec = Spec {
    name: "lrem",
    summary: "Removes elements equal to one given.",
    complexity: "O(N+M), N being the length of the list and M the number removed.",
    group: Group::List,
    arity: 4,
    flags: Flags::WRITE,
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("count", ArgType::Integer),
        Arg::new("element", ArgType::String),
    ],
    ..Spec::EMPTY
};

/// LSET key index element
pub(super) static LSET: Command = Command { spec: LSET_SPEC, handler: Some(set), subcommands: &[] };

const LSET_SPEC: Spec = Spec {
    name: "lset",
    summary: "Replaces the element at an index.",
    complexity: "O(N), N being the distance from the nearer end.",
    group: Group::List,
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("index", ArgType::Integer),
        Arg::new("element", ArgType::String),
    ],
    ..Spec::EMPTY
};

/// LTRIM key start stop
pub(super) static LTRIM: Command =
    Command { spec: LTRIM_SPEC, handler: Some(trim), subcommands: &[] };

const LTRIM_SPEC: Spec = Spec {
    name: "ltrim",
    summary: "Removes the elements outside two indexes.",
    complexity: "O(N), N being the number of elements removed.",
    group: Group::List,
    arity: 4,
    flags: Flags::WRITE,
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("start", ArgType::Integer),
        Arg::new("stop", ArgType::Integer),
    ],
    ..Spec::EMPTY
};

fn insert(ctx: &mut Context<'_>) -> Outcome {
    let behind = if ctx.is_word(2, "AFTER") {
        1
    } else if ctx.is_word(2, "BEFORE") {
        0
    } else {
        return Err(Error::SYNTAX);
    };
    let (scope, key, shape) = (ctx.scope(), ctx.key(1), shape(ctx.server));
    let (pivot, text) = (ctx.args.at(3), ctx.args.at(4));
    let keyspace = &mut ctx.server.keyspace;
    let len = keyspace.change(scope, key, |list: &mut List| {
        list.prepare([text].into_iter(), shape);
        let index = list.view().position(pivot)?;
        list.insert(index + behind, text);
        Some(list.view().len())
    })?;
    match len {
        None => ctx.reply_integer(0),
        Some(None) => ctx.reply_integer(-1),
        Some(Some(len)) => {
            keyspace.dirty += 1;
            keyspace.note(scope.db, key, Event::list("linsert"));
            ctx.session.output.count(len);
            Ok(())
        }
    }
}

fn set(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, shape) = (ctx.scope(), ctx.key(1), shape(ctx.server));
    let (index, text) = (ctx.integer(2), ctx.args.at(3));
    let keyspace = &mut ctx.server.keyspace;
    let set = keyspace.change(scope, key, |list: &mut List| {
        let index = index?;
        list.prepare([text].into_iter(), shape);
        let found = place(index, list.view().len()).ok_or(Error::INDEX_OUT_OF_RANGE)?;
        list.replace(found, text);
        list.settle(shape);
        Ok(())
    })?;
    set.unwrap_or(Err(Error::NO_SUCH_KEY))?;
    keyspace.dirty += 1;
    keyspace.note(scope.db, key, Event::list("lset"));
    ctx.ok()
}

fn remove(ctx: &mut Context<'_>) -> Outcome {
    let count = signed_count(ctx, 2)?;
    let (scope, key, shape) = (ctx.scope(), ctx.key(1), shape(ctx.server));
    let text = ctx.args.at(3);
    let direction = if count < 0 { Direction::Backward } else { Direction::Forward };
    let limit = match count.unsigned_abs() {
        0 => usize::MAX,
        limit => num::usize_of(limit),
    };
    let keyspace = &mut ctx.server.keyspace;
    let removed = keyspace.change(scope, key, |list: &mut List| {
        let removed = list.remove_matching(text, limit, direction);
        if removed > 0 {
            list.settle(shape);
        }
        removed
    })?;
    let removed = removed.unwrap_or(0);
    keyspace.dirty += num::u64_of(removed);
    if removed > 0 {
        keyspace.note(scope.db, key, Event::list("lrem"));
    }
    ctx.session.output.count(removed);
    Ok(())
}

fn trim(ctx: &mut Context<'_>) -> Outcome {
    let (start, stop) = (ctx.integer(2)?, ctx.integer(3)?);
    let (scope, key, shape) = (ctx.scope(), ctx.key(1), shape(ctx.server));
    let keyspace = &mut ctx.server.keyspace;
    let removed = keyspace.change(scope, key, |list: &mut List| {
        let len = list.view().len();
        let kept = span(start, stop, len);
        if kept.is_empty() {
            return (len, std::mem::take(list));
        }
        list.delete_range(kept.end, len - kept.end);
        list.delete_range(0, kept.start);
        list.settle(shape);
        (len - kept.len(), List::new())
    })?;
    let Some((removed, whole)) = removed else { return ctx.ok() };
    if whole.view().free_effort() > FREED_HERE_MAX {
        keyspace.discard_value(whole.into_heap());
    }
    keyspace.dirty += num::u64_of(removed);
    keyspace.note(scope.db, key, Event::list("ltrim"));
    ctx.ok()
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn elements_are_inserted_beside_the_first_pivot() {
        check(
            "RPUSH l a b a; LINSERT l BEFORE a x; LINSERT l after a y; LINSERT l BEFORE none z; \
             LINSERT l BESIDE a z; LINSERT none BEFORE a z; LRANGE l 0 -1; LINSERT l AFTER b 1; \
             LINSERT l AFTER 1 2; LRANGE l 0 -1",
            ":3 :4 :5 :-1 -ERR syntax error :0 [$x $a $y $b $a] :6 :7 [$x $a $y $b $1 $2 $a]",
        );
    }

    #[test]
    fn elements_are_replaced() {
        check(
            "RPUSH l a b; LSET l -1 x; LSET l 2 y; LSET l z y; LSET none z y; LRANGE l 0 -1",
            ":2 +OK -ERR index out of range -ERR value is not an integer or out of range \
             -ERR no such key [$a $x]",
        );
    }

    #[test]
    fn elements_are_removed_from_either_end() {
        check(
            "RPUSH l a b a c a 5 5; LREM l -2 a; LRANGE l 0 -1; LREM l 1 5; LREM l 0 none; \
             LREM l 0 a; LRANGE l 0 -1; LREM none 0 a; LREM l -9223372036854775808 a; \
             LREM l 9223372036854775807 b; LREM l 0 c; LREM l 0 5; EXISTS l",
            ":7 :2 [$a $b $c $5 $5] :1 :0 :1 [$b $c $5] :0 -ERR value is out of range, value must \
             between -9223372036854775807 and 9223372036854775807 :1 :1 :1 :0",
        );
    }

    #[test]
    fn a_list_is_trimmed_to_a_range() {
        check(
            "RPUSH l a b c d e; LTRIM l 1 -2; LRANGE l 0 -1; LTRIM l -2 9; LRANGE l 0 -1; \
             LTRIM l 5 1; EXISTS l; LTRIM none 0 1; LTRIM none x 1",
            ":5 +OK [$b $c $d] +OK [$c $d] +OK :0 +OK -ERR value is not an integer or out of range",
        );
    }

    #[test]
    fn long_lists_are_changed_in_the_middle_and_shrink() {
        let mut bench = Bench::new();
        bench.check("CONFIG SET list-max-listpack-size 4 list-compress-depth 1", "+OK");
        let numbers: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let mut words = vec!["RPUSH".to_owned(), "l".to_owned()];
        words.extend(numbers);
        assert_eq!(bench.raw(&words), b":1000\r\n");
        bench.check(
            "OBJECT ENCODING l; LINSERT l AFTER 500 x; LINDEX l 501; LSET l 500 y; LREM l 1 499; \
             LRANGE l 497 502; LPOS l 998; LTRIM l 499 501; LRANGE l 0 -1; OBJECT ENCODING l; \
             LTRIM l 0 1; OBJECT ENCODING l",
            "$quicklist :1001 $x +OK :1 [$497 $498 $y $x $501 $502] :998 +OK [$y $x $501] $quicklist \
             +OK $listpack",
        );
    }

    #[test]
    fn changes_are_counted() {
        let mut bench = Bench::new();
        bench.check(
            "RPUSH l a b c a; LINSERT l BEFORE a x; LINSERT l BEFORE none x; LSET l 0 y; LREM l 0 a; \
             LTRIM l 0 -1; LTRIM l 1 1",
            ":4 :5 :-1 +OK :2 +OK +OK",
        );
        assert_eq!(bench.server.keyspace.dirty, 4 + 1 + 1 + 2 + 2);
    }
}
