//! OBJECT: how values are stored.

use crate::command::spec::{Arg, Categories, Flags, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::config::{Config, MaxmemoryPolicy};
use crate::ds::dict::Ref;
use crate::store::AccessPolicy;
use crate::value::{self, Entry, Str};

/// OBJECT
pub(super) static OBJECT: Command = Command {
    spec: OBJECT_SPEC,
    handler: None,
    subcommands: &[&ENCODING, &FREQ, &HELP, &IDLETIME, &REFCOUNT],
};

const OBJECT_SPEC: Spec = Spec {
    name: "object",
    summary: "Looks at how values are stored.",
    complexity: "That of the subcommand.",
    since: "2.2.3",
    arity: -2,
    ..Spec::EMPTY
};

/// OBJECT ENCODING key
static ENCODING: Command =
    Command { spec: ENCODING_SPEC, handler: Some(encoding), subcommands: &[] };

const ENCODING_SPEC: Spec = Spec {
    name: "encoding",
    summary: "Returns the name of a value's internal encoding.",
    complexity: "O(1)",
    since: "2.2.3",
    arity: 3,
    flags: Flags::READONLY,
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0)],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// OBJECT FREQ key
static FREQ: Command = Command { spec: FREQ_SPEC, handler: Some(freq), subcommands: &[] };

const FREQ_SPEC: Spec = Spec {
    name: "freq",
    summary: "Returns how often a key is accessed, as a logarithmic counter.",
    complexity: "O(1)",
    since: "4.0.0",
    arity: 3,
    flags: Flags::READONLY,
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0)],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// OBJECT IDLETIME key
static IDLETIME: Command =
    Command { spec: IDLETIME_SPEC, handler: Some(idletime), subcommands: &[] };

const IDLETIME_SPEC: Spec = Spec {
    name: "idletime",
    summary: "Returns the seconds since a key was last accessed.",
    complexity: "O(1)",
    since: "2.2.3",
    arity: 3,
    flags: Flags::READONLY,
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0)],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// OBJECT REFCOUNT key
static REFCOUNT: Command =
    Command { spec: REFCOUNT_SPEC, handler: Some(refcount), subcommands: &[] };

const REFCOUNT_SPEC: Spec = Spec {
    name: "refcount",
    summary: "Returns the number of references to a value.",
    complexity: "O(1)",
    since: "2.2.3",
    arity: 3,
    flags: Flags::READONLY,
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0)],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// OBJECT HELP
static HELP: Command = Command { spec: HELP_SPEC, handler: Some(help), subcommands: &[] };

const HELP_SPEC: Spec = Spec {
    name: "help",
    summary: "Lists the subcommands of OBJECT.",
    complexity: "O(1)",
    since: "6.2.0",
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    categories: Categories::KEYSPACE,
    ..Spec::EMPTY
};

/// Integers below this one are one object each in Redis, whoever holds them.
const SHARED_INTEGERS: i64 = 10_000;
/// What Redis says of a value that everybody may share.
const SHARED_REFCOUNT: i64 = 2_147_483_647;

const NO_FREQUENCY: Error = Error::fixed(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that \
     when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);
