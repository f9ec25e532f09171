//! Commands that the genuine server of the comparison does not know, those whose times end during a run,
//! and those that wait.
//!
//! Words that begin with `@` are filled in: `@+N` is N milliseconds from now as Unix milliseconds, `@@+N`
//! N seconds from now as Unix seconds, and `@n` a number below some thousands.

use crate::grammar::Arg::{Float, Int, Key, Maybe, OneOf, Repeat, StreamId, Value, Word};
use crate::grammar::{Arg, Group, Row, Words, row};
use crate::rng::Rng;

pub(crate) const GROUP: Group = Group { name: "effects", rows: ROWS };

/// Numbers that `@n` stands for lie below this.
const NUMBERS: usize = 1500;

/// Puts in what depends on the time.
pub(crate) fn fill_in(words: &mut Words, unix_ms: i64, rng: &mut Rng) {
    for word in words.iter_mut() {
        let Ok(text) = str::from_utf8(word) else { continue };
        let filled = if text == "@n" || text == "@N" {
            rng.below(NUMBERS).to_string()
        } else if let Some(Ok(seconds)) = text.strip_prefix("@@+").map(str::parse::<i64>) {
            (unix_ms / 1000 + seconds).to_string()
        } else if let Some(Ok(millis)) = text.strip_prefix("@+").map(str::parse::<i64>) {
            (unix_ms + millis).to_string()
        } else {
            continue;
        };
        *word = filled.into_bytes();
    }
}

const HASH: Arg = OneOf(&[&[Word("hash:1")], &[Word("hash:2")], &[Word("hash:3")]]);
const BIG: Arg = Word("hash:big");
const FIELD: Arg = OneOf(&[&[Word("a")], &[Word("b")], &[Word("c")], &[Word("d")], &[Word("1")]]);
const FIELDS: Arg = OneOf(&[
    &[Word("FIELDS"), Word("1"), FIELD],
    &[Word("FIELDS"), Word("2"), FIELD, FIELD],
    &[Word("FIELDS"), Word("3"), FIELD, FIELD, FIELD],
]);
const PAIRS: Arg = OneOf(&[
    &[Word("FIELDS"), Word("1"), FIELD, Value],
    &[Word("FIELDS"), Word("2"), FIELD, Int, FIELD, Value],
]);
const CONDITION: Arg =
    Maybe(40, &[OneOf(&[&[Word("NX")], &[Word("XX")], &[Word("GT")], &[Word("LT")]])]);
const SECONDS: Arg = OneOf(&[&[Word("0")], &[Word("1")], &[Word("2")], &[Word("1000")]]);
const MILLIS: Arg = OneOf(&[
    &[Word("0")],
    &[Word("1")],
    &[Word("5")],
    &[Word("50")],
    &[Word("500")],
    &[Word("100000")],
]);
const AT_SECONDS: Arg = OneOf(&[&[Word("1")], &[Word("@@+0")], &[Word("@@+1")], &[Word("@@+99")]]);
const AT_MILLIS: Arg = OneOf(&[
    &[Word("1")],
    &[Word("@+0")],
    &[Word("@+3")],
    &[Word("@+40")],
    &[Word("@+400")],
    &[Word("@+99999")],
]);
const EXPIRATION: Arg = OneOf(&[
    &[Word("EX"), SECONDS],
    &[Word("PX"), MILLIS],
    &[Word("EXAT"), AT_SECONDS],
    &[Word("PXAT"), AT_MILLIS],
]);
const SET_CONDITION: Arg = OneOf(&[
    &[Word("NX")],
    &[Word("XX")],
    &[Word("IFEQ"), Int],
    &[Word("IFNE"), Int],
    &[Word("IFDEQ"), Word("0cc76dbb41381419")],
    &[Word("IFDNE"), Word("0cc76dbb41381419")],
]);
const LIST: Arg = OneOf(&[&[Word("list:1")], &[Word("list:2")], &[Word("list:3")], &[Key]]);
const SORTED: Arg = OneOf(&[&[Word("zset:1")], &[Word("zset:2")], &[Key]]);
const END: Arg = OneOf(&[&[Word("LEFT")], &[Word("RIGHT")]]);
const MIN_MAX: Arg = OneOf(&[&[Word("MIN")], &[Word("MAX")]]);
const TIMEOUT: Arg = OneOf(&[&[Word("0.001")], &[Word("0.1")], &[Word("0")]]);
const COUNT: Arg =
    Maybe(50, &[Word("COUNT"), OneOf(&[&[Word("1")], &[Word("2")], &[Word("100")]])]);

