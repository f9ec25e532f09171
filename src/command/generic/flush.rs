//! Databases as wholes: FLUSHALL, FLUSHDB, SWAPDB.

use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::Free;

/// FLUSHALL [ASYNC | SYNC]
pub(super) static FLUSHALL: Command =
    Command { spec: FLUSHALL_SPEC, handler: Some(flushall), subcommands: &[] };

const FLUSHALL_SPEC: Spec = Spec {
    name: "flushall",
    summary: "Deletes every key of every database.",
    complexity: "O(N), N being the number of keys of all databases.",
    group: Group::Server,
    arity: -1,
    flags: Flags::WRITE,
    categories: Categories::KEYSPACE.union(Categories::DANGEROUS),
    args: &[Arg::one_of(
        "flush-type",
        &[Arg::flag("async", "ASYNC").since("4.0.0"), Arg::flag("sync", "SYNC").since("6.2.0")],
    )
    .optional()],
    history: &[("4.0.0", "Modifier ASYNC."), ("6.2.0", "Modifier SYNC.")],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..Spec::EMPTY
};

/// FLUSHDB [ASYNC | SYNC]
pub(super) static FLUSHDB: Command =
    Command { spec: FLUSHDB_SPEC, handler: Some(flushdb), subcommands: &[] };

const FLUSHDB_SPEC: Spec = Spec {
    name: "flushdb",
    summary: "Deletes every key of the selected database.",
    complexity: "O(N), N being the number of keys of the database.",
    group: Group::Server,
    arity: -1,
    flags: Flags::WRITE,
    categories: Categories::KEYSPACE.union(Categories::DANGEROUS),
    args: &[Arg::one_of(
        "flush-type",
        &[Arg::flag("async", "ASYNC").since("4.0.0"), Arg::flag("sync", "SYNC").since("6.2.0")],
    )
    .optional()],
    history: &[("4.0.0", "Modifier ASYNC."), ("6.2.0", "Modifier SYNC.")],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..Spec::EMPTY
};

/// SWAPDB index1 index2
pub(super) static SWAPDB: Command =
    Command { spec: SWAPDB_SPEC, handler: Some(swapdb), subcommands: &[] };

const SWAPDB_SPEC: Spec = Spec {
    name: "swapdb",
    summary: "Exchanges the contents of two databases.",
    complexity: "O(N), N being the number of clients that watch or block on keys of the two.",
    since: "4.0.0",
    group: Group::Server,
    arity: 3,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::KEYSPACE.union(Categories::DANGEROUS),
    args: &[Arg::new("index1", ArgType::Integer), Arg::new("index2", ArgType::Integer)],
    ..Spec::EMPTY
};

const INVALID_FIRST_DB: Error = Error::fixed("ERR invalid first DB index");
const INVALID_SECOND_DB: Error = Error::fixed("ERR invalid second DB index");

fn flushall(ctx: &mut Context<'_>) -> Outcome {
    let free = parse(ctx)?;
    for db in 0..ctx.server.keyspace.len() {
        flush(ctx, db, free);
    }
    ctx.server.invalidate_all();
    ctx.effects_always();
    ctx.server.snapshot_flushed();
    ctx.ok()
}

fn flushdb(ctx: &mut Context<'_>) -> Outcome {
    let free = parse(ctx)?;
    flush(ctx, ctx.session.db, free);
    ctx.server.invalidate_all();
    ctx.effects_always();
    ctx.ok()
}

fn flush(ctx: &mut Context<'_>, db: usize, free: Free) {
    let keyspace = &mut ctx.server.keyspace;
    keyspace.dirty += num::u64_of(keyspace.flush(db, free));
}

/// Where the keys are freed. With SYNC the client hears of it when that is done.
fn parse(ctx: &Context<'_>) -> Result<Free, Error> {
    match ctx.args.len() {
        1 => Ok(Free::Here),
        2 if ctx.is_word(1, "async") => Ok(Free::Here),
        2 if ctx.is_word(1, "sync") => Ok(Free::Blocking),
        _ => Err(Error::SYNTAX),
    }
}

