//! Storing one string: SET with all its options, and the older commands it covers.

use super::options::{Expiry, Grammar, Options, Reply};
use super::{condition::Condition, get, put, record_put};
use crate::command::expiry::{self, Unit};
use crate::command::spec::{
    Arg, ArgType, BeginSearch, Categories, Deprecation, FindKeys, Flags, Group, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Outcome, Spec};
use crate::store::Event;
use crate::value::{Str, string};

/// SET key value [condition] [GET] [expiration]
pub(super) static SET: Command = Command { spec: SET_SPEC, handler: Some(set), subcommands: &[] };

const SET_SPEC: Spec = Spec {
    name: "set",
    summary: "Stores a string at a key, whatever the key held before.",
    complexity: "O(1)",
    group: Group::String,
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::STRING,
    keys: &[KeySpec {
        begin: BeginSearch::Index(1),
        find: FindKeys::Range { last: 0, step: 1, limit: 0 },
        flags: KeyFlags::RW
            .union(KeyFlags::ACCESS)
            .union(KeyFlags::UPDATE)
            .union(KeyFlags::VARIABLE_FLAGS),
        notes: "RW and ACCESS only with GET.",
    }],
    args: &[
        Arg::key("key", 0),
        Arg::new("value", ArgType::String),
        Arg::one_of(
            "condition",
            &[
                Arg::flag("nx", "NX"),
                Arg::flag("xx", "XX"),
                Arg::new("ifeq-value", ArgType::String).token("IFEQ").since("8.4.0"),
                Arg::new("ifne-value", ArgType::String).token("IFNE").since("8.4.0"),
                Arg::new("ifdeq-digest", ArgType::String).token("IFDEQ").since("8.4.0"),
                Arg::new("ifdne-digest", ArgType::String).token("IFDNE").since("8.4.0"),
            ],
        )
        .optional()
        .since("2.6.12"),
        Arg::flag("get", "GET").optional().since("6.2.0"),
        Arg::one_of(
            "expiration",
            &[
                Arg::new("seconds", ArgType::Integer).token("EX").since("2.6.12"),
                Arg::new("milliseconds", ArgType::Integer).token("PX").since("2.6.12"),
                Arg::new("unix-time-seconds", ArgType::UnixTime).token("EXAT").since("6.2.0"),
                Arg::new("unix-time-milliseconds", ArgType::UnixTime).token("PXAT").since("6.2.0"),
                Arg::flag("keepttl", "KEEPTTL").since("6.0.0"),
            ],
        )
        .optional(),
    ],
    history: &[
        ("2.6.12", "Options EX, PX, NX and XX."),
        ("6.0.0", "Option KEEPTTL."),
        ("6.2.0", "Options GET, EXAT and PXAT."),
        ("7.0.0", "NX and GET may be given together."),
        ("8.4.0", "Conditions IFEQ, IFNE, IFDEQ and IFDNE."),
    ],
    ..Spec::EMPTY
};

/// SETNX key value
pub(super) static SETNX: Command =
    Command { spec: SETNX_SPEC, handler: Some(set_nx), subcommands: &[] };

const SETNX_SPEC: Spec = Spec {
    name: "setnx",
    summary: "Stores a string unless the key exists.",
    complexity: "O(1)",
    group: Group::String,
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::OW.union(KeyFlags::INSERT))],
    args: &[Arg::key("key", 0), Arg::new("value", ArgType::String)],
    deprecated: Some(Deprecation { since: "2.6.12", replaced_by: "`SET` with `NX`" }),
    ..Spec::EMPTY
};

/// SETEX key seconds value
pub(super) static SETEX: Command =
    Command { spec: SETEX_SPEC, handler: Some(set_ex), subcommands: &[] };

const SETEX_SPEC: Spec = Spec {
    name: "setex",
    summary: "Stores a string that expires after some seconds.",
    complexity: "O(1)",
    since: "2.0.0",
    group: Group::String,
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::OW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("seconds", ArgType::Integer),
        Arg::new("value", ArgType::String),
    ],
    deprecated: Some(Deprecation { since: "2.6.12", replaced_by: "`SET` with `EX`" }),
    ..Spec::EMPTY
};

/// PSETEX key milliseconds value
pub(super) static PSETEX: Command =
    Command { spec: PSETEX_SPEC, handler: Some(pset_ex), subcommands: &[] };

const PSETEX_SPEC: Spec = Spec {
    name: "psetex",
    summary: "Stores a string that expires after some milliseconds.",
    complexity: "O(1)",
    since: "2.6.0",
    group: Group::String,
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::OW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("milliseconds", ArgType::Integer),
        Arg::new("value", ArgType::String),
    ],
    deprecated: Some(Deprecation { since: "2.6.12", replaced_by: "`SET` with `PX`" }),
    ..Spec::EMPTY
};

