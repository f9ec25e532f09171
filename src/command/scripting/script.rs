//! SCRIPT: the scripts that are kept.

use super::cache::Origin;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};

/// SCRIPT
pub(super) static SCRIPT: Command = Command {
    spec: Spec {
        name: "script",
        summary: "Commands about scripts.",
        complexity: "Depends on subcommand.",
        since: "2.6.0",
        group: Group::Scripting,
        arity: -2,
        ..Spec::EMPTY
    },
    handler: None,
    subcommands: &[&DEBUG, &EXISTS, &FLUSH, &HELP, &KILL, &LOAD, &SHOW],
};

const SPEC: Spec = Spec {
    group: Group::Scripting,
    since: "2.6.0",
    categories: Categories::SCRIPTING,
    ..Spec::EMPTY
};

/// SCRIPT DEBUG YES | SYNC | NO
static DEBUG: Command = Command {
    spec: Spec {
        name: "debug",
        summary: "Chooses whether scripts of this client are debugged, and by whom.",
        complexity: "O(1)",
        since: "3.2.0",
        arity: 3,
        flags: Flags::NOSCRIPT,
        args: &[Arg::one_of(
            "mode",
            &[Arg::flag("yes", "YES"), Arg::flag("sync", "SYNC"), Arg::flag("no", "NO")],
        )],
        ..SPEC
    },
    handler: Some(super::debug::choose),
    subcommands: &[],
};

/// SCRIPT EXISTS sha1 [sha1 ...]
static EXISTS: Command = Command {
    spec: Spec {
        name: "exists",
        summary: "Tells which scripts are kept.",
        complexity: "O(N), N being the number of scripts asked for.",
        arity: -3,
        flags: Flags::NOSCRIPT.union(Flags::STALE),
        args: &[Arg::new("sha1", ArgType::String).multiple()],
        tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
        ..SPEC
    },
    handler: Some(exists),
    subcommands: &[],
};

/// SCRIPT FLUSH [ASYNC | SYNC]
static FLUSH: Command = Command {
    spec: Spec {
        name: "flush",
        summary: "Forgets all scripts.",
        complexity: "O(N), N being the number of scripts.",
        arity: -2,
        flags: Flags::NOSCRIPT.union(Flags::STALE),
        args: &[Arg::one_of(
            "flush_type",
            &[Arg::flag("async", "ASYNC"), Arg::flag("sync", "SYNC")],
        )
        .optional()
        .since("6.2.0")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..SPEC
    },
    handler: Some(flush),
    subcommands: &[],
};

/// SCRIPT HELP
static HELP: Command = Command {
    spec: Spec {
        name: "help",
        summary: "Tells about the subcommands.",
        complexity: "O(1)",
        since: "5.0.0",
        arity: 2,
        flags: Flags::LOADING.union(Flags::STALE),
        ..SPEC
    },
    handler: Some(help),
    subcommands: &[],
};

/// SCRIPT KILL
static KILL: Command = Command {
    spec: Spec {
        name: "kill",
        summary: "Ends the script that runs, if it has written nothing.",
        complexity: "O(1)",
        arity: 2,
        flags: Flags::NOSCRIPT.union(Flags::ALLOW_BUSY),
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        ..SPEC
    },
    handler: Some(super::running::kill_script),
    subcommands: &[],
};

/// SCRIPT LOAD script
static LOAD: Command = Command {
    spec: Spec {
        name: "load",
        summary: "Keeps a script, to be run by its SHA-1.",
        complexity: "O(N), N being the length of the script.",
        arity: 3,
        flags: Flags::NOSCRIPT.union(Flags::STALE),
        args: &[Arg::new("script", ArgType::String)],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..SPEC
    },
    handler: Some(load),
    subcommands: &[],
};

/// SCRIPT SHOW sha1
static SHOW: Command = Command {
    spec: Spec {
        name: "show",
        summary: "Returns the text of a script that is kept.",
        complexity: "O(1)",
        since: "8.0.0",
        arity: 3,
        flags: Flags::NOSCRIPT.union(Flags::STALE),
        args: &[Arg::new("sha1", ArgType::String)],
        ..SPEC
    },
    handler: Some(show),
    subcommands: &[],
};

fn exists(ctx: &mut Context<'_>) -> Outcome {
    let scripts = ctx.server.scripting.take_scripts();
    ctx.session.output.array(ctx.args.len() - 2);
    for name in ctx.args.from(2) {
        ctx.session.output.integer(i64::from(scripts.contains(name)));
    }
    ctx.server.scripting.put_scripts(scripts);
    Ok(())
}

fn flush(ctx: &mut Context<'_>) -> Outcome {
    let is_later = match ctx.args.len() {
        2 => ctx.server.config.lazyfree_lazy_user_flush,
        3 if ctx.is_word(2, "async") => true,
        3 if ctx.is_word(2, "sync") => false,
        _ => return Err(Error::fixed("ERR SCRIPT FLUSH only support SYNC|ASYNC option")),
    };
    let scripts = ctx.server.scripting.take_scripts();
    if is_later {
        ctx.server.host.drop_later(scripts);
    }
    ctx.ok()
}

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "DEBUG (YES|SYNC|NO)",
        "    Set the debug mode for subsequent scripts executed.",
        "EXISTS <sha1> [<sha1> ...]",
        "    Return information about the existence of the scripts in the script cache.",
        "FLUSH [ASYNC|SYNC]",
        "    Flush the Lua scripts cache. Very dangerous on replicas.",
        "    When called without the optional mode argument, the behavior is determined by the",
        "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
        "    * ASYNC: Asynchronously flush the scripts cache.",
        "    * SYNC: Synchronously flush the scripts cache.",
        "KILL",
        "    Kill the currently executing Lua script.",
        "LOAD <script>",
        "    Load a script into the scripts cache without executing it.",
        "SHOW <sha1>",
        "    Show a script from the scripts cache.",
    ])
}

fn show(ctx: &mut Context<'_>) -> Outcome {
    let scripts = ctx.server.scripting.take_scripts();
    let text = scripts.text_of(ctx.args.at(2));
    let outcome = match text {
        Some(text) => {
            ctx.session.output.bulk(text);
            Ok(())
        }
        None => Err(Error::fixed("NOSCRIPT No matching script.")),
    };
    ctx.server.scripting.put_scripts(scripts);
    outcome
}

fn load(ctx: &mut Context<'_>) -> Outcome {
    let mut scripts = ctx.server.scripting.take_scripts();
    let added = scripts.add(ctx.args.at(2), Origin::Loaded);
    ctx.server.scripting.put_scripts(scripts);
    let (name, _) = added?;
    ctx.session.output.bulk(&name);
    Ok(())
}
