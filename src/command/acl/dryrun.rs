//! ACL DRYRUN.

use super::{ADMIN_FLAGS, USERNAME};
use crate::acl::Reason;
use crate::command::access::{self, Denied};
use crate::command::error::printed;
use crate::command::spec::{Arg, ArgType, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};

/// ACL DRYRUN username command [arg [arg ...]]
pub(super) static DRYRUN: Command =
    Command { spec: DRYRUN_SPEC, handler: Some(dry_run), subcommands: &[] };

const DRYRUN_SPEC: Spec = Spec {
    name: "dryrun",
    summary: "Says whether a user may run a command line.",
    complexity: "O(1)",
    since: "7.0.0",
    group: Group::Server,
    arity: -4,
    flags: ADMIN_FLAGS,
    args: &[
        USERNAME,
        Arg::new("command", ArgType::String),
        Arg::new("arg", ArgType::String).optional().multiple(),
    ],
    ..Spec::EMPTY
};

fn dry_run(ctx: &mut Context<'_>) -> Outcome {
    let about = |before: &str, name: &[u8], after: &str| {
        Error::new([before.as_bytes(), printed(name), after.as_bytes()].concat())
    };
    let name = ctx.args.at(2);
    let user = ctx.server.users.get(name);
    let user = user.ok_or_else(|| about("ERR User '", name, "' not found"))?;
    let line: Vec<&[u8]> = ctx.args.from(3).collect();
    let commands = &ctx.server.commands;
    let no_command = || about("ERR Command '", line[0], "' not found");
    let mut id = commands.find(line[0]).ok_or_else(no_command)?;
    if let (false, Some(word)) = (commands.get(id).subcommands.is_empty(), line.get(1)) {
        id = commands.subcommand(id, word).ok_or_else(no_command)?;
    }
    let registered = commands.get(id);
    if !registered.command.spec.takes(line.len()) {
        return Err(Error::arity(registered.full_name));
    }
    let full_name = registered.full_name;
    let Err(Denied { reason, at }) =
        access::check(commands, user, ctx.session.db, id, line.as_slice())
    else {
        return ctx.ok();
    };
    let object = at.map_or(full_name.as_bytes(), |index| line[index]);
    let verdict = match reason {
        Reason::Command | Reason::Auth | Reason::TlsCertificate => {
            about("This user has no permissions to run the '", object, "' command")
        }
        Reason::Key => about("This user has no permissions to access the '", object, "' key"),
        Reason::Channel => {
            about("This user has no permissions to access the '", object, "' channel")
        }
        Reason::Database => about("This user has no permissions to access database ", object, ""),
    };
    ctx.session.output.bulk(verdict.line());
    Ok(())
}
