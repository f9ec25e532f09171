//! XCLAIM, and what it has in common with XAUTOCLAIM.

use super::ids::INVALID_ID;
use super::record::{self, Claimed, Owner};
use super::{no_group, reply};
use crate::command::error::printed;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::{Args, Output};
use crate::store::Key;
use crate::value::stream::{ConsumerId, Group as ConsumerGroup, Log, Nack, StreamId};

/// The first ID.
const IDS_AT: usize = 5;

const BAD_MIN_IDLE: Error = Error::fixed("ERR Invalid min-idle-time argument for XCLAIM");
const BAD_IDLE: Error = Error::fixed("ERR Invalid IDLE option argument for XCLAIM");
const BAD_TIME: Error = Error::fixed("ERR Invalid TIME option argument for XCLAIM");
const BAD_RETRYCOUNT: Error = Error::fixed("ERR Invalid RETRYCOUNT option argument for XCLAIM");

/// XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds]
/// [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]
pub(super) static XCLAIM: Command =
    Command { spec: XCLAIM_SPEC, handler: Some(xclaim), subcommands: &[] };

const XCLAIM_SPEC: Spec = Spec {
    name: "xclaim",
    summary: "Gives pending entries of a group to another of its consumers.",
    complexity: "O(N*log(M)), N being the number of IDs and M that of pending entries.",
    since: "5.0.0",
    group: Group::Stream,
    arity: -6,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::STREAM,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("group", ArgType::String),
        Arg::new("consumer", ArgType::String),
        Arg::new("min-idle-time", ArgType::String),
        Arg::new("id", ArgType::String).multiple(),
        Arg::new("ms", ArgType::Integer).token("IDLE").optional(),
        Arg::new("unix-time-milliseconds", ArgType::UnixTime).token("TIME").optional(),
        Arg::new("count", ArgType::Integer).token("RETRYCOUNT").optional(),
        Arg::flag("force", "FORCE").optional(),
        Arg::flag("justid", "JUSTID").optional(),
        Arg::new("lastid", ArgType::String).token("LASTID").optional(),
    ],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// What is said of an entry that was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// All of it. Counts as a delivery.
    Entry,
    /// Its ID.
    JustId,
}

/// What happens to an entry that is not pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotPending {
    Skip,
    /// It becomes pending.
    Force,
}

/// Who claims, what, and what is known of it then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) consumer: ConsumerId,
    pub(super) now_ms: i64,
    /// Entries are left to their consumer unless they were delivered so long ago.
    pub(super) idle_ms_min: i64,
    /// The time of delivery.
    pub(super) delivered_ms: i64,
    /// The number of deliveries; `None`: one more.
    pub(super) deliveries: Option<u64>,
    pub(super) form: Form,
}

impl Claim {
    /// Whether an entry has been pending for long enough.
    pub(super) fn suits(self, nack: Nack) -> bool {
        nack.consumer.is_none()
            || self.idle_ms_min == 0
            || self.now_ms.saturating_sub(nack.delivered_ms) >= self.idle_ms_min
    }

    /// Gives an entry to the consumer, as this changes what was known of it.
    pub(super) fn take(self, group: &mut ConsumerGroup, id: StreamId, nack: Nack) -> Nack {
        let deliveries = match (self.deliveries, self.form) {
            (Some(deliveries), _) => deliveries,
            (None, Form::Entry) => nack.deliveries.saturating_add(1),
            (None, Form::JustId) => nack.deliveries,
        };
        let consumer = Some(self.consumer);
        let nack = Nack { delivered_ms: self.delivered_ms, deliveries, consumer };
        group.put(id, nack);
        group.consumer_mut(self.consumer).active_ms = Some(self.now_ms);
        nack
    }
}

impl Form {
    /// Replies with an entry that was claimed.
    pub(super) fn write(self, out: &mut Output, log: &Log, id: StreamId) {
        match self {
            Self::Entry => _ = reply::entry_with(out, log, id),
            Self::JustId => reply::id(out, id),
        }
    }
}

