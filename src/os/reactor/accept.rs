//! New connections.

use super::{Connection, Service, client_token};
use crate::base::num;
use crate::os::errno;
use crate::os::linger::Registered;
use crate::os::listen::{self, Listener, Transport};
use crate::os::stream::Stream;
use crate::os::tls::wire::Wire;
use crate::session::Endpoint;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::rc::Rc;

/// How long nothing is accepted after the system had no descriptor or memory for a connection,
/// milliseconds. It waits in the kernel meanwhile.
const SHORTAGE_MS: u64 = 100;

/// How accepting goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Supply {
    /// As it should.
    #[default]
    Enough,
    /// The system refuses; it is asked again at this time of the rising clock, milliseconds.
    ShortUntil(u64),
}

/// What a listener had.
enum Found {
    Connection(Box<(Stream, Endpoint, Endpoint)>),
    /// One that was gone before it was accepted.
    Corpse,
    Nothing,
    Shortage(io::Error),
}

fn ask(listener: &Listener) -> Found {
    match listener.accept() {
        Ok(accepted) => Found::Connection(Box::new(accepted)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock => Found::Nothing,
            ErrorKind::Interrupted
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::NotConnected => Found::Corpse,
            _ => Found::Shortage(error),
        },
    }
}

impl Service<'_> {
    /// After how many milliseconds there is something to accept; `None` if nothing is known to wait.
    pub(super) fn accept_wait_ms(&self, now_ms: u64) -> Option<u64> {
        let waits = self.io.listeners.borrow().iter().any(|listener| listener.has_more);
        waits.then(|| match self.io.supply {
            Supply::Enough => 0,
            Supply::ShortUntil(at_ms) => at_ms.saturating_sub(now_ms),
        })
    }

    /// Accepts waiting connections, a bounded number in one turn.
    #[inline]
    pub(super) fn accept_waiting(&mut self) {
        let now_ms = self.io.woken.mono_ms();
        if self.accept_wait_ms(now_ms) == Some(0) {
            self.accept_some(now_ms);
        }
    }

    fn accept_some(&mut self, now_ms: u64) {
        let listeners = Rc::clone(&self.io.listeners);
        let config = &self.node.server.config;
        let (most_plain, most_tls) =
            (config.max_new_connections_per_cycle, config.max_new_tls_connections_per_cycle);
        for listener in listeners.borrow_mut().iter_mut().filter(|listener| listener.has_more) {
            let most = match listener.transport {
                Transport::Tcp | Transport::Unix => most_plain,
                Transport::Tls => most_tls,
            };
            for _ in 0..most {
                match ask(listener) {
                    Found::Connection(accepted) => {
                        self.io.supply = Supply::Enough;
                        let (stream, peer, local) = *accepted;
                        match listener.transport {
                            Transport::Tcp | Transport::Unix => self.accepted(stream, peer, local),
                            Transport::Tls => self.accepted_for_tls(stream, peer, local),
                        }
                    }
                    Found::Corpse => {}
                    Found::Nothing => {
                        listener.has_more = false;
                        break;
                    }
                    Found::Shortage(error) => return self.postpone_accepting(now_ms, &error),
                }
            }
        }
    }

    #[cold]
    fn postpone_accepting(&mut self, now_ms: u64, error: &io::Error) {
        if self.io.supply == Supply::Enough {
            tracing::warn!("Accepting client connection: accept: {}", errno::text(error));
        }
        self.io.supply = Supply::ShortUntil(now_ms + SHORTAGE_MS);
    }

    fn accepted(&mut self, mut stream: Stream, peer: Endpoint, local: Endpoint) {
        let server = &mut *self.node.server;
        if let Some(refusal) = server.refusal(&peer) {
            server.stats.rejected_connections += 1;
            // If this fails, the client has gone.
            let _ = stream.write(refusal);
            let io = &mut **self.io;
            let (registry, now_ms) = (io.poll.registry(), io.woken.mono_ms());
            io.lingerers.add(stream, Registered::No, registry, now_ms);
            return;
        }
        self.keep_alive(&stream);
        tracing::debug!("Accepted {peer}");
        let index = self.node.connected(peer, local, stream.as_raw_fd());
        self.enlist(Wire::plain(stream), index);
    }

    /// Makes a socket that of the client at a place.
    pub(super) fn enlist(&mut self, mut wire: Wire, index: usize) {
        let id = self.node.server.sessions.get(index).map_or(0, |session| session.id.0);
        let generation = num::usize_of(id & 0x3fff_ffff);
        let token = client_token(index, generation);
        if let Err(error) = wire.register(self.io.poll.registry(), token) {
            tracing::warn!("Registering client socket: {}", errno::text(&error));
            self.node.disconnected(index);
            return;
        }
        self.io.connect(index, Connection::new(wire, generation));
    }

    /// One who has yet to show that it speaks TLS. If there are too many already it is turned away without
    /// a word: one that it understands would cost a handshake.
    fn accepted_for_tls(&mut self, stream: Stream, peer: Endpoint, local: Endpoint) {
        let server = &mut *self.node.server;
        let waiting = self.io.greetings.len();
        if waiting + server.sessions.len() >= num::usize_of_u32(server.config.maxclients) {
            server.stats.rejected_connections += 1;
            return;
        }
        self.keep_alive(&stream);
        tracing::debug!("Accepted {peer}");
        self.begin_greeting(stream, peer, local);
    }

    fn keep_alive(&self, stream: &Stream) {
        let keepalive_s = self.node.server.config.tcp_keepalive;
        if keepalive_s > 0
            && let Err(error) = listen::set_keepalive(stream, keepalive_s)
        {
            tracing::debug!("Setting keepalive on client socket: {}", errno::text(&error));
        }
    }
}
