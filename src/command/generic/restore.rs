//! RESTORE, RESTORE-ASKING.

use crate::command::effects::deletion_of_emptied;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec, list};
use crate::config::SanitizeDumpPayload;
use crate::persist::rdb::{self, Encodings, RestoreError, RestoreOptions, Sanitize};
use crate::store::{Event, Free};
use crate::value::Entry;

/// RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
pub(super) static RESTORE: Command =
    Command { spec: RESTORE_SPEC, handler: Some(restore), subcommands: &[] };

const RESTORE_SPEC: Spec = Spec {
    name: "restore",
    summary: "Creates a key from the form DUMP returns.",
    complexity: "O(N*M), N being the number of parts of the value and M their mean size; for \
         sorted sets O(N*M*log(N)).",
    since: "2.6.0",
    arity: -4,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::KEYSPACE.union(Categories::DANGEROUS),
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::OW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("ttl", ArgType::Integer),
        Arg::new("serialized-value", ArgType::String),
        Arg::flag("replace", "REPLACE").optional().since("3.0.0"),
        Arg::flag("absttl", "ABSTTL").optional().since("5.0.0"),
        Arg::new("seconds", ArgType::Integer).token("IDLETIME").optional().since("5.0.0"),
        Arg::new("frequency", ArgType::Integer).token("FREQ").optional().since("5.0.0"),
    ],
    history: &[
        ("3.0.0", "Modifier REPLACE."),
        ("5.0.0", "Modifier ABSTTL."),
        ("5.0.0", "Options IDLETIME and FREQ."),
    ],
    ..Spec::EMPTY
};

/// RESTORE-ASKING key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
pub(super) static RESTORE_ASKING: Command =
    Command { spec: RESTORE_ASKING_SPEC, handler: Some(restore), subcommands: &[] };

const RESTORE_ASKING_SPEC: Spec = Spec {
    name: "restore-asking",
    summary: "Restores a key while its slot is being imported; used by MIGRATE.",
    since: "3.0.0",
    group: Group::Server,
    flags: RESTORE_SPEC.flags.union(Flags::ASKING).union(Flags::SYSTEM),
    ..RESTORE_SPEC
};

const BUSY_KEY: Error = Error::fixed("BUSYKEY Target key name already exists.");
const INVALID_TTL: Error = Error::fixed("ERR Invalid TTL value, must be >= 0");
const INVALID_IDLE_TIME: Error = Error::fixed("ERR Invalid IDLETIME value, must be >= 0");
const INVALID_FREQUENCY: Error = Error::fixed("ERR Invalid FREQ value, must be >= 0 and <= 255");
const WRONG_FOOTER: Error = Error::fixed("ERR DUMP payload version or checksum are wrong");
const BAD_FORMAT: Error = Error::fixed("ERR Bad data format");

/// What becomes of a value that the key has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existing {
    /// It is an error.
    Refuse,
    /// The new one takes its place.
    Replace,
}

/// What a time to live counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Now,
    UnixTime,
}

