//! Strings as numbers.

use crate::base::long_double::LongDouble;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::Event;
use crate::value::{NewValue, Str, string};

const OVERFLOW: Error = Error::fixed("ERR increment or decrement would overflow");
const DECREMENT_OVERFLOW: Error = Error::fixed("ERR decrement would overflow");
const NOT_FINITE: Error = Error::fixed("ERR increment would produce NaN or Infinity");

/// INCR key
pub(super) static INCR: Command =
    Command { spec: INCR_SPEC, handler: Some(incr), subcommands: &[] };

const INCR_SPEC: Spec = Spec {
    name: "incr",
    summary: "Adds one to an integer; a missing key counts as 0.",
    complexity: "O(1)",
    group: Group::String,
    arity: 2,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

/// DECR key
pub(super) static DECR: Command =
    Command { spec: DECR_SPEC, handler: Some(decr), subcommands: &[] };

const DECR_SPEC: Spec = Spec {
    name: "decr",
    summary: "Subtracts one from an integer; a missing key counts as 0.",
    complexity: "O(1)",
    group: Group::String,
    arity: 2,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

/// INCRBY key increment
pub(super) static INCRBY: Command =
    Command { spec: INCRBY_SPEC, handler: Some(incr_by), subcommands: &[] };

const INCRBY_SPEC: Spec = Spec {
    name: "incrby",
    summary: "Adds a given amount to an integer; a missing key counts as 0.",
    complexity: "O(1)",
    group: Group::String,
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
    args: &[Arg::key("key", 0), Arg::new("increment", ArgType::Integer)],
    ..Spec::EMPTY
};

/// DECRBY key decrement
pub(super) static DECRBY: Command =
    Command { spec: DECRBY_SPEC, handler: Some(decr_by), subcommands: &[] };

const DECRBY_SPEC: Spec = Spec {
    name: "decrby",
    summary: "Subtracts a given amount from an integer; a missing key counts as 0.",
    complexity: "O(1)",
    group: Group::String,
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
    args: &[Arg::key("key", 0), Arg::new("decrement", ArgType::Integer)],
    ..Spec::EMPTY
};

/// INCRBYFLOAT key increment
pub(super) static INCRBYFLOAT: Command =
    Command { spec: INCRBYFLOAT_SPEC, handler: Some(incr_by_float), subcommands: &[] };

const INCRBYFLOAT_SPEC: Spec = Spec {
    name: "incrbyfloat",
    summary: "Adds a floating point amount to a number; a missing key counts as 0.",
    complexity: "O(1)",
    since: "2.6.0",
    group: Group::String,
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
    args: &[Arg::key("key", 0), Arg::new("increment", ArgType::Double)],
    ..Spec::EMPTY
};

fn incr(ctx: &mut Context<'_>) -> Outcome {
    add(ctx, 1)
}

fn decr(ctx: &mut Context<'_>) -> Outcome {
    add(ctx, -1)
}

fn incr_by(ctx: &mut Context<'_>) -> Outcome {
    let amount = ctx.integer(2)?;
    add(ctx, amount)
}

fn decr_by(ctx: &mut Context<'_>) -> Outcome {
    let amount = ctx.integer(2)?.checked_neg().ok_or(DECREMENT_OVERFLOW)?;
    add(ctx, amount)
}

/// One lookup, and no allocation for a key that holds an integer already.
#[inline]
fn add(ctx: &mut Context<'_>, amount: i64) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let sum = match ctx.server.keyspace.write(scope, key) {
        Some(mut slot) => {
            let string = Str::of(&slot.get()).map(Str::integer);
            let old = string.ok_or(Error::WRONG_TYPE)?.ok_or(Error::NOT_AN_INTEGER)?;
            let sum = old.checked_add(amount).ok_or(OVERFLOW)?;
            if !slot.get_mut().overwrite_integer(sum) {
                let _slot = slot.update(|entry| entry.with_value(NewValue::Integer(sum)));
            }
            sum
        }
        None => {
            ctx.server.keyspace.insert(scope.db, key, NewValue::Integer(amount), None);
            amount
        }
    };
    ctx.server.keyspace.dirty += 1;
    ctx.note(key, Event::string("incrby"));
    ctx.reply_integer(sum)
}

fn incr_by_float(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, increment) = (ctx.scope(), ctx.key(1), ctx.args.at(2));
    let slot = ctx.server.keyspace.write(scope, key);
    let old = match &slot {
        Some(slot) => number(Str::of(&slot.get()).ok_or(Error::WRONG_TYPE)?),
        None => Some(LongDouble::from_i64(0)),
    };
    let amount = LongDouble::parse(increment);
    let (Some(old), Some(amount)) = (old, amount) else { return Err(Error::NOT_A_FLOAT) };
    let sum = old + amount;
    if !sum.is_finite() {
        return Err(NOT_FINITE);
    }
    let mut digits = Vec::with_capacity(64);
    sum.format(&mut digits);
    // The sum stays text even where it is whole: as Redis, for OBJECT ENCODING.
    match slot {
        Some(mut slot) => {
            if !slot.get_mut().overwrite_embedded(&digits) {
                let _slot = slot.update(|entry| entry.with_value(string::plain_value(&digits)));
            }
        }
        None => {
            ctx.server.keyspace.insert(scope.db, key, string::plain_value(&digits), None);
        }
    }
    ctx.server.keyspace.dirty += 1;
    ctx.note(key, Event::string("incrbyfloat"));
    // The sum and not the amount: it might come out otherwise elsewhere.
    ctx.effects_as(&[b"SET", key.bytes, &digits, b"KEEPTTL"]);
    ctx.session.output.bulk(&digits);
    Ok(())
}

