//! The commands of the table of large values, and the values.

use crate::wire::put_command;
use crate::workloads::{member, shuffled, value};

/// One command on a large value.
pub(crate) struct Case {
    /// What the row is called and `--cases` takes.
    pub(crate) name: &'static str,
    /// What is run first, as words with single spaces between them: not measured.
    pub(crate) before: &'static [&'static str],
    /// What is measured.
    pub(crate) command: &'static str,
}

/// Each appends the command that adds the i-th element of one of the values. Those that end in `2` have
/// half of their members in common with the first.
pub(crate) const VALUES: &[fn(&mut Vec<u8>, u32)] = &[
    |out, i| put_command(out, &[b"SADD", b"set", member(i).as_bytes()]),
    |out, i| put_command(out, &[b"SADD", b"set2", second(i).as_bytes()]),
    |out, i| put_command(out, &[b"RPUSH", b"list", member(i).as_bytes()]),
    |out, i| put_command(out, &[b"RPUSH", b"numbers", shuffled(i).to_string().as_bytes()]),
    |out, i| put_command(out, &[b"HSET", b"hash", member(i).as_bytes(), &value::<14>(i)]),
    |out, i| put_command(out, &[b"ZADD", b"zset", score(i).as_bytes(), member(i).as_bytes()]),
    |out, i| put_command(out, &[b"ZADD", b"zset2", score(i).as_bytes(), second(i).as_bytes()]),
    |out, i| {
        let (longitude, latitude) = position(i);
        put_command(
            out,
            &[b"GEOADD", b"geo", longitude.as_bytes(), latitude.as_bytes(), member(i).as_bytes()],
        );
    },
    |out, i| put_command(out, &[b"PFADD", b"hll", member(i).as_bytes()]),
    |out, i| put_command(out, &[b"PFADD", b"hll2", second(i).as_bytes()]),
    // A hundred bytes for each element, for 100 MB in all.
    |out, i| put_command(out, &[b"SETRANGE", b"bits", offset(i).as_bytes(), &value::<100>(i)]),
    |out, i| put_command(out, &[b"SETRANGE", b"bits2", offset(i).as_bytes(), &value::<100>(i / 2)]),
    |out, i| put_command(out, &[b"SETRANGE", b"zeros", offset(i).as_bytes(), &[0; 100]]),
];

fn second(index: u32) -> String {
    if index.is_multiple_of(2) { member(index) } else { format!("second{:08}", shuffled(index)) }
}

fn score(index: u32) -> String {
    shuffled(index.wrapping_mul(7)).to_string()
}

/// Longitude and latitude, all over the earth.
fn position(index: u32) -> (String, String) {
    let (across, up) =
        (f64::from(shuffled(index)), f64::from(shuffled(index.wrapping_mul(13) + 5)));
    (format!("{:.6}", across / 1e6 * 360.0 - 180.0), format!("{:.6}", up / 1e6 * 170.0 - 85.0))
}

fn offset(index: u32) -> String {
    (u64::from(index) * 100).to_string()
}

/// A command that leaves its values as they are, named as it is written.
const fn reads(command: &'static str) -> Case {
    Case { name: command, before: &[], command }
}

/// A command on a copy of a value.
const fn changes(before: &'static [&'static str], command: &'static str) -> Case {
    Case { name: command, before, command }
}

