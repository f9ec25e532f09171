//! BITOP: several strings combined into one.

use crate::base::bits::{Combine, combine};
use crate::command::spec::{Arg, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::{Event, Free, KeepTtl, Key};
use crate::value::{Str, string};
use std::borrow::Cow;

const NOT_TAKES_ONE: Error = Error::fixed("ERR BITOP NOT must be called with a single source key.");

/// BITOP operation destkey key [key ...]
pub(super) static BITOP: Command =
    Command { spec: BITOP_SPEC, handler: Some(bit_op), subcommands: &[] };

const BITOP_SPEC: Spec = Spec {
    name: "bitop",
    summary: "Combines strings bit by bit and stores the result.",
    complexity: "O(N), N being the length of the longest string.",
    since: "2.6.0",
    group: Group::Bitmap,
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::BITMAP,
    keys: &[
        KeySpec::range(2, 0, 1, KeyFlags::OW.union(KeyFlags::UPDATE)),
        KeySpec::range(3, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
    ],
    args: &[
        Arg::one_of(
            "operation",
            &[
                Arg::flag("and", "AND"),
                Arg::flag("or", "OR"),
                Arg::flag("xor", "XOR"),
                Arg::flag("not", "NOT"),
                Arg::flag("diff", "DIFF").since("8.2.0"),
                Arg::flag("diff1", "DIFF1").since("8.2.0"),
                Arg::flag("andor", "ANDOR").since("8.2.0"),
                Arg::flag("one", "ONE").since("8.2.0"),
            ],
        ),
        Arg::key("destkey", 0),
        Arg::key("key", 1).multiple(),
    ],
    history: &[("8.2.0", "Operations DIFF, DIFF1, ANDOR and ONE.")],
    ..Spec::EMPTY
};

const OPERATIONS: [(&str, Combine); 8] = [
    ("AND", Combine::And),
    ("OR", Combine::Or),
    ("XOR", Combine::Xor),
    ("NOT", Combine::Not),
    ("DIFF", Combine::Diff),
    ("DIFF1", Combine::Diff1),
    ("ANDOR", Combine::AndOr),
    ("ONE", Combine::One),
];

/// The operation at argument 1, checked against the number of sources.
fn operation(ctx: &Context<'_>) -> Result<Combine, Error> {
    let found = OPERATIONS.iter().find(|(name, _)| ctx.is_word(1, name));
    let &(name, how) = found.ok_or(Error::SYNTAX)?;
    let sources = ctx.args.len() - 3;
    match how {
        Combine::Not if sources != 1 => Err(NOT_TAKES_ONE),
        Combine::Diff | Combine::Diff1 | Combine::AndOr if sources < 2 => Err(Error::new(format!(
            "ERR BITOP {name} must be called with at least two source keys."
        ))),
        Combine::And
        | Combine::Or
        | Combine::Xor
        | Combine::Not
        | Combine::Diff
        | Combine::Diff1
        | Combine::AndOr
        | Combine::One => Ok(how),
    }
}

fn bit_op(ctx: &mut Context<'_>) -> Outcome {
    let how = operation(ctx)?;
    let keys: Vec<Key<'_>> = (3..ctx.args.len()).map(|index| ctx.key(index)).collect();
    let (scope, target) = (ctx.scope(), ctx.key(2));
    let keyspace = &mut ctx.server.keyspace;
    let mut result = {
        let entries = keyspace.read_many(scope, &keys);
        let strings = entries.iter().map(|entry| match entry {
            None => Ok(Cow::Borrowed(&[][..])),
            Some(entry) => match Str::of(entry).ok_or(Error::WRONG_TYPE)? {
                Str::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
                integer @ Str::Integer(_) => Ok(Cow::Owned(integer.to_vec())),
            },
        });
        let strings = strings.collect::<Result<Vec<Cow<'_, [u8]>>, Error>>()?;
        let sources: Vec<&[u8]> = strings.iter().map(Cow::as_ref).collect();
        combine(how, &sources)
    };
    let len = result.len();
    if len == 0 {
        if keyspace.remove(scope.db, target, Free::Here) {
            keyspace.dirty += 1;
            keyspace.note(scope.db, target, Event::DEL);
        }
    } else {
        let value = string::changed_value_of_vec(&mut result);
        keyspace.set(scope.db, target, value, None, KeepTtl::No);
        keyspace.dirty += 1;
        keyspace.note(scope.db, target, Event::SET);
    }
    ctx.session.output.count(len);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn strings_are_combined_and_stored() {
        for (operation, expected) in [
            ("AND", "`@`\\x00"),
            ("OR", "gmo\\xff"),
            ("xor", "\\x07-\\x0f\\xff"),
            ("DIFF", "\\x06\\x0c\\x0c\\xff"),
            ("DIFF1", "\\x01!\\x03\\x00"),
            ("ANDOR", "`@`\\x00"),
            ("One", "\\x07-\\x0f\\xff"),
        ] {
            check(
                &format!(
                    "SET a \"fLl\\xff\"; SET b aac; BITOP {operation} d a b; GET d; OBJECT ENCODING d"
                ),
                &format!("+OK +OK :4 ${expected} $raw"),
            );
        }
        check("SET a \"\\x00\\xf0\"; BITOP NOT d a; GET d", "+OK :2 $\\xff\\x0f");
        check("SET a 12; BITOP OR d a; GET d; BITOP AND a a a; GET a", "+OK :2 $12 :2 $12");
    }

    #[test]
    fn missing_strings_are_empty() {
        check("SET a x; BITOP AND d a b; GET d; BITOP OR d b a b; GET d", "+OK :1 $\\x00 :1 $x");
        check("SET d x; BITOP OR d a b; EXISTS d; BITOP NOT d a; EXISTS d", "+OK :0 :0 :0 :0");
    }

    #[test]
    fn the_result_replaces_what_there_was() {
        let mut bench = Bench::new();
        bench.check("SET a x; SETEX d 10 y; BITOP OR d a; TTL d", "+OK +OK :1 :-1");
        let before = bench.server.keyspace.dirty;
        bench.check("BITOP OR d a; BITOP OR d n; BITOP OR d n", ":1 :0 :0");
        assert_eq!(bench.server.keyspace.dirty - before, 2);
        bench.check(
            "SETBIT a 100000 1; BITOP XOR a a a; BITCOUNT a; STRLEN a",
            ":0 :12501 :0 :12501",
        );
    }

    #[test]
    fn operations_take_so_many_sources() {
        check("BITOP NOT d a b", "-ERR BITOP NOT must be called with a single source key.");
        for operation in ["DIFF", "DIFF1", "ANDOR"] {
            check(
                &format!("BITOP {} d a; EXISTS d", operation.to_lowercase()),
                &format!("-ERR BITOP {operation} must be called with at least two source keys. :0"),
            );
        }
        check("BITOP NAND d a b; BITOP ONE d a", "-ERR syntax error :0");
        check("BITOP AND d", "-ERR wrong number of arguments for 'bitop' command");
    }
}
