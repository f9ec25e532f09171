//! Sizes, counts and offsets that overflow, and types that are mistaken.

use crate::common::{Server, check};
use crate::figure;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const OUT_OF_RANGE: &str = "-ERR value is out of range";

/// Each reply begins like this.
#[track_caller]
fn each_begins(server: &Server, lines: &[&str], start: &str) {
    let mut client = server.connect();
    for line in lines {
        let reply = client.command(&line.split(' ').collect::<Vec<_>>()).to_string();
        assert!(reply.starts_with(start), "{line}: {reply}");
    }
    client.check("PING", "+PONG");
}

/// What is no stream was taken for one.
#[test]
fn cve_2018_12453_what_is_no_stream_has_no_groups() {
    for make in ["SET k v", "RPUSH k v", "SADD k v", "HSET k f v", "ZADD k 1 v"] {
        let server = Server::start();
        server.connect().command(&make.split(' ').collect::<Vec<_>>());
        let lines = [
            "XGROUP CREATE k g 0",
            "XGROUP CREATE k g $ MKSTREAM",
            "XGROUP DESTROY k g",
            "XREADGROUP GROUP g c STREAMS k >",
            "XACK k g 1-1",
            "XCLAIM k g c 0 1-1",
            "XAUTOCLAIM k g c 0 0",
            "XPENDING k g",
            "XINFO STREAM k",
            "XSETID k 1-1",
        ];
        each_begins(&server, &lines, WRONG_TYPE);
    }
}

/// The table for the longest common subsequence has a size that wraps.
#[test]
fn cve_2021_29477_cve_2021_32625_lcs_of_long_texts_is_refused() {
    let server = Server::start();
    let mut client = server.connect();
    for len in [1 << 16, (1 << 16) - 1, 70_000] {
        let text = "x".repeat(len);
        client.command(&["SET", "a", &text]);
        client.command(&["SET", "b", &text]);
        let error = "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len";
        client.check("LCS a b; LCS a b LEN; LCS a b IDX", &[error; 3].join(" "));
    }
    client.check("LCS x y MINMATCHLEN 9223372036854775807", "$");
}

/// A set of integers of any size stays whole when it is copied, dumped, and becomes another kind.
#[test]
fn cve_2021_29478_cve_2021_32687_sets_of_integers_of_any_size() {
    let server = Server::start();
    let mut client = server.connect();
    client.check("CONFIG SET set-max-intset-entries 4294967295", "+OK");
    for start in (0..60_000).step_by(1000) {
        let members: Vec<String> = (start..start + 1000).map(|n| n.to_string()).collect();
        let words: Vec<&str> =
            ["SADD", "s"].into_iter().chain(members.iter().map(String::as_str)).collect();
        assert_eq!(client.command(&words).to_string(), ":1000");
    }
    client.check("OBJECT ENCODING s; COPY s t; SCARD t", "$intset :1 :60000");
    let mut dump = client.command(&["DUMP", "s"]);
    let crate::common::Reply::Bulk(payload) = &mut dump else { panic!("{dump}") };
    assert_eq!(client.command(&[b"RESTORE", &b"r"[..], b"0", payload]).to_string(), "+OK");
    client.check("SADD s 9223372036854775807 -9223372036854775808; SADD t x", ":2 :1");
    client.check(
        "SISMEMBER s 59999; SCARD s; OBJECT ENCODING t; SDIFF r s; SINTERCARD 2 r t",
        ":1 :60002 $hashtable [] :60000",
    );
}

