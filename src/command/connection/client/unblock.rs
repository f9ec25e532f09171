//! CLIENT UNBLOCK.

use super::too_many_arguments;
use crate::command::blocking::Ending;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::session::{ClientId, Closing};

/// CLIENT UNBLOCK client-id [TIMEOUT | ERROR]
pub(super) static UNBLOCK: Command =
    Command { spec: UNBLOCK_SPEC, handler: Some(unblock), subcommands: &[] };

const UNBLOCK_SPEC: Spec = Spec {
    name: "unblock",
    summary: "Wakes a client that waits in a blocking command.",
    complexity: "O(log N), N being the number of connections.",
    since: "5.0.0",
    group: Group::Connection,
    arity: -3,
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[
        Arg::new("client-id", ArgType::Integer),
        Arg::one_of(
            "unblock-type",
            &[Arg::flag("timeout", "TIMEOUT"), Arg::flag("error", "ERROR")],
        )
        .optional(),
    ],
    ..Spec::EMPTY
};

const BAD_REASON: Error = Error::fixed("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");

/// Replies with 1 if the client waited, with 0 if it does not or there is none.
fn unblock(ctx: &mut Context<'_>) -> Outcome {
    let ending = match ctx.args.len() {
        3 => Ending::Timeout,
        4 if ctx.is_word(3, "TIMEOUT") => Ending::Timeout,
        4 if ctx.is_word(3, "ERROR") => Ending::Error,
        4 => return Err(BAD_REASON),
        _ => return Err(too_many_arguments(ctx.args.at(1))),
    };
    let number = ctx.integer(2)?;
    let sessions = &mut ctx.server.sessions;
    let index = u64::try_from(number).ok().and_then(|id| sessions.index_of(ClientId(id)));
    // There is none at the place of the client that asks.
    let unblocked = index.and_then(|index| sessions.take(index)).is_some_and(|mut session| {
        let stays = session.closing == Closing::No;
        let unblocked = stays && ctx.server.unblock(&mut session, ending).is_some();
        ctx.server.sessions.put(session);
        unblocked
    });
    ctx.reply_integer(i64::from(unblocked))
}

// How a client's waiting ends is tested in `node/waits.rs`.
#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn who_does_not_wait_is_not_woken() {
        check("CLIENT UNBLOCK 1; CLIENT UNBLOCK 99 timeout; CLIENT UNBLOCK -1 Error", ":0 :0 :0");
    }

    #[test]
    fn wrong_words_are_refused() {
        let reason = "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR";
        check("CLIENT UNBLOCK 1 now; CLIENT UNBLOCK a now", &[reason; 2].join(" "));
        check("CLIENT UNBLOCK a", "-ERR value is not an integer or out of range");
        check("CLIENT UNBLOCK", "-ERR wrong number of arguments for 'client|unblock' command");
        check(
            "CLIENT UNBLOCK 1 ERROR x",
            "-ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.",
        );
    }
}
