//! The append-only file: its folder, the log that is open, and rewrites. What to do when is decided in
//! `persist/aof`; here are the calls.

mod disk;
mod helper;
pub mod load;
mod port;
mod rewrite;
#[cfg(test)]
mod tests;
mod upgrade;

pub use disk::{Disk, Open, RealDisk};
pub use helper::{Helper, Notify, Synced, Thread};
pub use rewrite::Ending;

use super::clock;
use super::errno;
use crate::base::num;
use crate::command::host::LogDelay;
use crate::command::server::Now;
use crate::config::{AppendFsync, Config};
use crate::persist::aof::growth::Growth;
use crate::persist::aof::log::{Cause, Commit, Log, Report, SyncDue, Syncing, Written};
use crate::persist::aof::manifest::{
    Manifest, ManifestError, manifest_name, temporary_log_name, temporary_manifest_name,
};
use crate::persist::aof::rewrite::write_timestamp;
use disk::{uninterrupted, write_through};
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Whether changes are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No.
    Off,
    /// They will be once a rewrite has made a base; from its start on they are collected.
    Waiting,
    /// Yes.
    On,
}

/// Whether a child process uses the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// No.
    None,
    /// A snapshot or a rewrite is being written.
    Writing,
}

/// Why a manifest could not be replaced.
#[derive(Debug)]
enum PersistError {
    /// The old one is in place.
    Unchanged(io::Error),
    /// The new one may be in place or not.
    Uncertain(io::Error),
}

impl PersistError {
    fn text(&self) -> String {
        let (Self::Unchanged(error) | Self::Uncertain(error)) = self;
        errno::text(error)
    }
}

/// Delays that are kept until somebody asks; more at once say nothing new.
const DELAYS_MAX: usize = 16;

/// Why the manifest cannot be used.
#[derive(Debug)]
pub enum ManifestFailure {
    /// It cannot be read.
    Io(String),
    /// It is wrong.
    Wrong(ManifestError),
}

impl fmt::Display for ManifestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(reason) => f.write_str(reason),
            Self::Wrong(error) => error.fmt(f),
        }
    }
}

/// What of the configuration concerns the open log.
#[derive(Clone, Debug)]
struct Settings {
    folder: PathBuf,
    filename: Vec<u8>,
    policy: AppendFsync,
    spares_children: bool,
    has_timestamps: bool,
    keeps_history: bool,
}

impl Settings {
    fn of(config: &Config) -> Self {
        Self {
            folder: config.appenddirname.as_path().to_owned(),
            filename: config.appendfilename.as_path().as_os_str().as_bytes().to_vec(),
            policy: config.appendfsync,
            spares_children: config.no_appendfsync_on_rewrite,
            has_timestamps: config.aof_timestamp_enabled,
            keeps_history: config.aof_disable_auto_gc,
        }
    }

    fn path(&self, name: &[u8]) -> PathBuf {
        self.folder.join(OsStr::from_bytes(name))
    }
}

/// The append-only file of this server.
#[derive(Debug)]
pub struct AppendLog<D: Disk = RealDisk> {
    disk: Arc<D>,
    helper: D::Helper,
    settings: Settings,
    mode: Mode,
    manifest: Manifest,
    file: Option<Arc<D::File>>,
    /// The one before, until it is on disk.
    older: Option<Arc<D::File>>,
    log: Log,
    /// What could not be written yet.
    pending: Vec<u8>,
    /// How often what a rewrite would wait for was brought to disk ahead of it.
    rounds: u32,
    /// How much of it was given before the rewrite under way began, if that replaces the file.
    replaced: usize,
    child: Child,
    /// The time in the last annotation, Unix seconds.
    annotated_s: i64,
    /// DEBUG AOF-FLUSH-SLEEP, microseconds.
    write_delay_us: u64,
    /// What took long and was not told yet.
    delays: Vec<LogDelay>,
    /// Sizes, and how rewrites went.
    pub growth: Growth,
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

impl<D: Disk> AppendLog<D> {
    /// Logs nothing yet, whatever `appendonly` says.
    pub fn new(disk: Arc<D>, helper: D::Helper, config: &Config) -> Self {
        let settings = Settings::of(config);
        Self {
            helper,
            disk,
            log: Log::new(settings.policy, 0),
            settings,
            mode: Mode::Off,
            manifest: Manifest::default(),
            file: None,
            older: None,
            pending: Vec::new(),
            rounds: 0,
            replaced: 0,
            child: Child::None,
            annotated_s: 0,
            write_delay_us: 0,
            delays: Vec::new(),
            growth: Growth::default(),
        }
    }

