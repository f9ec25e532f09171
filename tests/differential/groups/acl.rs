//! Users: made of random rules, told, asked what they may, and sending commands.
//!
//! What is told of the commands a user may run is not compared, since 7.2 it is the rules as they were
//! given; what they allow is, with DRYRUN and as the user. Commands are those whose categories no version
//! changed. Every user has `sanitize-payload`, which 7.0 does not give by itself.

use crate::grammar::Arg::{Int, Junk, Key, OneOf, Repeat, Value, Word};
use crate::grammar::{Arg, Group, Row, row};
use crate::reply::Compare;

pub(crate) const GROUP: Group = Group { name: "acl", rows: ROWS };

const USER: Arg = OneOf(&[&[Word("u1")], &[Word("u2")], &[Word("u3")], &[Word("nobody")]]);
const CHANNEL: Arg = OneOf(&[&[Word("news")], &[Word("new")], &[Word("other")], &[Word("n*")]]);

const KEY_RULE: Arg = OneOf(&[
    &[Word("~*")],
    &[Word("~key:*")],
    &[Word("~key:[0-3]")],
    &[Word("~*1")],
    &[Word("~k?y:2*")],
    &[Word("%R~key:*")],
    &[Word("%W~key:*")],
    &[Word("%RW~key:[4-7]")],
    &[Word("%wr~*2")],
    &[Word("%R~*")],
    &[Word("%W~*3")],
    &[Word("allkeys")],
    &[Word("resetkeys")],
]);

const COMMAND_RULE: Arg = OneOf(&[
    &[Word("+@all")],
    &[Word("-@all")],
    &[Word("+@read")],
    &[Word("-@read")],
    &[Word("+@write")],
    &[Word("-@write")],
    &[Word("+@string")],
    &[Word("+@fast")],
    &[Word("-@slow")],
    &[Word("+@pubsub")],
    &[Word("-@dangerous")],
    &[Word("+@keyspace")],
    &[Word("-@admin")],
    &[Word("+get")],
    &[Word("-get")],
    &[Word("+SET")],
    &[Word("-set")],
    &[Word("+config|get")],
    &[Word("-config|set")],
    &[Word("+config")],
    &[Word("-config")],
    &[Word("+select|0")],
    &[Word("+select|1")],
    &[Word("-select")],
    &[Word("+sort")],
    &[Word("+object")],
    &[Word("-object|encoding")],
    &[Word("allcommands")],
    &[Word("nocommands")],
]);

const OTHER_RULE: Arg = OneOf(&[
    &[Word("&*")],
    &[Word("&news")],
    &[Word("&n*")],
    &[Word("allchannels")],
    &[Word("resetchannels")],
    &[Word("on")],
    &[Word("off")],
    &[Word(">a")],
    &[Word(">b")],
    &[Word("<a")],
    &[Word("#ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb")],
    &[Word("!ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb")],
    &[Word("nopass")],
    &[Word("resetpass")],
    &[Word("clearselectors")],
    &[Word("reset")],
    &[Word("skip-sanitize-payload"), Word("sanitize-payload")],
    &[Word("(+get ~key:*)")],
    &[Word("(+@write %W~*)")],
    &[Word("(+@all ~key:[0-4] &news)")],
    &[Word("(+@read"), Word("%R~*)")],
    &[Word("()")],
]);

/// What makes no sense, or nearly so. A parenthesis that nothing closes stands at the end only: 7.0 forgets
/// what is in it if another opens, and so makes a user of half the rules.
const BAD_RULE: Arg = OneOf(&[
    &[Word("%~a")],
    &[Word("%X~a")],
    &[Word("%RR~a")],
    &[Word("+nosuch")],
    &[Word("-select|0")],
    &[Word("+config|get|x")],
    &[Word("+config|nosuch")],
    &[Word("+@nosuch")],
    &[Word("+select|")],
    &[Word("(on)")],
    &[Word(")")],
    &[Word("#short")],
    &[Word("!short")],
    &[Word("<unknown")],
    &[Word("+")],
    &[Word("")],
    &[Word("~a b")],
    &[Word("nosuch")],
]);

const RULE: Arg = OneOf(&[
    &[KEY_RULE],
    &[KEY_RULE],
    &[KEY_RULE],
    &[COMMAND_RULE],
    &[COMMAND_RULE],
    &[COMMAND_RULE],
    &[COMMAND_RULE],
    &[OTHER_RULE],
    &[OTHER_RULE],
    &[OTHER_RULE, BAD_RULE],
]);

