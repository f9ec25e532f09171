//! Executing the stream: what of it is executed, how much of it counts, and what is told to the primary.
//!
//! What a primary executed is executed again whatever this server would say to a client: it is not asked
//! for permission, memory or a password, keys that have expired here are still there, and nothing is replied.
//! But only what a primary has to say is executed: commands that change data, not those that change the server.

use crate::command::context::KeyHashes;
use crate::command::dispatch::{self, Flow};
use crate::command::persist::Conditions;
use crate::command::server::{Server, Shutdown};
use crate::command::spec::Flags;
use crate::command::table::CommandId;
use crate::config::PropagationErrorBehavior;
use crate::resp::Args;
use crate::session::{Session, SessionFlags};

/// Commands that a primary sends though they change no data.
const BESIDES: [&str; 9] = [
    "discard",
    "exec",
    "multi",
    "ping",
    "script|flush",
    "script|load",
    "select",
    "unwatch",
    "watch",
];
/// Longest part of an error that the log repeats, bytes.
const ERROR_SHOWN_MAX: usize = 256;

/// Why the stream cannot be gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// What follows would change another database than it should.
    NoDatabase,
}

impl Server {
    /// Prepares the primary's client for the commands of a piece of input.
    pub fn begin_stream_input(&mut self, session: &mut Session) {
        session.flags.insert(SessionFlags::OBEYED | SessionFlags::DENY_BLOCKING);
        session.flags.remove(SessionFlags::RESTRICTED);
        self.lend_buffer(session);
    }

    /// Executes a command of the stream. Its bytes do not count before it is executed.
    ///
    /// # Errors
    /// It failed in a way that makes what follows worthless.
    pub fn execute_of_stream(
        &mut self,
        session: &mut Session,
        args: Args<'_>,
        found: Option<CommandId>,
        hashes: KeyHashes<'_>,
        started: u64,
    ) -> Result<(Flow, u64), Refusal> {
        if args.at(0).eq_ignore_ascii_case(b"replconf") {
            self.asked_by_primary(session, args);
            return Ok((Flow::Done, started));
        }
        if !self.is_for_stream(args, found) {
            self.log_foreign(args);
            return Ok((Flow::Done, started));
        }
        // What the primary saw had not expired there.
        self.keyspace.set_now_without_expiry(self.now.unix_ms());
        let point = session.output.checkpoint();
        let (flow, ended) = dispatch::execute(self, session, args, found, hashes, started);
        self.keyspace.set_now(self.now.unix_ms());
        let failed = match session.output.error_since(point) {
            Some(error) => self.command_of_stream_failed(session, args, error),
            None => Ok(()),
        };
        session.output.roll_back(point);
        failed.map(|()| (flow, ended))
    }

    /// Whether a command is one that a primary has to say.
    fn is_for_stream(&self, args: Args<'_>, found: Option<CommandId>) -> bool {
        let Ok(id) = dispatch::resolve(&self.commands, &args, found) else {
            return true; // it fails as any client's
        };
        let registered = self.commands.get(id);
        let flags = registered.command.spec.flags;
        flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE)
            || BESIDES.contains(&registered.full_name)
    }

    #[cold]
    fn log_foreign(&self, args: Args<'_>) {
        let name = args.at(0);
        let name = name[..name.len().min(ERROR_SHOWN_MAX)].escape_ascii();
        tracing::warn!("The MASTER sent a command that is not executed on behalf of one: '{name}'");
    }

    /// REPLCONF GETACK.
    fn asked_by_primary(&mut self, session: &mut Session, args: Args<'_>) {
        if args.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"getack")) {
            self.acknowledge(session);
        }
    }

    #[cold]
    fn command_of_stream_failed(
        &mut self,
        session: &Session,
        args: Args<'_>,
        error: &[u8],
    ) -> Result<(), Refusal> {
        let shown = error[..error.len().min(ERROR_SHOWN_MAX)].escape_ascii();
        let command = session.last_command;
        tracing::warn!(
            "== CRITICAL == This replica is sending an error to its master: '{shown}' after \
             processing the command '{command}'"
        );
        if args.at(0).eq_ignore_ascii_case(b"select") {
            return Err(Refusal::NoDatabase);
        }
        match self.config.propagation_error_behavior {
            PropagationErrorBehavior::Ignore => {}
            // Its data are its own, and may be what the command finds in its way.
            _ if !self.config.replica_read_only => {}
            PropagationErrorBehavior::Panic | PropagationErrorBehavior::PanicOnReplicas => {
                tracing::warn!("propagation-error-behavior says to stop now");
                self.stop(Shutdown { status: 1 });
            }
        }
        Ok(())
    }

    /// Whether the stream waits until something else is over.
    pub fn is_stream_held(&self) -> bool {
        self.conditions.contains(Conditions::BUSY) || self.shutdown.is_some()
    }

    /// Bytes of the stream count from now on: they are passed on as they came. Behind them the stream is about
    /// this database.
    pub fn count_stream(&mut self, bytes: &[u8], db: usize) {
        self.extend_stream(bytes);
        if let Some(work) = self.work_mut() {
            work.stream_db = db;
        }
    }

    /// Whether what the primary sent first is being loaded, so that what comes behind it has to wait.
    pub fn is_loading_from_primary(&self) -> bool {
        let connected = self.work().and_then(|work| work.connected.as_ref());
        connected.is_some_and(|connected| !connected.link.wants_input())
    }

    /// Keeps the beginning of the stream, which came with the end of the snapshot.
    pub fn keep_for_later(&mut self, bytes: &[u8]) {
        if let Some(work) = self.work_mut() {
            work.inflow.pending.extend_from_slice(bytes);
        }
    }

    /// Whether there is a part of the stream that could not be executed when it came; its client's place.
    pub fn waiting_stream(&self) -> Option<usize> {
        let work = self.work()?;
        let connected = work.connected.as_ref()?;
        let may_go_on = connected.link.wants_input() && !self.is_stream_held();
        (work.inflow.has_waiting() && may_go_on).then_some(connected.place)
    }
}
