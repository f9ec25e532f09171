//! The log that is being written, as decisions: what is written, what is on disk, what to do next.
//! Time and the results of system calls come in; `os/aof` makes the calls.
//!
//! What the clients may rely on, by `appendfsync`: a reply goes out only when what the command changed
//! is in the kernel, and with `always` on disk. The file always consists of whole commits, but for one
//! that could not be written in full and whose rest is still held: it goes on where the file ends.
//!
//! A new file is written only when all of the one before is on disk (but with `appendfsync no`, which promises
//! nothing): else a loss of power could leave the new one and tear the end off the old one.
//!
//! A write that fails is repeated until it succeeds; meanwhile clients may not change data. If it keeps
//! failing and not for want of space, a rewrite replaces the file. After an fsync that failed nobody knows what is on disk, and a later one that succeeds says nothing about it
//! (the kernel reports an error once and forgets the pages). So the log is then suspect until a rewrite
//! that began later has put all the data into a new base, with a new log behind it.

use crate::base::num;
use crate::config::AppendFsync;

/// Between two tries of a write that failed, milliseconds.
const WRITE_RETRY_MS: u64 = 100;
/// A file that could not be written for so long is replaced, milliseconds.
const REPLACE_AFTER_MS: u64 = 1000;
/// Between two tries to replace a suspect log, milliseconds.
const HEAL_RETRY_MS: u64 = 1000;
/// Between two fsyncs of `everysec`, milliseconds.
const SYNC_PERIOD_MS: u64 = 1000;
/// An fsync that takes longer is reported, milliseconds.
const SLOW_SYNC_MS: u64 = 2000;
/// Between two reports of failing writes, milliseconds.
const REPORT_PERIOD_MS: u64 = 30_000;

/// Whether replies may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Commit {
    /// Everything is where `appendfsync` wants it before a reply.
    Done,
    /// Something is not: replies to commands that changed data must wait.
    Held,
}

/// Whether the log can be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Health {
    Good,
    /// The last write failed; it is to be repeated.
    Failing {
        error: String,
        cause: Cause,
        retry_at_ms: u64,
        heal_at_ms: u64,
    },
    /// An fsync failed; what was written up to `at` may not be on disk.
    Suspect {
        error: String,
        at: u64,
        heal_at_ms: u64,
    },
}

/// An fsync that is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncDue {
    /// None.
    No,
    /// Now, before any reply.
    Here,
    /// On the helper thread.
    Helper,
}

/// Whether a child process reads or writes the disk, and fsyncs are to be left out meanwhile
/// (`no-appendfsync-on-rewrite`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncing {
    /// As `appendfsync` says.
    Allowed,
    /// Not now.
    Suppressed,
}

/// An fsync under way on the helper thread.
#[derive(Clone, Copy, Debug)]
struct Outstanding {
    /// What had been written when it began.
    written: u64,
    started_ms: u64,
    is_reported: bool,
}

/// Why a write failed, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The disk is full: another file would not help.
    NoSpace,
    /// Something that may concern this file only.
    Other,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// All of it is in the kernel.
    All,
    /// It failed.
    Failed {
        /// Why, as the system says it.
        error: String,
        /// What that means.
        cause: Cause,
        /// Bytes of it that are in the file and could not be removed.
        kept: u64,
    },
}

/// What is worth a line in the log after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Nothing.
    Nothing,
    /// The write failed.
    Failure,
    /// It succeeded after failures.
    Recovery,
}

/// The state of the log. Positions are bytes that were ever given to it, whatever file they went to.
#[derive(Debug)]
pub struct Log {
    policy: AppendFsync,
    syncing: Syncing,
    health: Health,
    given: u64,
    written: u64,
    synced: u64,
    outstanding: Option<Outstanding>,
    last_sync_ms: u64,
    last_report_ms: Option<u64>,
    /// Where the rewrite under way began.
    rewrite_from: Option<u64>,
    /// Position of the first byte of the file that is written.
    file_start: u64,
    /// Bytes of the file that is written.
    file_bytes: u64,
    /// Whether the file is not written to, since the rewrite under way replaces it.
    is_being_replaced: bool,
    /// Fsyncs that took long.
    pub delayed_syncs: u64,
}

