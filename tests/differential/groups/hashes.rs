//! Hashes. Field expiry is not in Redis 7.0.

use crate::grammar::Arg::{Float, Int, Junk, Key, Maybe, OneOf, Pattern, Repeat, Value, Word};
use crate::grammar::{Arg, Group, Row, row};
use crate::reply::Compare;

pub(crate) const GROUP: Group = Group { name: "hashes", rows: ROWS };

/// Mostly keys that hold hashes, small ones and large ones.
const HASH: Arg = OneOf(&[
    &[Word("hash:1")],
    &[Word("hash:2")],
    &[Word("hash:3")],
    &[Word("hash:4")],
    &[Word("hash:5")],
    &[Key],
]);

const FIELD: Arg = OneOf(&[
    &[Word("a")],
    &[Word("b")],
    &[Word("c")],
    &[Word("d")],
    &[Word("1")],
    &[Word("20000")],
    &[Int],
    &[Value],
]);

/// Values that may be counted, and others.
const CONTENT: Arg = OneOf(&[&[Int], &[Int], &[Float], &[Value]]);

/// Counts that cannot make a server reply without end.
const COUNT: Arg = OneOf(&[
    &[Word("0")],
    &[Word("1")],
    &[Word("2")],
    &[Word("5")],
    &[Word("1000")],
    &[Word("4611686018427387904")],
    &[Word("9223372036854775808")],
    &[Word("-9223372036854775808")],
    &[Word("x")],
    &[Word("1.5")],
]);

const HSCAN_OPTION: Arg = OneOf(&[&[Word("MATCH"), Pattern], &[Word("COUNT"), Word("1000000")]]);

const ROWS: &[Row] = &[
    row(60, "HSET", &[HASH, Repeat(1, 5, &[FIELD, CONTENT])]),
    row(5, "HSET", &[HASH, Repeat(1, 40, &[Int, CONTENT])]),
    row(2, "HSET", &[HASH, Repeat(200, 400, &[Int, Int])]),
    row(15, "HMSET", &[HASH, Repeat(1, 5, &[FIELD, CONTENT])]),
    row(20, "HSETNX", &[HASH, FIELD, CONTENT]),
    row(20, "HGET", &[HASH, FIELD]),
    row(20, "HMGET", &[HASH, Repeat(1, 5, &[FIELD])]),
    row(15, "HGETALL", &[HASH]).compare(Compare::Unordered),
    row(8, "HKEYS", &[HASH]).compare(Compare::Unordered),
    row(8, "HVALS", &[HASH]).compare(Compare::Unordered),
    row(10, "HLEN", &[HASH]),
    row(10, "HSTRLEN", &[HASH, FIELD]),
    row(10, "HEXISTS", &[HASH, FIELD]),
    row(40, "HDEL", &[HASH, Repeat(1, 5, &[FIELD])]),
    row(30, "HINCRBY", &[HASH, FIELD, Int]),
    row(30, "HINCRBYFLOAT", &[HASH, FIELD, OneOf(&[&[Float], &[Int]])]),
    row(
        15,
        "HSCAN",
        &[HASH, Word("0"), Word("COUNT"), Word("1000000"), Maybe(40, &[HSCAN_OPTION])],
    )
    .compare(Compare::Unordered)
    .intact(),
    row(3, "HSCAN", &[HASH, OneOf(&[&[Int], &[Junk]]), Maybe(30, &[Junk])]).compare(Compare::Shape),
    row(5, "HRANDFIELD hash:1", &[]).compare(Compare::MemberOfNext).after("HKEYS hash:1").intact(),
    row(10, "HRANDFIELD", &[HASH, COUNT, Maybe(40, &[Word("WITHVALUES")])])
        .compare(Compare::Length)
        .intact(),
    row(5, "HRANDFIELD", &[HASH, Word("-20"), Maybe(40, &[Word("WITHVALUES")])])
        .compare(Compare::Length)
        .intact(),
    row(2, "HRANDFIELD", &[HASH, COUNT, Junk]).compare(Compare::Length).intact(),
];
