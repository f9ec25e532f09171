//! Writing to replicas: what they are told, then the stream or a snapshot, as it lies in the server's blocks.

use super::{Service, WRITE_BYTES_PER_TURN};
use crate::base::num;
use crate::session::Closing;
use std::io::ErrorKind;

/// Why writing stopped.
enum Stopped {
    /// There is nothing more.
    Done,
    /// The socket takes no more for the time being.
    Full,
    /// The turn is over for this one.
    EnoughForNow,
}

impl Service<'_> {
    /// Writes what was added to the stream to all replicas.
    pub(super) fn write_stream(&mut self) {
        self.node.server.replication.unsent.clear();
        let replicas = self.node.server.replication.replicas.iter();
        let ready = replicas.filter(|replica| replica.wants_from().is_some());
        let places: Vec<usize> = ready.map(|replica| replica.place).collect();
        for place in places {
            self.write(place);
        }
        if !self.node.server.doomed.is_empty() {
            self.close_doomed();
        }
    }

    /// Writes to a replica.
    pub(super) fn write_to_replica(&mut self, index: usize) {
        let server = &mut *self.node.server;
        let Some(session) = server.sessions.get_mut(index) else { return };
        session.is_queued_for_write = false;
        session.is_queued_for_push = false;
        let stopped = match self.write_parts(index) {
            Ok(stopped) => stopped,
            Err(error) => return self.disconnect(index, Some(&error)),
        };
        let server = &mut *self.node.server;
        server.stats.writes += 1;
        let Some(session) = server.sessions.get_mut(index) else { return };
        match stopped {
            Stopped::Done if session.closing == Closing::AfterReplies => self.close_gently(index),
            Stopped::Done => server.reclaim_buffer(index),
            Stopped::Full => {
                session.output.seal();
                self.node.check_output(index);
            }
            Stopped::EnoughForNow => {
                session.is_queued_for_write = true;
                self.io.unwritten.push(index);
            }
        }
    }

    fn write_parts(&mut self, index: usize) -> std::io::Result<Stopped> {
        let io = &mut **self.io;
        let Some(Some(connection)) = io.connections.get_mut(index) else {
            return Ok(Stopped::Done);
        };
        let server = &mut *self.node.server;
        let mut written = 0;
        loop {
            if written >= WRITE_BYTES_PER_TURN {
                return Ok(Stopped::EnoughForNow);
            }
            let Some(session) = server.sessions.get_mut(index) else { return Ok(Stopped::Done) };
            // What was begun comes first: its rest may lie enciphered already.
            let is_told = connection.wire.owes_pieces() || session.output.is_empty();
            let stays = session.closing == Closing::No;
            if is_told && !(stays && server.prepare_replica(index)) {
                return Ok(Stopped::Done);
            }
            let wrote = if is_told {
                let room = WRITE_BYTES_PER_TURN - written;
                connection.wire.write_pieces(server.replica_pieces(index), room)
            } else {
                let Some(session) = server.sessions.get(index) else { return Ok(Stopped::Done) };
                connection.wire.write_output(&session.output, WRITE_BYTES_PER_TURN)
            };
            let count = match wrote {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Stopped::Full),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            written += count;
            server.stats.output_bytes += num::u64_of(count);
            let Some(session) = server.sessions.get_mut(index) else { return Ok(Stopped::Done) };
            session.sent_bytes += num::u64_of(count);
            if is_told {
                server.replica_sent(index, count);
            } else {
                session.output.advance(count);
            }
        }
    }
}
