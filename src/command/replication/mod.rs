//! Replication: the server's part in it, on top of the books in `repl/`.
//!
//! `docs/design/replication.md` says how it works. The side of a primary is here: replicas, the stream and
//! the backlog; what a replica does to follow its primary is told in [`role`].

mod care;
mod confirm;
mod failover;
mod feed;
mod introduce;
mod look;
mod report;
pub mod role;
mod snapshot;
mod spill;
mod state;
mod sync;
#[cfg(test)]
mod tests;
mod transfer;
mod wait;

pub use failover::Failover;
pub(super) use report::section;
pub use role::Role;
pub use state::{Replication, StreamBytes, Unsent};
pub use transfer::Transfers;
pub(super) use wait::deadline_ns;

use super::Command;

/// The family.
pub static COMMANDS: &[&Command] = &[
    &failover::FAILOVER,
    &introduce::REPLCONF,
    &look::ROLE,
    &sync::PSYNC,
    &sync::SYNC,
    &wait::WAIT,
];