    /// Whether changes are logged.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The files there are.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Follows a changed configuration.
    pub fn adopt(&mut self, config: &Config) {
        self.settings = Settings { folder: self.settings.folder.clone(), ..Settings::of(config) };
        self.follow_policy();
        self.remove_history();
    }

    /// A child process has begun or ended to use the disk.
    pub fn set_child(&mut self, child: Child) {
        self.child = child;
        self.follow_policy();
    }

    /// DEBUG AOF-FLUSH-SLEEP: waits before each write.
    pub const fn set_write_delay(&mut self, micros: u64) {
        self.write_delay_us = micros;
    }

    fn follow_policy(&mut self) {
        let syncing = match self.child {
            Child::Writing if self.settings.spares_children => Syncing::Suppressed,
            Child::Writing | Child::None => Syncing::Allowed,
        };
        self.log.set_policy(self.settings.policy, syncing);
    }

    /// Why clients may not change data, as the system says it: for `MISCONF Errors writing to the AOF
    /// file: …`.
    pub fn error(&self) -> Option<&str> {
        self.log.error()
    }

    /// Whether a rewrite is to be started so that the log can be relied on again.
    pub fn is_heal_due(&self, now: Now) -> bool {
        self.mode != Mode::Off && self.log.is_heal_due(now.mono_ms())
    }

    /// When [`AppendLog::poll`] has something to do without a call of the helper, on the clock that only
    /// rises, milliseconds.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.file.as_ref().and_then(|_| self.log.deadline_ms())
    }

    /// Position of the last byte logged, for WAITAOF.
    pub const fn position(&self) -> u64 {
        self.log.given()
    }

    /// Position up to which everything is on disk.
    pub const fn synced_position(&self) -> u64 {
        self.log.synced()
    }

    /// Bytes that are not in the kernel yet (`aof_buffer_length`).
    pub const fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Whether an fsync is under way (`aof_pending_bio_fsync`), and how many took long
    /// (`aof_delayed_fsync`).
    pub const fn syncs(&self) -> (bool, u64) {
        (self.log.is_syncing(), self.log.delayed_syncs)
    }

    // ---- Writing ----

    /// Logs what the commands of a turn changed: whole commands. To be called before their replies go
    /// out.
    pub fn commit(&mut self, now: Now, bytes: &[u8]) -> Commit {
        if self.file.is_none() {
            return Commit::Done;
        }
        if bytes.is_empty() {
            return self.poll(now);
        }
        if self.settings.has_timestamps && now.unix_s() > self.annotated_s {
            self.annotated_s = now.unix_s();
            let before = self.pending.len();
            write_timestamp(self.annotated_s, &mut self.pending);
            self.log.give(self.pending.len() - before);
        }
        self.log.give(bytes.len());
        if self.pending.is_empty() && self.log.is_write_due(now.mono_ms()) {
            let kept = self.write(now, bytes);
            self.pending.extend_from_slice(&bytes[kept..]);
        } else {
            self.pending.extend_from_slice(bytes);
        }
        self.poll(now)
    }

    /// Does what is due: writes again what could not be written, brings it to disk.
    pub fn poll(&mut self, now: Now) -> Commit {
        let now_ms = now.mono_ms();
        while let Some(ended) = self.helper.poll() {
            self.sync_ended(now_ms, ended);
        }
        if self.file.is_none() {
            return Commit::Done;
        }
        if !self.pending.is_empty() && self.log.is_write_due(now_ms) {
            let pending = std::mem::take(&mut self.pending);
            let kept = self.write(now, &pending);
            if kept < pending.len() {
                self.pending.extend_from_slice(&pending[kept..]);
            }
        }
        self.sync(now_ms);
        if self.log.note_slow_sync(now_ms) {
            tracing::info!("Asynchronous AOF fsync is taking too long (disk is busy?).");
        }
        self.log.commit()
    }

