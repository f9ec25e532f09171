//! XGROUP.

use super::ids::{self, INVALID_ID};
use super::{insert, no_group_for_key};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::Event;
use crate::value::stream::{Group as ConsumerGroup, Groups, Log, Stream, StreamId};

const NO_KEY: Error = Error::fixed(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use \
     the MKSTREAM option to create an empty stream automatically.",
);
const ENTRIES_READ_NEGATIVE: Error =
    Error::fixed("ERR value for ENTRIESREAD must be positive or -1");
const EXISTS: Error = Error::fixed("BUSYGROUP Consumer Group name already exists");

/// Most arguments of XGROUP CREATE and XGROUP SETID; options given twice make more.
const CREATE_ARGS_MAX: usize = 8;
const SETID_ARGS_MAX: usize = 7;

const ID_ARG: Arg =
    Arg::one_of("id-selector", &[Arg::new("id", ArgType::String), Arg::flag("new-id", "$")]);
const ENTRIES_READ_ARG: Arg = Arg::new("entriesread", ArgType::Integer)
    .display("entries-read")
    .token("ENTRIESREAD")
    .optional();

/// XGROUP, the container.
pub(super) static XGROUP: Command = Command {
    spec: Spec {
        name: "xgroup",
        summary: "A container for commands on consumer groups.",
        complexity: "Depends on subcommand.",
        since: "5.0.0",
        group: Group::Stream,
        arity: -2,
        ..Spec::EMPTY
    },
    handler: None,
    subcommands: &[&CREATE, &CREATECONSUMER, &DELCONSUMER, &DESTROY, &HELP, &SETID],
};

/// What the subcommands have in common.
const COMMON: Spec = Spec {
    complexity: "O(1)",
    since: "5.0.0",
    group: Group::Stream,
    flags: Flags::WRITE,
    categories: Categories::STREAM,
    ..Spec::EMPTY
};

/// XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD entries-read]
static CREATE: Command = Command {
    spec: Spec {
        name: "create",
        summary: "Makes a consumer group.",
        arity: -5,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        keys: &[KeySpec::range(2, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[
            Arg::key("key", 0),
            Arg::new("group", ArgType::String),
            ID_ARG,
            Arg::flag("mkstream", "MKSTREAM").optional(),
            ENTRIES_READ_ARG,
        ],
        history: &[("7.0.0", "The option ENTRIESREAD.")],
        ..COMMON
    },
    handler: Some(create),
    subcommands: &[],
};

/// XGROUP CREATECONSUMER key group consumer
static CREATECONSUMER: Command = Command {
    spec: Spec {
        name: "createconsumer",
        summary: "Makes a consumer of a group.",
        since: "6.2.0",
        arity: 5,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        keys: &[KeySpec::range(2, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[
            Arg::key("key", 0),
            Arg::new("group", ArgType::String),
            Arg::new("consumer", ArgType::String),
        ],
        ..COMMON
    },
    handler: Some(create_consumer),
    subcommands: &[],
};

/// XGROUP DELCONSUMER key group consumer
static DELCONSUMER: Command = Command {
    spec: Spec {
        name: "delconsumer",
        summary: "Deletes a consumer of a group, with what it has not acknowledged.",
        complexity: "O(N), N being the number of its pending entries.",
        arity: 5,
        keys: &[KeySpec::range(2, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[
            Arg::key("key", 0),
            Arg::new("group", ArgType::String),
            Arg::new("consumer", ArgType::String),
        ],
        ..COMMON
    },
    handler: Some(delete_consumer),
    subcommands: &[],
};

/// XGROUP DESTROY key group
static DESTROY: Command = Command {
    spec: Spec {
        name: "destroy",
        summary: "Deletes a consumer group.",
        complexity: "O(N), N being the number of its pending entries.",
        arity: 4,
        keys: &[KeySpec::range(2, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[Arg::key("key", 0), Arg::new("group", ArgType::String)],
        ..COMMON
    },
    handler: Some(destroy),
    subcommands: &[],
};

/// XGROUP HELP
static HELP: Command = Command {
    spec: Spec {
        name: "help",
        summary: "Lists the subcommands.",
        arity: 2,
        flags: Flags::LOADING.union(Flags::STALE),
        ..COMMON
    },
    handler: Some(help),
    subcommands: &[],
};

/// XGROUP SETID key group id|$ [ENTRIESREAD entries-read]
static SETID: Command = Command {
    spec: Spec {
        name: "setid",
        summary: "Sets the ID behind which a group goes on.",
        arity: -5,
        keys: &[KeySpec::range(2, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[Arg::key("key", 0), Arg::new("group", ArgType::String), ID_ARG, ENTRIES_READ_ARG],
        history: &[("7.0.0", "The option ENTRIESREAD.")],
        ..COMMON
    },
    handler: Some(set_id),
    subcommands: &[],
};

/// What happens if there is no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Refuse,
    Make,
}

/// The options of CREATE and SETID.
#[derive(Clone, Copy, Debug)]
struct Options {
    missing: Missing,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(ctx: &Context<'_>) -> Result<Self, Error> {
        let is_create = ctx.name() == "xgroup|create";
        let mut options = Self { missing: Missing::Refuse, entries_read: None };
        let mut at = 5;
        while at < ctx.args.len() {
            if is_create && ctx.is_word(at, "MKSTREAM") {
                options.missing = Missing::Make;
                at += 1;
            } else if at + 1 < ctx.args.len() && ctx.is_word(at, "ENTRIESREAD") {
                options.entries_read = match ctx.integer(at + 1)? {
                    -1 => None,
                    count => Some(u64::try_from(count).map_err(|_| ENTRIES_READ_NEGATIVE)?),
                };
                at += 2;
            } else {
                return Err(syntax(ctx));
            }
        }
        Ok(options)
    }
}

/// What Redis says of a subcommand whose arguments make no sense.
pub(super) fn syntax(ctx: &Context<'_>) -> Error {
    let container = ctx.name().split('|').next().unwrap_or_default().to_ascii_uppercase();
    let mut line = b"ERR unknown subcommand or wrong number of arguments for '".to_vec();
    line.extend_from_slice(ctx.args.at(1));
    line.extend_from_slice(format!("'. Try {container} HELP.").as_bytes());
    Error::new(line)
}

/// Lets `f` change a stream that there is.
///
/// # Errors
/// There is none, or `f` finds something wrong.
fn change<R>(
    ctx: &mut Context<'_>,
    f: impl FnOnce(&mut Log, &mut Groups) -> Result<R, Error>,
) -> Result<R, Error> {
    let (scope, key) = (ctx.scope(), ctx.key(2));
    let changed = super::change(ctx.server, scope, key, |stream| {
        let Stream { log, groups } = stream;
        f(log, groups)
    })?;
    changed.ok_or(NO_KEY)?
}

/// Lets `f` change a group that there is.
///
/// # Errors
/// There is none, or `f` finds something wrong.
fn change_group<R>(
    ctx: &mut Context<'_>,
    f: impl FnOnce(&mut Log, &mut ConsumerGroup) -> Result<R, Error>,
) -> Result<R, Error> {
    let (key, name) = (ctx.args.at(2), ctx.args.at(3));
    change(ctx, |log, groups| {
        let group = groups.get_mut(name).ok_or_else(|| no_group_for_key(key, name))?;
        f(log, group)
    })
}

/// Tells of something that happened to the stream.
fn note(ctx: &mut Context<'_>, event: Event) {
    let key = ctx.key(2);
    ctx.note(key, event);
}

fn create(ctx: &mut Context<'_>) -> Outcome {
    let options = Options::parse(ctx)?;
    let (name, text) = (ctx.args.at(3), ctx.args.at(4));
    let count = ctx.args.len();
    let wrong_count = syntax(ctx);
    let add = move |stream: &mut Stream| {
        if count > CREATE_ARGS_MAX {
            return Err(wrong_count);
        }
        let last_id = match text {
            b"$" => stream.log.last_id(),
            text => StreamId::parse(text, 0).ok_or(INVALID_ID)?,
        };
        let group = ConsumerGroup::new(last_id, options.entries_read);
        stream.groups.create(name, group).map(|_| ()).ok_or(EXISTS)
    };
    let (scope, key) = (ctx.scope(), ctx.key(2));
    let mut add = Some(add);
    let mut add_to = |stream: &mut Stream| add.take().expect("called once")(stream);
    match super::change(ctx.server, scope, key, &mut add_to)? {
        Some(added) => {
            added?;
            ctx.note(key, super::of_groups("xgroup-create"));
        }
        None if options.missing == Missing::Refuse => return Err(NO_KEY),
        None => {
            let mut stream = Stream::new();
            add_to(&mut stream)?;
            insert(ctx, key, stream);
            ctx.note(key, Event::stream("xgroup-create"));
        }
    }
    ctx.server.keyspace.dirty += 1;
    ctx.ok()
}

fn set_id(ctx: &mut Context<'_>) -> Outcome {
    let Options { entries_read, .. } = Options::parse(ctx)?;
    let (text, count, wrong_count) = (ctx.args.at(4), ctx.args.len(), syntax(ctx));
    change_group(ctx, |log, group| {
        if count > SETID_ARGS_MAX {
            return Err(wrong_count);
        }
        let id = match text {
            b"$" => log.last_id(),
            text => StreamId::parse_bound(text, 0).ok_or(ids::INVALID_ID)?,
        };
        group.set_last_id(id, entries_read);
        Ok(())
    })?;
    ctx.server.keyspace.dirty += 1;
    note(ctx, super::of_groups("xgroup-setid"));
    ctx.ok()
}

fn destroy(ctx: &mut Context<'_>) -> Outcome {
    let name = ctx.args.at(3);
    let destroyed = change(ctx, |_, groups| Ok(groups.destroy(name)))?;
    ctx.session.output.count(usize::from(destroyed.is_some()));
    if let Some(group) = destroyed {
        ctx.server.keyspace.dirty += 1;
        // Those that wait as its consumers are told that it is gone.
        let key = ctx.key(2);
        super::wake(ctx, key);
        note(ctx, super::of_groups("xgroup-destroy"));
        drop(group);
    }
    Ok(())
}

fn create_consumer(ctx: &mut Context<'_>) -> Outcome {
    let (name, now_ms) = (ctx.args.at(4), ctx.server.now.unix_ms());
    let created = change_group(ctx, |_, group| Ok(group.create_consumer(name, now_ms)))?.is_some();
    if created {
        ctx.server.keyspace.dirty += 1;
        note(ctx, super::CONSUMER_MADE);
    }
    ctx.session.output.count(usize::from(created));
    Ok(())
}

fn delete_consumer(ctx: &mut Context<'_>) -> Outcome {
    let name = ctx.args.at(4);
    let deleted = change_group(ctx, |_, group| {
        Ok(group.consumer_named(name).map(|consumer| group.delete_consumer(consumer)))
    })?;
    if deleted.is_some() {
        ctx.server.keyspace.dirty += 1;
        note(ctx, super::of_groups("xgroup-delconsumer"));
    }
    ctx.session.output.count(deleted.unwrap_or(0));
    Ok(())
}

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "CREATE <key> <groupname> <id|$> [option]",
        "    Create a new consumer group. Options are:",
        "    * MKSTREAM",
        "      Create the empty stream if it does not exist.",
        "    * ENTRIESREAD entries_read",
        "      Set the group's entries_read counter (internal use).",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Create a new consumer in the specified group.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Remove the specified consumer.",
        "DESTROY <key> <groupname>",
        "    Remove the specified group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "    Set the current group ID and entries_read counter.",
    ])
}
