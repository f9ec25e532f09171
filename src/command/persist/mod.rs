//! What keeps the data beyond the process: snapshots, on demand and by themselves, and what is done with
//! them at the end and at the start.

mod ending;
mod loading;
mod log;
mod rewrite;
mod snapshot;
mod state;
mod waitaof;

use super::Command;

pub use ending::{Ending, NOT_SAVED, NotSaved, Patience, Save, Unsaved};
pub use loading::{Loaded, Loading, Origin, load_options, load_received, log_loaded};
pub use snapshot::{Part, Requested, Snapshot, WriteData};
pub use state::{Child, Conditions, Outcome as SnapshotOutcome, Persistence, Scheduled, Target};
pub use waitaof::Reached;

/// The commands of the family.
pub static COMMANDS: &[&Command] = &[
    &rewrite::BGREWRITEAOF,
    &snapshot::BGSAVE,
    &snapshot::LASTSAVE,
    &snapshot::SAVE,
    &waitaof::WAITAOF,
];