/// GETSET key value
pub(super) static GETSET: Command =
    Command { spec: GETSET_SPEC, handler: Some(get_set), subcommands: &[] };

const GETSET_SPEC: Spec = Spec {
    name: "getset",
    summary: "Stores a string and returns the one it replaces.",
    complexity: "O(1)",
    group: Group::String,
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
    args: &[Arg::key("key", 0), Arg::new("value", ArgType::String)],
    deprecated: Some(Deprecation { since: "6.2.0", replaced_by: "`SET` with `GET`" }),
    ..Spec::EMPTY
};

fn set(ctx: &mut Context<'_>) -> Outcome {
    if ctx.args.len() == 3 {
        let key = ctx.key(1);
        put(ctx, key, 2, Expiry::Never);
        return ctx.ok();
    }
    let options = Options::parse(ctx.args, 3, Grammar::Set)?;
    let expiry = options.expiry(ctx)?;
    if options.condition == Condition::Always && options.reply == Reply::Outcome {
        let key = ctx.key(1);
        put(ctx, key, 2, expiry);
        record(ctx, options, expiry);
        return ctx.ok();
    }
    set_if(ctx, options, expiry)
}

fn set_if(ctx: &mut Context<'_>, options: Options, expiry: Expiry) -> Outcome {
    let Options { condition, reply, .. } = options;
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let found = match reply {
        Reply::Outcome => ctx.server.keyspace.write(scope, key),
        Reply::OldValue => ctx.server.keyspace.read_mut(scope, key),
    };
    let (exists, holds) = match found {
        None => (false, condition.holds_for_missing()),
        Some(mut slot) => {
            let holds = condition.holds(Str::of(&slot.get()), ctx.args)?;
            if reply == Reply::OldValue {
                get::reply(&mut ctx.session.output, &mut slot)?;
            }
            (true, holds)
        }
    };
    if holds {
        put(ctx, key, 2, expiry);
        record(ctx, options, expiry);
    }
    match reply {
        Reply::OldValue if exists => {}
        Reply::OldValue => ctx.session.output.null(),
        Reply::Outcome if holds => ctx.session.output.ok(),
        Reply::Outcome => ctx.session.output.null(),
    }
    Ok(())
}

/// Records a SET without what has been decided already: times become one of their own, and comparisons,
/// which older servers do not know, are left out as GET is.
fn record(ctx: &mut Context<'_>, options: Options, expiry: Expiry) {
    let is_compared = matches!(options.condition, Condition::Compared(..));
    if is_compared || matches!(expiry, Expiry::At(_)) {
        record_put(ctx, 1, 2, expiry);
    } else if options.reply == Reply::OldValue {
        let args = ctx.args;
        let words = || args.from(0).enumerate();
        let is_kept = |&(at, word): &(usize, &[u8])| at < 3 || !word.eq_ignore_ascii_case(b"get");
        let Some(mut effects) = ctx.effects_instead() else { return };
        let kept = words().filter(is_kept).map(|(_, word)| word);
        effects.add(words().filter(is_kept).count()).words(kept);
    }
}

fn set_nx(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    if ctx.server.keyspace.write(scope, key).is_some() {
        return ctx.reply_integer(0);
    }
    let value = string::new_value_of_arg(&ctx.args, 2);
    ctx.server.keyspace.insert(scope.db, key, value, None);
    ctx.server.keyspace.dirty += 1;
    ctx.note(key, Event::SET);
    ctx.reply_integer(1)
}

fn set_ex(ctx: &mut Context<'_>) -> Outcome {
    set_until(ctx, Unit::Seconds)
}

fn pset_ex(ctx: &mut Context<'_>) -> Outcome {
    set_until(ctx, Unit::Millis)
}

fn set_until(ctx: &mut Context<'_>, unit: Unit) -> Outcome {
    let at_ms = expiry::deadline_ms(ctx, 2, unit)?;
    let key = ctx.key(1);
    put(ctx, key, 3, Expiry::At(at_ms));
    record_put(ctx, 1, 3, Expiry::At(at_ms));
    ctx.ok()
}

