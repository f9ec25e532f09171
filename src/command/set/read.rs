//! Looking at one set: SCARD, SISMEMBER, SMISMEMBER, SMEMBERS, SSCAN.

use super::{put, set_of};
use crate::command::cursor::{self, WalkOptions, Walked};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::value::SetRef;

/// SCARD key
pub(super) static SCARD: Command =
    Command { spec: SCARD_SPEC, handler: Some(count), subcommands: &[] };

const SCARD_SPEC: Spec = Spec {
    name: "scard",
    summary: "Returns the number of members.",
    complexity: "O(1)",
    group: Group::Set,
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::SET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

/// SISMEMBER key member
pub(super) static SISMEMBER: Command =
    Command { spec: SISMEMBER_SPEC, handler: Some(is_member), subcommands: &[] };

const SISMEMBER_SPEC: Spec = Spec {
    name: "sismember",
    summary: "Says whether a member is in a set.",
    complexity: "O(1)",
    group: Group::Set,
    arity: 3,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::SET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0), Arg::new("member", ArgType::String)],
    member_at: 2,
    ..Spec::EMPTY
};

/// SMISMEMBER key member [member …]
pub(super) static SMISMEMBER: Command =
    Command { spec: SMISMEMBER_SPEC, handler: Some(are_members), subcommands: &[] };

const SMISMEMBER_SPEC: Spec = Spec {
    name: "smismember",
    summary: "Says for each of several members whether it is in a set.",
    complexity: "O(N), N being the number of members asked for.",
    since: "6.2.0",
    group: Group::Set,
    arity: -3,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::SET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), Arg::new("member", ArgType::String).multiple()],
    ..Spec::EMPTY
};

/// SMEMBERS key
pub(super) static SMEMBERS: Command =
    Command { spec: SMEMBERS_SPEC, handler: Some(members), subcommands: &[] };

const SMEMBERS_SPEC: Spec = Spec {
    name: "smembers",
    summary: "Returns all members.",
    complexity: "O(N), N being the number of members.",
    group: Group::Set,
    arity: 2,
    flags: Flags::READONLY,
    categories: Categories::SET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0)],
    tips: &["nondeterministic_output_order"],
    ..Spec::EMPTY
};

/// SSCAN key cursor [MATCH pattern] [COUNT count]
pub(super) static SSCAN: Command =
    Command { spec: SSCAN_SPEC, handler: Some(scan), subcommands: &[] };

const SSCAN_SPEC: Spec = Spec {
    name: "sscan",
    summary: "Walks over the members of a set in steps.",
    complexity: "O(1) for a call, O(N) for a whole walk, N being the number of elements.",
    since: "2.8.0",
    group: Group::Set,
    arity: -3,
    flags: Flags::READONLY,
    categories: Categories::SET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("cursor", ArgType::Integer),
        Arg::new("pattern", ArgType::Pattern).token("MATCH").optional(),
        Arg::new("count", ArgType::Integer).token("COUNT").optional(),
    ],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

fn count(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let count = match ctx.server.keyspace.read(scope, key) {
        Some(entry) => set_of(&entry)?.len(),
        None => 0,
    };
    ctx.session.output.count(count);
    Ok(())
}

fn is_member(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, member) = (ctx.scope(), ctx.key(1), ctx.args.at(2));
    let found = match ctx.server.keyspace.read(scope, key) {
        Some(entry) => set_of(&entry)?.contains(member),
        None => false,
    };
    ctx.reply_integer(i64::from(found))
}

