//! Commands about the connection itself.

use crate::grammar::Arg::{Int, Junk, Maybe, OneOf, Repeat, Value, Word};
use crate::grammar::{Arg, Group, Row, row};
use crate::reply::Compare;

pub(crate) const GROUP: Group = Group { name: "connection", rows: ROWS };

/// What HELLO says about the server and the connection, apart from the protocol.
const HELLO: Compare = Compare::MapBut(&["version", "id"]);

const NAME: Arg = OneOf(&[&[Word("name")], &[Value], &[Junk]]);

const ROWS: &[Row] = &[
    row(10, "PING", &[Maybe(50, &[Value])]),
    row(10, "ECHO", &[Value]),
    row(2, "SELECT", &[Int]),
    row(2, "HELLO", &[Maybe(50, &[Word("2")])]).compare(HELLO),
    row(3, "HELLO", &[Word("3"), Maybe(30, &[Word("SETNAME"), NAME])]).compare(HELLO),
    // One word more at most: 7.0 has taken the name of `SETNAME name junk` when it finds the error.
    row(2, "HELLO", &[OneOf(&[&[Int], &[Junk]]), Maybe(50, &[Junk])]).compare(HELLO),
    row(2, "HELLO", &[Word("3"), Word("AUTH"), Maybe(50, &[Word("default")]), Junk]).compare(HELLO),
    row(1, "AUTH", &[Repeat(1, 3, &[Junk])]),
    row(1, "AUTH", &[Word("default"), Junk]),
    row(1, "RESET", &[]),
    row(4, "CLIENT SETNAME", &[NAME]),
    row(4, "CLIENT GETNAME", &[]),
    row(2, "CLIENT ID", &[]).compare(Compare::Shape),
    row(1, "CLIENT", &[Repeat(0, 2, &[Junk])]),
    row(2, "CLIENT KILL", &[OneOf(&[&[Word("1.2.3.4:5")], &[Junk]])]),
    row(3, "CLIENT KILL", &[Repeat(1, 2, &[KILL_FILTER])]),
    row(1, "CLIENT UNPAUSE", &[]),
    row(1, "CLIENT NO-EVICT", &[OneOf(&[&[Word("ON")], &[Word("OFF")], &[Junk]])]),
    row(1, "CLIENT LIST", &[Word("ID"), Junk]).compare(Compare::Shape),
    row(1, "CLIENT LIST", &[Word("TYPE"), Junk]).compare(Compare::Shape),
    row(1, "CLIENT REPLY", &[Word("ON")]).intact(),
];

/// Filters that no client meets.
const KILL_FILTER: Arg = OneOf(&[
    &[Word("ID"), Word("999999999")],
    &[Word("ID"), Junk],
    &[Word("ADDR"), Word("1.2.3.4:5")],
    &[Word("LADDR"), Word("1.2.3.4:5")],
    &[Word("USER"), Junk],
    &[Word("TYPE"), Word("replica")],
    &[Word("TYPE"), Junk],
    &[Word("USER"), Word("nobody")],
    &[Word("nonsense"), Junk],
]);
