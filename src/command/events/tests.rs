//! What is told of commands.

use crate::command::testing::Bench;
use crate::config::Events;

/// A server that tells all events to its only client.
fn listening() -> Bench {
    let mut bench = Bench::new();
    bench.run("CONFIG SET notify-keyspace-events AEmn; HELLO 3; PSUBSCRIBE *");
    assert!(bench.server.keyspace.events.wanted());
    bench
}

/// Events of the last commands, as `event key`.
fn told(bench: &mut Bench, script: &str) -> String {
    let mut told = Vec::new();
    for line in script.split(';') {
        let words = crate::base::quote::split_args(line.trim().as_bytes()).expect("quotes");
        let reply = String::from_utf8(bench.raw(&words)).expect("text");
        let mut pushes = reply.split(">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n").skip(1).map(|push| {
            let mut lines = push.split("\r\n").skip(1).step_by(2);
            let channel = lines.next().expect("a channel").to_owned();
            let event = channel.rsplit_once(':').expect("an event").1.to_owned();
            format!("{event} {}", lines.next().expect("a key"))
        });
        told.extend(pushes.by_ref());
    }
    told.join(", ")
}

#[track_caller]
fn check(setup: &str, script: &str, expected: &str) {
    let mut bench = listening();
    if !setup.is_empty() {
        told(&mut bench, setup);
    }
    assert_eq!(told(&mut bench, script), expected, "{script}");
}

#[test]
fn strings_tell() {
    check("", "SET a 1; SET a 2", "new a, set a, set a");
    check("", "SET a 1 EX 9; SETEX a 9 x", "new a, set a, expire a, set a, expire a");
    check("SET a 1", "APPEND a 2; SETRANGE a 0 x; GETSET a y", "append a, setrange a, set a");
    check("SET a 1", "INCR a; DECR a; INCRBYFLOAT a 1.5", "incrby a, incrby a, incrbyfloat a");
    check(
        "SET a 1",
        "GETEX a EX 9; GETEX a PERSIST; GETEX a; GETDEL a",
        "expire a, persist a, del a",
    );
    check("", "MSET a 1 b 2; MSETNX a 1; SETNX b 1", "new a, set a, new b, set b");
    check("", "GET x; MGET x y; SET x 1 XX", "keymiss x, keymiss x, keymiss y");
}

#[test]
fn lookups_that_find_nothing_tell_so_but_those_of_object() {
    for word in ["ENCODING", "FREQ", "IDLETIME", "REFCOUNT"] {
        check("", &format!("OBJECT {word} x"), "");
    }
    for line in ["MEMORY USAGE x", "SETNX x v", "RENAME x y", "EXPIRE x 9", "XGROUP CREATE x g $"] {
        check(
            "SELECT 1",
            &format!("{line}; DEL x"),
            if line == "SETNX x v" { "new x, set x, del x" } else { "" },
        );
    }
    for line in ["TYPE x", "TTL x", "PEXPIRETIME x", "EXISTS x", "DUMP x", "TOUCH x", "XACK x g 1"]
    {
        check("", line, "keymiss x");
    }
    for line in ["XCLAIM x g c 0 1", "XAUTOCLAIM x g c 0 0", "XREADGROUP GROUP g c STREAMS x >"] {
        check("", line, "keymiss x");
    }
    check("", "XREAD STREAMS x 0", "keymiss x, keymiss x");
}

#[test]
fn lists_tell() {
    check("", "RPUSH l a b; LPUSH l c", "new l, rpush l, lpush l");
    check("RPUSH l a b", "LPOP l; RPOP l", "lpop l, rpop l, del l");
    check("RPUSH l a b", "LMOVE l m LEFT RIGHT", "new m, rpush m, lpop l");
    check("RPUSH l a", "LMOVE l l LEFT RIGHT", "rpush l, lpop l");
    check("RPUSH l a", "RPOPLPUSH l m", "new m, lpush m, rpop l, del l");
    check(
        "RPUSH l a b",
        "LSET l 0 x; LINSERT l BEFORE x y; LREM l 0 x",
        "lset l, linsert l, lrem l",
    );
    check("RPUSH l a b", "LTRIM l 0 0; LTRIM l 5 6", "ltrim l, ltrim l, del l");
    check("RPUSH l a b", "LMPOP 2 k l LEFT COUNT 9", "lpop l, del l");
}

