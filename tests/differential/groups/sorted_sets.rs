//! Sorted sets.
//!
//! Scores are compared as numbers: Redis 7.0 prints 17 digits, newer versions the shortest.

use crate::grammar::Arg::{
    Element, Int, Junk, Key, Maybe, OneOf, Pattern, Repeat, ShortValue, Word,
};
use crate::grammar::{Arg, Group, Row, row};
use crate::reply::Compare;

pub(crate) const GROUP: Group = Group { name: "sorted-sets", rows: ROWS };

/// Mostly keys that hold sorted sets, so that these meet.
const SET: Arg = OneOf(&[
    &[Word("z:1")],
    &[Word("z:2")],
    &[Word("z:3")],
    &[Word("z:4")],
    &[Word("z:5")],
    &[Word("z:6")],
    &[Word("set:1")],
    &[Key],
]);

const MEMBER: Arg = OneOf(&[
    &[Word("a")],
    &[Word("b")],
    &[Word("c")],
    &[Word("d")],
    &[Word("1")],
    &[Word("-7")],
    &[Word("30000")],
    &[Word("")],
    &[Word("a-member-of-sixty-five-bytes-which-is-one-too-many-for-a-listpack")],
    &[Element],
    &[Element],
    &[ShortValue],
]);

const SCORE: Arg = OneOf(&[
    &[Word("0")],
    &[Word("1")],
    &[Word("2")],
    &[Word("3")],
    &[Word("-1")],
    &[Word("0.5")],
    &[Word("-2.25")],
    &[Word("1e5")],
    &[Word("100")],
    &[Word("4294967296")],
    &[Word("inf")],
    &[Word("-inf")],
    &[Word("0x10")],
    &[Word("nan")],
    &[Word("1e400")],
    &[Word("")],
    &[Word("x")],
    &[Word("1 ")],
]);

/// Scores that are accepted, for long command lines.
const GOOD_SCORE: Arg = OneOf(&[
    &[Word("1")],
    &[Word("2")],
    &[Word("3")],
    &[Word("4.5")],
    &[Word("-7")],
    &[Word("99")],
]);

const BOUND: Arg = OneOf(&[
    &[Word("-inf")],
    &[Word("+inf")],
    &[Word("(1")],
    &[Word("(2")],
    &[Word("(-inf")],
    &[Word("(")],
    &[Word("3")],
    &[SCORE],
    &[SCORE],
]);

const LEX_BOUND: Arg = OneOf(&[
    &[Word("-")],
    &[Word("+")],
    &[Word("[a")],
    &[Word("(a")],
    &[Word("[b")],
    &[Word("(c")],
    &[Word("[")],
    &[Word("(")],
    &[Word("[1")],
    &[Word("a")],
    &[Word("++")],
    &[Junk],
]);

const RANK: Arg = OneOf(&[
    &[Word("0")],
    &[Word("1")],
    &[Word("2")],
    &[Word("5")],
    &[Word("-1")],
    &[Word("-2")],
    &[Word("-5")],
    &[Word("100")],
    &[Int],
]);

const LIMIT: Arg = OneOf(&[&[Word("LIMIT"), RANK, RANK]]);
const SCORES: Arg = Maybe(40, &[Word("WITHSCORES")]);

const ADD_OPTION: Arg = OneOf(&[
    &[Word("NX")],
    &[Word("XX")],
    &[Word("GT")],
    &[Word("LT")],
    &[Word("CH")],
    &[Word("CH")],
    &[Word("INCR")],
]);

const RANGE_OPTION: Arg =
    OneOf(&[&[Word("REV")], &[LIMIT], &[Word("WITHSCORES")], &[Word("BYSCORE")], &[Word("BYLEX")]]);

const WEIGHT: Arg = OneOf(&[
    &[Word("1")],
    &[Word("2")],
    &[Word("-1")],
    &[Word("0")],
    &[Word("0.5")],
    &[Word("inf")],
    &[Word("x")],
]);

const AGGREGATE: Arg = OneOf(&[
    &[Word("AGGREGATE"), Word("SUM")],
    &[Word("AGGREGATE"), Word("MIN")],
    &[Word("AGGREGATE"), Word("MAX")],
    &[Word("AGGREGATE"), Junk],
]);

const COUNT: Arg = OneOf(&[
    &[Word("0")],
    &[Word("1")],
    &[Word("2")],
    &[Word("5")],
    &[Word("100")],
    &[Word("9223372036854775807")],
    &[Word("-1")],
    &[Word("x")],
    &[Word("")],
]);

