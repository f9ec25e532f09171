//! Which arguments of a command are its keys, and what happens to each.
//!
//! A command's key specs answer that for nearly all: each names a run of arguments, from a first to a
//! last in equal steps. The few they cannot describe (a STORE that may stand anywhere, flags that hang
//! on an option) have a function of their own in `by_hand`, found by name and only when a spec says so.
//! Nothing is allocated and no argument copied: the answer is a handful of runs.
//!
//! Invariant: every run lies within the arguments and has at least one key.

mod by_hand;

use std::fmt;

use super::spec::{BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, Spec};
use crate::base::ascii::eq_ignore_case;
use crate::base::num::{i64_of, parse_i64};
use crate::resp::Args;

/// The most runs a command can have, and so the most key specs.
pub const RUNS_MAX: usize = 4;

/// A command line: the name, a subcommand's word if it has one, then the rest.
pub trait Arguments {
    /// How many there are, the name included.
    fn count(&self) -> usize;
    /// The one at `index`, which is less than [`Arguments::count`].
    fn at(&self, index: usize) -> &[u8];
}

impl<T: AsRef<[u8]>> Arguments for [T] {
    fn count(&self) -> usize {
        self.len()
    }
    fn at(&self, index: usize) -> &[u8] {
        self[index].as_ref()
    }
}

impl Arguments for Args<'_> {
    #[inline]
    fn count(&self) -> usize {
        self.len()
    }
    #[inline]
    fn at(&self, index: usize) -> &[u8] {
        Args::at(self, index)
    }
}

/// The argument that says how many keys follow it; 0 if there is none, or some keys are at fixed places.
pub fn counted_at(spec: &Spec) -> usize {
    if legacy_range(spec).first > 0 {
        return 0;
    }
    let counted = spec.keys.iter().find_map(|key| match (key.begin, key.find) {
        (BeginSearch::Index(at), FindKeys::KeyNum { count: 0, first: 1, step: 1 }) => {
            usize::try_from(at).ok()
        }
        _ => None,
    });
    counted.unwrap_or(0)
}

/// The keys behind their number at argument `at`; none if that is no number, or too large.
pub fn counted_range(args: &Args<'_>, at: usize) -> LegacyRange {
    let count = args.get(at).and_then(parse_i64).unwrap_or(0);
    match (i32::try_from(at), i32::try_from(count)) {
        (Ok(at), Ok(count)) if count > 0 && i64::from(count) < i64_of(args.len()) => {
            LegacyRange { first: at + 1, last: at + count, step: 1 }
        }
        _ => LegacyRange::default(),
    }
}

/// One key of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which argument.
    pub index: usize,
    /// What happens to it.
    pub flags: KeyFlags,
}

/// What counts as a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Names of the keyspace.
    Keys,
    /// Those, and shard channels, which have a slot as keys have.
    KeysAndChannels,
}

/// Keys at `first`, `first + step`… up to `last`, all with the same flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: usize,
    last: usize,
    step: usize,
    flags: KeyFlags,
}

impl Run {
    const NONE: Run = Run { first: 0, last: 0, step: 1, flags: KeyFlags::empty() };

    /// The run if it is not empty and lies within `count` arguments.
    fn within(count: usize, first: i64, last: i64, step: i32, flags: KeyFlags) -> Option<Run> {
        let step = usize::try_from(step).ok().filter(|&step| step > 0)?;
        let (first, last) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?);
        (first <= last && last < count).then_some(Run { first, last, step, flags })
    }
}

/// The keys of a command line, in the order of the command's key specs.
#[derive(Clone, Debug)]
pub struct Keys {
    runs: [Run; RUNS_MAX],
    len: usize,
    /// The run the iterator stands in, and how far.
    run: usize,
    offset: usize,
}

impl Keys {
    const NONE: Keys = Keys { runs: [Run::NONE; RUNS_MAX], len: 0, run: 0, offset: 0 };

