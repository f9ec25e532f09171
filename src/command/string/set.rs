//! SET with all its options.

use crate::command::expiry::{self, Unit};
use crate::command::spec::{
    Arg, ArgType, BeginSearch, Categories, FindKeys, Flags, Group, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::KeepTtl;
use crate::value::{Str, string};

/// SET key value [condition] [GET] [expiration]
pub(super) static SET: Command = Command { spec: SET_SPEC, handler: Some(set), subcommands: &[] };

const SET_SPEC: Spec = Spec {
    name: "set",
    summary: "Stores a string at a key, whatever the key held before.",
    complexity: "O(1)",
    group: Group::String,
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::STRING,
    keys: &[KeySpec {
        begin: BeginSearch::Index(1),
        find: FindKeys::Range { last: 0, step: 1, limit: 0 },
        flags: KeyFlags::RW
            .union(KeyFlags::ACCESS)
            .union(KeyFlags::UPDATE)
            .union(KeyFlags::VARIABLE_FLAGS),
        notes: "RW and ACCESS only with GET.",
    }],
    args: &[
        Arg::key("key", 0),
        Arg::new("value", ArgType::String),
        Arg::one_of(
            "condition",
            &[
                Arg::flag("nx", "NX"),
                Arg::flag("xx", "XX"),
                Arg::new("ifeq-value", ArgType::String).token("IFEQ").since("8.4.0"),
                Arg::new("ifne-value", ArgType::String).token("IFNE").since("8.4.0"),
                Arg::new("ifdeq-digest", ArgType::String).token("IFDEQ").since("8.4.0"),
                Arg::new("ifdne-digest", ArgType::String).token("IFDNE").since("8.4.0"),
            ],
        )
        .optional()
        .since("2.6.12"),
        Arg::flag("get", "GET").optional().since("6.2.0"),
        Arg::one_of(
            "expiration",
            &[
                Arg::new("seconds", ArgType::Integer).token("EX").since("2.6.12"),
                Arg::new("milliseconds", ArgType::Integer).token("PX").since("2.6.12"),
                Arg::new("unix-time-seconds", ArgType::UnixTime).token("EXAT").since("6.2.0"),
                Arg::new("unix-time-milliseconds", ArgType::UnixTime).token("PXAT").since("6.2.0"),
                Arg::flag("keepttl", "KEEPTTL").since("6.0.0"),
            ],
        )
        .optional(),
    ],
    history: &[
        ("2.6.12", "Options EX, PX, NX and XX."),
        ("6.0.0", "Option KEEPTTL."),
        ("6.2.0", "Options GET, EXAT and PXAT."),
        ("7.0.0", "NX and GET may be given together."),
        ("8.4.0", "Conditions IFEQ, IFNE, IFDEQ and IFDNE."),
    ],
    ..Spec::EMPTY
};

/// When a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Always.
    Always,
    /// If the key does not exist.
    Missing,
    /// If the key exists.
    Exists,
    /// If the value is argument `.0`; a missing key has none.
    Equals(usize),
    /// If the value is not argument `.0`; a missing key has none.
    Differs(usize),
    /// If the value's digest is argument `.0`; a missing key has none.
    DigestEquals(usize),
    /// If the value's digest is not argument `.0`; a missing key has none.
    DigestDiffers(usize),
}

/// What becomes of the expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expiration {
    /// There is none.
    None,
    /// The old one stays.
    Keep,
    /// At the time that argument `.0` gives.
    At(usize, Unit),
}

struct Options {
    condition: Condition,
    expiration: Expiration,
    wants_old: bool,
}

fn set(ctx: &mut Context<'_>) -> Outcome {
    if ctx.args.len() == 3 && ctx.args.shared(2).is_none() {
        let key = ctx.key(1);
        ctx.server.keyspace.set_string(ctx.session.db, key, ctx.args.at(2), None);
        ctx.server.keyspace.dirty += 1;
        return ctx.ok();
    }
    let options = parse(ctx)?;
    store(ctx, &options)
}

