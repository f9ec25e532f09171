//! What commands on fields that expire are recorded as: commands of Redis 7.4, with times that are
//! absolute and only the fields that changed.

use crate::command::Context;
use crate::resp::Args;
use std::ops::Range;

/// Records that fields got this expiry, Unix milliseconds, under a condition given by its word. Those
/// whose time has passed are gone.
pub(super) fn expiry(ctx: &mut Context<'_>, at_ms: i64, condition: Option<&[u8]>, names: &[&[u8]]) {
    if at_ms <= ctx.server.keyspace.now_ms() {
        return removals(ctx, names.iter().copied());
    }
    let key = ctx.args.at(1);
    let Some(mut effects) = ctx.effects_instead() else { return };
    if names.is_empty() {
        return;
    }
    let words = effects.add(5 + usize::from(condition.is_some()) + names.len());
    words.word(b"HPEXPIREAT").word(key).number(at_ms).words(condition);
    words.word(b"FIELDS").count(names.len()).words(names.iter().copied());
}

/// Records that fields never expire.
pub(super) fn persistence(ctx: &mut Context<'_>, names: &[&[u8]]) {
    let key = ctx.args.at(1);
    let Some(mut effects) = ctx.effects_instead() else { return };
    let words = effects.add(4 + names.len()).word(b"HPERSIST").word(key);
    words.word(b"FIELDS").count(names.len()).words(names.iter().copied());
}

/// Records that fields are gone since their time had passed, each for itself as those that expire.
pub(super) fn removals<'a>(ctx: &mut Context<'_>, names: impl Iterator<Item = &'a [u8]>) {
    let key = ctx.args.at(1);
    let Some(mut effects) = ctx.effects_instead() else { return };
    for name in names {
        effects.add(3).word(b"HDEL").word(key).word(name);
    }
}

/// Records that the fields of these arguments, names and values in turn, were set, and when those that
/// expire do.
pub(super) fn values(ctx: &mut Context<'_>, pairs: Range<usize>, expiries: &[(&[u8], i64)]) {
    let (args, key): (Args<'_>, _) = (ctx.args, ctx.args.at(1));
    let Some(mut effects) = ctx.effects_instead() else { return };
    let words = effects.add(2 + pairs.len()).word(b"HSET").word(key);
    words.words(pairs.map(|index| args.at(index)));
    for &(name, at_ms) in expiries {
        let words = effects.add(6).word(b"HPEXPIREAT").word(key).number(at_ms);
        words.word(b"FIELDS").word(b"1").word(name);
    }
}