fn get_set(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    match ctx.server.keyspace.read_mut(scope, key) {
        Some(mut slot) => get::reply(&mut ctx.session.output, &mut slot)?,
        None => ctx.session.output.null(),
    }
    put(ctx, key, 2, Expiry::Never);
    record_put(ctx, 1, 2, Expiry::Never);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    const SYNTAX: &str = "-ERR syntax error";

    #[test]
    fn set_replaces_value_and_expiry() {
        check("SET k v; SET k w EX 10; SET k x; GETEX k; GET k", "+OK +OK +OK $x $x");
        let mut bench = Bench::new();
        bench.check("SET k v EX 10; SET k x", "+OK +OK");
        bench.pass(11_000);
        bench.check("GET k", "$x");
    }

    #[test]
    fn nx_and_xx_decide_by_existence() {
        check("SET k v XX; SET k v NX; SET k w NX; SET k x XX; GET k", "$_ +OK $_ +OK $x");
        check("SET k v nx Nx; SET k w xx xx; GET k", "+OK +OK $w");
        for line in ["SET k v NX XX", "SET k v XX NX", "SET k v XX IFEQ v", "SET k v NX XX GET"] {
            check(line, SYNTAX);
        }
    }

    #[test]
    fn get_replies_with_the_old_value_whether_or_not_it_was_replaced() {
        check("SET k a GET; SET k b GET; SET k c GET GET; GET k", "$_ $a $b $c");
        check("SET k a NX GET; SET k b NX GET; SET k c XX GET; GET k", "$_ $a $a $c");
        check("SET x a XX GET; GET x; SET k 12; SET k z GET", "$_ $_ +OK $12");
    }

    #[test]
    fn get_counts_as_a_read_and_set_does_not() {
        let mut bench = Bench::new();
        bench
            .check("SET k v GET; SET k v GET; SET k v; SET k v XX; SET x v XX", "$_ $v +OK +OK $_");
        assert_eq!((bench.server.keyspace.hits, bench.server.keyspace.misses), (1, 1));
        bench.check("GETSET k v; SETNX k v; SETEX k 1 v; PSETEX k 1 v", "$v :0 +OK +OK");
        assert_eq!((bench.server.keyspace.hits, bench.server.keyspace.misses), (2, 1));
    }

    #[test]
    fn only_what_was_stored_counts_as_a_change() {
        let mut bench = Bench::new();
        bench
            .check("SET k v; SET k v NX; SET k v NX GET; SETNX k v; SET x v XX", "+OK $_ $v :0 $_");
        assert_eq!(bench.server.keyspace.dirty, 1);
        bench.check(
            "SETNX x v; GETSET x w; SETEX k 1 v; SET k v EX 0",
            ":1 $v +OK \
            -ERR invalid expire time in 'set' command",
        );
        assert_eq!(bench.server.keyspace.dirty, 4);
    }

    #[test]
    fn an_expiry_is_set_kept_or_dropped() {
        for (options, ttl_ms) in
            [("EX 10", 10_000), ("PX 10", 10), ("EXAT 1000010", 10_000), ("PXAT 1000000010", 10)]
        {
            let mut bench = Bench::new();
            bench.check(
                &format!("SET k v {options}; SET k w KEEPTTL; SET k x XX KEEPTTL GET"),
                "+OK +OK $w",
            );
            bench.pass(ttl_ms - 1);
            bench.check("GET k", "$x");
            bench.pass(1);
            bench.check("GET k", "$_");
        }
        check("SET k v KEEPTTL; GET k", "+OK $v");
    }

    #[test]
    fn the_last_of_two_times_in_one_unit_counts() {
        let mut bench = Bench::new();
        bench.check("SET k v EX 10 EX 20", "+OK");
        bench.pass(19_999);
        bench.check("GET k", "$v");
        bench.pass(1);
        bench.check("GET k", "$_");
        for line in [
            "EX 1 PX 1",
            "EX 1 KEEPTTL",
            "KEEPTTL EX 1",
            "EXAT 1 PXAT 1",
            "EX 1 PERSIST",
            "PERSIST",
        ] {
            check(&format!("SET k v {line}"), SYNTAX);
        }
    }

    #[test]
    fn a_time_in_the_past_stores_what_is_gone_at_once() {
        check("SET k v EXAT 1; GET k; SET k v PXAT 999999999; GET k", "+OK $_ +OK $_");
        check("SET k v; SET k w EXAT 1 GET; GET k", "+OK $v $_");
        check("SET k v; SET k w EXAT 1 NX; GET k", "+OK $_ $v");
    }

    #[test]
    fn times_out_of_range_are_refused_before_anything_happens() {
        let invalid = "-ERR invalid expire time in 'set' command";
        for time in [
            "EX 0",
            "EX -1",
            "PX 0",
            "EXAT 0",
            "PXAT -5",
            "EX 9223372036854775807",
            "EX 9223372036854775",
            "PX 9223372036854775807",
            "EXAT 9223372036854775807",
        ] {
            check(
                &format!("SET k v {time}; SET k v NX GET {time}; GET k"),
                &format!("{invalid} {invalid} $_"),
            );
        }
        check("SET k v PXAT 9223372036854775807; GET k", "+OK $v");
        let integer = "-ERR value is not an integer or out of range";
        for time in ["EX a", "EX 1.5", "EX \" 1\"", "EX \"\"", "PX 9223372036854775808"] {
            check(&format!("SET k v {time}"), integer);
        }
        check("SET k v EX a NX XX", SYNTAX);
    }

    #[test]
    fn malformed_options_are_syntax_errors() {
        for line in ["EX", "PX", "foo", "EX 10 foo", "NX EX", "IFEQ", "IFDNE", "\"\"", "GETS"] {
            check(&format!("SET k v {line}; GET k"), &format!("{SYNTAX} $_"));
        }
    }

    #[test]
    fn comparisons_decide_by_value() {
        check("SET k v IFEQ v; SET k v IFNE v; SET k w IFNE v; GET k", "$_ +OK $_ $v");
        check("SET k a; SET k b IFEQ x; SET k b IFEQ a; SET k c IFNE b; GET k", "+OK $_ +OK $_ $b");
        check("SET k a; SET k b IFEQ x GET; SET k c IFEQ a GET; GET k", "+OK $a $a $c");
        check("SET k 12; SET k 13 IFEQ 12; SET k 14 IFEQ 013; GET k", "+OK +OK $_ $13");
    }

    #[test]
    fn comparisons_decide_by_digest() {
        let hello = "9555e8555c62dcfd";
        check(
            &format!(
                "SET k hello; SET k a IFDNE {hello}; SET k b IFDEQ {hello}; GET k; SET k c IFDNE {hello}"
            ),
            "+OK $_ +OK $b +OK",
        );
        check("SET k v IFDEQ 1; SET k v IFDNE 1; GET k", "$_ +OK $v");
        check(
            "SET k v; SET k w IFDEQ 1; SET k w GET IFDNE 1; GET k",
            "+OK \
            -ERR must be exactly 16 hexadecimal characters \
            -ERR must be exactly 16 hexadecimal characters $v",
        );
    }

    #[test]
    fn setnx_stores_once() {
        check("SETNX k v; SETNX k w; GET k", ":1 :0 $v");
        let mut bench = Bench::new();
        bench.check("SETEX k 1 v; SETNX k w", "+OK :0");
        bench.pass(1000);
        bench.check("SETNX k w; GET k", ":1 $w");
    }

    #[test]
    fn setex_and_psetex_expire() {
        let mut bench = Bench::new();
        bench.check("SETEX a 10 v; PSETEX b 10 w; GET a; GET b", "+OK +OK $v $w");
        bench.pass(10);
        bench.check("GET a; GET b", "$v $_");
        bench.pass(9990);
        bench.check("GET a", "$_");
        check(
            "SETEX k 0 v; PSETEX k -1 v; SETEX k 9223372036854775807 v; SETEX k v 10; SETEX k 10",
            "\
            -ERR invalid expire time in 'setex' command \
            -ERR invalid expire time in 'psetex' command \
            -ERR invalid expire time in 'setex' command \
            -ERR value is not an integer or out of range \
            -ERR wrong number of arguments for 'setex' command",
        );
    }

    #[test]
    fn getset_swaps_and_drops_the_expiry() {
        let mut bench = Bench::new();
        bench.check("GETSET k a; SETEX k 10 b; GETSET k c", "$_ +OK $b");
        bench.pass(20_000);
        bench.check("GET k", "$c");
    }

    #[test]
    fn values_are_stored_at_every_size_and_overwritten_by_every_other() {
        let sizes = [0, 1, 20, 44, 45, 100, 1024, 1025, 16_384, 40_000];
        for first in sizes {
            for second in sizes {
                let mut bench = Bench::new();
                let value = "v".repeat(second);
                bench.raw(&["SET", "k", &"f".repeat(first)]);
                assert_eq!(bench.raw(&["SET", "k", &value]), b"+OK\r\n");
                let expected = format!("${second}\r\n{value}\r\n");
                assert_eq!(bench.raw(&["GET", "k"]), expected.as_bytes());
                assert_eq!(bench.raw(&["SET", "k", "x", "GET"]), expected.as_bytes());
            }
        }
    }

    #[test]
    fn keys_and_values_are_binary() {
        let mut bench = Bench::new();
        let all: Vec<u8> = (0..=255).collect();
        bench.raw(&[b"SET".as_slice(), &all, &all]);
        let expected = [b"$256\r\n", &all[..], b"\r\n"].concat();
        assert_eq!(bench.raw(&[b"GET".as_slice(), &all]), expected);
        assert_eq!(bench.raw(&[b"SET".as_slice(), &all, b"x", b"IFEQ", &all]), b"+OK\r\n");
    }
}
