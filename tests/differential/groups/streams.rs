//! Streams and consumer groups.
//!
//! Lags and counts of entries read are left out: since 7.2.6 they are found in another way. So is XSETID of
//! IDs below deleted ones, which 7.0 still lets through, and `+` in XREAD, which came with 7.4.

use crate::grammar::Arg::{Maybe, OneOf, Repeat, StreamId, Value, Word};
use crate::grammar::{Arg, Group, Row, row};
use crate::reply::Compare;

pub(crate) const GROUP: Group = Group { name: "streams", rows: ROWS };

/// Mostly keys that hold streams.
const STREAM: Arg = OneOf(&[
    &[Word("stream:1")],
    &[Word("stream:1")],
    &[Word("stream:2")],
    &[Word("stream:2")],
    &[Word("stream:3")],
    &[Word("stream:3")],
    &[Word("stream:4")],
    &[Word("stream:4")],
    &[Arg::Key],
]);
const NAME: Arg =
    OneOf(&[&[Word("g")], &[Word("g")], &[Word("g")], &[Word("h")], &[Word("h")], &[Word("none")]]);
const CONSUMER: Arg = OneOf(&[&[Word("a")], &[Word("b")], &[Word("c")], &[Word("d")]]);
const FIELD: Arg = OneOf(&[&[Word("f")], &[Word("f")], &[Word("g")], &[Word("1")], &[Value]]);
/// IDs that entries are likely to have, and others.
const ID: Arg = OneOf(&[&[StreamId], &[StreamId], &[StreamId], &[StreamId], &[ODD_ID]]);
const ODD_ID: Arg = OneOf(&[
    &[Word("-")],
    &[Word("+")],
    &[Word("$")],
    &[Word(">")],
    &[Word("*")],
    &[Word("x")],
    &[Word("")],
    &[Word("1-2-3")],
    &[Word("5-*")],
    &[Word("5-")],
    &[Word("-5")],
    &[Word("5--5")],
    &[Word(" 5-01")],
    &[Word("5 ")],
    &[Word("0")],
    &[Word("0-0")],
    &[Word("18446744073709551615")],
    &[Word("18446744073709551615-18446744073709551615")],
    &[Word("18446744073709551616-0")],
    &[Word("9223372036854775808-9223372036854775807")],
]);
const BOUND: Arg = OneOf(&[
    &[Word("-")],
    &[Word("+")],
    &[ID],
    &[StreamId],
    &[Word("(5-0")],
    &[Word("(20-1")],
    &[Word("(30")],
    &[Word("(0-0")],
    &[Word("(18446744073709551615-18446744073709551615")],
    &[Word("(-")],
    &[Word("(")],
]);
const COUNT: Arg = OneOf(&[
    &[Word("0")],
    &[Word("1")],
    &[Word("2")],
    &[Word("3")],
    &[Word("10")],
    &[Word("1000")],
    &[Word("-1")],
    &[Word("9223372036854775807")],
    &[Word("-9223372036854775808")],
    &[Word("9223372036854775808")],
    &[Word("1.5")],
    &[Word("x")],
]);
const LIMITED: Arg = Maybe(50, &[Word("COUNT"), COUNT]);
const OPERATOR: Arg = OneOf(&[&[], &[Word("=")], &[Word("~")]]);
const KEPT: Arg = OneOf(&[
    &[Word("0")],
    &[Word("1")],
    &[Word("5")],
    &[Word("20")],
    &[Word("50")],
    &[Word("200")],
    &[Word("-1")],
    &[Word("x")],
    &[Word("9223372036854775807")],
]);
const TRIM: Arg = OneOf(&[
    &[Word("MAXLEN"), OPERATOR, KEPT],
    &[Word("MINID"), OPERATOR, ID],
    &[Word("MAXLEN"), Word("~"), KEPT, Word("LIMIT"), COUNT],
    &[Word("MINID"), OPERATOR, ID, Word("LIMIT"), COUNT],
    &[Word("LIMIT"), COUNT],
]);
/// Mostly IDs that a stream takes; none that depends on the time.
const NEW_ID: Arg = OneOf(&[
    &[Word("40-*")],
    &[Word("40-*")],
    &[Word("40-*")],
    &[Word("30-*")],
    &[Word("20-*")],
    &[Word("10-*")],
    &[StreamId],
    &[StreamId],
    &[Word("x")],
    &[Word("0-0")],
    &[Word("0-*")],
    &[Word("-")],
    &[Word("5-")],
    &[Word("1-2-3")],
]);
const DATA: Arg = OneOf(&[
    &[Word("f"), Value],
    &[Word("f"), Value],
    &[Word("f"), Value, Word("g"), Value],
    &[Repeat(1, 3, &[FIELD, Value])],
    &[Repeat(1, 12, &[FIELD, Value])],
]);
const IDLE: Arg = OneOf(&[
    &[Word("0")],
    &[Word("0")],
    &[Word("0")],
    &[Word("-1")],
    &[Word("9999999999")],
    &[Word("x")],
]);
/// Times so far apart that it does not matter when which server executes the command.
const CLAIM_OPTION: Arg = OneOf(&[
    &[Word("IDLE"), OneOf(&[&[Word("0")], &[Word("-1")], &[Word("9223372036854775807")]])],
    &[Word("TIME"), OneOf(&[&[Word("-1")], &[Word("9223372036854775807")], &[Word("x")]])],
    &[Word("RETRYCOUNT"), COUNT],
    &[Word("FORCE")],
    &[Word("FORCE")],
    &[Word("JUSTID")],
    &[Word("LASTID"), ID],
]);

