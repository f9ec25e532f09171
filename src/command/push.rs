//! What clients are sent that they did not ask for: messages, and what is told to who tracks keys.
//!
//! The client whose command is under way is out of its place; what is pushed to it waits until it has the
//! reply.

use super::server::Server;
use crate::base::num;
use crate::pubsub::Message;
use crate::resp::{Output, Protocol};
use crate::session::{ClientId, Closing, Ledger, Session, SessionFlags, Sessions};
use bytes::Bytes;
use std::collections::VecDeque;

/// What is pushed to clients that are out of their places, to be sent behind their replies.
#[derive(Debug, Default)]
pub struct Pushes {
    waiting: Vec<(usize, Waiting)>,
    /// Clients that have something to be sent and no reply among it, in the order in which they got it.
    written_next: VecDeque<usize>,
    /// Whether somebody has so much to be sent that all are to be written.
    is_urgent: bool,
}

/// Something that is pushed. The protocol of who gets it is not known yet.
#[derive(Clone, Debug)]
enum Waiting {
    /// A message as RESP2 has it, which differs from RESP3 in the first byte only.
    Message(Bytes),
    /// What is told to who tracks keys.
    Invalidation(Invalidation),
}

/// At least so many clients are sent their pushes in a turn.
const WRITES_PER_TURN: usize = 8;
/// After so many turns at most all were.
const TURNS_MAX: usize = 8;
/// Whoever has so many bytes to be sent does not wait for the next turn, nor do the others.
const URGENT_BYTES: u64 = 16 * 1024;

impl Pushes {
    /// Lists a client with something to be sent; `place` is its own.
    fn queue(&mut self, session: &mut Session, place: usize) {
        if !session.is_queued_for_write && !session.is_queued_for_push {
            session.is_queued_for_push = true;
            self.written_next.push_back(place);
        }
    }

    /// Whether somebody is to be sent a push.
    #[inline]
    pub fn has_unwritten(&self) -> bool {
        !self.written_next.is_empty()
    }

    /// How many clients are to be written now. What is published meanwhile goes to the others in the same
    /// write: a publisher that does not wait for the subscribers costs less than a write for each message.
    pub fn turn_len(&mut self) -> usize {
        let all = self.written_next.len();
        match std::mem::take(&mut self.is_urgent) {
            true => all,
            false => all.min(WRITES_PER_TURN.max(all / TURNS_MAX)),
        }
    }

    /// The next client to be written. It may have been written or have left meanwhile.
    pub fn take_next(&mut self) -> Option<usize> {
        self.written_next.pop_front()
    }

    /// Whether nothing waits.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// What is told to a client that tracks keys.
#[derive(Clone, Debug)]
pub struct Invalidation {
    what: What,
    /// Whether it is told in another's stead.
    is_redirected: bool,
}

#[derive(Clone, Debug)]
enum What {
    /// These keys, as an array, are not what they were.
    Keys(Bytes),
    /// No key is what it was.
    All,
    /// The client that was to be told in its stead has left.
    Broken(ClientId),
}

impl Invalidation {
    /// These keys are not what they were.
    pub fn of_keys<'k>(keys: impl Iterator<Item = &'k [u8]>) -> Self {
        let keys: Vec<&[u8]> = keys.collect();
        let mut out = Output::default();
        out.array(keys.len());
        keys.iter().for_each(|key| out.bulk(key));
        let bytes: Vec<u8> = out.pieces().flatten().copied().collect();
        Self { what: What::Keys(bytes.into()), is_redirected: false }
    }

    /// No key is what it was.
    pub const fn of_all() -> Self {
        Self { what: What::All, is_redirected: false }
    }

    /// The client that was to be told in its stead has left.
    pub const fn broken(target: ClientId) -> Self {
        Self { what: What::Broken(target), is_redirected: false }
    }

    /// The same, told to another in the client's stead.
    #[must_use]
    pub fn redirected(&self) -> Self {
        Self { is_redirected: true, ..self.clone() }
    }

    /// Writes it in the client's protocol. RESP2 has no form for it but a message, which only a
    /// subscriber expects, and only in another's stead.
    fn write(&self, session: &mut Session) {
        let out = &mut session.output;
        match (out.protocol, &self.what) {
            (Protocol::Resp3, What::Broken(target)) => {
                out.push(2);
                out.text("tracking-redir-broken");
                out.integer(num::i64_clamped(target.0));
                return;
            }
            (Protocol::Resp3, What::Keys(_) | What::All) => {
                out.push(2);
                out.text("invalidate");
            }
            (Protocol::Resp2, What::Keys(_) | What::All)
                if self.is_redirected && session.flags.contains(SessionFlags::SUBSCRIBED) =>
            {
                out.array(3);
                out.text("message");
                out.text("__redis__:invalidate");
            }
            (Protocol::Resp2, _) => return,
        }
        match &self.what {
            What::Keys(keys) => out.raw(keys),
            What::All | What::Broken(_) => out.null(),
        }
    }
}

/// What pushing needs of the server, apart from what is pushed.
struct Post<'a> {
    sessions: &'a mut Sessions,
    pushes: &'a mut Pushes,
    ledger: &'a mut Ledger,
    /// See [`URGENT_BYTES`]; less if limits are low, so that nobody exceeds one by waiting.
    urgent_bytes: u64,
    /// Clients with so many bytes to be sent are to be looked at.
    suspicious_bytes: u64,
    /// Those that have as many.
    suspects: Vec<usize>,
}

