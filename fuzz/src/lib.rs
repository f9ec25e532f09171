//! What is fuzzed: functions that take bytes and panic when something is wrong.
//!
//! They are plain functions over the library's public interface, so that two programs share them:
//! libFuzzer through `fuzz_targets/`, and `tests/fuzz_replay.rs` of the main package, which runs the
//! corpus and every past crash through them on each `cargo test`.

pub mod aof;
pub mod canary;
pub mod command;
pub mod config;
pub mod dict;
pub mod entry;
pub mod glob;
pub mod hash;
pub mod hll;
pub mod host;
pub mod inline;
pub mod input;
pub mod intset;
pub mod link;
pub mod listpack;
pub mod quicklist;
pub mod rax;
pub mod rdb;
pub mod reply;
pub mod resp;
pub mod script;
pub mod skiplist;
pub mod stream;

/// The body of a target.
pub type Target = fn(&[u8]);

/// The targets by name; the canary, which is to fail, is not among them.
pub const TARGETS: &[(&str, Target)] = &[
    ("aof_load", aof::run),
    ("command", command::run),
    ("config", config::run),
    ("dict", dict::run),
    ("entry", entry::run),
    ("glob", glob::run),
    ("hash", hash::run),
    ("hll", hll::run),
    ("inline", inline::run),
    ("intset", intset::run),
    ("link", link::run),
    ("listpack", listpack::run),
    ("quicklist", quicklist::run),
    ("rax", rax::run),
    ("rdb_load", rdb::run_load),
    ("resp", resp::run),
    ("resp_long", resp::run_long),
    ("restore", rdb::run_restore),
    ("script", script::run),
    ("skiplist", skiplist::run),
    ("stream", stream::run),
];
