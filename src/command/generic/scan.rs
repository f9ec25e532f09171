//! SCAN.

use crate::command::cursor::{self, WalkOptions, Walked};
use crate::command::spec::{Arg, ArgType, Categories, Flags};
use crate::command::{Command, Context, Outcome, Spec};
use crate::value::{self, Entry, Type};

/// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]
pub(super) static SCAN: Command =
    Command { spec: SCAN_SPEC, handler: Some(scan), subcommands: &[] };

const SCAN_SPEC: Spec = Spec {
    name: "scan",
    summary: "Walks over the names of the keys in steps.",
    complexity: "O(1) for a call, O(N) for a whole walk, N being the number of keys.",
    since: "2.8.0",
    arity: -2,
    flags: Flags::READONLY.union(Flags::TOUCHES_ARBITRARY_KEYS),
    categories: Categories::KEYSPACE,
    args: &[
        Arg::new("cursor", ArgType::Integer),
        Arg::new("pattern", ArgType::Pattern).token("MATCH").optional(),
        Arg::new("count", ArgType::Integer).token("COUNT").optional(),
        Arg::new("type", ArgType::String).token("TYPE").optional().since("6.0.0"),
    ],
    history: &[("6.0.0", "Option TYPE.")],
    tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
    ..Spec::EMPTY
};

/// Which types of values are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// All.
    Any,
    /// This one.
    Only(Type),
    /// One that no value has: as Redis 7.4 does, an unknown name finds nothing.
    Unknown,
}

impl Wanted {
    fn of_name(name: &[u8]) -> Self {
        let mut types = Type::ALL.into_iter();
        let found = types.find(|kind| name.eq_ignore_ascii_case(kind.name().as_bytes()));
        found.map_or(Self::Unknown, Self::Only)
    }

    fn takes(self, entry: &Entry) -> bool {
        match self {
            Self::Any => true,
            Self::Only(wanted) => value::type_of(entry) == wanted,
            Self::Unknown => false,
        }
    }
}

