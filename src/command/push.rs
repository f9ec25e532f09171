//! What clients are sent that they did not ask for: messages, and what is told to who tracks keys.
//!
//! The client whose command is under way is out of its place; what is pushed to it waits until it has the
//! reply.

use super::server::Server;
use crate::pubsub::Message;
use crate::resp::Output;
use crate::session::{Closing, Ledger, Session, Sessions};
use bytes::Bytes;

/// What is pushed to clients that are out of their places, to be sent behind their replies.
#[derive(Debug, Default)]
pub struct Pushes {
    waiting: Vec<(usize, Bytes)>,
}

impl Pushes {
    /// Whether nothing waits.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// What pushing needs of the server, apart from what is pushed.
struct Post<'a> {
    sessions: &'a mut Sessions,
    pushes: &'a mut Pushes,
    ledger: &'a mut Ledger,
    writable: &'a mut Vec<usize>,
    /// Clients with so many bytes to be sent are to be looked at.
    suspicious_bytes: u64,
    /// Those that have as many.
    suspects: Vec<usize>,
}

impl Post<'_> {
    /// Hands a message to the client at a place.
    fn hand(&mut self, place: usize, message: &mut Message) {
        let Some(session) = self.sessions.get_mut(place) else {
            // Its protocol is not known here; both forms differ in the first byte only.
            let bytes = message.bytes(crate::resp::Protocol::Resp2).clone();
            return self.pushes.waiting.push((place, bytes));
        };
        let bytes = message.bytes(session.output.protocol);
        if append(session, bytes) == WasEmpty::Yes && !session.is_queued_for_write {
            session.is_queued_for_write = true;
            self.writable.push(place);
        }
        if self.ledger.is_kept() && session.closing != Closing::Now {
            self.ledger.note(session); // who takes too much goes when the client that pushes is done
        }
        if crate::base::num::u64_of(session.output.pending_bytes()) >= self.suspicious_bytes {
            self.suspects.push(place);
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
        let Self { sessions, pushes, ledger, writable, hub, .. } = self;
        let suspects = Vec::new();
        (Post { sessions, pushes, ledger, writable, suspicious_bytes, suspects }, hub)
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
        self.pushes.waiting.push((place, bytes));
    }

    /// Sends a client what waits for it, behind its reply.
    #[cold]
    pub fn send_pushes(&mut self, session: &mut Session) {
        let mut others = Vec::new();
        for (place, bytes) in std::mem::take(&mut self.pushes.waiting) {
            if place == session.index {
                write(&mut session.output, &bytes);
            } else {
                others.push((place, bytes));
            }
        }
        self.pushes.waiting.extend(others);
    }
}

/// Writes a push in the client's protocol.
fn write(out: &mut Output, bytes: &[u8]) {
    match bytes.split_first() {
        Some((b'*', rest)) if out.protocol == crate::resp::Protocol::Resp3 => {
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
