//! XREAD, and the arguments that it has in common with XREADGROUP.

use super::ids::{INVALID_ID, IdText};
use super::reply;
use crate::base::num;
use crate::command::blocking::{Wanted, WhenGone};
use crate::command::spec::{
    Arg, ArgType, BeginSearch, Categories, FindKeys, Flags, Group, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::{Output, OwnedArgs, Protocol};
use crate::value::Type;
use crate::value::stream::{Log, StreamId};
use std::ops::Range;

const GROUP_IN_XREAD: Error =
    Error::fixed("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.");
const NOACK_IN_XREAD: Error =
    Error::fixed("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.");
const NEW_IN_XREAD: Error = Error::fixed(
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> \
     option.",
);
const NO_GROUP_OPTION: Error = Error::fixed("ERR Missing GROUP option for XREADGROUP");
const UNBALANCED_XREAD: Error = Error::fixed(
    "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.",
);
const UNBALANCED_XREADGROUP: Error = Error::fixed(
    "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be \
     specified.",
);

/// The options COUNT and BLOCK, as both commands document them.
pub(super) const COUNT_ARG: Arg = Arg::new("count", ArgType::Integer).token("COUNT").optional();
pub(super) const BLOCK_ARG: Arg =
    Arg::new("milliseconds", ArgType::Integer).token("BLOCK").optional();
/// Keys, and as many IDs.
pub(super) const STREAMS_ARG: Arg = Arg::block(
    "streams",
    &[Arg::key("key", 0).multiple(), Arg::new("id", ArgType::String).multiple()],
)
.token("STREAMS");

/// The first half of what follows STREAMS.
pub(super) const fn streams(start_from: i32) -> KeySpec {
    KeySpec {
        begin: BeginSearch::Keyword { keyword: "STREAMS", start_from },
        find: FindKeys::Range { last: -1, step: 1, limit: 2 },
        flags: KeyFlags::RO.union(KeyFlags::ACCESS),
        notes: "",
    }
}

/// XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]
pub(super) static XREAD: Command =
    Command { spec: XREAD_SPEC, handler: Some(xread), subcommands: &[] };

const XREAD_SPEC: Spec = Spec {
    name: "xread",
    summary: "Returns the entries of streams behind given IDs; waits for some.",
    complexity: "O(N), N being the number of entries returned.",
    since: "5.0.0",
    group: Group::Stream,
    arity: -4,
    flags: Flags::READONLY.union(Flags::BLOCKING).union(Flags::MOVABLE_KEYS),
    categories: Categories::STREAM,
    keys: &[streams(1)],
    args: &[COUNT_ARG, BLOCK_ARG, STREAMS_ARG],
    ..Spec::EMPTY
};

/// Which of the two commands it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// XREAD.
    Client,
    /// XREADGROUP.
    Group,
}

/// Whether entries delivered to a consumer wait for its acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acks {
    Wanted,
    NotWanted,
}

/// What a client that finds nothing does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// It gets a null at once.
    None,
    /// It waits until then, by the clock that only rises; `None`: without end.
    Until(Option<u64>),
}

/// The arguments in front of keys and IDs, and where those are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Entries of each stream, at most.
    pub(super) count: usize,
    pub(super) patience: Patience,
    pub(super) acks: Acks,
    /// The argument that names the group; the consumer follows.
    pub(super) group_at: usize,
    /// The first key.
    pub(super) keys_at: usize,
    /// How many keys there are.
    pub(super) keys: usize,
}

impl Options {
    pub(super) fn parse(ctx: &Context<'_>, reader: Reader) -> Result<Self, Error> {
        let mut options = Self {
            count: usize::MAX,
            patience: Patience::None,
            acks: Acks::Wanted,
            group_at: 0,
            keys_at: 0,
            keys: 0,
        };
        let mut at = 1;
        while options.keys_at == 0 {
            at = options.take(ctx, reader, at)?;
        }
        if reader == Reader::Group && options.group_at == 0 {
            return Err(NO_GROUP_OPTION);
        }
        Ok(options)
    }

    /// Reads the option at argument `at`; gives the argument behind it.
    fn take(&mut self, ctx: &Context<'_>, reader: Reader, at: usize) -> Result<usize, Error> {
        let more = ctx.args.len().saturating_sub(at + 1);
        if more > 0 && ctx.is_word(at, "BLOCK") {
            self.patience = Patience::Until(ctx.timeout_ms(at + 1)?);
            Ok(at + 2)
        } else if more > 0 && ctx.is_word(at, "COUNT") {
            self.count = match u64::try_from(ctx.integer(at + 1)?) {
                Ok(0) | Err(_) => usize::MAX,
                Ok(count) => num::usize_of(count),
            };
            Ok(at + 2)
        } else if more > 0 && ctx.is_word(at, "STREAMS") {
            if !more.is_multiple_of(2) {
                return Err(match reader {
                    Reader::Client => UNBALANCED_XREAD,
                    Reader::Group => UNBALANCED_XREADGROUP,
                });
            }
            (self.keys_at, self.keys) = (at + 1, more / 2);
            Ok(ctx.args.len())
        } else if more > 1 && ctx.is_word(at, "GROUP") {
            self.group_at = at + 1;
            if reader == Reader::Client { Err(GROUP_IN_XREAD) } else { Ok(at + 3) }
        } else if ctx.is_word(at, "NOACK") {
            self.acks = Acks::NotWanted;
            if reader == Reader::Client { Err(NOACK_IN_XREAD) } else { Ok(at + 1) }
        } else {
            Err(Error::SYNTAX)
        }
    }