/// What claiming came to.
#[derive(Debug, Default)]
pub(super) struct Claims<'a> {
    /// Whether somebody wants to know more than how much it was.
    is_recorded: bool,
    has_made_consumer: bool,
    /// Entries that changed.
    changed: u64,
    log: Vec<Claimed<'a>>,
    /// How far the group has read, if that changed and no entry says so.
    read_up_to: Option<(StreamId, Option<u64>)>,
}

impl<'a> Claims<'a> {
    pub(super) fn new(ctx: &Context<'_>) -> Self {
        Self { is_recorded: ctx.server.effects.wanted(), ..Self::default() }
    }

    /// The consumer of this name, seen now; it is made if there is none.
    pub(super) fn consumer(
        &mut self,
        group: &mut ConsumerGroup,
        name: &[u8],
        now_ms: i64,
    ) -> ConsumerId {
        if let Some(id) = group.consumer_named(name) {
            group.consumer_mut(id).seen_ms = now_ms;
            return id;
        }
        self.has_made_consumer = true;
        group.create_consumer(name, now_ms).expect("there is none of that name")
    }

    /// Notes an entry that was claimed.
    pub(super) fn add(&mut self, claimed: Claimed<'a>) {
        self.changed += 1;
        if self.is_recorded {
            self.log.push(claimed);
        }
    }

    /// Takes an entry that is gone off those that are pending. Repeated elsewhere the same claim, for the
    /// consumer that had it, finds it gone as well.
    pub(super) fn drop_gone(
        &mut self,
        group: &mut ConsumerGroup,
        id: StreamId,
        text: Option<&'a [u8]>,
    ) -> bool {
        let Some(nack) = group.ack(id) else { return false };
        let former = Some(reply::owner(group, &nack).into());
        self.add(Claimed { id, text, nack, last_id: group.last_id(), former });
        true
    }

    /// Counts what was changed, and records it.
    pub(super) fn note(self, ctx: &mut Context<'_>, key: Key<'_>, owner: Owner<'_>) {
        ctx.effects_none();
        let is_new = u64::from(self.has_made_consumer);
        let has_read = u64::from(self.read_up_to.is_some());
        ctx.server.keyspace.dirty += self.changed + is_new + has_read;
        if self.has_made_consumer {
            ctx.note(key, super::CONSUMER_MADE);
        }
        if self.has_made_consumer && self.log.iter().all(|claimed| claimed.former.is_some()) {
            record::consumer(ctx, owner);
        }
        for claimed in &self.log {
            record::claim(ctx, owner, claimed);
        }
        if let Some((id, entries_read)) = self.read_up_to {
            record::last_id(ctx, owner.key, owner.group, id, entries_read);
        }
    }
}

/// The arguments behind the consumer's name.
#[derive(Debug)]
struct Request {
    idle_ms_min: i64,
    ids: Vec<StreamId>,
    delivered_ms: Option<i64>,
    deliveries: Option<u64>,
    not_pending: NotPending,
    form: Form,
    last_id: StreamId,
}

impl Request {
    fn parse(ctx: &Context<'_>) -> Result<Self, Error> {
        let idle_ms_min = ctx.integer(4).map_err(|_| BAD_MIN_IDLE)?.max(0);
        let mut request = Self {
            idle_ms_min,
            ids: Vec::new(),
            delivered_ms: None,
            deliveries: None,
            not_pending: NotPending::Skip,
            form: Form::Entry,
            last_id: StreamId::MIN,
        };
        let mut at = IDS_AT;
        while let Some(id) = ctx.args.get(at).and_then(|text| StreamId::parse(text, 0)) {
            request.ids.push(id);
            at += 1;
        }
        while at < ctx.args.len() {
            at = request.take(ctx, at)?;
        }
        Ok(request)
    }