/// The words behind the payload.
#[derive(Clone, Copy, Debug)]
struct Options {
    existing: Existing,
    origin: Origin,
    idle_s: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(ctx: &Context<'_>) -> Result<Self, Error> {
        let mut options =
            Self { existing: Existing::Refuse, origin: Origin::Now, idle_s: None, frequency: None };
        let mut at = 4;
        while at < ctx.args.len() {
            let has_value = at + 1 < ctx.args.len();
            if ctx.is_word(at, "replace") {
                options.existing = Existing::Replace;
            } else if ctx.is_word(at, "absttl") {
                options.origin = Origin::UnixTime;
            } else if ctx.is_word(at, "idletime") && has_value && options.frequency.is_none() {
                at += 1;
                let idle_s = u64::try_from(ctx.integer(at)?).map_err(|_| INVALID_IDLE_TIME)?;
                options.idle_s = Some(idle_s);
            } else if ctx.is_word(at, "freq") && has_value && options.idle_s.is_none() {
                at += 1;
                let frequency = u8::try_from(ctx.integer(at)?).map_err(|_| INVALID_FREQUENCY)?;
                options.frequency = Some(frequency);
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        Ok(options)
    }
}

fn restore(ctx: &mut Context<'_>) -> Outcome {
    let options = Options::parse(ctx)?;
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let exists = ctx.server.keyspace.write(scope, key).is_some();
    if exists && options.existing == Existing::Refuse {
        return Err(BUSY_KEY);
    }
    let ttl_ms = ctx.integer(2)?;
    if ttl_ms < 0 {
        return Err(INVALID_TTL);
    }
    let now_ms = ctx.server.now.unix_ms();
    let expiry = (ttl_ms > 0).then(|| match options.origin {
        // Redis lets the sum overflow, into the past.
        Origin::Now => ttl_ms.checked_add(now_ms).unwrap_or(i64::MIN),
        Origin::UnixTime => ttl_ms,
    });
    let entry = entry_of(ctx, &options, expiry)?;
    if expiry.is_some_and(|at_ms| at_ms <= ctx.server.keyspace.now_ms()) {
        ctx.server.keyspace.discard(entry, Free::Here);
        if exists {
            delete_old(ctx);
        }
        return ctx.ok();
    }
    ctx.server.keyspace.put(scope.db, key, entry, Free::Here);
    ctx.server.keyspace.dirty += 1;
    ctx.note(key, Event::generic("restore"));
    if let (Some(at_ms), Origin::Now) = (expiry, options.origin) {
        record_absolute(ctx, at_ms);
    }
    ctx.ok()
}

/// The key with its value out of the payload.
fn entry_of(ctx: &Context<'_>, options: &Options, expiry: Option<i64>) -> Result<Entry, Error> {
    let server = &ctx.server;
    let mut encodings =
        Encodings::of(&server.config, server.keyspace.hash_key(), server.keyspace.now_ms());
    encodings.list = list::shape(server);
    let options = RestoreOptions {
        encodings,
        sanitize: match server.config.sanitize_dump_payload {
            SanitizeDumpPayload::No => Sanitize::No,
            SanitizeDumpPayload::Yes | SanitizeDumpPayload::Clients => Sanitize::Yes,
        },
        verify: server.verify,
        access: server.keyspace.policy().restored(options.idle_s, options.frequency),
        expiry,
    };
    rdb::restore(ctx.args.at(3), ctx.args.at(1), &options).map_err(|error| match error {
        RestoreError::WrongFooter => WRONG_FOOTER,
        RestoreError::BadFormat(error) => {
            tracing::warn!("Internal error in RDB reading: {error}");
            BAD_FORMAT
        }
    })
}

/// Removes the value that was to be replaced by one whose time has come.
fn delete_old(ctx: &mut Context<'_>) {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    if ctx.server.keyspace.remove(scope.db, key, Free::Here) {
        ctx.server.keyspace.dirty += 1;
        ctx.note(key, Event::DEL);
        let delete = deletion_of_emptied(&ctx.server.config);
        ctx.effects_as(&[delete, key.bytes]);
    }
}

/// Records the command with its expiry as a Unix time.
fn record_absolute(ctx: &mut Context<'_>, at_ms: i64) {
    let args = ctx.args;
    let Some(mut effects) = ctx.effects_instead() else { return };
    let words = effects.add(args.len() + 1);
    words.word(args.at(0)).word(args.at(1)).number(at_ms).words(args.from(3)).word(b"ABSTTL");
}

#[cfg(test)]
mod tests {
    use crate::base::crc64::crc64;
    use crate::command::effects::Listener;
    use crate::command::testing::{Bench, check, recorded};
    use crate::config::{Config, Permission, SanitizeDumpPayload};
    use crate::persist::rdb::Verify;

