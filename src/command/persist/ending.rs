//! The end of the server: what is written before it, and what keeps it from ending.

use super::state::Conditions;
use crate::command::Error;
use crate::command::host::{ChildKind, LogMode};
use crate::command::server::{Pause, PauseKind, Server, Shutdown};

/// Whether the data are to be saved first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Save {
    /// If the configuration has `save` points.
    Configured,
    /// In any case.
    Yes,
    /// In no case.
    No,
}

/// What becomes of the end if the data cannot be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsaved {
    /// The server goes on.
    Stay,
    /// It ends nevertheless.
    End,
}

/// How the server is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What is saved.
    pub save: Save,
    /// What if not.
    pub unsaved: Unsaved,
    /// Whether replicas are waited for.
    pub patience: Patience,
}

/// Whether the end waits for replicas that do not have everything yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// For `shutdown-timeout` at most.
    Some,
    /// No.
    None,
}

/// The server goes on, since its data could not be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSaved;

/// What a client is told that asked for an end that there is not.
pub const NOT_SAVED: Error = Error::fixed("ERR Errors trying to SHUTDOWN. Check logs.");

impl Server {
    /// Does what there is to do before the end, and lets the reactor end after this turn.
    ///
    /// # Errors
    /// The data could not be saved; the log says why.
    pub fn end(&mut self, ending: Ending) -> Result<(), NotSaved> {
        if self.shutdown.is_some() {
            return Ok(()); // it ends already, perhaps because there are no data that could be saved
        }
        tracing::warn!("User requested shutdown...");
        let ended = self.prepare_end(ending);
        match ended {
            Ok(()) => {
                self.stop(Shutdown { status: 0 });
                self.end_log();
            }
            Err(NotSaved) => tracing::warn!("Errors trying to shut down the server."),
        }
        ended
    }

    fn prepare_end(&mut self, ending: Ending) -> Result<(), NotSaved> {
        self.stop_children(ending)?;
        let is_loading = self.conditions.contains(Conditions::LOADING);
        let saves = match ending.save {
            Save::Configured => !self.config.save.is_empty() && !is_loading,
            Save::Yes => !is_loading,
            Save::No => false,
        };
        if saves {
            tracing::info!("Saving the final RDB snapshot before exiting.");
            if self.save().is_err() {
                if ending.unsaved == Unsaved::Stay {
                    tracing::warn!("Error trying to save the DB, can't exit.");
                    return Err(NotSaved);
                }
                tracing::warn!("Error trying to save the DB, but exiting.");
            }
        }
        Ok(())
    }

    /// Lets the reactor end after this turn. From now on nothing is executed.
    pub(in crate::command) fn stop(&mut self, shutdown: Shutdown) {
        self.shutdown = Some(shutdown);
        self.conditions.insert(Conditions::ENDING);
    }

    /// Notes that a signal asks for the end, which comes with the next periodic work.
    pub fn ask_to_end(&mut self, ending: Ending) {
        self.persistence.asked_to_end = Some(ending);
    }

    /// Gives up an end that a signal asked for; whether there was one.
    pub fn abort_end(&mut self) -> bool {
        let is_asked = self.persistence.asked_to_end.take().is_some();
        if is_asked {
            tracing::warn!("Shutdown manually aborted.");
            self.host.forget_signal();
            if self.persistence.ends_at_ms.take().is_some() {
                self.set_pause(None);
            }
            self.refuse_end();
        }
        is_asked
    }

    /// Ends if a signal asked for it, or a command that waits for replicas, and nothing is to be waited for.
    pub fn end_if_asked(&mut self) {
        let Some(ending) = self.persistence.asked_to_end else { return };
        let now_ms = self.now.mono_ms();
        if ending.patience == Patience::Some && self.lacks_replicas() {
            let timeout_ms = u64::from(self.config.shutdown_timeout) * 1000;
            let until_ms = match self.persistence.ends_at_ms {
                Some(at_ms) => at_ms,
                None => {
                    self.wait_for_replicas_before_end();
                    *self.persistence.ends_at_ms.insert(now_ms.saturating_add(timeout_ms))
                }
            };
            if now_ms < until_ms {
                return;
            }
        }
        self.persistence.asked_to_end = None;
        if self.persistence.ends_at_ms.take().is_some() {
            self.log_lagging_replicas();
            self.set_pause(None);
        }
        if self.end(ending) == Err(NotSaved) {
            self.host.forget_signal();
            self.refuse_end();
        } else {
            self.close_who_asked_to_end();
        }
    }

    /// Lets no client change data, so that replicas get to the same place.
    fn wait_for_replicas_before_end(&mut self) {
        tracing::info!("Waiting for replicas before shutting down.");
        self.set_pause(Some(Pause { until_ms: i64::MAX, kind: PauseKind::Write }));
        self.ask_replicas();
    }

    /// Tells the clients that asked for the end that there is none.
    fn refuse_end(&mut self) {
        for id in std::mem::take(&mut self.persistence.asked_end) {
            self.reply_to_waiting(id, |_| Err(NOT_SAVED));
        }
    }

    /// The clients that asked for the end get no reply.
    fn close_who_asked_to_end(&mut self) {
        for id in std::mem::take(&mut self.persistence.asked_end) {
            if let Some(index) = self.sessions.index_of(id)
                && let Some(session) = self.sessions.get_mut(index)
            {
                session.close_after_replies();
            }
        }
    }

    /// Brings the log to disk.
    fn end_log(&mut self) {
        self.commit();
        let now = self.now;
        if let Some(log) = self.host.append_only_file_mut()
            && log.mode() == LogMode::On
        {
            tracing::info!("Calling fsync() on the AOF file.");
            log.flush(now);
        }
    }

    fn stop_children(&mut self, ending: Ending) -> Result<(), NotSaved> {
        let Some(child) = self.persistence.child else { return Ok(()) };
        match child.kind {
            ChildKind::Snapshot => {
                tracing::warn!("There is a child saving an .rdb. Killing it!");
                self.cancel_snapshot();
            }
            ChildKind::Rewrite => {
                let log = self.host.append_only_file();
                if log.is_some_and(|log| log.mode() == LogMode::Waiting) {
                    if ending.unsaved == Unsaved::Stay {
                        tracing::warn!("Writing initial AOF, can't exit.");
                        return Err(NotSaved);
                    }
                    tracing::warn!("Writing initial AOF. Exit anyway.");
                }
                tracing::warn!("There is a child rewriting the AOF. Killing it!");
                self.cancel_rewrite();
            }
        }
        Ok(())
    }
}
