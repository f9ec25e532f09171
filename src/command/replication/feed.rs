//! The stream: what is added to it, who is to be sent it, and what is done with it at the end of a turn.

use super::state::random_id;
use crate::base::num;
use crate::command::effects::Listener;
use crate::command::server::Server;
use crate::repl::{Backlog, ReplId};

/// Asks all replicas how far they are.
const GETACK: &[u8] = b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";

impl Server {
    /// An id for a new history.
    pub fn new_repl_id(&mut self) -> ReplId {
        random_id(&mut self.rng)
    }

    /// Keeps the stream from here on, if it was not kept.
    pub fn open_backlog(&mut self) {
        let size = num::usize_of(self.config.repl_backlog_size);
        let next = self.replication.history.offset() + 1;
        if self.replication.backlog.is_none() {
            self.replication.backlog = Some(Backlog::new(size, next));
            // Until the first replica comes: `repl-backlog-ttl` counts from here.
            self.replication.alone_since_ms = self.now.mono_ms();
            self.follow_spill_setting();
        }
        self.follow_stream();
    }

    /// Records what commands change if that is the stream: on a primary whose stream is kept. To be called when
    /// the role has changed.
    pub fn follow_stream(&mut self) {
        let is_kept = self.replication.backlog.is_some();
        let feeds = self.effects.feeds_replicas();
        match (self.replication.role.is_primary() && is_kept, feeds) {
            (true, false) => self.listen(Listener::Replicas),
            (false, true) => {
                if !self.effects.is_within_unit() {
                    self.commit();
                }
                self.stop_listening(Listener::Replicas);
            }
            (true, true) | (false, false) => {}
        }
    }

    /// Adds bytes to the stream and to the backlog if there is one: on a primary what commands changed, on a
    /// replica the bytes that its primary has sent, unchanged. Replicas are sent them soon.
    pub fn extend_stream(&mut self, bytes: &[u8]) {
        let replication = &mut self.replication;
        replication.history.advance(bytes.len());
        if let Some(backlog) = &mut replication.backlog {
            backlog.append(bytes);
            debug_assert_eq!(backlog.next(), replication.history.offset() + 1);
        }
        self.drop_the_slow();
        self.trim_backlog();
        self.replication.unsent.add(bytes.len());
    }

    /// Gives up what of the stream nobody needs.
    pub fn trim_backlog(&mut self) {
        let needed = self.replication.replicas.needed().unwrap_or(u64::MAX);
        if let Some(backlog) = &mut self.replication.backlog {
            backlog.trim(needed);
        }
    }

    /// Closes replicas that wait for a snapshot and hold up more of the stream than `client-output-buffer-limit`
    /// lets them. Those that are sent the stream are judged when they take no more of it.
    fn drop_the_slow(&mut self) {
        let limit = self.replica_limit_bytes();
        if limit == 0 {
            return;
        }
        let Some(needed) = self.replication.replicas.needed() else { return };
        if self.replication.held_up_from(needed) < limit {
            return;
        }
        let replicas = self.replication.replicas.iter();
        let waiting = replicas.filter(|replica| replica.wants_from().is_none());
        let places: Vec<usize> = waiting.map(|replica| replica.place).collect();
        for place in places {
            if self.replication.held_up_by(place) >= limit
                && let Some(mut session) = self.sessions.take(place)
            {
                self.check_output_limit(&mut session);
                self.sessions.put(session);
            }
        }
    }

    /// How far behind a replica may be, bytes; 0 is no limit. One that may go on from the backlog would not get
    /// far if the limit were less than that.
    pub fn replica_limit_bytes(&self) -> u64 {
        match self.config.client_output_buffer_limit.replica.hard_bytes {
            0 => 0,
            bytes => bytes.max(self.config.repl_backlog_size),
        }
    }

    /// Adds what commands changed to the stream, at the end of a turn.
    pub(in crate::command) fn feed_replicas(&mut self) {
        if self.effects.bytes().is_empty() {
            return;
        }
        if self.effects.is_for_all() {
            let bytes = self.effects.lend();
            self.extend_stream(&bytes);
            self.effects.give_back(bytes);
        } else {
            let bytes = self.effects.bytes_for_replicas().into_owned();
            self.extend_stream(&bytes);
        }
    }

    /// Does what there is to do at the end of a turn besides sending the stream.
    #[cold]
    pub(in crate::command) fn attend_to_replicas(&mut self) {
        self.replication.has_news = false;
        self.start_full_syncs();
        // While clients are paused the stream is not to grow, unless the pause is for the replicas' sake.
        let is_awaited =
            self.replication.failover.is_waiting() || self.persistence.ends_at_ms.is_some();
        let may_ask = self.pause.is_none() || is_awaited;
        if may_ask
            && std::mem::take(&mut self.replication.asks)
            && self.replication.role.is_primary()
        {
            self.extend_stream(GETACK);
            self.replication.unsent.hurry();
        }
        self.serve_copies();
        self.advance_failover();
    }

    /// Asks replicas at the end of the turn how far they are.
    pub(in crate::command) const fn ask_replicas(&mut self) {
        self.replication.asks = true;
        self.replication.has_news = true;
    }
}
