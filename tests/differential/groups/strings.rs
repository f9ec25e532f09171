//! Strings.

use crate::grammar::Arg::{
    Float, Index, Int, Key, LongKey, LongValue, Maybe, Millis, Offset, OneOf, Repeat, Seconds,
    ShortKey, ShortValue, UnixMillis, UnixSeconds, Value, Word,
};
use crate::grammar::{Arg, Group, Row, row};

/// The options of SET and GETEX that set a time.
const TIME: Arg = OneOf(&[
    &[Word("EX"), Seconds],
    &[Word("PX"), Millis],
    &[Word("EXAT"), UnixSeconds],
    &[Word("PXAT"), UnixMillis],
]);

const SET_OPTION: Arg = OneOf(&[
    &[Word("NX")],
    &[Word("XX")],
    &[Word("GET")],
    &[Word("KEEPTTL")],
    &[Word("NX"), Word("GET")],
    &[Word("XX"), Word("GET")],
    &[TIME],
    &[TIME],
]);

pub(crate) const GROUP: Group = Group { name: "strings", rows: ROWS };

const ROWS: &[Row] = &[
    row(60, "SET", &[Key, Value]),
    row(30, "SET", &[Key, Value, SET_OPTION, Maybe(50, &[SET_OPTION])]).timed(),
    row(40, "GET", &[Key]),
    row(10, "SETNX", &[Key, Value]),
    row(8, "SETEX", &[Key, Seconds, Value]).timed(),
    row(8, "PSETEX", &[Key, Millis, Value]).timed(),
    row(8, "GETSET", &[Key, Value]),
    row(6, "GETDEL", &[Key]),
    row(12, "GETEX", &[Key, Maybe(70, &[OneOf(&[&[Word("PERSIST")], &[TIME], &[TIME]])])]).timed(),
    row(10, "MGET", &[Repeat(1, 6, &[Key])]),
    row(10, "MSET", &[Repeat(1, 5, &[Key, Value])]),
    row(8, "MSETNX", &[Repeat(1, 3, &[Key, Value])]),
    row(20, "APPEND", &[Key, Value]),
    row(10, "STRLEN", &[Key]),
    row(20, "SETRANGE", &[Key, Offset, Value]),
    row(15, "GETRANGE", &[Key, Index, Index]),
    row(8, "SUBSTR", &[Key, Index, Index]),
    row(20, "INCR", &[Key]),
    row(15, "DECR", &[Key]),
    row(25, "INCRBY", &[Key, Int]),
    row(25, "DECRBY", &[Key, Int]),
    row(30, "INCRBYFLOAT", &[Key, Float]),
    row(4, "SET", &[ShortKey, ShortValue]),
    row(4, "APPEND", &[ShortKey, ShortValue]),
    row(10, "LCS", &[ShortKey, ShortKey, Maybe(60, &[Repeat(1, 3, &[LCS_OPTION])])]),
    row(3, "SET", &[LongKey, LongValue]),
    row(2, "APPEND", &[LongKey, LongValue]),
    row(2, "SETRANGE", &[LongKey, Index, LongValue]),
    row(2, "GET", &[LongKey]),
    row(2, "MSET", &[LongKey, LongValue, Key, Value, LongKey, LongValue]),
    row(2, "GETRANGE", &[LongKey, Index, Index]),
    row(1, "GETSET", &[LongKey, LongValue]),
    row(1, "STRLEN", &[LongKey]),
];

const LCS_OPTION: Arg = OneOf(&[
    &[Word("LEN")],
    &[Word("IDX")],
    &[Word("IDX")],
    &[Word("WITHMATCHLEN")],
    &[Word("MINMATCHLEN"), Int],
    &[Word("MINMATCHLEN"), Index],
]);
