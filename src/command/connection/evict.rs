//! `maxmemory-clients`: clients that take too much memory together are disconnected, those first that
//! take most.

use crate::command::server::Server;
use crate::config::ClientMemory;
use crate::session::{Closing, Session};

/// With less than this for all clients one could not even change the limit, bytes.
const LIMIT_BYTES_MIN: u64 = 128 * 1024;

impl Server {
    /// What all clients together may take, bytes; `None` is no limit.
    fn client_memory_limit(&self) -> Option<u64> {
        let limit = match self.config.maxmemory_clients {
            ClientMemory::Bytes(bytes) => bytes,
            ClientMemory::Percent(percent) => {
                let share = u128::from(self.config.maxmemory) * u128::from(percent) / 100;
                u64::try_from(share).unwrap_or(u64::MAX)
            }
        };
        (limit > 0).then(|| limit.max(LIMIT_BYTES_MIN))
    }

    /// Counts what a client takes, if there is a limit for all of them.
    #[inline]
    pub fn note_client_memory(&mut self, session: &mut Session) {
        if self.ledger.is_kept() && session.closing != Closing::Now {
            self.ledger.note(session);
        }
    }

    /// Disconnects clients until the others keep within the limit.
    #[inline]
    pub fn evict_clients(&mut self) {
        if self.ledger.is_kept() && self.ledger.total_bytes() > LIMIT_BYTES_MIN {
            self.evict_largest_clients();
        }
    }

    /// As [`Server::evict_clients`], in the midst of what one client, which is out of the table, has sent.
    pub fn check_client_memory(&mut self, session: &mut Session) {
        self.note_client_memory(session);
        self.evict_clients();
        let Some(limit) = self.client_memory_limit() else { return };
        if self.ledger.total_bytes() > limit && self.ledger.largest() == Some(session.id) {
            self.evict_client(session);
        }
    }

    fn evict_client(&mut self, session: &mut Session) {
        tracing::info!(
            client = session.id.0,
            bytes = session.memory_bytes(),
            "Evicting client: all clients together take more than maxmemory-clients"
        );
        self.stats.evicted_clients += 1;
        self.close(session);
    }

    fn evict_largest_clients(&mut self) {
        let Some(limit) = self.client_memory_limit() else { return };
        while self.ledger.total_bytes() > limit {
            let Some(id) = self.ledger.largest() else { return };
            let index = self.sessions.index_of(id).expect("who is gone is forgotten");
            // Only the client being served is out of the table, and it is counted when it is back.
            let Some(mut session) = self.sessions.take(index) else { return };
            self.evict_client(&mut session);
            self.sessions.put(session);
        }
    }

    /// `maxmemory-clients` has changed. Who asked for it is counted after its command.
    pub(in crate::command) fn follow_client_memory_limit(&mut self) {
        let is_limited = self.config.maxmemory_clients != ClientMemory::Bytes(0);
        if is_limited == self.ledger.is_kept() {
            return;
        }
        if !is_limited {
            return self.ledger.stop();
        }
        self.ledger.start();
        let indexes: Vec<usize> = self.sessions.indexes().collect();
        for index in indexes {
            let Some(mut session) = self.sessions.take(index) else { continue };
            self.note_client_memory(&mut session);
            self.sessions.put(session);
        }
    }
}
