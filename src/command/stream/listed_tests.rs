//! Removing entries with regard to the groups that want them, and what is recorded of that.

use crate::command::effects::Listener;
use crate::command::testing::{Bench, check, recorded};

const NUMIDS: &str = "-ERR Number of IDs must be a positive integer";
const MISMATCH: &str = "-ERR The `numids` parameter must match the number of arguments";
const SYNTAX: &str = "-ERR syntax error";

/// Two entries that two groups have been given.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.run(
        "XADD s 1 f v; XADD s 2 f v; XGROUP CREATE s g 0; XGROUP CREATE s h 0; \
         XREADGROUP GROUP g a STREAMS s >; XREADGROUP GROUP h b STREAMS s >; SET str v",
    );
    bench
}

#[test]
fn lists_of_ids_are_checked() {
    for (words, error) in [
        ("IDS abc 1-1", NUMIDS),
        ("IDS 0 1-1", NUMIDS),
        ("IDS -5 1-1", NUMIDS),
        ("IDS 3 1-1 2-2", MISMATCH),
        ("ACKED IDS 1 ", MISMATCH),
        ("IDS 9223372036854775807 1", MISMATCH),
        ("IDS 9223372036854775808 1", NUMIDS),
        ("IDS 1 1-1 2-2", SYNTAX),
        ("IDS 1 1-1 IDS 1 1-1", SYNTAX),
        ("IDS 1 1-1 IDS", SYNTAX),
        ("KEEPREF DELREF IDS 1 1-1", SYNTAX),
        ("ACKED IDS 1 1-1 ACKED", SYNTAX),
        ("KEEPREF ID 1 1-1", SYNTAX),
        ("IDS 2 1-1 x", "-ERR Invalid stream ID specified as stream command argument"),
    ] {
        bench().check(&format!("XDELEX s {words}"), error);
        bench().check(&format!("XACKDEL s g {words}"), error);
    }
    bench().check(
        "XDELEX none IDS 2 x 1; XACKDEL none g IDS 2 x 1; XACKDEL s none IDS 1 x; XDELEX none IDS x 1; \
         XDELEX str IDS 1 x; XACKDEL str g IDS 1 x; XDELEX s IDS 1; XACKDEL s g IDS 1",
        &format!(
            "[:-1 :-1] [:-1 :-1] [:-1] {NUMIDS} \
             -WRONGTYPE Operation against a key holding the wrong kind of value \
             -WRONGTYPE Operation against a key holding the wrong kind of value \
             -ERR wrong number of arguments for 'xdelex' command \
             -ERR wrong number of arguments for 'xackdel' command"
        ),
    );
}

#[test]
fn deleting_keeps_references_or_removes_them() {
    bench().check(
        "XDELEX s IDS 3 1 1 9; XLEN s; XPENDING s g - + 9; XDELEX s IDS 1 2 DELREF; XPENDING s g; \
         XDELEX s DELREF IDS 1 1; XPENDING s g; XPENDING s h",
        "[:1 :-1 :-1] :1 [[$1-0 $a :0 :1] [$2-0 $a :0 :1]] [:1] [:1 $1-0 $1-0 [[$a $1]]] [:-1] \
         [:0 $_ $_ *_] [:0 $_ $_ *_]",
    );
}

#[test]
fn wanted_entries_are_not_deleted() {
    bench().check(
        "XDELEX s ACKED IDS 2 1 9; XACK s g 1 2; XDELEX s ACKED IDS 2 1 2; XGROUP CREATE s k 1; \
         XACK s h 1 2; XDELEX s ACKED IDS 2 1 2; XGROUP DESTROY s k; XDELEX s ACKED IDS 1 2; XLEN s",
        "[:2 :-1] :2 [:2 :2] +OK :2 [:1 :2] :1 [:1] :0",
    );
    // Nobody wants what there is no group for.
    check("XADD s 1 f v; XDELEX s ACKED IDS 1 1", "$1-0 [:1]");
}

#[test]
fn acknowledging_deletes_if_it_may() {
    bench().check(
        "XACKDEL s g ACKED IDS 3 1 2 3; XLEN s; XPENDING s g; XACKDEL s g IDS 1 1; XACKDEL s h ACKED IDS 1 1; \
         XACKDEL s h IDS 2 2 2; XLEN s",
        "[:2 :2 :-1] :2 [:0 $_ $_ *_] [:-1] [:1] [:1 :-1] :0",
    );
    bench().check(
        "XACKDEL s g KEEPREF IDS 2 1 2; XLEN s; XPENDING s h; XACKDEL s h IDS 2 1 2; XPENDING s h",
        "[:1 :1] :0 [:2 $1-0 $2-0 [[$b $2]]] [:1 :1] [:0 $_ $_ *_]",
    );
    bench().check(
        "XACKDEL s g DELREF IDS 2 1 2; XPENDING s h; XACKDEL s h DELREF IDS 2 1 2",
        "[:1 :1] [:0 $_ $_ *_] [:-1 :-1]",
    );
}

