//! From arguments to a reply: look the command up, check what every command is checked for, run it,
//! count it.

use super::context::{Context, KeyHashes};
use super::error::printed;
use super::events;
use super::eviction::Room;
use super::observe::{self, Attempt, Seen};
use super::persist::Conditions;
use super::server::{PauseKind, Server};
use super::spec::Flags;
use super::table::{CommandId, CommandTable, Registered};
use super::{Error, Handler, Outcome};
use super::{scripting, tracking, transaction};
use crate::config::Permission;
use crate::resp::parse::Trust;
use crate::resp::{Args, Output, Protocol};
use crate::session::{Closing, ReplyMode, Session, SessionFlags};

/// Longest part of an unknown command that its error repeats, bytes.
const UNKNOWN_TEXT_MAX: usize = 128;

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It was executed or refused; the next one may come.
    Done,
    /// A pause holds it back: it is to be tried again when the pause ends.
    Held,
    /// It was executed and its reply comes later; no other command of the client may come before.
    Blocked,
}

/// Executes one command for a client. `found` is what [`CommandTable::find`] says of its name, and
/// `started` the tick at its start; returns the tick at its end.
pub fn execute(
    server: &mut Server,
    session: &mut Session,
    args: Args<'_>,
    found: Option<CommandId>,
    hashes: KeyHashes<'_>,
    started: u64,
) -> (Flow, u64) {
    let id = match resolve(&server.commands, &args, found) {
        Ok(id) => id,
        Err(error) => {
            session.last_command = "";
            if found.is_none() && is_web_request(&args[0]) {
                return (drop_attacker(server, session), started);
            }
            refuse(server, session, None, &error);
            return (Flow::Done, started);
        }
    };
    let registered = server.commands.get(id);
    session.last_command = registered.full_name;
    if let Err(error) =
        check_arity(registered, &args).and_then(|()| check(server, session, id, &args))
    {
        refuse(server, session, Some(id), &error);
        return (Flow::Done, started);
    }
    if server.pause.is_some() && is_paused(server, session, id, &args) {
        return (Flow::Held, started);
    }
    if session.flags.contains(SessionFlags::MULTI) && !transaction::is_executed(server, id) {
        queue(server, session, &args, id, hashes);
        return (Flow::Done, started);
    }
    let registered = server.commands.get(id);
    let handler = registered.command.handler.expect("a command without code fails its arity");
    session.commands += 1;
    let point = session.output.checkpoint();
    let mut ctx = Context { args, session, server, id, hashes };
    let outcome = call(handler, &mut ctx);
    if session.blocked.is_some() {
        if !server.pushes.is_empty() {
            server.send_pushes(session);
        }
        observe::show(server, session, id, &args);
        return (Flow::Blocked, started); // counted when it gets its reply
    }
    let (nanos, ended) = finish(server, session, id, started, outcome);
    if server.attention.is_drawn(nanos, &args, &session.output) {
        let seen = Seen { args, id, nanos, reply: point, attempt: Attempt::First };
        observe::look_closer(server, session, &seen);
    }
    if server.keyspace.awaited.has_ready() {
        server.serve_waiting();
    }
    if session.reply_mode != ReplyMode::On || session.closing == Closing::Now {
        settle_reply_mode(server, session, point);
    }
    if !server.pushes.is_empty() {
        server.send_pushes(session);
    }
    (Flow::Done, ended)
}

/// Queues a command for EXEC.
fn queue(
    server: &mut Server,
    session: &mut Session,
    args: &Args<'_>,
    id: CommandId,
    hashes: KeyHashes<'_>,
) {
    let point = session.output.checkpoint();
    // It is found again where keys are by the command, not by its arguments.
    let is_fixed = server.commands.get(id).counted_at == 0;
    let hashes = if is_fixed { hashes.hashes } else { &[] };
    if let Err(error) = transaction::queue(server, session, args, id, hashes) {
        return refuse(server, session, Some(id), &error);
    }
    if session.reply_mode != ReplyMode::On {
        settle_reply_mode(server, session, point);
    }
}

/// Executes a command of a transaction; returns the tick at its end, as [`execute`] does.
pub(super) fn execute_queued(
    server: &mut Server,
    session: &mut Session,
    args: Args<'_>,
    id: CommandId,
    hashes: &[u64],
    started: u64,
) -> u64 {
    let registered = server.commands.get(id);
    let handler = registered.command.handler.expect("what has no code was not queued");
    let hashes = KeyHashes { hashes, range: registered.keys };
    let point = session.output.checkpoint();
    if session.flags.contains(SessionFlags::RESTRICTED)
        && let Err(error) = server.check_queued_access(session, id, &args)
    {
        server.stats.count_error(error.code());
        server.commands.stats_mut(id).rejected += 1;
        session.output.error(error.line());
        return started;
    }
    let outcome = call(handler, &mut Context { args, session, server, id, hashes });
    let (nanos, ended) = finish(server, session, id, started, outcome);
    if server.attention.is_drawn(nanos, &args, &session.output) {
        let seen = Seen { args, id, nanos, reply: point, attempt: Attempt::First };
        observe::look_closer(server, session, &seen);
    }
    ended
}

