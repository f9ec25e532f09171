//! XADD and XLEN.

use super::ids::INVALID_ID;
use super::trim::{self, Exactly, Options, TRIM_ARG, Trim};
use super::{insert, limits, listed, reply, wake};
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::Args;
use crate::store::Event;
use crate::value::stream::{AppendError, Limits, NewId, Stream, StreamId};

const ZERO_ID: Error = Error::fixed("ERR The ID specified in XADD must be greater than 0-0");
const SMALL_ID: Error = Error::fixed(
    "ERR The ID specified in XADD is equal or smaller than the target stream top item",
);
const EXHAUSTED: Error =
    Error::fixed("ERR The stream has exhausted the last possible ID, unable to add more items");
const TOO_LARGE: Error = Error::fixed("ERR Elements are too large to be stored");

/// XADD key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id field
/// value [field value ...]
pub(super) static XADD: Command =
    Command { spec: XADD_SPEC, handler: Some(xadd), subcommands: &[] };

const XADD_SPEC: Spec = Spec {
    name: "xadd",
    summary: "Adds an entry to a stream; makes the stream if there is none.",
    complexity: "O(1) for the entry, O(N) where N entries are removed by trimming.",
    since: "5.0.0",
    group: Group::Stream,
    arity: -5,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::STREAM,
    keys: &[KeySpec {
        notes: "UPDATE instead of INSERT because of the optional trimming feature",
        ..KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))
    }],
    args: &[
        Arg::key("key", 0),
        Arg::flag("nomkstream", "NOMKSTREAM").optional().since("6.2.0"),
        listed::REFERENCES_ARG.since("8.2.0"),
        TRIM_ARG.optional(),
        Arg::one_of("id-selector", &[Arg::flag("auto-id", "*"), Arg::new("id", ArgType::String)]),
        Arg::block(
            "data",
            &[Arg::new("field", ArgType::String), Arg::new("value", ArgType::String)],
        )
        .multiple(),
    ],
    history: &[
        ("6.2.0", "The options NOMKSTREAM, MINID and LIMIT."),
        ("7.0.0", "IDs of the form `<ms>-*`."),
        ("8.2.0", "The options KEEPREF, DELREF and ACKED."),
    ],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// XLEN key
pub(super) static XLEN: Command =
    Command { spec: XLEN_SPEC, handler: Some(xlen), subcommands: &[] };

const XLEN_SPEC: Spec = Spec {
    name: "xlen",
    summary: "Returns the number of entries in a stream.",
    complexity: "O(1)",
    since: "5.0.0",
    group: Group::Stream,
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::STREAM,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

/// What happens if there is no stream yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Make,
    Leave,
}

/// An entry to be added.
#[derive(Clone, Copy, Debug)]
struct New<'a> {
    id: NewId,
    /// The argument that gives the ID; fields and values follow.
    id_at: usize,
    args: Args<'a>,
    now_ms: u64,
    trim: Option<Trim>,
    limits: Limits,
}

/// What adding it came to.
#[derive(Clone, Copy, Debug)]
struct Added {
    id: StreamId,
    /// How many entries went.
    trimmed: u64,
    exactly: Option<Exactly>,
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::ZeroId => ZERO_ID,
            AppendError::SmallId => SMALL_ID,
            AppendError::Exhausted => EXHAUSTED,
            AppendError::TooLarge => TOO_LARGE,
        }
    }
}

impl<'a> New<'a> {
    fn parse(ctx: &Context<'a>) -> Result<(Self, Missing), Error> {
        let mut options = Options::default();
        let mut missing = Missing::Make;
        let mut at = 2;
        let id = loop {
            // There may be options only.
            let Some(text) = ctx.args.get(at) else { return Err(wrong_count(ctx, options)) };
            if text == b"*" {
                break NewId::Auto;
            }
            // No option begins with a digit.
            if text.first().is_some_and(u8::is_ascii_digit) {
                break NewId::parse(text).ok_or(INVALID_ID)?;
            }
            if let Some(next) = options.take(ctx, at)? {
                at = next;
            } else if ctx.is_word(at, "NOMKSTREAM") {
                missing = Missing::Leave;
                at += 1;
            } else {
                break NewId::parse(text).ok_or(INVALID_ID)?;
            }
        };
        let trim = options.finish(ctx)?;
        let data = ctx.args.len() - 1 - at;
        if data < 2 || !data.is_multiple_of(2) {
            return Err(Error::arity(ctx.name()));
        }
        if id == NewId::Explicit(StreamId::MIN) {
            return Err(ZERO_ID);
        }
        let now_ms = u64::try_from(ctx.server.now.unix_ms()).unwrap_or(0);
        let limits = limits(ctx.server);
        Ok((Self { id, id_at: at, args: ctx.args, now_ms, trim, limits }, missing))
    }

    fn add_to(self, stream: &mut Stream) -> Result<Added, AppendError> {
        let data = self.args.from(self.id_at + 1);
        let id = stream.log.append(self.id, self.now_ms, data, self.limits)?;
        let (trimmed, exactly) = self.trim.map(|trim| trim.apply(stream)).unwrap_or_default();
        Ok(Added { id, trimmed: trimmed.removed, exactly })
    }
}

/// What Redis finds wrong with options that nothing follows.
fn wrong_count(ctx: &Context<'_>, options: Options) -> Error {
    match options.finish(ctx) {
        Err(error) => error,
        Ok(_) => Error::arity(ctx.name()),
    }
}

fn xadd(ctx: &mut Context<'_>) -> Outcome {
    let (new, missing) = New::parse(ctx)?;
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let added = match super::change(ctx.server, scope, key, |stream| new.add_to(stream))? {
        Some(added) => {
            let added = added?;
            wake(ctx, key);
            added
        }
        None if missing == Missing::Leave => {
            ctx.session.output.null();
            return Ok(());
        }
        None => {
            let mut stream = Stream::new();
            let added = new.add_to(&mut stream)?;
            insert(ctx, key, stream);
            added
        }
    };
    reply::id(&mut ctx.session.output, added.id);
    ctx.server.keyspace.dirty += 1;
    ctx.note(key, Event::stream("xadd"));
    if added.trimmed > 0 {
        ctx.note(key, trim::TRIMMED);
    }
    record(ctx, new, added);
    Ok(())
}

/// Records the entry with its whole ID, and trimming with a threshold that removes just as much.
fn record(ctx: &mut Context<'_>, new: New<'_>, added: Added) {
    let new_id = match new.id {
        NewId::Explicit(_) => None,
        NewId::Auto | NewId::AutoSeq { .. } => Some((new.id_at, added.id)),
    };
    if new_id.is_none() && added.exactly.is_none() {
        return;
    }
    if let Some(mut effects) = ctx.effects_instead() {
        trim::record(effects.add(new.args.len()), new.args, added.exactly, new_id);
    }
}

fn xlen(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let found = ctx.server.keyspace.read(scope, key);
    let len = super::view(&found)?.map_or(0, |stream| stream.log.len());
    ctx.session.output.count(num::usize_of(len));
    Ok(())
}