const NO_IDLE_TIME: Error = Error::fixed(
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
     switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

const HELP_LINES: &[&str] = &[
    "ENCODING <key>",
    "    Return the name of the encoding that the value at <key> is kept in.",
    "FREQ <key>",
    "    Return how often <key> is accessed: a counter that grows with the logarithm",
    "    of the number of recent accesses. Needs one of the LFU maxmemory policies.",
    "IDLETIME <key>",
    "    Return the seconds since <key> was last read or written, about. Needs a",
    "    maxmemory policy that is not LFU.",
    "REFCOUNT <key>",
    "    Return the number of references to the value at <key>.",
];

/// Replies with what `form` makes of the key's entry.
fn look(
    ctx: &mut Context<'_>,
    form: impl FnOnce(Ref<'_, Entry>, AccessPolicy, &Config) -> Result<Fact, Error>,
) -> Outcome {
    let (db, key) = (ctx.session.db, ctx.key(2));
    let policy = ctx.server.keyspace.policy();
    let Some(entry) = ctx.server.keyspace.look(db, key) else {
        ctx.out().null();
        return Ok(());
    };
    match form(entry, policy, &ctx.server.config)? {
        Fact::Name(name) => ctx.out().text(name),
        Fact::Number(n) => ctx.out().integer(n),
    }
    Ok(())
}

/// What there is to say of an entry.
enum Fact {
    Name(&'static str),
    Number(i64),
}

fn encoding(ctx: &mut Context<'_>) -> Outcome {
    look(ctx, |entry, _, _| Ok(Fact::Name(value::encoding_of(&entry))))
}

fn freq(ctx: &mut Context<'_>) -> Outcome {
    look(ctx, |entry, policy, _| {
        let frequency = policy.frequency(entry.access()).ok_or(NO_FREQUENCY)?;
        Ok(Fact::Number(i64::from(frequency)))
    })
}

fn idletime(ctx: &mut Context<'_>) -> Outcome {
    look(ctx, |entry, policy, _| {
        let seconds = policy.idle_s(entry.access()).ok_or(NO_IDLE_TIME)?;
        Ok(Fact::Number(i64::from(seconds)))
    })
}

/// No value has more than one reference here. Redis shares small integers, and what it says of those
/// is said here too, since programs test for it.
fn refcount(ctx: &mut Context<'_>) -> Outcome {
    look(ctx, |entry, _, config| {
        let is_shared = match Str::of(&entry) {
            Some(Str::Integer(n)) => (0..SHARED_INTEGERS).contains(&n) && shares_integers(config),
            Some(Str::Bytes(_)) | None => false,
        };
        Ok(Fact::Number(if is_shared { SHARED_REFCOUNT } else { 1 }))
    })
}

/// Whether Redis would share integers: not if it needs the access clock of each key for eviction.
const fn shares_integers(config: &Config) -> bool {
    match config.maxmemory_policy {
        MaxmemoryPolicy::VolatileLru
        | MaxmemoryPolicy::VolatileLfu
        | MaxmemoryPolicy::AllkeysLru
        | MaxmemoryPolicy::AllkeysLfu => config.maxmemory == 0,
        MaxmemoryPolicy::VolatileRandom
        | MaxmemoryPolicy::VolatileTtl
        | MaxmemoryPolicy::AllkeysRandom
        | MaxmemoryPolicy::Noeviction => true,
    }
}

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(HELP_LINES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Bench, check};
    use crate::resp::Protocol;

    #[test]
    fn a_missing_key_has_no_facts() {
        for word in ["ENCODING", "FREQ", "IDLETIME", "REFCOUNT"] {
            check(&format!("OBJECT {word} k"), "$_");
            let mut bench = Bench::new();
            bench.session.output.protocol = Protocol::Resp3;
            bench.check(&format!("OBJECT {word} k"), "_");
            let name = word.to_ascii_lowercase();
            let error = format!("-ERR wrong number of arguments for 'object|{name}' command");
            check(&format!("OBJECT {word}; OBJECT {word} a b"), &format!("{error} {error}"));
        }
    }

    #[test]
    fn unknown_subcommands_are_refused() {
        check("OBJECT", "-ERR wrong number of arguments for 'object' command");
        check("OBJECT FOO", "-ERR unknown subcommand 'FOO'. Try OBJECT HELP.");
        check("OBJECT HELP x", "-ERR wrong number of arguments for 'object|help' command");
    }

    #[test]
    fn encodings_are_named() {
        check("SET k 12; OBJECT ENCODING k; SET k x; object encoding k", "+OK $int +OK $embstr");
        let mut bench = Bench::new();
        for (len, encoding) in [(44, "$embstr"), (45, "$raw"), (100_000, "$raw")] {
            bench.raw(&["SET", "k", &"x".repeat(len)]);
            bench.check("OBJECT ENCODING k", encoding);
        }
    }

    #[test]
    fn idle_time_is_in_seconds_and_asking_does_not_end_it() {
        let mut bench = Bench::new();
        bench.check("SET k v; OBJECT IDLETIME k", "+OK :0");
        bench.pass(2500);
        bench.check("OBJECT IDLETIME k; OBJECT ENCODING k; OBJECT IDLETIME k", ":2 $embstr :2");
        bench.check("GET k; OBJECT IDLETIME k", "$v :0");
        let error = format!("-{}", String::from_utf8_lossy(NO_FREQUENCY.line()));
        bench.check("OBJECT FREQ k", &error);
        assert_eq!((bench.server.keyspace.hits, bench.server.keyspace.misses), (7, 0));
    }

    #[test]
    fn frequency_needs_an_lfu_policy_and_idle_time_another() {
        for policy in [MaxmemoryPolicy::AllkeysLfu, MaxmemoryPolicy::VolatileLfu] {
            let mut bench = Bench::with(Config { maxmemory_policy: policy, ..Config::default() });
            bench.check("SET k v; OBJECT FREQ k; GET k; OBJECT FREQ k", "+OK :5 $v :6");
            let error = format!("-{}", String::from_utf8_lossy(NO_IDLE_TIME.line()));
            bench.check("OBJECT IDLETIME k; OBJECT IDLETIME x", &format!("{error} $_"));
            bench.pass(120_000);
            bench.check("OBJECT FREQ k", ":4");
            bench.server.config.maxmemory_policy = MaxmemoryPolicy::AllkeysLru;
            bench.server.adopt_access_policy();
            bench.check("GET k; OBJECT IDLETIME k", "$v :0");
        }
    }

    #[test]
    fn small_integers_seem_shared_as_in_redis() {
        let refcount = |value: &str, policy, maxmemory| {
            let config = Config { maxmemory_policy: policy, maxmemory, ..Config::default() };
            let mut bench = Bench::with(config);
            bench.raw(&["SET", "k", value]);
            bench.raw(&["OBJECT", "REFCOUNT", "k"])
        };
        let shared = b":2147483647\r\n";
        for value in ["0", "9999"] {
            assert_eq!(refcount(value, MaxmemoryPolicy::Noeviction, 0), shared);
            assert_eq!(refcount(value, MaxmemoryPolicy::AllkeysRandom, 1 << 30), shared);
            assert_eq!(refcount(value, MaxmemoryPolicy::AllkeysLru, 0), shared);
            assert_eq!(refcount(value, MaxmemoryPolicy::AllkeysLru, 1 << 30), b":1\r\n");
            assert_eq!(refcount(value, MaxmemoryPolicy::VolatileLfu, 1 << 30), b":1\r\n");
        }
        for value in ["-1", "10000", "x", "9223372036854775807"] {
            assert_eq!(refcount(value, MaxmemoryPolicy::Noeviction, 0), b":1\r\n");
        }
    }

    #[test]
    fn help_has_redis_s_form() {
        let reply = Bench::new().raw(&["OBJECT", "HELP"]);
        let text = String::from_utf8(reply).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("*{}", lines.len() - 1));
        assert_eq!(lines[1], "+OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
        assert_eq!(lines[lines.len() - 2], "+HELP");
        for word in ["ENCODING", "FREQ", "IDLETIME", "REFCOUNT"] {
            assert!(lines.contains(&format!("+{word} <key>").as_str()));
        }
    }
}
