//! Changing sets: SADD, SREM, SMOVE.

use super::set_of;
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Server, Spec};
use crate::ds::listpack::Element;
use crate::store::Event;
use crate::value::set::{Limits, Set};

/// SADD key member [member …]
pub(super) static SADD: Command = Command { spec: SADD_SPEC, handler: Some(add), subcommands: &[] };

const SADD_SPEC: Spec = Spec {
    name: "sadd",
    summary: "Adds members to a set, creating it if it is missing.",
    complexity: "O(N), N being the number of members.",
    group: Group::Set,
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::SET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT))],
    args: &[Arg::key("key", 0), Arg::new("member", ArgType::String).multiple()],
    history: &[("2.4.0", "Several members may be given.")],
    member_at: 2,
    ..Spec::EMPTY
};

/// SREM key member [member …]
pub(super) static SREM: Command =
    Command { spec: SREM_SPEC, handler: Some(remove), subcommands: &[] };

const SREM_SPEC: Spec = Spec {
    name: "srem",
    summary: "Removes members, and the set with the last of them.",
    complexity: "O(N), N being the number of members given.",
    group: Group::Set,
    arity: -3,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::SET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), Arg::new("member", ArgType::String).multiple()],
    history: &[("2.4.0", "Several members may be given.")],
    member_at: 2,
    ..Spec::EMPTY
};

/// SMOVE source destination member
pub(super) static SMOVE: Command =
    Command { spec: SMOVE_SPEC, handler: Some(move_member), subcommands: &[] };

const SMOVE_SPEC: Spec = Spec {
    name: "smove",
    summary: "Moves a member from one set to another.",
    complexity: "O(1)",
    group: Group::Set,
    arity: 4,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::SET,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)),
        KeySpec::range(2, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT)),
    ],
    args: &[Arg::key("source", 0), Arg::key("destination", 1), Arg::new("member", ArgType::String)],
    ..Spec::EMPTY
};

fn add(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, args) = (ctx.scope(), ctx.key(1), ctx.args);
    let Server { keyspace, config, .. } = &mut *ctx.server;
    let limits = Limits::of(config, keyspace.hash_key());
    let given = args.len() - 2;
    let new = || Set::for_members(args.at(2), given, &limits);
    let added = keyspace.change_or_create(scope, key, new, |set: &mut Set| {
        set.expect(given, &limits);
        let mut added = 0;
        for member in args.from(2) {
            added += u64::from(set.add(Element::Bytes(member), &limits));
        }
        added
    })?;
    keyspace.dirty += added;
    if added > 0 {
        keyspace.note(scope.db, key, Event::set("sadd"));
    }
    ctx.reply_integer(num::i64_clamped(added))
}

fn remove(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, args) = (ctx.scope(), ctx.key(1), ctx.args);
    let keyspace = &mut ctx.server.keyspace;
    let removed = keyspace.change(scope, key, |set: &mut Set| {
        let mut removed = 0;
        for member in args.from(2) {
            removed += u64::from(set.remove(member));
            if set.view().is_empty() {
                break;
            }
        }
        removed
    })?;
    let removed = removed.unwrap_or(0);
    keyspace.dirty += removed;
    if removed > 0 {
        keyspace.note(scope.db, key, Event::set("srem"));
    }
    ctx.reply_integer(num::i64_clamped(removed))
}

