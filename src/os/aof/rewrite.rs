//! Rewrites: what happens before the child is forked, and after it has written a base.
//!
//! Before: a new log is opened and named in the manifest, so that base and logs together are complete
//! at each moment. After: the base gets its name, and the manifest names it in place of the base and the
//! logs before; whenever the power fails, one of the two manifests is there, and either gives all data.

use super::disk::Open;
use super::helper::Helper;
use super::{AppendLog, Disk, Mode, PersistError, logged, shown};
use crate::command::server::Now;
use crate::config::AppendFsync;
use crate::os::{clock, errno};
use crate::persist::aof::manifest::{BaseFormat, Manifest, Newest, temporary_log_name};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So many bytes that are not on disk do not delay a rewrite.
const SYNCED_AT_ONCE_BYTES: u64 = 1 << 20;
/// How often more than that are brought to disk ahead of a rewrite, at most.
const ROUNDS_MAX: u32 = 4;

/// How a rewrite ended that made no base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It failed.
    Failed,
    /// It was no longer wanted.
    Cancelled,
}

/// A manifest that was replaced.
struct Replaced<D: Disk> {
    /// The log to go on with, if it is another.
    file: Option<D::File>,
    /// Why a loss of power may bring the old manifest back, if it may.
    doubt: Option<String>,
}

/// Why a manifest was not replaced.
enum PersistFailure {
    Logged(String),
    Manifest(PersistError),
}

impl<D: Disk> AppendLog<D> {
    /// Where a base is written: there is one rewrite at a time.
    pub fn base_path(&self) -> PathBuf {
        self.settings.folder.join("temp-rewriteaof.aof")
    }

    /// Whether a rewrite would hold replies for a short time only: the new log is written once the old one is on
    /// disk. If not, that is begun; what is written meanwhile takes less time, and so on.
    pub fn is_ready_to_rewrite(&mut self, now: Now) -> bool {
        if self.mode != Mode::On || self.settings.policy != AppendFsync::Everysec {
            return true;
        }
        let _held = self.poll(now);
        let Some(file) = &self.file else { return true };
        let missing_bytes = self.log.written().saturating_sub(self.log.synced());
        let is_little = missing_bytes <= SYNCED_AT_ONCE_BYTES;
        if is_little || self.log.error().is_some() || self.rounds >= ROUNDS_MAX {
            return !self.log.is_syncing() || is_little;
        }
        if !self.log.is_syncing() {
            self.rounds += 1;
            self.helper.sync(Arc::clone(file), self.log.written());
            self.log.sync_started(now.mono_ms());
        }
        false
    }

    /// Prepares a rewrite: the child is to be forked next, before anything else is given to the log. What
    /// is given afterwards must begin with SELECT.
    ///
    /// # Errors
    /// It cannot be; why, is in the log as well.
    pub fn begin_rewrite(&mut self, now: Now) -> Result<(), String> {
        self.rounds = 0;
        let begun = self.create_folder().and_then(|()| match self.mode {
            Mode::Off => Ok(()),
            Mode::Waiting => self.open_temporary_log(),
            Mode::On => {
                let _held = self.poll(now);
                if self.pending.is_empty() {
                    self.open_next_log(now)
                } else {
                    // The log cannot be written: the rewrite replaces it.
                    self.replaced = self.pending.len();
                    Ok(())
                }
            }
        });
        match begun {
            Ok(()) => self.log.rewrite_began(),
            Err(_) => {
                self.log.heal_failed(now.mono_ms());
                self.growth.failures += 1;
            }
        }
        begun
    }

    /// Until there is a base, changes are collected in a file that does not count.
    fn open_temporary_log(&mut self) -> Result<(), String> {
        let name = temporary_log_name(&self.settings.filename);
        let file = self.open_fresh(&name)?;
        tracing::info!("Creating AOF incr file {} on background rewrite", shown(&name));
        self.close();
        self.file = Some(Arc::new(file));
        Ok(())
    }

    fn open_fresh(&self, name: &[u8]) -> Result<D::File, String> {
        let opened = self.disk.open(&self.settings.path(name), Open::Emptied).and_then(|file| {
            self.disk.sync_folder(&self.settings.folder)?;
            Ok(file)
        });
        opened.map_err(|error| {
            let reason = errno::text(&error);
            logged(format!("Can't open the append-only file {}: {reason}", shown(name)))
        })
    }

    fn open_next_log(&mut self, now: Now) -> Result<(), String> {
        let mut manifest = self.manifest.clone();
        let name = self.next_log(&mut manifest)?;
        let file = self.open_fresh(&name)?;
        match self.persist(&manifest) {
            Ok(()) => {}
            Err(PersistError::Unchanged(error)) => {
                self.remove(&self.settings.path(&name));
                return Err(errno::text(&error));
            }
            // The new manifest is in place, but a loss of power may bring the old one back, to which what
            // is written from now on does not belong. The rewrite replaces both.
            Err(PersistError::Uncertain(error)) => {
                self.log.suspect(now.mono_ms(), errno::text(&error));
            }
        }
        tracing::info!("Creating AOF incr file {} on background rewrite", shown(&name));
        self.manifest = manifest;
        self.change_file(now, file);
        Ok(())
    }