/// A command that meets a large value that has expired, or removes one in another way.
const fn ends(name: &'static str, before: &'static [&'static str], command: &'static str) -> Case {
    Case { name, before, command }
}

const SET: &[&str] = &["COPY set tmp REPLACE"];
const HASH: &[&str] = &["COPY hash tmp REPLACE"];
const LIST: &[&str] = &["COPY list tmp REPLACE"];
const ZSET: &[&str] = &["COPY zset tmp REPLACE"];
const BITS: &[&str] = &["COPY bits tmp REPLACE"];
const NONE: &[&str] = &["DEL tmp"];

/// The rows.
pub(crate) const CASES: &[Case] = &[
    // Sets.
    reads("SMEMBERS set"),
    reads("SINTER set set2"),
    reads("SINTERCARD 2 set set2"),
    reads("SUNION set set2"),
    reads("SDIFF set set2"),
    changes(NONE, "SINTERSTORE tmp set set2"),
    changes(NONE, "SUNIONSTORE tmp set set2"),
    changes(NONE, "SDIFFSTORE tmp set set2"),
    reads("SRANDMEMBER set -1000000"),
    reads("SRANDMEMBER set 100000"),
    reads("SRANDMEMBER set 500000"),
    reads("SRANDMEMBER set 999999"),
    reads("SSCAN set 0 COUNT 1000000"),
    reads("SSCAN set 0 MATCH nothing* COUNT 1000000"),
    changes(SET, "SPOP tmp 1000"),
    changes(SET, "SPOP tmp 500000"),
    changes(SET, "SPOP tmp 999990"),
    changes(SET, "SPOP tmp 1000000"),
    reads("SORT set ALPHA"),
    reads("SORT set BY nosort GET # LIMIT 0 1000"),
    changes(NONE, "COPY set tmp"),
    ends("DEL of a set", SET, "DEL tmp"),
    ends("UNLINK of a set", SET, "UNLINK tmp"),
    ends("GET of an expired set", &["COPY set tmp REPLACE", "PEXPIRE tmp 1"], "GET tmp"),
    ends("RENAME over a set", &["COPY set tmp REPLACE", "SET other x"], "RENAME other tmp"),
    ends("SET over a set", SET, "SET tmp x"),
    reads("MEMORY USAGE set SAMPLES 0"),
    reads("DEBUG DIGEST-VALUE set"),
    reads("OBJECT ENCODING set"),
    // Hashes.
    reads("HGETALL hash"),
    reads("HKEYS hash"),
    reads("HVALS hash"),
    reads("HLEN hash"),
    reads("HRANDFIELD hash -1000000"),
    reads("HRANDFIELD hash -1000000 WITHVALUES"),
    reads("HRANDFIELD hash 100000 WITHVALUES"),
    reads("HRANDFIELD hash 500000 WITHVALUES"),
    reads("HRANDFIELD hash 999999"),
    reads("HSCAN hash 0 COUNT 1000000"),
    reads("HSCAN hash 0 MATCH nothing* COUNT 1000000"),
    changes(NONE, "COPY hash tmp"),
    ends("DEL of a hash", HASH, "DEL tmp"),
    ends("GET of an expired hash", &["COPY hash tmp REPLACE", "PEXPIRE tmp 1"], "GET tmp"),
    reads("MEMORY USAGE hash SAMPLES 0"),
    reads("DEBUG DIGEST-VALUE hash"),
    // Lists.
    reads("LRANGE list 0 -1"),
    reads("LRANGE list 499900 500099"),
    reads("LPOS list nothing"),
    reads("LPOS list nothing RANK -1"),
    reads("LPOS numbers 5000000"),
    reads("LINDEX list 500000"),
    changes(LIST, "LSET tmp 500000 other"),
    changes(LIST, "LINSERT tmp BEFORE member00500000 other"),
    changes(LIST, "LREM tmp 0 nothing"),
    changes(LIST, "LREM tmp -1 nothing"),
    changes(LIST, "LREM tmp 0 member00500000"),
    changes(LIST, "LTRIM tmp 400000 599999"),
    changes(LIST, "LTRIM tmp 1 -2"),
    changes(LIST, "LPOP tmp 500000"),
    changes(LIST, "RPOP tmp 1000000"),
    changes(LIST, "LMPOP 1 tmp LEFT COUNT 500000"),
    changes(NONE, "COPY list tmp"),
    ends("DEL of a list", LIST, "DEL tmp"),
    ends("GET of an expired list", &["COPY list tmp REPLACE", "PEXPIRE tmp 1"], "GET tmp"),
    reads("SORT numbers"),
    reads("SORT numbers DESC LIMIT 0 10"),
    reads("SORT list ALPHA"),
    reads("SORT list BY nosort GET #"),
    reads("SORT list BY nosort GET weight_*"),
    reads("SORT list BY weight_*"),
    reads("SORT numbers BY nosort GET hash->*"),
    changes(NONE, "SORT numbers STORE tmp"),
    reads("MEMORY USAGE list SAMPLES 0"),
    reads("DEBUG DIGEST-VALUE list"),
    // Sorted sets.
    reads("ZRANGE zset 0 -1"),
    reads("ZRANGE zset 0 -1 WITHSCORES"),
    reads("ZRANGE zset 0 -1 REV"),
    reads("ZRANGE zset -inf +inf BYSCORE"),
    reads("ZRANGE zset -inf +inf BYSCORE LIMIT 999990 10"),
    changes(NONE, "ZRANGESTORE tmp zset 0 -1"),
    reads("ZCOUNT zset 1 999998"),
    reads("ZLEXCOUNT zset - +"),
    reads("ZRANK zset member00500000"),
    reads("ZUNION 2 zset zset2"),
    reads("ZINTER 2 zset zset2 WITHSCORES"),
    reads("ZDIFF 2 zset zset2"),
    reads("ZINTERCARD 2 zset zset2"),
    changes(NONE, "ZUNIONSTORE tmp 2 zset zset2"),
    changes(NONE, "ZINTERSTORE tmp 2 zset zset2"),
    changes(NONE, "ZDIFFSTORE tmp 2 zset zset2"),
    changes(NONE, "ZUNIONSTORE tmp 2 set set2"),
    changes(NONE, "ZINTERSTORE tmp 2 zset set2"),
    reads("ZRANDMEMBER zset -1000000"),
    reads("ZRANDMEMBER zset 100000 WITHSCORES"),
    reads("ZRANDMEMBER zset 500000"),
    reads("ZRANDMEMBER zset 999999"),
    reads("ZSCAN zset 0 COUNT 1000000"),
    changes(ZSET, "ZREMRANGEBYRANK tmp 0 499999"),
    changes(ZSET, "ZREMRANGEBYRANK tmp 1 -2"),
    changes(ZSET, "ZREMRANGEBYSCORE tmp 250000 750000"),
    changes(ZSET, "ZPOPMIN tmp 500000"),
    changes(ZSET, "ZPOPMAX tmp 1000000"),
    reads("SORT zset BY nosort"),
    changes(NONE, "COPY zset tmp"),
    ends("DEL of a sorted set", ZSET, "DEL tmp"),
    ends("GET of an expired sorted set", &["COPY zset tmp REPLACE", "PEXPIRE tmp 1"], "GET tmp"),
    reads("MEMORY USAGE zset SAMPLES 0"),
    reads("DEBUG DIGEST-VALUE zset"),
    // Strings of 100 MB, as bits.
    reads("GET bits"),
    reads("GETRANGE bits 1 -2"),
    reads("BITCOUNT bits"),
    reads("BITCOUNT bits 3 -5"),
    reads("BITCOUNT bits 3 -5 BIT"),
    reads("BITPOS zeros 1"),
    reads("BITPOS zeros 1 3 -5 BIT"),
    changes(NONE, "BITOP AND tmp bits bits2"),
    changes(NONE, "BITOP OR tmp bits bits2 zeros"),
    changes(NONE, "BITOP XOR tmp bits bits2"),
    changes(NONE, "BITOP NOT tmp bits"),
    changes(BITS, "SETBIT tmp 400000000 1"),
    changes(BITS, "APPEND tmp x"),
    changes(BITS, "SETRANGE tmp 50000000 other"),
    changes(BITS, "BITFIELD tmp SET u8 400000000 5"),
    changes(NONE, "COPY bits tmp"),
    ends("DEL of a string", BITS, "DEL tmp"),
    ends("SET over a string", BITS, "SET tmp x"),
    reads("MEMORY USAGE bits"),
    reads("DEBUG DIGEST-VALUE bits"),
    // HyperLogLogs.
    ends("PFCOUNT of one, changed", &["COPY hll tmp REPLACE", "PFADD tmp new"], "PFCOUNT tmp"),
    reads("PFCOUNT hll hll2"),
    changes(NONE, "PFMERGE tmp hll hll2"),
    // Positions.
    reads("GEOSEARCH geo FROMLONLAT 0 0 BYRADIUS 22000 km"),
    reads("GEOSEARCH geo FROMLONLAT 0 0 BYRADIUS 22000 km ASC WITHDIST"),
    reads("GEOSEARCH geo FROMLONLAT 0 0 BYRADIUS 22000 km ASC COUNT 10"),
    reads("GEOSEARCH geo FROMLONLAT 0 0 BYRADIUS 3000 km WITHCOORD"),
    reads("GEOSEARCH geo FROMLONLAT 10 50 BYBOX 4000 4000 km DESC"),
    changes(NONE, "GEOSEARCHSTORE tmp geo FROMLONLAT 10 50 BYRADIUS 5000 km"),
    // All keys.
    reads("DEBUG DIGEST"),
];
