//! Full synchronisation: the snapshot goes to another thread as it comes, and what that makes of it takes
//! the place of the data.

use super::work::{Synced, Target, Transfer, Work};
use crate::base::num;
use crate::base::rng::Rng;
use crate::command::host::{Arrived, Plan};
use crate::command::persist::{Conditions, Loaded, Loading};
use crate::command::server::Server;
use crate::config::ReplDisklessLoad;
use crate::persist::Progress;
use crate::repl::link::{Length, Position};
use crate::session::{Closing, Session};
use crate::store::{Free, Keyspace};
use std::sync::Arc;

impl Server {
    pub(super) fn snapshot_begun(&mut self, session: &mut Session, length: Length) {
        let target = self.target();
        let (total, what) = match length {
            Length::Known(bytes) => (Some(bytes), format!("receiving {bytes} bytes from master")),
            Length::Marked => (None, "receiving streamed RDB from master with EOF".to_owned()),
        };
        let place = if target == Target::File { "to disk" } else { "to parser" };
        tracing::info!("MASTER <-> REPLICA sync: {what} {place}");
        if let Some(following) = self.following_mut() {
            following.sync_bytes_total = total;
            let is_marked = length == Length::Marked;
            following.work.transfer = Some(Transfer { target, is_marked });
        }
        if let Err(reason) = self.begin_intake(target, total) {
            tracing::warn!("The snapshot of the MASTER cannot be received: {reason}");
            self.close(session);
            self.link_lost(session);
        }
    }

    /// Where the next snapshot goes.
    fn target(&self) -> Target {
        let is_empty = (0..self.keyspace.len()).all(|db| self.keyspace.db(db).is_empty());
        let begins = self.work().and_then(|work| work.begins);
        let is_same_history =
            begins.is_some_and(|begins| begins.id == *self.replication.history.id());
        match self.config.repl_diskless_load {
            ReplDisklessLoad::Swapdb if is_same_history => Target::DataBeside,
            ReplDisklessLoad::Swapdb => Target::Data,
            ReplDisklessLoad::OnEmptyDb if is_empty => Target::Data,
            ReplDisklessLoad::OnEmptyDb | ReplDisklessLoad::Disabled => Target::File,
        }
    }

    fn begin_intake(&mut self, target: Target, total: Option<u64>) -> Result<(), String> {
        const NONE: &str = "there is nobody to load it";
        if target == Target::File {
            let intake = self.host.intake().ok_or(NONE)?;
            return intake.begin(Plan::Store, &self.config).map(drop);
        }
        if target == Target::Data {
            if self.conditions.contains(Conditions::BUSY) {
                return Err("a script is in execution, which sees the data".to_owned());
            }
            self.prepare_for_data();
        }
        let fresh = self.fresh_keyspace();
        let intake = self.host.intake().ok_or(NONE)?;
        let progress = intake.begin(Plan::Load(fresh), &self.config)?;
        tracing::info!("MASTER <-> REPLICA sync: Loading DB in memory");
        self.loading_begins(target, progress, total.unwrap_or(0));
        Ok(())
    }

    /// Ends what would not survive that the data are exchanged. Until then the primary before could be gone on
    /// with.
    fn prepare_for_data(&mut self) {
        if self.work_mut().is_some_and(|work| work.resumable.take().is_some()) {
            tracing::info!("Discarding previously cached master state.");
        }
        self.disconnect_replicas();
        self.replication.backlog = None;
        self.follow_stream();
        self.pause_log();
    }

    fn loading_begins(&mut self, target: Target, progress: Arc<Progress>, total_bytes: u64) {
        let condition = match target {
            Target::File | Target::Data => Conditions::LOADING,
            Target::DataBeside => Conditions::ASYNC_LOADING,
        };
        self.conditions.insert(condition);
        self.persistence.loading = Some(Loading { progress, total_bytes, started: self.now });
    }

    fn loading_ends(&mut self) {
        self.conditions.remove(Conditions::LOADING | Conditions::ASYNC_LOADING);
        self.persistence.loading = None;
    }

    /// Databases to load into, with the secret of those there are.
    pub(in crate::command) fn fresh_keyspace(&mut self) -> Keyspace {
        let rng = Rng::seeded(self.rng.next_u64());
        let keyspace = &self.keyspace;
        let mut fresh = Keyspace::new(keyspace.len(), keyspace.hash_key(), rng);
        fresh.set_now(self.now.unix_ms());
        fresh.set_policy(keyspace.policy());
        fresh
    }

    pub(super) fn snapshot_came(&mut self, bytes: &[u8]) {
        let now_s = self.now.unix_s();
        if let Some(following) = self.following_mut() {
            following.sync_bytes += num::u64_of(bytes.len());
            following.sync_heard_at_s = now_s;
        }
        if let Some(intake) = self.host.intake() {
            intake.give(bytes);
        }
    }

    pub(super) fn snapshot_complete(&mut self) {
        if let Some(intake) = self.host.intake() {
            intake.end();
        }
        self.look_after_transfer();
    }

