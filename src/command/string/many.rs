//! Several strings in one command.

use super::condition::Condition;
use super::options::{Expiry, Grammar, Options};
use super::{get, put, record_put};
use crate::base::num;
use crate::command::spec::{
    Arg, ArgType, BeginSearch, Categories, FindKeys, Flags, Group, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::Key;

/// Keys brought into the cache together.
const WINDOW_LEN: usize = 32;

const BAD_KEY_COUNT: Error = Error::fixed("ERR invalid numkeys value");
const BAD_PAIR_COUNT: Error = Error::fixed("ERR wrong number of key-value pairs");

/// MGET key [key …]
pub(super) static MGET: Command =
    Command { spec: MGET_SPEC, handler: Some(mget), subcommands: &[] };

const MGET_SPEC: Spec = Spec {
    name: "mget",
    summary: "Returns the strings at several keys, null for each that holds none.",
    complexity: "O(N), N being the number of keys.",
    group: Group::String,
    arity: -2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0).multiple()],
    tips: &["request_policy:multi_shard"],
    ..Spec::EMPTY
};

/// MSET key value [key value …]
pub(super) static MSET: Command =
    Command { spec: MSET_SPEC, handler: Some(mset), subcommands: &[] };

const MSET_SPEC: Spec = Spec {
    name: "mset",
    summary: "Stores strings at several keys in one step.",
    complexity: "O(N), N being the number of keys.",
    since: "1.0.1",
    group: Group::String,
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, -1, 2, KeyFlags::OW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::block("data", &[Arg::key("key", 0), Arg::new("value", ArgType::String)]).multiple()
    ],
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    ..Spec::EMPTY
};

/// MSETNX key value [key value …]
pub(super) static MSETNX: Command =
    Command { spec: MSETNX_SPEC, handler: Some(mset_nx), subcommands: &[] };

const MSETNX_SPEC: Spec = Spec {
    name: "msetnx",
    summary: "Stores strings at several keys in one step, unless one of them exists.",
    complexity: "O(N), N being the number of keys.",
    since: "1.0.1",
    group: Group::String,
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, -1, 2, KeyFlags::OW.union(KeyFlags::INSERT))],
    args: &[
        Arg::block("data", &[Arg::key("key", 0), Arg::new("value", ArgType::String)]).multiple()
    ],
    ..Spec::EMPTY
};

/// MSETEX numkeys key value [key value …] [condition] [expiration]
pub(super) static MSETEX: Command =
    Command { spec: MSETEX_SPEC, handler: Some(mset_ex), subcommands: &[] };

const MSETEX_SPEC: Spec = Spec {
    name: "msetex",
    summary: "Stores strings at several keys in one step, with a condition and an expiry for all \
          of them.",
    complexity: "O(N), N being the number of keys.",
    since: "8.4.0",
    group: Group::String,
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLE_KEYS),
    categories: Categories::STRING,
    keys: &[KeySpec {
        begin: BeginSearch::Index(1),
        find: FindKeys::KeyNum { count: 0, first: 1, step: 2 },
        flags: KeyFlags::OW.union(KeyFlags::UPDATE),
        notes: "",
    }],
    args: &[
        Arg::new("numkeys", ArgType::Integer),
        Arg::block("data", &[Arg::key("key", 0), Arg::new("value", ArgType::String)]).multiple(),
        Arg::one_of("condition", &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX")]).optional(),
        Arg::one_of(
            "expiration",
            &[
                Arg::new("seconds", ArgType::Integer).token("EX"),
                Arg::new("milliseconds", ArgType::Integer).token("PX"),
                Arg::new("unix-time-seconds", ArgType::UnixTime).token("EXAT"),
                Arg::new("unix-time-milliseconds", ArgType::UnixTime).token("PXAT"),
                Arg::flag("keepttl", "KEEPTTL"),
            ],
        )
        .optional(),
    ],
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    ..Spec::EMPTY
};

/// Where the keys are among the arguments.
#[derive(Clone, Copy)]
struct Places {
    first: usize,
    step: usize,
    count: usize,
}

impl Places {
    fn nth(self, nth: usize) -> usize {
        self.first + nth * self.step
    }
}

fn mget(ctx: &mut Context<'_>) -> Outcome {
    let scope = ctx.scope();
    let keys = Places { first: 1, step: 1, count: ctx.args.len() - 1 };
    ctx.session.output.array(keys.count);
    for_each_key(ctx, keys, |ctx, key, _| {
        let found = ctx.server.keyspace.read_mut(scope, key);
        let replied =
            found.is_some_and(|mut slot| get::reply(&mut ctx.session.output, &mut slot).is_ok());
        if !replied {
            ctx.session.output.null();
        }
    });
    Ok(())
}

