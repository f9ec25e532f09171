//! LCS: the longest common subsequence of two strings.

use super::subsequence::{self, Match, Subsequence};
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::{Args, Output};
use crate::value::Str;

const NOT_STRINGS: Error = Error::fixed("ERR The specified keys must contain string values");
const LEN_AND_IDX: Error =
    Error::fixed("ERR If you want both the length and indexes, please just use IDX.");
const TOO_LONG: Error = Error::fixed("ERR String too long for LCS");
const OVER_LIMIT: Error =
    Error::fixed("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
const NO_MEMORY: Error =
    Error::fixed("ERR Insufficient memory, failed allocating transient memory for LCS");

/// Longest string taken, bytes.
const STRING_LEN_MAX: u64 = 0xffff_fffd;
/// What Redis needs for each cell of its table, bytes.
const CELL_BYTES: u64 = 4;

/// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]
pub(super) static LCS: Command = Command { spec: LCS_SPEC, handler: Some(lcs), subcommands: &[] };

const LCS_SPEC: Spec = Spec {
    name: "lcs",
    summary: "Finds the longest common subsequence of two strings.",
    complexity: "O(N*M), N and M being the lengths of the strings.",
    since: "7.0.0",
    group: Group::String,
    arity: -3,
    flags: Flags::READONLY,
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 1, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key1", 0),
        Arg::key("key2", 0),
        Arg::flag("len", "LEN").optional(),
        Arg::flag("idx", "IDX").optional(),
        Arg::new("min-match-len", ArgType::Integer).token("MINMATCHLEN").optional(),
        Arg::flag("withmatchlen", "WITHMATCHLEN").optional(),
    ],
    ..Spec::EMPTY
};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The subsequence itself.
    Text,
    /// LEN
    Len,
    /// IDX
    Matches,
}

/// Whether a match is shown with its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MatchLen {
    Hidden,
    Shown,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    form: Form,
    len_min: usize,
    match_len: MatchLen,
}

fn lcs(ctx: &mut Context<'_>) -> Outcome {
    let (scope, first, second) = (ctx.scope(), ctx.key(1), ctx.key(2));
    let entries = ctx.server.keyspace.read_two(scope, first, second);
    let strings = entries.each_ref().map(|entry| match entry {
        Some(entry) => Str::of(entry),
        None => Some(Str::Bytes(b"")),
    });
    let [Some(a), Some(b)] = strings else { return Err(NOT_STRINGS) };
    let options = parse(ctx.args)?;
    check_size(a.len(), b.len(), ctx.server.config.proto_max_bulk_len)?;
    let out = &mut ctx.session.output;
    a.with_bytes(|a| b.with_bytes(|b| reply(out, a, b, options)))
}

fn parse(args: Args<'_>) -> Result<Options, Error> {
    let (mut wants_len, mut wants_matches) = (false, false);
    let mut options = Options { form: Form::Text, len_min: 0, match_len: MatchLen::Hidden };
    let mut at = 3;
    while let Some(word) = args.get(at) {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if is(b"len") {
            wants_len = true;
        } else if is(b"idx") {
            wants_matches = true;
        } else if is(b"withmatchlen") {
            options.match_len = MatchLen::Shown;
        } else if is(b"minmatchlen") && at + 1 < args.len() {
            at += 1;
            let least = num::parse_i64(args.at(at)).ok_or(Error::NOT_AN_INTEGER)?;
            options.len_min = usize::try_from(least).unwrap_or(0);
        } else {
            return Err(Error::SYNTAX);
        }
        at += 1;
    }
    options.form = match (wants_len, wants_matches) {
        (true, true) => return Err(LEN_AND_IDX),
        (true, false) => Form::Len,
        (false, true) => Form::Matches,
        (false, false) => Form::Text,
    };
    Ok(options)
}

/// Refuses what Redis refuses, whose table takes 32 times the memory of ours.
fn check_size(a_len: usize, b_len: usize, bytes_max: usize) -> Outcome {
    let (a_len, b_len) = (num::u64_of(a_len), num::u64_of(b_len));
    if a_len > STRING_LEN_MAX || b_len > STRING_LEN_MAX {
        return Err(TOO_LONG);
    }
    match ((a_len + 1) * (b_len + 1)).checked_mul(CELL_BYTES) {
        None => Err(NO_MEMORY),
        Some(bytes) if bytes > num::u64_of(bytes_max) => Err(OVER_LIMIT),
        Some(_) => Ok(()),
    }
}

fn reply(out: &mut Output, a: &[u8], b: &[u8], options: Options) -> Outcome {
    if options.form == Form::Len {
        out.count(subsequence::len(a, b));
        return Ok(());
    }
    let Subsequence { len, matches } = subsequence::find(a, b).map_err(|_| NO_MEMORY)?;
    if options.form == Form::Text {
        let mut text = Vec::with_capacity(len);
        for found in matches.iter().rev() {
            text.extend_from_slice(&a[found.a..found.a + found.len]);
        }
        out.bulk(&text);
        return Ok(());
    }
    out.map(2);
    out.text("matches");
    out.array(matches.iter().filter(|found| found.len >= options.len_min).count());
    for found in matches.iter().filter(|found| found.len >= options.len_min) {
        reply_match(out, *found, options.match_len);
    }
    out.text("len");
    out.count(len);
    Ok(())
}

