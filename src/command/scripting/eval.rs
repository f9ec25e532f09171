//! EVAL, EVALSHA and their read-only variants.

use super::cache::{Name, Origin, Scripts, name_of};
use super::debug;
use super::run::{self, Access, BadCount, Program};
use crate::command::observe;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::script::lua::Passing;

const FLAGS: Flags = Flags::NOSCRIPT
    .union(Flags::SKIP_MONITOR)
    .union(Flags::MAY_REPLICATE)
    .union(Flags::NO_MANDATORY_KEYS)
    .union(Flags::STALE)
    .union(Flags::MOVABLE_KEYS);
const FLAGS_RO: Flags = Flags::NOSCRIPT
    .union(Flags::SKIP_MONITOR)
    .union(Flags::NO_MANDATORY_KEYS)
    .union(Flags::STALE)
    .union(Flags::READONLY)
    .union(Flags::MOVABLE_KEYS);
const RW: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE);
const RO: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);
const SCRIPT_ARGS: &[Arg] = &[
    Arg::new("script", ArgType::String),
    Arg::new("numkeys", ArgType::Integer),
    Arg::key("key", 0).optional().multiple(),
    Arg::new("arg", ArgType::String).optional().multiple(),
];
const SHA_ARGS: &[Arg] = &[
    Arg::new("sha1", ArgType::String),
    Arg::new("numkeys", ArgType::Integer),
    Arg::key("key", 0).optional().multiple(),
    Arg::new("arg", ArgType::String).optional().multiple(),
];

const EVAL_SPEC: Spec = Spec {
    name: "eval",
    summary: "Runs a script.",
    complexity: "That of the script.",
    since: "2.6.0",
    group: Group::Scripting,
    arity: -3,
    flags: FLAGS,
    categories: Categories::SCRIPTING,
    keys: &[KeySpec {
        notes: "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
        ..KeySpec::counted(2, RW)
    }],
    args: SCRIPT_ARGS,
    ..Spec::EMPTY
};

/// EVAL script numkeys [key ...] [arg ...]
pub(super) static EVAL: Command =
    Command { spec: EVAL_SPEC, handler: Some(eval), subcommands: &[] };

/// `EVAL_RO` script numkeys [key ...] [arg ...]
pub(super) static EVAL_RO: Command = Command {
    spec: Spec {
        name: "eval_ro",
        summary: "Runs a script that changes nothing.",
        since: "7.0.0",
        flags: FLAGS_RO,
        keys: &[KeySpec {
            notes: "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
            ..KeySpec::counted(2, RO)
        }],
        ..EVAL_SPEC
    },
    handler: Some(eval_ro),
    subcommands: &[],
};

/// EVALSHA sha1 numkeys [key ...] [arg ...]
pub(super) static EVALSHA: Command = Command {
    spec: Spec {
        name: "evalsha",
        summary: "Runs a script that is known by its SHA-1.",
        args: SHA_ARGS,
        ..EVAL_SPEC
    },
    handler: Some(evalsha),
    subcommands: &[],
};

/// `EVALSHA_RO` sha1 numkeys [key ...] [arg ...]
pub(super) static EVALSHA_RO: Command = Command {
    spec: Spec {
        name: "evalsha_ro",
        summary: "Runs a script that is known by its SHA-1 and changes nothing.",
        since: "7.0.0",
        flags: FLAGS_RO,
        keys: &[KeySpec {
            notes: "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
            ..KeySpec::counted(2, RO)
        }],
        args: SHA_ARGS,
        ..EVAL_SPEC
    },
    handler: Some(evalsha_ro),
    subcommands: &[],
};

fn eval(ctx: &mut Context<'_>) -> Outcome {
    start_text(ctx, Access::ReadWrite)
}

fn eval_ro(ctx: &mut Context<'_>) -> Outcome {
    start_text(ctx, Access::ReadOnly)
}

fn evalsha(ctx: &mut Context<'_>) -> Outcome {
    start_name(ctx, Access::ReadWrite)
}

fn evalsha_ro(ctx: &mut Context<'_>) -> Outcome {
    start_name(ctx, Access::ReadOnly)
}

fn start_text(ctx: &mut Context<'_>, access: Access) -> Outcome {
    if debug::is_wanted(ctx) { debug::run(ctx, access) } else { run_text(ctx, access) }
}

fn start_name(ctx: &mut Context<'_>, access: Access) -> Outcome {
    if debug::is_wanted(ctx) {
        return Err(Error::fixed("ERR Please use EVAL instead of EVALSHA for debugging"));
    }
    with_scripts(ctx, |ctx, scripts| run_name(ctx, scripts, access))
}

/// Runs the script that the first argument is.
///
/// # Errors
/// Its syntax, and its own.
pub(super) fn run_text(ctx: &mut Context<'_>, access: Access) -> Outcome {
    with_scripts(ctx, |ctx, scripts| run_new(ctx, scripts, access))
}

/// Lends the scripts to a command that may run one: they are out of the server meanwhile.
fn with_scripts(
    ctx: &mut Context<'_>,
    work: impl FnOnce(&mut Context<'_>, &mut Scripts) -> Outcome,
) -> Outcome {
    let mut scripts = ctx.server.scripting.take_scripts();
    let outcome = work(ctx, &mut scripts);
    ctx.server.scripting.put_scripts(scripts);
    outcome
}

fn run_new(ctx: &mut Context<'_>, scripts: &mut Scripts, access: Access) -> Outcome {
    let keys = run::keys_of(&ctx.args, BadCount::Script)?;
    let (name, gone) = scripts.add(ctx.args.at(1), Origin::Evaluated)?;
    ctx.server.scripting.evicted += gone;
    run_found(ctx, scripts, &name, (keys, access))
}

fn run_name(ctx: &mut Context<'_>, scripts: &mut Scripts, access: Access) -> Outcome {
    let keys = run::keys_of(&ctx.args, BadCount::Script)?;
    let name = name_of(ctx.args.at(1)).ok_or(NO_SCRIPT)?;
    run_found(ctx, scripts, &name, (keys, access))
}

const NO_SCRIPT: Error = Error::fixed("NOSCRIPT No matching script. Please use EVAL.");

fn run_found(
    ctx: &mut Context<'_>,
    scripts: &mut Scripts,
    name: &Name,
    (keys, access): (usize, Access),
) -> Outcome {
    let found = scripts.find(name).ok_or(NO_SCRIPT)?;
    observe::show_script(ctx.server, ctx.session, &ctx.args);
    let program = Program {
        interpreter: found.interpreter,
        function: found.function,
        flags: found.flags,
        name,
        keys,
        passing: Passing::Globals,
    };
    run::run(ctx, program, access)
}