    /// Reads the option at argument `at`; gives the argument behind it.
    fn take(&mut self, ctx: &Context<'_>, at: usize) -> Result<usize, Error> {
        let has_more = at + 1 < ctx.args.len();
        let number = |error: Error| ctx.integer(at + 1).map_err(|_| error);
        if ctx.is_word(at, "FORCE") {
            self.not_pending = NotPending::Force;
            return Ok(at + 1);
        }
        if ctx.is_word(at, "JUSTID") {
            self.form = Form::JustId;
            return Ok(at + 1);
        }
        if has_more && ctx.is_word(at, "IDLE") {
            let now_ms = ctx.server.now.unix_ms();
            self.delivered_ms = Some(now_ms.saturating_sub(number(BAD_IDLE)?));
        } else if has_more && ctx.is_word(at, "TIME") {
            self.delivered_ms = Some(number(BAD_TIME)?);
        } else if has_more && ctx.is_word(at, "RETRYCOUNT") {
            self.deliveries = u64::try_from(number(BAD_RETRYCOUNT)?).ok();
        } else if has_more && ctx.is_word(at, "LASTID") {
            self.last_id = StreamId::parse(ctx.args.at(at + 1), 0).ok_or(INVALID_ID)?;
        } else {
            let mut line = b"ERR Unrecognized XCLAIM option '".to_vec();
            line.extend_from_slice(printed(ctx.args.at(at)));
            line.push(b'\'');
            return Err(Error::new(line));
        }
        Ok(at + 2)
    }

    /// Claims for the consumer of this name.
    fn apply<'a>(
        &self,
        mut claims: Claims<'a>,
        args: Args<'a>,
        now_ms: i64,
        (log, group): (&Log, &mut ConsumerGroup),
        out: &mut Output,
    ) -> Claims<'a> {
        let has_read = self.last_id > group.last_id();
        if has_read {
            group.set_last_id(self.last_id, group.entries_read());
        }
        let consumer = claims.consumer(group, args.at(3), now_ms);
        let claim = Claim {
            consumer,
            now_ms,
            idle_ms_min: self.idle_ms_min,
            // Times in the future, and before 1970, are bogus.
            delivered_ms: self
                .delivered_ms
                .filter(|at_ms| (0..=now_ms).contains(at_ms))
                .unwrap_or(now_ms),
            deliveries: self.deliveries,
            form: self.form,
        };
        let head = out.defer_len();
        let mut written = 0;
        for (nth, &id) in self.ids.iter().enumerate() {
            let text = args.get(IDS_AT + nth);
            if log.get(id).is_none() {
                claims.drop_gone(group, id, text);
                continue;
            }
            let nack = match (group.pending(id), self.not_pending) {
                (Some(nack), _) => *nack,
                (None, NotPending::Force) => {
                    Nack { delivered_ms: now_ms, deliveries: 1, consumer: None }
                }
                (None, NotPending::Skip) => continue,
            };
            if claim.suits(nack) {
                self.form.write(out, log, id);
                let nack = claim.take(group, id, nack);
                let last_id = group.last_id();
                claims.add(Claimed { id, text, nack, last_id, former: None });
                written += 1;
            }
        }
        out.fill_array(head, written);
        if has_read && claims.changed == 0 {
            claims.read_up_to = Some((group.last_id(), group.entries_read()));
        }
        claims
    }
}

fn xclaim(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, group) = (ctx.scope(), ctx.key(1), ctx.args.at(2));
    has_group(ctx, key, group)?;
    let request = Request::parse(ctx)?;
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

/// Whether there is a stream with the group.
///
/// # Errors
/// There is not.
pub(super) fn has_group(ctx: &mut Context<'_>, key: Key<'_>, group: &[u8]) -> Outcome {
    let scope = ctx.scope();
    let found = ctx.server.keyspace.read(scope, key);
    let group_found = super::view(&found)?.and_then(|stream| stream.groups.get(group));
    group_found.map(|_| ()).ok_or_else(|| no_group(key.bytes, group, b""))
}
