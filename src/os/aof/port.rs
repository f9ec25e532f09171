//! The append-only file as the server sees it.

use super::rewrite::Ending;
use super::{AppendLog, Child, Disk, Mode};
use crate::command::host::{
    AppendOnlyFile, ChildKind, LogDelay, LogFigures, LogMode, RewriteEnding,
};
use crate::command::server::Now;
use crate::config::Config;
use crate::persist::aof::growth::Growth;
use crate::persist::aof::log::Commit;
use crate::persist::aof::manifest::BaseFormat;
use std::path::PathBuf;

impl<D: Disk> AppendOnlyFile for AppendLog<D> {
    fn mode(&self) -> LogMode {
        match self.mode {
            Mode::Off => LogMode::Off,
            Mode::Waiting => LogMode::Waiting,
            Mode::On => LogMode::On,
        }
    }

    fn commit(&mut self, now: Now, bytes: &[u8]) -> Commit {
        Self::commit(self, now, bytes)
    }

    fn deadline_ms(&self) -> Option<u64> {
        Self::deadline_ms(self)
    }

    fn error(&self) -> Option<&str> {
        Self::error(self)
    }

    fn is_heal_due(&self, now: Now) -> bool {
        Self::is_heal_due(self, now)
    }

    fn adopt(&mut self, config: &Config) {
        Self::adopt(self, config);
    }

    fn set_child(&mut self, child: Option<ChildKind>) {
        Self::set_child(self, if child.is_some() { Child::Writing } else { Child::None });
    }

    fn start(&mut self) {
        Self::start(self);
    }

    fn stop(&mut self, now: Now) {
        Self::stop(self, now);
    }

    fn flush(&mut self, now: Now) {
        Self::flush(self, now);
    }

    fn is_ready_to_rewrite(&mut self, now: Now) -> bool {
        Self::is_ready_to_rewrite(self, now)
    }

    fn begin_rewrite(&mut self, now: Now) -> Result<PathBuf, String> {
        Self::begin_rewrite(self, now)?;
        Ok(self.base_path())
    }

    fn finish_rewrite(&mut self, now: Now, format: BaseFormat) -> Result<(), String> {
        Self::finish_rewrite(self, now, format)
    }

    fn abandon_rewrite(&mut self, now: Now, ending: RewriteEnding) {
        let ending = match ending {
            RewriteEnding::Failed => Ending::Failed,
            RewriteEnding::Cancelled => Ending::Cancelled,
        };
        Self::abandon_rewrite(self, now, ending);
    }

    fn growth(&self) -> &Growth {
        &self.growth
    }

    fn growth_mut(&mut self) -> &mut Growth {
        &mut self.growth
    }

    fn figures(&self) -> LogFigures {
        let (is_syncing, delayed_syncs) = self.syncs();
        LogFigures {
            pending_bytes: self.pending_bytes(),
            is_syncing,
            delayed_syncs,
            position: self.position(),
            synced_position: self.synced_position(),
        }
    }

    fn take_delays(&mut self) -> Vec<LogDelay> {
        std::mem::take(&mut self.delays)
    }

    fn set_write_delay(&mut self, micros: u64) {
        Self::set_write_delay(self, micros);
    }
}