impl Post<'_> {
    /// Hands a message to the client at a place.
    fn hand(&mut self, place: usize, message: &mut Message) {
        let Some(session) = self.sessions.get_mut(place) else {
            let bytes = message.bytes(Protocol::Resp2).clone();
            return self.pushes.waiting.push((place, Waiting::Message(bytes)));
        };
        let bytes = message.bytes(session.output.protocol);
        if append(session, bytes) == WasEmpty::Yes {
            self.pushes.queue(session, place);
        }
        if self.ledger.is_kept() && session.closing != Closing::Now {
            self.ledger.note(session); // who takes too much goes when the client that pushes is done
        }
        let pending_bytes = num::u64_of(session.output.pending_bytes());
        if pending_bytes >= self.urgent_bytes {
            self.pushes.is_urgent = true;
            if pending_bytes >= self.suspicious_bytes {
                self.suspects.push(place);
            }
        }
    }
}

/// Whether a client had nothing to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WasEmpty {
    Yes,
    No,
}

/// Appends to what a client is to be sent, unless it is to be closed. If it had something already, it is
/// listed for writing or its socket is full: then there is nothing to be noted.
fn append(session: &mut Session, bytes: &Bytes) -> WasEmpty {
    let was_empty = if session.output.is_empty() { WasEmpty::Yes } else { WasEmpty::No };
    if session.closing == Closing::No {
        session.output.append_shared(bytes);
    }
    was_empty
}

impl Server {
    fn post(&mut self) -> (Post<'_>, &crate::pubsub::Hub) {
        let limits = &self.config.client_output_buffer_limit;
        let thresholds = [limits.pubsub, limits.normal].map(|limit| {
            let known = [limit.hard_bytes, limit.soft_bytes].into_iter().filter(|&bytes| bytes > 0);
            known.min().unwrap_or(u64::MAX)
        });
        let suspicious_bytes = thresholds[0].min(thresholds[1]);
        let urgent_bytes = URGENT_BYTES.min(suspicious_bytes / 4);
        let Self { sessions, pushes, ledger, hub, .. } = self;
        let suspects = Vec::new();
        (Post { sessions, pushes, ledger, urgent_bytes, suspicious_bytes, suspects }, hub)
    }

    /// Sends a message to all who listen to a channel; returns how many times it did.
    pub fn publish(&mut self, channel: &[u8], payload: &[u8]) -> usize {
        let (mut post, hub) = self.post();
        let receivers = hub.publish(channel, payload, |place, message| post.hand(place, message));
        let suspects = post.suspects;
        self.look_at(suspects);
        receivers
    }

    /// Sends a message to all who listen to a shard channel; returns how many did.
    pub fn publish_to_shard(&mut self, channel: &[u8], payload: &[u8]) -> usize {
        let (mut post, hub) = self.post();
        let hand = |place: usize, message: &mut Message| post.hand(place, message);
        let receivers = hub.publish_to_shard(channel, payload, hand);
        let suspects = post.suspects;
        self.look_at(suspects);
        receivers
    }

    /// Sends a message to the client at a place.
    pub fn push(&mut self, place: usize, message: &mut Message) {
        let (mut post, _) = self.post();
        post.hand(place, message);
        let suspects = post.suspects;
        self.look_at(suspects);
    }

    /// Closes those clients that have more to be sent than they may.
    fn look_at(&mut self, suspects: Vec<usize>) {
        for place in suspects {
            if let Some(mut session) = self.sessions.take(place) {
                self.check_output_limit(&mut session);
                self.sessions.put(session);
            }
        }
    }

    /// Sends bytes to a client, whose command is under way, when it has its reply.
    pub fn push_later(&mut self, place: usize, bytes: Bytes) {
        self.pushes.waiting.push((place, Waiting::Message(bytes)));
    }

    /// Tells the client at a place which keys are not what they were.
    pub(super) fn push_invalidation(&mut self, place: usize, invalidation: &Invalidation) {
        let Some(mut session) = self.sessions.take(place) else {
            let waiting = Waiting::Invalidation(invalidation.clone());
            return self.pushes.waiting.push((place, waiting));
        };
        if session.closing == Closing::No {
            let was_empty = session.output.is_empty();
            self.lend_buffer(&mut session);
            invalidation.write(&mut session);
            if session.output.is_empty() {
                self.take_buffer_back(&mut session);
            } else if was_empty {
                self.pushes.queue(&mut session, place);
            }
            let pending_bytes = num::u64_of(session.output.pending_bytes());
            self.pushes.is_urgent |= pending_bytes >= URGENT_BYTES;
            self.check_output_limit(&mut session);
            self.note_client_memory(&mut session);
        }
        self.sessions.put(session);
    }

    /// Sends a client what waits for it, behind its reply.
    #[cold]
    pub fn send_pushes(&mut self, session: &mut Session) {
        let mut others = Vec::new();
        for (place, waiting) in std::mem::take(&mut self.pushes.waiting) {
            if place != session.index {
                others.push((place, waiting));
                continue;
            }
            match waiting {
                Waiting::Message(bytes) => write(&mut session.output, &bytes),
                Waiting::Invalidation(invalidation) => invalidation.write(session),
            }
        }
        self.pushes.waiting.extend(others);
    }
}

/// Writes a push in the client's protocol.
fn write(out: &mut Output, bytes: &[u8]) {
    match bytes.split_first() {
        Some((b'*', rest)) if out.protocol == Protocol::Resp3 => {
            out.raw(b">");
            out.raw(rest);
        }
        Some(_) | None => out.raw(bytes),
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn what_a_client_sends_itself_comes_behind_the_reply() {
        let mut bench = Bench::new();
        bench.run("HELLO 3; SUBSCRIBE a; PSUBSCRIBE a");
        bench.check("PUBLISH a m", ":2 >[$message $a $m] >[$pmessage $a $a $m]");
        assert!(bench.server.pushes.is_empty());
    }
}