/// Executes a command of a script, which is there and may be executed.
pub(super) fn execute_in_script(
    server: &mut Server,
    session: &mut Session,
    args: Args<'_>,
    id: CommandId,
) {
    let started = (server.ticks)();
    let handler = server.commands.get(id).command.handler.expect("its arity was checked");
    let hashes = KeyHashes::default();
    let outcome = call(handler, &mut Context { args, session, server, id, hashes });
    finish(server, session, id, started, outcome);
    observe::show(server, session, id, &args);
}

/// Runs a command's code; what it changed is recorded and told if somebody listens.
#[inline]
fn call(handler: Handler, ctx: &mut Context<'_>) -> Outcome {
    let server = &*ctx.server;
    let outcome = if server.effects.wanted() | server.keyspace.events.wanted() {
        events::run(handler, ctx)
    } else {
        handler(ctx)
    };
    tracking::after_command(ctx);
    outcome
}

/// Whether a name begins a line of a web request: a browser that some page told to post to this port
/// sends those as inline commands.
fn is_web_request(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Closes a connection without another word, so that the commands behind are not executed.
#[cold]
fn drop_attacker(server: &mut Server, session: &mut Session) -> Flow {
    tracing::warn!(
        "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands \
         to Redis. This is likely due to an attacker attempting to use Cross Protocol Scripting to \
         compromise your Redis instance. Connection from {} aborted.",
        session.peer
    );
    session.output.clear();
    server.close(session);
    Flow::Done
}

/// Tells the latency monitor of a slow command.
#[cold]
pub(super) fn note_latency(server: &mut Server, id: CommandId, nanos: u64) {
    let is_fast = server.commands.get(id).command.spec.flags.contains(Flags::FAST);
    server.note_event(if is_fast { "fast-command" } else { "command" }, nanos);
}

/// Whether a client that waited got its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It did.
    Yes,
    /// It goes on waiting.
    No,
}

/// Executes the command of a client that waits once more.
pub fn execute_again(
    server: &mut Server,
    session: &mut Session,
    args: Args<'_>,
    id: CommandId,
) -> Served {
    let started = (server.ticks)();
    let handler = server.commands.get(id).command.handler.expect("it was executed before");
    let checked = check(server, session, id, &args); // which may push something, that is no reply
    let point = session.output.checkpoint();
    let outcome = checked.and_then(|()| {
        call(handler, &mut Context { args, session, server, id, hashes: KeyHashes::default() })
    });
    if outcome.is_ok() && session.output.checkpoint() == point {
        return Served::No;
    }
    let (nanos, _) = finish(server, session, id, started, outcome);
    if server.attention.is_drawn(nanos, &args, &session.output) {
        let seen = Seen { args, id, nanos, reply: point, attempt: Attempt::Again };
        observe::look_closer(server, session, &seen);
    }
    settle_reply_mode(server, session, point);
    if !server.pushes.is_empty() {
        server.send_pushes(session);
    }
    Served::Yes
}

/// Writes the reply of a client that has waited in vain, if it wants one, and counts its command.
pub fn reply_later(
    server: &mut Server,
    session: &mut Session,
    write: impl FnOnce(&mut Output) -> Outcome,
) {
    let point = session.output.checkpoint();
    let outcome = write(&mut session.output);
    let id = server.commands.find(session.last_command.as_bytes());
    finish(server, session, id.expect("no subcommand waits"), (server.ticks)(), outcome);
    settle_reply_mode(server, session, point);
}

/// Writes the error, if any, and counts. How long the command took, and the tick at its end.
#[inline]
fn finish(
    server: &mut Server,
    session: &mut Session,
    id: CommandId,
    started: u64,
    outcome: Outcome,
) -> (u64, u64) {
    let ended = (server.ticks)();
    let nanos = ended.saturating_sub(started);
    let failed = outcome.is_err();
    if let Err(error) = outcome {
        server.stats.count_error(error.code());
        session.output.error(error.line());
    }
    server.stats.commands += 1;
    let stats = server.commands.stats_mut(id);
    stats.calls += 1;
    stats.nanos += nanos;
    stats.failed += u64::from(failed);
    if server.config.latency_tracking {
        server.commands.record_latency(id, nanos);
    }
    if server.keyspace.has_garbage() {
        server.drop_garbage();
    }
    (nanos, ended)
}

