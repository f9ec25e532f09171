//! Consumer groups: reading, acknowledging and claiming, and what is recorded of that.

use crate::command::effects::Listener;
use crate::command::testing::{Bench, check, recorded};

/// A stream of five entries and a group at its start.
const FIVE: &str = "XADD s 1 f 1; XADD s 2 f 2; XADD s 3 f 3; XADD s 4 f 4; XADD s 5 f 5; \
                    XGROUP CREATE s g 0";

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.run(FIVE);
    bench
}

#[test]
fn each_entry_is_given_to_one_consumer() {
    bench().check(
        "XREADGROUP GROUP g a COUNT 2 STREAMS s >; XREADGROUP GROUP g b COUNT 1 STREAMS s >; \
         XREADGROUP GROUP g a STREAMS s 0; XREADGROUP GROUP g a STREAMS s 1; \
         XREADGROUP GROUP g c COUNT 1 NOACK STREAMS s >; XREADGROUP GROUP g c STREAMS s 0; \
         XPENDING s g; XACK s g 1 2-0 2 9; XACK s g 1; XPENDING s g - + 9",
        "[[$s [[$1-0 [$f $1]] [$2-0 [$f $2]]]]] [[$s [[$3-0 [$f $3]]]]] \
         [[$s [[$1-0 [$f $1]] [$2-0 [$f $2]]]]] [[$s [[$2-0 [$f $2]]]]] \
         [[$s [[$4-0 [$f $4]]]]] [[$s []]] [:3 $1-0 $3-0 [[$a $2] [$b $1]]] :2 :0 \
         [[$3-0 $b :0 :1]]",
    );
}

#[test]
fn history_shows_entries_that_are_gone_without_fields() {
    let mut bench = bench();
    bench.run("XREADGROUP GROUP g a COUNT 2 STREAMS s >; XDEL s 1");
    bench.check(
        "XREADGROUP GROUP g a STREAMS s 0; XPENDING s g - + 9; XREADGROUP GROUP g a STREAMS s 18446744073709551615-18446744073709551615",
        "[[$s [[$1-0 *_] [$2-0 [$f $2]]]]] [[$1-0 $a :0 :1] [$2-0 $a :0 :2]] *_",
    );
}

#[test]
fn pending_entries_are_listed_by_idleness_and_range() {
    let mut bench = bench();
    bench.run("XREADGROUP GROUP g a COUNT 2 STREAMS s >");
    bench.pass(100);
    bench.run("XREADGROUP GROUP g b COUNT 2 STREAMS s >");
    bench.check(
        "XPENDING s g IDLE 100 - + 9; XPENDING s g (1 (4-0 9; XPENDING s g - + 1 b; XPENDING s g - + 9 none; \
         XPENDING s g IDLE -5 - + 1; XPENDING s g - + -1; XPENDING s h; XPENDING none g - + 1",
        "[[$1-0 $a :100 :1] [$2-0 $a :100 :1]] [[$2-0 $a :100 :1] [$3-0 $b :0 :1]] [[$3-0 $b :0 :1]] [] \
         [[$1-0 $a :100 :1]] [] -NOGROUP No such key 's' or consumer group 'h' \
         -NOGROUP No such key 'none' or consumer group 'g'",
    );
}

#[test]
fn claims_move_entries_and_count() {
    let mut bench = bench();
    bench.run("XREADGROUP GROUP g a COUNT 3 STREAMS s >");
    bench.pass(50);
    bench.check(
        "XCLAIM s g b 51 1; XCLAIM s g b 50 1; XCLAIM s g b 0 2 JUSTID; XCLAIM s g b 0 5; \
         XCLAIM s g b 0 5 FORCE RETRYCOUNT 7; XCLAIM s g b 0 9 FORCE; XPENDING s g - + 9",
        "[] [[$1-0 [$f $1]]] [$2-0] [] [[$5-0 [$f $5]]] [] \
         [[$1-0 $b :0 :2] [$2-0 $b :0 :1] [$3-0 $a :50 :1] [$5-0 $b :0 :7]]",
    );
    bench.check(
        "XCLAIM s g c 0 3 IDLE 20; XCLAIM s g c 0 3 TIME 999999990 JUSTID; XPENDING s g 3 3 1; XDEL s 3; \
         XCLAIM s g c 0 3; XPENDING s g 3 3 1; XCLAIM s g c 0 1 LASTID 9 JUSTID",
        "[[$3-0 [$f $3]]] [$3-0] [[$3-0 $c :60 :2]] :1 [] [] [$1-0]",
    );
    for (script, error) in [
        ("XCLAIM s g b x 1", "ERR Invalid min-idle-time argument for XCLAIM"),
        ("XCLAIM s h b x 1", "NOGROUP No such key 's' or consumer group 'h'"),
        ("XCLAIM s g b 0 1 FOO", "ERR Unrecognized XCLAIM option 'FOO'"),
        ("XCLAIM s g b 0 1 IDLE", "ERR Unrecognized XCLAIM option 'IDLE'"),
        ("XCLAIM s g b 0 1 IDLE x", "ERR Invalid IDLE option argument for XCLAIM"),
        ("XCLAIM s g b 0 1 LASTID x", "ERR Invalid stream ID specified as stream command argument"),
    ] {
        bench.check(script, &format!("-{error}"));
    }
}

