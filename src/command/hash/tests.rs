//! Tests of the family: what the commands reply, and what becomes of expired fields.

use crate::base::rng::Rng;
use crate::command::testing::{Bench, check};
use std::collections::{BTreeMap, BTreeSet};

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

fn encoding(bench: &mut Bench, key: &str) -> String {
    String::from_utf8(bench.raw(&["OBJECT", "ENCODING", key])).expect("text")
}

/// Both encodings: fields of a listpack, and the same in a table.
fn benches() -> [Bench; 2] {
    let mut table = Bench::new();
    table.check("CONFIG SET hash-max-listpack-entries 0", "+OK");
    [Bench::new(), table]
}

#[test]
fn fields_are_set_read_and_deleted() {
    for mut bench in benches() {
        bench.check("HSET h a 1 b 2 a 3; HGET h a; HGET h x; HGET nope x", ":2 $3 $_ $_");
        bench.check("HMGET h a x b; HMGET nope a b; HLEN h; HLEN nope", "[$3 $_ $2] [$_ $_] :2 :0");
        bench.check("HEXISTS h a; HEXISTS h x; HSTRLEN h a; HSTRLEN h x", ":1 :0 :1 :0");
        bench.check("HSETNX h a 9; HSETNX h c long; HSTRLEN h c", ":0 :1 :4");
        bench.check("HMSET h d 4 e 5; HDEL h a x b a; HDEL nope a; HLEN h", "+OK :2 :0 :3");
        bench.check("HDEL h c d e f; EXISTS h; HDEL h c", ":3 :0 :0");
        assert_eq!(bench.server.keyspace.dirty, 2 + 1 + 1 + 2 + 2 + 3 - 1 + 1 - 1 + 1);
    }
}

#[test]
fn whole_hashes_are_listed() {
    check("HSET h a 1 b 2; HGETALL h; HKEYS h; HVALS h", ":2 [$a $1 $b $2] [$a $b] [$1 $2]");
    check("HGETALL h; HKEYS h; HVALS h", "[] [] []");
    let mut bench = Bench::new();
    bench.raw(&["HELLO", "3"]);
    bench.check("HSET h a 1; HGETALL h; HGETALL x; HGET x y", ":1 %[$a $1] %[] _");
}

#[test]
fn arity_and_types_are_checked() {
    for script in ["HSET h", "HSET h a", "HSET h a 1 b", "HMSET h a 1 b", "HGET h", "HSETNX h a"] {
        let name = script.split(' ').next().expect("a name").to_ascii_lowercase();
        check(script, &format!("-ERR wrong number of arguments for '{name}' command"));
    }
    for script in [
        "HSET s a 1",
        "HMSET s a 1",
        "HSETNX s a 1",
        "HGET s a",
        "HMGET s a",
        "HGETALL s",
        "HKEYS s",
        "HVALS s",
        "HLEN s",
        "HSTRLEN s a",
        "HEXISTS s a",
        "HDEL s a",
        "HINCRBY s a 1",
        "HINCRBYFLOAT s a 1",
        "HRANDFIELD s",
        "HRANDFIELD s 1",
        "HSCAN s 0",
        "HEXPIRE s x FIELDS 0 y z",
        "HTTL s FIELDS 1 a",
        "HPERSIST s FIELDS 1 a",
        "HGETDEL s FIELDS 1 a",
        "HGETEX s FIELDS 1 a",
        "HSETEX s FIELDS 1 a 1",
    ] {
        check(&format!("SET s v; {script}"), &format!("+OK {WRONG_TYPE}"));
    }
    check(
        "HSET h a 1; GET h; INCR h; SET h v; GET h",
        &format!(":1 {WRONG_TYPE} {WRONG_TYPE} +OK $v"),
    );
}

