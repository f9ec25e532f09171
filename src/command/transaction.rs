//! Transactions: commands are queued and executed one behind the other, unless a key that the client
//! watches has changed meanwhile.
//!
//! Nothing comes between the commands of a transaction: EXEC is one command of the reactor. They are
//! executed as what they are, so that they count, and are recorded as a unit since EXEC's own unit is
//! around theirs.

use super::spec::{Arg, Categories, Flags, Group, KeyFlags, KeySpec};
use super::table::CommandId;
use super::{Command, Context, Error, Outcome, Server, Spec};
use super::{dispatch, scripting};
use crate::resp::Args;
use crate::session::{Closing, Session, SessionFlags, Transaction};

/// The family.
pub static COMMANDS: &[&Command] = &[&DISCARD, &EXEC, &MULTI, &UNWATCH, &WATCH];

/// MULTI
static MULTI: Command = Command { spec: MULTI_SPEC, handler: Some(multi), subcommands: &[] };

const FLAGS: Flags =
    Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::ALLOW_BUSY);

const MULTI_SPEC: Spec = Spec {
    name: "multi",
    summary: "Begins a transaction: the commands that follow are queued.",
    complexity: "O(1)",
    since: "1.2.0",
    group: Group::Transactions,
    arity: 1,
    flags: FLAGS.union(Flags::FAST),
    categories: Categories::TRANSACTION,
    ..Spec::EMPTY
};

/// EXEC
static EXEC: Command = Command { spec: EXEC_SPEC, handler: Some(exec), subcommands: &[] };

const EXEC_SPEC: Spec = Spec {
    name: "exec",
    summary: "Executes the queued commands, unless a watched key has changed.",
    complexity: "That of the queued commands.",
    since: "1.2.0",
    group: Group::Transactions,
    arity: 1,
    flags: Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::SKIP_SLOWLOG),
    categories: Categories::TRANSACTION,
    ..Spec::EMPTY
};

/// DISCARD
static DISCARD: Command = Command { spec: DISCARD_SPEC, handler: Some(discard), subcommands: &[] };

const DISCARD_SPEC: Spec = Spec {
    name: "discard",
    summary: "Drops the queued commands.",
    complexity: "O(N), N being the number of queued commands.",
    since: "2.0.0",
    group: Group::Transactions,
    arity: 1,
    flags: FLAGS.union(Flags::FAST),
    categories: Categories::TRANSACTION,
    ..Spec::EMPTY
};

/// WATCH key [key ...]
static WATCH: Command = Command { spec: WATCH_SPEC, handler: Some(watch), subcommands: &[] };

const WATCH_SPEC: Spec = Spec {
    name: "watch",
    summary: "Lets the next EXEC do nothing if one of the keys has changed by then.",
    complexity: "O(1) for each key.",
    since: "2.2.0",
    group: Group::Transactions,
    arity: -2,
    flags: FLAGS.union(Flags::FAST),
    categories: Categories::TRANSACTION,
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0).multiple()],
    ..Spec::EMPTY
};

/// UNWATCH
static UNWATCH: Command = Command { spec: UNWATCH_SPEC, handler: Some(unwatch), subcommands: &[] };

const UNWATCH_SPEC: Spec = Spec {
    name: "unwatch",
    summary: "Forgets the watched keys.",
    complexity: "O(N), N being the number of watched keys.",
    since: "2.2.0",
    group: Group::Transactions,
    arity: 1,
    flags: FLAGS.union(Flags::FAST),
    categories: Categories::TRANSACTION,
    ..Spec::EMPTY
};

const ABORTED: Error = Error::fixed("EXECABORT Transaction discarded because of previous errors.");
const NOT_IN_TRANSACTION: Error = Error::fixed("ERR Command not allowed inside a transaction");

/// What a transaction has allocated is kept for the next one up to this, bytes.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// A transaction that holds more than this is freed by the helper thread, bytes.
const FREED_HERE_BYTES_MAX: usize = 1024 * 1024;
/// Replies of this many bytes may wait before a transaction looks at `client-output-buffer-limit`.
const OUTPUT_UNCHECKED_BYTES: usize = 64 * 1024;

