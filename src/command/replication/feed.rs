//! The stream: what is added to it, and who is to be sent it.

use super::state::random_id;
use crate::base::num;
use crate::command::server::Server;
use crate::repl::{Backlog, ReplId};

impl Server {
    /// An id for a new history.
    pub fn new_repl_id(&mut self) -> ReplId {
        random_id(&mut self.rng)
    }

    /// Keeps the stream from here on, if it was not kept.
    pub fn open_backlog(&mut self) {
        let size = num::usize_of(self.config.repl_backlog_size);
        let next = self.replication.history.offset() + 1;
        self.replication.backlog.get_or_insert_with(|| Backlog::new(size, next));
    }

    /// Adds bytes to the stream and to the backlog if there is one: on a primary what commands changed, on a
    /// replica the bytes that its primary has sent, unchanged. Replicas are sent them at the end of the turn.
    pub fn extend_stream(&mut self, bytes: &[u8]) {
        let replication = &mut self.replication;
        replication.history.advance(bytes.len());
        if let Some(backlog) = &mut replication.backlog {
            backlog.append(bytes);
            backlog.trim(replication.replicas.needed().unwrap_or(u64::MAX));
            debug_assert_eq!(backlog.next(), replication.history.offset() + 1);
        }
        for replica in replication.replicas.iter().filter(|replica| replica.is_online()) {
            if let Some(session) = self.sessions.get_mut(replica.place)
                && !session.is_queued_for_write
            {
                session.is_queued_for_write = true;
                self.writable.push(replica.place);
            }
        }
    }
}