#[test]
fn counters_count_and_refuse() {
    for mut bench in benches() {
        bench.check("HINCRBY h n 5; HINCRBY h n -7; HGET h n", ":5 :-2 $-2");
        bench.check(
            "HSET h m 9223372036854775807 t text sp ' 1'; HINCRBY h m 1; HINCRBY h t 1; HINCRBY h sp 1",
            ":3 -ERR increment or decrement would overflow -ERR hash value is not an integer \
             -ERR hash value is not an integer",
        );
        bench.check("HINCRBY h n x", "-ERR value is not an integer or out of range");
        bench.check("HINCRBYFLOAT h f 1.5; HINCRBYFLOAT h f 1.5; HGET h f", "$1.5 $3 $3");
        bench.check(
            "HINCRBYFLOAT h f x; HINCRBYFLOAT h f inf; HINCRBYFLOAT h t 1; HSET h i inf; HINCRBYFLOAT h i 1",
            "-ERR value is not a valid float -ERR value is NaN or Infinity \
             -ERR hash value is not a float :1 -ERR increment would produce NaN or Infinity",
        );
        bench.check(
            "HINCRBY new n x; EXISTS new",
            "-ERR value is not an integer or out of range :0",
        );
    }
}

#[test]
fn the_limits_of_the_configuration_decide_the_encoding() {
    let mut bench = Bench::new();
    bench.check("HSET h a 1", ":1");
    assert_eq!(encoding(&mut bench, "h"), "$8\r\nlistpack\r\n");
    let long = "x".repeat(65);
    bench.raw(&["HSET", "v", "a", &long]);
    bench.raw(&["HSET", "n", &long, "a"]);
    assert_eq!(encoding(&mut bench, "v"), "$9\r\nhashtable\r\n");
    assert_eq!(encoding(&mut bench, "n"), "$9\r\nhashtable\r\n");
    for n in 0..512 {
        bench.raw(&["HSET", "many", &n.to_string(), "v"]);
    }
    assert_eq!(encoding(&mut bench, "many"), "$8\r\nlistpack\r\n");
    bench.check("HSET many one-more v; COPY many copy", ":1 :1");
    assert_eq!(encoding(&mut bench, "copy"), "$9\r\nhashtable\r\n");
    bench.check("CONFIG SET hash-max-ziplist-value 2; HSET h b 123", "+OK :1");
    assert_eq!(encoding(&mut bench, "h"), "$9\r\nhashtable\r\n");
}

#[test]
fn a_copy_goes_its_own_way() {
    for mut bench in benches() {
        bench.check("HSET h a 1; COPY h c; HSET c a 2 b 3; HGET h a; HLEN h", ":1 :1 :1 $1 :1");
        bench.check("RENAME h r; HGET r a; MOVE r 1; EXISTS r", "+OK $1 :1 :0");
    }
}

#[test]
fn digests_are_redis_s() {
    // Read off Redis 7.0.15.
    let mut digests = BTreeSet::new();
    for mut bench in benches() {
        bench.check("HSET h a 1 b 2 c foo", ":3");
        bench.server.config.enable_debug_command = crate::config::Permission::Yes;
        digests.insert(bench.raw(&["DEBUG", "DIGEST-VALUE", "h"]));
    }
    assert_eq!(digests.len(), 1);
    let digest = digests.pop_first().expect("one");
    assert_eq!(digest, b"*1\r\n+b4c7f1ea9b54504ce784a4a346bb7ee072653afb\r\n");
}

// ---- Random fields ----

fn draws(bench: &mut Bench, words: &[&str]) -> Vec<String> {
    let reply = String::from_utf8(bench.raw(words)).expect("text");
    let mut lines = reply.split("\r\n");
    let head = lines.next().expect("a head");
    let lines: Vec<&str> = lines.collect();
    let items: Vec<String> = lines.chunks_exact(2).map(|pair| pair[1].to_owned()).collect();
    assert_eq!(head, format!("*{}", items.len()));
    items
}

