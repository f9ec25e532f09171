//! Carnelian: a Redis-compatible in-memory data server.
//!
//! `ARCHITECTURE.md` is the map. The modules stand in the order of their layers: a folder imports
//! only the folders above it in this list, and `tests/tidy.rs` enforces that.

pub mod base;

pub mod ds;

pub mod config;

pub mod resp;

pub mod value;

pub mod store;

pub mod persist;

pub mod repl;

pub mod pubsub;

pub mod script;

pub mod acl;

pub mod session;

pub mod command;

pub mod node;

pub mod os;
