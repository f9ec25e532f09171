//! BGREWRITEAOF, the rewrites that the server begins by itself, and `appendonly` while it runs.

use super::snapshot::Part;
use super::state::{Child, Conditions, Outcome as RewriteOutcome, Scheduled};
use crate::command::host::{
    AppendOnlyFile, ChildEnd, ChildKind, LogMode, NewFile, RewriteEnding, Sync,
};
use crate::command::server::{Server, Shutdown};
use crate::command::spec::{Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::persist::aof::growth::Permission;
use crate::persist::aof::manifest::BaseFormat;
use crate::persist::aof::rewrite::{RewriteOptions, base_format, rewrite};
use std::path::Path;

/// BGREWRITEAOF
pub(super) static BGREWRITEAOF: Command =
    Command { spec: BGREWRITEAOF_SPEC, handler: Some(bgrewriteaof), subcommands: &[] };

const BGREWRITEAOF_SPEC: Spec = Spec {
    name: "bgrewriteaof",
    summary: "Rewrites the append-only file in the background.",
    complexity: "O(1)",
    group: Group::Server,
    arity: 1,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::NO_ASYNC_LOADING),
    ..Spec::EMPTY
};

/// What the name of a base begins with until it is complete.
const TEMPORARY: &str = "temp-rewriteaof-bg-";

/// A rewrite could not be begun; the log says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBegun;

fn bgrewriteaof(ctx: &mut Context<'_>) -> Outcome {
    const IN_PROGRESS: Error =
        Error::fixed("ERR Background append only file rewriting already in progress");
    const NOT_BEGUN: Error = Error::fixed(
        "ERR Can't execute an AOF background rewriting. Please check the server logs for more \
         information.",
    );
    let persistence = &mut ctx.server.persistence;
    if persistence.child_of(ChildKind::Rewrite).is_some() {
        return Err(IN_PROGRESS);
    }
    if persistence.child.is_some() || ctx.server.in_transaction {
        persistence.rewrite_scheduled = Scheduled::Yes;
        ctx.out().simple("Background append only file rewriting scheduled");
        return Ok(());
    }
    if !ctx.server.is_ready_to_rewrite() {
        ctx.server.persistence.rewrite_scheduled = Scheduled::Yes;
        ctx.out().simple("Background append only file rewriting scheduled");
        return Ok(());
    }
    ctx.server.start_rewrite().map_err(|NotBegun| NOT_BEGUN)?;
    ctx.out().simple("Background append only file rewriting started");
    Ok(())
}

impl Server {
    /// Whether the log can be rewritten now without holding replies for long. If not, it will be soon, and is
    /// asked again in each turn.
    fn is_ready_to_rewrite(&mut self) -> bool {
        let now = self.now;
        let log = self.host.append_only_file_mut();
        let is_ready = log.is_none_or(|log| log.is_ready_to_rewrite(now));
        self.persistence.rewrite_is_near = !is_ready;
        is_ready
    }

    /// Begins the rewrite that waits for the log, if it can begin by now.
    pub fn rewrite_if_ready(&mut self) {
        self.persistence.rewrite_is_near = false;
        if self.persistence.child.is_none() && !self.conditions.contains(Conditions::LOADING) {
            self.rewrite_if_due();
        }
    }

    /// Starts to write a new base in a child process. There must be no child.
    ///
    /// # Errors
    /// It cannot be; the log says why.
    pub fn start_rewrite(&mut self) -> Result<(), NotBegun> {
        self.persistence.rewrite_scheduled = Scheduled::No;
        self.commit_changes(); // what is not in the new base belongs to the log before
        let now = self.now;
        let log = self.host.append_only_file_mut().ok_or(NotBegun)?;
        let path = log.begin_rewrite(now).map_err(|_| {
            self.persistence.last_rewrite = RewriteOutcome::Failed;
            NotBegun
        })?;
        self.effects.forget_db();
        self.persistence.rewrites += 1;
        let format = base_format(&self.config);
        self.persistence.rewrite_format = format;
        match self.fork_rewrite(&path, format) {
            Ok(pid) => {
                tracing::info!("Background append only file rewriting started by pid {pid}");
                self.tell_log_of_child();
                Ok(())
            }
            Err(error) => {
                tracing::warn!("Can't rewrite append only file in background: fork: {error}");
                self.abandon_rewrite(RewriteEnding::Failed);
                Err(NotBegun)
            }
        }
    }