    /// The arguments that are the keys.
    pub(super) const fn key_range(&self) -> Range<usize> {
        self.keys_at..self.keys_at + self.keys
    }

    /// The argument that is the ID for the key at argument `key_at`.
    pub(super) const fn id_at(&self, key_at: usize) -> usize {
        key_at + self.keys
    }
}

/// The streams of a reply, written one by one: a map in RESP3, pairs in RESP2.
#[derive(Debug)]
pub(super) struct Streams {
    head: crate::resp::DeferredLen,
    len: usize,
}

impl Streams {
    pub(super) fn begin(out: &mut Output) -> Self {
        Self { head: out.defer_len(), len: 0 }
    }

    /// The key of a stream; its entries follow.
    pub(super) fn key(&mut self, out: &mut Output, key: &[u8]) {
        if out.protocol == Protocol::Resp2 {
            out.array(2);
        }
        out.bulk(key);
        self.len += 1;
    }

    /// Ends the reply; says whether there is one.
    pub(super) fn end(self, out: &mut Output) -> bool {
        let Self { head, len } = self;
        match out.protocol {
            _ if len == 0 => {}
            Protocol::Resp2 => out.fill_array(head, len),
            Protocol::Resp3 => out.fill_map(head, len),
        }
        len > 0
    }
}

/// Replies that there is nothing, or lets the client wait for it.
pub(super) fn reply_later(
    ctx: &mut Context<'_>,
    options: Options,
    when_gone: WhenGone,
    args: impl FnOnce(crate::resp::Args<'_>) -> OwnedArgs,
) -> Outcome {
    match options.patience {
        Patience::None => {
            ctx.session.output.null_array();
            Ok(())
        }
        Patience::Until(until_ns) => {
            let keys = options.key_range();
            let timed_out = Output::null_array;
            let kind = Type::Stream;
            let wanted = Wanted { keys, kind, when_gone, until_ns, timed_out };
            ctx.wait_for_keys_with(wanted, args)
        }
    }
}

fn xread(ctx: &mut Context<'_>) -> Outcome {
    let options = Options::parse(ctx, Reader::Client)?;
    let mut after = Vec::with_capacity(options.keys);
    for key_at in options.key_range() {
        after.push(read_from(ctx, key_at, options.id_at(key_at))?);
    }
    let mut streams = Streams::begin(&mut ctx.session.output);
    let scope = ctx.scope();
    for (key_at, &after) in options.key_range().zip(&after) {
        let key = ctx.key(key_at);
        let found = ctx.server.keyspace.read(scope, key);
        let Some(stream) = super::view(&found)? else { continue };
        let Some(first) = after.next() else { continue };
        let mut entries = stream.log.range(first, StreamId::MAX).take(options.count).peekable();
        if entries.peek().is_some() {
            let out = &mut ctx.session.output;
            streams.key(out, key.bytes);
            reply::entries(out, entries);
        }
    }
    if streams.end(&mut ctx.session.output) {
        return Ok(());
    }
    reply_later(ctx, options, WhenGone::Wait, |args| {
        // What `$` means is what it means now.
        let texts: Vec<IdText> = after.iter().copied().map(IdText::of).collect();
        let words = args.from(0).take(options.id_at(options.keys_at));
        words.chain(texts.iter().map(IdText::as_bytes)).collect()
    })
}

/// The ID behind which to read. This counts as an access, and reading then as another, as in Redis.
fn read_from(ctx: &mut Context<'_>, key_at: usize, id_at: usize) -> Result<StreamId, Error> {
    let (scope, key, text) = (ctx.scope(), ctx.key(key_at), ctx.args.at(id_at));
    let found = ctx.server.keyspace.read(scope, key);
    let log = super::view(&found)?.map(|stream| &stream.log);
    match text {
        b"$" => Ok(log.map_or(StreamId::MIN, Log::last_id)),
        b"+" => Ok(log.map_or(StreamId::MIN, in_front_of_last)),
        b">" => Err(NEW_IN_XREAD),
        text => StreamId::parse(text, 0).ok_or(INVALID_ID),
    }
}

/// The ID in front of the last entry's; the last that there was, if all are gone.
fn in_front_of_last(log: &Log) -> StreamId {
    log.last().and_then(|(id, _)| id.prev()).unwrap_or_else(|| log.last_id())
}
