//! Tests of effects: a script in, what it leaves out.

use super::*;
use crate::command::testing::{Bench, recorded};
use crate::config::Config;

/// A bench with a listener.
fn listening(config: Config) -> Bench {
    let mut bench = Bench::with(config);
    bench.server.listen(Listener::AppendOnlyFile);
    bench
}

/// What a script leaves, as text.
#[track_caller]
fn check(bench: &mut Bench, script: &str, expected: &str) {
    bench.run(script);
    assert_eq!(recorded(&mut bench.server), expected, "{script}");
}

#[test]
fn nothing_is_recorded_while_nobody_listens() {
    let mut bench = Bench::new();
    bench.run("SET k v PX 10; SPOP s");
    bench.pass(10);
    bench.run("GET k");
    assert!(!bench.server.effects.wanted());
    assert!(bench.server.effects.bytes().is_empty() && bench.server.keyspace.removals.is_empty());
}

#[test]
fn what_changed_nothing_is_not_recorded() {
    let script = "GET k; DEL k; SET k v XX; set k v; DEL k x; SET k; PING; NOPE; INCR k; DECR k";
    check(&mut listening(Config::default()), script, "SELECT 0|set k v|DEL k x|INCR k|DECR k");
}

#[test]
fn a_snapshot_changes_nothing() {
    let mut bench = listening(Config::default());
    check(&mut bench, "SET k v; SAVE; SET k w; BGSAVE", "SELECT 0|SET k v|SET k w");
    check(&mut bench, "SET k v", "SET k v");
    check(&mut bench, "SHUTDOWN SAVE", "");
    assert!(bench.server.shutdown.is_some() && bench.server.keyspace.dirty == 0);
}

#[test]
fn a_database_is_selected_when_it_changes() {
    let mut bench = listening(Config::default());
    check(
        &mut bench,
        "INCR a; INCR a; SELECT 3; INCR a; SELECT 0; GET a",
        "SELECT 0|INCR a|INCR a|SELECT 3|INCR a",
    );
    check(&mut bench, "SELECT 3; INCR a", "INCR a");
    bench.server.effects.forget_db();
    check(&mut bench, "INCR a", "SELECT 3|INCR a");
}

#[test]
fn what_expired_is_recorded_with_the_command_that_found_it() {
    let script = "MSET a 1 b 2 c 3; PEXPIREAT a 1000000005; PEXPIREAT b 1000000005";
    let delete = |lazy| {
        let mut bench = listening(Config { lazyfree_lazy_expire: lazy, ..Config::default() });
        bench.run(script);
        bench.server.effects.clear();
        bench
    };
    for (lazy, word) in [(false, "DEL"), (true, "UNLINK")] {
        for (script, expected) in [
            ("GET a; GET b; GET a", "D a|D b"),
            ("MGET a b c", "MULTI|D a|D b|EXEC"),
            ("SET a 1; INCR a", "MULTI|D a|SET a 1|EXEC|INCR a"),
            ("RENAME c a", "MULTI|D a|RENAME c a|EXEC"),
            ("SETNX a 1; EXISTS c", "MULTI|D a|SETNX a 1|EXEC"),
            ("SELECT 1; COPY c x; SELECT 0; COPY a x", "D a"),
            ("SCAN 0", "D a|D b"),
        ] {
            let mut bench = delete(lazy);
            bench.pass(5);
            check(&mut bench, script, &expected.replace('D', word).replace("RENUNLINKE", "RENDE"));
        }
    }
}

#[test]
fn a_unit_of_several_commands_is_one_transaction() {
    fn nested(ctx: &mut Context<'_>) -> Outcome {
        ctx.effects_none();
        for _ in 0..2 {
            run(inner, ctx)?;
        }
        Ok(())
    }
    fn inner(ctx: &mut Context<'_>) -> Outcome {
        ctx.server.keyspace.dirty += 1;
        ctx.effects_also(&[b"A", b"1"]);
        Ok(())
    }
    let mut bench = listening(Config::default());
    bench.handle(nested, &["B"]);
    assert_eq!(recorded(&mut bench.server), "SELECT 0|MULTI|A 1|B|A 1|B|EXEC");
    bench.handle(
        |ctx| {
            ctx.effects_loose();
            run(inner, ctx)
        },
        &["B"],
    );
    assert_eq!(recorded(&mut bench.server), "A 1|B|B");
}

