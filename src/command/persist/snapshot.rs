//! SAVE, BGSAVE, LASTSAVE, and the snapshots that the server writes by itself.

use super::state::{Child, Conditions, Outcome as SnapshotOutcome, Scheduled, Target};
use crate::base::num;
use crate::command::host::{ChildEnd, ChildKind, Forked, NewFile, Sync};
use crate::command::server::Server;
use crate::command::spec::{Arg, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::config::{Config, MaxmemoryPolicy, SavePoint};
use crate::persist::Progress;
use crate::persist::rdb::{self, Access, Checksum, Compression, SaveOptions};
use crate::repl::ReplId;
use crate::store::Keyspace;
use bytes::Bytes;
use std::io;
use std::time::Duration;

/// SAVE
pub(super) static SAVE: Command =
    Command { spec: SAVE_SPEC, handler: Some(save), subcommands: &[] };

const SAVE_SPEC: Spec = Spec {
    name: "save",
    summary: "Saves the data set to disk, letting clients wait.",
    complexity: "O(N), N being the number of keys of all databases.",
    group: Group::Server,
    arity: 1,
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::NO_MULTI)
        .union(Flags::NO_ASYNC_LOADING),
    ..Spec::EMPTY
};

/// BGSAVE [SCHEDULE | CANCEL]
pub(super) static BGSAVE: Command =
    Command { spec: BGSAVE_SPEC, handler: Some(bgsave), subcommands: &[] };

const BGSAVE_SPEC: Spec = Spec {
    name: "bgsave",
    summary: "Saves the data set to disk in the background.",
    complexity: "O(1)",
    group: Group::Server,
    arity: -1,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::NO_ASYNC_LOADING),
    args: &[Arg::one_of(
        "operation",
        &[Arg::flag("schedule", "SCHEDULE").since("3.2.2"), Arg::flag("cancel", "CANCEL")],
    )
    .optional()],
    history: &[("3.2.2", "Option SCHEDULE.")],
    ..Spec::EMPTY
};

/// LASTSAVE
pub(super) static LASTSAVE: Command =
    Command { spec: LASTSAVE_SPEC, handler: Some(lastsave), subcommands: &[] };

const LASTSAVE_SPEC: Spec = Spec {
    name: "lastsave",
    summary: "Returns the Unix time of the last successful save.",
    complexity: "O(1)",
    group: Group::Server,
    arity: 1,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
    categories: Categories::ADMIN.union(Categories::DANGEROUS),
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// What the name of a snapshot begins with until it is complete.
const TEMPORARY: &str = "temp-";
/// After a failure, nothing is tried again by itself for so many seconds.
const RETRY_S: i64 = 5;

const IN_PROGRESS: Error = Error::fixed("ERR Background save already in progress");

fn save(ctx: &mut Context<'_>) -> Outcome {
    if ctx.server.persistence.child_of(ChildKind::Snapshot).is_some() {
        return Err(IN_PROGRESS);
    }
    ctx.server.save().map_err(|_| Error::fixed("ERR"))?;
    ctx.ok()
}

fn bgsave(ctx: &mut Context<'_>) -> Outcome {
    const OTHER_CHILD: Error = Error::fixed(
        "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in \
         order to schedule a BGSAVE whenever possible.",
    );
    let scheduled = match ctx.args.len() {
        1 => Scheduled::No,
        2 if ctx.is_word(1, "SCHEDULE") => Scheduled::Yes,
        2 if ctx.is_word(1, "CANCEL") => return cancel(ctx),
        _ => return Err(Error::SYNTAX),
    };
    if ctx.server.persistence.child_of(ChildKind::Snapshot).is_some() {
        return Err(IN_PROGRESS);
    }
    if ctx.server.persistence.child.is_some() || ctx.server.in_transaction {
        if scheduled == Scheduled::No && !ctx.server.in_transaction {
            return Err(OTHER_CHILD);
        }
        ctx.server.persistence.scheduled = Scheduled::Yes;
        ctx.out().simple("Background saving scheduled");
        return Ok(());
    }
    ctx.server.start_snapshot().map_err(|_| Error::fixed("ERR"))?;
    ctx.out().simple("Background saving started");
    Ok(())
}

fn cancel(ctx: &mut Context<'_>) -> Outcome {
    const NOTHING: Error =
        Error::fixed("ERR Background saving is currently not in progress or scheduled");
    let persistence = &mut ctx.server.persistence;
    if persistence.child_of(ChildKind::Snapshot).is_some() {
        tracing::info!("Background saving will be aborted due to user request");
        ctx.server.cancel_snapshot();
        ctx.out().simple("Background saving cancelled");
    } else if persistence.scheduled == Scheduled::Yes {
        persistence.scheduled = Scheduled::No;
        ctx.out().simple("Scheduled background saving cancelled");
    } else {
        return Err(NOTHING);
    }
    Ok(())
}

fn lastsave(ctx: &mut Context<'_>) -> Outcome {
    let at_s = ctx.server.persistence.saved_at_s;
    ctx.reply_integer(at_s)
}

/// How a snapshot is written, and what it says about itself.
#[derive(Debug)]
pub struct Snapshot {
    aux: Vec<(Vec<u8>, Vec<u8>)>,
    libraries: Vec<Bytes>,
    requested: Requested,
    compression: Compression,
    checksum: Checksum,
    access: Access,
    key_delay_us: i64,
    sleep: fn(Duration),
}

/// Length of the mark at the end of a snapshot in a pipe.
const MARK_LEN: usize = ReplId::LEN;

/// Where data are in a stream of changes.
#[derive(Debug)]
struct StreamPosition {
    id: ReplId,
    offset: u64,
    /// The database that the stream has selected there.
    db: usize,
}

/// What a snapshot is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Nothing.
    Whole,
    /// The beginning of an append-only file.
    LogBase,
}

