//! Full synchronisation: which snapshot replicas are sent, and when it is made.

use crate::base::num;
use crate::command::host::{ChildEnd, ChildKind};
use crate::command::persist::{Child, Requested, Target};
use crate::command::server::Server;
use crate::repl::{Capabilities, Replica, Stage};

const FILTERS: Capabilities = Capabilities::NO_KEYS.union(Capabilities::NO_FUNCTIONS);

impl Server {
    /// Gives replicas that wait for a snapshot the one that is being made, or begins one.
    pub(super) fn start_full_syncs(&mut self) {
        let waiting = |replica: &&Replica| replica.stage == Stage::WaitsForStart;
        if self.replication.replicas.iter().find(waiting).is_none() {
            return;
        }
        self.join_snapshot();
        let Some(first) = self.replication.replicas.iter().find(waiting) else { return };
        let same = |replica: &&Replica| waiting(replica) && replica.takes_snapshot_of(first);
        let group: Vec<usize> =
            self.replication.replicas.iter().filter(same).map(|replica| replica.place).collect();
        let target = self.target_for(first);
        let is_relaying = target == Target::Pipe && self.replication.transfers.is_relaying();
        if self.persistence.child.is_some() || is_relaying || self.in_transaction {
            return; // the end of that is news
        }
        let asked_at_ms = self.replication.replicas.iter().filter(same).map(|one| one.asked_at_ms);
        let waited_ms = self.now.mono_ms().saturating_sub(asked_at_ms.min().unwrap_or(0));
        let config = &self.config;
        let delay_ms = u64::from(config.repl_diskless_sync_delay) * 1000;
        let enough = num::usize_of_u32(config.repl_diskless_sync_max_replicas);
        let are_enough = enough > 0 && group.len() >= enough;
        if config.repl_diskless_sync
            && target == Target::Pipe
            && waited_ms < delay_ms
            && !are_enough
        {
            return;
        }
        self.start_full_sync(&group, target);
    }

    /// Where a replica's snapshot is written.
    fn target_for(&self, replica: &Replica) -> Target {
        let capabilities = replica.announced.capabilities;
        let is_filtered = capabilities.intersects(FILTERS);
        let is_diskless = self.config.repl_diskless_sync || is_filtered;
        match is_diskless && capabilities.contains(Capabilities::EOF) {
            true => Target::Pipe,
            false => Target::File,
        }
    }

    /// Gives replicas the snapshot that is being written to a file, if the stream is kept from its start on.
    fn join_snapshot(&mut self) {
        let Some(child) = self.persistence.child_of(ChildKind::Snapshot).copied() else { return };
        let Child { offset: Some(offset), target: Target::File, .. } = child else { return };
        let is_kept = |from| self.replication.backlog.as_ref().is_some_and(|kept| kept.holds(from));
        if !is_kept(offset + 1) {
            return;
        }
        let joins = |replica: &&Replica| {
            let capabilities = replica.announced.capabilities;
            replica.stage == Stage::WaitsForStart && !capabilities.intersects(FILTERS)
        };
        let group: Vec<usize> =
            self.replication.replicas.iter().filter(joins).map(|replica| replica.place).collect();
        for place in group {
            tracing::info!("Waiting for end of BGSAVE for SYNC");
            self.promise_snapshot(place, offset);
        }
    }

    fn start_full_sync(&mut self, group: &[usize], target: Target) {
        let name = match target {
            Target::Pipe => "replicas sockets",
            Target::File => "disk",
        };
        tracing::info!("Starting BGSAVE for SYNC with target: {name}");
        self.commit_changes();
        self.effects.forget_db(); // not everybody reads in the snapshot which database it is
        let first = group.first().and_then(|&place| self.replication.replicas.get(place));
        let Some(wanted) = first.map(|replica| replica.announced.capabilities) else { return };
        let started = match target {
            Target::Pipe => self.start_pipe_snapshot(Requested {
                keys: !wanted.contains(Capabilities::NO_KEYS),
                functions: !wanted.contains(Capabilities::NO_FUNCTIONS),
            }),
            Target::File => self.start_snapshot(),
        };
        let offset = self.replication.history.offset();
        match started {
            Ok(()) => {
                for &place in group {
                    self.promise_snapshot(place, offset);
                }
                if target == Target::Pipe {
                    self.begin_relay(group);
                }
            }
            Err(_) => {
                for &place in group {
                    self.refuse_snapshot(place);
                }
            }
        }
    }