const ROWS: &[Row] = &[
    row(60, "XADD", &[STREAM, NEW_ID, DATA]).intact(),
    row(15, "XADD", &[STREAM, TRIM, NEW_ID, DATA]).intact(),
    row(5, "XADD", &[STREAM, Word("NOMKSTREAM"), Maybe(30, &[TRIM]), NEW_ID, DATA]).intact(),
    row(10, "XLEN", &[STREAM]),
    row(15, "XRANGE", &[STREAM, BOUND, BOUND, LIMITED]),
    row(5, "XRANGE", &[STREAM, Word("-"), Word("+")]),
    row(15, "XREVRANGE", &[STREAM, BOUND, BOUND, LIMITED]),
    row(20, "XDEL", &[STREAM, Repeat(1, 4, &[ID])]),
    row(12, "XTRIM", &[STREAM, TRIM]),
    row(10, "XREAD", &[LIMITED, Word("STREAMS"), STREAM, STREAM_POINT]).intact(),
    row(10, "XREAD", &[LIMITED, Word("STREAMS"), STREAM, STREAM, STREAM_POINT, STREAM_POINT])
        .intact(),
    row(5, "XREAD", &[LIMITED, Word("STREAMS"), STREAM, STREAM_POINT]),
    row(15, "XGROUP CREATE", &[STREAM, NAME, OneOf(&[&[Word("$")], &[Word("0")], &[ID]]), MADE]),
    row(8, "XGROUP SETID", &[STREAM, NAME, OneOf(&[&[Word("$")], &[Word("0")], &[ID]])]),
    row(5, "XGROUP CREATECONSUMER", &[STREAM, NAME, CONSUMER]),
    row(4, "XGROUP DELCONSUMER", &[STREAM, NAME, CONSUMER]),
    row(3, "XGROUP DESTROY", &[STREAM, NAME]),
    row(
        40,
        "XREADGROUP",
        &[Word("GROUP"), NAME, CONSUMER, LIMITED, NOACK, Word("STREAMS"), STREAM, GROUP_POINT],
    ),
    row(
        10,
        "XREADGROUP",
        &[
            Word("GROUP"),
            NAME,
            CONSUMER,
            LIMITED,
            NOACK,
            Word("STREAMS"),
            STREAM,
            STREAM,
            GROUP_POINT,
            GROUP_POINT,
        ],
    ),
    row(20, "XACK", &[STREAM, NAME, Repeat(1, 5, &[ID])]),
    row(10, "XPENDING", &[STREAM, NAME]),
    row(12, "XPENDING", &[STREAM, NAME, BOUND, BOUND, COUNT, Maybe(40, &[CONSUMER])])
        .compare(Compare::ListsBut(2)),
    row(6, "XPENDING", &[STREAM, NAME, Word("IDLE"), IDLE, BOUND, BOUND, COUNT])
        .compare(Compare::ListsBut(2)),
    row(
        20,
        "XCLAIM",
        &[STREAM, NAME, CONSUMER, IDLE, Repeat(1, 4, &[ID]), Repeat(0, 2, &[CLAIM_OPTION])],
    ),
    row(
        12,
        "XAUTOCLAIM",
        &[STREAM, NAME, CONSUMER, IDLE, BOUND, AUTOCLAIM_COUNT, Maybe(30, &[Word("JUSTID")])],
    ),
    row(2, "XSETID", &[STREAM, Word("50-9"), Maybe(50, &[Word("ENTRIESADDED"), COUNT])]).intact(),
    row(8, "XINFO STREAM", &[STREAM]),
    row(5, "XINFO GROUPS", &[STREAM]).compare(Compare::Length),
    row(5, "XINFO CONSUMERS", &[STREAM, NAME]).compare(Compare::Shape),
    row(4, "XINFO STREAM", &[STREAM, Word("FULL"), LIMITED]).compare(Compare::Length),
    row(2, "XINFO STREAM", &[STREAM, ODD_ID]).compare(Compare::Length),
    row(3, "RENAME", &[STREAM, STREAM]),
    row(4, "COPY", &[STREAM, STREAM, Word("REPLACE")]),
    row(3, "DEL", &[STREAM]),
];

/// Behind which ID XREAD reads.
const STREAM_POINT: Arg = OneOf(&[
    &[Word("0")],
    &[Word("$")],
    &[StreamId],
    &[StreamId],
    &[StreamId],
    &[Word(">")],
    &[Word("x")],
    &[Word("-")],
    &[Word("1-2-3")],
]);
const GROUP_POINT: Arg = OneOf(&[
    &[Word(">")],
    &[Word(">")],
    &[Word(">")],
    &[Word("0")],
    &[StreamId],
    &[Word("$")],
    &[Word("x")],
]);
const NOACK: Arg = Maybe(15, &[Word("NOACK")]);
const MADE: Arg = Maybe(60, &[Word("MKSTREAM")]);
/// So high a count is refused for want of memory by one of the servers.
const AUTOCLAIM_COUNT: Arg = Maybe(
    50,
    &[
        Word("COUNT"),
        OneOf(&[
            &[Word("1")],
            &[Word("2")],
            &[Word("100")],
            &[Word("0")],
            &[Word("-1")],
            &[Word("x")],
            &[Word("9223372036854775807")],
        ]),
    ],
);
