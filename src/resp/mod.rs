//! RESP2, RESP3 and inline commands: parsing and writing.
//!
//! Knows neither clients nor commands: bytes to arguments ([`parse`], [`Assembly`]), replies to bytes
//! ([`Output`]).

mod args;
mod assembly;
mod output;
pub mod parse;
mod queue;

pub use args::{Args, OwnedArgs};
pub use assembly::{Assembly, Fed};
pub use output::{Checkpoint, Chunk, DeferredLen, Output, Protocol, SHARED_LEN_MIN};
pub use queue::Queue;
