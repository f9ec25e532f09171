//! The loop: waits for sockets, hands their bytes to the node, writes its replies.
//!
//! Sockets are registered once, edge-triggered. A read that does not fill the buffer has drained the
//! socket, so that each request costs one wait (shared with all that arrived together), one read and
//! one write. Nothing is polled: the wait ends when a socket changes or the next timer is due.

mod accept;
mod bystander;
mod debuggee;
mod greetings;
mod input;
mod outgoing;
mod replica;

use super::clock;
use super::dial::Dialler;
use super::errno;
use super::linger::{self, Lingerers, Registered};
use super::listen::Listener;
use super::metrics::{self, Metrics, World};
use super::signal;
use super::tls::wire::Wire;
use super::{tls, watchdog};
use crate::base::num;
use crate::command::server::Now;
use crate::node::{Desk, Node, Received};
use crate::resp::parse;
use crate::session::{Closing, SessionFlags};
use accept::Supply;
use greetings::Greetings;
use input::{Input, own};
use mio::{Events, Poll, Token, Waker};
use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// Room in front of them for the start of an incomplete command.
const TAIL_BYTES_MAX: usize = 64 * 1024;
const _: () = assert!(parse::INLINE_LEN_MAX <= TAIL_BYTES_MAX);
const _: () = assert!(parse::BIG_ARG_LEN_MIN <= TAIL_BYTES_MAX);
/// Input of several clients is handed on together: of so many at most, and no further one once it is so
/// many bytes.
const CLIENTS_GATHERED_MAX: usize = 64;
/// See `CLIENTS_GATHERED_MAX`.
const GATHERED_BYTES_MAX: usize = 16 * 1024;
/// Bytes written to one client in one turn, so that a long value does not hold up the others.
const WRITE_BYTES_PER_TURN: usize = 256 * 1024;
/// Reads from one client in one turn while a large argument is collected.
const LARGE_READS_PER_TURN: usize = 16;
/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 1024;

/// How often the clock that times commands is compared with the system's, nanoseconds.
const RESYNC_NS: u64 = 1_000_000_000;

/// Tokens of listeners count down from here; the signal descriptor's and the waker's are above.
const TOKEN_SIGNAL: usize = usize::MAX - 1;
const TOKEN_WAKER: usize = usize::MAX - 2;
const TOKEN_PIPE: usize = usize::MAX - 3;
const TOKEN_LISTENER_MAX: usize = usize::MAX - 4;
/// Tokens from here on are not clients.
const TOKEN_SPECIAL_MIN: usize = usize::MAX - 4096;
/// The first of those that metrics use.
const TOKEN_METRICS_MIN: usize = TOKEN_SPECIAL_MIN;
const _: () = assert!(TOKEN_METRICS_MIN + metrics::TOKENS < TOKEN_LISTENER_MAX - 2048);

/// Listeners, shared with the host so that CONFIG SET can move them.
pub type Listeners = Rc<RefCell<Vec<Listener>>>;

#[derive(Debug)]
struct Connection {
    wire: Wire,
    /// Tells this connection's events from those of one that had the same place before.
    generation: usize,
    /// Whether it is listed in [`Reactor::unread`].
    is_unread: bool,
    /// Whether the client has ended its half. No event will tell that again, so that the socket is to
    /// be read until its end.
    has_ended: bool,
    /// Whether its end was read.
    is_exhausted: bool,
}

impl Connection {
    const fn new(wire: Wire, generation: usize) -> Self {
        Self { wire, generation, is_unread: false, has_ended: false, is_exhausted: false }
    }
}

/// The event loop.
#[derive(Debug)]
pub struct Reactor {
    node: Node,
    io: Lent,
}

/// The reactor at work. It works for one client at a time; while a script takes long, others are served
/// from within ([`Io`] is then the server's bystander).
#[derive(Debug)]
struct Service<'a> {
    node: Desk<'a>,
    io: &'a mut Lent,
}

/// The connections, which are the server's while it executes commands.
#[derive(Debug)]
struct Lent(Option<Box<Io>>);

impl Deref for Lent {
    type Target = Io;
    #[inline]
    fn deref(&self) -> &Io {
        self.0.as_deref().expect("it is given back after each piece of work")
    }
}

impl DerefMut for Lent {
    #[inline]
    fn deref_mut(&mut self) -> &mut Io {
        self.0.as_deref_mut().expect("it is given back after each piece of work")
    }
}

