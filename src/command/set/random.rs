//! Members picked at random: SPOP, SRANDMEMBER.

use super::{put, set_of};
use crate::base::num;
use crate::base::rng::Rng;
use crate::command::effects::{self, Effects};
use crate::command::picks::{self, Count};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Server, Spec};
use crate::ds::listpack::Element;
use crate::resp::Output;
use crate::store::{Event, Free};
use crate::value::Heap;
use crate::value::set::{Selection, Set, SetRef};
use std::collections::HashSet;

/// SPOP key [count]
pub(super) static SPOP: Command = Command { spec: SPOP_SPEC, handler: Some(pop), subcommands: &[] };

const SPOP_SPEC: Spec = Spec {
    name: "spop",
    summary: "Removes and returns members picked at random.",
    complexity: "O(N), N being the count.",
    group: Group::Set,
    arity: -2,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::SET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), Arg::new("count", ArgType::Integer).optional().since("3.2.0")],
    history: &[("3.2.0", "A count may be given.")],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// SRANDMEMBER key [count]
pub(super) static SRANDMEMBER: Command =
    Command { spec: SRANDMEMBER_SPEC, handler: Some(random), subcommands: &[] };

const SRANDMEMBER_SPEC: Spec = Spec {
    name: "srandmember",
    summary: "Returns members picked at random.",
    complexity: "O(N), N being the absolute count.",
    group: Group::Set,
    arity: -2,
    flags: Flags::READONLY,
    categories: Categories::SET,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), Arg::new("count", ArgType::Integer).optional().since("2.6.0")],
    history: &[("2.6.0", "A count may be given.")],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// SRANDMEMBER picks one by one as long as this many times as many members are left over; of larger
/// shares it looks at all members once.
const PICKED_SHARE: usize = 3;

/// Members that one recorded command removes at most.
const RECORDED_TOGETHER_MAX: usize = 1024;
const COUNT_NEGATIVE: Error = Error::fixed("ERR value is out of range, must be positive");

fn pop(ctx: &mut Context<'_>) -> Outcome {
    match ctx.args.len() {
        2 => pop_one(ctx),
        3 => {
            let count = num::parse_i64(ctx.args.at(2)).and_then(|n| usize::try_from(n).ok());
            pop_some(ctx, count.ok_or(COUNT_NEGATIVE)?)
        }
        _ => Err(Error::SYNTAX),
    }
}

fn pop_one(ctx: &mut Context<'_>) -> Outcome {
    ctx.effects_none();
    let (scope, key, out) = (ctx.scope(), ctx.key(1), &mut ctx.session.output);
    let Server { keyspace, rng, effects, .. } = &mut *ctx.server;
    let mut record = Record { effects, db: scope.db, key: key.bytes, left: 1, in_command: 0 };
    let take = |set: &mut Set| {
        set.pop(rng, |member| {
            put(out, member);
            record.add(member);
        });
    };
    match keyspace.change(scope, key, take)? {
        Some(()) => {
            keyspace.dirty += 1;
            keyspace.note(scope.db, key, Event::set("spop"));
        }
        None => ctx.session.output.null(),
    }
    Ok(())
}

/// Records the members that go, as commands of bounded length.
struct Record<'a> {
    effects: &'a mut Effects,
    db: usize,
    key: &'a [u8],
    /// Members that no command was begun for.
    left: usize,
    /// Members that the last command waits for.
    in_command: usize,
}

impl Record<'_> {
    fn add(&mut self, member: Element<'_>) {
        if !self.effects.wanted() {
            return;
        }
        if self.in_command == 0 {
            self.in_command = self.left.min(RECORDED_TOGETHER_MAX);
            self.left -= self.in_command;
            self.effects.command(self.db, 2 + self.in_command).word(b"SREM").word(self.key);
        }
        self.in_command -= 1;
        member.with_text(|text| _ = self.effects.word(text));
    }
}

