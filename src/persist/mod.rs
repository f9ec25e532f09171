//! Persistence: snapshots (RDB) and the append-only file (AOF), as bytes. Files, forks and fsync are in
//! `os/`.

pub mod aof;
mod progress;
pub mod rdb;

pub use progress::Progress;
