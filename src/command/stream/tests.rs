//! Entries: adding, reading, trimming and deleting them, and what is recorded of that.

use crate::command::effects::Listener;
use crate::command::testing::{Bench, check, recorded};

#[test]
fn entries_get_the_ids_they_ask_for() {
    check(
        "XADD s 1-1 f v; XADD s 1-* f v; XADD s 5 f v; XADD s 5-* f v; XADD s 7-* f v; XADD n 0-* f v; \
         XLEN s; XLEN none",
        "$1-1 $1-2 $5-0 $5-1 $7-0 $0-1 :5 :0",
    );
    // The bench's clock stands at 1,000,000,000 ms.
    check("XADD s * f v; XADD s * f v", "$1000000000-0 $1000000000-1");
    check("XADD s 2000000000-5 f v; XADD s * f v", "$2000000000-5 $2000000000-6");
}

#[test]
fn ids_must_ascend() {
    let small = "-ERR The ID specified in XADD is equal or smaller than the target stream top item";
    let zero = "-ERR The ID specified in XADD must be greater than 0-0";
    let exhausted = "-ERR The stream has exhausted the last possible ID, unable to add more items";
    let invalid = "-ERR Invalid stream ID specified as stream command argument";
    let check_last = |script: &str, reply: &str| {
        let mut bench = Bench::new();
        bench.run("XADD s 5-5 f v; XADD max 18446744073709551615-18446744073709551615 f v");
        bench.run("SET str v");
        bench.check(script, reply);
    };
    for id in ["5-5", "5", "4-*", "0-1"] {
        check_last(&format!("XADD s {id} f v"), small);
    }
    for id in ["*", "1-1", "18446744073709551615-*", "18446744073709551615-18446744073709551615"] {
        check_last(&format!("XADD max {id} f v"), exhausted);
    }
    for id in ["-", "+", "(6", "6-", "-6", "6-1-1", "*-6", "6-*x", "18446744073709551616", "x"] {
        check_last(&format!("XADD s {id} f v"), invalid);
    }
    check_last("XADD s 0 f v", zero);
    check_last("XADD str 0-0 f v", zero);
    check_last("XADD none 0-0 f v; EXISTS none", &format!("{zero} :0"));
    check_last(
        "XADD s 5-18446744073709551615 f v; XADD s 5-* f v",
        &format!("$5-18446744073709551615 {small}"),
    );
    check_last(
        "XADD str 6 f v; XADD none NOMKSTREAM 6 f v; EXISTS none",
        "-WRONGTYPE Operation against a key holding the wrong kind of value $_ :0",
    );
}

#[test]
fn options_are_checked_in_redis_order() {
    let arity = "-ERR wrong number of arguments for 'xadd' command";
    let invalid = "-ERR Invalid stream ID specified as stream command argument";
    let number = "-ERR value is not an integer or out of range";
    let two = "-ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
    let no_about = "-ERR syntax error, LIMIT cannot be used without the special ~ option";
    let no_strategy =
        "-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
    for (line, reply) in [
        ("XADD s * a", arity),
        ("XADD s * a b c", arity),
        ("XADD s MAXLEN = 3 * a", arity),
        ("XADD s NOMKSTREAM 6-2", arity),
        ("XADD s MAXLEN 3 a b", invalid),
        ("XADD s MAXLEN ~ a b", number),
        ("XADD s MAXLEN x * a b", number),
        ("XADD s MAXLEN -1 * a b", "-ERR The MAXLEN argument must be >= 0."),
        ("XADD s MAXLEN ~ 3 LIMIT -1 * a b", "-ERR The LIMIT argument must be >= 0."),
        ("XADD s MAXLEN 3 LIMIT 3 * a b", no_about),
        ("XADD s MAXLEN 3 LIMIT 5", no_about),
        ("XADD s MAXLEN 3 LIMIT", invalid),
        ("XADD s LIMIT 3 * a b", no_strategy),
        ("XADD s LIMIT 0 * a b", no_about),
        ("XADD s LIMIT 3 3 a", no_strategy),
        ("XADD s MAXLEN 3 MINID 3 * a b", two),
        ("XADD s MINID - * a b", invalid),
        ("XTRIM s MAXLEN ~", number),
        ("XTRIM s MAXLEN 5 x", "-ERR syntax error"),
        ("XTRIM s LIMIT 0", "-ERR syntax error, XTRIM must be called with a trimming strategy"),
        ("XTRIM s LIMIT 5", no_strategy),
        ("XTRIM s MAXLEN 5 LIMIT 5", no_about),
        ("XTRIM s NOMKSTREAM MAXLEN 3", "-ERR syntax error"),
    ] {
        check(line, reply);
    }
}

