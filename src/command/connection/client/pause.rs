//! CLIENT PAUSE and UNPAUSE.
//!
//! Commands are held back before they run, those of the client that asked for the pause included; a
//! pause can be made longer and stricter, not shorter or milder, except by UNPAUSE.

use super::too_many_arguments;
use crate::base::num;
use crate::command::server::{Pause, PauseKind};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};

/// CLIENT PAUSE timeout [WRITE | ALL]
pub(super) static PAUSE: Command =
    Command { spec: PAUSE_SPEC, handler: Some(pause), subcommands: &[] };

const PAUSE_SPEC: Spec = Spec {
    name: "pause",
    summary: "Holds back the commands of clients for some time.",
    complexity: "O(1)",
    since: "3.0.0",
    group: Group::Connection,
    arity: -3,
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[
        Arg::new("timeout", ArgType::Integer),
        Arg::one_of("mode", &[Arg::flag("write", "WRITE"), Arg::flag("all", "ALL")])
            .optional()
            .since("6.2.0"),
    ],
    history: &[("6.2.0", "Mode WRITE, and with it the mode argument.")],
    ..Spec::EMPTY
};

/// CLIENT UNPAUSE
pub(super) static UNPAUSE: Command =
    Command { spec: UNPAUSE_SPEC, handler: Some(unpause), subcommands: &[] };

const UNPAUSE_SPEC: Spec = Spec {
    name: "unpause",
    summary: "Lets held back clients go on.",
    complexity: "O(N), N being the number of clients held back.",
    since: "6.2.0",
    group: Group::Connection,
    arity: 2,
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    ..Spec::EMPTY
};

const BAD_MODE: Error = Error::fixed("ERR CLIENT PAUSE mode must be WRITE or ALL");

fn pause(ctx: &mut Context<'_>) -> Outcome {
    let kind = match ctx.args.len() {
        3 => PauseKind::All,
        4 if ctx.is_word(3, "WRITE") => PauseKind::Write,
        4 if ctx.is_word(3, "ALL") => PauseKind::All,
        4 => return Err(BAD_MODE),
        _ => return Err(too_many_arguments(ctx.args.at(1))),
    };
    let now_ms = ctx.server.now.unix_ms();
    let asked = Pause { until_ms: deadline_ms(ctx.args.at(2), now_ms)?, kind };
    let pause = match ctx.server.pause.filter(|old| old.until_ms > now_ms) {
        Some(old) => {
            Pause { until_ms: old.until_ms.max(asked.until_ms), kind: old.kind.max(asked.kind) }
        }
        None => asked,
    };
    if pause.until_ms > now_ms {
        ctx.server.set_pause(Some(pause));
    }
    ctx.ok()
}

/// The end of a pause of so many milliseconds, Unix milliseconds.
fn deadline_ms(timeout: &[u8], now_ms: i64) -> Result<i64, Error> {
    const NOT_AN_INTEGER: Error = Error::fixed("ERR timeout is not an integer or out of range");
    const NEGATIVE: Error = Error::fixed("ERR timeout is negative");
    const TOO_LONG: Error = Error::fixed("ERR timeout is out of range");
    let timeout_ms = num::parse_i64(timeout).ok_or(NOT_AN_INTEGER)?;
    if timeout_ms < 0 {
        return Err(NEGATIVE);
    }
    now_ms.checked_add(timeout_ms).ok_or(TOO_LONG)
}

/// The reactor's next turn lets the clients go on.
fn unpause(ctx: &mut Context<'_>) -> Outcome {
    ctx.server.set_pause(None);
    ctx.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Bench, check};

    /// What is paused, and for how many milliseconds, after a script.
    fn pause_after(script: &str) -> Option<(i64, PauseKind)> {
        let mut bench = Bench::new();
        for line in script.split(';') {
            bench.check(line, "+OK");
            // The next line is not held back: this is about the pause itself.
            if let Some(pause) = &mut bench.server.pause {
                pause.until_ms -= 1;
            }
            let now_ms = bench.server.now.unix_ms();
            let pause = bench.server.pause.take_if(|pause| pause.until_ms < now_ms);
            assert!(pause.is_none(), "a pause that is over was set");
        }
        let now_ms = bench.server.now.unix_ms();
        bench.server.pause.map(|pause| (pause.until_ms - now_ms, pause.kind))
    }

    #[test]
    fn a_pause_is_of_all_commands_or_of_writes() {
        assert_eq!(pause_after("CLIENT PAUSE 100"), Some((99, PauseKind::All)));
        assert_eq!(pause_after("CLIENT PAUSE 100 all"), Some((99, PauseKind::All)));
        assert_eq!(pause_after("CLIENT PAUSE 100 Write"), Some((99, PauseKind::Write)));
        assert_eq!(pause_after("CLIENT PAUSE 0"), None);
    }

    #[test]
    fn a_second_pause_cannot_shorten_the_first() {
        let twice = |first: &str, second: &str| {
            pause_after(&format!("CLIENT PAUSE {first} WRITE;CLIENT PAUSE {second} WRITE"))
        };
        assert_eq!(twice("100", "50"), Some((98, PauseKind::Write)));
        assert_eq!(twice("50", "100"), Some((99, PauseKind::Write)));
        assert_eq!(twice("50", "0"), Some((48, PauseKind::Write)));
        assert_eq!(
            pause_after("CLIENT PAUSE 100 WRITE;CLIENT PAUSE 10 ALL"),
            Some((98, PauseKind::All))
        );
    }

    #[test]
    fn unpause_ends_it() {
        assert_eq!(pause_after("CLIENT PAUSE 100 WRITE;CLIENT UNPAUSE"), None);
        check("CLIENT UNPAUSE", "+OK");
        check("CLIENT UNPAUSE x", "-ERR wrong number of arguments for 'client|unpause' command");
    }

    #[test]
    fn times_and_modes_that_make_no_sense() {
        let not_an_integer = "-ERR timeout is not an integer or out of range";
        check("CLIENT PAUSE x", not_an_integer);
        check("CLIENT PAUSE 99999999999999999999", not_an_integer);
        check("CLIENT PAUSE -1", "-ERR timeout is negative");
        check("CLIENT PAUSE 9223372036854775807", "-ERR timeout is out of range");
        check("CLIENT PAUSE 10 READ", "-ERR CLIENT PAUSE mode must be WRITE or ALL");
        check(
            "CLIENT pause 10 ALL x",
            "-ERR unknown subcommand or wrong number of arguments for 'pause'. Try CLIENT HELP.",
        );
        check("CLIENT PAUSE", "-ERR wrong number of arguments for 'client|pause' command");
    }
}
