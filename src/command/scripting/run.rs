//! A script at work: the commands it calls, and what becomes of its result.
//!
//! Its commands are the client's: they are executed with its database and its rights, one behind the
//! other and in one moment, and what they change is one unit for the append-only file. Only their replies
//! go elsewhere: the session's output is the script's as long as it runs.

use super::Callable;
use super::debug::Next;
use super::running::{self, Kind, Sight};
use crate::base::num;
use crate::command::dispatch;
use crate::command::effects::Listener;
use crate::command::eviction::Room;
use crate::command::persist::Conditions;
use crate::command::spec::Flags;
use crate::command::table::CommandId;
use crate::command::{Context, Error, Outcome};
use crate::resp::{Args, Output, OwnedArgs, Protocol};
use crate::script::debug::{Answer, Remark, Request};
use crate::script::lua::{Input, Interpreter, Pace, Passing, Reference, Returned, ScriptError};
use crate::script::{Api, Called, Interrupt, Level, Replication, ScriptFlags};
use crate::session::SessionFlags;

/// What a write of a script is judged by while something is wrong; whether data are too old is asked before.
const JUDGED: Flags =
    Flags::WRITE.union(Flags::LOADING).union(Flags::ALLOW_BUSY).union(Flags::STALE);
/// What a reply buffer of scripts keeps of its room, bytes.
const REPLY_KEPT_BYTES: usize = 64 * 1024;

/// Whether the command that runs a script lets it write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// EVAL and its like.
    ReadWrite,
    /// EVAL_RO and its like.
    ReadOnly,
}

/// What runs.
#[derive(Debug)]
pub(super) struct Program<'a> {
    pub(super) interpreter: &'a mut Interpreter,
    pub(super) function: &'a Reference,
    pub(super) flags: ScriptFlags,
    /// The script's SHA-1, or the function's name.
    pub(super) name: &'a [u8],
    /// Number of keys.
    pub(super) keys: usize,
    pub(super) passing: Passing,
}

/// A script that runs.
struct Run<'r, 'a> {
    ctx: &'r mut Context<'a>,
    /// The client's replies.
    client: Output,
    /// A reply in several pieces, as one.
    joined: Vec<u8>,
    is_joined: bool,
    flags: ScriptFlags,
    access: Access,
    replication: Replication,
    has_written: bool,
    /// Whether there was memory left at the start, if that has been asked.
    room: Option<Room>,
    kind: Kind,
    name: &'r [u8],
    /// The tick at the start.
    started_ns: u64,
}

/// What is said of a number of keys that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadCount {
    /// For a script.
    Script,
    /// For a function.
    Function,
}

/// How many keys an EVAL or FCALL has.
///
/// # Errors
/// Their number is none, or too large.
pub(super) fn keys_of(args: &Args<'_>, bad: BadCount) -> Result<usize, Error> {
    let number = num::parse_i64(args.at(2)).ok_or(match bad {
        BadCount::Script => Error::NOT_AN_INTEGER,
        BadCount::Function => Error::fixed("ERR Bad number of keys provided"),
    })?;
    if number > num::i64_of(args.len() - 3) {
        return Err(Error::fixed("ERR Number of keys can't be greater than number of args"));
    }
    usize::try_from(number).map_err(|_| Error::fixed("ERR Number of keys can't be negative"))
}

/// Runs a script for a client and writes its result, or the error it ended with.
///
/// # Errors
/// It may not run.
pub(super) fn run(ctx: &mut Context<'_>, program: Program<'_>, access: Access) -> Outcome {
    let (kind, started_ns) = (Kind::of(&program), (ctx.server.ticks)());
    let Program { interpreter, function, flags, name, keys, passing } = program;
    check(ctx, flags, access)?;
    ctx.effects_none();
    let (db, session_flags) = (ctx.session.db, ctx.session.flags);
    ctx.session.flags |= SessionFlags::DENY_BLOCKING | SessionFlags::SCRIPT;
    let mut replies = std::mem::take(&mut ctx.server.scripting.replies);
    replies.protocol = Protocol::Resp2;
    let client = std::mem::replace(&mut ctx.session.output, replies);
    let pace = if ctx.server.scripting.debugger.is_some() { Pace::Lines } else { Pace::Free };
    let input = Input { args: ctx.args, first: 3, keys, passing, pace };
    let access = if flags.contains(ScriptFlags::NO_WRITES) { Access::ReadOnly } else { access };
    let mut run = Run {
        ctx,
        client,
        joined: Vec::new(),
        is_joined: false,
        flags,
        access,
        replication: Replication::ALL,
        has_written: false,
        room: None,
        kind,
        name,
        started_ns,
    };
    let result = interpreter.run(function, input, &mut run);
    let Run { ctx, client, .. } = run;
    running::end(ctx.server);
    let mut replies = std::mem::replace(&mut ctx.session.output, client);
    ctx.session.db = db;
    let restored = SessionFlags::DENY_BLOCKING | SessionFlags::SCRIPT;
    ctx.session.flags.set(restored, false);
    ctx.session.flags |= session_flags & restored;
    replies.advance(replies.pending_bytes());
    if replies.memory_bytes() <= REPLY_KEPT_BYTES {
        ctx.server.scripting.replies = replies;
    }
    report(ctx, name, result)
}

