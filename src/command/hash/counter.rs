//! Fields as numbers: HINCRBY, HINCRBYFLOAT.

use super::rules;
use crate::base::long_double::LongDouble;
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::ds::listpack::Digits;
use crate::store::Event;
use crate::value::hash::{FieldTtl, NewValue, Scalar};

const NO_INTEGER: Error = Error::fixed("ERR hash value is not an integer");
const NO_FLOAT: Error = Error::fixed("ERR hash value is not a float");
const OVERFLOW: Error = Error::fixed("ERR increment or decrement would overflow");
const NOT_FINITE: Error = Error::fixed("ERR value is NaN or Infinity");
const SUM_NOT_FINITE: Error = Error::fixed("ERR increment would produce NaN or Infinity");

/// HINCRBY key field increment
pub(super) static HINCRBY: Command =
    Command { spec: HINCRBY_SPEC, handler: Some(hincrby), subcommands: &[] };

const HINCRBY_SPEC: Spec = Spec {
    name: "hincrby",
    summary: "Adds an amount to an integer in a field; a missing field counts as 0.",
    complexity: "O(1)",
    since: "2.0.0",
    group: Group::Hash,
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("field", ArgType::String),
        Arg::new("increment", ArgType::Integer),
    ],
    ..Spec::EMPTY
};

/// HINCRBYFLOAT key field increment
pub(super) static HINCRBYFLOAT: Command =
    Command { spec: HINCRBYFLOAT_SPEC, handler: Some(hincrbyfloat), subcommands: &[] };

const HINCRBYFLOAT_SPEC: Spec = Spec {
    name: "hincrbyfloat",
    summary: "Adds a floating point amount to a number in a field; a missing field counts as 0.",
    complexity: "O(1)",
    since: "2.6.0",
    group: Group::Hash,
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("field", ArgType::String),
        Arg::new("increment", ArgType::Double),
    ],
    ..Spec::EMPTY
};

fn hincrby(ctx: &mut Context<'_>) -> Outcome {
    let amount = ctx.integer(3)?;
    let (scope, key, rules, name) = (ctx.scope(), ctx.key(1), rules(ctx), ctx.args.at(2));
    let mut is_stale = false;
    let sum = ctx.server.keyspace.change_or_create_hash(scope, key, |hash| {
        let old = match hash.as_ref().find(name, rules.now_ms) {
            Some(field) => integer(field.value).ok_or(NO_INTEGER)?,
            None => {
                is_stale = hash.as_ref().find(name, i64::MIN).is_some();
                0
            }
        };
        let sum = old.checked_add(amount).ok_or(OVERFLOW)?;
        let mut digits = itoa::Buffer::new();
        let text = NewValue::Copied(digits.format(sum).as_bytes());
        hash.set(name, text, FieldTtl::Keep, &rules);
        Ok::<i64, Error>(sum)
    })??;
    ctx.server.keyspace.dirty += 1;
    ctx.note(key, Event::hash("hincrby"));
    if is_stale {
        ctx.effects_also(&[b"HDEL", key.bytes, name]);
    }
    ctx.reply_integer(sum)
}

fn integer(value: Scalar<'_>) -> Option<i64> {
    match value {
        Scalar::Integer(n) => Some(n),
        Scalar::Bytes(bytes) => num::parse_i64(bytes),
        Scalar::Shared(_) => None,
    }
}

fn hincrbyfloat(ctx: &mut Context<'_>) -> Outcome {
    let amount = LongDouble::parse(ctx.args.at(3)).ok_or(Error::NOT_A_FLOAT)?;
    if !amount.is_finite() {
        return Err(NOT_FINITE);
    }
    let (scope, key, rules, name) = (ctx.scope(), ctx.key(1), rules(ctx), ctx.args.at(2));
    let mut digits = Vec::with_capacity(64);
    let mut expiry = None;
    ctx.server.keyspace.change_or_create_hash(scope, key, |hash| {
        let old = match hash.as_ref().find(name, rules.now_ms) {
            Some(field) => {
                expiry = field.expiry;
                LongDouble::parse(field.value.text(&mut Digits::new())).ok_or(NO_FLOAT)?
            }
            None => LongDouble::from_i64(0),
        };
        let sum = old + amount;
        if !sum.is_finite() {
            return Err(SUM_NOT_FINITE);
        }
        sum.format(&mut digits);
        hash.set(name, NewValue::Copied(&digits), FieldTtl::Keep, &rules);
        Ok(())
    })??;
    ctx.server.keyspace.dirty += 1;
    ctx.note(key, Event::hash("hincrbyfloat"));
    record_sum(ctx, &digits, expiry);
    ctx.session.output.bulk(&digits);
    Ok(())
}

/// Records the sum and not the amount, which might come out otherwise elsewhere; and the field's expiry,
/// which HSET takes away.
fn record_sum(ctx: &mut Context<'_>, digits: &[u8], expiry: Option<i64>) {
    let (key, name) = (ctx.args.at(1), ctx.args.at(2));
    let Some(mut effects) = ctx.effects_instead() else { return };
    effects.add(4).word(b"HSET").word(key).word(name).word(digits);
    if let Some(at_ms) = expiry {
        let words = effects.add(6).word(b"HPEXPIREAT").word(key).number(at_ms);
        words.word(b"FIELDS").word(b"1").word(name);
    }
}