/// Sockets, what came from them, and what is left to do with them.
#[derive(Debug)]
struct Io {
    poll: Poll,
    listeners: Listeners,
    connections: Vec<Option<Connection>>,
    /// What was received. While it is handed on, the commands' execution shares it.
    input: Rc<Input>,
    /// Clients whose socket may hold more than was read.
    unread: Vec<usize>,
    /// Clients whose replies exceeded what one turn may write.
    unwritten: Vec<usize>,
    /// Clients whose replies wait for the append-only file.
    held: Vec<usize>,
    /// Sockets of former clients.
    lingerers: Lingerers,
    metrics: Metrics,
    supply: Supply,
    dialler: Dialler,
    /// The primary, whose socket is to be read when there is room for what it holds.
    primary_unread: Option<usize>,
    /// What TLS connections are made with.
    tls: tls::Shared,
    /// TLS connections that are no clients yet.
    greetings: Greetings,
    /// The time when the last wait ended, and the tick at that time.
    woken: Now,
    /// See `woken`.
    woken_tick: u64,
    /// When the clock that times commands is to be compared with the system's again.
    resync_at_ns: u64,
    /// Whether this is within a command, whose client is not to be served.
    is_within: bool,
    /// Whether a signal arrived while a script ran.
    was_signalled: bool,
    /// Where scripts are debugged.
    debuggees: debuggee::Debuggees,
    /// What serving others from within a script needs.
    spare: bystander::Spare,
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Go on.
    Continue,
    /// A signal arrived.
    Signal,
    /// A command asked for the end.
    Shutdown,
}

/// The token of a listener by its position.
pub fn listener_token(index: usize) -> Token {
    Token(TOKEN_LISTENER_MAX - index)
}

/// The token under which the signal descriptor is to be registered.
pub const SIGNAL_TOKEN: Token = Token(TOKEN_SIGNAL);
/// The token of the waker: another thread has something for this one.
pub const WAKER_TOKEN: Token = Token(TOKEN_WAKER);
/// The token of the pipe from a child: it is read at the beginning of each turn.
pub const PIPE_TOKEN: Token = Token(TOKEN_PIPE);

fn client_token(index: usize, generation: usize) -> Token {
    Token(index | (generation << 32))
}

/// The time, read once for a piece of work.
pub fn now() -> Now {
    let unix_us = num::i64_clamped(clock::unix_us());
    Now { unix_us, mono_ns: clock::monotonic_ns() }
}

impl Reactor {
    /// A loop around a node. The listeners are registered already.
    pub fn new(
        poll: Poll,
        node: Node,
        listeners: Listeners,
        tls: tls::Shared,
        waker: Arc<Waker>,
    ) -> Self {
        let io = Io {
            poll,
            listeners,
            connections: Vec::new(),
            input: Rc::default(),
            unread: Vec::new(),
            unwritten: Vec::new(),
            held: Vec::new(),
            lingerers: Lingerers::default(),
            metrics: Metrics::default(),
            supply: Supply::default(),
            dialler: Dialler::new(waker),
            primary_unread: None,
            tls,
            greetings: Greetings::default(),
            woken: now(),
            woken_tick: clock::ticks(),
            resync_at_ns: 0,
            is_within: false,
            was_signalled: false,
            debuggees: debuggee::Debuggees::default(),
            spare: bystander::Spare::default(),
        };
        Self { node, io: Lent(Some(Box::new(io))) }
    }

    /// Serves metrics with these listeners, which are not registered yet.
    ///
    /// # Errors
    /// The system does not tell of their connections.
    pub fn serve_metrics(&mut self, listeners: Vec<Listener>) -> io::Result<()> {
        let io = &mut *self.io;
        io.metrics = Metrics::new(listeners, io.poll.registry(), TOKEN_METRICS_MIN)?;
        Ok(())
    }

    /// The node.
    pub const fn node_mut(&mut self) -> &mut Node {
        &mut self.node
    }

