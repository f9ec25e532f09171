//! Lists. The forms that wait are given a key that has elements, or no time to wait.

use crate::grammar::Arg::{Index, Int, Junk, Key, Maybe, OneOf, Repeat, ShortValue, Value, Word};
use crate::grammar::{Arg, Group, Row, row};

pub(crate) const GROUP: Group = Group { name: "lists", rows: ROWS };

const ROWS: &[Row] = &[
    row(25, "RPUSH", &[Key, Repeat(1, 5, &[ELEMENT])]),
    row(25, "LPUSH", &[Key, Repeat(1, 5, &[ELEMENT])]),
    row(4, "RPUSH", &[Key, Repeat(100, 300, &[ELEMENT])]),
    row(6, "RPUSHX", &[Key, Repeat(1, 3, &[ELEMENT])]),
    row(6, "LPUSHX", &[Key, Repeat(1, 3, &[ELEMENT])]),
    row(10, "LPOP", &[Key, Maybe(50, &[COUNT])]),
    row(10, "RPOP", &[Key, Maybe(50, &[COUNT])]),
    row(6, "LLEN", &[Key]),
    row(12, "LINDEX", &[Key, Index]),
    row(15, "LRANGE", &[Key, Index, Index]),
    row(10, "LINSERT", &[Key, OneOf(&[&[Word("BEFORE")], &[Word("AFTER")]]), ELEMENT, ELEMENT]),
    row(10, "LREM", &[Key, REMOVED, ELEMENT]).intact(),
    row(1, "LREM", &[Key, Word("x")]),
    row(10, "LSET", &[Key, Index, ELEMENT]),
    row(4, "LTRIM", &[Key, Index, Index]),
    row(15, "LPOS", &[Key, ELEMENT, Repeat(0, 3, &[POSITION_OPTION])]),
    row(12, "LMOVE", &[Key, Key, END, END]),
    row(8, "RPOPLPUSH", &[Key, Key]),
    row(6, "LMPOP", &[Word("1"), Key, END, Maybe(50, &[Word("COUNT"), COUNT])]),
    row(6, "LMPOP", &[Word("3"), Key, Key, Key, END, Maybe(50, &[Word("COUNT"), COUNT])]),
    row(2, "LMPOP", &[Int, Repeat(1, 3, &[Key]), END, Repeat(0, 3, &[Junk])]),
    row(4, "BLPOP", &[Repeat(1, 3, &[Key]), SHORT_TIME]).intact(),
    row(4, "BRPOP", &[Repeat(1, 3, &[Key]), SHORT_TIME]).intact(),
    row(4, "BLMOVE", &[Key, Key, END, END, SHORT_TIME]).intact(),
    row(2, "BRPOPLPUSH", &[Key, Key, SHORT_TIME]).intact(),
    row(4, "BLMPOP", &[SHORT_TIME, Word("2"), Key, Key, END]).intact(),
];

/// Few that are short, so that they meet.
const ELEMENT: Arg = OneOf(&[
    &[Word("x")],
    &[Word("y")],
    &[Word("17")],
    &[Word("-1000")],
    &[Word("017")],
    &[Int],
    &[ShortValue],
    &[Value],
]);

const COUNT: Arg = OneOf(&[&[Word("0")], &[Word("1")], &[Word("2")], &[Word("7")], &[Int]]);

/// Not the least of all numbers: 7.0 takes it, and changes the list.
const REMOVED: Arg = OneOf(&[
    &[Word("0")],
    &[Word("1")],
    &[Word("-1")],
    &[Word("2")],
    &[Word("-3")],
    &[Word("9223372036854775807")],
    &[Word("-9223372036854775807")],
    &[Word("9223372036854775808")],
    &[Word("+1")],
]);

const END: Arg = OneOf(&[&[Word("LEFT")], &[Word("RIGHT")]]);

const POSITION_OPTION: Arg = OneOf(&[
    &[Word("RANK"), OneOf(&[&[Word("1")], &[Word("2")], &[Word("-1")], &[Word("-2")], &[Int]])],
    &[Word("COUNT"), COUNT],
    &[Word("MAXLEN"), COUNT],
    &[Junk],
]);

/// Seconds, so few that a run does not notice, or none that are any.
const SHORT_TIME: Arg =
    OneOf(&[&[Word("0.001")], &[Word("0.002")], &[Word("-1")], &[Word("x")], &[Word("nan")]]);
