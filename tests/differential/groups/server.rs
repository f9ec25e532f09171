//! Commands about the server, and names that are none.

use crate::grammar::Arg::{Int, Junk, Key, OneOf, Repeat, Value, Word};
use crate::grammar::{Arg, Group, Row, row};
use crate::reply::Compare;

pub(crate) const GROUP: Group = Group { name: "server", rows: ROWS };

/// A command line whose keys are asked for. One word alone is refused by 7.0, so that a transaction with
/// it would be discarded.
const COMMAND_LINE: Arg = OneOf(&[
    &[Word("GET"), Key],
    &[Word("SET"), Key, Value, Repeat(0, 2, &[Junk])],
    &[Word("MSET"), Repeat(1, 3, &[Key, Value])],
    &[Word("MGET"), Repeat(1, 3, &[Key])],
    &[Word("DEL"), Repeat(1, 3, &[Key])],
    &[Word("COPY"), Key, Key],
    &[Word("LCS"), Key, Key],
    &[Word("RENAME"), Key, Key],
    &[Word("OBJECT"), Word("ENCODING"), Key],
    &[Word("GETEX"), Key, Word("PERSIST")],
    &[Junk, Key],
    &[Word("MSETNX"), Key],
]);

const ROWS: &[Row] = &[
    row(3, "TIME", &[]).compare(Compare::Shape),
    row(2, "WAIT", &[Word("0"), OneOf(&[&[Word("0")], &[Junk]])]).intact(),
    row(4, "COMMAND GETKEYS", &[COMMAND_LINE]),
    row(4, "COMMAND GETKEYSANDFLAGS", &[COMMAND_LINE]),
    row(1, "COMMAND", &[Junk, Repeat(0, 1, &[Junk])]),
    row(1, "COMMAND LIST FILTERBY", &[Repeat(1, 2, &[Junk])]).compare(Compare::Shape),
    row(1, "CONFIG GET", &[Word("no-such-directive")]),
    row(1, "CONFIG SET", &[Word("no-such-directive"), Junk]),
    row(1, "CONFIG", &[Junk, Repeat(0, 2, &[Junk])]),
    row(1, "CONFIG RESETSTAT", &[]),
    row(3, "NOSUCH", &[Repeat(0, 3, &[OneOf(&[&[Junk], &[Value], &[Int]])])]),
    row(1, "GE", &[Key]),
    row(1, "GETT", &[Key]),
    row(1, "no\r\nsuch\tcommand", &[Value, Value]),
    row(
        1,
        "a-name-of-more-than-a-hundred-and-twenty-eight-bytes-which-is-what-an-error-message-shows-at-the-most-of-what-it-was-sent-by-clients-",
        &[Value],
    ),
];