    /// Tells a replica which snapshot it will get, and keeps the stream for it from there on.
    fn promise_snapshot(&mut self, place: usize, offset: u64) {
        let id = *self.replication.history.id();
        let now_s = self.now.unix_s();
        let Some(replica) = self.replication.replicas.get_mut(place) else { return };
        replica.stage = Stage::WaitsForEnd;
        replica.next = Some(offset + 1);
        replica.took_at_s = now_s;
        let is_old = replica.is_old;
        if let Some(mut session) = self.sessions.take(place) {
            if !is_old {
                self.lend_buffer(&mut session);
                session.output.simple(&format!("FULLRESYNC {id} {offset}"));
                self.queue_write(&mut session);
            }
            self.sessions.put(session);
        }
    }

    fn refuse_snapshot(&mut self, place: usize) {
        tracing::warn!("BGSAVE for replication failed");
        if let Some(mut session) = self.sessions.take(place) {
            self.lend_buffer(&mut session);
            session.output.error(b"ERR BGSAVE failed, replication can't continue");
            session.close_after_replies();
            self.queue_write(&mut session);
            self.sessions.put(session);
        }
    }

    /// A snapshot's file is complete, or will not be: replicas that waited for it are sent it, or closed.
    pub(in crate::command) fn snapshot_for_replicas_ended(&mut self, end: ChildEnd) {
        self.replication.has_news = true; // others may wait for one of their own
        let transfers = &self.replication.transfers;
        // Those of an earlier snapshot may still be taking it from the relay.
        let waits = |replica: &&Replica| {
            replica.stage == Stage::WaitsForEnd && !transfers.serves(replica.place)
        };
        let group: Vec<usize> =
            self.replication.replicas.iter().filter(waits).map(|replica| replica.place).collect();
        let path = self.config.dbfilename.clone();
        for &place in &group {
            let opened = match end {
                ChildEnd::Done => self.host.open_file(path.as_path()),
                ChildEnd::Failed | ChildEnd::GaveUp | ChildEnd::Killed(_) => {
                    tracing::warn!("SYNC failed. BGSAVE child returned an error");
                    self.close_replica(place);
                    continue;
                }
            };
            match opened {
                Ok((file, len)) => self.send_file(place, file, len),
                Err(error) => {
                    tracing::warn!("SYNC failed. Can't open/stat DB after BGSAVE: {error}");
                    self.close_replica(place);
                }
            }
        }
        let config = &self.config;
        let is_persistent = config.appendonly || !config.save.is_empty();
        if config.rdb_del_sync_files && !is_persistent && !group.is_empty() {
            tracing::info!("Removing the RDB file that was made for replication");
            // Those who are being sent it have it open.
            if let Err(error) = self.host.remove_file(path.as_path()) {
                tracing::warn!("Can't remove the RDB file: {error}");
            }
        }
    }

    fn send_file(&mut self, place: usize, file: Box<dyn std::io::Read>, len: u64) {
        let Some(replica) = self.replication.replicas.get_mut(place) else { return };
        replica.stage = Stage::Receives;
        if let Some(mut session) = self.sessions.take(place) {
            self.lend_buffer(&mut session);
            session.output.raw(format!("${len}\r\n").as_bytes());
            self.queue_write(&mut session);
            self.sessions.put(session);
        }
        self.begin_file(place, file, len);
    }
}