#[test]
fn sets_tell() {
    check("", "SADD s a b; SADD s a; SREM s a x; SREM s b", "new s, sadd s, srem s, srem s, del s");
    check("SADD s a", "SMOVE s t a", "srem s, del s, new t, sadd t");
    check("SADD s a b c", "SPOP s; SPOP s 2", "spop s, spop s, del s");
    check("SADD s a", "SUNIONSTORE t s s; SDIFFSTORE t s s", "new t, sunionstore t, del t");
    check("SADD s a", "SINTERSTORE t s s", "new t, sinterstore t");
}

#[test]
fn sorted_sets_tell() {
    check("", "ZADD z 1 a; ZADD z 1 a; ZINCRBY z 1 a", "new z, zadd z, zincr z");
    check("ZADD z 1 a 2 b", "ZPOPMIN z; ZPOPMAX z", "zpopmin z, zpopmax z, del z");
    check(
        "ZADD z 1 a 2 b",
        "ZREM z a x; ZREMRANGEBYSCORE z 0 9",
        "zrem z, zremrangebyscore z, del z",
    );
    check(
        "ZADD z 1 a",
        "ZRANGESTORE y z 0 -1; ZUNIONSTORE y 1 z",
        "new y, zrangestore y, zunionstore y",
    );
    check(
        "GEOADD g 1 1 a",
        "GEOSEARCHSTORE h g FROMMEMBER a BYRADIUS 1 m",
        "new h, geosearchstore h",
    );
}

#[test]
fn hashes_tell() {
    check("", "HSET h a 1 b 2; HSETNX h a 1; HINCRBY h a 1", "new h, hset h, hincrby h");
    check("HSET h a 1 b 2", "HDEL h a x; HDEL h b", "hdel h, hdel h, del h");
    check(
        "HSET h a 1 b 2",
        "HEXPIRE h 9 FIELDS 1 a; HPERSIST h FIELDS 1 a; HEXPIRE h 0 FIELDS 2 a b",
        "hexpire h, hpersist h, hdel h, del h",
    );
}

#[test]
fn keys_as_wholes_tell() {
    check("SET a 1", "RENAME a b; COPY b c", "new b, rename_from a, rename_to b, new c, copy_to c");
    check("SET a 1", "MOVE a 1; DEL a", "new a, move_from a, move_to a");
    check("SET a 1", "EXPIRE a 9; PERSIST a; PERSIST a; EXPIRE a 0", "expire a, persist a, del a");
    check("SET a 1; SET b 1", "DEL a x b", "del a, del b");
    check("RPUSH l 2 1", "SORT l STORE m; SORT x STORE m", "new m, sortstore m, keymiss x, del m");
}

#[test]
fn the_time_of_a_key_is_told_in_front_of_the_command_that_finds_it() {
    let mut bench = listening();
    told(&mut bench, "SET a 1 PX 10; SET b 1 PX 10");
    bench.pass(10);
    let expected = "expired a, new a, set a, expired b, keymiss b";
    assert_eq!(told(&mut bench, "SET a 2; GET b"), expected);
}

#[test]
fn only_what_was_asked_for_is_told() {
    let mut bench = listening();
    assert_eq!(
        told(&mut bench, "CONFIG SET notify-keyspace-events Kl; SET a 1; RPUSH l a"),
        "l rpush"
    );
    assert_eq!(bench.server.config.notify_keyspace_events, Events::KEYSPACE | Events::LIST);
    assert_eq!(told(&mut bench, "CONFIG SET notify-keyspace-events KE; RPUSH l a"), "");
    assert!(!bench.server.keyspace.events.wanted());
}