fn pop_some(ctx: &mut Context<'_>, count: usize) -> Outcome {
    let (scope, key, out) = (ctx.scope(), ctx.key(1), &mut ctx.session.output);
    let Server { keyspace, rng, effects, .. } = &mut *ctx.server;
    let len = match keyspace.write(scope, key) {
        Some(slot) => set_of(&slot.get())?.len(),
        None => 0,
    };
    out.set(count.min(len));
    if count == 0 || len == 0 {
        return Ok(());
    }
    if count >= len {
        let entry = keyspace.take(scope.db, key).expect("it was found in this turn");
        for member in set_of(&entry)? {
            put(out, member);
        }
        keyspace.discard(entry, Free::Here);
        keyspace.dirty += num::u64_of(len);
        keyspace.note(scope.db, key, Event::set("spop"));
        keyspace.note(scope.db, key, Event::DEL);
        let delete = effects::deletion_of_emptied(&ctx.server.config);
        ctx.effects_as(&[delete, key.bytes]);
    } else {
        let mut record =
            Record { effects, db: scope.db, key: key.bytes, left: count, in_command: 0 };
        let take = |set: &mut Set| {
            set.pop_some(count, rng, |member| {
                put(out, member);
                record.add(member);
            })
        };
        if let Some(gone) = keyspace.change(scope, key, take)?.flatten() {
            keyspace.discard_value(Heap::Set(gone));
        }
        keyspace.dirty += num::u64_of(count);
        keyspace.note(scope.db, key, Event::set("spop"));
        ctx.effects_none();
    }
    Ok(())
}

fn random(ctx: &mut Context<'_>) -> Outcome {
    let count = match ctx.args.len() {
        2 => None,
        3 => Some(Count::parse(ctx)?),
        _ => return Err(Error::SYNTAX),
    };
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let Server { keyspace, rng, .. } = &mut *ctx.server;
    let entry = keyspace.read(scope, key);
    let set = entry.as_deref().map(set_of).transpose()?;
    let out = &mut ctx.session.output;
    match (set, count) {
        (None, None) => out.null(),
        (None, Some(_)) => out.array(0),
        (Some(set), None) => match set.random(rng) {
            Some(member) => put(out, member),
            None => out.null(),
        },
        (Some(set), Some(Count::Distinct(count))) => reply_distinct(set, count, rng, out),
        (Some(set), Some(Count::Repeated(count))) => {
            return reply_repeated(set, count, rng, out);
        }
    }
    Ok(())
}

/// Replies with `count` picks, each from the whole set.
fn reply_repeated(set: SetRef<'_>, count: u64, rng: &mut Rng, out: &mut Output) -> Outcome {
    // Whose members are found one behind the other: better know all places.
    let places: Option<Vec<_>> = match set {
        SetRef::Listing(_) => Some(set.into_iter().collect()),
        SetRef::Integers(_) | SetRef::Table(_) => None,
    };
    picks::repeat(out, count, Output::array, |out| {
        let member = match &places {
            Some(members) => members[rng.below_usize(members.len())],
            None => set.random(rng).expect("no key holds an empty set"),
        };
        put(out, member);
    })
}

/// What tells members of one set apart: their value or, in a table, their place.
fn identity(member: Element<'_>) -> u64 {
    match member {
        Element::Integer(n) => n.cast_unsigned(),
        Element::Bytes(bytes) => num::u64_of(bytes.as_ptr().addr()),
    }
}