    fn next_log(&self, manifest: &mut Manifest) -> Result<Vec<u8>, String> {
        self.next_name(manifest, |next| next.begin_log(&self.settings.filename))
    }

    /// Goes on in another file; what is in the one before is brought to disk.
    fn change_file(&mut self, now: Now, file: D::File) {
        if let Some(old) = self.file.replace(Arc::new(file))
            && self.log.synced() < self.log.written()
        {
            self.older = Some(Arc::clone(&old));
            self.helper.sync(old, self.log.written());
            self.log.sync_started(now.mono_ms());
        }
        self.log.file_changed();
    }

    /// The child has written a base: it counts from now on.
    ///
    /// # Errors
    /// It does not; why, is in the log as well. All is as before the rewrite.
    pub fn finish_rewrite(&mut self, now: Now, format: BaseFormat) -> Result<(), String> {
        let temporary = self.base_path();
        let mut manifest = self.manifest.clone();
        let filename = &self.settings.filename;
        let base = self.next_name(&mut manifest, |next| next.begin_base(filename, format));
        let base_path = base.map(|name| self.settings.path(&name));
        let started_ns = clock::monotonic_ns();
        let result = base_path.and_then(|base_path| {
            self.rename(&temporary, &base_path, "base")?;
            Ok((self.replace_manifest(&mut manifest, &base_path)?, base_path))
        });
        self.note_since(started_ns, &["aof-rename"]);
        let (Replaced { file, doubt }, base_path) = match result {
            Ok(replaced) => replaced,
            Err(reason) => {
                self.remove(&temporary);
                self.abandon_rewrite(now, Ending::Failed);
                return Err(reason);
            }
        };
        self.manifest = manifest;
        // In doubt, what is written from now on does not belong to the manifest that may come back.
        let is_certain = doubt.is_none();
        match doubt {
            Some(reason) => self.log.rewrite_in_doubt(now.mono_ms(), reason),
            None => self.log.rewrite_finished(),
        }
        self.let_go_of_older();
        if let Some(file) = file {
            self.file = Some(Arc::new(file));
            self.pending.drain(..self.replaced);
        }
        self.replaced = 0;
        let base_bytes = self.disk.len(&base_path).unwrap_or(0);
        self.growth.current_bytes = base_bytes + self.log.file_bytes();
        self.growth.base_bytes = self.growth.current_bytes;
        self.growth.failures = 0;
        if self.mode == Mode::Waiting {
            self.mode = Mode::On;
        }
        if is_certain {
            self.remove_history();
        }
        let _held = self.poll(now);
        Ok(())
    }

    /// Names the base, and the log behind it if that has no name yet; a new log if the old one is
    /// replaced.
    fn replace_manifest(
        &self,
        manifest: &mut Manifest,
        base_path: &Path,
    ) -> Result<Replaced<D>, String> {
        let mut added = Vec::from([base_path.to_owned()]);
        let mut file = None;
        let prepared = (|| {
            if self.mode == Mode::Waiting {
                let name = self.next_log(manifest)?;
                let temporary = temporary_log_name(&self.settings.filename);
                let path = self.settings.path(&name);
                self.rename(&self.settings.path(&temporary), &path, "incr")?;
                added.push(path);
            } else if self.mode == Mode::On && self.log.is_being_replaced() {
                let name = self.next_log(manifest)?;
                file = Some(self.open_fresh(&name)?);
                added.push(self.settings.path(&name));
            }
            let synced = self.disk.sync_folder(&self.settings.folder);
            synced.map_err(|error| logged(format!("Fail to fsync: {}", errno::text(&error))))
        })();
        manifest.retire_logs(if self.mode == Mode::Off { Newest::Retired } else { Newest::Kept });
        let result = prepared
            .map_err(PersistFailure::Logged)
            .and_then(|()| self.persist(manifest).map_err(PersistFailure::Manifest));
        match result {
            Ok(()) => Ok(Replaced { file, doubt: None }),
            Err(PersistFailure::Manifest(PersistError::Uncertain(error))) => {
                Ok(Replaced { file, doubt: Some(errno::text(&error)) })
            }
            Err(failure) => {
                added.iter().for_each(|path| self.remove(path));
                Err(match failure {
                    PersistFailure::Logged(reason) => reason,
                    PersistFailure::Manifest(error) => error.text(),
                })
            }
        }
    }

    fn rename(&self, from: &Path, to: &Path, what: &str) -> Result<(), String> {
        let (shown_from, shown_to) = (from.display(), to.display());
        match self.disk.rename(from, to) {
            Ok(()) => {
                tracing::info!(
                    "Successfully renamed the temporary AOF {what} file {shown_from} into {shown_to}"
                );
                Ok(())
            }
            Err(error) => Err(logged(format!(
                "Error trying to rename the temporary AOF {what} file {shown_from} into {shown_to}: {}",
                errno::text(&error)
            ))),
        }
    }

    /// The child has not written a base.
    pub fn abandon_rewrite(&mut self, now: Now, ending: Ending) {
        self.log.rewrite_failed(now.mono_ms());
        self.replaced = 0;
        if ending == Ending::Failed {
            self.growth.failures += 1;
        }
        if self.mode == Mode::Waiting {
            self.close();
            self.remove_temporary_log();
        }
    }
}