    fn sync_ended(&mut self, now_ms: u64, ended: Synced) {
        if let Err(reason) = &ended.result {
            tracing::warn!("Fail to fsync the AOF file: {reason}");
        }
        self.log.sync_ended(now_ms, ended.written, ended.result);
        self.let_go_of_older();
    }

    fn let_go_of_older(&mut self) {
        if self.log.synced() >= self.log.file_start() {
            self.older = None;
        }
    }

    fn sync(&mut self, now_ms: u64) {
        let Some(file) = &self.file else { return };
        match self.log.sync_due(now_ms) {
            SyncDue::No => {}
            SyncDue::Here => {
                let started_ns = clock::monotonic_ns();
                let result = uninterrupted(|| self.disk.sync(file));
                let result = result.map_err(|error| errno::text(&error));
                self.note_since(started_ns, &["aof-fsync-always"]);
                if let Err(reason) = &result {
                    tracing::warn!("Fail to fsync the AOF file: {reason}");
                }
                self.log.synced_here(now_ms, result);
            }
            SyncDue::Helper => {
                self.helper.sync(Arc::clone(file), self.log.written());
                self.log.sync_started(now_ms);
            }
        }
    }

    /// Notes for the latency monitor what has taken a millisecond or more.
    fn note_since(&mut self, started_ns: u64, events: &[&'static str]) {
        let took_ms = clock::monotonic_ns().saturating_sub(started_ns) / 1_000_000;
        if took_ms > 0 && self.delays.len() < DELAYS_MAX {
            self.delays.extend(events.iter().map(|&event| LogDelay { event, took_ms }));
        }
    }

    /// Writes; how much of it is in the file.
    fn write(&mut self, now: Now, bytes: &[u8]) -> usize {
        let Some(file) = self.file.clone() else { return bytes.len() };
        let started_ns = clock::monotonic_ns();
        if self.write_delay_us > 0 {
            std::thread::sleep(Duration::from_micros(self.write_delay_us));
        }
        let (written, error) = write_through(&*self.disk, &file, bytes);
        let event = match (self.log.is_syncing(), self.child) {
            (true, _) => "aof-write-pending-fsync",
            (false, Child::Writing) => "aof-write-active-child",
            (false, Child::None) => "aof-write-alone",
        };
        self.note_since(started_ns, &["aof-write", event]);
        let Some(error) = error else {
            self.growth.current_bytes += num::u64_of(bytes.len());
            if self.log.wrote(now.mono_ms(), Written::All) == Report::Recovery {
                tracing::warn!("AOF write error looks solved, Redis can write again.");
            }
            return bytes.len();
        };
        // The file is to end with a whole commit. If that cannot be had, the rest goes on where it ends.
        let cut = match written {
            0 => Ok(()),
            _ => uninterrupted(|| self.disk.truncate(&file, self.log.file_bytes())),
        };
        let kept = if cut.is_ok() { 0 } else { written };
        let cause = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Cause::NoSpace,
            _ => Cause::Other,
        };
        let reason = errno::text(&error);
        self.growth.current_bytes += num::u64_of(kept);
        let failed = Written::Failed { error: reason.clone(), cause, kept: num::u64_of(kept) };
        if self.log.wrote(now.mono_ms(), failed) == Report::Failure {
            tracing::warn!(
                "Error writing to the AOF file: {reason} (nwritten={written}, expected={})",
                bytes.len()
            );
            if let Err(error) = cut {
                let reason = errno::text(&error);
                tracing::warn!(
                    "Could not remove short write from the append-only file. Redis may refuse to \
                     load the AOF the next time it starts. ftruncate: {reason}"
                );
            }
        }
        kept
    }

    // ---- Beginning and ending ----

