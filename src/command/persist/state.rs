//! What the server knows of its snapshots.

use super::ending::Ending;
use super::loading::Loading;
use crate::command::Error;
use crate::command::host::ChildKind;
use crate::command::scripting::running;
use crate::command::server::{Now, Server, Shutdown};
use crate::command::spec::Flags;
use crate::persist::aof::manifest::BaseFormat;
use crate::session::ClientId;
use bitflags::bitflags;
use bytes::Bytes;

bitflags! {
    /// What keeps commands from being executed, besides what is wrong with themselves.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Conditions: u16 {
        /// The data are being loaded.
        const LOADING = 1 << 0;
        /// The last snapshot failed.
        const SNAPSHOT_FAILED = 1 << 1;
        /// The append-only file cannot be written.
        const LOG_FAILED = 1 << 2;
        /// The server ends after this turn. What is changed now would not be in the snapshot written
        /// before the end.
        const ENDING = 1 << 3;
        /// A script has run for long, and still does.
        const BUSY = 1 << 5;
        /// There are fewer replicas than it takes to change data.
        const FEW_REPLICAS = 1 << 9;
        /// Somebody looks on with MONITOR, who may not touch the data.
        const MONITORED = 1 << 4;
        /// Other data are being loaded, and those there are are served meanwhile.
        const ASYNC_LOADING = 1 << 6;
        /// The server follows a primary.
        const REPLICA = 1 << 7;
        /// The primary is out of reach: the data may be stale.
        const STALE = 1 << 8;
    }
}

/// How something ended last time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Well, or there was none.
    #[default]
    Done,
    /// It did not.
    Failed,
}

impl Outcome {
    /// As INFO says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Failed => "err",
        }
    }
}

/// Whether a snapshot is to be written as soon as nothing is in the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheduled {
    /// No.
    #[default]
    No,
    /// Yes.
    Yes,
}

/// Where a child writes the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Into a file.
    File,
    /// Into a pipe, for replicas.
    Pipe,
}

/// A child process that writes the data.
#[derive(Clone, Copy, Debug)]
pub struct Child {
    /// What for.
    pub kind: ChildKind,
    /// Since when.
    pub started: Now,
    /// Changes that its file holds and the one before does not.
    pub dirty: u64,
    /// Keys it has to write.
    pub keys: u64,
    /// Where the stream to replicas was at its start, if that was kept.
    pub offset: Option<u64>,
    /// Where it writes.
    pub target: Target,
}

/// Snapshots: when, how, and what became of them.
#[derive(Debug, Default)]
pub struct Persistence {
    /// When the last one was complete, Unix seconds; the start before that.
    pub saved_at_s: i64,
    /// When one was begun in the background, Unix seconds.
    pub tried_at_s: i64,
    /// How the last one ended.
    pub last: Outcome,
    /// How long the last one in the background took, seconds.
    pub last_took_s: Option<i64>,
    /// How many were begun.
    pub snapshots: u64,
    /// Memory that was not shared with the last child, bytes.
    pub snapshot_cow_bytes: u64,
    /// Whether BGSAVE SCHEDULE is waiting.
    pub scheduled: Scheduled,
    /// The child, of whatever kind.
    pub child: Option<Child>,
    /// Forks so far, and how long the last one took, microseconds.
    pub forks: u64,
    /// See `forks`.
    pub last_fork_us: u64,
    /// Sources of the libraries of functions that the data came with. They go into snapshots as they are.
    pub libraries: Vec<Bytes>,
    /// Whether a rewrite of the append-only file waits.
    pub rewrite_scheduled: Scheduled,
    /// Whether a rewrite begins as soon as the log is ready for it.
    pub rewrite_is_near: bool,
    /// How the last one ended.
    pub last_rewrite: Outcome,
    /// How long the last one took, seconds.
    pub rewrite_took_s: Option<i64>,
    /// How many were begun.
    pub rewrites: u64,
    /// Memory that was not shared with the last child that rewrote, bytes.
    pub rewrite_cow_bytes: u64,
    /// What the one under way writes.
    pub rewrite_format: BaseFormat,
    /// The last turn whose changes are where `appendfsync` wants them before a reply.
    pub safe_turn: u64,
    /// Clients that wait for copies of what they changed, and perhaps some that no longer do.
    pub awaiting_copies: Vec<ClientId>,
    /// Why changes cannot be logged.
    pub log_error: Option<String>,
    /// What a signal has asked for, or a command that waits for replicas.
    pub asked_to_end: Option<Ending>,
    /// When replicas are waited for no longer, milliseconds of the rising clock, once they are.
    pub ends_at_ms: Option<u64>,
    /// The clients that asked for the end.
    pub asked_end: Vec<ClientId>,
    /// The load in progress.
    pub loading: Option<Loading>,
    /// Keys that the last load brought, and those that had expired.
    pub loaded_keys: u64,
    /// See `loaded_keys`.
    pub loaded_expired: u64,
}

