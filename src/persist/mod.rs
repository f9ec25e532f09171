//! Persistence: snapshots (RDB) and the append-only file (AOF), as bytes. Files, forks and fsync are in
//! `os/`.

pub mod rdb;
