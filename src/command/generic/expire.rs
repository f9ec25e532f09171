//! EXPIRE and its relatives, PERSIST.

use crate::command::error::printed;
use crate::command::expiry::Unit;
use crate::command::spec::{Arg, ArgType, Categories, Flags, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec, effects};
use crate::store::{Event, Free, Keyspace};
use bitflags::bitflags;

/// EXPIRE key seconds [NX | XX | GT | LT]
pub(super) static EXPIRE: Command =
    Command { spec: EXPIRE_SPEC, handler: Some(expire), subcommands: &[] };

const EXPIRE_SPEC: Spec = Spec {
    name: "expire",
    summary: "Makes a key expire after some seconds.",
    args: &[Arg::key("key", 0), Arg::new("seconds", ArgType::Integer), CONDITION],
    ..SPEC
};

/// PEXPIRE key milliseconds [NX | XX | GT | LT]
pub(super) static PEXPIRE: Command =
    Command { spec: PEXPIRE_SPEC, handler: Some(pexpire), subcommands: &[] };

const PEXPIRE_SPEC: Spec = Spec {
    name: "pexpire",
    summary: "Makes a key expire after some milliseconds.",
    since: "2.6.0",
    args: &[Arg::key("key", 0), Arg::new("milliseconds", ArgType::Integer), CONDITION],
    ..SPEC
};

/// EXPIREAT key unix-time-seconds [NX | XX | GT | LT]
pub(super) static EXPIREAT: Command =
    Command { spec: EXPIREAT_SPEC, handler: Some(expireat), subcommands: &[] };

const EXPIREAT_SPEC: Spec = Spec {
    name: "expireat",
    summary: "Makes a key expire at a Unix time in seconds.",
    since: "1.2.0",
    args: &[Arg::key("key", 0), Arg::new("unix-time-seconds", ArgType::UnixTime), CONDITION],
    ..SPEC
};

/// PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]
pub(super) static PEXPIREAT: Command =
    Command { spec: PEXPIREAT_SPEC, handler: Some(pexpireat), subcommands: &[] };

const PEXPIREAT_SPEC: Spec = Spec {
    name: "pexpireat",
    summary: "Makes a key expire at a Unix time in milliseconds.",
    since: "2.6.0",
    args: &[Arg::key("key", 0), Arg::new("unix-time-milliseconds", ArgType::UnixTime), CONDITION],
    ..SPEC
};

/// What the four have in common.
const SPEC: Spec = Spec {
    complexity: "O(1)",
    arity: -3,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    history: &[("7.0.0", "Conditions NX, XX, GT and LT.")],
    ..Spec::EMPTY
};

const CONDITION: Arg = Arg::one_of(
    "condition",
    &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX"), Arg::flag("gt", "GT"), Arg::flag("lt", "LT")],
)
.optional()
.since("7.0.0");

/// PERSIST key
pub(super) static PERSIST: Command =
    Command { spec: PERSIST_SPEC, handler: Some(persist), subcommands: &[] };

const PERSIST_SPEC: Spec = Spec {
    name: "persist",
    summary: "Makes a key never expire.",
    complexity: "O(1)",
    since: "2.2.0",
    arity: 2,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

const NX_AND_OTHERS: Error =
    Error::fixed("ERR NX and XX, GT or LT options at the same time are not compatible");
const GT_AND_LT: Error = Error::fixed("ERR GT and LT options at the same time are not compatible");

bitflags! {
    /// What must be so for an expiry to be set.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Conditions: u8 {
        /// The key has no expiry.
        const MISSING = 1 << 0;
        /// The key has one.
        const EXISTS = 1 << 1;
        /// The new one is later; none at all is the latest.
        const LATER = 1 << 2;
        /// The new one is earlier.
        const EARLIER = 1 << 3;
    }
}

