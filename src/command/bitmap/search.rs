//! Counting and finding bits: BITCOUNT and BITPOS.

use crate::base::bits::{self, Bit};
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::value::Str;
use std::ops::Range;

const BAD_BIT: Error = Error::fixed("ERR The bit argument must be 1 or 0.");

/// BITCOUNT key [start end [BYTE | BIT]]
pub(super) static BITCOUNT: Command =
    Command { spec: BITCOUNT_SPEC, handler: Some(bit_count), subcommands: &[] };

const BITCOUNT_SPEC: Spec = Spec {
    name: "bitcount",
    summary: "Counts the bits set in a string, or in a part of it.",
    complexity: "O(N), N being the bytes looked at.",
    since: "2.6.0",
    group: Group::Bitmap,
    arity: -2,
    flags: Flags::READONLY,
    categories: Categories::BITMAP,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::block(
            "range",
            &[
                Arg::new("start", ArgType::Integer),
                Arg::new("end", ArgType::Integer),
                Arg::one_of("unit", &[Arg::flag("byte", "BYTE"), Arg::flag("bit", "BIT")])
                    .optional()
                    .since("7.0.0"),
            ],
        )
        .optional(),
    ],
    history: &[("7.0.0", "Units BYTE and BIT.")],
    ..Spec::EMPTY
};

/// BITPOS key bit [start [end [BYTE | BIT]]]
pub(super) static BITPOS: Command =
    Command { spec: BITPOS_SPEC, handler: Some(bit_pos), subcommands: &[] };

const BITPOS_SPEC: Spec = Spec {
    name: "bitpos",
    summary: "Finds the first bit of a given value in a string.",
    complexity: "O(N), N being the bytes looked at.",
    since: "2.8.7",
    group: Group::Bitmap,
    arity: -3,
    flags: Flags::READONLY,
    categories: Categories::BITMAP,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("bit", ArgType::Integer),
        Arg::block(
            "range",
            &[
                Arg::new("start", ArgType::Integer),
                Arg::block(
                    "end-unit-block",
                    &[
                        Arg::new("end", ArgType::Integer),
                        Arg::one_of("unit", &[Arg::flag("byte", "BYTE"), Arg::flag("bit", "BIT")])
                            .optional()
                            .since("7.0.0"),
                    ],
                )
                .optional(),
            ],
        )
        .optional(),
    ],
    history: &[("7.0.0", "Units BYTE and BIT.")],
    ..Spec::EMPTY
};

/// What the ends of a range count.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    /// The unit at argument `index`; bytes if there is none.
    fn parse(ctx: &Context<'_>, index: usize) -> Result<Self, Error> {
        if index >= ctx.args.len() || ctx.is_word(index, "byte") {
            Ok(Self::Byte)
        } else if ctx.is_word(index, "bit") {
            Ok(Self::Bit)
        } else {
            Err(Error::SYNTAX)
        }
    }

    const fn bits(self) -> u64 {
        match self {
            Self::Byte => 8,
            Self::Bit => 1,
        }
    }
}

/// Both ends inclusive, negative ones counted from the end of the string.
#[derive(Clone, Copy, Debug)]
struct Limits {
    start: i64,
    end: i64,
    unit: Unit,
}

impl Limits {
    const ALL: Self = Self { start: 0, end: -1, unit: Unit::Byte };

    /// The bits meant, in a string of `len` bytes.
    fn within(self, len: usize) -> Range<u64> {
        let bits = self.unit.bits();
        let total = num::i64_clamped(num::u64_of(len) * 8 / bits);
        let from_start = |at: i64| u64::try_from(if at < 0 { total + at } else { at }).unwrap_or(0);
        let end = from_start(self.end).saturating_add(1).min(total.unsigned_abs());
        let start = from_start(self.start).min(end);
        start * bits..end * bits
    }
}

fn bit_count(ctx: &mut Context<'_>) -> Outcome {
    let limits = match ctx.args.len() {
        2 => Limits::ALL,
        4 | 5 => {
            let (start, end) = (ctx.integer(2)?, ctx.integer(3)?);
            Limits { start, end, unit: Unit::parse(ctx, 4)? }
        }
        _ => return Err(Error::SYNTAX),
    };
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let count = match ctx.server.keyspace.read(scope, key) {
        None => 0,
        Some(entry) => {
            let string = Str::of(&entry).ok_or(Error::WRONG_TYPE)?;
            let Limits { start, end, .. } = limits;
            // Both may lie before the string, where each would be taken for its first unit.
            if start < 0 && end < 0 && start > end {
                0
            } else {
                let range = limits.within(string.len());
                string.with_bytes(|bytes| bits::count_ones(bytes, range))
            }
        }
    };
    ctx.reply_integer(num::i64_clamped(count))
}

