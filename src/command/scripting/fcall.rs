//! FCALL and `FCALL_RO`: functions of libraries.

use super::run::{self, Access, BadCount, Program};
use crate::command::observe;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::script::lua::Passing;

const FLAGS: Flags = Flags::NOSCRIPT
    .union(Flags::SKIP_MONITOR)
    .union(Flags::NO_MANDATORY_KEYS)
    .union(Flags::STALE)
    .union(Flags::MOVABLE_KEYS);
const RW: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE);
const RO: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);

const SPEC: Spec = Spec {
    name: "fcall",
    summary: "Calls a function.",
    complexity: "That of the function.",
    since: "7.0.0",
    group: Group::Scripting,
    arity: -3,
    flags: FLAGS.union(Flags::MAY_REPLICATE),
    categories: Categories::SCRIPTING,
    keys: &[KeySpec {
        notes: "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
        ..KeySpec::counted(2, RW)
    }],
    args: &[
        Arg::new("function", ArgType::String),
        Arg::new("numkeys", ArgType::Integer),
        Arg::key("key", 0).optional().multiple(),
        Arg::new("arg", ArgType::String).optional().multiple(),
    ],
    ..Spec::EMPTY
};

/// FCALL function numkeys [key ...] [arg ...]
pub(super) static FCALL: Command = Command { spec: SPEC, handler: Some(fcall), subcommands: &[] };

/// `FCALL_RO` function numkeys [key ...] [arg ...]
pub(super) static FCALL_RO: Command = Command {
    spec: Spec {
        name: "fcall_ro",
        summary: "Calls a function that changes nothing.",
        flags: FLAGS.union(Flags::READONLY),
        keys: &[KeySpec {
            notes: "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
            ..KeySpec::counted(2, RO)
        }],
        ..SPEC
    },
    handler: Some(fcall_ro),
    subcommands: &[],
};

fn fcall(ctx: &mut Context<'_>) -> Outcome {
    call(ctx, Access::ReadWrite)
}

fn fcall_ro(ctx: &mut Context<'_>) -> Outcome {
    call(ctx, Access::ReadOnly)
}

fn call(ctx: &mut Context<'_>, access: Access) -> Outcome {
    let mut functions = ctx.server.scripting.take_functions();
    let name = ctx.args.at(1);
    let outcome = match functions.find(name) {
        None => Err(Error::fixed("ERR Function not found")),
        Some(found) => run::keys_of(&ctx.args, BadCount::Function).and_then(|keys| {
            observe::show_script(ctx.server, ctx.session, &ctx.args);
            let program = Program {
                interpreter: found.interpreter,
                function: found.function,
                flags: found.flags,
                name,
                keys,
                passing: Passing::Parameters,
            };
            run::run(ctx, program, access)
        }),
    };
    ctx.server.scripting.put_functions(functions);
    outcome
}