#[test]
fn handlers_say_what_stands_for_their_command() {
    let mut bench = listening(Config::default());
    let mut check = |handler: fn(&mut Context<'_>) -> Outcome, expected: &str| {
        bench.handle(handler, &["B", "b"]);
        bench.server.effects.forget_db();
        assert_eq!(recorded(&mut bench.server), expected);
    };
    check(
        |ctx| {
            ctx.effects_always();
            Ok(())
        },
        "SELECT 0|B b",
    );
    check(
        |ctx| {
            ctx.server.keyspace.dirty += 1;
            ctx.effects_none();
            Ok(())
        },
        "",
    );
    check(
        |ctx| {
            ctx.server.keyspace.dirty += 1;
            ctx.effects_as(&[b"X", b""]);
            Ok(())
        },
        "SELECT 0|X ''",
    );
    check(
        |ctx| {
            if let Some(mut effects) = ctx.effects_instead() {
                effects.add(2).word(b"X").number(-7);
            }
            Ok(())
        },
        "SELECT 0|X -7",
    );
}

/// What each command leaves after a script, on a server at Unix time 1,000,000 s.
#[track_caller]
fn forms(before: &str, cases: &[(&str, &str)]) {
    for (command, expected) in cases {
        let mut bench = listening(Config::default());
        bench.run("SET _ _");
        if !before.is_empty() {
            bench.run(before);
        }
        bench.server.effects.clear();
        check(&mut bench, command, expected);
    }
}

#[test]
fn times_of_keys_are_absolute() {
    forms(
        "SET k v EX 9; SET p v",
        &[
            ("SET k w ex 1", "SET k w PXAT 1000001000"),
            ("SET k w PX 1 XX GET", "SET k w PXAT 1000000001"),
            ("SET k w EXAT 1000001 xx", "SET k w PXAT 1000001000"),
            ("SET k w PXAT 5", "SET k w PXAT 5"),
            ("set k w get keepttl", "set k w keepttl"),
            ("SET k w nx", ""),
            ("SET k w nx get", ""),
            ("SET k w IFEQ x", ""),
            ("SET k w IFEQ v", "SET k w"),
            ("SET k w IFNE x GET KEEPTTL", "SET k w KEEPTTL"),
            ("SET n w IFNE x EX 1", "SET n w PXAT 1000001000"),
            ("SETEX k 1 w; PSETEX k 1 w", "SET k w PXAT 1000001000|SET k w PXAT 1000000001"),
            ("GETSET k w; SETNX k w; SETNX n w", "SET k w|SETNX n w"),
            ("MSETEX 2 a 1 b 2", "MSET a 1 b 2"),
            ("MSETEX 2 k 1 p 2 XX KEEPTTL", "MULTI|SET k 1 KEEPTTL|SET p 2 KEEPTTL|EXEC"),
            ("MSETEX 2 k 1 a 2 XX; MSETEX 1 a 1 NX EX 1", "SET a 1 PXAT 1000001000"),
            ("EXPIRE k 1", "PEXPIREAT k 1000001000"),
            ("PEXPIRE k 1 lt; EXPIRE k 1 LT", "PEXPIREAT k 1000000001 lt"),
            ("EXPIREAT k 1000001 XX", "PEXPIREAT k 1000001000 XX"),
            ("pexpireat k 1000000001", "pexpireat k 1000000001"),
            ("EXPIRE k 0; EXPIRE k 0; EXPIREAT p 1 NX", "DEL k|DEL p"),
            ("PERSIST k; PERSIST k; PERSIST x", "PERSIST k"),
            ("GETEX k; GETEX k PX 7; GETEX k PERSIST", "PEXPIREAT k 1000000007|PERSIST k"),
            ("GETEX k PERSIST; GETEX k PERSIST; GETEX k EXAT 1", "PERSIST k|DEL k"),
            ("GETDEL k; GETDEL k; DELEX p; DELEX p", "DEL k|DEL p"),
            ("DELIFEQ k x; DELIFEQ k v; DELEX p IFNE w", "DEL k|DEL p"),
        ],
    );
}

