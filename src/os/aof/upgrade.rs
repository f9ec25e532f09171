//! An append-only file of before Redis 7: one file, beside the snapshot.

use super::{AppendLog, Disk, ManifestFailure, logged, shown};
use crate::os::errno;
use crate::persist::aof::manifest::Manifest;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

impl<D: Disk> AppendLog<D> {
    /// Moves a single old file, if there is one and nothing newer, into the folder, where a manifest names
    /// it as the base. The manifest is written first: a crash in between is noticed at the next start.
    ///
    /// # Errors
    /// It cannot be moved; why, is in the log as well.
    pub fn upgrade(&mut self) -> Result<(), ManifestFailure> {
        let filename = self.settings.filename.clone();
        let old = Path::new(OsStr::from_bytes(&filename));
        // A manifest that names just the old file was written before a crash kept the file from being
        // moved; if the file is in its place, what lies outside is somebody else's.
        let was_cut_short = self.manifest.names_only(&filename)
            && self.disk.len(&self.settings.path(&filename)).is_err();
        let is_candidate = self.manifest.is_empty() || was_cut_short;
        if !is_candidate || self.disk.len(old).is_err() {
            return Ok(());
        }
        let failed = |what: &str, error: io::Error| {
            let reason = errno::text(&error);
            ManifestFailure::Io(logged(format!(
                "Fatal error: {what} {}: {reason}",
                shown(&filename)
            )))
        };
        let new = self.settings.path(&filename);
        if self.disk.len(&new).is_ok() {
            return Err(ManifestFailure::Io(logged(format!(
                "Fatal error: there are two AOF files and no manifest says which one counts: {} and {}. \
                 Move one of them away",
                old.display(),
                new.display()
            ))));
        }
        self.create_folder().map_err(ManifestFailure::Io)?;
        let manifest = Manifest::upgraded(&filename);
        self.persist(&manifest).map_err(|error| ManifestFailure::Io(error.text()))?;
        self.disk
            .rename(old, &new)
            .map_err(|error| failed("can't move the old AOF file", error))?;
        self.disk
            .sync_folder(&self.settings.folder)
            .and_then(|()| self.disk.sync_folder(Path::new(".")))
            .map_err(|error| failed("can't force to disk the folder of", error))?;
        tracing::info!(
            "Successfully migrated an old-style AOF configuration ({}) into the AOF directory ({}).",
            shown(&filename),
            self.settings.folder.display()
        );
        self.manifest = manifest;
        Ok(())
    }
}
