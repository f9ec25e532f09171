//! ACL: users and what each may do.

mod change;
mod dryrun;
mod file;
mod log;
mod look;
#[cfg(test)]
mod property;
mod sessions;
mod show;
#[cfg(test)]
mod tests;

pub use file::BadUsers;

use super::spec::{Arg, ArgType, Flags, Group};
use super::{Command, Context, Error, Outcome, Spec};
use crate::acl::NewChannels;
use crate::config::{AclPubsubDefault, Config};

/// The family.
pub static COMMANDS: &[&Command] = &[&ACL];

/// ACL
static ACL: Command = Command {
    spec: ACL_SPEC,
    handler: None,
    subcommands: &[
        &look::CAT,
        &change::DELUSER,
        &dryrun::DRYRUN,
        &look::GENPASS,
        &show::GETUSER,
        &HELP,
        &show::LIST,
        &file::LOAD,
        &log::LOG,
        &file::SAVE,
        &change::SETUSER,
        &show::USERS,
        &look::WHOAMI,
    ],
};

const ACL_SPEC: Spec = Spec {
    name: "acl",
    summary: "A container for commands about users.",
    complexity: "Depends on subcommand.",
    since: "6.0.0",
    group: Group::Server,
    arity: -2,
    flags: Flags::SENTINEL,
    ..Spec::EMPTY
};

const FLAGS: Flags =
    Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::SENTINEL);
const ADMIN_FLAGS: Flags = FLAGS.union(Flags::ADMIN);

static HELP: Command = Command { spec: HELP_SPEC, handler: Some(help), subcommands: &[] };

const HELP_SPEC: Spec = Spec {
    name: "help",
    summary: "Lists the subcommands of ACL.",
    complexity: "O(1)",
    since: "6.0.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::SENTINEL),
    ..Spec::EMPTY
};

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "CAT [<category>]",
        "    List all commands that belong to <category>, or all command categories",
        "    when no category is specified.",
        "DELUSER <username> [<username> ...]",
        "    Delete a list of users.",
        "DRYRUN <username> <command> [<arg> ...]",
        "    Returns whether the user can execute the given command without executing the command.",
        "GETUSER <username>",
        "    Get the user's details.",
        "GENPASS [<bits>]",
        "    Generate a secure 256-bit user password. The optional `bits` argument can",
        "    be used to specify a different size.",
        "LIST",
        "    Show users details in config file format.",
        "LOAD",
        "    Reload users from the ACL file.",
        "LOG [<count> | RESET]",
        "    Show the ACL log entries.",
        "SAVE",
        "    Save the current config to the ACL file.",
        "SETUSER <username> <attribute> [<attribute> ...]",
        "    Create or modify a user with the specified attributes.",
        "USERS",
        "    List all the registered usernames.",
        "WHOAMI",
        "    Return the current connection username.",
    ])
}

/// An argument too many, or one that is none.
fn wrong_arguments(subcommand: &[u8]) -> Error {
    let mut line = b"ERR unknown subcommand or wrong number of arguments for '".to_vec();
    line.extend_from_slice(super::error::printed(subcommand));
    line.extend_from_slice(b"'. Try ACL HELP.");
    Error::new(line)
}

/// Which channels new users may use.
const fn new_channels(config: &Config) -> NewChannels {
    match config.acl_pubsub_default {
        AclPubsubDefault::Allchannels => NewChannels::All,
        AclPubsubDefault::Resetchannels => NewChannels::None,
    }
}

/// The argument that most subcommands have.
const USERNAME: Arg = Arg::new("username", ArgType::String);
