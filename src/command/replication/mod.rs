//! Replication: the server's part in it, on top of the books in `repl/`.
//!
//! `docs/design/replication.md` says how it works. The side of a primary is here: replicas, the stream and
//! the backlog; what a replica does to follow its primary is told in [`role`].

mod feed;
pub mod role;
mod state;

pub use role::Role;
pub use state::Replication;