#[test]
fn times_of_fields_are_absolute_and_only_of_those_that_changed() {
    forms(
        "HSET h a 1 b 2 c 3; HEXPIRE h 9 FIELDS 2 a b",
        &[
            ("HEXPIRE h 1 FIELDS 3 a x c", "HPEXPIREAT h 1000001000 FIELDS 2 a c"),
            ("HPEXPIRE h 1 nx FIELDS 2 a c", "HPEXPIREAT h 1000000001 nx FIELDS 1 c"),
            ("HEXPIRE h 1 GT FIELDS 1 a; HEXPIRE x 1 FIELDS 1 a", ""),
            ("HEXPIREAT h 1 FIELDS 3 a x c", "MULTI|HDEL h a|HDEL h c|EXEC"),
            ("HPERSIST h FIELDS 2 a c; HPERSIST h FIELDS 1 c", "HPERSIST h FIELDS 2 a c"),
            ("HGETEX h FIELDS 1 a; HGETEX h PERSIST FIELDS 2 a c", "HPERSIST h FIELDS 1 a"),
            ("HGETEX h EX 1 FIELDS 2 c x", "HPEXPIREAT h 1000001000 FIELDS 1 c"),
            ("HGETEX h PXAT 1 FIELDS 2 c x; HGETEX h PERSIST FIELDS 1 c", "HDEL h c"),
            ("HGETDEL h FIELDS 3 a x a; HGETDEL h FIELDS 1 a", "HDEL h a"),
            ("HSETEX h FIELDS 2 a 5 x 6", "HSET h a 5 x 6"),
            (
                "HSETEX h EX 1 FIELDS 1 a 5",
                "MULTI|HSET h a 5|HPEXPIREAT h 1000001000 FIELDS 1 a|EXEC",
            ),
            (
                "HSETEX h FXX KEEPTTL FIELDS 2 a 5 c 6",
                "MULTI|HSET h a 5 c 6|HPEXPIREAT h 1000009000 FIELDS 1 a|EXEC",
            ),
            ("HSETEX h PXAT 1 FIELDS 2 a 5 x 6", "MULTI|HDEL h a|HDEL h x|EXEC"),
            ("HSETEX h FNX FIELDS 1 a 5", ""),
            ("HINCRBYFLOAT h c 0.5", "HSET h c 3.5"),
            ("HINCRBYFLOAT h a 0.5", "MULTI|HSET h a 1.5|HPEXPIREAT h 1000009000 FIELDS 1 a|EXEC"),
            ("HINCRBY h a 1; HSETNX h a 1; HSETNX h x 1", "HINCRBY h a 1|HSETNX h x 1"),
        ],
    );
}

#[test]
fn fields_that_expired_are_deleted_one_by_one() {
    let mut bench = listening(Config::default());
    bench.run("HSET h a 1 b 2 c 3; HPEXPIRE h 5 FIELDS 2 a b; HPEXPIRE h 6 FIELDS 1 c");
    bench.pass(5);
    bench.server.effects.clear();
    check(&mut bench, "HSET h a 1", "MULTI|HDEL h a|HDEL h b|HSET h a 1|EXEC");
    bench.run("HPEXPIRE h 1 FIELDS 1 a");
    bench.server.effects.clear();
    bench.pass(1);
    check(&mut bench, "HINCRBY h a 1", "MULTI|HDEL h c|HDEL h a|HINCRBY h a 1|EXEC");
}

#[test]
fn fields_that_expired_unnoticed_are_deleted_before_they_are_made_anew() {
    for command in ["HINCRBY h 999 1", "HSETNX h 999 1"] {
        let mut bench = listening(Config::default());
        for n in 0..1000 {
            let at_ms = 1_000_000_005 + n / 999; // the last one last
            bench.run(&format!("HSET h {n} 5; HPEXPIREAT h {at_ms} FIELDS 1 {n}"));
        }
        bench.pass(6);
        bench.server.effects.clear();
        bench.run(command);
        let recorded = recorded(&mut bench.server);
        let (deletions, last) = recorded.split_once(&format!("|{command}|")).expect("it is there");
        assert_eq!(last, "EXEC");
        assert!(deletions.ends_with("|HDEL h 999"), "{deletions}");
    }
}

#[test]
fn what_is_random_or_computed_is_recorded_as_its_result() {
    forms(
        "SADD s a; SADD t a b c; SET f 1; HSET h a 1",
        &[
            ("SPOP s; SPOP s", "SREM s a"),
            ("SPOP t 3; SPOP t 3", "DEL t"),
            ("SPOP t 0", ""),
            ("INCRBYFLOAT f 0.5", "SET f 1.5 KEEPTTL"),
            ("GEOADD g nx CH 13.361389 38.115556 P", "ZADD g nx CH 3479099956230698 P"),
            ("GEOADD g XX 13.361389 38.115556 P", ""),
            ("PFADD p a; PFADD p a; PFCOUNT p; PFCOUNT p", "PFADD p a|PFCOUNT p"),
        ],
    );
    let mut bench = listening(Config::default());
    let numbers: Vec<String> = (0..3000).map(|n| n.to_string()).collect();
    bench.run(&format!("SADD s {}", numbers.join(" ")));
    bench.server.effects.clear();
    bench.run("SPOP s 2500");
    let recorded = recorded(&mut bench.server);
    let commands: Vec<Vec<&str>> =
        recorded.split('|').map(|command| command.split(' ').collect()).collect();
    let lens: Vec<usize> = commands.iter().map(Vec::len).collect();
    assert_eq!(lens, [1, 2 + 1024, 2 + 1024, 2 + 452, 1]);
    assert!(commands[1..4].iter().all(|command| command[..2] == ["SREM", "s"]));
}