    fn fork_rewrite(&mut self, path: &Path, format: BaseFormat) -> std::io::Result<u32> {
        let sync = match self.config.aof_rewrite_incremental_fsync {
            true => Sync::Gradually,
            false => Sync::AtEnd,
        };
        let file = NewFile { path, temporary: TEMPORARY, sync };
        match format {
            BaseFormat::Dump => {
                let snapshot = self.snapshot(Part::LogBase);
                self.start_child(ChildKind::Rewrite, file, &mut |keyspace, out, progress| {
                    snapshot.write(keyspace, out, progress)
                })
            }
            BaseFormat::Commands => {
                let libraries = self.persistence.libraries.clone();
                let timestamp = self.config.aof_timestamp_enabled.then(|| self.now.unix_s());
                let key_delay_us = i64::from(self.config.rdb_key_save_delay);
                let sleep = self.host.sleeper();
                self.start_child(ChildKind::Rewrite, file, &mut |keyspace, out, progress| {
                    let libraries = &libraries;
                    let progress = Some(progress);
                    let options =
                        RewriteOptions { timestamp, libraries, key_delay_us, sleep, progress };
                    rewrite(keyspace, &options, out).map(drop)
                })
            }
        }
    }

    pub(super) fn tell_log_of_child(&mut self) {
        let kind = self.persistence.child.map(|child| child.kind);
        if let Some(log) = self.host.append_only_file_mut() {
            log.set_child(kind);
        }
    }

    fn abandon_rewrite(&mut self, ending: RewriteEnding) {
        let now = self.now;
        let mut waits = false;
        if let Some(log) = self.host.append_only_file_mut() {
            log.abandon_rewrite(now, ending);
            waits = log.mode() == LogMode::Waiting;
        }
        if ending == RewriteEnding::Failed {
            self.persistence.last_rewrite = RewriteOutcome::Failed;
        }
        if waits {
            self.persistence.rewrite_scheduled = Scheduled::Yes;
        }
    }

    /// Ends the child that rewrites; that is no failure.
    pub(super) fn cancel_rewrite(&mut self) {
        self.host.stop_child();
        if let Some(child) = self.persistence.child.take() {
            self.persistence.rewrite_took_s = Some(self.now.unix_s() - child.started.unix_s());
        }
        self.abandon_rewrite(RewriteEnding::Cancelled);
        self.tell_log_of_child();
    }

    pub(super) fn rewrite_ended(&mut self, child: Child, end: ChildEnd) {
        self.commit_changes();
        match end {
            ChildEnd::Done => {
                tracing::info!("Background AOF rewrite terminated with success");
                self.finish_rewrite();
            }
            ChildEnd::Failed => {
                tracing::warn!("Background AOF rewrite terminated with error");
                self.abandon_rewrite(RewriteEnding::Failed);
            }
            // Whoever told it to give up did not mean that rewrites fail.
            ChildEnd::GaveUp => self.abandon_rewrite(RewriteEnding::Cancelled),
            ChildEnd::Killed(signal) => {
                tracing::warn!("Background AOF rewrite terminated by signal {signal}");
                self.abandon_rewrite(RewriteEnding::Failed);
            }
        }
        self.persistence.rewrite_cow_bytes = self.host.child_progress().cow_bytes;
        self.persistence.rewrite_took_s = Some(self.now.unix_s() - child.started.unix_s());
    }

    fn finish_rewrite(&mut self) {
        let (now, format) = (self.now, self.persistence.rewrite_format);
        let Some(log) = self.host.append_only_file_mut() else { return };
        let finished = log.finish_rewrite(now, format);
        let waits = log.mode() == LogMode::Waiting;
        if finished.is_ok() {
            tracing::info!("Background AOF rewrite finished successfully");
            self.persistence.last_rewrite = RewriteOutcome::Done;
        } else {
            self.persistence.last_rewrite = RewriteOutcome::Failed;
            if waits {
                self.persistence.rewrite_scheduled = Scheduled::Yes;
            }
        }
    }

