//! The whole server without an operating system: bytes and time come in, replies and actions go out.
//!
//! The reactor in `os/` reads sockets and calls [`Node::input`]; the replies wait in the sessions'
//! outputs until it writes them. Nothing here blocks, reads a clock or owns a descriptor, so that the
//! same code runs under a simulated network.

mod ahead;
mod batch;
#[cfg(test)]
mod connection_tests;
#[cfg(test)]
mod cut_tests;
mod members;
mod primary;
#[cfg(test)]
mod primary_tests;
#[cfg(test)]
mod stream_tests;
mod timers;
mod waits;

use crate::base::{num, quote};
use crate::command::context::KeyHashes;
use crate::command::dispatch::{self, Flow};
use crate::command::server::{Now, Server};
use crate::command::{pubsub, tracking, transaction};
use crate::resp::parse::{Incomplete, Limits, ProtocolError, Trust};
use crate::resp::{Args, Assembly, Fed, OwnedArgs};
use crate::session::{Closing, Endpoint, ReplyMode, Session, SessionFlags};
use ahead::Parsed;
pub use ahead::Received;
use batch::{Batch, Ended};

/// Input of a client that was held back is executed in pieces of this many bytes.
const KEPT_BYTES_AT_ONCE: usize = 64 * 1024;
/// Replies of this many bytes may wait before `client-output-buffer-limit` is looked at in the midst of
/// a pipeline.
const OUTPUT_UNCHECKED_BYTES: usize = 64 * 1024;
/// A client that holds more than this is freed by the helper thread, bytes.
const FREED_AT_ONCE_BYTES: usize = 1024 * 1024;

/// A server that can be driven from outside.
#[derive(Debug)]
pub struct Node {
    /// The state.
    pub server: Server,
    tools: Tools,
    timers: timers::Timers,
}

/// What executing needs besides the server; kept for its allocations.
#[derive(Debug, Default)]
pub struct Tools {
    /// Batches that are not in use.
    batches: Vec<Batch>,
    /// Empty between two calls.
    ahead: Vec<Option<Parsed>>,
}

/// The server at work for its clients. A [`Node`] works at its own desk; while a script takes long, other
/// clients are served at another one.
#[derive(Debug)]
pub struct Desk<'a> {
    /// The state.
    pub server: &'a mut Server,
    /// See there.
    pub tools: &'a mut Tools,
}

impl Node {
    /// A node around a server.
    pub fn new(server: Server) -> Self {
        Self { server, tools: Tools::default(), timers: timers::Timers::default() }
    }

    /// Where clients are served.
    #[inline]
    pub const fn desk(&mut self) -> Desk<'_> {
        Desk { server: &mut self.server, tools: &mut self.tools }
    }

    /// See [`Desk::connected`].
    pub fn connected(&mut self, peer: Endpoint, local: Endpoint, descriptor: i32) -> usize {
        self.desk().connected(peer, local, descriptor)
    }

    /// See [`Desk::disconnected`].
    pub fn disconnected(&mut self, index: usize) {
        self.desk().disconnected(index);
    }

    /// See [`Desk::input`].
    pub fn input(&mut self, now: Now, index: usize, buf: &[u8]) {
        self.desk().input(now, index, buf);
    }

    /// See [`Desk::input_all`].
    pub fn input_all(&mut self, now: Now, buf: &[u8], received: &[Received]) {
        self.desk().input_all(now, buf, received);
    }

    /// See [`Desk::note_input`].
    pub fn note_input(&mut self, now: Now, index: usize) {
        self.desk().note_input(now, index);
    }

    /// See [`Desk::check_output`].
    pub fn check_output(&mut self, index: usize) {
        self.desk().check_output(index);
    }

    /// See [`Desk::take_tail`].
    pub fn take_tail(&mut self, index: usize) -> Vec<u8> {
        self.desk().take_tail(index)
    }
}