    /// Reads the manifest, if there is one. Does not touch anything.
    ///
    /// # Errors
    /// It cannot be used; why, is in the log as well.
    pub fn read_manifest(&mut self) -> Result<(), ManifestFailure> {
        let path = self.settings.path(&manifest_name(&self.settings.filename));
        let text = match self.disk.read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.manifest = Manifest::default();
                return Ok(());
            }
            Err(error) => {
                let reason = format!(
                    "Fatal error: can't open the AOF manifest file {} for reading: {}",
                    path.display(),
                    errno::text(&error)
                );
                tracing::warn!("{reason}");
                return Err(ManifestFailure::Io(reason));
            }
        };
        match Manifest::parse(&text) {
            Ok(manifest) => {
                self.manifest = manifest;
                Ok(())
            }
            Err(error) => {
                for line in error.lines() {
                    tracing::warn!("{line}");
                }
                Err(ManifestFailure::Wrong(error))
            }
        }
    }

    /// Begins to log at the start of the server, after loading: continues the newest log. Without any
    /// file `write_empty_base` is asked for a base first.
    ///
    /// # Errors
    /// What keeps it from logging; it is in the log as well.
    pub fn open_at_start(
        &mut self,
        write_empty_base: impl FnOnce(&Path) -> io::Result<()>,
        config: &Config,
    ) -> Result<(), String> {
        let filename = self.settings.filename.clone();
        self.create_folder()?;
        let mut manifest = self.manifest.clone();
        if manifest.is_empty() {
            let format = crate::persist::aof::rewrite::base_format(config);
            let name = self.next_name(&mut manifest, |next| next.begin_base(&filename, format))?;
            let temporary = self.base_path();
            let written = write_empty_base(&temporary)
                .and_then(|()| self.disk.rename(&temporary, &self.settings.path(&name)));
            written.map_err(|error| {
                logged(format!(
                    "Write error writing append only file on disk: {}",
                    errno::text(&error)
                ))
            })?;
            tracing::info!("Creating AOF base file {} on server start", shown(&name));
        }
        let (verb, name) = match manifest.logs().last() {
            Some(newest) => ("Opening", newest.name.clone()),
            None => ("Creating", self.next_name(&mut manifest, |next| next.begin_log(&filename))?),
        };
        let path = self.settings.path(&name);
        let opened = self.disk.open(&path, Open::Continued).and_then(|file| {
            self.disk.sync_folder(&self.settings.folder)?;
            Ok((file, self.disk.len(&path)?))
        });
        let (file, bytes) = opened.map_err(|error| {
            let reason = errno::text(&error);
            logged(format!("Can't open the append-only file {}: {reason}", shown(&name)))
        })?;
        if manifest != self.manifest {
            self.persist(&manifest).map_err(|error| error.text())?;
        }
        tracing::info!("{verb} AOF incr file {} on server start", shown(&name));
        self.manifest = manifest;
        self.file = Some(Arc::new(file));
        self.log = Log::new(self.settings.policy, bytes);
        self.sync_loaded();
        self.follow_policy();
        self.mode = Mode::On;
        self.remove_history();
        Ok(())
    }

    /// Brings to disk what was loaded: a server that was killed has left some of it with the kernel only.
    fn sync_loaded(&mut self) {
        for part in self.manifest.logs() {
            let path = self.settings.path(&part.name);
            let held = self.disk.hold(&path);
            if let Err(error) = held.and_then(|file| uninterrupted(|| self.disk.sync(&file))) {
                let reason = errno::text(&error);
                tracing::warn!("Fail to fsync the AOF file {}: {reason}", path.display());
                self.log.suspect(0, reason);
            }
        }
    }

    /// Will log from the next rewrite on (`appendonly yes` while the server runs).
    pub fn start(&mut self) {
        if self.mode == Mode::Off {
            self.mode = Mode::Waiting;
        }
    }

    /// Logs no longer: what was given is brought to disk, and the files stay.
    pub fn stop(&mut self, now: Now) {
        self.flush(now);
        if self.mode == Mode::Waiting {
            self.remove_temporary_log();
        }
        self.mode = Mode::Off;
        self.close();
    }

    /// Brings everything to disk now, as far as the disk lets it: before the server ends, and before
    /// the files are read again.
    pub fn flush(&mut self, now: Now) {
        if let Some(older) = &self.older {
            let result = uninterrupted(|| self.disk.sync(older));
            let result = result.map_err(|error| errno::text(&error));
            self.sync_ended(now.mono_ms(), Synced { written: self.log.file_start(), result });
        }
        let _held = self.poll(now);
        let Some(file) = &self.file else { return };
        if let Err(error) = uninterrupted(|| self.disk.sync(file)) {
            tracing::warn!("Fail to fsync the AOF file: {}", errno::text(&error));
        }
    }

    fn close(&mut self) {
        self.file = None;
        self.older = None;
        self.pending = Vec::new();
        self.replaced = 0;
        let position = self.log.given();
        self.log = Log::new(self.settings.policy, 0).counting_from(position);
        self.follow_policy();
        while self.helper.poll().is_some() {}
    }

    /// Adds a file to a manifest under the next number whose name is free; the name. A file that has such a
    /// name and is in no manifest, perhaps since somebody lost that, may be all that is left of data: it
    /// stays as it is, and nothing is added to it. An empty one is what a crash leaves.
    fn next_name(
        &self,
        manifest: &mut Manifest,
        begin: impl Fn(&mut Manifest) -> Vec<u8>,
    ) -> Result<Vec<u8>, String> {
        loop {
            let mut next = manifest.clone();
            let name = begin(&mut next);
            let path = self.settings.path(&name);
            if !self.disk.len(&path).is_ok_and(|bytes| bytes > 0) {
                *manifest = next;
                return Ok(name);
            }
            let path = path.display();
            if !manifest.skip_numbers(&next) {
                return Err(logged(format!("No number is left for an AOF file after {path}")));
            }
            tracing::warn!(
                "{path} is not in the AOF manifest: it is left alone, its number skipped"
            );
        }
    }

    fn create_folder(&self) -> Result<(), String> {
        let folder = &self.settings.folder;
        self.disk.create_folder(folder).map_err(|error| {
            logged(format!(
                "Can't open or create append-only dir {}: {}",
                folder.display(),
                errno::text(&error)
            ))
        })
    }

    /// Replaces the manifest on disk.
    fn persist(&self, manifest: &Manifest) -> Result<(), PersistError> {
        let name = manifest_name(&self.settings.filename);
        let temporary_name = temporary_manifest_name(&self.settings.filename);
        let temporary = self.settings.path(&temporary_name);
        let written = (|| {
            let file = self.disk.open(&temporary, Open::Emptied)?;
            let (_, error) = write_through(&*self.disk, &file, &manifest.format());
            error.map_or(Ok(()), Err)?;
            uninterrupted(|| self.disk.sync(&file))
        })();
        let result = match written {
            Err(error) => Err(PersistError::Unchanged(error)),
            Ok(()) => self
                .disk
                .rename(&temporary, &self.settings.path(&name))
                .map_err(PersistError::Unchanged)
                .and_then(|()| {
                    self.disk.sync_folder(&self.settings.folder).map_err(PersistError::Uncertain)
                }),
        };
        if let Err(error) = &result {
            let reason = error.text();
            tracing::warn!("Error replacing the AOF manifest file {}: {reason}", shown(&name));
            if matches!(error, PersistError::Unchanged(_)) {
                self.remove(&temporary);
            }
        }
        result
    }

    /// Removes files that a rewrite made superfluous, unless `aof-disable-auto-gc` keeps them.
    fn remove_history(&mut self) {
        if self.settings.keeps_history || self.manifest.history().is_empty() {
            return;
        }
        let mut manifest = self.manifest.clone();
        let names = manifest.take_history();
        for name in names {
            tracing::info!("Removing the history file {} in the background", shown(&name));
            self.remove(&self.settings.path(&name));
        }
        // A manifest that still lists them does no harm: they are not read.
        let _logged = self.persist(&manifest);
        self.manifest = manifest;
    }

    /// Removes a file. Its name is free at once, since it may be used again; its space is given back on the
    /// helper thread.
    fn remove(&self, path: &Path) {
        let held = self.disk.hold(path);
        match self.disk.remove(path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!("Could not remove {}: {}", path.display(), errno::text(&error));
            }
        }
        if let Ok(file) = held {
            self.helper.close(file);
        }
    }

    fn remove_temporary_log(&self) {
        let name = temporary_log_name(&self.settings.filename);
        tracing::info!("Removing the temp incr aof file {} in the background", shown(&name));
        self.remove(&self.settings.path(&name));
    }
}

/// Says a reason in the log and gives it back.
fn logged(reason: String) -> String {
    tracing::warn!("{reason}");
    reason
}