#[test]
fn random_fields_are_drawn_evenly() {
    for mut bench in benches() {
        for n in 0..10 {
            bench.raw(&["HSET", "h", &format!("f{n}"), "v"]);
        }
        for (count, per_call) in [("-100", 100), ("1", 1), ("3", 3), ("7", 7)] {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            let calls = 10_000 / per_call;
            for _ in 0..calls {
                let fields = draws(&mut bench, &["HRANDFIELD", "h", count]);
                assert_eq!(fields.len(), per_call);
                fields.into_iter().for_each(|field| *counts.entry(field).or_default() += 1);
            }
            assert_eq!(counts.len(), 10);
            let even = calls * per_call / 10;
            for (field, count) in counts {
                assert!(count.abs_diff(even) < even / 5, "{field} {count} times of {even}");
            }
        }
        assert_eq!(draws(&mut bench, &["HRANDFIELD", "h", "50"]).len(), 10);
        let pairs = draws(&mut bench, &["HRANDFIELD", "h", "-5", "WITHVALUES"]);
        assert_eq!((pairs.len(), pairs[1].as_str()), (10, "v"));
    }
}

#[test]
fn few_of_many_fields_are_different() {
    let mut bench = Bench::new();
    for n in 0..2000 {
        bench.raw(&["HSET", "h", &format!("f{n}"), "v"]);
    }
    for count in ["5", "600", "1000", "1999"] {
        let fields = draws(&mut bench, &["HRANDFIELD", "h", count]);
        let unique: BTreeSet<&String> = fields.iter().collect();
        assert_eq!((fields.len(), unique.len()), (count.parse().unwrap(), fields.len()));
    }
}

#[test]
fn counts_of_random_fields_are_checked() {
    check(
        "HRANDFIELD h; HRANDFIELD h 3; HRANDFIELD h -3; HRANDFIELD h x",
        "$_ [] [] -ERR value is not an integer or out of range",
    );
    check(
        "HSET h a 1; HRANDFIELD h; HRANDFIELD h 0; HRANDFIELD h 1 foo; HRANDFIELD h 1 WITHVALUES",
        ":1 $a [] -ERR syntax error [$a $1]",
    );
    let range = "-ERR value is out of range";
    check(
        "HSET h a 1; HRANDFIELD h -9223372036854775808; HRANDFIELD h 9223372036854775807; \
         HRANDFIELD h 5000000000000000000 WITHVALUES; HRANDFIELD h -4611686018427387904 WITHVALUES; \
         HRANDFIELD h -9223372036854775807",
        &format!(
            ":1 {range}, value must between -9223372036854775807 and 9223372036854775807 [$a] \
             {range} {range} {range}, the reply would be too long"
        ),
    );
    let mut bench = Bench::new();
    bench.raw(&["HELLO", "3"]);
    bench.check(
        "HSET h a 1; HRANDFIELD h -2 WITHVALUES; HRANDFIELD x; HRANDFIELD x 1",
        ":1 [[$a $1] [$a $1]] _ []",
    );
}

// ---- Walking ----

#[test]
fn walks_find_every_field_with_its_value() {
    let mut bench = Bench::new();
    bench.check("HSCAN h 0; HSCAN h 0 FOO; HSCAN h x", "[$0 []] [$0 []] -ERR invalid cursor");
    bench.check(
        "HSET h a 1 b 2; HSCAN h 0; HSCAN h 0 NOVALUES; HSCAN h 0 MATCH b COUNT 1",
        ":2 [$0 [$a $1 $b $2]] [$0 [$a $b]] [$0 [$b $2]]",
    );
    bench.check(
        "HSCAN h 0 FOO; HSCAN h 0 TYPE hash; HSCAN h 0 COUNT 0",
        "-ERR syntax error -ERR syntax error -ERR syntax error",
    );
    for n in 0..1000 {
        bench.raw(&["HSET", "t", &format!("f{n}"), &n.to_string()]);
    }
    let (mut cursor, mut seen) = ("0".to_owned(), BTreeMap::new());
    loop {
        let reply = String::from_utf8(bench.raw(&["HSCAN", "t", &cursor, "COUNT", "20"])).unwrap();
        let lines: Vec<&str> = reply.split("\r\n").collect();
        cursor = lines[2].to_owned();
        for field in lines[4..].chunks_exact(4) {
            seen.insert(field[1].to_owned(), field[3].to_owned());
        }
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), 1000);
    assert!(seen.iter().all(|(name, value)| name[1..] == *value));
}