impl Desk<'_> {
    /// Adds a client and returns its place.
    pub fn connected(&mut self, peer: Endpoint, local: Endpoint, descriptor: i32) -> usize {
        let server = &mut *self.server;
        server.stats.connections += 1;
        let id = server.sessions.next_id();
        let user = server.users.default_user();
        let now_s = server.now.unix_s();
        let mut session = Session::new(id, peer, local, descriptor, now_s, user);
        session.trust = server.initial_trust();
        server.sessions.insert(Box::new(session))
    }

    /// Removes a client whose connection is gone.
    pub fn disconnected(&mut self, index: usize) {
        let Some(mut session) = self.server.sessions.remove(index) else { return };
        self.server.ledger.forget(&mut session);
        if session.flags.contains(SessionFlags::REPLICA) {
            self.server.replica_gone(&session);
        }
        if session.flags.contains(SessionFlags::PRIMARY) {
            self.server.link_lost(&session);
        }
        self.server.end_wait(&mut session);
        pubsub::unsubscribe_from_all(self.server, &mut session);
        self.server.end_monitor(&mut session);
        transaction::drop_transaction(self.server, &mut session);
        tracking::disable(self.server, &mut session);
        if session.flags.contains(SessionFlags::PAUSED) {
            self.server.paused.retain(|&paused| paused != index);
            self.server.resumable.retain(|&resumable| resumable != index);
        }
        if session.memory_bytes() > FREED_AT_ONCE_BYTES {
            self.server.host.drop_later(session);
        }
    }

    /// Takes bytes that a client sent, what [`Node::take_tail`] gave in front, and executes the
    /// commands that are complete.
    pub fn input(&mut self, now: Now, index: usize, buf: &[u8]) {
        self.input_parsed(now, index, buf, None);
    }

    /// As [`Node::input`], the first commands perhaps parsed already.
    #[inline]
    fn input_parsed(&mut self, now: Now, index: usize, buf: &[u8], parsed: Option<Parsed>) {
        self.server.set_now(now);
        let Some(mut session) = self.server.sessions.take(index) else { return };
        session.active_at_s = now.unix_s();
        if session.closing == Closing::No {
            if session.flags.contains(SessionFlags::PRIMARY) {
                self.input_of_primary(&mut session, buf);
            } else if session.is_held_back() {
                session.tail.extend_from_slice(buf);
            } else {
                self.run(&mut session, buf, parsed);
            }
            self.check_input_limit(&mut session);
            if session.output.pending_bytes() > OUTPUT_UNCHECKED_BYTES {
                self.server.check_output_limit(&mut session);
            }
        }
        if !session.output.is_empty() || session.closing != Closing::No {
            self.server.queue_write(&mut session);
        }
        self.put_back(session);
        self.server.reclaim_buffer(index);
    }

    /// Puts a client back into the table that may have come to take more memory.
    #[inline]
    fn put_back(&mut self, mut session: Box<Session>) {
        self.server.note_client_memory(&mut session);
        self.server.sessions.put(session);
        self.server.evict_clients();
    }

    /// Notes that bytes of a large argument arrived by another way than [`Node::input`].
    pub fn note_input(&mut self, now: Now, index: usize) {
        let Some(mut session) = self.server.sessions.take(index) else { return };
        session.active_at_s = now.unix_s();
        self.check_input_limit(&mut session);
        self.put_back(session);
    }

    /// Closes a client that reads too slowly, by `client-output-buffer-limit`.
    pub fn check_output(&mut self, index: usize) {
        let Some(mut session) = self.server.sessions.take(index) else { return };
        self.server.check_output_limit(&mut session);
        self.put_back(session);
    }

    /// Takes the bytes kept of an incomplete command, to be put in front of the next ones. None while
    /// the client is held back: what it sends then is added to them.
    pub fn take_tail(&mut self, index: usize) -> Vec<u8> {
        match self.server.sessions.get_mut(index) {
            Some(session) if !session.is_held_back() => std::mem::take(&mut session.tail),
            Some(_) | None => Vec::new(),
        }
    }

    /// Goes on with what a client sent while it was paused.
    pub fn resume(&mut self, now: Now, index: usize) {
        let Some(mut session) = self.server.sessions.take(index) else { return };
        session.flags.remove(SessionFlags::PAUSED);
        let tail = std::mem::take(&mut session.tail);
        let held = session.held.take();
        if let Some(args) = held.filter(|_| session.closing == Closing::No) {
            self.server.lend_buffer(&mut session);
            self.run_owned(&mut session, args);
        }
        self.server.sessions.put(session);
        self.input_kept(now, index, &tail);
    }

    /// Takes bytes that were kept while a client was held back, in pieces as if they arrived now.
    fn input_kept(&mut self, now: Now, index: usize, kept: &[u8]) {
        if kept.is_empty() {
            return self.input(now, index, kept); // for the reply to what was held back
        }
        let mut piece = Vec::new();
        for bytes in kept.chunks(KEPT_BYTES_AT_ONCE) {
            piece.clear();
            piece.append(&mut self.take_tail(index));
            piece.extend_from_slice(bytes);
            self.input(now, index, &piece); // which keeps it, if the client is held back again
        }
    }

    /// Executes the commands in `buf` and keeps the rest.
    fn run(&mut self, session: &mut Session, buf: &[u8], mut parsed: Option<Parsed>) {
        self.server.lend_buffer(session);
        let mut at = 0;
        if let Some(assembly) = session.assembly.take() {
            match self.feed(session, assembly, buf) {
                Some(taken) => at = taken,
                None => return,
            }
        }
        while at < buf.len() && session.closing == Closing::No {
            let (mut batch, ended) = match parsed.take() {
                Some(Parsed { batch, ended, .. }) => (batch, ended),
                None => self.parse(session, buf, at),
            };
            batch.prefetch_members(self.server, session.db, buf);
            let stopped_at = self.execute(session, buf, &batch);
            self.tools.batches.push(batch);
            if let Some(from) = stopped_at {
                session.tail.extend_from_slice(&buf[from..]);
                return;
            }
            if session.closing != Closing::No {
                return;
            }
            match ended {
                Ended::Full { end } => at = end,
                Ended::Inline { start, len, end } => {
                    let from = match self.run_inline(session, &buf[start..start + len]) {
                        Flow::Done => {
                            at = end;
                            continue;
                        }
                        Flow::Held => start,
                        Flow::Blocked => end,
                    };
                    session.tail.extend_from_slice(&buf[from..]);
                    return;
                }
                Ended::Incomplete { at, how: Incomplete::Small } => {
                    session.tail.extend_from_slice(&buf[at..]);
                    return;
                }
                Ended::Incomplete { at, how: Incomplete::Large } => {
                    let fed = self.feed(session, Box::default(), &buf[at..]);
                    debug_assert!(fed.is_none(), "the parser found the command incomplete");
                    return;
                }
                Ended::Failed(error) => return self.protocol_error(session, error),
            }
        }
    }

    /// Parses commands and brings their keys into the cache.
    fn parse(&mut self, session: &Session, buf: &[u8], at: usize) -> (Batch, Ended) {
        let most = match self.server.trust_of(session) {
            Trust::Authenticated => batch::COMMANDS_MAX,
            Trust::Unauthenticated => 1,
        };
        let mut batch = self.tools.batches.pop().unwrap_or_default();
        let ended = batch.fill(self.server, buf, at, self.limits(session), most);
        if batch.has_several_keys() {
            batch.prefetch_buckets(self.server, session.db);
            batch.prefetch_entries(self.server, session.db);
        }
        (batch, ended)
    }

    /// Executes a batch; the offset to go on at later, if a command was held back or its reply is to
    /// be waited for.
    #[inline]
    fn execute(&mut self, session: &mut Session, buf: &[u8], batch: &Batch) -> Option<usize> {
        let mut tick = if batch.items.is_empty() { 0 } else { (self.server.ticks)() };
        for item in &batch.items {
            let args = Args::new(buf, batch.spans_of(item), &[]);
            let hashes = KeyHashes { hashes: batch.hashes_of(item), range: item.keys };
            let (flow, ended) =
                dispatch::execute(self.server, session, args, item.id, hashes, tick);
            tick = ended;
            match flow {
                Flow::Done => {}
                Flow::Held => {
                    self.hold(session);
                    return Some(item.start);
                }
                Flow::Blocked => return Some(item.end),
            }
            if session.output.pending_bytes() > OUTPUT_UNCHECKED_BYTES {
                self.server.check_output_limit(session);
                self.server.check_client_memory(session);
            }
            if session.closing != Closing::No {
                return None;
            }
        }
        None
    }

    /// Feeds a large command. The offset after it if it was completed and executed; `None` if all of
    /// `buf` was dealt with.
    fn feed(
        &mut self,
        session: &mut Session,
        mut assembly: Box<Assembly>,
        buf: &[u8],
    ) -> Option<usize> {
        match assembly.feed(buf, self.limits(session)) {
            Ok(Fed::More) => {
                session.assembly = Some(assembly);
                None
            }
            Ok(Fed::Complete(taken, args)) => match self.run_owned(session, args) {
                Flow::Done => Some(taken),
                Flow::Held | Flow::Blocked => {
                    session.tail.extend_from_slice(&buf[taken..]);
                    None
                }
            },
            Err(error) => {
                self.protocol_error(session, error);
                None
            }
        }
    }

    /// Executes a command that owns its arguments; if a pause holds it back, it is kept.
    fn run_owned(&mut self, session: &mut Session, args: OwnedArgs) -> Flow {
        let tick = (self.server.ticks)();
        let view = args.as_args();
        let found = self.server.commands.find(view.at(0));
        let hashes = KeyHashes::default();
        let (flow, _) = dispatch::execute(self.server, session, view, found, hashes, tick);
        if flow == Flow::Held {
            session.held = Some(args);
            self.hold(session);
        }
        flow
    }

    /// Executes one line of words.
    fn run_inline(&mut self, session: &mut Session, line: &[u8]) -> Flow {
        let Ok(words) = quote::split_args(line) else {
            self.protocol_error(session, ProtocolError::UnbalancedQuotes);
            return Flow::Done;
        };
        if words.is_empty() {
            return Flow::Done;
        }
        let args: OwnedArgs = words.iter().collect();
        let flow = self.run_owned(session, args);
        if flow == Flow::Held {
            session.held = None; // the line itself is kept instead
        }
        flow
    }

    fn hold(&mut self, session: &mut Session) {
        session.flags.insert(SessionFlags::PAUSED);
        self.server.paused.push(session.index);
    }

    fn limits(&self, session: &Session) -> Limits {
        let bulk_len_max = num::i64_of(self.server.config.proto_max_bulk_len);
        Limits { bulk_len_max, trust: self.server.trust_of(session) }
    }

    /// Replies with the error and closes the connection.
    #[cold]
    fn protocol_error(&mut self, session: &mut Session, error: ProtocolError) {
        let line = [b"ERR Protocol error: ", &error.text()[..]].concat();
        tracing::debug!(
            client = session.id.0,
            "Protocol error ({}) from client",
            error.text().escape_ascii()
        );
        self.server.stats.count_error(b"ERR");
        if session.reply_mode == ReplyMode::On {
            session.output.error(&line);
        }
        session.close_after_replies();
    }

    fn check_input_limit(&mut self, session: &mut Session) {
        if session.closing == Closing::Now || session.flags.contains(SessionFlags::PRIMARY) {
            return;
        }
        let held_bytes = session.query_bytes()
            + session.held.as_ref().map_or(0, OwnedArgs::memory_bytes)
            + session
                .transaction
                .as_ref()
                .map_or(0, |transaction| transaction.queue.argument_bytes());
        self.server.largest_input_bytes = self.server.largest_input_bytes.max(held_bytes);
        if held_bytes > self.server.config.client_query_buffer_limit {
            tracing::warn!(
                client = session.id.0,
                bytes = held_bytes,
                "Closing client that reached max query buffer length"
            );
            self.server.stats.query_buffer_limit_disconnections += 1;
            self.server.close(session);
        }
    }
}
