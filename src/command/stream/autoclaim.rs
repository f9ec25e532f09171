//! XAUTOCLAIM.

use super::claim::{Claim, Claims, Form, has_group};
use super::record::{Claimed, Owner};
use super::{ids, reply};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::{Args, Output};
use crate::value::stream::{Group as ConsumerGroup, Log, StreamId};

const BAD_MIN_IDLE: Error = Error::fixed("ERR Invalid min-idle-time argument for XAUTOCLAIM");
const COUNT_NOT_POSITIVE: Error = Error::fixed("ERR COUNT must be > 0");

/// Entries claimed at most, unless the client says otherwise.
const COUNT: usize = 100;
const COUNT_MAX: usize = 576_460_752_303_423_487;
/// Entries looked at for each that may be claimed.
const LOOKS: usize = 10;

/// XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]
pub(super) static XAUTOCLAIM: Command =
    Command { spec: XAUTOCLAIM_SPEC, handler: Some(xautoclaim), subcommands: &[] };

const XAUTOCLAIM_SPEC: Spec = Spec {
    name: "xautoclaim",
    summary: "Gives entries that have been pending for long to another consumer of the group.",
    complexity: "O(1) if COUNT is small.",
    since: "6.2.0",
    group: Group::Stream,
    arity: -6,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::STREAM,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("group", ArgType::String),
        Arg::new("consumer", ArgType::String),
        Arg::new("min-idle-time", ArgType::String),
        Arg::new("start", ArgType::String),
        Arg::new("count", ArgType::Integer).token("COUNT").optional(),
        Arg::flag("justid", "JUSTID").optional(),
    ],
    history: &[("7.0.0", "The reply has the IDs of entries that were found to be gone.")],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// The arguments behind the consumer's name.
#[derive(Clone, Copy, Debug)]
struct Request {
    idle_ms_min: i64,
    start: StreamId,
    count: usize,
    form: Form,
}

impl Request {
    fn parse(ctx: &Context<'_>) -> Result<Self, Error> {
        let idle_ms_min = ctx.integer(4).map_err(|_| BAD_MIN_IDLE)?.max(0);
        let start = ids::start(ctx, 5)?;
        let mut request = Self { idle_ms_min, start, count: COUNT, form: Form::Entry };
        let mut at = 6;
        while at < ctx.args.len() {
            if at + 1 < ctx.args.len() && ctx.is_word(at, "COUNT") {
                let count = ctx.integer(at + 1).ok().and_then(|n| usize::try_from(n).ok());
                let count = count.filter(|count| (1..=COUNT_MAX).contains(count));
                request.count = count.ok_or(COUNT_NOT_POSITIVE)?;
                at += 2;
            } else if ctx.is_word(at, "JUSTID") {
                request.form = Form::JustId;
                at += 1;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(request)
    }

    /// Claims for the consumer of this name, and replies.
    fn apply<'a>(
        self,
        mut claims: Claims<'a>,
        args: Args<'a>,
        now_ms: i64,
        (log, group): (&Log, &mut ConsumerGroup),
        out: &mut Output,
    ) -> Claims<'a> {
        let claim = Claim {
            consumer: claims.consumer(group, args.at(3), now_ms),
            now_ms,
            idle_ms_min: self.idle_ms_min,
            delivered_ms: now_ms,
            deliveries: None,
            form: self.form,
        };
        let (ids, mut next) = self.candidates(group);
        let (mut taken, mut gone) = (Vec::new(), Vec::new());
        for id in ids {
            if taken.len() + gone.len() == self.count {
                next = id;
                break;
            }
            if log.get(id).is_none() {
                claims.drop_gone(group, id, None);
                gone.push(id);
                continue;
            }
            let nack = *group.pending(id).expect("it was listed as pending");
            if claim.suits(nack) {
                let nack = claim.take(group, id, nack);
                let last_id = group.last_id();
                claims.add(Claimed { id, text: None, nack, last_id, former: None });
                taken.push(id);
            }
        }
        out.array(3);
        reply::id(out, next);
        out.array(taken.len());
        taken.into_iter().for_each(|id| self.form.write(out, log, id));
        out.array(gone.len());
        gone.into_iter().for_each(|id| reply::id(out, id));
        claims
    }

    /// The entries that may be looked at, and the ID behind them, `0-0` at the end.
    fn candidates(self, group: &ConsumerGroup) -> (Vec<StreamId>, StreamId) {
        let looks = self.count.saturating_mul(LOOKS);
        let mut pending = group.pending_range(self.start..=StreamId::MAX).map(|(id, _)| id);
        let ids = pending.by_ref().take(looks).collect();
        (ids, pending.next().unwrap_or(StreamId::MIN))
    }
}

fn xautoclaim(ctx: &mut Context<'_>) -> Outcome {
    let request = Request::parse(ctx)?;
    let (scope, key, group) = (ctx.scope(), ctx.key(1), ctx.args.at(2));
    has_group(ctx, key, group)?;
    let claims = Claims::new(ctx);
    let (args, now_ms) = (ctx.args, ctx.server.now.unix_ms());
    let out = &mut ctx.session.output;
    let claims = super::change_group(ctx.server, scope, key, group, |log, group| {
        request.apply(claims, args, now_ms, (log, group), out)
    })?;
    let claims = claims.expect("it was looked at before");
    claims.note(ctx, key, Owner { key: key.bytes, group, consumer: args.at(3) });
    Ok(())
}
