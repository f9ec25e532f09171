//! What the primary of a replica sends: words about itself, a snapshot, and then commands.
//!
//! The bytes of the stream are kept until they count: a command when it is executed, a transaction when it
//! ends. Then they are passed on, unchanged, to this server's own replicas.

use super::{Desk, Node, batch};
use crate::base::quote;
use crate::command::context::KeyHashes;
use crate::command::dispatch::Flow;
use crate::command::following::{Heard, Inflow};
use crate::node::batch::Ended;
use crate::resp::parse::{Incomplete, ProtocolError};
use crate::resp::{Args, Assembly, Fed, OwnedArgs};
use crate::session::{Closing, Endpoint, Session, SessionFlags};

/// Room for the stream that is kept when less of it waits, bytes.
const PENDING_KEPT_BYTES: usize = 1 << 20;

/// Why executing the stream stopped.
enum Stop {
    /// Nothing is left of it, for the time being.
    Used,
    /// Something else must be over first.
    Held,
    /// It is nothing to go on with.
    Worthless,
}

impl Desk<'_> {
    /// Adds the connection to a primary that is being made as a client; its place. `None` if the connection is
    /// no longer wanted.
    pub fn dialled(
        &mut self,
        attempt: u64,
        peer: Endpoint,
        local: Endpoint,
        descriptor: i32,
    ) -> Option<usize> {
        let index = self.connected(peer, local, descriptor);
        let server = &mut *self.server;
        server.stats.connections -= 1; // it is not one of those
        let mut session = server.sessions.take(index)?;
        session.flags.insert(SessionFlags::PRIMARY);
        session.trust = crate::resp::parse::Trust::Authenticated;
        let wanted = server.dialled(attempt, &mut session);
        server.sessions.put(session);
        if wanted.is_none() {
            self.disconnected(index);
        }
        wanted.map(|()| index)
    }

    /// The connection of a place is there.
    pub fn link_connected(&mut self, index: usize) {
        let Some(mut session) = self.server.sessions.take(index) else { return };
        self.server.link_connected(&mut session);
        self.server.sessions.put(session);
    }

    /// Takes what a primary sent.
    #[cold]
    pub(super) fn input_of_primary(&mut self, session: &mut Session, mut input: &[u8]) {
        if input.is_empty() {
            return self.execute_stream(session, input);
        }
        while !input.is_empty() && session.closing == Closing::No {
            match self.server.primary_sent(session, input) {
                Heard::Taken(count) => {
                    input = &input[count..];
                    if self.server.is_loading_from_primary() {
                        return self.server.keep_for_later(input);
                    }
                }
                Heard::Commands(count) => {
                    self.execute_stream(session, &input[..count]);
                    input = &input[count..];
                }
                Heard::Nothing => return,
            }
        }
    }

    /// Goes on with what could not be executed when it came.
    pub(super) fn go_on_with_stream(&mut self, index: usize) {
        let Some(mut session) = self.server.sessions.take(index) else { return };
        if session.closing == Closing::No {
            self.execute_stream(&mut session, &[]);
        }
        self.server.sessions.put(session);
    }

    fn execute_stream(&mut self, session: &mut Session, fresh: &[u8]) {
        let Some(work) = self.server.work_mut() else { return };
        let mut inflow = std::mem::take(&mut work.inflow);
        let before = inflow.pending.len();
        inflow.pending.extend_from_slice(fresh);
        let stop = if session.is_held_back() || self.server.is_stream_held() {
            inflow.assembly = None; // it is begun again with all that has come
            Stop::Held
        } else {
            self.server.begin_stream_input(session);
            self.execute_pending(session, &mut inflow, before)
        };
        match stop {
            Stop::Used | Stop::Held => {
                if let Some(work) = self.server.work_mut() {
                    work.inflow = inflow;
                }
            }
            Stop::Worthless => self.server.distrust(session),
        }
    }

    /// Executes what is complete. `fed` bytes of what is kept were seen by the assembly, if there is one.
    fn execute_pending(&mut self, session: &mut Session, inflow: &mut Inflow, fed: usize) -> Stop {
        let pending = std::mem::take(&mut inflow.pending);
        let mut counted = 0;
        let mut at = inflow.executed;
        let mut stop = None;
        if let Some(assembly) = inflow.assembly.take() {
            match self.feed_of_stream(session, inflow, assembly, &pending[fed..]) {
                Ok(taken) => at = fed + taken,
                Err(reason) => stop = Some(reason),
            }
        }
        while stop.is_none() {
            self.count_executed(session, &pending[..at], &mut counted);
            if at >= pending.len() {
                stop = Some(Stop::Used);
                break;
            }
            stop = self.execute_batch(session, inflow, &pending, &mut at, &mut counted);
        }
        self.count_executed(session, &pending[..at], &mut counted);
        inflow.pending = pending;
        inflow.pending.drain(..counted);
        let room = inflow.pending.capacity();
        if room > PENDING_KEPT_BYTES && inflow.pending.len() < room / 4 {
            inflow.pending.shrink_to(PENDING_KEPT_BYTES);
        }
        inflow.executed = at - counted;
        stop.unwrap_or(Stop::Used)
    }

    /// Lets bytes count, unless a transaction is open.
    fn count_executed(&mut self, session: &Session, executed: &[u8], counted: &mut usize) {
        if !session.flags.contains(SessionFlags::MULTI) && *counted < executed.len() {
            self.server.count_stream(&executed[*counted..], session.db);
            *counted = executed.len();
        }
    }

    /// Executes up to a batch of commands from `at` on, which is moved behind them.
    fn execute_batch(
        &mut self,
        session: &mut Session,
        inflow: &mut Inflow,
        pending: &[u8],
        at: &mut usize,
        counted: &mut usize,
    ) -> Option<Stop> {
        let mut batch = self.tools.batches.pop().unwrap_or_default();
        let limits = self.limits(session);
        let ended = batch.fill(self.server, pending, *at, limits, batch::COMMANDS_MAX);
        if batch.has_several_keys() {
            batch.prefetch_buckets(self.server, session.db);
            batch.prefetch_entries(self.server, session.db);
        }
        let mut stop = None;
        let mut tick = (self.server.ticks)();
        for item in &batch.items {
            let args = Args::new(pending, batch.spans_of(item), &[]);
            let hashes = KeyHashes { hashes: batch.hashes_of(item), range: item.keys };
            if item.id.is_none() || args.at(0).len() == b"replconf".len() {
                // Confirmations are asked for with what came before.
                self.count_executed(session, &pending[..item.start], counted);
            }
            let was_open = session.flags.contains(SessionFlags::MULTI);
            let executed = self.server.execute_of_stream(session, args, item.id, hashes, tick);
            if !was_open && session.flags.contains(SessionFlags::MULTI) && *counted < item.start {
                // What came before the transaction counts, whatever becomes of the transaction.
                self.server.count_stream(&pending[*counted..item.start], session.db);
                *counted = item.start;
            }
            match executed {
                Ok((Flow::Held, _)) => {
                    self.hold(session);
                    stop = Some(Stop::Held);
                }
                Ok((Flow::Done | Flow::Blocked, ended)) => {
                    tick = ended;
                    *at = item.end;
                    if session.closing != Closing::No || self.server.is_stream_held() {
                        stop = Some(Stop::Held);
                    }
                }
                Err(_refusal) => stop = Some(Stop::Worthless),
            }
            if stop.is_some() {
                break;
            }
        }
        self.tools.batches.push(batch);
        stop.or_else(|| self.end_batch(session, inflow, pending, (at, counted), ended))
    }

    fn end_batch(
        &mut self,
        session: &mut Session,
        inflow: &mut Inflow,
        pending: &[u8],
        (at, counted): (&mut usize, &mut usize),
        ended: Ended,
    ) -> Option<Stop> {
        match ended {
            Ended::Full { end } => {
                *at = end;
                None
            }
            Ended::Inline { start, len, end } => {
                let Ok(words) = quote::split_args(&pending[start..start + len]) else {
                    return Some(self.no_stream(session, ProtocolError::UnbalancedQuotes));
                };
                if !words.is_empty() {
                    *at = start;
                    self.count_executed(session, &pending[..start], counted);
                    let args: OwnedArgs = words.iter().collect();
                    match self.execute_owned(session, &args) {
                        Ok(Flow::Held) => return Some(Stop::Held),
                        Ok(Flow::Done | Flow::Blocked) => {}
                        Err(stop) => return Some(stop),
                    }
                }
                *at = end;
                None
            }
            Ended::Incomplete { at: from, how: Incomplete::Small } => {
                *at = from; // empty lines in front of it count, as they do if they come by themselves
                Some(Stop::Used)
            }
            Ended::Incomplete { at: from, how: Incomplete::Large } => {
                *at = from;
                match self.feed_of_stream(session, inflow, Box::default(), &pending[from..]) {
                    Ok(taken) => {
                        *at = from + taken;
                        None
                    }
                    Err(stop) => Some(stop),
                }
            }
            Ended::Failed(error) => Some(self.no_stream(session, error)),
        }
    }

    /// Feeds a long command; how many bytes it took, if it was completed and executed.
    fn feed_of_stream(
        &mut self,
        session: &mut Session,
        inflow: &mut Inflow,
        mut assembly: Box<Assembly>,
        bytes: &[u8],
    ) -> Result<usize, Stop> {
        match assembly.feed(bytes, self.limits(session)) {
            Ok(Fed::More) => {
                inflow.assembly = Some(assembly);
                Err(Stop::Used)
            }
            Ok(Fed::Complete(taken, args)) => match self.execute_owned(session, &args)? {
                Flow::Held => Err(Stop::Held), // it is put together again from what is kept
                Flow::Done | Flow::Blocked => Ok(taken),
            },
            Err(error) => Err(self.no_stream(session, error)),
        }
    }

    fn execute_owned(&mut self, session: &mut Session, args: &OwnedArgs) -> Result<Flow, Stop> {
        let tick = (self.server.ticks)();
        let view = args.as_args();
        let found = self.server.commands.find(view.at(0));
        let hashes = KeyHashes::default();
        match self.server.execute_of_stream(session, view, found, hashes, tick) {
            Ok((Flow::Held, _)) => {
                self.hold(session);
                Ok(Flow::Held)
            }
            Ok((flow, _)) => Ok(flow),
            Err(_refusal) => Err(Stop::Worthless),
        }
    }

    #[cold]
    fn no_stream(&mut self, session: &Session, error: ProtocolError) -> Stop {
        tracing::warn!(
            client = session.id.0,
            "Protocol error ({}) from the MASTER",
            error.text().escape_ascii()
        );
        Stop::Worthless
    }
}

impl Node {
    /// Does what a replica has to do in each turn.
    #[cold]
    pub(super) fn tick_replica(&mut self) {
        self.server.look_after_transfer();
        self.server.tell_what_is_on_disk();
        if let Some(index) = self.server.waiting_stream() {
            self.desk().go_on_with_stream(index);
        }
    }
}
