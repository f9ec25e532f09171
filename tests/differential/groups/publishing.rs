//! Messages, which another client hears: it listens to all channels by a pattern, and to `news`.

use crate::grammar::Arg::{Junk, Key, Maybe, OneOf, Pattern, Repeat, Value, Word};
use crate::grammar::{Arg, Group, Row, row};
use crate::reply::Compare;

pub(crate) const GROUP: Group = Group { name: "publishing", rows: ROWS };

const CHANNEL: Arg = OneOf(&[&[Word("news")], &[Key], &[Value], &[Junk]]);

const ROWS: &[Row] = &[
    row(10, "PUBLISH", &[CHANNEL, Value]),
    row(5, "SPUBLISH", &[CHANNEL, Value]),
    row(2, "PUBSUB CHANNELS", &[Maybe(50, &[Pattern])]).compare(Compare::Unordered),
    row(2, "PUBSUB NUMSUB", &[Repeat(0, 3, &[CHANNEL])]),
    row(2, "PUBSUB SHARDNUMSUB", &[Repeat(0, 3, &[CHANNEL])]),
    row(1, "PUBSUB NUMPAT", &[]),
    row(1, "PUBSUB SHARDCHANNELS", &[Maybe(50, &[Pattern])]).compare(Compare::Unordered),
    row(1, "PUBSUB", &[Junk, Repeat(0, 2, &[Junk])]),
];
