//! HSETEX: setting fields that expire.

use super::expire::expiry_event;
use super::{arguments, new_value, record, rules};
use crate::base::num;
use crate::command::error::printed;
use crate::command::expiry::Unit;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::Args;
use crate::store::Event;
use crate::value::Hash;
use crate::value::hash::{FieldTtl, Rules};
use std::ops::Range;

const BAD_COUNT: Error = Error::fixed("ERR invalid number of fields");
const NO_TIME: Error = Error::fixed("ERR missing expire time");
const TWO_CONDITIONS: Error = Error::fixed("ERR Only one of FXX or FNX arguments can be specified");
const TWO_EXPIRATIONS: Error =
    Error::fixed("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");

/// HSETEX key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds |
/// PXAT unix-time-milliseconds | KEEPTTL] FIELDS numfields field value [field value ...]
pub(super) static HSETEX: Command =
    Command { spec: HSETEX_SPEC, handler: Some(hsetex), subcommands: &[] };

const HSETEX_SPEC: Spec = Spec {
    name: "hsetex",
    summary: "Sets fields to values that expire, perhaps only if all or none of the fields exist.",
    complexity: "O(N), N being the number of fields.",
    since: "8.0.0",
    group: Group::Hash,
    arity: -6,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::one_of("condition", &[Arg::flag("fnx", "FNX"), Arg::flag("fxx", "FXX")]).optional(),
        Arg::one_of(
            "expiration",
            &[
                Arg::new("seconds", ArgType::Integer).token("EX"),
                Arg::new("milliseconds", ArgType::Integer).token("PX"),
                Arg::new("unix-time-seconds", ArgType::UnixTime).token("EXAT"),
                Arg::new("unix-time-milliseconds", ArgType::UnixTime).token("PXAT"),
                Arg::flag("keepttl", "KEEPTTL"),
            ],
        )
        .optional(),
        Arg::block(
            "fields",
            &[
                Arg::new("numfields", ArgType::Integer),
                Arg::block(
                    "data",
                    &[Arg::new("field", ArgType::String), Arg::new("value", ArgType::String)],
                )
                .multiple(),
            ],
        )
        .token("FIELDS"),
    ],
    ..Spec::EMPTY
};

/// Which fields there must be for any to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Always,
    /// FNX: none.
    AllMissing,
    /// FXX: all.
    AllPresent,
}

/// What becomes of the expiry of a field that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expiration {
    /// It goes.
    None,
    /// It stays.
    Keep,
    /// It is this one, Unix milliseconds.
    At(i64),
}

struct Options {
    condition: Condition,
    expiration: Expiration,
    /// Where the names and values are.
    pairs: Range<usize>,
}

impl Options {
    fn parse(ctx: &Context<'_>) -> Result<Self, Error> {
        let mut options =
            Self { condition: Condition::Always, expiration: Expiration::None, pairs: 0..0 };
        let mut at = 2;
        while at < ctx.args.len() {
            let word = ctx.args.at(at);
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            if is(b"fields") && options.pairs.is_empty() {
                options.pairs = pairs(ctx, at)?;
                at = options.pairs.end;
                continue;
            }
            let condition = match () {
                () if is(b"fnx") => Some(Condition::AllMissing),
                () if is(b"fxx") => Some(Condition::AllPresent),
                () => None,
            };
            if let Some(condition) = condition {
                if options.condition != Condition::Always {
                    return Err(TWO_CONDITIONS);
                }
                options.condition = condition;
                at += 1;
                continue;
            }
            let unit = Unit::of_word(word);
            if unit.is_none() && !is(b"keepttl") {
                return Err(Error::new([b"ERR unknown argument: ", printed(word)].concat()));
            }
            if options.expiration != Expiration::None {
                return Err(TWO_EXPIRATIONS);
            }
            match unit {
                None => options.expiration = Expiration::Keep,
                Some(_) if at + 1 == ctx.args.len() => return Err(NO_TIME),
                Some(unit) => {
                    let at_ms = arguments::deadline_ms(ctx, at + 1, unit)?;
                    options.expiration = Expiration::At(at_ms);
                    at += 1;
                }
            }
            at += 1;
        }
        if options.pairs.is_empty() {
            return Err(Error::arity(ctx.name()));
        }
        Ok(options)
    }
}

/// Where the names and values are that FIELDS, at argument `at`, announces.
fn pairs(ctx: &Context<'_>, at: usize) -> Result<Range<usize>, Error> {
    let Some(count) = ctx.args.get(at + 1) else { return Err(Error::arity(ctx.name())) };
    let count = num::parse_i64(count)
        .and_then(|count| i32::try_from(count).ok())
        .filter(|&count| count > 0)
        .ok_or(BAD_COUNT)?;
    let start = at + 2;
    let end = start + 2 * num::usize_of_i32(count);
    if end > ctx.args.len() {
        return Err(Error::arity(ctx.name()));
    }
    Ok(start..end)
}

fn hsetex(ctx: &mut Context<'_>) -> Outcome {
    let options = Options::parse(ctx)?;
    let (args, scope, key, rules) = (ctx.args, ctx.scope(), ctx.key(1), rules(ctx));
    let names = || options.pairs.clone().step_by(2).map(|index| args.at(index));
    let keyspace = &mut ctx.server.keyspace;
    let mut expiries = Vec::new();
    let done = keyspace.change_or_create_hash(scope, key, |hash| {
        let mut present = names().map(|name| hash.as_ref().find(name, rules.now_ms).is_some());
        let holds = match options.condition {
            Condition::Always => true,
            Condition::AllMissing => !present.any(|is_present| is_present),
            Condition::AllPresent => present.all(|is_present| is_present),
        };
        if holds {
            set_all(hash, ctx.args, &options, &rules);
            let expiry = |name| Some((name, hash.as_ref().find(name, rules.now_ms)?.expiry?));
            expiries.extend(names().filter_map(expiry));
        }
        holds
    })?;
    if !done {
        return ctx.reply_integer(0);
    }
    ctx.server.keyspace.dirty += num::u64_of(options.pairs.len() / 2);
    ctx.note(key, Event::hash("hset"));
    if let Expiration::At(at_ms) = options.expiration {
        ctx.note(key, expiry_event(at_ms, rules.now_ms));
    }
    match options.expiration {
        Expiration::At(at_ms) if at_ms <= rules.now_ms => record::removals(ctx, names()),
        Expiration::None | Expiration::Keep | Expiration::At(_) => {
            record::values(ctx, options.pairs.clone(), &expiries);
        }
    }
    ctx.reply_integer(1)
}

/// Sets all fields. Those whose time has passed already are gone then, as if they had been set and
/// expired.
fn set_all(hash: &mut Hash, args: Args<'_>, options: &Options, rules: &Rules) {
    let ttl = match options.expiration {
        Expiration::Keep => FieldTtl::Keep,
        Expiration::None | Expiration::At(_) => FieldTtl::Clear,
    };
    hash.fit(options.pairs.clone().map(|index| args.at(index)), rules);
    for index in options.pairs.clone().step_by(2) {
        hash.set(args.at(index), new_value(&args, index + 1), ttl, rules);
    }
    let Expiration::At(at_ms) = options.expiration else { return };
    hash.allow_expiries();
    for index in options.pairs.clone().step_by(2) {
        if at_ms <= rules.now_ms {
            hash.remove(args.at(index), rules.now_ms);
        } else {
            hash.set_expiry(args.at(index), Some(at_ms));
        }
    }
}