#[test]
fn ranges_have_bounds_of_all_kinds() {
    let mut bench = Bench::new();
    bench.run("XADD s 1 a 1; XADD s 2-5 b 2; XADD s 2-6 c 3; XADD s 3 d 4");
    let entries = ["[$1-0 [$a $1]]", "[$2-5 [$b $2]]", "[$2-6 [$c $3]]", "[$3-0 [$d $4]]"];
    for (range, found) in [
        ("- +", &entries[..]),
        ("+ -", &[]),
        ("2 2", &entries[1..3]),
        ("2-6 2", &entries[2..3]),
        ("(2-5 (3-0", &entries[2..3]),
        ("(1 3-0", &entries[1..]),
        ("- (0-1", &[]),
        ("- + COUNT 2", &entries[..2]),
        ("- + COUNT 9 COUNT 1", &entries[..1]),
    ] {
        bench.check(&format!("XRANGE s {range}"), &format!("[{}]", found.join(" ")));
        let mut words = range.split(' ');
        let (start, end) = (words.next().expect("a start"), words.next().expect("an end"));
        if words.next().is_none() {
            let reversed: Vec<&str> = found.iter().rev().copied().collect();
            bench
                .check(&format!("XREVRANGE s {end} {start}"), &format!("[{}]", reversed.join(" ")));
        }
    }
    bench.check(
        "XREVRANGE s + - COUNT 1; XRANGE s - + COUNT 0; XRANGE none - + COUNT 0",
        "[[$3-0 [$d $4]]] *_ []",
    );
    for (script, error) in [
        (
            "XRANGE s (18446744073709551615-18446744073709551615 x",
            "invalid start ID for the interval",
        ),
        ("XRANGE s - (0-0", "invalid end ID for the interval"),
        ("XRANGE s (- +", "Invalid stream ID specified as stream command argument"),
        ("XRANGE s - + COUNT", "syntax error"),
        ("XRANGE s - + FOO 1", "syntax error"),
        ("XRANGE s - + COUNT x", "value is not an integer or out of range"),
    ] {
        bench.check(script, &format!("-ERR {error}"));
    }
}

#[test]
fn trimming_counts_no_deleted_entries() {
    check(
        "XADD s 1 f v; XADD s 2 f v; XADD s 3 f v; XADD s 4 f v; XDEL s 2; XTRIM s MAXLEN 2; \
         XRANGE s - +; XTRIM s MINID 4; XTRIM s MAXLEN 0; EXISTS s",
        "$1-0 $2-0 $3-0 $4-0 :1 :1 [[$3-0 [$f $v]] [$4-0 [$f $v]]] :1 :1 :1",
    );
}

#[test]
fn trimming_about_removes_whole_nodes() {
    check(
        "CONFIG SET stream-node-max-entries 2; XADD s 1 f v; XADD s 2 f v; XADD s 3 f v; XADD s 4 f v; \
         XADD s 5 f v; XADD s 6 f v; XTRIM s MAXLEN ~ 3; XTRIM s MINID ~ 4; XTRIM s MAXLEN ~ 0 LIMIT 1; \
         XTRIM s MINID ~ 9; XLEN s",
        "+OK $1-0 $2-0 $3-0 $4-0 $5-0 $6-0 :2 :0 :0 :4 :0",
    );
}

#[test]
fn deleted_ids_are_remembered() {
    check(
        "XADD s 1 f v; XADD s 2 f v; XDEL s 2 2 7; XDEL s 1 x; XDEL none x; XSETID s 1; XSETID s 2; \
         XSETID s 9 ENTRIESADDED 0; XSETID s 9 ENTRIESADDED 7 MAXDELETEDID 3; XADD s 9 f v; XADD s 10 f v",
        "$1-0 $2-0 :1 -ERR Invalid stream ID specified as stream command argument :0 \
         -ERR The ID specified in XSETID is smaller than current max_deleted_entry_id +OK \
         -ERR The entries_added specified in XSETID is smaller than the target stream length +OK \
         -ERR The ID specified in XADD is equal or smaller than the target stream top item $10-0",
    );
}