/// Drops replies the client does not want, and ends CLIENT REPLY SKIP.
#[cold]
fn settle_reply_mode(server: &mut Server, session: &mut Session, point: crate::resp::Checkpoint) {
    match session.reply_mode {
        ReplyMode::On => {}
        ReplyMode::Off => session.output.roll_back(point),
        ReplyMode::SkipNext => session.reply_mode = ReplyMode::Skip,
        ReplyMode::Skip => {
            session.output.roll_back(point);
            session.reply_mode = ReplyMode::On;
        }
        ReplyMode::FollowsNext => session.reply_mode = ReplyMode::Follows,
        ReplyMode::Follows => {
            if session.output.checkpoint() != point {
                server.refuse_reply_to_replica(session, point);
            }
        }
    }
}

/// The command or subcommand that the arguments name; a container without its subcommand's word is
/// itself.
///
/// # Errors
/// Unknown command or subcommand.
#[inline]
pub fn resolve(
    commands: &CommandTable,
    args: &Args<'_>,
    found: Option<CommandId>,
) -> Result<CommandId, Error> {
    let Some(id) = found else { return Err(unknown(args)) };
    let registered = commands.get(id);
    if registered.subcommands.is_empty() || args.len() < 2 {
        return Ok(id);
    }
    let subcommand = commands.subcommand(id, &args[1]);
    subcommand.ok_or_else(|| unknown_subcommand(registered.full_name, &args[1]))
}

/// Whether there are as many arguments as a command takes.
///
/// # Errors
/// There are not.
#[inline]
pub(super) fn check_arity(registered: &Registered, args: &Args<'_>) -> Outcome {
    let has_code = registered.command.handler.is_some();
    if !registered.command.spec.takes(args.len()) || !has_code {
        return Err(Error::arity(registered.full_name));
    }
    Ok(())
}

#[cold]
fn unknown(args: &Args<'_>) -> Error {
    let name = printed(&args[0]);
    let mut line = b"ERR unknown command '".to_vec();
    line.extend_from_slice(&name[..name.len().min(UNKNOWN_TEXT_MAX)]);
    line.extend_from_slice(b"', with args beginning with: ");
    let mut repeated = 0;
    for arg in args.from(1) {
        if repeated >= UNKNOWN_TEXT_MAX {
            break;
        }
        let arg = printed(arg);
        let shown = &arg[..arg.len().min(UNKNOWN_TEXT_MAX - repeated)];
        line.push(b'\'');
        line.extend_from_slice(shown);
        line.extend_from_slice(b"' ");
        repeated += shown.len() + 3;
    }
    Error::new(line)
}

#[cold]
fn unknown_subcommand(container: &str, word: &[u8]) -> Error {
    let mut line = b"ERR unknown subcommand '".to_vec();
    let word = printed(word);
    line.extend_from_slice(&word[..word.len().min(UNKNOWN_TEXT_MAX)]);
    line.extend_from_slice(format!("'. Try {} HELP.", container.to_ascii_uppercase()).as_bytes());
    Error::new(line)
}

/// What every command is checked for before it runs.
#[inline]
fn check(server: &mut Server, session: &mut Session, id: CommandId, args: &Args<'_>) -> Outcome {
    let mut flags = server.commands.get(id).command.spec.flags;
    if session.flags.contains(SessionFlags::MULTI) {
        flags = transaction::flags_in_transaction(server, session, id);
    }
    if server.trust_of(session) == Trust::Unauthenticated && !flags.contains(Flags::NO_AUTH) {
        return Err(Error::NO_AUTH);
    }
    if flags.contains(Flags::PROTECTED) && !is_permitted(server, session, id) {
        return Err(not_permitted(server.commands.get(id).command.spec.name));
    }
    if session.flags.intersects(CHECKED) {
        check_client(server, session, id, args)?;
    }
    if server.config.maxmemory > 0 && !server.conditions.contains(Conditions::BUSY) {
        let room = server.make_room();
        if !server.pushes.is_empty() {
            server.send_pushes(session); // that a key it reads was evicted comes before the reply
        }
        if room == Room::None && flags.contains(Flags::DENYOOM) {
            return Err(Error::OUT_OF_MEMORY);
        }
    }
    if !server.conditions.is_empty() {
        if session.flags.contains(SessionFlags::PRIMARY) {
            return server.check_conditions_of_stream(flags);
        }
        server.check_conditions(flags, server.commands.get(id).command.spec.name)?;
        if server.conditions.contains(Conditions::REPLICA) {
            server.note_own_keys(session, id, args);
        }
        observe::check(session, flags)?;
    }
    Ok(())
}

/// Marks of clients that may not do everything.
const CHECKED: SessionFlags =
    SessionFlags::RESTRICTED.union(SessionFlags::SUBSCRIBED).union(SessionFlags::REPLICA);

