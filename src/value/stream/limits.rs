//! When a node of a stream is full.

use crate::config::Config;

/// Longest node, whatever is configured, and most bytes of an entry's fields and values.
pub(super) const NODE_BYTES_MAX: usize = 1 << 30;

/// When a node is full: `stream-node-max-bytes` and `stream-node-max-entries`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    bytes: usize,
    entries: u64,
}

impl Limits {
    /// What the configuration says now.
    #[inline]
    #[must_use]
    pub const fn of(config: &Config) -> Self {
        Self::new(config.stream_node_max_bytes, config.stream_node_max_entries)
    }

    /// At most so many bytes and entries; 0 is no limit.
    #[inline]
    #[must_use]
    pub const fn new(bytes: usize, entries: u64) -> Self {
        let bytes = if bytes == 0 || bytes > NODE_BYTES_MAX { NODE_BYTES_MAX } else { bytes };
        Self { bytes, entries: if entries == 0 { u64::MAX } else { entries } }
    }

    /// Whether an entry with texts of `added` bytes belongs into a new node, behind one of `bytes` with
    /// so many entries, deleted ones included.
    #[inline]
    pub(super) const fn is_full(self, bytes: usize, added: usize, entries: u64) -> bool {
        bytes + added >= self.bytes || entries >= self.entries
    }
}