    /// Whether more of the snapshot may be read.
    pub(super) fn transfer_has_room(&self) -> bool {
        let is_receiving = self.work().is_some_and(|work| work.transfer.is_some());
        !is_receiving || self.host.has_intake_room()
    }

    /// Looks what the other thread has done.
    pub fn look_after_transfer(&mut self) {
        let Some(transfer) = self.work().and_then(|work| work.transfer) else { return };
        // A script that others are served beside sees the data and is code of the libraries: both stay.
        if self.conditions.contains(Conditions::BUSY) {
            return;
        }
        let Self { host, config, .. } = self;
        let Some(arrived) = host.intake().and_then(|intake| intake.poll(config)) else { return };
        match arrived {
            Ok(Arrived::Stored) => {
                if let Err(reason) = self.load_stored() {
                    self.transfer_failed(&reason);
                }
            }
            Ok(Arrived::Loaded(loaded)) => self.synchronised(transfer, *loaded),
            Err(reason) => self.transfer_failed(&reason),
        }
    }

    /// The snapshot is in its file: the old data make room for it.
    fn load_stored(&mut self) -> Result<(), String> {
        self.prepare_for_data();
        self.cancel_own_snapshot();
        tracing::info!("MASTER <-> REPLICA sync: Flushing old data");
        self.drop_data();
        tracing::info!("MASTER <-> REPLICA sync: Loading DB in memory");
        let fresh = self.fresh_keyspace();
        let intake = self.host.intake().ok_or("there is nobody to load it")?;
        let progress = intake.begin(Plan::LoadStored(fresh), &self.config)?;
        let total = self.replication.role.following().map_or(0, |following| following.sync_bytes);
        self.loading_begins(Target::File, progress, total);
        Ok(())
    }

    fn drop_data(&mut self) {
        let free = match self.config.replica_lazy_flush {
            true => Free::Here,
            false => Free::Blocking,
        };
        for db in 0..self.keyspace.len() {
            self.keyspace.flush(db, free);
        }
        self.persistence.libraries = Vec::new();
        self.load_libraries();
        self.invalidate_all();
        self.drop_garbage();
    }

    /// The data are those of the primary.
    fn synchronised(&mut self, transfer: Transfer, loaded: Loaded) {
        self.loading_ends();
        if transfer.target == Target::DataBeside {
            self.prepare_for_data();
        }
        let stream_db = loaded.origin.as_ref().map_or(0, |origin| origin.stream_db);
        self.adopt(loaded);
        self.invalidate_all();
        self.keyspace.dirty = 0;
        let begins = self.work_mut().and_then(|work| {
            work.transfer = None;
            work.synced = Synced::default(); // those were offsets of another history
            work.begins.take()
        });
        match begins {
            Some(Position { id, offset }) => self.replication.history.adopt(id, offset),
            None => {
                let id = self.new_repl_id();
                self.replication.history.restart(id);
            }
        }
        self.replication.backlog = None;
        self.open_backlog();
        let stream_db = if stream_db < self.keyspace.len() { stream_db } else { 0 };
        if self.work().is_some_and(Work::is_linked) {
            self.link_is_up();
            self.begin_stream(transfer, begins, stream_db);
        } else {
            self.keep_place(stream_db); // the link broke while the data were loaded
        }
        tracing::info!("MASTER <-> REPLICA sync: Finished with success");
        self.log_again();
    }

    fn begin_stream(&mut self, transfer: Transfer, begins: Option<Position>, stream_db: usize) {
        let now_ms = self.now.mono_ms();
        let Some(connected) = self.work_mut().and_then(|work| work.connected.as_mut()) else {
            return;
        };
        let offset = begins.filter(|_| transfer.is_marked).map(|begins| begins.offset);
        connected.link.loaded(now_ms, offset);
        let place = connected.place;
        if let Some(work) = self.work_mut() {
            work.stream_db = stream_db;
        }
        let Some(mut session) = self.sessions.take(place) else { return };
        session.db = stream_db;
        self.speak(&mut session);
        self.sessions.put(session);
    }

    fn transfer_failed(&mut self, reason: &str) {
        tracing::warn!("Failed trying to load the MASTER synchronization DB: {reason}");
        self.give_up_transfer();
        let place = self.work().and_then(|work| work.connected.as_ref());
        let Some(place) = place.map(|connected| connected.place) else { return };
        let Some(mut session) = self.sessions.take(place) else { return };
        if session.closing != Closing::Now {
            self.close(&mut session);
        }
        self.link_lost(&session);
        self.sessions.put(session);
    }

    /// Forgets the snapshot that is being received or loaded, if there is one.
    pub(super) fn give_up_transfer(&mut self) {
        let Some(transfer) = self.work_mut().and_then(|work| work.transfer.take()) else { return };
        if let Some(intake) = self.host.intake() {
            intake.cancel();
        }
        if self.persistence.loading.is_some() {
            self.loading_ends();
            self.log_again_if_whole(transfer);
        }
    }

    /// The log was ended for data that did not come. If those before are still there, it goes on with them.
    fn log_again_if_whole(&mut self, transfer: Transfer) {
        match transfer.target {
            Target::DataBeside => {}
            Target::File | Target::Data => self.log_again(),
        }
    }
}
