//! XPENDING.

use super::{ids, no_group, reply};
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::Output;
use crate::value::stream::{Group as ConsumerGroup, Nack, StreamId};

/// XPENDING key group [[IDLE min-idle-time] start end count [consumer]]
pub(super) static XPENDING: Command =
    Command { spec: XPENDING_SPEC, handler: Some(xpending), subcommands: &[] };

const XPENDING_SPEC: Spec = Spec {
    name: "xpending",
    summary: "Returns what consumers of a group have not acknowledged.",
    complexity: "O(N), N being the number of entries returned, or looked at with IDLE; a summary takes \
          O(C), C being the number of consumers.",
    since: "5.0.0",
    group: Group::Stream,
    arity: -3,
    flags: Flags::READONLY,
    categories: Categories::STREAM,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("group", ArgType::String),
        Arg::block(
            "filters",
            &[
                Arg::new("min-idle-time", ArgType::Integer).token("IDLE").optional().since("6.2.0"),
                Arg::new("start", ArgType::String),
                Arg::new("end", ArgType::String),
                Arg::new("count", ArgType::Integer),
                Arg::new("consumer", ArgType::String).optional(),
            ],
        )
        .optional(),
    ],
    history: &[("6.2.0", "The option IDLE, and ranges that leave out their ends.")],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// Which pending entries are listed.
#[derive(Clone, Copy, Debug)]
struct Filter<'a> {
    idle_ms_min: i64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    /// `None` for a summary.
    fn parse(ctx: &Context<'a>) -> Result<Option<Self>, Error> {
        let len = ctx.args.len();
        if len == 3 {
            return Ok(None);
        }
        if !(6..=9).contains(&len) {
            return Err(Error::SYNTAX);
        }
        let mut at = 3;
        let mut idle_ms_min = 0;
        if ctx.is_word(3, "IDLE") {
            idle_ms_min = ctx.integer(4)?;
            at = 5;
            if len < 8 {
                return Err(Error::SYNTAX);
            }
        }
        let count = num::usize_of(u64::try_from(ctx.integer(at + 2)?).unwrap_or(0));
        let (start, end) = (ids::start(ctx, at)?, ids::end(ctx, at + 1)?);
        let consumer = ctx.args.get(at + 3);
        Ok(Some(Self { idle_ms_min, start, end, count, consumer }))
    }

    fn list(self, group: &ConsumerGroup, now_ms: i64, out: &mut Output) {
        let range = self.start..=self.end;
        match self.consumer.map(|name| group.consumer_named(name)) {
            None => self.write(group, group.pending_range(range), now_ms, out),
            Some(Some(consumer)) => {
                self.write(group, group.pending_of(consumer, range), now_ms, out);
            }
            Some(None) => out.array(0),
        }
    }

    fn write<'g>(
        self,
        group: &ConsumerGroup,
        pending: impl Iterator<Item = (StreamId, &'g Nack)>,
        now_ms: i64,
        out: &mut Output,
    ) {
        let head = out.defer_len();
        let idle_ms = |nack: &Nack| now_ms.saturating_sub(nack.delivered_ms).max(0);
        // Without the option even those with a time in the future are listed.
        let is_wanted = |nack: &Nack| self.idle_ms_min <= 0 || idle_ms(nack) >= self.idle_ms_min;
        let mut written = 0;
        for (id, nack) in pending.filter(|(_, nack)| is_wanted(nack)).take(self.count) {
            out.array(4);
            reply::id(out, id);
            out.bulk(reply::owner(group, nack));
            out.integer(idle_ms(nack));
            out.count(num::usize_of(nack.deliveries));
            written += 1;
        }
        out.fill_array(head, written);
    }
}

fn xpending(ctx: &mut Context<'_>) -> Outcome {
    let filter = Filter::parse(ctx)?;
    let (scope, key, name) = (ctx.scope(), ctx.key(1), ctx.args.at(2));
    let now_ms = ctx.server.now.unix_ms();
    let found = ctx.server.keyspace.read(scope, key);
    let group = super::view(&found)?.and_then(|stream| stream.groups.get(name));
    let group = group.ok_or_else(|| no_group(key.bytes, name, b""))?;
    let out = &mut ctx.session.output;
    match filter {
        Some(filter) => filter.list(group, now_ms, out),
        None => summarize(group, out),
    }
    Ok(())
}

/// How many entries are pending, the first and last of them, and how many each consumer has.
fn summarize(group: &ConsumerGroup, out: &mut Output) {
    out.array(4);
    out.count(group.pending_len());
    let first = group.pending_range(StreamId::MIN..=StreamId::MAX).map(|(id, _)| id).next();
    let (Some(first), Some(last)) = (first, group.last_pending()) else {
        out.null();
        out.null();
        out.null_array();
        return;
    };
    reply::id(out, first);
    reply::id(out, last);
    let head = out.defer_len();
    let mut written = 0;
    for (_, consumer) in group.consumers().filter(|(_, consumer)| consumer.pending_len() > 0) {
        out.array(2);
        out.bulk(consumer.name());
        out.bulk_integer(num::i64_of(consumer.pending_len()));
        written += 1;
    }
    out.fill_array(head, written);
}
