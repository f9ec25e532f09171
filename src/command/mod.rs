//! The commands: one file (or folder) for each family, a [`Command`] literal beside each handler.
//!
//! To add a command, write its literal and list it in its family's `COMMANDS`.

pub mod access;
pub mod acl;
pub mod admin;
pub mod bitmap;
pub mod blocking;
pub mod buffers;
pub mod catalog;
pub mod connection;
pub mod context;
pub mod cursor;
pub mod debug;
pub mod defrag;
pub mod dispatch;
pub mod effects;
pub mod error;
pub mod events;
pub mod eviction;
pub mod expiry;
#[cfg(test)]
mod extreme_tests;
pub mod following;
pub mod generic;
pub mod geo;
pub mod hash;
pub mod host;
pub mod hyperloglog;
pub mod info;
pub mod keys;
pub mod latency;
pub mod list;
pub mod memory;
pub mod metrics;
pub mod observe;
pub mod persist;
pub mod picks;
pub mod pubsub;
pub mod push;
pub mod quiet_host;
pub mod replay;
mod replay_library;
pub mod replication;
pub mod scripting;
pub mod secrets;
pub mod server;
pub mod set;
pub mod several;
pub mod sorted_set;
pub mod spec;
pub mod stats;
pub mod stream;
pub mod string;
pub mod table;
#[cfg(test)]
pub(crate) mod testing;
pub mod tracking;
pub mod transaction;
pub mod waits;

pub use context::Context;
pub use error::{Error, Outcome};
pub use server::Server;
pub use spec::Spec;

/// The code of a command.
pub type Handler = fn(&mut Context<'_>) -> Outcome;

/// A command: what it is and what it does.
#[derive(Debug)]
pub struct Command {
    /// What it is.
    pub spec: Spec,
    /// Its code; `None` for a container that only has subcommands.
    pub handler: Option<Handler>,
    /// Its subcommands.
    pub subcommands: &'static [&'static Self],
}

/// All commands, by family.
pub static FAMILIES: &[&[&Command]] = &[
    &[&debug::DEBUG, &info::INFO, &latency::LATENCY, &memory::MEMORY],
    acl::COMMANDS,
    admin::COMMANDS,
    bitmap::COMMANDS,
    catalog::COMMANDS,
    connection::COMMANDS,
    following::COMMANDS,
    generic::COMMANDS,
    geo::COMMANDS,
    hash::COMMANDS,
    hyperloglog::COMMANDS,
    list::COMMANDS,
    observe::COMMANDS,
    persist::COMMANDS,
    pubsub::COMMANDS,
    replication::COMMANDS,
    scripting::COMMANDS,
    set::COMMANDS,
    sorted_set::COMMANDS,
    stream::COMMANDS,
    string::COMMANDS,
    transaction::COMMANDS,
];
