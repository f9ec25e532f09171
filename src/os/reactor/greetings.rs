//! TLS connections whose handshake is not over: they are no clients yet.
//!
//! A handshake costs a hundred times what a command does, and strangers can ask for as many as they like.
//! So steps of handshakes take turns, oldest first, and get a share of each turn of the reactor; clients
//! are served in between. Invariant: a greeting with `is_ready` stands in `ready` once.

use super::{Connection, Service, client_token};
use crate::base::num;
use crate::config::TlsClientUser;
use crate::os::clock;
use crate::os::linger::Registered;
use crate::os::stream::Stream;
use crate::os::tls::Identity;
use crate::os::tls::channel::{Channel, Greeting};
use crate::os::tls::wire::Wire;
use crate::session::Endpoint;
use mio::Token;
use mio::event::Event;
use std::collections::VecDeque;
use std::os::fd::AsRawFd;

/// Time for handshakes in one turn, nanoseconds. The step that exceeds it is the turn's last.
const TURN_NS: u64 = 500_000;
/// How long a handshake may take where `unauthenticated-timeout` sets no limit, seconds.
const PATIENCE_S: u32 = 60;
/// Marks the tokens of these sockets, above those of clients and lingerers.
const TOKEN_MIN: usize = 1 << 63;
const SERIAL_MASK: usize = 0x3fff_ffff;

#[derive(Debug)]
struct Stranger {
    wire: Wire,
    peer: Endpoint,
    local: Endpoint,
    serial: usize,
    is_ready: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Greetings {
    strangers: Vec<Option<Stranger>>,
    free: Vec<usize>,
    ready: VecDeque<usize>,
    /// When which are out of time: place and serial, oldest first.
    deadlines: VecDeque<(u64, usize, usize)>,
    serial: usize,
}

impl Greetings {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.strangers.len() - self.free.len()
    }

    /// Whether a token is of one of them.
    pub(super) const fn owns(token: Token) -> bool {
        token.0 >= TOKEN_MIN && token.0 < super::TOKEN_SPECIAL_MIN
    }

    /// After how many milliseconds there is something to do; `None` if there is nothing.
    pub(super) fn wait_ms(&self, now_ms: u64) -> Option<u64> {
        if !self.ready.is_empty() {
            return Some(0);
        }
        self.deadlines.front().map(|(at_ms, ..)| at_ms.saturating_sub(now_ms))
    }

    /// Notes what the kernel tells.
    pub(super) fn mark(&mut self, event: &Event) {
        let token = event.token().0 & !TOKEN_MIN;
        let (place, serial) = (token & 0xffff_ffff, token >> 32);
        let stranger = self.strangers.get_mut(place).and_then(Option::as_mut);
        if let Some(stranger) = stranger.filter(|stranger| stranger.serial == serial) {
            Self::queue(&mut self.ready, stranger, place);
        }
    }

    /// Looks at all of them: the kernel may have told of some in vain.
    pub(super) fn mark_all(&mut self) {
        for (place, stranger) in self.strangers.iter_mut().enumerate() {
            if let Some(stranger) = stranger {
                Self::queue(&mut self.ready, stranger, place);
            }
        }
    }

    fn queue(ready: &mut VecDeque<usize>, stranger: &mut Stranger, place: usize) {
        if !stranger.is_ready {
            stranger.is_ready = true;
            ready.push_back(place);
        }
    }

    fn insert(&mut self, stranger: Stranger, deadline_ms: u64) {
        let serial = stranger.serial;
        let place = self.free.pop().unwrap_or_else(|| {
            self.strangers.push(None);
            self.strangers.len() - 1
        });
        self.strangers[place] = Some(stranger);
        self.deadlines.push_back((deadline_ms, place, serial));
    }

    /// The token of the next one.
    fn next_token(&mut self) -> (Token, usize) {
        self.serial = (self.serial + 1) & SERIAL_MASK;
        let place = self.free.last().copied().unwrap_or(self.strangers.len());
        (Token(TOKEN_MIN | self.serial << 32 | place), self.serial)
    }

    fn remove(&mut self, place: usize) -> Option<Stranger> {
        let stranger = self.strangers.get_mut(place)?.take()?;
        self.free.push(place);
        if self.free.len() == self.strangers.len() {
            // Nobody is left: neither are those lists.
            self.free.clear();
            self.strangers.clear();
            self.deadlines.clear();
        }
        Some(stranger)
    }

    /// Lets go of those who are out of time; how many were.
    fn expire(&mut self, now_ms: u64) -> u64 {
        let mut expired = 0;
        while let Some(&(at_ms, place, serial)) = self.deadlines.front()
            && at_ms <= now_ms
        {
            self.deadlines.pop_front();
            let late = self.strangers.get(place).and_then(Option::as_ref);
            if late.is_some_and(|stranger| stranger.serial == serial) {
                expired += 1;
                if let Some(Stranger { peer, .. }) = self.remove(place) {
                    tracing::debug!("A TLS handshake took too long (addr={peer})");
                }
            }
        }
        expired
    }
}

