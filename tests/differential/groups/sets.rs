//! Sets.

use crate::grammar::Arg::{Int, Junk, Key, Maybe, OneOf, Pattern, Repeat, Value, Word};
use crate::grammar::{Arg, Group, Row, row};
use crate::reply::Compare;

pub(crate) const GROUP: Group = Group { name: "sets", rows: ROWS };

/// Mostly keys that hold sets, so that sets meet.
const SET: Arg = OneOf(&[
    &[Word("set:1")],
    &[Word("set:2")],
    &[Word("set:3")],
    &[Word("set:4")],
    &[Word("set:5")],
    &[Key],
]);

const MEMBER: Arg = OneOf(&[
    &[Word("a")],
    &[Word("b")],
    &[Word("c")],
    &[Word("1")],
    &[Word("2")],
    &[Word("30000")],
    &[Int],
    &[Int],
    &[Value],
]);

/// Counts that cannot make a server reply without end.
const COUNT: Arg = OneOf(&[
    &[Word("0")],
    &[Word("1")],
    &[Word("2")],
    &[Word("5")],
    &[Word("100")],
    &[Word("9223372036854775807")],
    &[Word("9223372036854775808")],
    &[Word("-9223372036854775808")],
    &[Word("x")],
    &[Word("1.5")],
]);

const SSCAN_OPTION: Arg = OneOf(&[&[Word("MATCH"), Pattern], &[Word("COUNT"), Word("1000000")]]);

/// What comes before a random removal, and after it, so that both servers have the same set again.
const FILL: &str = "SADD picked a b c d 1 2 3 4";
const CLEAR: &str = "DEL picked";

const ROWS: &[Row] = &[
    row(60, "SADD", &[SET, Repeat(1, 6, &[MEMBER])]),
    row(10, "SADD", &[SET, Repeat(1, 30, &[Int])]),
    row(3, "SADD", &[SET, Repeat(60, 200, &[Int])]),
    row(2, "SADD", &[SET, Repeat(60, 200, &[MEMBER])]),
    row(40, "SREM", &[SET, Repeat(1, 6, &[MEMBER])]),
    row(15, "SISMEMBER", &[SET, MEMBER]),
    row(10, "SMISMEMBER", &[SET, Repeat(1, 6, &[MEMBER])]),
    row(10, "SCARD", &[SET]),
    row(15, "SMEMBERS", &[SET]).compare(Compare::Unordered),
    row(20, "SMOVE", &[SET, SET, MEMBER]),
    row(15, "SINTER", &[Repeat(1, 4, &[SET])]).compare(Compare::Unordered),
    row(15, "SUNION", &[Repeat(1, 4, &[SET])]).compare(Compare::Unordered),
    row(15, "SDIFF", &[Repeat(1, 4, &[SET])]).compare(Compare::Unordered),
    row(15, "SINTERSTORE", &[SET, Repeat(1, 3, &[SET])]),
    row(15, "SUNIONSTORE", &[SET, Repeat(1, 3, &[SET])]),
    row(15, "SDIFFSTORE", &[SET, Repeat(1, 3, &[SET])]),
    row(8, "SINTERCARD", &[Word("1"), SET, Maybe(50, &[Word("LIMIT"), Int])]),
    row(8, "SINTERCARD", &[Word("2"), SET, SET, Maybe(50, &[Word("LIMIT"), Int])]),
    row(4, "SINTERCARD", &[Int, Repeat(1, 3, &[SET]), Maybe(30, &[Junk])]),
    row(15, "SSCAN", &[SET, Word("0"), Word("COUNT"), Word("1000000"), Maybe(40, &[SSCAN_OPTION])])
        .compare(Compare::Unordered)
        .intact(),
    row(3, "SSCAN", &[SET, OneOf(&[&[Int], &[Junk]]), Maybe(30, &[Junk])]).compare(Compare::Shape),
    row(10, "SPOP picked", &[]).before(FILL).after(CLEAR).compare(Compare::Shape).intact(),
    row(20, "SPOP picked", &[COUNT]).before(FILL).after(CLEAR).compare(Compare::Length).intact(),
    row(2, "SPOP picked", &[COUNT, Junk]).before(FILL).after(CLEAR).intact(),
    row(5, "SPOP none", &[COUNT]).intact(),
    row(5, "SRANDMEMBER set:1", &[])
        .compare(Compare::MemberOfNext)
        .after("SMEMBERS set:1")
        .intact(),
    row(10, "SRANDMEMBER", &[SET, COUNT]).compare(Compare::Length).intact(),
    row(5, "SRANDMEMBER", &[SET, Word("-20")]).compare(Compare::Length).intact(),
    row(2, "SRANDMEMBER", &[SET, COUNT, Junk]).compare(Compare::Length).intact(),
];
