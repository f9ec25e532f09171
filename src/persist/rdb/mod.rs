//! Snapshots in Redis's RDB format, and values in it (DUMP).
//!
//! Read: versions 1 to 12 of Redis, and Valkey's (`VALKEY080`). Written: the oldest version that holds
//! the data, so that a user can always go back.

pub mod check;
mod dump;
mod error;
pub mod format;
mod libraries;
mod load;
mod old;
mod read;
mod restore;
mod save;
mod save_stream;
mod save_value;
pub mod write;

pub use dump::dump;
pub use error::{LoadError, Reason};
pub use libraries::{dump_libraries, restore_libraries};
pub use load::{
    Aux, Duplicates, Encodings, Expired, LoadOptions, Loaded, Sanitize, Verified, load, load_from,
};
pub use read::{Reader, Verify};
pub use restore::{RestoreError, RestoreOptions, restore};
pub use save::{Access, Keys, SaveOptions, save};
pub use write::{Checksum, Compression};