fn swapdb(ctx: &mut Context<'_>) -> Outcome {
    let first = number(ctx, 1).ok_or(INVALID_FIRST_DB)?;
    let second = number(ctx, 2).ok_or(INVALID_SECOND_DB)?;
    let (first, second) = (ctx.existing_database(first)?, ctx.existing_database(second)?);
    ctx.server.keyspace.swap(first, second);
    ctx.server.keyspace.dirty += 1;
    ctx.ok()
}

fn number(ctx: &Context<'_>, index: usize) -> Option<i32> {
    i32::try_from(num::parse_i64(ctx.args.at(index))?).ok()
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::config::Config;

    /// Three keys in database 0, one in database 1.
    fn filled(config: Config) -> Bench {
        let mut bench = Bench::with(config);
        bench.check("SET a 1; SET b 2 EX 9; SET c 3; DBSIZE", "+OK +OK +OK :3");
        bench.session.db = 1;
        bench.check("SET d 4; DBSIZE", "+OK :1");
        bench.session.db = 0;
        bench
    }

    #[test]
    fn flushdb_empties_the_selected_database_only() {
        for option in ["", "ASYNC", "sync"] {
            let mut bench = filled(Config::default());
            bench.check(&format!("FLUSHDB {option}; DBSIZE; EXISTS a"), "+OK :0 :0");
            bench.session.db = 1;
            bench.check("DBSIZE", ":1");
            assert_eq!(bench.server.keyspace.dirty, 4 + 3);
            bench.check(&format!("FLUSHDB {option}; FLUSHDB {option}; DBSIZE"), "+OK +OK :0");
            assert_eq!(bench.server.keyspace.dirty, 4 + 4);
            assert_eq!(bench.server.keyspace.volatile_len(), 0);
        }
    }

    #[test]
    fn flushall_empties_all() {
        for option in ["", "async", "SYNC"] {
            let mut bench = filled(Config::default());
            bench.check(&format!("FLUSHALL {option}; DBSIZE"), "+OK :0");
            bench.session.db = 1;
            bench.check(&format!("DBSIZE; FLUSHALL {option}; SET k v; GET k"), ":0 +OK +OK $v");
            // With the snapshot that FLUSHALL takes nothing is unsaved.
            assert_eq!(bench.server.keyspace.dirty, 1);
        }
    }

    #[test]
    fn wrong_options_flush_nothing() {
        for command in ["FLUSHDB", "FLUSHALL"] {
            for options in ["FOO", "ASYNC SYNC", "ASYNC ASYNC", "''"] {
                check(&format!("SET k v; {command} {options}; DBSIZE"), "+OK -ERR syntax error :1");
            }
        }
    }

    #[test]
    fn only_sync_frees_before_the_reply() {
        for (option, elsewhere) in [("", 4), ("ASYNC", 4), ("SYNC", 0)] {
            let mut bench = filled(Config::default());
            bench.check(&format!("FLUSHALL {option}"), "+OK");
            assert_eq!(bench.server.stats.lazy_freed, elsewhere, "{option}");
        }
    }

    #[test]
    fn swapped_databases_have_each_other_s_keys() {
        let mut bench = filled(Config::default());
        bench.check("SWAPDB 0 1; DBSIZE; GET d; TTL b", "+OK :1 $4 :-2");
        bench.session.db = 1;
        bench.check("DBSIZE; TTL b; SWAPDB 1 0; DBSIZE; SWAPDB 1 1", ":3 :9 +OK :1 +OK");
        assert_eq!(bench.server.keyspace.dirty, 4 + 3);
        bench.pass(9000);
        bench.session.db = 0;
        bench.check("GET b; DBSIZE", "$_ :2");
    }

    #[test]
    fn wrong_databases_are_not_swapped() {
        for wrong in ["a", "''", "1.0", "2147483648", "-2147483649", "9223372036854775808"] {
            check(&format!("SWAPDB {wrong} 0"), "-ERR invalid first DB index");
            check(&format!("SWAPDB {wrong} {wrong}"), "-ERR invalid first DB index");
            check(&format!("SWAPDB 99 {wrong}"), "-ERR invalid second DB index");
        }
        for wrong in ["16", "-1", "2147483647", "-2147483648"] {
            check(&format!("SWAPDB {wrong} 0"), "-ERR DB index is out of range");
            check(&format!("SWAPDB 0 {wrong}"), "-ERR DB index is out of range");
        }
        check("SWAPDB 0", "-ERR wrong number of arguments for 'swapdb' command");
    }
}
