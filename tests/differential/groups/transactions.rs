//! Transactions: what is sent in between, of any family, is queued.

use crate::grammar::Arg::{Junk, Key, Repeat};
use crate::grammar::{Group, Row, row};

pub(crate) const GROUP: Group = Group { name: "transactions", rows: ROWS };

const ROWS: &[Row] = &[
    row(25, "MULTI", &[]),
    row(40, "EXEC", &[]).intact(),
    row(2, "EXEC", &[Junk]),
    row(3, "DISCARD", &[]),
    row(10, "WATCH", &[Repeat(1, 3, &[Key])]),
    row(2, "UNWATCH", &[]),
    row(6, "GET", &[Key]),
    row(6, "INCR", &[Key]),
];
