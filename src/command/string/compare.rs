//! Acting on a string by comparison: its digest, and deletion under a condition.

use super::condition::{self, Comparison};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::Args;
use crate::store::{Event, Free};
use crate::value::Str;

const NOT_A_STRING: Error =
    Error::fixed("ERR Key should be of string type if conditions are specified");
const BAD_CONDITION: Error = Error::fixed("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");

/// DIGEST key
pub(super) static DIGEST: Command =
    Command { spec: DIGEST_SPEC, handler: Some(digest), subcommands: &[] };

const DIGEST_SPEC: Spec = Spec {
    name: "digest",
    summary: "Returns the XXH3 digest of a string, in hexadecimal.",
    complexity: "O(N), N being the length of the value.",
    since: "8.4.0",
    group: Group::String,
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

/// DELEX key [condition]
pub(super) static DELEX: Command =
    Command { spec: DELEX_SPEC, handler: Some(del_ex), subcommands: &[] };

const DELEX_SPEC: Spec = Spec {
    name: "delex",
    summary: "Deletes a key if its value, or the digest of its value, meets a condition.",
    complexity: "O(1) with IFEQ and IFNE, O(N) with IFDEQ and IFDNE, N being the length of the \
          value.",
    since: "8.4.0",
    group: Group::String,
    arity: -2,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(
        1,
        0,
        1,
        KeyFlags::RW.union(KeyFlags::DELETE).union(KeyFlags::VARIABLE_FLAGS),
    )],
    args: &[
        Arg::key("key", 0),
        Arg::one_of(
            "condition",
            &[
                Arg::new("ifeq-value", ArgType::String).token("IFEQ"),
                Arg::new("ifne-value", ArgType::String).token("IFNE"),
                Arg::new("ifdeq-digest", ArgType::String).token("IFDEQ"),
                Arg::new("ifdne-digest", ArgType::String).token("IFDNE"),
            ],
        )
        .optional(),
    ],
    ..Spec::EMPTY
};

/// DELIFEQ key value
pub(super) static DELIFEQ: Command =
    Command { spec: DELIFEQ_SPEC, handler: Some(del_if_eq), subcommands: &[] };

const DELIFEQ_SPEC: Spec = Spec {
    name: "delifeq",
    summary: "Deletes a key if its string value equals the one given.",
    complexity: "O(1)",
    since: "9.0.0",
    group: Group::String,
    arity: 3,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RM.union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), Arg::new("value", ArgType::String)],
    ..Spec::EMPTY
};

fn digest(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    match ctx.server.keyspace.read(scope, key) {
        Some(entry) => {
            let digits = condition::digest(Str::of(&entry).ok_or(Error::WRONG_TYPE)?);
            ctx.session.output.text(&digits);
        }
        None => ctx.session.output.null(),
    }
    Ok(())
}

/// Without a condition this is DEL of one key of any type.
fn del_ex(ctx: &mut Context<'_>) -> Outcome {
    if !matches!(ctx.args.len(), 2 | 4) {
        return Err(Error::arity(ctx.name()));
    }
    delete_if(ctx, |args, string| {
        let Some(word) = args.get(2) else { return Ok(true) };
        let string = string.ok_or(NOT_A_STRING)?;
        let comparison = Comparison::of_word(word).ok_or(BAD_CONDITION)?;
        comparison.holds(string, args.at(3))
    })
}

fn del_if_eq(ctx: &mut Context<'_>) -> Outcome {
    delete_if(ctx, |args, string| {
        Comparison::Equal.holds(string.ok_or(Error::WRONG_TYPE)?, args.at(2))
    })
}

/// Removes the key if it exists and `condition` says so of its string; `None`: it holds no string.
fn delete_if(
    ctx: &mut Context<'_>,
    condition: impl FnOnce(Args<'_>, Option<Str<'_>>) -> Result<bool, Error>,
) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let holds = match ctx.server.keyspace.write(scope, key) {
        Some(slot) => condition(ctx.args, Str::of(&slot.get()))?,
        None => false,
    };
    if holds {
        ctx.server.keyspace.remove(scope.db, key, Free::Here);
        ctx.server.keyspace.dirty += 1;
        ctx.note(key, Event::DEL);
        ctx.effects_as(&[b"DEL", key.bytes]);
    }
    ctx.reply_integer(i64::from(holds))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    const DELEX_ARITY: &str = "-ERR wrong number of arguments for 'delex' command";
    const BAD_DIGEST: &str = "-ERR must be exactly 16 hexadecimal characters";

    #[test]
    fn digest_is_xxh3_in_hexadecimal() {
        check(
            "SET k hello; DIGEST k; SET k \"\"; DIGEST k; SET k 123; DIGEST k; DIGEST x",
            "+OK $9555e8555c62dcfd +OK $2d06800538d394c2 +OK $404a763b3f4c8c9a $_",
        );
        check(
            "DIGEST; DIGEST a b",
            "-ERR wrong number of arguments for 'digest' command \
            -ERR wrong number of arguments for 'digest' command",
        );
    }

    #[test]
    fn delex_without_a_condition_deletes() {
        check("DELEX k; SET k v; DELEX k; GET k", ":0 +OK :1 $_");
    }

    #[test]
    fn delex_compares_values() {
        check(
            "SET k v; DELEX k IFEQ w; DELEX k ifeq v; DELEX k IFEQ v; DELEX k IFNE v",
            "+OK :0 :1 :0 :0",
        );
        check("SET k v; DELEX k IFNE v; DELEX k IfNe w; GET k", "+OK :0 :1 $_");
        check(
            "SET k 0123; DELEX k IFEQ 123; DELEX k IFNE 123; SET k 7; DELEX k IFEQ 7",
            "+OK :0 :1 +OK :1",
        );
    }

    #[test]
    fn delex_compares_digests() {
        let (hello, other) = ("9555E8555c62dcfd", "0000000000000000");
        check(
            &format!("SET k hello; DELEX k IFDEQ {other}; DELEX k IFDEQ {hello}; GET k"),
            "+OK :0 :1 $_",
        );
        check(
            &format!("SET k hello; DELEX k IFDNE {hello}; DELEX k IFDNE {other}; GET k"),
            "+OK :0 :1 $_",
        );
        check(
            "SET k hello; DELEX k IFDEQ 123; DELEX k IFDNE \"\"; GET k",
            &format!("+OK {BAD_DIGEST} {BAD_DIGEST} $hello"),
        );
        check("DELEX x IFDEQ 123; DELEX x IFDNE 123", ":0 :0");
    }

    #[test]
    fn delex_checks_arguments_then_the_key_then_the_condition() {
        check(
            "SET k v; DELEX k FOO v; DELEX x FOO v",
            "+OK \
            -ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE :0",
        );
        check(
            "DELEX; DELEX x IFEQ; DELEX x IFEQ a b",
            &format!("{DELEX_ARITY} {DELEX_ARITY} {DELEX_ARITY}"),
        );
    }

    #[test]
    fn delifeq_deletes_what_is_equal() {
        check(
            "DELIFEQ k v; SET k v; DELIFEQ k w; DELIFEQ k v; GET k; SET k 12; DELIFEQ k 12",
            ":0 +OK :0 :1 $_ +OK :1",
        );
    }

    #[test]
    fn only_what_was_deleted_counts_as_a_change() {
        let mut bench = Bench::new();
        bench.check(
            "SET k v; DELEX k IFEQ w; DELIFEQ k w; DELEX x; DELEX k IFEQ v",
            "+OK :0 :0 :0 :1",
        );
        assert_eq!(bench.server.keyspace.dirty, 2);
    }
}