const STREAM: Arg = OneOf(&[&[Word("stream:1")], &[Word("stream:2")], &[Word("stream:3")]]);
const MAYBE_TRIM: Arg =
    Maybe(30, &[Word("MAXLEN"), Word("~"), OneOf(&[&[Word("5")], &[Word("0")]])]);
const CONSUMER: Arg = OneOf(&[&[Word("a")], &[Word("b")], &[Word("c")]]);
const GROUP_NAME: Arg = OneOf(&[&[Word("g")], &[Word("g")], &[Word("h")]]);
const REFERENCES: Arg = OneOf(&[&[], &[Word("KEEPREF")], &[Word("DELREF")], &[Word("ACKED")]]);
const OLD_STREAM: Arg = OneOf(&[&[Word("stream:1")], &[Word("stream:2")], &[Word("stream:4")]]);
const IDS: Arg = OneOf(&[
    &[Word("IDS"), Word("1"), StreamId],
    &[Word("IDS"), Word("2"), StreamId, StreamId],
    &[Word("IDS"), Word("4"), StreamId, StreamId, StreamId, StreamId],
]);
const TRIM: Arg = OneOf(&[
    &[Word("MAXLEN"), Maybe(60, &[Word("~")]), OneOf(&[&[Word("0")], &[Word("3")], &[Word("20")]])],
    &[Word("MINID"), Maybe(60, &[Word("~")]), StreamId],
]);
const BLOCK: Arg = OneOf(&[&[Word("1")], &[Word("100")], &[Word("0")]]);