    /// A run of one key, if there are so many arguments.
    fn one<A: Arguments + ?Sized>(args: &A, index: usize, flags: KeyFlags) -> Keys {
        let mut keys = Keys::NONE;
        if index < args.count() {
            keys.push(Run { first: index, last: index, step: 1, flags });
        }
        keys
    }

    fn push(&mut self, run: Run) {
        let place = self.runs.get_mut(self.len);
        *place.expect("no command has more than RUNS_MAX key specs") = run;
        self.len += 1;
    }

    /// Whether no key is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.run == self.len
    }
}

impl Iterator for Keys {
    type Item = Key;

    fn next(&mut self) -> Option<Key> {
        let run = self.runs[..self.len].get(self.run)?;
        let key = Key { index: run.first + self.offset, flags: run.flags };
        self.offset += run.step;
        if run.first + self.offset > run.last {
            self.run += 1;
            self.offset = 0;
        }
        Some(key)
    }
}

/// The keys of a command line. Empty if the arguments do not make sense (a count of keys beyond the
/// end): it is for the command to say so. O(specs), O(arguments) where a keyword is looked for.
#[must_use]
pub fn find<A: Arguments + ?Sized>(spec: &Spec, args: &A, scope: Scope) -> Keys {
    let mut keys = Keys::NONE;
    for rule in spec.keys {
        if scope == Scope::Keys && rule.flags.contains(KeyFlags::NOT_KEY) {
            continue;
        }
        match resolve(spec, rule, args) {
            Found::Run(run) => keys.push(Run { flags: flags_of(spec, rule, args), ..run }),
            Found::Absent => {}
            Found::Unclear => return by_hand::find_by_hand(spec, args),
        }
    }
    keys
}

/// What one key spec says of a command line.
enum Found {
    Run(Run),
    /// Its keyword was not given.
    Absent,
    /// It cannot tell, or would not tell all.
    Unclear,
}

fn resolve<A: Arguments + ?Sized>(spec: &Spec, rule: &KeySpec, args: &A) -> Found {
    let count = i64_of(args.count());
    let start = match rule.begin {
        BeginSearch::Index(index) => i64::from(index),
        BeginSearch::Keyword { keyword, start_from } => {
            let keyword = keyword.as_bytes();
            let option = by_hand::find_option(spec, args, keyword);
            match option.unwrap_or_else(|| find_keyword(args, keyword, start_from)) {
                Some(index) => i64_of(index) + 1,
                None => return Found::Absent,
            }
        }
        BeginSearch::Unknown => return Found::Unclear,
    };
    let span = match rule.find {
        FindKeys::Range { last, step, limit } => {
            let last = i64::from(last);
            let last = match (last < 0, i64::from(limit)) {
                (false, _) => start + last,
                (true, 0) => count + last,
                (true, limit) => start + (count - start) / limit + last,
            };
            Some((start, last, step))
        }
        FindKeys::KeyNum { count: at, first, step } => {
            let first = start + i64::from(first);
            usize::try_from(start + i64::from(at))
                .ok()
                .filter(|&at| at < args.count())
                .and_then(|at| parse_i64(args.at(at)))
                // More keys than arguments, or fewer than none, are refused before the product could overflow.
                .filter(|keys| (0..=count).contains(keys))
                .map(|keys| (first, first + (keys - 1) * i64::from(step), step))
        }
        FindKeys::Unknown => None,
    };
    if rule.flags.contains(KeyFlags::INCOMPLETE) {
        return Found::Unclear;
    }
    span.and_then(|(first, last, step)| Run::within(args.count(), first, last, step, rule.flags))
        .map_or(Found::Unclear, Found::Run)
}

