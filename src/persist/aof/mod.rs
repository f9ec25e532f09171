//! The append-only file: a base, the logs written since, and a manifest that names them.
//!
//! Everything here is bytes and decisions; `os/aof` does the system calls.

pub mod check;
pub mod growth;
pub mod log;
pub mod manifest;
pub mod read;
pub mod replay;
pub mod rewrite;
mod rewrite_stream;
