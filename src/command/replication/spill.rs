//! Older bytes of the stream on disk, if `repl-backlog-spill-size` says so: the server's part in it.

use crate::command::server::Server;
use crate::repl::News;

impl Server {
    /// Follows the setting: spills to a file, or no more.
    pub(super) fn follow_spill_setting(&mut self) {
        let limit = self.config.repl_backlog_spill_size;
        let needed = self.replication.replicas.needed().unwrap_or(u64::MAX);
        let Some(backlog) = &mut self.replication.backlog else { return };
        match (backlog.spill_mut(), limit) {
            (_, 0) => backlog.stop_spilling(needed),
            (Some(spill), _) => {
                spill.set_limit(limit);
                spill.trim(needed);
            }
            (None, _) => match self.host.spill_file() {
                Ok(file) => backlog.spill_to(file, limit),
                Err(reason) => tracing::warn!("Can't spill the replication backlog: {reason}"),
            },
        }
    }

    /// Takes note of what the disk has done: replicas go on with what was read.
    #[cold]
    pub fn look_after_spill(&mut self) {
        let Some(backlog) = &mut self.replication.backlog else { return };
        let Some(spill) = backlog.spill_mut() else { return };
        let could_write = spill.failure().is_none();
        let news = spill.poll();
        if let News::Lost(reason) = &news {
            tracing::warn!("Read error of the spilled replication backlog: {reason}");
        }
        if could_write && let Some(reason) = spill.failure() {
            tracing::warn!("Write error of the spilled replication backlog: {reason}");
        }
        let replicas = &self.replication.replicas;
        spill.release(replicas.iter().filter_map(|replica| replica.next));
        if news == News::None {
            return;
        }
        let (spilled_first, spilled_end) = (spill.first(), spill.end());
        let behind = replicas.iter().filter_map(|one| Some((one.place, one.next?)));
        let behind: Vec<(usize, u64)> = behind.filter(|(_, next)| *next < spilled_end).collect();
        for (place, next) in behind {
            if next < spilled_first {
                self.close_replica(place);
            } else if self.is_at_hand(place)
                && let Some(mut session) = self.sessions.take(place)
            {
                self.queue_write(&mut session);
                self.sessions.put(session);
            }
        }
    }

    /// Whether what a replica is to be sent next can be sent at once. If it has to come from disk, it is asked for.
    pub(super) fn is_at_hand(&mut self, place: usize) -> bool {
        let replication = &mut self.replication;
        let wanted = replication.replicas.get(place).and_then(|replica| replica.wants_from());
        let Some((from, backlog)) = wanted.zip(replication.backlog.as_mut()) else { return false };
        from < backlog.next() && backlog.prepare(from)
    }

    /// Tries again what the disk did not take, once a second.
    pub(super) fn retry_spilling(&mut self) {
        let limit = self.config.repl_backlog_spill_size;
        let Some(backlog) = &mut self.replication.backlog else { return };
        if let Some(spill) = backlog.spill_mut() {
            spill.retry();
            if limit == 0 {
                self.follow_spill_setting();
            }
        }
    }
}
