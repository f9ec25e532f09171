//! Following a primary: REPLICAOF, and what the link to the primary does to the data.
//!
//! The link itself is a machine without sockets ([`crate::repl::link`]). Its connection is a client's, marked
//! [`SessionFlags::PRIMARY`](crate::session::SessionFlags::PRIMARY), whose input comes to
//! [`Server::primary_sent`](super::Server::primary_sent) instead of the commands' dispatcher; the stream of
//! commands is executed by `node/primary`. A snapshot goes to another thread as it comes
//! ([`Intake`](super::host::Intake)).
//!
//! Invariant: a connection is listened to only as long as [`Work::connected`](work::Work) names its client;
//! whatever belongs to an earlier link is closed unheard.

mod at_once;
mod link;
mod own_keys;
mod replicaof;
mod stream;
mod sync;
mod work;

pub use at_once::AtOnce;
pub use link::{Dial, Heard};
pub use stream::Refusal;
pub use work::{Inflow, Work};

use super::Command;

/// The family.
pub static COMMANDS: &[&Command] = &[&replicaof::REPLICAOF, &replicaof::SLAVEOF];
