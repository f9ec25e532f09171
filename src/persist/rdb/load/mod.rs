//! Loading a whole snapshot.
//!
//! [`load`] reads one to its end into a keyspace. What may follow it is not touched: an append-only file
//! may begin with a snapshot. All errors end the load; what was loaded until then stays, and the caller
//! throws it away.

mod collection;
mod distinct;
mod file;
pub(super) mod frame;
mod packed;
mod pending;
mod rules;
mod stream;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;
pub(super) mod value;

pub use pending::Duplicates;
pub(super) use rules::{Dialect, Rules};
pub use rules::{Encodings, Sanitize};

use super::error::LoadError;
use super::read::{Reader, Verify};
use crate::persist::Progress;
use crate::store::Keyspace;
use bytes::Bytes;
use std::io::Read;

/// What becomes of keys and fields whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// They are left out and counted: on a primary.
    Drop,
    /// They are loaded: on a replica, whose primary removes them, and where commands follow that were
    /// executed while they were there.
    Keep,
}

/// How a snapshot is loaded.
#[derive(Clone, Copy)]
pub struct LoadOptions<'a> {
    /// How values are kept.
    pub encodings: Encodings,
    /// Whether they are looked at closely.
    pub sanitize: Sanitize,
    /// Whether the checksum is verified: `rdbchecksum`.
    pub verify: Verify,
    /// What becomes of what has expired, at the time of the keyspace.
    pub expired: Expired,
    /// What becomes of keys that are there already.
    pub duplicates: Duplicates,
    /// Bytes of the input, if known: no table is made larger than a file of that size can fill.
    pub input_bytes: Option<u64>,
    /// `key-load-delay`: microseconds to wait after each key; if negative, one after so many keys.
    pub key_delay_us: i32,
    /// Waits so many microseconds.
    pub sleep: &'a dyn Fn(u64),
}

impl std::fmt::Debug for LoadOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadOptions")
            .field("sanitize", &self.sanitize)
            .field("verify", &self.verify)
            .field("expired", &self.expired)
            .field("duplicates", &self.duplicates)
            .finish_non_exhaustive()
    }
}

impl LoadOptions<'_> {
    /// For a primary that trusts its file.
    #[must_use]
    pub fn new(encodings: Encodings) -> Self {
        Self {
            encodings,
            sanitize: Sanitize::No,
            verify: Verify::Checksum,
            expired: Expired::Drop,
            duplicates: Duplicates::Refuse,
            input_bytes: None,
            key_delay_us: 0,
            sleep: &|_| (),
        }
    }
}

/// What a snapshot says about itself. What it does not say, or says wrongly, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aux {
    /// The version of the server that wrote it: `redis-ver`, `valkey-ver`.
    pub server_version: Option<Vec<u8>>,
    /// Bits of the machine that wrote it: `redis-bits`.
    pub bits: Option<u64>,
    /// When it was written, Unix seconds: `ctime`.
    pub created_s: Option<i64>,
    /// Bytes of memory the server used: `used-mem`.
    pub used_memory_bytes: Option<u64>,
    /// The database that the replication stream had selected: `repl-stream-db`.
    pub repl_stream_db: Option<i64>,
    /// Whose data it is, 40 characters: `repl-id`.
    pub repl_id: Option<[u8; 40]>,
    /// How far: `repl-offset`.
    pub repl_offset: Option<i64>,
    /// Whether it is the base of an append-only file: `aof-base`, `aof-preamble`.
    pub is_aof_base: bool,
}

/// What became of the checksum at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It is that of the bytes.
    Yes,
    /// It was written without one.
    Disabled,
    /// Nobody asked, or the version is too old to have one.
    No,
}

/// What was loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The version of the format.
    pub version: u32,
    /// Keys that were added.
    pub keys: u64,
    /// Keys left out because they had expired.
    pub expired: u64,
    /// Fields of hashes left out because they had expired.
    pub expired_fields: u64,
    /// Keys left out because their collections had no elements, which old versions wrote by mistake.
    pub empty: u64,
    /// The first few of these.
    pub empty_keys: Vec<Vec<u8>>,
    /// What the snapshot says about itself.
    pub aux: Aux,
    /// The sources of the libraries of functions, to be written back.
    pub libraries: Vec<Bytes>,
    /// What became of the checksum.
    pub verified: Verified,
    /// Bytes of the snapshot; the input may go on behind them.
    pub bytes_read: u64,
}

/// Loads a snapshot into a keyspace.
///
/// # Errors
/// Where something is wrong, and what; [`LoadError`].
pub fn load<R: Read>(
    input: R,
    keyspace: &mut Keyspace,
    options: &LoadOptions<'_>,
    progress: &Progress,
) -> Result<Loaded, LoadError> {
    load_from(&mut Reader::new(input, options.verify, progress), keyspace, options, progress)
}

/// As [`load`]; afterwards [`Reader::into_rest`] has what follows the snapshot.
///
/// # Errors
/// As [`load`].
pub fn load_from<R: Read>(
    reader: &mut Reader<'_, R>,
    keyspace: &mut Keyspace,
    options: &LoadOptions<'_>,
    progress: &Progress,
) -> Result<Loaded, LoadError> {
    file::File::new(reader, keyspace, options, progress).load()
}
