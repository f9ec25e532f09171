//! What a server knows of replication.

use super::Role;
use crate::base::rng::Rng;
use crate::repl::{Backlog, History, ReplId, Replicas};

/// The state of replication. The books are kept by `repl/`.
#[derive(Debug)]
pub struct Replication {
    /// Whether the server follows another one. Set by what follows primaries.
    pub role: Role,
    /// Whose stream it is, and how far.
    pub history: History,
    /// What of the stream is kept; `None` as long as nobody has asked for it.
    pub backlog: Option<Backlog>,
    /// Who follows.
    pub replicas: Replicas,
}

impl Replication {
    /// A primary that nobody has followed so far.
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            role: Role::Primary,
            history: History::new(random_id(rng)),
            backlog: None,
            replicas: Replicas::default(),
        }
    }
}

/// An id that nobody else has.
pub(super) fn random_id(rng: &mut Rng) -> ReplId {
    let mut bits = [0; ReplId::LEN / 2];
    for chunk in bits.chunks_mut(8) {
        chunk.copy_from_slice(&rng.next_u64().to_le_bytes()[..chunk.len()]);
    }
    ReplId::of_random(bits)
}