#[test]
fn trimming_passes_over_what_groups_want() {
    let mut bench = Bench::new();
    bench.run(
        "CONFIG SET stream-node-max-entries 2; XADD s 1 f v; XADD s 2 f v; XADD s 3 f v; XADD s 4 f v; \
         XADD s 5 f v; XGROUP CREATE s g 0",
    );
    bench.check(
        "XADD s MAXLEN = 1 ACKED 6 f v; XREADGROUP GROUP g a COUNT 5 NOACK STREAMS none >; \
         XTRIM s MAXLEN 0 ACKED; XLEN s",
        "$6-0 -NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option :0 :6",
    );
    bench.run("XREADGROUP GROUP g a COUNT 5 STREAMS s >; XACK s g 1 2 4");
    bench.check(
        "XTRIM s MINID ~ 6 ACKED LIMIT 1; XTRIM s ACKED MINID ~ 6; XRANGE s - + COUNT 2; XINFO STREAM s; \
         XACK s g 3 5; XTRIM s MAXLEN 2 ACKED; XTRIM s MAXLEN 0 ACKED; XRANGE s - +",
        ":0 :3 [[$3-0 [$f $v]] [$5-0 [$f $v]]] [$length :3 $radix-tree-keys :2 $radix-tree-nodes :6 \
         $last-generated-id $6-0 $max-deleted-entry-id $4-0 $entries-added :6 $recorded-first-entry-id $3-0 \
         $groups :1 $first-entry [$3-0 [$f $v]] $last-entry [$6-0 [$f $v]]] :2 :1 :1 [[$6-0 [$f $v]]]",
    );
    bench.check(
        "XTRIM s MAXLEN 0 KEEPREF ACKED; XADD s ACKED ACKED MAXLEN 0 * f v; XTRIM s ACKED LIMIT 0; \
         XADD none DELREF 7 f v",
        &format!(
            "{SYNTAX} {SYNTAX} -ERR syntax error, XTRIM must be called with a trimming strategy $7-0"
        ),
    );
}

#[test]
fn trimming_takes_references_along() {
    let mut bench = bench();
    bench.run("XADD s 3 f v; XREADGROUP GROUP g a STREAMS s >; XDEL s 2");
    bench.check(
        "XTRIM s MAXLEN = 1 DELREF; XPENDING s g - + 9; XPENDING s h; XTRIM s MINID ~ 9 DELREF; XPENDING s g; \
         XADD s MAXLEN 0 DELREF 18446744073709551615-18446744073709551615 f v; XLEN s",
        ":1 [[$3-0 $a :0 :1]] [:0 $_ $_ *_] :1 [:0 $_ $_ *_] \
         $18446744073709551615-18446744073709551615 :0",
    );
}

#[test]
fn what_was_removed_is_recorded() {
    let check = |script: &str, effects: &str| {
        let mut bench = bench();
        bench.run("CONFIG SET stream-node-max-entries 2; XADD s 3 f v; XADD s 4 f v; XADD s 5 f v");
        bench.run("XREADGROUP GROUP g a STREAMS s >; XREADGROUP GROUP h a STREAMS s >");
        bench.run("XACK s g 1 3; XACK s h 1 3 4");
        bench.server.listen(Listener::AppendOnlyFile);
        bench.run(script);
        assert_eq!(recorded(&mut bench.server), effects, "{script}");
    };
    check(
        "XDELEX s ACKED IDS 1 2; XDELEX s IDS 1 9; XACKDEL s g IDS 1 3; XACKDEL s none IDS 1 3",
        "",
    );
    check("XDELEX s ACKED IDS 2 1 2", "SELECT 0|XDELEX s ACKED IDS 2 1 2");
    check("XDEL s 2; XDELEX s DELREF IDS 1 2", "SELECT 0|XDEL s 2|XDELEX s DELREF IDS 1 2");
    check("XACKDEL s g ACKED IDS 1 4", "SELECT 0|XACKDEL s g ACKED IDS 1 4");
    check("XTRIM s MINID ~ 6 ACKED", "SELECT 0|XTRIM s MINID = 3-1 ACKED");
    check("XTRIM s MAXLEN ~ 2 ACKED", "SELECT 0|XTRIM s MAXLEN = 3 ACKED");
    check("XTRIM s MINID ~ 3 DELREF", "SELECT 0|XTRIM s MINID = 3-0 DELREF");
    check("XADD s ACKED MINID ~ 2 6 f v", "SELECT 0|XADD s ACKED MINID = 1-0 6 f v");
    check("XTRIM s MAXLEN 5 DELREF; XTRIM s ACKED MAXLEN 9", "");
}