// ---- Expiry ----

#[test]
fn fields_expire_one_by_one_and_the_hash_with_the_last() {
    for mut bench in benches() {
        bench.check("HSET h a 1 b 2 c 3; HPEXPIRE h 10 FIELDS 2 a x", ":3 [:1 :-2]");
        bench.check("HEXPIRE h 1 FIELDS 1 b; HPTTL h FIELDS 3 a b c", "[:1] [:10 :1000 :-1]");
        bench.check(
            "HEXPIRETIME h FIELDS 1 b; HPEXPIRETIME h FIELDS 1 a",
            "[:1000001] [:1000000010]",
        );
        bench.check("HTTL h FIELDS 2 a b; HTTL nope FIELDS 2 a b", "[:1 :1] [:-2 :-2]");
        bench.pass(9);
        bench.check("HGET h a", "$1");
        bench.server.keyspace.check_field_deadlines();
        bench.pass(1);
        bench.check("HGET h a; HLEN h; HEXISTS h a; HTTL h FIELDS 1 a", "$_ :2 :0 [:-2]");
        bench.server.keyspace.check_field_deadlines();
        bench.check("HPEXPIRE h 1000 FIELDS 1 c; DBSIZE", "[:1] :1");
        bench.pass(1000);
        bench.check("HLEN h; EXISTS h; DBSIZE", ":0 :0 :0");
        assert_eq!(bench.server.keyspace.expired_fields, 3);
        bench.server.keyspace.check_field_deadlines();
    }
}

#[test]
fn active_expiry_removes_what_nobody_asks_for() {
    for mut bench in benches() {
        for n in 0..50 {
            bench.check(
                &format!("HSET h{n} a 1 b 2; HPEXPIRE h{n} {} FIELDS 1 a", n + 1),
                ":2 [:1]",
            );
        }
        bench.check("HPEXPIRE h7 5 FIELDS 1 b; DBSIZE", "[:1] :50");
        assert_eq!(bench.server.keyspace.field_volatile_len(), 50);
        bench.pass(25);
        assert!(!bench.server.keyspace.expire_some_fields(|| false));
        assert_eq!(bench.server.keyspace.expired_fields, 26);
        bench.check("DBSIZE", ":49");
        assert!(!bench.server.keyspace.expire_some_fields(|| true), "nothing is due");
        bench.pass(1);
        assert!(bench.server.keyspace.expire_some_fields(|| true), "one hash a look at the clock");
        bench.server.keyspace.check_field_deadlines();
    }
}

#[test]
fn many_expired_fields_are_hidden_before_they_are_removed() {
    let mut bench = Bench::new();
    bench.check("CONFIG SET hash-max-listpack-entries 0", "+OK");
    for n in 0..5000 {
        let name = format!("f{n}");
        bench.raw(&["HSET", "h", &name, "v"]);
        bench.raw(&["HPEXPIRE", "h", "10", "FIELDS", "1", &name]);
    }
    bench.check("HSET h stays v", ":1");
    bench.pass(10);
    bench.check(
        "HLEN h; HKEYS h; HRANDFIELD h; HRANDFIELD h 9; HVALS h",
        ":1 [$stays] $stays [$stays] [$v]",
    );
    assert!(bench.server.keyspace.expired_fields < 5000, "not all at once");
    bench
        .check("HGET h f4999; HDEL h f4999 f4998; HSETNX h f4997 w; HSET h f4996 w", "$_ :0 :1 :1");
    bench.check("HINCRBY h f4995 1; HTTL h FIELDS 2 f4995 f4994", ":1 [:-1 :-2]");
    bench.check("HLEN h; HDEL h stays f4997 f4996 f4995; HLEN h", ":4 :4 :0");
    for _ in 0..10 {
        bench.check("HLEN h", ":0");
    }
    bench.check("EXISTS h", ":0");
    bench.server.keyspace.check_field_deadlines();
}

