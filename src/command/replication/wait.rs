//! WAIT: a client waits until replicas have what it has written.

use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::session::{AwaitedCopies, Blocked, CopyKind};

/// WAIT numreplicas timeout
pub(super) static WAIT: Command =
    Command { spec: WAIT_SPEC, handler: Some(wait), subcommands: &[] };

const WAIT_SPEC: Spec = Spec {
    name: "wait",
    summary: "Waits until replicas have acknowledged this connection's writes.",
    complexity: "O(1)",
    since: "3.0.0",
    arity: 3,
    flags: Flags::BLOCKING,
    categories: Categories::CONNECTION,
    args: &[Arg::new("numreplicas", ArgType::Integer), Arg::new("timeout", ArgType::Integer)],
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    ..Spec::EMPTY
};

const ON_REPLICA: Error = Error::fixed(
    "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica \
     is configured to be writable (which is not the default) writes to replicas are just local and are \
     not propagated.",
);
const TIMEOUT_NOT_AN_INTEGER: Error = Error::fixed("ERR timeout is not an integer or out of range");
const TIMEOUT_NEGATIVE: Error = Error::fixed("ERR timeout is negative");
const TIMEOUT_OUT_OF_RANGE: Error = Error::fixed("ERR timeout is out of range");

/// Replies with the number of replicas that have acknowledged the client's writes, as soon as there
/// are as many as asked for, at the latest when the time has run out.
fn wait(ctx: &mut Context<'_>) -> Outcome {
    if !ctx.server.replication.role.is_primary() {
        return Err(ON_REPLICA);
    }
    let there = u64::try_from(ctx.integer(1)?).unwrap_or(0);
    let until_ns = deadline_ns(ctx, 2)?;
    let offset = ctx.session.changed_at_offset;
    let awaited = AwaitedCopies { kind: CopyKind::InMemory, position: 0, offset, here: 0, there };
    ctx.wait_for_copies(awaited, until_ns);
    Ok(())
}

impl Context<'_> {
    /// Replies with the number of copies of what the client has changed, at once if there are enough or it may
    /// not wait.
    pub fn wait_for_copies(&mut self, awaited: AwaitedCopies, until_ns: Option<u64>) {
        let copies = self.server.copies(&awaited);
        if copies.satisfy(&awaited) || self.may_not_wait() {
            copies.reply(self.out());
            return;
        }
        let blocked =
            Blocked { until_ns, timed_out: |out| out.null(), keys: None, copies: Some(awaited) };
        self.server.waits.add(self.session, blocked);
        self.server.persistence.awaiting_copies.push(self.session.id);
        self.server.ask_replicas();
    }
}

/// The end of a timeout in milliseconds, by the clock that only rises; `None` for 0, which is no end.
pub(in crate::command) fn deadline_ns(
    ctx: &Context<'_>,
    index: usize,
) -> Result<Option<u64>, Error> {
    let millis = num::parse_i64(ctx.args.at(index)).ok_or(TIMEOUT_NOT_AN_INTEGER)?;
    let millis = u64::try_from(millis).map_err(|_| TIMEOUT_NEGATIVE)?;
    let now = ctx.server.now;
    if now.unix_ms().checked_add_unsigned(millis).is_none() {
        return Err(TIMEOUT_OUT_OF_RANGE);
    }
    let until_ns = now.mono_ns.saturating_add(millis.saturating_mul(1_000_000));
    Ok((millis > 0).then_some(until_ns))
}

// How it waits is tested in `node/waits.rs`.
#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn no_replicas_are_there_at_once() {
        check("WAIT 0 0; WAIT 0 1000; WAIT -1 1", ":0 :0 :0");
        check("WAIT -9223372036854775808 1", ":0");
    }

    #[test]
    fn wrong_numbers_are_refused() {
        let not_an_integer = "-ERR value is not an integer or out of range";
        check(
            "WAIT a 0; WAIT a b; WAIT 1.0 0; WAIT 9223372036854775808 0",
            &[not_an_integer; 4].join(" "),
        );
        for timeout in ["a", "1.5", "''", "9223372036854775808"] {
            let script = format!("WAIT 0 {timeout}; WAIT 1 {timeout}");
            check(&script, &["-ERR timeout is not an integer or out of range"; 2].join(" "));
        }
        check("WAIT 0 -1; WAIT 1 -9223372036854775808", &["-ERR timeout is negative"; 2].join(" "));
        check("WAIT 1 9223372036854775807", "-ERR timeout is out of range");
        check("WAIT 1", "-ERR wrong number of arguments for 'wait' command");
    }
}
