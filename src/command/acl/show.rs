//! ACL GETUSER, LIST and USERS.

use super::{ADMIN_FLAGS, USERNAME};
use crate::acl::{DatabaseSet, Selector};
use crate::command::spec::Group;
use crate::command::{Command, Context, Outcome, Spec};
use crate::resp::Output;
use std::sync::Arc;

/// ACL GETUSER username
pub(super) static GETUSER: Command =
    Command { spec: GETUSER_SPEC, handler: Some(get_user), subcommands: &[] };

const GETUSER_SPEC: Spec = Spec {
    name: "getuser",
    summary: "Shows what a user may do.",
    complexity: "O(N), N being the number of passwords and rules of the user.",
    since: "6.0.0",
    group: Group::Server,
    arity: 3,
    flags: ADMIN_FLAGS,
    args: &[USERNAME],
    history: &[
        ("6.2.0", "Channels."),
        ("7.0.0", "Selectors; keys and channels as rules, not as lists."),
    ],
    ..Spec::EMPTY
};

/// ACL LIST
pub(super) static LIST: Command =
    Command { spec: LIST_SPEC, handler: Some(list), subcommands: &[] };

const LIST_SPEC: Spec = Spec {
    name: "list",
    summary: "Shows all users as lines of a file.",
    complexity: "O(N), N being the number of users.",
    since: "6.0.0",
    group: Group::Server,
    arity: 2,
    flags: ADMIN_FLAGS,
    ..Spec::EMPTY
};

/// ACL USERS
pub(super) static USERS: Command =
    Command { spec: USERS_SPEC, handler: Some(users), subcommands: &[] };

const USERS_SPEC: Spec = Spec {
    name: "users",
    summary: "Lists the names of all users.",
    complexity: "O(N), N being the number of users.",
    since: "6.0.0",
    group: Group::Server,
    arity: 2,
    flags: ADMIN_FLAGS,
    ..Spec::EMPTY
};

fn get_user(ctx: &mut Context<'_>) -> Outcome {
    let out = &mut ctx.session.output;
    let Some(user) = ctx.server.users.get(ctx.args.at(2)).map(Arc::clone) else {
        out.null();
        return Ok(());
    };
    out.map(3 + fields(user.root()));
    out.text("flags");
    out.set(user.flags().count());
    user.flags().for_each(|flag| out.text(flag));
    out.text("passwords");
    out.array(user.passwords().len());
    user.passwords().iter().for_each(|password| out.text(&password.hex()));
    describe(out, user.root());
    out.text("selectors");
    out.array(user.selectors().len());
    for selector in user.selectors() {
        out.map(fields(selector));
        describe(out, selector);
    }
    Ok(())
}

/// How many fields [`describe`] writes.
fn fields(selector: &Selector) -> usize {
    match selector.databases {
        DatabaseSet::All => 3,
        DatabaseSet::Some(_) => 4,
    }
}

/// Databases are told of only where they are restricted, which Redis knows nothing of.
fn describe(out: &mut Output, selector: &Selector) {
    let mut field = |name: &str, describe: &dyn Fn(&mut Vec<u8>)| {
        let mut rules = Vec::new();
        describe(&mut rules);
        out.text(name);
        out.bulk(&rules);
    };
    field("commands", &|rules| selector.commands.describe(rules));
    field("keys", &|rules| selector.keys.describe(rules));
    field("channels", &|rules| selector.channels.describe(rules));
    match &selector.databases {
        DatabaseSet::All => {}
        some @ DatabaseSet::Some(_) => field("databases", &|rules| some.describe(rules)),
    }
}

fn list(ctx: &mut Context<'_>) -> Outcome {
    let out = &mut ctx.session.output;
    out.array(ctx.server.users.iter().len());
    ctx.server.users.lines().for_each(|line| out.bulk(&line));
    Ok(())
}

fn users(ctx: &mut Context<'_>) -> Outcome {
    let out = &mut ctx.session.output;
    out.array(ctx.server.users.iter().len());
    ctx.server.users.iter().for_each(|user| out.bulk(user.name()));
    Ok(())
}
