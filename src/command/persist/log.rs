//! The append-only file: what commands changed is logged before their replies go out.
//!
//! A turn's changes are given to the log at its end. If the log does not have them where `appendfsync`
//! wants them, the replies to the commands that made them are held, and no others; they go out when the
//! log has caught up.

use super::state::Conditions;
use super::waitaof::NO_LOG;
use crate::command::effects::Listener;
use crate::command::host::{LogDelay, LogMode};
use crate::command::server::Server;
use crate::persist::aof::log::Commit;

impl Server {
    /// Logs what was changed since the last call, and does what the log has to do by itself. To be called
    /// before replies go out.
    #[inline]
    pub fn commit(&mut self) {
        self.commit_changes();
        if self.replication.has_news {
            self.attend_to_replicas();
        }
    }

    /// As [`Server::commit`], but attends to no replicas, which may begin a snapshot: for who is about to begin
    /// one.
    #[inline]
    pub(in crate::command) fn commit_changes(&mut self) {
        self.broadcast_invalidations();
        if self.effects.wanted() {
            self.record_removals();
            if self.effects.feeds_replicas() {
                self.feed_replicas();
            }
            self.commit_effects();
        }
    }

    fn commit_effects(&mut self) {
        let is_held = self.is_held();
        let log = self.host.append_only_file_mut().filter(|log| log.mode() != LogMode::Off);
        let Some(log) = log else {
            self.persistence.safe_turn = self.effects.turn();
            if !self.effects.bytes().is_empty() {
                self.effects.clear();
            }
            return;
        };
        let is_quiet = self.effects.bytes().is_empty();
        let is_due = log.deadline_ms().is_some_and(|at_ms| self.now.mono_ms() >= at_ms);
        // A log that failed may have been replaced meanwhile, and nobody may write who would notice.
        let has_failed = self.persistence.log_error.is_some();
        let is_awaited = !self.persistence.awaiting_copies.is_empty();
        if is_quiet && !is_due && !is_held && !has_failed && !is_awaited {
            return;
        }
        let turn = self.effects.turn();
        let commit = log.commit(self.now, &self.effects.bytes_for_log());
        let error = log.error().map(str::to_owned);
        let delays = log.take_delays();
        self.conditions.set(Conditions::LOG_FAILED, error.is_some());
        self.persistence.log_error = error;
        self.effects.clear();
        if commit == Commit::Done {
            self.persistence.safe_turn = turn;
        }
        if is_awaited {
            self.serve_copies();
        }
        if !delays.is_empty() {
            self.note_delays(&delays);
        }
    }

    /// As [`Server::commit`], for a command that ends the log: what a transaction around it has changed so
    /// far is a part of a unit, to whose other part the log will not listen.
    pub(super) fn commit_whole_units(&mut self) {
        if !self.effects.is_within_unit() {
            self.commit();
            return;
        }
        let now = self.now;
        if let Some(log) = self.host.append_only_file_mut() {
            let _stopped_next = log.commit(now, &self.effects.whole_units_for_log());
        }
    }

    /// Tells the latency monitor what took the log long.
    #[cold]
    fn note_delays(&mut self, delays: &[LogDelay]) {
        let threshold_ms = self.config.latency_monitor_threshold;
        for delay in delays.iter().filter(|delay| delay.took_ms >= threshold_ms) {
            if threshold_ms > 0 {
                self.latency.note(delay.event, self.now.unix_s(), delay.took_ms);
            }
        }
    }

    /// Records what commands change if that is to be logged, and else does not.
    pub fn follow_log(&mut self) {
        let log = self.host.append_only_file();
        let mode = log.map_or(LogMode::Off, |log| log.mode());
        if mode == LogMode::Off {
            self.stop_listening(Listener::AppendOnlyFile);
            self.persistence.log_error = None;
            self.conditions.remove(Conditions::LOG_FAILED);
            self.refuse_sync_waits(&NO_LOG);
        } else {
            // What was replied before is nothing to wait for.
            self.persistence.safe_turn = self.effects.turn() - 1;
            self.listen(Listener::AppendOnlyFile);
        }
    }

    /// Whether replies wait for the log.
    fn is_held(&self) -> bool {
        self.persistence.safe_turn + 1 < self.effects.turn()
    }

    /// Whether a client's replies may go out: all that it changed is safe.
    #[inline]
    pub fn may_reply(&self, changed_in_turn: u64) -> bool {
        changed_in_turn <= self.persistence.safe_turn || !self.effects.wanted()
    }

    /// After how many milliseconds the log has something to do by itself.
    pub fn log_wait_ms(&self) -> Option<u64> {
        let now_ms = self.now.mono_ms();
        let log = self.host.append_only_file().filter(|log| log.mode() != LogMode::Off)?;
        Some(log.deadline_ms()?.saturating_sub(now_ms))
    }
}