fn move_member(ctx: &mut Context<'_>) -> Outcome {
    let (scope, from, to, member) = (ctx.scope(), ctx.key(1), ctx.key(2), ctx.args.at(3));
    let Server { keyspace, config, .. } = &mut *ctx.server;
    let Some(slot) = keyspace.write(scope, from) else { return ctx.reply_integer(0) };
    let is_member = set_of(&slot.get())?.contains(member);
    if let Some(slot) = keyspace.write(scope, to) {
        set_of(&slot.get())?;
    }
    if !is_member || from.bytes == to.bytes {
        return ctx.reply_integer(i64::from(is_member));
    }
    keyspace.change(scope, from, |set: &mut Set| set.remove(member))?;
    keyspace.note(scope.db, from, Event::set("srem"));
    let limits = Limits::of(config, keyspace.hash_key());
    let new = || Set::for_members(member, 1, &limits);
    let add = |set: &mut Set| set.add(Element::Bytes(member), &limits);
    let added = keyspace.change_or_create(scope, to, new, add)?;
    keyspace.dirty += 1 + u64::from(added);
    if added {
        keyspace.note(scope.db, to, Event::set("sadd"));
    }
    ctx.reply_integer(1)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

    #[test]
    fn members_are_added_once() {
        check("SADD k a b a; SADD k b c; SCARD k; TYPE k", ":2 :1 :3 +set");
        check("SADD k 1 01 +1 1.0; SCARD k; SADD k 1", ":4 :4 :0");
        check("SET s v; SADD s a", &format!("+OK {WRONG_TYPE}"));
        check(
            "SADD; SADD k",
            "-ERR wrong number of arguments for 'sadd' command \
             -ERR wrong number of arguments for 'sadd' command",
        );
    }

    #[test]
    fn a_set_begins_and_moves_on_in_redis_s_encodings() {
        check(
            "SADD k 1 2; OBJECT ENCODING k; SADD k a; OBJECT ENCODING k",
            ":2 $intset :1 $listpack",
        );
        check(
            "SADD k a 1; OBJECT ENCODING k; SREM k a; OBJECT ENCODING k",
            ":2 $listpack :1 $listpack",
        );
        let mut bench = Bench::new();
        bench.check(
            "CONFIG SET set-max-listpack-entries 3; SADD k a b c; OBJECT ENCODING k",
            "+OK :3 $listpack",
        );
        bench.check(
            "SADD k c; OBJECT ENCODING k; SADD k d; OBJECT ENCODING k",
            ":0 $listpack :1 $hashtable",
        );
        bench.check("SADD l a b c d; OBJECT ENCODING l", ":4 $hashtable");
        bench.check("SADD m a; SADD m a a a a; OBJECT ENCODING m", ":1 :0 $hashtable");
        bench.check(
            "CONFIG SET set-max-listpack-value 2; SADD n ab abc; OBJECT ENCODING n",
            "+OK :2 $hashtable",
        );
        bench.check(
            "CONFIG SET set-max-intset-entries 2; SADD o 1 2; OBJECT ENCODING o",
            "+OK :2 $intset",
        );
        bench.check("SADD o 3; OBJECT ENCODING o", ":1 $hashtable");
    }

    #[test]
    fn a_key_goes_with_its_last_member() {
        check("SADD k a 1 b; SREM k a x 1; SREM k b b b; EXISTS k; SREM k a", ":3 :2 :1 :0 :0");
        check("SADD k 1 2; SREM k 1 a 3 2 2; EXISTS k", ":2 :2 :0");
        check("SET s v; SREM s a", &format!("+OK {WRONG_TYPE}"));
    }

    #[test]
    fn every_change_is_counted() {
        let mut bench = Bench::new();
        for (script, replies, dirty) in [
            ("SADD k a b c 1", ":4", 4),
            ("SADD k a d", ":1", 5),
            ("SREM k a x", ":1", 6),
            ("SREM k x", ":0", 6),
            ("SMOVE k l b", ":1", 8),
            ("SADD k b; SMOVE k l b", ":1 :1", 10),
            ("SMOVE k l x; SMOVE k k c", ":0 :1", 10),
            ("SPOP k", "$c", 11),
        ] {
            if script == "SPOP k" {
                bench.check("SREM k d 1", ":2");
                bench.server.keyspace.dirty -= 2;
            }
            bench.check(script, replies);
            assert_eq!(bench.server.keyspace.dirty, dirty, "{script}");
        }
    }

    #[test]
    fn a_member_moves_from_set_to_set() {
        check("SADD a x y; SMOVE a b x; SMEMBERS a; SMEMBERS b", ":2 :1 [$y] [$x]");
        check("SADD a x; SMOVE a b x; EXISTS a; SMOVE a b x; SCARD b", ":1 :1 :0 :0 :1");
        check("SADD a x; SADD b x; SMOVE a b x; EXISTS a; SMEMBERS b", ":1 :1 :1 :0 [$x]");
        check("SADD a 1 2; SADD b x; SMOVE a b 1; OBJECT ENCODING b", ":2 :1 :1 $listpack");
        check("SADD a 1; SMOVE a b 1; OBJECT ENCODING b", ":1 :1 $intset");
        check("SADD a x; SMOVE a a x; SMOVE a a y; SCARD a", ":1 :1 :0 :1");
        check("SADD a x; SMOVE a b y; EXISTS b", ":1 :0 :0");
    }

    #[test]
    fn moving_checks_the_source_first() {
        check("SET s v; SMOVE none s x; SMOVE s none x", &format!("+OK :0 {WRONG_TYPE}"));
        check(
            "SADD a x; SET s v; SMOVE a s x; SMOVE a s y",
            &format!(":1 +OK {WRONG_TYPE} {WRONG_TYPE}"),
        );
    }
}