/// What is in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requested {
    /// The keys.
    pub keys: bool,
    /// The libraries of functions.
    pub functions: bool,
}

impl Requested {
    const ALL: Self = Self { keys: true, functions: true };
}

impl Snapshot {
    /// Writes the data.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(
        &self,
        keyspace: &Keyspace,
        out: &mut dyn io::Write,
        progress: &Progress,
    ) -> io::Result<()> {
        let options = SaveOptions {
            aux: self.aux.clone(),
            libraries: if self.requested.functions { &self.libraries } else { &[] },
            keys: if self.requested.keys { rdb::Keys::All } else { rdb::Keys::None },
            compression: self.compression,
            checksum: self.checksum,
            access: self.access,
            key_delay_us: self.key_delay_us,
            sleep: self.sleep,
            progress: Some(progress),
        };
        rdb::save(keyspace, &options, out).map(drop)
    }
}

impl Server {
    /// What a snapshot of the data as they are now says about itself, and how it is written.
    pub fn snapshot(&mut self, part: Part) -> Snapshot {
        let used_memory = self.host.allocated();
        let position = match part {
            Part::Whole => self.position_in_stream(),
            Part::LogBase => None,
        };
        let aux = |name: &str, value: String| (name.as_bytes().to_vec(), value.into_bytes());
        let config = &self.config;
        let is_log_base = match part {
            Part::Whole => "0",
            Part::LogBase => "1",
        };
        let mut about = vec![
            aux("redis-ver", crate::config::REDIS_VERSION.to_owned()),
            aux("redis-bits", usize::BITS.to_string()),
            aux("ctime", self.now.unix_s().to_string()),
            aux("used-mem", used_memory.to_string()),
        ];
        if let Some(StreamPosition { id, offset, db }) = position {
            about.push(aux("repl-stream-db", db.to_string()));
            about.push(aux("repl-id", id.to_string()));
            about.push(aux("repl-offset", offset.to_string()));
        }
        about.push(aux("aof-base", is_log_base.to_owned()));
        Snapshot {
            aux: about,
            requested: Requested::ALL,
            libraries: self.persistence.libraries.clone(),
            compression: if config.rdbcompression { Compression::Lzf } else { Compression::None },
            checksum: if config.rdbchecksum { Checksum::Crc64 } else { Checksum::None },
            access: access(config.maxmemory_policy),
            key_delay_us: i64::from(config.rdb_key_save_delay),
            sleep: self.host.sleeper(),
        }
    }

    /// Where the data are in the stream to replicas, or from a primary, if there is one. What was changed in
    /// this turn is part of it.
    fn position_in_stream(&mut self) -> Option<StreamPosition> {
        self.replication.backlog.as_ref()?;
        if self.effects.is_within_unit() {
            return None; // a part of what the data hold is in no stream yet
        }
        self.commit_changes();
        let db = self.stream_db()?;
        let history = &self.replication.history;
        Some(StreamPosition { id: *history.id(), offset: history.offset(), db })
    }

    /// Writes a snapshot here and now: clients wait.
    ///
    /// # Errors
    /// The system's; the log says what failed.
    pub fn save(&mut self) -> io::Result<()> {
        self.persistence.scheduled = Scheduled::No;
        self.persistence.snapshots += 1;
        let snapshot = self.snapshot(Part::Whole);
        let Self { host, keyspace, config, .. } = self;
        let path = config.dbfilename.as_path();
        let file = NewFile { path, temporary: TEMPORARY, sync: sync(config) };
        host.write_file(file, &mut |out, progress| snapshot.write(keyspace, out, progress))?;
        tracing::info!("DB saved on disk");
        self.keyspace.dirty = 0;
        self.persistence.saved_at_s = self.now.unix_s();
        self.note_snapshot(SnapshotOutcome::Done);
        Ok(())
    }

