//! SORT over everything it takes.
//!
//! The sorted sets have a key of their own, made anew for each command: Redis 7.0 turns one that it
//! sorts into a skip list, Carnelian leaves it as it is.

use crate::grammar::Arg::{Int, Junk, Maybe, OneOf, Repeat, Word};
use crate::grammar::{Arg, Group, Row, row};

pub(crate) const GROUP: Group = Group { name: "sorting", rows: ROWS };

/// What is sorted: small numbers, so that elements and parts of keys meet.
const ELEMENT: Arg = OneOf(&[
    &[Word("1")],
    &[Word("2")],
    &[Word("3")],
    &[Word("10")],
    &[Word("-1.5")],
    &[Word("0x10")],
    &[Word("inf")],
    &[Word("x")],
]);

const SORTED: Arg =
    OneOf(&[&[Word("sort:list")], &[Word("sort:list")], &[Word("sort:set")], &[Word("sort:w_1")]]);

/// Never with ALPHA: between values that are equal nothing decides then, while a tie of numbers goes to
/// the element.
const BY: Arg = OneOf(&[
    &[Word("BY"), Word("sort:w_*")],
    &[Word("BY"), Word("sort:h_*->w")],
    &[Word("BY"), Word("*")],
    &[Word("BY"), Word("#")],
]);

const GET: Arg = OneOf(&[
    &[Word("GET"), Word("#")],
    &[Word("GET"), Word("sort:w_*")],
    &[Word("GET"), Word("sort:h_*->w")],
    &[Word("GET"), Word("sort:h_*->")],
    &[Word("GET"), Word("fixed")],
]);

const LIMIT: Arg = OneOf(&[
    &[Word("LIMIT"), Word("0"), Word("3")],
    &[Word("LIMIT"), Word("1"), Word("2")],
    &[Word("LIMIT"), Word("2"), Word("-1")],
    &[Word("LIMIT"), Int, Int],
]);

const ORDER: Arg = OneOf(&[&[Word("ASC")], &[Word("DESC")]]);

const OPTION: Arg = OneOf(&[&[GET], &[GET], &[LIMIT], &[ORDER]]);

/// A list keeps its order without BY; that of a set is the server's own.
const NO_ORDER: &[Arg] = &[Word("sort:list"), Word("BY"), Word("nosort"), Repeat(0, 3, &[OPTION])];

const FILL: &str = "ZADD sort:zset 3 1 2 2 1 3 1 10 2.5 x 2.5 -1.5";
const CLEAR: &str = "DEL sort:zset";

/// Redis 7.0 takes the range error of a number in an earlier command for one of the sort's own, and
/// reading a number that is in range ends that.
const GOOD_NUMBER: &str = "ZADD sort:number 1 x";

const ROWS: &[Row] = &[
    row(30, "RPUSH sort:list", &[Repeat(1, 3, &[ELEMENT])]),
    row(5, "LPOP sort:list", &[]),
    row(5, "DEL sort:list", &[]),
    row(20, "SADD sort:set", &[Repeat(1, 3, &[ELEMENT])]),
    row(15, "SREM sort:set", &[Repeat(1, 3, &[ELEMENT])]),
    row(10, "SET", &[OneOf(&[&[Word("sort:w_1")], &[Word("sort:w_10")]]), ELEMENT]),
    row(5, "SET", &[OneOf(&[&[Word("sort:w_x")], &[Word("sort:h_->")]]), ELEMENT]),
    row(10, "HSET", &[OneOf(&[&[Word("sort:h_1")], &[Word("sort:h_2")]]), Word("w"), ELEMENT]),
    row(3, "DEL", &[OneOf(&[&[Word("sort:w_1")], &[Word("sort:h_1")]])]),
    row(30, "SORT", &[SORTED, Repeat(0, 3, &[OPTION])]).before(GOOD_NUMBER),
    row(30, "SORT", &[SORTED, Word("ALPHA"), Repeat(0, 3, &[OPTION])]).before(GOOD_NUMBER),
    row(30, "SORT", &[SORTED, Word("BY"), Word("sort:w_*"), Repeat(0, 3, &[OPTION])])
        .before(GOOD_NUMBER)
        .intact(),
    row(30, "SORT", &[SORTED, Word("BY"), Word("sort:h_*->w"), Repeat(0, 3, &[OPTION])])
        .before(GOOD_NUMBER)
        .intact(),
    row(20, "SORT", NO_ORDER).intact(),
    row(20, "SORT", &[SORTED, Repeat(0, 2, &[OPTION]), Word("STORE"), Word("sort:list")])
        .before(GOOD_NUMBER),
    row(10, "SORT", &[SORTED, Word("ALPHA"), Maybe(40, &[LIMIT]), Word("STORE"), Word("stored")])
        .before(GOOD_NUMBER),
    row(10, "SORT_RO", &[SORTED, Repeat(0, 3, &[OPTION])]).before(GOOD_NUMBER),
    row(10, "SORT sort:list", &[Repeat(0, 3, &[OneOf(&[&[BY], &[Word("ASC")], &[Junk]])])])
        .before(GOOD_NUMBER)
        .intact(),
    row(10, "SORT sort:zset ALPHA", &[Repeat(0, 3, &[OPTION])]).before(FILL).after(CLEAR).intact(),
    row(10, "SORT sort:zset BY nosort", &[Repeat(0, 3, &[OPTION])])
        .before(FILL)
        .after(CLEAR)
        .intact(),
];