impl Persistence {
    /// The child, if it is of this kind.
    pub fn child_of(&self, kind: ChildKind) -> Option<&Child> {
        self.child.as_ref().filter(|child| child.kind == kind)
    }
}

impl Server {
    /// Whether this is a replica without its primary, which is not to serve what it has.
    pub fn is_too_stale(&self) -> bool {
        self.conditions.contains(Conditions::STALE) && !self.config.replica_serve_stale_data
    }

    /// Whether a condition keeps a command from being executed. Called only while there is one.
    ///
    /// # Errors
    /// What it tells the client.
    #[cold]
    pub fn check_conditions(&self, flags: Flags, name: &str) -> Result<(), Error> {
        const LOADING: Error = Error::fixed("LOADING Redis is loading the dataset in memory");
        const MISCONF: Error = Error::fixed(
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist \
             to disk. Commands that may modify the data set are disabled, because this instance is \
             configured to report errors during writes if RDB snapshotting fails \
             (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the \
             RDB error.",
        );
        const READ_ONLY: Error =
            Error::fixed("READONLY You can't write against a read only replica.");
        if self.conditions.contains(Conditions::ENDING) {
            return Err(Error::fixed("ERR The server is shutting down"));
        }
        if self.conditions.contains(Conditions::BUSY) && !flags.contains(Flags::ALLOW_BUSY) {
            return Err(self.busy());
        }
        let writes = flags.contains(Flags::WRITE) || name == "ping";
        let config = &self.config;
        let stops_writes = config.stop_writes_on_bgsave_error && !config.save.is_empty();
        if self.conditions.contains(Conditions::SNAPSHOT_FAILED) && stops_writes && writes {
            return Err(MISCONF);
        }
        if self.conditions.contains(Conditions::LOG_FAILED) && writes {
            let reason = self.persistence.log_error.as_deref().unwrap_or_default();
            let line = format!("MISCONF Errors writing to the AOF file: {reason}");
            return Err(Error::new(line));
        }
        if self.conditions.contains(Conditions::FEW_REPLICAS) && flags.contains(Flags::WRITE) {
            return Err(Error::fixed("NOREPLICAS Not enough good replicas to write."));
        }
        let is_replica = self.conditions.contains(Conditions::REPLICA);
        if is_replica && config.replica_read_only && flags.contains(Flags::WRITE) {
            return Err(READ_ONLY);
        }
        if !flags.contains(Flags::STALE) && self.is_too_stale() {
            return Err(Error::STALE);
        }
        if self.conditions.contains(Conditions::LOADING) && !flags.contains(Flags::LOADING) {
            return Err(LOADING);
        }
        let is_async = self.conditions.contains(Conditions::ASYNC_LOADING);
        if is_async && flags.contains(Flags::NO_ASYNC_LOADING) {
            return Err(LOADING);
        }
        Ok(())
    }

    /// Whether a condition keeps a command of the primary from being executed: what a client would be told
    /// is no reason.
    ///
    /// # Errors
    /// The server ends.
    #[cold]
    pub fn check_conditions_of_stream(&mut self, flags: Flags) -> Result<(), Error> {
        if self.conditions.contains(Conditions::ENDING) {
            return Err(Error::fixed("ERR The server is shutting down"));
        }
        let config = &self.config;
        let stops_writes = config.stop_writes_on_bgsave_error && !config.save.is_empty();
        let cannot_save = self.conditions.contains(Conditions::SNAPSHOT_FAILED) && stops_writes;
        let cannot_log = self.conditions.contains(Conditions::LOG_FAILED);
        if !(cannot_save || cannot_log) || !flags.contains(Flags::WRITE) {
            return Ok(());
        }
        if config.replica_ignore_disk_write_errors {
            return Ok(());
        }
        tracing::warn!("Replica was unable to write command to disk.");
        self.stop(Shutdown { status: 1 });
        Err(Error::fixed("MISCONF Replica was unable to write command to disk."))
    }

    /// What a client is told while a script runs.
    pub fn busy(&self) -> Error {
        let running = self.scripting.running.as_ref();
        running.map_or(running::Kind::Script, |running| running.kind).busy()
    }

    /// Notes how a snapshot ended.
    pub(super) fn note_snapshot(&mut self, outcome: Outcome) {
        self.persistence.last = outcome;
        self.conditions.set(Conditions::SNAPSHOT_FAILED, outcome == Outcome::Failed);
    }
}