/// Limits of packed encodings that are larger than these can be.
#[test]
fn cve_2021_32627_cve_2021_32628_cve_2021_32687_packed_values_do_not_outgrow_their_header() {
    let server = Server::start();
    let mut client = server.connect();
    for directive in [
        "hash-max-listpack-value",
        "hash-max-listpack-entries",
        "zset-max-listpack-value",
        "zset-max-listpack-entries",
        "set-max-listpack-value",
        "set-max-listpack-entries",
        "stream-node-max-bytes",
    ] {
        client.check(&format!("CONFIG SET {directive} 9223372036854775807"), "+OK");
    }
    client.check("CONFIG SET list-max-listpack-size 2147483647", "+OK");
    let long = "v".repeat(5 << 20);
    for n in ["1", "2", "3"] {
        let field = format!("{n}{long}");
        for words in [
            &["HSET", "h", &field, &long][..],
            &["ZADD", "z", n, &field],
            &["SADD", "s", &field],
            &["RPUSH", "l", &field],
            &["XADD", "x", &format!("{n}-1"), &field, &long],
        ] {
            let reply = client.command(words).to_string();
            assert!(!reply.starts_with('-'), "{} {reply}", words[0]);
        }
    }
    client.check("HLEN h; ZCARD z; SCARD s; LLEN l; XLEN x", ":3 :3 :3 :3 :3");
    client.check("COPY h h2; COPY z z2; COPY s s2; COPY l l2; COPY x x2", ":1 :1 :1 :1 :1");
    for key in ["h", "z", "s", "l", "x"] {
        let digests = client.command(&["DEBUG", "DIGEST-VALUE", key, &format!("{key}2")]);
        assert_eq!(digests.elements()[0], digests.elements()[1], "{key}");
    }
}

/// Offsets of bits beyond the longest string, in 32 bits or 64.
#[test]
fn cve_2021_32761_cve_2022_35977_offsets_do_not_wrap() {
    let server = Server::start();
    let lines = [
        "SETBIT k 4294967296 1",
        "SETBIT k 9223372036854775807 1",
        "GETBIT k 4294967296",
        "BITFIELD k SET u8 4294967296 1",
        "BITFIELD k GET u63 9223372036854775807",
        "BITFIELD k SET i64 #9223372036854775807 1",
        "BITFIELD k INCRBY i64 #144115188075855872 1",
    ];
    each_begins(&server, &lines, "-ERR bit offset is not an integer or out of range");
    let lines =
        ["SETRANGE k 536870912 x", "SETRANGE k 4294967295 x", "SETRANGE k 9223372036854775807 x"];
    each_begins(&server, &lines, "-ERR string exceeds maximum allowed size");
    server.check("EXISTS k", ":0");
}

#[test]
fn cve_2022_35977_limits_of_sort_do_not_wrap() {
    check(
        "RPUSH l 3 1 2; SORT l LIMIT 0 9223372036854775807; SORT l LIMIT 1 9223372036854775807; \
         SORT l LIMIT 9223372036854775807 9223372036854775807; \
         SORT l LIMIT -9223372036854775808 9223372036854775807; SORT_RO l LIMIT 2147483647 -1",
        ":3 [$1 $2 $3] [$2 $3] [] [$1 $2 $3] []",
    );
}

/// Entries that were deleted are found among the pending ones.
#[test]
fn cve_2022_31144_autoclaim_of_deleted_entries() {
    let mut make = String::from("XGROUP CREATE s g 0 MKSTREAM");
    let mut expected = String::from("+OK");
    for n in 1..=30 {
        make.push_str(&format!("; XADD s {n}-1 a b"));
        expected.push_str(&format!(" ${n}-1"));
    }
    let server = Server::start();
    server.check(&make, &expected);
    let mut client = server.connect();
    client.command(&["XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"]);
    client.check("XTRIM s MAXLEN 0", ":30");
    client.check("XAUTOCLAIM s g d 0 0 COUNT 2", "[$3-1 [] [$1-1 $2-1]]");
    let reply = client.command(&["XAUTOCLAIM", "s", "g", "d", "0", "0", "COUNT", "100"]);
    assert_eq!(reply.elements()[2].elements().len(), 28);
    client.check("XPENDING s g", "[:0 $_ $_ *_]");
}