fn are_members(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, args) = (ctx.scope(), ctx.key(1), ctx.args);
    let entry = ctx.server.keyspace.read(scope, key);
    let set = entry.as_deref().map(set_of).transpose()?;
    let out = &mut ctx.session.output;
    out.array(args.len() - 2);
    for member in args.from(2) {
        out.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

fn members(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let entry = ctx.server.keyspace.read(scope, key);
    let set = entry.as_deref().map(set_of).transpose()?;
    let out = &mut ctx.session.output;
    out.set(set.map_or(0, SetRef::len));
    for member in set.into_iter().flatten() {
        put(out, member);
    }
    Ok(())
}

fn scan(ctx: &mut Context<'_>) -> Outcome {
    let cursor = cursor::parse_cursor(ctx, 2)?;
    let (scope, key) = (ctx.scope(), ctx.key(1));
    if let Some(entry) = ctx.server.keyspace.read(scope, key) {
        set_of(&entry)?;
    } else {
        cursor::reply_head(&mut ctx.session.output, 0, 0);
        return Ok(());
    }
    let options = WalkOptions::parse(ctx, 3, Walked::Members)?;
    let entry = ctx.server.keyspace.glimpse(scope.db, key).expect("it was read in this turn");
    let set = set_of(&entry)?;
    let mut found = Vec::new();
    let next = options.walk(cursor, |cursor, visited| {
        set.scan(cursor, |member| {
            *visited += 1;
            if member.with_text(|text| options.matches(text)) {
                found.push(member);
            }
        })
    });
    let out = &mut ctx.session.output;
    cursor::reply_head(out, next, found.len());
    for member in found {
        put(out, member);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::resp::Protocol;
    use std::collections::BTreeSet;

    #[test]
    fn members_are_told_from_others() {
        for add in ["SADD k 1 2 30000000000", "SADD k 1 2 x", "SADD k 1 2 x y z"] {
            let mut bench = Bench::new();
            bench.check("CONFIG SET set-max-listpack-entries 4", "+OK");
            bench.raw(&add.split(' ').collect::<Vec<_>>());
            bench.check(
                "SISMEMBER k 1; SISMEMBER k 3; SISMEMBER k 01; SISMEMBER k ''",
                ":1 :0 :0 :0",
            );
            bench.check("SMISMEMBER k 1 3 2 1", "[:1 :0 :1 :1]");
        }
        check("SISMEMBER k 1; SMISMEMBER k 1 2; SCARD k; SMEMBERS k", ":0 [:0 :0] :0 []");
    }

    #[test]
    fn other_types_are_refused() {
        let error = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        for line in ["SCARD s", "SISMEMBER s a", "SMISMEMBER s a", "SMEMBERS s", "SSCAN s 0"] {
            check(&format!("SET s v; {line}"), &format!("+OK {error}"));
        }
    }

    #[test]
    fn members_come_in_the_order_of_the_encoding_and_as_a_set() {
        check("SADD k 3 1 2; SMEMBERS k", ":3 [$1 $2 $3]");
        check("SADD k c 1 b; SMEMBERS k", ":3 [$c $1 $b]");
        let mut bench = Bench::new();
        bench.session.output.protocol = Protocol::Resp3;
        bench
            .check("SADD k 2 1; SMEMBERS k; SMEMBERS none; SMISMEMBER k 1", ":2 ~[$1 $2] ~[] [:1]");
    }

    #[test]
    fn a_small_set_is_walked_in_one_step() {
        check("SADD k 3 1 2; SSCAN k 0; SSCAN k 7 COUNT 1", ":3 [$0 [$1 $2 $3]] [$0 [$1 $2 $3]]");
        check("SADD k a 1 11; SSCAN k 0 MATCH 1*", ":3 [$0 [$1 $11]]");
        check("SSCAN none 0; SSCAN none 5 FOO", "[$0 []] [$0 []]");
        check("SSCAN none x; SSCAN none -1", "-ERR invalid cursor -ERR invalid cursor");
        check(
            "SADD k a; SSCAN k 0 FOO; SSCAN k 0 TYPE set",
            ":1 -ERR syntax error -ERR syntax error",
        );
        check("SADD k a; SSCAN k 0 NOVALUES", ":1 -ERR NOVALUES option can only be used in HSCAN");
    }

    #[test]
    fn a_large_set_is_walked_in_steps() {
        for count in ["1", "10", "1000"] {
            let mut bench = Bench::new();
            let names: Vec<String> = (0..1000).map(|n| format!("m{n}")).collect();
            let mut words = vec!["SADD", "k"];
            words.extend(names.iter().map(String::as_str));
            bench.raw(&words);
            let (mut cursor, mut seen, mut steps) = ("0".to_owned(), BTreeSet::new(), 0);
            loop {
                let reply = bench.raw(&["SSCAN", "k", &cursor, "COUNT", count]);
                let reply = String::from_utf8(reply).expect("text");
                let lines: Vec<&str> = reply.split("\r\n").collect();
                lines[0].clone_into(&mut cursor);
                lines[2].clone_into(&mut cursor);
                seen.extend(lines[5..].iter().step_by(2).map(|&name| name.to_owned()));
                steps += 1;
                if cursor == "0" {
                    break;
                }
            }
            seen.remove("");
            assert_eq!(seen.len(), 1000);
            assert!(count == "1000" || steps > 30, "{steps} steps of {count}");
        }
    }
}