#[test]
fn pops_are_recorded_for_the_key_that_was_popped_from() {
    forms(
        "RPUSH l a b c; ZADD z 1 a 2 b 3 c",
        &[
            ("LMPOP 2 x l LEFT COUNT 2; LMPOP 1 l RIGHT COUNT 9", "LPOP l 2|RPOP l 1"),
            ("LPOP l 0; LPOP l 2; RPOP l", "LPOP l 2|RPOP l"),
            ("BLPOP x l 0; BRPOP l x 0; BLMPOP 0 1 l LEFT", "LPOP l|RPOP l|LPOP l 1"),
            ("BLMOVE l m LEFT RIGHT 0", "LMOVE l m LEFT RIGHT"),
            ("BRPOPLPUSH l m 0; RPOPLPUSH l l", "RPOPLPUSH l m|RPOPLPUSH l l"),
            ("ZMPOP 2 x z MIN COUNT 2; ZMPOP 1 z MAX COUNT 9", "ZPOPMIN z 2|ZPOPMAX z 1"),
            ("BZPOPMIN x z 0; BZPOPMAX z 0; BZMPOP 0 1 z MIN", "ZPOPMIN z|ZPOPMAX z|ZPOPMIN z 1"),
        ],
    );
}

#[test]
fn databases_as_wholes_are_recorded_even_if_they_were_empty() {
    forms(
        "",
        &[
            ("FLUSHALL; FLUSHALL ASYNC; FLUSHDB", "FLUSHALL|FLUSHALL ASYNC|FLUSHDB"),
            ("SELECT 3; FLUSHDB SYNC; SWAPDB 3 0", "SELECT 3|FLUSHDB SYNC|SWAPDB 3 0"),
            ("SCAN 0; RANDOMKEY; KEYS *; FLUSHALL x", ""),
        ],
    );
}

#[test]
fn the_last_listener_takes_all_with_it() {
    let mut bench = listening(Config::default());
    bench.run("SET k v");
    bench.server.stop_listening(Listener::AppendOnlyFile);
    assert!(!bench.server.effects.wanted() && bench.server.effects.bytes().is_empty());
    bench.run("SET k v");
    assert!(bench.server.effects.take().is_empty());
    bench.server.listen(Listener::AppendOnlyFile);
    check(&mut bench, "INCR i", "SELECT 0|INCR i");
}

#[test]
fn a_turn_may_end_inside_a_command_that_has_recorded_nothing() {
    let mut bench = listening(Config::default());
    bench.run("SET k v");
    let effects = &mut bench.server.effects;
    effects.begin();
    effects.clear();
    effects.end();
    check(&mut bench, "INCR i", "INCR i");
}

#[test]
fn scripts_choose_who_is_told() {
    let mut bench = listening(Config::default());
    bench.server.listen(Listener::Replicas);
    bench.check(
        "EVAL \"redis.call('set','a',1) redis.set_repl(redis.REPL_NONE) redis.call('set','b',2) \
         redis.set_repl(redis.REPL_AOF) redis.call('set','c',3) redis.call('select',1) \
         redis.call('set','d',4) redis.set_repl(redis.REPL_REPLICA) redis.call('set','e',5) \
         redis.set_repl(redis.REPL_ALL) redis.call('set','f',6)\" 0; SET g 7",
        "$_ +OK",
    );
    let effects = &bench.server.effects;
    let [log, stream] =
        [effects.bytes_for_log(), effects.bytes_for_replicas()].map(|bytes| bytes.into_owned());
    assert_eq!((log.len(), stream.len()), (effects.log_len(), effects.stream_len()));
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).expect("text").replace("\r\n", " ");
        let words = text.split(' ').filter(|word| !word.starts_with(['$', '*']));
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        text(log),
        "SELECT 0 MULTI set a 1 set c 3 SELECT 1 set d 4 set f 6 EXEC SELECT 0 SET g 7 "
    );
    assert_eq!(
        text(stream),
        "SELECT 0 MULTI set a 1 SELECT 1 set e 5 set f 6 EXEC SELECT 0 SET g 7 "
    );
}
