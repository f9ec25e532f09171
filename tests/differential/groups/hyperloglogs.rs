//! HyperLogLogs.

use crate::grammar::Arg::{Element, HllKey, Int, Key, Maybe, OneOf, Repeat, Value, Word};
use crate::grammar::{Arg, Group, Row, row};

pub(crate) const GROUP: Group = Group { name: "hyperloglogs", rows: ROWS };

const ROWS: &[Row] = &[
    row(40, "PFADD", &[HllKey, Repeat(0, 20, &[Element])]),
    row(4, "PFADD", &[HllKey, Repeat(200, 900, &[Element])]),
    row(3, "PFADD", &[Key, Value]),
    row(20, "PFCOUNT", &[HllKey]),
    row(10, "PFCOUNT", &[Repeat(1, 5, &[HllKey]), Maybe(10, &[Key])]),
    row(10, "PFMERGE", &[HllKey, Repeat(0, 4, &[HllKey]), Maybe(10, &[Key])]),
    row(6, "PFDEBUG", &[SHOWN, HllKey]),
    row(1, "PFDEBUG", &[Word("TODENSE"), HllKey]),
    row(3, "DEL", &[HllKey]),
    row(3, "COPY", &[HllKey, HllKey, Word("REPLACE")]),
    row(1, "SETBIT", &[HllKey, BROKEN_BIT, Word("1")]).intact(),
    row(1, "SETRANGE", &[HllKey, Word("15"), Word("\u{7f}")]).intact(),
    row(2, "GETRANGE", &[HllKey, Int, Int]),
];

const SHOWN: Arg = OneOf(&[&[Word("DECODE")], &[Word("ENCODING")], &[Word("GETREG")]]);

/// Bits of run lengths or registers, which may be no HyperLogLog's any more.
const BROKEN_BIT: Arg = OneOf(&[&[Word("130")], &[Word("137")], &[Word("152")]]);