/// A command line that concerns permissions.
const LINE: Arg = OneOf(&[
    &[Word("GET"), Key],
    &[Word("SET"), Key, Value],
    &[Word("SET"), Key, Value, Word("GET")],
    &[Word("MGET"), Repeat(1, 3, &[Key])],
    &[Word("MSET"), Repeat(1, 3, &[Key, Value])],
    &[Word("DEL"), Repeat(1, 2, &[Key])],
    &[Word("RENAME"), Key, Key],
    &[Word("COPY"), Key, Key],
    &[Word("STRLEN"), Key],
    &[Word("EXISTS"), Key, Key],
    &[Word("OBJECT"), Word("ENCODING"), Key],
    &[Word("BITFIELD"), Key, Word("GET"), Word("u8"), Word("0")],
    &[Word("BITFIELD"), Key, Word("SET"), Word("u8"), Word("0"), Word("1")],
    &[Word("LPUSH"), Key, Value],
    &[Word("LMOVE"), Key, Key, Word("LEFT"), Word("RIGHT")],
    &[Word("LMPOP"), Word("2"), Key, Key, Word("LEFT")],
    &[Word("SUNIONSTORE"), Key, Key, Key],
    &[Word("SINTER"), Key, Key],
    &[Word("ZUNIONSTORE"), Key, Word("2"), Key, Key],
    &[Word("ZRANGESTORE"), Key, Key, Word("0"), Word("1")],
    &[Word("SORT"), Key, Word("STORE"), Key],
    &[Word("SORT"), Key, Word("BY"), Word("nosort"), Word("GET"), Word("key:*")],
    &[Word("SORT_RO"), Key],
    &[Word("GEORADIUS"), Key, Word("1"), Word("1"), Word("1"), Word("m"), Word("STORE"), Key],
    &[Word("XADD"), Key, Word("1-1"), Value, Value],
    &[Word("XREAD"), Word("STREAMS"), Key, Key, Word("0"), Word("0")],
    &[Word("PUBLISH"), CHANNEL, Value],
    &[Word("SPUBLISH"), CHANNEL, Value],
    &[Word("CONFIG"), Word("GET"), Word("hz")],
    &[Word("SELECT"), Word("0")],
    &[Word("PING")],
    &[Word("EVAL"), Word("return redis.call('get', KEYS[1])"), Word("1"), Key],
    &[Word("EVAL"), Word("return redis.pcall('set', 'key:1', 'x')"), Word("0")],
    &[Word("EVAL"), Word("return redis.pcall('publish', 'news', 'x')"), Word("0")],
]);

/// A command line that is asked about only.
const ASKED: Arg = OneOf(&[
    &[LINE],
    &[LINE],
    &[LINE],
    &[Word("SUBSCRIBE"), Repeat(1, 2, &[CHANNEL])],
    &[Word("PSUBSCRIBE"), CHANNEL],
    &[Word("SELECT"), Word("1")],
    &[Word("CONFIG"), Word("SET"), Word("hz"), Int],
    &[Word("FLUSHALL")],
    &[Word("BLPOP"), Key, Key, Word("0")],
    &[Word("GET")],
    &[Word("nosuch"), Key],
    &[Junk, Key],
    &[Word("EVAL"), Word("x"), OneOf(&[&[Word("2")], &[Word("3")]]), Key, Key],
    &[Word("ZUNION"), OneOf(&[&[Word("1")], &[Word("2")], &[Word("3")]]), Key, Key],
]);

const fn as_user(weight: usize, before: &'static str) -> Row {
    row(weight, "", &[LINE])
        .intact()
        .compare(Compare::Unordered)
        .before(before)
        .after("AUTH default x")
}

const ROWS: &[Row] = &[
    row(20, "ACL SETUSER", &[USER, Word("reset"), Repeat(0, 7, &[RULE])]).intact(),
    row(20, "ACL SETUSER", &[USER, Word("sanitize-payload"), Word("on"), Repeat(0, 5, &[RULE])])
        .intact(),
    row(
        10,
        "ACL SETUSER",
        &[USER, Word("reset"), Word("on"), Word(">a"), COMMAND_RULE, KEY_RULE, RULE],
    )
    .intact(),
    row(
        3,
        "ACL SETUSER",
        &[USER, Word("sanitize-payload"), OneOf(&[&[BAD_RULE], &[Word("(+get")]])],
    )
    .intact(),
    row(10, "ACL GETUSER", &[USER]).intact().compare(Compare::MapBut(&["commands", "selectors"])),
    row(2, "ACL GETUSER", &[Junk]).compare(Compare::MapBut(&["commands", "selectors"])),
    row(2, "ACL LIST", &[]).intact().compare(Compare::Length),
    row(2, "ACL USERS", &[]).intact(),
    row(40, "ACL DRYRUN", &[USER, ASKED]).intact(),
    row(2, "ACL DRYRUN", &[USER, ASKED]),
    row(2, "ACL WHOAMI", &[]).intact(),
    row(2, "ACL WHOAMI", &[]).intact().before("AUTH u1 a").after("AUTH default x"),
    row(1, "ACL CAT", &[]).intact().compare(Compare::Length),
    row(1, "ACL CAT", &[OneOf(&[&[Word("read")], &[Word("nosuch")]])])
        .intact()
        .compare(Compare::Shape),
    row(3, "ACL DELUSER", &[USER, Repeat(0, 2, &[USER])]).intact(),
    row(1, "ACL DELUSER", &[Word("default")]).intact(),
    row(1, "ACL", &[Word("nosuch")]).intact(),
    row(4, "AUTH", &[USER, OneOf(&[&[Word("a")], &[Word("b")], &[Junk]])])
        .intact()
        .after("AUTH default x"),
    as_user(20, "AUTH u1 a"),
    as_user(15, "AUTH u2 a"),
    as_user(10, "AUTH u3 b"),
];