fn number(string: Str<'_>) -> Option<LongDouble> {
    match string {
        Str::Integer(n) => Some(LongDouble::from_i64(n)),
        Str::Bytes(bytes) => LongDouble::parse(bytes),
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::value::encoding_of;

    const INTEGER: &str = "-ERR value is not an integer or out of range";
    const OVERFLOW: &str = "-ERR increment or decrement would overflow";
    const FLOAT: &str = "-ERR value is not a valid float";
    const INFINITE: &str = "-ERR increment would produce NaN or Infinity";

    fn encoding(bench: &mut Bench, key: &str) -> &'static str {
        let key = bench.server.keyspace.key(key.as_bytes());
        encoding_of(&bench.server.keyspace.peek(0, key).expect("the key exists"))
    }

    #[test]
    fn a_missing_key_counts_from_zero() {
        check(
            "INCR a; INCR a; DECR b; INCRBY c 5; DECRBY d 5; INCRBY e 0; GET e",
            ":1 :2 :-1 :5 :-5 :0 $0",
        );
    }

    #[test]
    fn counting_keeps_the_expiry() {
        let mut bench = Bench::new();
        bench.check("SET a 10 EX 10; INCR a; INCRBYFLOAT a 1", "+OK :11 $12");
        bench.pass(9999);
        bench.check("INCR a", ":13");
        bench.pass(1);
        bench.check("INCR a", ":1");
    }

    #[test]
    fn integers_stop_at_the_ends_of_64_bits() {
        for (start, command, reply) in [
            ("9223372036854775807", "INCR a", OVERFLOW),
            ("-9223372036854775808", "DECR a", OVERFLOW),
            ("9223372036854775806", "INCR a", ":9223372036854775807"),
            ("-9223372036854775807", "DECR a", ":-9223372036854775808"),
            ("-1", "INCRBY a -9223372036854775808", OVERFLOW),
            ("-1", "INCRBY a -9223372036854775807", ":-9223372036854775808"),
            ("0", "INCRBY a -9223372036854775808", ":-9223372036854775808"),
            ("0", "DECRBY a -9223372036854775807", ":9223372036854775807"),
            ("1", "DECRBY a -9223372036854775807", OVERFLOW),
            ("0", "DECRBY a 9223372036854775807", ":-9223372036854775807"),
            ("0", "DECRBY a -9223372036854775808", "-ERR decrement would overflow"),
            ("0", "INCRBY a 9223372036854775808", INTEGER),
            ("9223372036854775808", "INCRBY a 1", INTEGER),
        ] {
            check(&format!("SET a {start}; {command}"), &format!("+OK {reply}"));
        }
    }

    #[test]
    fn only_canonical_integers_are_counted() {
        for value in ["abc", "1.5", "\" 1\"", "\"1 \"", "01", "+1", "-0", "\"\"", "1e3", "0x10"] {
            check(&format!("SET a {value}; INCR a"), &format!("+OK {INTEGER}"));
            check(
                &format!("INCRBY a {value}; DECRBY a {value}; INCR a"),
                &format!("{INTEGER} {INTEGER} :1"),
            );
        }
        let mut bench = Bench::new();
        bench.check("SET a x; INCR a; INCRBY b 1.0", &format!("+OK {INTEGER} {INTEGER}"));
        assert_eq!(bench.server.keyspace.dirty, 1);
    }

    #[test]
    fn text_that_spells_an_integer_becomes_one() {
        let mut bench = Bench::new();
        bench.check("SET a 12; APPEND a 3", "+OK :3");
        assert_eq!(encoding(&mut bench, "a"), "raw");
        bench.check("INCR a", ":124");
        assert_eq!(encoding(&mut bench, "a"), "int");
    }

    #[test]
    fn floats_are_added_and_stay_text() {
        let mut bench = Bench::new();
        bench.check("INCRBYFLOAT f 1", "$1");
        assert_eq!(encoding(&mut bench, "f"), "embstr");
        bench.check(
            "INCRBYFLOAT f 1.5; INCRBYFLOAT f 5e-1; INCRBYFLOAT f -0.1; GET f",
            "$2.5 $3 $2.9 $2.9",
        );
        bench.check("SET f 3; INCRBYFLOAT f 0; INCR f", "+OK $3 :4");
        assert_eq!(encoding(&mut bench, "f"), "int");
        bench.check("SET f 3.0e3; INCRBYFLOAT f 200", "+OK $3200");
        bench.check("SET f 9223372036854775807; INCRBYFLOAT f 1", "+OK $9223372036854775808");
        bench.check("SET f 5; INCRBYFLOAT f 1e-17", "+OK $5.00000000000000001");
        bench.check(
            "SET f 1; INCRBYFLOAT f 1e60",
            "+OK $999999999999999999999373423426722168652130621984886772203520",
        );
        assert_eq!(encoding(&mut bench, "f"), "raw");
        bench.check("SET z 0; INCRBYFLOAT z -0.0", "+OK $0");
    }

    #[test]
    fn sums_of_thousands_of_digits_are_stored_in_full() {
        let mut bench = Bench::new();
        bench.check("SET f 1e4000", "+OK");
        let reply = bench.raw(&["INCRBYFLOAT", "f", "1"]);
        assert!(reply.starts_with(b"$4000\r\n99999999999999999999"));
        assert_eq!(bench.raw(&["GET", "f"]), reply);
        let sum = bench.raw(&["INCRBYFLOAT", "f", "-1e4000"]);
        assert_eq!(bench.raw(&["GET", "f"]), sum);
    }

    #[test]
    fn what_is_no_finite_number_is_refused() {
        for increment in ["abc", "\"\"", "nan", "1e5000", "\" 1\"", "1x"] {
            check(&format!("INCRBYFLOAT f {increment}; GET f"), &format!("{FLOAT} $_"));
            check(&format!("SET f {increment}; INCRBYFLOAT f 1"), &format!("+OK {FLOAT}"));
        }
        check("INCRBYFLOAT f inf; INCRBYFLOAT f -inf", &format!("{INFINITE} {INFINITE}"));
        check(
            "SET f inf; INCRBYFLOAT f -inf; INCRBYFLOAT f 1",
            &format!("+OK {INFINITE} {INFINITE}"),
        );
        check("SET f 1.1897e4932; INCRBYFLOAT f 1.1897e4932", &format!("+OK {INFINITE}"));
    }

    #[test]
    fn arguments_are_counted() {
        for (line, name) in [
            ("INCR", "incr"),
            ("INCR a 1", "incr"),
            ("DECR", "decr"),
            ("INCRBY a", "incrby"),
            ("DECRBY a", "decrby"),
            ("INCRBYFLOAT a", "incrbyfloat"),
            ("INCRBYFLOAT a 1 2", "incrbyfloat"),
        ] {
            check(line, &format!("-ERR wrong number of arguments for '{name}' command"));
        }
    }
}