fn parse(ctx: &Context<'_>) -> Result<Options, Error> {
    let mut options =
        Options { condition: Condition::Always, expiration: Expiration::None, wants_old: false };
    let mut at = 3;
    while let Some(word) = ctx.args.get(at) {
        let has_next = at + 1 < ctx.args.len();
        if let Some(condition) = condition_of(word, at + 1, has_next) {
            if options.condition != Condition::Always && options.condition != condition {
                return Err(Error::SYNTAX);
            }
            options.condition = condition;
            at += if matches!(condition, Condition::Missing | Condition::Exists) { 1 } else { 2 };
        } else if word.eq_ignore_ascii_case(b"get") {
            options.wants_old = true;
            at += 1;
        } else {
            let (expiration, taken) = expiration_of(word, at + 1, has_next).ok_or(Error::SYNTAX)?;
            let repeats = options.expiration == Expiration::Keep && expiration == Expiration::Keep;
            if options.expiration != Expiration::None && !repeats {
                return Err(Error::SYNTAX);
            }
            options.expiration = expiration;
            at += taken;
        }
    }
    Ok(options)
}

/// The condition that a word names; `next` is the argument after it.
pub(super) fn condition_of(word: &[u8], next: usize, has_next: bool) -> Option<Condition> {
    let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
    if is(b"nx") {
        return Some(Condition::Missing);
    }
    if is(b"xx") {
        return Some(Condition::Exists);
    }
    if !has_next {
        return None;
    }
    if is(b"ifeq") {
        Some(Condition::Equals(next))
    } else if is(b"ifne") {
        Some(Condition::Differs(next))
    } else if is(b"ifdeq") {
        Some(Condition::DigestEquals(next))
    } else if is(b"ifdne") {
        Some(Condition::DigestDiffers(next))
    } else {
        None
    }
}

fn expiration_of(word: &[u8], next: usize, has_next: bool) -> Option<(Expiration, usize)> {
    if word.eq_ignore_ascii_case(b"keepttl") {
        return Some((Expiration::Keep, 1));
    }
    let unit = Unit::of_word(word)?;
    has_next.then_some((Expiration::At(next, unit), 2))
}

fn store(ctx: &mut Context<'_>, options: &Options) -> Outcome {
    let expiry = match options.expiration {
        Expiration::None | Expiration::Keep => None,
        Expiration::At(index, unit) => Some(expiry::deadline_ms(ctx, index, unit)?),
    };
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let old = ctx.server.keyspace.write(scope, key).map(|slot| {
        let entry = slot.into_ref();
        let string = Str::of(&entry);
        let value = options.wants_old.then(|| string.map(Str::to_vec)).flatten();
        (string.is_some(), holds(ctx.args, string, options.condition), value)
    });
    if options.wants_old && matches!(old, Some((false, _, _))) {
        return Err(Error::WRONG_TYPE);
    }
    let holds = match &old {
        Some((_, holds, _)) => holds.ok_or(Error::WRONG_TYPE)?,
        None => !matches!(
            options.condition,
            Condition::Exists | Condition::Equals(_) | Condition::DigestEquals(_)
        ),
    };
    if holds {
        let keep = match options.expiration {
            Expiration::Keep => KeepTtl::Yes,
            Expiration::None | Expiration::At(..) => KeepTtl::No,
        };
        let value = string::new_value_of_arg(&ctx.args, 2);
        ctx.server.keyspace.set(scope.db, key, value, expiry, keep);
        ctx.server.keyspace.dirty += 1;
    }
    let out = ctx.out();
    match old.and_then(|(_, _, value)| value) {
        Some(value) => out.bulk(&value),
        None if options.wants_old || !holds => out.null(),
        None => out.ok(),
    }
    Ok(())
}

/// Whether an existing key's value meets the condition; `None` if it is no string and that matters.
pub(super) fn holds(
    args: crate::resp::Args<'_>,
    string: Option<Str<'_>>,
    condition: Condition,
) -> Option<bool> {
    match condition {
        Condition::Always | Condition::Exists => Some(true),
        Condition::Missing => Some(false),
        Condition::Equals(index) => Some(string?.with_bytes(|bytes| bytes == args.at(index))),
        Condition::Differs(index) => Some(string?.with_bytes(|bytes| bytes != args.at(index))),
        Condition::DigestEquals(index) => Some(digest_is(string?, args.at(index))),
        Condition::DigestDiffers(index) => Some(!digest_is(string?, args.at(index))),
    }
}

/// The digest of a string: XXH3-64 as 16 hexadecimal digits.
pub(super) fn digest(string: Str<'_>) -> String {
    format!("{:016x}", string.with_bytes(xxhash_rust::xxh3::xxh3_64))
}

fn digest_is(string: Str<'_>, expected: &[u8]) -> bool {
    digest(string).as_bytes().eq_ignore_ascii_case(expected)
}
