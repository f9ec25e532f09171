//! Clients: each sends something, waits for the replies, thinks, and goes on; now and then it asks with WAIT
//! how many replicas have what it wrote, or with WAITAOF on how many disks it is.

use crate::network::Link;
use crate::reply::{self, Reply};
use crate::rng::Rng;
use crate::workload;

/// How a client is connected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wire {
    No,
    /// The server has not been heard of yet.
    Opening(Link),
    Open(Link),
}

/// A write of which a client wants to know that it is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) number: u64,
    /// How many replicas are waited for.
    pub(crate) wanted: i64,
}

impl Token {
    pub(crate) fn key(number: u64) -> String {
        format!("t:{number}")
    }
}

/// What the server said of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Confirmed {
    pub(crate) token: Token,
    /// Where it is.
    pub(crate) copies: Copies,
}

/// What was said of where a write is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Copies {
    /// So many replicas have it.
    InMemory { replicas: i64 },
    /// It is on so many replicas' disks, and on that of the server, or not.
    OnDisk { here: bool, replicas: i64 },
}

impl Copies {
    /// How many replicas have it, at least.
    pub(crate) const fn replicas(self) -> i64 {
        match self {
            Copies::InMemory { replicas } | Copies::OnDisk { replicas, .. } => replicas,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) wire: Wire,
    received: Vec<u8>,
    /// Replies that are due, without those for the token.
    due: usize,
    /// Whose replies come last: that of SET and that of WAIT.
    token: Option<Token>,
    is_written: bool,
    pub(crate) replies: u64,
    pub(crate) errors: u64,
}

impl Client {
    pub(crate) fn new() -> Client {
        Client {
            wire: Wire::No,
            received: Vec::new(),
            due: 0,
            token: None,
            is_written: false,
            replies: 0,
            errors: 0,
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.due > 0 || self.token.is_some()
    }

    /// Forgets what was under way: the connection is gone.
    pub(crate) fn reset(&mut self) {
        let (replies, errors) = (self.replies, self.errors);
        *self = Client { replies, errors, ..Client::new() };
    }

    /// What it sends next.
    pub(crate) fn speak(
        &mut self,
        rng: &mut Rng,
        next_token: &mut u64,
    ) -> (Vec<u8>, Option<Token>) {
        let mut bytes = Vec::new();
        let commands = workload::commands(rng);
        for command in &commands {
            let words: Vec<&str> = command.split(' ').collect();
            reply::encode(&words, &mut bytes);
        }
        self.due = commands.len();
        if rng.chance(40) {
            *next_token += 1;
            let token = Token { number: *next_token, wanted: 1 + i64::from(rng.chance(30)) };
            let timeout = rng.between(100, 2000).to_string();
            reply::encode(&["SET", &Token::key(token.number), "1"], &mut bytes);
            let wanted = token.wanted.to_string();
            match rng.below(4) {
                0 => {
                    reply::encode(
                        &["WAITAOF", "1", &rng.below(3).to_string(), &timeout],
                        &mut bytes,
                    );
                }
                1 => reply::encode(&["WAITAOF", "0", &wanted, &timeout], &mut bytes),
                _ => reply::encode(&["WAIT", &wanted, &timeout], &mut bytes),
            }
            self.token = Some(token);
            self.is_written = false;
        }
        (bytes, self.token)
    }

    /// Takes replies; what was confirmed with them.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Option<Confirmed> {
        self.received.extend_from_slice(bytes);
        let mut confirmed = None;
        while let Some(reply) = reply::take(&mut self.received) {
            self.replies += 1;
            self.errors += u64::from(matches!(reply, Reply::Error(_)));
            if self.due > 0 {
                self.due -= 1;
                continue;
            }
            let token = self.token.expect("no reply without a command");
            if !self.is_written {
                self.is_written = true;
                let is_there = reply == Reply::Text(b"OK".to_vec());
                if !is_there {
                    self.token = Some(Token { wanted: 0, ..token }); // WAIT will be answered all the same
                }
                continue;
            }
            self.token = None;
            let copies = match &reply {
                Reply::Integer(replicas) => Some(Copies::InMemory { replicas: *replicas }),
                Reply::Array(counts) => match counts[..] {
                    [Reply::Integer(here), Reply::Integer(replicas)] => {
                        Some(Copies::OnDisk { here: here > 0, replicas })
                    }
                    _ => None,
                },
                _ => None,
            };
            confirmed =
                copies.filter(|_| token.wanted > 0).map(|copies| Confirmed { token, copies });
        }
        confirmed
    }
}
