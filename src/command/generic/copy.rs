//! COPY, MOVE.

use crate::command::spec::{Arg, ArgType, Categories, Flags, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::{Event, Free, Scope};
use crate::value;

/// COPY source destination [DB destination-db] [REPLACE]
pub(super) static COPY: Command =
    Command { spec: COPY_SPEC, handler: Some(copy), subcommands: &[] };

const COPY_SPEC: Spec = Spec {
    name: "copy",
    summary: "Copies a value to another key, possibly of another database.",
    complexity: "O(1) for strings, else O(N), N being the number of nested items.",
    since: "6.2.0",
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::KEYSPACE,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
        KeySpec::range(2, 0, 1, KeyFlags::OW.union(KeyFlags::UPDATE)),
    ],
    args: &[
        Arg::key("source", 0),
        Arg::key("destination", 1),
        Arg::new("destination-db", ArgType::Integer).token("DB").optional(),
        Arg::flag("replace", "REPLACE").optional(),
    ],
    ..Spec::EMPTY
};

/// MOVE key db
pub(super) static MOVE: Command =
    Command { spec: MOVE_SPEC, handler: Some(move_key), subcommands: &[] };

const MOVE_SPEC: Spec = Spec {
    name: "move",
    summary: "Moves a key to another database.",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
    args: &[Arg::key("key", 0), Arg::new("db", ArgType::Integer)],
    ..Spec::EMPTY
};

/// What becomes of a value that the destination already has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existing {
    /// It stays, and nothing is copied.
    Keep,
    /// The copy takes its place.
    Replace,
}