impl Conditions {
    /// The options after the time.
    fn parse(ctx: &Context<'_>) -> Result<Self, Error> {
        let mut conditions = Self::empty();
        for word in ctx.args.from(3) {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            conditions |= if is(b"nx") {
                Self::MISSING
            } else if is(b"xx") {
                Self::EXISTS
            } else if is(b"gt") {
                Self::LATER
            } else if is(b"lt") {
                Self::EARLIER
            } else {
                return Err(Error::new([b"ERR Unsupported option ", printed(word)].concat()));
            };
        }
        if conditions.contains(Self::MISSING) && conditions != Self::MISSING {
            return Err(NX_AND_OTHERS);
        }
        if conditions.contains(Self::LATER | Self::EARLIER) {
            return Err(GT_AND_LT);
        }
        Ok(conditions)
    }

    /// Whether they hold for a key that expires at `old`, if ever.
    fn hold(self, old: Option<i64>, new: i64) -> bool {
        let broken = match old {
            None => Self::EXISTS | Self::LATER,
            Some(old) => {
                let mut broken = Self::MISSING;
                broken.set(Self::LATER, new <= old);
                broken.set(Self::EARLIER, new >= old);
                broken
            }
        };
        !self.intersects(broken)
    }
}

fn expire(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, Unit::Seconds)
}

fn pexpire(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, Unit::Millis)
}

fn expireat(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, Unit::UnixSeconds)
}

fn pexpireat(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, Unit::UnixMillis)
}

fn set_expiry(ctx: &mut Context<'_>, unit: Unit) -> Outcome {
    let conditions = Conditions::parse(ctx)?;
    let now_ms = ctx.server.now.unix_ms();
    let at_ms = unit
        .to_unix_ms(ctx.integer(2)?, now_ms)
        .ok_or_else(|| Error::invalid_expire(ctx.name()))?;
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let keyspace = &mut ctx.server.keyspace;
    let passed_ms = keyspace.now_ms();
    let Some(slot) = keyspace.write(scope, key) else { return ctx.reply_integer(0) };
    if !conditions.hold(slot.get().expiry(), at_ms) {
        return ctx.reply_integer(0);
    }
    let event = if at_ms > passed_ms {
        Keyspace::set_expiry(slot, Some(at_ms));
        Event::EXPIRE
    } else {
        // A time that has passed deletes the key at once.
        keyspace.remove(scope.db, key, Free::Here);
        Event::DEL
    };
    keyspace.dirty += 1;
    keyspace.note(scope.db, key, event);
    record(ctx, unit, at_ms);
    ctx.reply_integer(1)
}

/// Records the time itself, or that it had passed.
fn record(ctx: &mut Context<'_>, unit: Unit, at_ms: i64) {
    let (args, now_ms) = (ctx.args, ctx.server.keyspace.now_ms());
    let delete = effects::deletion_of_expired(&ctx.server.config);
    if at_ms <= now_ms {
        ctx.effects_as(&[delete, args.at(1)]);
    } else if unit != Unit::UnixMillis {
        let Some(mut effects) = ctx.effects_instead() else { return };
        let words = effects.add(args.len()).word(b"PEXPIREAT").word(args.at(1));
        words.number(at_ms).words(args.from(3));
    }
}

