//! ACL SETUSER and DELUSER.

use super::{ADMIN_FLAGS, USERNAME, new_channels};
use crate::acl::{DEFAULT_USER, User, merge_selectors};
use crate::command::error::printed;
use crate::command::secrets::Secrets;
use crate::command::spec::{Arg, ArgType, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};

/// ACL SETUSER username [rule [rule ...]]
pub(super) static SETUSER: Command =
    Command { spec: SETUSER_SPEC, handler: Some(set_user), subcommands: &[] };

const SETUSER_SPEC: Spec = Spec {
    name: "setuser",
    summary: "Creates a user or changes what one may do.",
    complexity: "O(N), N being the number of rules.",
    since: "6.0.0",
    group: Group::Server,
    arity: -3,
    flags: ADMIN_FLAGS,
    args: &[USERNAME, Arg::new("rule", ArgType::String).optional().multiple()],
    history: &[
        ("6.2.0", "Rules about channels."),
        ("7.0.0", "Selectors, and rules about reading and writing keys."),
    ],
    secrets: Secrets::From(2),
    ..Spec::EMPTY
};

/// ACL DELUSER username [username ...]
pub(super) static DELUSER: Command =
    Command { spec: DELUSER_SPEC, handler: Some(delete_users), subcommands: &[] };

const DELUSER_SPEC: Spec = Spec {
    name: "deluser",
    summary: "Removes users and closes their connections.",
    complexity: "O(1) for each user, and O(N) for the connections there are.",
    since: "6.0.0",
    group: Group::Server,
    arity: -3,
    flags: ADMIN_FLAGS,
    args: &[USERNAME.multiple()],
    secrets: Secrets::From(2),
    ..Spec::EMPTY
};

const BAD_NAME: Error = Error::fixed("ERR Usernames can't contain spaces or null characters");
const DEFAULT_STAYS: Error = Error::fixed("ERR The 'default' user cannot be removed");

fn set_user(ctx: &mut Context<'_>) -> Outcome {
    let name = ctx.args.at(2);
    if !User::is_name(name) {
        return Err(BAD_NAME);
    }
    let rules = merge_selectors(ctx.args.from(3)).map_err(|word| {
        let mut line = b"ERR Unmatched parenthesis in acl selector starting at '".to_vec();
        line.extend_from_slice(printed(word));
        line.extend_from_slice(b"'.");
        Error::new(line)
    })?;
    let channels = new_channels(&ctx.server.config);
    let user = ctx.server.users.changed(name, channels, &rules).map_err(|(rule, reason)| {
        let mut line = b"ERR Error in ACL SETUSER modifier '".to_vec();
        line.extend_from_slice(printed(rule));
        line.extend_from_slice(format!("': {reason}").as_bytes());
        Error::new(line)
    })?;
    ctx.server.change_user(ctx.session, user);
    ctx.ok()
}

fn delete_users(ctx: &mut Context<'_>) -> Outcome {
    // Users named in front of the default user go all the same, as in Redis.
    let mut removed = 0;
    for name in ctx.args.from(2) {
        if name == DEFAULT_USER {
            return Err(DEFAULT_STAYS);
        }
        removed += usize::from(ctx.server.remove_user(ctx.session, name));
    }
    ctx.session.output.count(removed);
    Ok(())
}