#[test]
fn expiries_go_where_the_hash_goes() {
    for mut bench in benches() {
        bench.check(
            "HSET h a 1 b 2; HPEXPIRE h 10 FIELDS 1 a; COPY h c; RENAME h r",
            ":2 [:1] :1 +OK",
        );
        bench.check(
            "COPY c d DB 1; MOVE c 2; SWAPDB 2 3; SET r2 x; RENAME r r2",
            ":1 :1 +OK +OK +OK",
        );
        bench.server.keyspace.check_field_deadlines();
        bench.pass(10);
        assert!(!bench.server.keyspace.expire_some_fields(|| false));
        assert_eq!(bench.server.keyspace.expired_fields, 3);
        bench.server.keyspace.check_field_deadlines();
        bench.check(
            "HPEXPIRE r2 10 FIELDS 1 b; SET r2 x; HSET r2 a b",
            &format!("[:1] +OK {WRONG_TYPE}"),
        );
        bench.server.keyspace.check_field_deadlines();
        bench.check("HSET k a 1; HPEXPIRE k 10 FIELDS 1 a; PEXPIRE k 5; FLUSHDB", ":1 [:1] :1 +OK");
        bench.server.keyspace.check_field_deadlines();
        bench.check("HSET k a 1; HPEXPIRE k 10 FIELDS 1 a; PEXPIRE k 5", ":1 [:1] :1");
        bench.pass(5);
        bench.check("EXISTS k; HSET k a 1; HPEXPIRE k 10 FIELDS 1 a; EXPIRE k 0", ":0 :1 [:1] :1");
        bench.server.keyspace.check_field_deadlines();
        bench.check("HSET k a 1; HPEXPIRE k 10 FIELDS 1 a; DEL k; FLUSHALL", ":1 [:1] :1 +OK");
        bench.server.keyspace.check_field_deadlines();
    }
}

#[test]
fn conditions_compare_with_the_expiry_there_is() {
    for mut bench in benches() {
        bench.check(
            "HSET h a 1; HEXPIRE h 10 XX FIELDS 1 a; HEXPIRE h 10 GT FIELDS 1 a",
            ":1 [:0] [:0]",
        );
        bench.check("HEXPIRE h 10 LT FIELDS 1 a; HEXPIRE h 20 NX FIELDS 1 a", "[:1] [:0]");
        bench.check("HEXPIRE h 10 GT FIELDS 1 a; HEXPIRE h 10 LT FIELDS 1 a", "[:0] [:0]");
        bench.check(
            "HEXPIRE h 11 gt FIELDS 1 a; HEXPIRE h 9 lt FIELDS 1 a; HEXPIRE h 5 xx fields 1 a",
            "[:1] [:1] [:1]",
        );
        bench.check(
            "HTTL h FIELDS 1 a; HPERSIST h FIELDS 2 a x; HPERSIST h FIELDS 1 a",
            "[:5] [:1 :-2] [:-1]",
        );
        bench.check("HPERSIST nope FIELDS 1 a; HEXPIRE nope 1 FIELDS 2 a b", "[:-2] [:-2 :-2]");
        bench.check(
            "HSET h b 2; HEXPIRE h 0 FIELDS 2 b b; HEXPIREAT h 1 FIELDS 1 a; EXISTS h",
            ":1 [:2 :-2] [:2] :0",
        );
    }
}

#[test]
fn setting_a_value_takes_the_expiry_away_and_counting_does_not() {
    for mut bench in benches() {
        bench.check(
            "HSET h a 1 b 2; HEXPIRE h 9 FIELDS 2 a b; HSET h a 2; HINCRBY h b 1",
            ":2 [:1 :1] :0 :3",
        );
        bench.check("HINCRBYFLOAT h b 1; HTTL h FIELDS 2 a b", "$4 [:-1 :9]");
        bench.server.keyspace.check_field_deadlines();
    }
}

