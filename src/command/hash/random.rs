//! HRANDFIELD.

use super::hash_in;
use crate::base::rng::Rng;
use crate::command::picks::{self, Count};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::{Output, Protocol};
use crate::value::HashRef;
use crate::value::hash::Named;
use std::collections::HashSet;

/// HRANDFIELD key [count [WITHVALUES]]
pub(super) static HRANDFIELD: Command =
    Command { spec: HRANDFIELD_SPEC, handler: Some(hrandfield), subcommands: &[] };

const HRANDFIELD_SPEC: Spec = Spec {
    name: "hrandfield",
    summary: "Returns fields picked at random, with their values if asked.",
    complexity: "O(N), N being the number of fields returned.",
    since: "6.2.0",
    group: Group::Hash,
    arity: -2,
    flags: Flags::READONLY,
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::block(
            "options",
            &[
                Arg::new("count", ArgType::Integer),
                Arg::flag("withvalues", "WITHVALUES").optional(),
            ],
        )
        .optional(),
    ],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// Fewer than one in this many fields are drawn one by one; more are chosen in one pass over all.
const SPARSE_ONE_IN: usize = 3;

/// Whether the values are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Names,
    /// WITHVALUES.
    Pairs,
}

fn hrandfield(ctx: &mut Context<'_>) -> Outcome {
    let wanted = parse(ctx)?;
    let (scope, key, now_ms) = (ctx.scope(), ctx.key(1), ctx.server.keyspace.now_ms());
    let found = ctx.server.keyspace.read_hash(scope, key)?;
    let (out, rng) = (&mut ctx.session.output, &mut ctx.server.rng);
    let Some(hash) = hash_in(&found) else {
        match wanted {
            Some(_) => out.array(0),
            None => out.null(),
        }
        return Ok(());
    };
    let Some((count, shown)) = wanted else {
        match hash.random(rng, now_ms) {
            Some(field) => field.name.reply(out),
            None => out.null(),
        }
        return Ok(());
    };
    let mut reply = Reply { out, shown };
    match count {
        Count::Distinct(count) => {
            reply_distinct(&mut reply, hash, count, now_ms, rng);
            Ok(())
        }
        Count::Repeated(count) => reply_independent(&mut reply, hash, count, now_ms, rng),
    }
}

/// The count and what is shown, if there is a count.
fn parse(ctx: &Context<'_>) -> Result<Option<(Count, Shown)>, Error> {
    if ctx.args.len() == 2 {
        return Ok(None);
    }
    let count = Count::parse(ctx)?;
    match ctx.args.len() {
        3 => Ok(Some((count, Shown::Names))),
        4 if ctx.is_word(3, "withvalues") => Ok(Some((count.of_pairs()?, Shown::Pairs))),
        _ => Err(Error::SYNTAX),
    }
}

/// Where the fields go.
struct Reply<'a> {
    out: &'a mut Output,
    shown: Shown,
}

impl Reply<'_> {
    /// Announces so many fields.
    fn head(&mut self, count: usize) {
        match (self.shown, self.out.protocol) {
            (Shown::Names, _) | (Shown::Pairs, Protocol::Resp3) => self.out.array(count),
            (Shown::Pairs, Protocol::Resp2) => self.out.array(2 * count),
        }
    }

    fn field(&mut self, field: Named<'_>) {
        match self.shown {
            Shown::Names => field.name.reply(self.out),
            Shown::Pairs => {
                if self.out.protocol == Protocol::Resp3 {
                    self.out.array(2);
                }
                field.name.reply(self.out);
                field.value.reply(self.out);
            }
        }
    }
}

/// Whether drawing finds a field that has not expired soon.
fn is_mostly_live(hash: HashRef<'_>, now_ms: i64) -> bool {
    hash.live_len(now_ms) >= hash.len() / 2
}

/// Fields drawn so many times, each time any of them.
fn reply_independent(
    reply: &mut Reply<'_>,
    hash: HashRef<'_>,
    count: u64,
    now_ms: i64,
    rng: &mut Rng,
) -> Outcome {
    if hash.live_len(now_ms) == 0 {
        reply.head(0);
        return Ok(());
    }
    // Finding a field by its number walks through the others, and drawing until one has not expired takes
    // long if most have: better know all places then.
    let places: Option<Vec<_>> = match hash {
        HashRef::Table(_) if is_mostly_live(hash, now_ms) => None,
        HashRef::Table(_) | HashRef::Pack(_) | HashRef::ExpiringPack(_) => {
            Some(hash.iter().filter(|field| field.is_live(now_ms)).collect())
        }
    };
    let shown = reply.shown;
    let head = |out: &mut Output, count| Reply { out, shown }.head(count);
    picks::repeat(reply.out, count, head, |out| {
        let field = match &places {
            Some(fields) => fields[rng.below_usize(fields.len())],
            None => hash.random(rng, now_ms).expect("a field that has not expired"),
        };
        Reply { out, shown }.field(field);
    })
}

/// So many different fields, all if there are fewer; each choice as likely as the others.
fn reply_distinct(
    reply: &mut Reply<'_>,
    hash: HashRef<'_>,
    count: usize,
    now_ms: i64,
    rng: &mut Rng,
) {
    let len = hash.live_len(now_ms);
    let mut left = count.min(len);
    reply.head(left);
    if let HashRef::Table(_) = hash
        && left < len / SPARSE_ONE_IN
        && is_mostly_live(hash, now_ms)
    {
        let mut drawn = HashSet::with_capacity(left);
        while left > 0 {
            let field = hash.random(rng, now_ms).expect("a field that has not expired");
            if drawn.insert(field.name.address()) {
                reply.field(field);
                left -= 1;
            }
        }
        return;
    }
    // One pass in which each field is taken with the chance that is left for it (Fan, Muller and
    // Rezucha, 1962).
    let fields = hash.iter().filter(|field| field.is_live(now_ms));
    for (field, remaining) in fields.zip((1..=len).rev()) {
        if rng.below_usize(remaining) < left {
            reply.field(field);
            left -= 1;
        }
    }
}
