//! A script that takes long: what other clients may do meanwhile, and how it is ended.
//!
//! See `docs/design/scripting.md`.

use super::run::Program;
use crate::base::num;
use crate::command::host::Round;
use crate::command::persist::Conditions;
use crate::command::server::Server;
use crate::command::{Context, Error, Outcome};
use crate::resp::OwnedArgs;
use crate::script::Interrupt;
use crate::script::lua::Passing;

/// What kind of a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of EVAL.
    Script,
    /// A function.
    Function,
}

impl Kind {
    /// The kind of a program.
    pub(super) const fn of(program: &Program<'_>) -> Self {
        match program.passing {
            Passing::Globals => Self::Script,
            Passing::Parameters => Self::Function,
        }
    }

    /// The command that ends it.
    const fn killer(self) -> &'static str {
        match self {
            Self::Script => "SCRIPT KILL",
            Self::Function => "FUNCTION KILL",
        }
    }

    /// What other clients are told.
    pub const fn busy(self) -> Error {
        match self {
            Self::Script => Error::fixed(
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            ),
            Self::Function => Error::fixed(
                "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
            ),
        }
    }
}

/// A script that has run for longer than `busy-reply-threshold`.
#[derive(Debug)]
pub struct Running {
    /// What it is.
    pub kind: Kind,
    name: Vec<u8>,
    command: OwnedArgs,
    /// The tick at its start.
    started_ns: u64,
    /// Whether it has called a command that writes.
    has_written: bool,
    is_killed: bool,
}

/// A script as [`look`] sees it.
pub(super) struct Sight<'a> {
    pub(super) kind: Kind,
    pub(super) name: &'a [u8],
    pub(super) started_ns: u64,
    pub(super) has_written: bool,
}

/// Lets other clients be served if a script has run for long; whether it goes on.
pub(super) fn look(ctx: &mut Context<'_>, script: &Sight<'_>) -> Interrupt {
    let now_ns = (ctx.server.ticks)();
    let mut round = Round::Next;
    if ctx.server.scripting.running.is_none() {
        let took_ms = now_ns.saturating_sub(script.started_ns) / 1_000_000;
        if took_ms < ctx.server.config.busy_reply_threshold {
            return Interrupt::GoOn;
        }
        become_slow(ctx, script, took_ms);
        round = Round::First;
    }
    if let Some(running) = &mut ctx.server.scripting.running {
        running.has_written = script.has_written;
    }
    let server = &mut *ctx.server;
    if let Some(bystander) = server.bystander.take() {
        // For the script it stays the moment it began in.
        let now = server.now;
        let lets_expire = server.keyspace.lets_expire();
        server.bystander = Some(bystander.serve(server, round));
        server.set_now(now);
        if !lets_expire {
            server.keyspace.set_now_without_expiry(now.unix_ms());
        }
    }
    if server.shutdown.is_some() {
        server.effects.forget_unit();
        return Interrupt::Killed;
    }
    let is_killed = server.scripting.running.as_ref().is_some_and(|running| running.is_killed);
    if is_killed { Interrupt::Killed } else { Interrupt::GoOn }
}

#[cold]
fn become_slow(ctx: &mut Context<'_>, script: &Sight<'_>, took_ms: u64) {
    let name = String::from_utf8_lossy(script.name);
    tracing::warn!(
        "Slow script detected: still in execution after {took_ms} milliseconds. You can try killing \
         the script using the {} command. Script name is: {name}.",
        script.kind.killer()
    );
    ctx.server.conditions.insert(Conditions::BUSY);
    ctx.server.scripting.running = Some(Running {
        kind: script.kind,
        name: script.name.to_vec(),
        command: ctx.args.to_owned(),
        started_ns: script.started_ns,
        has_written: script.has_written,
        is_killed: false,
    });
}

/// Notes that no script runs any more.
#[inline]
pub(super) fn end(server: &mut Server) {
    if server.scripting.running.is_some() {
        server.scripting.running = None;
        server.conditions.remove(Conditions::BUSY);
    }
}

impl Server {
    /// Ends the script that runs, since the server is to end; one that has written goes on.
    pub fn end_script(&mut self) {
        if let Some(running) = self.scripting.running.as_mut().filter(|script| !script.has_written)
        {
            running.is_killed = true;
        }
    }
}

fn kill(ctx: &mut Context<'_>, kind: Kind) -> Outcome {
    let Some(running) = &mut ctx.server.scripting.running else {
        return Err(Error::fixed("NOTBUSY No scripts in execution right now."));
    };
    if running.has_written {
        return Err(Error::fixed(
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You can \
             either wait the script termination or kill the server in a hard way using the SHUTDOWN \
             NOSAVE command.",
        ));
    }
    if running.kind != kind {
        return Err(running.kind.busy());
    }
    running.is_killed = true;
    ctx.ok()
}

/// SCRIPT KILL
pub(super) fn kill_script(ctx: &mut Context<'_>) -> Outcome {
    kill(ctx, Kind::Script)
}

/// FUNCTION KILL
pub(super) fn kill_function(ctx: &mut Context<'_>) -> Outcome {
    kill(ctx, Kind::Function)
}

/// FUNCTION STATS
pub(super) fn stats(ctx: &mut Context<'_>) -> Outcome {
    let now_ns = (ctx.server.ticks)();
    let scripting = &ctx.server.scripting;
    let figures = scripting.figures();
    let out = &mut ctx.session.output;
    out.map(2);
    out.text("running_script");
    match &scripting.running {
        None => out.null(),
        Some(running) => {
            let args = running.command.as_args();
            out.map(3);
            out.text("name");
            out.bulk(&running.name);
            out.text("command");
            out.array(args.len());
            args.from(0).for_each(|arg| out.bulk(arg));
            out.text("duration_ms");
            let took_ns = now_ns.saturating_sub(running.started_ns);
            out.integer(num::i64_clamped(took_ns / 1_000_000));
        }
    }
    out.text("engines");
    out.map(1);
    out.text("LUA");
    out.map(2);
    out.text("libraries_count");
    out.integer(num::i64_clamped(figures.libraries));
    out.text("functions_count");
    out.integer(num::i64_clamped(figures.functions));
    Ok(())
}
