//! Parts of strings: their length, reading a range, writing one, adding to the end.

use super::get;
use crate::base::num;
use crate::command::spec::{
    Arg, ArgType, Categories, Deprecation, Flags, Group, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::Event;
use crate::value::{Str, string};
use std::ops::Range;

const OFFSET_OUT_OF_RANGE: Error = Error::fixed("ERR offset is out of range");

/// APPEND key value
pub(super) static APPEND: Command =
    Command { spec: APPEND_SPEC, handler: Some(append), subcommands: &[] };

const APPEND_SPEC: Spec = Spec {
    name: "append",
    summary: "Appends to a string, creating it if it is missing.",
    complexity: "O(1) amortized, plus the bytes appended.",
    since: "2.0.0",
    group: Group::String,
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT))],
    args: &[Arg::key("key", 0), Arg::new("value", ArgType::String)],
    ..Spec::EMPTY
};

/// STRLEN key
pub(super) static STRLEN: Command =
    Command { spec: STRLEN_SPEC, handler: Some(strlen), subcommands: &[] };

const STRLEN_SPEC: Spec = Spec {
    name: "strlen",
    summary: "Returns the length of a string in bytes.",
    complexity: "O(1)",
    since: "2.2.0",
    group: Group::String,
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

/// SETRANGE key offset value
pub(super) static SETRANGE: Command =
    Command { spec: SETRANGE_SPEC, handler: Some(set_range), subcommands: &[] };

const SETRANGE_SPEC: Spec = Spec {
    name: "setrange",
    summary: "Overwrites part of a string from an offset on, padding with zero bytes up to it.",
    complexity: "O(N), N being the length written; O(1) amortized for small values.",
    since: "2.2.0",
    group: Group::String,
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("offset", ArgType::Integer),
        Arg::new("value", ArgType::String),
    ],
    ..Spec::EMPTY
};

/// GETRANGE key start end
pub(super) static GETRANGE: Command =
    Command { spec: GETRANGE_SPEC, handler: Some(get_range), subcommands: &[] };

const GETRANGE_SPEC: Spec = Spec {
    name: "getrange",
    summary: "Returns the part of a string between two offsets, both inclusive.",
    complexity: "O(N), N being the length of the part returned.",
    since: "2.4.0",
    group: Group::String,
    arity: 4,
    flags: Flags::READONLY,
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("start", ArgType::Integer),
        Arg::new("end", ArgType::Integer),
    ],
    ..Spec::EMPTY
};

/// SUBSTR key start end
pub(super) static SUBSTR: Command =
    Command { spec: SUBSTR_SPEC, handler: Some(get_range), subcommands: &[] };

const SUBSTR_SPEC: Spec = Spec {
    name: "substr",
    summary: "Returns the part of a string between two offsets, both inclusive.",
    complexity: "O(N), N being the length of the part returned.",
    group: Group::String,
    arity: 4,
    flags: Flags::READONLY,
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("start", ArgType::Integer),
        Arg::new("end", ArgType::Integer),
    ],
    deprecated: Some(Deprecation { since: "2.0.0", replaced_by: "`GETRANGE`" }),
    ..Spec::EMPTY
};

fn append(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, tail) = (ctx.scope(), ctx.key(1), ctx.args.at(2));
    let len = match ctx.server.keyspace.write(scope, key) {
        Some(slot) => {
            let old_len = Str::of(&slot.get()).ok_or(Error::WRONG_TYPE)?.len();
            let len = checked_len(old_len, tail.len(), ctx.server.config.proto_max_bulk_len)?;
            let _slot = slot.update(|entry| string::append(entry, tail));
            len
        }
        None => {
            let value = string::new_value_of_arg(&ctx.args, 2);
            ctx.server.keyspace.insert(scope.db, key, value, None);
            tail.len()
        }
    };
    ctx.server.keyspace.dirty += 1;
    ctx.note(key, Event::string("append"));
    ctx.session.output.count(len);
    Ok(())
}

