//! Serving other clients while a script takes long: the reactor in small, called from within the command.
//!
//! The connections are lent to the server while it executes commands ([`Io`] is its bystander). A script
//! that takes long hands them the server for a moment; then what other clients sent is read, executed and
//! replied to as in any turn, by a desk and a buffer of its own. The first time it takes over what the turn
//! that the script interrupted has still to do: input that was read already, and sockets whose change was
//! told already. Only the client of the script is out of reach until it is over.

use super::{Input, Io, Lent, Service, debuggee};
use crate::command::host::{Bystander, Round, Side};
use crate::command::server::Server;
use crate::node::{Desk, Tools};
use crate::os::signal;
use mio::Events;
use mio::event::Event;
use std::any::Any;
use std::io;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 128;

/// What is needed for that, from the first time on.
#[derive(Debug, Default)]
pub(super) struct Spare {
    events: Option<Events>,
    input: Option<Rc<Input>>,
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
    fn serve(mut self: Box<Self>, server: &mut Server, round: Round) -> Box<dyn Bystander> {
        let Spare { events, input, mut tools } = mem::take(&mut self.spare);
        let mut events = events.unwrap_or_else(|| Events::with_capacity(EVENTS_MAX));
        let outer = mem::replace(&mut self.input, input.unwrap_or_default());
        self.is_within = true;
        let mut io = Lent(Some(self));
        let mut service = Service { node: Desk { server, tools: &mut tools }, io: &mut io };
        if round == Round::First {
            service.take_over(&outer);
        }
        service.serve_others(&mut events);
        io.is_within = false;
        let input = mem::replace(&mut io.input, outer);
        io.spare = Spare { events: Some(events), input: Some(input), tools };
        io.0.take().expect("it is given back after each piece of work")
    }

    fn send(&mut self, client: usize, bytes: &[u8]) -> io::Result<()> {
        self.send_now(client, bytes)
    }

    fn receive(&mut self, client: usize, into: &mut Vec<u8>) -> io::Result<()> {
        self.receive_now(client, into)
    }

    fn fork(&mut self, client: usize) -> io::Result<Side> {
        self.fork_with(client)
    }

    fn leave(&mut self) {
        debuggee::leave()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl Service<'_> {
    /// Does what the turn would have done after the script: executes what was read behind it, and looks at
    /// every socket, since the kernel tells each change once.
    fn take_over(&mut self, outer: &Input) {
        self.io.read_clocks();
        self.node.server.takeovers += 1;
        let sessions = &self.node.server.sessions;
        let at = outer.received.iter().position(|part| sessions.get(part.client).is_none());
        if let Some(at) = at {
            let now = self.io.now();
            self.io.lend_to(self.node.server);
            self.node.input_all(now, &outer.buffer, &outer.received[at + 1..]);
            self.io.take_back(self.node.server);
        }
        let io = &mut **self.io;
        io.unread.clear();
        for (index, connection) in io.connections.iter_mut().enumerate() {
            if let Some(connection) = connection {
                connection.is_unread = true;
                io.unread.push(index);
            }
        }
        io.greetings.mark_all();
        io.listeners.borrow_mut().iter_mut().for_each(|listener| listener.has_more = true);
    }

    /// A turn without waiting, from within a command.
    fn serve_others(&mut self, events: &mut Events) {
        if let Err(error) = self.io.poll.poll(events, Some(Duration::ZERO)) {
            tracing::debug!("Polling while a script runs: {error}");
            return;
        }
        self.io.read_clocks();
        self.serve(events);
        if signal::is_pending() {
            // It is obeyed after the script, which is ended for that if it has written nothing.
            self.io.was_signalled = true;
            self.node.server.end_script();
        }
        self.read_unread();
        self.accept_waiting();
        self.greet_strangers();
        if self.node.server.shutdown.is_some() {
            self.refuse_all();
        }
        self.write_all();
    }

    /// Whether a client's input must wait until the script is over.
    pub(super) fn is_out_of_reach(&self, index: usize) -> bool {
        self.node.server.sessions.get(index).is_none()
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
