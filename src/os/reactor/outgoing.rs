//! The connection to the primary of a replica, and sockets that have become writable, as its does first.

use super::{Input, READ_BYTES, Reactor, Received, Service, own};
use crate::os::dial::Dialled;
use crate::os::errno;
use crate::os::stream::Stream;
use crate::os::tls::channel::Greeting;
use crate::os::tls::wire::Wire;
use crate::session::SessionFlags;
use std::io;
use std::os::fd::AsRawFd;

/// Reads from the primary in one turn.
const READS_PER_TURN: usize = 16;

impl Reactor {
    /// Does what is due about the connection to the primary.
    #[inline]
    pub(super) fn look_after_primary(&mut self) {
        if !self.node.server.replication.role.is_primary() {
            self.service().attend_to_primary();
        }
    }
}

impl Service<'_> {
    #[cold]
    fn attend_to_primary(&mut self) {
        if let Some(dial) = self.node.server.take_dial()
            && let Some(dialled) = self.io.dialler.begin(dial)
        {
            self.dialled(dialled);
        }
        if let Some(dialled) = self.io.dialler.poll() {
            self.dialled(dialled);
        }
        if self.io.primary_unread.is_some()
            && self.node.server.wants_primary_input()
            && let Some(index) = self.io.primary_unread.take()
        {
            self.queue_unread(index);
        }
    }

    /// Notes that a client's socket has room again for what was not sent.
    #[inline]
    pub(super) fn queue_unsent(&mut self, index: usize) {
        let server = &mut *self.node.server;
        let Some(session) = server.sessions.get_mut(index) else { return };
        let has_more = !session.output.is_empty() || session.flags.contains(SessionFlags::REPLICA);
        if has_more && !session.is_queued_for_write {
            session.active_at_s = self.io.woken.unix_s(); // it has read something
            session.is_queued_for_write = true;
            server.writable.push(index);
        } else if session.flags.contains(SessionFlags::PRIMARY) {
            self.greet_primary(index);
        }
    }

    /// Goes on with the handshake, if it is not over; without TLS it is, as soon as the socket is connected.
    #[cold]
    fn greet_primary(&mut self, index: usize) {
        let Some(Some(connection)) = self.io.connections.get_mut(index) else { return };
        if !connection.wire.is_greeting() {
            return self.node.link_connected(index);
        }
        match connection.wire.greet() {
            Ok(Greeting::Waits) => {}
            Ok(Greeting::More) => self.queue_unread(index),
            Ok(Greeting::Done) => {
                self.node.link_connected(index);
                self.queue_unread(index); // the end of the handshake may not be all that came
            }
            Err(error) => self.primary_failed(index, &error),
        }
    }

    fn primary_failed(&mut self, index: usize, error: &io::Error) {
        if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            tracing::warn!("Error condition on socket for SYNC: {}", errno::text(error));
        }
        self.read_failed(index, error);
    }

    fn dialled(&mut self, dialled: Dialled) {
        let Dialled { attempt, made } = dialled;
        let (stream, peer, local) = match made {
            Ok(made) => made,
            Err(error) => {
                return self.node.server.dial_failed(attempt, &errno::text(&error));
            }
        };
        let wire = match self.primary_wire(stream) {
            Ok(wire) => wire,
            Err(error) => {
                return self.node.server.dial_failed(attempt, &errno::text(&error));
            }
        };
        let descriptor = wire.stream().as_raw_fd();
        if let Some(index) = self.node.dialled(attempt, peer, local, descriptor) {
            self.enlist(wire, index);
        }
    }

    /// The connection to the primary, with TLS if that is wanted.
    fn primary_wire(&self, stream: Stream) -> io::Result<Wire> {
        let server = &*self.node.server;
        if !server.config.tls_replication {
            return Ok(Wire::plain(stream));
        }
        let contexts = self.io.tls.borrow();
        let contexts =
            contexts.as_ref().ok_or_else(|| io::Error::other("there is no certificate for TLS"))?;
        let host = server.replication.role.following().map_or("", |following| &following.host);
        Wire::client(stream, &contexts.client, host)
    }

    /// Reads what the primary sent, as long as there is room for it.
    #[cold]
    pub(super) fn read_primary(&mut self, index: usize) {
        self.hand_on(); // what others sent before
        for _ in 0..READS_PER_TURN {
            if !self.node.server.wants_primary_input() {
                self.io.primary_unread = Some(index);
                return;
            }
            let io = &mut **self.io;
            let Some(Some(connection)) = io.connections.get_mut(index) else { return };
            if connection.wire.is_greeting() {
                return self.greet_primary(index);
            }
            let Input { buffer, received } = own(&mut io.input);
            match connection.wire.read(&mut buffer[..READ_BYTES]) {
                Ok(0) => return self.disconnect(index, None),
                Ok(count) => {
                    let is_drained =
                        connection.wire.is_drained(count, READ_BYTES) && !connection.has_ended;
                    received.push(Received { client: index, bytes: 0..count });
                    self.count_read(index, count);
                    self.hand_on();
                    if is_drained {
                        return;
                    }
                }
                Err(error) => return self.primary_failed(index, &error),
            }
        }
        self.queue_unread(index);
    }
}