#[test]
fn a_listpack_says_that_it_has_room_for_expiries() {
    let mut bench = Bench::new();
    bench.check("HSET h a 1; HEXPIRE h 10 FIELDS 1 x", ":1 [:-2]");
    assert_eq!(encoding(&mut bench, "h"), "$10\r\nlistpackex\r\n");
    bench.check("HEXPIRE h 10 FIELDS 1 a; HPERSIST h FIELDS 1 a", "[:1] [:1]");
    assert_eq!(encoding(&mut bench, "h"), "$10\r\nlistpackex\r\n");
}

#[test]
fn arguments_of_field_expiry_are_checked() {
    let missing = "-ERR Mandatory argument FIELDS is missing or not at the right position";
    let other = "-ERR The `numfields` parameter must match the number of arguments";
    let positive = "-ERR Parameter `numFields` should be greater than 0";
    let number = "-ERR Number of fields must be a positive integer";
    let invalid = |name: &str| format!("-ERR invalid expire time in '{name}' command");
    for (script, error) in [
        ("HEXPIRE h 1 FOO 1 a", missing),
        ("HEXPIRE h 1 NX FIELDS 1", other),
        ("HEXPIRE h 1 FIELDS 2 a", other),
        ("HEXPIRE h 1 FIELDS 0 a", positive),
        ("HEXPIRE h 1 FIELDS x a", positive),
        ("HEXPIRE h x FIELDS 1 a", "-ERR value is not an integer or out of range"),
        ("HEXPIRE h -1 FIELDS 1 a", "-ERR invalid expire time, must be >= 0"),
        ("HTTL h FOO 1 a", missing),
        ("HTTL h FIELDS 0 a", number),
        ("HTTL h FIELDS 9223372036854775808 a", number),
        ("HPERSIST h FIELDS 2 a", other),
        ("HGETDEL h FIELDS 0 a", number),
        ("HGETDEL h FOO 1 a", missing),
        ("HGETEX h EX 10 FIELDS", "-ERR wrong number of arguments for 'hgetex' command"),
        ("HGETEX h PERSIST 1 FIELDS 1 a", missing),
        ("HGETEX h PXAT 1 1", missing),
        ("HGETEX h FIELDS 2 a", other),
        ("HGETEX h PX -1 FIELDS 1 a", "-ERR invalid expire time, must be >= 0"),
        ("HSETEX h FIELDS 2 a 1", "-ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX h FIELDS x a 1", "-ERR invalid number of fields"),
        ("HSETEX h FIELDS 0 a 1", "-ERR invalid number of fields"),
        ("HSETEX h NX FIELDS 1 a 1", "-ERR unknown argument: NX"),
        ("HSETEX h FIELDS 1 a 1 more", "-ERR unknown argument: more"),
        ("HSETEX h FNX FXX FIELDS 1 a 1", "-ERR Only one of FXX or FNX arguments can be specified"),
        (
            "HSETEX h EX 1 KEEPTTL FIELDS 1 a 1",
            "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
        ),
        ("HSETEX h FIELDS 1 a 1 EX", "-ERR missing expire time"),
    ] {
        check(script, error);
        check(
            &format!("HSET h a 1; {script}; HGET h a; HPTTL h FIELDS 1 a"),
            &format!(":1 {error} $1 [:-1]"),
        );
    }
    // 2^46 - 1 milliseconds is the end of time; the bench's clock stands at 10^9.
    check(
        "HSET h a 1; HPEXPIREAT h 70368744177663 FIELDS 1 a; HPEXPIRE h 70367744177663 FIELDS 1 a",
        ":1 [:1] [:1]",
    );
    for (script, name) in [
        ("HPEXPIREAT h 70368744177664 FIELDS 1 a", "hpexpireat"),
        ("HPEXPIRE h 70367744177664 FIELDS 1 a", "hpexpire"),
        ("HEXPIRE h 9223372036854775807 FIELDS 1 a", "hexpire"),
        ("HGETEX h EXAT 70368744178 FIELDS 1 a", "hgetex"),
        ("HSETEX h EX 281474976710656 FIELDS 1 a 1", "hsetex"),
    ] {
        check(script, &invalid(name));
    }
}