    /// Begins a rewrite if one is due, there being no child.
    pub(super) fn rewrite_if_due(&mut self) {
        let (now, config) = (self.now, &self.config);
        let is_scheduled = self.persistence.rewrite_scheduled == Scheduled::Yes;
        let Some(log) = self.host.append_only_file() else { return };
        let is_healing = log.is_heal_due(now);
        if !is_healing {
            let is_on = log.mode() == LogMode::On;
            let percentage = config.auto_aof_rewrite_percentage;
            let min_bytes = config.auto_aof_rewrite_min_size;
            let grown = log.growth().wants_rewrite(percentage, min_bytes).filter(|_| is_on);
            if !is_scheduled && grown.is_none() || !self.is_ready_to_rewrite() {
                return;
            }
            let log = self.host.append_only_file_mut();
            if !log.is_some_and(|log| is_allowed(log, now.unix_s())) {
                return;
            }
            if let Some(percent) = grown.filter(|_| !is_scheduled) {
                tracing::info!("Starting automatic rewriting of AOF on {percent}% growth");
            }
        }
        // What keeps it from beginning is in the log; it is tried again later.
        let _ = self.start_rewrite();
    }

    /// Whether the log cannot be relied on and a new base is due, so that a snapshot has to stand back.
    pub(super) fn heals(&self) -> bool {
        let log = self.host.append_only_file();
        log.is_some_and(|log| log.is_heal_due(self.now))
    }

    /// `appendonly` was changed.
    ///
    /// # Errors
    /// It cannot be switched on: what the client is told.
    pub fn switch_log(&mut self) -> Result<(), String> {
        let Some(mode) = self.host.append_only_file().map(AppendOnlyFile::mode) else {
            return Ok(());
        };
        match (self.config.appendonly, mode) {
            (true, LogMode::Off) => self.start_log(),
            (false, LogMode::On | LogMode::Waiting) => {
                self.stop_log();
                Ok(())
            }
            (true, LogMode::On | LogMode::Waiting) | (false, LogMode::Off) => Ok(()),
        }
    }

    fn start_log(&mut self) -> Result<(), String> {
        if let Some(log) = self.host.append_only_file_mut() {
            log.start();
        }
        self.follow_log();
        match self.persistence.child.map(|child| child.kind) {
            Some(ChildKind::Snapshot) => return self.schedule_start(),
            Some(ChildKind::Rewrite) | None if self.in_transaction => return self.schedule_start(),
            Some(ChildKind::Rewrite) => {
                tracing::info!(
                    "AOF was enabled but there is already an AOF rewriting in background. Stopping \
                     background AOF and starting a rewrite now."
                );
                self.cancel_rewrite();
            }
            None => {}
        }
        self.start_rewrite().map_err(|NotBegun| {
            tracing::warn!(
                "Redis needs to enable the AOF but can't trigger a background AOF rewrite operation. \
                 Check the above logs for more info about the error."
            );
            self.stop_log();
            "Unable to turn on AOF. Check server logs.".to_owned()
        })
    }

    /// Lets the log begin with a rewrite when one is possible.
    fn schedule_start(&mut self) -> Result<(), String> {
        self.persistence.rewrite_scheduled = Scheduled::Yes;
        tracing::info!(
            "AOF was enabled but there is already another background operation. An AOF background was \
             scheduled to start when possible."
        );
        Ok(())
    }

    /// Ends the log while other data take the place of these, if there is one.
    pub(in crate::command) fn pause_log(&mut self) {
        let mode = self.host.append_only_file().map(AppendOnlyFile::mode);
        if mode.is_some_and(|mode| mode != LogMode::Off) {
            self.stop_log();
        }
    }

    /// Begins the log anew after [`Server::pause_log`], with the data there are. What cannot be logged though
    /// it should be is not to be served.
    pub(in crate::command) fn log_again(&mut self) {
        if self.switch_log().is_err() {
            tracing::warn!(
                "FATAL: this replica instance finished the synchronization with its master, but the \
                 AOF can't be turned on. Exiting now."
            );
            self.stop(Shutdown { status: 1 });
        }
    }

    fn stop_log(&mut self) {
        self.commit_whole_units();
        if self.persistence.child_of(ChildKind::Rewrite).is_some() {
            tracing::info!("Killing running AOF rewrite child");
            self.cancel_rewrite();
        }
        self.persistence.rewrite_scheduled = Scheduled::No;
        let now = self.now;
        if let Some(log) = self.host.append_only_file_mut() {
            log.stop(now);
        }
        self.follow_log();
    }
}

/// Whether so many rewrites have failed that the next one has to wait.
fn is_allowed(log: &mut dyn AppendOnlyFile, now_s: i64) -> bool {
    match log.growth_mut().may_rewrite(now_s) {
        Permission::Granted => true,
        Permission::Denied => false,
        Permission::DeniedFor { minutes } => {
            tracing::warn!(
                "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in \
                 {minutes} minutes"
            );
            false
        }
    }
}
