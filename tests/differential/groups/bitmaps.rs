//! Bitmaps.

use crate::grammar::Arg::{
    BitOffset, FieldOffset, FieldType, Index, Int, Key, Maybe, OneOf, Repeat, Word,
};
use crate::grammar::{Arg, Group, Row, row};

pub(crate) const GROUP: Group = Group { name: "bitmaps", rows: ROWS };

// Rows that grow a string are not spoiled by numbers, one of which might ask for half a gigabyte.
const ROWS: &[Row] = &[
    row(30, "SETBIT", &[Key, BitOffset, BIT]).timed(),
    row(15, "GETBIT", &[Key, BitOffset]),
    row(20, "BITCOUNT", &[Key, Maybe(70, &[Index, Index, Maybe(50, &[UNIT])])]),
    row(20, "BITPOS", &[Key, BIT, Maybe(70, &[Index, Maybe(70, &[Index, Maybe(60, &[UNIT])])])]),
    row(12, "BITOP", &[OPERATION, Key, Repeat(1, 5, &[Key])]),
    row(3, "BITOP", &[Word("NOT"), Key, Key]),
    row(30, "BITFIELD", &[Key, Repeat(0, 6, &[FIELD_OPERATION])]).timed(),
    row(8, "BITFIELD_RO", &[Key, Repeat(0, 4, &[Word("GET"), FieldType, FieldOffset])]).timed(),
];

const BIT: Arg =
    OneOf(&[&[Word("0")], &[Word("1")], &[Word("0")], &[Word("1")], &[Word("1")], &[Int]]);

const UNIT: Arg = OneOf(&[&[Word("BYTE")], &[Word("BIT")]]);

const OPERATION: Arg = OneOf(&[&[Word("AND")], &[Word("OR")], &[Word("XOR")]]);

const FIELD_OPERATION: Arg = OneOf(&[
    &[Word("GET"), FieldType, FieldOffset],
    &[Word("SET"), FieldType, FieldOffset, Int],
    &[Word("INCRBY"), FieldType, FieldOffset, Int],
    &[Word("OVERFLOW"), Word("WRAP")],
    &[Word("OVERFLOW"), Word("SAT")],
    &[Word("OVERFLOW"), Word("FAIL")],
]);