/// The flags by which a command is judged before it is executed or queued: EXEC's are those of all it
/// would execute, and whatever is queued takes memory.
#[cold]
pub(super) fn flags_in_transaction(server: &Server, session: &Session, id: CommandId) -> Flags {
    let registered = server.commands.get(id);
    let flags = registered.command.spec.flags;
    if is_exec(server, id) {
        let transaction = session.transaction.as_ref();
        let queued = transaction.map_or(0, |transaction| transaction.flags);
        let missing = transaction.map_or(0, |transaction| transaction.missing);
        let missing = Flags::from_bits_truncate(missing) & (Flags::STALE | Flags::LOADING);
        // Whether a protected command is permitted was asked when it was queued.
        let all = flags | Flags::from_bits_truncate(queued).difference(Flags::PROTECTED);
        return all.difference(missing);
    }
    if is_executed_at_once(registered.full_name) { flags } else { flags | Flags::DENYOOM }
}

/// Whether a command is not queued.
fn is_executed_at_once(name: &str) -> bool {
    matches!(name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
}

/// Whether a command of a client that is in a transaction is executed now.
pub(super) fn is_executed(server: &Server, id: CommandId) -> bool {
    is_executed_at_once(server.commands.get(id).full_name)
}

/// Queues a command.
///
/// # Errors
/// It is not allowed in a transaction, which then fails.
pub(super) fn queue(
    server: &Server,
    session: &mut Session,
    args: &Args<'_>,
    id: CommandId,
    hashes: &[u64],
) -> Outcome {
    let flags = server.commands.get(id).command.spec.flags;
    if flags.contains(Flags::NO_MULTI) {
        return Err(NOT_IN_TRANSACTION);
    }
    let transaction = session.transaction.as_mut().expect("the flag says that there is one");
    // What will not be executed needs not be kept.
    if !transaction.is_doomed {
        let flags = scripting::flags_by_script(server, id, args, flags);
        transaction.queue.push(id.index(), args, hashes);
        transaction.flags |= flags.bits();
        transaction.missing |= !flags.bits();
    }
    session.output.simple("QUEUED");
    Ok(())
}

/// Whether a command is EXEC.
pub(super) fn is_exec(server: &Server, id: CommandId) -> bool {
    server.commands.get(id).full_name == EXEC_SPEC.name
}

/// Notes that a command was refused, if the client is in a transaction.
#[cold]
pub(super) fn doom(session: &mut Session) {
    if let Some(transaction) = &mut session.transaction {
        transaction.is_doomed = true;
    }
}

/// What EXEC replies that was itself refused; the transaction is over.
#[cold]
pub(super) fn refused_exec(server: &mut Server, session: &mut Session, error: &Error) -> Error {
    drop_transaction(server, session);
    let line = error.line();
    let text = line.strip_prefix(b"ERR ").unwrap_or(line);
    Error::new([b"EXECABORT Transaction discarded because of: ", text].concat())
}

/// Ends a client's transaction, if there is one, and its watching.
pub(crate) fn drop_transaction(server: &mut Server, session: &mut Session) {
    end_transaction(server, session);
    end_watch(server, session);
}

fn end_transaction(server: &mut Server, session: &mut Session) {
    session.flags.remove(SessionFlags::MULTI);
    if let Some(transaction) = session.transaction.take() {
        server.give_transaction_back(transaction);
    }
}

fn end_watch(server: &mut Server, session: &mut Session) {
    if session.flags.contains(SessionFlags::WATCHING) {
        session.flags.remove(SessionFlags::WATCHING);
        session.watched_bytes = 0;
        server.keyspace.unwatch(session.id.0);
        server.adopt_change_listeners();
    }
}

fn multi(ctx: &mut Context<'_>) -> Outcome {
    if ctx.session.flags.contains(SessionFlags::MULTI) {
        return Err(Error::fixed("ERR MULTI calls can not be nested"));
    }
    ctx.session.flags.insert(SessionFlags::MULTI);
    ctx.session.transaction = Some(ctx.server.lend_transaction());
    ctx.ok()
}

fn discard(ctx: &mut Context<'_>) -> Outcome {
    if !ctx.session.flags.contains(SessionFlags::MULTI) {
        return Err(Error::fixed("ERR DISCARD without MULTI"));
    }
    drop_transaction(ctx.server, ctx.session);
    ctx.ok()
}

fn watch(ctx: &mut Context<'_>) -> Outcome {
    if ctx.session.flags.contains(SessionFlags::MULTI) {
        return Err(Error::fixed("ERR WATCH inside MULTI is not allowed"));
    }
    let (client, db) = (ctx.session.id.0, ctx.session.db);
    // More keys cannot make a difference then.
    if !ctx.server.keyspace.watched().is_stale(client) {
        for index in 1..ctx.args.len() {
            let key = ctx.key(index);
            ctx.session.watched_bytes += ctx.server.keyspace.watch(client, db, key);
        }
        ctx.session.flags.insert(SessionFlags::WATCHING);
        ctx.server.adopt_change_listeners();
    }
    ctx.ok()
}

fn unwatch(ctx: &mut Context<'_>) -> Outcome {
    end_watch(ctx.server, ctx.session);
    ctx.ok()
}

fn exec(ctx: &mut Context<'_>) -> Outcome {
    if !ctx.session.flags.contains(SessionFlags::MULTI) {
        return Err(Error::fixed("ERR EXEC without MULTI"));
    }
    let is_stale = ctx.session.flags.contains(SessionFlags::WATCHING)
        && ctx.server.keyspace.is_stale(ctx.session.id.0);
    end_watch(ctx.server, ctx.session);
    let transaction = ctx.session.transaction.take().expect("the flag says that there is one");
    ctx.session.flags.remove(SessionFlags::MULTI);
    ctx.effects_none();
    let outcome = if transaction.is_doomed {
        Err(ABORTED)
    } else {
        if is_stale {
            ctx.session.output.null_array();
        } else {
            execute_all(ctx, &transaction);
        }
        Ok(())
    };
    ctx.server.give_transaction_back(transaction);
    outcome
}

fn execute_all(ctx: &mut Context<'_>, transaction: &Transaction) {
    let queue = &transaction.queue;
    let (server, session) = (&mut *ctx.server, &mut *ctx.session);
    session.output.array(queue.len());
    if let [_, _, ..] = queue.hashes() {
        for &hash in queue.hashes() {
            server.keyspace.prefetch_bucket(session.db, hash);
        }
        for &hash in queue.hashes() {
            server.keyspace.prefetch_entry(session.db, hash);
        }
    }
    session.flags.insert(SessionFlags::DENY_BLOCKING);
    server.in_transaction = true;
    let mut tick = (server.ticks)();
    for index in 0..queue.len() {
        let (tag, args, hashes) = queue.get(index).expect("the index is below the length");
        let id = server.commands.id_at(tag);
        tick = dispatch::execute_queued(server, session, args, id, hashes, tick);
        if session.output.pending_bytes() > OUTPUT_UNCHECKED_BYTES {
            server.check_output_limit(session);
        }
        if session.closing == Closing::Now {
            session.output.clear(); // nobody will read it
        }
    }
    session.flags.remove(SessionFlags::DENY_BLOCKING);
    server.in_transaction = false;
}

impl Server {
    /// Wants to hear of changes as long as somebody watches or tracks keys.
    pub fn adopt_change_listeners(&mut self) {
        if self.keyspace.watched().is_empty() && self.tracking.is_empty() {
            self.keyspace.events.want_no_changes();
        } else {
            self.keyspace.events.want_changes();
        }
    }

    fn lend_transaction(&mut self) -> Box<Transaction> {
        self.spare_transaction.take().unwrap_or_default()
    }

    /// Keeps an allocation for the next transaction, unless it is large.
    fn give_transaction_back(&mut self, mut transaction: Box<Transaction>) {
        let held_bytes = transaction.queue.memory_bytes();
        if held_bytes <= KEPT_BYTES_MAX {
            transaction.clear();
            self.spare_transaction = Some(transaction);
        } else if held_bytes > FREED_HERE_BYTES_MAX {
            self.host.drop_later(transaction);
        }
    }
}

#[cfg(test)]
mod tests;