    /// Runs turns until a signal or a command ends the loop.
    ///
    /// # Errors
    /// The system refused to wait for events.
    pub fn run(&mut self) -> io::Result<Turn> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            match self.turn(&mut events)? {
                Turn::Continue => {}
                ended => return Ok(ended),
            }
        }
    }

    /// The reactor at work.
    const fn service(&mut self) -> Service<'_> {
        Service { node: self.node.desk(), io: &mut self.io }
    }

    /// Does what is due; after how many milliseconds there is more.
    fn tick(&mut self) -> u64 {
        let now = self.io.now();
        self.io.lend_to(&mut self.node.server);
        let wait_ms = self.node.tick(now);
        self.io.take_back(&mut self.node.server);
        wait_ms
    }

    fn turn(&mut self, events: &mut Events) -> io::Result<Turn> {
        let node_wait_ms = self.tick();
        self.look_after_primary();
        let mut service = self.service();
        if service.node.server.shutdown.is_some() {
            // What is still in the sockets will not be executed.
            service.refuse_all();
            service.flush();
            service.write_pushes(usize::MAX);
            service.write_stream();
            return Ok(Turn::Shutdown);
        }
        service.flush();
        if service.node.server.pushes.has_unwritten() {
            let most = service.node.server.pushes.turn_len();
            service.write_pushes(most);
        }
        let unsent = &mut service.node.server.replication.unsent;
        if unsent.is_some() && unsent.is_due() {
            service.write_stream();
        }
        let wait = service.wait(node_wait_ms);
        watchdog::turn_ends();
        let polled = service.io.poll.poll(events, Some(wait));
        watchdog::turn_begins();
        match polled {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Turn::Continue),
            Err(error) => return Err(error),
        }
        service.io.read_clocks();
        if events.is_empty() && service.node.server.replication.unsent.is_some() {
            service.write_stream(); // there is nothing else to do
        }
        let commands_before = service.node.server.stats.commands;
        let mut ended = service.serve(events);
        service.read_unread();
        service.look_after_sockets();
        if service.node.server.shutdown.is_some() {
            service.refuse_all();
        }
        service.flush();
        service.count_turn(commands_before);
        if std::mem::take(&mut service.io.was_signalled) {
            ended = Turn::Signal;
        }
        if ended == Turn::Continue && service.node.server.shutdown.is_some() {
            ended = Turn::Shutdown;
        }
        Ok(ended)
    }
}

impl Io {
    /// Gives a client its connection.
    fn connect(&mut self, index: usize, connection: Connection) {
        if self.connections.len() <= index {
            self.connections.resize_with(index + 1, || None);
        }
        self.connections[index] = Some(connection);
    }

    /// Asks the system for the time.
    fn read_clocks(&mut self) {
        self.woken = now();
        if self.woken.mono_ns >= self.resync_at_ns {
            self.resync_at_ns = self.woken.mono_ns + RESYNC_NS;
            clock::resync();
        }
        self.woken_tick = clock::ticks();
    }

    /// The time by the cheap clock, counted from when the wait ended.
    #[inline]
    fn now(&self) -> Now {
        self.woken.later(clock::ticks().saturating_sub(self.woken_tick))
    }
}

