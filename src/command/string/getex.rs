//! Reading a string and removing it, or changing when it expires.

use super::get;
use super::options::{Expiration, Expiry, Grammar, Options};
use crate::command::spec::{
    Arg, ArgType, BeginSearch, Categories, FindKeys, Flags, Group, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Error, Outcome, Spec, effects};
use crate::store::{Event, Free, Keyspace};
use crate::value::Str;

/// GETDEL key
pub(super) static GETDEL: Command =
    Command { spec: GETDEL_SPEC, handler: Some(get_del), subcommands: &[] };

const GETDEL_SPEC: Spec = Spec {
    name: "getdel",
    summary: "Returns the string at a key and deletes the key.",
    complexity: "O(1)",
    since: "6.2.0",
    group: Group::String,
    arity: 2,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

/// GETEX key [expiration]
pub(super) static GETEX: Command =
    Command { spec: GETEX_SPEC, handler: Some(get_ex), subcommands: &[] };

const GETEX_SPEC: Spec = Spec {
    name: "getex",
    summary: "Returns the string at a key and changes when the key expires.",
    complexity: "O(1)",
    since: "6.2.0",
    group: Group::String,
    arity: -2,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec {
        begin: BeginSearch::Index(1),
        find: FindKeys::Range { last: 0, step: 1, limit: 0 },
        flags: KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        notes: "RW and UPDATE because the expiry may change.",
    }],
    args: &[
        Arg::key("key", 0),
        Arg::one_of(
            "expiration",
            &[
                Arg::new("seconds", ArgType::Integer).token("EX"),
                Arg::new("milliseconds", ArgType::Integer).token("PX"),
                Arg::new("unix-time-seconds", ArgType::UnixTime).token("EXAT"),
                Arg::new("unix-time-milliseconds", ArgType::UnixTime).token("PXAT"),
                Arg::flag("persist", "PERSIST"),
            ],
        )
        .optional(),
    ],
    ..Spec::EMPTY
};

fn get_del(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let Some(mut slot) = ctx.server.keyspace.read_mut(scope, key) else {
        ctx.session.output.null();
        return Ok(());
    };
    get::reply(&mut ctx.session.output, &mut slot)?;
    ctx.server.keyspace.remove(scope.db, key, Free::Here);
    ctx.server.keyspace.dirty += 1;
    ctx.note(key, Event::DEL);
    ctx.effects_as(&[b"DEL", key.bytes]);
    Ok(())
}

fn get_ex(ctx: &mut Context<'_>) -> Outcome {
    let options = Options::parse(ctx.args, 2, Grammar::Getex)?;
    // A time that cannot be is no error if there is nothing to expire.
    let expiry = options.expiry(ctx);
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let keyspace = &mut ctx.server.keyspace;
    let now_ms = keyspace.now_ms();
    let Some(mut slot) = keyspace.read_mut(scope, key) else {
        ctx.session.output.null();
        return Ok(());
    };
    if Str::of(&slot.get()).is_none() {
        return Err(Error::WRONG_TYPE);
    }
    let expiry = expiry?;
    get::reply(&mut ctx.session.output, &mut slot)?;
    let event = match expiry {
        Expiry::At(at_ms) if at_ms <= now_ms => {
            keyspace.remove(scope.db, key, Free::Here);
            Event::DEL
        }
        Expiry::At(at_ms) => {
            Keyspace::set_expiry(slot, Some(at_ms));
            Event::EXPIRE
        }
        Expiry::Never | Expiry::Kept => {
            let is_persist = options.expiration == Expiration::Persist;
            if !is_persist || slot.get().expiry().is_none() {
                return Ok(());
            }
            Keyspace::set_expiry(slot, None);
            Event::generic("persist")
        }
    };
    ctx.server.keyspace.dirty += 1;
    ctx.note(key, event);
    record(ctx, expiry, now_ms);
    Ok(())
}

/// Records what became of the expiry.
fn record(ctx: &mut Context<'_>, expiry: Expiry, now_ms: i64) {
    let key = ctx.args.at(1);
    let delete = effects::deletion_of_expired(&ctx.server.config);
    let Some(mut effects) = ctx.effects_instead() else { return };
    match expiry {
        Expiry::At(at_ms) if at_ms <= now_ms => effects.add(2).word(delete).word(key),
        Expiry::At(at_ms) => effects.add(3).word(b"PEXPIREAT").word(key).number(at_ms),
        Expiry::Never | Expiry::Kept => effects.add(2).word(b"PERSIST").word(key),
    };
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn getdel_removes_what_it_returns() {
        check("SET k v; GETDEL k; GETDEL k; GET k", "+OK $v $_ $_");
        let mut bench = Bench::new();
        bench.raw(&["SET", "k", &"x".repeat(100_000)]);
        assert_eq!(bench.raw(&["GETDEL", "k"]).len(), "$100000\r\n\r\n".len() + 100_000);
        bench.check("GET k", "$_");
        assert_eq!(bench.server.keyspace.dirty, 2);
    }

    #[test]
    fn getex_sets_every_kind_of_expiry() {
        for (options, ttl_ms) in
            [("EX 10", 10_000), ("px 10", 10), ("EXAT 1000010", 10_000), ("PXAT 1000000010", 10)]
        {
            for old in ["", "EX 100"] {
                let mut bench = Bench::new();
                bench.check(&format!("SET k v {old}; GETEX k {options}"), "+OK $v");
                bench.pass(ttl_ms - 1);
                bench.check("GETEX k", "$v");
                bench.pass(1);
                bench.check("GETEX k", "$_");
            }
        }
    }

    #[test]
    fn getex_persist_drops_the_expiry() {
        let mut bench = Bench::new();
        bench.check("SET k v EX 10; GETEX k PERSIST; GETEX k PERSIST PERSIST", "+OK $v $v");
        assert_eq!(bench.server.keyspace.dirty, 2, "the second time there was none");
        bench.pass(20_000);
        bench.check("GETEX k", "$v");
        assert_eq!((bench.server.keyspace.dirty, bench.server.keyspace.hits), (2, 3));
    }

    #[test]
    fn getex_with_a_time_in_the_past_removes_the_key() {
        let mut bench = Bench::new();
        bench.check(
            "SET k v; GETEX k EXAT 1; GET k; SET k v; GETEX k PXAT 1000000000; GET k",
            "+OK $v $_ +OK $v $_",
        );
        assert_eq!((bench.server.keyspace.dirty, bench.server.keyspace.expired), (4, 0));
    }

    #[test]
    fn getex_checks_the_time_only_if_there_is_a_value() {
        check("GETEX k EX 0; GETEX k EX a; GETEX k EX", "$_ $_ -ERR syntax error");
        let invalid = "-ERR invalid expire time in 'getex' command";
        check(
            "SET k v; GETEX k EX 0; GETEX k PX -1; GETEX k EX 9223372036854775807; GETEX k EX a",
            &format!(
                "+OK {invalid} {invalid} {invalid} -ERR value is not an integer or out of range"
            ),
        );
    }

    #[test]
    fn getex_takes_no_other_options() {
        for options in
            ["PERSIST EX 1", "EX 1 PERSIST", "EX 1 PX 1", "KEEPTTL", "NX", "GET", "foo", "IFEQ v"]
        {
            check(&format!("SET k v; GETEX k {options}"), "+OK -ERR syntax error");
        }
        let mut bench = Bench::new();
        bench.check("SET k v; GETEX k EX 10 EX 30", "+OK $v");
        bench.pass(29_999);
        bench.check("GET k", "$v");
    }
}