impl Log {
    /// A log whose file has so many bytes, all of them on disk as far as anybody knows.
    pub const fn new(policy: AppendFsync, file_bytes: u64) -> Self {
        Self {
            policy,
            syncing: Syncing::Allowed,
            health: Health::Good,
            given: 0,
            written: 0,
            synced: 0,
            outstanding: None,
            last_sync_ms: 0,
            last_report_ms: None,
            rewrite_from: None,
            file_start: 0,
            file_bytes,
            is_being_replaced: false,
            delayed_syncs: 0,
        }
    }

    /// The same log, which counts on from a position. Up to there everything is dealt with.
    pub const fn counting_from(mut self, position: u64) -> Self {
        (self.given, self.written, self.synced) = (position, position, position);
        self.file_start = position;
        self
    }

    /// Follows `appendfsync` and `no-appendfsync-on-rewrite`.
    pub const fn set_policy(&mut self, policy: AppendFsync, syncing: Syncing) {
        self.policy = policy;
        self.syncing = syncing;
    }

    /// Bytes were given to the log.
    pub fn give(&mut self, bytes: usize) {
        self.given += num::u64_of(bytes);
    }

    /// Position of the last byte given, for WAITAOF.
    pub const fn given(&self) -> u64 {
        self.given
    }

    /// Position of the last byte in the kernel.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Position up to which everything is on disk.
    pub const fn synced(&self) -> u64 {
        self.synced
    }

    /// Bytes of the file.
    pub const fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Whether an fsync is under way.
    pub const fn is_syncing(&self) -> bool {
        self.outstanding.is_some()
    }

    /// Whether the file is not written to, since a part of the one before is not on disk.
    fn waits_for_older(&self) -> bool {
        self.synced < self.file_start && self.policy != AppendFsync::No
    }

    /// Position of the first byte of the file that is written.
    pub const fn file_start(&self) -> u64 {
        self.file_start
    }

    /// Whether to write what is held now.
    pub fn is_write_due(&self, now_ms: u64) -> bool {
        self.written < self.given
            && !self.is_being_replaced
            && !self.waits_for_older()
            && match &self.health {
                Health::Failing { retry_at_ms, .. } => now_ms >= *retry_at_ms,
                Health::Good | Health::Suspect { .. } => true,
            }
    }

    /// Everything held was written, or not.
    pub fn wrote(&mut self, now_ms: u64, written: Written) -> Report {
        match written {
            Written::All => {
                self.file_bytes += self.given - self.written;
                self.written = self.given;
                if matches!(self.health, Health::Failing { .. }) {
                    self.health = Health::Good;
                    self.last_report_ms = None;
                    return Report::Recovery;
                }
                Report::Nothing
            }
            Written::Failed { error, cause, kept } => {
                self.file_bytes += kept;
                self.written += kept;
                let retry_at_ms = now_ms + WRITE_RETRY_MS;
                let heal_at_ms = match self.health {
                    Health::Failing { heal_at_ms, .. } => Some(heal_at_ms),
                    Health::Good => Some(now_ms + REPLACE_AFTER_MS),
                    Health::Suspect { .. } => None,
                };
                if let Some(heal_at_ms) = heal_at_ms {
                    self.health = Health::Failing { error, cause, retry_at_ms, heal_at_ms };
                }
                let last = self.last_report_ms;
                if last.is_some_and(|last_ms| now_ms < last_ms + REPORT_PERIOD_MS) {
                    return Report::Nothing;
                }
                self.last_report_ms = Some(now_ms);
                Report::Failure
            }
        }
    }

    /// The fsync to be made now.
    pub fn sync_due(&self, now_ms: u64) -> SyncDue {
        let is_trusted = !matches!(self.health, Health::Suspect { .. });
        if self.synced >= self.written || !is_trusted || self.syncing == Syncing::Suppressed {
            return SyncDue::No;
        }
        match self.policy {
            AppendFsync::Always => SyncDue::Here,
            AppendFsync::Everysec
                if self.outstanding.is_none()
                    && now_ms >= self.last_sync_ms.saturating_add(SYNC_PERIOD_MS) =>
            {
                SyncDue::Helper
            }
            AppendFsync::Everysec | AppendFsync::No => SyncDue::No,
        }
    }

