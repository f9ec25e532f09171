//! Snapshots in Redis's RDB format, and values in it (DUMP).
//!
//! Read: versions 1 to 12 of Redis, and Valkey's (`VALKEY080`). Written: the oldest version that holds
//! the data, so that a user can always go back.

pub mod format;
