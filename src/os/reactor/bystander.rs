//! Serving other clients while a script takes long: the reactor in small, called from within the command.
//!
//! The connections are lent to the server while it executes commands ([`Io`] is its bystander). A script
//! that takes long hands them the server for a moment; then what other clients sent is read, executed and
//! replied to as in any turn, by a desk and a buffer of its own. The client of the script, and those whose
//! input was read in the same piece and is behind the script, are out of reach until it is over: what they
//! have yet to be told waits for their own turn.

use super::{Io, Lent, Reactor, Service, Turn};
use crate::command::host::Bystander;
use crate::command::server::Server;
use crate::node::{Desk, Tools};
use mio::Events;
use mio::event::Event;
use std::any::Any;
use std::time::Duration;

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 128;

/// What is needed for that, from the first time on.
#[derive(Debug, Default)]
pub(super) struct Spare {
    events: Option<Events>,
    buffer: Box<[u8]>,
    tools: Tools,
}

impl Lent {
    /// Lets the server have the connections.
    #[inline]
    pub(super) fn lend_to(&mut self, server: &mut Server) {
        server.bystander = self.0.take().map(|io| io as Box<dyn Bystander>);
    }

    /// Ends that.
    #[inline]
    pub(super) fn take_back(&mut self, server: &mut Server) {
        let lent = server.bystander.take().map(Bystander::into_any);
        self.0 = lent.and_then(|io| io.downcast().ok());
    }
}

impl Bystander for Io {
    fn serve(mut self: Box<Self>, server: &mut Server) -> Box<dyn Bystander> {
        let Spare { events, buffer, mut tools } = std::mem::take(&mut self.spare);
        let mut events = events.unwrap_or_else(|| Events::with_capacity(EVENTS_MAX));
        self.buffer = if buffer.is_empty() { Reactor::new_buffer() } else { buffer };
        // Those in front of the script's client have been served.
        let at = self.handed_on.iter().position(|&index| server.sessions.get(index).is_none());
        self.handed_on.drain(..at.unwrap_or(0));
        self.is_within = true;
        let mut io = Lent(Some(self));
        let mut service = Service { node: Desk { server, tools: &mut tools }, io: &mut io };
        service.serve_others(&mut events);
        io.is_within = false;
        let buffer = std::mem::take(&mut io.buffer);
        io.spare = Spare { events: Some(events), buffer, tools };
        io.0.take().expect("it is given back after each piece of work")
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl Service<'_> {
    /// A turn without waiting, from within a command.
    fn serve_others(&mut self, events: &mut Events) {
        if let Err(error) = self.io.poll.poll(events, Some(Duration::ZERO)) {
            tracing::debug!("Polling while a script runs: {error}");
            return;
        }
        self.io.read_clocks();
        if self.serve(events) == Turn::Signal {
            self.io.was_signalled = true;
        }
        self.read_unread();
        self.accept_waiting();
        self.write_all();
    }

    /// Whether a client's input must wait until the script is over.
    pub(super) fn is_out_of_reach(&self, index: usize) -> bool {
        self.io.handed_on.contains(&index) || self.node.server.sessions.get(index).is_none()
    }

    /// Notes what an event says of a client out of reach, for later.
    pub(super) fn put_off(&mut self, index: usize, event: &Event) {
        if event.is_read_closed() || event.is_error() {
            self.note_end(index);
        }
        self.queue_unread(index);
        if event.is_writable() {
            self.queue_unsent(index);
        }
    }
}