#[test]
fn abandoned_entries_are_claimed_in_pieces() {
    let mut bench = bench();
    bench.run("XREADGROUP GROUP g a STREAMS s >; XDEL s 2");
    bench.check(
        "XAUTOCLAIM s g b 0 0 COUNT 3; XAUTOCLAIM s g b 1 0; XAUTOCLAIM s g b 0 4 JUSTID; \
         XAUTOCLAIM s g b 0 (4-0 COUNT 1; XPENDING s g - + 9",
        "[$4-0 [[$1-0 [$f $1]] [$3-0 [$f $3]]] [$2-0]] [$0-0 [] []] [$0-0 [$4-0 $5-0] []] \
         [$0-0 [[$5-0 [$f $5]]] []] \
         [[$1-0 $b :0 :2] [$3-0 $b :0 :2] [$4-0 $b :0 :1] [$5-0 $b :0 :2]]",
    );
    for (script, error) in [
        ("XAUTOCLAIM s g b x 0", "ERR Invalid min-idle-time argument for XAUTOCLAIM"),
        ("XAUTOCLAIM s g b 0 0 COUNT 0", "ERR COUNT must be > 0"),
        ("XAUTOCLAIM s g b 0 0 COUNT", "ERR syntax error"),
        ("XAUTOCLAIM s h b 0 0", "NOGROUP No such key 's' or consumer group 'h'"),
    ] {
        bench.check(script, &format!("-{error}"));
    }
}

#[test]
fn groups_come_and_go() {
    let no_key = "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may \
                  want to use the MKSTREAM option to create an empty stream automatically.";
    let syntax =
        "-ERR unknown subcommand or wrong number of arguments for 'create'. Try XGROUP HELP.";
    let invalid = "-ERR Invalid stream ID specified as stream command argument";
    check(
        "XGROUP CREATE s g 0; XGROUP CREATE s g x MKSTREAM; EXISTS s; XGROUP CREATE s g $ MKSTREAM; \
         XGROUP CREATE s g $; XGROUP create s h 0 FOO; XGROUP CREATE s h -; TYPE s; OBJECT ENCODING s",
        &format!(
            "{no_key} {invalid} :0 +OK -BUSYGROUP Consumer Group name already exists {syntax} {invalid} \
             +stream $stream"
        ),
    );
    check(
        "XGROUP CREATE s g $ MKSTREAM ENTRIESREAD -2; XGROUP CREATE s g $ MKSTREAM ENTRIESREAD 5; \
         XGROUP SETID s g -; XGROUP SETID s h 0; XGROUP CREATECONSUMER s g c; XGROUP CREATECONSUMER s g c; \
         XGROUP DELCONSUMER s g c; XGROUP DELCONSUMER s g c; XGROUP DESTROY s g; XGROUP DESTROY s g; \
         XGROUP DESTROY none g",
        &format!(
            "-ERR value for ENTRIESREAD must be positive or -1 +OK +OK \
             -NOGROUP No such consumer group 'h' for key name 's' :1 :0 :0 :0 :1 :0 {no_key}"
        ),
    );
    bench().check(
        "XREADGROUP GROUP g a COUNT 2 STREAMS s >; XGROUP DELCONSUMER s g a; XPENDING s g",
        "[[$s [[$1-0 [$f $1]] [$2-0 [$f $2]]]]] :2 [:0 $_ $_ *_]",
    );
}

