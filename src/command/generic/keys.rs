//! KEYS.

use crate::base::glob::{self, Case};
use crate::command::spec::{Arg, ArgType, Categories, Flags};
use crate::command::{Command, Context, Outcome, Spec};

/// KEYS pattern
pub(super) static KEYS: Command =
    Command { spec: KEYS_SPEC, handler: Some(keys), subcommands: &[] };

const KEYS_SPEC: Spec = Spec {
    name: "keys",
    summary: "Returns the names of all keys that match a pattern.",
    complexity: "O(N), N being the number of keys of the database.",
    arity: 2,
    flags: Flags::READONLY.union(Flags::TOUCHES_ARBITRARY_KEYS),
    categories: Categories::KEYSPACE.union(Categories::DANGEROUS),
    args: &[Arg::new("pattern", ArgType::Pattern)],
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    ..Spec::EMPTY
};

fn keys(ctx: &mut Context<'_>) -> Outcome {
    let pattern = ctx.args.at(1);
    let keyspace = &ctx.server.keyspace;
    let out = &mut ctx.session.output;
    let db = ctx.session.db;
    if is_literal(pattern) {
        match keyspace.glimpse(db, keyspace.key(pattern)) {
            Some(entry) => {
                out.array(1);
                out.bulk(entry.key());
            }
            None => out.array(0),
        }
        return Ok(());
    }
    let table = keyspace.db(db);
    let all = glob::is_all(pattern);
    if all && table.volatile_len() == 0 {
        out.array(table.len());
        for entry in table.iter() {
            out.bulk(entry.key());
        }
        return Ok(());
    }
    let len = out.defer_len();
    let mut found = 0;
    for entry in table.iter() {
        let key = entry.key();
        let matches = all || glob::matches(pattern, key, Case::Sensitive);
        if matches && keyspace.is_live(&entry) {
            out.bulk(key);
            found += 1;
        }
    }
    out.fill_array(len, found);
    Ok(())
}

/// Whether a pattern matches only itself.
fn is_literal(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::command::testing::{Bench, check};

    /// The keys that a pattern finds, sorted.
    fn found(bench: &mut Bench, pattern: &str) -> Vec<String> {
        let reply = bench.raw(&["KEYS", pattern]);
        let text = String::from_utf8(reply).expect("keys of text");
        let mut lines = text.split("\r\n");
        let head = lines.next().expect("a head");
        let mut keys: Vec<String> = lines.skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(head, format!("*{}", keys.len()));
        keys.sort();
        keys
    }

    fn bench_with(keys: &[&str]) -> Bench {
        let mut bench = Bench::new();
        for key in keys {
            bench.raw(&["SET", key, "v"]);
        }
        bench
    }

    #[test]
    fn patterns_choose() {
        let mut bench = bench_with(&["one", "two", "three", "four", "t[o"]);
        assert_eq!(found(&mut bench, "t*"), ["t[o", "three", "two"]);
        assert_eq!(found(&mut bench, "?wo"), ["two"]);
        assert_eq!(found(&mut bench, "t[v-x]o"), ["two"]);
        assert_eq!(found(&mut bench, "t\\[o"), ["t[o"]);
        assert_eq!(found(&mut bench, "x*"), [""; 0]);
        assert_eq!(found(&mut bench, "*").len(), 5);
        assert_eq!(found(&mut bench, "**").len(), 5);
        check("KEYS", "-ERR wrong number of arguments for 'keys' command");
        check("KEYS a b", "-ERR wrong number of arguments for 'keys' command");
    }

    #[test]
    fn a_pattern_without_wildcards_is_the_key() {
        let mut bench = bench_with(&["k", "a]b", "kk"]);
        bench.check("KEYS k; KEYS a]b; KEYS x; KEYS K", "[$k] [$a]b] [] []");
    }

    #[test]
    fn the_empty_key_is_found_by_the_star_and_by_itself() {
        check("SET '' v; KEYS *; KEYS ''; KEYS **; KEYS ?", "+OK [$] [$] [] []");
        check("KEYS ''; KEYS *", "[] []");
    }

    #[test]
    fn expired_keys_are_left_out_and_left_where_they_are() {
        let mut bench = bench_with(&["stays"]);
        bench.check("SET k v PX 10", "+OK");
        assert_eq!(found(&mut bench, "*"), ["k", "stays"]);
        bench.pass(10);
        for (pattern, keys) in
            [("*", &["stays"][..]), ("k", &[]), ("?", &[]), ("stay?", &["stays"])]
        {
            assert_eq!(found(&mut bench, pattern), keys, "{pattern}");
        }
        bench.check("DBSIZE", ":2");
        let keyspace = &bench.server.keyspace;
        assert_eq!((keyspace.hits, keyspace.misses, keyspace.expired), (0, 0, 0));
    }

    #[test]
    fn only_the_selected_database_is_looked_at() {
        let mut bench = bench_with(&["k"]);
        bench.session.db = 1;
        bench.check("KEYS *; KEYS k; KEYS k*", "[] [] []");
    }

    /// Literal patterns take a way of their own: it must find what matching finds.
    #[test]
    fn short_cuts_find_what_matching_finds() {
        let mut rng = Rng::seeded(9);
        let mut word = || -> String {
            (0..rng.below(4)).map(|_| char::from(b"ab]^-"[rng.below_usize(5)])).collect()
        };
        let names: Vec<String> = (0..50).map(|_| word()).collect();
        let mut bench = bench_with(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for pattern in (0..200).map(|_| word()) {
            assert!(is_literal(pattern.as_bytes()));
            let mut expected: Vec<String> = names
                .iter()
                .filter(|name| glob::matches(pattern.as_bytes(), name.as_bytes(), Case::Sensitive))
                .cloned()
                .collect();
            expected.sort();
            expected.dedup();
            assert_eq!(found(&mut bench, &pattern), expected, "{pattern}");
        }
    }
}