    /// `v`, as Redis 7.0.15 and Valkey 9.1.2 dump it.
    const REDIS: &str = r#""\x00\x01v\n\x00\x91\x08\xce\xb2\x198\x8a\xce""#;
    const VALKEY: &str = r#""\x00\x01vP\x00^\"\x07#\x87j\xed:""#;

    fn restore(bench: &mut Bench, body: &[u8]) -> String {
        let mut payload = [body, &[12, 0]].concat();
        payload.extend(crc64(&payload).to_le_bytes());
        let words: [&[u8]; 5] = [b"RESTORE", b"k", b"0", &payload, b"REPLACE"];
        String::from_utf8_lossy(&bench.raw(&words)).trim_end().to_owned()
    }

    #[test]
    fn a_payload_of_either_server_becomes_a_key() {
        for payload in [REDIS, VALKEY] {
            check(
                &format!(
                    "RESTORE k 0 {payload}; GET k; RESTORE k 0 {payload}; RESTORE k 5 {payload} REPLACE; PTTL k"
                ),
                "+OK $v -BUSYKEY Target key name already exists. +OK :5",
            );
        }
    }

    #[test]
    fn errors_come_in_the_order_of_redis() {
        let mut bench = Bench::new();
        let bad_ttl = "-ERR value is not an integer or out of range";
        bench.check(
            &format!("SET k v; RESTORE k x {REDIS}"),
            "+OK -BUSYKEY Target key name already exists.",
        );
        bench.check(&format!("RESTORE n x {REDIS}; RESTORE n x bad"), &[bad_ttl; 2].join(" "));
        let negative = "-ERR Invalid TTL value, must be >= 0";
        bench.check(&format!("RESTORE n -1 {REDIS}"), negative);
        let footer = "-ERR DUMP payload version or checksum are wrong";
        bench.check("RESTORE n 0 abc; RESTORE n 0 \"\"", &[footer; 2].join(" "));
        let zeros = REDIS.replace(r"\x91\x08\xce\xb2\x198\x8a\xce", &r"\x00".repeat(8));
        bench.check(&format!("RESTORE n 0 {zeros}"), footer);
        bench.check(
            &format!("RESTORE k 0 {REDIS} IDLETIME -1; RESTORE k 0 {REDIS} FREQ 256"),
            "-ERR Invalid IDLETIME value, must be >= 0 -ERR Invalid FREQ value, must be >= 0 and <= 255",
        );
        for words in ["IDLETIME 1 FREQ 1", "FREQ 1 IDLETIME 1", "IDLETIME", "NOPE"] {
            bench.check(&format!("RESTORE k 0 {REDIS} {words}"), "-ERR syntax error");
        }
    }

    #[test]
    fn a_length_that_no_payload_can_have_is_refused() {
        for low in [0, 0xf7, 0xff] {
            let body = [&[0, 0x81][..], &[0xff; 7], &[low]].concat();
            let reply = restore(&mut Bench::new(), &body);
            assert_eq!(reply, "-ERR Bad data format");
        }
    }

    #[test]
    fn idle_times_count_and_expiries_may_be_unix_times() {
        check(
            &format!("RESTORE k 1000005000 {REDIS} ABSTTL IDLETIME 100; PTTL k; OBJECT IDLETIME k"),
            "+OK :5000 :100",
        );
        check(
            &format!(
                "SET k old; RESTORE k 5 {REDIS} ABSTTL REPLACE; EXISTS k; RESTORE k 9223372036854775807 {REDIS}; EXISTS k"
            ),
            "+OK +OK :0 +OK :0",
        );
    }

