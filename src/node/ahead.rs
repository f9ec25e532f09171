//! Input of several clients at once: all of it is parsed, and the keys are brought into the cache, before
//! the first command is executed.
//!
//! A client that waits for each reply sends one command at a time, and its key is seldom in the cache.
//! With many such clients the waits for memory overlap like those of one client's pipeline.

use super::Desk;
use super::batch::{self, Batch, Ended};
use crate::command::server::Now;
use crate::resp::parse::Trust;
use crate::session::Closing;
use std::ops::Range;

/// What one client sent, as a part of a buffer.
#[derive(Clone, Debug)]
pub struct Received {
    /// The client's place.
    pub client: usize,
    /// The part.
    pub bytes: Range<usize>,
}

/// Commands of one client, parsed before it was its turn.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) batch: Batch,
    pub(super) ended: Ended,
    db: usize,
}

impl Desk<'_> {
    /// As [`Desk::input`], for several clients in order; none of them is there twice. If a script takes
    /// long, its bystander takes over what is behind it.
    pub fn input_all(&mut self, now: Now, buf: &[u8], received: &[Received]) {
        let takeovers = self.server.takeovers;
        let mut rest = received;
        while !rest.is_empty() {
            let mut parsed = std::mem::take(&mut self.tools.ahead);
            self.parse_ahead(buf, rest, &mut parsed);
            let (group, others) = rest.split_at(parsed.len());
            for (Received { client, bytes }, parsed) in group.iter().zip(parsed.drain(..)) {
                self.input_parsed(now, *client, &buf[bytes.clone()], parsed);
                if self.server.takeovers != takeovers {
                    return;
                }
            }
            self.tools.ahead = parsed; // keep the allocation
            rest = others;
        }
    }

    /// Parses what some clients sent, one at least, as much as fits the first level cache with its
    /// entries.
    fn parse_ahead(&mut self, buf: &[u8], received: &[Received], parsed: &mut Vec<Option<Parsed>>) {
        let mut commands = 0;
        for Received { client, bytes } in received {
            let one = self.parse_one(*client, &buf[bytes.clone()]);
            commands += one.as_ref().map_or(1, |one| one.batch.items.len());
            parsed.push(one);
            if commands >= batch::COMMANDS_MAX {
                break;
            }
        }
        if parsed.len() == 1 && !parsed.iter().flatten().any(|one| one.batch.has_several_keys()) {
            return; // nothing would happen between loading and use
        }
        for one in parsed.iter_mut().flatten() {
            one.batch.prefetch_entries(self.server, one.db);
        }
    }

    /// Parses what a client sent and starts loading the buckets of its keys; `None` if it is not an
    /// ordinary client at the start of a command.
    #[inline]
    fn parse_one(&mut self, client: usize, bytes: &[u8]) -> Option<Parsed> {
        let server = &*self.server;
        let session = server.sessions.get(client)?;
        let is_plain = session.closing == Closing::No
            && session.assembly.is_none()
            && !session.is_held_back()
            && server.trust_of(session) == Trust::Authenticated;
        if !is_plain {
            return None;
        }
        let (db, limits) = (session.db, self.limits(session));
        let mut batch = self.tools.batches.pop().unwrap_or_default();
        let ended = batch.fill(server, bytes, 0, limits, batch::COMMANDS_MAX);
        batch.prefetch_buckets(server, db);
        Some(Parsed { batch, ended, db })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Node;
    use super::*;
    use crate::base::rng::Rng;
    use crate::command::testing::Bench;
    use crate::session::Endpoint;

    const CLIENTS: usize = 12;

    struct World {
        node: Node,
        now: Now,
    }

    impl World {
        fn new() -> Self {
            let mut node = Node::new(Bench::new().server);
            for _ in 0..CLIENTS {
                let end = Endpoint::Tcp(([127, 0, 0, 1], 1).into());
                node.connected(end.clone(), end, 9);
            }
            Self { now: node.server.now, node }
        }

        /// The buffer in which the reactor hands on what clients sent, with what was kept of before.
        fn gather(&mut self, sent: &[(usize, Vec<u8>)]) -> (Vec<u8>, Vec<Received>) {
            let mut buf = Vec::new();
            let mut received = Vec::new();
            for (client, bytes) in sent {
                let start = buf.len();
                buf.append(&mut self.node.take_tail(*client));
                buf.extend_from_slice(bytes);
                received.push(Received { client: *client, bytes: start..buf.len() });
            }
            (buf, received)
        }

        fn send_together(&mut self, sent: &[(usize, Vec<u8>)]) {
            let (buf, received) = self.gather(sent);
            self.node.input_all(self.now, &buf, &received);
        }

        fn send_one_by_one(&mut self, sent: &[(usize, Vec<u8>)]) {
            for (client, bytes) in sent {
                let buf = [self.node.take_tail(*client), bytes.clone()].concat();
                self.node.input(self.now, *client, &buf);
            }
        }

        fn pass(&mut self) {
            self.now = self.now.later(50_000_000);
            self.node.tick(self.now);
        }

        /// What every client was sent, and whether it stays.
        fn seen(&mut self) -> Vec<(String, Closing)> {
            let sessions = &mut self.node.server.sessions;
            (0..CLIENTS)
                .map(|client| {
                    let session = sessions.get_mut(client).expect("nobody is removed");
                    let bytes: Vec<u8> = session.output.pieces().flatten().copied().collect();
                    session.output.advance(bytes.len());
                    (bytes.escape_ascii().to_string(), session.closing)
                })
                .collect()
        }
    }

    fn some_input(rng: &mut Rng) -> Vec<u8> {
        let mut input = String::new();
        for _ in 0..=rng.below(3) * rng.below(30) {
            let key = rng.below(20);
            match rng.below(60) {
                0 => input.push_str("CLIENT PAUSE 40\r\n"),
                1 => input.push_str(&format!("CLIENT KILL ID {}\r\n", 1 + rng.below(14))),
                2 => input.push_str(&format!("SELECT {}\r\n", rng.below(3))),
                3 => input.push_str("SWAPDB 0 1\r\n"),
                4 => input.push_str("CONFIG SET requirepass secret\r\n"),
                5 => input.push_str("AUTH secret\r\nCONFIG SET requirepass ''\r\n"),
                6 => input.push_str("*1\r\n$x\r\n"),
                7 => input.push_str("WAIT 1 30\r\n"),
                8 => input.push_str("FLUSHALL\r\n"),
                9 => input.push_str(&format!("SADD s {key} a b\r\nSREM s {key}\r\nSADD\r\n")),
                10 => input.push_str(&format!("HSET h {key} 1 a\r\nHSET h {key} 1\r\n")),
                11 => input.push_str(&format!(
                    "*4\r\n$4\r\nZADD\r\n$1\r\nz\r\n$2\r\n{key:02}\r\n$2\r\n{key:02}\r\n"
                )),
                12 => input
                    .push_str(&format!("*3\r\n$9\r\nSISMEMBER\r\n$1\r\ns\r\n$2\r\n{key:02}\r\n")),
                13..20 => input.push_str(&format!("INCR {key}\r\n")),
                20..40 => input.push_str(&format!("*2\r\n$4\r\nINCR\r\n$2\r\n{key:02}\r\n")),
                _ => input.push_str(&format!("*2\r\n$3\r\nGET\r\n$2\r\n{key:02}\r\n")),
            }
        }
        let cut = if rng.below(3) == 0 { rng.below_usize(6).min(input.len()) } else { 0 };
        input.truncate(input.len() - cut);
        input.into_bytes()
    }

    #[test]
    fn replies_do_not_depend_on_who_sends_at_the_same_time() {
        for seed in 0..300 {
            let mut rng = Rng::seeded(seed);
            let [mut together, mut alone] = [World::new(), World::new()];
            for _ in 0..10 {
                let mut sent = Vec::new();
                for client in 0..CLIENTS {
                    if rng.below(2) == 0 {
                        sent.push((client, some_input(&mut rng)));
                    }
                }
                together.send_together(&sent);
                alone.send_one_by_one(&sent);
                assert_eq!(together.seen(), alone.seen(), "seed {seed}");
                together.pass();
                alone.pass();
                assert_eq!(together.seen(), alone.seen(), "seed {seed}");
            }
        }
    }
}