/// Counts what ended in an error, which is the client's reply.
fn report(ctx: &mut Context<'_>, name: &[u8], result: Result<Returned, ScriptError>) -> Outcome {
    match result {
        Ok(Returned::Value) => Ok(()),
        Ok(Returned::Error { is_counted, code }) => {
            if !is_counted {
                ctx.server.stats.count_error(&code);
            }
            ctx.server.commands.stats_mut(ctx.id).failed += 1;
            Ok(())
        }
        Err(ScriptError { mut text, place, is_counted }) => {
            text.extend_from_slice(b" script: ");
            text.extend_from_slice(name);
            if let Some((source, line)) = place {
                text.extend_from_slice(b", on ");
                text.extend_from_slice(&source);
                text.push(b':');
                num::write_i64(&mut text, line);
                text.push(b'.');
            }
            if !is_counted {
                return Err(Error::new(text));
            }
            ctx.session.output.error(&text);
            ctx.server.commands.stats_mut(ctx.id).failed += 1;
            Ok(())
        }
    }
}

/// Whether a script may run that says what it does.
fn check(ctx: &mut Context<'_>, flags: ScriptFlags, access: Access) -> Outcome {
    let may_be_stale = flags.contains(ScriptFlags::ALLOW_STALE);
    if !may_be_stale && ctx.server.is_too_stale() {
        return Err(Error::STALE);
    }
    if flags.intersects(ScriptFlags::EVAL_COMPAT | ScriptFlags::NO_WRITES) {
        return Ok(());
    }
    if access == Access::ReadOnly {
        let text = "ERR Can not execute a script with write flag using *_ro command.";
        return Err(Error::fixed(text));
    }
    let is_judged = !ctx.session.flags.contains(SessionFlags::PRIMARY);
    if !ctx.server.conditions.is_empty() && is_judged {
        ctx.server.check_conditions(JUDGED, "")?;
    }
    let is_bounded = ctx.server.config.maxmemory > 0 && !flags.contains(ScriptFlags::ALLOW_OOM);
    if is_bounded && ctx.server.make_room() == Room::None {
        return Err(Error::OUT_OF_MEMORY);
    }
    Ok(())
}

/// Writes a line of a script's to the log.
pub(super) fn write_log(level: Level, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    match level {
        Level::Debug => tracing::trace!("{text}"),
        Level::Verbose => tracing::debug!("{text}"),
        Level::Notice => tracing::info!("{text}"),
        Level::Warning => tracing::warn!("{text}"),
    }
}

impl Run<'_, '_> {
    /// Which command the arguments are, if the script may execute it now.
    fn admit(&mut self, args: &Args<'_>) -> Result<CommandId, Error> {
        const UNKNOWN: Error = Error::fixed("ERR Unknown Redis command called from script");
        const ARITY: Error =
            Error::fixed("ERR Wrong number of args calling Redis command from script");
        const NOT_HERE: Error = Error::fixed("ERR This Redis command is not allowed from script");
        const STALE: Error = Error::fixed("ERR Can not execute the command on a stale replica");
        const READ_ONLY: Error =
            Error::fixed("ERR Write commands are not allowed from read-only scripts.");
        let server = &mut *self.ctx.server;
        let found = server.commands.find(args.at(0));
        let id = dispatch::resolve(&server.commands, args, found).map_err(|_| UNKNOWN)?;
        dispatch::check_arity(server.commands.get(id), args).map_err(|_| ARITY)?;
        let flags = server.commands.get(id).command.spec.flags;
        if flags.contains(Flags::NOSCRIPT) && server.scripting.callable == Callable::Permitted {
            return Err(NOT_HERE);
        }
        if !flags.contains(Flags::STALE) && server.is_too_stale() {
            return Err(STALE);
        }
        if self.ctx.session.flags.contains(SessionFlags::RESTRICTED) {
            server.check_script_access(self.ctx.session, id, args)?;
        }
        if !flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE | Flags::DENYOOM) {
            return Ok(id);
        }
        if self.access == Access::ReadOnly && flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE)
        {
            return Err(READ_ONLY);
        }
        let is_judged = !self.ctx.session.flags.contains(SessionFlags::PRIMARY);
        if flags.contains(Flags::WRITE) && !server.conditions.is_empty() && is_judged {
            // What a script has begun it may end.
            if !self.has_written {
                server.check_conditions(JUDGED, "")?;
            }
            if server.conditions.contains(Conditions::REPLICA) {
                server.note_own_keys(self.ctx.session, id, args);
            }
        }
        if server.config.maxmemory > 0
            && flags.contains(Flags::DENYOOM)
            && !self.has_written
            && !self.flags.contains(ScriptFlags::ALLOW_OOM)
            && *self.room.get_or_insert_with(|| server.make_room()) == Room::None
        {
            return Err(Error::OUT_OF_MEMORY);
        }
        self.has_written |= flags.contains(Flags::WRITE);
        Ok(id)
    }

    fn join(&mut self) {
        self.joined.clear();
        let output = &self.ctx.session.output;
        self.is_joined = output.pieces().filter(|piece| !piece.is_empty()).count() > 1;
        if self.is_joined {
            self.joined.extend(output.pieces().flatten());
        }
    }
}