    /// The helper thread was told to fsync what is written.
    pub const fn sync_started(&mut self, now_ms: u64) {
        self.last_sync_ms = now_ms;
        self.outstanding =
            Some(Outstanding { written: self.written, started_ms: now_ms, is_reported: false });
    }

    /// The helper thread is done with an fsync; `written` is what [`Log::written`] was when it was started.
    pub fn sync_ended(&mut self, now_ms: u64, written: u64, result: Result<(), String>) {
        self.outstanding = self.outstanding.filter(|outstanding| outstanding.written != written);
        self.sync_done(now_ms, written, result);
    }

    /// An fsync was made here.
    pub fn synced_here(&mut self, now_ms: u64, result: Result<(), String>) {
        self.last_sync_ms = now_ms;
        // The file before may still be on its way to disk: then this says nothing about all.
        let is_partial =
            self.outstanding.is_some_and(|outstanding| outstanding.written <= self.file_start);
        if result.is_err() || !is_partial {
            self.sync_done(now_ms, self.written, result);
        }
    }

    fn sync_done(&mut self, now_ms: u64, written: u64, result: Result<(), String>) {
        match result {
            // What a suspect log says of itself is worth nothing.
            Ok(()) if matches!(self.health, Health::Suspect { .. }) => {}
            Ok(()) => self.synced = self.synced.max(written),
            Err(error) => {
                // An fsync also fails for what was written while it ran, if that is in the same file.
                let at = if written > self.file_start { self.written } else { written };
                let at = match self.health {
                    Health::Suspect { at: before, .. } => at.max(before),
                    Health::Good | Health::Failing { .. } => at,
                };
                self.health = Health::Suspect { error, at, heal_at_ms: now_ms };
            }
        }
    }

    /// Whether an fsync has just become slow; says so once for each.
    pub fn note_slow_sync(&mut self, now_ms: u64) -> bool {
        let Some(outstanding) = &mut self.outstanding else { return false };
        let is_slow = now_ms >= outstanding.started_ms.saturating_add(SLOW_SYNC_MS);
        if !is_slow || outstanding.is_reported {
            return false;
        }
        outstanding.is_reported = true;
        self.delayed_syncs += 1;
        true
    }

    /// Whether replies may go out.
    pub fn commit(&self) -> Commit {
        let reached = match (self.policy, self.syncing) {
            (AppendFsync::Always, Syncing::Allowed) => self.synced.min(self.written),
            (AppendFsync::Always, Syncing::Suppressed)
            | (AppendFsync::Everysec | AppendFsync::No, _) => self.written,
        };
        if reached >= self.given { Commit::Done } else { Commit::Held }
    }

    /// Why clients may not change data, as the system says it.
    pub fn error(&self) -> Option<&str> {
        match &self.health {
            Health::Good => None,
            Health::Failing { error, .. } | Health::Suspect { error, .. } => Some(error),
        }
    }

    /// When a rewrite is to be started to replace the log, milliseconds.
    const fn heal_at_ms(&self) -> Option<u64> {
        match &self.health {
            Health::Suspect { heal_at_ms, .. }
            | Health::Failing { cause: Cause::Other, heal_at_ms, .. }
                if self.rewrite_from.is_none() =>
            {
                Some(*heal_at_ms)
            }
            Health::Good | Health::Failing { .. } | Health::Suspect { .. } => None,
        }
    }

    /// Whether a rewrite is to be started to replace the log.
    pub fn is_heal_due(&self, now_ms: u64) -> bool {
        self.heal_at_ms().is_some_and(|at_ms| now_ms >= at_ms)
    }

    /// A rewrite could not be started: another is tried a little later.
    pub const fn heal_failed(&mut self, now_ms: u64) {
        match &mut self.health {
            Health::Suspect { heal_at_ms, .. } | Health::Failing { heal_at_ms, .. } => {
                *heal_at_ms = now_ms + HEAL_RETRY_MS;
            }
            Health::Good => {}
        }
    }

    /// From here on a new, empty file is written.
    pub const fn file_changed(&mut self) {
        self.file_start = self.written;
        self.file_bytes = 0;
    }

