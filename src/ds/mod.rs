//! Hand-written data structures. They know no keys' meaning, no clock and no I/O.

pub mod dict;
pub mod entry;
pub mod intset;