    #[test]
    fn times_are_recorded_as_unix_times() {
        let mut bench = Bench::new();
        bench.server.listen(Listener::AppendOnlyFile);
        let mut check = |script: &str, expected: &str| {
            for line in script.split("; ") {
                let words = crate::base::quote::split_args(line.as_bytes()).expect("balanced");
                bench.raw(&words);
            }
            let recorded = recorded(&mut bench.server);
            assert!(recorded.starts_with(expected), "{recorded}");
            recorded.ends_with("ABSTTL")
        };
        assert!(check(
            &format!("RESTORE k 5000 {REDIS} IDLETIME 3"),
            "SELECT 0|RESTORE k 1000005000 "
        ));
        assert!(!check(&format!("RESTORE n 0 {REDIS}"), "RESTORE n 0 "));
        assert!(!check(&format!("RESTORE n 5 {REDIS} ABSTTL REPLACE"), "DEL n"));
        assert!(!check(&format!("RESTORE n 5 {REDIS} ABSTTL"), ""));
    }

    #[test]
    fn bad_values_are_refused() {
        let mut bench = Bench::new();
        assert_eq!(restore(&mut bench, b"\x00\x01v"), "+OK");
        assert_eq!(restore(&mut bench, b"\x00\x01vmore"), "+OK");
        for body in [&b""[..], b"\x63\x00", b"\x01\x00", b"\x07\x00", b"\x00\x05v", b"\x0f\x00"] {
            assert_eq!(restore(&mut bench, body), "-ERR Bad data format", "{body:?}");
        }
        bench.check("GET k", "$v");
    }

    #[test]
    fn values_are_checked_closely_if_the_directive_says_so() {
        let body = b"\x14\x0b\x0d\x00\x00\x00\x02\x00\x81a\x02\x81a\x02\xff";
        let body = [&[0x14, 13], &body[2..]].concat();
        for (sanitize, reply) in [
            (SanitizeDumpPayload::No, "+OK"),
            (SanitizeDumpPayload::Yes, "-ERR Bad data format"),
            (SanitizeDumpPayload::Clients, "-ERR Bad data format"),
        ] {
            let config = Config { sanitize_dump_payload: sanitize, ..Config::default() };
            assert_eq!(restore(&mut Bench::with(config), &body), reply);
        }
    }

    #[test]
    fn checksums_may_be_ignored() {
        let config = Config { enable_debug_command: Permission::Yes, ..Config::default() };
        let mut bench = Bench::with(config);
        assert_eq!(bench.server.verify, Verify::Checksum);
        bench.check("DEBUG SET-SKIP-CHECKSUM-VALIDATION 1", "+OK");
        bench.check(r#"RESTORE k 0 "\x00\x01v\x0a\x00badbadba"; GET k"#, "+OK $v");
        bench.check("DEBUG SET-SKIP-CHECKSUM-VALIDATION 0", "+OK");
        bench.check(
            r#"RESTORE n 0 "\x00\x01v\x0a\x00badbadba""#,
            "-ERR DUMP payload version or checksum are wrong",
        );
    }

    #[test]
    fn what_was_dumped_comes_back() {
        let mut bench = Bench::new();
        let keys = [
            ("s", "SET s text"),
            ("i", "SET i -12"),
            ("l", "RPUSH l a b 3"),
            ("t", "SADD t a b 3"),
            ("n", "SADD n 1 2 70000"),
            ("z", "ZADD z 1 a 2.5 b inf c"),
            ("h", "HSET h f v g 1"),
        ];
        for (key, command) in keys {
            let words: Vec<&str> = command.split(' ').collect();
            bench.raw(&words);
            let reply = bench.raw(&["DUMP", key]);
            let at = reply.iter().position(|&byte| byte == b'\n').expect("a line end") + 1;
            let payload = &reply[at..reply.len() - 2];
            let words: [&[u8]; 4] = [b"RESTORE", b"copy", b"0", payload];
            assert_eq!(bench.raw(&words), b"+OK\r\n", "{command}");
            assert_eq!(bench.raw(&["DUMP", "copy"]), reply, "{command}");
            let encodings = ["copy", key].map(|key| bench.raw(&["OBJECT", "ENCODING", key]));
            assert_eq!(encodings[0], encodings[1], "{command}");
            bench.raw(&["DEL", "copy"]);
        }
    }
}