    /// A rewrite has begun: the new base will contain all that was given so far. If something could not be
    /// written, nothing is written until the rewrite ends: what is given now must come behind it in this
    /// file, or alone in the one that replaces it.
    pub const fn rewrite_began(&mut self) {
        self.rewrite_from = Some(self.given);
        self.is_being_replaced = self.written < self.given;
    }

    /// Whether the rewrite under way replaces the file that is written.
    pub const fn is_being_replaced(&self) -> bool {
        self.is_being_replaced
    }

    /// The rewrite is complete: all that was given before it began is in the new base, and so on disk. If
    /// the file was to be replaced, a new, empty one is written from here on.
    pub fn rewrite_finished(&mut self) {
        let Some(from) = self.rewrite_from.take() else { return };
        self.synced = self.synced.max(from);
        let was_replaced = std::mem::take(&mut self.is_being_replaced);
        if was_replaced {
            self.written = from;
            self.file_changed();
        }
        let is_healed = match self.health {
            Health::Suspect { at, .. } => at <= from,
            Health::Failing { .. } => was_replaced,
            Health::Good => false,
        };
        if is_healed {
            self.health = Health::Good;
        }
    }

    /// The rewrite is complete, but a loss of power could undo it.
    pub fn rewrite_in_doubt(&mut self, now_ms: u64, error: String) {
        let synced = self.synced;
        self.rewrite_finished();
        self.synced = synced;
        self.suspect(now_ms, error);
    }

    /// What was given so far may not be on disk, or not named there.
    pub fn suspect(&mut self, now_ms: u64, error: String) {
        let heal_at_ms = now_ms + HEAL_RETRY_MS;
        self.health = Health::Suspect { error, at: self.given, heal_at_ms };
    }

    /// The rewrite failed.
    pub const fn rewrite_failed(&mut self, now_ms: u64) {
        self.rewrite_from = None;
        self.is_being_replaced = false;
        self.heal_failed(now_ms);
    }