fn mset(ctx: &mut Context<'_>) -> Outcome {
    let keys = pairs(ctx)?;
    put_all(ctx, keys, Expiry::Never);
    ctx.ok()
}

fn mset_nx(ctx: &mut Context<'_>) -> Outcome {
    let keys = pairs(ctx)?;
    if !all_meet(ctx, keys, Condition::Missing) {
        return ctx.reply_integer(0);
    }
    put_all(ctx, keys, Expiry::Never);
    ctx.reply_integer(1)
}

fn mset_ex(ctx: &mut Context<'_>) -> Outcome {
    let count = num::parse_i64(ctx.args.at(1)).and_then(|count| i32::try_from(count).ok());
    let count = count.and_then(|count| usize::try_from(count).ok()).filter(|&count| count > 0);
    let keys = Places { first: 2, step: 2, count: count.ok_or(BAD_KEY_COUNT)? };
    let end = keys.nth(keys.count);
    if end > ctx.args.len() {
        return Err(BAD_PAIR_COUNT);
    }
    let options = Options::parse(ctx.args, end, Grammar::Msetex)?;
    let expiry = options.expiry(ctx)?;
    if !all_meet(ctx, keys, options.condition) {
        return ctx.reply_integer(0);
    }
    put_all(ctx, keys, expiry);
    record(ctx, keys, expiry);
    ctx.reply_integer(1)
}

/// Records MSETEX by commands that older servers know, too.
fn record(ctx: &mut Context<'_>, keys: Places, expiry: Expiry) {
    let args = ctx.args;
    match expiry {
        Expiry::Never => {
            let Some(mut effects) = ctx.effects_instead() else { return };
            let pairs = args.from(keys.first).take(keys.step * keys.count);
            effects.add(1 + pairs.len()).word(b"MSET").words(pairs);
        }
        Expiry::Kept | Expiry::At(_) => {
            for place in (0..keys.count).map(|nth| keys.nth(nth)) {
                record_put(ctx, place, place + 1, expiry);
            }
        }
    }
}

/// The keys of a command that has nothing but pairs.
fn pairs(ctx: &Context<'_>) -> Result<Places, Error> {
    if ctx.args.len().is_multiple_of(2) {
        return Err(Error::arity(ctx.name()));
    }
    Ok(Places { first: 1, step: 2, count: ctx.args.len() / 2 })
}

/// Whether every key meets a condition that is about existence only.
fn all_meet(ctx: &mut Context<'_>, keys: Places, condition: Condition) -> bool {
    if condition == Condition::Always {
        return true;
    }
    let scope = ctx.scope();
    let mut all = true;
    for_each_key(ctx, keys, |ctx, key, _| {
        let exists = ctx.server.keyspace.write(scope, key).is_some();
        all &= exists == (condition == Condition::Exists);
    });
    all
}

/// Stores each argument after a key under that key.
fn put_all(ctx: &mut Context<'_>, keys: Places, expiry: Expiry) {
    for_each_key(ctx, keys, |ctx, key, place| put(ctx, key, place + 1, expiry));
}

