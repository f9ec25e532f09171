//! Copies of what clients have changed: how many there are, and who waits for more.

use crate::base::num;
use crate::command::persist::{Conditions, Reached};
use crate::command::server::Server;
use crate::command::{Error, Outcome, dispatch};
use crate::resp::Output;
use crate::session::{AwaitedCopies, ClientId, CopyKind};

/// How many copies there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    kind: CopyKind,
    here: u64,
    there: u64,
}

impl Copies {
    /// Whether these are as many as somebody waits for.
    pub const fn satisfy(self, awaited: &AwaitedCopies) -> bool {
        self.here >= awaited.here && self.there >= awaited.there
    }

    /// As WAIT and WAITAOF tell them.
    pub fn reply(self, out: &mut Output) {
        match self.kind {
            CopyKind::InMemory => out.integer(num::i64_clamped(self.there)),
            CopyKind::OnDisk => {
                out.array(2);
                out.integer(num::i64_clamped(self.here));
                out.integer(num::i64_clamped(self.there));
            }
        }
    }
}

impl Server {
    /// How many copies there are of what a client waits for.
    pub fn copies(&self, awaited: &AwaitedCopies) -> Copies {
        let replicas = &self.replication.replicas;
        let (here, there) = match awaited.kind {
            CopyKind::InMemory => (0, replicas.acknowledged(awaited.offset)),
            CopyKind::OnDisk => {
                let here = match self.reached(awaited.position) {
                    Reached::Disk => 1,
                    Reached::Memory => 0,
                };
                (here, replicas.on_disk(awaited.offset))
            }
        };
        Copies { kind: awaited.kind, here, there: num::u64_of(there) }
    }

    /// Replies to the clients that have by now what they wait for, and forgets those that wait no longer.
    pub(in crate::command) fn serve_copies(&mut self) {
        if self.persistence.awaiting_copies.is_empty() {
            return;
        }
        for id in std::mem::take(&mut self.persistence.awaiting_copies) {
            let Some(awaited) = self.awaited_copies(id) else { continue };
            let copies = self.copies(&awaited);
            if copies.satisfy(&awaited) {
                self.reply_to_waiting(id, |out| {
                    copies.reply(out);
                    Ok(())
                });
            } else {
                self.persistence.awaiting_copies.push(id);
            }
        }
    }

    /// Refuses the clients that wait for this server's disk, to which nothing is logged any more.
    pub(in crate::command) fn refuse_sync_waits(&mut self, error: &Error) {
        for id in std::mem::take(&mut self.persistence.awaiting_copies) {
            match self.awaited_copies(id).map(|awaited| awaited.here) {
                Some(0) => self.persistence.awaiting_copies.push(id),
                Some(_) => self.reply_to_waiting(id, |_| Err(error.clone())),
                None => {}
            }
        }
    }

    fn awaited_copies(&self, id: ClientId) -> Option<AwaitedCopies> {
        let index = self.sessions.index_of(id)?;
        self.sessions.get(index)?.blocked.as_ref()?.copies
    }

    /// Ends a client's waiting with a reply.
    pub(in crate::command) fn reply_to_waiting(
        &mut self,
        id: ClientId,
        write: impl FnOnce(&mut Output) -> Outcome,
    ) {
        let Some(index) = self.sessions.index_of(id) else { return };
        let Some(mut session) = self.sessions.take(index) else { return };
        if self.end_wait(&mut session).is_some() {
            self.lend_buffer(&mut session);
            dispatch::reply_later(self, &mut session, write);
            self.resume_soon(&mut session);
        }
        self.sessions.put(session);
    }

    /// Whether a replica has not everything yet, as far as is known.
    pub(in crate::command) fn lacks_replicas(&self) -> bool {
        let replication = &self.replication;
        let offset = replication.history.offset() + num::u64_of(self.effects.stream_len());
        replication.role.is_primary()
            && replication.replicas.iter().any(|one| one.is_online() && one.acknowledged < offset)
    }

    /// Tells the log which replicas miss a part of what was changed.
    pub(in crate::command) fn log_lagging_replicas(&self) {
        let offset = self.replication.history.offset();
        let online = || self.replication.replicas.iter().filter(|replica| replica.is_online());
        for replica in online().filter(|replica| replica.acknowledged < offset) {
            let name = self.name_of_replica(replica);
            tracing::warn!(
                "Lagging replica {name} reported offset {} behind master, lag={}, state={}.",
                offset - replica.acknowledged,
                replica.lag_s(self.now.mono_ms()),
                replica.stage.name()
            );
        }
        let in_sync = online().filter(|replica| replica.acknowledged >= offset).count();
        let all = online().count();
        tracing::info!("{in_sync} of {all} replicas are in sync when shutting down.");
    }

    /// How many replicas have said something lately.
    pub fn good_replicas(&self) -> usize {
        self.judged_replicas().0
    }

    /// As [`Server::good_replicas`], and when there will be fewer, milliseconds of the rising clock.
    fn judged_replicas(&self) -> (usize, u64) {
        let lag_s = u64::from(self.config.min_replicas_max_lag);
        self.replication.replicas.good(self.now.mono_ms(), lag_s)
    }

    /// Notes whether there are as many good replicas as it takes to change data.
    pub fn judge_replicas(&mut self) {
        let config = &self.config;
        let wanted = num::usize_of_u32(config.min_replicas_to_write);
        let is_judged =
            wanted > 0 && config.min_replicas_max_lag > 0 && self.replication.role.is_primary();
        let (good, until_ms) = if is_judged { self.judged_replicas() } else { (0, u64::MAX) };
        let are_few = is_judged && good < wanted;
        self.replication.judged_until_ms = until_ms;
        self.conditions.set(Conditions::FEW_REPLICAS, are_few);
    }
}
