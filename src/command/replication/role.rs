//! What a server is: a primary, or the replica of one.

use crate::command::following::Work;

/// Whether this server follows another one.
#[derive(Debug, Default)]
pub enum Role {
    /// It follows nobody: what clients change is the stream.
    #[default]
    Primary,
    /// It follows a primary: the bytes that come from there are the stream, and are passed on as they are.
    Replica(Box<Following>),
}

impl Role {
    /// Whether it is a primary.
    #[inline]
    pub const fn is_primary(&self) -> bool {
        matches!(self, Self::Primary)
    }

    /// What a replica knows of its primary.
    pub fn following(&self) -> Option<&Following> {
        match self {
            Self::Primary => None,
            Self::Replica(following) => Some(following),
        }
    }
}

/// How far the link to the primary is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// It is to be connected.
    #[default]
    Connect,
    /// It is being connected, or the two are about to agree on what to send.
    Connecting,
    /// The two introduce themselves.
    Handshake,
    /// A snapshot is being received.
    Sync,
    /// The stream is being received.
    Connected,
}

impl LinkState {
    /// As ROLE says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Connecting => "connecting",
            Self::Handshake => "handshake",
            Self::Sync => "sync",
            Self::Connected => "connected",
        }
    }
}

/// What a replica knows of its primary, for INFO and ROLE. Kept by what follows primaries.
#[derive(Debug, Default)]
pub struct Following {
    /// Where it is.
    pub host: String,
    /// See `host`.
    pub port: u16,
    /// How far the link is.
    pub link: LinkState,
    /// When something came from it last, Unix seconds.
    pub heard_at_s: Option<i64>,
    /// Since when the link is down, Unix seconds; `None` if it never was up.
    pub down_since_s: Option<i64>,
    /// Bytes of the snapshot that are received, and that it has, if that is known.
    pub sync_bytes: u64,
    /// See `sync_bytes`.
    pub sync_bytes_total: Option<u64>,
    /// When a part of the snapshot came last, Unix seconds.
    pub sync_heard_at_s: i64,
    /// What following it takes.
    pub work: Work,
}