impl Run<'_, '_> {
    /// Executes a command; its reply is the session's output.
    #[inline]
    fn execute(&mut self, args: Args<'_>) -> Called {
        let output = &mut self.ctx.session.output;
        output.advance(output.pending_bytes());
        self.is_joined = false;
        let id = match self.admit(&args) {
            Ok(id) => id,
            Err(error) => {
                self.count_refusal(&args, &error);
                self.ctx.session.output.error(error.line());
                return Called::Refused;
            }
        };
        let (server, session) = (&mut *self.ctx.server, &mut *self.ctx.session);
        let only = match self.replication {
            Replication::ALL => None,
            Replication(Replication::LOG) => Some(Listener::AppendOnlyFile),
            Replication(Replication::REPLICAS) => Some(Listener::Replicas),
            Replication(_) => {
                let muted = server.effects.mute();
                dispatch::execute_in_script(server, session, args, id);
                server.effects.unmute(muted);
                return self.executed();
            }
        };
        let mark = only.map(|_| server.effects.mark(session.db));
        dispatch::execute_in_script(server, session, args, id);
        if let Some((listener, mark)) = only.zip(mark) {
            server.effects.keep_for(listener, mark);
        }
        self.executed()
    }

    fn executed(&mut self) -> Called {
        if self.ctx.session.output.shape().0 > 0 {
            self.join();
        }
        Called::Executed
    }

    /// Counts a command that was not executed.
    #[cold]
    fn count_refusal(&mut self, args: &Args<'_>, error: &Error) {
        let server = &mut *self.ctx.server;
        server.stats.count_error(error.code());
        let found = server.commands.find(args.at(0));
        if let Ok(id) = dispatch::resolve(&server.commands, args, found) {
            server.commands.stats_mut(id).rejected += 1;
        }
    }

    /// Executes a command that whoever debugs the script sends.
    fn execute_for_debugger(&mut self, args: &OwnedArgs) {
        let called = self.execute(args.as_args());
        self.tell_debugger(&args.as_args(), called);
    }

    /// Tells whoever debugs the script of a command.
    #[cold]
    fn tell_debugger(&mut self, args: &Args<'_>, called: Called) {
        if let Some(mut debugger) = self.ctx.server.scripting.debugger.take() {
            debugger.note_call(args, self.reply(), called);
            self.ctx.server.scripting.debugger = Some(debugger);
        }
    }
}

impl Api for Run<'_, '_> {
    fn call(&mut self, args: Args<'_>) -> Called {
        let called = self.execute(args);
        let debugger = &self.ctx.server.scripting.debugger;
        if debugger.as_ref().is_some_and(|debugger| debugger.is_stepping()) {
            self.tell_debugger(&args, called);
        }
        called
    }

    fn debug(&mut self, mut answer: Answer) -> Request {
        let mut was_executed = false;
        loop {
            let server = &mut *self.ctx.server;
            let Some(mut debugger) = server.scripting.debugger.take() else { return Request::GoOn };
            let next = if was_executed {
                debugger.executed(server)
            } else {
                let told = std::mem::replace(&mut answer, Answer::Variable(None));
                debugger.answer(server, told)
            };
            server.scripting.debugger = Some(debugger);
            match next {
                Next::Ask(request) => return request,
                Next::Execute(args) => {
                    self.execute_for_debugger(&args);
                    was_executed = true;
                }
            }
        }
    }

    fn note_remark(&mut self, remark: Remark<'_>) -> bool {
        let debugger = self.ctx.server.scripting.debugger.as_mut();
        debugger.map(|debugger| debugger.note(remark)).is_some()
    }

    fn reply(&self) -> &[u8] {
        if self.is_joined {
            return &self.joined;
        }
        let mut pieces = self.ctx.session.output.pieces();
        pieces.find(|piece| !piece.is_empty()).unwrap_or(b"_\r\n")
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.ctx.session.output.protocol = protocol;
    }

    fn set_replication(&mut self, replication: Replication) {
        self.replication = replication;
    }

    fn log(&mut self, level: Level, text: &[u8]) {
        write_log(level, text);
    }

    fn may_execute(&mut self, args: Args<'_>) -> Option<bool> {
        let server = &*self.ctx.server;
        let found = server.commands.find(args.at(0));
        let id = dispatch::resolve(&server.commands, &args, found).ok()?;
        Some(server.has_access(self.ctx.session, id, &args))
    }

    fn interrupt(&mut self) -> Interrupt {
        let Self { kind, name, started_ns, has_written, .. } = *self;
        running::look(self.ctx, &Sight { kind, name, started_ns, has_written })
    }

    fn output(&mut self) -> &mut Output {
        &mut self.client
    }
}