/// Calls `f` with each key and its place, after the cache was told of it and of its neighbours: the
/// waits for memory overlap, however many keys there are.
fn for_each_key<'a>(
    ctx: &mut Context<'a>,
    keys: Places,
    mut f: impl FnMut(&mut Context<'a>, Key<'a>, usize),
) {
    let db = ctx.session.db;
    let mut window = [Key { bytes: &[], hash: 0 }; WINDOW_LEN];
    for start in (0..keys.count).step_by(WINDOW_LEN) {
        let window = &mut window[..WINDOW_LEN.min(keys.count - start)];
        for (nth, key) in window.iter_mut().enumerate() {
            *key = ctx.key(keys.nth(start + nth));
            ctx.server.keyspace.prefetch_bucket(db, key.hash);
        }
        for key in window.iter() {
            ctx.server.keyspace.prefetch_entry(db, key.hash);
        }
        for (nth, &key) in window.iter().enumerate() {
            f(ctx, key, keys.nth(start + nth));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn mget_replies_in_order_and_null_for_what_is_missing() {
        check("SET a 1; SET b x; MGET a x b a", "+OK +OK [$1 $_ $x $1]");
        check("MGET x", "[$_]");
        let mut bench = Bench::new();
        bench.check("SET a 1; MGET a x y", "+OK [$1 $_ $_]");
        assert_eq!((bench.server.keyspace.hits, bench.server.keyspace.misses), (1, 2));
    }

    #[test]
    fn many_keys_are_set_and_read_in_order() {
        for count in [1, 31, 32, 33, 64, 65, 1000] {
            let mut bench = Bench::new();
            let keys: Vec<String> = (0..count).map(|n| format!("k{n}")).collect();
            let mut words = vec!["MSET".to_owned()];
            words.extend(keys.iter().flat_map(|key| [key.clone(), format!("v{key}")]));
            assert_eq!(bench.raw(&words), b"+OK\r\n");
            assert_eq!(bench.server.keyspace.dirty, count);
            let words: Vec<&str> =
                std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
            let values = keys.iter().map(|key| format!("${}\r\nv{key}\r\n", key.len() + 1));
            let expected = format!("*{count}\r\n{}", values.collect::<String>());
            assert_eq!(bench.raw(&words), expected.as_bytes());
        }
    }

    #[test]
    fn mset_overwrites_and_the_last_of_the_same_key_wins() {
        check("SET a x EX 10; MSET a 1 b 2 a 3; MGET a b", "+OK +OK [$3 $2]");
        let mut bench = Bench::new();
        bench.check("SET a x EX 10; MSET a 1", "+OK +OK");
        bench.pass(20_000);
        bench.check("GET a", "$1");
        check(
            "MSET a; MSET a 1 b; MSETNX a 1 b; MSET",
            "\
            -ERR wrong number of arguments for 'mset' command \
            -ERR wrong number of arguments for 'mset' command \
            -ERR wrong number of arguments for 'msetnx' command \
            -ERR wrong number of arguments for 'mset' command",
        );
    }

    #[test]
    fn msetnx_sets_all_or_nothing() {
        check(
            "SET b x; MSETNX a 1 b 2; MGET a b; MSETNX a 1 c 2 a 3; MGET a c",
            "+OK :0 [$_ $x] :1 [$3 $2]",
        );
        let mut bench = Bench::new();
        bench.check("SETEX a 1 x; MSETNX a 1", "+OK :0");
        bench.pass(1000);
        bench.check("MSETNX a 1; GET a", ":1 $1");
    }

    #[test]
    fn msetex_sets_under_a_condition_and_with_an_expiry() {
        check("MSETEX 2 a 1 b 2; MGET a b", ":1 [$1 $2]");
        check("SET a x; MSETEX 2 a 1 b 2 NX; MSETEX 2 a 1 b 2 XX; MGET a b", "+OK :0 :0 [$x $_]");
        check("MSETEX 2 a 1 a 2 NX; MSETEX 2 a 3 a 4 XX; GET a", ":1 :1 $4");
        for (options, ttl_ms) in [
            ("EX 10", 10_000),
            ("PX 10 NX", 10),
            ("NX EXAT 1000010", 10_000),
            ("PXAT 1000000010", 10),
        ] {
            let mut bench = Bench::new();
            bench.check(&format!("MSETEX 2 a 1 b 2 {options}; MSETEX 1 a 3 KEEPTTL XX"), ":1 :1");
            bench.pass(ttl_ms - 1);
            bench.check("MGET a b", "[$3 $2]");
            bench.pass(1);
            bench.check("MGET a b", "[$_ $_]");
        }
        check("MSETEX 1 ex 10 EX 10; GET ex; MSETEX 1 a 1 EXAT 1; GET a", ":1 $10 :1 $_");
    }

    #[test]
    fn msetex_checks_count_pairs_and_options_in_this_order() {
        for count in ["0", "-1", "a", "1.5", "2147483648", "9223372036854775808", "\"\""] {
            check(&format!("MSETEX {count} a b EX"), "-ERR invalid numkeys value");
        }
        for line in ["2 a b", "2 a b c", "2147483647 a b"] {
            check(&format!("MSETEX {line}"), "-ERR wrong number of key-value pairs");
        }
        for options in ["c", "NX XX", "EX 1 PX 1", "KEEPTTL EX 1", "EX", "GET", "PERSIST", "IFEQ a"]
        {
            check(&format!("MSETEX 1 a b {options}; GET a"), "-ERR syntax error $_");
        }
        check(
            "MSETEX 1 a b EX 0; MSETEX 1 a b PX x; MSETEX; MSETEX 1 a",
            "\
            -ERR invalid expire time in 'msetex' command \
            -ERR value is not an integer or out of range \
            -ERR wrong number of arguments for 'msetex' command \
            -ERR wrong number of arguments for 'msetex' command",
        );
    }
}