#[test]
fn streams_and_groups_describe_themselves() {
    let mut bench = bench();
    bench.run("XREADGROUP GROUP g a COUNT 2 STREAMS s >");
    bench.pass(7);
    bench.run("XREADGROUP GROUP g b STREAMS s 0");
    bench.check(
        "XINFO GROUPS s; XINFO CONSUMERS s g; XINFO STREAM s; XINFO STREAM s FULL COUNT 1",
        "[[$name $g $consumers :2 $pending :2 $last-delivered-id $2-0 $entries-read :2 $lag :3]] \
         [[$name $a $pending :2 $idle :7 $inactive :7] [$name $b $pending :0 $idle :0 $inactive :-1]] \
         [$length :5 $radix-tree-keys :1 $radix-tree-nodes :2 $last-generated-id $5-0 \
         $max-deleted-entry-id $0-0 $entries-added :5 $recorded-first-entry-id $1-0 $groups :1 \
         $first-entry [$1-0 [$f $1]] $last-entry [$5-0 [$f $5]]] \
         [$length :5 $radix-tree-keys :1 $radix-tree-nodes :2 $last-generated-id $5-0 \
         $max-deleted-entry-id $0-0 $entries-added :5 $recorded-first-entry-id $1-0 $entries \
         [[$1-0 [$f $1]]] $groups [[$name $g $last-delivered-id $2-0 $entries-read :2 $lag :3 $pel-count \
         :2 $pending [[$1-0 $a :1000000000 :1]] $consumers [[$name $a $seen-time :1000000000 $active-time \
         :1000000000 $pel-count :2 $pending [[$1-0 :1000000000 :1]]] [$name $b $seen-time :1000000007 \
         $active-time :-1 $pel-count :0 $pending []]]]]]",
    );
    bench.check(
        "XINFO STREAM none FULL x; XINFO STREAM s FULL x; XINFO GROUPS none; XINFO CONSUMERS s h",
        "-ERR no such key -ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP. \
         -ERR no such key -NOGROUP No such consumer group 'h' for key name 's'",
    );
}

#[test]
fn what_groups_do_is_recorded_as_claims() {
    let check = |before: &str, script: &str, effects: &str| {
        let mut bench = bench();
        bench.run(before);
        bench.server.listen(Listener::AppendOnlyFile);
        bench.run(script);
        let recorded = recorded(&mut bench.server);
        let recorded = recorded.strip_prefix("SELECT 0|").unwrap_or(&recorded);
        let recorded =
            recorded.replace(" TIME 1000000000 ", " @ ").replace(" FORCE JUSTID ", " ! ");
        assert_eq!(recorded, effects, "{before}; {script}");
    };
    check(
        "PING",
        "XREADGROUP GROUP g a COUNT 2 STREAMS s >",
        "MULTI|XCLAIM s g a 0 1-0 @ RETRYCOUNT 1 ! LASTID 1-0|\
         XCLAIM s g a 0 2-0 @ RETRYCOUNT 1 ! LASTID 2-0|XGROUP SETID s g 2-0 ENTRIESREAD 2|EXEC",
    );
    let two = "XREADGROUP GROUP g a COUNT 2 STREAMS s >";
    check(
        two,
        "XREADGROUP GROUP g a NOACK COUNT 1 STREAMS s >; XREADGROUP GROUP g a STREAMS s 0",
        "XGROUP SETID s g 3-0 ENTRIESREAD 3",
    );
    check(two, "XREADGROUP GROUP g b STREAMS s 0", "XGROUP CREATECONSUMER s g b");
    check(two, "XACK s g 1 9; XACK s g 1", "XACK s g 1 9");
    check(
        two,
        "XCLAIM s g b 0 1 9; XCLAIM s g c 99 1; XCLAIM s g b 0 9 LASTID 4",
        "XCLAIM s g b 0 1 @ RETRYCOUNT 2 ! LASTID 2-0|XGROUP CREATECONSUMER s g c|\
         XGROUP SETID s g 4-0 ENTRIESREAD 2",
    );
    // A count has an end, behind which nobody could repeat it.
    check(
        "XREADGROUP GROUP g a COUNT 1 STREAMS s >; XCLAIM s g a 0 1 RETRYCOUNT 9223372036854775807",
        "XCLAIM s g b 0 1",
        "XCLAIM s g b 0 1 @ RETRYCOUNT 9223372036854775807 ! LASTID 1-0",
    );
    check(
        "XREADGROUP GROUP g a COUNT 2 STREAMS s >; XDEL s 1",
        "XAUTOCLAIM s g b 0 0 JUSTID",
        "MULTI|XCLAIM s g a 0 1-0 @ RETRYCOUNT 1 ! LASTID 2-0|\
         XCLAIM s g b 0 2-0 @ RETRYCOUNT 1 ! LASTID 2-0|EXEC",
    );
    check(
        "PING",
        "XGROUP DELCONSUMER s g z; XGROUP CREATE s h $ ; XGROUP DESTROY s h",
        "XGROUP CREATE s h $|XGROUP DESTROY s h",
    );
}
