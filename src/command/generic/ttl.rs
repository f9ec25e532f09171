//! When keys expire: TTL, PTTL, EXPIRETIME, PEXPIRETIME.

use crate::command::spec::{Arg, Categories, Flags, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::store::{Scope, Touch};

/// TTL key
pub(super) static TTL: Command = Command { spec: TTL_SPEC, handler: Some(ttl), subcommands: &[] };

const TTL_SPEC: Spec = Spec {
    name: "ttl",
    summary: "Returns the seconds until a key expires.",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0)],
    history: &[("2.8.0", "Reply -2 for a missing key.")],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// PTTL key
pub(super) static PTTL: Command =
    Command { spec: PTTL_SPEC, handler: Some(pttl), subcommands: &[] };

const PTTL_SPEC: Spec = Spec {
    name: "pttl",
    summary: "Returns the milliseconds until a key expires.",
    complexity: "O(1)",
    since: "2.6.0",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0)],
    history: &[("2.8.0", "Reply -2 for a missing key.")],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// EXPIRETIME key
pub(super) static EXPIRETIME: Command =
    Command { spec: EXPIRETIME_SPEC, handler: Some(expiretime), subcommands: &[] };

const EXPIRETIME_SPEC: Spec = Spec {
    name: "expiretime",
    summary: "Returns the Unix time in seconds at which a key expires.",
    complexity: "O(1)",
    since: "7.0.0",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

/// PEXPIRETIME key
pub(super) static PEXPIRETIME: Command =
    Command { spec: PEXPIRETIME_SPEC, handler: Some(pexpiretime), subcommands: &[] };

const PEXPIRETIME_SPEC: Spec = Spec {
    name: "pexpiretime",
    summary: "Returns the Unix time in milliseconds at which a key expires.",
    complexity: "O(1)",
    since: "7.0.0",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

/// The reply for a key that never expires.
const NEVER: i64 = -1;
/// The reply for a key that does not exist.
const NO_KEY: i64 = -2;

fn ttl(ctx: &mut Context<'_>) -> Outcome {
    reply(ctx, |at_ms, now_ms| round_to_s(at_ms - now_ms))
}

fn pttl(ctx: &mut Context<'_>) -> Outcome {
    reply(ctx, |at_ms, now_ms| at_ms - now_ms)
}

fn expiretime(ctx: &mut Context<'_>) -> Outcome {
    reply(ctx, |at_ms, _now_ms| round_to_s(at_ms))
}

fn pexpiretime(ctx: &mut Context<'_>) -> Outcome {
    reply(ctx, |at_ms, _now_ms| at_ms)
}

/// Replies with what `form` makes of the expiry and the time, which lies before it.
fn reply(ctx: &mut Context<'_>, form: impl FnOnce(i64, i64) -> i64) -> Outcome {
    let scope = Scope { db: ctx.session.db, touch: Touch::No };
    let key = ctx.key(1);
    let now_ms = ctx.server.now.unix_ms();
    let found = ctx.server.keyspace.read(scope, key).map(|entry| entry.expiry());
    ctx.reply_integer(match found {
        Some(Some(at_ms)) => form(at_ms, now_ms),
        Some(None) => NEVER,
        None => NO_KEY,
    })
}

/// To the nearest second, half a second upwards; `millis` is positive.
const fn round_to_s(millis: i64) -> i64 {
    let seconds = millis / 1000;
    if millis % 1000 >= 500 { seconds + 1 } else { seconds }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    const ALL: &str = "TTL k; PTTL k; EXPIRETIME k; PEXPIRETIME k";

    #[test]
    fn all_tell_missing_keys_from_keys_that_stay() {
        check(ALL, ":-2 :-2 :-2 :-2");
        check(&format!("SET k v; {ALL}"), "+OK :-1 :-1 :-1 :-1");
        for command in ["ttl", "pttl", "expiretime", "pexpiretime"] {
            let error = format!("-ERR wrong number of arguments for '{command}' command");
            check(command, &error);
            check(&format!("{command} a b"), &error);
        }
    }

    #[test]
    fn seconds_are_rounded_to_the_nearest() {
        // The bench's clock stands at 1,000,000 s.
        check(&format!("SET k v EX 100; {ALL}"), "+OK :100 :100000 :1000100 :1000100000");
        check(&format!("SET k v PX 1499; {ALL}"), "+OK :1 :1499 :1000001 :1000001499");
        check(&format!("SET k v PX 1500; {ALL}"), "+OK :2 :1500 :1000002 :1000001500");
        check(&format!("SET k v PX 1; {ALL}"), "+OK :0 :1 :1000000 :1000000001");
    }

    #[test]
    fn the_largest_expiry_is_told() {
        check(
            &format!("SET k v PXAT 9223372036854775807; {ALL}"),
            "+OK :9223372035854776 :9223372035854775807 :9223372036854776 :9223372036854775807",
        );
    }

    #[test]
    fn asking_leaves_no_trace_but_in_the_statistics() {
        let mut bench = Bench::new();
        bench.check("SET k v EX 100; TTL x", "+OK :-2");
        bench.pass(5000);
        bench.check(ALL, ":95 :95000 :1000100 :1000100000");
        bench.check("OBJECT IDLETIME k", ":5");
        let keyspace = &bench.server.keyspace;
        assert_eq!((keyspace.hits, keyspace.misses, keyspace.dirty), (5, 1, 1));
    }

    #[test]
    fn an_expired_key_is_missing() {
        let mut bench = Bench::new();
        bench.check("SET k v PX 10", "+OK");
        bench.pass(10);
        bench.check(&format!("{ALL}; DBSIZE"), ":-2 :-2 :-2 :-2 :0");
    }
}