#[test]
fn cve_2022_35951_the_count_of_autoclaim_does_not_wrap() {
    let positive = "-ERR COUNT must be > 0";
    check(
        "XADD s 1-1 a b; XGROUP CREATE s g 0; XREADGROUP GROUP g c STREAMS s >; \
         XAUTOCLAIM s g d 0 0 COUNT 4611686018427387905; \
         XAUTOCLAIM s g d 0 0 COUNT 9223372036854775807; XAUTOCLAIM s g d 0 0 COUNT -1; \
         XAUTOCLAIM s g d 0 0 COUNT 0; XPENDING s g",
        &format!(
            "$1-1 +OK [[$s [[$1-1 [$a $b]]]]] {} [:1 $1-1 $1-1 [[$c $1]]]",
            [positive; 4].join(" ")
        ),
    );
}

/// Looking for the first and last entry kept memory each time.
#[test]
fn cve_2022_33105_looking_at_the_ends_of_a_stream_keeps_nothing() {
    let server = Server::start();
    let mut client = server.connect();
    let line = b"XADD s * a b\r\nXINFO STREAM s\r\nXTRIM s MAXLEN 0\r\nXSETID s 1-1\r\n";
    let mut run = |rounds: usize| {
        client.send(&line.repeat(rounds));
        for _ in 0..rounds * 4 {
            client.reply();
        }
        figure(&mut client, "used_memory")
    };
    let before = run(200);
    let after = run(3000);
    assert!(after < before + (256 << 10), "{before} {after}");
}

/// The most negative count has no positive one.
#[test]
fn cve_2023_22458_cve_2023_25155_random_members_of_extreme_counts() {
    let server = Server::start();
    server.check("HSET h a 1 b 2; ZADD z 1 a 2 b; SADD s a b", ":2 :2 :2");
    let lines = [
        "HRANDFIELD h -9223372036854775808",
        "HRANDFIELD h -9223372036854775808 WITHVALUES",
        "HRANDFIELD h -4611686018427387905 WITHVALUES",
        "ZRANDMEMBER z -9223372036854775808",
        "ZRANDMEMBER z -9223372036854775808 WITHSCORES",
        "ZRANDMEMBER z -4611686018427387905 WITHSCORES",
        "SRANDMEMBER s -9223372036854775808",
    ];
    each_begins(&server, &lines, OUT_OF_RANGE);
    let mut client = server.connect();
    assert_eq!(client.command(&["HRANDFIELD", "h", "4611686018427387903"]).elements().len(), 2);
    assert_eq!(client.command(&["ZRANDMEMBER", "z", "9223372036854775807"]).elements().len(), 2);
    assert_eq!(client.command(&["SRANDMEMBER", "s", "9223372036854775807"]).elements().len(), 2);
}

/// A key that is there twice.
#[test]
fn cve_2023_28425_msetnx_takes_a_key_twice() {
    check(
        "MSETNX k a k b; GET k; MSET k c k d; GET k; MSETNX j 1 k 2; EXISTS j; DBSIZE",
        ":1 $b +OK $d :0 :0 :1",
    );
}

/// A number whose digits are too many for the field's encoding.
#[test]
fn cve_2023_28856_long_numbers_in_hashes_are_read_back() {
    let server = Server::start();
    let mut client = server.connect();
    for field in
        ["f", "a field of more than sixty-four bytes, so that the hash becomes a table at once"]
    {
        let sum = client.command(&["HINCRBYFLOAT", field, field, "1.7e308"]).text();
        assert_eq!(sum.len(), 309);
        assert_eq!(client.command(&["HGET", field, field]).text(), sum);
        assert_eq!(client.command(&["HVALS", field]).elements()[0].text(), sum);
        assert_eq!(client.command(&["HSTRLEN", field, field]).integer(), 309);
        assert_eq!(client.command(&["OBJECT", "ENCODING", field]).text(), "hashtable");
    }
    let nan = "-ERR value is NaN or Infinity";
    client
        .check("HINCRBYFLOAT f f inf; HINCRBYFLOAT h f -inf; EXISTS h", &format!("{nan} {nan} :0"));
}