fn reply_match(out: &mut Output, found: Match, match_len: MatchLen) {
    out.array(match match_len {
        MatchLen::Hidden => 2,
        MatchLen::Shown => 3,
    });
    for start in [found.a, found.b] {
        out.array(2);
        out.count(start);
        out.count(start + found.len - 1);
    }
    if match_len == MatchLen::Shown {
        out.count(found.len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Bench, check};
    use crate::config::Config;
    use crate::resp::Protocol;

    const START: &str = "MSET a ohmytext b mynewtext";

    #[track_caller]
    fn check_lcs(line: &str, expected: &str) {
        check(&format!("{START}; {line}"), &format!("+OK {expected}"));
    }

    #[test]
    fn text_length_and_matches() {
        check_lcs("LCS a b", "$mytext");
        check_lcs("LCS a b LEN", ":6");
        check_lcs("LCS a b len LEN withmatchlen MINMATCHLEN 9", ":6");
        check_lcs("LCS a b IDX", "[$matches [[[:4 :7] [:5 :8]] [[:2 :3] [:0 :1]]] $len :6]");
        check_lcs(
            "LCS a b IDX WITHMATCHLEN",
            "[$matches [[[:4 :7] [:5 :8] :4] [[:2 :3] [:0 :1] :2]] $len :6]",
        );
        check_lcs("LCS a a IDX", "[$matches [[[:0 :7] [:0 :7]]] $len :8]");
    }

    #[test]
    fn short_matches_are_left_out_of_the_list_only() {
        check_lcs("LCS a b IDX MINMATCHLEN 4", "[$matches [[[:4 :7] [:5 :8]]] $len :6]");
        check_lcs("LCS a b IDX MINMATCHLEN 1 MINMATCHLEN 5", "[$matches [] $len :6]");
        for least in ["0", "-1", "-9223372036854775808"] {
            check_lcs(
                &format!("LCS a b MINMATCHLEN {least} IDX"),
                "[$matches [[[:4 :7] [:5 :8]] [[:2 :3] [:0 :1]]] $len :6]",
            );
        }
        check_lcs("LCS a b MINMATCHLEN 9", "$mytext");
    }

    #[test]
    fn missing_keys_are_empty_strings_and_integers_their_digits() {
        check_lcs("LCS a x; LCS x y LEN; LCS x b IDX", "$ :0 [$matches [] $len :0]");
        check(
            "MSET i 1234 j 234; LCS i j; LCS i j IDX",
            "+OK $234 [$matches [[[:1 :3] [:0 :2]]] $len :3]",
        );
    }

    #[test]
    fn matches_are_a_map_in_resp3() {
        let mut bench = Bench::new();
        bench.session.output.protocol = Protocol::Resp3;
        bench.check(
            &format!("{START}; LCS a b IDX"),
            "+OK %[$matches [[[:4 :7] [:5 :8]] [[:2 :3] [:0 :1]]] $len :6]",
        );
    }

    #[test]
    fn options_are_checked() {
        check_lcs(
            "LCS a b LEN IDX; LCS a b IDX LEN",
            "\
            -ERR If you want both the length and indexes, please just use IDX. \
            -ERR If you want both the length and indexes, please just use IDX.",
        );
        check_lcs(
            "LCS a b FOO; LCS a b MINMATCHLEN; LCS a b IDX LEN FOO",
            "\
            -ERR syntax error -ERR syntax error -ERR syntax error",
        );
        check_lcs(
            "LCS a b MINMATCHLEN x; LCS a b MINMATCHLEN 9223372036854775808",
            "\
            -ERR value is not an integer or out of range \
            -ERR value is not an integer or out of range",
        );
        check_lcs("LCS a", "-ERR wrong number of arguments for 'lcs' command");
    }

    #[test]
    fn both_reads_are_counted() {
        let mut bench = Bench::new();
        bench.check("SET a x; LCS a b; LCS a a", "+OK $ $x");
        assert_eq!((bench.server.keyspace.hits, bench.server.keyspace.misses), (3, 1));
    }

    #[test]
    fn the_size_is_limited_as_in_redis() {
        let limit = 512 << 20;
        for (a, b, expected) in [
            (11_584, 11_584, Ok(())),
            (11_585, 11_585, Err(OVER_LIMIT)),
            (1, 67_108_863, Ok(())),
            (1, 67_108_864, Err(OVER_LIMIT)),
            (0, 134_217_727, Ok(())),
            (0, 134_217_728, Err(OVER_LIMIT)),
            (0xffff_fffe, 0, Err(TOO_LONG)),
            (0, 0xffff_fffe, Err(TOO_LONG)),
            (0xffff_fffd, 0xffff_fffd, Err(NO_MEMORY)),
        ] {
            assert_eq!(check_size(a, b, limit), expected, "{a} {b}");
        }
        let mut bench = Bench::with(Config { proto_max_bulk_len: 1 << 20, ..Config::default() });
        bench.check(
            "SETRANGE a 1000 x; SETRANGE b 1000 x; LCS a b LEN",
            ":1001 :1001 \
            -ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        );
    }
}