/// Replies with `count` different members, or with all.
fn reply_distinct(set: SetRef<'_>, count: usize, rng: &mut Rng, out: &mut Output) {
    let len = set.len();
    let count = count.min(len);
    out.array(count);
    let few = match set {
        SetRef::Integers(_) | SetRef::Table(_) => count.saturating_mul(PICKED_SHARE) < len,
        // Whose members are found one behind the other.
        SetRef::Listing(_) => false,
    };
    if few {
        let mut picked = HashSet::with_capacity(count);
        while picked.len() < count {
            let member = set.random(rng).expect("no key holds an empty set");
            if picked.insert(identity(member)) {
                put(out, member);
            }
        }
        return;
    }
    let mut selection = Selection::new(count, len);
    for member in set {
        if selection.takes(rng) {
            put(out, member);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::resp::Protocol;
    use std::collections::BTreeSet;

    /// The members in a reply, which is an array or a set.
    fn members(reply: Vec<u8>) -> Vec<String> {
        let text = String::from_utf8(reply).expect("members of text");
        let lines: Vec<&str> = text.split("\r\n").collect();
        let found: Vec<String> =
            lines[1..].iter().skip(1).step_by(2).map(|&line| line.to_owned()).collect();
        assert_eq!(lines[0][1..].parse(), Ok(found.len()), "{text}");
        found
    }

    fn bench_with(prefix: &str, count: usize) -> Bench {
        let mut bench = Bench::new();
        let names: Vec<String> = (0..count).map(|n| format!("{prefix}{n}")).collect();
        let mut words = vec!["SADD", "k"];
        words.extend(names.iter().map(String::as_str));
        assert_eq!(bench.raw(&words), format!(":{count}\r\n").as_bytes());
        bench
    }

    #[test]
    fn arguments_are_checked_as_in_redis() {
        const NOT_POSITIVE: &str = "-ERR value is out of range, must be positive";
        for count in ["-1", "x", "9223372036854775808", "''", "1.5"] {
            check(
                &format!("SADD k a; SPOP k {count}; SPOP none {count}"),
                &format!(":1 {NOT_POSITIVE} {NOT_POSITIVE}"),
            );
        }
        for count in ["x", "9223372036854775808", "''"] {
            check(
                &format!("SADD k a; SRANDMEMBER k {count}; SRANDMEMBER none {count}"),
                ":1 -ERR value is not an integer or out of range \
                 -ERR value is not an integer or out of range",
            );
        }
        check(
            "SRANDMEMBER k -9223372036854775808",
            "-ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        );
        check("SPOP k 1 2; SRANDMEMBER k 1 2", "-ERR syntax error -ERR syntax error");
        check(
            "SPOP k; SRANDMEMBER k; SPOP k 3; SRANDMEMBER k 3; SRANDMEMBER k -3",
            "$_ $_ [] [] []",
        );
        let error = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        for line in ["SPOP s", "SPOP s 1", "SPOP s 0", "SRANDMEMBER s", "SRANDMEMBER s 0"] {
            check(&format!("SET s v; {line}"), &format!("+OK {error}"));
        }
    }

    #[test]
    fn numbers_at_the_ends_are_no_danger() {
        check("SADD k a b; SRANDMEMBER k 9223372036854775807", ":2 [$a $b]");
        check("SADD k a b; SPOP k 9223372036854775807; EXISTS k", ":2 [$a $b] :0");
        check(
            "SADD k a; SRANDMEMBER k -9223372036854775807",
            ":1 -ERR value is out of range, the reply would be too long",
        );
    }

    #[test]
    fn popped_members_are_gone() {
        for (prefix, len) in [("", 100), ("m", 100), ("m", 1000)] {
            for count in [1, 3, 50, 90, 99] {
                let mut bench = bench_with(prefix, len);
                let mut seen = BTreeSet::new();
                let text = count.to_string();
                let popped = members(bench.raw(&["SPOP", "k", &text]));
                assert_eq!(popped.len(), count);
                seen.extend(popped);
                assert_eq!(bench.server.keyspace.dirty, u64::try_from(len + count).expect("few"));
                while bench.raw(&["EXISTS", "k"]) == b":1\r\n" {
                    let reply = String::from_utf8(bench.raw(&["SPOP", "k"])).expect("text");
                    seen.insert(reply.split("\r\n").nth(1).expect("a member").to_owned());
                }
                assert_eq!(seen.len(), len);
            }
        }
    }

    #[test]
    fn picked_members_stay_and_are_distinct_unless_the_count_is_negative() {
        for (prefix, len) in [("", 100), ("m", 100), ("m", 1000)] {
            for count in [0, 1, 5, 40, 99, 1000] {
                let mut bench = bench_with(prefix, len);
                let picked = members(bench.raw(&["SRANDMEMBER", "k", &count.to_string()]));
                let unique: BTreeSet<&String> = picked.iter().collect();
                assert_eq!((picked.len(), unique.len()), (count.min(len), count.min(len)));
                assert!(picked.iter().all(|member| member.starts_with(prefix)));
                let picked = members(bench.raw(&["SRANDMEMBER", "k", &format!("-{}", count + 1)]));
                assert_eq!(picked.len(), count + 1);
                bench.check("SCARD k", &format!(":{len}"));
            }
        }
        check("SADD k a; SRANDMEMBER k -3; SRANDMEMBER k", ":1 [$a $a $a] $a");
    }

    #[test]
    fn popped_ones_are_a_set_and_picked_ones_an_array() {
        let mut bench = Bench::new();
        bench.session.output.protocol = Protocol::Resp3;
        bench.check(
            "SADD k a; SRANDMEMBER k 1; SRANDMEMBER k -1; SRANDMEMBER none 1",
            ":1 [$a] [$a] []",
        );
        bench.check("SPOP k 0; SPOP k 1; SPOP k 1; SPOP k; SRANDMEMBER k", "~[] ~[$a] ~[] _ _");
    }
}
