//! Replication between processes: the server under test with genuine servers, and with itself.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../common/mod.rs"]
mod common;

mod cuts;
mod fleet;
mod primary;
mod spill;
