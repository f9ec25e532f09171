//! Hand-written data structures. They know no keys' meaning, no clock and no I/O.

pub mod dict;
pub mod entry;
pub mod hll;
pub mod intset;
pub mod listpack;
pub mod lzf;
pub mod quicklist;
pub mod rax;
pub mod relocate;
pub mod size_class;
pub mod skiplist;
pub mod unlzf;