#[test]
fn readers_get_what_is_behind_their_ids() {
    let mut bench = Bench::new();
    bench.run("XADD s 1 a 1; XADD s 2 b 2; XADD t 1 c 3; SET str v");
    bench.check(
        "XREAD STREAMS s 0; XREAD COUNT 1 STREAMS s none t 0 0 0; XREAD STREAMS s $; XREAD STREAMS s 2; \
         XREAD STREAMS s t + 5; XREAD COUNT 0 STREAMS t 0-1; XREAD STREAMS none +",
        "[[$s [[$1-0 [$a $1]] [$2-0 [$b $2]]]]] [[$s [[$1-0 [$a $1]]]] [$t [[$1-0 [$c $3]]]]] *_ *_ \
         [[$s [[$2-0 [$b $2]]]]] [[$t [[$1-0 [$c $3]]]]] *_",
    );
    // The last entry there is, though others were added and deleted.
    bench.check(
        "XDEL s 2; XREAD STREAMS s +; XDEL s 1; XREAD STREAMS s +",
        ":1 [[$s [[$1-0 [$a $1]]]]] :1 *_",
    );
    for (script, error) in [
        ("XREAD STREAMS s", "ERR wrong number of arguments for 'xread' command"),
        ("XREAD FOO STREAMS s 0", "ERR syntax error"),
        ("XREAD COUNT 1 s 0", "ERR syntax error"),
        ("XREAD COUNT x STREAMS s 0", "ERR value is not an integer or out of range"),
        ("XREAD BLOCK x STREAMS s 0", "ERR timeout is not an integer or out of range"),
        ("XREAD BLOCK -1 STREAMS s 0", "ERR timeout is negative"),
        ("XREAD BLOCK 9223372036854775807 STREAMS s 0", "ERR timeout is out of range"),
        (
            "XREAD COUNT 1 STREAMS s t 0",
            "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.",
        ),
        (
            "XREAD NOACK STREAMS s 0",
            "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
        ),
        (
            "XREAD STREAMS str x",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        ("XREAD STREAMS s x", "ERR Invalid stream ID specified as stream command argument"),
    ] {
        bench.check(script, &format!("-{error}"));
    }
}

#[test]
fn resp3_has_maps_of_streams() {
    let mut bench = Bench::new();
    bench.raw(&["HELLO", "3"]);
    bench.check(
        "XADD s 1 a 1; XREAD STREAMS s s 0 0; XREAD STREAMS s 1; XRANGE s - + COUNT 0",
        "$1-0 %[$s [[$1-0 [$a $1]]] $s [[$1-0 [$a $1]]]] _ _",
    );
}

#[test]
fn ids_and_thresholds_are_recorded_as_they_turned_out() {
    let check = |before: &str, script: &str, effects: &str| {
        let mut bench = Bench::new();
        bench.run("CONFIG SET stream-node-max-entries 2");
        bench.run(if before.is_empty() { "PING" } else { before });
        bench.server.listen(Listener::AppendOnlyFile);
        bench.run(script);
        assert_eq!(recorded(&mut bench.server), effects, "{before}; {script}");
    };
    check("", "XADD s * f v", "SELECT 0|XADD s 1000000000-0 f v");
    check("", "XADD s 5-* f v", "SELECT 0|XADD s 5-0 f v");
    check("", "XADD s 5-3 f v", "SELECT 0|XADD s 5-3 f v");
    check("", "XADD s 0-0 f v; XADD s NOMKSTREAM * f v", "");
    let five = "XADD s 1 f v; XADD s 2 f v; XADD s 3 f v; XADD s 4 f v; XADD s 5 f v";
    check(five, "XADD s MAXLEN ~ 3 6 f v", "SELECT 0|XADD s MAXLEN = 4 6 f v");
    check(
        five,
        "XADD s NOMKSTREAM MINID ~ 4 LIMIT 9 * f v",
        "SELECT 0|XADD s NOMKSTREAM MINID = 3-0 LIMIT 9 1000000000-0 f v",
    );
    check(five, "XADD s MAXLEN 3 6 f v", "SELECT 0|XADD s MAXLEN 3 6 f v");
    check(five, "XTRIM s MAXLEN ~ 2", "SELECT 0|XTRIM s MAXLEN = 3");
    check(
        five,
        "XTRIM s MINID ~ 9",
        "SELECT 0|XTRIM s MINID = 18446744073709551615-18446744073709551615",
    );
    check(five, "XTRIM s MAXLEN ~ 4; XTRIM s MAXLEN 9; XDEL s 9", "");
    check(five, "XDEL s 2 9; XSETID s 9", "SELECT 0|XDEL s 2 9|XSETID s 9");
}