fn bit_pos(ctx: &mut Context<'_>) -> Outcome {
    let bit = match ctx.integer(2)? {
        0 => Bit::Clear,
        1 => Bit::Set,
        _ => return Err(BAD_BIT),
    };
    let arg_count = ctx.args.len();
    if arg_count > 6 {
        return Err(Error::SYNTAX);
    }
    let start = if arg_count > 3 { ctx.integer(3)? } else { 0 };
    let unit = Unit::parse(ctx, 5)?;
    let end = if arg_count > 4 { ctx.integer(4)? } else { -1 };
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let found = match (ctx.server.keyspace.read(scope, key), bit) {
        (None, Bit::Clear) => Some(0),
        (None, Bit::Set) => None,
        (Some(entry), bit) => {
            let string = Str::of(&entry).ok_or(Error::WRONG_TYPE)?;
            let range = Limits { start, end, unit }.within(string.len());
            // A string whose end was not named goes on with zeros.
            let beyond = match bit {
                Bit::Clear if arg_count <= 4 && !range.is_empty() => Some(range.end),
                Bit::Clear | Bit::Set => None,
            };
            string.with_bytes(|bytes| bits::find_first(bytes, bit, range)).or(beyond)
        }
    };
    ctx.reply_integer(found.map_or(-1, num::i64_clamped))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    const SYNTAX: &str = "-ERR syntax error";
    const INTEGER: &str = "-ERR value is not an integer or out of range";

    #[test]
    fn bits_are_counted_in_all_or_a_part() {
        check(
            "SET k foobar; BITCOUNT k; BITCOUNT k 0 0; BITCOUNT k 1 1; BITCOUNT k 1 1 BYTE; BITCOUNT k 5 30 bit",
            "+OK :26 :4 :6 :6 :17",
        );
        check(
            "BITCOUNT k; BITCOUNT k 0 -1; SET k \"\"; BITCOUNT k; BITCOUNT k 0 -1",
            ":0 :0 +OK :0 :0",
        );
        check("SET k 123; BITCOUNT k", "+OK :10");
    }

    #[test]
    fn ends_before_the_string_are_moved_to_its_first_byte() {
        check(
            "SET k abc; BITCOUNT k -100 -200; BITCOUNT k -200 -100; BITCOUNT k 0 -100; BITCOUNT k -100 100",
            "+OK :0 :3 :3 :10",
        );
        check(
            "SET k abc; BITPOS k 1 -100 -200; BITPOS k 0 0 -200; BITPOS k 1 -1 -100",
            "+OK :1 :0 :-1",
        );
    }

    #[test]
    fn extreme_ends_are_in_order() {
        let (min, max) = (i64::MIN, i64::MAX);
        for (start, end, count) in
            [(min, max, 10), (max, min, 0), (min, min, 3), (max, max, 0), (0, max, 10)]
        {
            check(&format!("SET k abc; BITCOUNT k {start} {end}"), &format!("+OK :{count}"));
        }
        check(
            &format!(
                "SET k abc; BITCOUNT k {min} {max} BIT; BITPOS k 1 {min} {max} BIT; BITPOS k 1 {max}; BITPOS k 0 {min}"
            ),
            "+OK :10 :1 :-1 :0",
        );
    }

    #[test]
    fn the_first_bit_is_found() {
        check(
            r#"SET k "\xff\xf0\x00"; BITPOS k 0; BITPOS k 1; BITPOS k 1 1; BITPOS k 0 0 0; BITPOS k 0 2; BITPOS k 1 2"#,
            "+OK :12 :0 :8 :-1 :16 :-1",
        );
        check(
            r#"SET k "\x00\xff\xf0"; BITPOS k 1 7 15 BIT; BITPOS k 1 7 -3 BIT; BITPOS k 1 9 9 BIT; BITPOS k 0 8 19 BIT; BITPOS k 0 8 20 bit"#,
            "+OK :8 :8 :9 :-1 :20",
        );
    }

    #[test]
    fn zeros_follow_a_string_whose_end_is_not_named() {
        check(
            r#"SET k "\xff\xff"; BITPOS k 0; BITPOS k 0 1; BITPOS k 0 2; BITPOS k 0 0 -1; BITPOS k 0 0 1000"#,
            "+OK :16 :16 :-1 :-1 :-1",
        );
        check(
            "BITPOS k 0; BITPOS k 1; BITPOS k 0 5 9 BIT; SET k \"\"; BITPOS k 0; BITPOS k 1",
            ":0 :-1 :0 +OK :-1 :-1",
        );
    }

    #[test]
    fn arguments_are_checked_even_if_there_is_no_string() {
        for line in [
            "BITCOUNT k 0",
            "BITCOUNT k 0 0 foo",
            "BITCOUNT k 0 0 BIT 0",
            "BITPOS k 1 0 a foo",
            "BITPOS k 1 0 0 BIT x",
        ] {
            check(line, SYNTAX);
        }
        for line in [
            "BITCOUNT k a 0",
            "BITCOUNT k 0 a foo",
            "BITPOS k a",
            "BITPOS k 1 a 0 foo",
            "BITPOS k 1 0 a BIT",
            "BITPOS k 9223372036854775808",
        ] {
            check(line, INTEGER);
        }
        check(
            "BITPOS k 2; BITPOS k -1",
            "-ERR The bit argument must be 1 or 0. -ERR The bit argument must be 1 or 0.",
        );
    }

    #[test]
    fn counting_and_searching_are_reads() {
        let mut bench = Bench::new();
        bench.check("SET k a; BITCOUNT k; BITPOS k 1; GETBIT k 0; BITCOUNT x", "+OK :3 :1 :0 :0");
        assert_eq!((bench.server.keyspace.hits, bench.server.keyspace.misses), (3, 1));
    }
}