/// More IDs than an array on the stack has room for.
#[test]
fn cve_2025_62507_many_ids_are_acknowledged_and_deleted() {
    let server = Server::start();
    server.check("XADD s 1-1 a b; XGROUP CREATE s g 0", "$1-1 +OK");
    let ids: Vec<String> = (1..=1000).map(|n| format!("{n}-1")).collect();
    let mut client = server.connect();
    for head in [&["XACKDEL", "s", "g", "DELREF"][..], &["XDELEX", "s", "KEEPREF"]] {
        let ids = ids.iter().map(String::as_str);
        let words: Vec<&str> = head.iter().copied().chain(["IDS", "1000"]).chain(ids).collect();
        assert_eq!(client.command(&words).elements().len(), 1000);
    }
    let lines =
        ["XDELEX s IDS 9223372036854775807 1", "XACKDEL s g IDS 1001 1", "XACKDEL s g IDS -1 1"];
    each_begins(&server, &lines, "-ERR ");
}

/// FIELDS without a number behind it.
#[test]
fn redis_8_2_3_options_that_end_early() {
    let server = Server::start();
    let lines = [
        "HGETEX h FIELDS",
        "HGETEX h EX 10 FIELDS",
        "HGETEX h FIELDS 1",
        "HGETEX h FIELDS 9223372036854775807 f",
        "HSETEX h FIELDS",
        "HSETEX h FIELDS 2 f v",
        "HEXPIRE h 1 FIELDS",
        "HGETDEL h FIELDS",
        "HGETDEL h FIELDS 4294967297 f",
        "ZUNION 9223372036854775807 a",
        "ZUNIONSTORE d 4611686018427387904 a",
        "ZINTERCARD 9223372036854775807 a",
        "SINTERCARD -1 a",
        "ZUNION 1 a WEIGHTS",
    ];
    each_begins(&server, &lines, "-ERR ");
}

/// Line ends in an error are another reply to who reads it.
#[test]
fn cve_2025_67733_errors_and_states_are_one_line() {
    let server = Server::start();
    for script in [
        "return redis.error_reply('x\\r\\n+OK\\r\\n:1')",
        "return {err='x\\r\\n+OK'}",
        "return redis.status_reply('x\\r\\n+OK')",
        "return {ok='x\\n+OK'}",
        "error('x\\r\\n+OK')",
        "error({err='x\\n+OK'})",
        "return redis.call('x\\r\\n+OK')",
        "return redis.pcall('config', 'x\\r\\n+OK')",
        "return redis.call('set', 'k', 'v', 'x\\r\\n+OK')",
        "#!lua name='a\\r\\n+OK'\nreturn 1",
        "#!lua flags=\"a\\r\\n+OK\"\nreturn 1",
        "#!a\r\n+OK",
    ] {
        let mut client = server.connect();
        for protocol in ["2", "3"] {
            client.command(&["HELLO", protocol]);
            client.command(&["EVAL", script, "0"]);
            assert_eq!(client.command(&["ECHO", "next"]).to_string(), "$next", "{script}");
        }
    }
    let bad = "a\r\n+OK";
    for words in [
        &[bad, "x"][..],
        &["CONFIG", bad],
        &["CONFIG", "SET", bad, bad],
        &["FCALL", bad, "0"],
        &["FUNCTION", "LOAD", "#!lua name=\"a\r\n+OK\"\nx"],
        &["ACL", "SETUSER", "u", bad],
        &["ACL", "DRYRUN", bad, "get"],
        &["ACL", "CAT", bad],
        &["XREADGROUP", "GROUP", bad, "c", "STREAMS", "k", ">"],
        &["CLIENT", "KILL", "USER", bad],
        &["DEBUG", "ERROR", bad],
        &["SET", "k", "v", bad],
    ] {
        let mut client = server.connect();
        let reply = client.command(words).to_string();
        assert!(reply.starts_with('-') || reply.starts_with(':'), "{words:?}: {reply}");
        assert_eq!(client.command(&["ECHO", "next"]).to_string(), "$next", "{words:?}");
    }
}