const ROWS: &[Row] = &[
    row(30, "XADD", &[STREAM, MAYBE_TRIM, Word("*"), Repeat(1, 3, &[FIELD, Value])]).intact(),
    row(4, "XGROUP CREATE", &[STREAM, Word("g"), Word("0"), Word("MKSTREAM")]).intact(),
    row(
        20,
        "XREADGROUP",
        &[
            Word("GROUP"),
            Word("g"),
            CONSUMER,
            Word("BLOCK"),
            BLOCK,
            Word("STREAMS"),
            STREAM,
            Word(">"),
        ],
    )
    .intact(),
    row(25, "XDELEX", &[OLD_STREAM, REFERENCES, IDS]),
    row(25, "XACKDEL", &[OLD_STREAM, GROUP_NAME, REFERENCES, IDS]),
    row(12, "XTRIM", &[OLD_STREAM, TRIM, REFERENCES]),
    row(
        12,
        "XADD",
        &[OLD_STREAM, REFERENCES, TRIM, OneOf(&[&[Word("45-*")], &[Word("50-*")]]), FIELD, Value],
    )
    .intact(),
    row(8, "XREAD", &[Word("BLOCK"), BLOCK, Word("STREAMS"), STREAM, Word("$")]).intact(),
    row(10, "XAUTOCLAIM", &[STREAM, Word("g"), CONSUMER, Word("3"), Word("0"), COUNT]),
    row(40, "HSET", &[HASH, Repeat(1, 3, &[FIELD, OneOf(&[&[Int], &[Float], &[Value]])])]),
    row(30, "HPEXPIRE", &[HASH, MILLIS, CONDITION, FIELDS]),
    row(20, "HEXPIRE", &[HASH, SECONDS, CONDITION, FIELDS]),
    row(20, "HPEXPIREAT", &[HASH, AT_MILLIS, CONDITION, FIELDS]),
    row(20, "HEXPIREAT", &[HASH, AT_SECONDS, CONDITION, FIELDS]),
    row(15, "HPERSIST", &[HASH, FIELDS]),
    row(20, "HGETEX", &[HASH, EXPIRATION, FIELDS]),
    row(10, "HGETEX", &[HASH, Maybe(70, &[Word("PERSIST")]), FIELDS]),
    row(10, "HGETDEL", &[HASH, FIELDS]),
    row(
        30,
        "HSETEX",
        &[
            HASH,
            Maybe(30, &[OneOf(&[&[Word("FNX")], &[Word("FXX")]])]),
            Maybe(80, &[OneOf(&[&[EXPIRATION], &[Word("KEEPTTL")]])]),
            PAIRS,
        ],
    ),
    row(15, "HINCRBYFLOAT", &[HASH, FIELD, Float]),
    row(15, "HINCRBY", &[HASH, FIELD, Int]),
    row(15, "HSETNX", &[HASH, FIELD, Int]),
    row(10, "HDEL", &[HASH, FIELD, FIELD]),
    row(5, "HLEN", &[HASH]),
    row(4, "HSET", &[BIG, Repeat(700, 700, &[Word("@n"), Int])]).intact(),
    row(
        4,
        "HPEXPIRE",
        &[BIG, Word("4"), Word("FIELDS"), Word("700"), Repeat(700, 700, &[Word("@n")])],
    )
    .intact(),
    row(15, "HINCRBY", &[BIG, Word("@n"), Word("1")]),
    row(15, "HSETNX", &[BIG, Word("@n"), Word("5")]),
    row(5, "HSETEX", &[BIG, Word("FNX"), Word("FIELDS"), Word("1"), Word("@n"), Word("5")]),
    row(5, "RENAME", &[HASH, HASH]),
    row(5, "COPY", &[HASH, HASH, Word("REPLACE")]),
    row(5, "COPY", &[BIG, HASH, Word("REPLACE")]),
    row(
        40,
        "SET",
        &[Key, Value, Maybe(30, &[SET_CONDITION]), Maybe(30, &[Word("GET")]), EXPIRATION],
    ),
    row(
        20,
        "SET",
        &[Key, Int, SET_CONDITION, Maybe(50, &[OneOf(&[&[Word("GET")], &[Word("KEEPTTL")]])])],
    ),
    row(8, "SETEX", &[Key, SECONDS, Value]),
    row(8, "PSETEX", &[Key, MILLIS, Value]),
    row(8, "GETEX", &[Key, OneOf(&[&[EXPIRATION], &[Word("PERSIST")]])]),
    row(30, "EXPIRE", &[Key, SECONDS, CONDITION]),
    row(30, "PEXPIRE", &[Key, MILLIS, CONDITION]),
    row(20, "EXPIREAT", &[Key, AT_SECONDS, CONDITION]),
    row(20, "PEXPIREAT", &[Key, AT_MILLIS, CONDITION]),
    row(10, "PERSIST", &[Key]),
    row(8, "DELEX", &[Key, Maybe(70, &[OneOf(&[&[Word("IFEQ"), Int], &[Word("IFNE"), Int]])])]),
    row(8, "DELIFEQ", &[Key, Int]),
    row(
        8,
        "MSETEX",
        &[
            Word("2"),
            Key,
            Value,
            Key,
            Int,
            Maybe(30, &[OneOf(&[&[Word("NX")], &[Word("XX")]])]),
            Maybe(70, &[OneOf(&[&[EXPIRATION], &[Word("KEEPTTL")]])]),
        ],
    ),
    row(20, "SPOP", &[OneOf(&[&[Word("set:1")], &[Word("set:2")], &[Key]]), Maybe(60, &[Int])]),
    row(10, "SADD", &[Word("set:1"), Repeat(1, 8, &[Value])]),
    row(2, "SADD", &[Word("set:1"), Repeat(1500, 1500, &[Word("@n")])]).intact(),
    row(2, "SPOP", &[Word("set:1"), Word("@n")]).intact(),
    row(30, "RPUSH", &[LIST, Repeat(1, 3, &[Value])]),
    row(20, "BLPOP", &[LIST, LIST, TIMEOUT]).intact(),
    row(20, "BRPOP", &[LIST, LIST, TIMEOUT]).intact(),
    row(15, "BLMPOP", &[TIMEOUT, Word("2"), LIST, LIST, END, COUNT]).intact(),
    row(15, "BLMOVE", &[LIST, LIST, END, END, TIMEOUT]).intact(),
    row(15, "BRPOPLPUSH", &[LIST, LIST, TIMEOUT]).intact(),
    row(15, "LMPOP", &[Word("2"), LIST, LIST, END, COUNT]),
    row(30, "ZADD", &[SORTED, Repeat(1, 3, &[Float, Value])]),
    row(20, "BZPOPMIN", &[SORTED, SORTED, TIMEOUT]).intact(),
    row(20, "BZPOPMAX", &[SORTED, SORTED, TIMEOUT]).intact(),
    row(15, "BZMPOP", &[TIMEOUT, Word("2"), SORTED, SORTED, MIN_MAX, COUNT]).intact(),
    row(10, "ZMPOP", &[Word("2"), SORTED, SORTED, MIN_MAX, COUNT]),
];