const END: Arg = OneOf(&[&[Word("MIN")], &[Word("MAX")], &[Word("MAX")], &[Junk]]);

/// Two sets with a weight each, and how they are put together.
const TWO: &[Arg] =
    &[Word("2"), SET, SET, Maybe(40, &[Word("WEIGHTS"), WEIGHT, WEIGHT]), Maybe(40, &[AGGREGATE])];

const FILL: &str = "ZADD picked 1 a 2 b 2 c 3 d";
const CLEAR: &str = "DEL picked";

// Rows that set scores are not spoiled by numbers: ZSCAN, whose order is any, would show their digits.
const ROWS: &[Row] = &[
    row(80, "ZADD", &[SET, Repeat(0, 2, &[ADD_OPTION]), Repeat(1, 5, &[SCORE, MEMBER])])
        .timed()
        .compare(Compare::Scores),
    row(40, "ZADD", &[SET, Repeat(1, 8, &[GOOD_SCORE, MEMBER])]).timed().compare(Compare::Scores),
    row(20, "ZADD", &[SET, Repeat(1, 2, &[ADD_OPTION]), GOOD_SCORE, MEMBER])
        .timed()
        .compare(Compare::Scores),
    row(3, "ZADD", &[SET, Repeat(60, 120, &[GOOD_SCORE, Element])])
        .timed()
        .compare(Compare::Scores),
    row(3, "ZADD", &[SET, Repeat(60, 120, &[Word("5"), MEMBER])]).timed().compare(Compare::Scores),
    row(20, "ZINCRBY", &[SET, SCORE, MEMBER]).timed().compare(Compare::Scores),
    row(30, "ZREM", &[SET, Repeat(1, 6, &[MEMBER])]).compare(Compare::Scores),
    row(10, "ZCARD", &[SET]).compare(Compare::Scores),
    row(15, "ZSCORE", &[SET, MEMBER]).compare(Compare::Scores),
    row(10, "ZMSCORE", &[SET, Repeat(1, 5, &[MEMBER])]).compare(Compare::Scores),
    row(10, "ZRANK", &[SET, MEMBER]).compare(Compare::Scores),
    row(10, "ZREVRANK", &[SET, MEMBER]).compare(Compare::Scores),
    row(15, "ZCOUNT", &[SET, BOUND, BOUND]).compare(Compare::Scores),
    row(15, "ZLEXCOUNT lex", &[LEX_BOUND, LEX_BOUND]).before(LEX).intact().compare(Compare::Scores),
    row(20, "ZRANGE", &[SET, RANK, RANK, Maybe(30, &[Word("REV")]), SCORES])
        .compare(Compare::Scores),
    row(20, "ZRANGE", &[SET, BOUND, BOUND, Word("BYSCORE"), Repeat(0, 3, &[RANGE_OPTION])])
        .compare(Compare::Scores),
    row(5, "ZRANGE", &[SET, RANK, RANK, Repeat(0, 3, &[RANGE_OPTION])]).compare(Compare::Scores),
    row(10, "ZREVRANGE", &[SET, RANK, RANK, SCORES]).compare(Compare::Scores),
    row(15, "ZRANGEBYSCORE", &[SET, BOUND, BOUND, SCORES, Maybe(40, &[LIMIT])])
        .compare(Compare::Scores),
    row(15, "ZREVRANGEBYSCORE", &[SET, BOUND, BOUND, SCORES, Maybe(40, &[LIMIT])])
        .compare(Compare::Scores),
    row(10, "ZRANGESTORE", &[SET, SET, RANK, RANK, Maybe(30, &[Word("REV")])])
        .compare(Compare::Scores),
    row(10, "ZRANGESTORE", &[SET, SET, BOUND, BOUND, Word("BYSCORE"), Maybe(40, &[RANGE_OPTION])])
        .compare(Compare::Scores),
    row(10, "ZREMRANGEBYRANK", &[SET, RANK, RANK]).compare(Compare::Scores),
    row(8, "ZREMRANGEBYSCORE", &[SET, BOUND, BOUND]).compare(Compare::Scores),
    row(15, "ZPOPMIN", &[SET, Maybe(40, &[COUNT])]).compare(Compare::Scores),
    row(15, "ZPOPMAX", &[SET, Maybe(40, &[COUNT])]).compare(Compare::Scores),
    row(10, "ZMPOP", &[Word("1"), SET, END, Maybe(50, &[Word("COUNT"), COUNT])])
        .compare(Compare::Scores),
    row(10, "ZMPOP", &[Word("2"), SET, SET, END, Maybe(50, &[Word("COUNT"), COUNT])])
        .compare(Compare::Scores),
    row(3, "ZMPOP", &[Int, Repeat(1, 3, &[SET]), END, Maybe(30, &[Junk])]).compare(Compare::Scores),
    // Members of different scores are in no order of their bytes, and a range of them is undefined.
    row(15, "ZRANGEBYLEX lex", &[LEX_BOUND, LEX_BOUND, Maybe(40, &[LIMIT])])
        .before(LEX)
        .intact()
        .compare(Compare::Scores),
    row(10, "ZREVRANGEBYLEX lex", &[LEX_BOUND, LEX_BOUND, Maybe(40, &[LIMIT])])
        .before(LEX)
        .intact()
        .compare(Compare::Scores),
    row(10, "ZRANGE lex", &[LEX_BOUND, LEX_BOUND, Word("BYLEX"), Repeat(0, 2, &[RANGE_OPTION])])
        .before(LEX)
        .intact()
        .compare(Compare::Scores),
    row(10, "ZREMRANGEBYLEX lex", &[LEX_BOUND, LEX_BOUND])
        .before(LEX)
        .intact()
        .compare(Compare::Scores),
    row(5, "ZRANGESTORE z:1 lex", &[LEX_BOUND, LEX_BOUND, Word("BYLEX")])
        .before(LEX)
        .intact()
        .compare(Compare::Scores),
    row(15, "ZUNION", &[OneOf(&[TWO]), SCORES]).compare(Compare::Scores),
    row(15, "ZINTER", &[OneOf(&[TWO]), SCORES]).compare(Compare::Scores),
    row(15, "ZUNIONSTORE", &[SET, OneOf(&[TWO])]).compare(Compare::Scores),
    row(15, "ZINTERSTORE", &[SET, OneOf(&[TWO])]).compare(Compare::Scores),
    row(10, "ZDIFF", &[Word("2"), SET, SET, SCORES]).compare(Compare::Scores),
    row(10, "ZDIFFSTORE", &[SET, Word("2"), SET, SET]).compare(Compare::Scores),
    row(8, "ZUNIONSTORE", &[SET, Word("3"), SET, SET, SET, Maybe(30, &[AGGREGATE])])
        .compare(Compare::Scores),
    row(3, "ZUNION", &[Int, Repeat(1, 3, &[SET]), Maybe(30, &[Junk]), SCORES])
        .compare(Compare::Scores),
    row(8, "ZINTERCARD", &[Word("2"), SET, SET, Maybe(50, &[Word("LIMIT"), Int])])
        .compare(Compare::Scores),
    row(3, "ZINTERCARD", &[Int, Repeat(1, 3, &[SET]), Maybe(30, &[Junk])]).compare(Compare::Scores),
    row(10, "ZRANDMEMBER", &[SET, COUNT, SCORES]).compare(Compare::Length).intact(),
    row(5, "ZRANDMEMBER picked", &[]).before(FILL).compare(Compare::Shape).after(CLEAR).intact(),
    row(15, "ZSCAN", &[SET, Word("0"), Word("COUNT"), Word("1000000"), Maybe(40, &[SCAN_OPTION])])
        .compare(Compare::Unordered)
        .intact(),
    row(3, "ZSCAN", &[SET, OneOf(&[&[Int], &[Junk]]), Maybe(30, &[Junk])]).compare(Compare::Shape),
    row(5, "BZPOPMIN", &[Maybe(50, &[SET]), Word("picked"), Word("0")])
        .before(FILL)
        .after(CLEAR)
        .intact()
        .compare(Compare::Scores),
    row(5, "BZPOPMAX", &[Maybe(50, &[SET]), Word("picked"), Word("1.5")])
        .before(FILL)
        .after(CLEAR)
        .intact()
        .compare(Compare::Scores),
    row(5, "BZMPOP 0 2", &[SET, Word("picked"), END, Maybe(50, &[Word("COUNT"), COUNT])])
        .before(FILL)
        .after(CLEAR)
        .intact()
        .compare(Compare::Scores),
    row(3, "BZPOPMIN nokey", &[OneOf(&[&[Word("-1")], &[Word("x")]])])
        .intact()
        .compare(Compare::Scores),
];

const LEX: &str = "ZADD lex 0 a 0 b 0 c 0 d 0 1 0 aa 0 ab";
const SCAN_OPTION: Arg = OneOf(&[&[Word("MATCH"), Pattern], &[Word("COUNT"), Word("1000000")]]);