fn scan(ctx: &mut Context<'_>) -> Outcome {
    let cursor = cursor::parse_cursor(ctx, 1)?;
    let options = WalkOptions::parse(ctx, 2, Walked::Keys)?;
    let wanted = options.type_name.map_or(Wanted::Any, Wanted::of_name);
    let db = ctx.session.db;
    let keyspace = &ctx.server.keyspace;
    let mut found = Vec::new();
    let mut expired = Vec::new();
    let next = options.walk(cursor, |cursor, visited| {
        keyspace.db(db).scan(cursor, |entry| {
            *visited += 1;
            if !options.matches(entry.key()) {
                return;
            }
            if !keyspace.is_live(&entry) {
                expired.push(entry.key().to_vec());
            } else if wanted.takes(&entry) {
                found.push(entry);
            }
        })
    });
    let out = &mut ctx.session.output;
    cursor::reply_head(out, next, found.len());
    for entry in found {
        out.bulk(entry.key());
    }
    // Looking at an expired key removes it. They may be many, and keys of any slot.
    ctx.effects_loose();
    for key in expired {
        let key = ctx.server.keyspace.key(&key);
        let gone = ctx.server.keyspace.peek(db, key);
        debug_assert!(gone.is_none());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::base::rng::Rng;
    use crate::command::testing::{Bench, check};
    use std::collections::BTreeSet;

    /// One call: the next cursor and the keys.
    fn call(bench: &mut Bench, words: &[&str]) -> (u64, Vec<String>) {
        let reply = String::from_utf8(bench.raw(words)).expect("keys of text");
        let lines: Vec<&str> = reply.split("\r\n").collect();
        assert_eq!(lines[0], "*2", "{reply}");
        let cursor = lines[2].parse().expect("a cursor");
        let keys: Vec<String> =
            lines[4..].iter().skip(1).step_by(2).map(|&key| key.to_owned()).collect();
        assert_eq!(lines[3], format!("*{}", keys.len()));
        (cursor, keys)
    }

    /// All keys of a walk, in the order they came.
    fn walk(bench: &mut Bench, options: &[&str]) -> Vec<String> {
        let mut all = Vec::new();
        let mut cursor = 0;
        loop {
            let text = cursor.to_string();
            let words = [&["SCAN", text.as_str()], options].concat();
            let (next, keys) = call(bench, &words);
            all.extend(keys);
            cursor = next;
            if cursor == 0 {
                return all;
            }
        }
    }

    fn bench_with(keys: std::ops::Range<u32>) -> Bench {
        let mut bench = Bench::new();
        for n in keys {
            bench.raw(&["SET", &format!("k{n}"), "v"]);
        }
        bench
    }

    #[test]
    fn wrong_cursors_are_refused() {
        for cursor in ["abc", "''", "-1", "1x", "'1 '", "18446744073709551616", "0x10", "1.0"] {
            check(&format!("SCAN {cursor}"), "-ERR invalid cursor");
        }
        for cursor in ["0", "1", "00", "+1", "' 1'", "-0", "-01", "18446744073709551615"] {
            check(&format!("SCAN {cursor}"), "[$0 []]");
        }
        check("SCAN abc FOO", "-ERR invalid cursor");
        check("SCAN", "-ERR wrong number of arguments for 'scan' command");
    }

    #[test]
    fn wrong_options_are_refused() {
        for options in [
            "COUNT",
            "COUNT 0",
            "COUNT -1",
            "COUNT -9223372036854775808",
            "COUNT 1 COUNT",
            "MATCH",
            "TYPE",
            "FOO",
            "FOO bar",
        ] {
            check(&format!("SCAN 0 {options}"), "-ERR syntax error");
        }
        for count in ["abc", "9223372036854775808", "-9223372036854775809", "1.5", "''"] {
            let script = format!("SCAN 0 COUNT {count}");
            check(&script, "-ERR value is not an integer or out of range");
        }
        check(
            "SCAN 0 NOVALUES; SCAN 0 MATCH x NOVALUES; SCAN 0 NOVALUES COUNT",
            &["-ERR NOVALUES option can only be used in HSCAN"; 3].join(" "),
        );
    }

    #[test]
    fn the_last_of_equal_options_counts() {
        check("SET k v; SCAN 0 MATCH x* MATCH k* COUNT 3 COUNT 5", "+OK [$0 [$k]]");
        check("SET k v; SCAN 0 MATCH x* MATCH *", "+OK [$0 [$k]]");
        check(
            "SET k v; SCAN 0 TYPE foo TYPE String; SCAN 0 TYPE string TYPE foo",
            "+OK [$0 [$k]] [$0 []]",
        );
    }

    #[test]
    fn the_empty_key_matches_the_star_and_the_empty_pattern() {
        check("SET '' v; SCAN 0; SCAN 0 MATCH *", "+OK [$0 [$]] [$0 [$]]");
        check("SET '' v; SCAN 0 MATCH ''; SCAN 0 MATCH **", "+OK [$0 [$]] [$0 []]");
    }

    #[test]
    fn a_walk_finds_every_key_once_while_nothing_changes() {
        for count in ["1", "7", "10", "1000", "9223372036854775807"] {
            let mut bench = bench_with(0..1000);
            let keys = walk(&mut bench, &["COUNT", count]);
            let unique: BTreeSet<&String> = keys.iter().collect();
            assert_eq!((keys.len(), unique.len()), (1000, 1000), "COUNT {count}");
        }
    }

    #[test]
    fn a_call_looks_at_about_as_many_keys_as_count_says() {
        let mut bench = bench_with(0..10_000);
        for count in [1, 10, 100, 1000] {
            let text = count.to_string();
            let (_, keys) = call(&mut bench, &["SCAN", "0", "COUNT", &text]);
            assert!((count..count + 40).contains(&keys.len()), "{} for {count}", keys.len());
            let (cursor, keys) = call(&mut bench, &["SCAN", "0", "COUNT", &text, "MATCH", "x*"]);
            assert_eq!(keys.len(), 0);
            assert_ne!(cursor, 0, "a pattern does not make a call longer");
        }
    }

    #[test]
    fn patterns_and_types_choose() {
        let mut bench = bench_with(0..100);
        assert_eq!(walk(&mut bench, &["MATCH", "k1?"]).len(), 10);
        assert_eq!(walk(&mut bench, &["MATCH", "k1"]), ["k1"]);
        assert_eq!(walk(&mut bench, &["TYPE", "STRING"]).len(), 100);
        assert_eq!(walk(&mut bench, &["TYPE", "string", "MATCH", "k1?", "COUNT", "3"]).len(), 10);
        assert_eq!(walk(&mut bench, &["TYPE", "none"]), [""; 0]);
        bench.session.db = 1;
        assert_eq!(walk(&mut bench, &[]), [""; 0]);
    }

    #[test]
    fn expired_keys_that_match_are_removed() {
        let mut bench = bench_with(0..100);
        for n in 0..50 {
            bench.raw(&["SET", &format!("x{n}"), "v", "PX", "10"]);
        }
        bench.pass(10);
        assert_eq!(walk(&mut bench, &["MATCH", "k*"]).len(), 100);
        bench.check("DBSIZE", ":150");
        assert_eq!(walk(&mut bench, &[]).len(), 100);
        bench.check("DBSIZE", ":100");
        let keyspace = &bench.server.keyspace;
        assert_eq!((keyspace.expired, keyspace.hits, keyspace.misses), (50, 0, 0));
    }

    /// The promise of SCAN: what is there from the first call to the last is returned, whatever is
    /// added and deleted meanwhile, however much the table grows and shrinks.
    #[test]
    fn a_walk_returns_every_key_that_is_there_throughout() {
        for seed in 0..30 {
            let mut rng = Rng::seeded(seed);
            let stays = 1 + rng.below(600);
            let mut bench = bench_with(0..u32::try_from(stays).expect("below 601"));
            let mut passing: Vec<String> = Vec::new();
            let mut added = 0;
            let mut seen = BTreeSet::new();
            let mut cursor = 0;
            let grows = rng.below(2) == 0;
            for round in 0.. {
                let count = (1 + rng.below(40)).to_string();
                let words = ["SCAN", &cursor.to_string(), "COUNT", &count];
                let (next, keys) = call(&mut bench, &words);
                seen.extend(keys);
                cursor = next;
                if cursor == 0 {
                    break;
                }
                // At first a lot changes; then the walk is let come to its end.
                let changes = if round < 20 { rng.below(400) } else { rng.below(4) };
                for _ in 0..changes {
                    let adds = rng.below(10) < if grows { 8 } else { 3 };
                    if adds || passing.is_empty() {
                        passing.push(format!("p{added}"));
                        added += 1;
                        bench.raw(&["SET", passing.last().expect("just added"), "v"]);
                    } else {
                        let index = rng.below_usize(passing.len());
                        let key = passing.swap_remove(index);
                        assert_eq!(bench.raw(&["DEL", &key]), b":1\r\n");
                    }
                }
            }
            for n in 0..stays {
                assert!(seen.contains(&format!("k{n}")), "seed {seed} misses k{n}");
            }
        }
    }
}
