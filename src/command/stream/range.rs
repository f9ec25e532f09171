//! XRANGE and XREVRANGE.

use super::{ids, reply};
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};

const COMPLEXITY: &str = "O(N), N being the number of entries returned.";

/// XRANGE key start end [COUNT count]
pub(super) static XRANGE: Command = Command {
    spec: XRANGE_SPEC,
    handler: Some(|ctx| range(ctx, Order::Ascending)),
    subcommands: &[],
};

const XRANGE_SPEC: Spec = Spec {
    name: "xrange",
    summary: "Returns the entries of a stream whose IDs lie in a range.",
    complexity: COMPLEXITY,
    since: "5.0.0",
    group: Group::Stream,
    arity: -4,
    flags: Flags::READONLY,
    categories: Categories::STREAM,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("start", ArgType::String),
        Arg::new("end", ArgType::String),
        Arg::new("count", ArgType::Integer).token("COUNT").optional(),
    ],
    history: &[("6.2.0", "Ranges that leave out their ends.")],
    ..Spec::EMPTY
};

/// XREVRANGE key end start [COUNT count]
pub(super) static XREVRANGE: Command = Command {
    spec: XREVRANGE_SPEC,
    handler: Some(|ctx| range(ctx, Order::Descending)),
    subcommands: &[],
};

const XREVRANGE_SPEC: Spec = Spec {
    name: "xrevrange",
    summary: "Returns the entries of a stream whose IDs lie in a range, the last one first.",
    complexity: COMPLEXITY,
    since: "5.0.0",
    group: Group::Stream,
    arity: -4,
    flags: Flags::READONLY,
    categories: Categories::STREAM,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("end", ArgType::String),
        Arg::new("start", ArgType::String),
        Arg::new("count", ArgType::Integer).token("COUNT").optional(),
    ],
    history: &[("6.2.0", "Ranges that leave out their ends.")],
    ..Spec::EMPTY
};

/// In which order entries are replied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

fn range(ctx: &mut Context<'_>, order: Order) -> Outcome {
    let (start, end) = match order {
        Order::Ascending => (2, 3),
        Order::Descending => (3, 2),
    };
    let (start, end) = (ids::start(ctx, start)?, ids::end(ctx, end)?);
    let count = parse_count(ctx)?;
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let found = ctx.server.keyspace.read(scope, key);
    let out = &mut ctx.session.output;
    let Some(stream) = super::view(&found)? else {
        out.array(0);
        return Ok(());
    };
    if count == 0 {
        out.null_array();
        return Ok(());
    }
    let entries = stream.log.range(start, end);
    match order {
        Order::Ascending => reply::entries(out, entries.take(count)),
        Order::Descending => reply::entries(out, entries.rev().take(count)),
    }
    Ok(())
}

/// The number of entries wanted at most; the last COUNT counts.
fn parse_count(ctx: &Context<'_>) -> Result<usize, Error> {
    let mut count = usize::MAX;
    for at in (4..ctx.args.len()).step_by(2) {
        if at + 1 == ctx.args.len() || !ctx.is_word(at, "COUNT") {
            return Err(Error::SYNTAX);
        }
        count = num::usize_of(u64::try_from(ctx.integer(at + 1)?).unwrap_or(0));
    }
    Ok(count)
}
