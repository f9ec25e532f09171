//! What a replica has in hand while it follows its primary.

use super::own_keys::OwnKeys;
use crate::base::num;
use crate::command::host::LogFigures;
use crate::repl::link::{Handover, Link, Position};
use crate::resp::Assembly;
use crate::session::ClientId;

/// Bytes of the stream that may wait to be executed before no more are read.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The link in use.
#[derive(Debug)]
pub(super) struct Connected {
    /// The client that its connection is.
    pub(super) client: ClientId,
    /// Its place.
    pub(super) place: usize,
    /// What is said on it.
    pub(super) link: Link,
}

/// Whether a connection is being made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Dialling {
    /// No.
    #[default]
    No,
    /// It is to be.
    Wanted,
    /// It is.
    UnderWay,
}

/// Where the snapshot that is being received goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Into the file of snapshots, which is loaded once it is complete.
    File,
    /// Into new databases, while the old ones are gone or not to be seen.
    Data,
    /// Into new databases, while the old ones are served.
    DataBeside,
}

/// A snapshot that is being received or loaded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    pub(super) target: Target,
    /// Whether its end was marked: then the primary waits to hear of us before it sends more.
    pub(super) is_marked: bool,
}

/// The stream of commands as it comes.
#[derive(Debug, Default)]
pub struct Inflow {
    /// What was received and is not part of the history yet.
    pub pending: Vec<u8>,
    /// How much of that was executed: the commands of a transaction count when it ends.
    pub executed: usize,
    /// What follows that, if it is a long command.
    pub assembly: Option<Box<Assembly>>,
}

impl Inflow {
    /// Whether more may be read.
    pub fn has_room(&self) -> bool {
        self.assembly.is_some() || self.pending.len() - self.executed < WAITING_BYTES_MAX
    }

    /// Whether there is something that may be executed when nothing is in the way.
    pub fn has_waiting(&self) -> bool {
        self.assembly.is_none() && self.pending.len() > self.executed
    }
}

/// Up to where changes are on disk, as an offset of the stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Synced {
    /// A place in the log, and the offset that it stands for.
    asked: Option<(u64, u64)>,
    reached: Option<u64>,
}

impl Synced {
    /// Follows the log, which has everything up to `offset`.
    pub(super) fn follow(&mut self, log: Option<LogFigures>, offset: u64) -> Option<u64> {
        let Some(figures) = log else {
            *self = Self::default();
            return None;
        };
        if let Some((position, reached)) = self.asked
            && figures.synced_position >= position
        {
            self.reached = Some(reached);
            self.asked = None;
        }
        self.asked.get_or_insert((figures.position, offset));
        Some(self.reached.unwrap_or(0))
    }
}

/// What a replica has in hand.
#[derive(Debug, Default)]
pub struct Work {
    pub(super) connected: Option<Connected>,
    pub(super) dialling: Dialling,
    /// Tells a connection that was asked for from one asked for before.
    pub(super) attempts: u64,
    /// When to connect again, milliseconds of the rising clock.
    pub(super) retry_ms: u64,
    /// The database that the stream has selected, if the primary can be asked to go on with it where the
    /// history ends.
    pub(super) resumable: Option<usize>,
    /// Where the stream begins behind the snapshot; `None` if the primary is too old to say.
    pub(super) begins: Option<Position>,
    /// Whether the primary is too old to be gone on with.
    pub(super) is_old: bool,
    pub(super) transfer: Option<Transfer>,
    /// The stream.
    pub inflow: Inflow,
    /// The database that the stream has selected where the history ends.
    pub stream_db: usize,
    pub(super) synced: Synced,
    pub(super) own_keys: OwnKeys,
    pub(super) handover: Handover,
}

impl Work {
    /// Bytes of memory it takes besides itself.
    pub fn memory_bytes(&self) -> usize {
        let assembly = self.inflow.assembly.as_ref().map_or(0, |assembly| assembly.memory_bytes());
        self.inflow.pending.capacity() + assembly
    }

    /// Whether there is a link.
    pub(super) const fn is_linked(&self) -> bool {
        self.connected.is_some()
    }

    /// Whether a client is the primary.
    pub(super) fn is_link(&self, client: ClientId) -> bool {
        self.connected.as_ref().is_some_and(|connected| connected.client == client)
    }

    /// Bytes received that are not part of the history yet.
    pub fn pending_bytes(&self) -> u64 {
        num::u64_of(self.inflow.pending.len())
    }
}