    /// Starts to write a snapshot in a child process. There must be no child.
    ///
    /// # Errors
    /// The system has no process to give.
    pub fn start_snapshot(&mut self) -> io::Result<()> {
        self.persistence.snapshots += 1;
        self.persistence.tried_at_s = self.now.unix_s();
        let snapshot = self.snapshot(Part::Whole);
        let name = self.config.dbfilename.clone();
        let sync = sync(&self.config);
        let file = NewFile { path: name.as_path(), temporary: TEMPORARY, sync };
        let started =
            self.start_child(ChildKind::Snapshot, file, &mut |keyspace, out, progress| {
                snapshot.write(keyspace, out, progress)
            });
        match started {
            Ok(pid) => {
                tracing::info!("Background saving started by pid {pid}");
                self.tell_log_of_child();
                self.persistence.scheduled = Scheduled::No;
                Ok(())
            }
            Err(error) => {
                tracing::warn!("Can't save in background: fork: {error}");
                self.note_snapshot(SnapshotOutcome::Failed);
                Err(error)
            }
        }
    }

    /// As [`Server::start_snapshot`], into a pipe, with a mark at the end that says where it is.
    ///
    /// # Errors
    /// The system has no process or no pipe to give.
    pub fn start_pipe_snapshot(&mut self, requested: Requested) -> io::Result<()> {
        let mut mark = [0; MARK_LEN];
        mark.copy_from_slice(self.new_repl_id().bytes());
        let snapshot = Snapshot { requested, ..self.snapshot(Part::Whole) };
        let Self { host, keyspace, .. } = self;
        let forked = host.write_pipe_in_child(&mut |out, progress| {
            out.write_all(b"$EOF:")?;
            out.write_all(&mark)?;
            out.write_all(b"\r\n")?;
            snapshot.write(keyspace, out, progress)?;
            out.write_all(&mark)
        });
        match forked {
            Ok(forked) => {
                tracing::info!("Background RDB transfer started by pid {}", forked.pid);
                self.note_child(ChildKind::Snapshot, &forked, Target::Pipe);
                self.tell_log_of_child();
                Ok(())
            }
            Err(error) => {
                tracing::warn!("Can't save in background: fork: {error}");
                Err(error)
            }
        }
    }

    /// After FLUSHALL: a snapshot of what was flushed must not come into being, nor stay.
    pub fn snapshot_flushed(&mut self) {
        if self.persistence.child_of(ChildKind::Snapshot).is_some() {
            self.cancel_snapshot();
        }
        if !self.config.save.is_empty() {
            // What keeps it from being written is in the log, as for any other snapshot.
            let _ = self.save();
        }
    }

    /// Ends the child that writes a snapshot, if there is one: its file is about to be that of other data.
    pub(in crate::command) fn cancel_own_snapshot(&mut self) {
        if self.persistence.child_of(ChildKind::Snapshot).is_some() {
            tracing::info!("The RDB child is stopped: the file is the MASTER's now");
            self.cancel_snapshot();
        }
    }

    /// Forks a child that writes a file from the data as they are now; its process number.
    ///
    /// # Errors
    /// The system has no process to give.
    pub fn start_child(
        &mut self,
        kind: ChildKind,
        file: NewFile<'_>,
        write: &mut WriteData<'_>,
    ) -> io::Result<u32> {
        debug_assert!(self.persistence.child.is_none(), "there is one child at a time");
        let Self { host, keyspace, .. } = self;
        let forked = host
            .write_file_in_child(kind, file, &mut |out, progress| write(keyspace, out, progress))?;
        self.note_child(kind, &forked, Target::File);
        Ok(forked.pid)
    }

    fn note_child(&mut self, kind: ChildKind, forked: &Forked, target: Target) {
        let keys = (0..self.keyspace.len()).map(|db| self.keyspace.db(db).len()).sum();
        let dirty = self.keyspace.dirty;
        let persistence = &mut self.persistence;
        persistence.forks += 1;
        persistence.last_fork_us = forked.took_us;
        let offset = self.replication.backlog.as_ref().map(|backlog| backlog.next() - 1);
        let (started, keys) = (self.now, num::u64_of(keys));
        persistence.child = Some(Child { kind, started, dirty, keys, offset, target });
        self.note_event("fork", forked.took_us.saturating_mul(1000));
    }

    /// Ends the child that writes a snapshot; that is no failure.
    pub(in crate::command) fn cancel_snapshot(&mut self) {
        self.host.stop_child();
        if let Some(child) = self.persistence.child.take() {
            match child.target {
                Target::File => self.snapshot_for_replicas_ended(ChildEnd::GaveUp),
                Target::Pipe => self.give_up_relay(),
            }
            self.persistence.last_took_s = Some(self.now.unix_s() - child.started.unix_s());
        }
        self.tell_log_of_child();
    }