/// Where a keyword stands, looked for from `start_from` on, or from that far from the end backwards.
/// The last argument is not looked at: no key could follow. Nor are the first two, backwards.
fn find_keyword<A: Arguments + ?Sized>(args: &A, keyword: &[u8], start_from: i32) -> Option<usize> {
    let is_keyword = |&index: &usize| eq_ignore_case(args.at(index), keyword);
    let last = args.count().checked_sub(1)?;
    match usize::try_from(start_from) {
        Ok(start) => (start..last).find(is_keyword),
        Err(_) => {
            let back = usize::try_from(start_from.unsigned_abs()).ok()?;
            let start = args.count().checked_sub(back)?;
            (2..=start).rev().find(is_keyword)
        }
    }
}

/// What happens to the keys of a rule, which may hang on other arguments.
fn flags_of<A: Arguments + ?Sized>(spec: &Spec, rule: &KeySpec, args: &A) -> KeyFlags {
    if !rule.flags.contains(KeyFlags::VARIABLE_FLAGS) {
        return rule.flags;
    }
    match spec.name {
        "set" => flags_of_set(args),
        "bitfield" => flags_of_bitfield(args),
        "delex" if args.count() > 2 => KeyFlags::RW.union(KeyFlags::DELETE),
        "delex" => KeyFlags::RM.union(KeyFlags::DELETE),
        _ => rule.flags.difference(KeyFlags::VARIABLE_FLAGS),
    }
}

/// SET overwrites, unless GET asks for what was there.
fn flags_of_set<A: Arguments + ?Sized>(args: &A) -> KeyFlags {
    if (3..args.count()).any(|index| eq_ignore_case(args.at(index), b"get")) {
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE)
    } else {
        KeyFlags::OW.union(KeyFlags::UPDATE)
    }
}

/// BITFIELD reads if every operation is a whole GET or OVERFLOW.
fn flags_of_bitfield<A: Arguments + ?Sized>(args: &A) -> KeyFlags {
    let mut index = 2;
    while index < args.count() {
        let operation = args.at(index);
        let operands = if eq_ignore_case(operation, b"get") {
            2
        } else if eq_ignore_case(operation, b"overflow") {
            1
        } else {
            return KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE);
        };
        index += 1 + operands;
    }
    if index == args.count() {
        KeyFlags::RO.union(KeyFlags::ACCESS)
    } else {
        KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE)
    }
}

/// Why COMMAND GETKEYS has no answer. Its text is what the client reads after `ERR `.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKeys {
    /// No key spec, or only channels.
    CommandHasNone,
    /// The command could not be run with so many arguments.
    ArgumentCount,
    /// The arguments make no sense.
    Arguments,
}

impl fmt::Display for NoKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoKeys::CommandHasNone => "The command has no key arguments",
            NoKeys::ArgumentCount => "Invalid number of arguments specified for command",
            NoKeys::Arguments => "Invalid arguments specified for command",
        })
    }
}

/// The answer of COMMAND GETKEYS and GETKEYSANDFLAGS, which may be empty for a command like EVAL.
///
/// # Errors
/// See [`NoKeys`].
pub fn find_or_explain<A: Arguments + ?Sized>(spec: &Spec, args: &A) -> Result<Keys, NoKeys> {
    if spec.keys.iter().all(|rule| rule.flags.contains(KeyFlags::NOT_KEY)) {
        return Err(NoKeys::CommandHasNone);
    }
    let (count, arity) = (i64_of(args.count()), i64::from(spec.arity));
    if (arity >= 0 && count != arity) || count < -arity {
        return Err(NoKeys::ArgumentCount);
    }
    let keys = find(spec, args, Scope::Keys);
    if keys.is_empty() && !spec.flags.contains(Flags::NO_MANDATORY_KEYS) {
        return Err(NoKeys::Arguments);
    }
    Ok(keys)
}

/// Key positions as COMMAND INFO tells old clients: of one range, whatever else there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LegacyRange {
    /// The first key; 0 if there is none, or no range.
    pub first: i32,
    /// The last; negative counts from the end.
    pub last: i32,
    /// Distance between keys.
    pub step: i32,
}