#[test]
fn values_are_read_while_their_expiry_changes() {
    for mut bench in benches() {
        bench.check("HGETEX h EX 10 FIELDS 2 a b; HSET h a 1 b 2", "[$_ $_] :2");
        bench.check("HGETEX h EX 10 FIELDS 2 a x; HTTL h FIELDS 2 a b", "[$1 $_] [:10 :-1]");
        bench.check(
            "HGETEX h FIELDS 1 a; HGETEX h PERSIST FIELDS 2 a b; HTTL h FIELDS 1 a",
            "[$1] [$1 $2] [:-1]",
        );
        bench.check("HGETEX h PXAT 1 FIELDS 2 a b; EXISTS h", "[$1 $2] :0");
        bench.check(
            "HSET h a 1 b 2; HGETDEL h FIELDS 3 a x a; HGETDEL h FIELDS 1 b; EXISTS h",
            ":2 [$1 $_ $_] [$2] :0",
        );
        bench.check("HGETDEL h FIELDS 2 a b", "[$_ $_]");
        bench.server.keyspace.check_field_deadlines();
    }
}

#[test]
fn values_are_set_with_their_expiry() {
    for mut bench in benches() {
        bench.check(
            "HSETEX h FXX FIELDS 1 a 1; EXISTS h; HSETEX h FNX EX 10 FIELDS 2 a 1 b 2",
            ":0 :0 :1",
        );
        bench.check(
            "HSETEX h FNX FIELDS 2 c 1 b 2; HSETEX h FXX FIELDS 2 a 3 c 3; HGETALL h",
            ":0 :0 [$a $1 $b $2]",
        );
        bench.check(
            "HSETEX h FIELDS 1 a 9 KEEPTTL; HSETEX h FIELDS 1 b 9; HTTL h FIELDS 2 a b",
            ":1 :1 [:10 :-1]",
        );
        bench.check("HMGET h a b; HSETEX h PXAT 1 FIELDS 2 a 1 b 1; EXISTS h", "[$9 $9] :1 :0");
        bench.check("HSETEX h PX 5 FIELDS 1 a 1", ":1");
        bench.server.keyspace.check_field_deadlines();
        bench.pass(5);
        bench.check("HGETALL h; EXISTS h", "[] :0");
    }
}

#[test]
fn random_commands_leave_the_index_right() {
    let mut rng = Rng::seeded(9);
    for mut bench in benches() {
        for _ in 0..3000 {
            let key = format!("h{}", rng.below(4));
            let name = format!("f{}", rng.below(6));
            let ttl = (1 + rng.below(40)).to_string();
            match rng.below(9) {
                0..=1 => bench.raw(&["HSET", &key, &name, "v"]),
                2..=3 => bench.raw(&["HPEXPIRE", &key, &ttl, "FIELDS", "1", &name]),
                4 => bench.raw(&["HPERSIST", &key, "FIELDS", "1", &name]),
                5 => bench.raw(&["HDEL", &key, &name]),
                6 => bench.raw(&["RENAME", &key, &format!("h{}", rng.below(4))]),
                7 => bench.raw(&["COPY", &key, &format!("h{}", rng.below(4)), "REPLACE"]),
                _ => bench.raw(&["HSETEX", &key, "PX", &ttl, "FIELDS", "1", &name, "w"]),
            };
            bench.pass(rng.below(3));
            if rng.below(20) == 0 {
                bench.server.keyspace.expire_some_fields(|| false);
            }
            bench.server.keyspace.check_field_deadlines();
        }
        assert!(bench.server.keyspace.expired_fields > 100);
    }
}
