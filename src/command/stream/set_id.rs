//! XSETID.

use super::ids;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::config::Events;
use crate::store::Event;
use crate::value::stream::{Log, StreamId};

const ADDED_NEGATIVE: Error = Error::fixed("ERR entries_added must be positive");
const BELOW_GIVEN_DELETED: Error = Error::fixed(
    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
);
const BELOW_DELETED: Error =
    Error::fixed("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
const BELOW_LAST: Error =
    Error::fixed("ERR The ID specified in XSETID is smaller than the target stream top item");
const ADDED_BELOW_LENGTH: Error = Error::fixed(
    "ERR The entries_added specified in XSETID is smaller than the target stream length",
);

/// XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]
pub(super) static XSETID: Command =
    Command { spec: XSETID_SPEC, handler: Some(xsetid), subcommands: &[] };

const XSETID_SPEC: Spec = Spec {
    name: "xsetid",
    summary: "Sets the counters of a stream. For the servers themselves.",
    complexity: "O(1)",
    since: "5.0.0",
    group: Group::Stream,
    arity: -3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::STREAM,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("last-id", ArgType::String),
        Arg::new("entries-added", ArgType::Integer).token("ENTRIESADDED").optional().since("7.0.0"),
        Arg::new("max-deleted-id", ArgType::String).token("MAXDELETEDID").optional().since("7.0.0"),
    ],
    history: &[("7.0.0", "The options ENTRIESADDED and MAXDELETEDID.")],
    ..Spec::EMPTY
};

/// What to set.
#[derive(Clone, Copy, Debug)]
struct Counters {
    last_id: StreamId,
    entries_added: Option<u64>,
    /// Not set if it is `0-0`.
    max_deleted_id: StreamId,
}

impl Counters {
    fn parse(ctx: &Context<'_>) -> Result<Self, Error> {
        let last_id = ids::id(ctx, 2)?;
        let mut counters = Self { last_id, entries_added: None, max_deleted_id: StreamId::MIN };
        for at in (3..ctx.args.len()).step_by(2) {
            if at + 1 == ctx.args.len() {
                return Err(Error::SYNTAX);
            }
            if ctx.is_word(at, "ENTRIESADDED") {
                let added = u64::try_from(ctx.integer(at + 1)?).map_err(|_| ADDED_NEGATIVE)?;
                counters.entries_added = Some(added);
            } else if ctx.is_word(at, "MAXDELETEDID") {
                counters.max_deleted_id = ids::id(ctx, at + 1)?;
                if last_id < counters.max_deleted_id {
                    return Err(BELOW_GIVEN_DELETED);
                }
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(counters)
    }

    fn set(self, log: &mut Log) -> Result<(), Error> {
        if self.last_id < log.max_deleted_id() {
            return Err(BELOW_DELETED);
        }
        if log.last().is_some_and(|(last, _)| self.last_id < last) {
            return Err(BELOW_LAST);
        }
        if let Some(added) = self.entries_added {
            if added < log.len() {
                return Err(ADDED_BELOW_LENGTH);
            }
            log.set_entries_added(added);
        }
        log.set_last_id(self.last_id);
        if self.max_deleted_id != StreamId::MIN {
            log.set_max_deleted_id(self.max_deleted_id);
        }
        Ok(())
    }
}

fn xsetid(ctx: &mut Context<'_>) -> Outcome {
    let counters = Counters::parse(ctx)?;
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let set = super::change(ctx.server, scope, key, |stream| counters.set(&mut stream.log))?;
    set.ok_or(Error::NO_SUCH_KEY)??;
    ctx.server.keyspace.dirty += 1;
    ctx.note(key, Event::mere(Events::STREAM, "xsetid"));
    ctx.ok()
}