/// The database to copy to, and what to do with a value there.
fn parse(ctx: &Context<'_>) -> Result<(usize, Existing), Error> {
    let (mut db, mut existing) = (ctx.session.db, Existing::Keep);
    let mut at = 3;
    while at < ctx.args.len() {
        if ctx.is_word(at, "replace") {
            existing = Existing::Replace;
            at += 1;
        } else if ctx.is_word(at, "db") && at + 1 < ctx.args.len() {
            db = ctx.database(at + 1)?;
            at += 2;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    Ok((db, existing))
}

fn copy(ctx: &mut Context<'_>) -> Outcome {
    let (db, existing) = parse(ctx)?;
    let (scope, from, to) = (ctx.scope(), ctx.key(1), ctx.key(2));
    if scope.db == db && from.bytes == to.bytes {
        return Err(Error::SAME_OBJECT);
    }
    let keyspace = &mut ctx.server.keyspace;
    if keyspace.read(scope, from).is_none() {
        return ctx.reply_integer(0);
    }
    if keyspace.write(Scope { db, ..scope }, to).is_some() && existing == Existing::Keep {
        return ctx.reply_integer(0);
    }
    let access = keyspace.policy().initial();
    let source = keyspace.glimpse(scope.db, from).expect("it was read in this turn");
    let copied = value::copy_of(&source, to.bytes, access, source.expiry());
    keyspace.put(db, to, copied, Free::Here);
    keyspace.dirty += 1;
    keyspace.note(db, to, Event::generic("copy_to"));
    ctx.reply_integer(1)
}

fn move_key(ctx: &mut Context<'_>) -> Outcome {
    let db = ctx.database(2)?;
    let (scope, key) = (ctx.scope(), ctx.key(1));
    if scope.db == db {
        return Err(Error::SAME_OBJECT);
    }
    let keyspace = &mut ctx.server.keyspace;
    if keyspace.write(scope, key).is_none() || keyspace.write(Scope { db, ..scope }, key).is_some()
    {
        return ctx.reply_integer(0);
    }
    let entry = keyspace.take(scope.db, key).expect("it was found in this turn");
    keyspace.put(db, key, entry, Free::Here);
    keyspace.dirty += 1;
    keyspace.note(scope.db, key, Event::generic("move_from"));
    keyspace.note(db, key, Event::generic("move_to"));
    ctx.reply_integer(1)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range";
    const NOT_32_BITS: &str =
        "-ERR value is out of range, value must between -2147483648 and 2147483647";
    const NO_SUCH_DB: &str = "-ERR DB index is out of range";
    const SAME: &str = "-ERR source and destination objects are the same";

    #[test]
    fn a_copy_has_the_value_and_the_expiry() {
        check("SET k v EX 9; COPY k n; GET k; GET n; TTL n", "+OK :1 $v $v :9");
        check("SET k v; SET n w EX 9; COPY k n REPLACE; GET n; TTL n", "+OK +OK :1 $v :-1");
        check("SET k 7; COPY k n; OBJECT ENCODING n; GET n", "+OK :1 $int $7");
    }

    #[test]
    fn a_copy_goes_its_own_way() {
        let mut bench = Bench::new();
        let long = "x".repeat(100_000);
        bench.raw(&["SET", "k", &long]);
        bench.check("COPY k n; SET k w", ":1 +OK");
        assert_eq!(bench.raw(&["GET", "n"]), format!("$100000\r\n{long}\r\n").into_bytes());
    }

    #[test]
    fn nothing_is_copied_from_nowhere_or_over_a_value() {
        check("COPY k n; COPY k n DB 1; SET k v; SET n w; COPY k n; GET n", ":0 :0 +OK +OK :0 $w");
        check("COPY k", "-ERR wrong number of arguments for 'copy' command");
    }

    #[test]
    fn another_database_may_have_the_same_key() {
        let mut bench = Bench::new();
        bench.check(
            "SET k v EX 9; COPY k k DB 1; COPY k k db 1; COPY k k DB 1 replace",
            "+OK :1 :0 :1",
        );
        bench.session.db = 1;
        bench.check("GET k; TTL k; COPY k k DB 0; COPY k l DB 0; DBSIZE", "$v :9 :0 :1 :1");
        bench.session.db = 0;
        bench.check("GET l; TTL l; DBSIZE", "$v :9 :2");
    }

    #[test]
    fn a_copy_onto_itself_is_refused_even_of_nothing() {
        check("COPY k k", SAME);
        check("SET k v; COPY k k REPLACE; COPY k k DB 0", &format!("+OK {SAME} {SAME}"));
        check("SET k v; COPY k k DB 1 DB 0", &format!("+OK {SAME}"));
    }

    #[test]
    fn wrong_options_are_refused_whether_or_not_the_key_exists() {
        for (options, error) in [
            ("FOO", "-ERR syntax error"),
            ("DB", "-ERR syntax error"),
            ("REPLACE DB", "-ERR syntax error"),
            ("DB 1 FOO", "-ERR syntax error"),
            ("DB abc", NOT_AN_INTEGER),
            ("DB 1.0", NOT_AN_INTEGER),
            ("DB 9223372036854775808", NOT_AN_INTEGER),
            ("DB 9223372036854775807", NOT_32_BITS),
            ("DB -9223372036854775808", NOT_32_BITS),
            ("DB 2147483648", NOT_32_BITS),
            ("DB 2147483647", NO_SUCH_DB),
            ("DB -2147483648", NO_SUCH_DB),
            ("DB -1", NO_SUCH_DB),
            ("DB 16", NO_SUCH_DB),
        ] {
            check(&format!("COPY k n {options}"), error);
            check(&format!("SET k v; COPY k n {options}"), &format!("+OK {error}"));
        }
    }

    #[test]
    fn expired_keys_are_neither_copied_nor_in_the_way() {
        let mut bench = Bench::new();
        bench.check("SET old v PX 10; SET k v; SET n w PX 10", "+OK +OK +OK");
        bench.pass(10);
        bench.check("COPY old x; COPY k n; TTL n; GET n", ":0 :1 :-1 $v");
        let keyspace = &bench.server.keyspace;
        assert_eq!((keyspace.expired, keyspace.dirty), (2, 4));
        assert_eq!((keyspace.hits, keyspace.misses), (3, 1));
    }

    #[test]
    fn a_copy_is_as_good_as_just_accessed() {
        let mut bench = Bench::new();
        bench.check("SET k v", "+OK");
        bench.pass(5000);
        bench.check("COPY k n; OBJECT IDLETIME k; OBJECT IDLETIME n", ":1 :0 :0");
    }

    #[test]
    fn a_moved_key_takes_value_and_expiry_along() {
        let mut bench = Bench::new();
        bench.check("SET k v EX 9; MOVE k 1; EXISTS k; MOVE k 1", "+OK :1 :0 :0");
        bench.session.db = 1;
        bench.check("GET k; TTL k; MOVE k 0; DBSIZE", "$v :9 :1 :0");
        assert_eq!(bench.server.keyspace.dirty, 3);
        assert_eq!(bench.server.keyspace.volatile_len(), 1);
    }

    #[test]
    fn a_key_is_not_moved_over_another() {
        let mut bench = Bench::new();
        bench.check("SET k v; MOVE k 1; SET k w; MOVE k 1; GET k", "+OK :1 +OK :0 $w");
        bench.session.db = 1;
        bench.check("GET k", "$v");
    }

    #[test]
    fn an_expired_key_is_neither_moved_nor_in_the_way() {
        let mut bench = Bench::new();
        bench.check("SET k v PX 10; MOVE k 1; SET k w; SET old v PX 10", "+OK :1 +OK +OK");
        bench.pass(10);
        bench.check("MOVE old 1; MOVE k 1; DBSIZE", ":0 :1 :0");
        bench.session.db = 1;
        bench.check("GET k; DBSIZE", "$w :1");
    }

    #[test]
    fn wrong_databases_to_move_to_are_refused() {
        for key in ["k", "missing"] {
            let script = |db: &str| format!("SET k v; MOVE {key} {db}");
            check(&script("0"), &format!("+OK {SAME}"));
            for db in ["abc", "1.0", "''", "9223372036854775808", "-9223372036854775809"] {
                check(&script(db), &format!("+OK {NOT_AN_INTEGER}"));
            }
            for db in ["9223372036854775807", "-9223372036854775808", "2147483648"] {
                check(&script(db), &format!("+OK {NOT_32_BITS}"));
            }
            for db in ["16", "-1", "2147483647", "-2147483648"] {
                check(&script(db), &format!("+OK {NO_SUCH_DB}"));
            }
        }
        check("MOVE k", "-ERR wrong number of arguments for 'move' command");
    }
}