    /// When there is something to do without anything happening, on the clock that only rises,
    /// milliseconds.
    pub fn deadline_ms(&self) -> Option<u64> {
        match &self.health {
            Health::Failing { retry_at_ms, .. } if !self.is_being_replaced => {
                return Some(*retry_at_ms);
            }
            Health::Failing { .. } => return None,
            Health::Suspect { .. } => return self.heal_at_ms(),
            Health::Good => {}
        }
        if let Some(outstanding) = &self.outstanding {
            let slow_at_ms = outstanding.started_ms.saturating_add(SLOW_SYNC_MS);
            return (!outstanding.is_reported).then_some(slow_at_ms);
        }
        let is_due = self.policy == AppendFsync::Everysec
            && self.syncing == Syncing::Allowed
            && self.synced < self.written;
        is_due.then(|| self.last_sync_ms.saturating_add(SYNC_PERIOD_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(policy: AppendFsync) -> Log {
        Log::new(policy, 100)
    }

    fn failed(kept: u64) -> Written {
        Written::Failed { error: "No space left on device".to_owned(), cause: Cause::NoSpace, kept }
    }

    fn broken() -> Written {
        Written::Failed { error: "Input/output error".to_owned(), cause: Cause::Other, kept: 0 }
    }

    fn io_error() -> Result<(), String> {
        Err("Input/output error".to_owned())
    }

    /// Gives so many bytes to a log, which are written at once.
    fn write(log: &mut Log, now_ms: u64, bytes: usize) {
        log.give(bytes);
        assert!(log.is_write_due(now_ms));
        assert_eq!(log.wrote(now_ms, Written::All), Report::Nothing);
    }

    #[test]
    fn always_holds_replies_until_the_disk_has_it() {
        let mut log = log(AppendFsync::Always);
        assert_eq!(log.commit(), Commit::Done);
        write(&mut log, 5, 10);
        assert_eq!((log.commit(), log.sync_due(5)), (Commit::Held, SyncDue::Here));
        log.synced_here(5, Ok(()));
        assert_eq!((log.commit(), log.sync_due(5)), (Commit::Done, SyncDue::No));
        assert_eq!((log.file_bytes(), log.synced(), log.deadline_ms()), (110, 10, None));
    }

    #[test]
    fn everysec_replies_once_the_kernel_has_it_and_syncs_once_a_second() {
        let mut log = log(AppendFsync::Everysec);
        log.give(10);
        assert_eq!(log.commit(), Commit::Held);
        assert_eq!(log.wrote(5000, Written::All), Report::Nothing);
        assert_eq!((log.commit(), log.sync_due(5000)), (Commit::Done, SyncDue::Helper));
        log.sync_started(5000);
        write(&mut log, 5500, 10);
        assert_eq!((log.commit(), log.sync_due(6500)), (Commit::Done, SyncDue::No));
        log.sync_ended(6500, 10, Ok(()));
        assert_eq!((log.synced(), log.sync_due(6500)), (10, SyncDue::Helper));
        log.sync_started(6500);
        log.sync_ended(6501, 20, Ok(()));
        write(&mut log, 6600, 1);
        assert_eq!((log.sync_due(7499), log.deadline_ms()), (SyncDue::No, Some(7500)));
        assert_eq!(log.sync_due(7500), SyncDue::Helper);
    }

    #[test]
    fn positions_rise_from_one_file_to_the_next() {
        let mut log = log(AppendFsync::Always).counting_from(1000);
        assert_eq!((log.given(), log.written(), log.synced()), (1000, 1000, 1000));
        write(&mut log, 5, 10);
        assert_eq!((log.commit(), log.sync_due(5)), (Commit::Held, SyncDue::Here));
        log.synced_here(5, Ok(()));
        assert_eq!((log.commit(), log.synced(), log.file_bytes()), (Commit::Done, 1010, 110));
    }

    #[test]
    fn no_leaves_it_to_the_system() {
        let mut log = log(AppendFsync::No);
        write(&mut log, 5000, 10);
        assert_eq!((log.commit(), log.sync_due(90_000)), (Commit::Done, SyncDue::No));
        assert_eq!(log.deadline_ms(), None);
    }

    #[test]
    fn syncs_can_be_left_out_while_a_child_uses_the_disk() {
        let mut log = log(AppendFsync::Always);
        log.set_policy(AppendFsync::Always, Syncing::Suppressed);
        write(&mut log, 0, 10);
        assert_eq!((log.commit(), log.sync_due(0)), (Commit::Done, SyncDue::No));
        log.set_policy(AppendFsync::Always, Syncing::Allowed);
        assert_eq!((log.commit(), log.sync_due(0)), (Commit::Held, SyncDue::Here));
    }

    #[test]
    fn a_slow_sync_is_reported_once() {
        let mut log = log(AppendFsync::Everysec);
        write(&mut log, 1000, 10);
        log.sync_started(1000);
        assert_eq!(log.deadline_ms(), Some(3000));
        assert!(!log.note_slow_sync(2999));
        assert!(log.note_slow_sync(3000) && !log.note_slow_sync(3001));
        assert_eq!((log.delayed_syncs, log.deadline_ms()), (1, None));
    }

    #[test]
    fn a_failed_write_is_repeated_until_it_succeeds() {
        for policy in [AppendFsync::Always, AppendFsync::Everysec, AppendFsync::No] {
            let mut log = log(policy);
            log.give(10);
            assert_eq!(log.wrote(1000, failed(0)), Report::Failure);
            assert_eq!(
                (log.commit(), log.error()),
                (Commit::Held, Some("No space left on device"))
            );
            assert!(!log.is_write_due(1099) && log.is_write_due(1100));
            assert_eq!(log.deadline_ms(), Some(1100));
            assert_eq!(log.wrote(1100, failed(4)), Report::Nothing);
            assert!(!log.is_heal_due(99_000));
            assert_eq!(log.file_bytes(), 104);
            assert_eq!(log.wrote(31_000, failed(0)), Report::Failure);
            assert_eq!(log.wrote(31_100, Written::All), Report::Recovery);
            assert_eq!((log.file_bytes(), log.error()), (110, None));
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_replaced_by_a_rewrite() {
        let mut log = log(AppendFsync::Always);
        log.give(10);
        assert_eq!(log.wrote(1000, broken()), Report::Failure);
        assert_eq!(log.wrote(1900, broken()), Report::Nothing);
        assert!(!log.is_heal_due(1999) && log.is_heal_due(2000));
        log.rewrite_began();
        assert!(log.is_being_replaced() && !log.is_write_due(9000));
        log.give(5);
        assert_eq!(log.deadline_ms(), None);
        log.rewrite_failed(3000);
        assert!(log.is_write_due(3000) && !log.is_heal_due(3999) && log.is_heal_due(4000));
        log.rewrite_began();
        log.give(7);
        log.rewrite_finished();
        assert_eq!((log.error(), log.synced(), log.written()), (None, 15, 15));
        assert!(log.is_write_due(4000));
        assert_eq!(log.wrote(4000, Written::All), Report::Nothing);
        log.synced_here(4000, Ok(()));
        assert_eq!((log.commit(), log.file_bytes()), (Commit::Done, 7));
    }

    #[test]
    fn a_failed_sync_is_healed_by_a_rewrite_that_began_later() {
        let mut log = log(AppendFsync::Always);
        write(&mut log, 1000, 10);
        log.synced_here(1000, Ok(()));
        log.rewrite_began();
        log.file_changed();
        write(&mut log, 1500, 5);
        log.synced_here(1500, io_error());
        assert_eq!((log.commit(), log.error()), (Commit::Held, Some("Input/output error")));
        assert!(!log.is_heal_due(2000), "a rewrite is under way");
        log.rewrite_finished();
        assert_eq!((log.commit(), log.synced()), (Commit::Held, 10));
        assert!(log.is_heal_due(2000) && log.deadline_ms() == Some(1500));
        log.heal_failed(2000);
        assert!(!log.is_heal_due(2999) && log.is_heal_due(3000));
        log.rewrite_began();
        log.file_changed();
        log.give(3);
        assert!(!log.is_write_due(3000) && log.sync_due(3000) == SyncDue::No);
        log.rewrite_finished();
        assert_eq!((log.error(), log.synced(), log.commit()), (None, 15, Commit::Held));
        assert!(log.is_write_due(3000));
        assert_eq!(log.wrote(3000, Written::All), Report::Nothing);
        assert_eq!(log.sync_due(3000), SyncDue::Here);
        log.synced_here(3000, Ok(()));
        assert_eq!((log.commit(), log.synced()), (Commit::Done, 18));
    }

    #[test]
    fn everysec_goes_on_replying_after_a_failed_sync_but_refuses_changes() {
        let mut log = log(AppendFsync::Everysec);
        write(&mut log, 1000, 10);
        log.sync_started(1000);
        write(&mut log, 1500, 10);
        log.sync_ended(1700, 10, io_error());
        assert_eq!((log.commit(), log.error()), (Commit::Done, Some("Input/output error")));
        assert_eq!((log.synced(), log.sync_due(5000)), (0, SyncDue::No));
        log.rewrite_began();
        log.rewrite_failed(2000);
        assert_eq!(log.deadline_ms(), Some(3000));
    }

    #[test]
    fn a_failed_sync_of_the_file_before_is_healed_by_the_rewrite_that_replaces_it() {
        let mut log = log(AppendFsync::Everysec);
        write(&mut log, 1000, 10);
        log.rewrite_began();
        log.sync_started(1000);
        log.file_changed();
        log.give(5);
        log.sync_ended(1200, 10, io_error());
        assert!(log.error().is_some() && !log.is_write_due(1200));
        log.rewrite_finished();
        assert_eq!((log.error(), log.synced()), (None, 10));
        assert!(log.is_write_due(1200));
    }

    #[test]
    fn a_new_file_waits_until_the_one_before_is_on_disk() {
        for (policy, waits) in [(AppendFsync::Everysec, true), (AppendFsync::No, false)] {
            let mut log = log(policy);
            write(&mut log, 1000, 10);
            log.rewrite_began();
            log.sync_started(1000);
            log.file_changed();
            log.give(5);
            assert_eq!((log.is_write_due(1100), log.commit()), (!waits, Commit::Held));
            log.sync_ended(1200, 10, Ok(()));
            assert!(log.is_write_due(1200));
        }
    }
}
