//! SHUTDOWN.
//!
//! The reactor ends after the turn in which this runs. What can be aborted is the end that a signal asked
//! for, until the periodic work sees to it.

use crate::command::persist::{Conditions, Ending, NOT_SAVED, NotSaved, Patience, Save, Unsaved};
use crate::command::spec::{Arg, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::session::Blocked;

/// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]
pub(super) static SHUTDOWN: Command =
    Command { spec: SHUTDOWN_SPEC, handler: Some(shutdown), subcommands: &[] };

const SHUTDOWN_SPEC: Spec = Spec {
    name: "shutdown",
    summary: "Saves the data set if asked or configured to, and exits.",
    complexity: "O(N) when saving, N being the number of keys, else O(1).",
    group: Group::Server,
    arity: -1,
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::NO_MULTI)
        .union(Flags::ALLOW_BUSY)
        .union(Flags::SENTINEL),
    args: &[
        Arg::one_of("save-selector", &[Arg::flag("nosave", "NOSAVE"), Arg::flag("save", "SAVE")])
            .optional(),
        Arg::flag("now", "NOW").optional().since("7.0.0"),
        Arg::flag("force", "FORCE").optional().since("7.0.0"),
        Arg::flag("abort", "ABORT").optional().since("7.0.0"),
    ],
    history: &[("7.0.0", "Modifiers NOW, FORCE and ABORT.")],
    ..Spec::EMPTY
};

enum Request {
    Abort,
    End(Ending),
}

fn shutdown(ctx: &mut Context<'_>) -> Outcome {
    const NOTHING_TO_ABORT: Error = Error::fixed("ERR No shutdown in progress.");
    let ending = match parse(ctx)? {
        Request::Abort if ctx.server.abort_end() => return ctx.ok(),
        Request::Abort => return Err(NOTHING_TO_ABORT),
        Request::End(ending) => ending,
    };
    if ctx.server.conditions.contains(Conditions::BUSY) && ending.save != Save::No {
        return Err(ctx.server.busy());
    }
    if ending.patience == Patience::Some && ctx.server.lacks_replicas() {
        return wait_for_replicas(ctx, ending);
    }
    ctx.server.end(ending).map_err(|NotSaved| NOT_SAVED)?;
    // Nothing it sent after this is executed.
    ctx.session.close_after_replies();
    Ok(())
}

/// The end comes when replicas have everything, or it takes too long.
fn wait_for_replicas(ctx: &mut Context<'_>, ending: Ending) -> Outcome {
    if ctx.may_not_wait() {
        return Err(Error::fixed("ERR Can't shut down while replicas are behind from here"));
    }
    let blocked = Blocked { until_ns: None, timed_out: |out| out.null(), keys: None, copies: None };
    ctx.server.waits.add(ctx.session, blocked);
    ctx.server.persistence.asked_end.push(ctx.session.id);
    ctx.server.ask_to_end(ending);
    Ok(())
}

fn parse(ctx: &Context<'_>) -> Result<Request, Error> {
    let (mut save, mut unsaved) = (Save::Configured, Unsaved::Stay);
    let mut patience = Patience::Some;
    let (mut aborts, mut ends) = (false, false);
    for at in 1..ctx.args.len() {
        if ctx.is_word(at, "ABORT") {
            aborts = true;
            continue;
        }
        ends = true;
        if ctx.is_word(at, "NOSAVE") && save != Save::Yes {
            save = Save::No;
        } else if ctx.is_word(at, "SAVE") && save != Save::No {
            save = Save::Yes;
        } else if ctx.is_word(at, "FORCE") {
            unsaved = Unsaved::End;
        } else if ctx.is_word(at, "NOW") {
            patience = Patience::None;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    match (aborts, ends) {
        (true, true) => Err(Error::SYNTAX),
        (true, false) => Ok(Request::Abort),
        (false, _) => Ok(Request::End(Ending { save, unsaved, patience })),
    }
}

#[cfg(test)]
mod tests {
    use super::{Ending, Patience, Save, Unsaved};
    use crate::command::testing::{Bench, FakeHost};
    use crate::config::Config;
    use crate::session::Closing;

    #[track_caller]
    fn ends(line: &str) {
        let mut bench = Bench::new();
        bench.check(line, "");
        assert_eq!(bench.server.shutdown.map(|shutdown| shutdown.status), Some(0), "{line}");
        assert_eq!(bench.session.closing, Closing::AfterReplies);
    }

    #[track_caller]
    fn refuses(line: &str, error: &str) {
        let mut bench = Bench::new();
        bench.check(line, error);
        assert!(bench.server.shutdown.is_none(), "{line}");
        assert_eq!(bench.session.closing, Closing::No);
    }

    #[test]
    fn shutdown_ends_the_server_without_a_reply() {
        for line in [
            "SHUTDOWN",
            "SHUTDOWN NOSAVE",
            "shutdown nosave now",
            "SHUTDOWN FORCE",
            "SHUTDOWN SAVE",
            "SHUTDOWN save NOW",
            "SHUTDOWN SAVE FORCE",
            "SHUTDOWN NOW NOW NOSAVE NOSAVE",
        ] {
            ends(line);
        }
    }

    #[test]
    fn the_server_stays_if_it_cannot_save_what_it_should() {
        for (line, ends) in
            [("SHUTDOWN", false), ("SHUTDOWN SAVE", false), ("SHUTDOWN SAVE FORCE", true)]
        {
            let host = FakeHost { is_full: true, ..FakeHost::default() };
            let mut bench = Bench::on(host, Config::default());
            let error = "-ERR Errors trying to SHUTDOWN. Check logs.";
            bench.check(line, if ends { "" } else { error });
            assert_eq!(bench.server.shutdown.is_some(), ends, "{line}");
        }
    }

    #[test]
    fn what_a_signal_asked_for_can_be_aborted() {
        let mut bench = Bench::new();
        let ending = Ending { save: Save::No, unsaved: Unsaved::Stay, patience: Patience::Some };
        bench.server.ask_to_end(ending);
        bench.check("SHUTDOWN ABORT", "+OK");
        bench.server.end_if_asked();
        assert!(bench.server.shutdown.is_none());
        bench.server.ask_to_end(ending);
        bench.server.end_if_asked();
        assert!(bench.server.shutdown.is_some());
    }

    #[test]
    fn there_is_nothing_to_abort() {
        refuses("SHUTDOWN ABORT", "-ERR No shutdown in progress.");
    }

    #[test]
    fn words_that_contradict_each_other() {
        for rest in ["x", "SAVE NOSAVE", "NOSAVE SAVE", "ABORT NOW", "NOSAVE ABORT", "SAVE x", "''"]
        {
            refuses(&format!("SHUTDOWN {rest}"), "-ERR syntax error");
        }
    }
}