/// What a client is checked for that may not do everything.
#[inline(never)]
fn check_client(server: &mut Server, session: &Session, id: CommandId, args: &Args<'_>) -> Outcome {
    if session.flags.contains(SessionFlags::RESTRICTED) {
        server.check_access(session, id, args)?;
    }
    if session.flags.contains(SessionFlags::SUBSCRIBED) && !may_subscriber(server, session, id) {
        return Err(not_for_subscribers(server.commands.get(id).full_name));
    }
    let of_keys = Flags::READONLY | Flags::WRITE | Flags::MAY_REPLICATE;
    let flags = server.commands.get(id).command.spec.flags;
    if session.flags.contains(SessionFlags::REPLICA) && flags.intersects(of_keys) {
        return Err(Error::fixed("ERR Replica can't interact with the keyspace"));
    }
    Ok(())
}

/// Whether `enable-debug-command` or `enable-module-command` lets the client run the command.
#[cold]
fn is_permitted(server: &Server, session: &Session, id: CommandId) -> bool {
    let permission = match server.commands.get(id).command.spec.name {
        "debug" => server.config.enable_debug_command,
        _ => server.config.enable_module_command,
    };
    match permission {
        Permission::Yes => true,
        Permission::Local => session.peer.is_local(),
        Permission::No => false,
    }
}

#[cold]
fn not_permitted(name: &str) -> Error {
    Error::new(format!(
        "ERR {} command not allowed. If the enable-{name}-command option is set to \"local\", you \
         can run it from a local connection, otherwise you need to set this option in the \
         configuration file, and then restart the server.",
        name.to_ascii_uppercase()
    ))
}

/// Whether a client that listens to channels may execute a command. In RESP3 messages can be told from
/// replies, so that it may execute any.
#[cold]
fn may_subscriber(server: &Server, session: &Session, id: CommandId) -> bool {
    let name = server.commands.get(id).full_name;
    session.output.protocol == Protocol::Resp3
        || name.ends_with("subscribe")
        || matches!(name, "ping" | "quit" | "reset")
}

#[cold]
fn not_for_subscribers(name: &str) -> Error {
    Error::new(format!(
        "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
         are allowed in this context"
    ))
}

fn is_paused(server: &Server, session: &Session, id: CommandId, args: &Args<'_>) -> bool {
    let Some(pause) = server.pause else { return false };
    if session.flags.contains(SessionFlags::REPLICA) {
        return false; // what it says is how far it is
    }
    match pause.kind {
        PauseKind::All => true,
        PauseKind::Write => {
            let flags = transaction::flags_in_transaction(server, session, id);
            let flags = scripting::flags_by_script(server, id, args, flags);
            flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE)
        }
    }
}

/// Replies with an error for a command that was not executed.
#[cold]
fn refuse(server: &mut Server, session: &mut Session, id: Option<CommandId>, error: &Error) {
    let is_exec = id.is_some_and(|id| transaction::is_exec(server, id));
    let aborted = is_exec.then(|| transaction::refused_exec(server, session, error));
    let error = aborted.as_ref().unwrap_or(error);
    transaction::doom(session);
    server.stats.count_error(error.code());
    if let Some(id) = id {
        server.commands.stats_mut(id).rejected += 1;
    }
    let point = session.output.checkpoint();
    session.output.error(error.line());
    settle_reply_mode(server, session, point);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    /// The last command, and executions and refusals of a command, after a script.
    #[track_caller]
    fn check(script: &str, last: &str, figures: &[(&str, u64, u64)]) {
        let mut bench = Bench::new();
        for line in script.split(';') {
            let words: Vec<&str> = line.split_whitespace().collect();
            bench.raw(&words);
        }
        assert_eq!(bench.session.last_command, last, "{script}");
        let counted: Vec<(&str, u64, u64)> = (bench.server.commands.iter())
            .map(|(_, command)| (command.full_name, command.stats.calls, command.stats.rejected))
            .filter(|&(_, calls, rejected)| calls + rejected > 0)
            .collect();
        assert_eq!(counted, figures, "{script}");
    }

    #[test]
    fn what_is_refused_counts_for_the_command_that_was_meant() {
        check("GET k;GET", "get", &[("get", 1, 1)]);
        check("CONFIG GET", "config|get", &[("config|get", 0, 1)]);
        check("CONFIG", "config", &[("config", 0, 1)]);
        check("DEBUG SLEEP 0", "debug", &[("debug", 0, 1)]);
    }

    #[test]
    fn what_there_is_not_counts_for_none() {
        check("GET k;NOSUCH", "", &[("get", 1, 0)]);
        check("CONFIG NOSUCH", "", &[]);
        check("COMMAND NOSUCH", "", &[]);
    }
}