impl Service<'_> {
    /// Begins a handshake with who has connected.
    pub(super) fn begin_greeting(&mut self, stream: Stream, peer: Endpoint, local: Endpoint) {
        let io = &mut **self.io;
        let Some(config) = io.tls.borrow().as_ref().map(|contexts| contexts.server.clone()) else {
            return;
        };
        let channel = match Channel::accept(&config) {
            Ok(channel) => channel,
            Err(error) => return tracing::warn!("TLS: {error}"),
        };
        let mut wire = Wire::secured(stream, Box::new(channel));
        let (token, serial) = io.greetings.next_token();
        if let Err(error) = wire.register(io.poll.registry(), token) {
            return tracing::warn!("Registering client socket: {}", crate::os::errno::text(&error));
        }
        let patience_s = match self.node.server.config.unauthenticated_timeout {
            0 => PATIENCE_S,
            patience_s => patience_s,
        };
        let deadline_ms = io.woken.mono_ms() + u64::from(patience_s) * 1000;
        let stranger = Stranger { wire, peer, local, serial, is_ready: false };
        io.greetings.insert(stranger, deadline_ms);
    }

    /// Goes on with handshakes, for a share of the turn.
    #[inline]
    pub(super) fn greet_strangers(&mut self) {
        if self.io.greetings.wait_ms(self.io.woken.mono_ms()) == Some(0) {
            self.greet_some();
        }
    }

    #[cold]
    fn greet_some(&mut self) {
        let now_ms = self.io.woken.mono_ms();
        self.node.server.stats.failed_handshakes += self.io.greetings.expire(now_ms);
        let started = clock::ticks();
        while let Some(place) = self.io.greetings.ready.pop_front() {
            self.greet(place);
            if clock::ticks().saturating_sub(started) >= TURN_NS {
                break;
            }
        }
    }

    fn greet(&mut self, place: usize) {
        let greetings = &mut self.io.greetings;
        let Some(Some(stranger)) = greetings.strangers.get_mut(place) else { return };
        stranger.is_ready = false;
        match stranger.wire.greet() {
            Ok(Greeting::Waits) => {}
            Ok(Greeting::More) => Greetings::queue(&mut greetings.ready, stranger, place),
            Ok(Greeting::Done) => {
                if let Some(stranger) = greetings.remove(place) {
                    self.welcome(stranger);
                }
            }
            Err(error) => {
                if let Some(Stranger { peer, local, .. }) = greetings.remove(place) {
                    self.node.server.stats.failed_handshakes += 1;
                    tracing::debug!(
                        "Error accepting a client connection: {error} (addr={peer} laddr={local})"
                    );
                }
            }
        }
    }

    /// Makes a client of who has shown that it speaks TLS.
    fn welcome(&mut self, stranger: Stranger) {
        let Stranger { mut wire, peer, local, .. } = stranger;
        let server = &mut *self.node.server;
        if let Some(refusal) = server.refusal(&peer) {
            server.stats.rejected_connections += 1;
            let _ = wire.write(refusal); // if this fails, the client has gone
            let io = &mut **self.io;
            let (registry, now_ms) = (io.poll.registry(), io.woken.mono_ms());
            io.lingerers.add(wire.into_stream(), Registered::Yes, registry, now_ms);
            return;
        }
        let index = self.node.connected(peer, local, wire.stream().as_raw_fd());
        let id = self.node.server.sessions.get(index).map_or(0, |session| session.id.0);
        let generation = num::usize_of(id & 0x3fff_ffff);
        if let Err(error) = wire.rename(self.io.poll.registry(), client_token(index, generation)) {
            tracing::warn!("Registering client socket: {}", crate::os::errno::text(&error));
            self.node.disconnected(index);
            return;
        }
        self.log_in_by_certificate(index, &wire);
        self.io.connect(index, Connection::new(wire, generation));
        self.queue_unread(index); // commands may have come with the end of the handshake
    }

    /// Makes a client the user that its certificate names, if that is wanted.
    fn log_in_by_certificate(&mut self, index: usize, wire: &Wire) {
        let wanted = self.node.server.config.tls_auth_clients_user;
        if wanted == TlsClientUser::Off {
            return;
        }
        let Some(certificate) = wire.peer_certificate() else { return };
        let Identity { common_name, uris } = Identity::of(certificate);
        let names = match wanted {
            TlsClientUser::Off => Vec::new(),
            TlsClientUser::CommonName => common_name.into_iter().collect(),
            TlsClientUser::Uri => uris,
        };
        self.node.server.log_in_as_one_of(index, &names);
    }
}
