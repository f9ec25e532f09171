//! Replication as rules and books without I/O: whose stream of changes it is and how far it goes, what
//! of it is kept, and how far each replica is.
//!
//! [`History`] says whether somebody who was cut off can go on; [`Backlog`] keeps the latest bytes of the
//! stream, once for all who are still to be sent them, and [`Spill`] older ones on disk; [`Replicas`] are those who follow this server.
//! Clients, sockets and clocks are not known here: places, bytes and times are passed in.

mod backlog;
mod history;
mod id;
pub mod link;
mod replicas;
mod spill;

pub use backlog::{Backlog, Held};
pub use history::{History, Second};
pub use id::ReplId;
pub use replicas::{Announcement, Capabilities, Replica, Replicas, Stage};
#[cfg(any(test, fuzzing))]
pub use spill::FakeFile;
pub use spill::{Answer, News, Spill, SpillFile};
