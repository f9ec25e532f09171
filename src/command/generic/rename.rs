//! RENAME, RENAMENX.

use crate::command::spec::{Arg, Categories, Flags, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::{Event, Free};

/// RENAME key newkey
pub(super) static RENAME: Command =
    Command { spec: RENAME_SPEC, handler: Some(rename), subcommands: &[] };

const RENAME_SPEC: Spec = Spec {
    name: "rename",
    summary: "Gives a key another name, replacing what had that name.",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::WRITE,
    categories: Categories::KEYSPACE,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)),
        KeySpec::range(2, 0, 1, KeyFlags::OW.union(KeyFlags::UPDATE)),
    ],
    args: &[Arg::key("key", 0), Arg::key("newkey", 1)],
    ..Spec::EMPTY
};

/// RENAMENX key newkey
pub(super) static RENAMENX: Command =
    Command { spec: RENAMENX_SPEC, handler: Some(renamenx), subcommands: &[] };

const RENAMENX_SPEC: Spec = Spec {
    name: "renamenx",
    summary: "Gives a key another name unless that name is taken.",
    complexity: "O(1)",
    arity: 3,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::KEYSPACE,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)),
        KeySpec::range(2, 0, 1, KeyFlags::OW.union(KeyFlags::INSERT)),
    ],
    args: &[Arg::key("key", 0), Arg::key("newkey", 1)],
    history: &[("3.2.0", "No error any more if both names are the same.")],
    ..Spec::EMPTY
};

fn rename(ctx: &mut Context<'_>) -> Outcome {
    move_entry(ctx)?;
    ctx.ok()
}

fn renamenx(ctx: &mut Context<'_>) -> Outcome {
    let (scope, from, to) = (ctx.scope(), ctx.key(1), ctx.key(2));
    if ctx.server.keyspace.write(scope, from).is_none() {
        return Err(Error::NO_SUCH_KEY);
    }
    if ctx.server.keyspace.write(scope, to).is_some() {
        return ctx.reply_integer(0);
    }
    move_entry(ctx)?;
    ctx.reply_integer(1)
}

/// Gives what key 1 holds to key 2, with its expiry. Values with an allocation of their own stay
/// where they are.
fn move_entry(ctx: &mut Context<'_>) -> Outcome {
    let (scope, from, to) = (ctx.scope(), ctx.key(1), ctx.key(2));
    let keyspace = &mut ctx.server.keyspace;
    if keyspace.write(scope, from).is_none() {
        return Err(Error::NO_SUCH_KEY);
    }
    if from.bytes == to.bytes {
        return Ok(());
    }
    let entry = keyspace.take(scope.db, from).expect("it was found in this turn");
    let entry = entry.with_key(to.bytes);
    keyspace.put(scope.db, to, entry, Free::Here);
    keyspace.dirty += 1;
    keyspace.note(scope.db, from, Event::generic("rename_from"));
    keyspace.note(scope.db, to, Event::generic("rename_to"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn a_renamed_key_keeps_value_and_expiry() {
        check("SET k v EX 100; RENAME k n; GET n; TTL n; EXISTS k", "+OK +OK $v :100 :0");
        check("SET k v EX 100; RENAMENX k n; GET n; TTL n; EXISTS k", "+OK :1 $v :100 :0");
        check("SET k 12; RENAME k n; OBJECT ENCODING n; GET n", "+OK +OK $int $12");
    }

    #[test]
    fn what_had_the_name_is_replaced_with_its_expiry() {
        check("SET k v; SET n w EX 100; RENAME k n; GET n; TTL n", "+OK +OK +OK $v :-1");
        check("SET k v EX 9; SET n w; RENAME k n; GET n; TTL n", "+OK +OK +OK $v :9");
        check("SET k v; SET n w; RENAMENX k n; GET k; GET n", "+OK +OK :0 $v $w");
    }

    #[test]
    fn a_missing_key_cannot_be_renamed() {
        for script in ["RENAME k n", "RENAME k k", "RENAMENX k n", "RENAMENX k k"] {
            check(script, "-ERR no such key");
            check(&format!("SET n v; {script}"), "+OK -ERR no such key");
        }
        check("RENAME k", "-ERR wrong number of arguments for 'rename' command");
        check("RENAMENX k", "-ERR wrong number of arguments for 'renamenx' command");
    }

    #[test]
    fn renaming_to_itself_changes_nothing() {
        let mut bench = Bench::new();
        bench.check("SET k v EX 9; RENAME k k; RENAMENX k k; GET k; TTL k", "+OK +OK :0 $v :9");
        assert_eq!(bench.server.keyspace.dirty, 1);
    }

    #[test]
    fn expired_keys_are_neither_renamed_nor_in_the_way() {
        for (command, reply) in [("RENAME", "+OK"), ("RENAMENX", ":1")] {
            let mut bench = Bench::new();
            bench.check("SET old v PX 10; SET k v; SET n w PX 10", "+OK +OK +OK");
            bench.pass(10);
            bench.check(&format!("{command} old x"), "-ERR no such key");
            bench.check(&format!("{command} k n; TTL n; GET n"), &format!("{reply} :-1 $v"));
            let keyspace = &bench.server.keyspace;
            assert_eq!((keyspace.expired, keyspace.dirty), (2, 4));
            assert_eq!((keyspace.hits, keyspace.misses), (2, 0));
        }
    }

    #[test]
    fn names_may_be_of_any_length() {
        let long = "x".repeat(70_000);
        let mut bench = Bench::new();
        bench.check(&format!("SET k v EX 9; RENAME k {long}; TTL {long}"), "+OK +OK :9");
        bench.check(&format!("RENAME {long} ''; GET ''; DBSIZE"), "+OK $v :1");
    }

    #[test]
    fn a_long_value_does_not_move() {
        let mut bench = Bench::new();
        bench.raw(&[&b"SET"[..], b"k", &vec![b'x'; 100_000]]);
        let place = |bench: &Bench, key: &[u8]| {
            let keyspace = &bench.server.keyspace;
            let entry = keyspace.glimpse(0, keyspace.key(key)).expect("it exists");
            let bytes = crate::value::Str::of(&entry).expect("a string");
            bytes.with_bytes(<[u8]>::as_ptr)
        };
        let before = place(&bench, b"k");
        bench.check("RENAME k n", "+OK");
        assert_eq!(place(&bench, b"n"), before);
    }

    #[test]
    fn a_large_value_that_is_replaced_is_freed_elsewhere() {
        let mut bench = Bench::new();
        bench.raw(&[&b"SET"[..], b"n", &vec![b'x'; 100 << 20]]);
        bench.check("SET k v; RENAME k n", "+OK +OK");
        assert_eq!(bench.server.stats.lazy_freed, 1);
    }
}
