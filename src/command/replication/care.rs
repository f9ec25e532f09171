//! What is done about replicas by itself, once a second.

use super::state::random_id;
use crate::base::num;
use crate::command::server::Server;
use crate::repl::{Replica, Stage};
use crate::resp::Checkpoint;
use crate::session::Session;

const SECOND_MS: u64 = 1000;
/// Bytes of an error that the log shows.
const ERROR_SHOWN_MAX: usize = 256;
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

impl Server {
    /// Pings replicas, closes those that are silent, gives up a backlog that nobody uses.
    pub fn look_after_replicas(&mut self) {
        let now_ms = self.now.mono_ms();
        if self.replication.failover.is_waiting() {
            self.advance_failover();
        }
        if now_ms < self.replication.cared_at_ms.saturating_add(SECOND_MS) {
            return;
        }
        self.replication.cared_at_ms = now_ms;
        self.replication.cared += 1;
        self.retry_spilling();
        if self.replication.replicas.is_empty() {
            self.give_up_backlog();
            return;
        }
        let period = u64::from(self.config.repl_ping_replica_period);
        // While a replica catches up, a ping would only move the place where all are to meet.
        let pings = self.replication.role.is_primary() && !self.replication.failover.is_waiting();
        if pings && self.replication.cared.is_multiple_of(period) {
            self.commit(); // the ping comes behind what was changed before
            self.extend_stream(PING);
        }
        self.give_signs_of_life();
        self.close_the_silent();
        self.replication.has_news = true; // a snapshot may be due
    }

    /// Replicas that wait for a snapshot are sent line ends, so that they know that the primary is there.
    fn give_signs_of_life(&mut self) {
        for replica in self.replication.replicas.iter() {
            let waits = match replica.stage {
                Stage::WaitsForStart => true,
                Stage::WaitsForEnd => !self.replication.transfers.serves(replica.place),
                Stage::Receives | Stage::Online => false,
            };
            if waits && let Some(mut session) = self.sessions.take(replica.place) {
                let buffers = &mut self.buffers;
                session.output.lend_buffer(|| buffers.take());
                session.output.raw(b"\n");
                if !session.is_queued_for_write {
                    session.is_queued_for_write = true;
                    self.writable.push(replica.place);
                }
                self.sessions.put(session);
            }
        }
    }

    fn close_the_silent(&mut self) {
        let now = self.now;
        let now_s = now.unix_s();
        let timeout_s = i64::from(self.config.repl_timeout);
        // Who has taken all there was waits for a slower one, perhaps.
        for place in self.replication.transfers.up_to_date() {
            if let Some(replica) = self.replication.replicas.get_mut(place) {
                replica.took_at_s = now_s;
            }
        }
        let transfers = &self.replication.transfers;
        let why = |replica: &Replica| match replica.stage {
            Stage::Online => {
                let lag_s = replica.lag_s(now.mono_ms());
                (lag_s > u64::from(self.config.repl_timeout)).then_some("streaming sync")
            }
            Stage::Receives => (now_s - replica.took_at_s > timeout_s).then_some("full sync"),
            Stage::WaitsForEnd if transfers.serves(replica.place) => {
                (now_s - replica.took_at_s > timeout_s).then_some("full sync")
            }
            Stage::WaitsForEnd | Stage::WaitsForStart => None,
        };
        let replicas = self.replication.replicas.iter();
        let silent: Vec<(usize, &str)> =
            replicas.filter_map(|replica| Some((replica.place, why(replica)?))).collect();
        for (place, what) in silent {
            if let Some(replica) = self.replication.replicas.get(place) {
                let name = self.name_of_replica(replica);
                tracing::warn!("Disconnecting timedout replica ({what}): {name}");
            }
            self.close_replica(place);
        }
    }

    /// Without a replica for long enough, the stream is not kept any more. What is changed from then on nobody
    /// knows, so that nobody may claim to share a past.
    fn give_up_backlog(&mut self) {
        let replication = &mut self.replication;
        let ttl_ms = self.config.repl_backlog_ttl.saturating_mul(SECOND_MS);
        let alone_ms = self.now.mono_ms().saturating_sub(replication.alone_since_ms);
        let is_kept = replication.backlog.is_some() && replication.role.is_primary();
        if ttl_ms == 0 || !is_kept || alone_ms <= ttl_ms {
            return;
        }
        let id = random_id(&mut self.rng);
        replication.history.restart(id);
        replication.backlog = None;
        self.follow_stream();
        tracing::info!(
            "Replication backlog freed after {} seconds without connected replicas.",
            ttl_ms / SECOND_MS
        );
    }

    /// A setting has changed that is about replicas.
    pub(in crate::command) fn follow_replica_settings(&mut self) {
        let size = num::usize_of(self.config.repl_backlog_size);
        if let Some(backlog) = &mut self.replication.backlog {
            backlog.resize(size);
        }
        self.follow_spill_setting();
        self.trim_backlog();
        self.judge_replicas();
    }

    /// A replica has sent something that is replied to. The reply would stand in the midst of the stream.
    #[cold]
    pub(in crate::command) fn refuse_reply_to_replica(
        &mut self,
        session: &mut Session,
        point: Checkpoint,
    ) {
        let command = session.last_command;
        if let Some(error) = session.output.error_since(point) {
            let shown = String::from_utf8_lossy(&error[..error.len().min(ERROR_SHOWN_MAX)]);
            let shown = shown.trim_end().replace(char::is_control, "?");
            tracing::warn!(
                "== CRITICAL == This master is sending an error to its replica: '{shown}' after \
                 processing the command '{command}'"
            );
        }
        session.output.roll_back(point);
        let line = self.client_line(session);
        tracing::warn!(
            "Replica generated a reply to command '{command}', disconnecting it: {line}"
        );
        self.close(session);
    }
}