impl Service<'_> {
    /// Deals with what is due about connections that are no clients (yet, or any more).
    fn look_after_sockets(&mut self) {
        let io = &mut **self.io;
        let now_ms = io.woken.mono_ms();
        if io.lingerers.wait_ms(now_ms) == Some(0) {
            let buffer = &mut own(&mut io.input).buffer;
            io.lingerers.drain(now_ms, &mut buffer[..READ_BYTES]);
        }
        if io.metrics.deadline_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            io.metrics.expire(now_ms);
        }
        if !self.io.debuggees.is_empty() {
            self.io.debuggees.reap();
        }
        self.accept_waiting();
        self.greet_strangers();
    }

    /// Takes no more connections: a client that sees its own end finds that there is no server.
    fn refuse_all(&self) {
        self.io.listeners.borrow().iter().for_each(Listener::refuse_all);
    }

    /// How long there is nothing to do unless a socket changes.
    fn wait(&self, node_wait_ms: u64) -> Duration {
        let has_pushes = self.node.server.pushes.has_unwritten();
        let has_unsent = self.node.server.replication.unsent.is_some();
        if has_pushes || has_unsent || !self.io.unread.is_empty() || !self.io.unwritten.is_empty() {
            return Duration::ZERO;
        }
        let now_ms = self.io.woken.mono_ms();
        let scrape_ms = self.io.metrics.deadline_ms().map(|at_ms| at_ms.saturating_sub(now_ms));
        let others = [
            self.accept_wait_ms(now_ms),
            self.io.greetings.wait_ms(now_ms),
            self.io.lingerers.wait_ms(now_ms),
            scrape_ms,
        ];
        Duration::from_millis(others.into_iter().flatten().fold(node_wait_ms, u64::min))
    }

    /// Deals with what the sockets have.
    fn serve(&mut self, events: &Events) -> Turn {
        let mut ended = Turn::Continue;
        for event in events {
            let token = event.token();
            if token.0 >= linger::TOKEN_MIN {
                if token == SIGNAL_TOKEN {
                    ended = Turn::Signal;
                } else if token == WAKER_TOKEN || token == PIPE_TOKEN {
                    // That the wait is over is all there is to it.
                } else if self.io.metrics.owns(token) {
                    self.serve_scrape(token);
                } else if token.0 >= TOKEN_SPECIAL_MIN {
                    self.mark_acceptable(token);
                } else if Greetings::owns(token) {
                    self.io.greetings.mark(event);
                } else {
                    self.io.lingerers.mark_readable(token);
                }
                continue;
            }
            let Some(index) = self.index_of(token) else { continue };
            if self.io.is_within && self.is_out_of_reach(index) {
                self.put_off(index, event);
                continue;
            }
            if event.is_read_closed() || event.is_error() {
                self.note_end(index);
                self.read(index);
            } else if event.is_readable() {
                self.read(index);
            }
            if event.is_writable() {
                self.queue_unsent(index);
            }
        }
        self.hand_on();
        ended
    }

    /// Deals with a client of the metrics, behind what other clients sent before.
    #[cold]
    fn serve_scrape(&mut self, token: Token) {
        self.hand_on();
        let now_ms = self.io.woken.mono_ms();
        let server = &mut *self.node.server;
        let io = &mut **self.io;
        let (registry, lingerers) = (io.poll.registry(), &mut io.lingerers);
        io.metrics.serve(token, &mut World { server, registry, lingerers, now_ms });
    }

    fn count_turn(&mut self, commands_before: u64) {
        let stats = &mut self.node.server.stats;
        let turn_us = clock::ticks().saturating_sub(self.io.woken_tick) / 1000;
        stats.turns += 1;
        stats.turn_us += turn_us;
        stats.longest_turn_us = stats.longest_turn_us.max(turn_us);
        let commands = stats.commands.saturating_sub(commands_before); // CONFIG RESETSTAT
        stats.most_commands_per_turn = stats.most_commands_per_turn.max(commands);
    }

    fn index_of(&self, token: Token) -> Option<usize> {
        let index = token.0 & 0xffff_ffff;
        let connection = self.io.connections.get(index)?.as_ref()?;
        (connection.generation == token.0 >> 32).then_some(index)
    }

    fn mark_acceptable(&self, token: Token) {
        let mut listeners = self.io.listeners.borrow_mut();
        if let Some(listener) = listeners.get_mut(TOKEN_LISTENER_MAX - token.0) {
            listener.has_more = true;
        }
    }

    /// Reads what a client sent, once, unless a large argument is being collected.
    #[inline]
    fn read(&mut self, index: usize) {
        if let Some(session) = self.node.server.sessions.get(index) {
            if session.assembly.is_some() {
                self.hand_on(); // the buffer is needed
                return self.read_large(index);
            }
            if session.flags.contains(SessionFlags::PRIMARY) {
                return self.read_primary(index);
            }
        }
        let tail = self.node.take_tail(index);
        let io = &mut **self.io;
        let Some(Some(connection)) = io.connections.get_mut(index) else { return };
        let Input { buffer, received } = own(&mut io.input);
        let start = received.last().map_or(0, |last| last.bytes.end);
        let from = start + tail.len();
        buffer[start..from].copy_from_slice(&tail);
        match connection.wire.read(&mut buffer[from..from + READ_BYTES]) {
            Ok(0) => {
                self.hand_on(); // what others sent before
                self.end_of_input(index);
            }
            Ok(count) => {
                let end = from + count;
                received.push(Received { client: index, bytes: start..end });
                let is_enough = end > GATHERED_BYTES_MAX || received.len() == CLIENTS_GATHERED_MAX;
                if !connection.wire.is_drained(count, READ_BYTES) || connection.has_ended {
                    self.queue_unread(index);
                }
                self.count_read(index, count);
                if is_enough {
                    self.hand_on();
                }
            }
            Err(error) => {
                self.restore_tail(index, tail);
                self.hand_on(); // what others sent before
                self.read_failed(index, &error);
            }
        }
    }

    /// Hands what was received to the node.
    fn hand_on(&mut self) {
        if self.io.input.received.is_empty() {
            return;
        }
        let now = self.io.now();
        let input = Rc::clone(&self.io.input);
        self.io.lend_to(self.node.server);
        self.node.input_all(now, &input.buffer, &input.received);
        self.io.take_back(self.node.server);
        drop(input);
        own(&mut self.io.input).received.clear();
    }

    /// Reads on behalf of the clients whose sockets were not emptied.
    #[inline]
    fn read_unread(&mut self) {
        if self.io.unread.is_empty() {
            return;
        }
        let mut unread = std::mem::take(&mut self.io.unread);
        for index in unread.drain(..) {
            if self.io.is_within && self.is_out_of_reach(index) {
                self.io.unread.push(index);
                continue;
            }
            if let Some(Some(connection)) = self.io.connections.get_mut(index) {
                connection.is_unread = false;
                self.read(index);
            }
        }
        self.hand_on();
        if self.io.unread.is_empty() {
            self.io.unread = unread; // keep the allocation
        }
    }

    /// Makes the next turn go on reading from a client.
    fn queue_unread(&mut self, index: usize) {
        if let Some(Some(connection)) = self.io.connections.get_mut(index)
            && !connection.is_unread
        {
            connection.is_unread = true;
            self.io.unread.push(index);
        }
    }

    /// Notes that a client will send nothing more than what its socket holds.
    #[cold]
    fn note_end(&mut self, index: usize) {
        if let Some(Some(connection)) = self.io.connections.get_mut(index) {
            connection.has_ended = true;
        }
    }

    /// A client has sent all it will ever send. If it has only ended its half, it still gets the
    /// replies to that.
    fn end_of_input(&mut self, index: usize) {
        if let Some(Some(connection)) = self.io.connections.get_mut(index) {
            connection.has_ended = true;
            connection.is_exhausted = true;
        }
        let server = &mut *self.node.server;
        match server.sessions.get_mut(index) {
            Some(session) if !session.output.is_empty() => {
                session.close_after_replies();
                self.queue_unsent(index);
            }
            Some(_) | None => self.disconnect(index, None),
        }
    }

    /// Reads a large argument straight into its own buffer.
    #[cold]
    fn read_large(&mut self, index: usize) {
        for _ in 0..LARGE_READS_PER_TURN {
            let Some(Some(connection)) = self.io.connections.get_mut(index) else { return };
            let Some(session) = self.node.server.sessions.get_mut(index) else { return };
            if session.closing == Closing::Now {
                return;
            }
            let Some(assembly) = &mut session.assembly else { break };
            let Some((target, room)) = assembly.target() else { break };
            match connection.wire.read_into_spare(target, room) {
                Ok(0) => return self.end_of_input(index),
                Ok(count) => {
                    let is_drained =
                        connection.wire.is_drained(count, room) && !connection.has_ended;
                    assembly.filled();
                    self.count_read(index, count);
                    let now = self.io.now();
                    self.node.note_input(now, index); // which executes nothing
                    if is_drained {
                        return;
                    }
                }
                Err(error) => return self.read_failed(index, &error),
            }
        }
        self.read_rest_of_large(index);
    }

    /// Reads what follows a large argument through the shared buffer.
    fn read_rest_of_large(&mut self, index: usize) {
        let io = &mut **self.io;
        let Some(Some(connection)) = io.connections.get_mut(index) else { return };
        let Input { buffer, received } = own(&mut io.input);
        match connection.wire.read(&mut buffer[..READ_BYTES]) {
            Ok(0) => self.end_of_input(index),
            Ok(count) => {
                received.push(Received { client: index, bytes: 0..count });
                if !connection.wire.is_drained(count, READ_BYTES) || connection.has_ended {
                    self.queue_unread(index);
                }
                self.count_read(index, count);
                self.hand_on();
            }
            Err(error) => self.read_failed(index, &error),
        }
    }

    /// Gives a client back what was to be put in front of its input. Nothing was taken of one that is held
    /// back: what it keeps stays as it is.
    fn restore_tail(&mut self, index: usize, tail: Vec<u8>) {
        if tail.is_empty() {
            return;
        }
        if let Some(session) = self.node.server.sessions.get_mut(index) {
            session.tail = tail;
        }
    }

    fn count_read(&mut self, index: usize, count: usize) {
        let count = num::u64_of(count);
        let stats = &mut self.node.server.stats;
        stats.reads += 1;
        stats.input_bytes += count;
        if let Some(session) = self.node.server.sessions.get_mut(index) {
            session.received_bytes += count;
        }
    }

    fn read_failed(&mut self, index: usize, error: &io::Error) {
        match error.kind() {
            ErrorKind::WouldBlock => {}
            ErrorKind::Interrupted => self.queue_unread(index),
            _ => self.disconnect(index, Some(error)),
        }
    }

    /// Writes the replies of all clients that have some, and closes those that are to be closed.
    fn flush(&mut self) {
        self.node.server.commit();
        self.write_all();
    }

    /// As [`Service::flush`], of those whose changes are in the log already.
    fn write_all(&mut self) {
        let io = &mut **self.io;
        self.node.server.writable.append(&mut io.unwritten);
        if !io.held.is_empty() {
            self.node.server.writable.append(&mut io.held);
        }
        let mut writable = std::mem::take(&mut self.node.server.writable);
        for index in writable.drain(..) {
            self.write(index);
        }
        if self.node.server.writable.is_empty() {
            self.node.server.writable = writable; // keep the allocation
        }
        if !self.node.server.doomed.is_empty() {
            self.close_doomed();
        }
    }

    /// Writes what was pushed to so many clients. Replies are written before that, and what comes in
    /// meanwhile is executed before the others are written.
    fn write_pushes(&mut self, most: usize) {
        for _ in 0..most {
            let Some(index) = self.node.server.pushes.take_next() else { break };
            let session = self.node.server.sessions.get(index);
            if session.is_some_and(|session| session.is_queued_for_push) {
                self.write(index);
            }
        }
        if !self.node.server.doomed.is_empty() {
            self.close_doomed();
        }
    }

    #[cold]
    fn close_doomed(&mut self) {
        for index in std::mem::take(&mut self.node.server.doomed) {
            // It may have gone by itself meanwhile, and its place have been taken by another.
            let session = self.node.server.sessions.get(index);
            if session.is_some_and(|session| session.closing == Closing::Now) {
                self.disconnect(index, None);
            }
        }
    }

    #[inline]
    fn write(&mut self, index: usize) {
        let io = &mut **self.io;
        let Some(Some(connection)) = io.connections.get_mut(index) else { return };
        let Some(session) = self.node.server.sessions.get(index) else {
            io.unwritten.push(index); // a script runs for it
            return;
        };
        if session.closing == Closing::Now {
            return; // whatever is left to send
        }
        if session.flags.contains(SessionFlags::REPLICA) {
            return self.write_to_replica(index);
        }
        if !self.node.server.may_reply(session.changed_in_turn) {
            io.held.push(index);
            return;
        }
        let Some(session) = self.node.server.sessions.get_mut(index) else { return };
        session.is_queued_for_write = false;
        session.is_queued_for_push = false;
        let mut written = 0;
        while !session.output.is_empty() {
            if written >= WRITE_BYTES_PER_TURN {
                session.is_queued_for_write = true;
                io.unwritten.push(index);
                break;
            }
            match connection.wire.write_output(&session.output, WRITE_BYTES_PER_TURN) {
                Ok(count) => {
                    written += count;
                    session.output.advance(count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.disconnect(index, Some(&error)),
            }
        }
        let count = num::u64_of(written);
        session.sent_bytes += count;
        let done = session.output.is_empty();
        let over = session.closing == Closing::AfterReplies && done;
        self.node.server.stats.output_bytes += count;
        self.node.server.stats.writes += 1;
        if over {
            self.close_gently(index);
        } else if done {
            self.node.server.reclaim_buffer(index);
        } else {
            session.output.seal();
            self.node.check_output(index);
        }
    }

    fn disconnect(&mut self, index: usize, error: Option<&io::Error>) {
        if let Some(error) = error {
            tracing::debug!("Reading from or writing to client: {}", errno::text(error));
        }
        if let Some(connection) = self.io.connections.get_mut(index) {
            if let Some(open) = connection {
                open.wire.say_goodbye();
            }
            *connection = None; // closing the descriptor also removes it from the poll
        }
        self.node.disconnected(index);
    }

    /// Closes a client that was sent its last reply, so that it gets to read it.
    #[cold]
    fn close_gently(&mut self, index: usize) {
        let connection = self.io.connections.get_mut(index).and_then(Option::take);
        self.node.disconnected(index);
        let Some(Connection { wire, is_exhausted, .. }) = connection else { return };
        let stream = wire.into_stream(); // which says goodbye
        if !is_exhausted {
            let io = &mut **self.io;
            io.lingerers.add(stream, Registered::Yes, io.poll.registry(), io.woken.mono_ms());
        }
    }
}