fn strlen(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let len = match ctx.server.keyspace.read(scope, key) {
        Some(entry) => Str::of(&entry).ok_or(Error::WRONG_TYPE)?.len(),
        None => 0,
    };
    ctx.session.output.count(len);
    Ok(())
}

fn set_range(ctx: &mut Context<'_>) -> Outcome {
    let offset = usize::try_from(ctx.integer(2)?).map_err(|_| OFFSET_OUT_OF_RANGE)?;
    let (scope, key, bytes) = (ctx.scope(), ctx.key(1), ctx.args.at(3));
    let len_max = ctx.server.config.proto_max_bulk_len;
    let slot = ctx.server.keyspace.write(scope, key);
    let old_len = match &slot {
        Some(slot) => Str::of(&slot.get()).ok_or(Error::WRONG_TYPE)?.len(),
        None => 0,
    };
    if bytes.is_empty() {
        ctx.session.output.count(old_len);
        return Ok(());
    }
    let end = checked_len(offset, bytes.len(), len_max)?;
    match slot {
        Some(slot) => {
            let _slot = slot.update(|entry| string::write_at(entry, offset, bytes));
        }
        None => {
            let mut whole = vec![0; end];
            whole[offset..].copy_from_slice(bytes);
            let value = string::changed_value_of_vec(&mut whole);
            ctx.server.keyspace.insert(scope.db, key, value, None);
        }
    }
    ctx.server.keyspace.dirty += 1;
    ctx.note(key, Event::string("setrange"));
    ctx.session.output.count(old_len.max(end));
    Ok(())
}

/// The sum, if a string may be as long.
fn checked_len(first: usize, second: usize, len_max: usize) -> Result<usize, Error> {
    let len = first.checked_add(second).filter(|&len| len <= len_max);
    len.ok_or(Error::STRING_TOO_LONG)
}

fn get_range(ctx: &mut Context<'_>) -> Outcome {
    let (start, end) = (ctx.integer(2)?, ctx.integer(3)?);
    let (scope, key) = (ctx.scope(), ctx.key(1));
    match ctx.server.keyspace.read_mut(scope, key) {
        Some(mut slot) => {
            let out = &mut ctx.session.output;
            get::reply_part(out, &mut slot, |len| range_of(len, start, end))
        }
        None => {
            ctx.session.output.bulk(b"");
            Ok(())
        }
    }
}