fn persist(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let keyspace = &mut ctx.server.keyspace;
    match keyspace.write(scope, key) {
        Some(slot) if slot.get().expiry().is_some() => Keyspace::set_expiry(slot, None),
        Some(_) | None => return ctx.reply_integer(0),
    }
    keyspace.dirty += 1;
    keyspace.note(scope.db, key, Event::generic("persist"));
    ctx.reply_integer(1)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    /// The four commands, with a time that lies so many seconds ahead on a new bench.
    fn forms(ahead_s: i64) -> [String; 4] {
        let now_s = Bench::new().server.now.unix_s();
        [
            format!("EXPIRE k {ahead_s}"),
            format!("PEXPIRE k {}", ahead_s * 1000),
            format!("EXPIREAT k {}", now_s + ahead_s),
            format!("PEXPIREAT k {}", (now_s + ahead_s) * 1000),
        ]
    }

    #[test]
    fn each_form_sets_the_same_expiry() {
        for form in forms(100) {
            let mut bench = Bench::new();
            bench.check(&format!("SET k v; {form}; PTTL k"), "+OK :1 :100000");
            assert_eq!((bench.server.keyspace.dirty, bench.server.keyspace.volatile_len()), (2, 1));
            bench.pass(99_999);
            bench.check("GET k; PTTL k", "$v :1");
            bench.pass(1);
            bench.check("GET k; PTTL k", "$_ :-2");
        }
    }

    #[test]
    fn a_time_that_has_passed_deletes_the_key_at_once() {
        for form in forms(0).into_iter().chain(forms(-1)) {
            let mut bench = Bench::new();
            bench.check(&format!("SET k v; {form}; DBSIZE; {form}"), "+OK :1 :0 :0");
            assert_eq!((bench.server.keyspace.dirty, bench.server.keyspace.expired), (2, 0));
        }
        check("SET k v EX 9; EXPIRE k -9223372036854775; DBSIZE", "+OK :1 :0");
        check("SET k v; PEXPIRE k -9223372036854775808; DBSIZE", "+OK :1 :0");
        check("SET k v; EXPIREAT k -9223372036854775; DBSIZE", "+OK :1 :0");
        check("SET k v; PEXPIREAT k -9223372036854775808; DBSIZE", "+OK :1 :0");
        check("SET k v; PEXPIREAT k 0; DBSIZE", "+OK :1 :0");
    }

    #[test]
    fn missing_and_expired_keys_are_let_be() {
        for form in forms(100).into_iter().chain(forms(-100)) {
            let mut bench = Bench::new();
            bench.check(&form, ":0");
            bench.check("SET k v PX 10", "+OK");
            bench.pass(10);
            bench.check(&format!("{form}; DBSIZE"), ":0 :0");
            assert_eq!((bench.server.keyspace.dirty, bench.server.keyspace.expired), (1, 1));
        }
    }

    #[test]
    fn the_largest_times_are_those_that_fit() {
        check(
            "SET k v; PEXPIREAT k 9223372036854775807; PEXPIRETIME k",
            "+OK :1 :9223372036854775807",
        );
        check("SET k v; EXPIREAT k 9223372036854775; EXPIRETIME k", "+OK :1 :9223372036854775");
        // The bench's clock stands at 1,000,000 s.
        check("SET k v; EXPIRE k 9223372035854775; TTL k", "+OK :1 :9223372035854775");
        check("SET k v; PEXPIRE k 9223372035854775807; PTTL k", "+OK :1 :9223372035854775807");
    }

    #[test]
    fn times_that_overflow_are_refused_whether_or_not_the_key_exists() {
        for (command, times) in [
            (
                "expire",
                &[
                    "9223372036854775807",
                    "9223372036854776",
                    "9223372035854776",
                    "-9223372036854776",
                    "-9223372036854775808",
                ][..],
            ),
            ("pexpire", &["9223372036854775807", "9223372035854775808"]),
            (
                "expireat",
                &[
                    "9223372036854775807",
                    "9223372036854776",
                    "-9223372036854776",
                    "-9223372036854775808",
                ],
            ),
        ] {
            for time in times {
                let error = format!("-ERR invalid expire time in '{command}' command");
                check(&format!("{command} k {time}"), &error);
                check(&format!("SET k v; {command} k {time}; TTL k"), &format!("+OK {error} :-1"));
            }
        }
    }

    #[test]
    fn what_is_no_integer_is_refused() {
        for command in ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"] {
            for time in ["abc", "''", "1.5", "+5", "' 5'", "05", "-0", "9223372036854775808"] {
                check(
                    &format!("{command} k {time}"),
                    "-ERR value is not an integer or out of range",
                );
            }
            let name = command.to_ascii_lowercase();
            let error = format!("-ERR wrong number of arguments for '{name}' command");
            check(&format!("{command} k"), &error);
        }
    }

    #[test]
    fn options_that_do_not_go_together_are_refused_before_the_time_is_read() {
        for (options, error) in [
            ("FOO", "-ERR Unsupported option FOO"),
            ("''", "-ERR Unsupported option "),
            ("NX FOO", "-ERR Unsupported option FOO"),
            ("NX XX", "-ERR NX and XX, GT or LT options at the same time are not compatible"),
            ("gt nx", "-ERR NX and XX, GT or LT options at the same time are not compatible"),
            ("NX LT", "-ERR NX and XX, GT or LT options at the same time are not compatible"),
            ("NX GT LT", "-ERR NX and XX, GT or LT options at the same time are not compatible"),
            ("GT LT", "-ERR GT and LT options at the same time are not compatible"),
            ("XX LT GT", "-ERR GT and LT options at the same time are not compatible"),
        ] {
            check(
                &format!("EXPIRE k 10 {options}; PEXPIREAT k abc {options}"),
                &format!("{error} {error}"),
            );
        }
        check("EXPIRE k 10 NX nx NX", ":0");
        check("EXPIRE k 10 \"a\\x00b\"", "-ERR Unsupported option a");
    }

    #[test]
    fn nx_and_xx_ask_whether_there_is_an_expiry() {
        check("SET k v; EXPIRE k 10 XX; TTL k; EXPIRE k 10 NX; TTL k", "+OK :0 :-1 :1 :10");
        check("SET k v EX 10; EXPIRE k 20 NX; TTL k; EXPIRE k 20 xx; TTL k", "+OK :0 :10 :1 :20");
    }

    #[test]
    fn gt_and_lt_compare_and_no_expiry_is_the_latest() {
        check("SET k v; EXPIRE k 10 GT; TTL k; EXPIRE k 10 LT; TTL k", "+OK :0 :-1 :1 :10");
        check("SET k v EX 10; EXPIRE k 10 GT; EXPIRE k 10 LT", "+OK :0 :0");
        check("SET k v EX 10; EXPIRE k 11 LT; EXPIRE k 11 GT; TTL k", "+OK :0 :1 :11");
        check("SET k v EX 10; EXPIRE k 9 GT; EXPIRE k 9 LT; TTL k", "+OK :0 :1 :9");
        check("SET k v; EXPIRE k 10 XX GT; EXPIRE k 10 XX LT", "+OK :0 :0");
        check("SET k v EX 10; EXPIRE k 11 XX GT; EXPIRE k 9 LT XX; TTL k", "+OK :1 :1 :9");
    }

    #[test]
    fn conditions_hold_for_passed_times_too() {
        check("SET k v EX 9; EXPIRE k -1 GT; EXPIRE k -1 NX; EXISTS k", "+OK :0 :0 :1");
        check("SET k v EX 9; EXPIRE k -1 XX LT; EXISTS k", "+OK :1 :0");
        check("SET k v; EXPIRE k -1 XX; EXPIRE k -1 NX; EXISTS k", "+OK :0 :1 :0");
        check("SET k v; EXPIRE k -1 LT; EXISTS k", "+OK :1 :0");
    }

    #[test]
    fn persist_takes_the_expiry_away() {
        let mut bench = Bench::new();
        bench.check("PERSIST k; SET k v; PERSIST k", ":0 +OK :0");
        bench.check("EXPIRE k 10; PERSIST k; TTL k; GET k; PERSIST k", ":1 :1 :-1 $v :0");
        assert_eq!((bench.server.keyspace.dirty, bench.server.keyspace.volatile_len()), (3, 0));
        bench.check("EXPIRE k 10", ":1");
        bench.pass(10_000);
        bench.check("PERSIST k; EXISTS k", ":0 :0");
        check("PERSIST", "-ERR wrong number of arguments for 'persist' command");
    }

    #[test]
    fn setting_an_expiry_keeps_value_and_encoding() {
        check("SET k 12; EXPIRE k 10; OBJECT ENCODING k; PERSIST k; GET k", "+OK :1 $int :1 $12");
        let long = "x".repeat(100_000);
        let mut bench = Bench::new();
        bench.raw(&["SET", "k", &long]);
        bench.check("EXPIRE k 10; EXPIRE k 20; PERSIST k; EXPIRE k 30; TTL k", ":1 :1 :1 :1 :30");
        assert_eq!(bench.raw(&["GET", "k"]), format!("$100000\r\n{long}\r\n").into_bytes());
    }

    #[test]
    fn a_large_value_whose_time_has_passed_is_freed_elsewhere() {
        let mut bench = Bench::new();
        bench.raw(&[&b"SET"[..], b"k", &vec![b'x'; 100 << 20]]);
        bench.check("EXPIRE k 0", ":1");
        assert_eq!(bench.server.stats.lazy_freed, 1);
    }
}