    /// Looks after the child, the `save` points and the append-only file's growth; called ten times a second and more.
    pub fn look_after_files(&mut self) {
        if let Some(child) = self.persistence.child {
            if let Some(end) = self.host.take_child_end() {
                self.persistence.child = None;
                match child.kind {
                    ChildKind::Snapshot => self.snapshot_ended(child, end),
                    ChildKind::Rewrite => self.rewrite_ended(child, end),
                }
                self.tell_log_of_child();
            } else if child.kind == ChildKind::Snapshot && self.heals() {
                tracing::warn!("The AOF must be rewritten: the snapshot waits until that is done");
                self.cancel_snapshot();
                self.persistence.scheduled = Scheduled::Yes;
                self.rewrite_if_due();
            }
            return;
        }
        if self.conditions.contains(Conditions::LOADING) {
            return;
        }
        self.rewrite_if_due();
        if self.persistence.child.is_none() {
            self.snapshot_if_due();
        }
    }

    /// Begins a snapshot if one is due, there being no child.
    fn snapshot_if_due(&mut self) {
        let now_s = self.now.unix_s();
        let persistence = &self.persistence;
        let may_try =
            persistence.last == SnapshotOutcome::Done || now_s - persistence.tried_at_s > RETRY_S;
        if !may_try {
            return;
        }
        let (dirty, since_s) = (self.keyspace.dirty, now_s - persistence.saved_at_s);
        let is_due = |point: &&SavePoint| {
            dirty >= u64::from(point.changes)
                && u64::try_from(since_s).is_ok_and(|since_s| since_s > point.seconds)
        };
        if let Some(point) = self.config.save.iter().find(is_due) {
            let (changes, seconds) = (point.changes, point.seconds);
            tracing::info!("{changes} changes in {seconds} seconds. Saving...");
        } else if persistence.scheduled == Scheduled::No {
            return;
        }
        // What keeps it from starting is in the log; it is tried again later.
        let _ = self.start_snapshot();
    }

    /// Ends the child that writes into the pipe, which nobody reads any more.
    pub(in crate::command) fn cancel_relay_child(&mut self) {
        if self.persistence.child.is_some_and(|child| child.target == Target::Pipe) {
            self.cancel_snapshot();
        }
    }

    fn snapshot_ended(&mut self, child: Child, end: ChildEnd) {
        if child.target == Target::Pipe {
            self.persistence.last_took_s = Some(self.now.unix_s() - child.started.unix_s());
            return self.relay_ended(end);
        }
        let now_s = self.now.unix_s();
        match end {
            ChildEnd::Done => {
                tracing::info!("Background saving terminated with success");
                self.keyspace.dirty = self.keyspace.dirty.saturating_sub(child.dirty);
                self.persistence.saved_at_s = now_s;
                self.note_snapshot(SnapshotOutcome::Done);
            }
            ChildEnd::Failed => {
                tracing::warn!("Background saving error");
                self.note_snapshot(SnapshotOutcome::Failed);
            }
            // Whoever told it to give up did not mean that snapshots fail.
            ChildEnd::GaveUp => tracing::warn!("Background saving was told to give up"),
            ChildEnd::Killed(signal) => {
                tracing::warn!("Background saving terminated by signal {signal}");
                self.note_snapshot(SnapshotOutcome::Failed);
            }
        }
        self.persistence.snapshot_cow_bytes = self.host.child_progress().cow_bytes;
        self.persistence.last_took_s = Some(now_s - child.started.unix_s());
        self.snapshot_for_replicas_ended(end);
    }
}

/// What writes the data, as they are, to a file.
pub type WriteData<'a> = dyn FnMut(&Keyspace, &mut dyn io::Write, &Progress) -> io::Result<()> + 'a;

/// What a snapshot says of accesses: what the policy needs.
const fn access(policy: MaxmemoryPolicy) -> Access {
    match policy {
        MaxmemoryPolicy::VolatileLfu
        | MaxmemoryPolicy::AllkeysLfu
        | MaxmemoryPolicy::VolatileLru
        | MaxmemoryPolicy::AllkeysLru => Access::Written,
        MaxmemoryPolicy::VolatileRandom
        | MaxmemoryPolicy::VolatileTtl
        | MaxmemoryPolicy::AllkeysRandom
        | MaxmemoryPolicy::Noeviction => Access::Omitted,
    }
}

/// How the bytes of a snapshot get to disk.
fn sync(config: &Config) -> Sync {
    if config.rdb_save_incremental_fsync { Sync::Gradually } else { Sync::AtEnd }
}