/// Joins the ranges of a command that follow each other; ranges further on and other rules are left
/// to clients that read key specs. A single range stands as it is.
#[must_use]
pub fn legacy_range(spec: &Spec) -> LegacyRange {
    let mut joined = LegacyRange { first: 0, last: 0, step: 0 };
    for rule in spec.keys {
        let (BeginSearch::Index(first), FindKeys::Range { last, step, limit: _ }) =
            (rule.begin, rule.find)
        else {
            continue;
        };
        let last = if last < 0 { last } else { first + last };
        if spec.keys.len() == 1 {
            return LegacyRange { first, last, step };
        }
        if step != 1 || (joined.first != 0 && joined.last != first - 1) {
            continue;
        }
        let first = if joined.first == 0 { first } else { joined.first };
        joined = LegacyRange { first, last, step };
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    const RO: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);
    const OW: KeyFlags = KeyFlags::OW.union(KeyFlags::UPDATE);
    const RW: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE);
    const ANY: FindKeys = FindKeys::Range { last: 0, step: 1, limit: 0 };
    const UNKNOWN: KeySpec =
        KeySpec { begin: BeginSearch::Unknown, find: FindKeys::Unknown, flags: OW, notes: "" };

    const fn spec(name: &'static str, arity: i32, keys: &'static [KeySpec]) -> Spec {
        Spec { name, arity, keys, ..Spec::EMPTY }
    }
    const fn counted(start: i32, flags: KeyFlags) -> KeySpec {
        let find = FindKeys::KeyNum { count: 0, first: 1, step: 1 };
        KeySpec { begin: BeginSearch::Index(start), find, flags, notes: "" }
    }
    const fn after(keyword: &'static str, start_from: i32, find: FindKeys) -> KeySpec {
        let begin = BeginSearch::Keyword { keyword, start_from };
        KeySpec { begin, find, flags: OW, notes: "" }
    }

    const PING: Spec = spec("ping", -1, &[]);
    const GET: Spec = spec("get", 2, &[KeySpec::range(1, 0, 1, RO)]);
    const SET: Spec =
        spec("set", -3, &[KeySpec::range(1, 0, 1, RW.union(KeyFlags::VARIABLE_FLAGS))]);
    const DELEX: Spec =
        spec("delex", -2, &[KeySpec::range(1, 0, 1, RW.union(KeyFlags::VARIABLE_FLAGS))]);
    const BITFIELD: Spec =
        spec("bitfield", -2, &[KeySpec::range(1, 0, 1, RW.union(KeyFlags::VARIABLE_FLAGS))]);
    const MSET: Spec = spec("mset", -3, &[KeySpec::range(1, -1, 2, OW)]);
    const BLPOP: Spec = spec("blpop", -3, &[KeySpec::range(1, -2, 1, RW)]);
    const LCS: Spec = spec("lcs", -3, &[KeySpec::range(1, 1, 1, RO)]);
    const RENAME: Spec =
        spec("rename", 3, &[KeySpec::range(1, 0, 1, RW), KeySpec::range(2, 0, 1, OW)]);
    const BITOP: Spec =
        spec("bitop", -4, &[KeySpec::range(2, 0, 1, OW), KeySpec::range(3, -1, 1, RO)]);
    const PFMERGE: Spec =
        spec("pfmerge", -2, &[KeySpec::range(1, 0, 1, RW), KeySpec::range(2, -1, 1, RO)]);
    const ENCODING: Spec = spec("encoding", 3, &[KeySpec::range(2, 0, 1, KeyFlags::RO)]);
    const SSUBSCRIBE: Spec = spec("ssubscribe", -2, &[KeySpec::range(1, -1, 1, KeyFlags::NOT_KEY)]);
    const EVAL: Spec =
        Spec { flags: Flags::NO_MANDATORY_KEYS, ..spec("eval", -3, &[counted(2, RW)]) };
    const ZUNION: Spec = spec("zunion", -3, &[counted(1, RO)]);
    const ZUNIONSTORE: Spec =
        spec("zunionstore", -4, &[KeySpec::range(1, 0, 1, OW), counted(2, RO)]);
    const MSETEX: Spec = spec(
        "msetex",
        -4,
        &[KeySpec {
            begin: BeginSearch::Index(1),
            find: FindKeys::KeyNum { count: 0, first: 1, step: 2 },
            flags: OW,
            notes: "",
        }],
    );
    const HALF: FindKeys = FindKeys::Range { last: -1, step: 1, limit: 2 };
    const XREAD: Spec = spec("xread", -4, &[after("STREAMS", 1, HALF)]);
    const XREADGROUP: Spec = spec("xreadgroup", -7, &[after("STREAMS", 4, HALF)]);
    const GEORADIUS: Spec = spec(
        "georadius",
        -6,
        &[KeySpec::range(1, 0, 1, RO), after("STORE", 6, ANY), after("STOREDIST", 6, ANY)],
    );
    const SORT: Spec = spec("sort", -2, &[KeySpec::range(1, 0, 1, RO), UNKNOWN, UNKNOWN]);
    const SORT_RO: Spec = spec("sort_ro", -2, &[KeySpec::range(1, 0, 1, RO), UNKNOWN]);
    const MIGRATED: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE);
    const MIGRATE: Spec = spec(
        "migrate",
        -6,
        &[
            KeySpec::range(3, 0, 1, MIGRATED),
            KeySpec {
                flags: MIGRATED.union(KeyFlags::INCOMPLETE),
                ..after("KEYS", -2, FindKeys::Range { last: -1, step: 1, limit: 0 })
            },
        ],
    );

    fn words(line: &str) -> Vec<&[u8]> {
        let words = line.split(' ').map(|word| if word == "''" { "" } else { word });
        words.map(str::as_bytes).collect()
    }

    /// Prints keys as `name:flags`, flags as COMMAND GETKEYSANDFLAGS does.
    fn answer(spec: &Spec, line: &str) -> String {
        let args = words(line);
        let keys = match find_or_explain(spec, args.as_slice()) {
            Ok(keys) => keys,
            Err(error) => return error.to_string(),
        };
        let print = |key: Key| {
            let name = String::from_utf8_lossy(args[key.index]);
            let flags: Vec<_> = key.flags.iter_names().map(|(name, _)| name).collect();
            format!("{name}:{}", flags.join(","))
        };
        keys.map(print).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(spec: &Spec, line: &str, want: &str) {
        assert_eq!(answer(spec, line), want, "{line}");
    }

    // What the servers answer was asked of Redis 7.0.15, and of Valkey 9.1.2 for what is newer.

    #[test]
    fn fixed_positions() {
        check(&GET, "get k", "k:RO,ACCESS");
        check(&MSET, "mset a 1 b 2 c 3", "a:OW,UPDATE b:OW,UPDATE c:OW,UPDATE");
        check(&MSET, "mset a 1 b", "a:OW,UPDATE b:OW,UPDATE");
        check(&BLPOP, "blpop a b 0", "a:RW,ACCESS,UPDATE b:RW,ACCESS,UPDATE");
        check(&LCS, "lcs a b LEN", "a:RO,ACCESS b:RO,ACCESS");
        check(&BITOP, "bitop and d a b", "d:OW,UPDATE a:RO,ACCESS b:RO,ACCESS");
        check(&ENCODING, "object encoding k", "k:RO");
    }

    #[test]
    fn commands_without_keys_and_wrong_counts_say_so() {
        check(&PING, "ping", "The command has no key arguments");
        check(&SSUBSCRIBE, "ssubscribe a b", "The command has no key arguments");
        check(&GET, "get a b", "Invalid number of arguments specified for command");
        check(&ENCODING, "object encoding", "Invalid number of arguments specified for command");
        check(&BITOP, "bitop and d", "Invalid number of arguments specified for command");
        check(&PFMERGE, "pfmerge d", "Invalid arguments specified for command");
    }

    #[test]
    fn shard_channels_are_found_when_asked_for() {
        let args = words("ssubscribe a b");
        let found = |scope| find(&SSUBSCRIBE, args.as_slice(), scope).map(|key| key.index);
        assert_eq!(found(Scope::KeysAndChannels).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(found(Scope::Keys).count(), 0);
    }

    #[test]
    fn set_reads_only_with_get() {
        check(&SET, "set k v", "k:OW,UPDATE");
        check(&SET, "set k v NX GET EX 10", "k:RW,ACCESS,UPDATE");
        check(&SET, "set k v xx ge", "k:OW,UPDATE");
        check(&SET, "set k get", "k:OW,UPDATE");
        check(&SET, "set k v IFEQ x", "k:OW,UPDATE");
        check(&SET, "set k v IFEQ get", "k:RW,ACCESS,UPDATE");
    }

    #[test]
    fn bitfield_writes_unless_every_operation_reads() {
        check(&BITFIELD, "bitfield k", "k:RO,ACCESS");
        check(&BITFIELD, "bitfield k get u8 0", "k:RO,ACCESS");
        check(&BITFIELD, "bitfield k overflow sat", "k:RO,ACCESS");
        check(&BITFIELD, "bitfield k overflow wrap get u8 0", "k:RO,ACCESS");
        check(&BITFIELD, "bitfield k GET u8 0 SET u8 0 1", "k:RW,ACCESS,UPDATE");
        check(&BITFIELD, "bitfield k incrby u8 0 1 get u8 0", "k:RW,ACCESS,UPDATE");
        check(&BITFIELD, "bitfield k get u8", "k:RW,ACCESS,UPDATE");
        check(&BITFIELD, "bitfield k overflow", "k:RW,ACCESS,UPDATE");
        check(&BITFIELD, "bitfield k nosuch", "k:RW,ACCESS,UPDATE");
    }

    #[test]
    fn delex_reads_only_with_a_condition() {
        check(&DELEX, "delex k", "k:RM,DELETE");
        check(&DELEX, "delex k IFEQ v", "k:RW,DELETE");
    }

    #[test]
    fn counted_keys() {
        check(&EVAL, "eval s 2 a b c", "a:RW,ACCESS,UPDATE b:RW,ACCESS,UPDATE");
        check(&ZUNION, "zunion 2 a b", "a:RO,ACCESS b:RO,ACCESS");
        check(
            &ZUNIONSTORE,
            "zunionstore d 2 a b weights 1 2",
            "d:OW,UPDATE a:RO,ACCESS b:RO,ACCESS",
        );
        check(&MSETEX, "msetex 2 a 1 b 2 EX 10", "a:OW,UPDATE b:OW,UPDATE");
    }

    #[test]
    fn a_count_that_makes_no_sense_finds_nothing() {
        const INVALID: &str = "Invalid arguments specified for command";
        for count in ["0", "-1", "3", "x", "''", "-2", "4294967297", "9223372036854775808"] {
            check(&ZUNIONSTORE, &format!("zunionstore d {count} a b"), INVALID);
        }
        for count in ["3", "0", "x", "02", "1x", "4294967297"] {
            check(&MSETEX, &format!("msetex {count} a 1 b 2"), INVALID);
        }
    }

    #[test]
    fn eval_may_have_no_keys() {
        for count in ["0", "2", "-1", "x", "1000000", "-9223372036854775808"] {
            check(&EVAL, &format!("eval s {count} a"), "");
        }
        check(&EVAL, "eval s", "Invalid number of arguments specified for command");
    }

    #[test]
    fn a_loose_count_finds_keys_without_flags() {
        for count in ["002", "2x", "+2", "\t2"] {
            check(&EVAL, &format!("eval s {count} a b"), "a: b:");
            check(&ZUNIONSTORE, &format!("zunionstore d {count} a b"), "a: b: d:");
        }
    }

    #[test]
    fn keys_after_streams_are_half_of_the_rest() {
        check(&XREAD, "xread streams a 0", "a:OW,UPDATE");
        check(&XREAD, "xread count 1 block 0 STREAMS a b 0 0", "a:OW,UPDATE b:OW,UPDATE");
        check(&XREAD, "xread streams a b 0", "a:OW,UPDATE");
        check(&XREAD, "xread STREAMS streams streams 0 0", "streams:OW,UPDATE streams:OW,UPDATE");
        check(&XREAD, "xread COUNT streams streams a 0", "a:OW,UPDATE");
        check(&XREAD, "xread block 10 streams", "Invalid arguments specified for command");
        check(&XREAD, "xread block streams 1", "Invalid arguments specified for command");
        check(&XREADGROUP, "xreadgroup group streams c streams a >", "a:OW,UPDATE");
        check(&XREADGROUP, "xreadgroup group g streams streams a >", "a:OW,UPDATE");
        check(&XREADGROUP, "xreadgroup noack group g streams streams a >", "a:OW,UPDATE");
        check(&XREADGROUP, "xreadgroup count 1 group streams streams streams a >", "a:OW,UPDATE");
        let no_streams = "xreadgroup group g c noack streams a";
        check(&XREADGROUP, no_streams, "Invalid arguments specified for command");
    }

    #[test]
    fn georadius_may_store() {
        check(&GEORADIUS, "georadius k 1 1 1 m", "k:RO,ACCESS");
        check(&GEORADIUS, "georadius k 1 1 1 m STORE d", "k:RO,ACCESS d:OW,UPDATE");
        check(
            &GEORADIUS,
            "georadius k 1 1 1 m storedist b store a",
            "k:RO,ACCESS a:OW,UPDATE b:OW,UPDATE",
        );
        check(&GEORADIUS, "georadius k 1 1 1 m store a store b", "k:RO,ACCESS b:OW,UPDATE");
        check(&GEORADIUS, "georadius k 1 1 1 m store store store b", "k:RO,ACCESS b:OW,UPDATE");
        check(
            &GEORADIUS,
            "georadius k 1 1 1 m storedist store store b storedist c",
            "k:RO,ACCESS b:OW,UPDATE c:OW,UPDATE",
        );
        check(&GEORADIUS, "georadius k 1 1 1 m withcoord store", "k:RO,ACCESS");
        check(&GEORADIUS, "georadius k store 1 1 m", "k:RO,ACCESS");
    }

    #[test]
    fn sort_stores_at_the_last_store() {
        check(&SORT, "sort k", "k:RO,ACCESS");
        check(&SORT, "sort k BY w_* GET o_* STORE d", "k:RO,ACCESS d:OW,UPDATE");
        check(&SORT, "sort k store a store b", "k:RO,ACCESS b:OW,UPDATE");
        check(&SORT, "sort k store store store d", "k:RO,ACCESS d:OW,UPDATE");
        check(&SORT, "sort k store by store d", "k:RO,ACCESS d:OW,UPDATE");
        check(&SORT, "sort k store limit store d", "k:RO,ACCESS d:OW,UPDATE");
        check(&SORT, "sort k limit 0 1 store d", "k:RO,ACCESS d:OW,UPDATE");
        check(&SORT, "sort k limit 0 store d", "k:RO,ACCESS");
        check(&SORT, "sort k store a limit store b", "k:RO,ACCESS a:OW,UPDATE");
        check(&SORT, "sort k by store store d", "k:RO,ACCESS d:OW,UPDATE");
        check(&SORT, "sort k get store store d", "k:RO,ACCESS d:OW,UPDATE");
        check(&SORT, "sort k asc store", "k:RO,ACCESS");
        check(&SORT_RO, "sort_ro k STORE d", "k:RO,ACCESS");
    }

    #[test]
    fn migrate_takes_one_key_or_many() {
        const ONE: &str = "k:RW,ACCESS,DELETE";
        const EMPTY: &str = ":RW,ACCESS,DELETE";
        check(&MIGRATE, "migrate h 1 k 0 10", ONE);
        check(&MIGRATE, "migrate h 1 k 0 10 COPY REPLACE", ONE);
        check(&MIGRATE, "migrate h 1 k 0 10 KEYS", ONE);
        check(
            &MIGRATE,
            "migrate h 1 '' 0 10 COPY KEYS a b",
            "a:RW,ACCESS,DELETE b:RW,ACCESS,DELETE",
        );
        check(&MIGRATE, "migrate h 1 '' 0 10 AUTH keys KEYS a", "a:RW,ACCESS,DELETE");
        check(&MIGRATE, "migrate h 1 '' 0 10 AUTH2 keys pw KEYS a", "a:RW,ACCESS,DELETE");
        check(&MIGRATE, "migrate h 1 '' 0 10 AUTH2 a KEYS b c", EMPTY);
        check(&MIGRATE, "migrate h 1 '' 0 10 bogus a KEYS b", "b:RW,ACCESS,DELETE");
        check(&MIGRATE, "migrate h 1 '' 0 10 KEYS", EMPTY);
        check(&MIGRATE, "migrate h 1 '' 0 10 AUTH keys x", EMPTY);
        check(&MIGRATE, "migrate h 1 '' keys 10 COPY", EMPTY);
        check(&MIGRATE, "migrate h 1 k 0 10 KEYS a b", "Invalid arguments specified for command");
    }

    #[test]
    fn legacy_ranges_join_what_follows_each_other() {
        let range = |first, last, step| LegacyRange { first, last, step };
        assert_eq!(legacy_range(&PING), range(0, 0, 0));
        assert_eq!(legacy_range(&GET), range(1, 1, 1));
        assert_eq!(legacy_range(&MSET), range(1, -1, 2));
        assert_eq!(legacy_range(&RENAME), range(1, 2, 1));
        assert_eq!(legacy_range(&BITOP), range(2, -1, 1));
        assert_eq!(legacy_range(&ZUNION), range(0, 0, 0));
        assert_eq!(legacy_range(&ZUNIONSTORE), range(1, 1, 1));
        assert_eq!(legacy_range(&GEORADIUS), range(1, 1, 1));
        assert_eq!(legacy_range(&SORT), range(1, 1, 1));
        assert_eq!(legacy_range(&MIGRATE), range(3, 3, 1));
    }

    #[test]
    fn no_command_line_leads_past_its_end() {
        const SPECS: [Spec; 9] =
            [MSET, BLPOP, BITFIELD, ZUNIONSTORE, MSETEX, XREAD, GEORADIUS, SORT, MIGRATE];
        let words = words("a '' 0 1 2 3 -1 +2 9223372036854775807 streams STORE keys auth2 limit");
        let mut rng = crate::base::rng::Rng::seeded(7);
        for _ in 0..20_000 {
            let count = rng.below_usize(10);
            let args: Vec<_> = (0..count).map(|_| words[rng.below_usize(words.len())]).collect();
            for spec in SPECS {
                let keys = find(&spec, args.as_slice(), Scope::KeysAndChannels);
                assert_eq!(keys.is_empty(), keys.clone().next().is_none());
                keys.for_each(|key| assert!(key.index < args.len(), "{} {args:?}", spec.name));
                assert!(
                    find_or_explain(&spec, args.as_slice()).map_or(0, Iterator::count) <= count
                );
            }
        }
    }
}
