//! Commands on keys of any type, and on whole databases.

use crate::grammar::Arg::{
    Db, Int, Junk, Key, LongKey, Maybe, Millis, OneOf, Pattern, Repeat, Seconds, ShortKey,
    UnixMillis, UnixSeconds, Word,
};
use crate::grammar::{Arg, Group, Row, row};
use crate::reply::Compare;

pub(crate) const GROUP: Group = Group { name: "generic", rows: ROWS };

/// How far apart two servers may be in time; times to live lie further apart.
const SLACK_S: Compare = Compare::Within(20);
const SLACK_MS: Compare = Compare::Within(20_000);

const CONDITION: Arg = Maybe(
    40,
    &[OneOf(&[
        &[Word("NX")],
        &[Word("XX")],
        &[Word("GT")],
        &[Word("LT")],
        &[Word("XX"), Word("GT")],
        &[Word("NX"), Word("LT")],
        &[Word("GT"), Word("LT")],
    ])],
);

const SCAN_OPTION: Arg = OneOf(&[
    &[Word("COUNT"), Word("1")],
    &[Word("COUNT"), Word("3")],
    &[Word("COUNT"), Int],
    &[Word("MATCH"), Pattern],
    &[Word("TYPE"), Word("string")],
    &[Word("TYPE"), Word("hash")],
]);

const ROWS: &[Row] = &[
    row(15, "DEL", &[Repeat(1, 3, &[Key])]),
    row(6, "UNLINK", &[Repeat(1, 3, &[Key])]),
    row(2, "DEL", &[LongKey]),
    row(2, "UNLINK", &[LongKey, ShortKey]),
    row(8, "EXISTS", &[Repeat(1, 4, &[Key])]),
    row(6, "TYPE", &[Key]),
    row(4, "TOUCH", &[Repeat(1, 3, &[Key])]),
    row(6, "KEYS", &[Pattern]).compare(Compare::Unordered),
    // Unspoiled it is a whole iteration.
    row(10, "SCAN", &[Word("0"), Repeat(0, 2, &[SCAN_OPTION])]).compare(Compare::Shape),
    row(3, "SCAN", &[OneOf(&[&[Int], &[Junk]]), Repeat(0, 2, &[SCAN_OPTION])])
        .compare(Compare::Shape),
    row(3, "RANDOMKEY", &[]).compare(Compare::MemberOfNext).after("KEYS *").intact(),
    row(15, "RENAME", &[Key, Key]),
    row(10, "RENAMENX", &[Key, Key]),
    row(1, "RENAME", &[LongKey, LongKey]),
    row(15, "COPY", &[Key, Key, Repeat(0, 2, &[COPY_OPTION])]),
    row(1, "COPY", &[LongKey, LongKey, Word("REPLACE")]),
    row(12, "MOVE", &[Key, Db]),
    row(12, "EXPIRE", &[Key, Seconds, CONDITION]).timed(),
    row(12, "PEXPIRE", &[Key, Millis, CONDITION]).timed(),
    row(12, "EXPIREAT", &[Key, UnixSeconds, CONDITION]).timed(),
    row(12, "PEXPIREAT", &[Key, UnixMillis, CONDITION]).timed(),
    row(8, "TTL", &[Key]).compare(SLACK_S),
    row(8, "PTTL", &[Key]).compare(SLACK_MS),
    row(8, "EXPIRETIME", &[Key]).compare(SLACK_S),
    row(8, "PEXPIRETIME", &[Key]).compare(SLACK_MS),
    row(10, "PERSIST", &[Key]),
    row(15, "OBJECT ENCODING", &[Key]),
    row(3, "OBJECT REFCOUNT", &[Key]),
    row(3, "OBJECT IDLETIME", &[Key]).compare(SLACK_S),
    row(2, "OBJECT FREQ", &[Key]),
    row(1, "OBJECT", &[Junk, Maybe(50, &[Key])]),
    // In words of our own.
    row(1, "OBJECT HELP", &[]).compare(Compare::Shape),
    // A key set to end in the past counts until somebody looks at it.
    row(5, "DBSIZE", &[]).before("SCAN 0 COUNT 1000000"),
    row(6, "SELECT", &[Db]),
    row(3, "SWAPDB", &[Db, Db]),
    row(1, "FLUSHDB", &[Maybe(70, &[FLUSH_OPTION])]),
    row(1, "FLUSHALL", &[Maybe(70, &[FLUSH_OPTION])]),
];

const COPY_OPTION: Arg = OneOf(&[&[Word("REPLACE")], &[Word("DB"), Db]]);

const FLUSH_OPTION: Arg = OneOf(&[&[Word("SYNC")], &[Word("ASYNC")], &[Junk]]);
