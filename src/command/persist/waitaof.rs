//! WAITAOF: a client waits until what it has written is on disk, here and with replicas.
//!
//! Positions are bytes ever given to the append-only file. A client that has changed anything waits for all
//! that was given before its command, whoever changed it; one that has not waits for nothing.

use crate::base::num;
use crate::command::host::LogMode;
use crate::command::server::Server;
use crate::command::spec::{Arg, ArgType, Categories, Flags};
use crate::command::{Command, Context, Error, Outcome, Spec, replication};
use crate::session::{AwaitedCopies, CopyKind};

/// WAITAOF numlocal numreplicas timeout
pub(super) static WAITAOF: Command =
    Command { spec: WAITAOF_SPEC, handler: Some(waitaof), subcommands: &[] };

const WAITAOF_SPEC: Spec = Spec {
    name: "waitaof",
    summary: "Waits until this connection's writes are on disk, in the append-only files of this server \
              and of replicas.",
    complexity: "O(1)",
    since: "7.2.0",
    arity: 4,
    flags: Flags::BLOCKING,
    categories: Categories::CONNECTION,
    args: &[
        Arg::new("numlocal", ArgType::Integer),
        Arg::new("numreplicas", ArgType::Integer),
        Arg::new("timeout", ArgType::Integer),
    ],
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    ..Spec::EMPTY
};

const NOT_AN_INTEGER: Error = Error::fixed("ERR value is not an integer or out of range");
const NOT_ZERO_OR_ONE: Error =
    Error::fixed("ERR value is out of range, value must between 0 and 1");
const NOT_POSITIVE: Error = Error::fixed("ERR value is out of range, must be positive");
const ON_REPLICA: Error = Error::fixed(
    "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just \
     local and are not propagated.",
);
pub(super) const NO_LOG: Error =
    Error::fixed("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");

/// How far a change has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It is not known to be on disk.
    Memory,
    /// It is on this server's disk.
    Disk,
}

fn waitaof(ctx: &mut Context<'_>) -> Outcome {
    if !ctx.server.replication.role.is_primary() {
        return Err(ON_REPLICA);
    }
    let local = num::parse_i64(ctx.args.at(1)).ok_or(NOT_AN_INTEGER)?;
    if !(0..=1).contains(&local) {
        return Err(NOT_ZERO_OR_ONE);
    }
    let replicas = num::parse_i64(ctx.args.at(2)).filter(|&count| count >= 0);
    let replicas = replicas.ok_or(NOT_POSITIVE)?;
    let until_ns = replication::deadline_ns(ctx, 3)?;
    if local == 1 && !ctx.server.config.appendonly {
        return Err(NO_LOG);
    }
    let position = match ctx.session.changed_in_turn {
        0 => 0,
        _ => ctx.server.log_position(),
    };
    let offset = ctx.session.changed_at_offset;
    let here = local.unsigned_abs();
    let there = replicas.unsigned_abs();
    let awaited = AwaitedCopies { kind: CopyKind::OnDisk, position, offset, here, there };
    ctx.wait_for_copies(awaited, until_ns);
    Ok(())
}

impl Server {
    /// Where what was changed so far ends in the log, the changes of this turn included, which are given to
    /// it at the turn's end.
    pub(in crate::command) fn log_position(&self) -> u64 {
        let given = self.host.append_only_file().map_or(0, |log| log.figures().position);
        given + num::u64_of(self.effects.log_len())
    }

    /// How far what was given to the log up to a position has come. While the log has no base yet, or
    /// something is wrong with it, nothing counts.
    pub fn reached(&self, position: u64) -> Reached {
        let log = self.host.append_only_file();
        let log = log.filter(|log| log.mode() == LogMode::On && log.error().is_none());
        match log {
            Some(log) if log.figures().synced_position >= position => Reached::Disk,
            Some(_) | None => Reached::Memory,
        }
    }
}

// What it waits for is tested in `tests/persistence`, with a log.
#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn without_a_log_there_is_nothing_to_wait_for() {
        check("SET k v; WAITAOF 0 0 0; WAITAOF 0 0 100", "+OK [:0 :0] [:0 :0]");
        let refused =
            "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
        check("WAITAOF 1 0 0; WAITAOF 1 1 100", &[refused; 2].join(" "));
    }

    #[test]
    fn wrong_numbers_are_refused() {
        let range = "-ERR value is out of range, value must between 0 and 1";
        check("WAITAOF 2 0 0; WAITAOF -1 0 0", &[range; 2].join(" "));
        check("WAITAOF x 0 0", "-ERR value is not an integer or out of range");
        let positive = "-ERR value is out of range, must be positive";
        check(
            "WAITAOF 0 -1 0; WAITAOF 0 x 0; WAITAOF 0 99999999999999999999 0",
            &[positive; 3].join(" "),
        );
        check("WAITAOF 0 0 -1; WAITAOF 1 0 -1", &["-ERR timeout is negative"; 2].join(" "));
        let timeout = "-ERR timeout is not an integer or out of range";
        check(
            "WAITAOF 0 0 x; WAITAOF 0 0 99999999999999999999; WAITAOF 1 0 x",
            &[timeout; 3].join(" "),
        );
        check("WAITAOF 0 0 9223372036854775807", "-ERR timeout is out of range");
        check("WAITAOF 0 0", "-ERR wrong number of arguments for 'waitaof' command");
    }
}