/// The bytes from `start` to `end`, both inclusive, negative ones counted from the end.
fn range_of(len: usize, start: i64, end: i64) -> Range<usize> {
    // Both in front of the string would be moved to its first byte, which then would be in range.
    if len == 0 || (start < 0 && end < 0 && start > end) {
        return 0..0;
    }
    let place = |index: i64| if index < 0 { num::i64_of(len) + index } else { index };
    let first = usize::try_from(place(start)).unwrap_or(0);
    let last = usize::try_from(place(end)).unwrap_or(0).min(len - 1);
    if first > last { 0..0 } else { first..last + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Bench, check};
    use crate::config::Config;
    use crate::resp::SHARED_LEN_MIN;
    use crate::value::encoding_of;

    const INTEGER: &str = "-ERR value is not an integer or out of range";
    const TOO_LONG: &str = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";

    fn encoding(bench: &mut Bench, key: &str) -> &'static str {
        let key = bench.server.keyspace.key(key.as_bytes());
        encoding_of(&bench.server.keyspace.peek(0, key).expect("the key exists"))
    }

    #[test]
    fn append_creates_as_set_does_and_then_changes_in_place() {
        let mut bench = Bench::new();
        bench.check("APPEND a 12", ":2");
        assert_eq!(encoding(&mut bench, "a"), "int");
        bench.check("APPEND a 34; GET a", ":4 $1234");
        assert_eq!(encoding(&mut bench, "a"), "raw");
        bench.check("APPEND b \"\"", ":0");
        assert_eq!(encoding(&mut bench, "b"), "embstr");
        bench.check("APPEND b \"\"; GET b; STRLEN b", ":0 $ :0");
        assert_eq!((encoding(&mut bench, "b"), bench.server.keyspace.dirty), ("raw", 4));
        bench.check("SET c 5; APPEND c \"\"; INCR c", "+OK :1 :6");
        bench.check(
            "APPEND a; APPEND a b c",
            "\
            -ERR wrong number of arguments for 'append' command \
            -ERR wrong number of arguments for 'append' command",
        );
    }

    #[test]
    fn appending_many_times_gives_the_whole() {
        let mut bench = Bench::new();
        let mut expected = String::new();
        for n in 0..6000 {
            let piece = n.to_string();
            expected.push_str(&piece);
            let len = format!(":{}\r\n", expected.len());
            assert_eq!(bench.raw(&["APPEND", "k", &piece]), len.as_bytes());
        }
        let reply = format!("${}\r\n{expected}\r\n", expected.len());
        assert_eq!(bench.raw(&["GET", "k"]), reply.as_bytes());
    }

    #[test]
    fn appending_and_writing_keep_the_expiry() {
        let mut bench = Bench::new();
        bench.check("SET k v EX 10; APPEND k w; SETRANGE k 5 x", "+OK :2 :6");
        bench.pass(9999);
        bench.check("GET k", "$vw\\x00\\x00\\x00x");
        bench.pass(1);
        bench.check("APPEND k v", ":1");
    }

    #[test]
    fn no_string_grows_beyond_proto_max_bulk_len() {
        let config = Config { proto_max_bulk_len: 1 << 20, ..Config::default() };
        let mut bench = Bench::with(config);
        bench.check("SETRANGE k 1048575 x; STRLEN k", ":1048576 :1048576");
        bench.check("APPEND k y; APPEND k \"\"", &format!("{TOO_LONG} :1048576"));
        bench.check(
            "SETRANGE k 1048576 x; SETRANGE k 1048575 xx; SETRANGE n 1048576 x",
            &format!("{TOO_LONG} {TOO_LONG} {TOO_LONG}"),
        );
        bench.check("SETRANGE k 1048576 \"\"; SETRANGE n 9223372036854775807 \"\"", ":1048576 :0");
        bench.check("SETRANGE n 9223372036854775807 x; GET n", &format!("{TOO_LONG} $_"));
    }

    #[test]
    fn strings_of_half_a_gibibyte_are_the_default_limit() {
        let mut bench = Bench::new();
        bench.check(
            "SETRANGE k 536870911 x; STRLEN k; GETRANGE k -2 -1",
            ":536870912 :536870912 $\\x00x",
        );
        bench.check("SETRANGE k 536870912 x; APPEND k x", &format!("{TOO_LONG} {TOO_LONG}"));
    }

    #[test]
    fn strlen_counts_bytes_of_every_form() {
        check(
            "STRLEN k; SET k abc; STRLEN k; SET k -9223372036854775808; STRLEN k",
            ":0 +OK :3 +OK :20",
        );
        let mut bench = Bench::new();
        bench.raw(&["SET", "k", &"x".repeat(5000)]);
        bench.check("STRLEN k; STRLEN x", ":5000 :0");
        assert_eq!((bench.server.keyspace.hits, bench.server.keyspace.misses), (1, 1));
    }

    #[test]
    fn setrange_writes_over_and_beyond() {
        check(
            "SETRANGE k 0 foo; GET k; SETRANGE k 1 b; GET k; SETRANGE k 4 bar; GET k",
            ":3 $foo :3 $fbo :7 $fbo\\x00bar",
        );
        check("SETRANGE k 1 foo; GET k", ":4 $\\x00foo");
        let mut bench = Bench::new();
        bench.check("SET i 1234; SETRANGE i 0 \"\"", "+OK :4");
        assert_eq!((encoding(&mut bench, "i"), bench.server.keyspace.dirty), ("int", 1));
        bench.check("SETRANGE i 1 3; GET i", ":4 $1334");
        assert_eq!(encoding(&mut bench, "i"), "raw");
        bench.check("SETRANGE n 0 a", ":1");
        assert_eq!(encoding(&mut bench, "n"), "raw");
    }

    #[test]
    fn setrange_of_nothing_changes_nothing() {
        check(
            "SETRANGE k 0 \"\"; GET k; SETRANGE k 5 \"\"; SET k foo; SETRANGE k 9 \"\"; GET k",
            ":0 $_ :0 +OK :3 $foo",
        );
    }

    #[test]
    fn setrange_checks_its_offset_first() {
        check(
            "SETRANGE k -1 \"\"; SETRANGE k -1 a; SETRANGE k x a; SETRANGE k 9223372036854775808 a",
            &format!(
                "\
            -ERR offset is out of range -ERR offset is out of range {INTEGER} {INTEGER}"
            ),
        );
    }

    #[test]
    fn getrange_takes_both_ends_and_counts_from_either() {
        for (start, end, expected) in [
            (0, -1, "abc"),
            (0, 0, "a"),
            (1, 1, "b"),
            (-2, -1, "bc"),
            (0, 100, "abc"),
            (2, 5, "c"),
            (3, 5, ""),
            (5, 3, ""),
            (-100, 100, "abc"),
            (0, -100, "a"),
            (-100, -99, "a"),
            (-100, -100, "a"),
            (-100, -101, ""),
            (-1, -100, ""),
            (1, -100, ""),
            (2, 1, ""),
            (0, i64::MAX, "abc"),
            (i64::MIN, i64::MAX, "abc"),
            (i64::MIN, i64::MIN, "a"),
            (i64::MAX, i64::MAX, ""),
            (i64::MAX, i64::MIN, ""),
        ] {
            check(
                &format!("SET k abc; GETRANGE k {start} {end}; SUBSTR k {start} {end}"),
                &format!("+OK ${expected} ${expected}"),
            );
        }
        check(
            "SET k 1234; GETRANGE k 1 2; SET k \"\"; GETRANGE k 0 -1; GETRANGE x 0 -1",
            "+OK $23 +OK $ $",
        );
        check(
            "GETRANGE k a 1; GETRANGE k 1 b; GETRANGE k 0 9223372036854775808; SUBSTR k 1",
            &format!(
                "\
            {INTEGER} {INTEGER} {INTEGER} -ERR wrong number of arguments for 'substr' command"
            ),
        );
    }

    #[test]
    fn long_ranges_are_cut_out_whether_copied_or_shared() {
        let len = 8 * SHARED_LEN_MIN;
        let value: Vec<u8> = (0..len).map(|n| b'a' + num::low_u8(num::u64_of(n % 23))).collect();
        let mut bench = Bench::new();
        bench.raw(&[b"SET".as_slice(), b"k", &value]);
        for (start, end) in
            [(0, len), (1, len / 4), (5, 5 + len / 4), (7, 8), (len - 3, len), (1, len - 1)]
        {
            let words =
                ["GETRANGE".to_owned(), "k".to_owned(), start.to_string(), (end - 1).to_string()];
            let expected =
                [format!("${}\r\n", end - start).as_bytes(), &value[start..end], b"\r\n"].concat();
            assert!(bench.raw(&words) == expected, "{start}..{end}");
        }
    }

    /// Every range of short strings, against a walk over its bytes.
    #[test]
    fn ranges_are_those_of_a_walk() {
        for len in 0..5 {
            for start in -7..7 {
                for end in -7..7 {
                    let at = |index: i64| {
                        if index < 0 { (num::i64_of(len) + index).max(0) } else { index }
                    };
                    let both_before = start < 0 && end < 0 && start > end;
                    let expected: Vec<usize> = (0..len)
                        .filter(|&n| {
                            (at(start)..=at(end)).contains(&num::i64_of(n)) && !both_before
                        })
                        .collect();
                    let range: Vec<usize> = range_of(len, start, end).collect();
                    assert_eq!(range, expected, "{len} {start} {end}");
                }
            }
        }
    }
}
